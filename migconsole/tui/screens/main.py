"""The main screen: which server, which run, the checklist, the output, the item, the health."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult, RenderResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget

from migconsole.domain.checklist import Item
from migconsole.domain.readings import Level
from migconsole.domain.run import overall
from migconsole.domain.text import sanitise_line
from migconsole.engine.session import Session
from migconsole.tui import strip
from migconsole.tui.alarms import AlarmBell, with_seen
from migconsole.tui.bridge import RunChanged, Tick
from migconsole.tui.commands import Context, Scope, bindings
from migconsole.tui.format import Clock
from migconsole.tui.item_line import item_line
from migconsole.tui.item_text import Texts
from migconsole.tui.screens.checklist_keys import ChecklistKeys
from migconsole.tui.screens.health.overview import History
from migconsole.tui.screens.health.ports import HealthAccess
from migconsole.tui.screens.health.sheets import Look
from migconsole.tui.screens.output_keys import OutputKeys
from migconsole.tui.widgets.attempts_pane import OutputPane
from migconsole.tui.widgets.banner import Banner, environment_class
from migconsole.tui.widgets.checklist_tree import ChecklistTree
from migconsole.tui.widgets.health_strip import HealthStrip
from migconsole.tui.widgets.item_pane import ItemPane
from migconsole.tui.widgets.key_footer import KeyFooter
from migconsole.tui.widgets.output_view import OutputView
from migconsole.tui.widgets.status_bar import StatusBar

PANES = ("tree", "output", "item", "health")
_NAMES = {"tree": "checklist", "output": "output", "item": "item", "health": "health"}


class PaneTabs(Widget):
    """Which pane is shown, where there is room for one at a time."""

    ALLOW_SELECT = False

    def render(self) -> RenderResult:
        """The names, the shown one marked."""
        screen = self.screen
        current = screen.pane if isinstance(screen, MainScreen) else ""
        texts: list[tuple[str, str]] = []
        for number, pane in enumerate(PANES[:3], 1):
            active = pane == current
            texts += [(f" {number} ", "bold $accent" if active else "$muted")]
            texts += [(_NAMES[pane], "bold underline" if active else "$muted"), ("  ", "")]
        if isinstance(screen, MainScreen) and screen.session.by_hand.on:
            texts.append(("  INSTRUCTION MODE: nothing runs (I)", "bold $caution"))
        return Content.assemble(*texts)


class TooSmall(Widget):
    """Covers the screen while the terminal is too small to show anything truthfully."""

    ALLOW_SELECT = False

    def render(self) -> RenderResult:
        """Say what is needed, and that nothing stopped."""
        width, height = self.app.size
        text = f"migconsole needs 80×24\nthis terminal has {width}×{height}\n\nrunning commands go on · q leaves"
        return Content(text)


class MainScreen(ChecklistKeys, OutputKeys):
    """Panes around one session. Keys come from the registry; what they do is either here or in the operations."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.RUN)
    AUTO_FOCUS = "#tree"

    def __init__(self, session: Session, clock: Clock, health: HealthAccess | None = None) -> None:
        super().__init__()
        self.session = session
        self.health = health
        self._bell = AlarmBell()
        self._history = History(health.source) if health is not None else None
        self.clock = clock
        self.pane = "tree"
        self.waiting = False
        self.chosen: dict[str, int] = {}
        self._maximised = False
        self._described = ""
        self._crossed = ""

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield Banner(self.clock, id="banner")
        yield PaneTabs(id="pane-tabs")
        with Horizontal(id="body"):
            yield ChecklistTree(id="tree")
            with Vertical(id="right"):
                yield OutputPane(self.clock, id="output")
                yield ItemPane(id="item")
        yield HealthStrip(id="health")
        yield StatusBar(id="status")
        yield KeyFooter(id="footer")
        yield TooSmall(id="too-small")

    # -- parts ----------------------------------------------------------------------------------------------------

    def item(self) -> Item | None:
        """The item under the cursor."""
        row = self.steps.cursor
        return row.item if row else None

    def alternative(self, item: Item) -> int:
        """The way of doing an item that was chosen here, else the session's proposal."""
        if item.items or len(item.steps) == 1:
            return 0
        return self.chosen.get(item.id, self.session.default_alternative(item.id))

    def context(self) -> Context:
        """What decides which commands are possible."""
        item = self.item()
        return Context(
            screen="main",
            pane=self.pane,
            session=self.session,
            item=item,
            alternative=self.alternative(item) if item else 0,
            attempt=self.output.current[1] if self.output.current else 0,
            shown=self.output.current[0] if self.output.current else "",
            waiting=self.waiting,
        )

    # -- what changes ---------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Draw the run, put the cursor where work goes on."""
        self.output.attach(self.session)
        self.add_class(f"-pane-{self.pane}", environment_class(self.session.run.environment))
        self.query_one("#item").border_title = "Item"
        running = next(self.session.run.running(), None)
        latest = running or self.session.run.latest()
        if latest is not None:
            self.output.show(latest.item, latest.number)
        self.redraw()
        self.look_at_health()
        if running is None or not self.steps.go(running.item):
            _ = self.jump_actionable(from_start=True) or self.jump_unsettled()

    def on_resize(self) -> None:
        """Where the item is described depends on the room there is."""
        self.call_after_refresh(self.describe)

    def on_run_changed(self, message: RunChanged) -> None:
        """The engine's state changed."""
        self.redraw()

    def redraw(self) -> None:
        """Draw everything that depends on the run."""
        with self.app.batch_update():
            self.query_one(Banner).show(self.session, self.waiting)
            now = self.clock.utc()
            self.steps.show(self.session.checklist, self.session.run, now, self.session.clock.at(now))
            self.follow_turn()
            self.output.update_run()
            self._notice_crossing()
            self.status.standing(self.session.problem or "; ".join(self.session.run.changed))
            self.status.review()
            self.describe()

    def _notice_crossing(self) -> None:
        """Ring once for each crossing of the last safe abort, and ask whoever drives what is done about it."""
        crossing = self.session.run.clock.open_crossing()
        if crossing is None or crossing.decision or crossing.at == self._crossed:
            return
        self._crossed = crossing.at
        self.app.bell()
        self.status.hint("The last safe abort has passed: O decides what is done about it")
        if self.session.driving and not self.app.screen.is_modal:
            # A message and not a call: the dialog waits until what is drawn now has been drawn.
            self.call_after_refresh(self.app.run_action, "app.command('clock')")

    def look_at_health(self) -> None:
        """Read what the watcher has written, and ring once for an alarm that is new."""
        if self.health is None or self._history is None:
            return
        source, ports = self.health.source, self.health.ports
        alarms = with_seen(source.alarms(), self.session.run)
        skew = source.latest("clock_skew")
        if skew is not None and skew.rows:
            row = skew.rows[0]
            self.session.clock.heard(float(row.get("skew_s") or 0.0), float(row.get("uncertainty_s") or 0.0))
        look = Look(source, ports.phase(), self.clock.utc().timestamp(), strip.WINDOW, ports.thresholds)
        problem = self.health.keeper.problem if self.health.keeper is not None else ""
        self.query_one(HealthStrip).show(strip.strip(look, self._history, source.watcher(), alarms, problem))
        if (alarm := self._bell.fresh(alarms)) is not None:
            self.app.bell()
            self.status.alert(
                f"{alarm.level}: {alarm.message} (D shows the database)", grave=alarm.level is Level.CRITICAL
            )

    def on_tick(self, message: Tick) -> None:
        """Clocks."""
        self.query_one(Banner).refresh()
        self.look_at_health()
        now = self.clock.utc()
        if self.steps.tick(now, self.session.clock.at(now)):
            self.describe()
        attempt = self.output.attempt()
        if attempt is not None and attempt.running:
            self.output.refresh_titles()

    def on_checklist_tree_highlighted(self, message: ChecklistTree.Highlighted) -> None:
        """The cursor moved: describe the line, and show its output if it has any."""
        # Where it is now: unfolding on the way posts a message of its own.
        row = self.steps.cursor
        self.mark_turn()
        if row is not None and row.key != self._described:
            self._described = row.key
            self.status.hint("")
        if row is not None and row.record is not None and row.record.last is not None and row.item is not None:
            self.output.show(row.item.id, row.record.last.number)
        self.describe()

    def stand_on(self, item: str) -> None:
        """Put the cursor on a line of which something is about to be said: it stays said when the cursor arrives."""
        if self.steps.go(item):
            self._described = self.steps.cursor_key or ""

    def describe(self) -> None:
        """Draw what depends on the line under the cursor."""
        row = self.steps.cursor
        heading = row.title if row else "Nothing matches the filter."
        item = row.item if row else None
        way = self.alternative(item) if item else 0
        self.query_one(ItemPane).show(self.session, item, way, heading)
        self.status.about(self._in_a_line(item, way))
        self.query_one(PaneTabs).refresh()
        tree = self.steps
        count = overall(self.session.run, self.session.checklist)
        far = f" · {count.done} of {count.total}" if self.session.run.clock.settings else ""
        # Not in the status row: what stands there hides why a key does nothing.
        mode = " · INSTRUCTION MODE: nothing runs (I)" if self.session.by_hand.on else ""
        tree.border_title = Content(
            f"Checklist{far}{mode}" + (f" · filter {sanitise_line(self.filter_text, 30)}" if tree.filtered else "")
        )
        self.show_keys()

    def _in_a_line(self, item: Item | None, alternative: int) -> Texts:
        """Why nothing starts while the run is on hold; else the item, where its details are not on the screen."""
        hold = self.session.run.hold
        if hold is not None:
            why = sanitise_line(f"{hold.owner}: {hold.reason}", 200)
            return [("▲ on hold ", "bold $caution"), ("(p releases it) ", "$muted"), (why, "$caution")]
        if item is None or item.items or not self.has_class("-narrow") or self.pane == "item":
            return []
        line = item_line(self.session, item, alternative)
        if self.pane == "output" and self.output.current and self.output.current[0] != item.id:
            return [(f"{sanitise_line(item.title, 40)}: ", "bold"), *line]
        return line

    def show_keys(self) -> None:
        """The footer for the present context."""
        self.query_one(KeyFooter).show(self.context())

    def on_output_pane_resized(self, message: OutputPane.Resized) -> None:
        """Running commands wrap their lines at the pane's edge."""
        self.run_worker(
            self.session.resize(message.rows, message.columns),
            group="resize",
            description="tell running terminals their size",
            exit_on_error=False,
        )

    def on_output_view_followed(self, message: OutputView.Followed) -> None:
        """The view stays at the end again."""
        self.output.set_status("", True)

    def on_output_view_unfollowed(self, message: OutputView.Unfollowed) -> None:
        """The reader went up."""
        self.output.set_status("", False)

    def on_output_view_status(self, message: OutputView.Status) -> None:
        """Counts and remarks of the view."""
        self.output.set_status(message.text, self.output.following)

    # -- panes ----------------------------------------------------------------------------------------------------

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The pane that has the focus is the one that is shown when there is room for one."""
        for pane in PANES:
            widget = self.query_one(f"#{pane}")
            if widget is event.widget or widget in event.widget.ancestors:
                self._show_pane(pane)

    def go_pane(self, pane: str) -> None:
        """Focus a pane."""
        self._show_pane(pane)
        widget = self.output.focus_target() if pane == "output" else self.query_one(f"#{pane}")
        self.call_after_refresh(widget.focus)

    def _show_pane(self, pane: str) -> None:
        if pane == self.pane:
            return
        self.remove_class(f"-pane-{self.pane}")
        self.pane = pane
        self.add_class(f"-pane-{pane}")
        self.describe()

    def command_pane_1(self) -> None:
        """Go to the checklist."""
        self.go_pane("tree")

    def command_pane_2(self) -> None:
        """Go to the output."""
        self.go_pane("output")

    def command_pane_3(self) -> None:
        """Go to the item."""
        self.go_pane("item")

    def command_pane_4(self) -> None:
        """Go to the health strip."""
        self.go_pane("health")

    def command_next_pane(self) -> None:
        """Next pane, around the end."""
        self.go_pane(PANES[(PANES.index(self.pane) + 1) % 3 if self.pane in PANES[:3] else 0])

    def command_previous_pane(self) -> None:
        """Previous pane, around the start."""
        self.go_pane(PANES[(PANES.index(self.pane) - 1) % 3 if self.pane in PANES[:3] else 2])

    def command_maximise(self) -> None:
        """This pane alone, and back."""
        self._maximised = not self._maximised and self.pane != "health"
        self.set_class(self._maximised, "-maximised")

    def command_acknowledge(self) -> None:
        """One level back: the message, the filter, the maximised pane, the pane."""
        if self.status.acknowledge():
            return
        if self.steps.filtered:
            self.filter_text = ""
            self.steps.filter(None)
            self.describe()
        elif self._maximised:
            self.command_maximise()
        else:
            self.go_pane("tree")
