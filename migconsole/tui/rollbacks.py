"""What the rollback commands do: ask why, look, show the wizard, and carry on with what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migconsole.domain.engagement import REASON
from migconsole.domain.lifecycle import RunState
from migconsole.domain.procedure import NextStep
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.run import Attempt
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.backing_out import Decided
from migconsole.engine.session import Session
from migconsole.errors import StoppedError
from migconsole.tui.commands import Context
from migconsole.tui.format import Clock
from migconsole.tui.screens.dialogs.base import Choice, ChoiceDialog, Field, FormDialog, at_least
from migconsole.tui.screens.main import MainScreen
from migconsole.tui.screens.rollback import RollbackScreen
from migconsole.tui.screens.rollback.confirm import RollbackConfirm

if TYPE_CHECKING:
    from migconsole.tui.exits import Exits


class Rollbacks:
    """The part of the operations that goes back. ``_session`` comes from the half that decides about items."""

    _app: Exits
    _screen: MainScreen
    _clock: Clock

    @property
    def _session(self) -> Session:
        return self._screen.session

    async def rollback(self, context: Context) -> None:
        """The wizard; where a rollback was decided on, it goes on with the next line instead."""
        if self._session.run.engagement.now is not None:
            if self._session.rollback.next().located is not None:
                await self._carry_on()
                return
            if await self._end_as_rolled_back():
                return
        await self._decide()

    async def _decide(self) -> None:
        """Why, the wizard, the decision, and its first lines."""
        said = await self._why()
        if said is None:
            return
        survey = await self._looked()
        wizard: RollbackScreen = RollbackScreen(self._session, survey, said["reason"], said["by"], self._clock)
        decided: Decided | None = await self._app.ask(wizard)
        if decided is None:
            self._app.toast("Nothing was decided; nothing was changed.")
            return
        if decided.means != self._session.rollback.given:
            survey = await self._session.rollback.survey(decided.means)
        plan = self._session.rollback.plan(survey, decided.strategy, decided.means)
        await self._session.rollback.engage(plan, decided)
        await self._go_on()

    async def call_off(self, context: Context) -> None:
        """Call a rollback off before the database was changed."""
        reason = await self._ask_reason("Call the rollback off", "Why is it not rolled back after all?", REASON)
        if reason is not None:
            await self._session.rollback.stand_down(reason)
            self._app.toast("The rollback was called off.")

    async def put_back(self, context: Context) -> None:
        """Undo the swap, with the name typed."""
        reason = await self._ask_reason(
            "Put the failed database back", "Why? What was written since the swap stays in the side database.", REASON
        )
        if reason is None:
            return
        survey = await self._looked()
        plan = self._session.rollback.put_back_plan(survey)
        if plan.refusals:
            raise StoppedError("The failed database cannot be put back now", "\n".join(plan.refusals))
        typed = await self._app.ask(RollbackConfirm(plan, reason, self._session.actor, self._clock))
        if typed is None:
            return
        attempt = await self._session.rollback.put_back(plan, reason, typed[0])
        self._screen.output.show(attempt.item, attempt.number)
        self._screen.go_pane("output")

    async def purge(self, context: Context) -> None:
        """Drop a database that is kept aside, with its name and its date typed."""
        survey = await self._looked()
        kept = {"failed": survey.failed, "side": survey.side}
        choices = [
            Choice(what, what[0], sanitise_line(row.name), f"{row.sessions} sessions, kept since {_since(row)}", True)
            for what, row in kept.items()
            if row is not None
        ]
        if not choices:
            raise StoppedError("There is nothing to purge", "Neither a failed nor a side database is kept aside.")
        back = Choice("", "b", "drop nothing")
        text = "What is dropped is gone. Which of the databases that are kept aside is not needed any more?"
        what = await self._app.ask(ChoiceDialog("Purge", text, [back, *choices], self._clock))
        row = kept.get(what or "")
        if not what or row is None:
            return
        plan = self._session.rollback.purge_plan(survey, row.name)
        if plan.refusals:
            raise StoppedError("This database cannot be purged now", "\n".join(plan.refusals))
        typed = await self._app.ask(RollbackConfirm(plan, "", self._session.actor, self._clock))
        if typed is None:
            return
        attempt = await self._session.rollback.purge(plan, what, typed[0], typed[1])
        self._screen.output.show(attempt.item, attempt.number)
        self._screen.go_pane("output")

    # Inside --------------------------------------------------------------------------------------------------------

    async def _why(self) -> dict[str, str] | None:
        fields = [
            Field("reason", "reason, as it will be told", self._session.tripwires.reason(), check=at_least(REASON)),
            Field("by", "who decides", self._session.actor, check=at_least(2)),
        ]
        text = (
            "This only opens the wizard: it looks, and shows what would be lost, which ways there are, and the exact "
            "plan. Nothing is done before the target's name is typed."
        )
        return await self._app.ask(FormDialog("Roll back", text, fields, self._clock, danger=True))

    async def _ask_reason(self, title: str, question: str, minimum: int) -> str | None:
        form = FormDialog(
            title, question, [Field("reason", "reason", check=at_least(minimum))], self._clock, danger=True
        )
        said = await self._app.ask(form)
        return None if said is None else said["reason"]

    async def _looked(self) -> Survey:
        self._app.hint("looking at the databases …")
        survey = await self._session.rollback.survey()
        self._app.hint("")
        return survey

    async def _carry_on(self) -> None:
        """Go on with the rollback that was decided on: what the next line is, and that it is meant."""
        engaged, stand = self._session.run.engagement.now, self._session.rollback.next()
        assert engaged is not None
        if stand.stops or stand.located is None:
            self._stands(stand)
            return
        title = sanitise_line(stand.located.item.title)
        text = (
            f"Decided by {sanitise_line(engaged.decided_by)}: {sanitise(engaged.reason, 400)}\n\n"
            f"Strategy {sanitise_line(engaged.strategy)}. Next: “{title}”."
        )
        choices = [
            Choice("stay", "b", "not now"),
            Choice("go", "y", "go on", "line after line, until one fails or wants a person", True),
        ]
        if await self._app.ask(ChoiceDialog("The rollback", text, choices, self._clock)) == "go":
            await self._go_on()

    async def _go_on(self) -> None:
        """Carry on behind the main screen, which shows every line as it is done."""
        self._screen.go_pane("output")
        stand = await self._session.rollback.go_on(self._began)
        self._stands(stand)
        if stand.located is None:
            await self._end_as_rolled_back()

    async def _end_as_rolled_back(self) -> bool:
        """The procedure is done: ask whether the run ends with it; False when another rollback is wanted."""
        ending, engaged = RunState.ROLLED_BACK, self._session.run.engagement.now
        if engaged is None or self._session.conduct.refuse_end(ending):
            return False
        text = (
            "Every line of the rollback procedure is dealt with. An ended run takes no more work of the way forward; "
            "putting back, purging, notes and signatures it does."
        )
        choices = [
            Choice("later", "b", "not yet", "E ends it later"),
            Choice("end", "y", "end the run as rolled back", "it is asked who says so", True),
            Choice("again", "w", "another rollback", "opens the wizard", True),
        ]
        answer = await self._app.ask(ChoiceDialog("The rollback is done", text, choices, self._clock))
        if answer != "end":
            return answer != "again"
        fields = [
            Field("person", "ended by", self._session.actor, check=at_least(1)),
            Field("reason", "reason", engaged.reason, check=at_least(REASON)),
        ]
        said = await self._app.ask(FormDialog(f"End · {ending.value}", text, fields, self._clock, danger=True))
        if said is not None:
            await self._session.conduct.end(ending, said["person"], said["reason"])
        return True

    def _began(self, attempt: Attempt) -> None:
        self._screen.steps.go(attempt.item)
        self._screen.output.show(attempt.item, attempt.number)

    def _stands(self, stand: NextStep) -> None:
        """Show where the procedure stands; what a person does is done in the checklist, not in the output."""
        if stand.located is None:
            self._app.hint("the rollback procedure is done; E ends the run as rolled back")
            return
        item = stand.located.item.id
        self._screen.stand_on(item)
        if stand.person:
            self._screen.go_pane("tree")
        text = f"rollback: {sanitise_line(stand.stops, 200)}; then B goes on"
        self._app.hint(text, lambda: not self._session.run.record(item).state.settled)


def _since(row: object) -> str:
    marker = getattr(row, "marker", None)
    return (
        sanitise_line(f"{marker.at[:16].replace('T', ' ')} UTC")
        if marker is not None and marker.at
        else "an unknown time"
    )
