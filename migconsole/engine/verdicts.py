"""From what an attempt left behind to its outcome: exit 0 alone never counts as a pass."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from migconsole.domain import commands
from migconsole.domain.checklist import Danger, Job, Sql, Step
from migconsole.domain.expectation import Judgement, Observation, evaluate, patterns
from migconsole.domain.outcomes import JobOutcome, captured_names
from migconsole.domain.patterns import compile_pattern, first_lines
from migconsole.domain.run import Attempt
from migconsole.domain.text import sanitise
from migconsole.engine.ports import CheckResult, JobPhase, JobResult, JobStatus, Output
from migconsole.errors import EXIT_UNKNOWN, EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: ``outcome`` is a key of domain.run.OUTCOME_MOVES, ``lines`` the evidence for a person.

    ``facts`` (kind, key, data) are what a built-in job found out, to be recorded with its end.
    """

    outcome: str
    reasons: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    captured: Mapping[str, str] = field(default_factory=dict)
    duration: float | None = None
    size: int | None = None
    sha256: str = ""
    facts: tuple[Mapping[str, Any], ...] = ()

    def adding(self, lines: tuple[str, ...]) -> Outcome:
        """The same with more evidence."""
        return replace(self, lines=(*self.lines, *lines))

    def because(self, outcome: str, reason: str) -> Outcome:
        """Another outcome, with one more reason."""
        return replace(self, outcome=outcome, reasons=(*self.reasons, reason))

    def measured(self, duration: float, size: int, sha256: str) -> Outcome:
        """The same with how long it took and what its output file holds."""
        return replace(self, duration=duration, size=size, sha256=sha256)


Left = Callable[[], JobOutcome | None]
"""Reads what a built-in job left; raises ValueError when it cannot be believed."""


def judge_job(step: Step, attempt: Attempt, status: JobStatus, output: Output | None, left: Left) -> Outcome:
    """Judge a command by its exit, its output and the expectation, a built-in job by what it ``left`` as well.

    Reads files, so call it off the loop.
    """
    if isinstance(step.action, Job):
        ended = status.result is not None and status.result.exit_code is not None
        # One that was told to stop, cleaned up and said what it leaves behind is no unknown.
        speaks = ended and _outcome(left) is not None
        judge = partial(judge_built_in, step, attempt, left=left)
        outcome = _with_facts(_judged(step, attempt, status, judge, speaks=speaks), left)
        died = status.phase not in (JobPhase.NOT_STARTED, JobPhase.REVOKED) and outcome.outcome != "passed"
        if died and _outcome(left) is None and attempt.job in commands.AFTER_DEATH:
            outcome = outcome.because(outcome.outcome, commands.AFTER_DEATH[attempt.job])
    else:
        outcome = _judged(step, attempt, status, lambda result: _judged_output(step, result, output))
    return outcome.adding(tuple(f"still running after the command ended: {name}" for name in survivors(status)))


def survivors(status: JobStatus) -> tuple[str, ...]:
    """Processes of a job that are there although the job has ended: its own record of them, else what was found."""
    if status.result is not None:
        return status.result.survivors
    return tuple(f"pid {pid}" for pid in status.processes)


