"""Occasions: which events somebody who is not looking wants to be told of, and in which words.

Pure, so that the console and the watcher, whichever lives, find the same occasions under the same keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from migconsole.domain.checklist import Checklist, Gate, Item
from migconsole.domain.deviations import item_titles
from migconsole.domain.events import Event, Kind
from migconsole.domain.gates import gates_before
from migconsole.domain.items import ItemState
from migconsole.domain.run import Run
from migconsole.domain.sections import waits
from migconsole.domain.times import instant

URGENT = frozenset({"alarm", "failed", "rollback", "safe-abort-near", "tripwire", "regressed"})
"""Occasions on which somebody in the room should look up: a bell, and a message of the terminal."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something to tell. ``key`` is the same whoever finds it, ``text`` one line that says what happened."""

    name: str
    key: str
    text: str

    @property
    def urgent(self) -> bool:
        """Whether it rings."""
        return self.name in URGENT


class Occasions:
    """Finds the occasions of one run as its events come in, in order; ``run`` is the fold after each of them."""

    def __init__(self, checklist: Checklist) -> None:
        self._checklist = checklist
        self._titles = item_titles(checklist)
        self._done: set[str] = set()
        self._ahead = _ahead(checklist) if checklist.gates else []

    def of(self, event: Event, run: Run) -> list[Occasion]:
        """What an event is an occasion for; ``run`` has taken it in."""
        found = []
        finder = _FINDERS.get(event.kind)
        if finder is not None:
            told = finder(event.data, self._titles)
            if told is not None:
                found.append(Occasion(told[0], f"{told[0]}:{event.seq}", told[1]))
        found += self._regressed(event, run)
        if event.kind in (Kind.ITEM_MOVED, Kind.ATTEMPT_ENDED, "item.sensed"):
            found += [*self._phases(run), *self._polls(run)]
        return found

    def _regressed(self, event: Event, run: Run) -> Iterator[Occasion]:
        item = str(event.data.get("item", ""))
        moved = event.kind == "item.sensed" or (event.kind == Kind.ITEM_MOVED and event.data.get("move") == "regress")
        record = run.record(item)
        if moved and record.state is ItemState.REGRESSED and record.since == event.at:
            yield Occasion("regressed", f"regressed:{event.seq}", f"no longer holds: {self._titles.get(item, item)}")

    def _phases(self, run: Run) -> Iterator[Occasion]:
        """A phase's end is told once: what is reopened and done again later is in the journal."""
        for phase in self._checklist.phases:
            if phase.id not in self._done and _over(phase.leaves(), run):
                self._done.add(phase.id)
                yield Occasion("phase", f"phase:{phase.id}", f"phase done: {phase.title}")

    def _polls(self, run: Run) -> Iterator[Occasion]:
        """Once all that lies before a gate is done, who has not voted is asked, once."""
        for gate, ahead in self._ahead:
            key = f"gate-reached:{gate.id}"
            missing = [role for role in gate.roles if role not in run.gates.votes.get(gate.id, {})]
            if key not in self._done and missing and gate.id not in run.gates.passings and _over(ahead, run):
                self._done.add(key)
                yield Occasion("gate", key, f"gate {gate.title} is reached, without a vote of {', '.join(missing)}")


def _ahead(checklist: Checklist) -> list[tuple[Gate, tuple[Item, ...]]]:
    """Each gate that stands on the way forward, and the lines before it."""
    found: dict[str, tuple[Gate, tuple[Item, ...]]] = {}
    passed: list[Item] = []
    for located in checklist.walk():
        for gate in gates_before(checklist, located):
            if gate.id not in found:
                found[gate.id] = (gate, tuple(passed))
        if not located.item.items:
            passed.append(located.item)
    return list(found.values())


def _over(leaves: Iterable[Item], run: Run) -> bool:
    """Whether nothing of them is left to do; an optional line that nobody touched is not, as for the run's end."""
    settled = False
    for leaf in leaves:
        state = run.record(leaf.id).state
        if waits(leaf, state):
            return False
        settled = settled or state.settled
    return settled


