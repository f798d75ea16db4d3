"""What leaves the output view for the clipboard: cleaned text, whole or not at all."""

from __future__ import annotations

from typing import NamedTuple

from textual.selection import Selection

from migconsole.tui.widgets.output_window import Window

LIMIT = 100_000
"""Bytes: terminals drop longer OSC 52 sequences without a word (xterm's own buffer is about this size)."""


class Copy(NamedTuple):
    """Lines to be copied; ``first`` and ``last`` are line numbers. ``text`` is None when they are too much."""

    text: str | None
    first: int
    last: int

    @property
    def lines(self) -> int:
        """How many lines lie between the first and the last."""
        return self.last - self.first + 1


def selected(window: Window, selection: Selection) -> Copy | None:
    """What a selection covers; a selection that is open at an end reaches to that end of the listing."""
    if window.listing is None or not len(window):
        return None
    start, end = selection
    first = 0 if start is None else window.listing.index(start.y)
    last = len(window) - 1 if end is None else min(window.listing.index(end.y), len(window) - 1)
    if first > last:
        return None
    numbers = window.listing.number(first), window.listing.number(last)
    parts: list[str] = []
    size = 0
    for index in range(first, last + 1):
        line = window.line(index)
        number = window.listing.number(index)
        begin = start.x if start is not None and number == start.y else 0
        stop = end.x if end is not None and number == end.y else None
        parts.append(line.text[begin:stop] + (line.note if stop is None else ""))
        size += len(parts[-1]) + 1
        if size > LIMIT:
            return Copy(None, *numbers)
    text = "\n".join(parts)
    return Copy(text if len(text.encode()) <= LIMIT else None, *numbers)
