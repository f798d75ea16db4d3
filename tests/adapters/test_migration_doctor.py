"""The fingerprint of a real schema, and the doctor after real failures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import asyncpg
import pytest

from migconsole.adapters.past import RunPast
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.target import resolve_target
from migconsole.domain.checklist import Checklist
from migconsole.domain.migration_doctor import Leftovers, advise
from migconsole.domain.migrations import Migration, MigrationReport, MigrationState
from migconsole.domain.schema_diff import Fingerprint, differences
from migconsole.engine.ports import CheckResult
from tests.adapters.test_postgres_checks import TABLE, add, record
from tests.conftest import Database

SCHEMA = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN amount AS numeric CHECK (VALUE >= 0);
CREATE TABLE products (id serial PRIMARY KEY, name text NOT NULL, mood mood DEFAULT 'good', price amount, note text);
CREATE TABLE parts (id int, product int REFERENCES products) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE INDEX by_name ON products (lower(name));
CREATE VIEW cheap AS SELECT id FROM products WHERE price < 10;
CREATE FUNCTION twice(a int) RETURNS int LANGUAGE sql AS 'SELECT a * 2';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON products FOR EACH ROW EXECUTE PROCEDURE touch();
ALTER TABLE products ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON products USING (id > 0);
"""


class Doctor:
    """Checks of one database, with a run's directory to keep things in."""

    def __init__(self, database: Database, project: Path) -> None:
        self._target = resolve_target(database.url, environment={})
        self._project = project
        (project / "run").mkdir(exist_ok=True)

    async def ask(self, name: str, **arguments: Any) -> CheckResult:
        past = RunPast(self._project / "run", Checklist("x", ()))
        database = PostgresDatabase(self._target, project=self._project, past=past)
        try:
            return await database.check(name, arguments)
        finally:
            await database.close()
            past.close()

    async def changes(self) -> list[str]:
        found: list[str] = (await self.ask("schema_fingerprint")).observations[0].values["differences"]
        return found


@pytest.fixture
def doctor(database: Database, tmp_path: Path) -> Doctor:
    database.psql(SCHEMA)
    return Doctor(database, tmp_path)


async def test_the_same_schema_has_the_same_fingerprint_whatever_happened_to_its_rows(
    database: Database, doctor: Doctor
) -> None:
    assert (await doctor.ask("schema_fingerprint")).judgement is None, "nothing was kept"
    assert (await doctor.ask("schema_fingerprint", pin=True)).judgement is True
    database.psql("INSERT INTO products (name) VALUES ('x'); ANALYZE; ALTER TABLE products ADD gone int")
    database.psql("ALTER TABLE products DROP gone; REINDEX TABLE products; " + TABLE)
    assert await doctor.changes() == []
    assert (await doctor.ask("schema_fingerprint")).judgement is True


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("ALTER TABLE products ADD COLUMN cost int", "+ column public.products.cost: integer"),
        (
            "ALTER TABLE products ALTER note TYPE varchar(9)",
            "~ column public.products.note: text → character varying(9)",
        ),
        ("ALTER TABLE products ALTER name DROP NOT NULL", "~ column public.products.name: text not null → text"),
        ("CREATE TABLE new (id int PRIMARY KEY)", "+ table public.new"),
        ("DROP INDEX by_name", "- index public.by_name"),
        ("ALTER TYPE mood ADD VALUE 'fair'", "~ type public.mood: 'good', 'bad' → 'good', 'bad', 'fair'"),
        ("CREATE OR REPLACE VIEW cheap AS SELECT id FROM products WHERE price < 5", "~ view public.cheap"),
        ("DROP TRIGGER touched ON products", "- trigger touched on public.products"),
        ("DROP POLICY mine ON products", "- policy mine on public.products"),
        ("ALTER TABLE products ADD CHECK (id > 0) NOT VALID", "+ constraint products_id_check on public.products"),
        ("ALTER SEQUENCE products_id_seq INCREMENT 5", "~ sequence public.products_id_seq"),
        ("CREATE SCHEMA other", "+ schema other"),
        (
            "CREATE OR REPLACE FUNCTION twice(a int) RETURNS int LANGUAGE sql AS 'SELECT a * 3'",
            "~ function public.twice",
        ),
    ],
)
async def test_every_change_is_one_readable_line(database: Database, doctor: Doctor, change: str, line: str) -> None:
    await doctor.ask("schema_fingerprint", pin=True)
    database.psql(change)
    (found,) = await doctor.changes()
    assert line in found


