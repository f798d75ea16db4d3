"""Watching a dump from the server's side: who stands in its way, and how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from migconsole.adapters.postgres.connect import Connection, Purpose, session
from migconsole.adapters.postgres.failures import FAILURES, querying
from migconsole.adapters.postgres.observing import rows
from migconsole.adapters.postgres.queries import load
from migconsole.domain.quantities import format_duration
from migconsole.domain.target import Target
from migconsole.domain.text import sanitise_line
from migconsole.errors import MigconsoleError

_POLL = 1.0


async def blockers(target: Target, run: str) -> list[str]:
    """Sessions under whose locks the database cannot be dumped, in words. Raises TargetError."""
    async with session(target, Purpose("interlock", 5.0, search_path="pg_catalog"), run=run) as connection:
        try:
            found = await rows(connection, "exclusive_locks")
        except FAILURES as error:
            raise querying(error, target, 5.0, 0.1) from None
    return [
        sanitise_line(
            f"process {row['pid']} of {row['user']} ({row['application'] or 'unnamed'}, {row['state']}) "
            + ("holds the migrator's lock" if row["migrator"] else "holds or awaits an exclusive lock on a table")
            + f" since {format_duration(row['age'] or 0)}"
        )
        for row in found
    ]


Key = tuple[str, str]
"""Schema and name of a table."""


async def copy_progress(
    target: Target, app_name: str, run: str, weights: Mapping[Key, int], exact: Mapping[Key, int] | None = None
) -> AsyncIterator[int | None]:
    """Bytes copied so far, every second, until the caller stops; None where the server cannot say (before 14).

    A table that was seen and is gone counts as copied. ``weights`` are the bytes of each table; its share is by the
    rows that are estimated, or by ``exact`` where they are known. A failure to look ends the iteration quietly.
    """
    finished: set[Key] = set()
    running: dict[Key, float] = {}
    try:
        async with session(target, Purpose("progress", 5.0, search_path="pg_catalog"), run=run) as connection:
            query = load("dump_progress", connection.get_server_version().major * 10_000)
            expected = dict(exact) if exact is not None else await _estimated(connection)
            while True:
                await asyncio.sleep(_POLL)
                if query is None:
                    yield None
                    continue
                now = {(row["schema"], row["name"]): row["rows"] for row in await connection.fetch(query, app_name)}
                finished |= set(running) - set(now)
                running = {key: min(1.0, count / (expected.get(key) or count or 1)) for key, count in now.items()}
                part = sum(weights.get(key, 0) * share for key, share in running.items())
                yield round(sum(weights.get(key, 0) for key in finished) + part)
    except (*FAILURES, MigconsoleError):
        return


async def _estimated(connection: Connection) -> dict[Key, float]:
    return {(row["schema"], row["name"]): row["rows"] for row in await rows(connection, "estimated_rows")}
