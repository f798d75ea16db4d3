"""One-row layouts: what matters stays, what matters less gives way, nothing wraps."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from textual.content import Content

GAP = "  "


def cells_of(texts: Iterable[tuple[str, object]]) -> int:
    """How many cells styled texts take."""
    return sum(cell_len(text) for text, _ in texts)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a row: styled texts that stand or go together. The lowest ``weight`` goes first.

    ``brief`` says the same in fewer cells: it takes the place of a piece whose turn it is to go, with its own weight.
    """

    texts: tuple[tuple[str, str], ...]
    weight: int = 5
    brief: Part | None = None

    @property
    def width(self) -> int:
        """Cells it takes."""
        return cells_of(self.texts)


def part(text: str, style: str = "", weight: int = 5, brief: Part | None = None) -> Part:
    """A piece with one style."""
    return Part(((text, style),), weight, brief)


def spread(left: Sequence[Part], right: Sequence[Part], width: int, gap: str = GAP) -> Content:
    """A row with pieces at both ends. Pieces are shortened and dropped by weight until it fits; the last one is cut.

    >>> spread([part("primary", weight=8)], [part("ARMED, 9 s old", weight=6, brief=part("ARMED", weight=7))], 16).plain
    'primary    ARMED'
    """
    keep_left, keep_right = [p for p in left if p.width], [p for p in right if p.width]
    while len(keep_left) + len(keep_right) > 1 and _total(keep_left, keep_right, gap) > width:
        lowest = min((*keep_left, *keep_right), key=lambda p: p.weight)
        side = keep_right if lowest in keep_right else keep_left
        at = side.index(lowest)
        side[at : at + 1] = [lowest.brief] if lowest.brief else []
    head, tail = _join(keep_left, gap), _join(keep_right, gap)
    room = width - cells_of(tail)
    used = cells_of(head)
    if used > room:
        head = cut(head, room)
        used = room
    return Content.assemble(*head, " " * max(0, room - used), *tail)


def cut(texts: Sequence[tuple[str, str]], width: int) -> list[tuple[str, str]]:
    """Styled texts shortened to ``width`` cells, with an ellipsis where something is missing."""
    out: list[tuple[str, str]] = []
    left = max(0, width)
    for text, style in texts:
        length = cell_len(text)
        if length <= left:
            out.append((text, style))
            left -= length
        else:
            if left:
                out.append((set_cell_size(text, left - 1) + "…", style))
            break
    return out


def hang(label: tuple[str, str], text: str, style: str, width: int, before: int = 0) -> list[tuple[str, str]]:
    """A label and a text beside it whose further rows begin under its first one, ``before`` cells further right.

    >>> hang(("undo  ", "$muted"), "none is known", "", 24)
    [('undo  ', '$muted'), ('none is known', '')]
    """
    indent = cell_len(label[0])
    rows = [
        row
        for line in text.split("\n")
        for row in textwrap.wrap(line, max(16, width - indent), break_on_hyphens=False) or [""]
    ]
    return [label, (("\n" + " " * (before + indent)).join(rows), style)]


def _join(parts: Sequence[Part], gap: str) -> list[tuple[str, str]]:
    texts: list[tuple[str, str]] = []
    for piece in parts:
        if texts:
            texts.append((gap, ""))
        texts.extend(piece.texts)
    return texts


def _total(left: Sequence[Part], right: Sequence[Part], gap: str) -> int:
    pieces = (*left, *right)
    return sum(p.width for p in pieces) + len(gap) * max(0, len(pieces) - 1)
