"""The clock's row at every width, and voting, tripping and claiming by keyboard."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from migconsole.domain.checklist import Checklist, Gate
from migconsole.domain.clock import Clock, Level
from migconsole.domain.gates import GateState
from migconsole.domain.rollback_time import Backout
from migconsole.domain.tripwires import WireState
from migconsole.tui.clock_line import clock_line
from migconsole.tui.screens.dialogs.base import ChoiceDialog, FormDialog
from migconsole.tui.screens.dialogs.gates import GateDialog
from tests.tui.driving import console
from tests.tui.fakes import World, checklist

NOW = datetime(2026, 11, 25, 0, 43, tzinfo=UTC)
BACK = Backout("restore", 1500.0)
CLOCK = Clock(
    NOW,
    NOW - timedelta(seconds=760),
    NOW + timedelta(minutes=77),
    forecast_end=NOW + timedelta(minutes=39),
    backout=BACK,
    level=Level.GREEN,
)


def line(width: int, clock: Clock = CLOCK, skew: float | None = None) -> str:
    return "".join(text for text, _ in clock_line(clock, width, skew)).strip()


def test_the_row_is_the_sentence_of_the_design_where_there_is_room() -> None:
    assert line(140) == (
        "T-0 +00:12:40 │ window ends 02:00 (1:17 left) │ forecast end 01:22 │ back out now → 01:08 │ "
        "LAST SAFE ABORT 01:35 (in 0:52) UTC"
    )


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_the_last_safe_abort_is_on_screen_at_every_width(width: int) -> None:
    assert "SAFE ABORT 01:35 (in 0:52)" in line(width)
    assert cell_len(line(width)) <= width


def test_past_it_the_row_says_since_when_and_what_is_not_known_is_a_bound() -> None:
    late = replace(CLOCK, window_end=NOW + timedelta(minutes=10), level=Level.RED)
    assert "LAST SAFE ABORT 00:28 (passed 0:15 ago)" in line(200, late)
    vague = replace(CLOCK, backout=replace(BACK, unknown=1), guessed=2)
    assert "forecast end ≥01:22 │ back out now → ≥01:08 │ LAST SAFE ABORT ≤01:35" in line(200, vague)


def test_a_difference_between_the_clocks_is_shown() -> None:
    assert "server +7 s" in line(200, skew=7.2)
    assert "server" not in line(200, skew=1.0)


def gated() -> Checklist:
    plain = checklist()
    roles = ("Database Admin", "DevOps Lead")
    return replace(plain, roles=roles, gates=(Gate("go", "Go for T-0", plain.phases[-1].title, roles),))


async def test_roles_vote_by_keyboard(tmp_path: Path) -> None:
    world = World(tmp_path, list=gated())
    async with console(world) as c:
        await c.press("V")
        for _ in range(2):
            await c.shown(GateDialog)
            await c.press("g")
            await c.shown(FormDialog)
            await c.type("AS")
            await c.press("enter")
        await c.until(lambda: c.main.session.gates.standings()[0].state is GateState.GO)


async def test_enter_on_a_tripwire_trips_it_and_it_stays_in_the_header(tmp_path: Path) -> None:
    world = World(tmp_path)
    wire = world.list.tripwires[0]
    async with console(world) as c:
        await c.go(f"tripwire:{wire.id}")
        await c.press("enter")
        await c.shown(ChoiceDialog)
        await c.press("t")
        await c.shown(FormDialog)
        await c.type("the client crashes")
        await c.press("enter")
        await c.until(lambda: c.main.session.tripwires.record(wire.id).state is WireState.TRIPPED)
        await c.until(lambda: "1 tripped" in c.text())


async def test_a_manual_item_is_claimed_and_given_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("notify")
        await c.press("m")
        await c.until(lambda: "notify" in c.main.session.run.claims.held)
        await c.press("m")
        await c.until(lambda: "notify" not in c.main.session.run.claims.held)
