"""Carrying a step out: the request for a job, the environment of a terminal, the question to the server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from migconsole.domain.checklist import Check, Danger, Item, Job, Run, Sql, Step
from migconsole.domain.inherited import inherited
from migconsole.domain.run import Attempt
from migconsole.engine.ports import Database, JobRequest, RunFiles, Surroundings
from migconsole.engine.resolve import Prepared
from migconsole.engine.verdicts import Outcome, judge_check
from migconsole.errors import MigconsoleError, StoppedError, TargetError

READ_TIMEOUT = 30.0
"""Seconds after which a query or check without a timeout of its own is given up: reads must not hang a war room."""

LOCK_TIMEOUT = 2.0
"""Seconds a check of ours waits for a lock: a read that queues longer would hold up everyone behind it."""

GRACE = 5.0
"""Seconds that the server's own time limit has before the console gives up waiting for it."""

SERVER_PATIENCE = 10.0
"""Seconds for which the server is asked again whether what was stopped has ended: a cancelled statement rolls back."""

SERVER_PAUSE = 0.5
"""Seconds between two such questions."""

SPOT_FIRST, SPOT_LAST = 0.3, 5.0
"""Seconds until a running command's backends are first looked for, doubled each time up to the second figure."""

LOOK = 1.0
"""Seconds that a stop signal waits at most for the server to say what it would stop."""

RUN = "MIGCONSOLE_RUN"
"""The environment variable that tells a command the directory of its run: for copying the evidence elsewhere."""


