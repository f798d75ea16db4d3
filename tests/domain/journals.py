"""Journals for tests of the fold: events with a valid chain, and random legal histories of a small checklist."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from migconsole.domain.checklist import Checklist, Item, Phase, Run, Section, Step
from migconsole.domain.events import GENESIS, Event, Kind, canonical, chain_hash
from migconsole.domain.items import BY_PERSON, RULES, Move
from migconsole.domain.run import OUTCOME_MOVES
from migconsole.domain.run import Run as State

START = datetime(2030, 1, 1, tzinfo=UTC)
OPENED = {"run": "r1", "title": "T", "checklist_sha256": "c" * 64, "environment": "production"}


class Log:
    """Appends events and folds them as it goes. ``jump`` is by how much the host's clock was set meanwhile."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.jump = timedelta()
        self.run = State()
        self.add(Kind.RUN_OPENED, OPENED)

    def add(self, kind: str, data: Mapping[str, Any], actor: str = "ana", key: str = "") -> Event:
        seq = len(self.events) + 1
        previous = self.events[-1].hash if self.events else GENESIS
        at = (START + timedelta(seconds=seq) + self.jump).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        digest = chain_hash(previous, seq, at, float(seq), kind, actor, key, canonical(data))
        event = Event(seq, at, float(seq), kind, actor, dict(data), previous, digest, key)
        self.events.append(event)
        self.run.apply(event)
        return event

    def start(self, item: str, danger: str = "mutating", **more: Any) -> int:
        number = len(self.run.record(item).attempts) + 1
        self.add(Kind.ATTEMPT_STARTED, {"item": item, "attempt": number, "kind": "run", "danger": danger, **more})
        return number

    def end(self, item: str, outcome: str, **more: Any) -> None:
        number = len(self.run.record(item).attempts)
        self.add(Kind.ATTEMPT_ENDED, {"item": item, "attempt": number, "outcome": outcome, **more})

    def attempt(self, item: str, outcome: str, danger: str = "mutating", **more: Any) -> None:
        self.start(item, danger)
        self.end(item, outcome, **more)

    def move(self, item: str, move: Move, reason: str = "for a good reason", **more: Any) -> None:
        self.add(Kind.ITEM_MOVED, {"item": item, "move": move.value, "reason": reason, **more})


def flat_checklist(count: int) -> Checklist:
    """``count`` leaves, every fifth one a heading with two children."""
    items = []
    for number in range(count):
        children = tuple(Item(f"i{number}.{n}", "child", Step(Run("x"))) for n in (1, 2)) if number % 5 == 4 else ()
        items.append(Item(f"i{number}", f"item {number}", Step(Run("x")), items=children))
    return Checklist("T", phases=(Phase("p", "P", 0, (Section("s", "S", tuple(items)),)),))


def leaves(checklist: Checklist) -> list[str]:
    return [located.item.id for located in checklist.walk() if not located.item.items]


def random_log(seed: int, length: int, checklist: Checklist) -> Log:
    """A legal history: every event is one that the rules allow at its place."""
    dice = random.Random(seed)
    log = Log()
    names = leaves(checklist)
    while len(log.events) < length:
        item = dice.choice(names)
        record = log.run.record(item)
        last = record.last
        if last is not None and last.running:
            choice = dice.random()
            if choice < 0.2:
                log.add(Kind.ATTEMPT_SIGNALLED, {"item": item, "attempt": last.number, "rung": "SIGINT"})
            elif choice < 0.3:
                log.add(Kind.ATTEMPT_ADOPTED, {"item": item, "attempt": last.number, "pid": 1})
            else:
                log.end(item, dice.choice(list(OUTCOME_MOVES)), captured={"v": str(len(log.events))})
            continue
        moves = [m for m in sorted(BY_PERSON) if not record.refusal(m, reason="x" * 12)]
        if record.state in RULES[Move.START].sources and (not moves or dice.random() < 0.5):
            log.start(item, dice.choice(["read", "mutating", "destructive"]))
        elif moves:
            more = {"variable": "answer", "value": str(len(log.events))} if dice.random() < 0.2 else {}
            log.move(item, dice.choice(moves), "x" * 12, **more)
        if dice.random() < 0.1:
            log.add(Kind.NOTE, {"text": "a note", "item": item})
        if dice.random() < 0.05:
            log.add(Kind.HOLD, {"reason": "wait", "owner": "ana"})
            log.add(Kind.RELEASE, {})
    return log
