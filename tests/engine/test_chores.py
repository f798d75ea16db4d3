"""What a watcher does beside sampling, and that it keeps out of the target once it was asked to leave."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from migconsole.domain.thresholds import Phase
from migconsole.engine import chores as module
from migconsole.engine.attempts import Attempts
from migconsole.engine.chores import RunChores
from migconsole.engine.health_ports import Circumstances
from migconsole.engine.recorder import Recorder
from migconsole.engine.sensing import Sensing
from tests.waiting import eventually


class Desk:
    """A job that has ended without its console, whose judgement waits for the test; and somebody who asks."""

    def __init__(self) -> None:
        self.judging = asyncio.Event()
        self.judged = asyncio.Event()
        self.asked = 0
        self.left = 0

    def running(self) -> list[Any]:
        return [SimpleNamespace(item="a", number=1, has_process=True, interactive=False)]

    def ended(self, attempt: Any) -> bool:
        return True

    async def settle(self, attempt: Any) -> None:
        self.judging.set()
        await self.judged.wait()

    async def look(self, now: Circumstances, *, quiet: bool) -> None:
        self.asked += 1

    async def leave(self) -> None:
        self.left += 1


async def test_nothing_is_asked_of_a_target_that_was_left_while_a_job_was_judged() -> None:
    """Judging takes seconds, and the swap that was let in meanwhile must find nobody in the target."""
    desk = Desk()
    recorder = cast(Recorder, SimpleNamespace(run=desk))
    times = iter([0.0, 0.0, module.GRACE, module.GRACE + 1])
    chores = RunChores(recorder, cast(Attempts, desk), cast(Sensing, desk), lambda: next(times, 100.0))
    now = Circumstances(Phase.FIRST_HOUR)
    await chores.do(now, quiet=False)
    assert desk.asked == 1
    doing = asyncio.create_task(chores.do(now, quiet=False))
    await eventually(desk.judging.is_set)
    await chores.leave()
    desk.judged.set()
    await doing
    assert (desk.left, desk.asked) == (1, 1)
    await chores.do(now, quiet=False)
    assert desk.asked == 2, "when the watcher is back it goes on"
