"""The watcher on a real journal and a real store, with made-up probes, a made-up run of time and a clock that jumps."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from migconsole.adapters.health_store import HealthReader, HealthWriter
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.domain.alarms import Changed
from migconsole.domain.events import Draft, Event, Kind
from migconsole.domain.readings import Alarm, Level, Quality, Reading
from migconsole.domain.run import Run, fold
from migconsole.domain.thresholds import Phase
from migconsole.engine import watcher as module
from migconsole.engine.health_ports import Circumstances
from migconsole.engine.scheduler import Duty, Lane
from migconsole.engine.watched_run import Alone, WatchedRun, acknowledgement, circumstances
from migconsole.engine.watcher import Watcher
from migconsole.errors import JournalError, MigconsoleError
from tests.waiting import eventually

DUTIES = (Duty("counters", "F", Lane.PULSE), Duty("sizes", "S", gate=True), Duty("pgss_delta", "M", heavy=True))


class Probes:
    """A server that says what the test wants."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Mapping[str, Any], ...]] = {}
        self.quality: dict[str, Quality] = {}
        self.asked: list[tuple[str, bool]] = []
        self.told: list[Circumstances] = []
        self.away = ""
        self.held = ""
        self.retried = 0
        self.closed = False
        self.refuses: MigconsoleError | None = None
        self.pulses = 0
        self.questions = 0.0
        self.outdated: tuple[str, ...] = ()

    def reading(self, name: str) -> Reading:
        quality = self.quality.get(name, Quality.OK)
        return Reading(name, time.time(), 0.01, quality, self.rows.get(name, ()), "")

    async def open(self) -> None:
        if self.refuses is not None:
            raise self.refuses

    async def hold(self) -> str:
        return self.held

    async def run_pulse(self) -> Sequence[Reading]:
        self.pulses += 1
        return [self.reading("lock_tree"), self.reading("conn_saturation")]

    async def run_probe(self, name: str, *, gate: bool = False) -> Reading:
        self.asked.append((name, gate))
        return self.reading(name)

    def watch(self, circumstances: Circumstances) -> Sequence[str]:
        self.told.append(circumstances)
        outdated, self.outdated = self.outdated, ()
        return outdated

    async def stand_down(self, reason: str) -> None:
        self.away = reason

    async def stand_up(self) -> None:
        self.away = ""

    def retry(self) -> None:
        self.retried += 1

    async def texts(self, identifiers: Sequence[str], counted: Sequence[str]) -> Mapping[str, str]:
        return {number: f"SELECT {number}" for number in identifiers}

    def spent(self, seconds: float) -> None:
        self.questions += seconds

    def cost(self) -> tuple[float | None, int]:
        return 0.004, 2

    async def close(self) -> None:
        self.closed = True


def judge(reading: Reading, phase: Phase) -> tuple[Level, str]:
    """Bad as the row says."""
    if reading.quality is not Quality.OK:
        return Level.UNKNOWN, ""
    levels = [row.get("level") for row in reading.rows]
    return (Level(str(levels[0])), f"{levels[0]} in {phase}") if levels and levels[0] else (Level.GOOD, "")


class World:
    """A watcher with everything around it, and the place where the run lies."""

    def __init__(self, path: Path, journal: SqliteJournal) -> None:
        self.path = path
        self.journal = journal
        self.probes = Probes()
        self.reader = HealthReader(path / "health.db")
        self.vanished = False
        self.requests: dict[str, str] = {}
        self.answered: list[str] = []
        self.shift = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, surrounding: Any = None, until: float = 60.0, **options: Any) -> asyncio.Task[None]:
        run = surrounding or WatchedRun(self.journal, self)
        store = HealthWriter(self.path / "health.db")
        options.setdefault("clock", lambda: time.time() + self.shift)
        self.watcher = Watcher(self.probes, store, DUTIES, judge, run, until=until, pulse=0.05, **options)
        self._tasks.append(asyncio.create_task(self.watcher.run()))
        return self._tasks[-1]

    def gone(self) -> bool:
        return self.vanished

    def asked_to_retry(self) -> bool:
        return False

    def asked_to_leave(self) -> Mapping[str, str]:
        return self.requests

    def has_left(self, requests: Iterable[str]) -> None:
        assert self.probes.away
        self.answered += [one for one in requests if one not in self.answered]

    async def stop(self) -> None:
        self.watcher.stop()
        await asyncio.gather(*self._tasks)
        self._tasks.clear()

    async def abandon(self) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, MigconsoleError):
                await task

    async def alarm_events(self) -> list[Event]:
        return [event for event in await self.journal.read() if event.kind == Kind.ALARM]

    async def run(self) -> Run:
        return fold(await self.journal.read())


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    for name in ("HOUSEKEEPING", "BEAT", "LEAVING"):
        monkeypatch.setattr(module, name, 0.05)
    journal = await SqliteJournal.create(tmp_path / "run.db", Console.here("test"))
    opened = {"run": "r", "title": "t", "checklist_sha256": "0"}
    await journal.append(Draft(Kind.RUN_OPENED, opened, "ada"))
    world = World(tmp_path, journal)
    yield world
    await world.abandon()
    await journal.close()


