"""Output lines as pieces of text with classes: colours stay, everything else a terminal would obey is gone."""

from __future__ import annotations

from migconsole.domain.text import Look, clean_line

LONGEST = 2_000
"""Characters of a line that are shown."""


def pieces(line: bytes) -> list[tuple[str, str]]:
    r"""A line as (text, classes); the classes are names of the style sheet, made of nothing that the line says.

    >>> pieces(b"\x1b[31mERROR\x1b[0m: no")
    [('ERROR', 'c1'), (': no', '')]
    """
    found = []
    room = LONGEST
    for text, look in clean_line(line):
        if room <= 0:
            break
        cut = text[:room]
        room -= len(text)
        found.append((cut + ("…" if room < 0 else ""), _classes(look)))
    return found


def _classes(look: Look) -> str:
    names = []
    if isinstance(look.fg, int) and 0 <= look.fg < 16:
        names.append(f"c{look.fg}")
    if isinstance(look.bg, int) and 0 <= look.bg < 16:
        names.append(f"g{look.bg}")
    for name, on in (("b", look.bold), ("d", look.dim), ("i", look.italic), ("u", look.underline), ("s", look.strike)):
        if on:
            names.append(name)
    return " ".join(names)
