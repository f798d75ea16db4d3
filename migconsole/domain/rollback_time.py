"""How long backing out would take now, from what has really been done.

Measured times are preferred to learned ones, those to the author's estimates; what nobody knows is counted, so that the
result can be shown as a lower bound instead of as a fact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from migconsole.domain import changes
from migconsole.domain.checklist import Checklist, Item, Job, Section
from migconsole.domain.checklist import Run as Command
from migconsole.domain.items import ItemState
from migconsole.domain.restore_points import PointState
from migconsole.domain.run import Run
from migconsole.domain.timetable import Estimate

SWAP = 10.0
"""Seconds for fence and swap where none was measured: sessions get five seconds to go, the renames take less than one
(facts/rollback.md), and the operator reads a confirmation."""

UNKNOWN, DONE = "unknown", "done"
"""Sources of a time that nobody knows, and of one that is over."""


@dataclass(frozen=True, slots=True)
class Backout:
    """What backing out takes: ``database`` seconds for the database, ``around`` seconds for the steps around it.

    ``way`` is how the database would be put back, ``source`` where its time is known from. ``unknown`` counts the
    parts that nobody has a time for. ``doubt`` counts the lines that people say were done and of which nobody knows
    whether they changed the database, while nothing is known to have: the times are then as if one of them had.
    """

    way: str = "nothing to put back"
    database: float = 0.0
    around: float = 0.0
    unknown: int = 0
    source: str = ""
    doubt: int = 0

    @property
    def seconds(self) -> float:
        """Everything together."""
        return self.database + self.around

    @property
    def vague(self) -> bool:
        """Whether nobody can say how long it takes, or whether there is anything to put back: no reason for green."""
        return self.doubt > 0 or self.source == UNKNOWN


def backout(run: Run, checklist: Checklist, once_begun: Backout) -> Backout:
    """What a rollback would take that is begun now: nothing before the first change, then what it takes from there."""
    if changes.certain(run, checklist):
        return once_begun
    doubt = sum(not one.sure for one in changes.claimed(run, checklist))
    if not doubt:
        return Backout()
    return replace(once_begun, doubt=0 if once_begun.source == DONE else doubt)


def backout_once_begun(run: Run, checklist: Checklist, now: datetime) -> Backout:
    """What a rollback takes as soon as something has been changed (or what is left of the one under way)."""
    around, unknown = 0.0, 0
    replaced = _database_items(checklist)
    for item in _open_items(run, checklist):
        if item.id in replaced:
            continue
        seconds = _expected(run, item, now)
        around += seconds or 0.0
        unknown += seconds is None
    way, database, source = _database(run, checklist, replaced)
    return Backout(way, database or 0.0, around, unknown + (database is None), source)


def estimate_of(run: Run, item: Item) -> Estimate | None:
    """What an item is expected to take, None where nobody knows.

    As a drill on this very target measured it, else as learned from earlier runs, else as its author wrote.
    """
    action = item.steps[0].step.action
    if isinstance(action, Job) and run.clock.drill and (drilled := run.clock.drill.of_job(action.name)):
        return drilled
    learned = run.clock.estimates.get(item.id)
    if learned is not None:
        return learned
    return None if item.estimate is None else Estimate(item.estimate)


def _database(run: Run, checklist: Checklist, replaced: frozenset[str]) -> tuple[str, float | None, str]:
    """The way in which the database would be put back, its seconds (None: unknown), and how they are known."""
    point = run.restore_point
    durations = point.durations
    open_items = [item for item in _open_items(run, checklist) if item.id in replaced]
    if replaced and not open_items:
        return "the database is put back", 0.0, DONE
    if point.state is PointState.ARMED:
        measured = _measured(durations, "fence", "swap")
        return ("swap", *_swap(run)) if measured is None else ("swap", measured, "measured")
    restore = _measured(durations, "restore")
    if restore is not None:
        return "restore", restore + _swap(run)[0], "measured"
    drilled = run.clock.drill.estimate("restore_s") if run.clock.drill else None
    if drilled is not None:
        return "restore", drilled.seconds + _swap(run)[0], drilled.source
    known = [found for item in open_items if (found := estimate_of(run, item)) is not None]
    if not known:
        return "restore", None, UNKNOWN
    learned = {estimate.source for estimate in known if estimate.source}
    return "restore", sum(estimate.seconds for estimate in known), ", ".join(sorted(learned)) or "estimated"


def _swap(run: Run) -> tuple[float, str]:
    """Seconds for fence and swap where this run's restore point has none, and how they are known."""
    drilled = run.clock.drill.estimate("fence", "swap") if run.clock.drill else None
    return (SWAP, "estimated") if drilled is None else (drilled.seconds, drilled.source)


def _measured(durations: Mapping[str, float], *parts: str) -> float | None:
    """The sum of measured durations by name ("restore" or "restore_s"), None where none of them was measured."""
    found = [seconds for name, seconds in durations.items() if name.removesuffix("_s") in parts and seconds >= 0]
    return sum(found) if found else None


def _expected(run: Run, item: Item, now: datetime) -> float | None:
    estimate = estimate_of(run, item)
    if estimate is None:
        # What a person does, or a hook such as a message, is not what makes a rollback long; a command may be.
        action = item.steps[0].step.action
        return None if isinstance(action, Command) and not action.hook else 0.0
    record = run.record(item.id)
    if record.state is ItemState.RUNNING and record.last is not None:
        begun = run.clock.server.of(record.last.started)
        return estimate.seconds if begun is None else max(0.0, estimate.seconds - (now - begun).total_seconds())
    return estimate.seconds


def _open_items(run: Run, checklist: Checklist) -> Iterator[Item]:
    for located in checklist.walk_rollback():
        if not located.item.items and not run.record(located.item.id).state.done:
            yield located.item


def _database_items(checklist: Checklist) -> frozenset[str]:
    """The leaves of the rollback procedure that put the database back.

    Those of the section in which an item restores it (a ``restore`` job); without one, of the section whose title says
    so. Everything else of the procedure stays whatever way the database takes.
    """
    sections = [section for section in checklist.rollback if any(_restores(item) for item in _flat(section))]
    if not sections:
        sections = [s for s in checklist.rollback if "database" in s.title.lower() and "restor" in s.title.lower()]
    return frozenset(item.id for section in sections for item in _flat(section))


def _restores(item: Item) -> bool:
    action = item.step.action
    return isinstance(action, Job) and action.name == "restore"


def _flat(section: Section) -> Iterator[Item]:
    stack = list(reversed(section.items))
    while stack:
        item = stack.pop()
        if item.items:
            stack.extend(reversed(item.items))
        else:
            yield item
