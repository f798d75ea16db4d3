"""Attempts: started with the intent on record, followed to their end whoever started them, judged, recorded once.

The running step belongs to no screen. A job lives in its own process and is found again by its directory; a query or
check is a task of this console, and a console that died over one leaves an interrupted, harmless, read-only attempt.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from migconsole.domain.checklist import Alternative, Checklist, Danger, Item, Job, Run
from migconsole.domain.events import Kind
from migconsole.domain.outcomes import JobOutcome
from migconsole.domain.run import Attempt
from migconsole.engine import findings
from migconsole.engine.doctoring import Doctor
from migconsole.engine.execution import SERVER_PATIENCE, Execution
from migconsole.engine.ports import JobPhase, Jobs, JobStatus, RunFiles
from migconsole.engine.recorder import Recorder
from migconsole.engine.resolve import Confirmation, Prepared
from migconsole.engine.verdicts import Outcome, judge_job, survivors
from migconsole.errors import JournalError, MigconsoleError, StoppedError

LINES_KEPT = 40
"""Lines of evidence that go into the journal itself; the whole is in the attempt's output file."""

RETRY = 1.0
"""Seconds until an end that could not be recorded is tried again: a full disk must not make an outcome unknown."""

SILENT = 60.0
"""Seconds without a heartbeat after which another console's question is not waited for any more."""

INTERACTIVE, BY_HAND = "interactive", "by hand"
"""Ways of executing an attempt that no console follows: it has the terminal, or a person does it elsewhere."""

Key = tuple[str, int]

Suspended = Callable[[list[str], Mapping[str, str], str], Awaitable[int]]
"""Gives a command the real terminal and returns its exit code: argv, environment, working directory."""


