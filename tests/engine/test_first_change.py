"""The schema is kept before the first change of the way forward, and never after it."""

from __future__ import annotations

from pathlib import Path

from migconsole.domain.checklist import Danger
from migconsole.engine.resolve import Confirmation
from migconsole.errors import TargetError
from tests.engine.fakes import SAID_YES, Scripted, World, checklist, command, only


async def test_it_is_kept_before_the_first_change_and_not_before_a_reading(world: World) -> None:
    session = await world.opened()
    await session.start("rows", 0, Confirmation(0))
    await session.idle()
    assert "schema" not in world.database.asked
    world.jobs.at_once = Scripted()
    await session.start("apply", 0, SAID_YES)
    await session.idle()
    assert world.database.asked.count("schema") == 1


async def test_a_schema_that_was_changed_is_no_before(tmp_path: Path) -> None:
    items = only("apply", "quiet", quiet={"step": command("./more.sh", Danger.MUTATING)})
    world = World(tmp_path, checklist(items))
    session = await world.opened()
    world.jobs.at_once = Scripted()
    await session.start("apply", 0, SAID_YES)
    await session.idle()
    await session.start("quiet", 0, SAID_YES)
    await session.idle()
    assert world.database.asked.count("schema") == 1
    await world.close()


async def test_a_schema_that_cannot_be_kept_is_said_and_holds_nothing_up(world: World) -> None:
    session = await world.opened()

    async def refused() -> None:
        raise TargetError("A lock hides a part of it")

    world.database.keep_schema = refused  # type: ignore[method-assign]
    await session.start("apply", 0, SAID_YES)
    assert len(world.jobs.requests) == 1
    assert "could not be kept" in session.problem
