"""How the console behaves towards hands: quick keys, long commands, late steps, narrow screens, nothing left to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual.widgets import Input

from migconsole.domain.answers import TYPES, check_answer
from migconsole.domain.checklist import Answer, Danger, Item, Run, Step, Variable
from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from migconsole.domain.times import stamp
from migconsole.tui.decisions import example
from migconsole.tui.screens.dialogs.bar import AttestBar
from migconsole.tui.screens.dialogs.base import Choice, ChoiceDialog, FormDialog
from migconsole.tui.screens.dialogs.confirm import ConfirmDialog
from migconsole.tui.screens.dialogs.evidence import EvidenceDialog
from migconsole.tui.screens.dialogs.stop import StopDialog
from migconsole.tui.screens.help import HelpScreen
from tests.tui.driving import console
from tests.tui.fakes import World, checklist


@pytest.mark.parametrize("kind", [kind for kind in TYPES if example(kind, datetime(2030, 1, 31, 22, 0, tzinfo=UTC))])
def test_every_example_is_itself_an_answer(kind: str) -> None:
    assert check_answer(kind, example(kind, datetime(2030, 1, 31, 22, 0, tzinfo=UTC)))


async def test_space_and_enter_in_quick_succession_attest(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("notify")
        await c.pilot.press("space")
        await c.until(lambda: isinstance(c.app.screen, AttestBar))
        world.hands.forward(0.2)
        await c.pilot.press("enter")
        await c.until(lambda: c.state("notify") is ItemState.ATTESTED)


async def test_a_key_that_comes_too_early_is_seen_to_be_ignored(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("notify")
        await c.pilot.press("space")
        await c.until(lambda: isinstance(c.app.screen, AttestBar))
        await c.pilot.press("enter")
        await c.until(lambda: "too early, ignored" in c.text())
        await c.pilot.press("escape")
        await c.gone(AttestBar)
        await c.go("cache")
        await c.pilot.press("r")
        await c.until(lambda: isinstance(c.app.screen, ConfirmDialog))
        await c.pilot.press("y")
        await c.until(lambda: "y: too early, ignored" in c.text())


async def test_whoever_has_typed_a_reason_need_not_wait(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("cache")
        await c.pilot.press("s")
        await c.until(lambda: isinstance(c.app.screen, FormDialog))
        await c.type("no cache")
        await c.pilot.press("enter")
        await c.until(lambda: c.state("cache") is ItemState.SKIPPED)


async def test_answers_are_prefilled_with_variables_resolved(tmp_path: Path) -> None:
    item = Item("where", "Choose the folder", Step(Answer("path", "Where to?", default="/backups/${operator}")))
    world = World(
        tmp_path, list=replace(checklist([item]), variables={"operator": Variable("operator", default="ana")})
    )
    async with console(world) as c:
        await c.go("where")
        await c.press("a")
        await c.shown(FormDialog)
        assert c.app.screen.query_one("#field-value", Input).value == "/backups/ana"


async def test_a_long_command_is_read_by_scrolling_before_it_is_accepted(tmp_path: Path) -> None:
    script = "\n".join(f"psql -f step-{number:03}.sql" for number in range(300))
    world = World(tmp_path, list=checklist([Item("long", "All steps", Step(Run(script), danger=Danger.MUTATING))]))
    async with console(world, size=(80, 24)) as c:
        await c.go("long")
        await c.press("r")
        await c.until(lambda: isinstance(c.app.screen, ConfirmDialog) and "more rows" in c.text())
        assert "✔ not on hold" in c.text(), "the facts come before what is long"
        assert "y runs it" in c.text()
        for _ in range(40):
            await c.pilot.press("pagedown")
        await c.until(lambda: "step-299.sql" in c.text() and "more rows" not in c.text())


async def test_a_step_that_takes_longer_than_expected_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    world.hands.forward(300)
    async with console(world) as c:
        await c.until(lambda: "expected 4m, now 8m" in c.text())
        assert "running 8:12 of ~4m" in c.text()


async def test_next_goes_on_from_a_folded_heading_and_says_when_nothing_is_left(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        assert c.main.steps.go("phase:post")
        await c.press("h", "full_stop")
        assert c.main.steps.cursor_key == "smoke-budget"
        for item in [located.item for located in c.main.session.checklist.walk()]:
            if not item.items:
                world.moved(item.id, "attest")
        await c.until(lambda: c.state("times") is ItemState.ATTESTED)
        await c.press("full_stop")
        assert c.status == "nothing is left to do"


async def test_what_was_said_about_one_line_does_not_stay_on_the_next(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await c.go("notify")
        await c.press("r")
        assert "there is nothing to run" in c.status
        await c.press("j")
        await c.until(lambda: c.status == "")


async def test_the_ways_out_are_in_the_footer_of_the_narrowest_screen(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world, size=(80, 24)) as c:
        await c.until(lambda: "? help" in c.text().splitlines()[-1])
        assert "q leave" in c.text().splitlines()[-1]


async def test_what_the_footer_offers_in_the_item_pane_works_there(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await c.go("notify")
        await c.press("3")
        await c.until(lambda: c.main.pane == "item")
        await c.press("space")
        await c.shown(AttestBar)


async def test_the_item_pane_shows_the_other_ways_and_what_is_in_their_way(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.started("target", danger="read", kind="check")
    world.ended("target", "passed")
    async with console(world, size=(200, 60)) as c:
        await c.pilot.press("escape")
        await c.go("apply")
        await c.until(lambda: "2 ways, r offers them" in c.text())
        assert "2 by hand" in c.text()
        assert "npx is not on the PATH" in c.text()
        assert "estimate 4m" in c.text()


async def test_next_goes_back_once_to_a_line_that_regressed_behind_the_cursor(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.go("target")
        await c.press("enter")
        await c.until(lambda: c.state("target") is ItemState.VERIFIED)
        await c.go("smoke-budget")
        world.moved("target", "regress", reason="another server answers")
        await c.until(lambda: c.state("target") is ItemState.REGRESSED)
        await c.press("full_stop")
        assert c.main.steps.cursor_key == "target", "a failure comes first, wherever it lies"
        await c.press("full_stop")
        assert c.main.steps.cursor_key == "disk", "one that stays does not keep the key from the rest"
        await c.press("full_stop")
        assert c.main.steps.cursor_key == "window"
        world.hands.forward(60)
        world.moved("target", "recover")
        world.hands.forward(60)
        world.moved("target", "regress", reason="again")
        await c.until(lambda: c.app.session is not None and c.app.session.run.record("target").reason == "again")
        await c.press("full_stop")
        assert c.main.steps.cursor_key == "target", "it failed again"
        world.hands.forward(60)
        world.moved("target", "accept", reason="the new server is meant")
        await c.go("window")
        await c.until(lambda: c.state("target") is ItemState.OK_WITH_ISSUES)
        await c.press("full_stop")
        assert c.main.steps.cursor_key == "go", "what was accepted is dealt with"


async def test_enter_on_a_form_that_lacks_something_says_what(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await c.press("H")
        dialog = await c.shown(FormDialog)
        await c.press("enter")
        assert c.app.screen is dialog
        assert "enter: note to whoever goes on: 3 more characters" in c.text()
        await c.type("it is all yours")
        await c.press("enter")
        await c.gone(FormDialog)
        assert not c.main.session.driving


async def test_in_a_read_do_section_the_cursor_goes_on_with_the_work(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        orders = {row.key: row.order for row in c.main.steps.rows if row.item is not None}
        assert (orders["apply"], orders["watch"], orders["log"], orders["notify"]) == ("now", "later", "later", "")
        await c.go("apply")
        world.started("apply")
        world.ended("apply", "passed")
        await c.until(lambda: c.main.steps.cursor_key == "watch")
        await c.pilot.press("full_stop")
        assert c.main.steps.cursor_key == "watch", "the key was meant for the line before"
        assert "by itself: look, then press again" in c.status
        world.hands.forward(1)
        await c.pilot.press("full_stop")
        assert c.main.steps.cursor_key != "watch"
        await c.go("watch")
        assert {row.key: row.order for row in c.main.steps.rows}["watch"] == "now"
        await c.go("notify")
        world.moved("watch", "attest")
        await c.until(lambda: c.state("watch") is ItemState.ATTESTED)
        assert c.main.steps.cursor_key == "notify", "a cursor that looks elsewhere is left alone"


async def test_late_and_overdue_come_with_the_clock_and_not_only_with_events(tmp_path: Path) -> None:
    world = World(tmp_path)
    t0 = world.hands.moment + timedelta(hours=1)
    world.journal.put(
        Kind.CLOCK_SET,
        {"t0": stamp(t0), "window_end": stamp(t0 + timedelta(hours=8)), "reason": "", "source": "key"},
    )
    async with console(world, size=(160, 50)) as c:
        assert "late" not in c.text()
        heads = len(world.journal.events)
        world.hands.forward(4 * 60 + 61)
        await c.until(lambda: "late" in c.text())
        assert len(world.journal.events) == heads, "nothing happened but time"


def _failed(path: Path) -> World:
    world = World(path)
    world.started("cache", danger="mutating")
    world.ended("cache", "failed", reasons=["exit: expected 0, got 1"])
    return world


async def test_after_a_failure_the_footer_names_the_ways_on_before_all_else(tmp_path: Path) -> None:
    async with console(_failed(tmp_path), size=(80, 24)) as c:
        await c.shown(ChoiceDialog)
        await c.press("escape")
        await c.until(lambda: c.text().splitlines()[-1].startswith(" R go on"))
        await c.press("R")
        await c.go("cache")
        await c.until(lambda: "r run  w ok with issues  F force  B roll back" in c.text().splitlines()[-1])
        assert "? help  q leave" in c.text().splitlines()[-1]


async def test_why_a_key_does_nothing_is_said_only_for_as_long_as_it_is_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world, size=(80, 24)) as c:
        await c.go("apply")
        await c.press("r")
        assert c.status == "run: it is running"
        await c.press("2", "1")
        assert c.status == "run: it is running"
        world.ended("apply", "failed", number=2)
        await c.until(lambda: c.state("apply") is ItemState.FAILED)
        await c.until(lambda: "it is running" not in c.status)


async def test_a_line_says_once_what_its_item_does(tmp_path: Path) -> None:
    async with console(World(tmp_path), size=(80, 24)) as c:
        await c.go("disk")
        await c.until(lambda: " check disk_free" in c.text())
        assert c.text().count("disk_free") == 1


async def test_the_cursor_leaves_what_comes_next_in_sight(tmp_path: Path) -> None:
    async with console(World(tmp_path), size=(80, 24)) as c:
        tree = c.main.steps
        for _ in range(len(tree.rows)):
            await c.press("j")
            index = next(i for i, row in enumerate(tree.rows) if row.key == tree.cursor_key)
            below = tree.scroll_offset.y + tree.size.height - 1 - index
            assert below >= min(3, len(tree.rows) - 1 - index)


async def test_a_resumed_run_shows_the_keys_of_its_question_at_80_columns(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way(console="another")
    async with console(world, size=(80, 24)) as c:
        await c.shown(ChoiceDialog)
        assert "the letters choose" in c.text()


async def test_a_console_that_watches_stands_where_work_is_and_offers_to_take_over(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.journal.holder, world.journal.free = "another", False
    for settled in ("target", "window"):
        world.moved(settled, "attest", value="2h", variable="")
    async with console(world, size=(80, 24)) as c:
        await c.until(lambda: c.text().splitlines()[-1].startswith(" H take over"))
        assert c.main.steps.cursor_key == "disk"


async def test_the_keys_of_attempts_mean_the_output_that_is_read(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world, size=(80, 24)) as c:
        await c.go("apply")
        await c.press("2")
        c.main.steps.go("notify")
        await c.until(lambda: c.main.output.current == ("apply", 2) and c.main.pane == "output")
        await c.press("<")
        await c.until(lambda: c.main.output.current == ("apply", 1))
        assert "✘ Run migration script" in c.text(), "the tab of an attempt that failed is marked"
        await c.press("e")
        await c.shown(EvidenceDialog)
        assert "Attempt 2" in c.text()


async def test_a_click_opens_the_tab_that_is_under_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world) as c:
        await c.go("apply")
        c.main.output.show("apply", 1)
        await c.until(lambda: "✘ Run migration script" in c.text())
        row = next(line for line in c.text().splitlines() if "✘ Run migration script" in line)
        second = row.index("✘") - c.main.query_one("#output-tabs").region.x
        await c.pilot.click("#output-tabs", offset=(2, 0))
        await c.until(lambda: c.main.output.current == ("apply", 2))
        await c.pilot.click("#output-tabs", offset=(second, 0))
        await c.until(lambda: c.main.output.current == ("apply", 1))


async def test_a_narrow_screen_tells_what_is_under_the_cursor_in_its_status_row(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    world.ended("apply", "failed", number=2, reasons=["exit: expected 0, got 3"])
    async with console(world, size=(80, 24)) as c:
        await c.go("apply")
        await c.until(lambda: "✘ failed" in c.text().splitlines()[-2])
        assert "exit: expected 0, got 3" in c.text().splitlines()[-2]
        await c.go("disk")
        await c.until(lambda: c.text().splitlines()[-2].startswith(" answer?"))
        await c.press("c")
        await c.until(lambda: "nothing is running here" in c.text().splitlines()[-2])
        await c.press("escape", "3")
        await c.until(lambda: not c.text().splitlines()[-2].strip())
        await c.pilot.resize_terminal(120, 40)
        await c.press("1")
        await c.until(lambda: not c.text().splitlines()[-2].strip())


async def test_a_hold_says_why_and_which_key_releases_it_for_as_long_as_it_lasts(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world, size=(80, 24)) as c:
        world.journal.put(Kind.HOLD, {"owner": "ana", "reason": "the replica lags"})
        await c.until(lambda: "▲ on hold (p releases it) ana: the replica lags" in c.text().splitlines()[-2])
        assert c.text().splitlines()[-1].startswith(" p release")
        world.journal.put(Kind.RELEASE, {})
        await c.until(lambda: "on hold" not in c.text())


async def test_what_is_said_loudly_keeps_its_mark_however_long_it_is(tmp_path: Path) -> None:
    async with console(World(tmp_path), size=(80, 24)) as c:
        c.app.alert("failed: " + "a very long title " * 10)
        await c.until(lambda: c.text().splitlines()[-2].startswith(" ✘ failed: a very long title"))
        assert c.text().splitlines()[-2].endswith("…")
        c.main.status.error("The journal cannot be written: " + "no space left on the device " * 10)
        await c.until(lambda: c.text().splitlines()[-2].startswith(" ✘  The journal cannot be written"))
        assert c.text().splitlines()[-2].rstrip().endswith("esc acknowledges")


async def test_once_a_rollback_was_decided_on_the_next_thing_is_on_the_way_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    world.ended("apply", "failed", number=2)
    decided = {"strategy": "app-only", "reason": "orders fail", "by": "Ada", "typed": "fulfillment_ops_db@db1:5432"}
    world.journal.put(Kind.ROLLBACK_ENGAGED, decided)
    async with console(world, size=(80, 24)) as c:
        back = {located.item.id for located in c.app.session.checklist.walk_rollback()}
        c.main.steps.go("notify")
        await c.press(".")
        await c.until(lambda: c.main.steps.cursor_key in back)
        await c.press("]")
        await c.until(lambda: c.main.steps.cursor_key == "apply")


async def test_why_something_cannot_be_chosen_is_said_whole_at_80_columns(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world, size=(80, 24)) as c:
        why = "because of " + "a reason that is longer than a row of a dialog " * 3 + "and ends here"
        rows = [
            Choice("", "b", "back"),
            Choice("x", "x", "do it", disabled=why),
            Choice("y", "y", "else", "last words"),
        ]
        await c.app.push_screen(ChoiceDialog("Which?", "One of these.", rows, c.app.clock))
        await c.until(lambda: "and ends here" in c.text() and "last words" in c.text())
        assert "the letters choose" in c.text()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_no_toast_lies_over_what_says_why_a_key_does_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    async with console(World(tmp_path), size=size) as c:
        await c.go("notify")
        c.app.toast("Copied. If the terminal ignores it: /home/user/.local/state/migconsole/runs/" + "a-long-name/" * 8)
        c.app.toast("Noted.")
        await c.press("c")
        await c.until(lambda: "Noted." in c.text() and "Copied." in c.text())
        *above, status, keys = c.text().splitlines()
        assert status == " cancel: nothing is running here"
        assert keys.endswith("q leave")
        strip = above[-2:] if size[0] >= 110 else above[-1:]
        assert strip[0].startswith(" Health")
        assert not any(said in "".join(strip) for said in ("Noted", "Copied", "a-long-name"))


async def test_what_the_rungs_of_the_ladder_mean_stands_in_a_column_at_80_columns(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.half_way()
    async with console(world, size=(80, 24)) as c:
        await c.go("apply")
        await c.press("c")
        await c.shown(StopDialog)
        rows = c.text().splitlines()
        at = next(row for row in rows if "SIGINT" in row).index("asks the command")
        assert next(row for row in rows if "cancel their statement" in row).index("tools") == at
        assert next(row for row in rows if "attempt runs" in row).index("attempt") == at


async def test_help_wraps_anew_when_the_terminal_becomes_narrower(tmp_path: Path) -> None:
    async with console(World(tmp_path), size=(120, 40)) as c:
        await c.press("question_mark")
        await c.shown(HelpScreen)
        await c.pilot.resize_terminal(80, 40)
        await c.until(lambda: "not now: this item takes no answer" in c.text())
        rows = c.text().splitlines()
        at = next(row for row in rows if "not now: this item takes no answer" in row).index("not now")
        await c.until(lambda: any(row[at - 3 : at + 7] == "   runs it" for row in c.text().splitlines()))
