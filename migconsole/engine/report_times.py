"""Planned, forecast and actual times for a report: the clock's, at the moment that the report speaks of.

Nothing is computed beside the clock: what the header said and what the record says are one. What is added are the
attempts themselves, which the clock has no use for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from migconsole.domain.checklist import Checklist, Item
from migconsole.domain.clock import Clock, Span, Times, reckon
from migconsole.domain.rollback_time import estimate_of
from migconsole.domain.run import Run
from migconsole.domain.times import instant


@dataclass(frozen=True, slots=True)
class Bar:
    """A line of the timeline: Unix seconds by the server's clock, None where it is not known or does not apply.

    ``planned`` is the expected duration and ``source`` where it is known from. A forecast is there for what is not over
    while the run goes on. ``late`` and ``overdue`` are the clock's, in seconds. ``parts`` are the attempts, or the
    moment at which a person said it.
    """

    title: str
    state: str
    began: float | None
    ended: float | None
    planned: float | None
    parts: tuple[tuple[float, float, str], ...] = ()
    planned_start: float | None = None
    planned_end: float | None = None
    forecast_start: float | None = None
    forecast_end: float | None = None
    source: str = ""
    late: float = 0.0
    overdue: float = 0.0


@dataclass(frozen=True, slots=True)
class PhaseBars:
    """The timeline of one phase. ``planned_at`` is when it was to begin, None without a T-0."""

    title: str
    planned_at: float | None
    began: float | None
    ended: float | None
    bars: tuple[Bar, ...]
    planned_end: float | None = None
    forecast_start: float | None = None
    forecast_end: float | None = None


@dataclass(frozen=True, slots=True)
class RunTimes:
    """The run as a whole, in Unix seconds. ``guessed`` counts items ahead without an estimate: the forecast is then a
    lower bound. ``last_safe_abort`` is as it stood at ``at``."""

    at: float
    t0: float | None = None
    window_end: float | None = None
    planned_end: float | None = None
    forecast_end: float | None = None
    last_safe_abort: float | None = None
    guessed: int = 0


def moment_of(run: Run, generated_at: str) -> datetime:
    """The moment that a report speaks of: the run's end, and while it goes on when the report is made."""
    server = run.clock.server
    made = instant(generated_at)
    found = server.of(run.ended_at) or (server.now(made) if made is not None else server.of(run.last_at))
    if found is None:
        raise ValueError(f"{generated_at!r} is no time")
    return found


def run_times(run: Run, clock: Clock) -> RunTimes:
    """When the run was to end, and will."""
    over = bool(run.ended_at)
    return RunTimes(
        clock.now.timestamp(),
        _unix(clock.t0),
        _unix(clock.window_end),
        _unix(clock.planned_end),
        None if over else _unix(clock.forecast_end),
        None if over else _unix(clock.last_safe_abort),
        0 if over else clock.guessed,
    )


def timeline(run: Run, checklist: Checklist, clock: Clock) -> Iterator[PhaseBars]:
    """Phases with something to show, and what was done of the rollback procedure, which has no place in the plan."""
    over = bool(run.ended_at)
    for phase in checklist.phases:
        bars = tuple(
            bar for item in phase.leaves() if (bar := _bar(run, item, clock.items.get(item.id), over)) is not None
        )
        if bars:
            yield _phase(phase.title, clock.phases[phase.id], bars, over)
    undone = [item for section in checklist.rollback for item in section.leaves()]
    bars = tuple(bar for item in undone if (bar := _bar(run, item, None, over)) is not None and bar.began is not None)
    if bars:
        began = min(bar.began for bar in bars if bar.began is not None)
        yield PhaseBars("Rollback", None, began, max(bar.ended or began for bar in bars), bars)


def clock_of(run: Run, checklist: Checklist, generated_at: str) -> Clock:
    """The clock that a report draws from."""
    return reckon(run, checklist, moment_of(run, generated_at))


def _phase(title: str, span: Span, bars: tuple[Bar, ...], over: bool) -> PhaseBars:
    begun = [bar.began for bar in bars if bar.began is not None]
    ended = [bar.ended for bar in bars if bar.ended is not None]
    ahead = not span.over and not over
    return PhaseBars(
        title,
        _unix(span.planned),
        min(begun, default=None),
        max(ended, default=None),
        bars,
        _unix(span.planned_end),
        _unix(span.start) if ahead and not span.begun else None,
        _unix(span.end) if ahead else None,
    )


def _bar(run: Run, item: Item, times: Times | None, over: bool) -> Bar | None:
    record = run.record(item.id)
    parts = tuple(_parts(run, item))
    estimate = times.estimate if times is not None else estimate_of(run, item)
    if not parts and estimate is None:
        return None
    ahead = times is not None and not times.over and not over
    return Bar(
        item.title,
        record.state.value,
        parts[0][0] if parts else None,
        max(part[1] for part in parts) if parts else None,
        estimate.seconds if estimate is not None else None,
        parts,
        _unix(times.planned_start) if times is not None else None,
        _unix(times.planned_end) if times is not None else None,
        _unix(times.start) if times is not None and ahead and not times.begun else None,
        _unix(times.end) if times is not None and ahead else None,
        (estimate.source or "the checklist") if estimate is not None else "",
        times.late if times is not None and ahead else 0.0,
        times.overdue if times is not None and ahead else 0.0,
    )


def _parts(run: Run, item: Item) -> Iterator[tuple[float, float, str]]:
    record, server = run.record(item.id), run.clock.server
    for attempt in record.attempts:
        start = _unix(server.of(attempt.started))
        if start is not None:
            end = _unix(server.of(attempt.ended))
            yield start, start if end is None else max(start, end), attempt.outcome or "running"
    since = _unix(server.of(record.since))
    if since is not None and not record.attempts:
        yield since, since, record.state.value


def _unix(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
