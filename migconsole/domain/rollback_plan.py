"""The plan of a rollback: ordered steps with the exact text that will be executed, what undoes each, and its time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from migconsole.domain.rollback_verified import Verification

FENCE_SECONDS = 0.5
"""Closing the database and ending its sessions: 0.49 s measured with five clients that reconnect at once."""

SWAP_SECONDS = 0.05
"""The swap itself: 0.03 s measured, whatever the size."""

UNHELD_POOLER_SECONDS = 15.0
"""Behind a pooler that was not paused: 14.1 s measured until the first client was let in again."""


class Strategy(StrEnum):
    """The ways back, in the order in which they are offered."""

    APP_ONLY = "app-only"
    REVERT = "revert"
    SWAP = "swap"
    SIDE_RESTORE = "side-restore"
    SNAPSHOT = "snapshot"
    CLONE = "clone"
    PITR = "pitr"
    IN_PLACE = "in-place"


class Deed(StrEnum):
    """What is to be done to the databases; only a rollback has strategies."""

    ROLLBACK = "rollback"
    PUT_BACK = "put-back"
    PURGE = "purge"
    UNFENCE = "unfence"


class Act(StrEnum):
    """How a step is carried out."""

    CHECK = "check"
    STATEMENTS = "statements"
    TRANSACTION = "transaction"
    SESSIONS = "sessions"
    HOOK = "hook"
    WATCHER = "watcher"
    READ_BACK = "read-back"
    PROGRAM = "program"
    RESTORE = "restore"
    HAND = "hand"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step. ``text`` is what will be executed, exactly; ``statements`` are sent one by one, never as one string.

    ``undo`` are the statements with which the engine takes the step back when the plan is given up before the point of
    no return, ``undo_hook`` a command of the checklist, ``undoing`` the sentence for people. ``expects`` are names of
    databases with the oid each must have just before (0: it must not be there). ``after`` the same for when it is
    done. ``no_return`` marks the step with whose sending cancelling ends. ``outage`` says that the application is shut
    out while it lasts. ``database`` is whose sessions are ended. ``closed`` are databases that must let nobody in just
    before. ``argv`` is a program with its arguments.
    """

    id: str
    title: str
    act: Act
    statements: tuple[str, ...] = ()
    command: str = ""
    argv: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    undo_hook: str = ""
    undoing: str = ""
    estimate: float | None = None
    no_return: bool = False
    outage: bool = False
    destructive: bool = False
    database: str = ""
    expects: tuple[tuple[str, int], ...] = ()
    after: tuple[tuple[str, int], ...] = ()
    closed: tuple[str, ...] = ()
    note: str = ""

    @property
    def text(self) -> str:
        """Exactly what is executed, for people."""
        if self.statements:
            return "\n".join(statement + ";" for statement in self.statements)
        return self.command or " ".join(self.argv)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, in order. ``confirm`` is what has to be typed, ``dated`` a date to be typed beside it.

    ``twice`` demands a second confirmation. ``loses`` says what will be lost. ``by_hand`` plans are shown and never
    executed. ``refusals`` are the reasons why the plan cannot be executed now; an executable plan has none.
    """

    deed: Deed
    title: str
    steps: tuple[PlanStep, ...]
    confirm: str
    strategy: Strategy | None = None
    dated: str = ""
    twice: bool = False
    loses: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    by_hand: bool = False

    @property
    def outage(self) -> float | None:
        """Expected seconds during which the application is shut out; None when a part of it is not known."""
        times = [step.estimate for step in self.steps if step.outage]
        return None if None in times else sum(time for time in times if time is not None)

    @property
    def verifies(self) -> bool:
        """Whether the content is read back in the end."""
        return any(step.act is Act.VERIFY for step in self.steps)

    @property
    def total(self) -> float | None:
        """Expected seconds of the whole, None when a part of it is not known."""
        times = [step.estimate for step in self.steps]
        return None if None in times else sum(time for time in times if time is not None)


class Course(StrEnum):
    """What became of a step."""

    BEGAN = "began"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class StepReport:
    """News of a step, for whoever looks on. ``seconds`` is how long it took, ``lines`` what it said."""

    step: str
    title: str
    course: Course
    seconds: float | None = None
    lines: tuple[str, ...] = ()
    no_return: bool = False


class Verdict(StrEnum):
    """How a deed ended; always read back from the server."""

    SWAPPED = "swapped"
    RESTORED = "restored"
    REVERTED = "reverted"
    PUT_BACK = "put back"
    PURGED = "purged"
    UNFENCED = "unfenced"
    CANCELLED = "cancelled"
    NOTHING = "nothing was changed"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a deed. ``outage`` is measured seconds from the fence to the opening, None when there was none.

    ``verification`` is what was read back of the content afterwards, None for deeds after which nothing is.
    """

    verdict: Verdict
    reason: str = ""
    outage: float | None = None
    seconds: float | None = None
    next: tuple[str, ...] = ()
    verification: Verification | None = None

    @property
    def well(self) -> bool:
        """Whether what was asked for has happened, as the server says."""
        return self.verdict in (
            Verdict.SWAPPED,
            Verdict.RESTORED,
            Verdict.REVERTED,
            Verdict.PUT_BACK,
            Verdict.PURGED,
            Verdict.UNFENCED,
        )


@dataclass(frozen=True, slots=True)
class Option:
    """A strategy in the wizard's table. ``why_not`` are the reasons against it, empty when nothing speaks against it.

    ``depends`` is what has to be so and only a person can say, as sentences; as long as nobody has, the way is neither
    possible nor impossible, and never taken. ``downtime`` is seconds, None when unknown; ``basis`` says what that rests
    on. ``loss`` is a sentence.
    """

    strategy: Strategy
    title: str
    why_not: tuple[str, ...]
    downtime: float | None
    basis: str
    loss: str
    commands: tuple[str, ...] = ()
    executed: bool = True
    depends: tuple[str, ...] = ()

    @property
    def feasible(self) -> bool:
        """Whether nothing speaks against it, and nothing is left for a person to say."""
        return not self.why_not and not self.depends

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why it cannot be taken now."""
        return (*self.why_not, *self.depends)
