"""Flyway: ``V…__….sql`` and ``R__….sql`` against ``flyway_schema_history``, by version, description and checksum."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migconsole.adapters.migrators.base import UnreadableMigration, read_text
from migconsole.domain.migrations import Migration, MigrationReport, MigrationState
from migconsole.engine.migrator_ports import Rows, SqlFile

_NAME = re.compile(r"(?:V(?P<version>\d[\d._]*)|R)__(?P<description>.+)\.sql")
_LINE = re.compile(r"\r\n|\r|\n")
_MOST = 5_000
Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """One file; ``version`` is None for a repeatable one. ``checksum`` is None when it cannot be read."""

    name: str
    version: Version | None
    description: str
    path: Path
    checksum: int | None


class Flyway:
    """The tool keeps a row for each run of each script, with a CRC-32 of its lines."""

    name = "flyway"
    table = "flyway_schema_history"
    schema = ""
    query = "migrator_flyway"
    lock = 0
    directories = ("sql", "src/main/resources/db/migration", "db/migration", "migrations")
    caution = (
        "On PostgreSQL Flyway rolls a failed script back and records nothing of it, unless it ran outside of a "
        "transaction; migrations written in Java have no file to compare"
    )

    def recognises(self, directory: Path) -> bool:
        """A folder that holds a versioned or repeatable script."""
        return bool(_scripts(directory))

    def judge(self, directory: Path, rows: Rows) -> MigrationReport | None:
        """The last row of a version counts; one that was undone is pending again."""
        if not directory.is_dir():
            return None
        scripts = _scripts(directory)
        versioned, repeatable, baseline, skipped = _history(rows)
        found = [
            _repeatable(script, repeatable.pop(script.description, None))
            if script.version is None
            else _versioned(script, versioned.pop(script.version, None), baseline)
            for script in scripts
        ]
        found += [_stranger(row) for row in (*versioned.values(), *repeatable.values())]
        notes = [f"{skipped} written in Java or a script language: not judged"] if skipped else []
        return MigrationReport(tuple(found), notes=tuple(notes))

    def scripts(self, directory: Path, names: Sequence[str]) -> list[SqlFile]:
        """The file of each script."""
        wanted = set(names)
        return [SqlFile(script.name, script.path) for script in _scripts(directory) if script.name in wanted]


def checksum(text: str) -> int:
    """Flyway's checksum: CRC-32 over the lines without their ends, as a signed number.

    >>> checksum("SELECT 1;") == checksum("SELECT 1;\\r\\n")
    True
    """
    value = 0
    lines = _LINE.split(text)
    for line in lines[:-1] if lines[-1] == "" else lines:
        value = zlib.crc32(line.encode(), value)
    return value - (1 << 32) if value >= 1 << 31 else value


def _version(text: str) -> Version:
    """Numbers of a version, trailing zeros left out: 1.0 is 1."""
    numbers = [int(part) for part in re.split(r"[._]", text) if part.isdecimal()]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _scripts(directory: Path) -> list[Script]:
    """The scripts of a folder and those below it, versioned ones first and in order."""
    found = []
    for path, _ in zip(sorted(directory.rglob("*.sql")) if directory.is_dir() else (), range(_MOST), strict=False):
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        try:
            summed: int | None = checksum(read_text(path))
        except UnreadableMigration:
            summed = None
        version = _version(match["version"]) if match["version"] else None
        found.append(Script(path.stem, version, match["description"].replace("_", " "), path, summed))
    return sorted(found, key=lambda script: (script.version is None, script.version or (), script.description))


def _history(
    rows: Rows,
) -> tuple[dict[Version | None, Mapping[str, Any]], dict[str, Mapping[str, Any]], Version | None, int]:
    versioned: dict[Version | None, Mapping[str, Any]] = {}
    repeatable: dict[str, Mapping[str, Any]] = {}
    baseline: Version | None = None
    skipped = 0
    for row in rows:
        kind = str(row["type"])
        version = _version(str(row["version"])) if row["version"] is not None else None
        if kind in ("BASELINE", "SQL_BASELINE"):
            baseline = version
        elif kind == "SCHEMA":
            continue
        elif kind.startswith("UNDO") or kind == "DELETE":
            if row["success"]:
                versioned.pop(version, None) if version else repeatable.pop(str(row["description"]), None)
        elif kind != "SQL":
            skipped += 1
        elif version is not None:
            versioned[version] = row
        else:
            repeatable[str(row["description"])] = row
    return versioned, repeatable, baseline, skipped


def _failed(script: str, row: Mapping[str, Any]) -> Migration:
    why = f"it failed at {row['installed_on']}; what it did before that stays, it ran outside of a transaction"
    return Migration(script, MigrationState.FAILED, why)


def _versioned(script: Script, row: Mapping[str, Any] | None, baseline: Version | None) -> Migration:
    if row is None:
        if baseline is not None and script.version is not None and script.version <= baseline:
            return Migration(script.name, MigrationState.APPLIED, "at or below the baseline: Flyway passes it over")
        unreadable = script.checksum is None
        return Migration(
            script.name, MigrationState.PENDING, "it cannot be read" if unreadable else "", broken=unreadable
        )
    if not row["success"]:
        return _failed(script.name, row)
    if row["checksum"] is not None and row["checksum"] != script.checksum:
        return Migration(script.name, MigrationState.EDITED, "the file is not what was applied")
    return Migration(script.name, MigrationState.APPLIED)


def _repeatable(script: Script, row: Mapping[str, Any] | None) -> Migration:
    if row is not None and not row["success"]:
        return _failed(script.name, row)
    if row is not None and row["checksum"] == script.checksum:
        return Migration(script.name, MigrationState.APPLIED)
    note = "repeatable: it changed and will be run again" if row is not None else "repeatable"
    return Migration(script.name, MigrationState.PENDING, note)


def _stranger(row: Mapping[str, Any]) -> Migration:
    name = Path(str(row["script"])).stem
    if not row["success"]:
        return _failed(name, row)
    return Migration(name, MigrationState.UNKNOWN, "applied, but not in the checkout")
