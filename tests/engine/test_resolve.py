"""What would be executed: resolved, classified, and with nothing shown that must stay hidden."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from migconsole.domain.checklist import Check, Danger, Item, Run, Sql, Step, Variable
from migconsole.domain.policy import Command
from tests.engine.fakes import SAID_YES, SECRET, World, checklist, command, expect
from tests.waiting import eventually


async def test_the_classifier_may_only_raise(world: World) -> None:
    session = await world.opened()
    assert session.preview("shell").danger is Danger.READ
    lying = checklist((Item("drop", "Just looking", command("dropdb app", Danger.READ)),))
    other = World(world.path / "other", lying)
    preview = (await other.opened()).preview("drop")
    assert (preview.danger, preview.tier) == (Danger.DESTRUCTIVE, 2)
    await other.close()


async def test_a_hook_is_as_dangerous_as_its_command_and_by_hand_without_one(tmp_path: Path) -> None:
    hook = Item("stop", "Stop", Step(Run('eval "${stop_app:?names no command}"', hook="stop_app")))
    base = checklist((hook,))
    variables = {**base.variables, "stop_app": Variable("stop_app", default="")}
    empty = World(tmp_path / "a", replace(base, variables=variables))
    session = await empty.opened()
    assert "a person does it" in session.verdict("stop", Command.RUN).reason
    await session.attest("stop")
    await empty.close()
    variables["stop_app"] = Variable("stop_app", default="dropdb app")
    named = World(tmp_path / "b", replace(base, variables=variables))
    session = await named.opened()
    preview = session.preview("stop")
    assert preview.danger is Danger.DESTRUCTIVE
    assert "dropdb app" in preview.text
    await named.close()


async def test_values_reach_sql_as_literals_and_scripts_as_environment(tmp_path: Path) -> None:
    evil = "x'; DROP TABLE t; --"
    items = (
        Item("ask", "Ask", Step(Sql(("SELECT * FROM t WHERE name = ${place}",)), expect=expect("sql", rows="1"))),
        Item("check", "Check", Step(Check("tables_exist", {"tables": ["${place}"]}))),
        Item("run", "Run", command('echo "$place"', Danger.READ)),
    )
    base = checklist(items)
    world = World(tmp_path, replace(base, variables={"place": Variable("place", default=evil)}))
    session = await world.opened()
    await session.finished("ask", (await session.start("ask")).number)
    assert world.database.asked[0][0] == ("SELECT * FROM t WHERE name = 'x''; DROP TABLE t; --'",)
    await session.finished("check", (await session.start("check")).number)
    assert world.database.asked[1] == ("tables_exist", {"tables": [evil]})
    await session.start("run", 0, SAID_YES)
    await eventually(lambda: world.jobs.requests)
    assert world.jobs.requests[0].script == 'echo "$place"'
    assert world.jobs.requests[0].environment["place"] == evil
    await world.close()


async def test_no_preview_shows_a_secret(world: World) -> None:
    session = await world.opened()
    for located in world.list.walk():
        for number in range(len(located.item.steps)):
            assert SECRET not in repr(session.preview(located.item.id, number))
    assert session.copy_text(f"x {SECRET}") == "x ********"


async def test_captures_of_the_rollback_procedure_reach_its_later_commands(tmp_path: Path) -> None:
    base = checklist(())
    section = base.rollback[0]
    items = (
        Item("count", "Count", command("wc -l x", Danger.READ, capture={"lines": r"(\d+)"})),
        Item("use", "Use", command('echo "$lines"', Danger.READ)),
    )
    world = World(tmp_path, replace(base, rollback=(replace(section, items=items),)))
    session = await world.opened()
    assert "lines" in session.preview("use").unresolved[0]
    await world.close()


@pytest.mark.parametrize(("item", "words"), [("locked", "lock_timeout 2.5s"), ("folder", "working directory: sub/x")])
async def test_notes_say_what_differs(world: World, item: str, words: str) -> None:
    session = await world.opened()
    assert words in session.preview(item).notes


async def test_what_is_bashs_own_is_shown_as_it_stands(tmp_path: Path) -> None:
    script = "HOME=/tmp; echo ${HOME} $${place} ${place%/} ${place}"
    world = World(tmp_path, checklist((Item("run", "Run", command(script, Danger.READ)),)))
    session = await world.opened()
    assert session.preview("run").text == "HOME=/tmp; echo ${HOME} $${place} ${place%/} sub"
    await world.close()
