"""The probes on every PostgreSQL that can be had: each query as its version has it, the same promises under locks."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from migconsole.adapters.postgres.probes.capabilities import read_capabilities, variants
from migconsole.domain.readings import Quality
from tests.adapters import probes_harness as harness
from tests.conftest import Database

pytestmark = pytest.mark.matrix


@pytest.fixture
def looked_at(matrix_database: Database) -> Database:
    matrix_database.psql(harness.SCHEMA)
    matrix_database.psql("ANALYZE t")
    return matrix_database


def major(database: Database) -> int:
    return int(database.server.version.split(".")[0])


async def test_each_query_runs_in_the_variant_of_its_version(looked_at: Database) -> None:
    connection = await asyncpg.connect(looked_at.url, server_settings={"search_path": "pg_catalog"})
    try:
        found = await read_capabilities(connection)
        for name, those in variants().items():
            meant = [variant.text for variant in those if variant.since <= major(looked_at) * 10_000]
            fitting = found.fitting(name)
            if not meant:
                assert not fitting, f"{name} needs too little"
                continue
            expected = meant[0].replace("{extension}", found.extension)
            assert fitting[:1] == (expected,), f"{name}: not the variant for {major(looked_at)}"
            await connection.prepare(fitting[0])
    finally:
        await connection.close()


@pytest.mark.parametrize("role", ["superuser", "pg_monitor"])
async def test_every_probe_returns_its_declared_columns(looked_at: Database, role: str) -> None:
    url, alone = looked_at.url, role == "pg_monitor"
    if alone:
        name = f"watcher_{looked_at.name}"
        looked_at.psql(f"CREATE ROLE {name} LOGIN; GRANT pg_monitor TO {name}")
        url = looked_at.server.url(looked_at.name, name)
    async with harness.opened(url) as probes:
        harness.all_declared(await harness.everything(probes), monitor_only=alone, major=major(looked_at))
        harness.all_declared(await harness.everything(probes, gate=True), monitor_only=alone, major=major(looked_at))


@pytest.mark.parametrize("scenario", harness.SCENARIOS)
async def test_nothing_of_ours_waits_under_locks(looked_at: Database, scenario: str) -> None:
    async with (
        harness.opened(looked_at.url) as probes,
        harness.watched_waits(looked_at.url),
        harness.locks(looked_at.url, scenario),
    ):
        await harness.pulse_is_fresh(probes)
        found = await harness.everything(probes, gate=True)
        rows = {row["relation"]: row for row in found["watch_sizes"].rows}
        assert rows["public.t"]["skipped"] is (scenario != "sequence")
        assert rows['public."Other Table"']["size"] > 0


async def test_the_pulse_survives_locked_catalogues(looked_at: Database) -> None:
    async with (
        harness.opened(looked_at.url) as probes,
        harness.client(looked_at.url, "deploy") as migration,
        harness.watched_waits(looked_at.url),
    ):
        await migration.execute("BEGIN")
        for catalog in harness.CATALOGS:
            await migration.execute(f"LOCK TABLE pg_catalog.{catalog} IN ACCESS EXCLUSIVE MODE")
        await harness.pulse_is_fresh(probes, 5)
        assert (await probes.run_probe("all_sizes_est")).quality is Quality.LOCKED
        await migration.execute("ROLLBACK")
        assert (await probes.run_probe("all_sizes_est")).quality is Quality.OK


async def test_the_migration_is_never_the_victim(looked_at: Database) -> None:
    await harness.deadlock(looked_at.url)


async def test_without_the_limit_it_would_be(looked_at: Database) -> None:
    """The control: what the test above would see if the monitor waited as long as it takes."""
    async with (
        harness.client(looked_at.url) as careless,
        harness.client(looked_at.url, "deploy") as migration,
        harness.client(looked_at.url, "look") as look,
    ):
        await migration.execute("SET deadlock_timeout = '50ms'; BEGIN; REINDEX INDEX t_x")
        await careless.execute("SET deadlock_timeout = '60s'")
        asking = asyncio.ensure_future(careless.fetchval("SELECT pg_total_relation_size('t')"))
        await harness.until_waiting(look, careless.get_server_pid())
        with pytest.raises(asyncpg.DeadlockDetectedError):
            await migration.execute("ALTER TABLE t ADD COLUMN y int")
        await migration.execute("ROLLBACK")
        await asking


async def test_the_migration_is_a_named_node_of_the_tree(looked_at: Database) -> None:
    url = looked_at.url
    async with (
        harness.opened(url) as probes,
        harness.client(url, "reader") as reader,
        harness.client(url, "deploy") as migration,
        harness.client(url, "app") as app,
        harness.client(url, "look") as look,
    ):
        await reader.execute("BEGIN")
        await reader.fetch("SELECT 1 FROM t LIMIT 1")
        waiting = [asyncio.ensure_future(migration.execute("ALTER TABLE t ADD COLUMN z int"))]
        await harness.until_waiting(look, migration.get_server_pid())
        waiting.append(asyncio.ensure_future(app.fetch("SELECT count(*) FROM t")))
        await harness.until_waiting(look, app.get_server_pid())
        found = harness.by_name(await probes.run_pulse())
        chain = [(row["depth"], row["pid"], row["migration"]) for row in found["lock_tree"].rows]
        assert chain == [
            (0, reader.get_server_pid(), False),
            (1, migration.get_server_pid(), True),
            (2, app.get_server_pid(), False),
        ]
        (session,) = found["migration_session"].rows
        assert session["found_by"] == "it changes the schema"
        assert session["summary"].startswith("waits for 1, holds up 1, oldest victim ")
        reader.terminate()
        await asyncio.gather(*waiting)
