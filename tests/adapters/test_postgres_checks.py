"""The built-in checks against real servers: what is wrong fails, and what cannot be seen asks a person."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from migconsole.adapters.checklists.models import CHECKS_NOW
from migconsole.adapters.postgres.checks import CHECK_DOCS, CHECKS
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.locality import locality
from migconsole.adapters.postgres.target import resolve_target
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.expectation import evaluate, parse
from migconsole.engine.ports import CheckResult
from migconsole.errors import UsageError
from tests.conftest import Database
from tests.waiting import eventually


def opened(url: str, project: Path | None = None) -> PostgresDatabase:
    return PostgresDatabase(resolve_target(url, environment={}), project=project)


async def run(url: str, name: str, project: Path | None = None, **arguments: Any) -> CheckResult:
    return await opened(url, project).check(name, arguments)


def values(result: CheckResult) -> Mapping[str, Any]:
    return result.observations[0].values


def as_role(database: Database, name: str) -> str:
    """The URL for a role that may log in: "ordinary" has no privileges, "monitoring" is in pg_monitor."""
    if database.psql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{name}'") == "0":
        database.psql(
            f"CREATE ROLE {name} LOGIN" + ("; GRANT pg_monitor TO monitoring" if name == "monitoring" else "")
        )
    return database.server.url(database.name, name)


# -- the registry ------------------------------------------------------------------------------------------------------


async def test_unknown_names_are_refused_with_what_there_is(database: Database) -> None:
    with pytest.raises(UsageError) as caught:
        await run(database.url, "disk_fre")
    assert "disk_free" in caught.value.remedy
    with pytest.raises(UsageError) as caught:
        await run(database.url, "connections", maximum=3)
    assert "max" in caught.value.remedy


ARGUMENTS: dict[str, dict[str, Any]] = {"tables_exist": {"tables": ["t"]}, "backup_planned": {"directory": "."}}

ASKS = {
    "backup_stored": "no backup is named",
    "schema_fingerprint": "no fingerprint was kept in this run",
    "server_log": "reaches back only to",
    "table_sizes": "no run is open",
    "index_usage": "no run is open",
    "response_time": "no baseline yet",
    "regression": "no baseline yet",
    "query_performance": "pg_stat_statements is not in this database",
    "slow_queries": "pg_stat_statements is not in this database",
    "reviewed_files": "no migration file was reviewed",
}
"""Checks that need a run, a file or an extension, and what they say without it: unknown, and never passed."""


def test_every_check_is_documented() -> None:
    assert set(CHECKS) == set(CHECK_DOCS)
    assert set(CHECKS) == set(CHECKS_NOW)


@pytest.mark.parametrize("name", CHECKS)
async def test_values_are_the_documented_ones(database: Database, tmp_path: Path, name: str) -> None:
    add(tmp_path, "1_a")
    result = await run(database.url, name, tmp_path, **ARGUMENTS.get(name, {}))
    documented = set(CHECK_DOCS[name].values)
    if name == "migrations":
        documented |= {f"{state}_names" for state in ("applied", "failed", "edited", "unknown")}
    assert set(values(result)) == documented
    assert result.lines
    assert all("\n" not in line for line in result.lines)


# -- target and version ------------------------------------------------------------------------------------------------


async def test_target_shows_what_the_server_says(database: Database) -> None:
    result = await run(f"{database.url}?connection_limit=5", "target")
    assert result.judgement is True
    assert values(result)["database"] == database.name
    assert values(result)["dropped"] == ["connection_limit"]
    assert any(f"{database.name}@127.0.0.1:{database.server.port}" in line for line in result.lines)


async def test_target_notices_another_database(database: Database) -> None:
    checked = opened(database.url)
    try:
        identity = await checked.identity()
        checked.pin(replace(identity, system_identifier="1", oid=1))
        result = await checked.check("target", {})
    finally:
        await checked.close()
    assert result.judgement is False
    assert len(values(result)["changed"]) == 2


@pytest.mark.parametrize(
    ("requires", "passes"),
    [
        (">=11", True),
        (">=11, <99", True),
        (">=99", False),
        ("<11", False),
        ("18", True),
        (">=18.6", True),
        (">18.6", False),
    ],
)
async def test_server_version(server: EmbeddedServer, requires: str, passes: bool) -> None:
    if not server.version.startswith("18.6"):
        requires = requires.replace("18.6", server.version).replace("18", str(server.tree.major))
    assert (await run(server.url(), "server_version", requires=requires)).judgement is passes


async def test_a_broken_range_is_said(server: EmbeddedServer) -> None:
    with pytest.raises(UsageError):
        await run(server.url(), "server_version", requires="eleven")


# -- health ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[EmbeddedServer, EmbeddedServer]]:
    """A primary that allows prepared transactions, with a streaming standby."""
    same = {"max_prepared_transactions": 5}
    with EmbeddedServer(settings=same) as primary, EmbeddedServer(settings=same, primary=primary) as standby:
        yield primary, standby


async def test_a_quiet_server_is_healthy(server: EmbeddedServer) -> None:
    result = await run(server.url(), "server_health")
    assert result.judgement is True
    assert values(result)["restarted"] is False


async def test_what_was_left_behind_is_found(pair: tuple[EmbeddedServer, EmbeddedServer]) -> None:
    primary, _ = pair
    primary.psql("CREATE TABLE IF NOT EXISTS t (a int); INSERT INTO t VALUES (1), (1)")
    async with session(primary.url(), "build") as connection:
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON t (a)")
    primary.psql("BEGIN; INSERT INTO t VALUES (2); PREPARE TRANSACTION 'left'")
    try:
        result = await run(primary.url(), "server_health")
    finally:
        primary.psql("ROLLBACK PREPARED 'left'")
    assert result.judgement is False
    assert "prepared transaction left" in result.reason
    assert "public.broken" in result.reason
    assert evaluate(parse({"invalid_indexes": "0"}, "check"), result.observations).passed is False
    primary.psql("DROP TABLE t")


async def test_standbys_and_slots(pair: tuple[EmbeddedServer, EmbeddedServer]) -> None:
    primary, standby = pair
    primary.psql("CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor; CREATE ROLE plain LOGIN")
    monitor = primary.url(user="monitor")

    async def streaming() -> bool:
        return (await run(monitor, "server_health")).judgement is True

    await eventually(streaming, timeout=15)
    result = await run(monitor, "server_health")
    assert values(result)["standbys"] == 1
    assert values(result)["replication_lag"] is not None
    result = await run(primary.url(user="plain"), "server_health")
    assert result.judgement is None
    assert "no privilege" in result.reason
    assert values(result)["standbys"] is None
    primary.psql("SELECT pg_create_physical_replication_slot('idle', true)")
    result = await run(monitor, "server_health")
    assert result.judgement is False
    assert "slot idle" in result.reason
    primary.psql("SELECT pg_drop_replication_slot('idle')")
    result = await run(standby.url(), "server_health")
    assert result.judgement is False
    assert "standby" in result.reason
    assert (await run(standby.url(), "target")).judgement is False


async def test_a_restart_since_the_opening_is_noticed(own_server: EmbeddedServer) -> None:
    database = opened(own_server.url())
    assert (await database.check("server_health", {})).judgement is True
    own_server.restart()
    result = await database.check("server_health", {})
    assert result.judgement is False
    assert "restarted" in result.reason


# -- connections -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def session(url: str, application: str, *statements: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url, server_settings={"application_name": application})
    try:
        for statement in statements:
            await connection.execute(statement)
        yield connection
    finally:
        await connection.close()


async def test_nobody_connected_passes_and_somebody_asks(database: Database) -> None:
    assert (await run(database.url, "connections")).judgement is True
    async with session(database.url, "api"), session(database.url, "api"), session(database.url, "worker"):
        result = await run(database.url, "connections")
        assert result.judgement is None
        assert values(result)["by_application"] == {"api": 2, "worker": 1}
        assert (await run(database.url, "connections", max=3)).judgement is True
        assert (await run(database.url, "connections", max="2")).judgement is False
        assert (await run(database.url, "connections", application="worker", max=1)).judgement is True
        result = await run(database.url, "connections", application="nothing", max=0)
        assert result.judgement is True
        assert evaluate(parse({"total": "0"}, "check"), result.observations).passed


async def test_transactions_that_would_stop_a_migration_are_named(database: Database) -> None:
    async with session(database.url, "api", "BEGIN", "SELECT 'forgotten'"):
        await eventually(lambda: database.psql(IDLE_FOR) == "t")
        result = await run(database.url, "connections", max=9, idle_limit="50ms")
        assert result.judgement is False
        assert "forgotten" in result.reason
        assert values(result)["idle_in_transaction"] == 1
        assert values(result)["longest_xact"] > 0.05
        assert (await run(database.url, "connections", max=9)).judgement is True
        result = await run(database.url, "connections", max=9, idle_limit="1h", xact_limit="50ms")
        assert "its transaction lasts" in result.reason


IDLE_FOR = """SELECT bool_or(clock_timestamp() - state_change > interval '100 ms')
FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"""


async def test_hidden_sessions_are_no_health(database: Database) -> None:
    async with session(database.url, "api", "BEGIN"):
        result = await run(as_role(database, "ordinary"), "connections", max=9)
    assert result.judgement is None
    assert values(result)["idle_in_transaction"] is None
    assert values(result)["total"] == 1


# -- disk --------------------------------------------------------------------------------------------------------------


async def test_disk_of_a_local_server_is_measured(server: EmbeddedServer, database: Database, tmp_path: Path) -> None:
    result = await run(database.url, "disk_free", tmp_path, backup_directory="new/backups")
    free = shutil.disk_usage(server.data).free
    assert values(result)["free"] == pytest.approx(free, rel=0.2)
    assert values(result)["backup_free"] == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.2)
    assert values(result)["database"] == int(database.psql("SELECT pg_database_size(current_database())"))
    assert result.judgement is True
    assert evaluate(parse({"free": ">= 2x database"}, "check"), result.observations).passed
    assert evaluate(parse({"free": ">= 900000000x database"}, "check"), result.observations).passed is False
    assert (await run(database.url, "disk_free", factor=900_000_000)).judgement is False
    assert not (tmp_path / "new").exists()


async def test_disk_needs_a_privilege_and_pg_monitor_has_it(database: Database) -> None:
    result = await run(as_role(database, "ordinary"), "disk_free")
    assert result.judgement is None
    assert "pg_read_all_settings" in result.reason
    assert evaluate(parse({"free": ">= 2x database"}, "check"), result.observations).passed is None
    assert (await run(as_role(database, "monitoring"), "disk_free")).judgement is True


async def test_a_tablespace_elsewhere_counts(own_server: EmbeddedServer) -> None:
    place = own_server.base / "space"
    place.mkdir(mode=0o700)
    shutil.chown(place, own_server.data.stat().st_uid, own_server.data.stat().st_gid)
    own_server.psql(f"CREATE TABLESPACE elsewhere LOCATION '{place}'")
    own_server.psql("CREATE TABLE t (a int) TABLESPACE elsewhere")
    result = await run(own_server.url(), "disk_free")
    assert any("tablespace elsewhere" in line for line in result.lines)


def test_locality_is_proven_not_assumed(server: EmbeddedServer) -> None:
    assert server.pid is not None
    postmaster = psutil.Process(server.pid)
    started = postmaster.create_time()
    assert not locality(server.data, 2**22 + 1, 5555, started).local
    assert not locality(server.data, os.getpid(), 5555, started).local
    assert not locality(Path("/no/such/folder"), server.pid, 5555, started).local


async def test_each_part_of_the_proof_is_needed(server: EmbeddedServer) -> None:
    connection = await asyncpg.connect(server.url())
    try:
        pid = connection.get_server_pid()
        port = await connection.fetchval("SELECT inet_client_port()")
        started = await connection.fetchval("SELECT extract(epoch FROM pg_postmaster_start_time())::float8")
        assert locality(server.data, pid, port, started).local
        assert not locality(server.data, pid, port + 1, started).local
        assert not locality(server.data, pid, port, started - 3600).local
    finally:
        await connection.close()


# -- schema ------------------------------------------------------------------------------------------------------------


async def test_tables_exist(database: Database) -> None:
    database.psql('CREATE TABLE clients (a int); CREATE TABLE "Order" (a int); CREATE VIEW v AS SELECT 1')
    database.psql("CREATE SCHEMA s; CREATE TABLE s.t (a int)")
    result = await run(database.url, "tables_exist", tables=["clients", "Order", "v", "s.t"])
    assert result.judgement is True
    assert values(result) == {"missing": [], "found": 4, "expected": 4}
    result = await run(database.url, "tables_exist", tables="clients, order t")
    assert result.judgement is False
    assert values(result)["missing"] == ["order", "t"]
    assert any('"Order"' in line for line in result.lines)
    assert evaluate(parse({"missing": []}, "check"), result.observations).passed is False
    assert (await run(f"{database.url}?schema=s", "tables_exist", tables=["t"])).judgement is True
    with pytest.raises(UsageError):
        await run(database.url, "tables_exist")


async def test_tables_are_found_while_they_are_locked(database: Database) -> None:
    database.psql("CREATE TABLE t (a int)")
    async with session(database.url, "migration", "BEGIN", "ALTER TABLE t ADD b int"):
        began = time.monotonic()
        assert (await run(database.url, "tables_exist", tables=["t"])).judgement is True
        assert (await run(database.url, "server_health")).judgement is True
        assert time.monotonic() - began < 2


async def test_foreign_keys(database: Database) -> None:
    assert (await run(database.url, "foreign_keys")).judgement is None, "none at all proves nothing"
    database.psql(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int CONSTRAINT b_a REFERENCES a);"
        "CREATE TABLE c (a_id int)"
    )
    assert (await run(database.url, "foreign_keys", names=["b_a"])).judgement is True
    result = await run(database.url, "foreign_keys", names=["b_a", "c_a"])
    assert values(result) == {"count": 1, "missing": ["c_a"], "not_valid": []}
    assert result.judgement is False
    database.psql("ALTER TABLE c ADD CONSTRAINT c_a FOREIGN KEY (a_id) REFERENCES a NOT VALID")
    result = await run(database.url, "foreign_keys", names=["b_a", "c_a"])
    assert values(result)["not_valid"] == ["c_a"]
    assert result.judgement is False


# -- migrations --------------------------------------------------------------------------------------------------------


TABLE = """CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL,
finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz,
started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count int NOT NULL DEFAULT 0)"""


def add(project: Path, name: str, sql: str = "SELECT 1;\n") -> None:
    folder = project / "prisma" / "migrations" / name
    folder.mkdir(parents=True)
    (folder / "migration.sql").write_text(sql)


def record(
    database: Database, name: str, sql: str = "SELECT 1;\n", *, finished: str = "now()", schema: str = "public"
) -> None:
    digest = hashlib.sha256(sql.encode()).hexdigest()
    database.psql(
        f"INSERT INTO {schema}._prisma_migrations (id, checksum, finished_at, migration_name, logs) "
        f"VALUES (gen_random_uuid(), '{digest}', {finished}, '{name}', 'ERROR: boom')"
    )


async def test_without_a_table_everything_is_pending(database: Database, tmp_path: Path) -> None:
    add(tmp_path, "1_a")
    add(tmp_path, "2_b")
    result = await run(database.url, "migrations", tmp_path)
    assert result.judgement is True
    assert values(result)["pending_names"] == ["1_a", "2_b"]
    assert evaluate(parse({"pending": 0}, "check"), result.observations).passed is False


async def test_migrations_by_content(database: Database, tmp_path: Path) -> None:
    database.psql(TABLE)
    for name in ("1_a", "2_b", "3_c", "4_d"):
        add(tmp_path, name)
    record(database, "1_a")
    record(database, "2_b", "SELECT 2;\n")
    record(database, "3_c", finished="NULL")
    record(database, "0_gone")
    result = await run(database.url, "migrations", tmp_path)
    seen = values(result)
    assert {name: seen[name] for name in ("applied", "pending", "failed", "edited", "unknown", "total")} == {
        "applied": 3,
        "pending": 1,
        "failed": 1,
        "edited": 1,
        "unknown": 1,
        "total": 4,
    }
    assert (seen["edited_names"], seen["unknown_names"], seen["failed_names"]) == (["2_b"], ["0_gone"], ["3_c"])
    assert result.judgement is False
    assert "ERROR: boom" in result.reason


async def test_all_applied_passes_pending_zero(database: Database, tmp_path: Path) -> None:
    database.psql("CREATE SCHEMA sales; " + TABLE.replace("_prisma_migrations", "sales._prisma_migrations"))
    add(tmp_path, "1_a")
    record(database, "1_a", schema="sales")
    result = await run(f"{database.url}?schema=sales", "migrations", tmp_path)
    assert result.judgement is True
    assert evaluate(parse({"pending": 0, "failed": 0, "edited": 0}, "check"), result.observations).passed
    assert values(await run(database.url, "migrations", tmp_path))["pending"] == 1, "public has none"


async def test_a_migrator_at_work_is_not_called_a_failure(database: Database, tmp_path: Path) -> None:
    database.psql(TABLE)
    add(tmp_path, "1_a")
    record(database, "1_a", finished="NULL")
    async with session(database.url, "prisma", "SELECT pg_advisory_lock(72707369)"):
        result = await run(database.url, "migrations", tmp_path)
        assert values(result)["running"] is True
        assert result.judgement is None
    assert (await run(database.url, "migrations", tmp_path)).judgement is False


async def test_what_cannot_be_compared_asks(database: Database, tmp_path: Path) -> None:
    assert (await run(database.url, "migrations", tmp_path)).judgement is None
    (tmp_path / "empty").mkdir()
    assert (await run(database.url, "migrations", tmp_path, directory="empty")).judgement is None
    database.psql(TABLE)
    add(tmp_path, "1_a")
    result = await run(as_role(database, "ordinary"), "migrations", tmp_path)
    assert result.judgement is None
    assert "no privilege" in result.reason
    assert evaluate(parse({"pending": 0}, "check"), result.observations).passed is None


@pytest.mark.matrix
@pytest.mark.parametrize("name", sorted(set(CHECKS) - {"restore_point"}))  # which needs one: test_restore_point_check
async def test_every_check_on_every_version(matrix_database: Database, tmp_path: Path, name: str) -> None:
    matrix_database.psql(f"CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t); {TABLE}")
    add(tmp_path, "1_a")
    result = await run(matrix_database.url, name, tmp_path, **ARGUMENTS.get(name, {}))
    if name in ASKS:
        assert result.judgement is None
        assert ASKS[name] in result.reason
    elif name == "host_resources":  # the machine of the tests is allowed to be busy
        assert result.judgement is True or "at most" in result.reason
    elif name == "backup_tools":  # a host need not have the client programs of every version
        assert result.judgement is True or "No client programs" in result.reason
    else:
        assert result.judgement is True, result.reason


async def test_more_than_a_screen_of_pending_ones_hides_no_failure(database: Database, tmp_path: Path) -> None:
    database.psql(TABLE)
    for number in range(60):
        add(tmp_path, f"{number:03}_a")
    add(tmp_path, "999_z")
    record(database, "999_z", finished="NULL")
    result = await run(database.url, "migrations", tmp_path)
    assert result.judgement is False
    assert "999_z" in result.reason


async def test_the_tool_is_found_or_asked_for(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "db" / "migrations"
    folder.mkdir(parents=True)
    (folder / "1_a.sql").write_text("-- migrate:up\n")
    assert values(await run(database.url, "migrations", tmp_path))["tool"] == "dbmate"
    add(tmp_path, "1_a")
    result = await run(database.url, "migrations", tmp_path)
    assert result.judgement is None
    assert "prisma, dbmate" in result.reason
    database.psql("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    assert values(await run(database.url, "migrations", tmp_path))["tool"] == "dbmate", "its table is there"
    assert values(await run(database.url, "migrations", tmp_path, tool="prisma"))["tool"] == "prisma"
    with pytest.raises(UsageError) as caught:
        await run(database.url, "migrations", tmp_path, tool="liquid")
    assert "dbmate" in caught.value.remedy


async def test_a_table_of_another_tool_is_not_read_as_ones_own(database: Database, tmp_path: Path) -> None:
    database.psql("CREATE TABLE django_migrations (x int)")
    result = await run(database.url, "migrations", tmp_path, tool="django")
    assert result.judgement is None
    assert "not the table" in result.reason


async def test_a_locked_record_is_a_migrator_at_work(database: Database, tmp_path: Path) -> None:
    database.psql(TABLE)
    add(tmp_path, "1_a")
    async with session(database.url, "prisma", "BEGIN", "LOCK TABLE _prisma_migrations"):
        result = await run(database.url, "migrations", tmp_path)
    assert result.judgement is None
    assert "locked" in result.reason
