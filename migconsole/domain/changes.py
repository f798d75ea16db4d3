"""What has changed something from T-0 on: what was executed, and what a person says was done elsewhere.

A command that was run in another terminal changes the database as much as one that was run here. Of a line that has no
command nobody can say what its work changed: that is unknown, and not nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from migconsole.domain.checklist import Checklist, Danger, Item, Job, Located, Manual, Step
from migconsole.domain.checklist import Run as Command
from migconsole.domain.danger import classify
from migconsole.domain.run import ItemRecord, Run

MAKERS = ("backup", "prove", "drill", "restore")
"""The jobs that make a way back, or go it."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A person says that an item was done. ``sure`` is whether its action shows that it changes something."""

    item: Item
    at: str
    actor: str
    sure: bool


def executed(run: Run, checklist: Checklist, before: float = math.inf, without: tuple[str, ...] = ()) -> bool:
    """Whether something that is not a read was started in a phase from T-0 to ``before``; jobs ``without`` aside."""
    return any(
        attempt.danger != Danger.READ and attempt.job not in without
        for located in _touched(run, checklist, before)
        for attempt in run.items[located.item.id].attempts
    )


def claimed(run: Run, checklist: Checklist, before: float = math.inf) -> Iterator[Claimed]:
    """What people say was done in the phases from T-0 to ``before`` and may have changed something."""
    for located in _touched(run, checklist, before):
        record = run.items[located.item.id]
        changes = _changes(record, located.item)
        if changes is not False:
            yield Claimed(located.item, record.said_at, record.said_by, changes is True)


def elsewhere(run: Run, checklist: Checklist) -> Iterator[Claimed]:
    """The commands of phases from T-0 on that a person says were run, and of which nothing was started here."""
    return (one for one in claimed(run, checklist) if one.sure and not run.record(one.item.id).attempts)


def certain(run: Run, checklist: Checklist, before: float = math.inf, without: tuple[str, ...] = ()) -> bool:
    """Whether something has been changed in the phases from T-0 to ``before``, here or elsewhere."""
    return executed(run, checklist, before, without) or any(one.sure for one in claimed(run, checklist, before))


def told(run: Run, checklist: Checklist) -> list[str]:
    """What may have changed something, in words, oldest first: attempts of any phase, and work done elsewhere."""
    attempts = [a for record in run.items.values() for a in record.attempts if a.danger != Danger.READ]
    titles = {located.item.id: located.item.title for located in (*checklist.walk(), *checklist.walk_rollback())}
    found = [
        (a.started, f"“{titles.get(a.item, a.item)}” attempt {a.number}: {a.outcome or 'still running'}")
        for a in attempts
    ]
    for one in claimed(run, checklist):
        what = "it was not run here" if one.sure else "whether it changed anything is unknown"
        found.append((one.at, f"“{one.item.title}”: {one.actor} says that it was done; {what}"))
    return [f"{at[:19].replace('T', ' ')}Z {words}" for at, words in sorted(found)]


def _touched(run: Run, checklist: Checklist, before: float) -> Iterator[Located]:
    for located in checklist.walk():
        if located.phase is not None and 0 <= located.phase.at < before and located.item.id in run.items:
            yield located


def _changes(record: ItemRecord, item: Item) -> bool | None:
    """Whether what a person says was done changes something: None where nobody can know, False without a word."""
    if not record.said_at or item.items:
        return False
    ways = [_of(alternative.step) for alternative in item.steps]
    return True if True in ways else None if None in ways else False


def _of(step: Step) -> bool | None:
    action = step.action
    if isinstance(action, Manual) or (isinstance(action, Command) and action.hook):
        return None
    if isinstance(action, Job) and action.name in MAKERS:
        return False
    return classify(step) is not Danger.READ
