"""The whole watcher under the locks of a migration: its values stay fresh, and nothing of it is ever in the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from migconsole.adapters import watchers
from migconsole.adapters.health_store import HealthReader
from migconsole.adapters.journal.reading import read_events
from migconsole.adapters.postgres.probes.catalogue import PROBES, Tier
from migconsole.domain.events import Draft, Kind
from migconsole.domain.readings import Quality
from migconsole.domain.thresholds import Phase
from migconsole.wiring import opening
from migconsole.wiring.opening import Options
from tests.adapters import probes_harness as harness
from tests.conftest import Database
from tests.e2e.checklists import checklist
from tests.e2e.test_watch import STEP, Watched, append
from tests.waiting import eventually

FRESH = 2.0
"""Seconds that a value of the pulse may be old while a step of the migration runs."""

REST = 3.0
"""The same after a step, when the pulse is asked for every two seconds."""

IN_A_QUEUE = "pending"
"""The scenario in which the migration itself waits."""

PULSES = 3
SLOW = 60.0

CHECKS = (
    "table_sizes",
    "index_usage",
    "foreign_keys",
    "connections",
    "server_log",
    "query_performance",
    "regression",
    "migrations",
    {"name": "server_health", "baseline": True},
    {"name": "tables_exist", "tables": ["t", "Other Table"]},
    {"name": "response_time", "statement": "SELECT count(*) FROM t"},
)
SENSED = [
    {"item": f"Sensed {number}", "id": f"sensed_{number}", "check": check, "watch": "1s"}
    for number, check in enumerate(CHECKS)
]
COUNTS = {"item": "Rows", "id": "rows", "sql": "SELECT count(*) FROM t", "expect": {"value": 200}, "watch": "1s"}
SIZES = {"sql": "SELECT pg_total_relation_size('t')", "expect": {"rows": 1}, "watch": "1s"}
STEPS = {"item": "Do it", "id": "it", "run": "true", "danger": "mutating"}

PULSE = tuple(probe.name for probe in PROBES if probe.tier is Tier.PULSE)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: Database) -> Iterator[Watched]:
    yield from a_run(tmp_path, monkeypatch, database)


@pytest.fixture
def watched_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, matrix_database: Database) -> Iterator[Watched]:
    yield from a_run(tmp_path, monkeypatch, matrix_database)


def a_run(folder: Path, monkeypatch: pytest.MonkeyPatch, database: Database) -> Iterator[Watched]:
    """A run with a watcher that asks everything it can, as often as it may."""
    database.psql(harness.SCHEMA)
    database.psql("CREATE TABLE _prisma_migrations (id text, migration_name text)")
    migrations = folder / "prisma" / "migrations"
    (migrations / "20300101000000_change").mkdir(parents=True)
    (migrations / "migration_lock.toml").write_text('provider = "postgresql"\n')
    (migrations / "20300101000000_change" / "migration.sql").write_text("ALTER TABLE t ADD COLUMN y int;")
    monkeypatch.setenv("DATABASE_URL", database.url)
    file = folder / "checklist.yaml"
    file.write_text(checklist(STEPS, COUNTS, {"item": "Sizes", "id": "sizes", **SIZES}, *SENSED))
    options = Options(state_dir=str(folder / "state"), project=folder)

    async def create() -> Path:
        session = await opening.create(str(file), options)
        await session.close()
        return session.directory

    run = Watched(asyncio.run(create()), options)
    yield run
    run.end()


async def has_pulse(reader: HealthReader) -> None:
    """Return when every probe of the pulse has been read."""
    await eventually(lambda: all(reader.latest(name) for name in PULSE), SLOW, "a pulse")


async def oldest(reader: HealthReader) -> float:
    """The greatest age in seconds that any value of the pulse has while some pulses go by."""
    began, found, seen = time.time(), 0.0, set()
    while len(seen) < PULSES:
        assert time.time() - began < SLOW, f"{len(seen)} pulses in {SLOW:.0f} s"
        for name in PULSE:
            reading = reader.latest(name)
            assert reading is not None
            assert reading.quality in (Quality.OK, Quality.NOT_AVAILABLE), (name, reading.reason)
            found = max(found, time.time() - reading.at)
            if name == PULSE[0] and reading.at > began:
                seen.add(reading.at)
        await asyncio.sleep(0.05)
    return found


async def read_everything(run: Watched, times: list[int]) -> None:
    """A step begins and ends: the watcher reads everything, the exact sizes among it."""
    await step_begins(run, times, wait=False)
    await step_ends(run, times)


async def step_begins(run: Watched, times: list[int], *, wait: bool = True) -> None:
    """A step that changes something; ``wait`` until the watcher has seen it, and pulses as it should."""
    times.append(len(times) + 1)
    await append(run.path, Draft(Kind.ATTEMPT_STARTED, {**STEP, "attempt": times[-1]}, "ada"))
    if wait:
        began = time.time()
        await eventually(lambda: run.reader.phase() == Phase.STEP, SLOW, "the phase of a step")
        await eventually(lambda: (r := run.reader.latest(PULSE[0])) and r.at > began, SLOW, "a pulse in it")


async def step_ends(run: Watched, times: list[int]) -> None:
    """The step is over, and the watcher reads everything."""
    ended = {"item": "it", "attempt": times[-1], "outcome": "passed"}
    await append(run.path, Draft(Kind.ATTEMPT_ENDED, ended, "ada"))


async def size_pass(reader: HealthReader, since: float) -> None:
    """Return when the sizes of tables were asked for after Unix time ``since``."""
    await eventually(lambda: (r := reader.latest("watch_sizes")) and r.at > since, SLOW, "a pass over the sizes")


async def test_every_pulse_is_fresh_and_nothing_of_ours_waits(watched: Watched, database: Database) -> None:
    await stays_fresh(watched, database)


@pytest.mark.matrix
async def test_every_pulse_is_fresh_on_every_version(watched_everywhere: Watched, matrix_database: Database) -> None:
    await stays_fresh(watched_everywhere, matrix_database)


async def stays_fresh(run: Watched, database: Database) -> None:
    """Under every lock, while a step runs and right after it; the exact sizes are asked for under each of them."""
    await asyncio.to_thread(run.ensure)
    reader, times = run.reader, list[int]()
    await has_pulse(reader)
    await eventually(lambda: questions_were_asked(run), SLOW, "the checklist's own queries")
    async with harness.watched_waits(database.url):
        for scenario in harness.SCENARIOS:
            await step_begins(run, times)
            async with harness.locks(database.url, scenario):
                await fresh(reader, FRESH, scenario)
                began = time.time()
                await step_ends(run, times)
                if scenario != IN_A_QUEUE:
                    await size_pass(reader, began)
                await fresh(reader, REST, f"{scenario}, after the step")
                sizes = reader.latest("watch_sizes")
                assert scenario != IN_A_QUEUE or sizes is None or sizes.at < began, "nothing heavy joins a lock queue"
        await step_begins(run, times)
        async with harness.client(database.url, "deploy") as migration:
            await migration.execute("BEGIN")
            for catalog in harness.CATALOGS:
                await migration.execute(f"LOCK TABLE pg_catalog.{catalog} IN ACCESS EXCLUSIVE MODE")
                await fresh(reader, FRESH, f"{catalog} is locked")
        await step_ends(run, times)


async def fresh(reader: HealthReader, bound: float, what: str) -> None:
    """The pulse keeps to its bound under a lock that stays."""
    seen = await oldest(reader)
    assert seen <= bound, (what, seen)


async def test_a_long_queue_raises_its_alarm_and_the_watcher_lives(watched: Watched, database: Database) -> None:
    """A reader, a migration behind it, and the application's sessions behind that."""
    watcher = await asyncio.to_thread(watched.ensure)
    reader, url = watched.reader, database.url
    await has_pulse(reader)
    async with AsyncExitStack() as stack:
        first, migration, *apps = [await stack.enter_async_context(harness.client(url, "app")) for _ in range(8)]
        await first.execute("BEGIN; SELECT 1 FROM t")
        waiting = [asyncio.ensure_future(migration.execute("ALTER TABLE t ADD COLUMN y int"))]
        await harness.until_waiting(first, migration.get_server_pid())
        waiting += [asyncio.ensure_future(app.execute("SELECT count(*) FROM t")) for app in apps]
        await eventually(lambda: [one for one in reader.alarms() if one.probe == "lock_tree"], SLOW, "its alarm")
        await oldest(reader)
        assert watchers.running(watched.path) == watcher, watched.log()
        await first.execute("COMMIT")
        await asyncio.gather(*waiting)


