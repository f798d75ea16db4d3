"""The pulse: one session that reads the health strip's values and stays up whatever the migration locks.

It lives in the maintenance database, because new sessions in the target hang when its catalogues are locked; it is
opened and prepared early, reads shared memory and never waits for a lock that a migration holds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg

from migconsole.adapters.postgres.connect import Connection, Purpose, connect, retire
from migconsole.adapters.postgres.failures import FAILURES, RefusedError, querying
from migconsole.adapters.postgres.queries import load
from migconsole.domain.health import HealthSample
from migconsole.domain.target import Target
from migconsole.errors import MigconsoleError, TargetError

MAINTENANCE = ("postgres", "template1")
"""Databases the pulse may live in, in this order."""

STATEMENT_TIMEOUT = 0.5
SIZE_TIMEOUT = 3.0
SIZE_INTERVAL = 10.0
"""Least seconds between two readings of the database's size, which walks its files."""

SIZE_DUTY = 100.0
"""A reading of the size that took t seconds is not repeated within 100 t: one per cent of the time at most."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
_OF_THE_DATABASE = ("3D000", "42501", "55000", "28000")
"""SQLSTATEs of a database that is missing, forbidden or closed: another one may still do."""


@dataclass(frozen=True, slots=True)
class _Session:
    connection: Connection
    activity: Any
    counters: Any
    oid: Any
    size: Any
    ours: Any
    cancel: Any


class Pulse:
    """Takes samples one at a time; finds its way back by itself, with growing pauses, after the server went away."""

    def __init__(self, target: Target, run: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._run = run
        self._clock = clock
        self._lock = asyncio.Lock()
        self._session: _Session | None = None
        self._problem = ""
        self._pause = 0.0
        self._next_attempt = 0.0
        self._oid: int | None = None
        self._size: int | None = None
        self._size_due = 0.0

    async def sample(self) -> HealthSample:
        """One reading; never raises for what the server does. While it pauses after a failure it returns at once."""
        async with self._lock:
            if self._session is None and self._clock() < self._next_attempt:
                left = self._next_attempt - self._clock()
                return HealthSample(at=self._clock(), problem=f"{self._problem} (next try in {left:.0f} s)")
            try:
                session = await self._opened()
                async with asyncio.timeout(STATEMENT_TIMEOUT * 3 + SIZE_TIMEOUT):
                    sample = await self._read(session)
            except MigconsoleError as error:
                return await self._failed(error)
            except FAILURES as error:
                return await self._failed(querying(error, self._target, STATEMENT_TIMEOUT, 0.1))
            except asyncio.CancelledError:
                await self._drop()
                raise
            self._pause = 0.0
            return sample

    async def ours(self, app_name: str) -> list[dict[str, Any]]:
        """Backends with this application name. Raises TargetError when the server cannot be asked."""
        rows = await self._ask(lambda session: session.ours.fetch(app_name))
        return [
            {"pid": r["pid"], "state": r["state"] or "unknown", "query_start": r["seconds"], "query": r["query"] or ""}
            for r in rows
        ]

    async def cancel(self, app_name: str) -> int:
        """Cancel the running statements of this application name; returns how many backends were signalled."""
        return int(await self._ask(lambda session: session.cancel.fetchval(app_name)))

    async def close(self) -> None:
        """End the session."""
        async with self._lock:
            await self._drop()

    async def _ask(self, question: Callable[[_Session], Any]) -> Any:
        async with self._lock:
            try:
                session = await self._opened()
                async with asyncio.timeout(STATEMENT_TIMEOUT * 3):
                    return await question(session)
            except FAILURES as error:
                await self._drop()
                raise querying(error, self._target, STATEMENT_TIMEOUT, 0.1) from None
            except asyncio.CancelledError:
                await self._drop()
                raise

    async def _opened(self) -> _Session:
        if self._session is not None and self._session.connection.is_closed():
            await self._drop()
        if self._session is None:
            connection = await self._connected()
            try:
                self._session = await _prepared(connection)
            except BaseException:
                connection.terminate()
                raise
            self._oid = None
        return self._session

    async def _connected(self) -> Connection:
        purpose = Purpose("pulse", STATEMENT_TIMEOUT, search_path="pg_catalog")
        for database in MAINTENANCE:
            try:
                return await connect(self._target, purpose, database=database, run=self._run)
            except RefusedError as error:
                if error.sqlstate not in _OF_THE_DATABASE:
                    raise
        raise TargetError(
            "No maintenance database lets the monitor in",
            f"Neither {' nor '.join(MAINTENANCE)} accepts {self._target.user}.",
            f"GRANT CONNECT ON DATABASE postgres TO {self._target.user}",
        )

    async def _read(self, session: _Session) -> HealthSample:
        oid = await self._target_oid(session)
        activity = await session.activity.fetch(oid)
        counters = await session.counters.fetchrow(oid)
        await self._refresh_size(session, oid)
        mine = [row for row in activity if row["in_target"]]
        hidden = any(row["state"] == "hidden" for row in mine)
        oldest = [row["oldest_xact"] for row in mine if row["oldest_xact"] is not None]
        return HealthSample(
            at=self._clock(),
            connections={row["state"]: row["sessions"] for row in mine},
            server_connections=sum(row["sessions"] for row in activity),
            max_connections=counters["max_connections"],
            blocked=None if hidden else sum(row["blocked"] for row in mine),
            oldest_xact=None if hidden else max(oldest, default=0.0),
            database_size=self._size,
            commits=counters["commits"],
            rollbacks=counters["rollbacks"],
            blocks_hit=counters["blocks_hit"],
            blocks_read=counters["blocks_read"],
            server_time=counters["server_time"].isoformat(),
            problem="no privilege to see other roles' sessions: grant pg_read_all_stats" if hidden else "",
        )

    async def _target_oid(self, session: _Session) -> int:
        """The oid changes when the database is swapped or restored, so it is looked up again with each size."""
        if self._oid is not None and self._clock() < self._size_due:
            return self._oid
        found: int | None = self._oid
        with suppress(asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
            found = await session.oid.fetchval(self._target.database)
        if found is None:
            raise TargetError(f"There is no database {self._target.database} on the server")
        if found != self._oid:
            self._oid, self._size, self._size_due = found, None, 0.0
        return found

    async def _refresh_size(self, session: _Session, oid: int) -> None:
        began = self._clock()
        if began < self._size_due:
            return
        connection = session.connection
        try:
            await connection.execute(f"BEGIN READ ONLY; SET LOCAL statement_timeout = {SIZE_TIMEOUT * 1000:.0f}")
            try:
                self._size = await session.size.fetchval(oid)
            finally:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
        except (asyncpg.InsufficientPrivilegeError, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError):
            self._size = None
        took = self._clock() - began
        self._size_due = began + max(SIZE_INTERVAL, SIZE_DUTY * took)

    async def _failed(self, error: MigconsoleError) -> HealthSample:
        await self._drop()
        self._pause = min(max(FIRST_PAUSE, self._pause * 2), LONGEST_PAUSE)
        self._next_attempt = self._clock() + self._pause
        self._problem = error.title
        return HealthSample(at=self._clock(), problem=error.title)

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await retire(session.connection)


async def _prepared(connection: Connection) -> _Session:
    """Prepare everything now: parsing reads catalogues, which a migration may have locked later."""
    version = connection.get_server_version()
    number = version.major * 10_000
    names: Mapping[str, str] = {
        "activity": "pulse_activity",
        "counters": "pulse_counters",
        "oid": "database_oid",
        "size": "database_size",
        "ours": "ours",
        "cancel": "cancel",
    }
    statements = {}
    for attribute, name in names.items():
        text = load(name, number)
        assert text is not None, name
        statements[attribute] = await connection.prepare(text, name=f"mc_{attribute}")
    return _Session(connection, **statements)
