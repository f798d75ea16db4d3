"""Go/no-go polls: who voted what, how long it counts, and whether what lies behind a gate may begin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from migconsole.domain.checklist import Checklist, Gate, Item, Located
from migconsole.domain.events import Event
from migconsole.domain.server_time import ServerTime
from migconsole.domain.times import instant, stamp

VALID = timedelta(minutes=15)
"""How long a GO counts: the state that it was said about is no older than that (facts/runbook.md 8)."""

GO, NO_GO = "go", "no-go"
REASON = 3
"""Characters that the reason of a NO-GO has at least."""


class GateState(StrEnum):
    """How a poll stands. Only ``GO`` and ``PASSED`` let anything through."""

    WAITING = "waiting"
    NO_GO = "no-go"
    GO = "go"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Vote:
    """One role's vote: ``initials`` are the person's who speaks for the role, ``actor`` the console's.

    ``at`` is as recorded by this host in a ``GateBook``, and the server's time in a ``Standing``.
    """

    role: str
    vote: str
    initials: str
    reason: str
    actor: str
    at: str

    def fresh(self, now: datetime) -> bool:
        """Whether it still counts at a moment of the clock that ``at`` is of.

        A GO grows stale, a NO-GO stands until its role says GO.
        """
        at = instant(self.at)
        return self.vote == NO_GO or (at is not None and now - at < VALID)


@dataclass(frozen=True, slots=True)
class Passing:
    """What lay behind a gate began while every role's GO counted."""

    at: str
    actor: str
    votes: tuple[Vote, ...]


@dataclass
class GateBook:
    """Votes by gate and role (the newest stands), and the gates that were passed. ``history`` is every vote.

    ``server`` reads their times: votes are put on record with this host's clock, and expire by the server's.
    """

    votes: dict[str, dict[str, Vote]] = field(default_factory=dict)
    passings: dict[str, Passing] = field(default_factory=dict)
    history: dict[str, list[Vote]] = field(default_factory=dict)
    server: ServerTime = field(default_factory=ServerTime)

    def cast(self, gate: Gate) -> tuple[Vote, ...]:
        """The newest vote of each of its roles, at the server's time."""
        votes = self.votes.get(gate.id, {})
        return tuple(replace(votes[role], at=self._served(votes[role].at)) for role in gate.roles if role in votes)

    def passing(self, gate: Gate) -> Passing | None:
        """When what lies behind a gate began, by the server; None while it has not."""
        passing = self.passings.get(gate.id)
        return None if passing is None else replace(passing, at=self._served(passing.at))

    def _served(self, at: str) -> str:
        moment = self.server.of(at)
        return at if moment is None else stamp(moment)

    def voted(self, event: Event) -> None:
        """A role has voted; a NO-GO closes a gate that was passed."""
        data = event.data
        gate, role, initials = str(data["gate"]), str(data["role"]), str(data["initials"]).strip()
        vote = Vote(role, data["vote"], initials, str(data.get("reason", "")), event.actor, event.at)
        why = refuse_vote(vote.vote, vote.initials, vote.reason)
        if why:
            raise ValueError(f"{gate}: {why}")
        self.votes.setdefault(gate, {})[role] = vote
        self.history.setdefault(gate, []).append(vote)
        if vote.vote == NO_GO:
            self.passings.pop(gate, None)

    def passed(self, event: Event) -> None:
        """What lies behind a gate begins."""
        gate = str(event.data["gate"])
        votes = tuple(self.votes.get(gate, {}).values())
        if not votes or any(vote.vote != GO for vote in votes):
            raise ValueError(f"{gate} was passed without a GO")
        self.passings[gate] = Passing(event.at, event.actor, votes)


