"""Headless: it does what was allowed beforehand, stops wherever a person is needed, and its exit code is the truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migconsole.domain.checklist import Answer, Check, Checklist, Danger, Item, Step
from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from migconsole.engine.headless import Headless, Permissions
from migconsole.engine.ports import JobPhase, JobStatus
from migconsole.engine.session import Session
from migconsole.errors import EXIT_FAILED, EXIT_OK, EXIT_STOPPED, EXIT_UNKNOWN, StoppedError, UsageError
from tests.engine.fakes import IDENTITY, SAID_YES, Scripted, World, checklist, command, expect, only
from tests.waiting import eventually

S = ItemState
CHANGE = frozenset({Danger.MUTATING})


class Carried:
    """A headless run over some items, its exit code and what it said."""

    def __init__(self, path: Path, items: tuple[Item, ...] | Checklist, **allowed: Any) -> None:
        self.world = World(path, items if isinstance(items, Checklist) else checklist(items))
        self.world.jobs.at_once = Scripted()
        self.allowed = Permissions(**allowed)
        self.said: list[str] = []

    async def run(self, console: str = "one") -> int:
        session = await self.world.opened(console)
        try:
            return await Headless(session, self.allowed, self.said.append).run()
        finally:
            await session.close()

    def state(self, item: str) -> ItemState:
        session: Session = self.world.sessions[-1]
        return session.run.record(item).state

    @property
    def text(self) -> str:
        return "\n".join(self.said)


async def test_checks_alone_need_nobody(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("version", "rows"))
    assert await carried.run() == EXIT_OK
    assert [line[0] for line in carried.said] == ["v", "v"]


async def test_a_failing_check_ends_it_with_1_and_names_the_evidence(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("rows", "version"))
    carried.world.database.rows = []
    assert await carried.run() == EXIT_FAILED
    assert "output.log" in carried.text
    assert carried.state("version") is S.TODO, "it does not go on past a failure"


async def test_a_manual_item_stops_it_with_3(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("version", "tell", "rows"))
    assert await carried.run() == EXIT_STOPPED
    assert "“Tell the team” (tell) stops the run" in carried.text
    assert (carried.state("version"), carried.state("tell"), carried.state("rows")) == (S.VERIFIED, S.TODO, S.TODO)


async def test_attest_all_attests_with_its_reason_and_never_verifies(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("tell", "look"), attest_all="rehearsal 7")
    assert await carried.run() == EXIT_OK
    assert carried.state("tell") is carried.state("look") is S.ATTESTED
    assert [move["note"] for move in carried.world.store.of(Kind.ITEM_MOVED)] == ["rehearsal 7"] * 2


async def test_attest_all_answers_nothing_without_a_value(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("size"), attest_all="rehearsal")
    assert await carried.run() == EXIT_STOPPED
    assert "--answer size=" in carried.text
    carried.allowed = replace(carried.allowed, answers={"size": "41GB"})
    assert await carried.run("two") == EXIT_OK
    assert carried.world.sessions[-1].run.record("size").value == "41.0 GB"


async def test_attest_all_takes_a_default_with_its_variables_and_not_one_without_a_value(tmp_path: Path) -> None:
    asked = Item("place", "Where?", Step(Answer("path", "Where?", default="${place}/x")))
    carried = Carried(tmp_path / "a", (asked,), attest_all="rehearsal")
    assert await carried.run() == EXIT_OK
    assert carried.world.sessions[-1].run.record("place").value == "sub/x"
    empty = replace(asked, step=Step(Answer("path", "Where?", default="${nothing}/x")))
    carried = Carried(tmp_path / "b", (empty,), attest_all="rehearsal")
    assert await carried.run() == EXIT_STOPPED


async def test_an_answer_of_the_wrong_type_is_a_usage_error(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("size"), answers={"size": "large"})
    assert await carried.run() == 2
    assert "a size, such as 41GB" in carried.text


async def test_attest_all_does_not_attest_a_failure(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("bare", "tell"), attest_all="rehearsal", allow=CHANGE)
    carried.world.jobs.at_once = Scripted(1)
    assert await carried.run() == EXIT_FAILED
    assert carried.state("bare") is S.FAILED
    assert carried.state("tell") is S.TODO


async def test_changes_need_to_be_allowed(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("apply"))
    assert await carried.run() == EXIT_STOPPED
    assert "--allow mutating" in carried.text
    assert carried.world.jobs.requests == []
    carried.allowed = Permissions(allow=CHANGE)
    assert await carried.run("two") == EXIT_OK


@pytest.mark.parametrize("confirm", ["", "app", "app@db1:5433"])
async def test_destruction_needs_the_servers_name(tmp_path: Path, confirm: str) -> None:
    carried = Carried(tmp_path, only("drop"), allow=CHANGE, confirm=confirm)
    assert await carried.run() == EXIT_STOPPED
    assert "--confirm app@db1:5432" in carried.text
    assert carried.world.jobs.requests == []


async def test_destruction_with_the_name(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("drop"), confirm="app@db1:5432")
    assert await carried.run() == EXIT_OK


async def test_an_unnamed_target_confirms_nothing(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("drop"), allow=CHANGE, confirm="")
    carried.world.database.down = "connection refused"
    assert await carried.run() == EXIT_FAILED
    assert carried.world.jobs.requests == []


async def test_an_unreachable_target_is_1_a_changed_one_3(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("apply"), allow=CHANGE)
    carried.world.database.down = "connection refused"
    assert await carried.run() == EXIT_FAILED
    carried.world.database.down = ""
    await (await carried.world.opened("pins")).close()
    carried.world.database.now = replace(IDENTITY, system_identifier="other")
    assert await carried.run("two") == EXIT_STOPPED
    assert "target changed" in carried.text


async def test_an_unresolved_variable_is_2(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("uses"), allow=CHANGE)
    assert await carried.run() == 2
    assert "no value" in carried.text


async def test_an_unknown_outcome_is_4_now_and_at_the_next_try(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("apply", "version"), allow=CHANGE)
    carried.world.jobs.at_once = Scripted(None, 9)
    assert await carried.run() == EXIT_UNKNOWN
    assert await carried.run("two") == EXIT_UNKNOWN
    assert len(carried.world.jobs.requests) == 1, "it is not run again by itself"
    assert carried.state("version") is S.TODO


async def test_another_driver_is_3(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("version"))
    await carried.world.opened("first")
    with pytest.raises(StoppedError, match="Another console") as caught:
        await carried.run("second")
    assert caught.value.exit_code == EXIT_STOPPED


async def test_a_hold_is_3(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("apply"), allow=CHANGE)
    carried.world.files.raised["HOLD"] = "wait"
    assert await carried.run() == EXIT_STOPPED
    assert carried.world.jobs.requests == []


async def test_it_stops_after_an_item_when_asked_to(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("version", "rows", "tell"), stop_after="rows")
    assert await carried.run() == EXIT_OK
    assert carried.said[-1] == "stopped after “Rows are there” as asked"


@pytest.mark.parametrize(
    "allowed", [{"stop_after": "nowhere"}, {"answers": {"nowhere": "1"}}, {"alternatives": {"nowhere": 1}}]
)
async def test_names_that_are_no_items_are_usage_errors(tmp_path: Path, allowed: dict[str, Any]) -> None:
    carried = Carried(tmp_path, only("version"), **allowed)
    with pytest.raises(UsageError, match="nowhere"):
        await carried.run()
    assert carried.world.store.of(Kind.ATTEMPT_STARTED) == []


async def test_the_way_can_be_chosen(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("ways"), alternatives={"ways": 2}, attest_all="x")
    assert await carried.run() == EXIT_OK
    assert carried.world.jobs.requests == []
    assert carried.world.sessions[-1].run.record("ways").last.alternative == 1  # type: ignore[union-attr]


async def test_what_needs_the_terminal_stops_it(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("shell"), attest_all="x", allow=CHANGE)
    assert await carried.run() == EXIT_STOPPED
    assert "real terminal" in carried.text


async def test_what_this_version_cannot_do_stops_it_or_is_attested(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("job"))
    carried.world.unavailable["job:lint"] = "the action “lint” is not available yet"
    assert await carried.run() == EXIT_STOPPED
    assert "not available yet" in carried.text
    carried.allowed = Permissions(attest_all="by hand")
    assert await carried.run("two") == EXIT_OK
    assert carried.state("job") is S.ATTESTED


async def test_optional_items_are_left_alone(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("opt", "version"))
    assert await carried.run() == EXIT_OK
    assert carried.state("opt") is S.TODO


async def test_deferred_items_are_left_and_named(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("tell", "version"))
    session = await carried.world.opened("person")
    await session.defer("tell", "later today", "T+24h")
    await session.close()
    assert await carried.run() == EXIT_STOPPED
    assert "left: “Tell the team” (deferred)" in carried.text
    assert carried.state("version") is S.VERIFIED


async def test_it_goes_on_where_it_stopped_and_runs_nothing_twice(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("apply", "tell", "version"), allow=CHANGE)
    assert await carried.run() == EXIT_STOPPED
    session = await carried.world.opened("person")
    await session.attest("tell")
    await session.close()
    assert await carried.run("two") == EXIT_OK
    assert len(carried.world.jobs.requests) == 1


async def test_a_job_that_still_runs_is_waited_for(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("apply", "version"), allow=CHANGE)
    carried.world.jobs.at_once = None
    first = await carried.world.opened("first")
    await first.start("apply", 0, SAID_YES)
    await eventually(lambda: carried.world.jobs.requests)
    carried.world.crash(first)
    second = await carried.world.opened("second")
    carried.world.jobs.end()
    assert await Headless(second, carried.allowed, carried.said.append).run() == EXIT_OK
    assert len(carried.world.jobs.requests) == 1
    await second.close()


async def test_a_failed_step_is_run_again_when_it_is_asked_to_go_on(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("apply"), allow=CHANGE)
    carried.world.jobs.at_once = Scripted(1)
    assert await carried.run() == EXIT_FAILED
    carried.world.jobs.at_once = Scripted()
    assert await carried.run("two") == EXIT_OK
    attempts = carried.world.sessions[-1].run.record("apply").attempts
    assert [attempt.outcome for attempt in attempts] == ["failed", "passed"]


async def test_it_does_not_go_on_past_an_end_that_is_not_on_record(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("apply", "version"), allow=CHANGE)
    session = await carried.world.opened()

    async def gone(item: str, number: int) -> None:
        """As if its end had not been recorded."""

    carried.world.jobs.at_once = None
    session.finished = gone  # type: ignore[assignment, method-assign]
    assert await Headless(session, carried.allowed, carried.said.append).run() == EXIT_UNKNOWN
    assert session.run.record("version").state is S.TODO


async def test_lost_jobs_are_4(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("apply"), allow=CHANGE)
    carried.world.jobs.at_once = None
    first = await carried.world.opened("first")
    await first.start("apply", 0, SAID_YES)
    await eventually(lambda: carried.world.jobs.requests)
    carried.world.crash(first)
    directory = carried.world.jobs.requests[0].directory
    carried.world.jobs.put(directory, JobStatus(JobPhase.LOST, reason="the host was rebooted"))
    assert await carried.run("second") == EXIT_UNKNOWN


async def test_headings_are_passed_through(tmp_path: Path) -> None:
    group = Item(
        "group",
        "Group",
        items=(Item("a", "A", Step(Check("x"))), Item("b", "B", command(expect=expect("run", exit="0")))),
    )
    carried = Carried(tmp_path, (group,), allow=CHANGE)
    assert await carried.run() == EXIT_OK
    assert carried.world.sessions[-1].run.state_of(group) is S.VERIFIED


async def test_the_summary_counts(tmp_path: Path) -> None:
    carried = Carried(tmp_path, only("version", "rows", "tell"))
    carried.world.database.rows = []
    session = await carried.world.opened()
    headless = Headless(session, carried.allowed, carried.said.append)
    assert await headless.run() == EXIT_FAILED
    assert headless.summary() == "1 of 3 done, 1 with problems, 2 left"
    await session.close()
