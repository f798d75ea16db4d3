"""The health store: what is written can be read by any number of others, whatever happens to the writer or the file."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from migconsole.adapters.health_store import HealthReader, HealthWriter, form
from migconsole.domain.readings import Alarm, Level, Quality, Reading
from migconsole.errors import MigconsoleError
from tests.waiting import wait_until

START = 1_800_000_000.0


class Clock:
    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def writer(tmp_path: Path, clock: Clock) -> AsyncIterator[HealthWriter]:
    store = HealthWriter(tmp_path / "health.db", clock=clock)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def reader(tmp_path: Path, clock: Clock) -> HealthReader:
    return HealthReader(tmp_path / "health.db", clock=clock)


def reading(at: float, *rows: dict[str, object], quality: Quality = Quality.OK, reason: str = "") -> Reading:
    return Reading("locks", at, 1.5, quality, rows, reason)


async def test_a_reading_comes_back_as_it_was(writer: HealthWriter, reader: HealthReader) -> None:
    row = {"pid": 4711, "query": "SELECT 'ü'", "share": 0.5, "granted": True, "none": None, "blocked_by": [1, 2]}
    await writer.write([reading(START, row)], {})
    assert reader.latest("locks") == reading(START, row)
    assert reader.latest("other") is None


async def test_the_file_is_private(writer: HealthWriter, tmp_path: Path) -> None:
    await writer.write([reading(START)], {})
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir(tmp_path)}
    assert modes.keys() >= {"health.db", "health.db-wal"}
    assert set(modes.values()) == {0o600}


async def test_while_a_probe_fails_the_last_good_rows_keep_their_own_time(
    writer: HealthWriter, reader: HealthReader
) -> None:
    await writer.write([reading(START, {"n": 1})], {})
    await writer.write([reading(START + 5, quality=Quality.LOCKED, reason="locked by 4711 (ALTER TABLE orders)")], {})
    latest = reader.latest("locks")
    assert latest is not None
    assert (latest.at, latest.quality, latest.rows) == (START, Quality.LOCKED, ({"n": 1},))
    assert latest.reason == "locked by 4711 (ALTER TABLE orders)"


async def test_a_missing_privilege_shows_nothing_old(writer: HealthWriter, reader: HealthReader) -> None:
    await writer.write([reading(START, {"n": 1})], {})
    await writer.write([reading(START + 5, quality=Quality.NO_PRIVILEGE, reason="needs pg_monitor")], {})
    latest = reader.latest("locks")
    assert latest is not None
    assert (latest.quality, latest.rows, latest.at) == (Quality.NO_PRIVILEGE, (), START + 5)


async def test_a_repeated_reading_takes_no_room_and_counts_as_seen(writer: HealthWriter, reader: HealthReader) -> None:
    for second in range(50):
        await writer.write([reading(START + second)], {})
    assert count(writer, "readings") == 1
    latest, between = reader.latest("locks"), reader.before("locks", START + 20.5)
    assert latest is not None
    assert between is not None
    assert (latest.at, between.at) == (START + 49, START + 20.5)


async def test_a_repetition_after_a_pause_is_a_reading_of_its_own(writer: HealthWriter, reader: HealthReader) -> None:
    await writer.write([reading(START)], {})
    await writer.write([reading(START + 3600)], {})
    between = reader.before("locks", START + 1800)
    assert between is not None
    assert between.at == START


async def test_before_finds_the_other_end_of_a_window(writer: HealthWriter, reader: HealthReader) -> None:
    for minute in range(10):
        await writer.write([reading(START + 60 * minute, {"n": minute})], {})
    found = reader.before("locks", START + 330)
    assert found is not None
    assert found.rows == ({"n": 5},)
    assert reader.before("locks", START - 1) is None


async def test_series_have_a_gap_where_nothing_is_known(
    writer: HealthWriter, reader: HealthReader, clock: Clock
) -> None:
    for second, value in ((0, 1.0), (5, None), (10, 3.0), (100, 4.0)):
        clock.now = START + second
        await writer.write([], {"tps": value})
    values = reader.series("tps", 3600)
    assert values == [(START, 1.0), (START + 5, None), (START + 10, 3.0), (START + 55, None), (START + 100, 4.0)]
    clock.now = START + 200
    assert reader.series("tps", 3600)[-1] == (START + 200, None)
    assert reader.series("tps", 50) == []


async def test_a_new_watcher_begins_with_a_gap(tmp_path: Path, reader: HealthReader, clock: Clock) -> None:
    for _ in range(2):
        store = HealthWriter(tmp_path / "health.db", clock=clock)
        await store.open()
        clock.now += 1
        await store.write([], {"tps": 7.0})
        await store.close()
        clock.now += 1
    assert [value for _, value in reader.series("tps", 60)] == [7.0, None, 7.0]


async def test_after_the_clock_was_set_back_the_newest_reading_is_the_latest(
    writer: HealthWriter, reader: HealthReader
) -> None:
    await writer.write([reading(START, {"n": "before"})], {})
    await writer.write([reading(START - 3600, {"n": "after"})], {})
    latest = reader.latest("locks")
    assert latest is not None
    assert latest.rows == ({"n": "after"},)


async def test_alarms_are_raised_acknowledged_and_cleared(writer: HealthWriter, reader: HealthReader) -> None:
    alarm = Alarm(1, "locks", Level.WARN, "3 blocked for 12 s", START, evidence=({"pid": 7},))
    await writer.keep_alarm(alarm)
    assert reader.alarms() == [alarm]
    seen = Alarm(1, "locks", Level.WARN, "3 blocked for 12 s", START, acknowledged="ada", evidence=({"pid": 7},))
    await writer.keep_alarm(seen)
    assert [a.acknowledged for a in reader.alarms()] == ["ada"]
    over = Alarm(1, "locks", Level.WARN, "", START, START + 9, "ada")
    await writer.keep_alarm(over)
    assert reader.alarms() == []
    (kept,) = reader.alarms(open_only=False)
    assert (kept.message, kept.cleared, kept.evidence) == ("3 blocked for 12 s", START + 9, ({"pid": 7},))


async def test_secrets_never_reach_the_file(tmp_path: Path, clock: Clock) -> None:
    secret = 'hun"ter2é'
    store = HealthWriter(tmp_path / "health.db", clock=clock, redact=lambda text: text.replace(secret, "***"))
    await store.open()
    row = {"query": f"ALTER ROLE x PASSWORD '{secret}'", "pid": 1}
    await store.write([reading(START, row, reason=secret)], {})
    await store.keep_alarm(Alarm(1, "locks", Level.WARN, secret, START, evidence=(row,)))
    await store.close()
    reader = HealthReader(tmp_path / "health.db", clock=clock)
    latest, (alarm,) = reader.latest("locks"), reader.alarms()
    assert latest is not None
    said = json.dumps([dict(latest.rows[0]), latest.reason, alarm.message, dict(alarm.evidence[0])], ensure_ascii=False)
    assert "hun" not in said
    assert latest.rows[0]["query"] == "ALTER ROLE x PASSWORD '***'"
    assert latest.rows[0]["pid"] == 1


def test_without_a_watcher_every_question_has_an_answer(tmp_path: Path) -> None:
    reader = HealthReader(tmp_path / "nothing" / "health.db")
    assert reader.latest("locks") is None
    assert reader.before("locks", START) is None
    assert reader.series("tps", 60) == []
    assert reader.alarms() == []
    state = reader.watcher()
    assert (state.alive, state.age, state.problem) == (False, None, "no watcher has sampled here yet")


def test_a_file_that_is_no_database_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "health.db").write_bytes(b"not a database at all" * 1000)
    reader = HealthReader(tmp_path / "health.db")
    assert reader.latest("locks") is None
    assert not reader.watcher().alive


async def test_a_damaged_file_is_put_aside_and_begun_anew(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "health.db").write_bytes(b"not a database at all" * 1000)
    store = HealthWriter(tmp_path / "health.db", clock=clock)
    await store.open()
    await store.write([reading(START, {"n": 1})], {})
    await store.close()
    assert (tmp_path / "health.db.damaged").exists()
    assert HealthReader(tmp_path / "health.db").latest("locks") == reading(START, {"n": 1})


async def test_a_reader_follows_a_file_that_is_replaced(tmp_path: Path, clock: Clock) -> None:
    path, reader = tmp_path / "health.db", HealthReader(tmp_path / "health.db", clock=clock)
    for number in range(3):
        store = HealthWriter(path, clock=clock)
        await store.open()
        await store.write([reading(START, {"n": number})], {})
        latest = reader.latest("locks")
        assert latest is not None
        assert latest.rows == ({"n": number},)
        await store.close()
        for leftover in os.listdir(tmp_path):
            os.unlink(tmp_path / leftover)
        assert reader.latest("locks") is None


async def test_a_reader_cannot_write(writer: HealthWriter, reader: HealthReader) -> None:
    await writer.write([reading(START)], {})
    assert reader.latest("locks") is not None
    assert reader._connection is not None
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM readings")


async def test_a_reader_in_the_middle_of_a_query_does_not_hold_up_the_writer(
    writer: HealthWriter, tmp_path: Path
) -> None:
    for second in range(20):
        await writer.write([reading(START + second, {"n": second})], {})
    other = sqlite3.connect(f"{(tmp_path / 'health.db').as_uri()}?mode=ro", uri=True)
    rows = other.execute("SELECT * FROM readings")
    rows.fetchone()
    began = time.monotonic()
    await writer.write([reading(START + 60, {"n": 60})], {})
    await writer.thin()
    assert time.monotonic() - began < 1.0
    other.close()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = HealthWriter(tmp_path / "gone" / "health.db")
    with pytest.raises(MigconsoleError, match="cannot be written"):
        await store.open()
    await store.close()


async def test_a_write_that_fails_takes_nothing_with_it(writer: HealthWriter, reader: HealthReader) -> None:
    await writer.write([reading(START, {"n": 1})], {})
    with pytest.raises(MigconsoleError):
        await writer.write([reading(START + 1, {"n": 2})], {"tps": "no number"})  # type: ignore[dict-item]
    await writer.write([reading(START + 2, {"n": 3})], {"tps": 3.0})
    latest = reader.latest("locks")
    assert latest is not None
    assert latest.rows == ({"n": 3},)
    assert count(writer, "readings") == 2


async def test_old_readings_are_thinned_and_the_newest_stay(writer: HealthWriter, clock: Clock) -> None:
    for second in range(0, 4 * 3600, 10):
        await writer.write([reading(START + second, {"n": second})], {"tps": float(second % 100)})
        clock.now = START + second
    await writer.write([reading(START + 1, {"n": "gate"})], {}, pinned=True)
    await writer.thin()
    kept = [at for (at,) in writer._db.execute("SELECT at FROM readings WHERE pinned = 0 ORDER BY at")]
    last = START + 4 * 3600 - 10
    recent = [at for at in kept if at >= last - 900]
    middle = [at for at in kept if last - 7200 <= at < last - 900]
    old = [at for at in kept if at < last - 7200]
    assert len(recent) == 91
    assert len(middle) == pytest.approx(105, abs=2)
    assert len(old) == pytest.approx(24, abs=2)
    assert count(writer, "readings WHERE pinned = 1") == 1


async def test_thinned_series_keep_their_spikes(writer: HealthWriter, reader: HealthReader, clock: Clock) -> None:
    for second in range(3600):
        clock.now = START + second
        await writer.write([], {"tps": 999.0 if second == 1234 else (None if second == 2000 else float(second % 7))})
    clock.now += form.SERIES_FULL
    before = count(writer, "series")
    await writer.thin()
    values = reader.series("tps", 3 * 3600)
    assert len(values) < before / 8
    assert (START + 1234, 999.0) in values
    assert (START + 2000, None) in values
    assert 0.0 in {value for _, value in values}


async def test_above_its_budget_the_largest_probe_is_thinned_hardest(tmp_path: Path, clock: Clock) -> None:
    budget = 2 * 1024 * 1024
    store = HealthWriter(tmp_path / "health.db", clock=clock, budget=budget)
    await store.open()
    for minute in range(600):
        at = clock.now = START + 60 * minute
        large = Reading("statements", at, 5.0, Quality.OK, ({"text": os.urandom(8000).hex()},))
        await store.write([large, reading(at, {"n": minute})], {})
        if minute % 5 == 0:
            await store.thin()
    await store.thin()
    small = count(store, "readings r JOIN names n ON n.id = r.probe WHERE n.name = 'locks'")
    big = count(store, "readings r JOIN names n ON n.id = r.probe WHERE n.name = 'statements'")
    assert (tmp_path / "health.db").stat().st_size <= budget * 1.1
    assert small > 2 * big > 20
    await store.close()


WRITING = """
import asyncio, sys, time
from pathlib import Path
from migconsole.adapters.health_store import HealthWriter
from migconsole.domain.readings import Quality, Reading
async def main():
    store = HealthWriter(Path(sys.argv[1]))
    await store.open()
    n = 0
    while True:
        n += 1
        await store.beat(cost=0.004, connections=2, problem="", phase="before")
        await store.write([Reading("locks", time.time(), 1.0, Quality.OK, ({"n": n},))], {"tps": float(n)})
        await asyncio.sleep(0.005)
