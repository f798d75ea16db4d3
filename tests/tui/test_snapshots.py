"""Pictures of the screens at three sizes, and the same as text, which a reader of a diff can judge without colours.

Update both with ``pytest tests/tui/test_snapshots.py -n 0 --snapshot-update`` and look at every picture that changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from migconsole.tui.app import MigconsoleApp
from migconsole.tui.screens.main import MainScreen
from migconsole.tui.screens.runs import RunsScreen
from tests.tui.driving import Console
from tests.tui.fakes import FakeLibrary, World
from tests.waiting import eventually

SIZES = [(80, 24), (120, 40), (200, 60)]
TEXTS = Path(__file__).parent / "screens"
Before = Callable[[Pilot[Any]], Awaitable[None]]


def keys(world: World, app: MigconsoleApp, *presses: str, item: str = "") -> Before:
    """Wait for the main screen, show health, go to an item, press keys."""

    async def run_before(pilot: Pilot[Any]) -> None:
        await eventually(lambda: any(isinstance(s, MainScreen) and s.query("HealthStrip") for s in app.screen_stack))
        c = Console(world, app, pilot)
        world.health(app)
        await c.until(lambda: "33/100" in c.text())
        if item:
            await c.go(item)
        for press in presses:
            await pilot.press(press)
            await pilot.pause()
        await pilot.pause()

    return run_before


def half_way(tmp_path: Path, theme: str = "midnight") -> tuple[World, MigconsoleApp]:
    world = World(tmp_path)
    world.half_way()
    return world, world.app(theme)


@pytest.fixture
def compare(snap_compare: Any) -> Any:
    def check(app: MigconsoleApp, size: tuple[int, int], before: Before) -> None:
        assert snap_compare(app, terminal_size=size, run_before=before)

    return check


def name_of(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@pytest.mark.parametrize("size", SIZES, ids=name_of)
def test_main(size: tuple[int, int], tmp_path: Path, compare: Any, request: pytest.FixtureRequest) -> None:
    world, app = half_way(tmp_path)
    before = keys(world, app)
    seen: list[str] = []

    async def and_as_text(pilot: Pilot[Any]) -> None:
        await before(pilot)
        seen.append(Console(world, app, pilot).text() + "\n")

    compare(app, size, and_as_text)
    path = TEXTS / f"main-{name_of(size)}.txt"
    if request.config.getoption("--snapshot-update"):
        TEXTS.mkdir(exist_ok=True)
        path.write_text(seen[0], encoding="utf-8")
    assert seen[0] == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("size", SIZES, ids=name_of)
def test_timeline(size: tuple[int, int], tmp_path: Path, compare: Any) -> None:
    world, app = half_way(tmp_path)
    compare(app, size, keys(world, app, "t"))


@pytest.mark.parametrize("size", SIZES, ids=name_of)
def test_help(size: tuple[int, int], tmp_path: Path, compare: Any) -> None:
    world, app = half_way(tmp_path)
    compare(app, size, keys(world, app, "question_mark"))


@pytest.mark.parametrize("size", SIZES, ids=name_of)
def test_confirm(size: tuple[int, int], tmp_path: Path, compare: Any) -> None:
    world = World(tmp_path)
    app = world.app()
    compare(app, size, keys(world, app, "r", item="cache"))


@pytest.mark.parametrize("size", SIZES, ids=name_of)
def test_runs(size: tuple[int, int], tmp_path: Path, compare: Any) -> None:
    app = World(tmp_path).app()
    app.session, app.library = None, FakeLibrary(World(tmp_path / "other"))

    async def before(pilot: Pilot[Any]) -> None:
        await eventually(lambda: isinstance(app.screen, RunsScreen) and app.screen.chosen() is not None)
        await pilot.pause()

    compare(app, size, before)


def test_typed_confirmation(tmp_path: Path, compare: Any) -> None:
    world = World(tmp_path)
    app = world.app()
    compare(app, (80, 24), keys(world, app, "r", item="drop"))


def test_stop(tmp_path: Path, compare: Any) -> None:
    world, app = half_way(tmp_path)
    compare(app, (120, 40), keys(world, app, "c", item="apply"))


@pytest.mark.parametrize("theme", ["daylight", "high-contrast"])
def test_other_themes(theme: str, tmp_path: Path, compare: Any) -> None:
    world, app = half_way(tmp_path, theme)
    compare(app, (120, 40), keys(world, app))


def test_without_colour(tmp_path: Path, compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    world, app = half_way(tmp_path)
    compare(app, (120, 40), keys(world, app))