def started(danger: str = "mutating", number: int = 1, kind: str = "run") -> Draft:
    name = f"mc/r/{number}"
    data = {"item": "it", "attempt": number, "kind": kind, "danger": danger, "app_name": name, "text": "x"}
    return Draft(Kind.ATTEMPT_STARTED, data, "ada")


def ended(number: int = 1, at: float | None = None) -> Draft:
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC).isoformat()
    return Draft(Kind.ATTEMPT_ENDED, {"item": "it", "attempt": number, "outcome": "passed", "ended": moment}, "ada")


async def test_an_alarm_is_raised_with_its_evidence_seen_by_a_person_and_cleared(world: World) -> None:
    world.probes.rows["lock_tree"] = ({"level": "critical", "pid": 7, "query": "q" * 5000},)
    world.start()
    (alarm,) = await eventually(lambda: world.reader.alarms())
    assert (alarm.level, alarm.message) == (Level.CRITICAL, "critical in before")
    assert alarm.evidence[0]["pid"] == 7
    await world.journal.append(acknowledgement(alarm.id, "ada"))
    await eventually(lambda: [a.acknowledged for a in world.reader.alarms()] == ["ada"])
    world.probes.rows["lock_tree"] = ()
    await eventually(lambda: world.reader.alarms() == [])
    await world.stop()
    run = await world.run()
    record = run.alarms[alarm.id]
    assert (record.probe, record.level, record.acknowledged) == ("lock_tree", "critical", "ada")
    assert len(record.evidence[0]["query"]) == 300
    assert record.cleared > record.raised
    assert run.anomalies == []


async def test_what_cannot_be_read_clears_nothing(world: World) -> None:
    world.probes.rows["lock_tree"] = ({"level": "warn"},)
    world.start()
    await eventually(lambda: world.reader.alarms())
    world.probes.quality["lock_tree"] = Quality.FAILED
    seen = world.probes.pulses
    await eventually(lambda: world.probes.pulses > seen + 5)
    assert len(world.reader.alarms()) == 1
    await world.stop()


async def test_the_next_watcher_begins_where_the_last_one_ended(world: World) -> None:
    world.probes.rows["lock_tree"] = ({"level": "warn"},)
    world.start()
    (alarm,) = await eventually(lambda: world.reader.alarms())
    await world.stop()
    world.start()
    seen = world.probes.pulses
    await eventually(lambda: world.probes.pulses > seen + 3)
    await world.stop()
    assert [event.data["alarm"] for event in await world.alarm_events()] == [alarm.id]


async def test_alarms_on_record_are_known_when_the_samples_are_lost(world: World) -> None:
    world.probes.rows["lock_tree"] = ({"level": "warn"},)
    world.start()
    (alarm,) = await eventually(lambda: world.reader.alarms())
    await world.stop()
    for name in ("health.db", "health.db-wal", "health.db-shm"):
        (world.path / name).unlink(missing_ok=True)
    world.probes.rows["lock_tree"] = ()
    world.start()
    await eventually(lambda: [a.id for a in world.reader.alarms(open_only=False) if a.cleared] == [alarm.id])
    await world.stop()
    assert (await world.run()).alarms[alarm.id].cleared


