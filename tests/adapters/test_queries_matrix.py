"""Every query and every check on every PostgreSQL that can be had, as superuser and with pg_monitor alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from migconsole.adapters.postgres import queries
from migconsole.adapters.postgres.checks import CHECK_DOCS, CHECKS
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.probes.capture import capture
from migconsole.adapters.postgres.target import resolve_target
from migconsole.domain.readings import Quality
from migconsole.domain.snapshots import PROBES
from migconsole.engine.ports import CheckResult
from tests.adapters.test_performance_checks import SCHEMA, Past, migrated, short, work
from tests.adapters.test_postgres_checks import TABLE, add
from tests.conftest import Database

__all__ = ["short"]

pytestmark = pytest.mark.matrix

ROLES = ("superuser", "pg_monitor")

RECORDS = """
CREATE TABLE alembic_version (version_num text);
CREATE TABLE schema_migrations (version text);
CREATE TABLE django_migrations (id int, app text, name text, applied timestamptz);
CREATE TABLE databasechangeloglock (id int, locked boolean, lockgranted timestamp, lockedby text);
CREATE TABLE flyway_schema_history (installed_rank int, version text, description text, type text, script text,
    checksum int, installed_by text, installed_on timestamp, execution_time int, success boolean);
CREATE TABLE changes (change_id text, script_hash text, change text, project text, committed_at timestamptz);
CREATE TABLE events (event text, change_id text, change text, project text, committed_at timestamptz);
"""
"""The tables in which migration tools keep their records."""

GOOD = {
    "baseline",
    "connection_pool",
    "connections",
    "foreign_keys",
    "index_usage",
    "instability",
    "query_performance",
    "regression",
    "schema_fingerprint",
    "server_health",
    "server_version",
    "slow_queries",
    "table_sizes",
    "tables_exist",
    "target",
}
"""Checks that pass here; the others ask a person, or depend on this host."""

ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "tables_exist": {"tables": ["orders"]},
    "slow_queries": {"mean": "1m"},
    "response_time": {"statement": "SELECT count(*) FROM orders"},
}


@pytest.fixture(params=ROLES)
def role_url(request: pytest.FixtureRequest, matrix_database: Database) -> Iterator[str]:
    """The database's URL for a superuser, or for a role that is in pg_monitor and nothing else."""
    matrix_database.psql(f"{SCHEMA}{TABLE}; ALTER TABLE orders ADD COLUMN split_from int REFERENCES orders")
    if request.param == "superuser":
        yield matrix_database.url
        return
    role = f"monitor_{matrix_database.name}"
    matrix_database.psql(f"CREATE ROLE {role} LOGIN; GRANT pg_monitor TO {role}")
    yield matrix_database.server.url(matrix_database.name, role)
    matrix_database.psql(f"DROP OWNED BY {role}; DROP ROLE {role}")


def number(database: Database) -> int:
    return int(database.psql("SHOW server_version_num"))


async def test_every_query_parses_with_the_columns_of_its_variants(
    role_url: str, matrix_database: Database, database: Database
) -> None:
    """The newest server says which columns a query has; an older variant may lack some, and has none of its own."""
    database.psql(f"{TABLE}; {RECORDS}")
    matrix_database.psql(RECORDS)
    here, newest = number(matrix_database), number(database)
    found, wanted = await asyncpg.connect(role_url), await asyncpg.connect(database.url)
    try:
        for name in queries.names():
            text, reference = queries.load(name, here), queries.load(name, newest)
            assert reference is not None
            if text is None:
                assert queries.load(name, queries.OLDEST) is None, name
                continue
            columns = [one.name for one in (await found.prepare(text)).get_attributes()]
            declared = [one.name for one in (await wanted.prepare(reference)).get_attributes()]
            assert columns, f"{name} returns nothing"
            assert columns == declared or (text != reference and set(columns) < set(declared)), name
    finally:
        await found.close()
        await wanted.close()


async def test_a_snapshot_is_taken_with_everything_in_it(role_url: str) -> None:
    snapshot = await capture(resolve_target(role_url, environment={}))
    for name in PROBES:
        assert snapshot.readings[name].quality is Quality.OK, (name, snapshot.readings[name].reason)
    assert snapshot.texts()


async def test_every_check_answers_as_documented(
    role_url: str, matrix_database: Database, tmp_path: Path, short: None
) -> None:
    """After a migration that harmed nothing: what can be known passes, and what cannot says why."""
    past, alone = Past(tmp_path), role_url != matrix_database.url
    add(tmp_path, "1_a")
    target = resolve_target(role_url, environment={})

    async def asked(name: str, **arguments: Any) -> CheckResult:
        database = PostgresDatabase(target, project=tmp_path, past=past)
        try:
            # A statement of the application's own needs its table's privilege, too, and says so.
            own = {} if alone and name == "response_time" else dict(ARGUMENTS.get(name, {}))
            return await database.check(name, arguments or own)
        finally:
            await database.close()

    await work(matrix_database.url, 120)
    await asked("baseline")
    migrated(matrix_database, past, "CREATE INDEX orders_total ON orders (total)")
    await asked("baseline")
    await work(matrix_database.url, 120)
    await asked("schema_fingerprint", pin=True)
    for name in CHECKS:
        result = await asked(name)
        (values,) = [one.values for one in result.observations[:1]]
        documented = set(CHECK_DOCS[name].values)
        assert documented <= set(values) or (alone and result.judgement is None), name
        assert result.lines, name
        if result.judgement is not True:
            assert result.reason, name
        if name in GOOD and not alone:
            assert result.judgement is True, (name, result.reason, result.lines)
        if name in GOOD and alone:
            assert result.judgement is not False, (name, result.reason, result.lines)
