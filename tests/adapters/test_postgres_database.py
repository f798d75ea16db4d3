"""The target as the engine sees it, on a real server: queries, our own backends, and a server that dies."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg
import pytest

from migconsole.adapters.postgres import queries
from migconsole.adapters.postgres.database import ROW_LIMIT, PostgresDatabase
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.postgres.values import LONGEST_TEXT, plain, table
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.expectation import evaluate, parse
from migconsole.domain.target import Target
from migconsole.errors import TargetError, UsageError
from tests.conftest import Database
from tests.waiting import eventually, wait_until

RUN = "f00dface99"
GROW = """CREATE TABLE t (a int);
CREATE FUNCTION grow() RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (2) RETURNING a'"""


def target(url: str) -> Target:
    return resolve_target(url, environment={})


@pytest.fixture
async def opened(database: Database) -> AsyncIterator[PostgresDatabase]:
    found = PostgresDatabase(target(database.url), run=RUN)
    yield found
    await found.close()


async def ask(
    database: PostgresDatabase, *statements: str, limit: float = 5, lock_timeout: float = 0.2
) -> list[list[object]]:
    result = await database.query(statements, limit=limit, lock_timeout=lock_timeout)
    return [list(row) for row in result.observations[-1].rows or ()]


# -- identity ----------------------------------------------------------------------------------------------------------


async def test_identity_is_what_the_server_says(opened: PostgresDatabase, database: Database) -> None:
    identity = await opened.identity()
    assert identity.name == f"{database.name}@127.0.0.1:{database.server.port}"
    assert str(identity.oid) == database.psql("SELECT oid FROM pg_database WHERE datname = current_database()")
    assert identity.system_identifier == database.psql("SELECT system_identifier FROM pg_control_system()")
    assert identity.version == database.server.version
    assert not identity.in_recovery
    assert not (await opened.identity()).differences(identity)


async def test_the_servers_clock_is_compared_when_it_is_identified(opened: PostgresDatabase) -> None:
    assert opened.skew() is None
    await opened.identity()
    reading = opened.skew()
    assert reading is not None
    skew, uncertainty = reading
    assert 0 < uncertainty < 5
    assert abs(skew) <= uncertainty + 0.05, "one host, one clock"


async def test_nothing_of_ours_stays_in_the_target(opened: PostgresDatabase, database: Database) -> None:
    await opened.identity()
    await ask(opened, "SELECT 1")
    await opened.check("connections", {})
    assert await opened.ours("mc/x/y") == []
    ours = f"application_name LIKE 'migconsole/{RUN[:8]}/%' AND datname = '{database.name}'"
    await eventually(lambda: database.psql(f"SELECT count(*) FROM pg_stat_activity WHERE {ours}") == "0")


