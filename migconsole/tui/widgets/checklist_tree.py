"""The checklist pane: a line-API tree that redraws only what is seen and keeps its cursor by identity."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from migconsole.domain.checklist import Checklist, Item
from migconsole.domain.clock import Clock, Times
from migconsole.domain.items import ItemState
from migconsole.domain.run import Run
from migconsole.engine.palette import status_slot
from migconsole.tui import format, rows
from migconsole.tui.commands import Scope, bindings
from migconsole.tui.lines import cells_of
from migconsole.tui.rows import Match, Row, RowKind

_AROUND = 3
"""Rows kept in sight above and below the cursor: what was done last, and what comes next."""

_STATUS = {state: f"checklist--{status_slot(state)}" for state in ItemState}


class ChecklistTree(ScrollView, can_focus=True):
    """Phases, sections and items with progress, state (glyph, word, colour), attempts and time."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.TREE)
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "checklist--phase",
        "checklist--section",
        "checklist--item",
        "checklist--done",
        "checklist--turn",
        "checklist--later",
        "checklist--muted",
        "checklist--asks",
        "checklist--cursor",
        *_STATUS.values(),
    }

    class Highlighted(Message):
        """The cursor came to another line, or what its line says changed."""

        def __init__(self, row: Row | None) -> None:
            super().__init__()
            self.row = row

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: list[Row] = []
        self.cursor_key = ""
        self.folded: frozenset[str] = frozenset()
        self._index = 0
        self._checklist: Checklist | None = None
        self._run: Run | None = None
        self._match: Match | None = None
        self._now: datetime | None = None
        self._clock: Clock | None = None
        self._late: tuple[int, ...] = ()

    # -- content --------------------------------------------------------------------------------------------------

    def show(self, checklist: Checklist, run: Run, now: datetime, clock: Clock) -> None:
        """Draw a run. The cursor stays on the same line, not on the same row number."""
        if self._checklist is not checklist:
            self.folded = rows.headings(checklist)
        self._checklist, self._run, self._now = checklist, run, now
        self._clock, self._late = clock, _lateness(clock)
        self.rebuild()

    def tick(self, now: datetime, clock: Clock) -> bool:
        """Let time go on; whether a line came late, or later by a minute, since it was drawn.

        Only lines whose clock moves are drawn again: a screen of them each second is what a slow link notices.
        """
        late = _lateness(clock)
        moved = late != self._late
        self._now, self._clock, self._late = now, clock, late
        if moved:
            self.refresh()
            return True
        first = self.scroll_offset.y
        for index in range(first, min(len(self.rows), first + self.size.height)):
            if self.rows[index].state is ItemState.RUNNING:
                self.refresh_line(index)
        return False

    def rebuild(self) -> None:
        """Make the lines again after the run, the filter or a fold changed."""
        if self._checklist is None or self._run is None:
            return
        self.rows = rows.build(self._checklist, self._run, self.folded, self._match)
        index = next((i for i, row in enumerate(self.rows) if row.key == self.cursor_key), None)
        self._index = min(self._index, max(0, len(self.rows) - 1)) if index is None else index
        self.virtual_size = Size(self.size.width, len(self.rows))
        self._announce()
        self.refresh()

    @property
    def cursor(self) -> Row | None:
        """The line under the cursor."""
        return self.rows[self._index] if self.rows else None

    @property
    def filtered(self) -> bool:
        """Whether a filter hides lines."""
        return self._match is not None

    def filter(self, match: Match | None) -> None:
        """Show only what matches, with its headings."""
        before = self.cursor_key
        self._match = match
        self.rebuild()
        if match is not None and self.cursor_key != before:
            first = next((r for r in self.rows if r.item is not None), None)
            if first is not None:
                self.go(first.key)

    # -- cursor ---------------------------------------------------------------------------------------------------

    def move(self, step: int) -> None:
        """Move the cursor by lines, stopping at the ends."""
        if self.rows:
            self._set(max(0, min(len(self.rows) - 1, self._index + step)))

    def go(self, key: str) -> bool:
        """Put the cursor on a line, unfolding what hides it; False when the checklist has no such line."""
        if not any(row.key == key for row in self.rows):
            self._reveal(key)
        for index, row in enumerate(self.rows):
            if row.key == key:
                self._set(index)
                return True
        return False

    def fold(self, folded: bool) -> None:
        """Fold or unfold the heading under the cursor; folding elsewhere goes to the heading first."""
        row = self.cursor
        if row is None:
            return
        if row.folded is None or (folded and row.folded):
            if folded and row.parent:
                self.go(row.parent)
            return
        self.folded = self.folded | {row.key} if folded else self.folded - {row.key}
        self.rebuild()

    def toggle(self) -> None:
        """Fold what is open, unfold what is folded."""
        row = self.cursor
        if row is not None and row.folded is not None:
            self.fold(not row.folded)

    def item_order(self) -> list[Item]:
        """Every item of the checklist in order, seen or folded: for jumping to the next one of a kind."""
        if self._checklist is None:
            return []
        walks = (self._checklist.walk(), self._checklist.walk_rollback())
        return [located.item for walk in walks for located in walk]

    def following(self) -> str:
        """The id of the first item below a cursor that stands on a heading, folded or not; "" when there is none."""
        if self._checklist is None or self._run is None:
            return ""
        every = rows.build(self._checklist, self._run, frozenset(), self._match)
        at = next((i for i, row in enumerate(every) if row.key == self.cursor_key), 0)
        return next((row.key for row in every[at:] if row.item is not None), "")

    def shows(self, key: str) -> bool:
        """Whether the filter lets a line be seen."""
        return self._match is None or any(row.key == key for row in self.rows)

    def _reveal(self, key: str) -> None:
        if self._checklist is None or self._run is None:
            return
        parents = {row.key: row.parent for row in rows.build(self._checklist, self._run, frozenset())}
        above = set()
        at = key
        while at := parents.get(at, ""):
            above.add(at)
        self.folded -= above
        self.rebuild()

    def _set(self, index: int) -> None:
        self._index = index
        self._announce()
        self._keep_in_view()
        self.refresh()

    def _keep_in_view(self) -> None:
        around = min(_AROUND, max(0, (self.size.height - 1) // 2))
        first, last = max(0, self._index - around), min(len(self.rows) - 1, self._index + around)
        self.scroll_to_region(Region(0, first, 1, last - first + 1), animate=False)

    def _announce(self) -> None:
        row = self.cursor
        self.cursor_key = row.key if row else ""
        self.post_message(self.Highlighted(row))

    def on_click(self, event: events.Click) -> None:
        """A click selects; a second one on a heading folds it."""
        index = self.scroll_offset.y + event.y - self.gutter.top
        if 0 <= index < len(self.rows):
            again = index == self._index
            self._set(index)
            if again:
                self.toggle()

    def on_resize(self, event: events.Resize) -> None:
        """Keep the width and the cursor in view."""
        self.virtual_size = Size(self.size.width, len(self.rows))
        if self.rows:
            self.call_after_refresh(self._keep_in_view)

    # -- drawing --------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """One line of the pane."""
        width = self.scrollable_content_region.width
        index = self.scroll_offset.y + y
        base = self.rich_style
        if index >= len(self.rows):
            return Strip.blank(width, base)
        row = self.rows[index]
        if index == self._index:
            base += self.get_component_rich_style("checklist--cursor", partial=True)
        return Strip(self._segments(row, width, base), width)

    def _part(self, name: str) -> Style:
        style: Style = self.get_component_rich_style(name, partial=True)
        return style

    def _segments(self, row: Row, width: int, base: Style) -> list[Segment]:
        left, title_style = self._left(row)
        right = [(text, style) for text, style in self._right(row) if text]
        room = width - 2
        taken = cells_of(left)
        right_width = cells_of(right)
        space = room - taken - right_width - (1 if right else 0)
        title = row.title if cell_len(row.title) <= space else set_cell_size(row.title, max(0, space - 1)) + "…"
        title = set_cell_size(title, max(0, space))
        parts = [(" ", None), *left, (title, title_style), (" " if right else "", None), *right, (" ", None)]
        # Styles of a line keep the cursor's ground: only foreground and weight come from the parts.
        return [Segment(text, base + style if style else base) for text, style in parts if text]

    def _left(self, row: Row) -> tuple[list[tuple[str, Style | None]], Style]:
        indent = "  " * row.depth
        muted = self._part("checklist--muted")
        if row.kind is RowKind.ITEM and row.state is not None:
            status = self._part(_STATUS[row.state])
            done = row.state.done
            fold = "" if row.folded is None else ("▸ " if row.folded else "▾ ")
            name = "done" if done else {"now": "turn", "later": "later"}.get(row.order, "item")
            title = self._part(f"checklist--{name}")
            if row.order == "later":
                status = title
            return [(indent, None), (fold, muted), (f"{row.state.glyph} ", status)], title
        if row.kind is RowKind.TRIPWIRE:
            return [(indent, None), ("⚑ ", muted)], self._part("checklist--done")
        name = "checklist--phase" if row.kind is RowKind.PHASE else "checklist--section"
        return [(indent, None), ("▸ " if row.folded else "▾ ", muted)], self._part(name)

    def _right(self, row: Row) -> list[tuple[str, Style | None]]:
        muted = self._part("checklist--muted")
        if row.count is not None:
            return self._progress(row, muted)
        if row.aside:
            loud = row.aside.startswith(("tripped", "acknowledged"))
            return [(row.aside, self._part(_STATUS[ItemState.FAILED]) if loud else muted)]
        record, item = row.record, row.item
        if record is None or item is None or row.state is None:
            return []
        tries = f"×{len(record.attempts)} " if len(record.attempts) > 1 else ""
        if row.state is ItemState.TODO:
            if record.awaiting:
                return [(tries, muted), ("answer?", self._part("checklist--asks"))]
            if row.mark:
                return [(f"claimed by {row.mark}", self._part(_STATUS[ItemState.RUNNING]))]
            return [self._ahead(item, muted)]
        status = self._part(_STATUS[row.state])
        late = row.state is ItemState.RUNNING and bool(format.overdue(self._seconds_expected(item), self._seconds(row)))
        time = (self._time(row), self._part(_STATUS[ItemState.OK_WITH_ISSUES]) if late else muted)
        return [(tries, muted), (format.word(row.state), status), time]

    def _ahead(self, item: Item, muted: Style) -> tuple[str, Style | None]:
        """By how much an item is behind its plan, else how long it is expected to take."""
        times = self._times(item)
        if times is not None and times.late >= 60:
            return f"late {format.estimate(times.late // 60 * 60)}", self._part(_STATUS[ItemState.OK_WITH_ISSUES])
        return (f"~{expected}" if (expected := self._expected(item)) else "", muted)

    def _times(self, item: Item) -> Times | None:
        return self._clock.items.get(item.id) if self._clock is not None else None

    def _seconds_expected(self, item: Item) -> float | None:
        """How long an item is expected to take; lines outside of the plan have their author's estimate."""
        times = self._times(item)
        return times.estimate.seconds if times is not None and times.estimate is not None else item.estimate

    def _expected(self, item: Item) -> str:
        seconds = self._seconds_expected(item)
        return format.estimate(max(1.0, seconds)) if seconds else ""

    def _progress(self, row: Row, muted: Style) -> list[tuple[str, Style | None]]:
        count = row.count
        assert count is not None
        complete = count.total > 0 and count.done == count.total
        text = f"{count.done}/{count.total}"
        marks: list[tuple[str, Style | None]] = []
        if count.problems:
            marks.append((f"{ItemState.FAILED.glyph}{count.problems} ", self._part(_STATUS[ItemState.FAILED])))
        if count.running and row.folded:
            marks.append((f"{ItemState.RUNNING.glyph} ", self._part(_STATUS[ItemState.RUNNING])))
        if complete:
            text += f" {ItemState.VERIFIED.glyph}"
        else:
            text += "  "
        if row.mark:
            marks.append((f"{row.mark} ", self._part("checklist--asks")))
        return [*marks, (text, self._part(_STATUS[ItemState.VERIFIED]) if complete else muted)]

    def _seconds(self, row: Row) -> float | None:
        last = row.record.last if row.record else None
        return format.since(last.started, self._now) if last is not None and self._now is not None else None

    def _time(self, row: Row) -> str:
        last = row.record.last if row.record else None
        if last is None:
            return ""
        if last.running:
            seconds = self._seconds(row)
            expected = self._expected(row.item) if row.item is not None else ""
            most = f" of ~{expected}" if expected else ""
            return f" {format.duration(seconds)}{most}" if seconds is not None else ""
        return f" {format.duration(last.duration)}" if last.duration is not None and last.duration >= 1 else ""


def _lateness(clock: Clock) -> tuple[int, ...]:
    """What the late marks say, in minutes, and who is overdue: equal tuples draw equal lines."""
    return tuple(int(times.late // 60) if times.late else -int(times.overdue > 0) for times in clock.items.values())
