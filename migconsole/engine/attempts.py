"""Attempts: started with the intent on record, followed to their end whoever started them, judged, recorded once.

The running step belongs to no screen. A job lives in its own process and is found again by its directory; a query or
check is a task of this console, and a console that died over one leaves an interrupted, harmless, read-only attempt.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from migconsole.domain.checklist import Alternative, Check, Checklist, Danger, Item, Run, Sql, Step
from migconsole.domain.events import Kind
from migconsole.domain.run import Attempt
from migconsole.engine.ports import CheckResult, Database, JobPhase, JobRequest, Jobs, JobStatus, RunFiles, Surroundings
from migconsole.engine.recorder import Recorder
from migconsole.engine.resolve import Confirmation, Prepared
from migconsole.engine.verdicts import Outcome, judge_check, judge_job, survivors
from migconsole.errors import MigconsoleError, StoppedError, TargetError

READ_TIMEOUT = 30.0
"""Seconds after which a query or check without a timeout of its own is given up: reads must not hang a war room."""

LOCK_TIMEOUT = 2.0
"""Seconds a check of ours waits for a lock: a read that queues longer would hold up everyone behind it."""

LINES_KEPT = 40
"""Lines of evidence that go into the journal itself; the whole is in the attempt's output file."""


@dataclass(slots=True)
class _Live:
    attempt: Attempt
    task: asyncio.Task[None]


