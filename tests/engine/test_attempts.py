"""Starting, following, ending and taking over: intent first, once only, and never green without evidence."""

from __future__ import annotations

import asyncio

import pytest

from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from migconsole.engine.ports import JobPhase, JobStatus
from migconsole.engine.session import Session
from migconsole.errors import JournalError, MigconsoleError, StoppedError
from tests.engine.fakes import BACKEND, SAID_YES, SECRET, Scripted, World
from tests.waiting import eventually

S = ItemState


def state(session: Session, item: str) -> ItemState:
    return session.run.record(item).state


async def run(session: Session, world: World, item: str, how: Scripted | None = None) -> ItemState:
    """Start an item, let its job end, and return the item's state."""
    attempt = await session.start(item, 0, SAID_YES)
    await eventually(lambda: len(world.jobs.requests) and world.jobs.requests[-1].item == item)
    world.jobs.end(how)
    await session.finished(item, attempt.number)
    return state(session, item)


# Starting ------------------------------------------------------------------------------------------------------------


async def test_the_intent_is_on_record_before_anything_is_executed(world: World) -> None:
    session = await world.opened()
    await session.start("apply", 0, SAID_YES)
    await eventually(lambda: world.jobs.log)
    assert world.jobs.log == ["start after attempt.started"]
    assert state(session, "apply") is S.RUNNING
    event = world.store.of(Kind.ATTEMPT_STARTED)[0]
    assert event["text"] == "./apply.sh"
    assert event["confirmed"] == {"tier": 1, "typed": "", "reason": "", "overrode": "", "how": ""}
    assert event["console"] == "one"


async def test_without_a_record_nothing_is_executed(world: World) -> None:
    session = await world.opened()
    world.store.broken = "database or disk is full"
    with pytest.raises(JournalError):
        await session.start("apply", 0, SAID_YES)
    assert world.jobs.log == []
    assert session.problem.startswith("database or disk is full")
    with pytest.raises(StoppedError, match="cannot run"):
        await session.start("version")
    world.store.broken = ""
    await eventually(lambda: not session.problem)
    assert await run(session, world, "apply") is S.VERIFIED


async def test_what_a_job_is_told(world: World) -> None:
    session = await world.opened()
    await session.resize(50, 160)
    await session.start("locked", 0, SAID_YES)
    await eventually(lambda: world.jobs.requests)
    request = world.jobs.requests[0]
    assert (request.item, request.attempt, request.danger, request.timeout) == ("locked", 1, "mutating", None)
    assert (request.rows, request.columns) == (50, 160)
    target = {"PGHOST": "db1", "PGDATABASE": "app", "PGOPTIONS": "-c lock_timeout=2500"}
    assert request.environment == {**target, "MIGCONSOLE_RUN": str(world.path)}
    assert set(request.secrets) == {"PGPASSWORD", "DATABASE_URL"}
    assert request.app_name.startswith("mc/run-1234/")
    assert len(request.app_name) <= 63


async def test_a_working_directory_may_name_a_variable(world: World) -> None:
    session = await world.opened()
    await session.start("folder")
    await eventually(lambda: world.jobs.requests)
    assert world.jobs.requests[0].cwd == world.path / "sub" / "x"
    assert world.store.of(Kind.ATTEMPT_STARTED)[0]["cwd"] == str(world.path / "sub" / "x")


async def test_a_cancelled_start_is_still_carried_out_and_followed(world: World) -> None:
    session = await world.opened()
    journal = session._journal
    journal.gate = asyncio.Event()  # type: ignore[attr-defined]
    starting = asyncio.create_task(session.start("apply", 0, SAID_YES))
    await eventually(lambda: session._attempts._beginning)
    starting.cancel()
    await asyncio.wait({starting})
    journal.gate.set()  # type: ignore[attr-defined]
    await eventually(lambda: world.jobs.requests)
    world.jobs.end()
    await eventually(lambda: state(session, "apply") is S.VERIFIED)


async def test_two_keys_at_once_start_one_attempt(world: World) -> None:
    session = await world.opened()
    both = await asyncio.gather(*(session.start("apply", 0, SAID_YES) for _ in range(3)), return_exceptions=True)
    assert [type(one).__name__ for one in both] == ["Attempt", "StoppedError", "StoppedError"]
    await eventually(lambda: world.jobs.requests)
    assert len(world.store.of(Kind.ATTEMPT_STARTED)) == len(world.jobs.requests) == 1
    assert session.run.anomalies == []


