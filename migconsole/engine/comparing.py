"""From a run and what was sampled to two windows: the baseline before T-0, and any time after the last step of T-0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from migconsole.domain.changes import elsewhere
from migconsole.domain.checklist import Checklist
from migconsole.domain.quantities import format_duration
from migconsole.domain.readings import Reading
from migconsole.domain.regression import sustained
from migconsole.domain.restore_points import RestorePoint
from migconsole.domain.reviews import Review
from migconsole.domain.run import Run
from migconsole.domain.schema_diff import Fingerprint
from migconsole.domain.snapshots import IDENTITY, PROBES, SHORTEST, STATEMENTS, TEXTS, Snapshot, Span, breaks
from migconsole.engine.ports import HealthSource

BEFORE = 3600.0
"""Seconds before T-0 that a baseline reaches back, where there were samples."""

WANTED = 600.0
"""Seconds a baseline should cover at least; a shorter one is used, and said to be short."""

WINDOWS = (900.0, 1800.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 24 * 3600.0)
"""Ends of the windows after the migration, in seconds: those of the checklist's own phases and schedule."""

_BACK = (1.0, 0.75, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.0025)
_SOON = (1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3600.0)
_APART = 1.0
"""Seconds between the readings of one pass at most, looking forward."""


@dataclass(frozen=True, slots=True)
class Moments:
    """When the run's T-0 began and when its last changing step ended, in Unix seconds; None: not yet.

    ``resumed`` is None while such a step runs. ``why`` says why there is neither, where it is not for want of a step.
    """

    began: float | None = None
    resumed: float | None = None
    why: str = ""


