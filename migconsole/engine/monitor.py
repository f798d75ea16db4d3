"""The health strip's loop: one sample at a time, then sleep, whatever the screen does.

A loop and not a timer: a sample that takes longer than the interval delays the next one instead of piling up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from migconsole.domain.health import HealthHistory, HealthSample, HealthView
from migconsole.engine.ports import Database

INTERVAL = 2.0
"""Seconds between pulses: the refresh that pg_activity's users are used to."""

BUDGET = 0.02
"""Largest share of wall time the pulse may take; a slower server is asked less often."""

LONGEST = 10.0
"""Seconds after which even a slow server is asked again: older values would look stale on the strip."""


class Monitor:
    """Samples the target for as long as the session is open. ``view`` is replaced as a whole, never changed."""

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self.view = HealthView()
        self._database = database
        self._changed = changed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin sampling; a second call changes nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._loop(), name="health monitor")

    async def stop(self) -> None:
        """End sampling and wait until the last query has been given up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _loop(self) -> None:
        history = HealthHistory()
        while True:
            began = time.monotonic()
            try:
                sample = await self._database.sample()
            except Exception as error:  # a probe that stumbles must not silence the strip for the rest of the run
                sample = HealthSample(began, problem=f"the monitor stumbled: {type(error).__name__}: {error}")
            took = time.monotonic() - began
            wanted = INTERVAL - took if sample.problem else took / BUDGET - took
            pause = min(max(INTERVAL - took, wanted, 0.2), LONGEST)
            self.view = history.add(sample, took / (took + pause))
            self._changed()
            await asyncio.sleep(pause)