async def test_an_alarm_that_was_kept_but_not_recorded_is_recorded_by_the_next_watcher(world: World) -> None:
    store = HealthWriter(world.path / "health.db")
    await store.open()
    await store.keep_alarm(Alarm(5, "lock_tree", Level.WARN, "was cut off", 1.0, 2.0))
    await store.close()
    world.start()
    events = await eventually(world.alarm_events)
    await world.stop()
    events = await world.alarm_events()
    assert [(event.data["alarm"], event.data["change"]) for event in events] == [(5, "raised"), (5, "cleared")]


class Refusing(WatchedRun):
    """A journal that cannot be written for a while."""

    full = True

    async def tell(self, changed: Changed) -> None:
        if self.full:
            raise JournalError("The disk is full")
        await super().tell(changed)


async def test_what_cannot_be_recorded_now_is_recorded_later(world: World) -> None:
    surrounding = Refusing(world.journal, world)
    world.probes.rows["lock_tree"] = ({"level": "warn"},)
    world.start(surrounding)
    await eventually(lambda: "The disk is full" in world.reader.watcher().problem)
    assert await world.alarm_events() == []
    surrounding.full = False
    await eventually(world.alarm_events)
    await eventually(lambda: world.reader.watcher().problem == "")
    await world.stop()


async def test_steps_set_the_phase_the_names_and_the_gates(world: World) -> None:
    world.start()
    await eventually(lambda: world.probes.pulses)
    await world.journal.append(started())
    await eventually(lambda: world.probes.told[-1].running and world.reader.phase() == Phase.STEP)
    assert world.probes.told[-1].migrating == ("mc/r/1",)
    await eventually(lambda: ("sizes", True) in world.probes.asked)
    world.probes.asked.clear()
    await world.journal.append(ended())
    await eventually(lambda: ("sizes", True) in world.probes.asked)
    await eventually(lambda: world.reader.phase() == Phase.FIRST_HOUR)
    assert world.probes.told[-1].migrating == ()
    assert world.probes.asked.count(("sizes", True)) == 1
    await world.stop()


async def test_what_is_asked_about_something_new_is_read_at_once(world: World) -> None:
    world.start()
    await eventually(lambda: "sizes" in [name for name, _ in world.probes.asked])
    world.probes.asked.clear()
    world.probes.outdated = ("sizes",)
    await eventually(lambda: ("sizes", False) in world.probes.asked)
    await world.stop()


async def test_a_destructive_step_has_the_target_to_itself(world: World) -> None:
    world.start()
    await eventually(lambda: world.probes.pulses)
    await world.journal.append(started("destructive"))
    await eventually(lambda: "it" in world.probes.away)
    await world.journal.append(ended())
    await eventually(lambda: world.probes.away == "")
    await world.stop()


async def test_a_job_that_needs_the_target_alone_is_answered_once_the_session_is_closed(world: World) -> None:
    world.start()
    await eventually(lambda: world.probes.pulses)
    world.requests = {"watcher.away.7": "the swap"}
    await eventually(lambda: world.answered == ["watcher.away.7"])
    assert world.probes.away == "the swap"
    pulses = world.probes.pulses
    await eventually(lambda: world.probes.pulses > pulses + 2)
    world.requests = {}
    await eventually(lambda: world.probes.away == "")
    await world.stop()


async def test_a_watcher_that_begins_while_somebody_needs_the_target_alone_stays_out(world: World) -> None:
    world.requests = {"watcher.away.7": "the swap"}
    asked_before_opening: list[str] = []

    async def opening() -> None:
        asked_before_opening.append(world.probes.away)

    world.probes.open = opening  # type: ignore[method-assign]
    world.start()
    await eventually(lambda: asked_before_opening)
    assert asked_before_opening == ["the swap"]
    assert world.answered
    await world.stop()


async def test_a_clock_that_is_set_is_said_and_ends_nothing(world: World) -> None:
    task = world.start(until=600)
    await eventually(lambda: world.reader.watcher().alive)
    world.shift = -3600.0
    await eventually(lambda: "set back by 3600 s" in world.reader.watcher().problem)
    world.shift = 7200.0
    await eventually(lambda: "set forward by 10800 s" in world.reader.watcher().problem)
    seen = world.probes.pulses
    await eventually(lambda: world.probes.pulses > seen + 3)
    assert not task.done()
    await world.stop()


