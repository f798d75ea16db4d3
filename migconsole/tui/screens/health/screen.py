"""The health screen: eight tabs over what the watcher has written. It only reads, and draws only what changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widgets import Static

from migconsole.domain.readings import Alarm, Reading
from migconsole.domain.text import sanitise_line
from migconsole.engine.ports import HealthSource
from migconsole.engine.session import Session
from migconsole.tui import event_text
from migconsole.tui.alarms import AlarmBell, with_seen
from migconsole.tui.bridge import RunChanged, Tick
from migconsole.tui.commands import Context, Scope, bindings
from migconsole.tui.format import Clock, moment
from migconsole.tui.screens.health import overview
from migconsole.tui.screens.health.keys import HealthKeys
from migconsole.tui.screens.health.log_tab import LogTab
from migconsole.tui.screens.health.ports import HealthPorts
from migconsole.tui.screens.health.sheets import Look, held_back
from migconsole.tui.screens.health.tabs import TABS, Spec
from migconsole.tui.widgets import health_values
from migconsole.tui.widgets.banner import Banner, environment_class
from migconsole.tui.widgets.health_charts import HealthCharts
from migconsole.tui.widgets.health_detail import HealthDetail
from migconsole.tui.widgets.health_head import HealthAlarms, HealthTabs
from migconsole.tui.widgets.health_sheet import Sheet
from migconsole.tui.widgets.health_table import HealthTable
from migconsole.tui.widgets.key_footer import KeyFooter
from migconsole.tui.widgets.status_bar import StatusBar

LOOK = 1.0
"""Seconds between looks: a person reads no faster, and the pulse is no faster either."""

_LONG_LOOK = 5.0
"""Seconds between pictures of a window of an hour and more, in which a second is nothing."""


class HealthScreen(HealthKeys):
    """``session`` is None where only a database is watched, without a run; ``ports`` are what can be done from here."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.HEALTH)
    AUTO_FOCUS = None

    def __init__(
        self,
        source: HealthSource,
        *,
        session: Session | None = None,
        clock: Clock | None = None,
        ports: HealthPorts | None = None,
    ) -> None:
        super().__init__()
        self.source, self.session = source, session
        self.clock, self.ports = clock or Clock(), ports or HealthPorts()
        self.tab = 0
        self.window = 600.0
        self.compared = 0.0
        self.paused_at: float | None = None
        self.filter_texts: dict[int, str] = {}
        self._focused: dict[int, str] = {}
        self._made: dict[str, tuple[object, Sheet]] = {}
        self._history = overview.History(source)
        self._drawn = 0.0
        self._bell = AlarmBell()
        self._names = event_text.titles(session.checklist) if session is not None else {}

    # -- parts ----------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Top to bottom; only the tab that is looked at is displayed."""
        if self.session is not None:
            yield Banner(self.clock, id="banner")
        else:
            yield Static(f" {sanitise_line(self.ports.title, 120) or 'Health'}", id="health-title", markup=False)
        yield HealthTabs([(tab.name, tab.short) for tab in TABS], id="health-tabs")
        yield HealthAlarms(id="health-alarms")
        for tab in TABS:
            if tab.id == "overview":
                yield HealthCharts(id="health-charts")
            elif tab.id == "log":
                yield LogTab(self.ports.log, id="tab-log")
            else:
                with Vertical(id=f"tab-{tab.id}", classes="health-tab"):
                    for spec in tab.tables:
                        yield HealthTable(id=f"table-{spec.id}")
        yield HealthDetail(id="health-detail")
        yield StatusBar(id="status")
        yield KeyFooter(id="footer")

    def on_mount(self) -> None:
        """Draw now, then every second."""
        if self.session is not None:
            self.add_class(environment_class(self.session.run.environment))
            self.query_one(Banner).show(self.session, False)
        self.go_tab(0)
        self.set_interval(LOOK, self.look, name="health")

    def now(self) -> float:
        """Unix time."""
        return self.clock.utc().timestamp()

    def table(self) -> HealthTable | None:
        """The table that has the keys: the focused one, else the first of the tab."""
        tables = self.tables()
        return next((table for table in tables if table.has_focus), tables[0] if tables else None)

    def tables(self) -> list[HealthTable]:
        """The tables of the tab that is looked at."""
        return [self.query_one(f"#table-{spec.id}", HealthTable) for spec in TABS[self.tab].tables]

    def context(self) -> Context:
        """What decides which commands are possible."""
        return Context("health", TABS[self.tab].id, self.session, reasons=self.reasons())

    # -- tabs -----------------------------------------------------------------------------------------------------

    def go_tab(self, number: int) -> None:
        """Look at a tab; it has the focus where it had it last."""
        focused = self.focused
        if focused is not None and focused.id:
            self._focused[self.tab] = focused.id
        self.tab = number
        tab = TABS[number]
        with self.app.batch_update():
            for place in TABS:
                name = "health-charts" if place.id == "overview" else f"tab-{place.id}"
                self.query_one(f"#{name}").display = place is tab
            self.query_one("#health-detail").set_class(not tab.tables, "-none")
            self._drawn = 0.0
            self.look()
            if tab.id == "log":
                self.server_log.look()
        wanted = self._focused.get(number) or self._first(tab.id)
        if wanted:
            self.query_one(f"#{wanted}").focus()
        else:
            self.set_focus(None)
        self.show_keys()

    def _first(self, tab: str) -> str:
        if tab == "overview":
            return "health-charts"
        if tab == "log":
            return "health-log" if not self.server_log.why else ""
        tables = self.tables()
        return str(next((table for table in tables if table.rows), tables[0]).id)

    def on_health_tabs_wanted(self, message: HealthTabs.Wanted) -> None:
        """A tab was clicked."""
        self.go_tab(message.number)

    # -- what changes ---------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read what is new and draw what that changes. Costs next to nothing when nothing is."""
        now = self.now()
        state = self.source.watcher()
        with self.app.batch_update():
            self.query_one(HealthTabs).show(self.tab, state, self._mode())
            alarms = self.alarms()
            self.query_one(HealthAlarms).show(alarms, state, now)
            if self.session is None:
                self._ring(alarms)
            tab = TABS[self.tab]
            if tab.id == "overview":
                self._look_at_charts(now)
            elif tab.id == "log":
                self.server_log.look()
                self.server_log.say()
            for spec in tab.tables:
                self._look_at_table(spec, now)
            if tab.tables:
                self._share_room()
                self.describe()

    def alarms(self) -> Sequence[Alarm]:
        """The open alarms; that a person has seen one is known from the journal before the watcher writes it down."""
        return with_seen(self.source.alarms(), self.session.run if self.session is not None else None)

    def forget(self) -> None:
        """Make every table anew with the next look: what it is compared with may be something else now."""
        self._made.clear()

    def _ring(self, alarms: Sequence[Alarm]) -> None:
        """Ring once for a new alarm; with a run the journal's occasions do that, whatever is on the screen."""
        if self._bell.fresh(alarms) is not None:
            self.app.bell()

    def _mode(self) -> list[tuple[str, str]]:
        texts: list[tuple[str, str]] = []
        if self.paused_at is not None:
            texts.append((f"PAUSED {health_values.age(self.now() - self.paused_at)}  ", "bold $caution"))
        return texts

    def _look(self, now: float) -> Look:
        ports = self.ports
        return Look(self.source, ports.phase(), now, self.window, ports.thresholds, ports.past, self.compared)

    def _look_at_charts(self, now: float) -> None:
        every = LOOK if self.window <= 600 else _LONG_LOOK
        if self.paused_at is not None or now - self._drawn < every * 0.9:
            return
        self._drawn = now
        look = self._look(now)
        run = self.session.run if self.session is not None else None
        marks = overview.markers(run, self._names, now - self.window, _unix)
        charts = overview.charts(look, self._history)
        self.query_one(HealthCharts).show(charts, marks, overview.head(look), now, self.window)

    def _look_at_table(self, spec: Spec, now: float) -> None:
        table = self.query_one(f"#table-{spec.id}", HealthTable)
        if self.paused_at is not None and table.sheet is not None:
            table.tick(now)
            return
        look = self._look(now)
        window = {"statements": self.window, "load": self.compared, "changes": self.compared}.get(spec.id, 0.0)
        key = (look.phase, window, held_back(look), *(_mark(self.source.latest(probe)) for probe in spec.probes))
        made = self._made.get(spec.id)
        if made is None or made[0] != key:
            made = (key, spec.make(look))
            self._made[spec.id] = made
        table.show(made[1], now)

    def _share_room(self) -> None:
        """Small tables above take the rows they need, the last one the rest."""
        tables = self.tables()
        room = self.size.height - 8
        for table in tables[:-1]:
            most = max(4, room * (2 if len(tables) == 2 else 1) // 4)
            height = max(3, min(most, len(table.rows) + 3))
            if table.styles.height is None or table.styles.height.value != height:
                table.styles.height = height

    def describe(self) -> None:
        """The chosen row in full."""
        detail = self.query_one(HealthDetail)
        table = self.table()
        if detail.display and table is not None:
            detail.show(table.sheet, table.chosen, self.now())

    def show_keys(self) -> None:
        """The footer for the present context."""
        self.query_one(KeyFooter).show(self.context())

    def on_health_table_chosen(self, message: HealthTable.Chosen) -> None:
        """Another row."""
        self.describe()
        self.show_keys()

    def on_health_table_opened(self, message: HealthTable.Opened) -> None:
        """A double click opens."""
        self.command_health_open()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Another table has the keys."""
        self.describe()
        self.show_keys()

    def on_run_changed(self, message: RunChanged) -> None:
        """Steps began or ended."""
        if self.session is not None:
            self.query_one(Banner).show(self.session, False)
            self._drawn = 0.0
            self.forget()

    def on_tick(self, message: Tick) -> None:
        """The banner's clock."""
        for banner in self.query(Banner):
            banner.refresh()


def _unix(iso: str) -> float | None:
    at = moment(iso)
    return None if at is None else at.timestamp()


def _mark(reading: Reading | None) -> object:
    return None if reading is None else (reading.at, reading.quality, reading.reason, len(reading.rows))
