"""Backups, their proof and the drill: directories of pg_dump with a manifest, and restores into a side database."""
