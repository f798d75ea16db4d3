"""Sensed items: what the watcher sees of them again and again, and what that means for their state.

A sensed item turns verified by itself, can regress and can recover. It never hides a failure of its own command, what
cannot be read moves nothing, and what a person said of it stays said.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from migconsole.domain.checklist import Check, Item, Sql
from migconsole.domain.events import Event
from migconsole.domain.items import ItemState, Move


class Sensed(StrEnum):
    """What one look said."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sense:
    """The last verdict on record. ``since`` is when it was first so, UTC ISO 8601; ``look`` is the scheduled one.

    ``number`` counts the verdicts on record of this item: it makes the key of the next one.
    """

    verdict: Sensed
    since: str
    reasons: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    look: str = ""
    number: int = 1


@dataclass
class SensorBook:
    """The last verdict of every sensed item, by item id."""

    senses: dict[str, Sense] = field(default_factory=dict)

    def saw(self, event: Event) -> Sense:
        """Take one verdict into account. Raises ValueError for one there is not."""
        data = event.data
        item, verdict = str(data["item"]), Sensed(data["verdict"])
        before = self.senses.get(item)
        since = before.since if before is not None and before.verdict is verdict else event.at
        reasons, lines = tuple(data.get("reasons") or ()), tuple(data.get("lines") or ())
        number = before.number + 1 if before is not None else 1
        sense = self.senses[item] = Sense(verdict, since, reasons, lines, str(data.get("look", "")), number)
        return sense


def way(item: Item, chosen: int | None = None) -> int | None:
    """Which way of doing an item can be watched: the one that was taken last, else the first query or check.

    None for an item that is not sensed at all.
    """
    if item.watch is None and not item.schedule:
        return None
    ways = [number for number, way in enumerate(item.steps) if isinstance(way.step.action, Check | Sql)]
    return chosen if chosen in ways else next(iter(ways), None)


def moved(verdict: Sensed, state: ItemState, last: str) -> Move | None:
    """How a verdict moves an item in a state whose newest attempt ended with ``last`` ("" without one).

    >>> moved(Sensed.PASSED, ItemState.TODO, "").value, moved(Sensed.FAILED, ItemState.VERIFIED, "").value
    ('sense', 'regress')
    >>> moved(Sensed.PASSED, ItemState.TODO, "failed"), moved(Sensed.UNKNOWN, ItemState.REGRESSED, "")
    (None, None)
    """
    if verdict is Sensed.PASSED and state is ItemState.TODO and last not in ("failed", "interrupted"):
        return Move.SENSE
    if verdict is Sensed.PASSED and state is ItemState.REGRESSED:
        return Move.RECOVER
    if verdict is Sensed.FAILED and state is ItemState.VERIFIED:
        return Move.REGRESS
    return None


LOOKED_AT = frozenset({ItemState.TODO, ItemState.VERIFIED, ItemState.REGRESSED})
"""States in which a look can mean something: what runs, failed, or was decided by a person is not sensed."""
