"""The demo's project folder: schema, migrations, scripts and .env, as a team would have them in its repository."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from enum import StrEnum
from pathlib import Path

from migconsole.demo.database import FILES
from migconsole.demo.trees import Tree

MIGRATIONS = Path("prisma/migrations")
STATE = Path("ops/state")

# Migrations up to here are applied before the demo begins; those after it are what the demo's run is about.
_LAST_APPLIED = "20260907070000_add_audit_log"
_CLIENTS = (
    "psql",
    "pg_dump",
    "pg_dumpall",
    "pg_restore",
    "pg_isready",
    "pg_basebackup",
    "pg_amcheck",
    "createdb",
    "dropdb",
    "createuser",
    "dropuser",
    "vacuumdb",
    "reindexdb",
    "pgbench",
)


class Scenario(StrEnum):
    """What the demo's migrations do.

    ``smooth``: all goes well. ``failure``: one fails on duplicate data and can be mended and resumed.
    ``regression``: all succeed, but an index that is needed is dropped.
    """

    SMOOTH = "smooth"
    FAILURE = "failure"
    REGRESSION = "regression"


def create(folder: Path, url: str) -> None:
    """Write the project with only those migrations that are applied already, and a .env that names the database."""
    shutil.copytree(FILES / "project", folder, ignore=_pending, dirs_exist_ok=True)
    _restrict(folder)
    write_private(folder / ".env", f'DATABASE_URL="{url}"\n')
    (folder / STATE).mkdir(mode=0o700, exist_ok=True)


def add_pending(folder: Path, scenario: Scenario) -> int:
    """Add the migrations that the demo's run is to apply; returns how many."""
    before = len(migrations(folder))
    shutil.copytree(FILES / "project" / MIGRATIONS, folder / MIGRATIONS, dirs_exist_ok=True)
    if scenario is Scenario.REGRESSION:
        shutil.copytree(FILES / "regression" / MIGRATIONS, folder / MIGRATIONS, dirs_exist_ok=True)
    _restrict(folder)
    return len(migrations(folder)) - before


def migrations(folder: Path) -> list[str]:
    """The names of the project's migrations, in order."""
    return sorted(path.parent.name for path in (folder / MIGRATIONS).glob("*/migration.sql"))


def create_bin(folder: Path, clients: Tree) -> None:
    """Write small programs that start a tree's client programs, for a folder on PATH.

    They are no links: programs find their libraries beside themselves, and some need a library path.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    library = f"LD_LIBRARY_PATH={shlex.quote(clients.library_path)} " if clients.library_path else ""
    for name in _CLIENTS:
        program = clients.bindir / name
        if program.exists():
            path = folder / name
            path.write_text(f'#!/bin/sh\n{library}exec {shlex.quote(str(program))} "$@"\n', encoding="utf-8")
            path.chmod(0o700)


def create_launcher(folder: Path, url: str, parent: int | None) -> Path:
    """Write the program that starts the workload in the background; it holds the application's password, so 0700."""
    options = ["--project", str(folder), *(["--parent", str(parent)] if parent else [])]
    command = shlex.join([sys.executable, "-m", "migconsole.demo.workload", *options])
    path = folder / STATE / "launch"
    write_private(
        path,
        f"#!/bin/sh\nDATABASE_URL={shlex.quote(url)}\nexport DATABASE_URL\n"
        f"unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGOPTIONS PGAPPNAME\n"
        f"{command} </dev/null >/dev/null 2>&1 &\n",
    )
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read, at any moment."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)


def _pending(directory: str, names: list[str]) -> list[str]:
    if Path(directory).name != MIGRATIONS.name:
        return []
    return [name for name in names if name[:1].isdigit() and name > _LAST_APPLIED]


def _restrict(folder: Path) -> None:
    """Nobody else reads the project; scripts can be executed, whatever the installation made of their modes."""
    folder.chmod(0o700)
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() or path.suffix == ".sh" else 0o600)
