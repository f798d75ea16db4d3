"""Windows for checks: from what the watcher has sampled where that is fresh, else from snapshots taken now."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from migconsole.adapters.postgres.checks.base import Findings, Probe
from migconsole.adapters.postgres.probes.capture import capture
from migconsole.domain.own_statements import left_out
from migconsole.domain.quantities import format_duration
from migconsole.domain.readings import Level
from migconsole.domain.regression import Change, Comparison, compare
from migconsole.domain.snapshots import SHORTEST, Snapshot, Span, breaks
from migconsole.domain.text import sanitise_line
from migconsole.engine import comparing
from migconsole.errors import MigconsoleError

FRESH = 90.0
"""Seconds a sample of the watcher may be old and still be the present: a medium interval and a half."""

STALE = 180.0
"""Seconds after which the watcher's own checks do not believe its newest sample: it takes one every minute, and every
second minute where that is costly."""

LIVE = 10.0
"""Seconds between two snapshots that a check takes by itself: it must end before its own limit."""

LISTED = 12

_BACK = (1.0, 0.5, 0.25)
"""Parts of the wanted time before now at which a sample is looked for: a watcher that began late has a shorter past."""


async def current(probe: Probe) -> Snapshot | str:
    """The watcher's newest sample when it is fresh, else a snapshot taken now, which is kept with the run.

    The watcher itself has its samples alone, which its governor allowed; where they are old, it says so.
    """
    newest = comparing.snapshot_before(probe.past.source(), None) if probe.past is not None else None
    age = None if newest is None else time.time() - newest.at
    if newest is not None and age is not None and not newest.why_no_statements() and age <= FRESH:
        return newest
    if not probe.sampling:
        return await taken(probe)
    if newest is None or age is None:
        return "the watcher has not read the statistics of statements yet"
    if age > STALE:
        return f"the watcher's newest sample is {format_duration(age)} old"
    return newest


async def taken(probe: Probe) -> Snapshot:
    """A snapshot taken now and kept with the run; that it cannot be kept harms only later comparisons."""
    snapshot = await capture(probe.target, probe.run)
    if probe.past is not None:
        with suppress(MigconsoleError):
            await asyncio.to_thread(probe.past.keep, snapshot)
    return snapshot


async def recent(probe: Probe, seconds: float) -> Span | str:
    """The last ``seconds``, as far as they are known; else the next few, waited for, or why there are none."""
    end = await current(probe)
    if isinstance(end, str):
        return end
    if probe.past is not None:
        source = probe.past.source()
        sampled = (comparing.snapshot_before(source, end.at - seconds * part) for part in _BACK)
        for begin in (*sampled, *probe.past.kept()):
            if begin is None or not SHORTEST <= end.at - begin.at <= 2 * seconds:
                continue
            if not breaks(begin, end) and not begin.why_no_statements():
                return Span(begin, end)
    if end.why_no_statements():
        return Span(None, end)
    return "the watcher has one sample so far; a window needs two" if probe.sampling else await live(probe)


async def live(probe: Probe) -> Span:
    """A short window from now on."""
    begin = await taken(probe)
    await asyncio.sleep(LIVE)
    return Span(begin, await taken(probe), notes=(f"a window of {LIVE:.0f} s was taken now",))


async def compared(probe: Probe, longest: float) -> Comparison | str:
    """The time after the migration against the baseline, or why they cannot be compared.

    Where nothing has been sampled since the migration, a short window is taken now, unless the watcher asks, which will
    have sampled it in a minute.
    """
    past = probe.past
    if past is None:
        return "no baseline yet: a baseline belongs to a run"
    before = await asyncio.to_thread(comparing.baseline, past)
    if isinstance(before, str):
        return before
    if why := before.end.why_no_statements():
        return f"the baseline has no statistics of statements: {why}"
    await asyncio.to_thread(_freeze, past, before)
    end = await current(probe)
    if isinstance(end, str):
        return end
    after = await asyncio.to_thread(comparing.since, past, end, longest=longest)
    if isinstance(after, str):
        if probe.sampling or past.moments().resumed is None or end.why_no_statements():
            return after
        after = await live(probe)
    return compare(before, after)


def _freeze(past: comparing.Past, before: Span) -> None:
    """Keep the baseline itself: the watcher thins its samples, and a comparison may be wanted a week later."""
    known = {round(snapshot.at, 3) for snapshot in past.kept()}
    for snapshot in (before.begin, before.end):
        if snapshot is not None and round(snapshot.at, 3) not in known:
            with suppress(MigconsoleError):
                past.keep(snapshot)


def named(text: str, number: str = "") -> str:
    """A statement in a line: its text, or its number where the text was not read."""
    return sanitise_line(text, 160) if text else f"statement {number} (its text was not read)"


def told(found: Findings, comparison: Comparison) -> None:
    """Say a comparison as findings: what is slower fails or asks, and what is not known is not left out."""
    length = format_duration(comparison.after.seconds)
    before = format_duration(comparison.before.seconds) if comparison.before.seconds else "a baseline of unknown length"
    found.note(f"{length} since the migration against {before} before it")
    for note in comparison.notes:
        found.note(note)
    if comparison.void:
        found.unknown(comparison.void)
        return
    if own := left_out(comparison.own[1]):
        found.note(own)
    for change in comparison.regressed[:LISTED]:
        (found.bad if change.level is Level.CRITICAL else found.unknown)(_slower(change))
        if change.clue:
            found.note(f"  {change.clue}")
    if len(comparison.regressed) > LISTED:
        found.note(f"… and {len(comparison.regressed) - LISTED} more became slower")
    if not comparison.judged:
        found.unknown("no statement was called often enough on both sides to be compared")
    elif not comparison.regressed:
        found.good(f"{comparison.judged} statements compared, none became slower")
    for change in comparison.improved[:3]:
        found.note(f"faster, {1 / change.ratio if change.ratio else 0:.1f}×: {named(change.text, change.key[3])}")
    found.note(
        f"{len(comparison.new)} new, {len(comparison.vanished)} vanished, {len(comparison.unknown)} cannot be compared"
    )


def _slower(change: Change) -> str:
    return (
        f"{change.level}: {change.ratio:.1f}× slower, {change.before.mean:.2f} → {change.after.mean:.2f} ms in"
        f" {change.after.calls:,} calls, {change.impact:.0%} of the database's time:"
        f" {named(change.text, change.key[3])}"
    )
