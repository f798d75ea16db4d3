"""The output pane: one tab for each attempt that is open, over the output view."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult, RenderResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from migconsole.domain.event_words import OUTCOMES
from migconsole.domain.run import Attempt
from migconsole.domain.text import sanitise_line
from migconsole.engine.ports import Output
from migconsole.engine.session import Session
from migconsole.tui import format
from migconsole.tui.commands import Scope, bindings
from migconsole.tui.format import Clock
from migconsole.tui.item_text import attempt_text
from migconsole.tui.lines import cut
from migconsole.tui.widgets.output_view import OutputView

Key = tuple[str, int]

SEEK = 0.1
"""Seconds between looks for the output file of a command that has just been started."""

MOST_TABS = 6
"""Outputs that stay open; the oldest finished one gives way. Their files remain."""


class TabRow(Widget):
    """The open outputs, hidden while there is only one."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__(id="output-tabs")
        self._tabs: list[tuple[str, bool]] = []
        self._ends: list[int] = []

    def show(self, tabs: list[tuple[str, bool]]) -> None:
        """Titles and which one is active."""
        self._tabs = tabs
        self.display = len(tabs) > 1
        self.refresh()

    def render(self) -> RenderResult:
        """One row; titles share the width."""
        if not self._tabs:
            return Content("")
        room = max(8, self.content_size.width // len(self._tabs) - 3)
        texts: list[tuple[str, str]] = []
        self._ends, at = [], 0
        for title, active in self._tabs:
            short = f" {cut([(title, '')], room)[0][0]} "
            texts += [(short, "bold underline $accent" if active else "$muted"), (" ", "")]
            at += cell_len(short) + 1
            self._ends.append(at)
        return Content.assemble(*texts)

    def on_click(self, event: events.Click) -> None:
        """A click opens a tab."""
        pane = self.parent
        number = next((number for number, end in enumerate(self._ends) if event.x < end), None)
        if isinstance(pane, OutputPane) and number is not None:
            pane.open_tab(number)


class OutputPane(Vertical):
    """Shows an attempt's output file, or the evidence lines of an attempt that has no file (queries, checks)."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.OUTPUT)

    def __init__(self, clock: Clock, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
        self._session: Session | None = None
        self._open: dict[Key, Output | None] = {}
        self.current: Key | None = None
        self._status = ""
        self._told = (0, 0)
        self.following = True

    def compose(self) -> ComposeResult:
        """Tabs, the view for files, a text for evidence, a text for nothing yet."""
        yield TabRow()
        yield OutputView(id="output-view")
        with VerticalScroll(id="output-lines"):
            yield Static(id="output-lines-text", markup=False)
        yield Static("Nothing has been run yet.\n\nr runs the selected item.", id="output-empty", markup=False)

    def on_mount(self) -> None:
        """Begin empty."""
        self._seeker = self.set_interval(SEEK, self._seek, name="seek output", pause=True)
        self._arrange()

    class Resized(Message):
        """The room for output changed: running terminals must know."""

        def __init__(self, rows: int, columns: int) -> None:
            super().__init__()
            self.rows, self.columns = rows, columns

    def on_resize(self) -> None:
        """Tell, once the layout has settled."""
        self.call_after_refresh(self._tell_size)

    def _tell_size(self) -> None:
        rows, columns = self.content_size.height - 1, self.content_size.width - 3
        if rows > 0 and columns > 0 and (rows, columns) != self._told:
            self._told = (rows, columns)
            self.post_message(self.Resized(rows, columns))

    @property
    def view(self) -> OutputView:
        """The view over the output file."""
        return self.query_one("#output-view", OutputView)

    def focus_target(self) -> Widget:
        """What takes the focus when the pane is entered."""
        lines = self.query_one("#output-lines")
        return lines if lines.display else self.view

    # -- which attempt --------------------------------------------------------------------------------------------

    def attach(self, session: Session) -> None:
        """Belong to a session; outputs of another one are let go."""
        if self._session is not session:
            self.close_all()
            self._session = session

    def show(self, item_id: str, number: int) -> None:
        """Open an attempt's output and make it the active tab."""
        if self._session is None or (item_id, number) == self.current:
            return
        key = (item_id, number)
        if self._open.get(key) is None:
            self._open[key] = self._session.output(item_id, number)
        self.current = key
        self._trim()
        output = self._open[key]
        if output is not None:
            self.view.show(output, self._title(key))
            self.following = True
        self._arrange()

    def update_run(self) -> None:
        """Take changes of the run into account: new attempts' tabs, titles, evidence lines."""
        session = self._session
        if session is None:
            return
        for attempt in session.run.running():
            key = (attempt.item, attempt.number)
            if key not in self._open:
                self._open[key] = None
        if self.current is not None and self._open.get(self.current) is None:
            self._retry(self.current)
        self._arrange()

    def _seek(self) -> None:
        """A command makes its output file a moment after its start, and nothing else happens then that says so."""
        if self._session is not None and self.current is not None and self._open.get(self.current) is None:
            self._retry(self.current)
            self._arrange()

    def _retry(self, key: Key) -> None:
        """An attempt that had no output file when it was opened may have one now."""
        assert self._session is not None
        output = self._session.output(*key)
        if output is not None:
            self._open[key] = output
            self.view.show(output, self._title(key))
            self.following = True

    def open_tab(self, index: int) -> None:
        """Make the n-th tab active."""
        keys = list(self._open)
        if 0 <= index < len(keys):
            self.show(*keys[index])

    def step_tab(self, step: int) -> None:
        """The next or previous tab, around the ends."""
        keys = list(self._open)
        if keys:
            at = keys.index(self.current) if self.current in self._open else 0
            self.open_tab((at + step) % len(keys))

    def close_all(self) -> None:
        """Let go of every file."""
        for output in self._open.values():
            if output is not None:
                output.close()
        self._open, self.current = {}, None

    def attempt(self) -> Attempt | None:
        """The attempt that is shown."""
        if self._session is None or self.current is None:
            return None
        item_id, number = self.current
        attempts = self._session.run.record(item_id).attempts
        return next((a for a in attempts if a.number == number), None)

    def _trim(self) -> None:
        for key in list(self._open):
            if len(self._open) <= MOST_TABS:
                return
            if key != self.current and not self._is_running(key):
                output = self._open.pop(key)
                if output is not None:
                    output.close()

    def _is_running(self, key: Key) -> bool:
        assert self._session is not None
        return any(a.number == key[1] and a.running for a in self._session.run.record(key[0]).attempts)

    def _outcome(self, key: Key) -> str:
        """A mark for an attempt that did not end well, so that its tab is found."""
        assert self._session is not None
        ended = {attempt.number: attempt.outcome for attempt in self._session.run.record(key[0]).attempts}
        return {"failed": "✘ ", "interrupted": "? "}.get(ended.get(key[1], ""), "")

    # -- what is said around it -----------------------------------------------------------------------------------

    def set_status(self, text: str, following: bool) -> None:
        """What the view says about itself: match counts, new lines, truncation."""
        self._status, self.following = sanitise_line(text), following
        self.refresh_titles()

    def refresh_titles(self) -> None:
        """Title and subtitle of the border."""
        self.border_title = Content(self._headline())
        ends = [self._progress(), self._status]
        attempt = self.attempt()
        if attempt is not None and attempt.running and self.current and self._open.get(self.current) is not None:
            ends.append("following" if self.following else "paused · f follows")
        self.border_subtitle = Content(" · ".join(end for end in ends if end))

    def _headline(self) -> str:
        attempt = self.attempt()
        if attempt is None or self.current is None:
            return "Output"
        return f"Output · {self._title(self.current)}"

    def _progress(self) -> str:
        attempt = self.attempt()
        if attempt is None:
            return ""
        words = [f"attempt {attempt.number}"]
        if attempt.running:
            seconds = format.since(attempt.started, self._clock.utc())
            words.append(f"running {format.elapsed(seconds or 0)}")
        else:
            words.append(OUTCOMES.get(attempt.outcome, attempt.outcome))
            if attempt.duration is not None:
                words.append(format.took(attempt.duration))
        return " · ".join(words)

    def _title(self, key: Key) -> str:
        assert self._session is not None
        return sanitise_line(self._session.located(key[0]).item.title, 60)

    def _arrange(self) -> None:
        output = self._open.get(self.current) if self.current else None
        attempt = self.attempt()
        view, lines = self.view, self.query_one("#output-lines")
        view.display = output is not None
        lines.display = output is None and attempt is not None
        self.query_one("#output-empty").display = attempt is None
        if lines.display and attempt is not None:
            text = Content.assemble(*attempt_text(attempt, 5000))
            self.query_one("#output-lines-text", Static).update(text)
        awaited = output is None and attempt is not None and attempt.running and attempt.has_process
        if awaited:
            self._seeker.resume()
        else:
            self._seeker.pause()
        self.query_one(TabRow).show([(self._tab_title(key), key == self.current) for key in self._open])
        self.refresh_titles()

    def _tab_title(self, key: Key) -> str:
        mark = "◐ " if self._is_running(key) else self._outcome(key)
        number = f" #{key[1]}" if key[1] > 1 else ""
        return f"{mark}{self._title(key)}{number}"