asyncio.run(main())
"""


def test_a_writer_that_is_killed_leaves_a_whole_file_and_is_seen_to_be_gone(tmp_path: Path) -> None:
    path = tmp_path / "health.db"
    process = subprocess.Popen([sys.executable, "-c", WRITING, str(path)])
    try:
        reader = HealthReader(path)
        wait_until(lambda: (r := reader.latest("locks")) and r.rows[0]["n"] > 20, 20)
        state = reader.watcher()
        assert (state.alive, state.pid, state.cost, state.connections) == (True, process.pid, 0.004, 2)
        assert state.age is not None
        assert state.age < 5
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    state = reader.watcher()
    assert (state.alive, state.problem) == (False, f"the watcher (pid {process.pid}) is gone")
    assert reader.latest("locks") is not None
    assert HealthReader(path).latest("locks") is not None
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_watcher_that_runs_but_is_silent_is_not_alive(
    writer: HealthWriter, reader: HealthReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    await writer.beat(cost=None, connections=1, problem="", phase="step")
    assert reader.watcher().alive
    assert reader.phase() == "step"
    from migconsole.adapters.health_store import reader as module

    real = module.monotonic
    monkeypatch.setattr(module, "monotonic", lambda: real() + 60)
    state = reader.watcher()
    assert not state.alive
    assert "silent for 60 s" in state.problem


def count(writer: HealthWriter, what: str) -> int:
    return int(writer._db.execute(f"SELECT count(*) FROM {what}").fetchone()[0])
