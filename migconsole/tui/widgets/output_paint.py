"""Rows of output drawn as strips: gutter, time, text with its colours, and what is said about the whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from migconsole.domain.problems import Level
from migconsole.tui.widgets.output_colours import Colours
from migconsole.tui.widgets.output_search import Query
from migconsole.tui.widgets.output_text import Mark
from migconsole.tui.widgets.output_window import Row

GUTTER = 2
TIME = 13


class Painter:
    """Draws for one width and one set of colours."""

    def __init__(self, colours: Colours, width: int) -> None:
        self.colours, self.width = colours, width
        self._blank = Strip([Segment(" " * width, colours.base)], width)
        self._plain_gutter = Segment(" " * GUTTER, colours.base)

    def blank(self) -> Strip:
        """A row past the last line."""
        return self._blank

    def text(self, text: str) -> Strip:
        """A row that is not output: why there is none."""
        return self._fit([Segment(" " * GUTTER + text, self.colours.muted)])

    def bar(self, said: str, call: str) -> Strip:
        """The bottom row of a view that does not follow: what is in sight on the left, what to do on the right."""
        call = f" {call} " if call else ""
        room = self.width - cell_len(call)
        if room < 0:
            return self._fit([Segment(call, self.colours.bar_call)])
        return self._fit(
            [Segment(set_cell_size(" " * GUTTER + said, room), self.colours.bar), Segment(call, self.colours.bar_call)]
        )

    def row(
        self,
        row: Row,
        *,
        stderr: bool,
        current: bool,
        time: str | None,
        marks: Sequence[Mark],
        offsets: bool,
        more: bool,
    ) -> Strip:
        """One row of output. ``time`` None: no such column. ``more``: the line goes on to the right, out of sight.

        ``offsets`` puts into the styles which character is where, which only a mouse needs.
        """
        line = row.line
        begins = row.start == 0 or more or bool(row.pad)
        segments = [self._gutter(line.level if begins else None, stderr=stderr, current=current)]
        if time is not None:
            segments.append(Segment(time.ljust(TIME), self.colours.muted))
        room = self.width - GUTTER - (TIME if time is not None else 0)
        text = line.segments(row.start, row.end, self.colours.style, marks)
        if offsets:
            text = _with_offsets(text, row.start, row.number)
        if row.pad:
            segments.append(Segment(" " * row.pad, self.colours.base))
        segments += text
        if line.note:
            return self._noted(segments, line.note, room)
        if line.simple and not more:
            gap = room - (min(row.end, len(line.text)) - row.start) - row.pad
            if gap:
                segments.append(Segment(" " * gap, self.colours.base))
            return Strip(segments, self.width)
        if more:
            strip = Strip(segments).adjust_cell_length(self.width - 1, self.colours.base)
            return Strip([*strip, Segment("›", self.colours.accent)], self.width)
        return self._fit(segments)

    def _gutter(self, level: Level | None, *, stderr: bool, current: bool) -> Segment:
        if level is None and not stderr and not current:
            return self._plain_gutter
        style: Style = self.colours.stderr
        sign = " "
        if level is not None:
            sign = "✗" if level is Level.ERROR else "!"
            style = self.colours.error if level is Level.ERROR else self.colours.warning
        if current:
            sign, style = "›", style if level is not None else self.colours.accent
        return Segment(sign + ("┃" if stderr else " "), style)

    def _noted(self, segments: list[Segment], note: str, room: int) -> Strip:
        """A line of which a part is not even laid out: the note stands at the right edge, always in sight."""
        short = set_cell_size(note, min(cell_len(note), max(1, room - 10)))
        strip = Strip(segments).adjust_cell_length(self.width - cell_len(short) - 1, self.colours.base)
        return self._fit([*strip, Segment(" ", self.colours.base), Segment(short, self.colours.warning)])

    def _fit(self, segments: list[Segment]) -> Strip:
        return Strip(segments).adjust_cell_length(self.width, self.colours.base)


def match_marks(row: Row, query: Query, style: Style) -> list[Mark]:
    """Where a query matches in a row."""
    return [(start, end, style) for start, end in query.spans(row.line.text, row.start, row.end)]


def clock(at: float | None) -> str:
    """The time of day in UTC with milliseconds.

    >>> clock(0.25)
    '00:00:00.250'
    """
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3]


def _with_offsets(segments: list[Segment], start: int, number: int) -> list[Segment]:
    placed: list[Segment] = []
    for text, style, _ in segments:
        meta = Style.from_meta({"offset": (start, number)})
        placed.append(Segment(text, style + meta if style else meta))
        start += len(text)
    return placed
