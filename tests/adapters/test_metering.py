"""What questions cost: work of the server is counted, the way there, locks and pauses are not. On a real server."""

from __future__ import annotations

import asyncio

import pytest

from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.metering import Metering
from migconsole.adapters.postgres.target import resolve_target
from migconsole.errors import TargetError
from tests.adapters import probes_harness as harness
from tests.adapters.slow_way import slow_way
from tests.conftest import Database

WAY = 0.1
UNSURE = 0.05
"""Seconds that a question may seem shorter than it was: the quickest answer, taken for the way, had some work in it."""


async def asked(url: str, statement: str) -> float:
    """What one question costs, in seconds."""
    database = PostgresDatabase(resolve_target(url, environment={}))
    with Metering().spending() as spent:
        try:
            await database.query([statement], limit=5.0, lock_timeout=0.3)
        finally:
            await database.close()
    return spent.seconds


async def test_the_servers_work_is_counted(database: Database) -> None:
    assert 0.5 - UNSURE <= await asked(database.url, "SELECT pg_sleep(0.5)") < 0.9


async def test_the_way_is_not_counted(database: Database) -> None:
    async with slow_way(database.url, WAY) as way:
        began = asyncio.get_running_loop().time()
        spent = await asked(way.url, "SELECT 1")
        assert asyncio.get_running_loop().time() - began > 8 * WAY, "it went the slow way"
        assert spent < 2 * WAY
        assert 0.5 - UNSURE <= await asked(way.url, "SELECT pg_sleep(0.5)") < 0.5 + 3 * WAY


async def test_a_lock_that_is_waited_for_in_vain_is_not_counted(database: Database) -> None:
    database.psql("CREATE TABLE t (x int)")
    async with harness.client(database.url, "deploy") as migration:
        await migration.execute("BEGIN; LOCK TABLE t")
        alone = PostgresDatabase(resolve_target(database.url, environment={}))
        with Metering().spending() as spent, pytest.raises(TargetError):
            await alone.query(["SELECT count(*) FROM t"], limit=5.0, lock_timeout=0.4)
        await alone.close()
        assert spent.seconds < 0.3
        await migration.execute("ROLLBACK")


async def test_what_nobody_counts_is_not_kept(database: Database) -> None:
    with Metering().spending() as spent:
        pass
    await asked(database.url, "SELECT pg_sleep(0.2)")
    assert spent.seconds == 0.0
