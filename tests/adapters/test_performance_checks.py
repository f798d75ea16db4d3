"""Checks of performance on real servers: what became slower is found and named, and without a baseline nobody knows."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from migconsole.adapters.past import RunPast
from migconsole.adapters.postgres.checks import windows
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.target import resolve_target
from migconsole.domain.checklist import Checklist
from migconsole.domain.expectation import evaluate, parse
from migconsole.engine.comparing import Moments
from migconsole.engine.ports import CheckResult
from tests.adapters.test_postgres_checks import as_role
from tests.conftest import Database
from tests.waiting import eventually

SCHEMA = """
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
CREATE TABLE orders (id serial PRIMARY KEY, client_id int, placed_at timestamptz DEFAULT now(), total numeric);
INSERT INTO orders (client_id, total) SELECT g % 500, g FROM generate_series(1, 60000) g;
CREATE INDEX orders_client ON orders (client_id, placed_at);
ANALYZE orders;
"""
RECENT = "SELECT id, total FROM orders WHERE client_id = $1 ORDER BY placed_at DESC LIMIT 20"
ONE = "SELECT total FROM orders WHERE id = $1"


class Past(RunPast):
    """A run whose T-0 began and ended when the test says so."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, Checklist("test"))
        self.when = Moments()

    def moments(self) -> Moments:
        return self.when


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window that a check takes by itself is not ten seconds long here."""
    monkeypatch.setattr(windows, "LIVE", 0.2)
    for module in (
        "migconsole.domain.snapshots",
        "migconsole.engine.comparing",
        "migconsole.adapters.postgres.checks.windows",
    ):
        monkeypatch.setattr(f"{module}.SHORTEST", 0.0)


async def run(url: str, past: Past | None, name: str, **arguments: Any) -> CheckResult:
    return await PostgresDatabase(resolve_target(url, environment={}), past=past).check(name, arguments)


def values(result: CheckResult) -> Mapping[str, Any]:
    return result.observations[0].values


async def work(url: str, calls: int = 80) -> None:
    """The application: the same two statements, so often."""
    connection = await asyncpg.connect(url, server_settings={"application_name": "shop"})
    try:
        for number in range(calls):
            await connection.fetch(RECENT, number % 500)
            await connection.fetch(ONE, number + 1)
    finally:
        await connection.close()


def migrated(database: Database, past: Past, script: str) -> None:
    """T-0: a migration changes the schema."""
    now = float(database.psql("SELECT extract(epoch FROM clock_timestamp())"))
    database.psql(script)
    past.when = Moments(now, float(database.psql("SELECT extract(epoch FROM clock_timestamp())")))


# -- regression --------------------------------------------------------------------------------------------------------


async def test_the_statement_that_lost_its_index_is_found_and_named(
    database: Database, past: Past, short: None
) -> None:
    database.psql(SCHEMA)
    await run(database.url, past, "baseline")
    await work(database.url)
    first = await run(database.url, past, "baseline")
    assert first.judgement is True
    assert values(first)["snapshots"] == 2
    migrated(database, past, "DROP INDEX orders_client")
    await run(database.url, past, "baseline")
    await work(database.url)
    result = await run(database.url, past, "regression")
    found = values(result)
    assert found["critical"] == 1, result.lines
    assert "FROM orders WHERE client_id = $1" in found["slower"][0]
    assert len(found["slower"]) == 1
    assert found["judged"] >= 2
    assert result.judgement is False
    assert evaluate(parse({"critical": 0}, "check"), result.observations).passed is False
    assert any(
        "the blocks for the same rows" in line and "orders is read sequentially" in line for line in result.lines
    )


async def test_without_a_change_nothing_is_slower(database: Database, past: Past, short: None) -> None:
    database.psql(SCHEMA)
    await run(database.url, past, "baseline")
    await work(database.url)
    await run(database.url, past, "baseline")
    migrated(database, past, "ALTER TABLE orders ADD COLUMN note text")
    await run(database.url, past, "baseline")
    await work(database.url)
    result = await run(database.url, past, "regression")
    assert values(result)["critical"] == 0, result.lines
    assert evaluate(parse({"critical": 0}, "check"), result.observations).passed is True


async def test_a_restored_database_needs_a_fresh_baseline(database: Database, past: Past, short: None) -> None:
    database.psql(SCHEMA)
    await work(database.url)
    await run(database.url, past, "baseline")
    name, server = database.name, database.server
    migrated(database, past, "SELECT 1")
    server.psql(f'ALTER DATABASE "{name}" RENAME TO "{name}_failed"; CREATE DATABASE "{name}"')
    try:
        database.psql(SCHEMA)
        await work(database.url)
        result = await run(database.url, past, "regression")
        assert values(result)["critical"] is None
        assert result.judgement is None
        assert "the database was replaced" in result.reason
        assert "fresh baseline" in result.reason
    finally:
        server.psql(f'DROP DATABASE "{name}_failed"')


@pytest.mark.parametrize(
    ("began", "resumed", "why"),
    [
        (None, None, "until the migration begins"),
        (1.0, None, "no baseline yet"),
    ],
)
async def test_no_baseline_asks_and_never_passes(
    database: Database, past: Past, began: float | None, resumed: float | None, why: str
) -> None:
    database.psql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    past.when = Moments(began, resumed)
    result = await run(database.url, past, "regression")
    assert result.judgement is None
    assert why in result.reason
    assert evaluate(parse({"critical": 0}, "check"), result.observations).passed is None
    assert (await run(database.url, None, "regression")).judgement is None


async def test_without_the_extension_it_is_said(database: Database, past: Past) -> None:
    await run(database.url, past, "baseline")
    migrated(database, past, "SELECT 1")
    result = await run(database.url, past, "regression")
    assert result.judgement is None
    assert "pg_stat_statements is not in this database" in result.reason


async def test_snapshots_are_private_and_survive_a_damaged_file(database: Database, past: Past, tmp_path: Path) -> None:
    database.psql(SCHEMA)
    await run(database.url, past, "baseline")
    (path,) = (tmp_path / "baselines").glob("*.snapshot")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    (snapshot,) = past.kept()
    assert snapshot.texts()
    (tmp_path / "baselines" / "1.snapshot").write_bytes(b"no snapshot")
    assert [one.at for one in past.kept()] == [snapshot.at]


# -- queries -----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def sleeping(database: Database) -> AsyncIterator[None]:
    """Somebody whose statement does not end."""
    connection = await asyncpg.connect(database.url, server_settings={"application_name": "report"})
    task = asyncio.create_task(connection.execute("SELECT pg_sleep(600)"))
    try:
        await eventually(
            lambda: database.psql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == "1"
        )
        yield
    finally:
        connection.terminate()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_statement_that_runs_too_long_fails_both_checks(database: Database, short: None) -> None:
    database.psql(SCHEMA)
    async with sleeping(database):
        for name in ("query_performance", "slow_queries"):
            result = await run(database.url, None, name, running_limit=0)
            assert values(result)["running"] == 1
            assert result.judgement is False
            assert any("(report as" in line and "pg_sleep" in line for line in result.lines)


async def test_what_statements_cost_is_of_a_window(database: Database, past: Past, short: None) -> None:
    database.psql(SCHEMA)
    await run(database.url, past, "baseline")
    await work(database.url, 120)
    # What takes most of the time is named: it must be the application's, and not what the checks themselves ask.
    database.psql("SELECT sum(total * 2), pg_sleep(1) FROM orders")
    result = await run(database.url, past, "query_performance")
    assert values(result)["calls"] > 0
    assert values(result)["mean"] > 0
    assert values(result)["ratio"] is None, "there is no baseline yet"
    assert any("FROM orders" in line for line in result.lines)
    slow = await run(database.url, past, "slow_queries", mean=0.000001)
    assert values(slow)["slow"] >= 2
    assert slow.judgement is False
    calm = await run(database.url, past, "slow_queries", mean=10)
    assert (values(calm)["slow"], calm.judgement) == (0, True)


async def test_without_the_extension_slow_statements_are_unknown(database: Database) -> None:
    for name in ("query_performance", "slow_queries"):
        result = await run(database.url, None, name)
        assert result.judgement is None
        assert "pg_stat_statements" in result.reason


async def test_what_a_role_may_not_see_is_unknown(database: Database, short: None) -> None:
    database.psql(SCHEMA)
    async with sleeping(database):
        result = await run(as_role(database, "ordinary"), None, "slow_queries", running_limit=0)
        assert values(result)["running"] is None
        assert result.judgement is not True


# -- response times ----------------------------------------------------------------------------------------------------


async def test_response_times_ask_without_a_baseline_and_pass_within_a_limit(database: Database, past: Past) -> None:
    result = await run(database.url, past, "response_time")
    assert result.judgement is None
    assert "no baseline yet" in result.reason
    assert 0 < values(result)["trivial"] < values(result)["connect"] < 5
    assert (await run(database.url, None, "response_time", max="30s")).judgement is True
    assert (await run(database.url, None, "response_time", max=0.0000001)).judgement is False


async def test_a_chosen_statement_is_judged_by_its_times_before(database: Database, past: Past) -> None:
    database.psql("CREATE TABLE waits AS SELECT 0.0::float8 AS s")
    statement = "SELECT pg_sleep(s) FROM waits"
    await run(database.url, past, "response_time", statement=statement)
    migrated(database, past, "UPDATE waits SET s = 0.05")
    result = await run(database.url, past, "response_time", statement=statement)
    assert result.judgement is False
    assert values(result)["statement"] >= 0.05
    assert values(result)["ratio"] > 3
    database.psql("UPDATE waits SET s = 0.0")
    calm = await run(database.url, past, "response_time", statement=statement, factor=1000)
    assert calm.judgement is True


# -- pool and host -----------------------------------------------------------------------------------------------------


async def test_the_pool_is_counted_and_its_limits_judged(database: Database) -> None:
    connections = [await asyncpg.connect(database.url, server_settings={"application_name": "shop"}) for _ in range(3)]
    try:
        result = await run(database.url, None, "connection_pool", application="shop", min=3)
        assert result.judgement is True, result.lines
        assert values(result)["pool"] == 3
        assert values(result)["by_application"] == {"shop": 3}
        assert 0 < values(result)["used_percent"] < 100
        assert (await run(database.url, None, "connection_pool", application="shop", min=4)).judgement is False
        assert (await run(database.url, None, "connection_pool", max_used=0.1)).judgement is False
    finally:
        for connection in connections:
            await connection.close()


async def test_the_host_is_looked_at_only_where_it_is_the_servers(database: Database) -> None:
    result = await run(database.url, None, "host_resources", max_cpu=101, min_memory=0.001, max_io_wait=101)
    assert result.judgement is True, result.lines
    assert 0 <= values(result)["cpu"] <= 100
    assert values(result)["memory_available"] > 0
    assert (await run(database.url, None, "host_resources", min_memory=100)).judgement is False
    hidden = await run(as_role(database, "ordinary"), None, "host_resources")
    assert hidden.judgement is None
    assert set(values(hidden).values()) == {None}
    assert "no privilege" in hidden.reason
