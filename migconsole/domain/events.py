"""Journal events: what they are called, how they are hashed, and how they are made.

An event is either a *fact* (something was observed; anyone may append it, once per key) or a *decision*
(a person chose; only the driving console may append it).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What an event records."""

    RUN_OPENED = "run.opened"
    TARGET_PINNED = "target.pinned"
    TARGET_CHANGED = "target.changed"
    CONSOLE_ATTACHED = "console.attached"
    CONSOLE_DETACHED = "console.detached"
    LEASE_TAKEN = "lease.taken"
    LEASE_RELEASED = "lease.released"
    ATTEMPT_STARTED = "attempt.started"
    ATTEMPT_ADOPTED = "attempt.adopted"
    ATTEMPT_SIGNALLED = "attempt.signalled"
    ATTEMPT_ENDED = "attempt.ended"
    ITEM_MOVED = "item.moved"
    VARIABLE_SET = "variable.set"
    NOTE = "note"
    HOLD = "hold"
    RELEASE = "release"
    TRIPWIRE = "tripwire"
    ALARM = "alarm"
    ALARM_ACKNOWLEDGED = "alarm.acknowledged"
    RUN_ENDED = "run.ended"
    # what was done to the databases: facts, read back from the server
    ROLLBACK_STARTED = "rollback.started"
    ROLLBACK_STEP = "rollback.step"
    ROLLBACK_ENDED = "rollback.ended"
    ROLLBACK_VERIFIED = "rollback.verified"

    # What built-in jobs find out: facts, each with its key.
    RESTORE_POINT = "restore-point"
    REVIEWED = "reviewed"
    REVIEW_OUTDATED = "review.outdated"
    # A line of the rollback procedure that the chosen strategy did, or does without: a fact with the attempt's key.
    ITEM_COVERED = "item.covered"
    # What a change that did not end well has left behind in the database: a fact with the attempt's key.
    EXAMINED = "examined"
    # The decision to roll back, and to call it off: made in the wizard, before anything is done.
    ROLLBACK_ENGAGED = "rollback.engaged"
    ROLLBACK_STOOD_DOWN = "rollback.stood-down"

    # The clock, gates, sections, claims, and how a run goes on.
    CLOCK_SET = "clock.set"
    CLOCK_CROSSED = "clock.crossed"
    CLOCK_DECIDED = "clock.decided"
    # The server's clock differs from the one that stamps events, by another amount than before: a fact.
    SERVER_CLOCK = "server.clock"
    ESTIMATES_LEARNED = "estimates.learned"
    # What a drill of the rollback measured: a fact of the run that held it, and of every later one on its target.
    DRILLED = "drilled"
    GATE_VOTED = "gate.voted"
    GATE_PASSED = "gate.passed"
    SECTION_CALLED = "section.called"
    ITEM_CLAIMED = "item.claimed"
    ITEM_RELEASED = "item.released"
    HANDED_OVER = "handed.over"
    RUN_COMMITTED = "run.committed"
    RUN_CLOSED = "run.closed"

    # Sensed items: facts of the watcher, on a change of verdict and at scheduled looks.
    ITEM_SENSED = "item.sensed"

    # The record: seals, sign-off, notifications, copies of the evidence.
    SEALED = "sealed"
    SIGNED = "signed"
    NOTIFYING = "notification.intended"
    NOTIFIED = "notification.ended"


JOB_FACTS = frozenset({Kind.RESTORE_POINT, Kind.REVIEWED, Kind.DRILLED})
"""The facts that a built-in job may leave behind for whoever judges it; no job can state anything else."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a place in the chain. ``key`` makes a fact idempotent; decisions have none."""

    kind: Kind
    data: Mapping[str, Any] = field(default_factory=dict)
    actor: str = ""
    key: str = ""
    decision: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A durable event. ``at`` is UTC ISO 8601 with milliseconds, ``mono`` seconds since the host booted."""

    seq: int
    at: str
    mono: float
    kind: str
    actor: str
    data: Mapping[str, Any]
    previous: str
    hash: str
    key: str = ""


GENESIS = "0" * 64


def canonical(data: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: the same data always gives the same bytes.

    >>> canonical({"b": 1, "a": "é"})
    '{"a":"é","b":1}'
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def chain_hash(previous: str, seq: int, at: str, mono: float, kind: str, actor: str, key: str, data: str) -> str:
    """SHA-256 over the previous hash and every field, each with its length, so that no two fields can run together.

    ``data`` is the stored canonical text itself: a reader hashes what is on disk, not what it parsed.
    """
    digest = hashlib.sha256()
    for part in (previous, str(seq), at, repr(mono), kind, actor, key, data):
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()
