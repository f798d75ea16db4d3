"""The journal as a list: every event of the run, filterable, each with its evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from rich.cells import set_cell_size
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.screen import Screen

from migconsole.domain.events import Event, Kind
from migconsole.domain.seals import broken_seal, seals_in
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.session import Session
from migconsole.tui import event_text, format
from migconsole.tui.bridge import RunChanged, Tick
from migconsole.tui.commands import Context, Scope, bindings
from migconsole.tui.format import Clock
from migconsole.tui.lines import cut
from migconsole.tui.screens.dialogs.bar import LineBar
from migconsole.tui.screens.dialogs.base import Dialog
from migconsole.tui.screens.dialogs.evidence import EvidenceDialog
from migconsole.tui.timeline_filter import KINDS, matches
from migconsole.tui.timeline_filter import mark as deviation_style
from migconsole.tui.widgets.banner import Banner
from migconsole.tui.widgets.key_footer import KeyFooter
from migconsole.tui.widgets.row_list import Entry, RowList
from migconsole.tui.widgets.status_bar import StatusBar

LINES = 200
"""Lines of evidence that are shown above the event's data."""


class TimelineScreen(Screen[tuple[str, int] | None]):
    """Returns (item, attempt) when an attempt's output is to be opened on the main screen."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.TIMELINE)
    AUTO_FOCUS = "#events"

    def __init__(self, session: Session, clock: Clock) -> None:
        super().__init__()
        self.session, self.clock = session, clock
        self.filter_text = ""
        self.kind = 0
        self._names = event_text.titles(session.checklist)
        self._entries: dict[int, Entry] = {}

    def compose(self) -> ComposeResult:
        """Banner, list, status, keys."""
        yield Banner(self.clock, id="banner")
        yield RowList(id="events")
        yield StatusBar(id="status")
        yield KeyFooter(id="footer")

    def on_mount(self) -> None:
        """Begin at the newest event."""
        self.redraw(at_end=True)
        self.query_one(KeyFooter).show(self.context())

    def context(self) -> Context:
        """The run is open, no item is selected."""
        return Context(screen="timeline", pane="timeline", session=self.session)

    def on_run_changed(self, message: RunChanged) -> None:
        """New events."""
        self.redraw()

    def on_tick(self, message: Tick) -> None:
        """The banner's clock."""
        self.query_one(Banner).refresh()

    def redraw(self, at_end: bool = False) -> None:
        """Draw the events that match the filter."""
        events = self.session.timeline()
        kind, wanted = KINDS[self.kind], self.filter_text.strip()
        entries = [
            entry
            for event in events
            if kind.holds(event, self._names) and matches(wanted, (entry := self._entry(event)).text, event)
        ]
        rows = self.query_one("#events", RowList)
        rows.show(entries, at_end=at_end)
        shown = str(len(events)) if len(entries) == len(events) else f"{len(entries)} of {len(events)}"
        filtered = f" · filter {sanitise_line(wanted, 30)}" if wanted else ""
        # Events carry this host's clock: where it is not the server's, the times are not those of the header.
        zone = "UTC by this host" if self.session.run.clock.server.skew else "UTC"
        rows.border_title = Content(f"Timeline · {kind.name} · {shown} events · {zone}{filtered}")
        rows.border_subtitle = Content("" if entries else " nothing matches: tab shows another kind, / another filter ")
        self.query_one(Banner).show(self.session, False)

    def _entry(self, event: Event) -> Entry:
        """The row of an event, made once: no event changes, and a long journal is gone through at every new one."""
        if event.seq not in self._entries:
            self._entries[event.seq] = self._made(event)
        return self._entries[event.seq]

    def _made(self, event: Event) -> Entry:
        mark, style, words = event_text.describe(event, self._names)
        actor = sanitise_line(event.actor, 24)
        deviates = deviation_style(event, self._names)

        def draw(width: int) -> Content:
            # Columns by the width alone, never by what stands in them: only the words give way.
            when = format.clock_time(event.at, day=width >= 130)
            who = f"{set_cell_size(actor, 12)}  " if width >= 90 else ""
            words_style = style if mark in "✘?▲▼" else deviates
            texts = [(f" {event.seq:>4}  {when}  {who}", "$muted"), (f"{mark}  ", style), (words, words_style)]
            return Content.assemble(*cut(texts, width))

        return Entry(str(event.seq), draw, f"{words} {actor} {event.kind}".casefold())

    def command_filter_events(self) -> None:
        """Filter while typing."""

        def live(text: str) -> str:
            self.filter_text = text
            self.redraw()
            return ""

        hint = "words, or by:person item:name kind:name"
        self.app.push_screen(LineBar("filter", self.filter_text, hint, live))

    def command_next_kind(self) -> None:
        """Another kind of event."""
        self._go_kind(1)

    def command_previous_kind(self) -> None:
        """The kind before."""
        self._go_kind(-1)

    def _go_kind(self, step: int) -> None:
        self.kind = (self.kind + step) % len(KINDS)
        self.redraw()

    def chosen(self) -> Event | None:
        """The event under the cursor."""
        key = self.query_one("#events", RowList).cursor
        return next((event for event in self.session.timeline() if str(event.seq) == key), None) if key else None

    def command_open_event(self) -> None:
        """The event whole, and its item's attempts where it has any."""
        event = self.chosen()
        if event is None:
            return
        item_id = str(event.data.get("item", ""))
        if event.kind.startswith("attempt.") and item_id in self._names and self.session.run.record(item_id).attempts:
            item = self.session.located(item_id).item

            def opened(number: int | None) -> None:
                if number is not None:
                    self.dismiss((item_id, number))

            self.app.push_screen(EvidenceDialog(self.session, item, self.clock), opened)
            return
        self.app.push_screen(EventDialog(event, self.session.timeline(), self._names, self.clock))

    async def on_row_list_opened(self, message: RowList.Opened) -> None:
        """A double click opens."""
        self.command_open_event()

    def command_close(self) -> None:
        """Back to the run."""
        self.dismiss(None)