async def test_two_changes_never_run_at_once_reads_may(world: World) -> None:
    session = await world.opened()
    both = await asyncio.gather(
        session.start("apply", 0, SAID_YES), session.start("bare", 0, SAID_YES), return_exceptions=True
    )
    assert isinstance(both[1], StoppedError)
    await session.start("log")
    await session.start("rows")
    await session.finished("rows", 1)
    assert state(session, "rows") is S.VERIFIED
    assert state(session, "log") is state(session, "apply") is S.RUNNING


async def test_a_job_that_cannot_be_started_failed_and_nothing_was_executed(world: World) -> None:
    session = await world.opened()
    world.jobs.refuse = MigconsoleError("The job could not be started", "no such file", "Nothing was executed.")
    attempt = await session.start("apply", 0, SAID_YES)
    await session.finished("apply", attempt.number)
    assert state(session, "apply") is S.FAILED
    assert session.run.record("apply").last.reasons == (  # type: ignore[union-attr]
        "The job could not be started",
        "no such file",
        "Nothing was executed.",
    )


async def test_a_complaint_about_a_job_that_runs_after_all_does_not_end_it(world: World) -> None:
    session = await world.opened()
    attempt = await session.start("apply", 0, SAID_YES)
    directory = world.files.attempt("apply", 1)
    world.jobs.put(directory, JobStatus(JobPhase.RUNNING, 1))
    world.jobs.refuse = MigconsoleError("This attempt was started before")
    await asyncio.sleep(0)
    await eventually(lambda: world.jobs.log)
    assert state(session, "apply") is S.RUNNING
    world.jobs.end(directory=directory)
    await session.finished("apply", attempt.number)
    assert state(session, "apply") is S.VERIFIED


# Ends ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "how", "expected", "words"),
    [
        ("apply", Scripted(), S.VERIFIED, "as expected"),
        ("apply", Scripted(output=b"nothing\n"), S.FAILED, "not found in the output"),
        ("apply", Scripted(3), S.FAILED, "exit: expected 0, got 3"),
        ("bare", Scripted(), S.TODO, "nothing was declared that it must show"),
        ("bare", Scripted(1), S.FAILED, "exit 1"),
        ("apply", Scripted(None, 9), S.INTERRUPTED, "what it changed before is not known"),
        ("log", Scripted(None, 9), S.FAILED, "ended by signal 9"),
        ("apply", Scripted(130, stopped_by="PANIC, SIGINT"), S.INTERRUPTED, "after a stop (PANIC, SIGINT)"),
        ("apply", Scripted(0, stopped_by="SIGINT"), S.TODO, "was all of it done?"),
        ("apply", Scripted(0, error="No space left on device"), S.TODO, "the output is incomplete"),
        ("apply", Scripted(0, size=99), S.TODO, "has 5 bytes, the job wrote 99"),
        ("quiet", Scripted(0, output=b"fine\n"), S.VERIFIED, "not found, as expected"),
        ("quiet", Scripted(0, output=b"ERROR: x\n"), S.FAILED, "found in the output"),
        ("quiet", Scripted(0, output=b"fine\n", size=500), S.TODO, "the output is incomplete"),
        ("apply", Scripted(None, None, error="bash is missing"), S.FAILED, "bash is missing"),
        ("bare", Scripted(0, survivors=("psql (99)",)), S.TODO, ""),
    ],
)
async def test_how_a_command_is_judged(world: World, item: str, how: Scripted, expected: ItemState, words: str) -> None:
    session = await world.opened()
    assert await run(session, world, item, how) is expected
    attempt = session.run.record(item).last
    assert attempt is not None
    assert words in " · ".join(attempt.reasons)
    assert attempt.survivors == how.survivors
    assert (attempt.outcome == "passed") == (expected is S.VERIFIED)


async def test_an_output_file_that_is_gone_proves_nothing(world: World) -> None:
    session = await world.opened()
    attempt = await session.start("quiet", 0, SAID_YES)
    await eventually(lambda: world.jobs.requests)
    directory = world.jobs.requests[0].directory
    world.jobs.end(Scripted(output=b"fine\n"))
    (directory / "output.log").unlink()
    await session.finished("quiet", attempt.number)
    assert session.run.record("quiet").awaiting
    assert "its file is gone" in " ".join(session.run.record("quiet").last.reasons)  # type: ignore[union-attr]


