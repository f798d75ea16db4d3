"""Backing out: nothing by looking, a decision on record, then line by line; a failure or a person stops it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from migconsole.domain import built_in
from migconsole.domain.checklist import Checklist, Danger, Item, Job, Mode, Phase, Section, Step, Variable
from migconsole.domain.checklist import Run as Command
from migconsole.domain.events import Draft, Kind
from migconsole.domain.items import ItemState
from migconsole.domain.outcomes import JobOutcome
from migconsole.domain.policy import Command as Ask
from migconsole.domain.rollback_means import Means
from migconsole.domain.rollback_plan import Strategy
from migconsole.engine.backing_out import Decided
from migconsole.engine.ports import StopRung
from migconsole.engine.session import Session
from migconsole.errors import StoppedError, UsageError
from tests.desk import PREPARED, TARGET, survey, swapped
from tests.engine.fakes import IDENTITY, Scripted, World, expect
from tests.waiting import eventually

S = ItemState
REASON = "orders fail since the migration"
SWAP = Decided(Strategy.SWAP, REASON, "Ada", TARGET)
DONE = Scripted(says=JobOutcome("passed", values={"verdict": "swapped"}))
BOXES = {"look": "verify", "drop": "drop", "create": "create"}


def line(item: str, script: str = "", danger: Danger = Danger.MUTATING) -> Item:
    if not script:
        return Item(item, item)
    return Item(item, item, Step(Command(script), danger=danger, expect=expect("run", exit="0")))


RESTORE = Item("restore", "Restore from backup", Step(Job("restore", {"boxes": BOXES, "prefer": ["swap"]})))
PROCEDURE = (
    Section("1", "Maintenance", (line("stop", "./stop.sh"),), Mode.READ_DO),
    Section("2", "Database", (line("look"), line("drop"), line("create"), RESTORE), Mode.READ_DO),
    Section("3", "Application", (line("start", "./start.sh"), line("tell")), Mode.READ_DO),
)
FORWARD = (Phase("p", "P", 0, (Section("s", "S", (line("migrate", "./m.sh"),)),)),)


def checklist(**more: object) -> Checklist:
    made = Checklist("T", phases=FORWARD, rollback=PROCEDURE, variables={"x": Variable("x")})
    return replace(made, **more)  # type: ignore[arg-type]


SERVER = replace(IDENTITY, database="fulfillment_ops_db")


def made(path: Path, checklist: Checklist) -> World:
    world = World(path, checklist)
    world.database.now = SERVER
    return world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return made(tmp_path, checklist())


async def engaged(world: World, decided: Decided = SWAP) -> Session:
    session = await world.opened()
    plan = session.rollback.plan(await session.rollback.survey(), decided.strategy, decided.means)
    await session.rollback.engage(plan, decided)
    return session


def state(session: Session, item: str) -> ItemState:
    return session.run.record(item).state


@pytest.fixture
def restoring(tmp_path: Path) -> World:
    """The restore is the first line, and runs until the test ends it."""
    return made(tmp_path, checklist(rollback=PROCEDURE[1:]))


# Looking -------------------------------------------------------------------------------------------------------------


async def test_looking_changes_nothing(world: World) -> None:
    session = await world.opened()
    before = session.run.head
    found = await session.rollback.survey()
    options = session.rollback.options(found)
    assert session.rollback.proposed(options) is Strategy.SWAP
    assert session.rollback.plan(found, Strategy.SWAP).steps
    assert session.run.head == before
    assert world.jobs.requests == []


async def test_without_a_desk_it_says_so(world: World) -> None:
    session = await world.opened()
    session.rollback._desk = None
    assert session.rollback.unavailable
    with pytest.raises(StoppedError):
        await session.rollback.survey()


async def test_what_is_not_possible_is_not_proposed(world: World) -> None:
    world.desk.now = survey(blockers=(PREPARED,))
    session = await world.opened()
    options = session.rollback.options(await session.rollback.survey())
    assert not any(option.feasible for option in options)
    assert session.rollback.proposed(options) is Strategy.SWAP, "the preferred one, whose reasons are to be mended"
    assert session.rollback.plan(world.desk.now, Strategy.SWAP).refusals


async def test_only_the_application_is_proposed_where_somebody_has_said_that_it_can_and_nothing_else_is_left(
    world: World,
) -> None:
    said = Means(old_app="only adds columns")
    session = await world.opened()
    assert session.rollback.proposed(session.rollback.options(survey(), said)) is Strategy.SWAP
    blocked = session.rollback.options(survey(blockers=(PREPARED,)), said)
    assert session.rollback.proposed(blocked) is Strategy.APP_ONLY


# Deciding ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decided", "error"),
    [
        (replace(SWAP, reason="because"), UsageError),
        (replace(SWAP, by=" "), UsageError),
        (replace(SWAP, typed="fulfillment_ops_db"), UsageError),
        (replace(SWAP, typed=""), UsageError),
        (Decided(Strategy.IN_PLACE, REASON, "Ada", TARGET), UsageError),
        (Decided(Strategy.SIDE_RESTORE, REASON, "Ada", TARGET), StoppedError),
    ],
)
async def test_a_decision_without_its_words_is_none(world: World, decided: Decided, error: type[Exception]) -> None:
    session = await world.opened()
    plan = session.rollback.plan(await session.rollback.survey(), decided.strategy)
    with pytest.raises(error):
        await session.rollback.engage(plan, decided)
    assert session.run.engagement.now is None


async def test_only_the_driver_decides(world: World) -> None:
    await world.opened("one")
    other = await world.opened("two")
    plan = other.rollback.plan(await other.rollback.survey(), Strategy.SWAP)
    with pytest.raises(StoppedError):
        await other.rollback.engage(plan, SWAP)


async def test_the_decision_is_on_record_with_what_was_shown(world: World) -> None:
    await engaged(world)
    data = world.store.of(Kind.ROLLBACK_ENGAGED)[0]
    assert (data["strategy"], data["reason"], data["by"], data["typed"]) == ("swap", REASON, "Ada", TARGET)
    assert any("RENAME TO" in text for text in data["steps"])
    assert "1,204 inserted" in data["loss"][0]


async def test_it_can_be_called_off_before_the_database_is_touched(world: World) -> None:
    session = await engaged(world)
    with pytest.raises(UsageError):
        await session.rollback.stand_down("no")
    await session.rollback.stand_down("the application was at fault")
    assert session.run.engagement.now is None
    with pytest.raises(StoppedError):
        await session.rollback.go_on()


# Doing ---------------------------------------------------------------------------------------------------------------


async def test_line_after_line_until_a_person_is_needed(world: World) -> None:
    session = await engaged(world)
    world.jobs.at_once = DONE
    stand = await session.rollback.go_on()
    assert [request.item for request in world.jobs.requests] == ["stop", "restore", "start"]
    assert stand.person
    assert stand.located is not None
    assert stand.located.item.id == "tell"
    await session.attest("tell")
    assert (await session.rollback.go_on()).located is None


async def test_the_restore_is_told_what_was_decided_and_runs_as_the_public_command(world: World) -> None:
    session = await engaged(world)
    world.jobs.at_once = DONE
    await session.rollback.go_on()
    request = next(r for r in world.jobs.requests if r.item == "restore")
    assert request.kind == "restore"
    given = {name: request.arguments[name] for name in ("strategy", "reason", "by", "confirm")}
    assert given == {"strategy": "swap", "reason": REASON, "by": "Ada", "confirm": TARGET}
    attempt = session.run.record("restore").last
    assert attempt is not None
    assert attempt.danger == "destructive"
    assert attempt.text.startswith("migconsole rollback --strategy swap --reason 'orders fail")
    assert "--boxes" not in attempt.text


async def test_the_lines_that_the_swap_replaces_say_why_they_are_not_needed(world: World) -> None:
    session = await engaged(world)
    world.jobs.at_once = DONE
    await session.rollback.go_on()
    assert {state(session, name) for name in BOXES} == {S.NOT_APPLICABLE}
    assert "kept, not dropped" in session.run.record("drop").reason
    assert state(session, "restore") is S.VERIFIED


@pytest.mark.parametrize(
    ("strategy", "states"),
    [
        ("swap", [S.NOT_APPLICABLE, S.NOT_APPLICABLE, S.NOT_APPLICABLE]),
        ("side-restore", [S.VERIFIED, S.NOT_APPLICABLE, S.VERIFIED]),
        ("in-place", [S.VERIFIED, S.VERIFIED, S.VERIFIED]),
    ],
)
def test_what_each_strategy_does_of_the_seeds_lines(strategy: str, states: list[ItemState]) -> None:
    found = [built_in.covered(strategy, role) for role in built_in.BOXES]
    assert [S.VERIFIED if used else S.NOT_APPLICABLE for used, _ in found] == states
    assert all(len(why) > 3 for _, why in found)


async def test_a_failure_stops_it_and_nothing_is_gone_past(world: World) -> None:
    session = await engaged(world)
    world.jobs.at_once = Scripted(1)
    stand = await session.rollback.go_on()
    assert [request.item for request in world.jobs.requests] == ["stop"]
    assert "failed" in stand.stops
    assert (await session.rollback.go_on()).stops == stand.stops
    assert len(world.jobs.requests) == 1


async def test_a_restore_whose_outcome_is_unknown_stops_it(world: World) -> None:
    session = await engaged(world)
    world.jobs.at_once = Scripted()  # for a command a success, for a job that says nothing of itself unknown
    stand = await session.rollback.go_on()
    assert state(session, "restore") is S.INTERRUPTED
    assert "interrupted" in stand.stops
    assert {state(session, name) for name in BOXES} == {S.TODO}


async def test_the_console_may_die_over_the_restore(restoring: World) -> None:
    world = restoring
    session = await engaged(world)
    going = asyncio.create_task(session.rollback.go_on())
    await eventually(lambda: len(world.jobs.requests) == 1)
    world.crash(session)
    going.cancel()
    world.jobs.end(DONE)
    second = await world.opened("two")
    assert second.run.engagement.now is not None
    assert state(second, "restore") is S.VERIFIED
    assert {state(second, name) for name in BOXES} == {S.NOT_APPLICABLE}
    world.jobs.at_once = DONE
    await second.rollback.go_on()
    assert [request.item for request in world.jobs.requests] == ["restore", "start"]


async def test_a_checklist_without_a_restore_has_one_and_its_own_drop_is_never_run_by_itself(tmp_path: Path) -> None:
    drop = line("drop-by-hand", "dropdb app", Danger.DESTRUCTIVE)
    world = made(tmp_path, checklist(rollback=(Section("r", "R", (drop,)),)))
    session = await engaged(world)
    world.jobs.at_once = DONE
    stand = await session.rollback.go_on()
    assert [request.kind for request in world.jobs.requests] == ["restore"]
    assert "destroys something" in stand.stops
    await world.close()


async def test_where_only_the_application_goes_back_the_databases_lines_are_left_out(world: World) -> None:
    said = Means(old_app="only adds columns")
    session = await engaged(world, Decided(Strategy.APP_ONLY, REASON, "Ada", TARGET, means=said))
    assert state(session, "restore") is S.NOT_APPLICABLE
    assert state(session, "drop") is S.NOT_APPLICABLE
    world.jobs.at_once = Scripted()
    await session.rollback.go_on()
    assert [request.item for request in world.jobs.requests] == ["stop", "start"]


# No return -----------------------------------------------------------------------------------------------------------


async def test_cancelling_ends_with_the_point_of_no_return(restoring: World) -> None:
    world = restoring
    session = await engaged(world)
    going = asyncio.create_task(session.rollback.go_on())
    await eventually(lambda: len(world.jobs.requests) == 1)
    world.store.add(Draft(Kind.ROLLBACK_STARTED, {"rollback": "r1", "deed": "rollback", "strategy": "swap"}))
    world.store.add(Draft(Kind.ROLLBACK_STEP, {"rollback": "r1", "step": "fence", "course": "began"}))
    await eventually(lambda: session.run.rollback.open is not None)
    assert session.verdict("restore", Ask.STOP).allowed
    world.store.add(Draft(Kind.ROLLBACK_STEP, {"rollback": "r1", "step": "swap", "course": "began"}))
    await eventually(lambda: not session.verdict("restore", Ask.STOP).allowed)
    assert "point of no return" in session.verdict("restore", Ask.STOP).reason
    with pytest.raises(StoppedError, match="no return"):
        await session.stop("restore")
    world.jobs.at_once = DONE
    world.jobs.end(DONE)
    await going


async def test_a_rollback_that_is_told_to_stop_is_not_cancelled_on_the_server(
    restoring: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = restoring
    session = await engaged(world)
    going = asyncio.create_task(session.rollback.go_on())
    await eventually(lambda: len(world.jobs.requests) == 1)
    monkeypatch.setattr("migconsole.engine.stopping.WAITS", dict.fromkeys(StopRung, 0.001))
    await session.stop("restore")
    world.jobs.end(Scripted(3, says=JobOutcome("failed", ("cancelled",))))
    await going
    assert world.database.cancelled == []


async def test_our_own_swap_is_no_changed_target_and_a_strangers_is(world: World) -> None:
    session = await world.opened()
    world.store.add(Draft(Kind.ROLLBACK_STARTED, {"rollback": "r1", "deed": "rollback", "strategy": "swap"}))
    world.store.add(Draft(Kind.ROLLBACK_ENDED, {"rollback": "r1", "verdict": "swapped"}))
    await eventually(lambda: session.run.rollback.last is not None and not session.run.rollback.last.open)
    world.database.now = replace(SERVER, oid=16999)
    await session.identify()
    assert session.run.changed == ()
    assert session.run.identity["oid"] == 16999
    world.database.now = replace(SERVER, oid=17000)
    await session.identify()
    assert session.run.changed
    world.database.now = replace(SERVER, oid=16999, port=5433)
    await session.identify()
    assert any("port" in change for change in session.run.changed)


# Put back and purge --------------------------------------------------------------------------------------------------


async def test_putting_back_and_purging_are_jobs_of_their_own(world: World) -> None:
    world.desk.now = survey(swapped())
    session = await world.opened()
    world.jobs.at_once = DONE
    found = await session.rollback.survey()
    attempt = await session.rollback.put_back(session.rollback.put_back_plan(found), REASON, TARGET)
    await session.finished(attempt.item, attempt.number)
    assert world.jobs.requests[0].kind == "put-back"
    assert world.jobs.requests[0].arguments["confirm"] == TARGET
    plan = session.rollback.purge_plan(found, found.names.failed)
    attempt = await session.rollback.purge(plan, "failed", plan.confirm, plan.dated)
    await session.finished(attempt.item, attempt.number)
    assert world.jobs.requests[1].kind == "purge"
    assert world.jobs.requests[1].arguments == {"what": "failed", "confirm": plan.confirm, "dated": "2030-11-25"}


async def test_what_cannot_be_put_back_is_refused(world: World) -> None:
    session = await world.opened()
    plan = session.rollback.put_back_plan(await session.rollback.survey())
    with pytest.raises(StoppedError, match="put back"):
        await session.rollback.put_back(plan, REASON, TARGET)
    assert world.jobs.requests == []