def _judged(
    step: Step,
    attempt: Attempt,
    status: JobStatus,
    judge: Callable[[JobResult], Outcome],
    *,
    speaks: bool = False,
) -> Outcome:
    result = status.result
    if status.phase in (JobPhase.NOT_STARTED, JobPhase.REVOKED):
        why = "it never began: its console ended before the job claimed the attempt, nothing was executed"
        return Outcome("interrupted", (why,))
    if status.phase is not JobPhase.FINISHED or result is None:
        return Outcome("interrupted", (status.reason or "its job ended without leaving a result",))
    mutating = attempt.danger != Danger.READ
    if result.exit_code is None and result.signal is None:
        return Outcome("failed", (result.error or "it could not be executed",))
    if result.timed_out:
        return Outcome("failed", (f"no end within {step.timeout:g} s; it was stopped",))
    # A stop by PANIC, or by another console while the journal could not be written, is known to the job alone.
    stopped = attempt.signals[-1] if attempt.signals else result.stopped_by
    if result.signal is not None or (stopped and result.exit_code != 0 and not speaks):
        after = f" after a stop ({stopped})" if stopped else ""
        how = f"ended by signal {result.signal}" if result.signal is not None else f"exit {result.exit_code}"
        if mutating:
            return Outcome("interrupted", (f"{how}{after}: what it changed before is not known",))
        return Outcome("failed", (f"{how}{after}",))
    outcome = judge(result)
    if stopped and outcome.outcome == "passed":
        return outcome.because("asks", f"a stop was sent while it ran ({stopped}): was all of it done?")
    return outcome


def _judged_output(step: Step, result: JobResult, output: Output | None) -> Outcome:
    missing = _incomplete(result, output)
    matched = _matched(step, output, whole=not missing)
    captured, missed = _captured(step, output)
    observation = Observation(exit_code=result.exit_code, matched=matched)
    judgement = evaluate(step.expect, (observation,)) if step.expect else Judgement(None)
    reasons = [*judgement.reasons, *missed]
    if missing:
        reasons.append(f"the output is incomplete: {missing}")
    expects_exit = step.expect is not None and any(c.key == "exit" for c in step.expect.conditions)
    if result.exit_code != 0 and not expects_exit:
        reasons.insert(0, f"exit {result.exit_code}")
        return Outcome("failed", tuple(reasons), captured=captured)
    if judgement.passed is False:
        return Outcome("failed", tuple(reasons), captured=captured)
    if judgement.passed is None or missing:
        if step.expect is None:
            reasons.append("exit 0, and nothing was declared that it must show: did it do what it should?")
        return Outcome("asks", tuple(reasons), captured=captured)
    return Outcome("passed", tuple(reasons), captured=captured)


def judge_built_in(step: Step, attempt: Attempt, result: JobResult, left: Left) -> Outcome:
    """Judge a built-in job by its exit code, what it says of itself, and the expectation over its values.

    Each can only make it worse, but for one: what a job leaves open is answered by what was declared, as with a check.
    """
    try:
        said = left()
    except ValueError as error:
        return _unsaid(attempt, result, str(error))
    if said is None:
        return _unsaid(attempt, result, "it left no outcome behind")
    lines, captured = tuple(said.lines), captured_names(attempt.job, said.captured)
    reasons = tuple(said.reasons)
    if result.exit_code == EXIT_UNKNOWN:
        return Outcome("interrupted", reasons or ("it does not know what came of it",), lines, captured)
    if said.verdict == "failed" or result.exit_code != 0:
        # Stopped at a person, and failed for a reason, are both the job's own words; exit and verdict that contradict
        # each other are named.
        more = (f"exit {result.exit_code}",) if result.exit_code != 0 else ()
        return Outcome("failed", (*reasons, *more), lines, captured)
    judgement = evaluate(step.expect, (Observation(0, values=said.values),)) if step.expect else Judgement(None)
    if judgement.passed is False:
        return Outcome("failed", (*judgement.reasons, *reasons), lines, captured)
    if step.expect is None:
        return Outcome(said.verdict, reasons, lines, captured)
    word = "passed" if judgement.passed else "asks"
    return Outcome(word, (*judgement.reasons, *reasons), lines, captured)


def _unsaid(attempt: Attempt, result: JobResult, why: str) -> Outcome:
    """A job that says nothing of itself is never a pass; one that changes things may have changed anything."""
    exit_code = f"exit {result.exit_code}"
    # Before it did anything, the command line itself was refused; that is the one end that needs no outcome.
    if attempt.danger == Danger.READ or result.exit_code == EXIT_USAGE:
        return Outcome("failed", (exit_code, why))
    return Outcome("interrupted", (exit_code, f"{why}: what it changed is not known"))


