"""Carrying out what was planned for the databases: on record before each act, read back from the server after it.

One connection does all of it and holds the operator lock. When it is lost, the lock is gone too; a new one is taken
only once the server has ended the old one, so that what is read then is final.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from migconsole.domain.rollback import half_dropped
from migconsole.domain.rollback_deeds import swap_plan
from migconsole.domain.rollback_plan import Act, Course, Deed, Outcome, Plan, PlanStep, StepReport, Strategy, Verdict
from migconsole.domain.rollback_survey import Survey
from migconsole.engine.rollback_ledger import Decision, Ledger, words
from migconsole.engine.rollback_looking import compare, look
from migconsole.engine.rollback_ports import Keeper, Operator, PowerLostError, RollbackServer, Surroundings
from migconsole.engine.rollback_verifying import due, verify
from migconsole.errors import JournalError, MigconsoleError, StoppedError, TargetError, UnknownOutcomeError

PATIENCE = 30.0
"""Seconds to wait for sessions to end, and for a server that went away to come back."""

STATEMENT_LIMIT = 60.0
"""Seconds for one statement that changes a name or a property; far above the swap's lock_timeout."""

DROP_LIMIT = 3600.0
"""Seconds for a DROP DATABASE: it removes the files, which takes long where there are many."""

PAUSE = 0.02

AGAIN = "Run the same command again: it reads the server"

Report = Callable[[StepReport], None]

_VERDICTS = {
    Deed.PUT_BACK: Verdict.PUT_BACK,
    Deed.PURGE: Verdict.PURGED,
    Deed.UNFENCE: Verdict.UNFENCED,
}
_BY_STRATEGY = {Strategy.IN_PLACE: Verdict.RESTORED, Strategy.REVERT: Verdict.REVERTED}


class CancelledByPersonError(StoppedError):
    """Somebody asked to stop, before the point of no return."""


