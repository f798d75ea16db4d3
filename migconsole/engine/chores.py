"""What a watcher does for its run beside sampling: it looks at what can be sensed, and judges what nobody else will."""

from __future__ import annotations

import time
from collections.abc import Callable

from migconsole.engine.attempts import Attempts
from migconsole.engine.health_ports import Circumstances
from migconsole.engine.recorder import Recorder
from migconsole.engine.sensing import Sensing

GRACE = 20.0
"""Seconds that whoever started a job has to record its end: it asks the server for up to ten seconds what remains."""


class RunChores:
    """``engine.health_ports.Chores`` of a run: sensed items, tripwires, and jobs that ended without their console."""

    def __init__(
        self,
        recorder: Recorder,
        attempts: Attempts,
        sensing: Sensing,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recorder = recorder
        self._attempts = attempts
        self._sensing = sensing
        self._monotonic = monotonic
        self._ended: dict[tuple[str, int], float] = {}
        self._leavings = 0

    async def do(self, now: Circumstances, *, quiet: bool) -> None:
        """What is due. Raises MigconsoleError where it cannot be put on record; it is tried again then."""
        leavings = self._leavings
        await self._settle()
        # Judging a job takes seconds: what was so before it need not be so now.
        if leavings == self._leavings:
            await self._sensing.look(now, quiet=quiet)

    async def leave(self) -> None:
        """Have no session in the target."""
        self._leavings += 1
        await self._sensing.leave()

    def problem(self) -> str:
        """What a person should know: tripwires that look armed and cannot be seen."""
        return self._sensing.blind()

    def spent(self) -> float:
        """What was asked of the server since the last call, in seconds of its time."""
        return self._sensing.spent()

    async def _settle(self) -> None:
        """Judge jobs whose end is on disk and, after a while, still on nobody's record."""
        running = {
            (attempt.item, attempt.number): attempt
            for attempt in self._recorder.run.running()
            if attempt.has_process and not attempt.interactive
        }
        self._ended = {key: at for key, at in self._ended.items() if key in running}
        for key, attempt in running.items():
            if not self._attempts.ended(attempt):
                continue
            if self._monotonic() - self._ended.setdefault(key, self._monotonic()) >= GRACE:
                await self._attempts.settle(attempt)
