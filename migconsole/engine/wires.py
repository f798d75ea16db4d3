"""Tripwires of an open run as people change them; checks and the clock trip theirs by themselves."""

from __future__ import annotations

from collections.abc import Sequence

from migconsole.domain import tripwires
from migconsole.domain.checklist import Checklist, Tripwire
from migconsole.domain.events import Kind
from migconsole.domain.tripwires import WireRecord, WireState
from migconsole.engine.recorder import Recorder
from migconsole.errors import StoppedError, UsageError

REASON = 3
"""Characters that a reason has at least."""


class Wires:
    """Anybody who looks may trip or acknowledge one; clearing it is the driver's decision."""

    def __init__(self, recorder: Recorder, checklist: Checklist, read_only: bool = False) -> None:
        self._recorder = recorder
        self._checklist = checklist
        self._read_only = read_only

    def tripped(self) -> Sequence[tuple[Tripwire, WireRecord]]:
        """Those that are not armed, the unseen ones first."""
        return tripwires.tripped(self._checklist, self._recorder.run.tripwires)

    def record(self, wire: str) -> WireRecord:
        """One tripwire's record."""
        return self._recorder.run.tripwires.record(wire)

    def reason(self, wire: str = "") -> str:
        """The reason that the rollback wizard is opened with: of one tripwire, or of all that are tripped."""
        found = [pair for pair in self.tripped() if not wire or pair[0].id == wire]
        return tripwires.pre_filled(found)

    async def trip(self, wire: str, reason: str) -> None:
        """A person says that a criterion is met. It starts nothing."""
        self._demand(wire)
        if self.record(wire).state is not WireState.ARMED:
            raise StoppedError("This tripwire is tripped already")
        await self._change(wire, "tripped", self._reasoned(reason))

    async def acknowledge(self, wire: str, note: str = "") -> None:
        """A person has taken it on; it stays in sight until it is cleared."""
        self._demand(wire)
        if self.record(wire).state is not WireState.TRIPPED:
            raise StoppedError("There is nothing to acknowledge here")
        await self._change(wire, "acknowledged", note)

    async def clear(self, wire: str, reason: str) -> None:
        """The criterion is not met (any more): armed again."""
        self._demand(wire)
        if self.record(wire).state is WireState.ARMED:
            raise StoppedError("This tripwire is armed")
        await self._change(wire, "cleared", self._reasoned(reason), decision=True)

    async def _change(self, wire: str, state: str, reason: str, *, decision: bool = False) -> None:
        data = {"tripwire": wire, "state": state, "by": "person", "reason": reason.strip()}
        await self._recorder.record(Kind.TRIPWIRE, data, decision=decision)

    def _demand(self, wire: str) -> None:
        if self._read_only:
            raise StoppedError("This console is read-only")
        if not any(known.id == wire for known in self._checklist.tripwires):
            raise UsageError(f"This checklist has no tripwire “{wire}”")

    def _reasoned(self, reason: str) -> str:
        if len(reason.strip()) < REASON:
            raise UsageError("A reason of at least 3 characters is required")
        return reason
