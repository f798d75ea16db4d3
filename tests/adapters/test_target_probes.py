"""A watcher's sessions in the target: none is there while somebody needs it alone, whatever it was asked for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from migconsole.adapters.postgres.connect import Purpose, session
from migconsole.adapters.postgres.target import resolve_target
from migconsole.domain.target import Target
from migconsole.errors import MigconsoleError
from migconsole.wiring import watcher, watching
from migconsole.wiring.opening import Options
from migconsole.wiring.watcher import Tables, TargetProbes
from tests.conftest import Database
from tests.waiting import eventually

OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def test_looking_for_the_migrations_tables_is_cut_short_and_waits_until_it_may_come_back(
    database: Database,
) -> None:
    target, looks = resolve_target(database.url), 0

    async def find() -> Tables | None:
        nonlocal looks
        looks += 1
        async with session(target, Purpose("pending", 60.0)) as connection:
            await connection.fetch("SELECT pg_sleep(50)")
        return ()

    probes = TargetProbes(target, tables=find)
    try:
        await probes.open()
        await eventually(lambda: int(database.psql(OTHERS)) == 2)
        await probes.stand_down("the swap")
        assert int(database.psql(OTHERS)) == 0
        probes.retry()
        await asyncio.sleep(0)
        assert looks == 1
        await probes.stand_up()
        probes.retry()
        await eventually(lambda: looks == 2)
    finally:
        await probes.close()


@pytest.fixture
def mute() -> Iterator[Target]:
    """A server that takes connections and says nothing, and an operator who is ready to wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        yield resolve_target(f"postgresql://ada@127.0.0.1:{port}/app?connect_timeout=60")


async def test_asking_for_the_run_lock_waits_for_no_server_that_does_not_answer(mute: Target) -> None:
    """The watcher's housekeeping asks for it: it must beat, follow the run and keep the clock meanwhile."""
    probes = TargetProbes(mute, key=1)
    pulse = asyncio.create_task(probes.run_pulse())
    try:
        await eventually(lambda: probes._probes.pulse._lock.locked())
        async with asyncio.timeout(5):
            assert await probes.hold() == "the run lock is not held: there is no session"
        assert not pulse.done()
    finally:
        pulse.cancel()
        await asyncio.gather(pulse, return_exceptions=True)
        await probes.close()


async def test_sampling_begins_without_a_server_that_does_not_answer(
    mute: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever started the watcher waits for it for half a minute, and ends it then: it would never begin."""
    monkeypatch.setattr(watcher, "OPENING", 0.2)
    probes = TargetProbes(mute)
    try:
        async with asyncio.timeout(5):
            await probes.open()
    finally:
        await probes.close()


async def test_whatever_keeps_a_watcher_from_being_started_is_said_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = iter([RuntimeError("can't start new thread"), MigconsoleError("It did not start")])
    started: list[int] = []

    def ensure(directory: Path, options: Options, until: float) -> int:
        if (failure := next(outcomes, None)) is not None:
            raise failure
        started.append(1)
        return 1

    monkeypatch.setattr(watching, "ensure_watcher", ensure)
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(watching.WatcherKeeper, name, 0.01)
    keeper = watching.WatcherKeeper(tmp_path, Options())
    keeper.start()
    await eventually(lambda: "RuntimeError: can't start new thread" in keeper.problem)
    await eventually(lambda: started and keeper.problem == "")
    await keeper.close()
