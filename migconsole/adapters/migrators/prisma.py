"""Prisma's migrations in a checkout: ``prisma/migrations/<timestamp>_<name>/migration.sql``."""

from __future__ import annotations

import re
from pathlib import Path

from migconsole.domain.migrations import MigrationFile, checksums

SCRIPT = "migration.sql"
LOCK_FILE = "migration_lock.toml"


def read_files(directory: Path) -> list[MigrationFile] | None:
    """The migrations of a folder by name, or None when there is no such readable folder.

    A folder without a readable script is listed with its problem: Prisma would stop at it.
    """
    try:
        folders = sorted(entry for entry in directory.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return None
    return [_read(folder) for folder in folders]


def _read(folder: Path) -> MigrationFile:
    try:
        content = (folder / SCRIPT).read_bytes()
        content.decode()
    except FileNotFoundError:
        return MigrationFile(folder.name, frozenset(), f"has no {SCRIPT}")
    except UnicodeDecodeError:
        return MigrationFile(folder.name, frozenset(), f"its {SCRIPT} is not UTF-8")
    except OSError as error:
        return MigrationFile(folder.name, frozenset(), f"its {SCRIPT} cannot be read: {error.strerror}")
    return MigrationFile(folder.name, checksums(content))


def provider_problem(directory: Path) -> str:
    """Why the folder's migrations are not for PostgreSQL, or ""; a folder without a lock file may be."""
    try:
        text = (directory / LOCK_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    match = re.search(r'^\s*provider\s*=\s*"([^"]*)"', text, re.MULTILINE)
    if match is None or match[1] in ("postgresql", "postgres", "cockroachdb"):
        return ""
    return f"{LOCK_FILE} says the migrations are for {match[1][:40]}, not PostgreSQL"
