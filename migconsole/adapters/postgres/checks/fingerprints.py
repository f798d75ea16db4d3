"""Reading, keeping and describing the schema's fingerprint, for the checks that use it."""

from __future__ import annotations

import asyncpg

from migconsole.adapters.postgres.checks.base import Findings, Probe
from migconsole.adapters.postgres.schema import OWN_RECORDS
from migconsole.domain.schema_diff import Fingerprint
from migconsole.errors import MigconsoleError

SHOWN = 60


def kept(probe: Probe, now: Fingerprint) -> tuple[Fingerprint | None, Fingerprint]:
    """The fingerprint that was kept, None without one, and today's masked as that one was."""
    if probe.past is None:
        return None, now
    return probe.past.schema(), probe.past.masked_schema(now)


def describe_changes(changes: tuple[str, ...] | list[str], found: Findings) -> None:
    """The differences as lines, or that there are none."""
    if not changes:
        found.good("the schema is the one that was kept")
    for line in changes[:SHOWN]:
        found.note(line)
    if len(changes) > SHOWN:
        found.note(f"… and {len(changes) - SHOWN} more")


async def read_fingerprint(probe: Probe, found: Findings) -> Fingerprint | None:
    """The schema as it is now; None (and said) while a lock hides a part of it."""
    try:
        return Fingerprint.of([tuple(row.values()) for row in await probe.rows("schema_fingerprint", OWN_RECORDS)])
    except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
        found.unknown("a lock hides a part of the schema: a migration is at work")
        return None


def keep(probe: Probe, now: Fingerprint, found: Findings) -> None:
    """Keep a fingerprint with the run."""
    if probe.past is None:
        found.unknown("there is no run to keep it with")
        return
    try:
        probe.past.keep_schema(now)
    except MigconsoleError as error:
        found.unknown(f"it could not be kept: {error.title}")
        return
    found.good(f"{len(now.objects)} objects kept to compare with, {now.digest[:12]}")
