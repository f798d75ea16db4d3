"""When a question is asked again: by what it cost the server, and soon where it gave no answer. Time is made up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from migconsole.domain.checklist import Check, Checklist, Item, Phase, Section, Step, Tripwire
from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from migconsole.domain.readings import Quality
from migconsole.domain.sensing import Sensed
from migconsole.domain.thresholds import Phase as HealthPhase
from migconsole.engine.health_ports import Circumstances
from migconsole.engine.scheduler import PULSE, TOTAL, Lane, Scheduler
from migconsole.engine.sensing import AGAIN, BLIND, Answer, Sensing
from tests.domain.journals import Log

BEFORE = Circumstances(HealthPhase.BEFORE)
AFTER = Circumstances(HealthPhase.FIRST_HOUR, since=0.0)
UNANSWERED = Answer(Sensed.UNKNOWN, ("the server does not answer",))
PASSED = Answer(Sensed.PASSED)


@dataclass
class Spent:
    seconds: float = 0.0


class World:
    """Questions by the name of their check, each with an answer, what it costs the server, and how long it takes."""

    def __init__(self, items: Mapping[str, float], wires: Mapping[str, float] | None = None) -> None:
        phase = Phase("p", "P", -3600.0, (Section("s", "S", tuple(_item(*one) for one in items.items())),))
        tripwires = tuple(Tripwire(name, name, Step(Check(name)), watch) for name, watch in (wires or {}).items())
        self.log = Log()
        self.now = 0.0
        self.answers: dict[str, Answer] = {}
        self.costs: dict[str, float] = {}
        self.takes: dict[str, float] = {}
        self.asked: list[tuple[str, float]] = []
        self.meter = Spent()
        checklist = Checklist("C", phases=(phase,), tripwires=tripwires)
        self.sensing = Sensing(
            checklist,
            lambda: self.log.run,
            self.ask,
            self.tell,
            self.spending,
            clock=lambda: self.now,
            monotonic=lambda: self.now,
        )

    @contextmanager
    def spending(self) -> Iterator[Spent]:
        self.meter = Spent()
        yield self.meter

    async def ask(self, step: Step, limit: float) -> Answer:
        assert isinstance(step.action, Check)
        name = step.action.name
        self.asked.append((name, self.now))
        self.now += self.takes.get(name, 0.0)
        self.meter.seconds = self.costs.get(name, 0.0)
        return self.answers.get(name, PASSED)

    async def tell(self, kind: Kind, data: Mapping[str, Any], key: str) -> None:
        self.log.add(kind, data, "watcher", key)

    async def until(
        self, end: float, now: Circumstances = BEFORE, allowed: Callable[[], bool] = lambda: True
    ) -> list[float]:
        """Look every second; the time of each question."""
        while self.now < end:
            await self.sensing.look(now, quiet=not allowed())
            self.now += 1.0
        return [at for _, at in self.asked]


def _item(name: str, watch: float) -> Item:
    return Item(name, name, Step(Check(name)), watch=watch)


def pauses(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


async def test_without_an_answer_it_is_asked_again_soon_however_long_that_was_waited_for() -> None:
    """Ten seconds of waiting are none of the server's work: the next look is not five hundred seconds away."""
    world = World({"slow": 60.0})
    world.answers["slow"], world.takes["slow"] = UNANSWERED, 10.0
    found = [round(pause - 10.0) for pause in pauses(await world.until(500))]
    assert found[:5] == [AGAIN, 10, 20, 40, 60]
    assert set(found[5:]) == {60}, "and never more rarely than it was wanted"


async def test_an_answer_ends_the_pauses() -> None:
    world = World({"a": 30.0})
    world.answers["a"] = UNANSWERED
    await world.until(40)
    del world.answers["a"]
    await world.until(100)
    world.asked.clear()
    world.answers["a"] = UNANSWERED
    found = pauses(await world.until(200))
    assert found[:2] == [AGAIN, 10]


async def test_what_the_server_worked_for_is_one_per_cent_of_its_time_at_most() -> None:
    """Also without an answer, and with a verdict that differs each time, which is asked for once more."""
    world = World({"heavy": 1.0, "void": 1.0})
    world.costs = {"heavy": 0.5, "void": 1.5}
    world.answers["void"] = UNANSWERED
    await world.until(1000)
    for name, least in (("heavy", 50.0), ("void", 150.0)):
        times = [at for asked, at in world.asked if asked == name]
        assert len(times) >= 5
        assert min(pauses(times)) >= least


async def test_no_line_waits_for_ever_behind_others() -> None:
    """With one question a second and more to ask than that, each has its turn; the tripwires among them."""
    world = World({f"line{number}": 1.0 for number in range(20)}, {"wire": 1.0})
    await world.until(200, AFTER)
    asked = [name for name, _ in world.asked]
    assert min(asked.count(name) for name in set(asked)) >= 200 // 21 - 1
    assert len(set(asked)) == 21


async def test_all_questions_and_probes_together_keep_to_their_part() -> None:
    world = World({f"line{number}": 1.0 for number in range(20)})
    world.costs = {f"line{number}": 0.1 for number in range(20)}
    scheduler = Scheduler((), 0.0)
    spent = 0.0
    while world.now < 2000:
        if scheduler.pick(Lane.PULSE, world.now) is not None:
            scheduler.finished(PULSE, world.now, 0.01, Quality.OK, largest=0.002)
        await world.sensing.look(BEFORE, quiet=not scheduler.may_ask(world.now))
        if took := world.sensing.spent():
            scheduler.asked(world.now, took)
            spent += took
        world.now += 1.0
    pulse = 0.01 / 5
    assert 0.9 * (TOTAL - pulse) / 2 <= spent / 2000 <= (TOTAL - pulse) / 2 * 1.02
    assert len({name for name, _ in world.asked[-25:]}) >= 20, "each has its turn"


async def test_only_what_is_seen_twice_in_a_row_is_a_change_of_a_line() -> None:
    """A look that failed once, and one an hour later, are no two in a row: in between it held."""
    world = World({"line": 30.0})
    failed = Answer(Sensed.FAILED, ("gone",))
    await world.until(10)
    assert world.log.run.record("line").state is ItemState.VERIFIED
    for number in range(1, 4):
        world.answers["line"] = failed
        seen = len(world.asked)
        while len(world.asked) == seen:
            await world.until(world.now + 1)
        del world.answers["line"]
        assert world.log.run.record("line").state is ItemState.VERIFIED, f"after {number} failures, none after another"
        await world.until(world.now + 100)
    world.answers["line"] = failed
    await world.until(world.now + 100)
    assert world.log.run.record("line").state is ItemState.REGRESSED


async def test_a_tripwire_that_cannot_be_seen_is_told_of_and_does_not_just_look_armed() -> None:
    world = World({}, {"wire": 30.0})
    world.answers["wire"] = Answer(Sensed.UNKNOWN, ("the table orders does not exist",))
    await world.until(BLIND - 10, AFTER)
    assert world.sensing.blind() == ""
    await world.until(BLIND + 70, AFTER)
    assert world.sensing.blind() == "nobody can see whether “wire” holds (the table orders does not exist)"
    del world.answers["wire"]
    await world.until(BLIND + 200, AFTER)
    assert world.sensing.blind() == ""