# -- queries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT 1", 1),
        ("VALUES (NULL::int)", None),
        ("SHOW server_encoding", "UTF8"),
        ("WITH x AS (SELECT 2 AS n) SELECT n FROM x", 2),
        ("(SELECT 3) UNION ALL (SELECT 3) LIMIT 1", 3),
        ("/* a; b */ SELECT 'x;y' -- end ;", "x;y"),
        ("SELECT 1;", 1),
        ("SELECT sum(n) FROM generate_series(1, 4) n", 10),
        ("SELECT 2.5::numeric", 2.5),
        ("SELECT 'NaN'::numeric", "NaN"),
        ("SELECT 'Infinity'::float8", "inf"),
        ("SELECT interval '2 min'", 120.0),
        ("SELECT date '2026-11-22'", "2026-11-22"),
        ("SELECT '\\x00ff'::bytea", "\\x00ff"),
        ("SELECT true", True),
        ("SELECT ARRAY[1, NULL]", [1, None]),
        ("SELECT ROW(1, 'a')", [1, "a"]),
        ("SELECT '{\"a\": 1}'::jsonb", '{"a": 1}'),
        ("SELECT B'101'", "101"),
        ("SELECT int4range(1, 3)", "[1,3)"),
        ("SELECT point(1, 2)", [1.0, 2.0]),
        ("SELECT inet '10.0.0.1'", "10.0.0.1"),
        ("SELECT relkind FROM pg_class WHERE relname = 'pg_class'", "r"),
        ("SELECT 'pg_class'::regclass", "pg_class"),
        ("SELECT timestamptz '2026-11-22 10:00+01'", "2026-11-22T09:00:00+00:00"),
    ],
)  # fmt: skip
async def test_values_become_plain(opened: PostgresDatabase, sql: str, value: object) -> None:
    assert await ask(opened, sql) == [[value]]


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELECT 1; SELECT 2",
        "COPY pg_class TO PROGRAM 'cat >/dev/null'",
        "COPY pg_class TO STDOUT",
        "DROP TABLE t",
        "EXPLAIN ANALYZE DELETE FROM t",
        "WITH gone AS (DELETE FROM t RETURNING 1) SELECT * FROM gone",
        "SELECT * INTO copy FROM t",
        "SELECT nextval('s')",
        "SELECT * FROM t FOR UPDATE",
        "SELECT grow()",
        "DO $$ BEGIN END $$",
        "SET work_mem = '1MB'",
        "BEGIN",
        "SELECT 'open",
    ],
)
async def test_what_is_not_one_reading_statement_is_refused(
    opened: PostgresDatabase, database: Database, sql: str
) -> None:
    database.psql(f"{GROW}; INSERT INTO t VALUES (1); CREATE SEQUENCE s")
    with pytest.raises(UsageError):
        await ask(opened, sql)
    assert database.psql("SELECT count(*), (SELECT is_called FROM s) FROM t") == "1|f"


async def test_a_statement_cannot_leave_the_read_only_transaction(opened: PostgresDatabase, database: Database) -> None:
    database.psql(GROW)
    with pytest.raises((UsageError, TargetError)):
        await ask(opened, "SELECT set_config('transaction_read_only', 'off', false)", "SELECT grow()")
    with pytest.raises(UsageError):
        await ask(opened, "SELECT set_config('default_transaction_read_only', 'off', false)", "SELECT grow()")
    assert database.psql("SELECT count(*) FROM t") == "0"


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT n FROM t", ""),
        ("SELECT nope FROM t", "nope"),
        ("SELECT 1; SELECT 2", "statements"),
        ("SELECT 1 INTO copy", "columns"),
        ("DROP TABLE t", "begins with DROP"),
    ],
)
async def test_a_query_is_judged_without_running_it(
    opened: PostgresDatabase, database: Database, sql: str, words: str
) -> None:
    database.psql("CREATE TABLE t AS SELECT 1 AS n")
    found = await opened.refusal(sql)
    assert words in found
    assert bool(found) is bool(words)
    assert database.psql("SELECT count(*) FROM t") == "1"


async def test_several_statements_give_one_observation_each(opened: PostgresDatabase) -> None:
    result = await opened.query(["SELECT 1 AS a", "SELECT 2 AS b, 3 AS c"], limit=5, lock_timeout=1)
    assert [o.columns for o in result.observations] == [("a",), ("b", "c")]
    assert result.judgement is None
    assert "-- statement 2" in result.lines
    assert evaluate(parse({"column.b": "2"}, "sql"), result.observations[1:]).passed


async def test_rows_are_capped_and_that_is_said(opened: PostgresDatabase) -> None:
    result = await opened.query([f"SELECT generate_series(1, {ROW_LIMIT + 5})"], limit=10, lock_timeout=1)
    assert len(result.observations[0].rows or ()) == ROW_LIMIT
    assert "10,000" in result.reason
    assert len(result.lines) < 600
    result = await opened.query([f"SELECT generate_series(1, {ROW_LIMIT})"], limit=10, lock_timeout=1)
    assert result.reason == ""


async def test_hostile_results_are_harmless_lines(opened: PostgresDatabase) -> None:
    result = await opened.query(
        ["SELECT E'\\x1b]0;title\\x07\\n[/foo]' AS \"\x1b[2Jx\", repeat('y', 1000000) AS big"], limit=5, lock_timeout=1
    )
    assert all("\x1b" not in line and "\n" not in line and "\x07" not in line for line in result.lines)
    big = (result.observations[0].rows or [[]])[0][1]
    assert len(big) == LONGEST_TEXT + 1


