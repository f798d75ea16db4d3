"""Making, marking and dropping side databases, on one connection in the maintenance database.

That connection holds the operator lock of the application's name: two provings, or a proving and a rollback, of one
database exclude each other, and a CREATE or DROP that outlives its client keeps the lock until it is done. Nothing is
dropped that does not carry our marker under exactly our name.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from migconsole.adapters.postgres.backends import connect_for_maintenance
from migconsole.adapters.postgres.connect import Connection, Purpose, retire, session
from migconsole.adapters.postgres.failures import FAILURES, querying
from migconsole.adapters.postgres.observing import properties_of, rows
from migconsole.adapters.postgres.rollback.reading import read_blockers, read_drills
from migconsole.domain.manifest import Extension, Properties
from migconsole.domain.rollback import DatabaseRow, Mark, Marker, literal, operator_lock_key, quoted
from migconsole.domain.rollback_survey import Blocker
from migconsole.domain.target import Target
from migconsole.errors import MigconsoleError, StoppedError, TargetError

DROP_PATIENCE = 10.0
"""Seconds in which the sessions of a side database must be gone after they were ended."""

QUESTION = 15.0


@dataclass(frozen=True, slots=True)
class Load:
    """What a restore costs the server: bytes of WAL since it began, seconds and bytes the slowest standby is behind."""

    written: int
    lag: float | None
    behind: int | None


class SideKeeper:
    """Everything that is done to a side database from outside of it."""

    def __init__(self, target: Target, connection: Connection, run: str) -> None:
        self.target = target
        self._connection = connection
        self._run = run
        self._start = ""

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, target: Target, app: str, run: str, *, lock: bool = True) -> AsyncIterator[SideKeeper]:
        """Connect and take the operator lock of ``app``; raises StoppedError with who holds it."""
        connection = await connect_for_maintenance(
            target, Purpose("prove", 0, 10, "pg_catalog", writes=True, idle_timeout=0), run
        )
        try:
            keeper = cls(target, connection, run)
            if lock:
                await keeper._lock(app)
            yield keeper
        finally:
            await retire(connection)

    @property
    def alive(self) -> bool:
        """Whether the connection, and with it the lock, is there as far as is known here."""
        return not self._connection.is_closed()

    async def _lock(self, app: str) -> None:
        if await self._value("SELECT pg_catalog.pg_try_advisory_lock($1)", operator_lock_key(app)):
            return
        raise StoppedError(
            f"Somebody else is at work on {app}",
            "The operator lock is held: another prove, drill or rollback of this database runs, or what it sent to the "
            "server has not ended yet.",
            "Wait for it; pg_stat_activity shows its session, named migconsole/….",
        )

    async def claim(self, name: str) -> bool:
        """Take another lock for as long as this connection lives; False where somebody has it."""
        return bool(await self._value("SELECT pg_catalog.pg_try_advisory_lock($1)", operator_lock_key(name)))

    async def unlock(self, app: str) -> None:
        """Let go of the operator lock, so that another connection of the same work can take it."""
        await self._value("SELECT pg_catalog.pg_advisory_unlock($1)", operator_lock_key(app))

    # -- what is there -------------------------------------------------------------------------------------------------

    async def find(self, *names: str) -> dict[str, DatabaseRow]:
        """The databases of these names that exist."""
        found = {}
        for row in await self.rows("side_databases", list(names)):
            comment, limit = row["comment"], row["limit"]
            found[row["name"]] = DatabaseRow(
                row["name"], row["oid"], row["open"], limit, comment, row["owner"], sessions=row["sessions"]
            )
        return found

    async def drills(self) -> list[DatabaseRow]:
        """The databases that may be of a drill."""
        with self._said():
            return await read_drills(self._connection)

    async def now(self) -> tuple[str, str]:
        """WAL position and the server's time (UTC)."""
        (row,) = await self.rows("side_now")
        return row["lsn"], row["at"]

    async def load(self, since: str) -> Load:
        """What was written since a WAL position, and how far standbys are behind. Raises TargetError, in time."""
        with self._said():
            async with asyncio.timeout(QUESTION):
                (row,) = await rows(self._connection, "side_load", since)
        return Load(row["written"], row["lag"], row["behind"])

    async def rows(self, query: str, *arguments: Any) -> Sequence[Mapping[str, Any]]:
        """Ask a query of ``sql/``. Raises TargetError."""
        with self._said():
            return await rows(self._connection, query, *arguments)

    async def blockers(self, name: str) -> tuple[Blocker, ...]:
        """What will stand in the way of renaming a database."""
        found = await self.find(name)
        with self._said():
            return await read_blockers(self._connection, name, found[name].oid) if name in found else ()

    async def properties(self, name: str) -> Properties:
        """What a database's own properties are now, as the server says. Raises TargetError."""
        return await properties_of(replace(self.target, database=name), self._run)

    async def relations(self, name: str) -> int:
        """How many relations somebody made in a database."""
        other = replace(self.target, database=name)
        async with session(other, Purpose("side", QUESTION, search_path="pg_catalog"), run=self._run) as connection:
            (row,) = await rows(connection, "side_relations")
            return int(row["count"])

    # -- what is done --------------------------------------------------------------------------------------------------

    async def create(self, name: str, properties: Properties, version_num: int) -> None:
        """Make an empty database with a captured database's options."""
        await self._do(create_statement(name, properties, version_num))

    async def mark(self, name: str, marker: Marker) -> None:
        """Write the marker, as the database's comment."""
        await self._do(f"COMMENT ON DATABASE {quoted(name)} IS {literal(marker.text())}")

    async def apply(self, name: str, properties: Properties) -> None:
        """Give a database the captured properties, all but the comment. Raises TargetError with the statement."""
        for statement in properties.without_comment():
            text = statement.for_database(name)
            try:
                await self._connection.execute(text)
            except FAILURES as error:
                told = querying(error, self.target, 0, 10)
                raise TargetError(
                    f"The database's {statement.kind} cannot be set",
                    f"{text}\n{told.detail or told.title}",
                    told.remedy,
                ) from None

    async def close(self, name: str) -> None:
        """Let nobody connect any more."""
        await self._do(f"ALTER DATABASE {quoted(name)} WITH ALLOW_CONNECTIONS false")

    async def exchange(self, new: str, old: str, between: str) -> None:
        """Let two closed databases change names in one transaction: there is no time without either.

        ``between`` is a name that nothing has. Raises TargetError; both then have the names they had.
        """
        await self.rows("side_end_sessions", new)
        await self.rows("side_end_sessions", old)
        steps = ((old, between), (new, old), (between, new))
        statements = [f"ALTER DATABASE {quoted(was)} RENAME TO {quoted(becomes)}" for was, becomes in steps]
        with self._said():
            async with self._connection.transaction():
                for statement in statements:
                    await self._connection.execute(statement)

    async def drop(self, row: DatabaseRow, app: str, name: str) -> None:
        """Drop a database that is ours: its name is ``name`` and its marker is of ``app``; or ours and still empty.

        Raises StoppedError for any other one: it is somebody's.
        """
        if row.name != name or row.name == app or not await self._ours(row, app):
            raise StoppedError(
                f"{row.name} is not ours to drop",
                "It exists under the name of the side database and does not carry our marker for this application.",
                "Find out whose it is; rename it, or drop it by hand.",
            )
        await self._dropped(row)

    async def drop_leftover(self, row: DatabaseRow, system: str | None, belongs: Callable[[DatabaseRow], bool]) -> None:
        """Drop a database that a dead drill left, as long as it is still that.

        ``system`` is the server's identifier that was confirmed, None where it could not be read. Raises StoppedError
        when this is another server, the database was made anew or has another marker, or has none and is not empty.
        """
        if system is not None and [dict(one) for one in await self.rows("system_identifier")] != [
            {"system_identifier": system}
        ]:
            raise StoppedError("This is not the server that was confirmed", remedy="Look at it anew.")
        now = (await self.find(row.name)).get(row.name)
        if now is None:
            return
        if row.name == self.target.database or now.oid != row.oid or now.comment != row.comment or not belongs(now):
            raise StoppedError(f"{row.name} is not what it was a moment ago", remedy="Look at it anew.")
        if now.marker is None and not now.lost and (not now.open or await self.relations(row.name)):
            raise StoppedError(
                f"{row.name} is not ours to drop",
                "It has a drill's name and no marker, and it is not empty.",
                "Find out whose it is; rename it, or drop it by hand.",
            )
        await self._dropped(now)

    async def drop_scratch(self, row: DatabaseRow, scratch: str, made: Sequence[str]) -> None:
        """Drop one of the databases that a drill made under ``made``: its names hold the drill's own identifier."""
        if row.name not in made or row.name == self.target.database or scratch not in made:
            raise StoppedError(f"{row.name} is not ours to drop")
        await self._dropped(row)

    async def _dropped(self, row: DatabaseRow) -> None:
        """End the sessions of a database and drop it, as long as it is the same one."""
        name = row.name
        await self.rows("side_end_sessions", name)
        deadline = time.monotonic() + DROP_PATIENCE
        while True:
            now = (await self.find(name)).get(name)
            if now is None:
                return
            if now.oid != row.oid:
                raise StoppedError(f"{name} is not the database it was a moment ago", remedy="Run it again.")
            try:
                await self._connection.execute(f"DROP DATABASE {quoted(name)}")
                return
            except asyncpg.ObjectInUseError as error:
                if time.monotonic() > deadline:
                    raise querying(error, self.target, 0, 10) from None
                await self.rows("side_end_sessions", name)
                await asyncio.sleep(0.2)
            except FAILURES as error:
                raise querying(error, self.target, 0, 10) from None

    async def _ours(self, row: DatabaseRow, app: str) -> bool:
        marker = row.marker
        if marker is not None:
            return marker.app == app and marker.step in (Mark.RESTORING, Mark.VERIFIED, Mark.ARMED)
        # Made by us and killed before the marker was on it: then there is nothing in it.
        if row.comment is not None or row.lost or not row.open:
            return row.lost and row.comment is None
        return await self.relations(row.name) == 0

    async def _do(self, statement: str) -> None:
        with self._said():
            await self._connection.execute(statement)

    async def _value(self, query: str, *arguments: Any) -> Any:
        with self._said():
            return await self._connection.fetchval(query, *arguments)

    @contextlib.contextmanager
    def _said(self) -> Any:
        try:
            yield
        except FAILURES as error:
            raise querying(error, self.target, 0, 10) from None


