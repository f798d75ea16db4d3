"""The first screen without arguments: unfinished runs, then the checklists at hand, then runs that have ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from migconsole.domain.text import sanitise_line
from migconsole.engine.ports import RunSummary
from migconsole.errors import MigconsoleError
from migconsole.tui import format
from migconsole.tui.commands import Context, Scope, bindings
from migconsole.tui.format import Clock
from migconsole.tui.library import Library
from migconsole.tui.lines import Part, part, spread
from migconsole.tui.screens.dialogs.bar import LineBar
from migconsole.tui.widgets.key_footer import KeyFooter
from migconsole.tui.widgets.row_list import Entry, RowList
from migconsole.tui.widgets.status_bar import StatusBar

ENDED = ("ended", "completed", "rolled back", "abandoned", "closed")


class RunsScreen(Screen[None]):
    """A list; opening an entry is the application's business."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.RUNS)
    AUTO_FOCUS = "#runs"

    def __init__(self, library: Library, clock: Clock) -> None:
        super().__init__()
        self.library, self.clock = library, clock
        self.filter_text = ""
        self._runs: Sequence[RunSummary] = ()
        self._checklists: Sequence[tuple[Path, str]] = ()

    def compose(self) -> ComposeResult:
        """Title, list, status, keys."""
        yield Static(
            Content.assemble((" migconsole ", "bold $accent"), ("PostgreSQL migrations from a checklist", "$muted")),
            id="title",
        )
        yield RowList(id="runs")
        yield StatusBar(id="status")
        yield KeyFooter(id="footer")

    def on_mount(self) -> None:
        """Read the list."""
        self.query_one("#runs").border_title = "Runs and checklists"
        self.query_one(KeyFooter).show(self.context())
        self.command_reload_runs()

    def context(self) -> Context:
        """No run is open here."""
        return Context(screen="runs", pane="runs", library=True)

    def command_reload_runs(self) -> None:
        """Read the list again, off the loop."""
        self.run_worker(
            self._read(), group="runs", description="read the list of runs", exclusive=True, exit_on_error=False
        )

    async def _read(self) -> None:
        try:
            self._runs = await asyncio.to_thread(self.library.runs)
            self._checklists = await asyncio.to_thread(self.library.checklists)
        except (MigconsoleError, OSError) as error:
            self.query_one(StatusBar).error(str(error))
        self.redraw()

    def redraw(self) -> None:
        """Draw the rows that match the filter."""
        wanted = self.filter_text.casefold().split()

        def matches(entry: Entry) -> bool:
            return all(word in entry.text.casefold() for word in wanted)

        unfinished = [self._run(run) for run in self._runs if not _ended(run)]
        ended = [self._run(run) for run in self._runs if _ended(run)]
        checklists = [_checklist(path, title) for path, title in self._checklists]
        entries: list[Entry] = []
        groups = (("Unfinished runs", unfinished), ("Checklists at hand", checklists), ("Ended runs", ended))
        for name, group in groups:
            shown = [entry for entry in group if matches(entry)]
            if shown:
                entries += [*([_blank()] if entries else []), _title(name), *shown]
        if not entries:
            entries = [_title("Nothing here. migconsole run CHECKLIST starts one; migconsole demo shows how.")]
        self.query_one("#runs", RowList).show(entries)

    def chosen(self) -> tuple[str, Path] | None:
        """("run" or "checklist", path) under the cursor."""
        kind, _, path = self.query_one("#runs", RowList).cursor.partition(":")
        return (kind, Path(path)) if path else None

    def command_filter_runs(self) -> None:
        """Filter while typing."""

        def live(text: str) -> str:
            self.filter_text = text
            self.redraw()
            return ""

        self.app.push_screen(LineBar("filter", self.filter_text, "title, target or file name", live))

    async def on_row_list_opened(self, message: RowList.Opened) -> None:
        """A double click opens."""
        await self.app.run_action("app.command('open_run')")

    def _run(self, run: RunSummary) -> Entry:
        title, target = sanitise_line(run.title, 120), sanitise_line(run.target, 120)
        state = sanitise_line(run.problem or run.state, 200)

        def draw(width: int) -> Content:
            full, empty = format.meter(run.done, run.total, 10)
            ago = format.since(run.last_at, self.clock.utc())
            live = [part("open now", "bold $status-running", 8)] if run.live else []
            when = f"{format.duration(ago)} ago" if ago is not None else ""
            style = "$danger" if run.problem or "fail" in state else "$muted"
            left = [part(f"   {title}", "bold", 10), part(target, "", 7), part(state, style, 6)]
            count = Part(((f"{run.done}/{run.total} ", ""), (full, "$good"), (empty, "$line")), 8)
            return spread(left, [*live, count, part(f"{when} ", "$muted", 5)], width)

        return Entry(f"run:{run.path}", draw, f"{title} {target} {state} {run.run_id}")


def _ended(run: RunSummary) -> bool:
    return run.state.casefold().startswith(ENDED)


def _checklist(path: Path, title: str) -> Entry:
    name, shown = sanitise_line(path.name, 80), sanitise_line(title, 120)
    where = sanitise_line(str(path.parent), 200)

    def draw(width: int) -> Content:
        return spread([part(f"   {shown}", "", 10), part(name, "$accent", 9)], [part(f"{where} ", "$muted", 4)], width)

    return Entry(f"checklist:{path}", draw, f"{shown} {name}")


def _title(text: str) -> Entry:
    return Entry("", lambda width: spread([part(f" {text}", "bold $muted")], [], width))


def _blank() -> Entry:
    return Entry("", lambda width: Content(""))
