"""Built-in jobs: carried out as commands of a process, judged by exit, outcome and expectation, facts recorded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migconsole.domain.checklist import Danger, Item, Job, Step
from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from migconsole.domain.outcomes import JobOutcome
from migconsole.domain.policy import Command
from migconsole.domain.restore_points import PointState
from migconsole.engine.headless import Headless, Permissions
from migconsole.engine.ports import JobPhase, JobStatus, StopRung
from migconsole.engine.session import Session
from migconsole.errors import EXIT_OK, EXIT_UNKNOWN, UsageError
from tests.engine.fakes import SAID_YES, Scripted, World, checklist, command, expect
from tests.waiting import eventually

S = ItemState
FACT = {"kind": "restore-point", "key": "b1:unproven", "data": {"backup": "b1", "state": "unproven", "path": "/b/1"}}
VALUES = {"size": 12, "rows": 100}
GOOD = JobOutcome("passed", lines=("12 tables",), values=VALUES, captured={"path": "/b/1"}, facts=(FACT,))
ITEMS = (
    Item("backup", "Backup", Step(Job("backup", {"directory": "${place}", "jobs": 2}))),
    Item("sized", "Backup", Step(Job("backup"), expect=expect("job", size=">= 10"))),
    Item("counted", "Backup", Step(Job("backup"), expect=expect("job", rows="100"))),
    Item("prove", "Prove", Step(Job("prove", {"backup": "${backup.path}"}))),
    Item("uses", "Use it", command('ls "$backup_path"', Danger.READ, expect=expect("run", exit="0"))),
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, checklist(ITEMS))


async def run(session: Session, world: World, item: str, how: Scripted) -> ItemState:
    attempt = await session.start(item, 0, SAID_YES)
    await eventually(lambda: len(world.jobs.requests) and world.jobs.requests[-1].item == item)
    world.jobs.end(how)
    await session.finished(item, attempt.number)
    return session.run.record(item).state


async def test_a_job_is_the_command_line_that_the_preview_shows(world: World) -> None:
    session = await world.opened()
    preview = session.preview("backup")
    assert preview.text == "migconsole backup --directory sub --jobs 2 --run RUN"
    assert preview.danger is Danger.READ
    assert await run(session, world, "backup", Scripted(says=GOOD)) is S.VERIFIED
    request = world.jobs.requests[0]
    assert (request.kind, request.script, request.run) == ("backup", "", str(world.path))
    assert request.arguments == {"directory": "sub", "jobs": 2}
    assert request.secrets["PGPASSWORD"]
    assert world.store.of(Kind.ATTEMPT_STARTED)[0]["job"] == "backup"


async def test_what_it_found_out_is_recorded_once_and_given_to_later_items(world: World) -> None:
    session = await world.opened()
    assert session.preview("prove").unresolved
    assert session.preview("uses").unresolved
    await run(session, world, "backup", Scripted(says=GOOD))
    assert [event.key for event in session.timeline() if event.kind == Kind.RESTORE_POINT] == [
        "restore-point:b1:unproven"
    ]
    kinds = world.store.kinds()
    assert kinds.index("restore-point") < kinds.index("attempt.ended")
    assert session.run.restore_point.state is PointState.UNPROVEN
    assert session.run.captured == {"backup_path": "/b/1"}
    assert session.preview("prove").text == "migconsole prove --run RUN -- /b/1"
    assert not session.preview("uses").unresolved
    await session.reopen("backup", "again")
    await run(session, world, "backup", Scripted(says=GOOD))
    assert len(world.store.of(Kind.RESTORE_POINT)) == 1


@pytest.mark.parametrize(
    ("item", "how", "expected", "why"),
    [
        ("backup", Scripted(), S.FAILED, "left no outcome"),
        ("backup", Scripted(1), S.FAILED, "left no outcome"),
        ("backup", Scripted(None, 9), S.FAILED, "backup --list --directory"),
        ("prove", Scripted(), S.INTERRUPTED, "what it changed is not known"),
        ("prove", Scripted(None, 9), S.INTERRUPTED, "drops what it left and restores anew"),
        ("prove", Scripted(2), S.FAILED, "exit 2"),
        ("backup", Scripted(1, says=GOOD), S.FAILED, "exit 1"),
        ("backup", Scripted(says=JobOutcome("failed", ("a table is missing",))), S.FAILED, "a table is missing"),
        ("backup", Scripted(4, says=JobOutcome("failed")), S.INTERRUPTED, "does not know"),
        ("backup", Scripted(says=JobOutcome("asks", ("is this all?",))), S.TODO, "is this all?"),
        ("sized", Scripted(says=GOOD), S.VERIFIED, ""),
        ("counted", Scripted(says=replace(GOOD, values={"rows": 100})), S.VERIFIED, ""),
        ("counted", Scripted(says=replace(GOOD, values={"rows": 99})), S.FAILED, "got 99"),
        ("sized", Scripted(says=replace(GOOD, values={"size": 9})), S.FAILED, "size"),
        ("sized", Scripted(says=replace(GOOD, values={})), S.TODO, "size"),
        ("sized", Scripted(says=replace(GOOD, verdict="asks")), S.VERIFIED, ""),
        ("sized", Scripted(says=replace(GOOD, verdict="failed")), S.FAILED, ""),
        ("prove", Scripted(None, 9, says=GOOD), S.INTERRUPTED, "signal 9"),
        ("prove", Scripted(1, stopped_by="SIGINT", says=JobOutcome("failed", ("undone",))), S.FAILED, "undone"),
        ("prove", Scripted(1, stopped_by="SIGINT"), S.INTERRUPTED, "SIGINT"),
    ],
)
async def test_verdicts(world: World, item: str, how: Scripted, expected: ItemState, why: str) -> None:
    session = await world.opened()
    if item == "prove":
        await run(session, world, "backup", Scripted(says=GOOD))
    assert await run(session, world, item, how) is expected
    attempt = session.run.record(item).last
    assert attempt is not None
    assert why in "; ".join(attempt.reasons)


async def test_a_torn_outcome_is_no_pass(world: World) -> None:
    session = await world.opened()
    attempt = await session.start("backup")
    await eventually(lambda: world.jobs.requests)
    (world.jobs.requests[0].directory / "outcome.json").write_text('{"verdict": "pas')
    world.jobs.end()
    await session.finished("backup", attempt.number)
    assert session.run.record("backup").state is S.FAILED


async def test_whoever_takes_over_judges_it_and_records_its_facts(world: World) -> None:
    first = await world.opened("one")
    await first.start("backup")
    await eventually(lambda: world.jobs.requests)
    world.crash(first)
    world.jobs.end(Scripted(says=GOOD))
    second = await world.opened("two")
    assert second.run.record("backup").state is S.VERIFIED
    assert second.run.restore_point.path == "/b/1"


async def test_a_running_job_is_adopted_and_stopped_like_a_command(world: World) -> None:
    first = await world.opened("one")
    await first.start("backup")
    await eventually(lambda: world.jobs.requests)
    world.crash(first)
    second = await world.opened("two")
    assert [a.item for a in second.adopted] == ["backup"]
    assert second.verdict("backup", Command.STOP).allowed
    world.jobs.dies_of = StopRung.INTERRUPT
    state = await second.stop("backup")
    assert state.sent == ("SIGINT",)
    await second.idle()
    assert second.run.record("backup").state is S.FAILED
    assert "0 of its backends" in str(second.run.record("backup").last) or "no backend" in str(
        second.run.record("backup").last
    )


async def test_a_lost_job_that_changes_something_is_unknown(world: World) -> None:
    session = await world.opened()
    await run(session, world, "backup", Scripted(says=GOOD))
    attempt = await session.start("prove", 0, SAID_YES)
    await eventually(lambda: len(world.jobs.requests) == 2)
    world.jobs.put(world.jobs.requests[1].directory, JobStatus(JobPhase.LOST, reason="its runner is gone"))
    await session.finished("prove", attempt.number)
    assert session.run.record("prove").state is S.INTERRUPTED
    last = session.run.record("prove").last
    assert last is not None
    assert "nothing that was cut off is armed" in "; ".join(last.reasons)


@pytest.mark.parametrize("arguments", [{"directory": {"a": {"b": 1}}}, {"directory": [True]}])
async def test_arguments_that_are_no_words_are_refused_before_anything_starts(
    tmp_path: Path, arguments: Mapping[str, Any]
) -> None:
    world = World(tmp_path, checklist((Item("backup", "Backup", Step(Job("backup", arguments))),)))
    session = await world.opened()
    with pytest.raises(UsageError, match="command line"):
        await session.start("backup")
    assert world.jobs.requests == []
    await world.close()


async def test_headless_runs_carry_jobs(world: World) -> None:
    said: list[str] = []
    session = await world.opened()
    world.jobs.at_once = Scripted(says=GOOD)
    allowed = Permissions(allow=frozenset({Danger.MUTATING}), stop_after="prove")
    assert await Headless(session, allowed, said.append).run() == EXIT_OK
    assert [line[0] for line in said[:2]] == ["v", "v"]


async def test_headless_ends_with_4_where_a_job_does_not_know(world: World) -> None:
    said: list[str] = []
    session = await world.opened()
    world.jobs.at_once = Scripted(4, says=JobOutcome("failed", ("the server went away",)))
    assert await Headless(session, Permissions(), said.append).run() == EXIT_UNKNOWN
    assert "the server went away" in "\n".join(said)
