"""The health screen through its keys: every tab, order, filter, pause, the kept row, quality, signals, alarms."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from migconsole.adapters.outputs import FileOutput
from migconsole.domain.events import Kind
from migconsole.domain.readings import Alarm, Quality
from migconsole.domain.thresholds import Phase
from migconsole.engine.ports import WatcherState
from migconsole.errors import TargetError
from migconsole.tui.app import MigconsoleApp
from migconsole.tui.screens.dialogs.base import Dialog, FormDialog
from migconsole.tui.screens.health import HealthAccess, HealthPorts, HealthScreen, queries
from migconsole.tui.screens.health.signals import SignalDialog
from migconsole.tui.screens.main import MainScreen
from migconsole.tui.widgets.health_table import HealthTable
from migconsole.tui.widgets.output_view import OutputView
from tests.tui.driving import Console, console
from tests.tui.fakes import World
from tests.tui.health_source import MIGRATION, FakeHealth, health_at, statement
from tests.waiting import eventually


@dataclass
class Health:
    """A console with its health screen open, and what was asked of the ports."""

    c: Console
    source: FakeHealth
    signals: list[tuple[int, str, bool]] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    fails: TargetError | None = None

    @property
    def screen(self) -> HealthScreen:
        return next(screen for screen in self.c.app.screen_stack if isinstance(screen, HealthScreen))

    def table(self, name: str) -> HealthTable:
        return self.screen.query_one(f"#table-{name}", HealthTable)

    def row(self, name: str) -> dict[str, Any]:
        chosen = self.table(name).chosen
        assert chosen is not None
        return dict(chosen.values)

    def pids(self, name: str = "sessions") -> list[int]:
        return [row.values["pid"] for row in self.table(name).rows]

    async def second(self) -> None:
        """Another second has passed."""
        self.c.world.hands.forward(1)
        self.source.now += 1
        self.screen.look()
        await self.c.pilot.pause()


@asynccontextmanager
async def health(
    tmp_path: Path, size: tuple[int, int] = (120, 40), tab: str = "1", log: Any = None, **world: Any
) -> AsyncIterator[Health]:
    made = World(tmp_path, **world)
    made.half_way()
    source = health_at(made.hands.moment.timestamp())
    told: list[Health] = []

    async def signal(pid: int, backend_start: str, terminate: bool) -> str:
        told[0].signals.append((pid, backend_start, terminate))
        if told[0].fails:
            raise told[0].fails
        return "signalled"

    async def acknowledge(alarm: Alarm) -> None:
        told[0].seen.append(alarm.id)
        source.open_alarms = [replace(a, acknowledged="ana") if a.id == alarm.id else a for a in source.open_alarms]

    ports = HealthPorts(signal=signal, acknowledge=acknowledge, log=log, phase=lambda: Phase.STEP)
    async with console(made, size, health=lambda session: HealthAccess(source, ports)) as c:
        told.append(Health(c, source))
        await c.press("D")
        await c.shown(HealthScreen)
        await c.press(tab)
        yield told[0]


# -- every tab ---------------------------------------------------------------------------------------------------------

SAYS = {
    "1": ("connections", "66 of 97", "▲ 200 MB", "waits for 1, holds up 14", "Run migration script", "n/a"),
    "2": ("MIGRATION 4711", "waits for 1, holds up 14, oldest victim 6.2 s", "idle in xact", "Lock relation"),
    "3": ("public.order_lines", "2.1 GB", "locked 4711", "~3.0 GB", "38.0 %"),
    "4": ("INVALID", "INVALID, duplicate", "unused", "9,231,000"),
    "5": ("Statements in 10:00 (", "SELECT o.id", "230.0 ms", "1 cannot be compared"),
    "6": ("table rewrite", "62.0 %", "1:33", "pid 5102 for 75 s"),
    "7": ("standby1", "200 MB", "cdc_old", "no privilege: needs pg_monitor"),
    "8": ("The server's log cannot be read from here",),
}


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_every_tab_is_drawn_at_every_size(size: tuple[int, int], tmp_path: Path) -> None:
    async with health(tmp_path, size) as h:
        for key, texts in SAYS.items():
            await h.c.press(key)
            shown = h.c.text()
            assert "\x1b" not in shown
            assert "CRITICAL" in shown
            assert "mon 0.4 %" in shown
            if size[0] >= 120:
                for text in texts:
                    assert text in shown, (key, text)
            if key == "3" and size[0] >= 200:
                assert "never" in shown, "the vacuum columns need room"
            assert h.c.app._exception is None


async def test_hostile_texts_are_only_texts(tmp_path: Path) -> None:
    async with health(tmp_path, (200, 60), "2") as h:
        await h.c.press("slash")
        await h.c.type("broken")
        await h.c.press("enter")
        assert h.pids() == [7001]
        await h.c.press("tab", "j")
        assert "[/foo] [red]broken" in h.c.text()
        await h.c.press("enter")
        await h.c.shown(Dialog)
        assert "[bold]" in h.c.text()
        assert h.c.app._exception is None


async def test_escape_goes_back_one_level_at_a_time(tmp_path: Path) -> None:
    async with health(tmp_path, tab="2") as h:
        await h.c.press("tab", "j", "slash")
        await h.c.type("web")
        await h.c.press("enter", "escape")
        assert h.table("sessions")._words == ()
        await h.c.press("escape")
        assert h.table("sessions").chosen is None
        await h.c.press("escape")
        await h.c.shown(MainScreen)


# -- order, filter, pause, identity ------------------------------------------------------------------------------------


async def test_any_column_sorts_and_unknown_values_come_last(tmp_path: Path) -> None:
    async with health(tmp_path, (200, 60), "2") as h:
        await h.c.press("tab")
        table = h.table("sessions")
        assert table.sheet is not None
        for _ in table.sheet.columns:
            await h.c.press("greater_than_sign")
            assert table.order is not None
            column = table.sheet.column(table.order[0])
            assert column is not None
            assert f"{column.title}{'▼' if table.order[1] else '▲'}" in h.c.text().replace("▼ ", "▼")
        table.order = None
        while table.order is None or table.order[0] != "xact_s":
            await h.c.press("greater_than_sign")
        ages = [row.values["xact_s"] for row in table.rows]
        assert ages[0] == 412.0
        assert ages[-1] is None
        await h.c.press("r")
        again = [row.values["xact_s"] for row in table.rows]
        assert again[0] == min(age for age in ages if age is not None)
        assert again[-1] is None
        await h.c.press("o")
        assert h.pids()[0] == MIGRATION


async def test_a_table_under_a_lock_keeps_its_place_but_shows_no_size(tmp_path: Path) -> None:
    async with health(tmp_path, tab="3") as h:
        first = h.table("sizes").rows[0]
        assert first.values["relation"] == "public.orders"
        line = next(line for line in h.c.text().splitlines() if "public.orders " in line)
        assert "locked 4711" in line
        assert "8.4 GB" not in line


async def test_the_chosen_row_is_kept_wherever_it_moves(tmp_path: Path) -> None:
    async with health(tmp_path, (200, 60), "2") as h:
        await h.c.press("tab", "j", "j", "j", "j")
        chosen = h.row("sessions")["pid"]
        place = h.table("sessions").index
        h.source.readings["sessions"].append(
            replace(
                h.source.readings["sessions"][-1],
                at=h.source.now + 1,
                rows=tuple(reversed(h.source.readings["sessions"][-1].rows)),
            )
        )
        await h.second()
        assert h.row("sessions")["pid"] == chosen
        assert h.table("sessions").index != place


async def test_a_row_that_is_gone_is_not_replaced_by_another(tmp_path: Path) -> None:
    async with health(tmp_path, (200, 60), "2") as h:
        await h.c.press("tab", "j", "j", "j")
        gone = h.row("sessions")["pid"]
        last = h.source.readings["sessions"][-1]
        rows = tuple(row for row in last.rows if row["pid"] != gone)
        h.source.readings["sessions"].append(replace(last, at=h.source.now + 1, rows=rows))
        await h.second()
        assert h.table("sessions").chosen is None
        await h.c.press("K")
        assert "no session is chosen" in h.c.status
        assert h.signals == []


async def test_a_reused_pid_is_another_row(tmp_path: Path) -> None:
    async with health(tmp_path, (200, 60), "2") as h:
        await h.c.press("tab", "j", "j", "j")
        number = h.table("sessions").index
        assert number is not None
        h.source.now += 1
        h.source.change("sessions", number, backend_start="2030-03-09T00:49:00+00:00")
        await h.second()
        assert h.table("sessions").chosen is None


async def test_pause_holds_the_picture_while_collection_goes_on(tmp_path: Path) -> None:
    async with health(tmp_path, tab="2") as h:
        await h.c.press("p")
        asked = h.source.asked
        h.source.now += 1
        h.source.change("lock_tree", 1, wait_s=99.0)
        await h.second()
        assert "PAUSED" in h.c.text()
        assert "1:39" not in h.c.text()
        await h.c.press("space")
        assert "1:39" in h.c.text()
        assert "PAUSED" not in h.c.text()
        assert h.source.asked > asked


async def test_the_filter_holds_across_refreshes(tmp_path: Path) -> None:
    async with health(tmp_path, tab="3") as h:
        await h.c.press("slash")
        await h.c.type("inventory")
        await h.c.press("enter")
        await h.second()
        assert "1 of 8" in h.c.text()
        assert "order_lines" not in h.c.text()


# -- what the numbers are worth ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quality", "reason", "says"),
    [
        (Quality.LOCKED, "locked by 4711 (ALTER TABLE orders)", "locked by 4711 (ALTER TABLE orders)"),
        (Quality.NO_PRIVILEGE, "needs pg_monitor", "no privilege: needs pg_monitor"),
        (Quality.NOT_AVAILABLE, "stood down", "not available here: stood down"),
        (Quality.STALE, "no answer in time", "stale: no answer in time"),
        (Quality.FAILED, "the server is gone", "failed: the server is gone"),
    ],
)
async def test_quality_is_said_and_missing_is_not_zero(
    quality: Quality, reason: str, says: str, tmp_path: Path
) -> None:
    async with health(tmp_path, tab="7") as h:
        last = h.source.readings["replication_lag"][-1]
        h.source.readings["replication_lag"].append(replace(last, quality=quality, reason=reason, at=last.at - 50))
        h.source.put("slots_retained", quality=quality, reason=reason)
        await h.second()
        title, slots = (line for line in h.c.text().splitlines() if "Standbys" in line or "Slots" in line)
        assert says in title
        assert "old" in title
        assert says in slots
        assert "standby1" in h.c.text()
        assert "no replication slot" not in h.c.text()


async def test_old_numbers_say_how_old_they_are(tmp_path: Path) -> None:
    async with health(tmp_path, tab="2") as h:
        for _ in range(9):
            await h.second()
        title = next(line for line in h.c.text().splitlines() if "Lock tree" in line)
        assert re.search(r" 1\d s old ", title)


async def test_nothing_read_yet_is_not_nothing(tmp_path: Path) -> None:
    async with health(tmp_path, tab="2") as h:
        h.source.readings.clear()
        await h.second()
        assert "not read yet" in h.c.text()
        assert "nobody waits" not in h.c.text()
        await h.c.press("1")
        assert "not read yet" in h.c.text()


async def test_what_is_held_back_for_the_migration_says_why_it_was_not_read(tmp_path: Path) -> None:
    async with health(tmp_path, tab="3") as h:
        for probe in ("watch_sizes", "tables_activity", "all_sizes_est"):
            del h.source.readings[probe]
        await h.second()
        assert "not read yet: it waits until the migration is out of its lock queue" in h.c.text()
        h.source.put("lock_tree", [])
        await h.second()
        assert "not read yet" in h.c.text()
        assert "out of its lock queue" not in h.c.text()


async def test_without_a_watcher_the_screen_says_so(tmp_path: Path) -> None:
    async with health(tmp_path) as h:
        h.source.state = WatcherState(False, 42.0, problem="the watcher (pid 77) is gone")
        h.source.open_alarms = []
        await h.second()
        assert "no watcher runs" in h.c.text()
        assert "the watcher (pid 77) is gone" in h.c.text()


async def test_without_health_the_key_says_that_no_watcher_runs(tmp_path: Path) -> None:
    async with console(World(tmp_path), health=None) as c:
        await c.press("D")
        assert "no watcher runs" in c.status
        assert isinstance(c.app.screen, MainScreen)


async def test_statements_without_a_second_sample_are_no_window(tmp_path: Path) -> None:
    async with health(tmp_path, tab="5") as h:
        h.source.readings["pgss_delta"] = h.source.readings["pgss_delta"][-1:]
        h.source.now += 1
        h.source.readings["pgss_delta"][0] = replace(h.source.readings["pgss_delta"][0], at=h.source.now)
        await h.second()
        assert "a window needs two samples" in h.c.text()


async def test_the_window_can_be_longer_and_shorter(tmp_path: Path) -> None:
    async with health(tmp_path) as h:
        assert "10:00" in h.c.text()
        await h.c.press("plus")
        assert "30:00" in h.c.text()
        await h.c.press("minus", "minus", "minus", "minus", "minus")
        assert h.screen.window == 60.0


# -- signals -----------------------------------------------------------------------------------------------------------


def notes(h: Health) -> list[str]:
    return [event.data["text"] for event in h.c.world.journal.events if event.kind == Kind.NOTE]


async def choose(h: Health, pid: int) -> None:
    await h.c.press("tab")
    table = h.table("sessions")
    table.choose(h.pids().index(pid))
    await h.c.pilot.pause()


async def test_cancelling_shows_the_session_takes_a_reason_and_records_both_ends(tmp_path: Path) -> None:
    async with health(tmp_path, tab="2") as h:
        await choose(h, 5102)
        await h.c.press("c")
        await h.c.shown(FormDialog)
        text = h.c.text()
        for fact in ("pid 5102", "2030-03-08T22:00:00.123456", "report", "holds up 15, oldest victim 6.3 s"):
            assert fact in text
        await h.c.press("enter")
        assert h.signals == []
        await h.c.type("holds up the migration")
        await h.c.press("enter")
        await h.c.shown(SignalDialog)
        await h.c.press("enter")
        await h.c.gone(SignalDialog)
        assert h.signals == []
        assert not any("5102" in note for note in notes(h))

        await h.c.press("c")
        await h.c.shown(FormDialog)
        await h.c.type("holds up the migration")
        await h.c.press("enter")
        await h.c.shown(SignalDialog)
        await h.c.press("y")
        await eventually(lambda: len([note for note in notes(h) if "5102" in note]) == 2)
        assert h.signals == [(5102, "2030-03-08T22:00:00.123456+00:00", False)]
        first, second = (note for note in notes(h) if "5102" in note)
        assert "holds up the migration" in first
        assert "signalled" in second
        assert "look whether it obeys" in h.c.status


@pytest.mark.parametrize(("pid", "warns"), [(MIGRATION, "MIGRATION itself"), (7002, "sends WAL")])
async def test_what_matters_most_is_ended_only_by_typing_it(pid: int, warns: str, tmp_path: Path) -> None:
    async with health(tmp_path, tab="2") as h:
        await choose(h, pid)
        await h.c.press("K")
        await h.c.shown(FormDialog)
        assert warns in h.c.text()
        await h.c.type("it must end")
        await h.c.press("enter")
        await h.c.type(f"terminate {pid + 1}")
        await h.c.press("enter")
        await h.c.pilot.pause()
        assert h.signals == []
        await h.c.press("backspace")
        await h.c.type(str(pid)[-1])
        await h.c.press("enter")
        await eventually(lambda: h.signals == [(pid, "2030-03-08T22:00:00.123456+00:00", True)])


async def test_a_server_that_cannot_be_asked_leaves_an_unknown_outcome_on_record(tmp_path: Path) -> None:
    async with health(tmp_path, tab="2") as h:
        h.fails = TargetError("The server did not answer", "timeout")
        await choose(h, 6003)
        await h.c.press("c")
        await h.c.shown(FormDialog)
        await h.c.type("stuck")
        await h.c.press("enter")
        await h.c.shown(SignalDialog)
        await h.c.press("y")
        await eventually(lambda: any("outcome unknown: The server did not answer" in note for note in notes(h)))


async def test_without_a_record_nothing_is_signalled(tmp_path: Path) -> None:
    async with health(tmp_path, tab="2") as h:
        await choose(h, 6003)
        await h.c.press("c")
        await h.c.shown(FormDialog)
        await h.c.type("stuck")
        await h.c.press("enter")
        await h.c.shown(SignalDialog)
        h.c.world.journal.broken = "no space left on device"
        await h.c.press("y")
        await h.c.until(lambda: "no space left on device" in h.c.text())
        assert h.signals == []


async def test_a_read_only_console_signals_and_acknowledges_nothing(tmp_path: Path) -> None:
    async with health(tmp_path, tab="2", read_only=True) as h:
        await choose(h, 5102)
        for key in ("c", "K", "a"):
            await h.c.press(key)
            assert "read-only" in h.c.status
        assert (h.signals, h.seen) == ([], [])
        assert "K end session" not in h.c.text()


# -- alarms and log ----------------------------------------------------------------------------------------------------


async def test_the_worst_unseen_alarm_is_shown_and_acknowledged(tmp_path: Path) -> None:
    async with health(tmp_path) as h:
        await h.c.press("a")
        await h.c.until(lambda: h.seen == [2])
        assert "WARNING" in h.c.text()
        await h.c.press("e")
        await h.c.shown(Dialog)
        text = h.c.text()
        assert "seen by ana" in text
        assert '"pid": 4711' in text
        assert "\x1b" not in text
        await h.c.press("escape", "a")
        await h.c.until(lambda: h.seen == [2, 1])
        await h.c.press("a")
        assert "ana has seen it" in h.c.status


async def test_the_head_keeps_what_matters_where_there_is_little_room(tmp_path: Path) -> None:
    async with health(tmp_path, size=(80, 24)) as h:
        await h.c.until(lambda: "1 more (e)" in h.c.text().splitlines()[3])
        assert "acknowledges" not in h.c.text().splitlines()[3], "the footer has the key"
        await h.c.pilot.resize_terminal(120, 40)
        await h.c.until(lambda: "9 Comparison   " in h.c.text().splitlines()[2])
        assert re.search(r"for 6s  open 0:0\d · a acknowledges · 1 more \(e\)$", h.c.text().splitlines()[3])


async def test_where_the_log_lies_is_cut_and_not_wrapped_away(tmp_path: Path) -> None:
    path = tmp_path / ("a-long-folder-" * 8) / "postgresql.log"
    path.parent.mkdir()
    path.write_text("2030 LOG:  done\n")
    async with health(tmp_path / "run", (80, 24), "8", log=lambda: FileOutput(path)) as h:
        await h.c.until(lambda: f"following · {str(path)[:8]}" in h.c.text())
        assert h.c.text().splitlines()[4].endswith("…")


async def test_the_log_shows_warnings_and_follows(tmp_path: Path) -> None:
    path = tmp_path / "postgresql.log"
    path.write_text("2030 LOG:  checkpoint starting\n2030 ERROR:  deadlock [/foo] \x1b]0;owned\x07detected\n")
    async with health(tmp_path / "run", log=lambda: FileOutput(path), tab="8") as h:
        await h.c.until(lambda: "deadlock" in h.c.text())
        assert "checkpoint" not in h.c.text()
        with path.open("a") as file:
            file.write("2030 WARNING:  there is no transaction in progress\n2030 LOG:  done\n")
        await h.c.until(lambda: "no transaction in progress" in h.c.text())
        await h.c.press("w")
        await h.c.until(lambda: "checkpoint starting" in h.c.text())
        assert "\x1b" not in h.c.text()
        assert h.screen.query_one(OutputView).following


# -- the whole of a row --


async def test_a_row_is_copied_with_its_exact_values(tmp_path: Path) -> None:
    async with health(tmp_path, tab="3") as h:
        await h.c.press("j", "y")
        assert "copied" in h.c.status
        lines = dict(line.split("\t", 1) for line in h.c.app.clipboard.splitlines())
        row = h.row("sizes")
        assert (lines["table"], lines["size"]) == ("public.orders", "locked 4711")
        assert lines["estimated size"] == f"{row['estimated']} bytes"
        assert lines["inserted"] == "5000000"


async def test_enter_shows_the_whole_statement(tmp_path: Path) -> None:
    text = "SELECT " + ", ".join(f"column_{number}" for number in range(80)) + " FROM the_end"
    async with health(tmp_path, (80, 24), tab="5") as h:
        (reading,) = [h.source.readings["statement_texts"][-1]]
        rows = tuple({**row, "query": text} for row in reading.rows)
        h.source.readings["statement_texts"] = [replace(reading, rows=rows, at=reading.at + 1)]
        await h.second()
        assert "the_end" not in h.c.text()
        await h.c.press("j", "enter")
        await h.c.shown(Dialog)
        await h.c.press("pagedown", "pagedown")
        assert "the_end" in h.c.text() or "the_end" in str(h.c.app.screen.query_one("#dialog-text").render())


async def test_our_own_statements_are_one_row_that_lists_them(tmp_path: Path) -> None:
    async with health(tmp_path, (80, 24), tab="5") as h:
        for age, factor in ((604.5, 1), (4.5, 2)):
            (kept,) = [one for one in h.source.readings["pgss_delta"] if abs(h.source.now - one.at - age) < 1]
            own = [statement("71", 100 * factor, 9.0), statement("72", 3_000 * factor, 0.5)]
            h.source.put("pgss_delta", [*kept.rows, *own], age=age)
            info = h.source.latest("pgss_health")
            assert info is not None
            h.source.put("pgss_health", info.rows, age=age)
        texts = h.source.latest("statement_texts")
        assert texts is not None
        ours = {"71": "SELECT /* migconsole */ sum(a) FROM b", "72": "SELECT /* migconsole */ pg_backend_pid()"}
        rows = [{"queryid": number, "query": text} for number, text in ours.items()]
        h.source.put("statement_texts", [*texts.rows, *rows], age=4.0)
        for readings in h.source.readings.values():
            readings.sort(key=lambda one: one.at)
        await h.second()
        table = h.table("statements")
        (row,) = [one for one in table.rows if one.key == queries.OWN]
        assert "migconsole's own: 2 statements" in h.c.text()
        assert (row.values["calls"], row.values["total"]) == (3100, pytest.approx(2400))
        shares = [one.values["share"] for one in table.rows if one.values.get("share") is not None]
        assert sum(shares) == pytest.approx(1)
        table.choose(table.rows.index(row))
        await h.c.press("enter")
        await h.c.shown(Dialog)
        shown = str(h.c.app.screen.query_one("#dialog-text").render())
        assert shown.index("pg_backend_pid()") < shown.index("sum(a) FROM b"), "the dearest first"
        assert "1,500.0 ms in 3,000 calls: SELECT pg_backend_pid()" in shown


# -- cost and being alone ----------------------------------------------------------------------------------------------


async def test_only_lines_that_changed_are_drawn(tmp_path: Path) -> None:
    async with health(tmp_path, (200, 60), "2") as h:
        h.source.change("sessions", 3, query_s=76.0)
        h.source.change("lock_tree", 1, wait_s=6.4)
        await h.second()
        tables = (h.table("sessions"), h.table("locks"))
        before = [table.painted for table in tables]
        h.source.now += 1
        h.source.change("sessions", 3, query_s=77.0)
        h.source.readings["lock_tree"][-1] = replace(h.source.readings["lock_tree"][-1], at=h.source.now)
        await h.second()
        drawn = [table.painted - count for table, count in zip(tables, before, strict=True)]
        assert 1 <= drawn[0] <= 2
        assert drawn[1] <= 1


async def test_the_screen_alone_needs_no_run(tmp_path: Path) -> None:
    world = World(tmp_path)
    source = health_at(world.hands.moment.timestamp())
    ports = HealthPorts(title="fulfillment_ops_db@db1:5432")
    app = MigconsoleApp(health=lambda session: HealthAccess(source, ports), clock=world.hands.clock)
    rung: list[str] = []
    app.bell = lambda: rung.append("rang")  # type: ignore[method-assign]
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await eventually(lambda: isinstance(app.screen, HealthScreen))
        c = Console(world, app, pilot)
        assert rung == ["rang"], "two alarms are open: it rings once for the worst"
        source.open_alarms = [*source.open_alarms, replace(source.open_alarms[0], id=3, message="another one")]
        app.screen.look()
        app.screen.look()
        assert rung == ["rang", "rang"]
        for key in SAYS:
            await c.press(key)
        await c.press("2", "j", "c")
        assert "cannot be signalled from here" in c.status
        await c.press("question_mark")
        await c.press("escape", "1")
        assert "fulfillment_ops_db@db1:5432" in c.text()
        await c.press("escape", "escape", "escape")
        await eventually(lambda: not app.is_running)