@pytest.mark.parametrize("ending", ["until", "gone", "run ended", "stop"])
async def test_it_ends_in_order(world: World, ending: str) -> None:
    task = world.start(until=0.3 if ending == "until" else 60)
    await eventually(lambda: world.probes.pulses)
    if ending == "gone":
        world.vanished = True
    elif ending == "run ended":
        await world.journal.append(Draft(Kind.RUN_ENDED, {"ending": "complete"}, "ada"))
    elif ending == "stop":
        world.watcher.stop()
    await asyncio.wait_for(task, 5)
    assert world.probes.closed


async def test_a_target_of_no_use_is_said_and_raised(world: World) -> None:
    world.probes.refuses = MigconsoleError("It is a pooler")
    with pytest.raises(MigconsoleError, match="pooler"):
        await world.start()
    assert world.probes.closed
    connection = world.reader.watcher()
    assert connection.problem == "It is a pooler"


async def test_the_run_lock_that_is_not_held_is_said(world: World) -> None:
    world.probes.held = "another run watches this database (session 7)"
    world.start()
    await eventually(lambda: "another run watches" in world.reader.watcher().problem)
    world.probes.held = ""
    await eventually(lambda: world.reader.watcher().problem == "")
    await world.stop()


async def test_texts_of_the_dearest_statements_are_kept(world: World) -> None:
    world.probes.rows["pgss_delta"] = tuple({"queryid": str(n), "total_ms": float(n)} for n in range(300))
    world.start()
    texts = await eventually(lambda: world.reader.latest(module.TEXTS))
    assert len(texts.rows) == module.TEXT_COUNT
    assert {"queryid": "299", "query": "SELECT 299"} in texts.rows
    await world.stop()


async def test_without_a_run_alarms_are_kept_and_seen_all_the_same(world: World) -> None:
    world.probes.rows["lock_tree"] = ({"level": "warn"},)
    world.start(Alone())
    (alarm,) = await eventually(lambda: world.reader.alarms())
    await world.watcher.acknowledge(alarm.id, "ada")
    await eventually(lambda: [a.acknowledged for a in world.reader.alarms()] == ["ada"])
    await world.stop()
    assert await world.alarm_events() == []


def folded(*drafts: Draft) -> Run:
    opened = Draft(Kind.RUN_OPENED, {"run": "r", "title": "t", "checklist_sha256": "0"}, "ada")
    at = "2026-11-22T10:00:00.000Z"
    events = [
        Event(number, at, float(number), str(draft.kind), draft.actor, draft.data, "", "")
        for number, draft in enumerate([opened, *drafts], start=1)
    ]
    run = fold(events)
    assert run.anomalies == []
    return run


@pytest.mark.parametrize(
    ("drafts", "phase"),
    [
        ([], Phase.BEFORE),
        ([started("read")], Phase.BEFORE),
        ([started()], Phase.STEP),
        ([started(), ended(at=1000.0)], Phase.FIRST_HOUR),
        ([started(), ended(at=1000.0 - 3600)], Phase.LATER),
        ([started(), ended(at=1000.0 - 3600), started(number=2)], Phase.STEP),
    ],
)
def test_the_phase_follows_from_what_changes_the_target(drafts: list[Draft], phase: Phase) -> None:
    found = circumstances(folded(*drafts), 1500.0)
    assert found.phase is phase
    assert found.running is (phase is Phase.STEP)


def test_what_only_reads_may_be_a_dump() -> None:
    found = circumstances(folded(started("read")), 1500.0)
    assert (found.dumping, found.migrating, found.away) == (("mc/r/1",), (), "")


def test_our_own_rollback_replaces_the_database_from_its_point_of_no_return_on() -> None:
    begun = Draft(Kind.ROLLBACK_STARTED, {"rollback": "rb-1", "deed": "rollback"}, "ada")
    fenced = Draft(Kind.ROLLBACK_STEP, {"rollback": "rb-1", "step": "fence", "course": "done"}, "ada")
    swapped = Draft(
        Kind.ROLLBACK_STEP, {"rollback": "rb-1", "step": "swap", "course": "sent", "no_return": True}, "ada"
    )
    assert circumstances(folded(begun, fenced), 1500.0).replacing == ""
    assert circumstances(folded(begun, fenced, swapped), 1500.0).replacing == "rb-1"
