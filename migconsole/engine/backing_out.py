"""Backing out, as the screens see it: look, choose, decide, and go through the rollback procedure line by line.

Nothing is executed by looking. The decision goes on record with what was typed and what was shown; then the lines of
the rollback procedure are carried out in order, each as an attempt of its own, and the first one that fails, or that
wants a person, stops it. The database's own part is a detached job like every other: the console may die over it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from migconsole.domain import built_in
from migconsole.domain.checklist import Alternative, Checklist, Danger, Item, Job
from migconsole.domain.engagement import REASON
from migconsole.domain.events import Kind
from migconsole.domain.policy import Situation
from migconsole.domain.procedure import NextStep, by_person, lines, next_step
from migconsole.domain.rollback_means import Means, means_of
from migconsole.domain.rollback_plan import Option, Plan, Strategy
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.run import Attempt, Run
from migconsole.engine.recorder import Recorder
from migconsole.engine.resolve import Confirmation, Preview
from migconsole.errors import MigconsoleError, StoppedError, UsageError

MOST_LINES = 60
"""Lines about what will be lost that go on record with the decision."""


class RollbackDesk(Protocol):
    """Looks at the databases of one run and plans; it changes nothing."""

    async def survey(self, means: Means) -> Survey:
        """Read everything a rollback is decided on. Raises MigconsoleError when it cannot be read."""

    def options(self, survey: Survey, means: Means) -> Sequence[Option]:
        """Every way back with its time, its loss, and why it is not possible where it is not."""

    def plan(self, survey: Survey, strategy: Strategy, means: Means) -> Plan:
        """The exact steps of a way back."""

    def put_back(self, survey: Survey) -> Plan:
        """The exact steps of undoing the swap."""

    def purge(self, survey: Survey, database: str) -> Plan:
        """The exact steps of dropping a database that is kept aside."""


class Hands(Protocol):
    """What of the session carries items out."""

    async def start(
        self,
        item_id: str,
        alternative: int = 0,
        confirmation: Confirmation | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> Attempt:
        """Carry out an item's action."""

    async def finished(self, item_id: str, attempt: int) -> Attempt:
        """Wait for an attempt's end."""

    async def exclude(self, item_id: str, reason: str) -> None:
        """Not applicable here."""

    def effective(self, item_id: str, alternative: int = 0) -> Alternative:
        """An alternative as it stands today."""

    def default_alternative(self, item_id: str) -> int:
        """The way of doing an item that is proposed."""

    def preview(self, item_id: str, alternative: int = 0) -> Preview:
        """What running an item would do."""

    def expanded(self, text: str) -> str:
        """A text with its variables in place, "" when one has no value."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What a person decided on the last page of the wizard. ``again`` is the second confirmation of the last resort,
    ``means`` what was named for the way back, None for what the checklist names."""

    strategy: Strategy
    reason: str
    by: str
    typed: str
    again: str = ""
    means: Means | None = None


