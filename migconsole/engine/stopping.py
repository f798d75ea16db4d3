"""Stopping a running attempt for real: a ladder of rungs, each recorded before it is used, the last ones asked for.

SIGINT comes first because psql and libpq tools cancel their statement on it; a client that is terminated or killed
leaves its statement running on the server. The second rung asks the server itself, by application name. Both only end
what the attempt started, so the second follows by itself; SIGTERM and SIGKILL need a person's yes.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from migconsole.domain.events import Kind
from migconsole.domain.procedure import DEEDS
from migconsole.domain.run import Attempt
from migconsole.engine.attempts import Attempts
from migconsole.engine.execution import Execution
from migconsole.engine.ports import Database, Jobs, StopRung
from migconsole.engine.recorder import Recorder
from migconsole.errors import JournalError, MigconsoleError, StoppedError, TargetError

LADDER = (StopRung.INTERRUPT, StopRung.CANCEL_BACKEND, StopRung.TERMINATE, StopRung.KILL)

WAITS = {StopRung.INTERRUPT: 5.0, StopRung.CANCEL_BACKEND: 10.0, StopRung.TERMINATE: 10.0, StopRung.KILL: 10.0}
"""Seconds that a rung is given before the next is offered."""


@dataclass(frozen=True, slots=True)
class StopState:
    """Where on the ladder a running attempt is. ``next_at`` is monotonic seconds; ``asks``: the next needs a yes."""

    item: str
    attempt: int
    sent: tuple[str, ...]
    next_rung: StopRung | None
    next_at: float | None
    asks: bool
    message: str


class Stopper:
    """Walks the ladder for each attempt that is being stopped."""

    def __init__(
        self, recorder: Recorder, attempts: Attempts, jobs: Jobs, database: Database, execution: Execution
    ) -> None:
        self._recorder = recorder
        self._attempts = attempts
        self._jobs = jobs
        self._database = database
        self._execution = execution
        self._sent: dict[tuple[str, int], tuple[str, ...]] = {}
        self._sent_at: dict[tuple[str, int], float] = {}
        self._messages: dict[tuple[str, int], str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # One rung at a time: a held key must not run up the ladder.
        self._climbing = asyncio.Lock()

    def state(self, attempt: Attempt) -> StopState | None:
        """The ladder of an attempt, None when nobody has begun to stop it."""
        sent = self._used(attempt)
        if not sent:
            return None
        key = (attempt.item, attempt.number)
        sent_at = self._sent_at.get(key)
        rung = None if self._attempts.is_question(attempt) else self._next(attempt)
        wait = WAITS[StopRung(sent[-1])]
        next_at = None if rung is None or sent_at is None else sent_at + wait
        asks = rung in (StopRung.TERMINATE, StopRung.KILL)
        message = self._messages.get(key, "")
        return StopState(attempt.item, attempt.number, sent, rung, next_at, asks, message)

    async def stop(self, attempt: Attempt, *, yes: bool = False) -> StopState:
        """Use the next rung. Raises StoppedError when it needs a yes that was not given."""
        seen = self._used(attempt)
        async with self._climbing:
            if not attempt.running and not attempt.survivors:
                raise StoppedError("It has ended already")
            if self._attempts.is_question(attempt):
                return await self._give_up(attempt)
            if attempt.interactive:
                raise StoppedError("It has the terminal", "It is stopped there, with ctrl+c.")
            rung = self._next(attempt)
            if rung is None:
                raise StoppedError(
                    "Every rung has been used", "SIGKILL was sent and processes remain.", "See the item's evidence."
                )
            if rung in (StopRung.TERMINATE, StopRung.KILL) and not yes:
                raise StoppedError(
                    f"{rung.value} needs your yes",
                    "The client would end without cancelling its statement on the server.",
                )
            if self._used(attempt) == seen:
                await self._use(attempt, rung)
            state = self.state(attempt)
            assert state is not None
            return state

    async def close(self) -> None:
        """Forget the countdowns; nothing more is sent."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _give_up(self, attempt: Attempt) -> StopState:
        await self._record(attempt, StopRung.INTERRUPT)
        if not self._attempts.give_up(attempt):
            raise StoppedError("It runs in another console", "It only reads, and is given up there or by its timeout.")
        message = "given up"
        self._messages[attempt.item, attempt.number] = message
        return StopState(attempt.item, attempt.number, self._used(attempt), None, None, False, message)

    async def _use(self, attempt: Attempt, rung: StopRung) -> None:
        key = (attempt.item, attempt.number)
        if rung is StopRung.INTERRUPT:
            await self._execution.look(attempt)
        recorded = await self._record(attempt, rung)
        self._sent_at[key] = time.monotonic()
        if rung is StopRung.CANCEL_BACKEND:
            message = await self._cancel_backends(attempt)
        else:
            directory = self._execution.directory(attempt)
            await self._jobs.stop(directory, rung)
            left = await asyncio.to_thread(self._jobs.probe, directory)
            remain = f"; {len(left.processes)} of its processes remain" if left.processes else ""
            message = f"{rung.value} sent to the whole process tree{remain}"
        self._messages[key] = message + ("" if recorded else "; not on record, the journal cannot be written")
        self._recorder.changed()
        # A rollback that is told to stop takes back what it began; its own statements must not be cancelled under it.
        if rung is StopRung.INTERRUPT and attempt.job not in DEEDS:
            task = asyncio.create_task(self._then_cancel(attempt), name=f"stop {attempt.item}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _then_cancel(self, attempt: Attempt) -> None:
        try:
            async with asyncio.timeout(WAITS[StopRung.INTERRUPT]):
                await self._attempts.finished(attempt.item, attempt.number)
        except TimeoutError:
            try:
                async with self._climbing:
                    if attempt.running and self._used(attempt) == (StopRung.INTERRUPT.value,):
                        await self._use(attempt, StopRung.CANCEL_BACKEND)
            except MigconsoleError as error:
                self._messages[attempt.item, attempt.number] = f"{StopRung.CANCEL_BACKEND.value}: {error.title}"
                self._recorder.changed()

    async def _cancel_backends(self, attempt: Attempt) -> str:
        try:
            count = await self._database.cancel(attempt.app_name)
        except TargetError as error:
            return f"the server could not be asked to cancel: {error.title}"
        return f"pg_cancel_backend: {count} of its backends signalled"

    async def _record(self, attempt: Attempt, rung: StopRung) -> bool:
        """Put a rung on record; False when the journal cannot be written, which keeps nothing running."""
        data = {"item": attempt.item, "attempt": attempt.number, "rung": rung.value}
        used = (*self._used(attempt), rung.value)
        try:
            await self._recorder.record(Kind.ATTEMPT_SIGNALLED, data, decision=True)
        except JournalError:
            self._sent[attempt.item, attempt.number] = used
            return False
        self._sent[attempt.item, attempt.number] = used
        return True

    def _used(self, attempt: Attempt) -> tuple[str, ...]:
        """The rungs that were sent, by the journal or, where it could not be written, by memory."""
        return max(attempt.signals, self._sent.get((attempt.item, attempt.number), ()), key=len)

    def _next(self, attempt: Attempt) -> StopRung | None:
        used = len(self._used(attempt))
        return LADDER[used] if used < len(LADDER) else None