async def test_the_migration_survives_a_watcher_that_asks_between_its_two_locks(
    watched: Watched, database: Database
) -> None:
    """An index first and its table then, with whatever the watcher asks in between and meanwhile."""
    await asyncio.to_thread(watched.ensure)
    reader, times = watched.reader, list[int]()
    await has_pulse(reader)
    async with harness.watched_waits(database.url), harness.client(database.url, "deploy") as migration:
        for number in range(3):
            await migration.execute("BEGIN; REINDEX INDEX t_x")
            began = time.time()
            await read_everything(watched, times)
            await size_pass(reader, began)
            await migration.execute(f"ALTER TABLE t ADD COLUMN y{number} int; COMMIT")
        assert await migration.fetchval("SELECT count(*) FROM pg_attribute WHERE attname ~ '^y[0-2]$'") == 3


async def test_a_watcher_that_starts_under_locks_is_in_nobodys_way(watched: Watched, database: Database) -> None:
    """Also what it looks up first, such as which migrations are pending, waits no longer than a probe."""
    url = database.url
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(harness.watched_waits(url))
        migration = await stack.enter_async_context(harness.client(url, "deploy"))
        await migration.execute("BEGIN; LOCK TABLE _prisma_migrations, t IN ACCESS EXCLUSIVE MODE")
        await asyncio.to_thread(watched.ensure)
        await has_pulse(watched.reader)
        await oldest(watched.reader)
        await migration.execute("COMMIT")


async def questions_were_asked(run: Watched) -> bool:
    """Whether both queries of the checklist have an answer; none is asked while a step runs."""
    return {"rows", "sizes"} <= {event["item"] for event in await sensed(run)}


async def sensed(run: Watched) -> list[dict[str, object]]:
    """The data of what the watcher recorded by itself."""
    events = await asyncio.to_thread(read_events, run.path / "run.db")
    return [dict(event.data) for event in events if event.kind == Kind.ITEM_SENSED]