class Past(Protocol):
    """What a run knows of its database's earlier behaviour."""

    def moments(self) -> Moments:
        """When the migration began and ended."""

    def source(self) -> HealthSource:
        """What the watcher has sampled."""

    def kept(self) -> Sequence[Snapshot]:
        """Snapshots that were taken without the watcher, the oldest first."""

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot with the run."""

    def schema(self) -> Fingerprint | None:
        """The fingerprint of the schema that was kept last, None when none was."""

    def masked_schema(self, fingerprint: Fingerprint) -> Fingerprint:
        """A fingerprint without secrets, as it would be kept."""

    def keep_schema(self, fingerprint: Fingerprint) -> None:
        """Keep a fingerprint of the schema with the run."""

    def review(self) -> Review | None:
        """The newest review of migration files, None when there was none."""

    def restore_point(self) -> RestorePoint:
        """The restore point that a rollback would use; one of state none where there is none."""

    def times(self, key: str) -> Sequence[tuple[float, tuple[float, ...]]]:
        """Response times in seconds that were measured before, by what was asked: (Unix time, times), oldest first."""

    def keep_times(self, key: str, at: float, times: Sequence[float]) -> None:
        """Keep response times."""


def moments(run: Run, checklist: Checklist) -> Moments:
    """The beginning of T-0, and the end of the last step in it that changed anything.

    The phase whose offset is zero counts. A checklist without one is judged by its first and last changing steps.
    What a person says was run elsewhere has ended by then, and may have begun as early as T-0.
    """
    offsets = {located.item.id: located.phase.at for located in checklist.walk() if located.phase is not None}
    timed = any(offset == 0 for offset in offsets.values())
    began, ended, running = [], [], False
    for record in run.items.values():
        for attempt in record.attempts:
            offset = offsets.get(attempt.item)
            changing = attempt.danger != "read"
            if not (offset == 0 if timed else changing):
                continue
            began.append(unix(attempt.started))
            if changing and attempt.running:
                running = True
            elif changing:
                ended.append(unix(attempt.ended))
    for one in elsewhere(run, checklist):
        if not timed or offsets.get(one.item.id) == 0:
            said, t0 = unix(one.at), run.clock.t0
            began.append(said if t0 is None or said is None else min(said, run.clock.server.local(t0).timestamp()))
            ended.append(said)
    known = [at for at in began if at is not None]
    last = [at for at in ended if at is not None]
    return Moments(min(known, default=None), None if running else max(last, default=None))


def baseline(past: Past) -> Span | str:
    """The window before T-0, or why there is none.

    The watcher's samples or the snapshots that checks have taken, whichever reach back further; of a single one
    everything that was counted up to it.
    """
    moments = past.moments()
    began = moments.began
    if began is None:
        return moments.why or "no baseline yet: it is being taken until the migration begins"
    source = past.source()
    end = snapshot_before(source, began)
    begin = _earlier(source, end, BEFORE) if end is not None else None
    sampled = [Span(begin, end, "baseline")] if begin is not None and end is not None else []
    kept = sorted((one for one in past.kept() if one.at <= began), key=lambda one: one.at)
    if end is not None:
        kept = sorted([*kept, end], key=lambda one: one.at)
    if not kept:
        return "no baseline yet: nothing was sampled before T-0"
    last = kept[-1]
    fitting = [one for one in kept[:-1] if last.at - one.at >= SHORTEST and not breaks(one, last)]
    pairs = [*sampled, *(Span(one, last, "baseline") for one in fitting[:1])]
    # The watcher may have begun a moment before T-0, and checks have taken snapshots long before.
    return _told(max(pairs, key=lambda one: one.seconds) if pairs else Span(None, last, "baseline"))


def since(past: Past, until: Snapshot | None = None, *, longest: float = 0.0) -> Span | str:
    """The time after the migration up to ``until`` (the newest sample), at most ``longest`` seconds; or why not."""
    resumed = past.moments().resumed
    if resumed is None:
        return "no step of T-0 has changed anything yet, or one still runs"
    source = past.source()
    end = until or snapshot_before(source, None)
    kept = [one for one in past.kept() if one.at >= resumed]
    ends = [one for one in (end, *kept[-1:]) if one is not None and one.at >= resumed]
    end = max(ends, key=lambda one: one.at, default=None)
    if end is None:
        return "nothing was sampled since the migration"
    earliest = max(resumed, end.at - longest) if longest else resumed
    first = _first_after(source, earliest, end.at)
    begins = [one for one in (first, *kept) if one is not None and one.at >= earliest]
    begin = min(begins, key=lambda one: one.at, default=None)
    if begin is None or end.at - begin.at < SHORTEST:
        return "there is one sample since the migration; a window needs two"
    return Span(begin, end, "since the migration")


def halves(past: Past, span: Span) -> tuple[Span, Span] | None:
    """A window as two that follow each other; None where no sample lies between its ends."""
    if span.begin is None:
        return None
    middle = span.begin.at + span.seconds / 2
    # The nearest one may as well be just after the middle: with three samples it is the one in between.
    found = (snapshot_before(past.source(), middle), _first_after(past.source(), middle, span.end.at))
    inside = [one for one in found if one is not None]
    inside += [one for one in past.kept() if not one.why_no_statements()]
    fitting = [one for one in inside if one.at - span.begin.at >= SHORTEST and span.end.at - one.at >= SHORTEST]
    if not fitting:
        return None
    nearest = min(fitting, key=lambda one: abs(one.at - middle))
    return Span(span.begin, nearest), Span(nearest, span.end)


def windows(past: Past, now: float) -> list[Span]:
    """The windows after the migration that have begun and have two samples: to T+15m, to T+30m, and so on.

    Each begins where the one before ends, so that a regression stands in its own window and not in an average of the
    day. The last one reaches up to ``now``.
    """
    resumed = past.moments().resumed
    if resumed is None:
        return []
    return [one for length in WINDOWS if isinstance(one := _scheduled(past, resumed, length, now), Span)]


def scheduled(past: Past, length: float, now: float) -> Span | str:
    """The window after the migration that ends ``length`` seconds after it, one of WINDOWS; or why there is none yet.

    Without a watcher the snapshots that checks have taken make it.
    """
    resumed = past.moments().resumed
    if resumed is None:
        return "no step of T-0 has changed anything yet, or one still runs"
    return _scheduled(past, resumed, length, now)


def _scheduled(past: Past, resumed: float, length: float, now: float) -> Span | str:
    start, until = resumed + start_of(length), resumed + length
    if now <= start:
        return f"not yet: it begins at {name(start_of(length))}, in {format_duration(start - now)}"
    source, until = past.source(), min(now, until)
    end = snapshot_before(source, until)
    found = [_first_after(source, start, until), end if end is not None and end.at >= start else None]
    found += [one for one in past.kept() if start <= one.at <= until and not one.why_no_statements()]
    inside = sorted((one for one in found if one is not None), key=lambda one: one.at)
    if not inside:
        return f"nothing was sampled between {name(start_of(length))} and {name(length)}"
    if inside[-1].at - inside[0].at < SHORTEST:
        return f"there is one sample since {name(start_of(length))}; a window needs two"
    return Span(inside[0], inside[-1], name(length))


def start_of(length: float) -> float:
    """Seconds after the migration at which the window that ends at ``length`` begins: where the one before it ends.

    >>> start_of(900), start_of(1800)
    (0.0, 900.0)
    """
    return max((end for end in WINDOWS if end < length), default=0.0)


def lasting(past: Past, before: Span, now: float) -> int | None:
    """How many statements are critically slower in two windows after the migration that follow each other.

    They are the scheduled ones. While only one of them has a verdict, as in the first quarter of an hour, in which
    going back is decided on, they are its halves. None where there are not even those.
    """
    found = windows(past, now)
    several = sustained(before, found)
    if several is not None:
        return several
    for window in reversed(found):
        parts = halves(past, window)
        lasts = sustained(before, parts) if parts is not None else None
        if lasts is not None:
            return lasts
    return None


def name(length: float) -> str:
    """A window by its end.

    >>> name(900), name(4 * 3600), name(0)
    ('T+15m', 'T+4h', 'T+0')
    """
    if not length:
        return "T+0"
    return f"T+{length / 60:.0f}m" if length < 3600 else f"T+{length / 3600:.0f}h"


def snapshot_before(source: HealthSource, at: float | None) -> Snapshot | None:
    """The watcher's samples as they were at ``at``; the newest ones without it. None where statements were not read."""
    statements = source.latest(STATEMENTS) if at is None else source.before(STATEMENTS, at)
    if statements is None:
        return None
    readings = {STATEMENTS: statements}
    for probe in (*PROBES, TEXTS):
        reading = _near(source, probe, statements.at)
        if reading is not None and probe != STATEMENTS:
            readings[probe] = reading
    return Snapshot(statements.at, readings)


