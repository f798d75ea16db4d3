"""What ``migconsole rollback``, ``put-back`` and ``purge`` do: survey, plan, and with the right words, the deed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migconsole.adapters.jobs.outcomes import JobOutcome, write_outcome
from migconsole.domain.rollback_deeds import (
    purge_plan,
    put_back_plan,
    rollback_plan,
    unfence_plan,
    without_verifying,
)
from migconsole.domain.rollback_means import Means
from migconsole.domain.rollback_options import options
from migconsole.domain.rollback_plan import Deed, Outcome, Plan, StepReport, Strategy, Verdict
from migconsole.domain.rollback_state import State
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.rollback_verified import LIMIT, Proof
from migconsole.errors import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_STOPPED,
    EXIT_UNKNOWN,
    UsageError,
)
from migconsole.wiring import rollback_lines
from migconsole.wiring.desk import looked_at
from migconsole.wiring.rolling_back import Rolling, Wanted, rolling


@dataclass(frozen=True, slots=True)
class Command:
    """What was asked for. ``what`` is which database a purge drops: failed or side."""

    wanted: Wanted
    deed: Deed = Deed.ROLLBACK
    strategy: Strategy | None = None
    what: str = "failed"
    only_plan: bool = False
    reason: str = ""
    by: str = ""
    confirm: str = ""
    dated: str = ""
    last_resort: str = ""
    script: Path | None = None
    keep_failed: Path | None = None
    old_app: str = ""
    jobs: int = 1
    verify: bool = True
    verify_limit: float = LIMIT

    @property
    def means(self) -> Means:
        """What was named for the ways that need it."""
        script, keep = str(self.script or ""), str(self.keep_failed or "")
        return looked_at(Means(script=script, keep=keep, old_app=self.old_app.strip()))


@dataclass(slots=True)
class Said:
    """What is printed: lines as they come, or one JSON object in the end."""

    say: Callable[[str], None]
    as_json: bool = False
    data: dict[str, Any] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def lines(self, lines: Any) -> None:
        """Plain lines, silent for JSON."""
        if not self.as_json:
            for line in lines:
                self.say(line)

    def report(self, report: StepReport) -> None:
        """News of a step."""
        self.steps.append(
            {"step": report.step, "title": report.title, "course": report.course.value, "seconds": report.seconds}
            | ({"lines": list(report.lines)} if report.lines else {})
        )
        self.lines([rollback_lines.report_line(report)])


async def run(command: Command, said: Said) -> int:
    """Carry a command out; the exit code of the design's section 9. Raises MigconsoleError before anything is done."""
    async with rolling(command.wanted) as it:
        survey = await it.survey()
        said.data["survey"] = rollback_lines.survey_data(survey)
        said.lines(rollback_lines.survey_lines(survey))
        done = _done_already(command, survey)
        if done:
            await it.settle(survey)
            said.lines([done])
            said.data["outcome"] = {"verdict": "nothing", "reason": done}
            return EXIT_OK
        plan = _plan(command, survey, said)
        if plan is None:
            return EXIT_STOPPED
        said.data["plan"] = rollback_lines.plan_data(plan)
        said.lines(["", *rollback_lines.plan_lines(plan)])
        if plan.refusals or plan.by_hand or command.only_plan:
            return EXIT_STOPPED if plan.refusals or plan.by_hand else EXIT_OK
        if missing := _unconfirmed(command, plan):
            said.lines(["", *missing])
            said.data["missing"] = missing
            return EXIT_STOPPED
        outcome = await _execute(command, it, survey, plan, said)
        said.data["outcome"] = rollback_lines.outcome_data(outcome)
        said.lines(["", *rollback_lines.outcome_lines(outcome)])
        _tell_job(outcome)
        return exit_code(outcome)


def exit_code(outcome: Outcome) -> int:
    """0 done · 1 failed, or not what it was to be · 3 given up with everything as it was · 4 unknown.

    Differences that clients can have written do not make a failure: a person is told of them.
    """
    found = outcome.verification
    if outcome.well and found is not None and found.proof is Proof.DIFFERS and not found.explained:
        return EXIT_FAILED
    if outcome.well and outcome.verdict is not Verdict.UNFENCED:
        return EXIT_OK
    if outcome.verdict is Verdict.UNKNOWN:
        return EXIT_UNKNOWN
    if outcome.verdict is Verdict.UNFENCED:
        return EXIT_FAILED if outcome.reason else EXIT_OK
    return EXIT_STOPPED if outcome.verdict in (Verdict.CANCELLED, Verdict.NOTHING) else EXIT_FAILED


