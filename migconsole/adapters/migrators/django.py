"""Django: the ``migrations`` packages of a project against ``django_migrations``."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from migconsole.adapters.migrators.base import UnreadableMigration, files_in, literals, parse_python
from migconsole.domain.migrations import Migration, MigrationReport, MigrationState
from migconsole.engine.migrator_ports import Rows, SqlFile

_SKIPPED = {"node_modules", "site-packages", "__pycache__", "venv", "env", "dist", "build"}
_DEEPEST = 6
"""Folders below the project's that are looked through for apps."""


@dataclass(frozen=True, slots=True)
class AppMigration:
    """One file; ``replaces`` are the names that a squashed one stands for."""

    name: str
    path: Path
    replaces: tuple[str, ...] = ()
    atomic: bool = True


class Django:
    """The tool keeps a row for each applied migration, and nothing of its content."""

    name = "django"
    table = "django_migrations"
    schema = ""
    query = "migrator_django"
    lock = 0
    directories = (".",)
    caution = (
        "Django records no content: an edited migration and one that failed leave no trace (PostgreSQL rolls a failed "
        "one back, unless it says atomic = False)"
    )

    def recognises(self, directory: Path) -> bool:
        """A project with manage.py, or a folder that holds an app's migrations."""
        return (directory / "manage.py").is_file() or next(_apps(directory), None) is not None

    def judge(self, directory: Path, rows: Rows) -> MigrationReport | None:
        """Applied is what has a row; a squashed one also when all that it replaces have."""
        if not directory.is_dir():
            return None
        files, problems = _read(directory)
        recorded = {f"{row['app']}.{row['name']}" for row in rows}
        replaced = {name for entry in files.values() for name in entry.replaces}
        apps = {name.split(".", 1)[0] for name in files}
        found = [_one(entry, recorded, files) for entry in files.values()]
        strangers = sorted(recorded - set(files) - replaced)
        found += [
            Migration(name, MigrationState.UNKNOWN, "applied, but not in the checkout")
            for name in strangers
            if name.split(".", 1)[0] in apps
        ]
        elsewhere = sorted({name.split(".", 1)[0] for name in strangers} - apps)
        notes = [f"not judged, their files are not in this folder: {', '.join(elsewhere[:10])}"] if elsewhere else []
        return MigrationReport(
            tuple(sorted(found, key=lambda entry: entry.name)),
            frozenset({MigrationState.EDITED, MigrationState.FAILED}),
            ordered=False,
            notes=tuple(notes),
            unclear=tuple(problems),
        )

    def scripts(self, directory: Path, names: Sequence[str]) -> list[SqlFile]:
        """The Python file of each migration: what it sends to the server is only known when it runs."""
        files, _ = _read(directory)
        return [SqlFile(name, files[name].path) for name in names if name in files]


def _one(entry: AppMigration, recorded: set[str], files: dict[str, AppMigration]) -> Migration:
    if entry.name in recorded:
        return Migration(entry.name, MigrationState.APPLIED)
    if entry.replaces and all(name in recorded for name in entry.replaces):
        return Migration(entry.name, MigrationState.APPLIED, "squashed: everything it replaces is applied")
    squashed = next((other for other in files.values() if entry.name in other.replaces), None)
    if squashed is not None and squashed.name in recorded:
        return Migration(entry.name, MigrationState.APPLIED, f"replaced by {squashed.name}")
    note = "" if entry.atomic else "atomic = False: what it did before a failure stays"
    return Migration(entry.name, MigrationState.PENDING, note)


def _apps(directory: Path) -> Iterator[Path]:
    """The migrations folders of a project, nearest first; hidden folders and installed packages are left out."""
    top = len(directory.parts)
    for folder, names, files in os.walk(directory):
        path = Path(folder)
        if path.name == "migrations" and "__init__.py" in files:
            yield path
        names[:] = sorted(name for name in names if name not in _SKIPPED and not name.startswith("."))
        if len(path.parts) - top >= _DEEPEST or (path / "pyvenv.cfg").exists():
            names.clear()


def _label(app: Path) -> str:
    """The app's label: what its configuration says, else its folder's name."""
    try:
        tree = parse_python(app / "apps.py")
    except UnreadableMigration:
        return app.name
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            label = dict(literals(node.body)).get("label")
            if isinstance(label, str):
                return label
    return app.name


def _read(directory: Path) -> tuple[dict[str, AppMigration], list[str]]:
    found: dict[str, AppMigration] = {}
    problems = []
    for folder in _apps(directory):
        app = _label(folder.parent)
        for path in files_in(folder, ".py") or []:
            if path.name.startswith("_"):
                continue
            try:
                entry = _migration(app, path)
            except UnreadableMigration as why:
                problems.append(f"{app}: {why}")
                continue
            if entry is not None:
                found[entry.name] = entry
    return found, problems


def _migration(app: str, path: Path) -> AppMigration | None:
    for node in parse_python(path).body:
        if isinstance(node, ast.ClassDef) and node.name == "Migration":
            declared = dict(literals(node.body))
            replaces = tuple(".".join(map(str, pair)) for pair in declared.get("replaces") or ())
            return AppMigration(f"{app}.{path.stem}", path, replaces, bool(declared.get("atomic", True)))
    return None
