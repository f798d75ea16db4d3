"""Counting what a database holds: in an exported snapshot while it is dumped, and again after a restore.

Hashes are sums of one hash a row, so that the order of rows does not matter, over the columns in the order of their
names, because a restore may place inherited ones elsewhere. Everything that changes how a value is written is set.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from migconsole.adapters.postgres.connect import Connection, Purpose, connect, retire, session
from migconsole.adapters.postgres.failures import FAILURES, querying
from migconsole.adapters.postgres.queries import load
from migconsole.domain.manifest import COUNTED, Extension, Observed, Properties, Relation, SequenceValue, Statement
from migconsole.domain.target import Target
from migconsole.errors import MigconsoleError, TargetError

LOCK_TIMEOUT = 10.0
"""Seconds a reading session waits for a table that somebody has locked exclusively: then the backup is not green."""

SMALL = 8 * 1024 * 1024
"""Bytes up to which a table is hashed without being asked for: it costs a second reading of memory, no more."""

SMALL_TOTAL = 64 * 1024 * 1024
"""Bytes of small tables that are hashed at most: a thousand small ones are not small any more."""

TABLES_AT_ONCE = 40
"""Small tables that are counted by one statement, of ``SMALL`` bytes together at most: of hundreds of them the way to
the server and back costs as much as the counting."""

_SEQUENCES_AT_ONCE = 100
_RENDERING = {
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "row_security": "off",
}


def reading(name: str) -> Purpose:
    """A session that reads a whole database for as long as it takes."""
    return Purpose(name, 0, LOCK_TIMEOUT, search_path="pg_catalog", idle_timeout=0, settings=_RENDERING)


@dataclass(frozen=True, slots=True)
class Moment:
    """The instant of a snapshot: WAL position, server time (UTC), size of the database, age of its counters."""

    snapshot: str
    lsn: str
    server_time: str
    size: int
    stats_reset: str | None


@dataclass(frozen=True, slots=True)
class Role:
    """A role that a dump names. ``member``: whether we may give objects to it."""

    name: str
    owns: bool
    member: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A relation before it is counted: what it takes to count it."""

    relation: Relation
    columns: str
    table_bytes: int


async def rows(connection: Connection, query: str, *arguments: Any) -> list[Any]:
    """The rows of a query of ``sql/`` for this server."""
    version = connection.get_server_version()
    text = load(query, version.major * 10_000 + version.minor)
    if text is None:
        raise TargetError("The server is too old for this", query)
    found: list[Any] = await connection.fetch(text, *arguments)
    return found


class SnapshotReader:
    """The session that exports the snapshot, and what it sees. Others join it by its identifier."""

    def __init__(self, target: Target, connection: Connection, run: str) -> None:
        self._target = target
        self._connection = connection
        self._run = run
        self.moment = Moment("", "", "", 0, None)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, target: Target, run: str) -> AsyncIterator[SnapshotReader]:
        """Export a snapshot and keep it for the length of the ``with``. Raises TargetError."""
        connection = await connect(target, reading("backup"), run=run)
        try:
            reader = cls(target, connection, run)
            await reader._begin()
            yield reader
        finally:
            await retire(connection)

    async def _begin(self) -> None:
        with self._said():
            if self._connection.get_server_version().major >= 14:
                # A count goes on for minutes after its client was killed, where nothing looks.
                await self._connection.execute("SET client_connection_check_interval = '5s'")
            await self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            snapshot = await self._connection.fetchval("SELECT pg_catalog.pg_export_snapshot()")
            (row,) = await rows(self._connection, "manifest_moment")
            self.moment = Moment(snapshot, row["lsn"], row["server_time"], row["size"], row["stats_reset"])

    async def still_there(self) -> None:
        """Raise TargetError unless the snapshot's session lives: without it nobody could have joined it."""
        with self._said():
            await self._connection.fetchval("SELECT 1")

    async def end(self) -> None:
        """End the transaction, and with it the snapshot."""
        with self._said():
            await self._connection.execute("COMMIT")

    async def relations(self) -> list[Listed]:
        """Every relation that the dump will hold."""
        with self._said():
            return await list_relations(self._connection)

    async def properties(self) -> Properties:
        """What belongs to the database itself."""
        with self._said():
            return await read_properties(self._connection)

    async def roles(self) -> list[Role]:
        """Roles that own something or are granted something here."""
        with self._said():
            return [Role(*record.values()) for record in await rows(self._connection, "manifest_roles")]

    async def sequences(self, listed: Sequence[Listed]) -> tuple[SequenceValue, ...]:
        """What the sequences say now: they are in no snapshot."""
        with self._said():
            return await read_sequences(self._connection, listed)

    async def catalogue(self) -> Observed:
        """Extensions, numbers of objects and large objects; relations and sequences are read by themselves."""
        with self._said():
            return await read_catalogue(self._connection)

    async def count(self, listed: Sequence[Listed], hashed: Collection[int], jobs: int) -> tuple[Relation, ...]:
        """Count every table of the list in the snapshot, with ``jobs`` sessions; see ``count_all``."""
        return await count_all(self._target, self._run, listed, hashed, jobs, snapshot=self.moment.snapshot)

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            raise querying(error, self._target, 0, LOCK_TIMEOUT) from None