class Attempts:
    """Starts, follows, adopts and ends the attempts of one run."""

    def __init__(
        self,
        checklist: Checklist,
        recorder: Recorder,
        files: RunFiles,
        jobs: Jobs,
        database: Database,
        surroundings: Surroundings,
    ) -> None:
        self._checklist = checklist
        self._recorder = recorder
        self._files = files
        self._jobs = jobs
        self._database = database
        self._surroundings = surroundings
        self._live: dict[tuple[str, int], _Live] = {}
        self.size = (40, 120)

    async def start(
        self, item: Item, alternative: int, prepared: Prepared, confirmation: Confirmation, *, interactive: bool = False
    ) -> Attempt:
        """Record the intent, then execute. Returns as soon as the attempt is on its way."""
        step = item.steps[alternative].step
        number = len(self._recorder.run.record(item.id).attempts) + 1
        app_name = f"mc/{self._recorder.run.run_id[:8]}/{secrets.token_hex(4)}"
        data = {
            "item": item.id,
            "attempt": number,
            "alternative": alternative,
            "kind": step.action.kind,
            "danger": prepared.danger.value,
            "text": prepared.text,
            "app_name": app_name,
            "interactive": interactive,
            "cwd": self._cwd(step.cwd),
            "environment": sorted(
                {
                    *prepared.exported,
                    *prepared.exported_secrets,
                }
            ),
            "confirmed": {"tier": confirmation.tier, "typed": confirmation.typed, "reason": confirmation.reason},
        }
        await self._recorder.record(Kind.ATTEMPT_STARTED, data, decision=True)
        attempt = self._recorder.run.items[item.id].attempts[-1]
        if interactive:
            return attempt
        if isinstance(step.action, Run):
            request = self._request(item, alternative, prepared, attempt)
            self._follow(attempt, self._run_job(item, alternative, request))
        else:
            self._follow(attempt, self._run_query(item, alternative, prepared, attempt))
        return attempt

    async def adopt(self) -> list[Attempt]:
        """Take over every attempt without a recorded end: follow it, fold in its end, or name it unknown."""
        adopted = []
        for attempt in list(self._recorder.run.running()):
            if (attempt.item, attempt.number) in self._live:
                continue
            adopted.append(attempt)
            await self._adopt(attempt)
        return adopted

    async def finished(self, item_id: str, number: int) -> Attempt:
        """Wait for an attempt's end."""
        live = self._live.get((item_id, number))
        if live is not None:
            await asyncio.shield(live.task)
        return self._recorder.run.items[item_id].attempts[number - 1]

    async def end(self, attempt: Attempt, outcome: Outcome, status: JobStatus | None = None) -> None:
        """Record how an attempt ended; the second observer of the same end adds nothing."""
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
                "ended": result.ended,
                "timed_out": result.timed_out,
            }
        key = f"attempt.ended:{attempt.item}:{attempt.number}"
        await self._recorder.record(Kind.ATTEMPT_ENDED, data, key=key)

    def cancel(self, attempt: Attempt) -> bool:
        """Give up a query or check of this console; False when the attempt is not one."""
        live = self._live.get((attempt.item, attempt.number))
        if live is None or attempt.kind == "run":
            return False
        live.task.cancel()
        return True

    async def close(self) -> None:
        """Stop following. Jobs go on; queries and checks of this console end and are recorded as interrupted."""
        for live in list(self._live.values()):
            live.task.cancel()
        await asyncio.gather(*(live.task for live in self._live.values()), return_exceptions=True)

    async def idle(self) -> None:
        """Wait until every attempt that this console follows has ended."""
        while self._live:
            await asyncio.gather(*(live.task for live in list(self._live.values())), return_exceptions=True)

    async def resize(self, rows: int, columns: int) -> None:
        """Tell every running job's terminal how large the output pane is."""
        self.size = (rows, columns)
        for live in list(self._live.values()):
            if live.attempt.kind == "run":
                await self._jobs.resize(self._directory(live.attempt), rows, columns)

    def _follow(self, attempt: Attempt, work: Awaitable[None]) -> None:
        key = (attempt.item, attempt.number)

        async def run() -> None:
            try:
                await work
            except MigconsoleError as error:
                self._recorder.trouble(error)
            finally:
                self._live.pop(key, None)
                self._recorder.changed()

        self._live[key] = _Live(attempt, asyncio.create_task(run(), name=f"attempt {attempt.item} {attempt.number}"))

    def _directory(self, attempt: Attempt) -> Any:
        return self._files.attempt(attempt.item, attempt.number)

    def _cwd(self, cwd: str) -> str:
        return str(self._surroundings.project / cwd)

    def _request(self, item: Item, alternative: int, prepared: Prepared, attempt: Attempt) -> JobRequest:
        step = item.steps[alternative].step
        action = step.action
        assert isinstance(action, Run)
        environment, hidden = self._environment(step, prepared)
        limit = step.timeout if prepared.danger is Danger.READ else None
        return JobRequest(
            run_id=self._recorder.run.run_id,
            item=item.id,
            attempt=attempt.number,
            directory=self._directory(attempt),
            script=action.script,
            cwd=self._surroundings.project / step.cwd,
            app_name=attempt.app_name,
            danger=prepared.danger.value,
            environment={name: value for name, value in environment.items() if name not in hidden},
            secrets=hidden,
            masks=self._surroundings.masks,
            tty=step.tty,
            rows=self.size[0],
            columns=self.size[1],
            timeout=limit,
        )

    def _environment(self, step: Step, prepared: Prepared) -> tuple[dict[str, str], dict[str, str]]:
        """What a child is given on top of the bare environment: what may be written down, and what may not."""
        environment = {**self._surroundings.child_environment, **prepared.exported}
        hidden = {**self._surroundings.child_secrets, **prepared.exported_secrets}
        if step.lock_timeout is not None:
            options = environment.get("PGOPTIONS", "")
            environment["PGOPTIONS"] = f"{options} -c lock_timeout={int(step.lock_timeout * 1000)}".strip()
        if step.url == "original":
            hidden |= self._surroundings.originals
        return environment, hidden

    def terminal_environment(self, step: Step, prepared: Prepared, attempt: Attempt) -> dict[str, str]:
        """The whole environment of a command that is given the real terminal."""
        environment, hidden = self._environment(step, prepared)
        inherited = {
            name: value
            for name, value in self._surroundings.environment.items()
            if not name.startswith("PG") and name not in ("DATABASE_URL", "DIRECT_URL")
        }
        return {**inherited, **environment, **hidden, "PGAPPNAME": attempt.app_name}

    async def _run_job(self, item: Item, alternative: int, request: JobRequest) -> None:
        attempt = self._recorder.run.items[item.id].attempts[request.attempt - 1]
        try:
            await self._jobs.start(request)
        except MigconsoleError as error:
            await self.end(attempt, Outcome("failed", (error.title, *filter(None, (error.detail, error.remedy)))))
            return
        await self._await_job(item, alternative, attempt)

    async def _await_job(self, item: Item, alternative: int, attempt: Attempt) -> None:
        directory = self._directory(attempt)
        status = await self._jobs.wait(directory)
        await self._conclude(item.steps[alternative], attempt, status)

    async def _conclude(self, chosen: Alternative, attempt: Attempt, status: JobStatus) -> None:
        output = self._files.open_output(attempt.item, attempt.number)
        try:
            outcome = await asyncio.to_thread(judge_job, chosen.step, attempt, status, output)
        finally:
            if output is not None:
                output.close()
        if outcome.outcome == "interrupted" or attempt.signals:
            outcome = outcome.adding(await self.server_says(attempt))
        await self.end(attempt, outcome, status)

    async def server_says(self, attempt: Attempt) -> tuple[str, ...]:
        """What the server itself still runs for an attempt; "unknown" where it cannot be asked, never zero."""
        if not attempt.app_name or attempt.kind != "run":
            return ()
        try:
            backends = await self._database.ours(attempt.app_name)
        except TargetError as error:
            return (f"whether the server still runs something of it is unknown: {error.title}",)
        if not backends:
            return ("0 of its backends remain on the server (found by application name)",)
        return tuple(f"backend {b['pid']} still runs on the server: {b['state']}, {b['query']}" for b in backends)

    async def _adopt(self, attempt: Attempt) -> None:
        item = self._item(attempt.item)
        if item is None or attempt.alternative >= len(item.steps):
            await self.end(attempt, Outcome("interrupted", ("the checklist no longer has this item",)))
            return
        chosen = item.steps[attempt.alternative]
        if attempt.interactive or attempt.kind != "run":
            reason = "the console ended while it ran; a read-only check changes nothing, run it again"
            if attempt.interactive:
                reason = "the console ended while the command had the terminal; what it did is not known"
            await self.end(attempt, Outcome("interrupted", (reason,)).adding(await self.server_says(attempt)))
            return
        directory = self._directory(attempt)
        status = await asyncio.to_thread(self._jobs.probe, directory)
        if status.phase is JobPhase.NOT_STARTED:
            if await self._jobs.revoke(directory):
                reason = "it never began: the console ended before its job claimed the attempt, nothing was executed"
                await self.end(attempt, Outcome("interrupted", (reason,)))
                return
            status = await asyncio.to_thread(self._jobs.probe, directory)
        if status.phase is JobPhase.RUNNING:
            key = f"attempt.adopted:{attempt.item}:{attempt.number}:{self._recorder.run.head}"
            data = {"item": attempt.item, "attempt": attempt.number, "pid": status.pid}
            await self._recorder.record(Kind.ATTEMPT_ADOPTED, data, key=key)
            self._follow(attempt, self._await_job(item, attempt.alternative, attempt))
            return
        await self._conclude(chosen, attempt, status)

    def _item(self, item_id: str) -> Item | None:
        walks = (*self._checklist.walk(), *self._checklist.walk_rollback())
        return next((located.item for located in walks if located.item.id == item_id), None)

    async def _run_query(self, item: Item, alternative: int, prepared: Prepared, attempt: Attempt) -> None:
        step = item.steps[alternative].step
        began = time.monotonic()
        result: CheckResult | None = None
        limit = step.timeout or READ_TIMEOUT
        try:
            async with asyncio.timeout(limit + 5):
                if isinstance(step.action, Sql):
                    wait = step.lock_timeout or LOCK_TIMEOUT
                    result = await self._database.query(prepared.statements, limit=limit, lock_timeout=wait)
                elif isinstance(step.action, Check):
                    result = await self._database.check(step.action.name, prepared.arguments)
                else:
                    raise StoppedError(f"The action “{step.action.kind}” cannot be run")
            outcome = judge_check(step, result)
        except asyncio.CancelledError:
            outcome = Outcome("interrupted", ("given up by the operator or by the end of this console; it only read",))
        except TimeoutError:
            outcome = Outcome("failed", (f"no answer within {limit + 5:.0f} s",))
        except MigconsoleError as error:
            outcome = Outcome("failed", tuple(filter(None, (error.title, error.detail, error.remedy))))
        lines = [self._surroundings.redact(line) for line in (*outcome.lines, *(f"! {r}" for r in outcome.reasons))]
        size, digest = await asyncio.to_thread(self._files.write_output, attempt.item, attempt.number, lines)
        await self.end(attempt, outcome.measured(time.monotonic() - began, size, digest))


Suspended = Callable[[list[str], Mapping[str, str], str], Awaitable[int]]
"""Gives a command the real terminal and returns its exit code: argv, environment, working directory."""
