"""Reading the failed database: let in for one session, closed again at once, compared batch by batch with today's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from migconsole.adapters.postgres.backends import connect_for_maintenance
from migconsole.adapters.postgres.connect import Connection, Purpose, connect, quoted, retire
from migconsole.adapters.postgres.failures import FAILURES, querying
from migconsole.adapters.postgres.observing import reading
from migconsole.adapters.postgres.queries import OLDEST, load
from migconsole.domain.rollback import DatabaseRow, Mark, closing_statement, lending_statement, operator_lock_key
from migconsole.domain.salvage import Column, Row, SalvageTable, SequenceAhead
from migconsole.domain.target import Target
from migconsole.errors import StoppedError, TargetError

BATCH = 2_000
"""Rows read at a time: what is in memory is never more, whatever the table's size."""

TIMEOUT = 30.0


class Salvage:
    """Both databases open for reading. ``strangers`` are sessions that came into the failed one while it was open."""

    def __init__(self, failed: Connection, now: Connection, strangers: Sequence[str]) -> None:
        self._failed = failed
        self._now = now
        self.strangers = tuple(strangers)

    async def tables(self) -> list[SalvageTable]:
        """Every table of the failed database, with what of it can be compared."""
        query = load("salvage_tables", OLDEST)
        current = {(row["schema"], row["name"]): row for row in await self._now.fetch(query)}
        return [_table(row, current.get((row["schema"], row["name"]))) for row in await self._failed.fetch(query)]

    async def sequences(self) -> list[SequenceAhead]:
        """The sequences that have gone further in the failed database, of those that are there now."""
        query = load("loss_sequences", OLDEST)
        current = {(row["schema"], row["name"]): row for row in await self._now.fetch(query)}
        found = []
        for row in await self._failed.fetch(query):
            now = current.get((row["schema"], row["name"]))
            if now is None or row["last_value"] is None:
                continue
            up = row["increment"] > 0
            behind = now["last_value"]
            if behind is None or (row["last_value"] > behind if up else row["last_value"] < behind):
                found.append(SequenceAhead(row["schema"], row["name"], row["last_value"], behind, up))
        return found

    async def rows(self, table: SalvageTable) -> AsyncGenerator[list[Row], None]:
        """The rows of a table in the failed database, in batches, every value as text."""
        columns = ", ".join(f"{quoted(column.name)}::text" for column in table.columns)
        async with self._failed.transaction(readonly=True):
            query = f"SELECT {columns} FROM ONLY {table.sql_name}"  # noqa: S608 - names are quoted
            cursor = await self._failed.cursor(query, timeout=TIMEOUT * 10)
            while batch := await cursor.fetch(BATCH, timeout=TIMEOUT * 10):
                yield [tuple(record.values()) for record in batch]

    async def today(self, table: SalvageTable, rows: Sequence[Row]) -> dict[Row, Row]:
        """What stands now under the keys of these rows: key → values of the compared columns, as text."""
        if not table.exists:
            return {}
        keys = [[row[place] for row in rows] for place in table.key_places]
        names = [f"k{number}" for number in range(len(keys))]
        types = [table.columns[place].type for place in table.key_places]
        join = " AND ".join(
            f"t.{quoted(column)} = k.{name}::{kind}" for column, name, kind in zip(table.key, names, types, strict=True)
        )
        wanted = [*table.key, *(table.columns[place].name for place in table.compared)]
        columns = ", ".join(f"t.{quoted(name)}::text" for name in wanted)
        arrays = ", ".join(f"${number + 1}::text[]" for number in range(len(keys)))
        found = await self._now.fetch(
            f"SELECT {columns} FROM unnest({arrays}) AS k ({', '.join(names)}) JOIN ONLY {table.sql_name} t ON {join}",  # noqa: S608 - names are quoted
            *keys,
            timeout=TIMEOUT * 10,
        )
        width = len(table.key)
        return {tuple(record.values())[:width]: tuple(record.values())[width:] for record in found}


def _table(row: Any, current: Any) -> SalvageTable:
    there = set()
    if current is not None:
        today = zip(current["columns"], current["generated"], strict=True)
        there = {name for name, generated in today if not generated}
    columns = tuple(
        Column(name, kind, kept=current is None or (name in there and not generated))
        for name, kind, generated in zip(row["columns"], row["types"], row["generated"], strict=True)
    )
    key = tuple(row["key"] or ())
    problem = "" if key else "it has no primary key"
    if current is not None and key and key != tuple(current["key"] or ()):
        problem = "its primary key is another one now"
    return SalvageTable(row["schema"], row["name"], columns, key, current is not None, problem)


async def failed_databases(target: Target, *, name: str = "") -> list[DatabaseRow]:
    """The kept failed databases of this application, by their markers. Raises TargetError."""
    connection = await connect_for_maintenance(target, Purpose("salvage", TIMEOUT, search_path="pg_catalog"), "")
    try:
        rows = [
            DatabaseRow(row["name"], 0, row["open"], row["limit"], row["comment"], sessions=row["sessions"])
            for row in await connection.fetch(load("salvage_databases", OLDEST), name)
        ]
    except FAILURES as error:
        raise querying(error, target, TIMEOUT, 0) from None
    finally:
        await retire(connection)
    kept = [row for row in rows if row.marker is not None and row.marker.step is Mark.FAILED]
    return [row for row in kept if row.marker is not None and row.marker.app == target.database]


@asynccontextmanager
async def opened(target: Target, failed: DatabaseRow) -> AsyncIterator[Salvage]:
    """Both databases, for reading. Whatever happens, the failed one is closed again as it was found.

    It is open for others only between two statements: our one session stays when it is closed. The operator lock is
    held meanwhile, so that nobody puts it back or purges it. Raises StoppedError, TargetError.
    """
    keeper = await connect_for_maintenance(
        target, Purpose("salvage keeper", TIMEOUT, 5.0, writes=True, idle_timeout=0, search_path="pg_catalog"), ""
    )
    sessions: list[Connection] = []
    try:
        if not await keeper.fetchval("SELECT pg_catalog.pg_try_advisory_lock($1)", operator_lock_key(target.database)):
            raise StoppedError(
                "Somebody else is changing these databases", "The operator lock is held.", "Wait until it is free."
            )
        sessions.append(await _let_in(target, keeper, failed))
        sessions.append(await connect(target, reading("salvage now")))
        strangers = await keeper.fetch(load("salvage_strangers", OLDEST), failed.name, sessions[0].get_server_pid())
        names = [f"pid {s['pid']} ({s['user']}, {s['application']}, {s['address']})" for s in strangers]
        yield Salvage(sessions[0], sessions[1], names)
    except FAILURES as error:
        raise querying(error, target, TIMEOUT * 10, 5.0) from None
    finally:
        for session in sessions:
            await retire(session)
        await retire(keeper)


async def _let_in(target: Target, keeper: Connection, failed: DatabaseRow) -> Connection:
    """Our session in a closed database; it is closed again before this returns, also when it raises."""
    if failed.open and not failed.lent:
        return await connect(target, reading("salvage"), database=failed.name)
    try:
        if not failed.lent:
            await keeper.execute(lending_statement(failed))
    except asyncpg.InsufficientPrivilegeError:
        who = "It must be the owner of the database, or a superuser."
        raise TargetError(f"This role may not open {failed.name}", who) from None
    try:
        return await connect(target, reading("salvage"), database=failed.name)
    finally:
        # A salvage that died here is found by the limit, and closed by whoever holds the lock next.
        await asyncio.shield(keeper.execute(closing_statement(failed)))
