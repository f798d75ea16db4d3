"""The one connection that changes databases: it holds the operator lock, and with it dies the power to go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import asyncpg

from migconsole.adapters import processes
from migconsole.adapters.postgres.backends import connect_for_maintenance
from migconsole.adapters.postgres.connect import Connection, Purpose, retire
from migconsole.adapters.postgres.failures import FAILURES, querying
from migconsole.adapters.postgres.rollback import reading
from migconsole.domain.rollback import DatabaseRow, Names, closing_statement, operator_lock_key
from migconsole.domain.rollback_survey import Blocker, Holder
from migconsole.domain.target import Target
from migconsole.engine.rollback_ports import PowerLostError
from migconsole.errors import MigconsoleError, TargetError

T = TypeVar("T")

READ_LIMIT = 15.0
"""Seconds for a question in the catalogues of the maintenance database."""

LOCK_TIMEOUT = 10.0

_WRITES = "SET default_transaction_read_only = off"
_NO_LIMIT = "SET statement_timeout = 0"
_TRY = "SELECT pg_catalog.pg_try_advisory_lock($1)"

_GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    OSError,
)


class PostgresOperator:
    """``engine.rollback_ports.Operator`` on a server. ``system`` is the pinned system identifier, None if unknown."""

    def __init__(self, target: Target, names: Names, *, run: str = "", system: str | None = None) -> None:
        self._target = target
        self._names = names
        self._run = run
        self._system = system
        self._connection: Connection | None = None

    @property
    def pid(self) -> int | None:
        """The backend's process, None while nothing is open."""
        return None if self._connection is None else int(self._connection.get_server_pid())

    async def take(self) -> Holder | None:
        """Connect, take the lock; see the port."""
        purpose = Purpose(f"operator on {processes.host()[:30]}", READ_LIMIT, LOCK_TIMEOUT, search_path="pg_catalog")
        connection = await connect_for_maintenance(self._target, purpose, self._run, apart=True)
        self._connection = connection
        key = operator_lock_key(self._names.app)
        taken = await self._asked(lambda: connection.fetchval(_TRY, key))
        if not taken:
            holder = await self._asked(lambda: reading.lock_holder(connection, key))
            return holder or Holder(0, "somebody who has just let go")
        await self._asked(lambda: connection.execute(_WRITES))
        await self._asked(lambda: connection.execute(_NO_LIMIT))
        await self._close_lent()
        return None

    async def _close_lent(self) -> None:
        """Close what a salvage that was killed has left open; with the lock in hand no other one is at it."""
        for row in (await self.rows()).values():
            if row.lent:
                await self.execute(closing_statement(row), READ_LIMIT)

    async def differences(self, expects: Sequence[tuple[str, int]]) -> tuple[str, ...]:
        """See the port."""
        return await self._asked(lambda: reading.differences(self._open(), expects, self._system))

    async def execute(self, statement: str, limit: float | None = None) -> None:
        """See the port. One statement only: several in one string would go on after this client's death."""
        await self._asked(lambda: self._open().execute(statement), limit)

    async def end_sessions(self, database: str) -> Sequence[str]:
        """See the port."""
        rows = await self._asked(self._ending(database))
        return [
            f"{row['application'] or row['type'] or 'unnamed'} of {row['role']} from {row['address']} ({row['pid']})"
            for row in rows
        ]

    def _ending(self, database: str) -> Callable[[], Awaitable[Sequence[Mapping[str, object]]]]:
        async def ask() -> Sequence[Mapping[str, object]]:
            row = (await reading.read_rows(self._open(), self._names)).get(database)
            if row is None:
                return ()
            found: Sequence[Mapping[str, object]] = await self._open().fetch(
                reading.text_of("rollback_end_sessions"), row.oid
            )
            return found

        return ask

    async def blockers(self, database: str) -> Sequence[Blocker]:
        """See the port."""

        async def ask() -> Sequence[Blocker]:
            row = (await reading.read_rows(self._open(), self._names)).get(database)
            return () if row is None else await reading.read_blockers(self._open(), database, row.oid)

        return await self._asked(ask)

    async def rows(self) -> Mapping[str, DatabaseRow]:
        """See the port."""
        return await self._asked(lambda: reading.read_rows(self._open(), self._names))

    async def now(self) -> str:
        """See the port."""
        row = await self._asked(lambda: self._open().fetchrow(reading.text_of("rollback_server"), self._names.app))
        return str(row["at"])

    async def close(self) -> None:
        """See the port."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await retire(connection)

    def _open(self) -> Connection:
        if self._connection is None:
            raise PowerLostError("The connection that held the operator lock is closed")
        return self._connection

    async def _asked(self, ask: Callable[[], Awaitable[T]], limit: float | None = None) -> T:
        """Ask something; a time limit cuts the connection off, because nobody knows then what the server did."""
        seconds = READ_LIMIT if limit is None else limit
        try:
            async with asyncio.timeout(seconds):
                return await ask()
        except FAILURES as error:
            raise self._told(error, seconds) from None

    def _told(self, error: BaseException, seconds: float) -> MigconsoleError:
        if isinstance(error, MigconsoleError):
            return error
        connection = self._connection
        if isinstance(error, TimeoutError) and connection is not None:
            connection.terminate()
        if isinstance(error, _GONE) or connection is None or connection.is_closed():
            where = f"{self._target.host}:{self._target.port}"
            return PowerLostError(
                "The connection that held the operator lock was lost",
                f"{where}: {type(error).__name__}. What was under way may or may not have happened.",
                "Run the same command again: it reads the server first.",
            )
        told = querying(error, self._target, seconds, LOCK_TIMEOUT)
        return TargetError(told.title, told.detail, told.remedy)
