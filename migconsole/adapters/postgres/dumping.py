"""Watching a dump from the server's side: who stands in its way, and how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

from migconsole.adapters.postgres.connect import Purpose, session
from migconsole.adapters.postgres.failures import FAILURES, querying
from migconsole.adapters.postgres.observing import rows
from migconsole.adapters.postgres.queries import load
from migconsole.domain.quantities import format_duration
from migconsole.domain.target import Target
from migconsole.domain.text import sanitise_line

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


async def dump_progress(
    target: Target,
    database: str,
    app_name: str,
    run: str,
    weights: Mapping[int, int],
    *,
    rows_of: Mapping[int, int] | None = None,
) -> AsyncIterator[int | None]:
    """Bytes copied so far, every second, until the caller stops; None where the server cannot say (before 14).

    A table that was seen and is gone counts as copied. ``weights`` are the bytes of each table; its share is by rows of
    the estimate, or of ``rows_of`` where they are known. Failures to look end the iteration quietly.
    """
    finished: set[int] = set()
    running: dict[int, float] = {}
    try:
        async with session(target, Purpose("progress", 5.0, search_path="pg_catalog"), database=database, run=run) as c:
            version = c.get_server_version()
            query = load("dump_progress", version.major * 10_000)
            estimates = dict(rows_of or {}) or {
                row["oid"]: row["rows"] for row in await rows(c, "estimated_rows") if row["rows"] > 0
            }
            while True:
                await asyncio.sleep(_POLL)
                if query is None:
                    yield None
                    continue
                now = {row["oid"]: row["rows"] for row in await c.fetch(query, database, app_name)}
                finished |= set(running) - set(now)
                running = {oid: min(1.0, count / estimates.get(oid, count or 1)) for oid, count in now.items()}
                part = sum(weights.get(oid, 0) * share for oid, share in running.items())
                yield round(sum(weights.get(oid, 0) for oid in finished) + part)
    except FAILURES:
        return
