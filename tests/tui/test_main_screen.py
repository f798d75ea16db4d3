"""The main screen under everything that is done to it: sizes, themes, hostile texts, dead servers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from migconsole.domain.checklist import Checklist, Item, Phase, Section, Step, TargetSpec
from migconsole.domain.checklist import Run as RunAction
from migconsole.domain.items import ItemState
from migconsole.domain.readings import Alarm, Level, Quality
from migconsole.domain.run import Run
from migconsole.engine.ports import WatcherState
from migconsole.tui import rows
from migconsole.tui.screens.dialogs.base import FormDialog
from migconsole.tui.screens.dialogs.confirm import ConfirmDialog
from tests.tui.driving import console
from tests.tui.fakes import HOSTILE, IDENTITY, World, checklist

LINES = {(80, 24): 24, (120, 40): 40, (200, 60): 60}


@pytest.mark.parametrize("size", LINES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_header_status_and_footer_are_there_at_every_size(size: tuple[int, int], tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world, size) as c:
        world.health(c.app)
        await c.until(lambda: ("33/100" if size[0] > 80 else "4711: waits for 1, holds up 3") in c.text())
        lines = c.text().split("\n")
        assert "PROD" in lines[0]
        assert "fulfillment_ops_db @ db1:5432" in lines[0]
        assert "00:03:12" in lines[1], "how long the running step takes"
        assert "3 of 16" in lines[1]
        assert "UTC" in lines[1]
        assert "? help" in lines[size[1] - 1]
        assert ("Run migration script" in c.text()) is True
        assert ("Cannot run" in c.text() or "mutating" in c.text()) is (size[0] > 80)


async def test_small_and_back_while_work_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world, (80, 24)) as c:
        for width, height in ((60, 15), (79, 40), (120, 23)):
            await c.pilot.resize_terminal(width, height)
            await c.until(lambda: "needs 80×24" in c.text())
        await c.pilot.resize_terminal(120, 40)
        await c.until(lambda: "needs 80×24" not in c.text() and "Output" in c.text())
        cursor = c.main.steps.cursor_key
        await c.pilot.resize_terminal(80, 24)
        await c.until(lambda: "1 checklist" in c.text())
        assert c.main.steps.cursor_key == cursor


async def test_one_pane_at_a_time_where_there_is_room_for_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world, (80, 24)) as c:
        await c.press("2")
        assert "Applying 20301120_add_unit_cost" in c.text()
        assert "Pre-Migration" not in c.text()
        await c.press("tab")
        assert "2 ways, r offers them" in c.text()
        await c.press("1")
        assert "Pre-Migration" in c.text()


async def test_running_terminals_follow_the_pane(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world, (120, 40)) as c:
        await c.until(lambda: world.jobs.sizes)
        first = world.jobs.sizes[-1]
        await c.pilot.resize_terminal(200, 60)
        await c.until(lambda: world.jobs.sizes[-1] > first)


async def test_maximising_and_back(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await c.press("z")
        assert "Item" not in c.text().split("\n")[2]
        await c.press("z")
        assert "Output" in c.text()


async def test_themes_switch_live(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world) as c:
        seen = set()
        for _ in c.app.theme_titles():
            await c.press("f2")
            seen.add(c.app.theme)
            assert "Run migration script" in c.text()
        assert seen == {"midnight", "daylight", "high-contrast", "production", "ansi-dark", "ansi-light"}
        c.app.use_theme("[/foo] nothing")
        await c.pilot.pause()
        assert c.app.theme in seen


async def test_a_broken_theme_costs_one_message(tmp_path: Path) -> None:
    world = World(tmp_path)
    app = world.app()
    app._theme_problems = ["mine.yaml: colours.acent: unknown key (did you mean accent?) [/foo]"]
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.pause()
        assert app.theme == "midnight"
        assert next(n.message for n in app._notifications).startswith("Theme not used: mine.yaml")


def hostile_checklist() -> Checklist:
    base = checklist()
    nasty = (
        Item("nasty", HOSTILE, Step(RunAction(f"echo '{HOSTILE}'")), help=HOSTILE),
        Item("long", "x" * 10_000, help="y" * 10_000),
        Item("bidi", "drop \u202etable\u202c users \u200b"),
    )
    section = Section("nasty", HOSTILE, nasty)
    return replace(base, title=HOSTILE, phases=(Phase("p", HOSTILE, 0, (section,)), *base.phases))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_hostile_texts_neither_crash_nor_reach_the_terminal(size: tuple[int, int], tmp_path: Path) -> None:
    world = World(tmp_path, list=hostile_checklist())
    world.database.identity_now = replace(IDENTITY, user=HOSTILE, version=HOSTILE)
    world.jobs.output = HOSTILE.encode() + b"\x1b]52;c;aGk=\x07" + b"z" * 100_000
    async with console(world, size) as c:
        for item in ("nasty", "long", "bidi"):
            await c.go(item)
            for pane in ("1", "2", "3"):
                await c.press(pane)
                assert "\x1b" not in c.text()
        await c.go("nasty")
        await c.press("1", "r")
        await c.until(lambda: c.state("nasty") is ItemState.RUNNING)
        for keys in (("e", "escape"), ("plus", "escape"), ("q", "escape"), ("question_mark", "escape"), ("t",)):
            await c.press(*keys)
            assert "\x1b" not in c.text()
            assert "[/foo] [red]broken" in c.text() or keys[-1] == "escape"
        await c.press("escape", "colon")
        await c.type("[/foo]")
        await c.pilot.press("escape")
        c.app.toast(HOSTILE)
        c.app.hint(HOSTILE)
        await c.pilot.pause()
        assert "\x1b" not in c.text()
        assert c.app._exception is None


async def test_health_that_is_unknown_old_or_gone_never_looks_healthy(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        assert "waiting for the watcher’s first sample" in c.text()
        world.health(c.app)
        await c.until(lambda: "blocked 3 ▲" in c.text())
        assert "oldest xact 0:41" in c.text()
        assert "mon 0.4 %" in c.text()
        for probe in ("lock_tree", "db_counters", "long_xact"):
            world.watched.put(probe, quality=Quality.NO_PRIVILEGE, reason="needs pg_monitor")
        c.main.look_at_health()
        await c.until(lambda: "blocked n/a" in c.text())
        for words in ("tps n/a", "oldest xact n/a", "no privilege"):
            assert words in c.text()
        world.hands.forward(15)
        c.main.look_at_health()
        await c.until(lambda: "16 s old" in c.text())
        world.hands.forward(60)
        c.main.look_at_health()
        await c.until(lambda: "no data 1:16" in c.text())
        assert "33/100" not in c.text()


async def test_a_watcher_that_died_is_said_before_its_last_values_look_fresh(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        world.health(c.app)
        await c.until(lambda: "33/100" in c.text())
        world.watched.state = WatcherState(False, 3.0, 77, problem="the watcher (pid 77) is gone")
        c.main.look_at_health()
        await c.until(lambda: "no watcher" in c.text())
        assert "the watcher (pid 77) is gone" in c.text()
        world.hands.forward(20)
        c.main.look_at_health()
        await c.until(lambda: "no data 0:21" in c.text())
        assert "33/100" not in c.text()


async def test_the_migrations_session_stands_below_the_values_and_an_alarm_beside_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world, (160, 40)) as c:
        world.health(c.app)
        await c.until(lambda: "Migration backend 4711: waits for 1, holds up 3, oldest victim 6.2 s" in c.text())
        world.watched.open_alarms = [Alarm(7, "lock_tree", Level.CRITICAL, "3 sessions wait [/b]", world.watched.now)]
        c.main.look_at_health()
        await c.until(lambda: "■ 3 sessions wait [/b]" in c.text())


async def test_an_alarm_rings_once_and_never_when_somebody_has_seen_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        rung: list[str] = []
        c.app.bell = lambda: rung.append(c.status)  # type: ignore[method-assign]
        world.health(c.app)
        seen = Alarm(6, "tps", Level.WARN, "slow", world.watched.now, acknowledged="ada")
        world.watched.open_alarms = [seen]
        c.main.look_at_health()
        assert rung == []
        world.watched.open_alarms = [Alarm(7, "lock_tree", Level.CRITICAL, "3 wait", world.watched.now), seen]
        for _ in range(3):
            c.main.look_at_health()
        assert len(rung) == 1
        await c.until(lambda: "3 wait" in c.status)
        world.watched.open_alarms = [Alarm(8, "lock_tree", Level.WARN, "2 wait", world.watched.now)]
        c.main.look_at_health()
        assert len(rung) == 2


async def test_at_80_columns_the_one_row_says_the_alarm_first(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world, (80, 24)) as c:
        world.health(c.app)
        await c.until(lambda: "4711: waits for 1, holds up 3, oldest victim 6.2 s" in c.text())
        world.watched.open_alarms = [Alarm(7, "lock_tree", Level.CRITICAL, "3 sessions wait", world.watched.now)]
        c.main.look_at_health()
        await c.until(lambda: "■ 3 sessions wait" in c.text())


async def test_a_server_that_cannot_be_reached_stays_said(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.database.down = "connection refused [/foo]"
    async with console(world) as c:
        await c.until(lambda: "connection refused [/foo]" in c.status)
        await c.press("escape", "escape")
        assert "connection refused [/foo]" in c.status, "acknowledging does not mend it"
        assert "not identified" in c.text()


async def test_a_changed_target_is_shown(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        world.database.identity_now = replace(IDENTITY, in_recovery=True)
        assert c.app.session is not None
        await c.app.session.identify()
        await c.until(lambda: "TARGET CHANGED" in c.text())
        assert "standby" in c.text()


async def test_filter_shows_matches_with_their_headings_and_escape_brings_all_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world) as c:
        everything = len(c.main.steps.rows)
        await c.press("slash")
        await c.type("tracking")
        titles = [row.title for row in c.main.steps.rows]
        assert titles == ["Post-Migration", "Verification", "Test new features", "Budget tracking", "Shipment tracking"]
        await c.press("enter")
        assert c.main.steps.cursor_key == "smoke"
        await c.press("escape")
        assert len(c.main.steps.rows) == everything
        await c.press("slash")
        await c.type(":nonsense")
        assert "is not known" in c.text()


async def test_folding_and_jumping(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world) as c:
        await c.press("g")
        assert c.main.steps.cursor_key == "phase:pre"
        everything = len(c.main.steps.rows)
        await c.press("h")
        assert len(c.main.steps.rows) == everything - 8
        await c.press("enter")
        assert len(c.main.steps.rows) == everything
        await c.press("G")
        assert c.main.steps.cursor_key == "rollback"
        assert c.main.steps.go("drop"), "unfolds what hides it"
        await c.press("full_stop")
        row = c.main.steps.cursor
        assert row is not None
        assert row.item is not None
        assert c.main._actionable(row.item)


async def test_enter_runs_a_read_only_item_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("target")
        await c.pilot.press("enter", "enter")
        await c.until(lambda: c.state("target") is ItemState.VERIFIED)
        assert c.app.session is not None
        assert len(c.app.session.run.record("target").attempts) == 1
        assert "target: fine" in c.text()


async def test_an_interactive_item_is_refused_where_there_is_no_terminal_to_give(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("psql")
        await c.press("o")
        await c.shown(FormDialog)
        await c.type("before its turn")
        await c.press("enter")
        await c.until(lambda: not isinstance(c.app.screen, FormDialog))
        if isinstance(c.app.screen, ConfirmDialog):
            await c.shown(ConfirmDialog)
            await c.press("y")
        await c.until(lambda: "cannot be given away" in c.status)
        assert c.state("psql") is ItemState.TODO


async def test_the_copied_command_goes_to_a_private_file_too(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await c.go("cache")
        await c.press("y")
        path = tmp_path / "clipboard.txt"
        await c.until(path.exists)
        assert c.app.clipboard == "redis-cli flushdb"
        assert oct(path.stat().st_mode & 0o777) == "0o600"


async def test_a_mouse_click_selects_and_folds(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await c.press("g")
        await c.pilot.click("#tree", offset=(6, 4))
        assert c.main.steps.cursor_key == "disk"


def test_rows_of_a_big_checklist_are_made_quickly() -> None:
    items = tuple(Item(f"i{n}", f"Item {n}") for n in range(5000))
    big = Checklist("big", target=TargetSpec(), phases=(Phase("p", "P", 0, (Section("s", "S", items),)),))
    made = rows.build(big, Run(), frozenset())
    assert len(made) == 5002
    assert made[0].count is not None
    assert made[0].count.total == 5000


async def test_a_dump_on_the_server_asks_for_a_reason_before_anything_changes(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.database.dumping = ["pg_dump (pid 4711) of backup from local, since 2m"]
    async with console(world) as c:
        await c.go("cache")
        await c.press("r")
        await c.shown(FormDialog)
        assert "Beside a running dump" in c.text()
        assert "pid 4711" in c.text()
        await c.type("too short")
        await c.press("enter")
        assert isinstance(c.app.screen, FormDialog)
        await c.press("escape")
        await c.until(lambda: not isinstance(c.app.screen, FormDialog))
        assert c.state("cache") is ItemState.TODO


async def test_a_reason_is_for_what_was_seen_when_it_was_typed(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("seed")
        await c.press("o")
        await c.shown(FormDialog)
        await c.type("the application is down, and the line before waits for its owner")
        await c.press("enter")
        await c.shown(ConfirmDialog)
        world.database.dumping = ["pg_dump (pid 4711) of backup from local, since 2m"]
        await c.press("y")
        await c.until(lambda: "pid 4711" in c.status)
        assert c.state("seed") is ItemState.TODO