@pytest.mark.parametrize(
    ("sql", "title", "detail"),
    [
        ("SELECT pg_sleep(20)", "No answer within 0.3 s", "statement timeout"),
        ("SELECT * FROM locked", "A lock was not granted within 0.2 s", "lock timeout"),
        ("SELECT 1 / 0", "The server refused the statement", "division by zero"),
        ("SELECT * FROM nowhere", "The server refused the statement", "nowhere"),
        ("SELECT * FROM forbidden", "No privilege", "permission denied"),
    ],
)
async def test_failures_are_said_in_words(database: Database, sql: str, title: str, detail: str) -> None:
    database.psql("CREATE TABLE locked (a int); CREATE TABLE forbidden (a int)")
    with suppress(Exception):
        database.psql("CREATE ROLE reader LOGIN")
    database.psql("GRANT SELECT ON locked TO reader")
    reader = PostgresDatabase(target(database.server.url(database.name, "reader")))
    holder = await asyncpg.connect(database.url)
    try:
        await holder.execute("BEGIN; LOCK locked IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TargetError) as caught:
            await ask(reader, sql, limit=0.3)
    finally:
        await holder.close()
    assert caught.value.title == title
    assert detail in caught.value.detail


async def test_prismas_schema_is_our_search_path(database: Database) -> None:
    database.psql('CREATE SCHEMA "My Sales"; CREATE TABLE "My Sales".t AS SELECT 7 AS n')
    assert await ask(PostgresDatabase(target(f"{database.url}?schema=My%20Sales")), "SELECT n FROM t") == [[7]]


async def test_giving_up_leaves_no_backend_behind(opened: PostgresDatabase, database: Database) -> None:
    sleeping = f"datname = '{database.name}' AND query LIKE '%sleep(60)%' AND pid <> pg_backend_pid()"
    running = f"SELECT count(*) FROM pg_stat_activity WHERE {sleeping}"
    task = asyncio.create_task(ask(opened, "SELECT pg_sleep(60)", limit=90))
    await eventually(lambda: database.psql(running) == "1")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: database.psql(running) == "0")
    assert await ask(opened, "SELECT 1") == [[1]]


async def test_many_questions_at_once(opened: PostgresDatabase) -> None:
    answers = await asyncio.gather(*(ask(opened, f"SELECT {n}") for n in range(8)), opened.identity())
    assert [answer for answer in answers[:8]] == [[[n]] for n in range(8)]


# -- the session that signals ------------------------------------------------------------------------------------------


async def test_our_backends_are_found_and_cancelled_under_locked_catalogues(
    opened: PostgresDatabase, database: Database
) -> None:
    """New sessions hang while these are locked, also in other databases; this one must have been there before."""
    await opened.identity()
    name = "mc/f00dface/87654321"
    holder = await asyncpg.connect(database.url)
    try:
        with backend(database, name, "SELECT pg_sleep(60)") as ours:
            await eventually(lambda: opened.ours(name))
            for catalogue in ("pg_class", "pg_attribute", "pg_authid", "pg_database"):
                await holder.execute(f"BEGIN; LOCK pg_catalog.{catalogue} IN ACCESS EXCLUSIVE MODE")
                began = time.monotonic()
                assert len(await opened.ours(name)) == 1, catalogue
                assert time.monotonic() - began < 1, catalogue
                if catalogue == "pg_database":
                    assert await opened.cancel(name) == 1
                await holder.execute("ROLLBACK")
            assert wait_until(lambda: ours.poll() is not None)
    finally:
        await holder.close()


async def test_a_server_killed_under_a_query(own_server: EmbeddedServer) -> None:
    database = PostgresDatabase(target(own_server.url()))
    task = asyncio.create_task(ask(database, "SELECT pg_sleep(60)", limit=90))
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"
    await eventually(lambda: own_server.psql(running) == "1")
    own_server.kill()
    with pytest.raises(TargetError) as caught:
        await asyncio.wait_for(task, 15)
    assert "was lost" in caught.value.title
    with pytest.raises(TargetError):
        await database.identity()
    own_server.start()
    assert await ask(database, "SELECT 1") == [[1]]
    await database.close()


