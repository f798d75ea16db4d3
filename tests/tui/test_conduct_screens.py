"""Questions about the run as a whole, by keyboard, also on the smallest screen: clock, crossing, approval, the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from migconsole.domain.lifecycle import RunState
from migconsole.domain.times import stamp
from migconsole.tui.screens.dialogs.base import ChoiceDialog, FormDialog
from migconsole.tui.screens.dialogs.confirm import ConfirmDialog
from tests.tui.driving import Console, console
from tests.tui.fakes import World

SIZES = [(80, 24), (120, 40)]
sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40"])


def window(world: World, minutes: float, t0: float = -10.0) -> None:
    """A window that ends so many minutes from now; T-0 was ten minutes ago."""
    now = world.hands.moment
    times = {"t0": stamp(now + timedelta(minutes=t0)), "window_end": stamp(now + timedelta(minutes=minutes))}
    world.journal.put(Kind.CLOCK_SET, {**times, "reason": "", "source": "option"})


def of_kind(world: World, kind: Kind) -> list[dict[str, object]]:
    return [dict(event.data) for event in world.journal.events if event.kind == kind]


async def ready(c: Console) -> None:
    """Verify the target, so that the migration could run."""
    await c.go("target")
    await c.press("enter")
    await c.until(lambda: c.state("target") is ItemState.VERIFIED)


async def say(c: Console, text: str) -> None:
    """Fill in a form of one field."""
    await c.shown(FormDialog)
    await c.type(text)
    await c.press("enter")
    await c.gone(FormDialog)


# The clock -----------------------------------------------------------------------------------------------------------


@sizes
async def test_the_clock_is_set_and_moving_it_needs_a_reason(tmp_path: Path, size: tuple[int, int]) -> None:
    world = World(tmp_path)
    async with console(world, size) as c:
        await c.press("O")
        await c.shown(FormDialog)
        assert "T-0 (UTC)" in c.text()
        assert "reason" not in c.text()
        await c.type("20m")
        await c.press("tab")
        await c.type("2h")
        await c.press("enter")
        await c.until(lambda: "SAFE ABORT" in c.text())
        assert "T-0 -00:1" in c.text() or "T-0 -00:20" in c.text()
        await c.press("O")
        await c.shown(FormDialog)
        assert "Only what has not started moves." in c.text()
        await c.type("30m")
        await c.press("enter", "enter", "enter")
        assert "enter: reason: 3 more characters" in c.text()
        assert "esc back" in c.text()
        await c.type("the replica lags")
        await c.press("enter")
        await c.gone(FormDialog)
        first, second = of_kind(world, Kind.CLOCK_SET)
        assert second["reason"] == "the replica lags"
        assert first["window_end"] == second["window_end"], "a change window does not move with T-0"


# The last safe abort -------------------------------------------------------------------------------------------------


@sizes
async def test_before_what_would_end_past_the_last_safe_abort_the_driver_is_asked(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    world = World(tmp_path)
    window(world, 3)
    async with console(world, size) as c:
        await ready(c)
        await c.go("apply")
        for accepted in (False, True):
            await c.press("r")
            await c.shown(ChoiceDialog)
            await c.press("1")
            await c.shown(FormDialog)
            assert "forecast to end at 00:47" in c.text()
            assert "after the last safe abort" in c.text()
            if accepted:
                break
            await c.press("escape")
            await c.gone(FormDialog)
            assert not of_kind(world, Kind.ATTEMPT_STARTED)[1:], "esc starts nothing"
        await c.type("the board gave us ten more minutes")
        await c.press("enter")
        await c.shown(ConfirmDialog)
        await c.press("y")
        await c.until(lambda: c.state("apply") is ItemState.RUNNING)
        confirmed = of_kind(world, Kind.ATTEMPT_STARTED)[-1]["confirmed"]
        assert isinstance(confirmed, dict)
        assert confirmed["reason"] == "the board gave us ten more minutes"


@sizes
async def test_past_it_the_room_decides_before_anything_else_changes(tmp_path: Path, size: tuple[int, int]) -> None:
    world = World(tmp_path)
    window(world, 30)
    async with console(world, size) as c:
        await ready(c)
        assert not isinstance(c.app.screen, ChoiceDialog)
        world.hands.forward(31 * 60)
        await c.shown(ChoiceDialog)
        text = c.text()
        for words in ("The last safe abort has passed", "not yet", "go on", "hold the run", "roll back", "esc back"):
            assert words in text
        await c.press("enter")
        await c.gone(ChoiceDialog)
        assert not of_kind(world, Kind.CLOCK_DECIDED), "enter puts it off"
        await c.go("apply")
        await c.press("r")
        await c.until(lambda: "decide first whether to go on" in " ".join(c.text().split()))
        if isinstance(c.app.screen, ChoiceDialog):
            await c.press("escape")
            await c.gone(ChoiceDialog)
        await c.press("O")
        await c.shown(ChoiceDialog)
        await c.press("g")
        await c.shown(FormDialog)
        await c.type("the window was extended by mail")
        await c.press("enter")
        await c.until(lambda: "What is left empty stays." in c.text())
        await c.press("escape")
        (decided,) = of_kind(world, Kind.CLOCK_DECIDED)
        assert (decided["decision"], decided["reason"]) == ("go on", "the window was extended by mail")


async def test_shortly_before_it_the_status_row_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    window(world, 30)
    async with console(world) as c:
        world.hands.forward(21 * 60)
        await c.until(lambda: "backing out soon no longer fits" in c.text())
        assert not isinstance(c.app.screen, ChoiceDialog)


# The plan, sections, the end -----------------------------------------------------------------------------------------


@sizes
async def test_nothing_changes_before_the_plan_is_approved(tmp_path: Path, size: tuple[int, int]) -> None:
    world = World(tmp_path)
    world.list = replace(world.list, approval=True)
    async with console(world, size) as c:
        await ready(c)
        await c.go("seed")
        await c.press("r")
        assert "the plan is a draft" in c.text()
        await c.press("A")
        await c.shown(FormDialog)
        assert "approved by (a person's name)" in c.text()
        await say(c, "Ben Lead")
        session = c.main.session
        await c.until(lambda: session.run.state is RunState.COMMITTED)
        await c.press("A")
        assert "the plan was approved by Ben Lead" in c.status


@sizes
async def test_a_section_is_called_complete_after_what_was_put_off_was_seen(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    world = World(tmp_path)
    async with console(world, size) as c:
        await c.go("smoke-budget")
        await c.press("C")
        assert "“Budget tracking” is open, and 2 more" in c.status
        world.moved("smoke-budget", "attest")
        world.moved("smoke-ship", "attest")
        world.moved("times", "defer", reason="after the weekend", due="T+3d")
        await c.until(lambda: "call it (C)" in c.text())
        await c.press("C")
        await c.shown(FormDialog)
        assert "complete except deferred (1)" in " ".join(c.text().split())
        assert "Response times against the baseline" in c.text()
        await c.press("enter")
        await c.until(lambda: of_kind(world, Kind.SECTION_CALLED))
        await c.until(lambda: "call it (C)" not in c.text())
        assert of_kind(world, Kind.SECTION_CALLED)[0]["person"] == "ana"


@sizes
async def test_a_run_ends_only_as_what_it_is(tmp_path: Path, size: tuple[int, int]) -> None:
    world = World(tmp_path)
    async with console(world, size) as c:
        await c.press("E")
        dialog = await c.shown(ChoiceDialog)
        text = " ".join(c.text().split())
        assert "left (defer what is done later), first" in text
        assert "nothing of the rollback procedure has been done" in text
        await c.press("c")
        assert c.app.screen is dialog, "completed is not possible yet"
        await c.press("a")
        await c.shown(FormDialog)
        await c.press("enter", "enter")
        assert "enter: reason: 10 more characters" in c.text()
        await c.type("the change was withdrawn")
        await c.press("enter")
        session = c.main.session
        await c.until(lambda: session.run.state is RunState.ABANDONED)
        await c.until(lambda: "ABANDONED" in c.text())