@dataclass(frozen=True, slots=True)
class Standing:
    """A gate now. ``missing`` are the roles without a vote that counts, ``until`` when the first GO grows stale."""

    gate: Gate
    state: GateState
    votes: tuple[Vote, ...] = ()
    missing: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    until: datetime | None = None
    passing: Passing | None = None

    @property
    def open(self) -> bool:
        """Whether what lies behind it may begin."""
        return self.state in (GateState.GO, GateState.PASSED)

    @property
    def reason(self) -> str:
        """Why it is closed, in words; "" while it is open."""
        if self.open:
            return ""
        against = [vote for vote in self.votes if vote.vote == NO_GO]
        if against:
            said = "; ".join(f"{vote.role} ({vote.initials}): {vote.reason}" for vote in against)
            return f"gate “{self.gate.title}”: NO-GO from {said}"
        parts = [f"no vote of {', '.join(self.missing)}"] if self.missing else []
        parts += [f"the GO of {', '.join(self.stale)} is older than 15 minutes"] if self.stale else []
        return f"gate “{self.gate.title}” is closed: {'; '.join(parts)} (V)"


def refuse_vote(vote: str, initials: str, reason: str) -> str:
    """Why this is no vote, or "".

    >>> refuse_vote("no-go", "ab", ""), refuse_vote("go", "ab", "")
    ('a NO-GO needs a reason', '')
    """
    if vote not in (GO, NO_GO):
        return "a vote is GO or NO-GO"
    if not 1 <= len(initials.strip()) <= 40:
        return "a vote needs the initials of the person who speaks for the role"
    if vote == NO_GO and len(reason.strip()) < REASON:
        return "a NO-GO needs a reason"
    return ""


def standing(gate: Gate, book: GateBook, now: datetime | None) -> Standing:
    """How a gate stands at ``now``, the server's time; without one no GO can be known to count.

    A gate before a phase or section stays passed until a role says NO-GO. One before a single item is asked again each
    time (``lasting``): a second attempt at something irreversible is decided anew.
    """
    cast = book.cast(gate)
    if any(vote.vote == NO_GO for vote in cast):
        return Standing(gate, GateState.NO_GO, cast)
    passing = book.passing(gate)
    if passing is not None:
        return Standing(gate, GateState.PASSED, cast, passing=passing)
    voted = {vote.role for vote in cast}
    missing = tuple(role for role in gate.roles if role not in voted)
    stale = tuple(vote.role for vote in cast if now is None or not vote.fresh(now))
    moments = [at + VALID for vote in cast if vote.role not in stale and (at := instant(vote.at)) is not None]
    state = GateState.WAITING if missing or stale or not gate.roles else GateState.GO
    return Standing(gate, state, cast, missing, stale, min(moments, default=None))


def lasting(gate: Gate, checklist: Checklist) -> bool:
    """Whether passing a gate once holds for everything behind it: for phases and sections, not for a single item."""
    return not any(_names(gate, leaf) for leaf in _items(checklist))


def gates_before(checklist: Checklist, located: Located) -> list[Gate]:
    """Every gate that stands before an item: before its phase, its section, a heading above it or itself, or needed."""
    above = _above(checklist, located)
    needed = {need.removeprefix("gate:") for item in above for need in item.needs if need.startswith("gate:")}
    return [
        gate
        for gate in checklist.gates
        if gate.id in needed
        or (located.phase is not None and gate.before in (located.phase.title, located.phase.id))
        or gate.before in (located.section.title, located.section.id)
        or any(_names(gate, item) for item in above)
    ]


def closed(checklist: Checklist, book: GateBook, located: Located, now: datetime | None) -> str:
    """Why the gates before an item do not let it begin, or ""."""
    for gate in gates_before(checklist, located):
        now_stands = standing(gate, book, now)
        if not now_stands.open:
            return now_stands.reason
    return ""


def _names(gate: Gate, item: Item) -> bool:
    return gate.before in (item.title, item.id)


def _items(checklist: Checklist) -> Iterator[Item]:
    for walk in (checklist.walk(), checklist.walk_rollback()):
        for located in walk:
            if not located.item.items:
                yield located.item


def _above(checklist: Checklist, located: Located) -> list[Item]:
    """The item and the headings it stands under."""
    found = [located.item]
    by_id = {other.id: other for other in _headings(located.section.items)}
    parent = located.parent
    while parent is not None:
        found.append(parent)
        child = parent
        parent = next((other for other in by_id.values() if child in other.items), None)
    return found


def _headings(items: tuple[Item, ...]) -> Iterator[Item]:
    for item in items:
        if item.items:
            yield item
            yield from _headings(item.items)
