"""A report as a value: everything a run's record says, in the order in which it is read. Renderers only draw it.

Pure: the caller has read the journal, the outputs and the health samples, and says what time it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from migconsole.domain import built_in
from migconsole.domain.checklist import Checklist, Item, Located, Section
from migconsole.domain.deviations import GRAVE, Deviation, Sort, deviations
from migconsole.domain.events import Event, Kind
from migconsole.domain.items import ItemState
from migconsole.domain.run import AlarmRecord, Attempt, Note, Progress, Run, left, overall
from migconsole.domain.sections import section_end
from migconsole.domain.signing import Signature
from migconsole.domain.stamps import elapsed
from migconsole.engine.report_deeds import DeedReport, deeds
from migconsole.engine.report_times import PhaseBars, RunTimes, clock_of, run_times, timeline

DECISIONS = frozenset(
    {
        *(Kind.ITEM_MOVED, Kind.HOLD, Kind.RELEASE, Kind.VARIABLE_SET),
        *(Kind.LEASE_TAKEN, Kind.LEASE_RELEASED, Kind.HANDED_OVER),
        *(Kind.TRIPWIRE, Kind.ALARM_ACKNOWLEDGED, Kind.CLOCK_SET, Kind.CLOCK_DECIDED),
        *(Kind.GATE_VOTED, Kind.GATE_PASSED, Kind.SECTION_CALLED, Kind.ITEM_RELEASED),
        *(Kind.ROLLBACK_ENGAGED, Kind.ROLLBACK_STOOD_DOWN, Kind.ROLLBACK_STARTED),
        *(Kind.RUN_COMMITTED, Kind.RUN_ENDED, Kind.SIGNED, Kind.RUN_CLOSED),
    }
)
"""Events in which a person chose; others are facts."""

_PLAIN_MOVES = frozenset({"attest"})
"""Moves that are the run itself and no decision about it; the items list has them."""


NOT_KNOWN = "the journal is not known to be whole"
"""What is wrong where no event is, but a seal cannot be read."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a check of the journal found, and the head the report speaks of.

    ``problem`` is "" when it is whole; ``first_bad`` is 0 where it is of no event: a seal that cannot be read.
    """

    events: int
    head: str
    first_bad: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """An attempt's output: the first and last lines (masked bytes as on disk), and how many bytes lie between.

    ``intact`` is whether the file has the hash that the journal recorded; None where there is nothing to compare.
    """

    head: tuple[bytes, ...] = ()
    tail: tuple[bytes, ...] = ()
    omitted: int = 0
    size: int = 0
    intact: bool | None = None


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """One attempt, with its output where it left one."""

    attempt: Attempt
    title: str
    excerpt: Excerpt | None


@dataclass(frozen=True, slots=True)
class ItemReport:
    """One box. ``filled`` is whether it is ticked; ``evidence`` the one line that says why, or what is missing."""

    item: Item
    depth: int
    state: ItemState
    filled: bool
    evidence: str
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class SectionReport:
    """A section with its boxes, headings among them. ``end`` is its end state in words, with who called it complete."""

    title: str
    items: tuple[ItemReport, ...]
    end: str = ""


@dataclass(frozen=True, slots=True)
class PhaseReport:
    """A phase; ``at`` is its offset from T-0 in seconds."""

    title: str
    at: float
    sections: tuple[SectionReport, ...]


@dataclass(frozen=True, slots=True)
class TripwireReport:
    """A "roll back if": whether it is tripped, and what was said last."""

    title: str
    state: str
    said: str


@dataclass(frozen=True, slots=True)
class Points:
    """A line of health over time: (Unix seconds, value), None in a gap. ``unit`` as in ``domain.series``."""

    name: str
    values: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class HealthWindow:
    """Health around something: from ``start`` to ``end`` (Unix seconds), with what happened as (from, to, title)."""

    title: str
    start: float
    end: float
    marks: tuple[tuple[float, float, str], ...]
    lines: tuple[Points, ...]


@dataclass(frozen=True)
class Report:
    """Everything, in reading order. Times are UTC ISO 8601 unless they are called Unix seconds."""

    run: Run
    checklist: Checklist
    directory: str
    generated_at: str
    sealed: Sealed
    outcome: str
    grave: bool
    progress: Progress
    duration: float | None
    deviations: tuple[Deviation, ...]
    decisions: tuple[Event, ...]
    timeline: tuple[PhaseBars, ...]
    times: RunTimes
    health: tuple[HealthWindow, ...]
    phases: tuple[PhaseReport, ...]
    rollback: tuple[SectionReport, ...]
    deeds: tuple[DeedReport, ...]
    tripwires: tuple[TripwireReport, ...]
    attempts: tuple[AttemptReport, ...]
    alarms: tuple[AlarmRecord, ...]
    notes: tuple[Note, ...]
    addenda: tuple[Note, ...]
    signatures: tuple[tuple[str, Signature | None], ...]
    deliveries: tuple[Mapping[str, Any], ...]
    events: tuple[Event, ...] = field(repr=False, default=())

    @property
    def seal(self) -> str:
        """The words that bind this report to the journal, or say that nothing can be bound to it."""
        if self.sealed.problem and not self.sealed.first_bad:
            return (
                f"THE JOURNAL IS NOT KNOWN TO BE WHOLE: {self.sealed.problem}. "
                "Whether it was cut or written anew since cannot be told from here."
            )
        if self.sealed.problem:
            return (
                f"THE JOURNAL IS BROKEN at event {self.sealed.first_bad}: {self.sealed.problem}. "
                "What follows cannot be relied on from there."
            )
        return f"Journal whole: {self.sealed.events} events, head {self.sealed.head}"


def build(
    run: Run,
    checklist: Checklist,
    events: Sequence[Event],
    *,
    directory: str,
    generated_at: str,
    sealed: Sealed,
    excerpts: Callable[[Attempt], Excerpt | None] = lambda attempt: None,
    health: Sequence[HealthWindow] = (),
) -> Report:
    """The report of a run. ``excerpts`` gives the output of an attempt."""
    found = deviations(run, checklist, events)
    if sealed.problem:
        what = f"the journal is broken at event {sealed.first_bad}" if sealed.first_bad else NOT_KNOWN
        found.insert(0, Deviation(Sort.JOURNAL, what, sealed.problem))
    titles = {located.item.id: located.item.title for located in _everything(checklist)}
    attempts = sorted((a for record in run.items.values() for a in record.attempts), key=lambda a: (a.started, a.item))
    closed = run.life.closed
    clock = clock_of(run, checklist, generated_at)
    return Report(
        run=run,
        checklist=checklist,
        directory=directory,
        generated_at=generated_at,
        sealed=sealed,
        outcome=outcome(run, checklist),
        grave=any(deviation.sort in GRAVE for deviation in found),
        progress=overall(run, checklist),
        duration=elapsed(run.opened_at, run.ended_at or closed or run.last_at),
        deviations=tuple(found),
        decisions=tuple(event for event in events if decides(event)),
        timeline=tuple(timeline(run, checklist, clock)),
        times=run_times(run, clock),
        health=tuple(health),
        phases=tuple(
            PhaseReport(phase.title, phase.at, tuple(_section(run, section) for section in phase.sections))
            for phase in checklist.phases
        ),
        rollback=tuple(_section(run, section) for section in checklist.rollback),
        deeds=deeds(run, built_in.completed(checklist)),
        tripwires=tuple(_tripwires(checklist, events)),
        attempts=tuple(AttemptReport(a, titles.get(a.item, a.item), excerpts(a)) for a in attempts),
        alarms=tuple(run.alarms.values()),
        notes=tuple(note for note in run.notes if not closed or note.at < closed),
        addenda=tuple(note for note in run.notes if closed and note.at >= closed),
        signatures=tuple((role, run.signoff.signatures.get(role)) for role in checklist.roles),
        deliveries=tuple(_deliveries(events)),
        events=tuple(events),
    )


def dated(report: Report, generated_at: str) -> Report:
    """The same report as it would have been made at another time: forecasts move with it."""
    clock = clock_of(report.run, report.checklist, generated_at)
    return replace(
        report,
        generated_at=generated_at,
        timeline=tuple(timeline(report.run, report.checklist, clock)),
        times=run_times(report.run, clock),
    )


def outcome(run: Run, checklist: Checklist) -> str:
    """How the run ended, or how it stands, in a few words; complete says what it is complete except for."""
    ending = run.ending
    if not ending:
        if run.hold:
            return "on hold"
        remaining = left(run, checklist)
        problems = overall(run, checklist).problems
        if [item for item in remaining if run.state_of(item) is not ItemState.DEFERRED]:
            return f"not finished{f', {problems} with problems' if problems else ''}"
        ending = "complete"
    states = [run.state_of(located.item) for located in checklist.walk() if not located.item.items]
    exceptions = []
    for state, words in ((ItemState.DEFERRED, "except deferred"), (ItemState.FORCED, "with overrides")):
        if state in states and words.partition(" ")[0] not in ending:
            exceptions.append(f"{words} ({states.count(state)})")
    return f"{ending} {', '.join(exceptions)}".strip()


FILLED = frozenset({ItemState.VERIFIED, ItemState.ATTESTED, ItemState.OK_WITH_ISSUES})
"""States whose box is ticked on paper. Skipped, excluded and forced lines are dealt with, and were not done."""


def evidence(run: Run, item: Item) -> str:
    """The one line under a box: state, who, when, how long, exit, what was said, and the log's hash.

    An item nobody has touched says so: a box is never explained by silence.
    """
    record = run.record(item.id)
    state = run.state_of(item)
    if item.items:
        return state.value
    parts = [state.value + (", awaiting an answer" if record.awaiting else "")]
    if record.actor:
        parts.append(record.actor)
    if record.since:
        parts.append(f"{record.since[:19].replace('T', ' ')} UTC")
    last = record.last
    if last is not None:
        parts += _attempt_words(last, len(record.attempts))
    for label, text in (("", record.value), ("note", record.note), ("reason", record.reason), ("due", record.due)):
        if text:
            parts.append(f"{label}: {text}" if label else f"“{text}”")
    if last is not None and last.outcome in ("failed", "interrupted") and last.reasons:
        parts.append("; ".join(last.reasons))
    return " · ".join(parts)


def _attempt_words(last: Attempt, count: int) -> Iterator[str]:
    if last.by_hand:
        yield "by hand"
    if last.duration is not None:
        yield f"{last.duration:.1f} s"
    if last.exit_code is not None:
        yield f"exit {last.exit_code}"
    if last.signal is not None:
        yield f"signal {last.signal}"
    if count > 1:
        yield f"attempt {count}"
    if last.sha256:
        yield f"log sha256 {last.sha256[:16]}"


def _everything(checklist: Checklist) -> Iterable[Located]:
    yield from checklist.walk()
    yield from checklist.walk_rollback()


def decides(event: Event) -> bool:
    """Whether an event is a person's decision about the run, and not just the run itself."""
    if event.kind == Kind.ITEM_MOVED:
        special = event.data.get("reason") or event.data.get("type") == "window"
        return event.data.get("move") not in _PLAIN_MOVES or bool(special)
    if event.kind == Kind.TARGET_PINNED:
        return bool(event.data.get("reason"))
    if event.kind == Kind.TRIPWIRE:
        return str(event.data.get("by", "person")) == "person"
    return event.kind in DECISIONS