async def observe(target: Target, run: str, hashed: Collection[tuple[str, str]], jobs: int) -> Observed:
    """Count everything that a restored database holds; ``hashed`` are the tables whose hashes are known.

    Raises TargetError.
    """
    try:
        async with session(target, reading("compare"), run=run) as connection:
            listed = await list_relations(connection)
            catalogue = await read_catalogue(connection)
            sequences = await read_sequences(connection, listed)
            invalid = tuple(row["name"] for row in await rows(connection, "manifest_invalid"))
    except FAILURES as error:
        raise querying(error, target, 0, LOCK_TIMEOUT) from None
    wanted = {e.relation.oid for e in listed if (e.relation.schema, e.relation.name) in hashed}
    relations = await count_all(target, run, listed, wanted, jobs)
    return replace(catalogue, relations=relations, sequences=sequences, invalid=invalid)


async def properties_of(target: Target, run: str) -> Properties:
    """What belongs to the target's database itself, in a session of its own. Raises TargetError."""
    try:
        async with session(target, reading("compare"), run=run) as connection:
            return await read_properties(connection)
    except FAILURES as error:
        raise querying(error, target, 0, LOCK_TIMEOUT) from None


async def read_properties(connection: Connection) -> Properties:
    """What belongs to the connected database itself, and the statements that give it to another one."""
    (row,) = await rows(connection, "manifest_database")
    statements = [Statement(*record.values()) for record in await rows(connection, "manifest_statements")]
    settings = [statement.after.strip() for statement in statements if statement.kind.endswith("setting")]
    known = {name: row[name] for name in ("owner", "encoding", "collate", "ctype", "provider", "locale")}
    return Properties(
        **known,
        icu_rules=row["icu_rules"],
        connection_limit=row["connection_limit"],
        acl=tuple(row["acl"] or ()),
        settings=tuple(settings),
        comment=row["comment"],
        tablespace=row["tablespace"],
        statements=tuple(statements),
    )


async def list_relations(connection: Connection) -> list[Listed]:
    """Every relation that pg_dump writes, uncounted."""
    found = []
    for row in await rows(connection, "manifest_relations"):
        numbers = {name: row[name] for name in ("bytes", "n_tup_ins", "n_tup_upd", "n_tup_del")}
        relation = Relation(row["schema"], row["name"], row["oid"], row["kind"], **numbers)
        found.append(Listed(relation, row["columns"] or "", row["table_bytes"] or 0))
    return found


async def read_catalogue(connection: Connection) -> Observed:
    """Extensions and numbers of objects."""
    extensions = [Extension(*record.values()) for record in await rows(connection, "manifest_extensions")]
    objects = {row["kind"]: row["count"] for row in await rows(connection, "manifest_objects")}
    (large,) = await rows(connection, "manifest_large_objects")
    return Observed(extensions=tuple(extensions), objects=objects, large_objects=large["count"])


