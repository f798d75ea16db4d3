"""Every way out: asked where something runs, the terminal left whole, a log without secrets."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from textual.widgets import Input

from migconsole.domain.events import Event
from migconsole.domain.items import ItemState
from migconsole.errors import EXIT_FAILED, JournalError
from migconsole.tui.crash import install_signals, write_log
from migconsole.tui.launch import farewell
from migconsole.tui.screens.dialogs.base import ChoiceDialog, FormDialog
from migconsole.tui.screens.dialogs.stop import StopDialog
from migconsole.tui.screens.main import MainScreen
from tests.tui.driving import console
from tests.tui.fakes import SECRET, World
from tests.waiting import eventually


def running_world(path: Path) -> World:
    world = World(path)
    world.half_way()
    return world


async def test_leaving_while_something_runs_is_asked_and_staying_is_the_default(tmp_path: Path) -> None:
    async with console(running_world(tmp_path)) as c:
        await c.press("q")
        await c.shown(ChoiceDialog)
        assert "Run migration script" in c.text()
        assert "leave it running" in c.text()
        await c.press("q", "q")
        assert isinstance(c.app.screen, ChoiceDialog), "a doubled key never accepts"
        await c.press("enter")
        await c.shown(MainScreen)
        assert c.app._exit is False


async def test_leaving_it_running_stops_nothing(tmp_path: Path) -> None:
    world = running_world(tmp_path)
    async with console(world) as c:
        await c.press("q")
        await c.shown(ChoiceDialog)
        await c.pilot.press("l")
        await eventually(lambda: c.app._exit)
    assert world.jobs.sent == []
    assert world.journal.events[-1].kind == "lease.released"
    lines = farewell(c.app)
    assert lines[0].startswith("Prisma production migration: 3 of 16 done, 1 running")
    assert str(tmp_path) in lines[1]


async def test_stopping_on_the_way_out_walks_the_ladder_first(tmp_path: Path) -> None:
    world = running_world(tmp_path)
    async with console(world) as c:
        await c.press("ctrl+q")
        await c.shown(ChoiceDialog)
        await c.press("s")
        await c.shown(StopDialog)
        assert c.app._exit is False
        await c.press("escape")
        await c.gone(StopDialog)
        assert c.app._exit is False, "nothing was stopped, so nobody leaves"


async def test_ctrl_q_over_a_dialog_asks_and_keeps_the_dialog(tmp_path: Path) -> None:
    async with console(running_world(tmp_path)) as c:
        await c.press("plus")
        await c.shown(FormDialog)
        await c.type("half a note")
        await c.press("ctrl+q", "ctrl+q")
        await c.shown(ChoiceDialog)
        await c.press("b")
        await c.shown(FormDialog)
        assert c.app.screen.query_one(Input).value == "half a note"
        assert c.app._exit is False


async def test_ctrl_c_never_kills_and_asks_what_is_meant(tmp_path: Path) -> None:
    world = running_world(tmp_path)
    async with console(world) as c:
        await c.press("ctrl+c")
        dialog = await c.shown(ChoiceDialog)
        text = c.text()
        for words in ("hold the run", "cancel the command", "leave it running", "back"):
            assert words in text
        assert "back" in str(dialog.focused.render() if dialog.focused else "")
        await c.press("enter")
        await c.shown(MainScreen)
        assert world.jobs.sent == []
        await c.press("ctrl+c")
        await c.shown(ChoiceDialog)
        await c.press("c")
        await c.shown(StopDialog)


async def test_ctrl_c_with_nothing_running_says_how_to_leave(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await c.press("ctrl+c")
        assert "q leaves" in c.status


async def test_ctrl_c_copies_a_selection_with_secrets_masked(tmp_path: Path) -> None:
    async with console(running_world(tmp_path)) as c:
        await c.press("plus")
        await c.shown(FormDialog)
        await c.type("keep this")
        field = c.app.screen.query_one(Input)
        field.selection = type(field.selection)(0, 4)
        await c.press("ctrl+c")
        assert c.app.clipboard == "keep"
        assert isinstance(c.app.screen, FormDialog)


async def test_a_failure_of_the_console_leaves_a_masked_log(tmp_path: Path) -> None:
    world = World(tmp_path)
    app = None
    with pytest.raises(RuntimeError):  # noqa: PT012 - the application raises when it ends
        async with console(world) as c:
            app = c.app

            async def fail() -> None:
                password = SECRET  # noqa: F841 - a local that must not be written
                raise RuntimeError(f"cannot connect with {SECRET}")

            c.app.perform(fail())
            await eventually(lambda: c.app.log_path is not None)
    assert app is not None
    assert app.log_path is not None
    log = app.log_path.read_text()
    assert "cannot connect with •••" in log
    assert SECRET not in log.replace("SECRET", "")
    assert oct(app.log_path.stat().st_mode & 0o777) == "0o600"
    assert str(app.log_path) in "\n".join(farewell(app))
    assert app.return_code == 1


def test_what_cannot_be_masked_is_not_written(tmp_path: Path) -> None:
    def broken(text: str) -> str:
        raise ValueError("no")

    path = write_log(RuntimeError(SECRET), tmp_path, broken)
    assert path is not None
    assert SECRET not in path.read_text()
    assert write_log(RuntimeError(), tmp_path / "missing", str) is None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_signals_lead_to_an_ordered_exit(number: int, code: int) -> None:
    codes: list[int] = []
    undo = install_signals(codes.append)
    try:
        os.kill(os.getpid(), number)
        await eventually(lambda: codes)
    finally:
        undo()
    assert codes == [code]


async def test_a_resumed_run_starts_nothing_until_somebody_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way("console-0")
    world.jobs.alive.clear()
    async with console(world) as c:
        await c.shown(ChoiceDialog)
        text = c.text()
        assert "last event 00:03:12 ago" in text
        assert "unknown" in text, "the attempt whose runner is gone is named"
        await c.press("b")
        await c.shown(MainScreen)
        assert c.state("apply") is ItemState.INTERRUPTED
        await c.go("target")
        await c.press("r")
        assert "say that work goes on first (R)" in c.status
        await c.press("R")
        assert not c.main.waiting


async def test_nothing_is_left_running_in_the_loop(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with console(running_world(tmp_path)) as c:
        await c.press("q")
        await c.shown(ChoiceDialog)
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()


async def test_a_run_that_cannot_be_opened_is_said_after_leaving(tmp_path: Path) -> None:
    world = World(tmp_path)
    app = world.app()

    async def broken(after: int = 0) -> list[Event]:
        raise JournalError("The journal cannot be read", "[/foo] damaged page", "Restore it from a copy.")

    world.journal.read = broken  # type: ignore[method-assign]
    async with app.run_test(notifications=True):
        await eventually(lambda: app._exit)
    assert app.return_code == EXIT_FAILED
    assert farewell(app) == ["The journal cannot be read\n[/foo] damaged page\nRestore it from a copy."]


async def test_leaving_a_demo_says_that_everything_ends_with_it(tmp_path: Path) -> None:
    async with console(running_world(tmp_path)) as c:
        c.app.fleeting = True
        await c.press("q")
        dialog = await c.shown(ChoiceDialog)
        assert "everything is removed" in c.text()
        assert "resume" not in c.text()
        await c.press("enter")
        await c.shown(MainScreen)
        await c.press("q")
        assert await c.shown(ChoiceDialog) is not dialog, "the demo is ended by its letter alone"
        await c.pilot.press("l")
        await eventually(lambda: c.app._exit)
    assert not any("resume" in line for line in farewell(c.app))
