"""The stop ladder: in order, on record before it is used, asked for where it could do harm, and never in the way."""

from __future__ import annotations

import asyncio

import pytest

from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from migconsole.engine import execution, stopping
from migconsole.engine.ports import JobPhase, JobStatus, StopRung
from migconsole.engine.session import Session
from migconsole.errors import MigconsoleError, StoppedError
from tests.engine.fakes import BACKEND, SAID_YES, Scripted, World
from tests.waiting import eventually

S = ItemState


async def running(world: World, item: str = "apply") -> Session:
    session = await world.opened()
    await session.start(item, 0, SAID_YES)
    await eventually(lambda: world.jobs.requests)
    return session


def signals(world: World) -> list[str]:
    return [line for line in world.jobs.log if line.startswith("stop")]


async def test_the_ladder_in_order_each_rung_on_record_before_it_is_used(world: World) -> None:
    session = await running(world)
    assert session.stop_state("apply") is None
    first = await session.stop("apply")
    assert (first.sent, first.next_rung, first.asks) == (("SIGINT",), StopRung.CANCEL_BACKEND, False)
    assert first.next_at is not None
    second = await session.stop("apply")
    assert (second.sent[-1], second.next_rung, second.asks) == ("pg_cancel_backend", StopRung.TERMINATE, True)
    assert second.message == "pg_cancel_backend: 1 of its backends signalled"
    assert world.database.cancelled == [session.run.record("apply").attempts[0].app_name]
    with pytest.raises(StoppedError, match="SIGTERM needs your yes"):
        await session.stop("apply")
    third = await session.stop("apply", yes=True)
    assert (third.next_rung, third.asks) == (StopRung.KILL, True)
    with pytest.raises(StoppedError, match="SIGKILL needs your yes"):
        await session.stop("apply")
    last = await session.stop("apply", yes=True)
    assert (last.next_rung, last.next_at, last.asks) == (None, None, False)
    with pytest.raises(StoppedError, match="Every rung"):
        await session.stop("apply", yes=True)
    rungs = ["SIGINT", "pg_cancel_backend", "SIGTERM", "SIGKILL"]
    assert [event["rung"] for event in world.store.of(Kind.ATTEMPT_SIGNALLED)] == rungs
    assert signals(world) == [f"stop {rung} after attempt.signalled" for rung in rungs if rung != "pg_cancel_backend"]


async def test_a_yes_is_not_needed_for_what_only_cancels(world: World) -> None:
    session = await running(world)
    await session.stop("apply", yes=True)
    assert session.run.record("apply").attempts[0].signals == ("SIGINT",)


async def test_the_server_is_asked_to_cancel_when_the_client_does_not_react(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stopping.WAITS, StopRung.INTERRUPT, 0.02)
    session = await running(world)
    await session.stop("apply")
    await eventually(lambda: world.database.cancelled)
    await eventually(lambda: session.run.record("apply").attempts[0].signals == ("SIGINT", "pg_cancel_backend"))
    assert signals(world) == ["stop SIGINT after attempt.signalled"], "nothing stronger follows by itself"


async def test_nothing_follows_when_it_ended_in_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stopping.WAITS, StopRung.INTERRUPT, 0.05)
    world.jobs.dies_of = StopRung.INTERRUPT
    session = await running(world)
    await session.stop("apply")
    await session.finished("apply", 1)
    await eventually(lambda: not session._stopper._tasks)
    assert world.database.cancelled == []


async def test_a_held_key_does_not_run_up_the_ladder(world: World) -> None:
    session = await running(world)
    await asyncio.gather(*(session.stop("apply") for _ in range(5)))
    assert session.run.record("apply").attempts[0].signals == ("SIGINT",)
    assert len(signals(world)) == 1


async def test_a_stopped_change_is_unknown_a_stopped_read_failed(world: World) -> None:
    world.jobs.dies_of = StopRung.INTERRUPT
    session = await running(world)
    await session.stop("apply")
    await session.finished("apply", 1)
    assert session.run.record("apply").state is S.INTERRUPTED
    assert "after a stop (SIGINT)" in session.run.record("apply").attempts[0].reasons[0]
    await session.start("log")
    await eventually(lambda: world.jobs.requests[-1].item == "log")
    await session.stop("log")
    await session.finished("log", 1)
    assert session.run.record("log").state is S.FAILED


async def test_an_exit_of_0_after_a_stop_asks_a_person(world: World) -> None:
    session = await running(world)
    await session.stop("apply")
    world.jobs.end()
    await session.finished("apply", 1)
    assert session.run.record("apply").awaiting


async def test_afterwards_the_server_is_asked_until_nothing_of_it_runs(world: World) -> None:
    session = await running(world)
    world.database.backends = [[BACKEND], [BACKEND], [BACKEND], []]
    await session.stop("apply")
    world.jobs.end(Scripted(None, 2, stopped_by="SIGINT"))
    await session.finished("apply", 1)
    lines = session.run.record("apply").attempts[0].lines
    assert "0 of its backends remain on the server (found by application name)" in lines
    assert world.database.backends == []


