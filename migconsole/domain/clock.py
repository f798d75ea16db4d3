"""The clock: planned, forecast and actual times, what backing out would take now, and until when it still fits.

Pure: the journal's fold and a moment go in, times come out. Nothing here is remembered, so a restart, a second console
and the report read the same clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from migconsole.domain.checklist import Checklist, Item, Phase
from migconsole.domain.items import ItemState
from migconsole.domain.rollback_time import Backout, backout, backout_once_begun, estimate_of
from migconsole.domain.run import ItemRecord, Run
from migconsole.domain.sections import waits
from migconsole.domain.stamps import plain_duration
from migconsole.domain.times import instant
from migconsole.domain.timetable import Estimate

QUARTER = 0.25
"""The share of the slack that is left when the clock turns yellow (design.md 6)."""

DAY = 86400.0
"""Without a window, phases that far after T-0 are not what the forecast is about: they watch, they do not migrate."""


class Level(StrEnum):
    """How near the last safe abort is. ``NONE``: there is no window, or nobody knows what backing out takes."""

    NONE = "none"
    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Times:
    """One item. ``start`` and ``end`` are actual where ``begun`` and ``over`` say so, else forecast.

    ``late`` is by how many seconds an item that has not begun is behind its plan, ``overdue`` by how many one that
    runs is over its estimate; both 0 where nothing is wrong or nothing is known.
    """

    planned_start: datetime | None
    planned_end: datetime | None
    start: datetime | None
    end: datetime | None
    begun: bool
    over: bool
    estimate: Estimate | None = None
    late: float = 0.0
    overdue: float = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """A phase: from its first item's start to its last one's end. ``planned`` is where its offset puts it."""

    planned: datetime | None
    planned_end: datetime | None
    start: datetime | None
    end: datetime | None
    begun: bool
    over: bool


@dataclass(frozen=True, slots=True)
class Clock:
    """Everything that the header shows, at ``now``.

    ``forecast_end`` is the end of the phases inside the window and ``planned_end`` where the plan has it,
    ``backed_out`` when a rollback that is begun now would
    be through, ``slack`` the seconds until the last safe abort (negative past it). ``guessed`` counts the items ahead
    that nobody has an estimate for: the forecast is then a lower bound. ``once_begun`` is what backing out takes as
    soon as anything has been changed: before the first change ``backout`` is nothing, and that is not what counts then.
    """

    now: datetime
    t0: datetime | None
    window_end: datetime | None
    items: Mapping[str, Times] = field(default_factory=dict)
    phases: Mapping[str, Span] = field(default_factory=dict)
    forecast_end: datetime | None = None
    guessed: int = 0
    backout: Backout = field(default_factory=Backout)
    level: Level = Level.NONE
    planned_end: datetime | None = None
    once_begun: Backout = field(default_factory=Backout)

    @property
    def backed_out(self) -> datetime:
        """When a rollback that is begun now would be through."""
        return self.now + timedelta(seconds=self.backout.seconds)

    @property
    def last_safe_abort(self) -> datetime | None:
        """The moment after which backing out no longer fits into the window; never later than its end."""
        if self.window_end is None:
            return None
        return self.window_end - timedelta(seconds=self.backout.seconds)

    @property
    def slack(self) -> float | None:
        """Seconds until the last safe abort."""
        limit = self.last_safe_abort
        return None if limit is None else (limit - self.now).total_seconds()

    @property
    def left(self) -> float | None:
        """Seconds until the window ends."""
        return None if self.window_end is None else (self.window_end - self.now).total_seconds()


def reckon(run: Run, checklist: Checklist, now: datetime) -> Clock:
    """The clock of a run at ``now`` (UTC, the server's time where it is known)."""
    walker = _Walker(run, now)
    phases: dict[str, Span] = {}
    for phase in checklist.phases:
        phases[phase.id] = walker.phase(phase)
    inside = [phases[phase.id] for phase in checklist.phases if _inside(phase, run)]
    ends = [span.end for span in inside if span.end is not None]
    once_begun = backout_once_begun(run, checklist, now)
    clock = Clock(
        now,
        run.clock.t0,
        run.clock.window_end,
        walker.items,
        phases,
        max(ends, default=None),
        sum(walker.guesses[phase.id] for phase in checklist.phases if _inside(phase, run)),
        backout(run, checklist, once_begun),
        planned_end=max((span.planned_end for span in inside if span.planned_end is not None), default=None),
        once_begun=once_begun,
    )
    return replace(clock, level=_level(clock))


def passes_abort(clock: Clock, item: Item, *, changes: bool = False) -> str:
    """Why starting an item now should be thought about: its forecast end lies past the last safe abort; "" if not.

    Of an item that ``changes`` something, the abort that holds as soon as it has begun: from then on it has to be
    put back, whatever was changed before it.
    """
    if clock.window_end is None:
        return ""
    taken = clock.once_begun if changes else clock.backout
    limit = clock.window_end - timedelta(seconds=taken.seconds)
    times = clock.items.get(item.id)
    seconds = times.estimate.seconds if times is not None and times.estimate is not None else 0.0
    end = clock.now + timedelta(seconds=seconds)
    if end <= limit:
        return ""
    why = f"it is forecast to end at {end:%H:%M}, after the last safe abort at {limit:%H:%M} UTC"
    if taken.seconds == clock.backout.seconds:
        return why
    return f"{why}: once it has begun, backing out takes {plain_duration(taken.seconds)} ({taken.way})"


def _inside(phase: Phase, run: Run) -> bool:
    """Whether a phase belongs to the change window: it is planned to begin before the window ends."""
    t0, end = run.clock.t0, run.clock.window_end
    if t0 is None or end is None:
        return phase.at < DAY
    return t0 + timedelta(seconds=phase.at) < end


def _level(clock: Clock) -> Level:
    slack, limit = clock.slack, clock.last_safe_abort
    if slack is None or limit is None:
        return Level.NONE
    if slack <= 0:
        return Level.RED
    whole = (limit - clock.t0).total_seconds() if clock.t0 is not None else 0.0
    if slack <= QUARTER * whole:
        return Level.YELLOW
    return Level.NONE if clock.backout.vague else Level.GREEN


class _Walker:
    """Goes through the items in order; ``at`` is when the next one that has not begun can begin."""

    def __init__(self, run: Run, now: datetime) -> None:
        self.items: dict[str, Times] = {}
        self.guesses: dict[str, int] = {}
        self._run = run
        self._now = now
        self._server = run.clock.server
        held = instant(run.hold.until) if run.hold is not None and run.hold.until else None
        # Nothing that changes anything starts while the run is held: the rest begins when the hold is expected to end.
        self._at = max(now, held) if held is not None else now

    def phase(self, phase: Phase) -> Span:
        """Every item of a phase; an unfinished one of an earlier phase pushes the later ones."""
        leaves = list(phase.leaves())
        planned = self._planned(phase.at, self._run.clock.t0)
        begun = any(_begun(self._run.record(leaf.id)) for leaf in leaves)
        if planned is not None and not begun:
            self._at = max(self._at, planned)
        offset = phase.at
        self.guesses[phase.id] = 0
        for leaf in leaves:
            offset = self._item(phase, leaf, offset)
        times = [self.items[leaf.id] for leaf in leaves]
        starts = [time.start for time in times if time.start is not None]
        ends = [time.end for time in times if time.end is not None]
        return Span(
            planned,
            self._planned(offset, self._run.clock.t0),
            min(starts, default=None),
            max(ends, default=None),
            begun,
            all(time.over for time in times),
        )

    def _item(self, phase: Phase, item: Item, offset: float) -> float:
        """Place one item; returns the offset at which the plan has the next one."""
        record = self._run.record(item.id)
        estimate = estimate_of(self._run, item)
        seconds = estimate.seconds if estimate is not None else 0.0
        start = self._start(record)
        t0 = self._run.clock.t0 if start is None else self._run.clock.t0_at(start)
        plan, plan_end = self._planned(offset, t0), self._planned(offset + seconds, t0)
        if record.state.settled:
            self.items[item.id] = Times(plan, plan_end, start, self._end(record), True, True, estimate)
        elif record.state is ItemState.RUNNING and start is not None:
            due = (self._newest(record) or start) + timedelta(seconds=seconds)
            end = max(self._now, due)
            overdue = max(0.0, (self._now - due).total_seconds()) if estimate is not None else 0.0
            self._at = max(self._at, end)
            self.items[item.id] = Times(plan, plan_end, start, end, True, False, estimate, overdue=overdue)
        else:
            self._ahead(phase, item, record, estimate, plan, plan_end)
        return offset + seconds

    def _ahead(
        self,
        phase: Phase,
        item: Item,
        record: ItemRecord,
        estimate: Estimate | None,
        plan: datetime | None,
        plan_end: datetime | None,
    ) -> None:
        wanted = waits(item, record.state)
        begin = self._at
        if wanted:
            self._at += timedelta(seconds=estimate.seconds if estimate is not None else 0.0)
            self.guesses[phase.id] += estimate is None
        late = (self._now - plan).total_seconds() if plan is not None and plan_end is not None and wanted else 0.0
        late = late if plan_end is not None and self._now > plan_end else 0.0
        self.items[item.id] = Times(plan, plan_end, begin, self._at, False, False, estimate, late=max(0.0, late))

    def _planned(self, offset: float, t0: datetime | None) -> datetime | None:
        return None if t0 is None else t0 + timedelta(seconds=offset)

    def _start(self, record: ItemRecord) -> datetime | None:
        """When an item began: its first attempt's start, which no later one changes, else when a person moved it."""
        if record.attempts:
            return self._server.of(record.attempts[0].started)
        return self._server.of(record.since) if record.state is not ItemState.TODO else None

    def _newest(self, record: ItemRecord) -> datetime | None:
        """When what is under way began."""
        return self._server.of(record.last.started) if record.last is not None else None

    def _end(self, record: ItemRecord) -> datetime | None:
        """When an item was through: its attempt's end, or when a person said so."""
        if record.last is not None and record.last.ended and record.state is ItemState.VERIFIED:
            return self._server.of(record.last.ended)
        return self._server.of(record.since)


def _begun(record: ItemRecord) -> bool:
    return bool(record.attempts) or record.state is not ItemState.TODO