class Attempts:
    """Starts, follows, adopts and ends the attempts of one run."""

    def __init__(
        self,
        checklist: Checklist,
        recorder: Recorder,
        files: RunFiles,
        jobs: Jobs,
        execution: Execution,
        console: str,
        doctor: Doctor,
    ) -> None:
        self._checklist = checklist
        self._recorder = recorder
        self._files = files
        self._jobs = jobs
        self._execution = execution
        self._console = console
        self._doctor = doctor
        self._live: dict[Key, asyncio.Task[None]] = {}
        self._beginning: set[asyncio.Task[Attempt]] = set()
        self._busy: set[Key] = set()
        self._known: set[Key] = set()
        self._quiet: set[Key] = set()
        self._adopting = asyncio.Lock()
        self._closing = False

    # Start and end -------------------------------------------------------------------------------------------------

    def begin(
        self,
        item: Item,
        alternative: int,
        prepared: Prepared,
        confirmation: Confirmation,
        *,
        mode: str = "",
    ) -> asyncio.Task[Attempt]:
        """Record the intent, then execute, unless ``mode`` says who else does; it ends when the attempt is on its way.

        Shield it: what is on record is to be executed, whoever waits for it may go away.
        """
        if self._closing:
            raise StoppedError("This console is closing", "Nothing was started.")
        task = asyncio.create_task(self._begin(item, alternative, prepared, confirmation, mode))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)
        return task

    async def end(
        self, attempt: Attempt, outcome: Outcome, status: JobStatus | None = None, *, patient: bool = True
    ) -> None:
        """Record how an attempt ended; a second observer of the same end adds nothing.

        While the journal cannot be written it is tried again and again, unless the console closes or ``patient`` is
        False: then JournalError is raised, and whoever takes over finds the attempt without an end.
        """
        while True:
            try:
                await self._record_end(attempt, outcome, status)
                return
            except JournalError:
                if self._closing or not patient:
                    self._busy.discard(_key(attempt))
                    raise
            await asyncio.sleep(RETRY)

    async def finished(self, item_id: str, number: int) -> Attempt:
        """Wait for the end of an attempt that this console follows."""
        live = self._live.get((item_id, number))
        if live is not None:
            await asyncio.wait({live})
        return self._recorder.run.items[item_id].attempts[number - 1]

    def is_question(self, attempt: Attempt) -> bool:
        """Whether an attempt is a query or check, and no process."""
        return not attempt.has_process

    def give_up(self, attempt: Attempt) -> bool:
        """Give up a query or check of this console; False when it is not followed here."""
        live = self._live.get(_key(attempt))
        if live is None or not self.is_question(attempt):
            return False
        live.cancel()
        return True

    async def close(self) -> None:
        """Stop following. Jobs go on; queries and checks of this console end and are recorded as interrupted."""
        self._closing = True
        if self._beginning:
            await asyncio.wait(set(self._beginning))
        for task in list(self._live.values()):
            task.cancel()
        if self._live:
            await asyncio.wait(set(self._live.values()))

    async def idle(self) -> None:
        """Wait until every attempt that this console follows has ended."""
        while tasks := {*self._live.values(), *self._beginning}:
            await asyncio.wait(tasks)

    async def resize(self, rows: int, columns: int) -> None:
        """Tell every running job's terminal how large the output pane is."""
        self._execution.size = (rows, columns)
        for item, number in list(self._live):
            attempt = self._recorder.run.items[item].attempts[number - 1]
            if not self.is_question(attempt):
                await self._jobs.resize(self._execution.directory(attempt), rows, columns)

    # Take over -----------------------------------------------------------------------------------------------------

    async def adopt(self, present: Mapping[str, float]) -> list[Attempt]:
        """Take over every attempt without a recorded end: follow it, fold in its end, or name it unknown.

        ``present`` are other consoles that live, with the seconds since their last sign of it: a question or a
        terminal of theirs is theirs to end. What cannot be taken over is tried again the next time.
        """
        adopted = []
        async with self._adopting:
            for attempt in list(self._recorder.run.running()):
                key = _key(attempt)
                if key in self._live or key in self._busy or self._is_others(attempt, present) or attempt.by_hand:
                    # What a person executes elsewhere ends when a person says so.
                    continue
                try:
                    await self._adopt(attempt)
                except MigconsoleError as error:
                    self._recorder.trouble(error, "attempts")
                    continue
                adopted.append(attempt)
        return adopted

    def ended(self, attempt: Attempt) -> bool:
        """Whether the job of an attempt has ended by what lies in its directory, on record or not."""
        return self._jobs.probe(self._execution.directory(attempt)).phase is JobPhase.FINISHED

    async def settle(self, attempt: Attempt) -> None:
        """Judge a job that has ended and record its end, for a console that did not live to.

        Whoever else sees the same end may record it, too: it is on record once.
        """
        item = self._item(attempt.item)
        status = await asyncio.to_thread(self._jobs.probe, self._execution.directory(attempt))
        if item is not None and status.phase is JobPhase.FINISHED:
            outcome = await self._judged(item.steps[attempt.alternative], attempt, status)
            await self.end(attempt, outcome, status, patient=False)

    async def remains(self) -> tuple[str, ...]:
        """What may still be at work of attempts whose outcome is unknown: processes here, backends on the server."""
        found: list[str] = []
        for record in self._recorder.run.items.values():
            for attempt in record.attempts:
                unknown = attempt.outcome == "interrupted" and attempt.danger != Danger.READ
                if not unknown or self.is_question(attempt) or _key(attempt) in self._quiet:
                    continue
                status = await asyncio.to_thread(self._jobs.probe, self._execution.directory(attempt))
                left = [f"process {pid}" for pid in status.processes]
                left += await self._execution.backends(attempt)
                found += [f"{attempt.item} attempt {attempt.number}: {what}" for what in left]
                if not left:
                    self._quiet.add(_key(attempt))
        return tuple(found)

    # Inside --------------------------------------------------------------------------------------------------------

    async def _begin(
        self, item: Item, alternative: int, prepared: Prepared, confirmation: Confirmation, mode: str
    ) -> Attempt:
        step = item.steps[alternative].step
        number = len(self._recorder.run.record(item.id).attempts) + 1
        app_name = f"mc/{self._recorder.run.run_id[:8]}/{secrets.token_hex(4)}"
        data = {
            "item": item.id,
            "attempt": number,
            "alternative": alternative,
            "kind": step.action.kind,
            "job": step.action.name if isinstance(step.action, Job) else "",
            "danger": prepared.danger.value,
            "text": prepared.text,
            "app_name": app_name,
            "interactive": mode == INTERACTIVE,
            "by_hand": mode == BY_HAND,
            "console": self._console,
            "cwd": str(self._execution.cwd(prepared)),
            "environment": sorted({*prepared.exported, *prepared.exported_secrets}),
            "confirmed": confirmation.record(prepared),
            **({"arguments": dict(prepared.decided)} if prepared.decided else {}),
        }
        key = (item.id, number)
        self._busy.add(key)
        try:
            await self._recorder.record(Kind.ATTEMPT_STARTED, data, decision=True)
            last = self._recorder.run.record(item.id).last
            if last is None or last.app_name != app_name:
                raise StoppedError("It was not started", "The item changed meanwhile; look at it again.")
            self._known.add(key)
            if not mode and isinstance(step.action, Run | Job):
                self._follow(last, lambda: self._run_job(item, prepared, last))
            elif not mode:
                self._follow(last, lambda: self._run_question(item, prepared, last))
            return last
        finally:
            if mode != INTERACTIVE or key not in self._known:
                self._busy.discard(key)

    async def _record_end(self, attempt: Attempt, outcome: Outcome, status: JobStatus | None = None) -> None:
        await findings.record_facts(self._recorder, attempt, outcome)
        result = status.result if status else None
        data: dict[str, Any] = {
            "item": attempt.item,
            "attempt": attempt.number,
            "outcome": outcome.outcome,
            "reasons": list(outcome.reasons),
            "lines": list(outcome.lines[:LINES_KEPT]),
            "captured": dict(outcome.captured),
            "duration": outcome.duration,
            "size": outcome.size,
            "sha256": outcome.sha256,
            "survivors": list(survivors(status)) if status else [],
        }
        if result is not None:
            data |= {
                "exit_code": result.exit_code,
                "signal": result.signal,
                "duration": result.duration,
                "size": result.size,
                "sha256": result.sha256,
                "masked": result.masked,
                "ended": result.ended.replace("+00:00", "Z"),
                "timed_out": result.timed_out,
                "stopped_by": result.stopped_by,
            }
        key = f"attempt.ended:{attempt.item}:{attempt.number}"
        await self._recorder.record(Kind.ATTEMPT_ENDED, data, key=key)
        await findings.settle(self._recorder, self._item(attempt.item), attempt, outcome, self._doctor)
        self._busy.discard(_key(attempt))

    def _follow(self, attempt: Attempt, work: Callable[[], Awaitable[None]]) -> None:
        key = _key(attempt)

        async def run() -> None:
            try:
                await work()
            except MigconsoleError as error:
                self._recorder.trouble(error, "attempts")
            except Exception as error:  # a fault here must leave the attempt to be taken over, not the console
                fault = MigconsoleError("An attempt cannot be followed", f"{type(error).__name__}: {error}")
                self._recorder.trouble(fault, "attempts")
            else:
                self._recorder.trouble(None, "attempts")

        def gone(task: asyncio.Task[None]) -> None:
            if self._live.get(key) is task:
                del self._live[key]
            self._recorder.changed()

        self._live[key] = asyncio.create_task(run(), name=f"attempt {attempt.item} {attempt.number}")
        self._live[key].add_done_callback(gone)

    async def _run_job(self, item: Item, prepared: Prepared, attempt: Attempt) -> None:
        try:
            request = self._execution.request(self._recorder.run.run_id, item, prepared, attempt)
            await self._jobs.start(request)
        except MigconsoleError as error:
            status = await asyncio.to_thread(self._jobs.probe, self._execution.directory(attempt))
            if status.phase in (JobPhase.NOT_STARTED, JobPhase.REVOKED):
                await self.end(attempt, Outcome("failed", (error.title, *filter(None, (error.detail, error.remedy)))))
                return
        await self._await_job(item, attempt)

    async def _run_question(self, item: Item, prepared: Prepared, attempt: Attempt) -> None:
        began = time.monotonic()
        outcome = await self._execution.ask(item.steps[attempt.alternative].step, prepared)
        await self.end(attempt, await self._execution.keep(attempt, outcome, time.monotonic() - began))

    async def _await_job(self, item: Item, attempt: Attempt) -> None:
        spotting = asyncio.create_task(self._execution.spot(attempt), name=f"spot {attempt.item}")
        try:
            status = await self._jobs.wait(self._execution.directory(attempt))
        finally:
            spotting.cancel()
            await asyncio.gather(spotting, return_exceptions=True)
        outcome = await self._judged(item.steps[attempt.alternative], attempt, status, patience=SERVER_PATIENCE)
        await self.end(attempt, outcome, status)

    async def _judged(
        self, chosen: Alternative, attempt: Attempt, status: JobStatus, *, patience: float = 0.0
    ) -> Outcome:
        def left() -> JobOutcome | None:
            return self._files.outcome(attempt.item, attempt.number)

        def judge() -> Outcome:
            try:
                output = self._files.open_output(attempt.item, attempt.number)
                try:
                    return judge_job(chosen.step, attempt, status, output, left)
                finally:
                    if output is not None:
                        output.close()
            except Exception as error:  # it has ended, and what cannot be judged is not known
                return Outcome("interrupted", (f"its result cannot be judged: {type(error).__name__}: {error}",))

        outcome = await asyncio.to_thread(judge)
        stopped = bool(attempt.signals) or (status.result is not None and bool(status.result.stopped_by))
        never_began = status.phase in (JobPhase.NOT_STARTED, JobPhase.REVOKED)
        if stopped or (outcome.outcome == "interrupted" and not never_began):
            outcome = outcome.adding(await self._execution.server_says(attempt, patience=patience))
        return outcome

    async def _adopt(self, attempt: Attempt) -> None:
        item = self._item(attempt.item)
        if item is None or attempt.alternative >= len(item.steps):
            await self._record_end(attempt, Outcome("interrupted", ("the checklist no longer has this item",)))
            return
        if attempt.interactive or self.is_question(attempt):
            reason = "nobody follows it any more: its console ended, or gave it up; it only read, run it again"
            if attempt.interactive:
                reason = "the console ended while the command had the terminal; what it did is not known"
            says = await self._execution.server_says(attempt)
            await self._record_end(attempt, Outcome("interrupted", (reason,)).adding(says))
            return
        directory = self._execution.directory(attempt)
        status = await asyncio.to_thread(self._jobs.probe, directory)
        if status.phase is JobPhase.NOT_STARTED:
            await self._jobs.revoke(directory)
            status = await asyncio.to_thread(self._jobs.probe, directory)
        if status.phase is JobPhase.RUNNING:
            await self._record_adoption(attempt, status)
            self._follow(attempt, lambda: self._await_job(item, attempt))
            return
        outcome = await self._judged(item.steps[attempt.alternative], attempt, status)
        await self._record_end(attempt, outcome, status)

    def _is_others(self, attempt: Attempt, present: Mapping[str, float]) -> bool:
        if attempt.interactive:
            # Its console may be suspended under the command, and silent for as long as that takes.
            return attempt.console in present
        return self.is_question(attempt) and present.get(attempt.console, SILENT) < SILENT

    async def _record_adoption(self, attempt: Attempt, status: JobStatus) -> None:
        if _key(attempt) in self._known:
            return
        key = f"attempt.adopted:{attempt.item}:{attempt.number}:{self._console}"
        data = {"item": attempt.item, "attempt": attempt.number, "pid": status.pid, "console": self._console}
        await self._recorder.record(Kind.ATTEMPT_ADOPTED, data, key=key)
        self._known.add(_key(attempt))

    def _item(self, item_id: str) -> Item | None:
        walks = (*self._checklist.walk(), *self._checklist.walk_rollback())
        return next((located.item for located in walks if located.item.id == item_id), None)


def _key(attempt: Attempt) -> Key:
    return attempt.item, attempt.number
