"""A full-screen terminal console for running a PostgreSQL production migration from its checklist."""

__version__ = "0.1.0"
