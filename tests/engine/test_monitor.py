"""The strip's loop: one sample at a time, within its budget, and still there after whatever a probe stumbles over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace

import pytest

from migconsole.domain.health import HealthSample
from migconsole.engine import monitor
from migconsole.engine.monitor import BUDGET, LONGEST, Monitor
from tests.waiting import eventually


class Server:
    """Answers with what ``answer`` returns; counts how many questions are open at once."""

    def __init__(self, answer: Callable[[int], HealthSample]) -> None:
        self.answer = answer
        self.count = self.open = self.most = 0

    async def sample(self) -> HealthSample:
        self.open += 1
        self.most = max(self.most, self.open)
        self.count += 1
        await asyncio.sleep(0)
        self.open -= 1
        return self.answer(self.count)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses the loop takes, which then take no time."""
    taken: list[float] = []

    async def short(seconds: float) -> None:
        taken.append(seconds)
        await asyncio.sleep(0)

    played = SimpleNamespace(sleep=short, create_task=asyncio.create_task, gather=asyncio.gather)
    monkeypatch.setattr(monitor, "asyncio", played)
    return taken


@pytest.fixture
async def watched() -> AsyncIterator[Callable[[Server], Monitor]]:
    made: list[Monitor] = []

    def watch(server: Server) -> Monitor:
        made.append(Monitor(server, lambda: None))  # type: ignore[arg-type]
        made[-1].start()
        return made[-1]

    yield watch
    for one in made:
        await one.stop()


async def test_views_are_replaced_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "INTERVAL", 0.001)
    told: list[int] = []
    server = Server(lambda n: HealthSample(float(n), blocked=n))
    one = Monitor(server, lambda: told.append(1))  # type: ignore[arg-type]
    assert one.view.sample is None
    one.start()
    first = await eventually(lambda: one.view.sample and one.view)
    await eventually(lambda: server.count > 2)
    assert one.view is not first
    assert first.history["blocked"] == (1.0,)
    await one.stop()
    await one.stop()
    count = server.count
    assert len(told) in (count, count - 1)
    await asyncio.sleep(0)
    assert server.count == count


async def test_one_question_at_a_time(pauses: list[float], watched: Callable[[Server], Monitor]) -> None:
    server = Server(lambda n: HealthSample(float(n)))
    watched(server)
    await eventually(lambda: server.count > 20)
    assert server.most == 1


async def test_a_slow_server_is_asked_less_often(
    pauses: list[float], watched: Callable[[Server], Monitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(10**6))
    took = 0.1
    played = SimpleNamespace(monotonic=lambda: (n := next(clock)) // 2 * 100.0 + (n % 2) * took)
    monkeypatch.setattr(monitor, "time", played)
    one = watched(Server(lambda n: HealthSample(float(n))))
    await eventually(lambda: len(pauses) > 2)
    assert one.view.cost == pytest.approx(BUDGET)
    assert pauses[0] == pytest.approx(took / BUDGET - took)
    assert max(pauses) <= LONGEST


async def test_a_probe_that_raises_is_a_sample_with_a_problem_and_the_loop_goes_on(
    pauses: list[float], watched: Callable[[Server], Monitor]
) -> None:
    def answer(count: int) -> HealthSample:
        if count == 1:
            raise RuntimeError("odd row")
        return HealthSample(float(count), blocked=2)

    server = Server(answer)
    problems: list[str] = []
    one = Monitor(server, lambda: problems.append(one.view.problem))  # type: ignore[arg-type]
    one.start()
    await eventually(lambda: server.count > 2)
    await one.stop()
    assert "odd row" in problems[0]
    assert problems[-1] == ""
