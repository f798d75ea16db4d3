"""The states of a whole run, from a draft to a closed record, and how it goes from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from migconsole.domain.events import Event


class RunState(StrEnum):
    """A closed set. A draft has not changed anything yet; what ended takes no more work; what is closed only notes."""

    DRAFT = "draft"
    COMMITTED = "committed"
    ACTIVE = "active"
    HOLD = "hold"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled back"
    ABANDONED = "abandoned"
    CLOSED = "closed"


ENDINGS = (RunState.COMPLETED, RunState.ROLLED_BACK, RunState.ABANDONED)


@dataclass(frozen=True, slots=True)
class Commit:
    """The plan was approved: ``approver`` is the named person, ``plan`` the hash of what was approved."""

    at: str
    actor: str
    approver: str
    plan: str


@dataclass
class Lifecycle:
    """What the journal says about the run as a whole. ``begun`` is when the first change began, "" before it."""

    commit: Commit | None = None
    begun: str = ""
    ended: str = ""
    ending: str = ""
    ended_by: str = ""
    reason: str = ""
    closed: str = ""
    closed_by: str = ""

    def committed(self, event: Event) -> None:
        """A named person approved the plan."""
        approver = str(event.data["approver"]).strip()
        if not approver:
            raise ValueError("nobody approved the plan")
        self.commit = Commit(event.at, event.actor, approver, str(event.data["plan"]))

    def started(self, event: Event) -> None:
        """An attempt was started: one that changes something makes the run active."""
        if event.data.get("danger") != "read" and not self.begun:
            self.begun = event.at

    def said(self, event: Event) -> None:
        """A person says that an item was done elsewhere: a change is one wherever it is made."""
        if event.data.get("danger", "read") != "read" and not self.begun:
            self.begun = event.at

    def has_ended(self, event: Event) -> None:
        """The run ended, one way or another."""
        data = event.data
        self.ended, self.ending = event.at, str(data["ending"])
        self.ended_by, self.reason = str(data.get("person") or event.actor), str(data.get("reason", ""))

    def was_closed(self, event: Event) -> None:
        """The record was closed; what comes afterwards is an addendum."""
        if not self.ended:
            raise ValueError("a run is closed after it has ended")
        self.closed, self.closed_by = event.at, event.actor

    def state(self, *, held: bool) -> RunState:
        """The state of the run; ``held`` is whether a hold stands."""
        if self.closed:
            return RunState.CLOSED
        if self.ended:
            known = {ending.value: ending for ending in ENDINGS}
            return known.get(self.ending.replace("-", " "), RunState.COMPLETED)
        if held:
            return RunState.HOLD
        if self.begun:
            return RunState.ACTIVE
        return RunState.COMMITTED if self.commit else RunState.DRAFT