async def test_captures_reach_later_items(world: World) -> None:
    session = await world.opened()
    assert "has no value" in session.preview("uses").unresolved[0]
    output = b"3 applied\n\x1b[32m17 applied\x1b[0m\r\n"
    assert await run(session, world, "capture", Scripted(output=output)) is S.VERIFIED
    assert session.run.captured == {"applied": "17"}


async def test_a_capture_that_matches_nothing_says_so(world: World) -> None:
    session = await world.opened()
    await run(session, world, "capture", Scripted(output=b"none\n"))
    assert session.run.captured == {}
    assert "“applied”" in " ".join(session.run.record("capture").last.reasons)  # type: ignore[union-attr]


async def test_an_end_that_cannot_be_recorded_is_recorded_later(world: World) -> None:
    session = await world.opened()
    attempt = await session.start("apply", 0, SAID_YES)
    await eventually(lambda: world.jobs.requests)
    world.store.broken = "database or disk is full"
    world.jobs.end()
    await eventually(lambda: session.problem)
    assert state(session, "apply") is S.RUNNING
    world.store.broken = ""
    await session.finished("apply", attempt.number)
    assert state(session, "apply") is S.VERIFIED


async def test_a_fault_while_judging_is_no_pass(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await world.opened()

    def broken(item: str, number: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(world.files, "open_output", broken)
    assert await run(session, world, "apply") is S.INTERRUPTED


async def test_a_fault_while_following_is_shown_and_the_job_followed_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await world.opened()
    wait, faults = world.jobs.wait, iter([RuntimeError("cannot poll")])

    async def shaky(directory: object) -> JobStatus:
        for fault in faults:
            raise fault
        return await wait(directory)  # type: ignore[arg-type]

    monkeypatch.setattr(world.jobs, "wait", shaky)
    await session.start("apply", 0, SAID_YES)
    await eventually(lambda: "cannot poll" in session.problem)
    await eventually(lambda: session._attempts._live)
    world.jobs.end()
    await eventually(lambda: state(session, "apply") is S.VERIFIED)
    assert world.store.of(Kind.ATTEMPT_ADOPTED) == [], "taking up again what one started is no adoption"
    await eventually(lambda: not session.problem)


# Queries and checks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "rows", "judgement", "expected"),
    [
        ("rows", [[1]], None, S.VERIFIED),
        ("rows", [], None, S.FAILED),
        ("look", [[1]], None, S.TODO),
        ("version", [], True, S.VERIFIED),
        ("version", [], False, S.FAILED),
        ("version", [], None, S.TODO),
    ],
)
async def test_how_a_query_or_check_is_judged(
    world: World, item: str, rows: list[list[int]], judgement: bool | None, expected: ItemState
) -> None:
    session = await world.opened()
    world.database.rows, world.database.judgement = rows, judgement
    attempt = await session.start(item)
    await session.finished(item, attempt.number)
    assert state(session, item) is expected
    assert session.run.record(item).awaiting == (expected is S.TODO)
    output = session.output(item, 1)
    assert output is not None
    output.grow()
    assert output.line(0) == b"column"
    output.close()


@pytest.mark.parametrize("fault", [KeyError("version"), TimeoutError(), ValueError("what is this?")])
async def test_a_check_that_breaks_failed(world: World, fault: Exception) -> None:
    session = await world.opened()
    world.database.fault = fault
    attempt = await session.start("version")
    await session.finished("version", attempt.number)
    assert state(session, "version") is S.FAILED


async def test_an_unreachable_server_fails_the_check_with_its_words(world: World) -> None:
    session = await world.opened()
    world.database.down = "connection refused"
    attempt = await session.start("version")
    await session.finished("version", attempt.number)
    assert state(session, "version") is S.FAILED
    assert "connection refused" in " ".join(session.run.record("version").last.reasons)  # type: ignore[union-attr]


async def test_a_pass_without_room_for_its_evidence_asks_a_person(world: World) -> None:
    session = await world.opened()
    world.files.full = "No space left on device"
    attempt = await session.start("rows")
    await session.finished("rows", attempt.number)
    assert session.run.record("rows").awaiting
    assert "could not be kept" in " ".join(session.run.record("rows").last.reasons)  # type: ignore[union-attr]


async def test_no_answer_in_time_is_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from migconsole.engine import execution

    monkeypatch.setattr(execution, "READ_TIMEOUT", 0.01)
    monkeypatch.setattr(execution, "GRACE", 0.01)
    session = await world.opened()
    world.database.gate = asyncio.Event()
    attempt = await session.start("look")
    await session.finished("look", attempt.number)
    assert state(session, "look") is S.FAILED
    assert "no answer within" in session.run.record("look").last.reasons[0]  # type: ignore[union-attr]


async def test_every_statement_has_its_own_time(world: World) -> None:
    session = await world.opened()
    await session.finished("look", (await session.start("look")).number)
    statements, limit, lock_timeout = world.database.asked[0]
    assert (len(statements), limit, lock_timeout) == (2, 30.0, 2.0)


# Taking over ---------------------------------------------------------------------------------------------------------


async def crashed(world: World, item: str = "apply") -> None:
    """A console starts an item and dies."""
    first = await world.opened("first")
    await first.start(item, 0, SAID_YES)
    if item == "apply":
        await eventually(lambda: world.jobs.requests)
    world.crash(first)


async def test_a_running_job_is_followed_again(world: World) -> None:
    await crashed(world)
    second = await world.opened("second")
    assert [attempt.item for attempt in second.adopted] == ["apply"]
    assert state(second, "apply") is S.RUNNING
    assert world.store.of(Kind.ATTEMPT_ADOPTED)[0]["pid"] == 4711
    world.jobs.end()
    await second.finished("apply", 1)
    assert state(second, "apply") is S.VERIFIED
    assert len(world.jobs.requests) == 1


async def test_a_job_that_ended_meanwhile_is_folded_in_as_it_ended(world: World) -> None:
    await crashed(world)
    world.jobs.end(Scripted(1, output=b"broken\n"))
    second = await world.opened("second")
    attempt = second.run.record("apply").last
    assert attempt is not None
    assert (state(second, "apply"), attempt.exit_code, attempt.ended) == (S.FAILED, 1, "2030-01-01T00:01:00.000Z")
    assert len(world.jobs.requests) == 1


async def test_a_lost_job_is_unknown_and_the_server_is_asked(world: World) -> None:
    await crashed(world)
    directory = world.jobs.requests[0].directory
    world.jobs.put(directory, JobStatus(JobPhase.LOST, reason="the host was rebooted", processes=(77,)))
    world.database.backends = [[BACKEND]]
    second = await world.opened("second")
    attempt = second.run.record("apply").last
    assert attempt is not None
    assert state(second, "apply") is S.INTERRUPTED
    assert attempt.reasons == ("the host was rebooted",)
    assert attempt.survivors == ("pid 77",)
    assert "backend 99 still runs on the server: active, ALTER TABLE t" in attempt.lines


async def test_what_the_server_cannot_say_is_unknown_never_zero(world: World) -> None:
    await crashed(world)
    directory = world.jobs.requests[0].directory
    world.jobs.put(directory, JobStatus(JobPhase.LOST, reason="runner gone"))
    world.database.down = "connection refused"
    second = await world.opened("second")
    lines = " ".join(second.run.record("apply").last.lines)  # type: ignore[union-attr]
    assert "unknown" in lines
    assert "0 of its backends" not in lines


async def test_no_backend_of_that_name_is_not_taken_for_none_at_all(world: World) -> None:
    await crashed(world)
    world.jobs.put(world.jobs.requests[0].directory, JobStatus(JobPhase.LOST, reason="runner gone"))
    second = await world.opened("second")
    lines = " ".join(second.run.record("apply").last.lines)  # type: ignore[union-attr]
    assert "unknown" in lines
    assert "0 of its backends" not in lines


async def test_an_intent_that_never_became_a_job_is_revoked(world: World) -> None:
    world.jobs.start_gate = asyncio.Event()
    first = await world.opened("first")
    await first.start("apply", 0, SAID_YES)
    world.crash(first)
    second = await world.opened("second")
    assert "revoke" in world.jobs.log
    assert state(second, "apply") is S.INTERRUPTED
    assert "nothing was executed" in second.run.record("apply").last.reasons[0]  # type: ignore[union-attr]
    assert world.jobs.requests == []


async def test_a_console_that_wakes_up_after_it_was_replaced_executes_nothing(world: World) -> None:
    """Stopped between intent and claim, its lease taken, then continued: the claim is taken, so nothing runs twice."""
    world.jobs.start_gate = asyncio.Event()
    first = await world.opened("first")
    await first.start("apply", 0, SAID_YES)
    world.store.stale.add("first")
    second = await world.opened("second")
    assert not second.driving
    assert await second.take_over("the terminal hangs")
    assert state(second, "apply") is S.INTERRUPTED
    world.jobs.start_gate.set()
    await first.idle()
    assert world.jobs.requests == []
    assert len(world.store.of(Kind.ATTEMPT_ENDED)) == 1
    with pytest.raises(StoppedError):
        await first.start("log")


@pytest.mark.parametrize("phase", [JobPhase.RUNNING, JobPhase.FINISHED, JobPhase.LOST, JobPhase.NOT_STARTED])
async def test_opening_again_and_again_never_runs_anything(world: World, phase: JobPhase) -> None:
    await crashed(world)
    directory = world.jobs.requests[0].directory
    if phase is JobPhase.FINISHED:
        world.jobs.end()
    elif phase is not JobPhase.RUNNING:
        world.jobs.put(directory, JobStatus(phase, reason="gone"))
    for name in ("a", "b", "c"):
        session = await world.opened(name)
        assert session.driving
        world.crash(session)
    assert len(world.jobs.requests) == 1
    assert len(world.store.of(Kind.ATTEMPT_STARTED)) == 1
    assert len(world.store.of(Kind.ATTEMPT_ENDED)) == (phase is not JobPhase.RUNNING)
    assert session.run.anomalies == []


async def test_a_check_whose_console_died_is_interrupted_and_holds_nobody_up(world: World) -> None:
    world.database.gate = asyncio.Event()
    await crashed(world, "version")
    second = await world.opened("second")
    assert state(second, "version") is S.INTERRUPTED
    await second.start("apply", 0, SAID_YES)


async def test_a_check_of_a_console_that_lives_is_left_to_it(world: World) -> None:
    world.database.gate = asyncio.Event()
    first = await world.opened("first")
    attempt = await first.start("version")
    await first.hand_over()
    second = await world.opened("second")
    assert second.driving
    assert second.adopted == []
    assert state(second, "version") is S.RUNNING
    world.database.gate.set()
    await first.finished("version", attempt.number)
    await eventually(lambda: state(second, "version") is S.VERIFIED)


async def test_a_check_of_a_console_that_dies_later_is_taken_over_then(world: World) -> None:
    world.database.gate = asyncio.Event()
    first = await world.opened("first")
    await first.start("version")
    await first.hand_over()
    second = await world.opened("second")
    world.crash(first)
    await eventually(lambda: state(second, "version") is S.INTERRUPTED)


async def test_a_job_handed_over_is_ended_once(world: World) -> None:
    first = await world.opened("first")
    await first.start("apply", 0, SAID_YES)
    await eventually(lambda: world.jobs.requests)
    await first.hand_over()
    second = await world.opened("second")
    world.jobs.end()
    await second.finished("apply", 1)
    await first.finished("apply", 1)
    assert state(first, "apply") is state(second, "apply") is S.VERIFIED
    assert len(world.store.of(Kind.ATTEMPT_ENDED)) == 1


async def test_one_attempt_that_cannot_be_taken_over_does_not_keep_the_run_closed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.jobs.start_gate = asyncio.Event()
    first = await world.opened("first")
    await first.start("apply", 0, SAID_YES)
    world.crash(first)
    faults = iter([MigconsoleError("The attempt cannot be revoked")])
    revoke = world.jobs.revoke

    async def shaky(directory: object) -> bool:
        for fault in faults:
            raise fault
        return await revoke(directory)  # type: ignore[arg-type]

    monkeypatch.setattr(world.jobs, "revoke", shaky)
    second = await world.opened("second")
    assert second.driving
    await eventually(lambda: state(second, "apply") is S.INTERRUPTED)


# What is left behind -------------------------------------------------------------------------------------------------


async def lost(world: World, *processes: int) -> Session:
    await crashed(world)
    directory = world.jobs.requests[0].directory
    world.jobs.put(directory, JobStatus(JobPhase.LOST, reason="runner gone", processes=processes))
    return await world.opened("second")


async def test_no_change_beside_processes_of_an_unknown_outcome(world: World) -> None:
    session = await lost(world, 77)
    with pytest.raises(StoppedError, match="still be at work") as caught:
        await session.start("apply", 0, SAID_YES)
    assert "process 77" in caught.value.detail
    world.jobs.put(world.jobs.requests[0].directory, JobStatus(JobPhase.LOST, reason="runner gone"))
    await session.start("apply", 0, SAID_YES)


async def test_no_change_beside_backends_of_an_unknown_outcome(world: World) -> None:
    session = await lost(world)
    world.database.backends = [[BACKEND]]
    with pytest.raises(StoppedError, match="still be at work") as caught:
        await session.start("apply", 0, SAID_YES)
    assert "backend 99" in caught.value.detail
    await session.start("apply", 0, SAID_YES)
    assert session.run.record("apply").last.number == 2  # type: ignore[union-attr]


# Closing -------------------------------------------------------------------------------------------------------------


async def test_closing_leaves_jobs_running_and_ends_questions(world: World) -> None:
    session = await world.opened()
    await session.start("apply", 0, SAID_YES)
    world.database.gate = asyncio.Event()
    await session.start("version")
    await eventually(lambda: world.database.asked)
    await session.close()
    await session.close()
    ends = world.store.of(Kind.ATTEMPT_ENDED)
    assert [(end["item"], end["outcome"]) for end in ends] == [("version", "interrupted")]
    assert world.jobs.log == ["start after attempt.started"], "no signal was sent"
    assert world.store.kinds()[-1] == "lease.released"
    assert world.database.closed


async def test_closing_at_once_after_a_start_leaves_nothing_half(world: World) -> None:
    session = await world.opened()
    world.database.gate = asyncio.Event()
    await session.start("version")
    await session.close()
    again = await world.opened("again")
    assert state(again, "version") is S.INTERRUPTED
    await again.idle()


async def test_closing_waits_for_a_start_that_is_being_recorded(world: World) -> None:
    session = await world.opened()
    journal = session._journal
    journal.gate = asyncio.Event()  # type: ignore[attr-defined]
    starting = asyncio.create_task(session.start("apply", 0, SAID_YES))
    await eventually(lambda: session._attempts._beginning)
    closing = asyncio.create_task(session.close())
    await eventually(lambda: session._attempts._closing)
    journal.gate.set()  # type: ignore[attr-defined]
    await asyncio.wait({starting, closing})
    assert starting.exception() is closing.exception() is None
    assert world.store.of(Kind.ATTEMPT_STARTED)
    again = await world.opened("again")
    assert state(again, "apply") in (S.RUNNING, S.INTERRUPTED)
    assert len(world.jobs.requests) <= 1


async def test_a_closing_console_starts_nothing(world: World) -> None:
    session = await world.opened()
    await session.close()
    with pytest.raises(MigconsoleError):
        await session.start("log")
    assert world.jobs.requests == []


async def test_closing_with_a_broken_journal_does_not_hang(world: World) -> None:
    session = await world.opened()
    await session.start("apply", 0, SAID_YES)
    await eventually(lambda: world.jobs.requests)
    world.store.broken = "database or disk is full"
    world.jobs.end()
    await eventually(lambda: session.problem)
    await asyncio.wait_for(session.close(), 5)
    world.store.broken = ""
    again = await world.opened("again")
    assert state(again, "apply") is S.VERIFIED


async def test_idle_waits_for_attempts_and_only_for_them(world: World) -> None:
    session = await world.opened()
    await session.idle()
    await session.start("rows")
    await session.idle()
    assert state(session, "rows") is S.VERIFIED


# Secrets -------------------------------------------------------------------------------------------------------------


async def test_no_secret_reaches_journal_evidence_or_request_text(world: World) -> None:
    session = await world.opened()
    world.database.lines = (f"conninfo password={SECRET}",)
    world.database.reason = f"because of {SECRET}"
    await session.finished("version", (await session.start("version")).number)
    await run(session, world, "hidden", Scripted(1, error=f"curl: {SECRET}"))
    await session.note(f"the password is {SECRET}", "apply")
    await session.hold(f"someone saw {SECRET}")
    await session.release()
    await session.attest("tell", value=SECRET, note=SECRET)
    assert SECRET not in repr(world.store.events)
    assert SECRET not in session.preview("hidden").text
    request = world.jobs.requests[-1]
    assert SECRET not in request.script
    assert request.secrets["slack"] == SECRET
    assert "slack" not in request.environment
    for file in world.path.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file
