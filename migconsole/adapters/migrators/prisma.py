"""Prisma's migrations in a checkout: ``prisma/migrations/<timestamp>_<name>/migration.sql``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from migconsole.domain.migrations import MigrationFile, MigrationReport, MigrationRow, checksums, classify
from migconsole.engine.migrator_ports import Rows, SqlFile

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


class Prisma:
    """The tool keeps a row for each attempt, with the SHA-256 of the script and what the server said."""

    name = "prisma"
    table = "_prisma_migrations"
    schema = ""
    query = "prisma_migrations"
    lock = 72_707_369
    directories = ("prisma/migrations",)
    caution = (
        "whether a failed migration was undone depends on Prisma's version: from 7.4 on it sends a script statement by "
        "statement, and what came before the failure stays"
    )

    def recognises(self, directory: Path) -> bool:
        """A folder with Prisma's lock file, or with folders that hold a migration.sql."""
        if (directory / LOCK_FILE).is_file():
            return True
        try:
            return any((entry / SCRIPT).is_file() for entry in directory.iterdir())
        except OSError:
            return False

    def judge(self, directory: Path, rows: Rows) -> MigrationReport | None:
        """By content, and an attempt that never ended makes its migration failed."""
        files = read_files(directory)
        if files is None:
            return None
        report = classify(files, [_row(row) for row in rows])
        wrong = provider_problem(directory)
        return replace(report, wrong=(wrong,)) if wrong else report

    def scripts(self, directory: Path, names: Sequence[str]) -> list[SqlFile]:
        """The script of each migration."""
        paths = [(name, directory / name / SCRIPT) for name in names]
        return [SqlFile(name, path) for name, path in paths if path.parent.is_dir()]


def _row(row: Mapping[str, Any]) -> MigrationRow:
    return MigrationRow(
        name=row["name"],
        checksum=row["checksum"],
        started_at=row["started_at"].isoformat(),
        finished=row["finished"],
        rolled_back=row["rolled_back"],
        logs=row["logs"],
    )
