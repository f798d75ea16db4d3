"""The health strip: what the watcher reads right now. It only draws; ``migconsole.tui.strip`` makes what it says."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from migconsole.tui import format
from migconsole.tui.lines import Part, part, spread
from migconsole.tui.strip import Strip, Value

_ROWS_FOR_TWO = 2
_HEAD = 10
_WIDE, _LINES = 150, 110
"""Columns from which there is room for long lines, and for any."""


class HealthStrip(Widget, can_focus=True):
    """Values with their age and cost; below them the migration's session, and the alarm that matters most."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._strip = Strip(lost=(("no health is read here", "$muted"),))

    def show(self, strip: Strip) -> None:
        """Draw one look; nothing is drawn where nothing changed."""
        if strip != self._strip:
            self._strip = strip
            self.refresh()

    def render(self) -> RenderResult:
        """One or two rows, by the room there is."""
        width, height = self.content_size
        rows = [self._first(width - 1, alone=height < _ROWS_FOR_TWO)]
        if height >= _ROWS_FOR_TWO:
            rows.append(self._second(width - 1))
        return Content("\n").join([Content(" ") + row for row in rows])

    def _first(self, width: int, *, alone: bool) -> Content:
        strip = self._strip
        head = part("Health", "bold", _HEAD)
        right = [Part(_spaced(strip.monitor), 9 if strip.sampled else 12)] if strip.monitor else []
        if strip.lost:
            # One piece again: why there is nothing is cut where it must be, never left out.
            return spread([Part((("Health  ", "bold"), *strip.lost), 13)], right, width)
        said = [Part(texts, 11) for texts in (strip.alarm or strip.brief,) if texts and alone]
        wide = width >= _WIDE
        bars = {"conn": 4, "tps": 4} if not wide else dict.fromkeys(("conn", "tps", "blocked", "wal"), 10)
        values = [_part(value, bars.get(value.name, 0) if width >= _LINES else 0) for value in strip.values]
        return spread([head, *said, *values], right, width)

    def _second(self, width: int) -> Content:
        strip = self._strip
        # One piece, so that what is said of an alarm is cut where there is no room for all of it, and not left out.
        gap = (("   ", ""),) if strip.migration and strip.alarm else ()
        said = (*strip.migration, *gap, *strip.alarm)
        left = [Part(said, 10)] if said else []
        if strip.sessions and not (strip.migration and strip.alarm):
            left.append(Part(strip.sessions, 4))
        return spread(left, [Part(_spaced(strip.age), 5)] if strip.age else [], width, gap="   ")


def _spaced(texts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return (*texts, (" ", ""))


def _part(value: Value, bars: int) -> Part:
    texts = [(f"{value.name} ", "$muted"), (value.value, value.style or "bold")]
    line = format.sparkline(value.values, bars, value.low, value.top) if bars else ""
    if line.strip():
        texts.append((f" {line}", "$secondary"))
    return Part(tuple(texts), value.weight)