def _done_already(command: Command, survey: Survey) -> str:
    """Whether the server shows that what is asked for has happened: then nothing is done a second time."""
    state = survey.situation.state
    if command.deed is Deed.ROLLBACK and state is State.SWAPPED and command.strategy in (None, Strategy.SWAP):
        return f"Already swapped: {survey.situation.means}."
    if command.deed is Deed.ROLLBACK and state is State.REPLACED and command.strategy is Strategy.IN_PLACE:
        return f"Already restored: {survey.situation.means}."
    return ""


def _plan(command: Command, survey: Survey, said: Said) -> Plan | None:
    if command.deed is Deed.PUT_BACK:
        return put_back_plan(survey)
    if command.deed is Deed.UNFENCE:
        return unfence_plan(survey)
    if command.deed is Deed.PURGE:
        return purge_plan(survey, survey.names.side if command.what == "side" else survey.names.failed)
    table = options(survey, command.means)
    said.data["options"] = [rollback_lines.option_data(option) for option in table]
    said.lines(["", *rollback_lines.option_lines(table)])
    strategy = command.strategy
    if strategy is None:
        possible = [option.strategy for option in table if option.feasible and option.strategy in _DEFAULTS]
        if not possible:
            said.lines(["", "None of the ways that this program carries out is possible now."])
            return None
        strategy = possible[0]
    plan = rollback_plan(survey, strategy, command.means, jobs=command.jobs)
    return plan if command.verify else without_verifying(plan)


_DEFAULTS = (Strategy.SWAP, Strategy.SIDE_RESTORE)
"""What is taken when no strategy is named; the others are never taken without being named."""


def _unconfirmed(command: Command, plan: Plan) -> list[str]:
    """What still has to be typed, as lines; nothing when all of it was."""
    missing = []
    if plan.deed in (Deed.ROLLBACK, Deed.PUT_BACK) and not command.reason.strip():
        missing.append("A reason is needed: --reason TEXT")
    if command.confirm != plan.confirm:
        given = f" (given was {command.confirm})" if command.confirm else ""
        missing.append(f"Nothing was done. To do it: --confirm {plan.confirm}{given}")
    if plan.dated and command.dated != plan.dated:
        missing.append(f"What is dropped is of {plan.dated}: --dated {plan.dated}")
    if plan.twice and command.last_resort != plan.confirm:
        missing.append(f"There is no way back from this one; confirm it twice: --last-resort {plan.confirm}")
    return missing


async def _execute(command: Command, it: Rolling, survey: Survey, plan: Plan, said: Said) -> Outcome:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    said.lines(["", "ctrl+c stops it before the point of no return; after it, it goes on to its end."])
    try:
        return await it.execute(
            plan,
            survey,
            reason=command.reason,
            by=command.by,
            report=said.report,
            cancelled=stop.is_set,
            verify_limit=command.verify_limit,
        )
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _tell_job(outcome: Outcome) -> None:
    """As a job of a run: its outcome for whoever judges the attempt."""
    found = outcome.verification
    line = found.line if found is not None else ""
    reasons = tuple(filter(None, (f"the server has it: {outcome.verdict}", outcome.reason, line)))
    values = {"verdict": outcome.verdict.value}
    values |= {"outage": outcome.outage} if outcome.outage is not None else {}  # type: ignore[dict-item]
    if found is not None:
        values |= {"verification": found.proof.value}
    passed = "passed" if found is None or found.green else "asks"
    verdict = passed if outcome.well and exit_code(outcome) == EXIT_OK else "failed"
    write_outcome(JobOutcome(verdict, reasons=reasons, lines=found.lines if found is not None else (), values=values))


def checked(command: Command) -> Command:
    """The command, or UsageError when its parts do not go together."""
    if command.strategy is Strategy.REVERT and command.script is None:
        raise UsageError("--strategy revert needs --script FILE")
    if command.wanted.run and command.wanted.options.target and command.wanted.owner:
        raise UsageError("A run knows its own restore point: leave --owner out")
    return command
