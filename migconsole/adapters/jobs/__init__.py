"""Detached jobs: their files, their processes, and the adapter through which a console starts and adopts them."""
