"""A dump on the real server and a mutating start: the dump is seen whatever it is called, and the start is held up."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.observing import SnapshotReader
from migconsole.adapters.postgres.target import resolve_target
from tests.conftest import Database
from tests.waiting import eventually, wait_until

CHECKLIST = """
checklist: Interlock
phases:
  - phase: Migration
    at: T-0
    sections:
      - section: Apply
        items:
          - item: Add a column
            id: change
            run: psql -X -v ON_ERROR_STOP=1 -c 'ALTER TABLE big ADD COLUMN more int'
            danger: mutating
            expect: {exit: 0}
"""


@contextmanager
def dumping(database: Database, name: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A pg_dump in the middle of a table: nobody reads what it writes, so it waits."""
    environment = dict(os.environ) | ({"PGAPPNAME": name} if name else {})
    command = [str(database.server.bindir / "pg_dump"), "-d", database.url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    copying = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' "
        "AND wait_event = 'ClientWrite'"
    )
    try:
        wait_until(lambda: database.psql(copying) == "1", 30)
        yield process
    finally:
        process.kill()
        process.communicate()
        wait_until(lambda: database.psql(copying) == "0", 30)


@pytest.fixture
def big(database: Database) -> Database:
    """A table that does not fit into any buffer between the server and its client."""
    database.psql("CREATE TABLE big AS SELECT repeat(md5(n::text), 100) AS text FROM generate_series(1, 20000) n")
    return database


@pytest.fixture
def target(big: Database) -> PostgresDatabase:
    return PostgresDatabase(resolve_target(big.url, environment={}), run="f00dface")


@pytest.mark.parametrize("name", ["", "mc/0a1b2c3d/deadbeef", "nightly backup"])
async def test_a_dump_is_seen_by_its_name_or_by_what_it_sends(
    big: Database, target: PostgresDatabase, name: str
) -> None:
    try:
        assert await target.dumps() == []
        with dumping(big, name):
            (found,) = await target.dumps()
            assert found.startswith(f"{name or 'pg_dump'} (pid ")
        await eventually(lambda: _none(target))
    finally:
        await target.close()


async def _none(target: PostgresDatabase) -> bool:
    return not await target.dumps()


async def test_the_session_that_keeps_the_snapshot_of_a_backup_is_seen(big: Database, target: PostgresDatabase) -> None:
    try:
        async with SnapshotReader.opened(target.target, "0a1b2c3d"):
            (found,) = await target.dumps()
            assert found.startswith("migconsole/0a1b2c3d/backup")
        await eventually(lambda: _none(target))
    finally:
        await target.close()


async def test_a_dump_of_another_database_and_a_finished_copy_are_none(big: Database, target: PostgresDatabase) -> None:
    try:
        big.psql("COPY big TO STDOUT")
        other = PostgresDatabase(resolve_target(big.server.url("postgres"), environment={}), run="f00dface")
        with dumping(big):
            assert await other.dumps() == []
        await other.close()
    finally:
        await target.close()


def test_the_program_does_not_alter_beside_a_dump_and_does_after_it(big: Database, tmp_path: Path) -> None:
    path = tmp_path / "checklist.yaml"
    path.write_text(CHECKLIST)
    begin = [sys.executable, "-m", "migconsole", "--state-dir", str(tmp_path / "state")]
    more = ["--headless", "--allow", "mutating", "--target", big.url]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*begin, *arguments, *more], capture_output=True, text=True, timeout=120, check=False)

    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'big'"
    with dumping(big):
        held = run("run", str(path))
        assert held.returncode == 3, held.stdout + held.stderr
        assert "the database is being dumped (pg_dump (pid " in held.stdout
    assert big.psql(columns) == "1"
    done = run("resume")
    assert done.returncode == 0, done.stdout + done.stderr
    assert big.psql(columns) == "2"
