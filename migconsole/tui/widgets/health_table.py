"""A table that refreshes every second and costs next to nothing: it keeps the chosen row, the order and the filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message

from migconsole.domain.text import sanitise, sanitise_line
from migconsole.tui.lines import cells_of
from migconsole.tui.widgets import health_values
from migconsole.tui.widgets.health_lines import CURSOR, Line, PaintedLines, fitted
from migconsole.tui.widgets.health_sheet import Column, Row, Sheet, matching, sorted_rows

_FIXED = 2
"""Rows above the first one: the title and the headings."""

_GAP = 2

MOST_COPIED = 100_000
"""Characters of one value that are copied."""


class HealthTable(PaintedLines, can_focus=True):
    """Arrows, j/k, g/G, page keys move; a click on a heading sorts; a second click on a row opens it.

    No row is chosen until somebody chooses one: what is worst stays on top by itself. From then on the cursor stays on
    that row, wherever it moves. ``g`` goes to the top and lets go of it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("j,down", "move(1)", "Down"),
        ("k,up", "move(-1)", "Up"),
        ("g,home", "top", "Top"),
        ("G,end", "move(1000000)", "Bottom"),
        ("pagedown", "page(1)", "Page down"),
        ("pageup", "page(-1)", "Page up"),
    ]

    class Chosen(Message):
        """The cursor is on another row, or on none."""

    class Opened(Message):
        """A row was clicked twice."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.sheet: Sheet | None = None
        self.rows: list[Row] = []
        self.order: tuple[str, bool] | None = None
        self.paused = ""
        self._words: tuple[str, ...] = ()
        self._now = 0.0
        self._key = ""
        self._layout: tuple[int, list[tuple[Column, int]]] = (-1, [])

    # -- what is shown --------------------------------------------------------------------------------------------

    def show(self, sheet: Sheet, now: float) -> None:
        """Draw a sheet as it is at Unix time ``now``. The chosen row keeps its place on the screen."""
        fresh = sheet is not self.sheet
        if self.sheet is None or sheet.columns != self.sheet.columns:
            self._layout = (-1, [])
        self.sheet, self._now = sheet, now
        if fresh:
            self._arrange()
        self.repaint()

    def tick(self, now: float) -> None:
        """Let ages advance."""
        self._now = now
        self.repaint()

    def filter(self, text: str) -> None:
        """Show only rows in which every word occurs."""
        self._words = tuple(text.casefold().split())
        self._arrange()
        self.repaint()

    def sort_by(self, step: int) -> str:
        """Sort by the next column in either direction; returns its title. Numbers begin with the largest."""
        if self.sheet is None or not self.sheet.columns:
            return ""
        names = [column.name for column in self.sheet.columns]
        current = self._order()
        at = names.index(current[0]) if current and current[0] in names else (-1 if step > 0 else 0)
        return self._sort(self.sheet.columns[(at + step) % len(names)])

    def reverse(self) -> None:
        """The other way round."""
        current = self._order()
        if current is not None:
            self.order = (current[0], not current[1])
            self._arrange()
            self.repaint()

    def unsort(self) -> None:
        """Back to the order the table came in."""
        self.order = None
        self._layout = (-1, [])
        self._arrange()
        self.repaint()

    def _sort(self, column: Column) -> str:
        current = self._order()
        falling = column.unit not in health_values.LEFT if not current or current[0] != column.name else not current[1]
        self.order = (column.name, falling)
        self._layout = (-1, [])
        self._arrange()
        self.repaint()
        return column.title

    def _order(self) -> tuple[str, bool] | None:
        return self.order or (self.sheet.sort if self.sheet else None)

    def _arrange(self) -> None:
        """Filter and sort; the chosen row stays chosen, and at its height on the screen where that is possible."""
        before = self.index
        rows = matching(self.sheet.rows, self._words) if self.sheet else []
        order = self._order()
        self.rows = sorted_rows(rows, *order) if order else rows
        height = len(self.rows) + _FIXED
        if self.virtual_size.height != height or self.virtual_size.width != self.size.width:
            self.virtual_size = Size(self.size.width, height)
        after = self.index
        if before is not None and after is not None and before != after:
            visible = self.scroll_offset.y <= before < self.scroll_offset.y + max(1, self.size.height - _FIXED)
            if visible:
                self.scroll_to(y=max(0, self.scroll_offset.y + after - before), animate=False)
        self._last_index = after if after is not None else before

    def on_resize(self) -> None:
        """Another width has other columns."""
        self._layout = (-1, [])
        self.virtual_size = Size(self.size.width, len(self.rows) + _FIXED)
        super().on_resize()

    # -- the chosen row -------------------------------------------------------------------------------------------

    _last_index: int | None = None

    @property
    def index(self) -> int | None:
        """Where the chosen row stands, None when none is chosen or it is gone."""
        if not self._key:
            return None
        return next((number for number, row in enumerate(self.rows) if row.key == self._key), None)

    @property
    def chosen(self) -> Row | None:
        """The chosen row."""
        index = self.index
        return None if index is None else self.rows[index]

    def choose(self, index: int) -> None:
        """Put the cursor on a row."""
        if not self.rows:
            return
        index = max(0, min(len(self.rows) - 1, index))
        self._key = self.rows[index].key
        self._last_index = index
        top, room = self.scroll_offset.y, max(1, self.size.height - _FIXED)
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + room:
            self.scroll_to(y=index - room + 1, animate=False)
        self.repaint()
        self.post_message(self.Chosen())

    def release(self) -> bool:
        """Choose nothing; False when nothing was chosen."""
        had = bool(self._key)
        self._key, self._last_index = "", None
        self.repaint()
        self.post_message(self.Chosen())
        return had

    def action_move(self, step: int) -> None:
        """Move the cursor, or begin with the first row that can be seen."""
        at = self.index
        if at is None and self._key and self._last_index is not None:
            self.choose(self._last_index)
        elif at is None:
            self.choose(self.scroll_offset.y if abs(step) == 1 else self.scroll_offset.y + step)
        else:
            self.choose(at + step)

    def action_page(self, direction: int) -> None:
        """Move by a page."""
        self.action_move(direction * max(1, self.size.height - _FIXED - 1))

    def action_top(self) -> None:
        """The first row; nothing is chosen any more, so that the top stays in view."""
        self.release()
        self.scroll_to(y=0, animate=False)

    def on_click(self, event: events.Click) -> None:
        """A heading sorts, a row is chosen, a chosen row is opened."""
        if event.y == 1 and self.sheet is not None:
            at = 1
            for column, width in self._columns(self._room()[0]):
                if at <= event.x < at + width + _GAP:
                    self._sort(column)
                    return
                at += width + _GAP
        elif event.y >= _FIXED:
            index = self.scroll_offset.y + event.y - _FIXED
            if 0 <= index < len(self.rows):
                again = index == self.index
                self.choose(index)
                if again:
                    self.post_message(self.Opened())

    # -- drawing --------------------------------------------------------------------------------------------------

    def watch_has_focus(self, value: bool) -> None:
        """The title of the table that has the keys is the bright one."""
        super().watch_has_focus(value)
        self._seen.clear()

    def lines_at(self, y: int, width: int) -> Line:
        """Title, headings, rows."""
        if self.sheet is None:
            return fitted([], width)
        if y == 0:
            return self._title(width)
        if y == 1:
            return self._headings(width)
        index = self.scroll_offset.y + y - _FIXED
        if index < len(self.rows):
            return self._row(self.rows[index], width)
        if not self.rows and y == _FIXED:
            return fitted([(f" {self._nothing()}", "$muted")], width)
        return fitted([], width)

    def _nothing(self) -> str:
        assert self.sheet is not None
        if self.sheet.rows:
            return f"none of {len(self.sheet.rows)} rows matches the filter"
        _, words, _ = self.sheet.state(self._now)
        held = f": {self.sheet.held}" if self.sheet.held and words.endswith("not read yet") else ""
        return self.sheet.empty if words == "ok" else words + held

    def _title(self, width: int) -> Line:
        sheet = self.sheet
        assert sheet is not None
        focus = self.has_focus
        rule, name = ("$accent", "bold $accent") if focus else ("$line", "bold $muted")
        shown, total = len(self.rows), len(sheet.rows)
        count = f" ({shown} of {total})" if shown != total else f" ({total})" if total else ""
        left = [("─ ", rule), (sheet.title, name), (count, "$muted")]
        order = self.order
        if order is not None and (column := sheet.column(order[0])):
            left.append((f" · by {column.title} {'▼' if order[1] else '▲'}", "$muted"))
        if self._words:
            left.append((f" · filter {health_values.short(' '.join(self._words), 'text')[:30]}", "$accent"))
        if self.paused:
            left.append((f" · {self.paused}", "bold $caution"))
        for note in sheet.notes:
            left.append((f" · {note}", "$caution"))
        age, words, style = sheet.state(self._now)
        aged = f"{age} ago" if words == "ok" and age else f"{age} old" if age else ""
        tail = " · ".join(part for part in (words if words not in ("ok", "old") else "", aged) if part)
        right = [(f" {tail} ", style), ("─", rule)] if tail else [("─", rule)]
        used, room = cells_of(left), cells_of(right)
        if used + room > width:
            return (*fitted(left, max(0, width - room)), *right) if width > room else fitted(right, width)
        return (*left, (" " + "─" * max(0, width - used - room - 1), rule), *right)

    def _columns(self, width: int) -> list[tuple[Column, int]]:
        """The columns for which there is room; a column that is sorted by is always one of them."""
        if self._layout[0] == width:
            return self._layout[1]
        assert self.sheet is not None
        order = self._order()
        chosen = list(self.sheet.columns)

        def least() -> int:
            return 1 + sum(column.cells + _GAP for column in chosen)

        while len(chosen) > 1 and least() > width:
            going = [column for column in chosen if not order or column.name != order[0]] or chosen
            chosen.remove(min(reversed(going), key=lambda column: column.weight))
        spare, shares = max(0, width - least()), sum(column.grow for column in chosen)
        widths = [column.cells + (spare * column.grow // shares if shares else 0) for column in chosen]
        self._layout = (width, list(zip(chosen, widths, strict=True)))
        return self._layout[1]

    def _headings(self, width: int) -> Line:
        order = self._order()
        pieces: list[tuple[str, str]] = [(" ", "")]
        for column, cells in self._columns(width):
            sorts = order is not None and order[0] == column.name
            arrow = ("▼" if order[1] else "▲") if sorts and order else ""
            title = set_cell_size(column.title, max(0, cells - len(arrow))).rstrip() + arrow
            text = title.ljust(cells) if column.unit in health_values.LEFT else title.rjust(cells)
            pieces.append((text + " " * _GAP, "bold $foreground" if sorts else "$muted"))
        return fitted(pieces, width)

    def _row(self, row: Row, width: int) -> Line:
        pieces: list[tuple[str, str]] = [("", CURSOR)] if row.key == self._key else []
        pieces.append((" ", ""))
        lead = row.lead
        for column, cells in self._columns(width):
            text, style = self._cell(row, column)
            if lead and column.unit == "text":
                text, lead = lead + text, ""
            if cell_len(text) > cells:
                text = set_cell_size(text, cells - 1) + "…"
            space = " " * (cells - cell_len(text))
            text = text + space if column.unit in health_values.LEFT else space + text
            pieces.append((text + " " * _GAP, style))
        return fitted(pieces, width)

    def _cell(self, row: Row, column: Column) -> tuple[str, str]:
        assert self.sheet is not None
        if column.name in row.marks:
            return row.marks[column.name], "$caution"
        good = not column.probe or self.sheet.good(column.probe, self._now)
        value = row.values.get(column.name)
        if value is None and good and column.name in row.values and column.missing:
            return column.missing, "$muted"
        text = row.texts.get(column.name) or health_values.short(value, column.unit, self._now)
        if value is None:
            return text, "$muted"
        if not good:
            return text, "$stale"
        return text, row.styles.get(column.name, row.style)


def chosen_text(sheet: Sheet, row: Row) -> str:
    """A row as text with exact values, to be copied: a name, a tab and a value on each line."""
    pairs = [
        (c.title, row.marks.get(c.name) or health_values.raw(row.values.get(c.name), c.unit)) for c in sheet.columns
    ]
    pairs += [(name, health_values.raw(value, unit)) for name, unit, value in row.extra]
    return "\n".join(f"{sanitise_line(name)}\t{sanitise(value, MOST_COPIED)}" for name, value in pairs)


def first_focusable(tables: Sequence[HealthTable]) -> HealthTable | None:
    """The table with something in it that comes first, else the first."""
    return next((table for table in tables if table.rows), tables[0] if tables else None)
