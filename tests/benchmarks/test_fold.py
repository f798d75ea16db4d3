"""What the journal costs: folding a long one, and durable appends, against what the file system itself takes."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from migconsole.adapters.journal.reading import read_events, verify
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.domain.events import Draft, Event, Kind
from migconsole.domain.run import fold, overall
from tests.domain.journals import flat_checklist, random_log

pytestmark = pytest.mark.benchmark

EVENTS = 100_000
APPENDS = 400


def long_history(count: int) -> list[Event]:
    """A legal history of ``count`` events over a checklist of 120 boxes."""
    return random_log(1, count, flat_checklist(100)).events[:count]


def test_fold_of_a_long_journal(capsys: pytest.CaptureFixture[str]) -> None:
    events = long_history(EVENTS)
    began = time.perf_counter()
    run = fold(events)
    took = time.perf_counter() - began
    began = time.perf_counter()
    overall(run, flat_checklist(100))
    count = time.perf_counter() - began
    with capsys.disabled():
        rate = len(events) / took
        print(f"\nfold: {len(events):,} events in {took:.2f} s ({rate:,.0f} events/s), counting {count * 1000:.1f} ms")
    assert run.head == EVENTS
    assert run.anomalies == []
    assert took < 5


async def test_durable_appends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = await SqliteJournal.create(tmp_path / "run.db", Console.here("ana"))
    draft = Draft(Kind.NOTE, {"text": "x" * 300}, "ana")
    began = time.perf_counter()
    for _ in range(APPENDS):
        await journal.append(draft)
    ours = time.perf_counter() - began
    reference = await asyncio.to_thread(synced_writes, tmp_path / "plain")
    with capsys.disabled():
        print(
            f"\nappend: {APPENDS / ours:,.0f} durable events/s, "
            f"{ours / reference:.2f} times a write and fsync of the same bytes ({APPENDS / reference:,.0f}/s)"
        )
    await journal.close()
    assert ours / APPENDS < 0.25


def synced_writes(path: Path) -> float:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        began = time.perf_counter()
        for _ in range(APPENDS):
            os.write(descriptor, b"x" * 600)
            os.fsync(descriptor)
        return time.perf_counter() - began
    finally:
        os.close(descriptor)


async def test_reading_and_verifying_a_long_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.db"
    journal = await SqliteJournal.create(path, Console.here("ana"))
    events = long_history(EVENTS)

    def fill() -> None:
        # One transaction for all: how fast single appends are is measured above.
        journal._db.execute("BEGIN IMMEDIATE")
        for event in events:
            journal._insert(Draft(Kind(event.kind), event.data, event.actor))
        journal._db.execute("COMMIT")

    await journal._do(fill)
    began = time.perf_counter()
    read = read_events(path)
    reading = time.perf_counter() - began
    began = time.perf_counter()
    found = verify(path)
    verifying = time.perf_counter() - began
    with capsys.disabled():
        print(
            f"\nread: {EVENTS:,} events in {reading:.2f} s; verify: {verifying:.2f} s ({path.stat().st_size:,} bytes)"
        )
    await journal.close()
    assert len(read) == found.events == EVENTS
    assert found.problem == ""
