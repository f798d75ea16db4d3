"""Dialogs: what accepts, and above all what does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from migconsole.domain.items import ItemState
from migconsole.tui.guard import Guard
from migconsole.tui.screens.dialogs.bar import AttestBar
from migconsole.tui.screens.dialogs.base import ChoiceDialog, Dialog, FormDialog
from migconsole.tui.screens.dialogs.confirm import ConfirmDialog, TypedDialog
from migconsole.tui.screens.dialogs.stop import StopDialog
from migconsole.tui.screens.main import MainScreen
from tests.tui.driving import Console, console
from tests.tui.fakes import Hands, World


@pytest.mark.parametrize("start", [0.0, 0.3, 0.49])
def test_a_held_key_never_accepts_however_long_it_is_held(start: float) -> None:
    hands = Hands()
    guard = Guard(lambda: hands.mono)
    hands.forward(start)
    assert not guard.accepts("y")
    hands.forward(0.66)  # the usual delay before a held key repeats
    for _ in range(200):
        assert not guard.accepts("y")
        hands.forward(0.03)
    hands.forward(1.0)
    assert guard.accepts("y"), "let go and pressed again"


async def asked(c: Console, item: str = "cache") -> ConfirmDialog:
    await c.go(item)
    await c.pilot.press("r")
    await c.until(lambda: isinstance(c.app.screen, ConfirmDialog))
    return c.app.screen  # type: ignore[return-value]


async def test_tier_one_takes_y_after_the_dead_time_and_nothing_else(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        dialog = await asked(c)
        assert dialog.focused is not None
        assert dialog.focused.id == "cancel"
        await c.pilot.press("y")
        assert isinstance(c.app.screen, ConfirmDialog), "y inside the dead time"
        await c.press("r", "r", "space", "x")
        assert isinstance(c.app.screen, ConfirmDialog), "the opener and other keys"
        assert world.jobs.requests == []
        world.hands.forward(2)
        await c.pilot.press("y")
        await c.gone(ConfirmDialog)
        await c.until(lambda: c.state("cache") is ItemState.RUNNING)
        assert [request.item for request in world.jobs.requests] == ["cache"]
        started = next(event for event in world.journal.events if event.kind == "attempt.started")
        assert started.data["confirmed"]["tier"] == 1
        world.jobs.finish(0)
        await c.until(lambda: c.app.session is not None and c.app.session.run.record("cache").awaiting)
        await c.until(lambda: "answer?" in c.text())


async def test_tier_one_enter_and_escape_cancel(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        for key in ("enter", "escape"):
            await asked(c)
            world.hands.forward(5)
            await c.pilot.press(key)
            await c.gone(ConfirmDialog)
        assert world.jobs.requests == []


async def test_tier_one_shows_command_target_and_undo_before_the_question(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await asked(c)
        text = c.text()
        for words in (
            "redis-cli flushdb",
            "fulfillment_ops_db@db1:5432",
            "no undo is known",
            "mutating",
            "✔ not on hold",
        ):
            assert words in text


async def test_tier_two_takes_only_the_name_that_the_server_reports(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("drop")
        await c.press("r")
        await c.shown(TypedDialog)
        await c.type("fulfillment_ops_db")
        await c.press("y", "enter")
        assert isinstance(c.app.screen, TypedDialog)
        assert world.jobs.requests == []
        c.app.screen.query_one(Input).value = "fulfillment_ops_db@db1:5432"
        await c.pilot.pause()
        world.hands.forward(1)
        await c.pilot.press("enter")
        await c.gone(TypedDialog)
        await c.until(lambda: [request.item for request in world.jobs.requests] == ["drop"])


async def test_several_ways_are_offered_with_reasons_and_the_choice_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.started("target", danger="read", kind="check")
    world.ended("target", "passed")
    async with console(world) as c:
        await c.shown(ChoiceDialog)
        await c.press("R")
        await c.shown(MainScreen)
        await c.go("apply")
        await c.press("r")
        await c.shown(ChoiceDialog)
        assert "npx prisma migrate deploy" in c.text()
        await c.press("2")
        await c.shown(ConfirmDialog)
        assert "npx prisma migrate deploy" in c.text()
        await c.press("escape")
        assert c.main.chosen["apply"] == 1


async def test_attesting_takes_enter_and_drops_the_repeats_of_its_opener(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("notify")
        for _ in range(5):
            await c.pilot.press("space")
        await c.until(lambda: isinstance(c.app.screen, AttestBar))
        assert c.app.screen.query_one("#bar-value", Input).value == ""
        await c.pilot.press("enter")
        assert isinstance(c.app.screen, AttestBar), "enter inside the dead time"
        world.hands.forward(3)
        await c.type("sent 00:40")
        world.hands.forward(1)
        await c.pilot.press("enter")
        await c.until(lambda: c.state("notify") is ItemState.ATTESTED)
        assert c.app.session is not None
        assert c.app.session.run.record("notify").value == "sent 00:40"


async def test_a_reason_that_is_too_short_is_not_taken(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("cache")
        await c.press("s")
        await c.shown(FormDialog)
        await c.type("no")
        await c.press("enter")
        assert isinstance(c.app.screen, FormDialog)
        assert "1 more character" in c.text()
        await c.type(" cache here")
        await c.press("enter")
        await c.until(lambda: c.state("cache") is ItemState.SKIPPED)


async def test_an_answer_of_the_wrong_type_is_asked_again_with_what_is_expected(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("window")
        await c.press("a")
        await c.shown(FormDialog)
        await c.type("later")
        await c.press("enter", "enter")
        await c.shown(FormDialog)
        await c.until(lambda: "later" in c.text() and c.state("window") is ItemState.TODO)
        c.app.screen.query_one("#field-value", Input).value = "2h"
        await c.pilot.pause()
        await c.press("enter", "enter")
        await c.until(lambda: c.state("window") is ItemState.ATTESTED)


async def test_yes_and_no_are_chosen_by_their_letters(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("go")
        await c.press("a")
        await c.shown(ChoiceDialog)
        await c.press("n")
        await c.until(lambda: c.state("go") is ItemState.ATTESTED)
        assert c.app.session is not None
        assert c.app.session.run.record("go").value == "no"


async def test_stopping_shows_the_ladder_and_asks_before_the_last_rungs(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    world.jobs.dies_of = None
    async with console(world) as c:
        await c.go("apply")
        await c.press("c")
        await c.shown(StopDialog)
        text = c.text()
        assert "SIGINT" in text
        assert "pg_cancel_backend" in text
        assert "SIGKILL" in text
        await c.press("enter")
        await c.gone(StopDialog)
        assert world.jobs.sent == [], "closing sends nothing"
        await c.press("c")
        await c.shown(StopDialog)
        await c.press("y")
        await c.until(lambda: [rung.value for rung in world.jobs.sent] == ["SIGINT"])
        await c.until(lambda: "✔ sent" in c.text())


async def test_out_of_order_needs_a_reason_that_is_recorded(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("columns")
        await c.press("r")
        assert "o: out of order" in c.status
        await c.press("o")
        await c.shown(FormDialog)
        await c.type("checked beforehand")
        await c.press("enter")
        await c.until(lambda: c.state("columns") is ItemState.VERIFIED)
        started = next(event for event in world.journal.events if event.kind == "attempt.started")
        assert started.data["confirmed"]["reason"] == "checked beforehand"


async def test_holding_stops_changes_and_releasing_allows_them(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await c.press("p")
        await c.shown(FormDialog)
        await c.type("replica lags")
        await c.press("enter", "enter", "enter")
        await c.until(lambda: c.app.session is not None and c.app.session.run.hold is not None)
        await c.until(lambda: "ON HOLD" in c.text())
        await c.go("cache")
        await c.press("r")
        assert "on hold" in c.status
        await c.press("p")
        await c.shown(ChoiceDialog)
        await c.press("enter")
        await c.gone(ChoiceDialog)
        assert c.app.session is not None
        assert c.app.session.run.hold is not None, "enter keeps the hold"
        await c.press("p")
        await c.shown(ChoiceDialog)
        await c.press("y")
        await c.until(lambda: c.app.session is not None and c.app.session.run.hold is None)


async def test_an_error_is_sticky_and_whole_in_a_dialog(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        world.journal.broken = "No space left on [/foo] device"
        await c.go("notify")
        await c.press("plus")
        await c.shown(FormDialog)
        await c.type("hello")
        await c.press("enter")
        await c.shown(Dialog)
        await c.press("escape")
        await c.shown(MainScreen)
        assert "No space left on [/foo] device" in c.status
