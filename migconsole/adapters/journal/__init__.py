"""The run's append-only, hash-chained journal."""
