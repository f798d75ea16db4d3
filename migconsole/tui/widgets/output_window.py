"""Which rows of which lines are in sight: the window's place in the file and how it moves, wrapped or not."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from migconsole.tui.widgets.output_search import Listing
from migconsole.tui.widgets.output_text import LineStore, TextLine

_AT_HAND = 500
_BAR_UNITS = 4_096


class Row(NamedTuple):
    """One row of the screen: the characters ``start`` to ``end`` of a line, after ``pad`` blank columns.

    ``place`` is where the line stands in the listing, ``number`` its number in the file.
    """

    place: int
    number: int
    line: TextLine
    start: int
    end: int
    pad: int


class Window:
    """``top`` is the first line in sight (its place in the listing) and how many of its rows are above the window."""

    def __init__(self) -> None:
        self.listing: Listing | None = None
        self.store = LineStore()
        self.top = (0, 0)
        self.left = 0
        self.width, self.height = 80, 24
        self.wrap = True
        self._at_hand: dict[int, TextLine] = {}

    def refresh(self) -> None:
        """Read the lines in sight again: the file may have changed. Until then a line is read once."""
        self._at_hand.clear()

    def line(self, index: int) -> TextLine:
        """The cleaned line at a place in the listing."""
        line = self._at_hand.get(index)
        if line is None:
            assert self.listing is not None
            output, number = self.listing.output, self.listing.number(index)
            line = self.store.get(output.line(number), output.length(number), str(output.path), noted=self.wrap)
            if len(self._at_hand) < _AT_HAND:
                self._at_hand[index] = line
        return line

    def __len__(self) -> int:
        return 0 if self.listing is None else len(self.listing)

    @property
    def hidden(self) -> int:
        """How many lines are out of sight."""
        return max(len(self) - self.height, self.top[0])

    @property
    def scale(self) -> float:
        """A scrollbar's units per line: it is not drawn again for a movement that nobody could see."""
        return min(1.0, _BAR_UNITS / max(1, self.hidden))

    def rows(self) -> list[Row]:
        """What is in sight, at most ``height`` rows."""
        if self.listing is None:
            return []
        rows: list[Row] = []
        index, skip = self.top
        last = len(self.listing)
        while len(rows) < self.height and index < last:
            line, number = self.line(index), self.listing.number(index)
            if self.wrap:
                ranges = line.rows(self.width)
                rows.extend(Row(index, number, line, start, end, 0) for start, end in ranges[skip:])
            else:
                rows.append(Row(index, number, line, *line.window(self.left, self.width)))
            index, skip = index + 1, 0
        return rows[: self.height]

    def move(self, rows: int) -> None:
        """Scroll down by some rows, or up when negative; never past either end."""
        index, row = self.top
        if not self.wrap:
            self.top = (min(max(index + rows, 0), max(0, len(self) - self.height)), 0)
            return
        row += rows
        while row < 0 and index > 0:
            index -= 1
            row += self._rows_of(index)
        while rows > 0 and index < len(self) and row >= (here := self._rows_of(index)):
            row -= here
            index += 1
        self.top = min((index, max(0, row)), self.end())

    def end(self) -> tuple[int, int]:
        """The place of the window from which the last row is the bottom one."""
        index, needed = len(self), self.height
        if not self.wrap:
            return max(0, index - needed), 0
        while index > 0:
            index -= 1
            here = self._rows_of(index)
            if here >= needed:
                return index, here - needed
            needed -= here
        return 0, 0

    def clamp(self) -> None:
        """After anything that may have left the window past the end."""
        if self.top[0] >= max(0, len(self) - self.height):
            self.top = min(self.top, self.end())

    def reveal(self, index: int, column: int = 0) -> None:
        """Bring the ``column``-th character of a line into sight, a third down the window if it was not in it."""
        line = self.line(index)
        if self.wrap:
            shown = any(row.place == index and row.start <= column <= row.end for row in self.rows())
            place = bisect_right([start for start, _ in line.rows(self.width)], column) - 1
        else:
            shown, place = self.top[0] <= index < self.top[0] + self.height, 0
            cell = line.edges[min(column, len(line.edges) - 1)]
            if not self.left <= cell < self.left + self.width - 1:
                self.left = max(0, cell - self.width // 2)
        if not shown:
            self.top = (index, place)
            self.move(-(self.height // 3))
            self.clamp()

    def reshape(self, width: int, height: int, *, wrap: bool) -> None:
        """Take a new size or way of wrapping, keeping the first character in sight where it was."""
        index, row = self.top
        first = 0
        if self.wrap and row and index < len(self):
            ranges = self.line(index).rows(self.width)
            first = ranges[min(row, len(ranges) - 1)][0]
        self.refresh()
        self.width, self.height, self.wrap = max(1, width), max(1, height), wrap
        row = 0
        if wrap:
            self.left = 0
            if first:
                row = bisect_right([start for start, _ in self.line(index).rows(self.width)], first) - 1
        self.top = (index, row)
        self.clamp()

    def _rows_of(self, index: int) -> int:
        return len(self.line(index).rows(self.width))
