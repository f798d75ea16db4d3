"""One line of output as rows of cells: cleaned once, wrapped or cut to the width on demand."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import accumulate, pairwise

from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style

from migconsole.domain.problems import Level, level_of
from migconsole.domain.text import PLAIN, Look, Span, clean_line, plain_text, sanitise_line

Mark = tuple[int, int, Style]
"""A range of characters and the style laid over it."""

_REMEMBERED = 512
"""Cleaned lines kept: some screens of a big terminal."""

_JUDGED = 600
"""Characters at the beginning of a line that tell whether it is a problem."""


class TextLine:
    """A cleaned line: ``text`` is what can be seen, searched and copied; ``note`` says what was left out."""

    __slots__ = ("_edges", "cut", "level", "note", "simple", "spans", "text")

    def __init__(self, raw: bytes, length: int, path: str) -> None:
        self.spans: tuple[Span, ...] = clean_line(raw)
        self.text = plain_text(self.spans)
        self.simple = self.text.isascii()  # one column per character
        self.level: Level | None = level_of(self.text[:_JUDGED].encode())
        self.note = ""
        self.cut = length > len(raw)
        if self.cut:
            did = "overwrote itself, its end is shown" if b"\r" in raw.rstrip(b"\r") else f"cut at {len(raw):,}"
            self.note = f"… {length:,} bytes, {did}; full: {sanitise_line(path)}"
        self._edges: list[int] | None = None

    @property
    def edges(self) -> list[int]:
        """The column at which each character begins, and the one after the last."""
        if self._edges is None:
            self._edges = [0, *accumulate(map(get_character_cell_size, self.text))]
        return self._edges

    @property
    def columns(self) -> int:
        """The width of the whole line in cells."""
        return len(self.text) if self.simple else self.edges[-1]

    def with_note(self) -> TextLine:
        """The line with its note as the last span, for where the whole line is laid out."""
        if self.note:
            self.spans = (*self.spans, (self.note, NOTE))
            self.text += self.note
            self.simple, self.note, self._edges = False, "", None
        return self

    def rows(self, width: int) -> list[tuple[int, int]]:
        """Ranges of characters, one for each row of ``width`` columns; at least one."""
        if self.simple:
            return [(start, start + width) for start in range(0, len(self.text), width)] or [(0, 0)]
        edges, start, rows = self.edges, 0, []
        while start < len(self.text):
            end = max(start + 1, bisect_right(edges, edges[start] + width) - 1)
            rows.append((start, end))
            start = end
        return rows or [(0, 0)]

    def window(self, left: int, width: int) -> tuple[int, int, int]:
        """The characters wholly inside a window of columns, and how many columns are blank before the first."""
        if self.simple:
            return min(left, len(self.text)), min(left + width, len(self.text)), 0
        edges = self.edges
        start = min(len(self.text), bisect_left(edges, left))
        while left and start < len(self.text) and edges[start] == edges[start + 1]:
            start += 1  # a mark of no width belongs to the character that is out of sight
        end = max(start, bisect_right(edges, left + width) - 1)
        return start, end, max(0, edges[start] - left)

    def segments(
        self, start: int, end: int, style: Callable[[Look], Style], marks: Iterable[Mark] = ()
    ) -> list[Segment]:
        """The characters from ``start`` to ``end`` with their looks, and ``marks`` laid over them."""
        if len(self.spans) == 1 and not marks:
            return [Segment(self.text[start:end], style(self.spans[0][1]))] if start < end else []
        pieces: list[Segment] = []
        cuts = sorted({edge for first, last, _ in marks for edge in (first, last) if start < edge < end})
        position = 0
        for text, look in self.spans:
            first, last = max(start, position), min(end, position + len(text))
            if first < last:
                base = style(look)
                borders = [first, *(cut for cut in cuts if first < cut < last), last]
                for begin, stop in pairwise(borders):
                    over = base
                    for low, high, mark in marks:
                        if low <= begin < high:
                            over += mark
                    pieces.append(Segment(text[begin - position : stop - position], over))
            position += len(text)
            if position >= end:
                break
        return pieces


NOTE = Look(dim=True, italic=True)
assert NOTE != PLAIN


class LineStore:
    """Cleaned lines, remembered by content: scrolling and repainting clean nothing twice."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[bytes, int, bool], TextLine] = OrderedDict()

    def get(self, raw: bytes, length: int, path: str, *, noted: bool) -> TextLine:
        """The line for these bytes; ``noted`` puts the note into the text."""
        key = (raw, length, noted)
        line = self._known.get(key)
        if line is None:
            line = TextLine(raw, length, path)
            if noted:
                line.with_note()
            self._known[key] = line
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return line

    def clear(self) -> None:
        """Forget everything, as another file is shown."""
        self._known.clear()