def create_statement(name: str, properties: Properties, version_num: int) -> str:
    """CREATE DATABASE with every option that was captured and that the server's version knows."""
    words = [
        f"CREATE DATABASE {quoted(name)} WITH TEMPLATE template0",
        f"OWNER {quoted(properties.owner)}",
        f"ENCODING {literal(properties.encoding)}",
        f"LC_COLLATE {literal(properties.collate)}",
        f"LC_CTYPE {literal(properties.ctype)}",
    ]
    if version_num >= 150_000:
        words.append({"i": "LOCALE_PROVIDER icu", "b": "LOCALE_PROVIDER builtin"}.get(properties.provider, ""))
        if properties.locale:
            option = "BUILTIN_LOCALE" if properties.provider == "b" else "ICU_LOCALE"
            words.append(f"{option} {literal(properties.locale)}")
        if properties.icu_rules:
            words.append(f"ICU_RULES {literal(properties.icu_rules)}")
    if properties.tablespace != "pg_default":
        words.append(f"TABLESPACE {quoted(properties.tablespace)}")
    return " ".join(filter(None, words))


async def create_extensions(target: Target, run: str, extensions: Sequence[Extension]) -> None:
    """Make the extensions in a restored database before its objects come, in their versions. Raises TargetError."""
    wanted = [extension for extension in extensions if extension.name != "plpgsql"]
    if not wanted:
        return
    async with session(target, Purpose("extensions", 0, 10, "pg_catalog", writes=True), run=run) as connection:
        for extension in wanted:
            there = await connection.fetchval(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)", extension.schema
            )
            # A schema of the extension's own is made by it, and must not be named then.
            schema = f" SCHEMA {quoted(extension.schema)}" if there else ""
            statement = f"CREATE EXTENSION {quoted(extension.name)} WITH{schema} VERSION {literal(extension.version)}"
            try:
                await connection.execute(statement)
            except FAILURES as error:
                told = querying(error, target, 0, 10)
                raise TargetError(
                    f"Extension {extension.name} cannot be created",
                    f"{statement}\n{told.detail or told.title}",
                    told.remedy,
                ) from None