def _outcome(left: Left) -> JobOutcome | None:
    try:
        return left()
    except ValueError:
        return None


def _with_facts(outcome: Outcome, left: Left) -> Outcome:
    """What a job found out is recorded however it ended: a proof that failed is a fact, too."""
    said = _outcome(left)
    return outcome if said is None else replace(outcome, facts=tuple(said.facts))


def judge_check(step: Step, result: CheckResult) -> Outcome:
    """Judge a query or check by the expectation; without one a check's own opinion counts, a query asks a person."""
    if step.expect is not None:
        judgement = evaluate(step.expect, result.observations)
        # A query that was cut cannot be judged by its rows; a check's open question is answered by what was declared.
        if judgement.passed is not False and result.reason and isinstance(step.action, Sql):
            judgement = Judgement(None, (*judgement.reasons, result.reason))
    else:
        reason = result.reason or "nothing was declared that the result must show: is this what it should be?"
        judgement = Judgement(result.judgement, () if result.judgement else (reason,))
    word = {True: "passed", False: "failed", None: "asks"}[judgement.passed]
    return Outcome(word, judgement.reasons, result.lines)


def terminal_outcome(attempt: Attempt, code: int) -> Outcome:
    """How a command that had the terminal ended: nobody captured what it showed, so it is never a pass."""
    seen = "it had the terminal: interactive, not captured"
    if code == 0:
        return Outcome("asks", ("exit 0", seen))
    how = f"ended by signal {-code}" if code < 0 else f"exit {code}"
    # 128 + n is what a shell says of a command that a signal ended, ctrl+c for one.
    if (code < 0 or code > 128) and attempt.danger != Danger.READ:
        return Outcome("interrupted", (f"{how}: what it changed before is not known", seen))
    return Outcome("failed", (how, seen))


def _incomplete(result: JobResult, output: Output | None) -> str:
    """Why the output cannot be taken for all that the command wrote, or "": what is not there proves nothing."""
    if result.error:
        return result.error
    if output is None:
        return "its file is gone" if result.size else ""
    _settled(output)
    if output.note:
        return output.note
    if not output.complete:
        return "it is too large to be read in a minute"
    if output.size != result.size:
        return f"its file has {output.size} bytes, the job wrote {result.size}"
    return ""


def _settled(output: Output) -> None:
    deadline = time.monotonic() + 60
    output.grow(0.5)
    while not output.complete and time.monotonic() < deadline:
        output.grow(0.5)


def _matched(step: Step, output: Output | None, *, whole: bool) -> dict[str, bool]:
    """Which patterns the output holds; from one that is not whole, only those that were found are known."""
    found: dict[str, bool] = {}
    for pattern in patterns(step.expect) if step.expect else ():
        try:
            hit = output is not None and output.find(pattern.encode(), 0) is not None
        except re.error:  # legal in a text, not in bytes, such as \u00e9
            continue
        if hit or whole:
            found[pattern] = hit
    return found


def _captured(step: Step, output: Output | None) -> tuple[dict[str, str], list[str]]:
    """The first group of the last match of each capture, and a reason for each that matched nothing."""
    captured: dict[str, str] = {}
    missed: list[str] = []
    for name, pattern in step.capture.items():
        found = None
        if output is not None:
            _settled(output)
            number = output.find(pattern.encode(), max(0, len(output) - 1), backwards=True)
            if number is not None:
                text = first_lines(sanitise(output.line(number).decode("utf-8", "replace")))
                matches = list(compile_pattern(pattern).finditer(text))
                found = (matches[-1][1] if matches[-1].re.groups else matches[-1][0]) if matches else None
        if found is None:
            missed.append(f"nothing in the output matches what “{name}” is captured with")
        else:
            captured[name] = found
    return captured, missed
