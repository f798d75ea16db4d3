"""The server's log, where it can be read from here: warnings and worse, or everything, following its end."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from migconsole.domain.text import sanitise_line
from migconsole.engine.ports import Output
from migconsole.tui.widgets.output_view import OutputView

WORSE = r"\b(WARNING|ERROR|FATAL|PANIC):"
"""Lines of PostgreSQL's log from WARNING on, whatever its prefix and format."""

NO_LOG = (
    "The server's log cannot be read from here.\n\n"
    "It is shown where the server runs on this host and its log is a file that this account may read "
    "(logging_collector on, and pg_current_logfile() allowed to the role)."
)


class LogLines(OutputView):
    """The log's lines; ``by_level`` is whether it is only their level that keeps lines out."""

    by_level = False

    def _emptiness(self) -> str:
        if self.by_level:
            return "Nothing of WARNING or worse has been logged; w shows every line."
        return super()._emptiness()


class LogTab(Vertical):
    """One line of state and the view; the file is opened when the tab is first looked at."""

    def __init__(self, opened: Callable[[], Output | str] | None, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="health-tab")
        self._open = opened
        self._output: Output | None = None
        self._pattern = ""
        self.worse_only = True
        self.why = ""

    def compose(self) -> ComposeResult:
        """State, lines, or why there are none."""
        yield Static("", id="health-log-state", markup=False)
        yield LogLines(id="health-log")
        yield Static("", id="health-log-why", markup=False)

    @property
    def view(self) -> LogLines:
        """The lines."""
        return self.query_one("#health-log", LogLines)

    def look(self) -> None:
        """Open the log, or try again."""
        if self._output is not None:
            return
        found = NO_LOG if self._open is None else self._open()
        readable = not isinstance(found, str)
        self.view.display = readable
        self.query_one("#health-log-state").display = readable
        why = self.query_one("#health-log-why", Static)
        why.display = not readable
        if isinstance(found, str):
            self.why = found.splitlines()[0] if found else "the server's log cannot be read from here"
            why.update(Content("\n".join(sanitise_line(line, 400) for line in found.splitlines())))
            return
        self.why, self._output = "", found
        self.view.show(found)
        self.apply()

    def apply(self) -> None:
        """Show what is wanted of the log and say so."""
        self.view.by_level = self.worse_only and not self._pattern
        self.view.filter(self._pattern or (WORSE if self.worse_only else None))
        self.say()

    def wanted(self, pattern: str) -> None:
        """Only lines that match, whatever their level; "" goes back to the levels."""
        self._pattern = pattern
        self.apply()

    def say(self) -> None:
        """The line of state."""
        if self._output is None:
            return
        what = "WARNING and worse (w shows all)" if self.worse_only else "all lines (w: WARNING and worse)"
        if self._pattern:
            what = f"lines that match {sanitise_line(self._pattern, 40)}"
        follow = "following" if self.view.following else "not following (f, End)"
        path = sanitise_line(str(self._output.path), 120)
        note = f" · {sanitise_line(self._output.note, 80)}" if self._output.note else ""
        self.query_one("#health-log-state", Static).update(Content(f" {what} · {follow}{note} · {path}"))

    def on_unmount(self) -> None:
        """Let go of the file."""
        if self._output is not None:
            self._output.close()
