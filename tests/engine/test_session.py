"""The session: who decides, on which target, with which confirmation, under which hold; and what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from migconsole.domain.checklist import Danger, Mode
from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from migconsole.domain.policy import Command
from migconsole.engine.resolve import Confirmation
from migconsole.engine.session import Session
from migconsole.errors import MigconsoleError, StoppedError, TargetError, UsageError
from tests.engine.fakes import IDENTITY, SAID_YES, SECRET, TYPED, Scripted, World, checklist, only
from tests.waiting import eventually

S = ItemState


def state(session: Session, item: str) -> ItemState:
    return session.run.record(item).state


async def finish(session: Session, world: World, item: str, how: Scripted | None = None) -> ItemState:
    world.jobs.at_once = how or Scripted()
    attempt = await session.start(item, 0, SAID_YES)
    await session.finished(item, attempt.number)
    return state(session, item)


# The target ----------------------------------------------------------------------------------------------------------


async def test_the_target_is_pinned_by_the_first_console_and_compared_by_the_next(world: World) -> None:
    first = await world.opened()
    assert first.run.identity["system_identifier"] == IDENTITY.system_identifier
    assert world.database.pinned == IDENTITY
    await first.close()
    second = await world.opened("two")
    assert len(world.store.of(Kind.TARGET_PINNED)) == 1
    assert second.run.changed == ()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"system_identifier": "other"}, "system identifier"),
        ({"in_recovery": True}, "recovery state: was primary, is standby"),
        ({"database": "app2"}, "database name"),
        ({"oid": 5}, "database oid"),
    ],
)
async def test_another_target_stops_changes_before_they_start(
    world: World, changed: Mapping[str, Any], words: str
) -> None:
    session = await world.opened()
    world.database.now = replace(IDENTITY, **changed)
    with pytest.raises(StoppedError, match="target changed") as caught:
        await session.start("apply", 0, SAID_YES)
    assert words in caught.value.detail
    assert world.store.of(Kind.ATTEMPT_STARTED) == []
    assert words in "; ".join(session.run.changed)
    assert not session.verdict("apply", Command.RUN).allowed
    await session.finished("rows", (await session.start("rows")).number)


async def test_a_new_target_is_accepted_only_with_a_reason_on_record(world: World) -> None:
    session = await world.opened()
    world.database.now = replace(IDENTITY, oid=5)
    await session.identify()
    with pytest.raises(UsageError):
        await session.repin("ok")
    await session.repin("swapped on purpose")
    assert session.run.changed == ()
    assert world.store.of(Kind.TARGET_PINNED)[-1]["reason"] == "swapped on purpose"
    assert await finish(session, world, "apply") is S.VERIFIED


async def test_an_unreachable_target_stops_changes_and_is_found_again(world: World) -> None:
    session = await world.opened()
    world.database.down = "connection refused"
    with pytest.raises(TargetError, match="cannot be identified"):
        await session.start("apply", 0, SAID_YES)
    assert world.store.of(Kind.ATTEMPT_STARTED) == []
    assert "connection refused" in session.problem
    world.database.down = ""
    await eventually(lambda: session.identity is not None and not session.problem)
    assert await finish(session, world, "apply") is S.VERIFIED


async def test_a_run_opens_without_its_server(world: World) -> None:
    world.database.down = "connection refused"
    session = await world.opened()
    assert session.driving
    assert "connection refused" in session.problem
    assert "not been identified" in session.verdict("apply", Command.RUN).reason
    world.database.down = ""
    await eventually(lambda: session.run.identity)
    assert session.problem == ""


async def test_a_server_that_does_not_answer_stops_neither_beats_nor_news(world: World) -> None:
    world.database.down = "x"
    session = await world.opened()
    world.database.down, world.database.identity_gate = "", asyncio.Event()
    other = world.session("two")
    await other._journal.heartbeat()
    await eventually(lambda: len(session.presences) == 2)
    await other.note("news")
    await eventually(lambda: session.run.notes)


async def test_an_identity_with_fields_of_another_version_is_read(world: World) -> None:
    first = await world.opened()
    await first.close()
    pinned = next(event for event in world.store.events if event.kind == Kind.TARGET_PINNED)
    pinned.data["identity"]["added_later"] = 1
    second = await world.opened("two")
    assert second.run.changed == ()


# Confirmation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "given", "words"),
    [
        ("apply", Confirmation(0), "needs a confirmation"),
        ("drop", Confirmation(0), "typed: app@db1:5432"),
        ("drop", Confirmation(1), "typed: app@db1:5432"),
        ("drop", Confirmation(2), "not that of the target"),
        ("drop", Confirmation(2, "app"), "not that of the target"),
        ("drop", Confirmation(2, "APP@db1:5432"), "not that of the target"),
    ],
)
async def test_each_danger_wants_its_confirmation(world: World, item: str, given: Confirmation, words: str) -> None:
    session = await world.opened()
    await finish(session, world, "apply")
    started = len(world.store.of(Kind.ATTEMPT_STARTED))
    if item == "apply":
        await session.reopen("apply", "once more")
    with pytest.raises(StoppedError, match=r"needs|not that") as caught:
        await session.start(item, 0, given)
    assert words in str(caught.value)
    assert len(world.store.of(Kind.ATTEMPT_STARTED)) == started


async def test_a_typed_name_must_be_that_of_the_server_now(world: World) -> None:
    session = await world.opened()
    await session.start("drop", 0, TYPED)
    assert world.store.of(Kind.ATTEMPT_STARTED)[0]["confirmed"]["typed"] == "app@db1:5432"


async def test_reads_and_test_environments_need_no_yes(world: World) -> None:
    session = await world.opened()
    await session.start("log")
    other = World(world.path / "other", checklist(environment="test"))
    test = await other.opened()
    await test.start("apply")
    with pytest.raises(StoppedError):
        await test.start("drop")
    await other.close()


async def test_a_preview_says_what_would_happen(world: World) -> None:
    session = await world.opened()
    preview = session.preview("drop")
    assert (preview.danger, preview.tier, preview.target_name) == (Danger.DESTRUCTIVE, 2, "app@db1:5432")
    assert preview.verdict.allowed
    assert "no undo is known" in preview.undo
    met = {text: ok for ok, text in preview.preconditions}
    assert met["not on hold"] is True
    assert None in met.values(), "what cannot be told is shown as unknown"
    await session.hold("wait for the replica")
    assert (False, "not on hold (wait for the replica)") in session.preview("drop").preconditions
    assert session.preview("apply").tier == 1
    assert session.preview("log").tier == 0
    assert SECRET not in repr(session.preview("hidden"))


async def test_an_unresolved_variable_stops_an_item_before_anything_runs(world: World) -> None:
    session = await world.opened()
    with pytest.raises(UsageError, match="no value") as caught:
        await session.start("uses", 0, SAID_YES)
    assert "applied" in caught.value.detail
    assert "backup_size" in caught.value.detail
    assert world.store.of(Kind.ATTEMPT_STARTED) == []
    await session.set_variable("backup_size", "41 GB")
    await session.answer("size", "41GB")
    await finish(session, world, "capture", Scripted(output=b"3 applied\n"))
    await session.start("uses", 0, SAID_YES)
    await eventually(lambda: world.jobs.requests[-1].item == "uses")
    assert world.jobs.requests[-1].environment["applied"] == "3"
    assert world.jobs.requests[-1].script == "echo $applied $backup_size"


# Decisions -----------------------------------------------------------------------------------------------------------


async def test_every_decision_is_on_record_with_who_and_why(world: World) -> None:
    session = await world.opened("ana")
    await session.attest("tell", "41 people", "by mail")
    await session.answer("size", "41gb", note="from the file")
    await session.skip("opt", "nobody likes it")
    await session.exclude("job", "taken elsewhere")
    await session.defer("log", "after the change", "T+24h")
    await finish(session, world, "bare", Scripted(1))
    await session.accept("bare", "known bug 12")
    await finish(session, world, "apply", Scripted(1))
    await session.force("apply", "the DBA lead agrees")
    await session.reopen("tell", "forgot some")
    moves = [(m["item"], m["move"], m["reason"]) for m in world.store.of(Kind.ITEM_MOVED)]
    assert moves == [
        ("tell", "attest", ""),
        ("size", "attest", ""),
        ("opt", "skip", "nobody likes it"),
        ("job", "exclude", "taken elsewhere"),
        ("log", "defer", "after the change"),
        ("bare", "accept", "known bug 12"),
        ("apply", "force", "the DBA lead agrees"),
        ("tell", "reopen", "forgot some"),
    ]
    assert session.run.record("size").value == "41.0 GB"
    assert session.run.captured["backup_size"] == "41.0 GB"
    assert session.run.record("log").due == "T+24h"
    assert {e.actor for e in world.store.events if e.kind == Kind.ITEM_MOVED} == {"ana"}
    assert session.run.anomalies == []


@pytest.mark.parametrize(
    ("decision", "reason"),
    [("accept", ""), ("accept", "ab"), ("skip", "  "), ("exclude", ""), ("force", "too short"), ("reopen", "")],
)
async def test_a_decision_without_its_reason_is_not_taken(world: World, decision: str, reason: str) -> None:
    session = await world.opened()
    item = "opt" if decision in ("skip", "exclude") else "bare"
    if item == "bare":
        await finish(session, world, "bare", Scripted(1))
    before = state(session, item)
    with pytest.raises(UsageError, match="reason of at least"):
        await getattr(session, decision)(item, reason)
    assert state(session, item) is before


async def test_no_decision_makes_a_failed_command_attested(world: World) -> None:
    session = await world.opened()
    await finish(session, world, "apply", Scripted(1))
    with pytest.raises(StoppedError, match="cannot be changed so") as caught:
        await session.attest("apply")
    assert "force it (F)" in caught.value.detail
    await session.reopen("apply", "look again")
    for decision in (session.attest, session.skip, session.exclude):
        with pytest.raises(StoppedError):
            await decision("apply", "it looks fine")
    assert state(session, "apply") is S.TODO


async def test_an_unknown_outcome_is_attested_by_who_says_how_they_know(world: World) -> None:
    session = await world.opened()
    await finish(session, world, "apply", Scripted(None, 9))
    assert state(session, "apply") is S.INTERRUPTED
    with pytest.raises(UsageError, match="reason of at least 3"):
        await session.attest("apply")
    await session.attest("apply", note="the table has all rows")
    assert state(session, "apply") is S.ATTESTED
    assert session.run.record("apply").reason == "the table has all rows"


async def test_an_unknown_change_stands_before_every_other(world: World) -> None:
    session = await world.opened()
    await finish(session, world, "apply", Scripted(None, 9))
    await session.reopen("apply", "to run it again")
    with pytest.raises(StoppedError) as caught:
        await session.start("bare", 0, SAID_YES)
    assert "the outcome of “apply” is unknown" in caught.value.detail
    assert await finish(session, world, "apply") is S.VERIFIED
    assert await finish(session, world, "bare") is S.TODO


async def test_what_awaits_an_answer_is_answered_not_run_again(world: World) -> None:
    session = await world.opened()
    await finish(session, world, "bare")
    assert session.run.record("bare").awaiting
    with pytest.raises(StoppedError):
        await session.start("bare", 0, SAID_YES)
    await session.attest("bare", note="looked right")
    assert state(session, "bare") is S.ATTESTED
    assert len(world.jobs.requests) == 1


@pytest.mark.parametrize("value", ["", "large", "-"])
async def test_an_answer_of_the_wrong_kind_is_refused_with_what_is_wanted(world: World, value: str) -> None:
    session = await world.opened()
    with pytest.raises(UsageError) as caught:
        await session.answer("size", value)
    assert "a size, such as 41GB" in caught.value.detail
    assert state(session, "size") is S.TODO


async def test_questions_and_ticks_are_not_confused(world: World) -> None:
    session = await world.opened()
    with pytest.raises(UsageError):
        await session.answer("tell", "yes")
    with pytest.raises(StoppedError):
        await session.attest("size")
    with pytest.raises(UsageError):
        await session.attest("nothing")
    with pytest.raises(UsageError, match="alternatives"):
        await session.start("apply", 7)


async def test_a_secret_is_never_an_answer_or_a_variable_of_the_record(world: World) -> None:
    session = await world.opened()
    with pytest.raises(UsageError, match="secret"):
        await session.answer("token", "tok-123456")
    with pytest.raises(UsageError, match="secret"):
        await session.set_variable("slack", "https://hooks.example.com/tok-123456")
    assert "tok-123456" not in repr(world.store.events)


async def test_out_of_order_needs_a_typed_reason(world: World) -> None:
    items = only("tell", "version", "apply")
    other = World(world.path / "strict", checklist(items, mode=Mode.READ_DO))
    session = await other.opened()
    with pytest.raises(StoppedError) as caught:
        await session.start("apply", 0, SAID_YES)
    assert "comes first" in caught.value.detail
    with pytest.raises(StoppedError):
        await session.start("apply", 0, Confirmation(1, reason="  "))
    await session.start("apply", 0, Confirmation(1, reason="the lead says so"))
    assert other.store.of(Kind.ATTEMPT_STARTED)[0]["confirmed"]["reason"] == "the lead says so"
    await session.attest("tell")
    await other.close()


async def test_a_reason_overrides_order_and_nothing_else(world: World) -> None:
    session = await world.opened()
    await session.hold("wait")
    with pytest.raises(StoppedError, match="cannot run"):
        await session.start("apply", 0, Confirmation(1, reason="I am in a hurry"))


async def test_the_chosen_way_is_remembered(world: World) -> None:
    session = await world.opened()
    assert session.default_alternative("ways") == 0
    await session.finished("ways", (await session.start("ways", 1)).number)
    assert session.default_alternative("ways") == 1
    assert session.run.record("ways").last.kind == "sql"  # type: ignore[union-attr]


# Who drives ----------------------------------------------------------------------------------------------------------


async def test_a_second_console_watches_notes_and_decides_nothing(world: World) -> None:
    first, second = await world.opened("one"), await world.opened("two")
    assert (first.driving, second.driving) == (True, False)
    head = len(world.store.events)
    for attempt in (
        second.start("log"),
        second.attest("tell"),
        second.answer("size", "41GB"),
        second.skip("opt", "because"),
        second.hold("because"),
        second.release(),
        second.set_variable("backup_size", "x"),
        second.stop("apply"),
        second.repin("because it must be"),
    ):
        with pytest.raises(StoppedError):
            await attempt
    assert len(world.store.events) == head
    await second.note("I see blocked sessions", "apply")
    await eventually(lambda: first.run.notes)
    assert (first.run.notes[0].actor, first.run.notes[0].item) == ("two", "apply")
    assert "one drives" in second.verdict("tell", Command.ATTEST).reason
    with pytest.raises(UsageError):
        await second.note("  ")


async def test_a_watching_console_sees_what_the_driver_does(world: World) -> None:
    first, second = await world.opened("one"), await world.opened("two")
    await first.attest("tell")
    await finish(first, world, "apply")
    await eventually(lambda: second.run.head == first.run.head)
    assert second.run == first.run
    assert [event.seq for event in second.timeline()] == list(range(1, second.run.head + 1))


async def test_a_read_only_console_never_drives(world: World) -> None:
    session = await world.opened("one", read_only=True)
    assert not session.driving
    assert world.store.of(Kind.LEASE_TAKEN) == world.store.of(Kind.TARGET_PINNED) == []
    with pytest.raises(StoppedError, match="read-only"):
        await session.take_over("because")
    with pytest.raises(StoppedError):
        await session.start("log")
    assert {session.verdict("tell", command).reason for command in Command} == {"this console is read-only"}


async def test_handing_over(world: World) -> None:
    first, second = await world.opened("one"), await world.opened("two")
    assert not await second.take_over("impatience")
    await first.hand_over()
    assert not first.driving
    assert await second.take_over("")
    await second.attest("tell")
    with pytest.raises(StoppedError):
        await first.attest("opt")


async def test_a_console_that_lost_its_lease_notices(world: World) -> None:
    first = await world.opened("one")
    seen = first.version
    world.store.stale.add("one")
    second = await world.opened("two")
    assert await second.take_over("the terminal hangs")
    await eventually(lambda: not first.driving)
    assert first.version > seen
    assert first.verdict("tell", Command.ATTEST).reason == "two drives; this console watches"


async def test_closing_hands_over(world: World) -> None:
    first = await world.opened("one")
    await first.close()
    second = await world.opened("two")
    assert second.driving


# Hold and panic ------------------------------------------------------------------------------------------------------


async def test_a_hold_stops_changes_and_lets_reads_and_people_go_on(world: World) -> None:
    session = await world.opened()
    with pytest.raises(UsageError):
        await session.hold("x")
    await session.hold("replica lags", "bo", "23:30")
    with pytest.raises(StoppedError) as caught:
        await session.start("apply", 0, SAID_YES)
    assert "bo: replica lags" in caught.value.detail
    await session.finished("rows", (await session.start("rows")).number)
    await session.attest("tell")
    await session.release()
    assert await finish(session, world, "apply") is S.VERIFIED


@pytest.mark.parametrize("flag", ["HOLD", "PANIC"])
async def test_a_flag_file_holds_at_once_and_its_removal_releases(world: World, flag: str) -> None:
    session = await world.opened()
    world.files.raised[flag] = "lag"
    with pytest.raises(StoppedError):
        await session.start("apply", 0, SAID_YES)
    await eventually(lambda: session.run.hold)
    assert session.run.hold is not None
    assert (session.run.hold.owner, session.run.hold.reason) == (f"file {flag}", "lag")
    with pytest.raises(StoppedError, match=flag):
        await session.release()
    world.files.raised.clear()
    await eventually(lambda: session.run.hold is None)
    assert await finish(session, world, "apply") is S.VERIFIED


async def test_panic_outranks_a_hold_file_and_a_persons_hold_outlives_files(world: World) -> None:
    session = await world.opened()
    world.files.raised["HOLD"] = ""
    await eventually(lambda: session.run.hold)
    world.files.raised["PANIC"] = "stop it all"
    await eventually(lambda: session.run.hold and session.run.hold.owner == "file PANIC")
    assert len(world.store.of(Kind.HOLD)) == 2
    world.files.raised.clear()
    await eventually(lambda: session.run.hold is None)
    await session.hold("by a person")
    world.files.raised["HOLD"] = ""
    await eventually(lambda: session.version)
    world.files.raised.clear()
    await asyncio.gather(session._watch_flags(), session._recorder.catch_up())
    assert session.run.hold is not None


async def test_only_the_driver_turns_files_into_holds(world: World) -> None:
    await world.opened("one")
    await world.opened("two")
    world.files.raised["HOLD"] = "x"
    await eventually(lambda: world.store.of(Kind.HOLD))
    world.files.raised.clear()
    await eventually(lambda: world.store.of(Kind.RELEASE))
    assert len(world.store.of(Kind.HOLD)) == len(world.store.of(Kind.RELEASE)) == 1


# The terminal --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "code", "expected"),
    [
        ("shell", 0, S.TODO),
        ("shell", 3, S.FAILED),
        ("shell", -2, S.FAILED),
        ("shell-rw", 0, S.TODO),
        ("shell-rw", 3, S.FAILED),
        ("shell-rw", 130, S.INTERRUPTED),
        ("shell-rw", -9, S.INTERRUPTED),
    ],
)
async def test_a_command_with_the_terminal_is_recorded_as_not_captured(
    world: World, item: str, code: int, expected: ItemState
) -> None:
    session = await world.opened()
    seen: list[Any] = []

    async def terminal(argv: list[str], environment: Mapping[str, str], cwd: str) -> int:
        seen.append((argv, dict(environment), cwd, world.store.kinds()[-1]))
        return code

    attempt = await session.interactive(item, 0, SAID_YES, terminal)
    argv, environment, cwd, before = seen[0]
    assert argv[-1] == ("tail -f log" if item == "shell" else "psql")
    assert SECRET not in " ".join(argv)
    assert (environment["PGHOST"], environment["PGPASSWORD"], environment["HOME"]) == ("db1", SECRET, "/root")
    assert "DATABASE_URL" not in environment
    assert (cwd, before) == (str(world.path), "attempt.started")
    assert state(session, item) is expected
    assert attempt.interactive
    assert "not captured" in " ".join(attempt.reasons)
    assert world.jobs.requests == []


async def test_a_terminal_that_is_taken_away_leaves_an_unknown_outcome(world: World) -> None:
    session = await world.opened()

    async def terminal(argv: list[str], environment: Mapping[str, str], cwd: str) -> int:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await session.interactive("shell-rw", 0, SAID_YES, terminal)
    assert state(session, "shell-rw") is S.INTERRUPTED


async def test_a_command_that_cannot_be_executed_in_the_terminal_failed(world: World) -> None:
    session = await world.opened()

    async def terminal(argv: list[str], environment: Mapping[str, str], cwd: str) -> int:
        raise FileNotFoundError(2, "No such file or directory")

    await session.interactive("shell", 0, SAID_YES, terminal)
    assert state(session, "shell") is S.FAILED


async def test_a_terminal_item_neither_runs_detached_nor_gives_way_while_it_has_the_terminal(world: World) -> None:
    session = await world.opened()
    with pytest.raises(StoppedError, match="real terminal"):
        await session.start("shell")
    with pytest.raises(UsageError):
        await session.interactive("rows", 0, SAID_YES, lambda *_: pytest.fail("never"))  # type: ignore[arg-type]
    entered, leave = asyncio.Event(), asyncio.Event()

    async def terminal(argv: list[str], environment: Mapping[str, str], cwd: str) -> int:
        entered.set()
        await leave.wait()
        return 0

    running = asyncio.create_task(session.interactive("shell-rw", 0, SAID_YES, terminal))
    await entered.wait()
    with pytest.raises(StoppedError):
        await session.start("apply", 0, SAID_YES)
    with pytest.raises(StoppedError, match="has the terminal"):
        await session.stop("shell-rw")
    world.store.present["one"] = 500.0  # suspended under the command, so silent
    world.store.stale.add("one")
    second = await world.opened("two")
    assert await second.take_over("silent")
    assert state(second, "shell-rw") is S.RUNNING, "its console lives, and so may the command"
    leave.set()
    await running
    await eventually(lambda: second.run.record("shell-rw").awaiting)


async def test_a_console_does_not_take_over_its_own_terminal(world: World) -> None:
    session = await world.opened()
    leave = asyncio.Event()

    async def terminal(argv: list[str], environment: Mapping[str, str], cwd: str) -> int:
        await leave.wait()
        return 0

    running = asyncio.create_task(session.interactive("shell-rw", 0, SAID_YES, terminal))
    await eventually(lambda: state(session, "shell-rw") is S.RUNNING)
    beats = world.store.beats
    await eventually(lambda: world.store.beats > beats + 3)
    assert state(session, "shell-rw") is S.RUNNING
    leave.set()
    await running
    assert session.run.record("shell-rw").awaiting


async def test_a_terminal_whose_console_died_is_unknown(world: World) -> None:
    first = await world.opened("one")
    entered = asyncio.Event()

    async def terminal(argv: list[str], environment: Mapping[str, str], cwd: str) -> int:
        entered.set()
        await asyncio.Event().wait()
        return 0

    running = asyncio.create_task(first.interactive("shell-rw", 0, SAID_YES, terminal))
    await entered.wait()
    world.crash(first)
    second = await world.opened("two")
    assert state(second, "shell-rw") is S.INTERRUPTED
    running.cancel()
    await asyncio.wait({running})


# The loop ------------------------------------------------------------------------------------------------------------


async def test_a_journal_that_cannot_be_written_holds_everything_until_it_can(world: World) -> None:
    session = await world.opened()
    world.store.broken = "database or disk is full"
    with pytest.raises(MigconsoleError):
        await session.attest("tell")
    assert "full" in session.problem
    for command in set(Command) - {Command.STOP}:
        assert "cannot be written" in session.verdict("tell", command).reason
    world.store.broken = ""
    await eventually(lambda: not session.problem)
    await session.attest("tell")


async def test_a_run_whose_journal_cannot_be_written_is_not_opened_and_can_be_later(world: World) -> None:
    world.store.broken = "database or disk is full"
    session = world.session()
    with pytest.raises(MigconsoleError, match="full"):
        await session.open()
    await session.close()
    assert world.database.closed
    world.store.broken = ""
    assert (await world.opened("again")).driving


async def test_the_beat_notices_a_broken_journal_before_a_person_does(world: World) -> None:
    session = await world.opened()
    world.store.broken = "database or disk is full"
    await eventually(lambda: session.problem)
    assert not session.verdict("log", Command.RUN).allowed


async def test_a_journal_that_cannot_be_read_for_a_while_is_mended(world: World) -> None:
    session = await world.opened()
    world.store.unreadable = "database is locked"
    await eventually(lambda: "locked" in session.problem)
    world.store.unreadable = ""
    await eventually(lambda: not session.problem)
    await session.attest("tell")


@pytest.mark.parametrize("fault", [RuntimeError("odd"), OSError(5, "Input/output error"), KeyError("x")])
async def test_whatever_the_loop_meets_it_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    session = await world.opened()
    flags, faults = world.files.flags, [fault]

    def shaky() -> Mapping[str, str]:
        if faults:
            raise faults.pop()
        return flags()

    monkeypatch.setattr(world.files, "flags", shaky)
    await eventually(lambda: not faults)
    world.files.raised["HOLD"] = "still watching"
    await eventually(lambda: session.run.hold)
    await eventually(lambda: not session.problem)


async def test_a_listener_that_fails_stops_nothing(world: World) -> None:
    session = await world.opened()
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    heard: list[int] = []

    def broken() -> None:
        raise RuntimeError("cannot draw")

    session.subscribe(broken)
    unsubscribe = session.subscribe(lambda: heard.append(session.version))
    await session.attest("tell")
    assert state(session, "tell") is S.ATTESTED
    assert heard
    assert complaints
    unsubscribe()
    heard.clear()
    await session.attest("opt")
    assert heard == []


async def test_presences_come_and_go(world: World) -> None:
    first = await world.opened("one")
    second = await world.opened("two")
    await eventually(lambda: {p.console for p in first.presences} == {"one", "two"})
    await second.close()
    await eventually(lambda: {p.console for p in first.presences} == {"one"})


async def test_a_password_that_is_a_word_of_the_record_changes_nothing(world: World) -> None:
    """Redaction is by value; what the fold runs on is not text of the outside."""
    session = world.session()
    session._recorder._redact = lambda text: text.replace("apply", "***").replace("passed", "***").replace("run", "***")
    await session.open()
    assert await finish(session, world, "apply") is S.VERIFIED
    assert world.store.of(Kind.ATTEMPT_STARTED)[0]["text"] == "./***.sh"