async def test_what_goes_on_running_on_the_server_is_recorded(world: World) -> None:
    session = await running(world)
    world.database.backends = [[BACKEND]] * 200
    await session.stop("apply")
    world.jobs.end(Scripted(None, 9, stopped_by="SIGKILL"))
    await session.finished("apply", 1)
    lines = session.run.record("apply").attempts[0].lines
    assert "backend 99 still runs on the server: active, ALTER TABLE t" in lines


async def test_none_seen_before_is_not_taken_for_none_left(world: World) -> None:
    session = await running(world)
    await session.stop("apply")
    world.jobs.end(Scripted(None, 2, stopped_by="SIGINT"))
    await session.finished("apply", 1)
    assert "unknown" in " ".join(session.run.record("apply").attempts[0].lines)


async def test_backends_seen_while_it_ran_make_their_absence_count(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "SPOT_FIRST", 0.001)
    world.database.backends = [[], [BACKEND]]
    session = await running(world)
    await eventually(lambda: not world.database.backends)
    world.jobs.end(Scripted(None, 2, stopped_by="PANIC file, SIGINT"))
    await session.finished("apply", 1)
    lines = session.run.record("apply").attempts[0].lines
    assert "0 of its backends remain on the server (found by application name)" in lines


async def test_a_server_that_cannot_be_asked_does_not_hold_up_the_signal(world: World) -> None:
    session = await running(world)
    world.database.down = "connection refused"
    await session.stop("apply")
    assert len(signals(world)) == 1
    state = await session.stop("apply")
    assert "could not be asked" in state.message


async def test_a_journal_that_cannot_be_written_does_not_keep_a_command_running(world: World) -> None:
    session = await running(world)
    world.store.broken = "database or disk is full"
    first = await session.stop("apply")
    assert first.sent == ("SIGINT",)
    assert "not on record" in first.message
    second = await session.stop("apply")
    assert second.sent == ("SIGINT", "pg_cancel_backend")
    assert len(signals(world)) == len(world.database.cancelled) == 1
    world.jobs.end(Scripted(130, stopped_by="SIGINT"))
    world.store.broken = ""
    await session.finished("apply", 1)
    assert session.run.record("apply").state is S.INTERRUPTED


async def test_signals_that_cannot_be_sent_are_an_error_with_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await running(world)

    async def fail(directory: object, rung: StopRung) -> None:
        raise MigconsoleError("The job's processes cannot be found")

    monkeypatch.setattr(world.jobs, "stop", fail)
    with pytest.raises(MigconsoleError, match="cannot be found"):
        await session.stop("apply")


async def test_a_query_is_given_up_and_nothing_is_signalled(world: World) -> None:
    session = await world.opened()
    world.database.gate = asyncio.Event()
    await session.start("look")
    await eventually(lambda: world.database.asked)
    state = await session.stop("look")
    assert (state.message, state.next_rung) == ("given up", None)
    await session.finished("look", 1)
    assert session.run.record("look").state is S.INTERRUPTED
    assert signals(world) == world.database.cancelled == []
    with pytest.raises(StoppedError, match="nothing is running"):
        await session.stop("look")


async def test_what_does_not_run_cannot_be_stopped(world: World) -> None:
    session = await world.opened()
    with pytest.raises(StoppedError, match="nothing is running"):
        await session.stop("apply")


async def test_an_adopted_job_goes_on_where_the_ladder_stood(world: World) -> None:
    first = await running(world)
    await first.stop("apply")
    world.crash(first)
    second = await world.opened("two")
    state = second.stop_state("apply")
    assert state is not None
    assert (state.sent, state.next_rung, state.next_at) == (("SIGINT",), StopRung.CANCEL_BACKEND, None)
    await second.stop("apply")
    assert world.database.cancelled


async def test_survivors_of_an_ended_command_can_still_be_stopped(world: World) -> None:
    session = await running(world, "bare")
    world.jobs.end(Scripted(survivors=("worker (88)",)))
    await session.finished("bare", 1)
    directory = world.jobs.requests[0].directory
    state = await session.stop("bare")
    assert state.sent == ("SIGINT",)
    world.jobs.put(directory, JobStatus(JobPhase.FINISHED, processes=(88,)))
    state = await session.stop("bare")
    state = await session.stop("bare", yes=True)
    assert "1 of its processes remain" in state.message
    assert session.run.record("bare").awaiting, "stopping what was left behind does not touch the verdict"


async def test_closing_sends_nothing_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stopping.WAITS, StopRung.INTERRUPT, 0.02)
    session = await running(world)
    await session.stop("apply")
    await session.close()
    assert world.database.cancelled == []
