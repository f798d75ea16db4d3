"""dbmate: ``db/migrations/<version>_<name>.sql`` against ``schema_migrations``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from migconsole.adapters.migrators.base import UnreadableMigration, files_in, read_text
from migconsole.domain.migrations import Migration, MigrationReport, MigrationState
from migconsole.engine.migrator_ports import Rows, SqlFile

_NAME = re.compile(r"(\d+)\D.*\.sql")
_UP = re.compile(r"^--\s*migrate:up\b(?P<options>[^\n]*)$", re.MULTILINE)


class Dbmate:
    """The tool keeps the versions it has applied, and nothing of their content."""

    name = "dbmate"
    table = "schema_migrations"
    schema = ""
    query = "migrator_dbmate"
    lock = 0
    directories = ("db/migrations",)
    caution = (
        "dbmate records no content: an edited migration and one that failed leave no trace (a failed one is rolled "
        "back, unless its file says transaction:false)"
    )

    def recognises(self, directory: Path) -> bool:
        """A folder with a numbered SQL file that has dbmate's marker."""
        return any(_NAME.fullmatch(path.name) and _marked(path) for path in (files_in(directory, ".sql") or [])[:50])

    def judge(self, directory: Path, rows: Rows) -> MigrationReport | None:
        """A pending one is applied whatever its place: dbmate fills gaps."""
        paths = files_in(directory, ".sql")
        if paths is None:
            return None
        files = _versions(paths)
        recorded = {str(row["version"]) for row in rows}
        found = [_one(version, path, applied=version in recorded) for version, path in files.items()]
        found += [
            Migration(version, MigrationState.UNKNOWN, "applied, but not in the checkout")
            for version in sorted(recorded - set(files))
        ]
        blind = frozenset({MigrationState.EDITED, MigrationState.FAILED})
        return MigrationReport(tuple(sorted(found, key=lambda entry: entry.name)), blind)

    def scripts(self, directory: Path, names: Sequence[str]) -> list[SqlFile]:
        """The file of each migration; its part after migrate:down is for going back."""
        paths = {path.stem: path for path in _versions(files_in(directory, ".sql") or []).values()}
        return [SqlFile(name, paths[name]) for name in names if name in paths]


def _versions(paths: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        match = _NAME.fullmatch(path.name)
        if match is not None:
            found.setdefault(match[1], path)
    return dict(sorted(found.items()))


def _marked(path: Path) -> bool:
    try:
        return _UP.search(read_text(path)) is not None
    except UnreadableMigration:
        return False


def _one(version: str, path: Path, *, applied: bool) -> Migration:
    if applied:
        return Migration(path.stem, MigrationState.APPLIED)
    try:
        up = _UP.search(read_text(path))
    except UnreadableMigration as why:
        return Migration(path.stem, MigrationState.PENDING, str(why), broken=True)
    if up is None:
        return Migration(path.stem, MigrationState.PENDING, "it has no “-- migrate:up”", broken=True)
    note = "transaction:false: what it did before a failure stays" if "transaction:false" in up["options"] else ""
    return Migration(path.stem, MigrationState.PENDING, note)
