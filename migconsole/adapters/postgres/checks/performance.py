"""Checks of how fast the database answers, now and against the baseline of before the migration."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from migconsole.adapters.postgres.checks import response, windows
from migconsole.adapters.postgres.checks.base import Findings, Probe, check, counted, duration, number
from migconsole.domain.own_statements import left_out
from migconsole.domain.quantities import format_duration
from migconsole.domain.readings import Level
from migconsole.domain.regression import Comparison
from migconsole.domain.snapshots import STATEMENTS, Span
from migconsole.domain.windows import Statement, Window
from migconsole.engine import comparing
from migconsole.engine.ports import CheckResult

RUNNING_LIMIT = 10.0
"""Seconds a statement may run before it is named; ours, as the demo's and many applications' patience."""

SLOW_MEAN, SLOW_CALLS = 0.02, 100
"""A statement is slow with this mean in seconds in at least so many calls (PgHero's)."""

SINCE = 900.0
"""Seconds of the window after the migration: the first one of the checklist."""

DOUBLED = 2.0

_COMPARED = {
    "critical": "statements at least 5× slower that take 5 % of the time or more; null when nothing could be compared",
    "warn": "statements at least 2× slower that take 1 % of the time or more",
    "sustained": "statements critically slower in two windows that follow each other (to T+15m, +30m, +1h, +4h, +12h,"
    " +24h; in the first one its halves); null while there are not two with a verdict",
    "judged": "statements with enough calls on both sides",
    "slower": "list of the statements that became slower",
    "improved": "statements that became at least twice as fast",
    "new": "statements that did not run before",
    "vanished": "statements that ran before and do not any more",
    "incomparable": "statements without a verdict, with the reason in the lines",
    "traffic": "transactions a second as a multiple of the baseline's",
    "baseline": "seconds the baseline covers; null when there is none",
    "window": "seconds that are compared with it",
}


@check(
    "baseline",
    "Take a snapshot of the statistics to compare with after the migration; a second one makes a baseline of the time"
    " between them. A run whose watcher samples needs none.",
    values={"statements": "statements whose statistics were read", "snapshots": "snapshots the run has kept"},
)
async def baseline(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Kept in the run's directory; nothing is installed or reset on the server."""
    found = Findings()
    statements = await take_baseline(probe, found)
    kept = len(await asyncio.to_thread(probe.past.kept)) if probe.past is not None else 0
    return found.result({"statements": statements, "snapshots": kept})


async def take_baseline(probe: Probe, found: Findings) -> int | None:
    """Keep a snapshot and response times with the run and say so; how many statements it has.

    Without statistics of statements there are still response times and counters, so that is noted, not failed.
    """
    if probe.past is None:
        found.note("no run that could keep a baseline")
        return None
    snapshot = await windows.taken(probe)
    await asyncio.to_thread(response.keep, probe, await response.measure(probe), found)
    if why := snapshot.why_no_statements():
        found.note(f"no baseline of statements: {why}")
        return None
    count = len(snapshot.rows(STATEMENTS))
    found.good(f"baseline: the statistics of {counted(count, 'statement')} and response times were kept")
    return count


@check(
    "regression",
    "What became slower since the migration, against the baseline of before it: more than noise, and named.",
    arguments={"window": "how much of the time since the migration is compared; default 15m"},
    values=_COMPARED,
)
async def regression(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Critical ones fail, lesser ones ask; without a baseline or with nothing to compare nobody knows."""
    found = Findings()
    longest = duration(arguments, "window", SINCE)
    comparison = await windows.compared(probe, longest)
    if isinstance(comparison, str):
        found.unknown(comparison)
        return found.result(dict.fromkeys(_COMPARED))
    windows.told(found, comparison)
    sustained = None
    if probe.past is not None and not comparison.void:
        sustained = await asyncio.to_thread(comparing.lasting, probe.past, comparison.before, time.time())
    return found.result(_values(comparison, sustained))


def _values(comparison: Comparison, sustained: int | None) -> dict[str, Any]:
    judged = comparison.judged > 0
    traffic = comparison.traffic
    return {
        "critical": comparison.count(Level.CRITICAL),
        "warn": comparison.count(Level.WARN),
        "sustained": sustained,
        "judged": comparison.judged,
        "slower": [windows.named(one.text, one.key[3]) for one in comparison.regressed] if judged else None,
        "improved": len(comparison.improved) if judged else None,
        "new": len(comparison.new) if judged else None,
        "vanished": len(comparison.vanished) if judged else None,
        "incomparable": len(comparison.unknown),
        "traffic": None if traffic is None else round(traffic, 3),
        "baseline": round(comparison.before.seconds) or None,
        "window": round(comparison.after.seconds),
    }


@check(
    "query_performance",
    "What the statements of the last minutes cost, what runs too long now, and how that was before the migration.",
    arguments={
        "window": "how far to look back; default 5m",
        "running_limit": "how long a statement may run; default 10s",
    },
    values={
        "running": "statements that run longer than the limit; null without the privilege to see them",
        "longest": "seconds of the longest running one",
        "waiting": "sessions that wait for a lock",
        "calls": "calls a second in the window; null without pg_stat_statements",
        "mean": "milliseconds of a call on average",
        "busy": "seconds of statements in each second",
        "ratio": "the mean as a multiple of the baseline's; null without one",
        "critical": "statements that became critically slower, as in the check regression",
        "warn": "statements that became slower",
    },
)
async def query_performance(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """What runs now and what ran, then the comparison; a part that cannot be seen is unknown."""
    found = Findings()
    values = await running(probe, found, duration(arguments, "running_limit", RUNNING_LIMIT))
    values |= {"calls": None, "mean": None, "busy": None, "ratio": None, "critical": None, "warn": None}
    span = await windows.recent(probe, duration(arguments, "window", 300.0))
    if isinstance(span, str):
        found.unknown(f"what statements cost is unknown: {span}")
        return found.result(values)
    if why := span.end.why_no_statements():
        found.unknown(f"what statements cost is unknown: {why}")
        return found.result(values)
    seen = _seen(found, span)
    calls = sum(one.calls for one in seen.statements)
    values |= _load(found, calls, seen.total, span.seconds)
    for one in seen.statements[:3]:
        share = one.total / seen.total if seen.total else 0
        text = windows.named(span.texts().get(one.key[3], ""), one.key[3])
        found.note(f"{share:.0%} of the time: {one.mean:.2f} ms × {one.calls:,}  {text}")
    comparison = await windows.compared(probe, SINCE)
    if isinstance(comparison, str):
        found.note(comparison)
        return found.result(values)
    windows.told(found, comparison)
    values |= {"critical": comparison.count(Level.CRITICAL), "warn": comparison.count(Level.WARN)}
    before = _mean(comparison.before)
    after = _mean(comparison.after)
    values["ratio"] = round(after / before, 3) if before and after is not None and not comparison.void else None
    return found.result(values)


def _load(found: Findings, calls: int, total: float, seconds: float) -> dict[str, Any]:
    if not calls or not seconds:
        found.unknown("no statement ran in this window")
        return {"calls": 0.0, "busy": 0.0}
    found.good(
        f"{calls / seconds:.1f} calls a second, {total / calls:.2f} ms on average,"
        f" {total / 1000 / seconds:.2f} s busy in each"
    )
    return {
        "calls": round(calls / seconds, 2),
        "mean": round(total / calls, 3),
        "busy": round(total / 1000 / seconds, 4),
    }


def _mean(span: Span) -> float | None:
    seen = span.statements()
    calls = sum(one.calls for one in seen.statements)
    return seen.total / calls if calls else None


def _seen(found: Findings, span: Span) -> Window:
    """What the application's statements did, after notes on what they are of."""
    found.note(f"statements of {format_duration(span.seconds)}")
    for note in span.notes:
        found.note(note)
    seen, own = span.apart(span.own())
    if words := left_out(own):
        found.note(words)
    return seen


async def running(probe: Probe, found: Findings, limit: float) -> dict[str, Any]:
    """Name the statements that run longer than ``limit`` seconds."""
    rows = await probe.rows("running")
    hidden = sum(row["hidden"] for row in rows)
    seen = [row for row in rows if not row["hidden"]]
    long = [row for row in seen if (row["seconds"] or 0) > limit]
    for row in long[: windows.LISTED]:
        waits = f", waits for {row['waits_for']}" if row["waits_for"] else ""
        who = f"pid {row['pid']} ({row['application'] or 'no name'} as {row['role']})"
        found.bad(f"{who} runs for {format_duration(row['seconds'])}{waits}: {row['query']}")
    if hidden:
        found.unknown(f"no privilege to see what {counted(hidden, 'session')} run: grant pg_read_all_stats")
        return {"running": None, "longest": None, "waiting": None}
    if not long:
        found.good(f"no statement runs longer than {format_duration(limit)}")
    return {
        "running": len(long),
        "longest": round(max((row["seconds"] or 0.0 for row in seen), default=0.0), 3),
        "waiting": sum(row["waits_for"] == "a lock" for row in seen),
    }


@check(
    "slow_queries",
    "Slow statements of the last minutes by the server's statistics, and those that run too long now; the log itself is"
    " what `server_log` reads.",
    arguments={
        "window": "how far to look back; default 10m",
        "mean": "from which mean on a statement is slow; default 20ms",
        "calls": "in how many calls at least; default 100",
        "running_limit": "how long a statement may run; default 10s",
    },
    values={
        "slow": "slow statements; null without pg_stat_statements",
        "newly": "of them, those that were not slow in the baseline; all of them without one",
        "running": "statements that run longer than the limit; null without the privilege",
        "longest": "seconds of the longest running one",
        "waiting": "sessions that wait for a lock",
    },
)
async def slow_queries(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """A statement that was slow before the migration is noted; one that became slow fails."""
    found = Findings()
    values = await running(probe, found, duration(arguments, "running_limit", RUNNING_LIMIT))
    span = await windows.recent(probe, duration(arguments, "window", 600.0))
    if isinstance(span, str):
        found.unknown(f"which statements are slow is unknown: {span}")
        return found.result(values | {"slow": None, "newly": None})
    if why := span.end.why_no_statements():
        found.unknown(f"which statements are slow is unknown: {why}")
        return found.result(values | {"slow": None, "newly": None})
    seen = _seen(found, span)
    limit = 1000 * duration(arguments, "mean", SLOW_MEAN)
    least = number(arguments, "calls") or SLOW_CALLS
    slow = [one for one in seen.statements if one.mean >= limit and one.calls >= least]
    known = await _slow_before(probe, limit)
    newly = 0
    for one in sorted(slow, key=lambda one: -one.total)[: windows.LISTED]:
        text = windows.named(span.texts().get(one.key[3], ""), one.key[3])
        says = f"{one.mean:.0f} ms × {one.calls:,}: {text}"
        newly += not _was_slow(one, known)
        (found.note if _was_slow(one, known) else found.bad)(says)
    if not slow:
        found.good(f"no statement takes {limit:g} ms on average in {least:g} calls or more")
    return found.result(values | {"slow": len(slow), "newly": newly})


async def _slow_before(probe: Probe, limit: float) -> Mapping[Any, float]:
    """The means of the statements that were slow in the baseline, in milliseconds, by key."""
    if probe.past is None:
        return {}
    before = await asyncio.to_thread(comparing.baseline, probe.past)
    if isinstance(before, str):
        return {}
    return {one.key: one.mean for one in before.statements().statements if one.mean >= limit}


def _was_slow(one: Statement, known: Mapping[Any, float]) -> bool:
    return one.key in known and one.mean < DOUBLED * known[one.key]
