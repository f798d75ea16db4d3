"""What a rollback needs from the outside, as protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from migconsole.domain.rollback import DatabaseRow
from migconsole.domain.rollback_plan import Plan, PlanStep
from migconsole.domain.rollback_record import RollbackBook
from migconsole.domain.rollback_survey import Blocker, Holder, Survey
from migconsole.domain.rollback_verified import Verification
from migconsole.errors import UnknownOutcomeError

Lines = Callable[[Sequence[str]], None]
"""Takes what a step says while it runs."""


class PowerLostError(UnknownOutcomeError):
    """The connection that held the operator lock is gone: what it was doing may or may not have happened."""


class Operator(Protocol):
    """The one connection with which databases are changed: in the maintenance database, holding the operator lock.

    When it is lost, so is the lock, and with it the power; there is no reconnecting behind anybody's back. Every call
    raises PowerLostError then, and MigconsoleError when the server refuses.
    """

    async def take(self) -> Holder | None:
        """Connect and take the lock; who holds it when somebody else does."""

    async def differences(self, expects: Sequence[tuple[str, int]]) -> tuple[str, ...]:
        """How server and databases differ from the pinned server and from (name, oid) pairs; oid 0: not there."""

    async def execute(self, statement: str, limit: float | None = None) -> None:
        """Send one statement, waiting at most ``limit`` seconds for its end."""

    async def end_sessions(self, database: str) -> Sequence[str]:
        """Signal every session of a database at once; returns those that are still there, in words."""

    async def blockers(self, database: str) -> Sequence[Blocker]:
        """What stands in the way of renaming or dropping a database, now."""

    async def rows(self) -> Mapping[str, DatabaseRow]:
        """The databases of this rollback, as they are now."""

    async def now(self) -> str:
        """The server's time, UTC ISO 8601."""

    async def close(self) -> None:
        """Let go of lock and connection. Never raises."""


class RollbackServer(Protocol):
    """The server of the target."""

    async def survey(self) -> Survey:
        """Read everything a rollback is decided on. Raises TargetError when the server cannot be asked."""

    def operator(self) -> Operator:
        """A new operator; nothing is opened yet."""


class Keeper(Protocol):
    """Where a deed is put on record before it is done: a run's journal, or a state file outside a run."""

    def book(self) -> RollbackBook:
        """Everything on record, as far as it is known here."""

    async def append(self, kind: str, data: Mapping[str, Any], key: str) -> None:
        """Put one fact on record durably, once per key. Raises JournalError."""

    async def expect(self, oid: int, key: str) -> None:
        """Pin the database's new oid, which our own act has changed. Raises JournalError."""

    async def restore_point(self, data: Mapping[str, Any], key: str) -> None:
        """Say what became of the restore point, where anybody keeps account of it. Raises JournalError."""


class Surroundings(Protocol):
    """Everything of a deed that is not SQL on the operator's connection."""

    async def hook(self, command: str, lines: Lines) -> None:
        """Run a command of the checklist. Raises MigconsoleError when it does not end well."""

    async def watcher(self, *, away: bool) -> str:
        """Have the run's watcher leave the database or come back; what it said, "" without a watcher."""

    async def program(self, step: PlanStep, lines: Lines) -> None:
        """Run a client program of a step on the target. Raises MigconsoleError when it does not end well."""

    async def restore(self, step: PlanStep, survey: Survey, lines: Lines) -> None:
        """Carry out a step of restoring: into the side database, or where the database stands."""

    async def verify(self, plan: Plan, survey: Survey) -> Verification:
        """Read the content back after a deed and compare it. ``survey`` is from before it.

        Raises MigconsoleError when it cannot be read.
        """
