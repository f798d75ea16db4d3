"""The chosen row in full: exact values, how old they are and whether they can be believed, the whole statement."""

from __future__ import annotations

import math

from rich.cells import cell_len
from textual.geometry import Size

from migconsole.tui.widgets import health_values
from migconsole.tui.widgets.health_lines import Line, PaintedLines, fitted
from migconsole.tui.widgets.health_sheet import Row, Sheet, quality

_NAME, _VALUE = 20, 30

Fact = tuple[str, str, str]
"""Name, value, style."""


def facts(sheet: Sheet, row: Row, now: float) -> list[Fact]:
    """Everything known of a row but its long text; the exact value beside the humanised one."""
    found: list[Fact] = []
    for column in sheet.columns:
        if column.name in ("query", "text", "bar"):
            continue
        if column.name in row.marks:
            found.append((column.title, row.marks[column.name], "$caution"))
        else:
            found.append((column.title, *_value(row.values.get(column.name), column.unit, now)))
    found += [(name, *_value(value, unit, now)) for name, unit, value in row.extra]
    return found


def _value(value: object, unit: str, now: float) -> tuple[str, str]:
    short, raw = health_values.short(value, unit, now), health_values.raw(value, unit)
    if value is None:
        return short, "$muted"
    plain = short.replace(",", "")
    return (short if raw in (plain, short) or unit in ("bool", "text") else f"{short} = {raw}"), ""


def statement(row: Row) -> str:
    """The long text of a row, "" when it has none."""
    value = row.values.get("query")
    return health_values.raw(value, "text").strip() if value else ""


def sources(sheet: Sheet, now: float) -> list[tuple[str, str]]:
    """Each probe with its age, what it cost and its quality."""
    found = []
    for source in sheet.sources:
        reading = sheet.readings.get(source.probe)
        if reading is None:
            found.append((f"{source.probe}: not read yet", "$muted"))
            continue
        good = sheet.good(source.probe, now)
        age = health_values.age(now - reading.at)
        text = f"{source.probe}: {quality(reading)}, {age} old, took {reading.took:.1f} ms"
        found.append((text, "$muted" if good else "$caution"))
    return found


class HealthDetail(PaintedLines):
    """Below or beside the tables, where there is room for it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._sheet: Sheet | None = None
        self._row: Row | None = None
        self._now = 0.0
        self._lines: list[Line] = []

    def show(self, sheet: Sheet | None, row: Row | None, now: float) -> None:
        """Describe a row, or the sheet's sources when none is chosen."""
        self._sheet, self._row, self._now = sheet, row, now
        self._lay()
        self.repaint()

    def on_resize(self) -> None:
        """Wrap anew."""
        self._lay()
        super().on_resize()

    def lines_at(self, y: int, width: int) -> Line:
        """A row of the description."""
        at = y + self.scroll_offset.y
        return self._lines[at] if at < len(self._lines) else fitted([], width)

    def _lay(self) -> None:
        width, _ = self._room()
        self._lines = self._described(width) if width and self._sheet is not None else []
        size = Size(width, len(self._lines))
        if size != self.virtual_size:
            self.virtual_size = size

    def _described(self, width: int) -> list[Line]:
        sheet, row = self._sheet, self._row
        assert sheet is not None
        if row is None:
            lines = [fitted([("─ Detail ", "bold $muted"), ("─" * max(0, width - 9), "$line")], width)]
            lines.append(fitted([(" no row is chosen: j and k choose, enter opens", "$muted")], width))
            return lines + [fitted([(" ", ""), (text, style)], width) for text, style in sources(sheet, self._now)]
        lines = [fitted([("─ Detail ", "bold $muted"), ("─" * max(0, width - 9), "$line")], width)]
        text = statement(row)
        lines += [fitted([(" ", ""), (part, "$foreground")], width) for part in wrapped(text, width - 2, 5)]
        across = max(1, width // (_NAME + _VALUE + 2))
        each = width // across
        known = facts(sheet, row, self._now)
        down = math.ceil(len(known) / across)
        for line in range(down):
            pieces: list[tuple[str, str]] = []
            for name, value, style in known[line::down]:
                pieces += fitted([(f" {name:<{_NAME}.{_NAME}} ", "$muted"), (value.replace("\n", " "), style)], each)
            lines.append(fitted(pieces, width))
        return lines + [fitted([(" ", ""), (words, style)], width) for words, style in sources(sheet, self._now)]


def wrapped(text: str, width: int, most: int) -> list[str]:
    """A text in lines of ``width`` cells, at most so many, the last one marked when there was more.

    >>> wrapped("select a from b", 10, 3)
    ['select a', 'from b']
    """
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split(" "):
            joined = f"{line} {word}" if line else word
            if cell_len(joined) <= width:
                line = joined
                continue
            if line:
                lines.append(line)
            line = word
            while cell_len(line) > max(1, width):
                lines.append(line[: max(1, width)])
                line = line[max(1, width) :]
        lines.append(line)
        if len(lines) > most:
            return [*lines[: most - 1], f"{lines[most - 1]} …"]
    return [line for line in lines if line.strip()]