class BackingOut:
    """The rollback of one run, for whoever drives it."""

    def __init__(
        self,
        recorder: Recorder,
        checklist: Checklist,
        hands: Hands,
        situation: Callable[[], Situation],
        desk: RollbackDesk | None,
        project: Path,
    ) -> None:
        self._recorder = recorder
        self._checklist = checklist
        self._hands = hands
        self._situation = situation
        self._desk = desk
        self._project = project

    # Looking -------------------------------------------------------------------------------------------------------

    @property
    def restore(self) -> Item:
        """The item that restores the database."""
        return built_in.restore_item(self._checklist).item

    @property
    def unavailable(self) -> str:
        """Why there is no way to look at the databases here, or ""."""
        return "" if self._desk is not None else "this console was opened without access to the databases' state"

    @property
    def given(self) -> Means:
        """What the checklist's restore item names for the ways back that need it; somebody may name something else."""
        action = self.restore.step.action
        return means_of(action.arguments, self._hands.expanded) if isinstance(action, Job) else Means()

    async def survey(self, means: Means | None = None) -> Survey:
        """Look at everything. Raises StoppedError where there is nothing to look with, TargetError, JournalError."""
        return await self._at_desk.survey(self._whole(means))

    def options(self, survey: Survey, means: Means | None = None) -> tuple[Option, ...]:
        """The ways back, in the order in which they are offered."""
        return tuple(self._at_desk.options(survey, self._whole(means)))

    def proposed(self, options: Sequence[Option]) -> Strategy:
        """The way that the checklist prefers among those that are possible, else another that is possible; where none
        is, the one that it prefers: why that is not possible is what has to be mended.

        Only the application going back is proposed where the checklist prefers that, and where nothing else is left.
        """
        preferred = [Strategy(name) for name in built_in.preferred(self.restore) if name in set(Strategy)]
        possible = [option.strategy for option in options if option.feasible and option.executed]
        alone = [option.strategy for option in options if option.feasible and option.strategy is Strategy.APP_ONLY]
        wanted = [strategy for strategy in preferred if strategy in (*possible, *alone)]
        return (*wanted, *possible, *alone, *preferred, options[0].strategy)[0]

    def plan(self, survey: Survey, strategy: Strategy, means: Means | None = None) -> Plan:
        """The exact steps of a way back."""
        return self._at_desk.plan(survey, strategy, self._whole(means))

    def put_back_plan(self, survey: Survey) -> Plan:
        """The exact steps of undoing the swap."""
        return self._at_desk.put_back(survey)

    def purge_plan(self, survey: Survey, database: str) -> Plan:
        """The exact steps of dropping a database that is kept aside."""
        return self._at_desk.purge(survey, database)

    def next(self) -> NextStep:
        """Where the procedure stands: the next line, and why it does not go on by itself."""
        found = next_step(self._run, self._checklist, self.restore)
        if found.located is None or found.stops:
            return found
        item = found.located.item
        alternative = self._hands.default_alternative(item.id)
        step = self._hands.effective(item.id, alternative).step
        if by_person(step.action) or step.interactive:
            return NextStep(found.located, f"“{item.title}” is a person's: attest it (space) or answer it (a)", True)
        preview = self._hands.preview(item.id, alternative)
        if preview.unresolved:
            return NextStep(found.located, f"“{item.title}”: {preview.unresolved[0]}", True)
        if preview.danger is Danger.DESTRUCTIVE and item.id != self.restore.id:
            why = f"“{item.title}” destroys something, and the restore does that part: leave it out (n), or run it (r)"
            return NextStep(found.located, why, True)
        return found

    def procedure(self) -> list[Item]:
        """The lines of the rollback procedure in the order in which they are carried out."""
        return [located.item for located in lines(self._checklist, self.restore)]

    # Deciding ------------------------------------------------------------------------------------------------------

    async def engage(self, plan: Plan, decided: Decided) -> None:
        """Put the decision to roll back on record. Nothing is done yet.

        Raises UsageError for a reason that is too short or a name that is not the target's, StoppedError when the plan
        is not possible or another rollback is under way.
        """
        self._demand_driver()
        self._demand_words(decided)
        if plan.refusals:
            raise StoppedError("This way back is not possible now", "\n".join(plan.refusals))
        if decided.typed != plan.confirm or (plan.twice and decided.again != plan.confirm):
            raise UsageError("The typed name is not that of the target", "Nothing was decided.")
        if self._run.engagement.now is not None and self.next().located is not None:
            raise StoppedError("A rollback was decided on before", remedy="Go on with it, or call it off first.")
        data = {
            "strategy": decided.strategy.value,
            "reason": decided.reason.strip(),
            "by": decided.by.strip(),
            "typed": decided.typed,
            "again": decided.again,
            "means": self._whole(decided.means).arguments(),
            "loss": list(plan.loses[:MOST_LINES]),
            "steps": [step.text for step in plan.steps],
        }
        await self._recorder.record(Kind.ROLLBACK_ENGAGED, data, decision=True)
        if plan.by_hand or decided.strategy is Strategy.APP_ONLY:
            await self._leave_out(decided)

    async def stand_down(self, reason: str) -> None:
        """Call a rollback off that has not changed the database. Raises StoppedError when it has."""
        self._demand_driver()
        if len(reason.strip()) < REASON:
            raise UsageError(f"A reason of at least {REASON} characters is required")
        attempt, engaged = self._run.record(self.restore.id).last, self._run.engagement.now
        begun = attempt is not None and engaged is not None and attempt.started > engaged.at
        if begun and attempt is not None and attempt.outcome != "failed":
            raise StoppedError("The database's part has begun", "It is not called off any more.")
        await self._recorder.record(Kind.ROLLBACK_STOOD_DOWN, {"reason": reason.strip()}, decision=True)

    # Doing ---------------------------------------------------------------------------------------------------------

    async def go_on(self, started: Callable[[Attempt], None] = lambda attempt: None) -> NextStep:
        """Carry out line after line until one fails, wants a person, or the procedure is done; returns where it stands.

        Each line was shown in the plan that was confirmed, so none of them asks again. ``started`` hears of each.
        """
        engaged = self._run.engagement.now
        if engaged is None:
            raise StoppedError("No rollback was decided on", remedy="Decide in the wizard (B).")
        while True:
            self._demand_driver()
            stand = self.next()
            if stand.located is None or stand.stops:
                return stand
            item = stand.located.item
            arguments = self._arguments() if item.id == self.restore.id else None
            confirmation = Confirmation(2, engaged.typed, f"rollback: {engaged.reason}")
            alternative = self._hands.default_alternative(item.id)
            attempt = await self._hands.start(item.id, alternative, confirmation, arguments)
            started(attempt)
            await self._hands.finished(item.id, attempt.number)
            if self._run.record(item.id).last is attempt and attempt.running:
                return NextStep(stand.located, "its end could not be recorded")

    async def put_back(self, plan: Plan, reason: str, typed: str, by: str = "") -> Attempt:
        """Undo the swap, as a job of its own."""
        if plan.refusals:
            raise StoppedError("The failed database cannot be put back now", "\n".join(plan.refusals))
        arguments = {"reason": reason, "by": by or self._recorder.actor, "confirm": typed}
        return await self._hands.start(built_in.PUT_BACK, 0, self._typed(typed, reason), arguments)

    async def purge(self, plan: Plan, what: str, typed: str, dated: str) -> Attempt:
        """Drop a database that is kept aside, for good. ``what`` is failed or side."""
        if plan.refusals:
            raise StoppedError("This database cannot be purged now", "\n".join(plan.refusals))
        arguments = {"what": what, "confirm": typed, "dated": dated}
        return await self._hands.start(built_in.PURGE, 0, self._typed(typed, f"purge of {typed}"), arguments)

    # Inside --------------------------------------------------------------------------------------------------------

    @property
    def _run(self) -> Run:
        return self._recorder.run

    def _whole(self, means: Means | None) -> Means:
        return (self.given if means is None else means).within(str(self._project))

    @property
    def _at_desk(self) -> RollbackDesk:
        if self._desk is None:
            raise StoppedError("The databases cannot be looked at", self.unavailable)
        return self._desk

    def _demand_driver(self) -> None:
        situation = self._situation()
        if situation.read_only or not situation.driving:
            raise StoppedError("This console does not decide", "Another one drives, or this one is read-only.")
        if situation.broken:
            raise StoppedError("The journal cannot be written", situation.broken)

    def _demand_words(self, decided: Decided) -> None:
        if len(decided.reason.strip()) < REASON:
            raise UsageError(f"A reason of at least {REASON} characters is required")
        if not decided.by.strip():
            raise UsageError("Somebody decides to roll back", "The decision-maker's name is missing.")

    def _typed(self, typed: str, reason: str) -> Confirmation:
        """The tier's confirmation of a deed whose own name is typed, too, and compared by its command."""
        name = self._recorder.run.identity
        target = f"{name.get('database')}@{name.get('host')}:{name.get('port')}"
        return Confirmation(2, target if typed else "", reason)

    def _arguments(self) -> dict[str, str]:
        engaged = self._run.engagement.now
        assert engaged is not None
        given = {"strategy": engaged.strategy, "reason": engaged.reason, "by": engaged.decided_by}
        given |= {"confirm": engaged.typed, **engaged.means}
        return given | ({"last_resort": engaged.again} if engaged.again else {})

    async def _leave_out(self, decided: Decided) -> None:
        """Where the database stays as it is, its lines are not applicable, and say why."""
        reason = f"{decided.strategy.value}: the database is not put back by this program"
        for name in (*built_in.boxes(self.restore), self.restore.id):
            if self._run.record(name).state.value == "todo":
                try:
                    await self._hands.exclude(name, reason)
                except MigconsoleError as error:
                    self._recorder.trouble(error, "rollback")
