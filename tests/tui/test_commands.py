"""The registry: complete, without clashes, and every command answers when its key is pressed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from migconsole.tui import keys
from migconsole.tui.app import ELSEWHERE, MigconsoleApp
from migconsole.tui.commands import COMMANDS, Context, Scope, in_scope, removed, verdict
from migconsole.tui.operations import Operations
from migconsole.tui.screens.dialogs.base import FormDialog
from migconsole.tui.screens.health import HealthScreen
from migconsole.tui.screens.help import HelpScreen
from migconsole.tui.screens.main import MainScreen
from migconsole.tui.screens.rollback import RollbackScreen
from migconsole.tui.screens.runs import RunsScreen
from migconsole.tui.screens.sign_off import SignOffScreen
from migconsole.tui.screens.timeline import TimelineScreen
from tests.tui.driving import Console, console
from tests.tui.fakes import FakeLibrary, World
from tests.waiting import eventually

PLACES = [
    Context("main", "tree"),
    Context("main", "output"),
    Context("runs", "runs"),
    Context("timeline", "timeline"),
    Context("health", "activity"),
    Context("sign-off", "sign-off"),
]


@pytest.mark.parametrize("context", PLACES, ids=lambda c: f"{c.screen}-{c.pane}")
def test_no_key_means_two_things_in_one_place(context: Context) -> None:
    pressed = Counter(key for command in in_scope(context) for key in command.keys)
    # The output's own keys are bound nearer to the focus than the run's: they win there by design.
    assert {key: n for key, n in pressed.items() if n > 1} == {}


def test_every_command_has_somebody_who_does_it() -> None:
    owners = (MigconsoleApp, MainScreen, RunsScreen, TimelineScreen, HealthScreen, SignOffScreen, RollbackScreen)
    for command in COMMANDS:
        done = any(hasattr(owner, f"command_{command.id}") for owner in owners)
        assert done or hasattr(Operations, ELSEWHERE.get(command.id, command.id)), command.id


def test_no_destructive_key_is_a_single_lower_case_letter_that_acts_at_once() -> None:
    assert "F" in next(c for c in COMMANDS if c.id == "force").keys
    assert "B" in next(c for c in COMMANDS if c.id == "rollback").keys


def test_the_key_reference_is_the_registry() -> None:
    document = Path(__file__).parents[2] / "docs" / "keys.md"
    assert document.read_text(encoding="utf-8") == keys.reference(), "run: python -m migconsole.tui.keys > docs/keys.md"


MAIN = [c for c in COMMANDS if c.scope in (Scope.RUN, Scope.TREE, Scope.APP)]


async def test_every_command_of_the_run_can_be_pressed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world) as c:
        for command in (command for command in MAIN if command.keys):
            await c.go("apply")
            judged = verdict(command, c.app.context())
            await c.press(command.keys[0])
            if not judged.allowed:
                assert judged.reason
                assert judged.reason in c.status, command.id
            assert c.app._exception is None, command.id
            await back_to_main(c)


async def test_every_command_of_the_output_can_be_pressed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world) as c:
        for command in (command for command in COMMANDS if command.scope is Scope.OUTPUT):
            await c.press("2")
            assert c.main.pane == "output"
            await c.press(command.keys[0])
            assert c.app._exception is None, command.id
            await back_to_main(c)


async def test_every_command_of_the_timeline_can_be_pressed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world) as c:
        for command in (command for command in COMMANDS if command.scope is Scope.TIMELINE):
            await c.press("t")
            await c.shown(TimelineScreen)
            await c.press(command.keys[0])
            assert c.app._exception is None, command.id
            assert isinstance(c.app.screen, MainScreen) == (command.id == "close")
            await back_to_main(c)


async def back_to_main(c: Console) -> None:
    """Escape goes back one level at a time and ends at the checklist."""
    for _ in range(6):
        if isinstance(c.app.screen, MainScreen):
            break
        await c.press("escape")
    await c.shown(MainScreen)
    await c.press("escape", "1")


@pytest.mark.parametrize(("downs", "expected"), [(0, "run"), (3, "checklist")])
async def test_the_runs_screen_opens_a_run_and_starts_a_checklist(downs: int, expected: str, tmp_path: Path) -> None:
    world = World(tmp_path)
    app = world.app()
    library = FakeLibrary(world)
    app.session, app.library = None, library

    def chosen() -> object:
        return isinstance(app.screen, RunsScreen) and app.screen.chosen()

    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await eventually(chosen)
        await pilot.press("slash", "z", "z", "escape", "f5")
        await eventually(chosen)
        await pilot.press(*["j"] * downs, "enter")
        await eventually(lambda: any(isinstance(s, MainScreen) for s in app.screen_stack))
        assert library.asked[0][0] == expected
        await pilot.press("L")
        await eventually(lambda: isinstance(app.screen, RunsScreen))


async def test_help_lists_why_a_key_is_disabled(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await c.go("apply")
        await c.press("question_mark")
        await c.shown(HelpScreen)
        text = c.app.screen.query_one("#help-text").render().plain  # type: ignore[union-attr]
        assert "not now: needs “Verify DATABASE_URL is set correctly”, which is todo" in text


async def test_the_palette_runs_commands_and_shows_reasons(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await c.press("colon")
        await c.type("timeline")
        await eventually(lambda: "Timeline" in c.text())
        await c.pilot.press("enter")
        await c.shown(TimelineScreen)


async def test_a_read_only_console_offers_nothing_dangerous(tmp_path: Path) -> None:
    world = World(tmp_path, read_only=True)
    async with console(world) as c:
        context = c.main.context()
        dangerous = [command for command in COMMANDS if command.danger]
        assert dangerous
        assert all(removed(command, context) for command in dangerous)
        await c.go("cache")
        await c.press("r")
        assert "read-only" in c.status
        assert "space attest" not in c.text()


async def test_a_watching_console_says_who_drives_and_may_take_over(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.journal.free = False
    async with console(world) as c:
        assert "watching" in c.text()
        await c.press("r")
        assert "watches; H takes over" in c.status
        world.journal.free = True
        await c.press("H")
        await c.shown(FormDialog)
        await c.type("their line dropped")
        await c.press("enter")
        await c.until(lambda: c.app.session is not None and c.app.session.driving)
