"""Cancelling and ending somebody's session: only after a person confirmed it, and only if it is still that session."""

from __future__ import annotations

import asyncio
from datetime import datetime
from enum import StrEnum

import asyncpg

from migconsole.adapters.postgres.connect import Connection, Purpose, connect, retire
from migconsole.adapters.postgres.failures import FAILURES, RefusedError, querying
from migconsole.adapters.postgres.probes.capabilities import variants
from migconsole.adapters.postgres.pulse import MAINTENANCE
from migconsole.domain.target import Target

LIMIT = 2.0


class Outcome(StrEnum):
    """What became of a signal. A signal that was sent is not yet obeyed: look again."""

    SIGNALLED = "signalled"
    GONE = "nothing was signalled: that session has ended"
    NO_PRIVILEGE = "no privilege: grant pg_signal_backend and pg_read_all_stats (superusers' sessions need a superuser)"


class SignalSession:
    """A session for confirmed acts alone. Open it before the migration starts: later a login may hang or find no slot.

    A pid is used again by the server, so every act names when the session began, as it was shown to the person.
    """

    def __init__(self, target: Target, run: str = "") -> None:
        self._target = target
        self._run = run
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Connect now. Raises MigconsoleError with a remedy."""
        async with self._lock:
            await self._opened()

    async def cancel(self, pid: int, backend_start: str) -> Outcome:
        """Cancel what the session runs. Raises MigconsoleError when the server cannot be asked."""
        return await self._signal("cancel", pid, backend_start)

    async def terminate(self, pid: int, backend_start: str) -> Outcome:
        """End the session. Raises MigconsoleError when the server cannot be asked."""
        return await self._signal("terminate", pid, backend_start)

    async def close(self) -> None:
        """End our own session."""
        async with self._lock:
            await self._drop()

    async def _signal(self, act: str, pid: int, backend_start: str) -> Outcome:
        began = datetime.fromisoformat(backend_start)
        async with self._lock:
            connection = await self._opened()
            try:
                async with asyncio.timeout(LIMIT * 1.5):
                    row = await connection.fetchrow(variants()[act][0].text, pid, began)
            except asyncpg.InsufficientPrivilegeError:
                return Outcome.NO_PRIVILEGE
            except FAILURES as error:
                await self._drop()
                raise querying(error, self._target, LIMIT, 0.1) from None
        if row is not None and row["hidden"]:
            return Outcome.NO_PRIVILEGE
        return Outcome.SIGNALLED if row is not None and row["signalled"] else Outcome.GONE

    async def _opened(self) -> Connection:
        if self._connection is not None and self._connection.is_closed():
            await self._drop()
        if self._connection is None:
            self._connection = await self._connected()
        return self._connection

    async def _connected(self) -> Connection:
        purpose = Purpose("signal", LIMIT, search_path="pg_catalog")
        for database in MAINTENANCE[:-1]:
            try:
                return await connect(self._target, purpose, database=database, run=self._run)
            except RefusedError:
                continue
        return await connect(self._target, purpose, database=MAINTENANCE[-1], run=self._run)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await retire(connection)
