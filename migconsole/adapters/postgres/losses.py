"""The row counters of a database now, for the preview of what a rollback would lose."""

from __future__ import annotations

from typing import Any

import asyncpg

from migconsole.adapters.postgres.connect import Connection, Purpose, session
from migconsole.adapters.postgres.failures import FAILURES, querying
from migconsole.adapters.postgres.queries import OLDEST, load
from migconsole.domain.moments import Moment, SequencePosition, TableCounts
from migconsole.domain.target import Target

TIMEOUT = 15.0
LOCK_TIMEOUT = 0.4
"""Seconds; only the positions of sequences take a lock at all, and below deadlock_timeout's half it decides nothing."""


async def sight(target: Target, *, database: str = "", run: str = "") -> Moment:
    """What the server counts at this moment. Counters reach the view up to a second after the commit they count.

    Raises TargetError when the server cannot be asked. Positions of sequences that are locked are left out (unknown).
    """
    purpose = Purpose("loss", TIMEOUT, LOCK_TIMEOUT, search_path="pg_catalog")
    async with session(target, purpose, database=database, run=run) as connection:
        try:
            moment = await connection.fetchrow(load("loss_moment", OLDEST))
            tables = await connection.fetch(load("loss_tables", OLDEST))
            return Moment(
                tables=tuple(TableCounts(*row.values()) for row in tables),
                sequences=await _sequences(connection),
                database=moment["database"],
                database_oid=moment["oid"],
                system_identifier=await _system(connection),
                at=moment["at"].isoformat(),
                lsn=moment["lsn"] or "",
                stats_reset=moment["stats_reset"].isoformat() if moment["stats_reset"] else "",
                counting=moment["counting"],
            )
        except FAILURES as error:
            raise querying(error, target, TIMEOUT, LOCK_TIMEOUT) from None


async def _sequences(connection: Connection) -> tuple[SequencePosition, ...]:
    try:
        rows = await connection.fetch(load("loss_sequences", OLDEST))
    except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
        return ()
    return tuple(SequencePosition(*row.values()) for row in rows)


async def _system(connection: Connection) -> str | None:
    try:
        found: Any = await connection.fetchval(load("system_identifier", OLDEST))
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedFunctionError):
        return None
    return str(found) if found is not None else None
