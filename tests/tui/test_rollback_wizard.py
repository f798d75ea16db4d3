"""The rollback wizard by keyboard: it looks, shows and asks; only the typed name starts anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from migconsole.domain.built_in import RESTORE
from migconsole.domain.checklist import Answer, Item, Step
from migconsole.domain.events import Kind
from migconsole.domain.lifecycle import RunState
from migconsole.domain.rollback_means import Means
from migconsole.errors import TargetError
from migconsole.tui.screens.dialogs.bar import AttestBar
from migconsole.tui.screens.dialogs.base import ChoiceDialog, Dialog, FormDialog
from migconsole.tui.screens.dialogs.stop import StopDialog
from migconsole.tui.screens.rollback import RollbackScreen
from migconsole.tui.screens.rollback.confirm import RollbackConfirm
from migconsole.tui.screens.rollback.pages import option_rows, plan_page
from tests.desk import NAMES, PREPARED, TARGET, survey, swapped
from tests.tui.driving import Console, console
from tests.tui.fakes import World, checklist

SIZES = [(80, 24), (120, 40), (200, 60)]


async def wizard(c: Console) -> RollbackScreen:
    await c.press("B")
    await c.shown(FormDialog)
    await c.type("orders fail since the migration")
    await c.press("enter", "enter")
    return await c.shown(RollbackScreen)


async def typed(c: Console, text: str) -> None:
    c.app.screen.query_one(Input).value = text
    await c.pilot.pause()
    c.world.hands.forward(2)
    await c.pilot.press("enter")
    await c.pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_the_whole_way_by_keyboard(tmp_path: Path, size: tuple[int, int]) -> None:
    world = World(tmp_path)
    async with console(world, size=size) as c:
        await wizard(c)
        assert "armed: fulfillment_ops_db__rb_0a1b2c3d is armed" in c.text()
        await c.press("enter")
        assert "1,204 inserted" in c.text()
        assert "unknown: its counters were reset" in c.text()
        await c.press("enter")
        assert "▸ ✔ swap" in c.text()
        await c.press("enter")
        assert "Swap " in c.text()
        assert world.jobs.requests == []
        await c.press("enter")
        await c.shown(RollbackConfirm)
        await typed(c, TARGET)
        await c.until(lambda: world.jobs.requests)
    request = world.jobs.requests[0]
    assert request.kind == "restore"
    assert request.arguments["reason"] == "orders fail since the migration"
    kinds = [event.kind for event in world.journal.events]
    assert kinds.index(Kind.ROLLBACK_ENGAGED) < kinds.index(Kind.ATTEMPT_STARTED)


@pytest.mark.parametrize("leave", [1, 2, 3, 4])
async def test_leaving_any_page_decides_nothing(tmp_path: Path, leave: int) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await wizard(c)
        await c.press(*["enter"] * (leave - 1))
        await c.press(*["escape"] * leave)
        await c.gone(RollbackScreen)
        assert c.app.session is not None
        assert c.app.session.run.engagement.now is None
    assert world.jobs.requests == []


@pytest.mark.parametrize("wrong", ["", "fulfillment_ops_db", "fulfillment_ops_db@db1:5433", TARGET.upper()])
async def test_another_name_does_nothing(tmp_path: Path, wrong: str) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await wizard(c)
        await c.press("enter", "enter", "enter", "enter")
        await c.shown(RollbackConfirm)
        await typed(c, wrong)
        assert isinstance(c.app.screen, RollbackConfirm)
    assert world.jobs.requests == []


async def test_a_short_reason_does_not_open_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.press("B")
        await c.shown(FormDialog)
        await c.type("because")
        await c.press("enter")
        assert isinstance(c.app.screen, FormDialog)
        assert world.desk.looked == 0


async def test_what_is_not_possible_says_why_and_cannot_be_confirmed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.desk.now = survey(blockers=(PREPARED,))
    async with console(world) as c:
        screen = await wizard(c)
        assert "ROLLBACK PREPARED 'order-77'" in c.text()
        await c.press("enter", "enter")
        while screen.plan.strategy != "swap":
            await c.press("down")
        assert "not now" in c.text()
        assert "order-77" in c.text()
        await c.press("enter", "enter")
        assert isinstance(c.app.screen, RollbackScreen)
        assert "not possible now" in c.status


async def test_the_last_resort_is_confirmed_twice(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        screen = await wizard(c)
        await c.press("enter", "enter")
        while screen.plan.strategy != "in-place":
            await c.press("down")
        await c.press("enter", "enter")
        await c.shown(RollbackConfirm)
        await typed(c, TARGET)
        assert isinstance(c.app.screen, RollbackConfirm)
        assert world.jobs.requests == []
        c.app.screen.query_one("#again", Input).value = TARGET
        c.world.hands.forward(2)
        await c.pilot.press("enter")
        await c.until(lambda: world.jobs.requests)
    assert world.jobs.requests[0].arguments["last_resort"] == TARGET


async def test_the_point_of_no_return_is_marked_before_the_swap(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world, size=(200, 60)) as c:
        await wizard(c)
        await c.press("enter", "enter", "enter")
        text = c.text()
        assert text.index("Close fulfillment_ops_db") < text.index("point of no return") < text.index("RENAME TO")


async def test_a_server_that_cannot_be_asked_is_said_and_nothing_opens(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.desk.trouble = TargetError("The server cannot be reached", "connection refused")
    async with console(world) as c:
        await c.press("B")
        await c.shown(FormDialog)
        await c.type("orders fail since the migration")
        await c.press("enter", "enter")
        await c.shown(Dialog)
        assert "connection refused" in c.text()


async def test_a_rollback_that_was_decided_on_goes_on_or_is_called_off(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.journal.put(
        Kind.ROLLBACK_ENGAGED, {"strategy": "swap", "reason": "orders fail", "by": "Ada", "typed": TARGET}
    )
    async with console(world) as c:
        await c.press("B")
        await c.shown(ChoiceDialog)
        assert "orders fail" in c.text()
        await c.press("enter")
        await c.gone(ChoiceDialog)
        assert world.jobs.requests == []
        await c.press("B")
        await c.shown(ChoiceDialog)
        await c.press("y")
        await c.until(lambda: world.jobs.requests)


async def test_hostile_texts_are_drawn_as_texts(tmp_path: Path) -> None:
    world = World(tmp_path)
    evil = "[red]\x1b[2J\x1b]0;x\x07 DROP"
    world.desk.now = survey(ran=(evil,), loss=(evil,), notes=(evil,), pooler=evil)
    async with console(world) as c:
        await wizard(c)
        assert "[red]" in c.text()
        await c.press("enter")
        assert "[red]" in c.text()
        await c.press("enter", "enter")
        assert "\x1b" not in c.text()


async def test_put_back_and_purge_are_in_the_palette_with_a_typed_name(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.desk.now = survey(swapped())
    async with console(world) as c:
        await c.app.action_command("put_back")
        await c.shown(FormDialog)
        await c.type("the data was right after all")
        await c.press("enter")
        await c.shown(RollbackConfirm)
        assert NAMES.failed in c.text()
        assert "It can be cancelled until the renaming" in c.text(), "no plan was shown that could mark a step"
        await typed(c, TARGET)
        await c.until(lambda: world.jobs.requests)
        assert world.jobs.requests[0].kind == "put-back"


async def test_purging_wants_the_name_and_the_date_of_what_is_dropped(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.desk.now = survey(swapped())
    async with console(world) as c:
        await c.app.action_command("purge")
        await c.shown(ChoiceDialog)
        assert NAMES.failed in c.text()
        assert "kept since 2030-11-25 " in c.text()
        await c.press("f")
        await c.shown(RollbackConfirm)
        assert "cannot be cancelled" in c.text()
        await typed(c, TARGET)
        assert world.jobs.requests == []
        await typed(c, f"{NAMES.failed}@db1:5432")
        assert world.jobs.requests == []
        c.app.screen.query_one("#again", Input).value = "2030-11-25"
        c.world.hands.forward(2)
        await c.pilot.press("enter")
        await c.until(lambda: world.jobs.requests)
        assert world.jobs.requests[0].arguments["dated"] == "2030-11-25"


async def test_a_watching_console_is_not_offered_it(tmp_path: Path) -> None:
    world = World(tmp_path, read_only=True)
    async with console(world) as c:
        await c.press("B")
        assert "read-only" in c.status


@pytest.mark.parametrize("size", SIZES)
async def test_the_clock_stands_on_the_survey(tmp_path: Path, size: tuple[int, int]) -> None:
    async with console(World(tmp_path), size=size) as c:
        await wizard(c)
        assert "clock" in c.text()
        assert "SAFE ABORT not known" in c.text()


@pytest.mark.parametrize("size", SIZES)
async def test_what_only_a_person_can_say_is_never_shown_as_possible(tmp_path: Path, size: tuple[int, int]) -> None:
    async with console(World(tmp_path), size=size) as c:
        await wizard(c)
        await c.press("enter", "enter", *["up"] * 8)
        await c.until(lambda: "? app-only" in c.text())
        assert "✔ app-only" not in c.text()
        assert "depends only a person can say" in c.text()
        assert "outage unknown" in c.text()
        assert "loses  nothing" in c.text()
        await c.press("enter")
        await c.until(lambda: "only a person can say" in c.text())
        await c.press("enter")
        assert isinstance(c.app.screen, RollbackScreen), "it cannot be decided on before somebody has said so"


async def test_what_a_way_needs_is_named_in_the_wizard_and_goes_on_record(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        screen = await wizard(c)
        await c.press("enter", "enter", "o")
        await c.shown(FormDialog)
        said = {"script": "down.sql", "keep": "/srv/kept", "backup": "backups/b1", "free": "80GB", "old_app": "adds"}
        for name, value in said.items():
            c.app.screen.query_one(f"#field-{name}", Input).value = value
        looked = world.desk.looked
        await c.press(*["enter"] * len(said))
        await c.shown(RollbackScreen)
        await c.until(lambda: world.desk.looked > looked)
        project = world.desk.means.script.removesuffix("/down.sql")
        assert project.startswith("/")
        assert world.desk.means == Means(f"{project}/backups/b1", f"{project}/down.sql", "/srv/kept", "80GB", "adds")
        await c.until(lambda: "named (o)" in c.text())
        while screen.plan.strategy != "revert":
            await c.press("up")
        await c.press("enter", "enter")
        await c.shown(RollbackConfirm)
        await typed(c, TARGET)
        await c.until(lambda: world.jobs.requests)
    arguments = world.jobs.requests[0].arguments
    assert (arguments["script"], arguments["keep_failed"]) == (f"{project}/down.sql", "/srv/kept")
    (engaged,) = [event for event in world.journal.events if event.kind == Kind.ROLLBACK_ENGAGED]
    assert engaged.data["means"]["backup"] == f"{project}/backups/b1"


def footer(c: Console) -> str:
    """The row of keys."""
    return c.text().splitlines()[-1]


async def running(c: Console) -> None:
    """Decide on the swap by keyboard; its job runs."""
    await wizard(c)
    await c.press("enter", "enter", "enter", "enter")
    await c.shown(RollbackConfirm)
    await typed(c, TARGET)
    await c.until(lambda: c.world.jobs.requests)
    await c.gone(RollbackScreen)


async def test_cancel_is_offered_until_the_point_of_no_return_and_then_gone_with_the_reason(tmp_path: Path) -> None:
    world = World(tmp_path)
    step = {"rollback": "d1", "title": "x", "course": "began"}
    async with console(world, size=(160, 40)) as c:
        await running(c)
        world.journal.put(Kind.ROLLBACK_STARTED, {"rollback": "d1", "deed": "rollback", "strategy": "swap"})
        world.journal.put(Kind.ROLLBACK_STEP, step | {"step": "fence"})
        await c.go(RESTORE)
        await c.until(lambda: "c cancel" in footer(c))
        await c.press("c")
        await c.shown(StopDialog)
        assert "SIGINT" in c.text()
        world.journal.put(Kind.ROLLBACK_STEP, step | {"step": "swap"})
        await c.until(lambda: "point of no return is behind" in c.text())
        assert "SIGINT" not in c.text()
        await c.press("y")
        assert world.jobs.sent == []
        await c.press("escape")
        await c.gone(StopDialog)
        await c.until(lambda: "c cancel" not in footer(c))
        await c.press("c")
        assert "point of no return is behind" in c.status


async def test_the_end_of_the_procedure_asks_to_end_the_run_as_rolled_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        engaged = {"strategy": "swap", "reason": "orders fail since", "by": "Ada", "typed": TARGET}
        world.journal.put(Kind.ROLLBACK_ENGAGED, engaged)
        for item in (RESTORE, "drop"):
            world.journal.put(Kind.ITEM_MOVED, {"item": item, "move": "exclude", "reason": "not needed"})
        await c.until(lambda: c.state("drop").done)
        await c.go("tell")
        await c.press("space")
        await c.shown(AttestBar)
        await c.press("enter")
        await c.until(lambda: c.state("tell").done)
        await c.press("B")
        await c.shown(ChoiceDialog)
        assert "end the run as rolled back" in c.text()
        await c.press("y")
        await c.shown(FormDialog)
        await c.press("enter", "enter")
        assert c.app.session is not None
        await c.until(lambda: c.app.session.run.ended_at)  # type: ignore[union-attr]
        run = c.app.session.run
        assert run.state is RunState.ROLLED_BACK
        assert run.life.reason == "orders fail since"


async def test_a_line_of_the_way_back_that_wants_a_person_is_shown_with_its_keys(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world, size=(80, 24)) as c:
        engaged = {"strategy": "swap", "reason": "orders fail since", "by": "Ada", "typed": TARGET}
        world.journal.put(Kind.ROLLBACK_ENGAGED, engaged)
        for item in (RESTORE, "drop"):
            world.journal.put(Kind.ITEM_MOVED, {"item": item, "move": "exclude", "reason": "not needed"})
        await c.until(lambda: c.state("drop").done)
        await c.go("notify")
        await c.press("2")
        await c.until(lambda: c.main.pane == "output")
        await c.press("B")
        await c.until(lambda: c.main.steps.cursor_key == "tell" and c.main.pane == "tree")
        await c.pilot.pause()
        assert c.status.startswith("rollback: “Notify everyone of the rollback” is a person's: attest it (space)")
        assert c.status.endswith("; then B goes on")
        await c.until(lambda: footer(c).startswith(" B go on back"))
        assert "space attest" in footer(c)
        await c.press("space")
        await c.shown(AttestBar)
        await c.press("enter")
        await c.until(lambda: c.state("tell").done)
        await c.until(lambda: "is a person's" not in c.status)


async def test_the_chosen_way_is_in_view_whole_at_80_columns(tmp_path: Path) -> None:
    async with console(World(tmp_path), size=(80, 24)) as c:
        screen = await wizard(c)
        await c.press("enter", "enter")
        looked = screen._looked

        def whole() -> bool:
            option = next(one for one in looked.options if one.strategy is looked.chosen)
            rows = option_rows([option], looked.chosen, looked.proposed, 74).plain.split("\n")
            shown = c.text()
            return all(row.rstrip() in shown for row in rows)

        await c.until(whole)
        for key in ["j"] * (len(looked.options) - 1) + ["k"] * (len(looked.options) - 1):
            await c.press(key)
            await c.until(whole)


async def test_long_titles_in_the_plan_hang_under_their_number(tmp_path: Path) -> None:
    async with console(World(tmp_path), size=(80, 24)) as c:
        screen = await wizard(c)
        await c.press("enter", "enter", "enter")
        await c.press("pagedown")
        steps = plan_page(screen.plan, screen.rollback.procedure(), screen.rollback.restore, {}, 74).plain
        rows = steps.split("\n\n", 1)[1].split("\n")
        assert any(": fulfillment_ops_db becomes" in row for row in rows), rows
        assert not [row for row in rows if row[:2].strip() and not row[:2].strip().isdigit() and row[0] not in "✘▲"]


async def test_what_a_way_needs_is_asked_whole_at_80_columns(tmp_path: Path) -> None:
    async with console(World(tmp_path), size=(80, 24)) as c:
        await wizard(c)
        await c.press("enter", "enter", "o")
        await c.shown(FormDialog)
        assert "run on the new schema (app-only)" in c.text()
        assert " · esc back" in c.text(), "the row of keys is not cut off"


async def test_a_question_of_the_procedure_is_not_shown_as_a_command(tmp_path: Path) -> None:
    why = Item("why", "Document the reason", Step(Answer("text", "Why was it rolled back?")))
    made = checklist()
    section = made.rollback[0]
    world = World(tmp_path, list=replace(made, rollback=(replace(section, items=(*section.items, why)),)))
    async with console(world, size=(120, 60)) as c:
        await wizard(c)
        await c.press("enter", "enter", "enter", *["pagedown"] * 3)
        await c.until(lambda: "Document the reason" in c.text())
        assert "Why was it rolled back?" not in c.text()
