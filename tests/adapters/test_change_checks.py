"""Checks of what changed since the baseline of tables and indexes, and of an unstable or damaged database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.target import resolve_target
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.expectation import evaluate, parse
from tests.adapters.test_performance_checks import SCHEMA, Past, migrated, run, values, work
from tests.adapters.test_server_log import PREFIX, failing
from tests.conftest import Database


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


async def test_an_index_that_went_quiet_and_one_that_is_new(database: Database, past: Past) -> None:
    database.psql(SCHEMA)
    await work(database.url, 120)
    await run(database.url, past, "baseline")
    migrated(database, past, "CREATE INDEX orders_total ON orders (total)")
    quiet = await run(database.url, past, "index_usage")
    assert set(values(quiet)["quiet"]) >= {"public.orders_client"}, quiet.lines
    assert values(quiet)["new"] == ["public.orders_total"]
    assert quiet.judgement is None
    await work(database.url, 5)
    used = await run(database.url, past, "index_usage")
    assert values(used)["quiet"] == []
    assert used.judgement is True
    database.psql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_total'::regclass")
    broken = await run(database.url, past, "index_usage")
    assert values(broken)["invalid"] == ["public.orders_total"]
    assert broken.judgement is False


async def test_a_table_that_outgrew_its_size_is_named(database: Database, past: Past) -> None:
    database.psql(SCHEMA)
    assert (await run(database.url, None, "table_sizes")).judgement is None, "without a baseline a person judges"
    await run(database.url, past, "baseline")
    migrated(database, past, "SELECT 1")
    assert (await run(database.url, past, "table_sizes")).judgement is True
    database.psql("ALTER TABLE orders ADD COLUMN wide text; UPDATE orders SET wide = repeat('x', 1500)")
    grown = await run(database.url, past, "table_sizes")
    assert values(grown)["grown"] == ["public.orders"]
    assert values(grown)["growth"] > 64 * 1024**2
    assert grown.judgement is False


def found(result: Any) -> Mapping[str, Any]:
    return values(result)


async def test_a_restart_and_a_crash_are_instability() -> None:
    with EmbeddedServer(settings={**PREFIX, "max_connections": 20}) as server:
        url = server.url("postgres", "postgres")
        database = PostgresDatabase(resolve_target(url, environment={}))
        calm = await database.check("instability", {})
        assert (found(calm)["unstable"], calm.judgement) == (0, True), calm.lines
        server.stop()
        server.start()
        again = await database.check("instability", {})
        assert found(again)["restarted"] is True
        assert evaluate(parse({"unstable": 0}, "check"), again.observations).passed is False
        full = await PostgresDatabase(resolve_target(url, environment={})).check("instability", {"max_used": 0.1})
        assert full.judgement is False


async def test_damaged_data_in_the_log_is_found_and_its_absence_is_only_as_good_as_the_log() -> None:
    with EmbeddedServer(settings={**PREFIX, "log_destination": "csvlog"}) as server:
        url = server.url("postgres", "postgres")
        database = PostgresDatabase(resolve_target(url, environment={}))
        sound = await database.check("data_corruption", {})
        assert (found(sound)["corrupted"], sound.judgement) == (0, True), sound.lines
        await failing(url, "DO $$ BEGIN RAISE EXCEPTION 'invalid thing' USING ERRCODE = 'XX001'; END $$")
        damaged = await database.check("data_corruption", {})
        assert found(damaged)["corrupted"] == 1
        assert damaged.judgement is False
