"""How a run is conducted: approved, its sections called complete, its items claimed, handed over, and ended."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from migconsole.domain import policy
from migconsole.domain.checklist import Checklist, Item, Phase, Section
from migconsole.domain.events import Kind, canonical
from migconsole.domain.items import ItemState
from migconsole.domain.lifecycle import ENDINGS, RunState
from migconsole.domain.run import Run, left
from migconsole.domain.sections import SectionEnd, section_end
from migconsole.engine.recorder import Recorder
from migconsole.errors import StoppedError, UsageError

ABANDON = 10
"""Characters of reason with which a run is abandoned or ended as rolled back: it is read long after."""


class Conduct:
    """Decisions about the run as a whole, its sections, and who does what."""

    def __init__(
        self,
        recorder: Recorder,
        checklist: Checklist,
        console: str,
        driving: Callable[[], bool],
        read_only: bool = False,
    ) -> None:
        self._recorder = recorder
        self._checklist = checklist
        self._console = console
        self._driving = driving
        self._read_only = read_only

    @property
    def _run(self) -> Run:
        return self._recorder.run

    # The plan and the end --------------------------------------------------------------------------------------------

    def plan(self) -> str:
        """The hash of what is approved: the checklist, the target, and the variables' values."""
        run = self._run
        data = {"checklist": run.checklist_sha256, "target": run.target, "variables": run.variables}
        return hashlib.sha256(canonical(data).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def amended(self) -> bool:
        """Whether the plan is another one than was approved."""
        commit = self._run.life.commit
        return commit is not None and commit.plan != self.plan()

    def refuse_commit(self) -> str:
        """Why the plan cannot be approved now, or ""."""
        run = self._run
        if run.ended_at:
            return f"the run has ended ({run.state.value})"
        if run.life.commit is not None and not self.amended:
            return f"the plan was approved by {run.life.commit.approver}"
        return ""

    async def commit(self, approver: str) -> None:
        """A named person approves the plan as it stands; what is changed afterwards shows as amended."""
        why = self.refuse_commit()
        if why:
            raise StoppedError("The plan cannot be approved", why)
        if len(approver.strip()) < 2:
            raise UsageError("Who approves the plan?", remedy="Give a person's name.")
        data = {"approver": approver.strip(), "plan": self.plan()}
        await self._recorder.record(Kind.RUN_COMMITTED, data, decision=True)

    def refuse_end(self, ending: RunState) -> str:
        """Why the run cannot end so now, or ""."""
        run = self._run
        if run.ended_at:
            return f"the run has ended ({run.state.value})"
        running = next(run.running(), None)
        if running is not None:
            return f"“{running.item}” is running"
        if ending is RunState.COMPLETED:
            open_items = [item for item in left(run, self._checklist) if run.state_of(item) is not ItemState.DEFERRED]
            if open_items:
                return f"{len(open_items)} left (defer what is done later), first “{open_items[0].title}”"
        if ending is RunState.ROLLED_BACK and not self._rolled_back():
            return "nothing of the rollback procedure has been done"
        return ""

    def _rolled_back(self) -> bool:
        states = [self._run.record(located.item.id).state for located in self._checklist.walk_rollback()]
        return any(state.done and state not in (ItemState.SKIPPED, ItemState.NOT_APPLICABLE) for state in states)

    async def end(self, ending: RunState, person: str, reason: str = "") -> None:
        """End the run: completed, rolled back or abandoned. What is deferred or forced goes on record with it."""
        if ending not in ENDINGS:
            raise UsageError(f"A run does not end as “{ending.value}”")
        why = self.refuse_end(ending)
        if why:
            raise StoppedError(f"The run cannot end as {ending.value}", why)
        if ending is not RunState.COMPLETED and len(reason.strip()) < ABANDON:
            raise UsageError(f"A reason of at least {ABANDON} characters is required")
        if not person.strip():
            raise UsageError("Who ends the run?", remedy="Give a person's name.")
        listed = self.deviations()
        data = {
            "ending": ending.value,
            "person": person.strip(),
            "reason": reason.strip(),
            "deferred": [item.id for item in listed if self._run.state_of(item) is ItemState.DEFERRED],
            "forced": [item.id for item in listed if self._run.state_of(item) is ItemState.FORCED],
        }
        await self._recorder.record(Kind.RUN_ENDED, data, decision=True)

    def deviations(self) -> list[Item]:
        """Deferred, forced and regressed items: what whoever ends, calls or signs must have seen."""
        wanted = (ItemState.DEFERRED, ItemState.FORCED, ItemState.REGRESSED)
        walks = (self._checklist.walk(), self._checklist.walk_rollback())
        items = [located.item for walk in walks for located in walk if not located.item.items]
        return [item for item in items if self._run.record(item.id).state in wanted]

    # Sections --------------------------------------------------------------------------------------------------------

    def section(self, section: Section) -> SectionEnd:
        """Where a section stands."""
        run = self._run
        return section_end(section, run.state_of, lambda item: run.record(item.id).since, run.sections)

    def sections(self) -> list[tuple[Phase | None, Section, SectionEnd]]:
        """Every section with its phase (None: rollback procedure) and where it stands."""
        forward = [(phase, section) for phase in self._checklist.phases for section in phase.sections]
        pairs: list[tuple[Phase | None, Section]] = [
            *forward,
            *((None, section) for section in self._checklist.rollback),
        ]
        return [(phase, section, self.section(section)) for phase, section in pairs]

    def refuse_call(self, section: Section) -> str:
        """Why a section cannot be called complete now, or ""."""
        end = self.section(section)
        if self._run.ended_at:
            return f"the run has ended ({self._run.state.value})"
        if end.left:
            return f"“{end.left[0].title}” is open" + (f", and {len(end.left) - 1} more" if len(end.left) > 1 else "")
        if end.call is not None:
            return f"it was called complete by {end.call.person}"
        return ""

    async def call(self, section: Section, person: str) -> None:
        """A named person calls a section complete, with the end state it has."""
        why = self.refuse_call(section)
        if why:
            raise StoppedError(f"“{section.title}” cannot be called complete", why)
        if not person.strip():
            raise UsageError("Who calls the section complete?", remedy="Give a person's name.")
        end = self.section(section)
        data = {
            "section": section.id,
            "person": person.strip(),
            "end": end.words,
            "deferred": [item.id for item in end.deferred],
            "forced": [item.id for item in end.forced],
        }
        await self._recorder.record(Kind.SECTION_CALLED, data, decision=True)

    # Sharing ---------------------------------------------------------------------------------------------------------

    async def claim(self, item: Item) -> None:
        """Take an item on at this console; the first one has it. Raises StoppedError naming who was faster."""
        if self._read_only:
            raise StoppedError("This console is read-only")
        why = policy.may_claim(self._run, item)
        held = self._run.claims.held.get(item.id)
        if why or held is not None:
            raise StoppedError(f"“{item.title}” cannot be claimed", why or f"{held.actor if held else ''} has it")
        number = self._run.claims.counts.get(item.id, 0) + 1
        data = {"item": item.id, "claim": number, "console": self._console}
        await self._recorder.record(Kind.ITEM_CLAIMED, data, key=f"claim:{item.id}:{number}")
        got = self._run.claims.held.get(item.id)
        if got is None or got.actor != self._recorder.actor:
            raise StoppedError(f"{got.actor if got else 'Somebody'} was faster", f"“{item.title}” is claimed.")

    async def release(self, item: Item, reason: str = "") -> None:
        """Give a claim up; the driver may withdraw another's, with a reason."""
        held = self._run.claims.held.get(item.id)
        if held is None:
            raise StoppedError("Nobody has claimed it")
        own = held.actor == self._recorder.actor
        if not own and not self._driving():
            raise StoppedError(f"{held.actor} has claimed it", "Only that person, or the driver, gives it up.")
        if not own and len(reason.strip()) < 3:
            raise UsageError("Withdrawing another person's claim needs a reason")
        data = {"item": item.id, "claim": held.number, "reason": reason.strip()}
        await self._recorder.record(Kind.ITEM_RELEASED, data, decision=not own)

    def claim_number(self, item: str) -> int | None:
        """The number of this person's claim on an item, None without one."""
        held = self._run.claims.held.get(item)
        return held.number if held is not None and held.actor == self._recorder.actor else None

    async def note_handover(self, note: str) -> None:
        """Leave a note to whoever drives next."""
        data = {"note": note.strip(), "console": self._console}
        await self._recorder.record(Kind.HANDED_OVER, data, decision=True)
