"""The interlock with dumps that the run knows nothing of: asked before every change, never taken for none."""

from __future__ import annotations

from pathlib import Path

import pytest

from migconsole.domain.checklist import Danger
from migconsole.domain.deviations import Sort, deviations
from migconsole.domain.items import ItemState
from migconsole.domain.policy import BESIDE_DUMP, Command
from migconsole.engine.headless import Headless, Permissions
from migconsole.engine.resolve import Confirmation
from migconsole.errors import EXIT_OK, EXIT_STOPPED, StoppedError, TargetError, UsageError
from tests.engine.fakes import SAID_YES, Scripted, World, checklist, only
from tests.waiting import eventually

DUMP = "pg_dump (pid 4711) of backup from local, since 2m"


async def test_a_dump_keeps_every_change_of_the_way_forward_from_starting(world: World) -> None:
    session = await world.opened()
    world.database.dumping = [DUMP]
    with pytest.raises(StoppedError, match=r"pg_dump .pid 4711."):
        await session.start("apply", 0, SAID_YES)
    assert not world.jobs.requests
    assert session.run.record("apply").state is ItemState.TODO
    verdict = session.verdict("apply", Command.RUN)
    assert (verdict.overridable, verdict.asks, verdict.least, verdict.how) == (True, True, 10, BESIDE_DUMP)


async def test_it_is_free_again_by_itself_when_the_dump_has_ended(world: World) -> None:
    session = await world.opened()
    world.database.dumping = [DUMP]
    await session.interlock.look()
    assert not session.verdict("apply", Command.RUN).allowed
    world.database.dumping = []
    await eventually(lambda: session.verdict("apply", Command.RUN).allowed)
    await session.start("apply", 0, SAID_YES)
    assert len(world.jobs.requests) == 1


async def test_where_dumps_cannot_be_seen_nothing_starts(world: World) -> None:
    session = await world.opened()
    world.database.blind = "statement timeout"
    with pytest.raises(TargetError):
        await session.start("apply", 0, SAID_YES)
    assert not world.jobs.requests


async def test_a_typed_reason_goes_past_it_and_is_listed_with_what_it_overrode(world: World) -> None:
    session = await world.opened()
    world.database.dumping = [DUMP]
    with pytest.raises(StoppedError):
        await session.start("apply", 0, Confirmation(1, reason="hurry"))
    await session.start("apply", 0, Confirmation(1, reason="the nightly dump hangs since midnight"))
    (found,) = [d for d in deviations(session.run, session.checklist, session.timeline()) if d.item == "apply"]
    assert found.sort is Sort.OVERRIDDEN
    assert found.why == "the nightly dump hangs since midnight"
    assert DUMP in found.what
    assert BESIDE_DUMP in found.what


async def test_reading_goes_on_beside_a_dump(world: World) -> None:
    session = await world.opened()
    world.database.dumping = [DUMP]
    await session.interlock.look()
    assert session.verdict("rows", Command.RUN).allowed


async def test_headless_stops_with_3_and_names_the_dump(tmp_path: Path) -> None:
    world = World(tmp_path, checklist(only("apply")))
    session = await world.opened()
    world.database.dumping = [DUMP]
    said: list[str] = []
    assert await Headless(session, Permissions(allow=frozenset({Danger.MUTATING})), said.append).run() == EXIT_STOPPED
    assert DUMP in "\n".join(said)
    assert "--override apply=dump:REASON" in "\n".join(said)
    await world.close()


WHY = "the nightly dump hangs since midnight"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"apply": {"dump": WHY}}, EXIT_OK),
        ({"apply": {"proof": WHY}}, EXIT_STOPPED),
        ({"apply": {"abort": WHY}}, EXIT_STOPPED),
    ],
)
async def test_headless_goes_past_a_dump_with_a_reason_that_was_given_for_that_item_and_that(
    tmp_path: Path, given: dict[str, dict[str, str]], code: int
) -> None:
    world = World(tmp_path, checklist(only("apply")))
    world.jobs.at_once = Scripted()
    session = await world.opened()
    world.database.dumping = [DUMP]
    said: list[str] = []
    allowed = Permissions(allow=frozenset({Danger.MUTATING}), overrides=given)
    assert await Headless(session, allowed, said.append).run() == code, said
    assert bool(world.jobs.requests) is (code == EXIT_OK)
    found = [d for d in deviations(session.run, session.checklist, session.timeline()) if d.item == "apply"]
    assert [(d.sort, d.why) for d in found] == ([(Sort.OVERRIDDEN, WHY)] if code == EXIT_OK else [])
    await world.close()


async def test_a_reason_for_one_thing_does_not_go_past_another_that_comes_up_meanwhile(world: World) -> None:
    session = await world.opened()
    world.database.dumping = [DUMP]
    with pytest.raises(StoppedError, match="pg_dump"):
        await session.start("apply", 0, Confirmation(1, reason=WHY, covers=("without a proven way back",)))
    assert not world.jobs.requests


async def test_an_override_for_an_item_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    world = World(tmp_path, checklist(only("apply")))
    session = await world.opened()
    with pytest.raises(UsageError, match="no item “aply”"):
        await Headless(session, Permissions(overrides={"aply": {"dump": WHY}}), print).run()
    await world.close()