class Execution:
    """What attempts need from the outside, built from the surroundings of one run."""

    def __init__(self, files: RunFiles, database: Database, surroundings: Surroundings) -> None:
        self._files = files
        self._database = database
        self._surroundings = surroundings
        self._seen: set[str] = set()
        self.size = (40, 120)

    def directory(self, attempt: Attempt) -> Path:
        """Where an attempt's files lie."""
        return self._files.attempt(attempt.item, attempt.number)

    def cwd(self, prepared: Prepared) -> Path:
        """The working directory of a command."""
        return self._surroundings.project / prepared.cwd

    def request(self, run_id: str, item: Item, prepared: Prepared, attempt: Attempt) -> JobRequest:
        """What a detached job is told. Raises JournalError when its directory cannot be made."""
        step = item.steps[attempt.alternative].step
        action = step.action
        assert isinstance(action, Run | Job)
        environment, hidden = self._environment(step, prepared)
        return JobRequest(
            run_id=run_id,
            item=item.id,
            attempt=attempt.number,
            directory=self.directory(attempt),
            script=action.script if isinstance(action, Run) else "",
            cwd=self.cwd(prepared),
            app_name=attempt.app_name,
            danger=prepared.danger.value,
            environment={name: value for name, value in environment.items() if name not in hidden},
            secrets=hidden,
            masks=self._surroundings.masks,
            tty=step.tty,
            rows=self.size[0],
            columns=self.size[1],
            timeout=step.timeout if prepared.danger is Danger.READ else None,
            kind=action.name if isinstance(action, Job) else "shell",
            arguments=prepared.arguments,
            run=str(self._files.path) if isinstance(action, Job) else "",
        )

    def terminal_environment(self, step: Step, prepared: Prepared, attempt: Attempt) -> dict[str, str]:
        """The whole environment of a command that is given the real terminal."""
        environment, hidden = self._environment(step, prepared)
        return {**inherited(self._surroundings.environment), **environment, **hidden, "PGAPPNAME": attempt.app_name}

    async def ask(self, step: Step, prepared: Prepared) -> Outcome:
        """Put a query or check to the server and judge the answer. Never raises; being cancelled is an outcome."""
        limit = step.timeout or READ_TIMEOUT
        whole = limit * max(1, len(prepared.statements)) + GRACE
        try:
            async with asyncio.timeout(whole):
                if isinstance(step.action, Sql):
                    wait = step.lock_timeout or LOCK_TIMEOUT
                    result = await self._database.query(prepared.statements, limit=limit, lock_timeout=wait)
                elif isinstance(step.action, Check):
                    result = await self._database.check(step.action.name, prepared.arguments)
                else:
                    raise StoppedError(f"The action “{step.action.kind}” cannot be run")
            return judge_check(step, result)
        except asyncio.CancelledError:
            return Outcome("interrupted", ("given up by the operator or by the end of this console; it only read",))
        except TimeoutError:
            return Outcome("failed", (f"no answer within {whole:.0f} s",))
        except MigconsoleError as error:
            return Outcome("failed", tuple(filter(None, (error.title, error.detail, error.remedy))))
        except Exception as error:  # whatever a probe stumbles over is no pass, and must not leave the item running
            return Outcome("failed", (f"the check itself broke: {type(error).__name__}: {error}",))

    async def keep(self, attempt: Attempt, outcome: Outcome, duration: float) -> Outcome:
        """Write the evidence of a query or check; without room for it, it is no pass."""
        redact = self._surroundings.redact
        lines = [redact(line) for line in (*outcome.lines, *(f"! {reason}" for reason in outcome.reasons))]
        try:
            size, digest = await asyncio.to_thread(self._files.write_output, attempt.item, attempt.number, lines)
        except MigconsoleError as error:
            word = "asks" if outcome.outcome == "passed" else outcome.outcome
            why = f"its evidence could not be kept: {error.title}"
            return outcome.because(word, why).measured(duration, 0, "")
        return outcome.measured(duration, size, digest)

    async def look(self, attempt: Attempt) -> None:
        """See which backends carry an attempt's name while they are there: only then does their absence mean much."""
        try:
            async with asyncio.timeout(LOOK):
                if await self._database.ours(attempt.app_name):
                    self._seen.add(attempt.app_name)
        except (TimeoutError, TargetError):
            return

    async def spot(self, attempt: Attempt) -> None:
        """Look for a running command's backends until one was seen; to be cancelled when the command ends."""
        pause = SPOT_FIRST
        while attempt.app_name not in self._seen:
            await asyncio.sleep(pause)
            await self.look(attempt)
            pause = min(pause * 2, SPOT_LAST)

    async def server_says(self, attempt: Attempt, *, patience: float = 0.0) -> tuple[str, ...]:
        """What the server itself still runs for an attempt; "unknown" where it cannot be asked, never zero."""
        if not attempt.app_name or not attempt.has_process:
            return ()
        try:
            backends = await self._remaining(attempt, patience)
        except TargetError as error:
            return (f"whether the server still runs something of it is unknown: {error.title}",)
        if backends:
            return tuple(f"backend {b['pid']} still runs on the server: {b['state']}, {b['query']}" for b in backends)
        if attempt.app_name in self._seen:
            return ("0 of its backends remain on the server (found by application name)",)
        return (
            "no backend on the server carries its application name; whether a program that sets a name of its own "
            "still runs something there is unknown",
        )

    async def backends(self, attempt: Attempt) -> tuple[str, ...]:
        """The backends that carry an attempt's name now, in words; "unknown" where the server cannot be asked."""
        try:
            return tuple(f"backend {b['pid']} ({b['state']})" for b in await self._database.ours(attempt.app_name))
        except TargetError as error:
            return (f"unknown, the server cannot be asked: {error.title}",)

    async def _remaining(self, attempt: Attempt, patience: float) -> list[Mapping[str, object]]:
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        while True:
            backends = list(await self._database.ours(attempt.app_name))
            if backends:
                self._seen.add(attempt.app_name)
            if not backends or loop.time() >= until:
                return backends
            await asyncio.sleep(SERVER_PAUSE)

    def _environment(self, step: Step, prepared: Prepared) -> tuple[dict[str, str], dict[str, str]]:
        """What a child is given on top of the bare environment: what may be written down, and what may not."""
        environment = {**self._surroundings.child_environment, **prepared.exported, RUN: str(self._files.path)}
        hidden = {**self._surroundings.child_secrets, **prepared.exported_secrets}
        if step.lock_timeout is not None:
            options = environment.get("PGOPTIONS", "")
            environment["PGOPTIONS"] = f"{options} -c lock_timeout={int(step.lock_timeout * 1000)}".strip()
        if step.url == "original":
            hidden |= self._surroundings.originals
        return environment, hidden
