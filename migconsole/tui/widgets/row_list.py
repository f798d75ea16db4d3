"""A long list of one-row entries that keeps its cursor by key and draws only what is seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. ``draw`` makes its content for a width; an entry without ``key`` is a heading and cannot be chosen."""

    key: str
    draw: Callable[[int], Content]
    text: str = ""


class RowList(ScrollView, can_focus=True):
    """Arrows, j/k, g/G, page keys; Enter and clicks are messages."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"row-list--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        ("j,down", "move(1)", "Down"),
        ("k,up", "move(-1)", "Up"),
        ("g,home", "move(-1000000)", "Top"),
        ("G,end", "move(1000000)", "Bottom"),
        ("pagedown", "page(1)", "Page down"),
        ("pageup", "page(-1)", "Page up"),
    ]

    class Opened(Message):
        """A row was clicked twice."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.entries: list[Entry] = []
        self._index = 0
        self._key = ""

    @property
    def cursor(self) -> str:
        """The key of the chosen row, "" when there is none."""
        return self.entries[self._index].key if self.entries else ""

    def show(self, entries: Sequence[Entry], *, at_end: bool = False) -> None:
        """Replace the rows; the cursor stays on its key. ``at_end`` starts a new list at its last row."""
        first = not self.entries
        self.entries = list(entries)
        index = next((i for i, entry in enumerate(self.entries) if entry.key and entry.key == self._key), None)
        if index is None:
            index = len(self.entries) - 1 if at_end and first else min(self._index, len(self.entries) - 1)
        self.virtual_size = Size(self.size.width, len(self.entries))
        self._index = max(0, index)
        if self.entries and not self.entries[self._index].key:
            self.action_move(1 if not at_end else -1)
        else:
            self._key = self.cursor
        if first and at_end and self.entries:
            self.call_after_refresh(self.scroll_to_region, Region(0, self._index, 1, 1), animate=False)
        self.refresh()

    def action_move(self, step: int) -> None:
        """Move the cursor over headings, stopping at the ends."""
        sign = 1 if step > 0 else -1
        at = max(0, min(len(self.entries) - 1, self._index + step))
        while 0 <= at < len(self.entries) and not self.entries[at].key:
            at += sign
        if not 0 <= at < len(self.entries):
            at = next((i for i in range(len(self.entries))[::sign] if self.entries[i].key), self._index)
        if self.entries:
            self._index = at
            self._key = self.cursor
            self.scroll_to_region(Region(0, at if at > 1 else 0, 1, 1), animate=False)
            self.refresh()

    def action_page(self, direction: int) -> None:
        """Move by a page."""
        self.action_move(direction * max(1, self.size.height - 1))

    def on_click(self, event: events.Click) -> None:
        """A click chooses, another opens."""
        index = self.scroll_offset.y + event.y - self.gutter.top
        if 0 <= index < len(self.entries) and self.entries[index].key:
            again = index == self._index
            self._index, self._key = index, self.entries[index].key
            self.refresh()
            if again:
                self.post_message(self.Opened(self._key))

    def on_resize(self) -> None:
        """Keep the size."""
        self.virtual_size = Size(self.size.width, len(self.entries))

    def render_line(self, y: int) -> Strip:
        """One row."""
        width = self.scrollable_content_region.width
        index = self.scroll_offset.y + y
        style = self.rich_style
        if index >= len(self.entries):
            return Strip.blank(width, style)
        if index == self._index and self.entries[index].key:
            style += self.get_component_rich_style("row-list--cursor", partial=True)
        content = self.entries[index].draw(width)
        parts = content.render(Style.null(), "", parse_style=self.app.stylesheet.parse_style)
        strip = Strip([Segment(text, style + part.rich_style) for text, part in parts])
        return strip.adjust_cell_length(width, style)
