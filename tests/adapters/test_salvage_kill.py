"""A salvage that is killed while the failed database is open: it is found, and closed, by whoever comes next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from migconsole.domain.rollback import LENT
from tests.adapters.test_salvage import failed, is_open, save
from tests.conftest import Database
from tests.waiting import eventually, wait_until

__all__ = ["failed"]

VICTIM = """
import asyncio, os, signal, sys
from pathlib import Path
from migconsole.adapters.postgres import salvage as reading
from migconsole.wiring.salvaging import Wanted, salvage

async def die(*arguments, **named):
    os.kill(os.getpid(), signal.SIGKILL)

reading.connect = die
asyncio.run(salvage(None, None, sys.argv[1], Wanted(Path(sys.argv[2])), print))
"""
"""The program's own salvage, which dies when it would go through the door that it has just opened."""


def limit_of(database: Database, name: str) -> int:
    return int(database.server.psql(f"SELECT datconnlimit FROM pg_database WHERE datname = '{name}'"))


def killed(database: Database, output: Path) -> None:
    words = [sys.executable, "-c", VICTIM, database.url, str(output)]
    done = subprocess.run(words, capture_output=True, text=True, env=dict(os.environ), timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    keepers = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%/salvage keeper'"
    wait_until(lambda: database.server.psql(keepers) == "0", 20)


@pytest.mark.parametrize("limit", [-1, 0, 7])
async def test_the_next_salvage_closes_it_and_gives_the_limit_back(
    database: Database, failed: str, tmp_path: Path, limit: int
) -> None:
    database.server.psql(f'ALTER DATABASE "{failed}" CONNECTION LIMIT {limit}')
    killed(database, tmp_path / "dead")
    assert is_open(database, failed), "the kill is where it is meant to be"
    assert limit_of(database, failed) == LENT + limit + 1
    await save(database, tmp_path / "out", tables=("created",))
    assert not is_open(database, failed)
    assert limit_of(database, failed) == limit
    assert (tmp_path / "out" / "public.created.only-failed.csv").exists()


async def test_a_rollback_that_looks_says_it_and_the_next_act_closes_it(
    database: Database, failed: str, tmp_path: Path
) -> None:
    killed(database, tmp_path / "dead")
    base = [sys.executable, "-m", "migconsole", "put-back", "--target", database.url, "--state-dir", str(tmp_path)]
    words = [*base, "--owner", failed[-8:].ljust(12, "0"), "--reason", "it was right"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*words, *more], capture_output=True, text=True, timeout=120, check=False)

    shown = run("--plan")
    assert f"{failed} was left open by a salvage that died" in shown.stdout, shown.stdout + shown.stderr
    done = run("--confirm", f"{database.name}@127.0.0.1:{database.server.port}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert database.psql("SELECT count(*) FROM created") == "2", "the failed database is the live one again"
    assert limit_of(database, database.name) == -1
    await eventually(lambda: is_open(database, database.name))