def _section(run: Run, section: Section) -> SectionReport:
    def walk(items: Sequence[Item], depth: int) -> Iterator[ItemReport]:
        for item in items:
            state = run.state_of(item)
            attempts = tuple(run.record(item.id).attempts)
            yield ItemReport(item, depth, state, state in FILLED, evidence(run, item), attempts)
            yield from walk(item.items, depth + 1)

    end = section_end(section, run.state_of, lambda item: run.record(item.id).since, run.sections)
    called = f", called by {end.call.person}" if end.call is not None else ""
    return SectionReport(section.title, tuple(walk(section.items, 0)), f"{end.words}{called}")


def _tripwires(checklist: Checklist, events: Iterable[Event]) -> Iterator[TripwireReport]:
    last: dict[str, Event] = {}
    for event in events:
        if event.kind == Kind.TRIPWIRE:
            last[str(event.data.get("tripwire", ""))] = event
    for tripwire in checklist.tripwires:
        said = last.get(tripwire.id)
        if said is None:
            yield TripwireReport(tripwire.title, "armed", "")
            continue
        words = f"{said.at[:19].replace('T', ' ')} UTC · {said.actor}"
        reason = str(said.data.get("reason") or "")
        yield TripwireReport(
            tripwire.title, str(said.data.get("state", "")), f"{words} · {reason}" if reason else words
        )


def _deliveries(events: Iterable[Event]) -> Iterator[Mapping[str, Any]]:
    results: dict[str, Event] = {}
    intended = []
    for event in events:
        if event.kind == Kind.NOTIFYING:
            intended.append(event)
        elif event.kind == Kind.NOTIFIED:
            results[str(event.data.get("message", ""))] = event
    for event in intended:
        result = results.get(str(event.data.get("message", "")))
        yield {
            "at": event.at,
            "occasion": str(event.data.get("occasion", "")),
            "to": str(event.data.get("to", "")),
            "text": str(event.data.get("text", "")),
            "result": "unknown" if result is None else str(result.data.get("result", "unknown")),
            "detail": "" if result is None else str(result.data.get("detail", "")),
        }
