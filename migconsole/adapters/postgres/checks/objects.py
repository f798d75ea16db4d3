"""Checks of tables and indexes by what changed of them since the baseline of before the migration."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from migconsole.adapters.postgres.checks import windows
from migconsole.adapters.postgres.checks.base import Findings, Probe, check, counted, number
from migconsole.domain.quantities import format_size
from migconsole.domain.snapshots import INDEXES, SIZES, Row, Snapshot, breaks
from migconsole.engine import comparing
from migconsole.engine.ports import CheckResult

GROWTH = 1.5
"""A table of this multiple of its size before the migration is named; ours."""

LEAST = 64 * 1024**2
"""Bytes of growth below which no multiple counts."""

QUIET_SCANS = 100
"""Scans before the migration from which on an index that has none since then has gone quiet; ours."""


@check(
    "table_sizes",
    "Sizes of the largest tables, read without waiting for a lock, and what they grew by since before the migration.",
    arguments={"factor": "multiple of the size before T-0 that is named; default 1.5"},
    values={
        "tables": "tables whose size was read",
        "skipped": "tables under a lock, whose size was not read",
        "bytes": "bytes of all of them",
        "growth": "bytes they grew by since the baseline; null without one",
        "grown": "list of tables that outgrew the factor; null without a baseline",
    },
)
async def table_sizes(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Largest first; without a baseline a person judges."""
    found = Findings()
    now, before = await _both(probe, found)
    rows = sorted(now.rows(SIZES), key=lambda row: -(row["size"] or 0))
    known = [row for row in rows if row["size"] is not None]
    if not known:
        found.unknown(f"no size was read: {_why(now, SIZES)}")
    old = {row["oid"]: row["size"] for row in before.rows(SIZES)} if before is not None else {}
    factor = number(arguments, "factor") or GROWTH
    grown, growth = [], 0
    for place, row in enumerate(known):
        then = old.get(row["oid"])
        more = 0 if then is None else row["size"] - then
        growth += more
        wide = then is not None and more > LEAST and row["size"] > factor * then
        changed = "" if before is None else ", new" if then is None else f", {_signed(more)} since before T-0"
        says = f"{row['relation']}: {format_size(row['size'])}{changed}"
        if wide:
            grown.append(row["relation"])
            found.bad(says)
        elif place < windows.LISTED:
            found.note(says)
    if before is not None and not grown and known:
        found.good(f"no table outgrew {factor:g} times its size: {_signed(growth)} in all")
    return found.result(
        {
            "tables": len(known),
            "skipped": len(rows) - len(known),
            "bytes": sum(row["size"] for row in known),
            "growth": growth if before is not None else None,
            "grown": grown if before is not None else None,
        }
    )


@check(
    "index_usage",
    "Which indexes are used, which went quiet since the migration, and which cannot be used at all.",
    values={
        "indexes": "indexes that were looked at",
        "invalid": "list of indexes that cannot be used",
        "quiet": "list of indexes that were used before the migration and not since; null without a baseline",
        "unused": "indexes that were never used, without those that keep something unique",
        "new": "list of indexes that are new since the baseline; null without one",
    },
)
async def index_usage(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """By the difference of counters, never by their sum since the beginning of time."""
    found = Findings()
    now, before = await _both(probe, found)
    rows = now.rows(INDEXES)
    if not rows:
        found.unknown(f"no index was read: {_why(now, INDEXES)}")
    invalid = [row["index"] for row in rows if row["valid"] is False]
    for name in invalid:
        found.bad(f"{name} is invalid: drop it and build it again")
    values: dict[str, Any] = {
        "indexes": len(rows),
        "invalid": invalid,
        "quiet": None,
        "unused": sum(1 for row in rows if not row["scans"] and not row["unique"] and not row["constraint"]),
        "new": None,
    }
    if before is not None and rows:
        values |= _since(found, rows, {row["oid"]: row for row in before.rows(INDEXES)})
    found.note(f"{counted(len(rows), 'index').replace('indexs', 'indexes')}, {values['unused']} never used")
    return found.result(values)


def _since(found: Findings, rows: Any, old: Mapping[Any, Row]) -> dict[str, Any]:
    quiet, new = [], []
    for row in sorted(rows, key=lambda row: -(row["scans"] or 0)):
        then = old.get(row["oid"])
        if then is None:
            new.append(row["index"])
            found.note(f"{row['index']} on {row['relation']} is new: {row['scans']} scans")
        elif (then["scans"] or 0) >= QUIET_SCANS and row["scans"] == then["scans"]:
            quiet.append(row["index"])
            found.unknown(f"{row['index']} on {row['relation']} was used {then['scans']:,} times and not since then")
        else:
            rise = (row["scans"] or 0) - (then["scans"] or 0)
            if rise > 0 and len(found.lines) < windows.LISTED:
                found.note(f"{row['index']}: {rise:,} scans since before T-0")
    gone = [then["index"] for oid, then in old.items() if oid not in {row["oid"] for row in rows} and then["scans"]]
    for name in gone[: windows.LISTED]:
        found.note(f"{name} is gone; it was used before the migration")
    if not quiet:
        found.good("no index that was used went quiet")
    return {"quiet": quiet, "new": new}


async def _both(probe: Probe, found: Findings) -> tuple[Snapshot, Snapshot | None]:
    """Now, and the end of the baseline; without one a person is asked."""
    now = await windows.taken(probe)
    before = await asyncio.to_thread(comparing.baseline, probe.past) if probe.past is not None else "no run is open"
    if isinstance(before, str):
        found.unknown(f"no change since the baseline: {before}")
        return now, None
    if broken := [why for why in breaks(before.end, now) if "restarted" not in why]:
        found.unknown(f"no change since the baseline: {', '.join(broken)}")
        return now, None
    return now, before.end


def _why(snapshot: Snapshot, name: str) -> str:
    reading = snapshot.readings.get(name)
    return "there is none" if reading is None or not reading.reason else reading.reason


def _signed(size: int) -> str:
    return f"+{format_size(size)}" if size >= 0 else f"−{format_size(-size)}"