class EventDialog(Dialog[bool]):
    """One event with everything the journal holds about it."""

    def __init__(self, event: Event, events: Sequence[Event], names: dict[str, str], clock: Clock) -> None:
        _, style, words = event_text.describe(event, names)
        data = sanitise(json.dumps(event.data, indent=2, ensure_ascii=False, default=str), 20_000)
        body = Content.assemble(
            (words, f"bold {style}".strip()),
            (
                f"\n\n{format.clock_time(event.at, day=True)} UTC · {sanitise_line(event.actor)} · {event.kind}\n",
                "$muted",
            ),
            (f"hash {event.hash[:16]}…\n\n", "$muted"),
            *_seal(event, events),
            *_evidence(event),
            *_delivered(event, events),
            (data, "$muted"),
        )
        super().__init__(f"Event {event.seq}", body, clock, keys="esc back")
        self.add_class("wide")


def _seal(event: Event, events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    """What an event sealed, and whether the journal still is what it was then."""
    for seal in seals_in([event]):
        broken = broken_seal([seal], [known.hash for known in events])
        yield (f"{seal.words}\n", "")
        yield (f"{broken[1]}\n\n", "bold $danger") if broken else ("the journal still holds it\n\n", "$good")


def _delivered(event: Event, events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    """What became of a message; its sender may have died before it could tell."""
    if event.kind != Kind.NOTIFYING:
        return
    ends = (other for other in events if other.kind == Kind.NOTIFIED)
    end = next((other for other in ends if other.data.get("message") == event.data.get("message")), None)
    if end is None:
        yield ("nobody has told what became of it: it is not sent again\n\n", "$caution")
        return
    result, detail = str(end.data.get("result", "")), str(end.data.get("detail", ""))
    words = sanitise_line(f"{result} {format.clock_time(end.at)} UTC{f': {detail}' if detail else ''}", 600)
    yield (f"{words}\n\n", "$good" if result == "delivered" else "$caution")


def _evidence(event: Event) -> Iterator[tuple[str, str]]:
    """What a person looks for first: a note or message whole, a verdict's reasons, the rows behind an alarm."""
    if event.kind in (Kind.NOTE, Kind.NOTIFYING):
        yield (f"{sanitise(str(event.data.get('text', '')), 20_000)}\n\n", "")
    for name, style in (("reasons", ""), ("lines", "$muted")):
        said = event.data.get(name)
        if isinstance(said, list) and said:
            yield ("\n".join(sanitise(str(line), 2000) for line in said[:LINES]) + "\n\n", style)
    rows = event.data.get("evidence")
    for row in rows if isinstance(rows, list) else [rows] if rows else []:
        parts = row.items() if isinstance(row, Mapping) else [("", row)]
        line = "  ".join(f"{key} {value}".strip() for key, value in parts if value is not None)
        yield (f"{sanitise(line, 2000)}\n", "")
    if rows:
        yield ("\n", "")
