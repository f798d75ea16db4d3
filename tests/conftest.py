"""What every test gets: a clean environment, and, on demand, a real server and a fresh database."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from migconsole.demo.server import SUPERUSER, EmbeddedServer
from migconsole.demo.trees import BINDIR_VARIABLE
from tests import trees

_INHERITED = ("PG", "MIGCONSOLE_", "XDG_")
_EXACT = {"DATABASE_URL", "DIRECT_URL", "SHADOW_DATABASE_URL", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"}
_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Forgotten, so that the consoles, runners and watchers that tests start do not compile the whole program each time."""


@dataclass(frozen=True, slots=True)
class Database:
    """A fresh database of one test; ``str()`` is its URL (superuser, no password needed)."""

    server: EmbeddedServer
    name: str
    url: str

    def psql(self, sql: str) -> str:
        """Run SQL through psql and return its bare output (unaligned, rows only)."""
        return self.server.psql(sql, self.name)

    def __str__(self) -> str:
        return self.url


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many workers ``-n auto`` of the project's settings means: none under a debugger or for single tests.

    One more than there are cores, because the long tests wait for other programs most of their time; more than four
    would start more PostgreSQL servers at once than a small machine has memory for.
    """
    debugged = config.option.usepdb or sys.gettrace() is not None or {"debugpy", "pydevd"} & sys.modules.keys()
    single = bool(config.args) and all("::" in argument for argument in config.args)
    return 0 if debugged or single else min((os.cpu_count() or 2) + 1, 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules of few long tests first: workers take whole modules, and one of these taken last would run alone."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


@pytest.fixture(autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees the caller's home, databases or settings; returns the home it sees instead."""
    home = tmp_path_factory.mktemp("home")
    for name in os.environ:
        if (name.startswith(_INHERITED) and name != BINDIR_VARIABLE) or name in {*_EXACT, _BYTECODE}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name, folder in (("CONFIG", ".config"), ("STATE", ".state"), ("DATA", ".data"), ("CACHE", ".cache")):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / folder))
    return home


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """One PostgreSQL for all tests of a worker, with pg_stat_statements loaded. To stop one, take own_server."""
    with EmbeddedServer(settings={"shared_preload_libraries": "pg_stat_statements"}) as started:
        yield started


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """A PostgreSQL of this test alone, to be stopped, killed and restarted at will."""
    with EmbeddedServer() as started:
        yield started


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[Database]:
    """A fresh database on the shared server, dropped afterwards."""
    yield from _fresh_database(server)


@pytest.fixture(scope="session", params=[pytest.param(major, id=f"pg{major}") for major in trees.MAJORS])
def matrix_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """A server of each version that can be had, for tests marked ``matrix``."""
    tree = trees.present().get(request.param)
    if tree is None:
        pytest.skip(trees.absent_reason(request.param))
    with EmbeddedServer(tree=tree, settings={"shared_preload_libraries": "pg_stat_statements"}) as started:
        yield started


@pytest.fixture
def matrix_database(matrix_server: EmbeddedServer) -> Iterator[Database]:
    """A fresh database on a server of each version, dropped afterwards."""
    yield from _fresh_database(matrix_server)


def _fresh_database(server: EmbeddedServer) -> Iterator[Database]:
    name = f"t_{secrets.token_hex(6)}"
    server.psql(f"CREATE DATABASE {name}")
    yield Database(server, name, server.url(name, SUPERUSER))
    if server.running:
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        shut = f"UPDATE pg_database SET datallowconn = false WHERE datname = '{name}'"
        server.psql(f"{shut}; {end}; DROP DATABASE IF EXISTS {name};")