async def analyze(target: Target, run: str, jobs: int) -> None:
    """Give a restored database the statistics that it was not restored with: all, before PostgreSQL 18.

    Raises TargetError.

    At once and in full: rough ones first, as ``vacuumdb --analyze-in-stages`` makes them, serve who uses the database
    meanwhile, and nobody does. The largest tables come first, as they do where rows are counted at the same time, so
    that what one reads is in memory for the other.
    """
    settings = {"synchronous_commit": "off"}  # as the restore before it
    purpose = Purpose("analyze", 0, 10, "pg_catalog", writes=True, idle_timeout=0, settings=settings)

    async def worker(connection: Connection, left: list[str]) -> None:
        while left:
            await connection.execute(f"ANALYZE {left.pop()}")

    async def another(left: list[str]) -> None:
        async with session(target, purpose, run=run) as connection:
            await worker(connection, left)

    try:
        async with session(target, purpose, run=run) as connection:
            left = [row["name"] for row in await rows(connection, "side_analyze")]
            async with asyncio.TaskGroup() as group:
                for _ in range(min(jobs, len(left)) - 1):
                    group.create_task(another(left))
                group.create_task(worker(connection, left))
    except* (*FAILURES, MigconsoleError) as errors:
        raise querying(errors.exceptions[0], target, 0, 10) from None
