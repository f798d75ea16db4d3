"""The rollback procedure without a screen: decided with what was typed on the command line, then line after line.

It is the same decision and the same procedure as the wizard's; it stops wherever a person is needed, and never guesses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from migconsole.domain.checklist import Answer
from migconsole.domain.items import ItemState
from migconsole.domain.procedure import NextStep
from migconsole.domain.rollback_plan import Plan, Strategy
from migconsole.domain.run import Attempt
from migconsole.engine.backing_out import Decided
from migconsole.engine.headless import Permissions
from migconsole.engine.session import Session
from migconsole.errors import EXIT_FAILED, EXIT_OK, EXIT_STOPPED, EXIT_UNKNOWN, MigconsoleError, StoppedError


@dataclass(frozen=True, slots=True)
class BackOut:
    """What was said of the rollback. ``strategy`` None takes the checklist's preference; ``again`` is the second
    confirmation of the last resort; ``old_app`` how it is known that the old version runs on the new schema, "" for
    what the checklist says."""

    reason: str
    by: str = ""
    strategy: Strategy | None = None
    again: str = ""
    old_app: str = ""


class HeadlessRollback:
    """Carries a session through its rollback procedure; ``say`` gets one line per item."""

    def __init__(self, session: Session, allowed: Permissions, back_out: BackOut, say: Callable[[str], None]) -> None:
        self._session = session
        self._allowed = allowed
        self._back_out = back_out
        self._say = say

    async def run(self) -> int:
        """Decide, unless that was done before, and carry out; returns the exit code. The reason for a stop was said."""
        session = self._session
        if not session.driving:
            raise StoppedError("Another console drives this run", remedy="Wait until it ends, or let it hand over.")
        try:
            engaged = session.run.engagement.now is not None and session.rollback.next().located is not None
            if not engaged and not await self._decide():
                return EXIT_STOPPED
            return await self._carry_out()
        except MigconsoleError as error:
            self._say(str(error))
            return error.exit_code

    async def _decide(self) -> bool:
        """Look, plan, and put the decision on record; False when something still has to be said or is in the way."""
        rollback, said = self._session.rollback, self._back_out
        means = replace(rollback.given, old_app=said.old_app) if said.old_app else rollback.given
        survey = await rollback.survey(means)
        strategy = said.strategy or rollback.proposed(rollback.options(survey, means))
        plan = rollback.plan(survey, strategy, means)
        self._say(f"way back: {strategy.value}, {plan.title}")
        for line in plan.loses:
            self._say(f"    loses: {line}")
        for warning in plan.warnings:
            self._say(f"    note: {warning}")
        lacking = self._lacking(plan)
        for line in (*plan.refusals, *lacking):
            self._say(line)
        if plan.refusals or lacking:
            return False
        by = said.by or self._session.actor
        await rollback.engage(plan, Decided(strategy, said.reason, by, self._allowed.confirm, said.again, means=means))
        return True

    def _lacking(self, plan: Plan) -> list[str]:
        lacking = []
        if self._allowed.confirm != plan.confirm:
            lacking.append(f"Nothing was done. To do it: --confirm {plan.confirm}")
        if plan.twice and self._back_out.again != plan.confirm:
            lacking.append(f"There is no way back from this one; confirm it twice: --last-resort {plan.confirm}")
        return lacking

    async def _carry_out(self) -> int:
        rollback = self._session.rollback
        while True:
            begun: list[Attempt] = []
            stand = await rollback.go_on(begun.append)
            for attempt in begun:
                self._tell(attempt)
            if stand.located is None:
                self._say(stand.stops)
                return EXIT_OK
            if not await self._as_person(stand):
                return self._stopped(stand)

    async def _as_person(self, stand: NextStep) -> bool:
        """Do a person's line where that was said beforehand; what the restore asks is never answered so."""
        assert stand.located is not None
        item, session = stand.located.item, self._session
        record = session.run.record(item.id)
        if not stand.person or record.state.problem or item.id == session.rollback.restore.id:
            return False
        if isinstance(item.steps[0].step.action, Answer):
            value = self._allowed.answers.get(item.id, "")
            if not value:
                return False
            await session.answer(item.id, value, self._allowed.attest_all)
        elif self._allowed.attest_all:
            await session.attest(item.id, note=self._allowed.attest_all)
        else:
            return False
        self._say(f"{session.run.record(item.id).state.ascii_glyph} {item.title}")
        return True

    def _stopped(self, stand: NextStep) -> int:
        assert stand.located is not None
        item = stand.located.item
        self._say(f"“{item.title}” ({item.id}): {stand.stops}")
        state = self._session.run.record(item.id).state
        codes = {ItemState.FAILED: EXIT_FAILED, ItemState.INTERRUPTED: EXIT_UNKNOWN, ItemState.RUNNING: EXIT_UNKNOWN}
        return codes.get(state, EXIT_STOPPED)

    def _tell(self, attempt: Attempt) -> None:
        record = self._session.run.record(attempt.item)
        title = self._session.located(attempt.item).item.title
        self._say(f"{record.state.ascii_glyph} {record.state.value:<14} {title}")
        for line in (*attempt.reasons, *attempt.lines[:5]):
            self._say(f"      {line}")
