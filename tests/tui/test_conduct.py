"""The clock's row at every width, and voting, tripping and claiming by keyboard."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from migconsole.domain.checklist import Checklist, Gate, Item, Job, Section, Step
from migconsole.domain.clock import Clock, Level
from migconsole.domain.events import Kind
from migconsole.domain.gates import GateState
from migconsole.domain.items import ItemState
from migconsole.domain.rollback_survey import SessionGroup
from migconsole.domain.rollback_time import Backout
from migconsole.domain.tripwires import WireState
from migconsole.tui.clock_line import clock_line
from migconsole.tui.screens.dialogs.base import ChoiceDialog, FormDialog
from migconsole.tui.screens.dialogs.gates import GateDialog
from tests.desk import survey
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
    doubted = replace(CLOCK, backout=replace(BACK, doubt=1), level=Level.NONE)
    assert "back out now → unknown │ LAST SAFE ABORT unknown, ≤01:35 (in 0:52)" in line(200, doubted)
    assert "SAFE ABORT unknown, ≤01:35" in line(60, doubted)
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


def backed_up() -> Checklist:
    """A checklist whose first phase takes a backup and proves it, with a gate before its last."""
    plain = gated()
    items = (Item("backup", "Back up", Step(Job("backup"))), Item("prove", "Prove it", Step(Job("prove"))))
    first = replace(plain.phases[0], sections=(Section("way", "Way back", items), *plain.phases[0].sections))
    return replace(plain, phases=(first, *plain.phases[1:]))


def proven(world: World) -> None:
    """What a backup and its proof leave in the journal."""
    taken = {"backup": "b1", "at": "2030-11-25T09:41:00+00:00", "side": "x__rb_0a1b2c3d"}
    for item in ("backup", "prove"):
        world.journal.put(
            Kind.ITEM_MOVED, {"item": item, "move": "attest", "reason": "by hand", "value": "", "note": ""}
        )
    world.journal.put(Kind.RESTORE_POINT, taken | {"state": "armed"})


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_gate_shows_what_was_written_since_the_restore_point(tmp_path: Path, size: tuple[int, int]) -> None:
    world = World(tmp_path, list=backed_up())
    async with console(world, size=size) as c:
        proven(world)
        await c.until(lambda: c.state("prove").done)
        await c.press("V")
        await c.shown(GateDialog)
        await c.until(lambda: "1,204 inserted" in c.text())
        assert "restore point ARMED" in c.text()
        assert "at most 24 h" in c.text()
        assert "81 MB of WAL" in c.text()
        assert "31 of fulfillment-api as app" in c.text()
        await c.press("f")
        assert isinstance(c.app.screen, GateDialog), "the application has not stopped"


async def test_once_the_application_has_stopped_a_fresh_backup_is_offered(tmp_path: Path) -> None:
    world = World(tmp_path, list=backed_up())
    world.desk.now = survey(sessions=(SessionGroup("migconsole/0a1b/pulse", "deploy", "local", 1),))
    async with console(world) as c:
        proven(world)
        await c.until(lambda: c.state("prove").done)
        await c.press("V")
        await c.shown(GateDialog)
        await c.until(lambda: "a fresh backup now loses nothing (f)" in c.text())
        await c.press("f")
        await c.shown(FormDialog)
        await c.type("twelve hundred orders since")
        await c.press("enter")
        await c.until(lambda: c.state("backup") is ItemState.TODO and c.state("prove") is ItemState.TODO)
        assert c.main.context().item is not None
        assert c.main.context().item.id == "backup"