class Deeds:
    """Carries out plans. ``monotonic`` measures; everything else of time is the server's."""

    def __init__(
        self,
        server: RollbackServer,
        keeper: Keeper,
        surroundings: Surroundings,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._keeper = keeper
        self._surroundings = surroundings
        self._monotonic = monotonic

    async def survey(self) -> Survey:
        """Look at everything; raises TargetError when the server cannot be asked."""
        return await self._server.survey()

    async def execute(self, plan: Plan, survey: Survey, decision: Decision, report: Report) -> Outcome:
        """Carry a plan out to its end, or undo what can be undone; the outcome is what the server says.

        Raises StoppedError when it may not begin, JournalError when it cannot be put on record: nothing has been
        changed then.
        """
        if plan.refusals:
            raise StoppedError(f"{plan.title}: not possible now", "\n".join(plan.refusals))
        if plan.by_hand or not plan.steps:
            raise StoppedError(f"{plan.title} is done by hand", "This program only shows its commands.")
        operator = self._server.operator()
        holder = await operator.take()
        if holder is not None:
            await operator.close()
            raise StoppedError(
                "Somebody else is changing this database",
                f"The operator lock is held by {holder}.",
                "Watch with --plan; when that session ends, so does its lock.",
            )
        execution = _Execution(self, plan, survey, decision, report, operator)
        try:
            outcome = await execution.run()
        finally:
            await execution.operator.close()
        return await self._verified(outcome, plan, survey, decision, report) if due(plan, outcome.verdict) else outcome

    async def _verified(
        self, outcome: Outcome, plan: Plan, survey: Survey, decision: Decision, report: Report
    ) -> Outcome:
        """With clients let in and the lock let go: what the content is. It never changes what has happened."""
        found = await verify(self._surroundings, plan, survey, decision, report)
        try:
            await Ledger(self._keeper, plan, survey, decision).verified(found)
        except JournalError as error:
            found = replace(found, notes=(*found.notes, f"this is not on record: {words(error)}"))
        return replace(outcome, verification=found)

    # -- for one execution ---------------------------------------------------------------------------------------------

    @property
    def server(self) -> RollbackServer:
        """The server's side."""
        return self._server

    @property
    def keeper(self) -> Keeper:
        """The record."""
        return self._keeper

    @property
    def surroundings(self) -> Surroundings:
        """Hooks, watcher, programs."""
        return self._surroundings

    def now(self) -> float:
        """Monotonic seconds."""
        return self._monotonic()


class _Execution:
    """One deed, from the first step to its verdict."""

    def __init__(
        self, deeds: Deeds, plan: Plan, survey: Survey, decision: Decision, report: Report, operator: Operator
    ) -> None:
        self.operator = operator
        self._deeds = deeds
        self._plan = plan
        self._survey = survey
        self._decision = decision
        self._report = report
        self._ledger = Ledger(deeds.keeper, plan, survey, decision)
        self._begun: list[PlanStep] = []
        self._committed = False
        self._shut: float | None = None
        self._opened: float | None = None

    async def run(self) -> Outcome:
        began = self._deeds.now()
        await self._ledger.started()
        try:
            for step in self._plan.steps:
                await self._step(step)
            if self._plan.strategy is Strategy.SIDE_RESTORE:
                for step in await self._swap_after_restore():
                    await self._step(step)
        except UnknownOutcomeError as error:
            outcome = Outcome(Verdict.UNKNOWN, words(error), next=(error.remedy or AGAIN,))
        except MigconsoleError as error:
            outcome = await self._given_up(error)
        else:
            outcome = Outcome(self._verdict())
        seconds = self._deeds.now() - began
        outage = self._opened - self._shut if self._opened is not None and self._shut is not None else None
        outcome = Outcome(outcome.verdict, outcome.reason, outage, seconds, outcome.next)
        return await self._ledger.ended(outcome, await self._oid())

    async def _oid(self) -> int:
        try:
            app = (await self.operator.rows()).get(self._survey.names.app)
        except MigconsoleError:
            return 0
        return app.oid if app is not None else 0

    async def _swap_after_restore(self) -> tuple[PlanStep, ...]:
        """The swap is planned by what the server has after the restore; the lock that is seen is our own."""
        self._survey = replace(await self._deeds.survey(), holder=None)
        plan = swap_plan(self._survey)
        if plan.refusals:
            raise StoppedError("The restored database cannot be swapped in", "\n".join(plan.refusals))
        return plan.steps

    def _verdict(self) -> Verdict:
        if self._plan.deed is Deed.ROLLBACK:
            return _BY_STRATEGY.get(self._plan.strategy or Strategy.SWAP, Verdict.SWAPPED)
        return _VERDICTS[self._plan.deed]

    # -- one step ------------------------------------------------------------------------------------------------------

    async def _step(self, step: PlanStep) -> None:
        if not self._committed and self._decision.cancelled():
            raise CancelledByPersonError("Cancelled before the point of no return", f"Before: {step.title}.")
        if step.act in (Act.HAND, Act.VERIFY):
            return
        await self._ledger.stepped(step, Course.BEGAN)
        self._tell(step, Course.BEGAN)
        self._begun.append(step)
        if step.outage and self._shut is None:
            self._shut = self._deeds.now()
        began = self._deeds.now()
        try:
            await self._act(step)
        except PowerLostError as error:
            await self._quietly(step, Course.UNKNOWN, words(error))
            self._tell(step, Course.UNKNOWN, lines=("UNKNOWN: reading the server",))
            if not await self._happened(step, error):
                raise TargetError("The connection was lost, and the step did not happen", step.title) from error
        except MigconsoleError as error:
            await self._quietly(step, Course.FAILED, words(error))
            self._tell(step, Course.FAILED, lines=(words(error),))
            raise
        if step.no_return:
            self._committed = True
        if step.outage:
            self._opened = self._deeds.now()
        # Before the point of no return a journal that broke ends the deed; after it the deed goes on.
        if self._committed:
            await self._quietly(step, Course.DONE)
        else:
            await self._ledger.stepped(step, Course.DONE)
        self._tell(step, Course.DONE, self._deeds.now() - began)

    async def _act(self, step: PlanStep) -> None:
        if step.destructive:
            await compare(self.operator, step)
        on_server = {
            Act.CHECK: self._look,
            Act.STATEMENTS: self._statements,
            Act.TRANSACTION: self._transaction,
            Act.SESSIONS: self._end_sessions,
            Act.READ_BACK: self._read_back,
        }
        await on_server.get(step.act, self._around)(step)

    async def _around(self, step: PlanStep) -> None:
        """What is not SQL on the operator's connection."""

        def say(lines: Sequence[str]) -> None:
            self._tell(step, Course.BEGAN, lines=tuple(lines))

        surroundings = self._deeds.surroundings
        if step.act is Act.HOOK:
            await surroundings.hook(step.command, say)
        elif step.act is Act.WATCHER:
            if said := await surroundings.watcher(away=step.id == "watcher-away"):
                say((said,))
        elif step.act is Act.PROGRAM:
            await surroundings.program(step, say)
        else:
            await surroundings.restore(step, self._survey, say)

    async def _statements(self, step: PlanStep) -> None:
        for number, statement in enumerate(step.statements):
            if number:
                await compare(self.operator, step)
            await self.operator.execute(statement, DROP_LIMIT if statement.startswith("DROP") else STATEMENT_LIMIT)

    async def _look(self, step: PlanStep) -> None:
        await look(self.operator, step, strict=self._plan.deed is Deed.PURGE)

    async def _transaction(self, step: PlanStep) -> None:
        """Separate statements on one connection: only what was sent whole, and committed, has happened."""
        first, *middle, last = step.statements
        await self.operator.execute(first, STATEMENT_LIMIT)
        try:
            for statement in middle:
                await self.operator.execute(statement, STATEMENT_LIMIT)
            differences = await self.operator.differences(step.after)
            if differences:
                raise StoppedError("Somebody changed a name in between", "\n".join(differences))
        except PowerLostError:
            raise
        except MigconsoleError:
            await self.operator.execute("ROLLBACK", STATEMENT_LIMIT)
            raise
        await self.operator.execute(last, STATEMENT_LIMIT)

    async def _end_sessions(self, step: PlanStep) -> None:
        deadline = self._deeds.now() + PATIENCE
        while left := await self.operator.end_sessions(step.database):
            if self._deeds.now() > deadline:
                raise TargetError(
                    f"Sessions of {step.database} do not end", "\n".join(left), "End them, or have a superuser do it."
                )
            if self._decision.cancelled():
                raise CancelledByPersonError("Cancelled before the point of no return", f"During: {step.title}.")
            await asyncio.sleep(PAUSE)

    async def _read_back(self, step: PlanStep) -> None:
        differences = await self.operator.differences(step.expects)
        if differences:
            raise UnknownOutcomeError("The server does not have what was sent", "\n".join(differences))

    # -- when things go wrong ------------------------------------------------------------------------------------------

    async def _happened(self, step: PlanStep, lost: PowerLostError) -> bool:
        """With the power back: whether the step has happened, by what the server has now.

        The lock is only to be had once the old connection's backend is gone, so nothing can change afterwards.
        """
        await self._take_again(lost)
        if step.no_return and (name := half_dropped(step.expects, await self.operator.rows())):
            self._committed = True
            raise TargetError(f"The DROP of {name} was cut off: its data is gone, only its end is left") from lost
        if step.act in (Act.CHECK, Act.READ_BACK):
            await self._act(step)
            return True
        if step.after and not await self.operator.differences(step.after):
            return True
        if step.destructive and not step.after:
            return False
        if step.expects and await self.operator.differences(step.expects):
            raise UnknownOutcomeError(
                "The server has neither what was before nor what was to be",
                "\n".join(await self.operator.differences(step.after or step.expects)),
            ) from lost
        return False

    async def _take_again(self, lost: PowerLostError) -> None:
        deadline = self._deeds.now() + PATIENCE
        while True:
            await self.operator.close()
            self.operator = self._deeds.server.operator()
            try:
                holder = await self.operator.take()
            except MigconsoleError as error:
                holder, why = None, words(error)
            else:
                why = f"the operator lock is held by {holder}"
                if holder is None:
                    return
            if self._deeds.now() > deadline:
                raise UnknownOutcomeError("The outcome cannot be read from the server", why) from lost
            await asyncio.sleep(PAUSE * 10)

    async def _given_up(self, error: MigconsoleError) -> Outcome:
        """Undo what was begun, as long as nothing irrevocable was; say what the server has in the end."""
        why = words(error)
        if self._committed:
            return Outcome(Verdict.FAILED, why, next=("Go on forward: run the same command again",))
        left: list[str] = []
        undone = False
        for step in reversed(self._begun):
            if not (step.undo or step.undo_hook or step.id == "watcher-away"):
                continue
            try:
                await self._undo(step)
            except MigconsoleError as trouble:
                left.append(f"{step.undoing or step.title}: {words(trouble)}")
            else:
                undone = undone or bool(step.undo)
        if left:
            return Outcome(Verdict.FAILED, why, next=tuple(left))
        cancelled = isinstance(error, CancelledByPersonError)
        if self._plan.deed is Deed.UNFENCE:
            return Outcome(Verdict.FAILED, why)
        if undone:
            self._opened = self._deeds.now()
        verdict = Verdict.CANCELLED if cancelled else Verdict.UNFENCED if undone else Verdict.NOTHING
        return Outcome(verdict, why)

    async def _undo(self, step: PlanStep) -> None:
        surroundings = self._deeds.surroundings
        if step.undo_hook:
            await surroundings.hook(step.undo_hook, lambda lines: None)
        if step.id == "watcher-away":
            await surroundings.watcher(away=False)
        for statement in step.undo:
            try:
                await compare(self.operator, step)
                await self.operator.execute(statement, STATEMENT_LIMIT)
            except PowerLostError as lost:
                await self._take_again(lost)
                await compare(self.operator, step)
                await self.operator.execute(statement, STATEMENT_LIMIT)
        await self._quietly(step, Course.UNDONE)
        self._tell(step, Course.UNDONE)

    async def _quietly(self, step: PlanStep, course: Course, why: str = "") -> None:
        """What happened has happened: a journal that is full must not keep the database fenced."""
        try:
            await self._ledger.stepped(step, course, why)
        except JournalError as error:
            self._tell(step, course, lines=(f"not on record: {words(error)}",))

    def _tell(self, step: PlanStep, course: Course, seconds: float | None = None, lines: tuple[str, ...] = ()) -> None:
        self._report(StepReport(step.id, step.title, course, seconds, lines, step.no_return))