@pytest.mark.matrix
async def test_the_fingerprint_on_every_version(matrix_database: Database, tmp_path: Path) -> None:
    matrix_database.psql(SCHEMA)
    doctor = Doctor(matrix_database, tmp_path)
    await doctor.ask("schema_fingerprint", pin=True)
    assert await doctor.changes() == []
    matrix_database.psql("ALTER TABLE products ADD COLUMN cost int")
    assert await doctor.changes() == ["+ column public.products.cost: integer"]


async def test_a_lock_hides_nothing_silently(database: Database, doctor: Doctor) -> None:
    migration = await asyncpg.connect(database.url)
    try:
        await migration.execute("BEGIN; LOCK TABLE cheap, products")
        result = await doctor.ask("schema_fingerprint", pin=True)
    finally:
        await migration.close()
    assert result.judgement in (None, True)
    if result.judgement is None:
        assert "lock" in result.reason


async def test_a_failed_migration_that_left_nothing(database: Database, doctor: Doctor, tmp_path: Path) -> None:
    database.psql(TABLE)
    add(tmp_path, "1_a", "CREATE TABLE t (id int);\nSELECT no();\n")
    pinned = await doctor.ask("migrations", pin_schema=True)
    assert any("objects kept" in line for line in pinned.lines)
    record(database, "1_a", "CREATE TABLE t (id int);\nSELECT no();\n", finished="NULL")
    result = await doctor.ask("migration_doctor")
    assert result.judgement is False
    text = "\n".join(result.lines)
    assert "left nothing" in text
    assert "npx prisma migrate resolve --rolled-back 1_a" in text
    assert "only if: nobody else migrates" in text
    assert "--applied" not in text


async def test_a_failed_migration_that_was_applied_in_part(database: Database, doctor: Doctor, tmp_path: Path) -> None:
    database.psql(TABLE)
    add(tmp_path, "1_a")
    await doctor.ask("migrations", pin_schema=True)
    record(database, "1_a", finished="NULL")
    database.psql("CREATE TABLE half (id int); INSERT INTO half VALUES (1), (1)")
    connection = await asyncpg.connect(database.url)
    try:
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON half (id)")
    finally:
        await connection.close()
    database.psql("ALTER TABLE half ADD CHECK (id > 0) NOT VALID")
    result = await doctor.ask("migration_doctor")
    text = "\n".join(result.lines)
    assert "applied in part" in text
    assert "+ table public.half" in text
    assert "DROP INDEX CONCURRENTLY public.broken;" in text
    assert "VALIDATE CONSTRAINT half_id_check;" in text
    values = result.observations[0].values
    assert (values["failed"], values["invalid_indexes"], values["not_valid"]) == (1, ["public.broken"], 1)


async def test_while_a_migrator_works_there_is_one_advice(database: Database, doctor: Doctor, tmp_path: Path) -> None:
    database.psql(TABLE)
    add(tmp_path, "1_a")
    record(database, "1_a", finished="NULL")
    migrator = await asyncpg.connect(database.url)
    try:
        await migrator.execute("SELECT pg_advisory_lock(72707369)")
        result = await doctor.ask("migration_doctor")
    finally:
        await migrator.close()
    text = "\n".join(result.lines)
    assert "wait for it or cancel it" in text
    assert "resolve" not in text


async def test_liquibase_locks_outlive_their_process(database: Database, doctor: Doctor, tmp_path: Path) -> None:
    add(tmp_path, "1_a")
    database.psql(
        "CREATE TABLE databasechangeloglock (id int, locked bool, lockgranted timestamptz, lockedby text);"
        "INSERT INTO databasechangeloglock VALUES (1, true, now(), 'build-7')"
    )
    result = await doctor.ask("migration_doctor")
    assert result.judgement is False
    assert "build-7" in result.reason
    assert any("liquibase release-locks" in line for line in result.lines)


def failed(tool: str, changes: tuple[str, ...] | None) -> str:
    report = MigrationReport((Migration("m1", MigrationState.FAILED),))
    return "\n".join(line for advice in advise(Leftovers(tool, report, changes)) for line in advice.lines())


@pytest.mark.parametrize("tool", ["prisma", "sqitch", "flyway"])
def test_without_a_fingerprint_no_command_declares_the_database_clean(tool: str) -> None:
    assert "then:" not in failed(tool, None)
    assert "then:" in failed(tool, ())


def test_whole_tables_are_one_line() -> None:
    table = [("table", "s.t", ""), ("column", "s.t.a", "int"), ("constraint", "k on s.t", "CHECK")]
    table += [("index", "s.i", "CREATE INDEX i ON s.t USING btree (a)")]
    assert differences(Fingerprint(()), Fingerprint.of(table)) == ["+ table s.t"]
