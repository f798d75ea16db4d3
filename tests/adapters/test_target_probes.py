"""A watcher's sessions in the target: none is there while somebody needs it alone, whatever it was asked for."""

from __future__ import annotations

import asyncio

from migconsole.adapters.postgres.connect import Purpose, session
from migconsole.adapters.postgres.target import resolve_target
from migconsole.wiring.watcher import Tables, TargetProbes
from tests.conftest import Database
from tests.waiting import eventually

OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def test_looking_for_the_migrations_tables_is_cut_short_and_waits_until_it_may_come_back(
    database: Database,
) -> None:
    target, looks = resolve_target(database.url), 0

    async def find() -> Tables | None:
        nonlocal looks
        looks += 1
        async with session(target, Purpose("pending", 60.0)) as connection:
            await connection.fetch("SELECT pg_sleep(50)")
        return ()

    probes = TargetProbes(target, tables=find)
    try:
        await probes.open()
        await eventually(lambda: int(database.psql(OTHERS)) == 2)
        await probes.stand_down("the swap")
        assert int(database.psql(OTHERS)) == 0
        probes.retry()
        await asyncio.sleep(0)
        assert looks == 1
        await probes.stand_up()
        probes.retry()
        await eventually(lambda: looks == 2)
    finally:
        await probes.close()
