"""What the keys do on the health screen."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, cast

from textual.content import Content
from textual.screen import Screen

from migconsole.domain.readings import Alarm, Level
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.session import Session
from migconsole.tui import format
from migconsole.tui.screens.dialogs.bar import LineBar
from migconsole.tui.screens.dialogs.base import Dialog
from migconsole.tui.screens.health import comparison, signals
from migconsole.tui.screens.health.log_tab import LogTab
from migconsole.tui.screens.health.ports import HealthPorts
from migconsole.tui.screens.health.tabs import TABS
from migconsole.tui.widgets import health_detail
from migconsole.tui.widgets.health_head import HealthAlarms
from migconsole.tui.widgets.health_table import HealthTable, chosen_text
from migconsole.tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from migconsole.engine.ports import HealthSource
    from migconsole.tui.exits import Exits

WINDOWS = (60.0, 300.0, 600.0, 1800.0, 3600.0, 4 * 3600.0, 24 * 3600.0)
"""Seconds that can be looked back over."""


class HealthKeys(Screen[None]):
    """One half of the health screen; the screen itself supplies the parts."""

    source: HealthSource
    session: Session | None
    ports: HealthPorts
    clock: format.Clock
    tab: int
    window: float
    compared: float
    paused_at: float | None
    filter_texts: dict[int, str]

    # -- parts the screen supplies --------------------------------------------------------------------------------

    def now(self) -> float:
        """Unix time."""
        raise NotImplementedError

    def alarms(self) -> Sequence[Alarm]:
        """The open alarms."""
        raise NotImplementedError

    def table(self) -> HealthTable | None:
        """The table that has the keys."""
        raise NotImplementedError

    def tables(self) -> list[HealthTable]:
        """The tables of the tab."""
        raise NotImplementedError

    @property
    def server_log(self) -> LogTab:
        """The tab with the server's log."""
        return self.query_one("#tab-log", LogTab)

    @property
    def status(self) -> StatusBar:
        """The status row."""
        return self.query_one("#status", StatusBar)

    def go_tab(self, number: int) -> None:
        """Look at a tab."""
        raise NotImplementedError

    def look(self) -> None:
        """Read and draw."""
        raise NotImplementedError

    def forget(self) -> None:
        """Make every table anew."""
        raise NotImplementedError

    def show_keys(self) -> None:
        """Draw the footer."""
        raise NotImplementedError

    # -- what is possible -----------------------------------------------------------------------------------------

    def reasons(self) -> dict[str, str]:
        """Commands that are not possible now, with why not."""
        table, on_log = self.table(), TABS[self.tab].id == "log"
        chosen = table.chosen if table is not None else None
        no_row = "" if chosen else "no row is chosen (j, k, or a click)" if table else "there is no table here"
        no_table = "" if table else "there is no table here"
        found = {
            f"health_{name}": no_table for name in ("sort_next", "sort_previous", "reverse", "unsort", "next_table")
        }
        found |= {"health_open": no_row, "health_copy": "" if on_log else no_row}
        found["health_filter"] = "" if table or (on_log and not self.server_log.why) else no_table
        for name in ("follow", "worse"):
            found[f"health_{name}"] = self.server_log.why if on_log else "this is for the log (8)"
        signal = self._signal_reason(None if chosen is None else signals.refusal(chosen.values))
        found |= {"health_cancel": signal, "health_terminate": signal}
        alarm = self.query_one(HealthAlarms).shown
        found["health_acknowledge"] = (
            "no alarm is open"
            if alarm is None
            else f"{alarm.acknowledged} has seen it"
            if alarm.acknowledged
            else "alarms cannot be acknowledged from here: no run is open"
            if self.ports.acknowledge is None
            else ""
        )
        found["health_alarms"] = "" if alarm else "no alarm is open"
        found["health_baseline"] = (
            "" if self.ports.baseline else "a baseline belongs to a run, and a read-only console takes none"
        )
        found["health_retry"] = "" if self.ports.retry else "no watcher can be asked from here"
        return {name: why for name, why in found.items() if why}

    def _signal_reason(self, refused: str | None) -> str:
        if TABS[self.tab].id not in ("activity", "progress"):
            return "sessions are in the tab Activity (2)"
        if self.ports.signal is None:
            return "sessions cannot be signalled from here: this console was given no session of its own for it"
        return signals.refusal(None) if refused is None else refused

    # -- tabs and tables ------------------------------------------------------------------------------------------

    def command_health_tab_1(self) -> None:
        """Overview."""
        self.go_tab(0)

    def command_health_tab_2(self) -> None:
        """Activity and locks."""
        self.go_tab(1)

    def command_health_tab_3(self) -> None:
        """Tables."""
        self.go_tab(2)

    def command_health_tab_4(self) -> None:
        """Indexes."""
        self.go_tab(3)

    def command_health_tab_5(self) -> None:
        """Queries."""
        self.go_tab(4)

    def command_health_tab_6(self) -> None:
        """Progress."""
        self.go_tab(5)

    def command_health_tab_7(self) -> None:
        """Replication."""
        self.go_tab(6)

    def command_health_tab_9(self) -> None:
        """Comparison with the baseline."""
        self.go_tab(8)

    def command_health_tab_8(self) -> None:
        """Log."""
        self.go_tab(7)

    def command_health_next_table(self) -> None:
        """Next table of the tab."""
        self._step_table(1)

    def command_health_previous_table(self) -> None:
        """Previous table of the tab."""
        self._step_table(-1)

    def _step_table(self, step: int) -> None:
        tables, current = self.tables(), self.table()
        if current is not None:
            tables[(tables.index(current) + step) % len(tables)].focus()

    def command_health_sort_next(self) -> None:
        """Sort by the next column."""
        self._sort(1)

    def command_health_sort_previous(self) -> None:
        """Sort by the column before."""
        self._sort(-1)

    def _sort(self, step: int) -> None:
        table = self.table()
        if table is not None:
            self.status.hint(f"sorted by {table.sort_by(step)}; r reverses, o is the order it came in")

    def command_health_reverse(self) -> None:
        """The other way round."""
        table = self.table()
        if table is not None:
            table.reverse()

    def command_health_unsort(self) -> None:
        """The order it came in."""
        table = self.table()
        if table is not None:
            table.unsort()

    def command_health_filter(self) -> None:
        """Filter while typing; on the log: lines that match."""
        tab, on_log = self.tab, TABS[self.tab].id == "log"

        def live(text: str) -> str:
            self.filter_texts[tab] = text
            if on_log:
                self.server_log.wanted(text)
            for table in self.tables():
                table.filter(text)
            return ""

        hint = "text or regular expression" if on_log else "words that occur in the row"
        self.app.push_screen(LineBar("filter", self.filter_texts.get(tab, ""), hint, live))

    def command_health_pause(self) -> None:
        """Hold the picture while collection goes on, and let it go on."""
        self.paused_at = self.now() if self.paused_at is None else None
        for table in self.query(HealthTable):
            table.paused = "" if self.paused_at is None else "paused"
        self.status.hint("the picture stands still; collection goes on (p goes on)" if self.paused_at else "")
        self.look()

    def command_health_longer(self) -> None:
        """Look back further."""
        self._look_back(1)

    def command_health_shorter(self) -> None:
        """Look back less far."""
        self._look_back(-1)

    def _look_back(self, step: int) -> None:
        if TABS[self.tab].id == "comparison":
            self._compare(step)
            return
        at = WINDOWS.index(self.window) + step
        if 0 <= at < len(WINDOWS):
            self.window = WINDOWS[at]
            self.go_tab(self.tab)

    def _compare(self, step: int) -> None:
        at = comparison.WINDOWS.index(self.compared) + step
        if 0 <= at < len(comparison.WINDOWS):
            self.compared = comparison.WINDOWS[at]
            self.go_tab(self.tab)
            self.status.hint(f"compared with the baseline: {comparison.name(self.compared)} (+ later, - earlier)")

    def command_health_follow(self) -> None:
        """Stay at the end of the log."""
        self.server_log.view.follow()
        self.server_log.say()

    def command_health_worse(self) -> None:
        """Warnings and worse, or everything."""
        self.server_log.worse_only = not self.server_log.worse_only
        self.server_log.apply()

    def command_health_baseline(self) -> None:
        """Keep a snapshot of the statistics with the run."""
        if self.ports.baseline is not None:
            self.status.hint("a baseline is being taken")
            cast("Exits", self.app).perform(self._take_baseline(self.ports.baseline))

    async def _take_baseline(self, take: Callable[[], Awaitable[str]]) -> None:
        self.status.hint(sanitise_line(await take(), 300))
        self.forget()
        self.look()

    def command_health_retry(self) -> None:
        """Ask the watcher to try again what the server refused."""
        if self.ports.retry is not None:
            self.ports.retry()
            self.status.hint("the watcher was asked to try again what was refused")

    # -- the chosen row -------------------------------------------------------------------------------------------

    def command_health_open(self) -> None:
        """Everything about the chosen row, its whole statement first."""
        table = self.table()
        row = table.chosen if table is not None else None
        if table is None or table.sheet is None or row is None:
            return
        texts: list[tuple[str, str]] = []
        text = health_detail.statement(row)
        if text:
            texts += [(text, ""), ("\n\n", "")]
        for name, value, style in health_detail.facts(table.sheet, row, self.now()):
            texts += [(f"{name:<20} ", "$muted"), (f"{value}\n", style)]
        texts.append(("\n", ""))
        texts += [(f"{words}\n", style) for words, style in health_detail.sources(table.sheet, self.now())]
        dialog = Dialog[bool](table.sheet.title, Content.assemble(*texts), self.clock, keys="esc back")
        dialog.add_class("wide")
        self.app.push_screen(dialog)

    def command_health_copy(self) -> None:
        """Copy the chosen row with its exact values; on the log what is selected, or all of it."""
        if TABS[self.tab].id == "log":
            self.server_log.view.copy()
            return
        table = self.table()
        row = table.chosen if table is not None else None
        if table is None or table.sheet is None or row is None:
            return
        text = chosen_text(table.sheet, row)
        self.app.copy_to_clipboard(self.session.copy_text(text) if self.session is not None else text)
        self.status.hint("the row was copied with its exact values")

    def command_health_cancel(self) -> None:
        """Cancel what the chosen session runs."""
        self._signal(terminate=False)

    def command_health_terminate(self) -> None:
        """End the chosen session."""
        self._signal(terminate=True)

    def _signal(self, *, terminate: bool) -> None:
        table = self.table()
        row = table.chosen if table is not None else None
        if row is None or self.ports.signal is None:
            return
        latest = {probe: self.source.latest(probe) for probe in ("sessions", "lock_tree")}
        sessions, locks = (reading.rows if reading else () for reading in latest.values())
        victim = signals.victim(row.values, sessions, locks)
        app = cast("Exits", self.app)
        app.perform(signals.carry_out(app, self.session, self.ports.signal, victim, terminate, self.clock))

    # -- alarms ---------------------------------------------------------------------------------------------------

    def command_health_acknowledge(self) -> None:
        """Say that the alarm that is shown was seen."""
        alarm = self.query_one(HealthAlarms).shown
        if alarm is not None and self.ports.acknowledge is not None:
            cast("Exits", self.app).perform(self._acknowledge(alarm))

    async def _acknowledge(self, alarm: Alarm) -> None:
        assert self.ports.acknowledge is not None
        await self.ports.acknowledge(alarm)
        self.status.hint(f"seen: {sanitise_line(alarm.message, 120)}")
        self.look()
        self.show_keys()

    def command_health_alarms(self) -> None:
        """Every open alarm with the rows that raised it."""
        texts: list[tuple[str, str]] = []
        for alarm in self.alarms():
            style = "bold $danger" if alarm.level is Level.CRITICAL else "bold $caution"
            texts.append((f"{'■' if alarm.level is Level.CRITICAL else '▲'} {alarm.level.value} ", style))
            texts.append((f"{sanitise_line(alarm.message, 400)}\n", style))
            seen = f", seen by {sanitise_line(alarm.acknowledged, 40)}" if alarm.acknowledged else ""
            for_how_long = format.duration(self.now() - alarm.raised)
            texts.append((f"  {sanitise_line(alarm.probe)} · for {for_how_long}{seen}\n", "$muted"))
            for row in alarm.evidence:
                text = json.dumps(row, ensure_ascii=False, default=str)
                texts.append((f"  {sanitise(text, 2000)}\n", ""))
            texts.append(("\n", ""))
        dialog = Dialog[bool]("Open alarms", Content.assemble(*texts), self.clock, keys="esc back")
        dialog.add_class("wide")
        self.app.push_screen(dialog)

    # -- back -----------------------------------------------------------------------------------------------------

    def command_health_close(self) -> None:
        """One level back: the message, the filter, the chosen row, the screen."""
        if self.status.acknowledge():
            return
        if self.filter_texts.get(self.tab):
            self.filter_texts[self.tab] = ""
            for table in self.tables():
                table.filter("")
            if TABS[self.tab].id == "log":
                self.server_log.wanted("")
            return
        current = self.table()
        if current is not None and current.release():
            return
        if self.session is not None:
            self.dismiss(None)
        else:
            cast("Exits", self.app).command_quit()