async def read_sequences(connection: Connection, listed: Sequence[Listed]) -> tuple[SequenceValue, ...]:
    """Value and ``is_called`` of each sequence, a hundred of them in one statement."""
    names = [entry.relation for entry in listed if entry.relation.kind == "S"]
    found = []
    for start in range(0, len(names), _SEQUENCES_AT_ONCE):
        part = names[start : start + _SEQUENCES_AT_ONCE]
        each = [
            f"SELECT {number} AS number, last_value, is_called FROM {entry.full_name}"  # noqa: S608 - quoted
            for number, entry in enumerate(part)
        ]
        for row in await connection.fetch(" UNION ALL ".join(each)):
            entry = part[row["number"]]
            found.append(SequenceValue(entry.schema, entry.name, row["last_value"], row["is_called"]))
    return tuple(found)


def to_hash(listed: Sequence[Listed], chosen: Collection[str]) -> set[int]:
    """The oids of the tables that are hashed: the chosen (``schema.table``, or "all"), and small ones up to a limit."""
    tables = [entry for entry in listed if entry.relation.kind in COUNTED]
    if "all" in chosen:
        return {entry.relation.oid for entry in tables}
    picked = {e.relation.oid for e in tables if f"{e.relation.schema}.{e.relation.name}" in chosen}
    if "none" in chosen:
        return picked
    room = SMALL_TOTAL
    for entry in sorted(tables, key=lambda entry: entry.table_bytes):
        room -= entry.table_bytes
        if entry.table_bytes > SMALL or room < 0:
            break
        picked.add(entry.relation.oid)
    return picked


async def count_all(
    target: Target,
    run: str,
    listed: Sequence[Listed],
    hashed: Collection[int],
    jobs: int,
    *,
    snapshot: str = "",
) -> tuple[Relation, ...]:
    """Every relation of the list with its rows counted, the largest tables first, those of ``hashed`` (oids) hashed.

    Raises TargetError.
    """
    left = batches([entry for entry in listed if entry.relation.kind in COUNTED])
    done = {entry.relation.oid: entry.relation for entry in listed}

    async def worker() -> None:
        async with session(target, reading("count"), run=run) as connection:
            if snapshot:
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                await connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            while left:
                done.update(await _counted(connection, left.pop(), hashed))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(max(1, min(jobs, len(left)))):
                group.create_task(worker())
    except* (*FAILURES, MigconsoleError) as errors:
        raise querying(errors.exceptions[0], target, 0, LOCK_TIMEOUT) from None
    return tuple(done[entry.relation.oid] for entry in listed)


def batches(tables: Sequence[Listed]) -> list[list[Listed]]:
    """Tables in the groups in which they are counted, the largest last: large ones alone, small ones together."""
    found: list[list[Listed]] = []
    room = 0
    for entry in sorted(tables, key=lambda entry: entry.table_bytes):
        if not found or entry.table_bytes > room or len(found[-1]) >= TABLES_AT_ONCE:
            found.append([])
            room = SMALL
        found[-1].append(entry)
        room -= entry.table_bytes
    return found


async def _counted(connection: Connection, batch: Sequence[Listed], hashed: Collection[int]) -> dict[int, Relation]:
    """The relations of a batch by oid, counted, and hashed where their oid is among ``hashed``."""
    each = []
    for number, entry in enumerate(batch):
        # The sum of bigints is a numeric: it does not overflow.
        total = (
            f'pg_catalog.sum(pg_catalog.hashtextextended(ROW({entry.columns})::text COLLATE "C", 0))::text'
            if entry.relation.oid in hashed
            else "NULL::text"
        )
        name = entry.relation.full_name
        each.append(f"SELECT {number} AS number, pg_catalog.count(*) AS rows, {total} AS total FROM ONLY {name}")  # noqa: S608 - quoted
    found = {}
    for row in await connection.fetch(" UNION ALL ".join(each)):
        relation = batch[row["number"]].relation
        known = f"hashtextextended:{row['total'] or 0}" if relation.oid in hashed else None
        found[relation.oid] = replace(relation, rows=row["rows"], hash=known)
    return found
