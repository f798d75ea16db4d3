"""The twelve states of an item and the legal moves between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ItemState(StrEnum):
    """A closed set. Verified (a machine saw it) and attested (a named person said it) are never confused."""

    TODO = "todo"
    RUNNING = "running"
    VERIFIED = "verified"
    ATTESTED = "attested"
    OK_WITH_ISSUES = "ok-with-issues"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"
    NOT_APPLICABLE = "n/a"
    FORCED = "forced"
    DEFERRED = "deferred"
    REGRESSED = "regressed"

    @property
    def done(self) -> bool:
        """Whether the line counts as dealt with. Deferred does not: it is listed until it is done."""
        return self in _DONE

    @property
    def settled(self) -> bool:
        """Whether nobody needs to look at the line now: it is dealt with, or put off."""
        return self.done or self is ItemState.DEFERRED

    @property
    def problem(self) -> bool:
        """Whether it stops a section and is a stop for the next-problem key."""
        return self in _PROBLEMS

    @property
    def glyph(self) -> str:
        """One character, distinct for every state so that colour is never the only signal."""
        return _GLYPHS[self]

    @property
    def ascii_glyph(self) -> str:
        """The same in ASCII, for poor fonts."""
        return _ASCII[self]


_DONE = frozenset(
    {
        ItemState.VERIFIED,
        ItemState.ATTESTED,
        ItemState.OK_WITH_ISSUES,
        ItemState.SKIPPED,
        ItemState.NOT_APPLICABLE,
        ItemState.FORCED,
    }
)
_PROBLEMS = frozenset({ItemState.FAILED, ItemState.INTERRUPTED, ItemState.REGRESSED})
_GLYPHS = dict(zip(ItemState, "□◐✔●▲✘?–∅»◷▼", strict=True))
_ASCII = dict(zip(ItemState, " ~vx!E?-nFdR", strict=True))


class Move(StrEnum):
    """Everything that can happen to an item's state."""

    START = "start"
    VERIFY = "verify"
    FAIL = "fail"
    ASK = "ask"
    INTERRUPT = "interrupt"
    ATTEST = "attest"
    ACCEPT = "accept"
    SKIP = "skip"
    EXCLUDE = "exclude"
    FORCE = "force"
    DEFER = "defer"
    REOPEN = "reopen"
    SENSE = "sense"
    REGRESS = "regress"
    RECOVER = "recover"
    OUTDATE = "outdate"
    COVER = "cover"
    OMIT = "omit"


@dataclass(frozen=True, slots=True)
class Rule:
    """From which states a move is legal, where it leads, and how long its reason must be (0: none needed)."""

    sources: frozenset[ItemState]
    to: ItemState
    reason: int = 0


