"""Tripwires: the criteria to roll back on. They are armed, tripped and acknowledged; they are never progress."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from migconsole.domain.checklist import Checklist, Tripwire
from migconsole.domain.events import Event

WHO = ("person", "check", "clock")
"""Who can trip or clear one."""


class WireState(StrEnum):
    """Acknowledged means: tripped, and a person has taken it on; it stays in sight until it is cleared."""

    ARMED = "armed"
    TRIPPED = "tripped"
    ACKNOWLEDGED = "acknowledged"


@dataclass(slots=True)
class WireRecord:
    """One tripwire. ``by`` is who tripped it (person, check, clock), ``actor`` in whose name.

    ``over``: the check no longer sees it; a tripped wire still waits for a person, so that nothing passes unseen.
    ``times`` counts how often it was tripped.
    """

    state: WireState = WireState.ARMED
    by: str = ""
    actor: str = ""
    at: str = ""
    reason: str = ""
    evidence: Any = ""
    acknowledged_by: str = ""
    note: str = ""
    over: bool = False
    times: int = 0


@dataclass
class TripwireBook:
    """The records by tripwire id; one that was never tripped has none."""

    wires: dict[str, WireRecord] = field(default_factory=dict)

    def record(self, tripwire: str) -> WireRecord:
        """The record of a tripwire, armed if nothing happened to it."""
        return self.wires.get(tripwire) or WireRecord()

    def happened(self, event: Event) -> None:
        """A tripwire was tripped, acknowledged or cleared."""
        data = event.data
        wire, change, by = str(data["tripwire"]), data["state"], data.get("by", "person")
        if by not in WHO:
            raise ValueError(f"a tripwire cannot be changed by {by!r}")
        record = self.wires.setdefault(wire, WireRecord())
        if change == "tripped":
            _trip(record, event, by)
        elif change == "acknowledged":
            _acknowledge(record, event)
        elif change == "cleared":
            _clear(record, by)
        else:
            raise ValueError(f"a tripwire cannot be {change!r}")


def _trip(record: WireRecord, event: Event, by: str) -> None:
    data = event.data
    fresh = record.state is WireState.ARMED
    record.over = False
    record.reason, record.evidence = str(data.get("reason", "")), data.get("evidence", "")
    if fresh:
        record.state, record.by, record.actor, record.at = WireState.TRIPPED, by, event.actor, event.at
        record.acknowledged_by = record.note = ""
        record.times += 1


def _acknowledge(record: WireRecord, event: Event) -> None:
    # Two people may say so at the same moment: the first one counts.
    if record.state is not WireState.TRIPPED:
        return
    record.state = WireState.ARMED if record.over else WireState.ACKNOWLEDGED
    record.acknowledged_by, record.note = event.actor, str(event.data.get("reason", ""))


def _clear(record: WireRecord, by: str) -> None:
    if record.state is WireState.ARMED:
        return
    record.over = True
    if by == "person" or record.state is WireState.ACKNOWLEDGED:
        record.state = WireState.ARMED


def tripped(checklist: Checklist, book: TripwireBook) -> list[tuple[Tripwire, WireRecord]]:
    """The tripwires that are not armed, those nobody has acknowledged first, else in the checklist's order."""
    found = [(wire, book.record(wire.id)) for wire in checklist.tripwires]
    out = [pair for pair in found if pair[1].state is not WireState.ARMED]
    return sorted(out, key=lambda pair: pair[1].state is WireState.ACKNOWLEDGED)


def summary(checklist: Checklist, book: TripwireBook) -> str:
    """How many are armed, and how many not, in a few words.

    >>> summary(Checklist("T", tripwires=(Tripwire("a", "A"), Tripwire("b", "B"))), TripwireBook())
    'armed 2'
    """
    states = [book.record(wire.id).state for wire in checklist.tripwires]
    words = [(state, states.count(state)) for state in (WireState.TRIPPED, WireState.ACKNOWLEDGED, WireState.ARMED)]
    return " · ".join(f"{state.value} {count}" for state, count in words if count)


def pre_filled(wires: Sequence[tuple[Tripwire, WireRecord]]) -> str:
    """The reason with which the rollback wizard is opened from tripped wires; the person may change every word."""
    return "; ".join(f"{wire.title}{f': {record.reason}' if record.reason else ''}" for wire, record in wires)