_Told = tuple[str, str] | None
_Titles = Mapping[str, str]


def _ended(data: Mapping[str, Any], titles: _Titles) -> _Told:
    outcome = data.get("outcome")
    if outcome not in ("failed", "interrupted"):
        return None
    item = str(data.get("item", ""))
    reasons = "; ".join(str(reason) for reason in data.get("reasons") or ())
    word = "failed" if outcome == "failed" else "outcome unknown"
    return "failed", f"{word}: {titles.get(item, item)}{f' ({reasons})' if reasons else ''}"


def _voted(data: Mapping[str, Any], titles: _Titles) -> _Told:
    reason = f": {data['reason']}" if data.get("reason") else ""
    return "gate", f"gate {_gate(data, titles)}: {data.get('role')} says {str(data.get('vote', '')).upper()}{reason}"


def _gate(data: Mapping[str, Any], titles: _Titles) -> str:
    return titles.get(f"gate:{data.get('gate', '')}", str(data.get("gate", "")))


def _crossed(data: Mapping[str, Any], titles: _Titles) -> _Told:
    if data.get("change") == "back":
        return None
    if data.get("what") == "last-safe-abort":
        limit = instant(str(data.get("limit", "")))
        at = f" (last safe abort {limit:%H:%M} UTC)" if limit is not None else ""
        return "safe-abort-near", f"backing out {_WHEN.get(str(data.get('change')), _WHEN['past'])}{at}"
    return "late", f"passed: {str(data.get('what', '')).replace('-', ' ')} {data.get('limit', '')}".strip()


_WHEN = {"near": "soon no longer fits into the window", "past": "no longer fits into the window"}


def _alarm(data: Mapping[str, Any], titles: _Titles) -> _Told:
    if data.get("change") != "raised" or data.get("level") != "critical":
        return None
    return "alarm", f"critical: {data.get('message') or data.get('probe', '')}"


def _tripped(data: Mapping[str, Any], titles: _Titles) -> _Told:
    if data.get("state") != "tripped":
        return None
    wire = str(data.get("tripwire", ""))
    return "tripwire", _after(f"tripwire tripped: {titles.get(f'tripwire:{wire}', wire)}", data.get("reason"))


def _rolled_back(data: Mapping[str, Any], titles: _Titles) -> _Told:
    return "rollback", _after(_after("rollback ended", data.get("verdict")), data.get("why"))


def _after(words: str, more: Any) -> str:
    return f"{words}: {more}" if more else words


_FINDERS: Mapping[str, Callable[[Mapping[str, Any], _Titles], _Told]] = {
    Kind.ATTEMPT_ENDED: _ended,
    Kind.ALARM: _alarm,
    Kind.HOLD: lambda data, titles: ("hold", f"on hold ({data.get('owner', '')}): {data.get('reason', '')}"),
    Kind.TRIPWIRE: _tripped,
    Kind.GATE_VOTED: _voted,
    Kind.GATE_PASSED: lambda data, titles: ("gate", f"gate passed: {_gate(data, titles)}"),
    Kind.CLOCK_CROSSED: _crossed,
    Kind.ROLLBACK_ENGAGED: lambda data, titles: (
        "rollback",
        _after(f"rollback decided on by {data.get('by', '')} ({data.get('strategy', '')})", data.get("reason")),
    ),
    Kind.ROLLBACK_STOOD_DOWN: lambda data, titles: ("rollback", _after("rollback called off", data.get("reason"))),
    Kind.ROLLBACK_STARTED: lambda data, titles: ("rollback", _after("rollback begun", data.get("reason"))),
    Kind.ROLLBACK_ENDED: _rolled_back,
    Kind.RUN_ENDED: lambda data, titles: ("finished", f"run ended: {data.get('ending', '')}"),
}
