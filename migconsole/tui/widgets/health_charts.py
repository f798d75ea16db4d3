"""Values over time with their limits as bands, and the steps of the run on the same axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.geometry import Size

from migconsole.tui.widgets.health_lines import Line, PaintedLines, fitted

Values = Sequence[tuple[float, float | None]]

_BARS = " ▁▂▃▄▅▆▇█"
_HOLD = 25.0
"""Seconds for which a value stands where no later one is known: two and a half of the pulse's longest intervals."""

LABEL = 23
"""Cells beside a chart for its name, value and quality."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One value. ``values`` are (Unix time, value), None a gap. ``top`` is the end of the scale, None: by the values.

    ``warn`` and ``critical`` are limits, ``falling`` says that small is bad. ``state`` says age and quality.
    """

    title: str
    value: str
    values: Values
    state: str = ""
    style: str = ""
    state_style: str = "$muted"
    limits: str = ""
    low: float = 0.0
    top: float | None = None
    warn: float | None = None
    critical: float | None = None
    falling: bool = False

    def level(self, value: float) -> str:
        """The style of a value by the limits."""
        for limit, style in ((self.critical, "$danger"), (self.warn, "$caution")):
            if limit is not None and (value <= limit if self.falling else value >= limit):
                return style
        return "$primary"

    def scale(self, shown: Sequence[float | None]) -> float:
        """The value at the top of the chart; limits that are near are in the picture."""
        if self.top is not None:
            return self.top
        highest = max((value for value in shown if value is not None), default=0.0)
        for limit in (self.warn, self.critical):
            if limit is not None and 0 < limit <= 3 * highest:
                highest = max(highest, limit * 1.1)
        return rounded(highest)


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened at Unix time ``at``: a glyph on the axis, and words."""

    at: float
    glyph: str
    text: str
    style: str = "$accent"


def rounded(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten, so that a scale does not move with every value.

    >>> rounded(34), rounded(0.7), rounded(0)
    (50.0, 1.0, 1.0)
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 2, 5, 10) if value <= step * power * 1.0000001), 10 * power)


def buckets(values: Values, end: float, window: float, cells: int, worst: bool = False) -> list[float | None]:
    """The values as ``cells`` columns up to Unix time ``end``: the highest of each column (the lowest for ``worst``).

    Columns begin at multiples of their length, so that a picture moves on whole columns. A value stands until the next
    one, not over a gap, and not for longer than it can be believed.

    >>> buckets([(0, 1), (1, 3), (4, 2)], 5.5, 6, 6)
    [1, 3, 3, 3, 2, 2]
    >>> buckets([(0, 1), (1, 3), (2, None), (4, 2)], 5.5, 6, 6)
    [1, 3, None, None, 2, 2]
    """
    if cells <= 0:
        return []
    length = window / cells
    first = math.floor(end / length) - cells + 1
    found: list[float | None] = [None] * cells
    carried: tuple[float, float] | None = None
    filled = 0
    for at, value in values:
        index = math.floor(at / length) - first
        while filled < min(index, cells):
            if carried is not None and found[filled] is None:
                found[filled] = carried[1]
            filled += 1
        carried = None if value is None else (at, value)
        if value is not None and 0 <= index < cells:
            before = found[index]
            found[index] = value if before is None else min(before, value) if worst else max(before, value)
    while filled < cells and carried is not None and (first + filled) * length <= min(end, carried[0] + _HOLD):
        if found[filled] is None:
            found[filled] = carried[1]
        filled += 1
    return found


class HealthCharts(PaintedLines, can_focus=True):
    """Charts side by side where there is room, one line each where there is not; the axis with markers below."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.charts: tuple[Chart, ...] = ()
        self.head: tuple[Line, ...] = ()
        self.markers: tuple[Marker, ...] = ()
        self.end = self.window = 1.0
        self._lines: list[Line] = []

    def show(
        self, charts: Sequence[Chart], markers: Sequence[Marker], head: Sequence[Line], end: float, window: float
    ) -> None:
        """Draw values up to Unix time ``end`` over ``window`` seconds."""
        self.charts, self.markers, self.head = tuple(charts), tuple(markers), tuple(head)
        self.end, self.window = end, window
        self._lay()
        self.repaint()

    def on_resize(self) -> None:
        """Another size is another picture."""
        self._lay()
        super().on_resize()

    def _lay(self) -> None:
        width, height = self._room()
        self._lines = self._picture(width, height) if width and height else []
        size = Size(width, len(self._lines))
        if size != self.virtual_size:
            self.virtual_size = size

    def lines_at(self, y: int, width: int) -> Line:
        """A row of the picture, scrolled."""
        at = y + self.scroll_offset.y
        return self._lines[at] if at < len(self._lines) else fitted([], width)

    def _picture(self, width: int, height: int) -> list[Line]:
        below = self._below(width, height)
        across = 3 if width >= 190 else 2 if width >= 100 else 1
        down = math.ceil(len(self.charts) / across)
        room = height - len(self.head) - len(below)
        tall = max(1, min(6, (room + 1) // down - 1)) if down and across > 1 else 1
        gap = 3
        each = (width - gap * (across - 1)) // across
        lines = [fitted(line, width) for line in self.head]
        for row in range(down):
            group = [self._block(self.charts[i], each, tall) for i in range(row, len(self.charts), down)]
            for line in range(tall):
                pieces: list[tuple[str, str]] = []
                for number, block in enumerate(group):
                    pieces += [(" " * gap, "")] if number else []
                    pieces += block[line]
                lines.append(fitted(pieces, width))
            if tall > 1:
                lines.append(fitted([], width))
        return lines + below

    def _block(self, chart: Chart, width: int, tall: int) -> list[Line]:
        if tall == 1:
            value = chart.value[:12]
            label = [(f" {chart.title:<16.16} ", "$muted"), (f"{value:>12} ", chart.style or "bold")]
            state = f" {chart.state}"[:18]
            cells = max(0, width - 31 - 18)
            bars = self._bars(chart, cells, 1)[0]
            return [fitted([*label, *bars, (state, chart.state_style)], width)]
        labels: list[tuple[str, str]] = [(chart.title, "$muted"), (chart.value, chart.style or "bold")]
        if tall == 2:
            # A number without its last digits would be another number: the title gives way.
            room = max(0, LABEL - 2 - cell_len(chart.value))
            title = chart.title if len(chart.title) <= room else f"{chart.title[: max(0, room - 1)]}…"
            labels = [(f"{title:<{room}} {chart.value}", "bold"), (chart.state, chart.state_style)]
        else:
            labels += [(chart.state, chart.state_style), (chart.limits, "$muted"), *[("", "")] * tall]
        bars_at = self._bars(chart, max(0, width - LABEL), tall)
        return [(*fitted([(" ", ""), labels[line]], LABEL), *bars_at[line]) for line in range(tall)]

    def _bars(self, chart: Chart, cells: int, tall: int) -> list[Line]:
        shown = buckets(chart.values, self.end, self.window, cells, chart.falling)
        top, low = chart.scale(shown), chart.low
        marked = {at for marker in self.markers if (at := self.place(marker.at, cells)) is not None}
        lines: list[Line] = []
        for line in range(tall):
            floor = tall - 1 - line
            band = self._band(chart, low + (top - low) * (floor + 0.5) / tall) if tall > 1 else ""
            pieces: list[list[str]] = []
            for cell, value in enumerate(shown):
                text, style = _cell(chart, value, low, top, tall, floor)
                if text == " " and cell in marked:
                    text, style = "│", "$line"
                style = f"{style} {band}".strip()
                if pieces and pieces[-1][1] == style:
                    pieces[-1][0] += text
                else:
                    pieces.append([text, style])
            lines.append(tuple((text, style) for text, style in pieces))
        return lines

    def _band(self, chart: Chart, value: float) -> str:
        return {"$danger": "on $error-muted", "$caution": "on $warning-muted"}.get(chart.level(value), "on $panel")

    def place(self, at: float, cells: int) -> int | None:
        """The column of a moment, None when it is not in the picture."""
        if cells <= 0:
            return None
        length = self.window / cells
        column = math.floor(at / length) - (math.floor(self.end / length) - cells + 1)
        return column if 0 <= column < cells else None

    def _below(self, width: int, height: int) -> list[Line]:
        shown = [marker for marker in self.markers if self.end - self.window <= marker.at <= self.end]
        most = 1 if height < 22 else 2 if height < 34 else 4
        if not shown:
            return []
        return [
            fitted([(f" {marker.glyph} ", marker.style), (marker.text, "$muted")], width) for marker in shown[-most:]
        ]


def _cell(chart: Chart, value: float | None, low: float, top: float, tall: int, floor: int) -> tuple[str, str]:
    if value is None:
        return " ", ""
    share = (value - low) / (top - low) if top > low else 0.0
    # Zero is a value: it leaves a line at the bottom, a gap leaves nothing.
    eighths = max(1, min(tall * 8, round(share * tall * 8)))
    return _BARS[max(0, min(8, eighths - floor * 8))], chart.level(value)