async def test_it_finds_another_maintenance_database(own_server: EmbeddedServer) -> None:
    own_server.psql("CREATE DATABASE app; CREATE ROLE app LOGIN; REVOKE CONNECT ON DATABASE postgres FROM public;"
                    "GRANT pg_monitor TO app")  # fmt: skip
    database = PostgresDatabase(target(own_server.url("app", "app")))
    assert await database.ours("mc/x/y") == []
    await database.close()
    own_server.psql("REVOKE CONNECT ON DATABASE template1 FROM public")
    with pytest.raises(TargetError, match="maintenance database"):
        await database.ours("mc/x/y")


# -- our own backends --------------------------------------------------------------------------------------------------


@contextmanager
def backend(database: Database, name: str, sql: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [database.server.tool("psql"), "-XAtq", "-d", database.url, "-c", sql]
    environment = database.server.environment() | {"PGAPPNAME": name}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


async def test_our_backends_are_found_and_cancelled(opened: PostgresDatabase, database: Database) -> None:
    name = "mc/f00dface/12345678"
    with (
        backend(database, name, "SELECT pg_sleep(60)") as ours,
        backend(database, "mc/other", "SELECT pg_sleep(61)") as other,
    ):
        found = await eventually(lambda: _running(opened, name))
        assert [row["query"] for row in found] == ["SELECT pg_sleep(60)"]
        assert found[0]["state"] == "active"
        assert found[0]["query_start"] < 60
        assert await opened.cancel(name) == 1
        assert wait_until(lambda: ours.poll() is not None)
        assert other.poll() is None, "nobody else's session is touched"
        await eventually(
            lambda: database.psql(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'") == "0"
        )
        assert await opened.ours(name) == []
        assert await opened.cancel(name) == 0


async def _running(opened: PostgresDatabase, name: str) -> list[Mapping[str, Any]]:
    return [row for row in await opened.ours(name) if row["query"]]


async def test_an_empty_name_is_nobodys(opened: PostgresDatabase) -> None:
    with pytest.raises(ValueError, match="everybody"):
        await opened.cancel("")


async def test_ours_on_a_dead_server_is_unknown_not_none(own_server: EmbeddedServer) -> None:
    database = PostgresDatabase(target(own_server.url()))
    await database.identity()
    own_server.kill()
    for _ in range(2):
        with pytest.raises(TargetError):
            await database.ours("mc/x/y")


# -- parts -------------------------------------------------------------------------------------------------------------


def test_every_query_is_loaded_for_the_version() -> None:
    assert set(queries.names()) >= {"identity", "ours", "slots"}
    assert "NULL::text AS wal_status" in (queries.load("slots", 120_000) or "")
    assert "NULL::text AS wal_status" not in (queries.load("slots", 160_000) or "")
    later = {"dump_progress"}  # pg_stat_progress_copy came with 14
    assert {name for name in queries.names() if not queries.load(name, queries.OLDEST)} == later
    with pytest.raises(KeyError):
        queries.load("no_such_query", 160_000)


def test_tables_are_aligned_and_marked() -> None:
    assert table(["name", "n"], [["a", 10], ["bbbbb", None]]) == [
        "name    n",
        "─────  ──",
        "a      10",
        "bbbbb   ∅",
        "(2 rows)",
    ]
    assert table(["a"], []) == ["a", "─", "(0 rows)"]
    assert plain({"a": [1]}) == {"a": [1]}


@pytest.mark.matrix
async def test_every_version(matrix_database: Database) -> None:
    found = PostgresDatabase(target(matrix_database.url))
    identity = await found.identity()
    assert identity.version == matrix_database.server.version
    assert await ask(found, "SELECT 1") == [[1]]
    assert list(await found.ours("mc/x/y")) == []
    assert await found.cancel("mc/x/y") == 0
    await found.close()