_S = ItemState
RULES: dict[Move, Rule] = {
    Move.START: Rule(frozenset(_S) - {_S.RUNNING, _S.NOT_APPLICABLE, _S.SKIPPED, _S.FORCED}, _S.RUNNING),
    Move.VERIFY: Rule(frozenset({_S.RUNNING}), _S.VERIFIED),
    Move.FAIL: Rule(frozenset({_S.RUNNING}), _S.FAILED),
    Move.ASK: Rule(frozenset({_S.RUNNING}), _S.TODO),
    Move.INTERRUPT: Rule(frozenset({_S.RUNNING}), _S.INTERRUPTED),
    Move.ATTEST: Rule(frozenset({_S.TODO, _S.DEFERRED, _S.INTERRUPTED}), _S.ATTESTED),
    Move.ACCEPT: Rule(
        frozenset({_S.TODO, _S.FAILED, _S.INTERRUPTED, _S.REGRESSED, _S.DEFERRED, _S.VERIFIED, _S.ATTESTED}),
        _S.OK_WITH_ISSUES,
        3,
    ),
    Move.SKIP: Rule(frozenset({_S.TODO}), _S.SKIPPED, 3),
    Move.EXCLUDE: Rule(frozenset({_S.TODO, _S.DEFERRED}), _S.NOT_APPLICABLE, 3),
    Move.FORCE: Rule(frozenset({_S.FAILED, _S.INTERRUPTED, _S.REGRESSED}), _S.FORCED, 10),
    Move.DEFER: Rule(frozenset({_S.TODO, _S.FAILED, _S.INTERRUPTED, _S.REGRESSED}), _S.DEFERRED, 3),
    Move.REOPEN: Rule(frozenset(_S) - {_S.RUNNING, _S.TODO}, _S.TODO, 3),
    Move.SENSE: Rule(frozenset({_S.TODO}), _S.VERIFIED),
    Move.REGRESS: Rule(frozenset({_S.VERIFIED}), _S.REGRESSED),
    Move.RECOVER: Rule(frozenset({_S.REGRESSED}), _S.VERIFIED),
    # What somebody has read is another text now. There is no way back but to read it: nothing recovers by itself.
    Move.OUTDATE: Rule(frozenset({_S.VERIFIED, _S.ATTESTED, _S.OK_WITH_ISSUES}), _S.REGRESSED),
    # By the end of a built-in job that did, or made needless, what the line says.
    Move.COVER: Rule(frozenset({_S.TODO, _S.DEFERRED, _S.FAILED, _S.INTERRUPTED}), _S.VERIFIED),
    Move.OMIT: Rule(frozenset({_S.TODO, _S.DEFERRED}), _S.NOT_APPLICABLE, 3),
}


BY_PERSON = frozenset(
    {Move.ATTEST, Move.ACCEPT, Move.SKIP, Move.EXCLUDE, Move.FORCE, Move.DEFER, Move.REOPEN},
)
"""What a person decides. The other moves follow from an attempt's end or from a sensor, and from nothing else."""

UNKNOWN_REASON = 3
"""Characters of reason with which an unknown outcome is attested: how does the person know?"""

_PAST_FAILURE = "run it again (r), accept it with issues (w) or force it (F)"


def refusal(state: ItemState, move: Move, *, reason: str = "", required: bool = False, last: str = "") -> str:
    """Why ``move`` is not possible now, or "" when it is.

    ``last`` is the outcome of the newest attempt ("failed", "interrupted", …): reopening or deferring an item does not
    undo that its command failed, so neither opens a way around it.

    >>> refusal(ItemState.FAILED, Move.ATTEST)
    'a failed item cannot be attested: run it again (r), accept it with issues (w) or force it (F)'
    >>> refusal(ItemState.TODO, Move.SKIP, reason="not needed today")
    ''
    >>> refusal(ItemState.TODO, Move.SKIP, reason="not needed today", required=True)
    'a required item cannot be skipped'
    >>> refusal(ItemState.TODO, Move.ATTEST, last="failed")
    'its last attempt failed: run it again (r), accept it with issues (w) or force it (F)'
    """
    rule = RULES[move]
    if state not in rule.sources:
        if move is Move.ATTEST and state is ItemState.FAILED:
            return f"a failed item cannot be attested: {_PAST_FAILURE}"
        if state is ItemState.RUNNING:
            return "it is running"
        if state.done and move in (Move.START, Move.ATTEST, Move.SKIP, Move.EXCLUDE, Move.DEFER):
            return f"it is already {state.value}; reopen it first (u)"
        return f"{move.value} is not possible while the item is {state.value}"
    if required and move in (Move.SKIP, Move.EXCLUDE):
        return "a required item cannot be skipped"
    if last == "failed" and move in (Move.ATTEST, Move.SKIP, Move.EXCLUDE):
        return f"its last attempt failed: {_PAST_FAILURE}"
    if last == "interrupted" and move in (Move.SKIP, Move.EXCLUDE):
        return "what its last attempt did is not known: run it again (r), attest it (space) or accept it (w)"
    needed = max(rule.reason, UNKNOWN_REASON if move is Move.ATTEST and last == "interrupted" else 0)
    if len(reason.strip()) < needed:
        return f"a reason of at least {needed} characters is required"
    return ""
