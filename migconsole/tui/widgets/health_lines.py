"""Lines that are drawn again only where they changed: what makes a screen that lives by the second cheap.

A line is plain data, so that comparing it with what stands on the screen costs nothing next to drawing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

Line = tuple[tuple[str, str], ...]
"""Texts with their styles, in the notation of theme variables (``bold $danger``). The texts are already safe."""

CURSOR = "cursor:"
"""A line whose first piece has this style (and no text) is drawn as the chosen one."""


def fitted(line: Sequence[tuple[str, str]], width: int) -> Line:
    """A line of exactly ``width`` cells, with an ellipsis where something is missing.

    >>> fitted([("locked", "bold"), (" by 4711", "")], 9)
    (('locked', 'bold'), (' b…', ''))
    """
    out: list[tuple[str, str]] = []
    left = width
    for text, style in line:
        length = cell_len(text)
        if length > left:
            out.append((set_cell_size(text, max(0, left - 1)) + "…" if left > 0 else "", style))
            left = 0
            break
        out.append((text, style))
        left -= length
    return (*out, (" " * left, "")) if left else tuple(out)


class PaintedLines(ScrollView):
    """Draws ``lines_at`` and, when asked to ``repaint``, only the lines that are not what they were."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"health-lines--cursor"}

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._seen: dict[int, Line] = {}
        self.painted = 0
        """Lines drawn so far: what a test of the cost counts."""

    def lines_at(self, y: int, width: int) -> Line:
        """The line at row ``y`` of the widget, whatever is scrolled there."""
        raise NotImplementedError

    def repaint(self) -> None:
        """Draw what changed."""
        width, height = self._room()
        changed = [
            Region(0, y, width, 1)
            for y in range(height)
            if y not in self._seen or self._seen[y] != self.lines_at(y, width)
        ]
        if changed:
            self.refresh(*changed)

    def _room(self) -> tuple[int, int]:
        region = self.scrollable_content_region
        return region.width, region.height

    def render_line(self, y: int) -> Strip:
        """One row of the widget."""
        width, _ = self._room()
        line = self.lines_at(y, width)
        self._seen[y] = line
        self.painted += 1
        base = self.rich_style
        chosen = bool(line) and line[0] == ("", CURSOR)
        if chosen:
            base += self.get_component_rich_style("health-lines--cursor", partial=True)
            line = line[1:]
        parse = self.app.stylesheet.parse_style
        segments = [Segment(text, base + parse(style).rich_style if style else base) for text, style in line if text]
        return Strip(segments).adjust_cell_length(width, base)

    def on_resize(self) -> None:
        """Everything stands elsewhere."""
        self._seen.clear()
        self.refresh()
