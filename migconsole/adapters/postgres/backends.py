"""Finding and signalling sessions on the server, whatever the migration locks.

The session for it lives in the maintenance database, because new sessions in the target hang when its catalogues are
locked. It is opened and prepared early: during the migration a login may hang, too, or find no slot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg

from migconsole.adapters.postgres.connect import Connection, Purpose, connect, prepared, quoted, retire
from migconsole.adapters.postgres.failures import FAILURES, RefusedError, querying
from migconsole.adapters.postgres.probes.capabilities import variants
from migconsole.adapters.postgres.queries import load
from migconsole.domain.quantities import format_duration
from migconsole.domain.target import Target
from migconsole.domain.text import sanitise_line
from migconsole.errors import MigconsoleError, TargetError

MAINTENANCE = ("postgres", "template1")
"""Databases that a session of ours may live in beside the target, in this order."""

OF_THE_DATABASE = ("3D000", "42501", "55000", "28000")
"""SQLSTATEs of a database that is missing, forbidden or closed: another one may still do."""

STATEMENT_TIMEOUT = 0.5


class Outcome(StrEnum):
    """What became of a signal. A signal that was sent is not yet obeyed: look again."""

    SIGNALLED = "signalled"
    GONE = "nothing was signalled: that session has ended"
    NO_PRIVILEGE = "no privilege: grant pg_signal_backend and pg_read_all_stats (superusers' sessions need a superuser)"


async def connect_for_maintenance(target: Target, purpose: Purpose, run: str, *, apart: bool = False) -> Connection:
    """A session in the first maintenance database that lets us in; ``apart``: in another one than the target.

    Raises TargetError.
    """
    refused: list[str] = []
    for database in MAINTENANCE:
        if apart and database == target.database:
            continue
        try:
            return await connect(target, purpose, database=database, run=run)
        except RefusedError as error:
            if error.sqlstate not in OF_THE_DATABASE:
                raise
            refused.append(f"{database}: {error.detail}")
    raise TargetError(
        "No maintenance database lets us in",
        "\n".join(refused) or f"{' and '.join(MAINTENANCE)} are what is to be changed.",
        f"GRANT CONNECT ON DATABASE postgres TO {quoted(target.user)}",
    )


@dataclass(frozen=True, slots=True)
class _Session:
    connection: Connection
    statements: Mapping[str, Any]


class _RefusedError(TargetError):
    """The role may not do it; the session is as good as before."""


class Backends:
    """One session, opened by ``prepare`` or when it is first needed, and again when it was lost.

    A signal for somebody else's session is sent only after a person confirmed it. A pid is used again by the server, so
    it names when the session began, as it was shown to the person.
    """

    def __init__(self, target: Target, run: str = "") -> None:
        self._target = target
        self._run = run
        self._lock = asyncio.Lock()
        self._session: _Session | None = None

    async def prepare(self) -> None:
        """Open the session now, before anything is locked. What keeps it out is told when it is needed."""
        with suppress(MigconsoleError):
            async with self._lock:
                await self._opened()

    async def ours(self, app_name: str) -> list[dict[str, Any]]:
        """Backends with this application name. Raises TargetError when the server cannot be asked."""
        rows = await self._ask(lambda session: session.statements["ours"].fetch(app_name))
        return [
            {"pid": r["pid"], "state": r["state"] or "unknown", "query_start": r["seconds"], "query": r["query"] or ""}
            for r in rows
        ]

    async def cancel(self, app_name: str) -> int:
        """Cancel the running statements of this application name; returns how many backends were signalled."""
        return int(await self._ask(lambda session: session.statements["named"].fetchval(app_name)))

    async def signal(self, pid: int, backend_start: str, *, terminate: bool) -> Outcome:
        """Cancel what a session runs, or end it, if it is still that session. Raises TargetError."""
        began, act = datetime.fromisoformat(backend_start), "terminate" if terminate else "cancel"
        try:
            row = await self._ask(lambda session: session.statements[act].fetchrow(pid, began))
        except _RefusedError:
            return Outcome.NO_PRIVILEGE
        if row is not None and row["hidden"]:
            return Outcome.NO_PRIVILEGE
        return Outcome.SIGNALLED if row is not None and row["signalled"] else Outcome.GONE

    async def dumps(self) -> list[str]:
        """Sessions that copy the target out, in words. Raises TargetError when the server cannot be asked."""
        found = await self._ask(lambda session: session.statements["dumps"].fetch(self._target.database))
        return [dump_words(row) for row in found]

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
            except asyncpg.InsufficientPrivilegeError as error:
                raise _RefusedError("The server refuses", str(error)) from None
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
            purpose = Purpose("signal", STATEMENT_TIMEOUT, search_path="pg_catalog")
            connection = await connect_for_maintenance(self._target, purpose, self._run)
            try:
                self._session = await _prepared(connection)
            except FAILURES as error:
                connection.terminate()
                raise querying(error, self._target, STATEMENT_TIMEOUT, 0.1) from None
            except BaseException:
                connection.terminate()
                raise
        return self._session

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await retire(session.connection)


def dump_words(row: Mapping[str, Any]) -> str:
    """A row of ``dump_sessions.sql`` for a person."""
    since = "" if row["seconds"] is None else f", since {format_duration(round(row['seconds']))}"
    return sanitise_line(
        f"{row['application'] or 'unnamed'} (pid {row['pid']}) of {row['role']} from {row['address']}{since}", 200
    )


async def _prepared(connection: Connection) -> _Session:
    """Prepare everything now: parsing reads catalogues, which a migration may have locked later."""
    number = connection.get_server_version().major * 10_000
    texts = {"ours": load("ours", number), "named": load("cancel", number), "dumps": load("dump_sessions", number)}
    texts |= {act: variants()[act][0].text for act in ("cancel", "terminate")}
    session = _Session(connection, {name: await prepared(connection, str(text)) for name, text in texts.items()})
    # Preparing leaves the server in a transaction until the next statement ends: nobody's oldest one shall be ours.
    await connection.execute("SELECT")
    return session
