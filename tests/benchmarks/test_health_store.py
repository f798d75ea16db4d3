"""A day of samples: how large it is, how fast it opens, and what a pulse costs to store. Printed, and bounded."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from migconsole.adapters.health_store import HealthReader, HealthWriter
from migconsole.domain.readings import Quality, Reading

pytestmark = pytest.mark.benchmark

DAY = 86400
LARGEST = 60_000_000
_WORDS = (
    *("SELECT", "UPDATE", "orders", "customers", "shipment", "inventory", "line_items"),
    *("WHERE", "id", "=", "$1", "AND", "status", "JOIN", "ON", "LIMIT"),
)


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def session(chance: random.Random, number: int) -> dict[str, object]:
    query = " ".join(chance.choices(_WORDS, k=25))
    return {
        "pid": 4000 + number,
        "database": "shop",
        "user": "app",
        "application": f"web-{number % 7}",
        "client": f"10.0.3.{number % 50}",
        "backend_type": "client backend",
        "state": chance.choice(["active", "idle", "idle in transaction"]),
        "wait_type": chance.choice([None, "Lock", "IO", "Client"]),
        "state_s": chance.random() * 20,
        "query_s": chance.random() * 20,
        "xact_s": chance.random() * 20,
        "backend_start": f"2026-11-22T0{number % 10}:12:13.{chance.randrange(10**6):06}Z",
        "query": query,
    }


def statements(chance: random.Random, count: int, minute: int) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            "queryid": str(7_000_000_000_000_000_000 + number * 977),
            "userid": 10,
            "dbid": 16384,
            "calls": 1000 * number + minute * (number % 5),
            "total_ms": chance.random() * 1e6,
            "mean_ms": chance.random() * 100,
            "sd_ms": chance.random() * 10,
            "rows": chance.randrange(10**7),
            "blocks_hit": chance.randrange(10**9),
            "blocks_read": chance.randrange(10**6),
        }
        for number in range(count)
    )


async def day(path: Path, clock: Clock, *, sessions: int, tracked: int) -> tuple[int, float]:
    """A day with an hour before, an hour of steps, an hour after and the rest; pulses stored, seconds they took."""
    chance = random.Random(7)
    store = HealthWriter(path, clock=clock)
    await store.open()
    names = ["tps", "connections", "blocked", "cache_hit", "wal_rate", "lag_bytes", "oldest_xact", "database_size"]
    begin, elapsed, pulses, spent = clock.now, 0.0, 0, 0.0
    medium = thinned = 0.0
    while elapsed < DAY:
        interval = 5.0 if elapsed < 3600 else 1.0 if elapsed < 7200 else 2.0 if elapsed < 10800 else 10.0
        elapsed += interval
        clock.now = begin + elapsed
        busy = tuple(session(chance, number) for number in range(sessions))
        readings = [Reading("sessions", clock.now, 1.1, Quality.OK, busy)]
        readings += [Reading(f"pulse-{n}", clock.now, 0.5, Quality.OK, ({"value": chance.random()},)) for n in range(6)]
        readings += [Reading(f"empty-{n}", clock.now, 0.5, Quality.OK) for n in range(10)]
        if elapsed - medium >= 60:
            medium = elapsed
            rows = statements(chance, tracked, int(elapsed / 60))
            readings.append(Reading("pgss_delta", clock.now, 5.0, Quality.OK, rows))
        began = time.perf_counter()
        await store.write(readings, {f"{name}-{n}": chance.random() * 1000 for name in names for n in range(3)})
        spent += time.perf_counter() - began
        pulses += 1
        if elapsed - thinned >= 300:
            thinned = elapsed
            await store.thin()
    await store.close()
    return pulses, spent


@pytest.mark.parametrize(("sessions", "tracked"), [(40, 500), (200, 5000)], ids=["usual", "largest"])
async def test_a_day_stays_small_and_opens_at_once(tmp_path: Path, sessions: int, tracked: int) -> None:
    clock, path = Clock(), tmp_path / "health.db"
    pulses, spent = await day(path, clock, sessions=sessions, tracked=tracked)
    size = sum(entry.stat().st_size for entry in tmp_path.iterdir())  # noqa: ASYNC240 - nothing else runs here
    began = time.perf_counter()
    reader = HealthReader(path, clock=clock)
    latest = reader.latest("pgss_delta")
    lines = [reader.series(f"tps-{n}", DAY) for n in range(3)]
    reader.before("sessions", clock.now - DAY / 2)
    opened = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(1000):
        reader.latest("sessions")
    asked = (time.perf_counter() - began) / 1000
    print(
        f"\n{sessions} sessions, {tracked} statements: {size / 1e6:.1f} MB, opened in {opened * 1000:.0f} ms,"
        f" latest {asked * 1e6:.0f} µs, {len(lines[0])} points a line,"
        f" {pulses} pulses stored in {spent / pulses * 1000:.1f} ms each"
    )
    assert latest is not None
    assert size < LARGEST
    assert opened < 1.0
