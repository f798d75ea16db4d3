"""Go/no-go polls of an open run: any console votes, and what is passed is put on record before it is gone through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from migconsole.domain import gates
from migconsole.domain.checklist import Checklist, Gate, Located
from migconsole.domain.events import Kind
from migconsole.domain.gates import GateState, Standing
from migconsole.engine.recorder import Recorder
from migconsole.errors import StoppedError, UsageError


class Gating:
    """The gates of a checklist. ``now`` is server time where it is known."""

    def __init__(
        self, recorder: Recorder, checklist: Checklist, now: Callable[[], datetime], read_only: bool = False
    ) -> None:
        self._recorder = recorder
        self._checklist = checklist
        self._now = now
        self._read_only = read_only
        self._shown: tuple[GateState, ...] = ()

    def standings(self, now: datetime | None = None) -> list[Standing]:
        """How every gate stands now, in the checklist's order."""
        return [self.standing(gate, now) for gate in self._checklist.gates]

    def standing(self, gate: Gate, now: datetime | None = None) -> Standing:
        """How one gate stands."""
        return gates.standing(gate, self._recorder.run.gates, now or self._now())

    def before(self, located: Located) -> list[Standing]:
        """How the gates stand that an item is behind."""
        return [self.standing(gate) for gate in gates.gates_before(self._checklist, located)]

    async def vote(self, gate_id: str, role: str, vote: str, initials: str, reason: str = "") -> None:
        """Cast a role's vote ("go" or "no-go"); watching consoles may. Raises UsageError, StoppedError."""
        gate = next((gate for gate in self._checklist.gates if gate.id == gate_id), None)
        if gate is None:
            raise UsageError(f"This checklist has no gate “{gate_id}”")
        if role not in gate.roles:
            raise UsageError(f"“{role}” has no vote at “{gate.title}”", f"Its roles: {', '.join(gate.roles)}.")
        if self._read_only:
            raise StoppedError("This console is read-only")
        if self._recorder.run.ended_at:
            raise StoppedError("The run has ended", "Its gates are closed for good.")
        why = gates.refuse_vote(vote, initials, reason)
        if why:
            raise UsageError(f"{why[:1].upper()}{why[1:]}")
        await self._recorder.catch_up()
        if vote == gates.GO and self.standing(gate).state is GateState.PASSED:
            raise StoppedError("The gate has been passed", "A NO-GO still closes it again.")
        data = {"gate": gate.id, "role": role, "vote": vote, "initials": initials.strip(), "reason": reason.strip()}
        await self._recorder.record(Kind.GATE_VOTED, data)

    async def passing(self, located: Located) -> None:
        """Record that what lies behind a gate begins, before it does. A single item's gate is asked anew each time.

        Goes by what is on record now, and not by what this console saw last: a NO-GO may be a moment old.
        """
        await self._recorder.catch_up()
        for standing in self.before(located):
            _demand(standing)
            if standing.state is GateState.GO and gates.lasting(standing.gate, self._checklist):
                number = len(self._recorder.run.gates.history.get(standing.gate.id, ()))
                data = {"gate": standing.gate.id, "item": located.item.id}
                await self._recorder.record(Kind.GATE_PASSED, data, key=f"gate:{standing.gate.id}:passed:{number}")
                _demand(self.standing(standing.gate))

    def look(self) -> None:
        """Tell screens when time alone has changed how a gate stands."""
        shown = tuple(standing.state for standing in self.standings())
        if shown != self._shown:
            self._shown = shown
            self._recorder.changed()


def _demand(standing: Standing) -> None:
    if not standing.open:
        raise StoppedError("A gate is closed", standing.reason)


def votes_of(standings: Sequence[Standing]) -> int:
    """How many gates wait for a vote."""
    return sum(standing.state is GateState.WAITING for standing in standings)
