"""The preview of loss on real servers: the figures are those of what was really written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from migconsole.adapters.postgres.losses import sight
from migconsole.adapters.postgres.target import resolve_target
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.loss import Fate, LossPreview, preview
from migconsole.domain.moments import Moment
from migconsole.domain.target import Target
from migconsole.errors import MigconsoleError
from migconsole.wiring.losing import loss_since, read_moment
from tests.conftest import Database
from tests.waiting import eventually

SCHEMA = """
CREATE TABLE orders (id bigserial PRIMARY KEY, note text);
CREATE TABLE "Mixed Case" (id int PRIMARY KEY);
CREATE TABLE old_name (id int);
CREATE TABLE dropped (id int);
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000);
INSERT INTO orders (note) SELECT 'x' FROM generate_series(1, 500);
INSERT INTO dropped SELECT generate_series(1, 3);
"""


def target_of(url: str) -> Target:
    return resolve_target(url, environment={})


async def counted(target: Target, inserted: int, name: str = "orders") -> Moment:
    """The moment when the server's view has caught up with what was committed."""
    seen: list[Moment] = []

    async def there() -> bool:
        seen.append(await sight(target))
        return any(table.name == name and table.inserted == inserted for table in seen[-1].tables)

    await eventually(there, timeout=15)
    return seen[-1]


def losses(found: LossPreview) -> dict[str, tuple[Fate, int | None, int | None, int | None]]:
    return {loss.table: (loss.fate, loss.inserted, loss.updated, loss.deleted) for loss in found.tables}


async def written_and_seen(database: Database) -> None:
    target = target_of(database.url)
    database.psql(SCHEMA)
    before = await counted(target, 500)
    database.psql(
        """INSERT INTO orders (note) SELECT 'y' FROM generate_series(1, 200);
        UPDATE orders SET note = 'z' WHERE id <= 200;
        DELETE FROM orders WHERE id <= 7;
        ALTER TABLE old_name RENAME TO new_name;
        INSERT INTO new_name VALUES (1);
        DROP TABLE dropped;
        INSERT INTO parted VALUES (1), (2);
        CREATE TABLE created (id int);
        INSERT INTO created VALUES (1), (2), (3)"""
    )
    await counted(target, 3, "created")
    found = preview(before, await counted(target, 700))
    assert losses(found) == {
        "public.orders": (Fate.CHANGED, 200, 200, 7),
        "public.new_name": (Fate.RENAMED, 1, 0, 0),
        "public.created": (Fate.CREATED, 3, 0, 0),
        "public.parted_1": (Fate.CHANGED, 2, 0, 0),
        "public.dropped": (Fate.DROPPED, 0, 0, 0),
        "public.Mixed Case": (Fate.SAME, 0, 0, 0),
    }
    assert found.complete
    assert found.wal_bytes is not None
    assert found.wal_bytes > 10_000
    assert {loss.sequence: loss.steps for loss in found.sequences} == {"public.orders_id_seq": 200}


async def test_the_figures_are_what_was_written(database: Database) -> None:
    await written_and_seen(database)


@pytest.mark.matrix
async def test_on_every_version(matrix_database: Database) -> None:
    await written_and_seen(matrix_database)


async def test_truncate_is_noticed(database: Database) -> None:
    target = target_of(database.url)
    database.psql(SCHEMA)
    before = await counted(target, 500)
    exact = [replace(table, rows=500) if table.name == "orders" else table for table in before.tables]
    before = replace(before, tables=tuple(exact))
    database.psql("TRUNCATE orders; INSERT INTO old_name VALUES (1)")
    found = preview(before, await counted(target, 1, "old_name"))
    (orders,) = [loss for loss in found.tables if loss.table == "public.orders"]
    assert orders.deleted is None
    assert "TRUNCATE" in orders.note


async def test_a_reset_is_noticed(database: Database) -> None:
    target = target_of(database.url)
    database.psql(SCHEMA)
    before = await counted(target, 500)
    database.psql("SELECT pg_stat_reset()")
    database.psql("INSERT INTO orders (note) VALUES ('after')")
    found = preview(before, await counted(target, 1))
    (orders,) = [loss for loss in found.tables if loss.table == "public.orders"]
    assert (orders.inserted, orders.at_least) == (1, True)
    assert not found.complete


async def test_a_crash_that_loses_the_counters_is_noticed(own_server: EmbeddedServer) -> None:
    target = target_of(own_server.url())
    own_server.psql(SCHEMA)
    before = await counted(target, 500)
    own_server.kill()
    own_server.start()
    own_server.psql("INSERT INTO orders (note) VALUES ('after')")
    found = preview(before, await counted(target, 1))
    assert not found.complete
    assert found.total("inserted") is None
    assert found.reset


async def test_a_locked_table_does_not_hold_the_preview_up(database: Database) -> None:
    database.psql(SCHEMA)
    migration = await asyncpg.connect(database.url)
    try:
        await migration.execute("BEGIN; ALTER TABLE orders ADD COLUMN more int; ALTER SEQUENCE orders_id_seq CACHE 5")
        found = await sight(target_of(database.url))
    finally:
        await migration.close()
    assert len(found.tables) == 6


def test_the_queries_lock_no_table() -> None:
    folder = Path(__file__).parent.parent.parent / "migconsole/adapters/postgres/sql"
    assert "relation_size" not in (folder / "loss_tables.sql").read_text()


async def test_the_preview_of_a_backup(database: Database, tmp_path: Path) -> None:
    target = target_of(database.url)
    database.psql(SCHEMA)
    before = await counted(target, 500)
    manifest = {
        "target": {"oid": before.database_oid, "system_identifier": before.system_identifier},
        "server_time": before.at,
        "lsn": before.lsn,
        "stats_reset": before.stats_reset or None,
        "tables": [
            {"schema": table.schema, "name": table.name, "oid": table.oid, "rows": table.rows}
            | {"n_tup_ins": table.inserted, "n_tup_upd": table.updated, "n_tup_del": table.deleted}
            for table in before.tables
        ],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert (await loss_since(target, tmp_path)).nothing
    database.psql("DELETE FROM orders WHERE id < 3")
    await eventually(lambda: _deleted(target, tmp_path), timeout=15)


async def _deleted(target: Target, backup: Path) -> bool:
    return (await loss_since(target, backup)).total("deleted") == 2


@pytest.mark.parametrize("content", [None, "{", "[]", '{"tables": [{"schema": "public"}]}', '{"tables": 3}'])
def test_a_damaged_manifest_is_said(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(MigconsoleError) as caught:
        read_moment(tmp_path)
    assert "manifest" in caught.value.title