def _near(source: HealthSource, probe: str, at: float) -> Reading | None:
    """The reading that belongs to a pass at ``at``; at the first of all identity and texts may be younger."""
    found = source.before(probe, at + _APART)
    if found is None and probe in (IDENTITY, TEXTS):
        found = source.before(probe, at + 60.0)
    return found


def _earlier(source: HealthSource, end: Snapshot, longest: float) -> Snapshot | None:
    for part in _BACK:
        begin = snapshot_before(source, end.at - longest * part)
        if begin is not None and begin.at <= end.at - SHORTEST and begin.at >= end.at - longest - 3600:
            return begin
    return None


def _first_after(source: HealthSource, at: float, until: float) -> Snapshot | None:
    for later in _SOON:
        if at + later > until + _SOON[0]:
            break
        found = snapshot_before(source, at + later)
        if found is not None and found.at >= at:
            return found
    return None


def _told(span: Span) -> Span:
    """The span with what a reader must know of it."""
    if span.begin is None:
        length = f"{span.seconds / 3600:.1f} hours" if span.seconds else "an unknown time"
        note = f"the baseline is everything counted since the statistics began ({length}): there was one snapshot"
    elif span.seconds < WANTED:
        note = f"the baseline is only {span.seconds:.0f} s long"
    else:
        return span
    return Span(span.begin, span.end, span.name, (*span.notes, note))


def unix(moment: str) -> float | None:
    """Unix seconds of an ISO time, None for none."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return None
