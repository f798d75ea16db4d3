"""What two of the rollback criteria are computed from: an unstable server, and damaged data. A person decides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from migconsole.adapters.postgres.checks.base import Findings, Probe, check, number, size
from migconsole.adapters.postgres.identity import read_ahead
from migconsole.adapters.postgres.probes.runner import Probes
from migconsole.adapters.postgres.server_log import locate, read_since
from migconsole.domain.quantities import format_size
from migconsole.domain.readings import Quality
from migconsole.domain.server_log import Entry, Severity
from migconsole.domain.snapshots import COUNTERS
from migconsole.engine import comparing
from migconsole.engine.ports import CheckResult

SATURATED = 95.0
"""Per cent of the connection slots (check_postgres)."""

MAX_LAG = 1024**3
"""Bytes a standby may be behind before the server counts as unstable; ours."""

BACK = 900.0
"""Seconds of the server's log that are looked at for a crash, before T-0 has begun."""

DAMAGED = ("XX001", "XX002")
"""SQLSTATEs of damaged data and damaged indexes."""

_DAMAGED_WORDS = ("invalid page in block", "could not read block", "page verification failed", "unexpected chunk")


@check(
    "instability",
    "Whether the server restarted, failed over, was replaced, crashed, or has no connection slots left.",
    arguments={
        "max_used": "per cent of the connection slots; default 95",
        "max_lag": "how far a standby may be behind; default 1GB",
    },
    values={
        "unstable": "how many of these signs there are",
        "restarted": "whether it was restarted since the run opened",
        "used_percent": "share of the connection slots in use; null when unknown",
        "replication_lag": "bytes the slowest standby is behind; null when unknown",
        "crashes": "crashes and panics in the server's log since T-0; null when it cannot be read",
    },
)
async def instability(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """What cannot be seen is no sign of stability, and none of the contrary."""
    found = Findings()
    now, pinned = probe.identity, probe.pinned
    restarted = now.started_at != pinned.started_at
    (found.bad if restarted else found.good)(
        f"restarted since the run opened: {now.started_at}" if restarted else "not restarted since the run opened"
    )
    if now.in_recovery != pinned.in_recovery or now.system_identifier != pinned.system_identifier:
        found.bad("another server answers, or it failed over")
    used, lag = await _pulse(
        probe, found, number(arguments, "max_used") or SATURATED, size(arguments, "max_lag", MAX_LAG)
    )
    entries = await _log(probe, found)
    crashes = None
    if entries is not None:
        bad = [one for one in entries if one.severity is Severity.PANIC or "was terminated by signal" in one.text]
        crashes = len(bad)
        for one in bad[:3]:
            found.bad(f"{one.word}: {one.text}")
        if not bad:
            found.good("no crash in the server's log")
    return found.result(
        {
            "unstable": len(found.wrong),
            "restarted": restarted,
            "used_percent": used,
            "replication_lag": lag,
            "crashes": crashes,
        }
    )


async def _pulse(probe: Probe, found: Findings, limit: float, most: float) -> tuple[float | None, int | None]:
    probes = Probes(probe.target, probe.run)
    try:
        await probes.pulse.open()
        slots = await probes.run_probe("conn_saturation")
        standbys = await probes.run_probe("replication_lag")
    finally:
        await probes.close()
    share = slots.rows[0]["used_share"] if slots.quality is Quality.OK and slots.rows else None
    used = None if share is None else round(100 * share, 1)
    if used is None:
        found.note(f"the connection slots in use are unknown: {slots.reason}")
    else:
        (found.bad if used >= limit else found.good)(f"{used:.0f} % of the connection slots in use")
    behind = [row["replay_bytes"] for row in standbys.rows if row["replay_bytes"] is not None]
    lag = max(behind, default=0 if standbys.quality is Quality.OK and not standbys.rows else None)
    if lag is not None and standbys.rows:
        (found.bad if lag > most else found.good)(f"the slowest standby is {format_size(lag)} behind")
    return used, lag


async def _log(probe: Probe, found: Findings) -> list[Entry] | None:
    """The entries of the server's log since T-0; None where it cannot be read."""
    began = (await asyncio.to_thread(probe.past.moments)).began if probe.past is not None else None
    since = (began or time.time() - BACK) + await read_ahead(probe.connection)
    log = await locate(probe.connection)
    if isinstance(log, str):
        found.note(f"the server's log cannot be read from here: {log}")
        return None
    part = await read_since(log, since)
    return [one for one in part.entries if one.at is None or one.at >= since]


@check(
    "data_corruption",
    "Whether checksums of pages failed since the baseline, or the server's log speaks of damaged data.",
    values={
        "corrupted": "how many of these signs there are; null when neither could be seen",
        "checksum_failures": "failed checksums in this database; null where they are not kept or not counted",
        "logged": "entries of damaged data in the server's log since T-0; null when it cannot be read",
    },
)
async def data_corruption(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """A rise counts, not what was there before; without data checksums the server notices little, and that is said."""
    found = Findings()
    failures = await _checksums(probe, found)
    entries = await _log(probe, found)
    logged = None
    if entries is not None:
        bad = [one for one in entries if one.code in DAMAGED or any(word in one.text for word in _DAMAGED_WORDS)]
        logged = len(bad)
        for one in bad[:5]:
            found.bad(f"{one.word}: {one.text}")
        if not bad:
            found.good("the server's log speaks of no damaged data")
    if failures is None and logged is None:
        found.unknown("whether data is damaged cannot be seen from here")
    corrupted = None if failures is None and logged is None else (failures or 0) + (logged or 0)
    return found.result({"corrupted": corrupted, "checksum_failures": failures, "logged": logged})


async def _checksums(probe: Probe, found: Findings) -> int | None:
    probes = Probes(probe.target, probe.run)
    try:
        await probes.pulse.open()
        reading = await probes.run_probe(COUNTERS)
    finally:
        await probes.close()
    now = reading.rows[0].get("checksum_failures") if reading.rows else None
    if now is None:
        found.note("page checksums are off, or not counted before PostgreSQL 12")
        return None
    before = 0
    if probe.past is not None:
        base = await asyncio.to_thread(comparing.baseline, probe.past)
        before = 0 if isinstance(base, str) else (base.end.row(COUNTERS) or {}).get("checksum_failures") or 0
    risen = max(0, now - before)
    (found.bad if risen else found.good)(f"{risen} failed page checksums")
    return int(risen)
