"""Text from outside made safe to draw: what a terminal would obey is removed, what it would hide is shown.

Everything that files, commands and servers say is hostile until it went through here: a raw escape sequence in a
title, a result or a toast reaches the operator's terminal and changes its title, its clipboard or its modes.
``sanitise`` is for text that is drawn plain; ``clean_line`` is for a line of command output, where colours stay.
Neither knows console markup: the result must be drawn with markup switched off.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

LIMIT = 8_000
"""Characters that ``sanitise`` keeps unless told otherwise: more than a screen, less than a hazard."""

TAB = 8
"""Columns between tab stops, as terminals have them."""

REWIND_WINDOW = 4_096
"""Characters of a line that overwrites itself which are replayed; what came before them was overwritten long ago."""

# A string sequence (OSC, DCS, SOS, PM, APC) ends at ST or BEL. One that never ends takes the rest of its line with it,
# as in a terminal, but leaves a mark; it must not take later lines, or a program could hide them.
_STRING = r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*"
_ENDED = _STRING + r"(?:\x07|\x1b\\|\x9c)"
_CSI = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*"
_SHORT = r"\x1b[ -/]+[0-~]|\x1b[0-OQ-WYZ\\`-~]"
_ESCAPE = f"{_ENDED}|{_CSI}[@-~]|{_SHORT}"
_BROKEN = f"{_STRING}|{_CSI}|\\x1b"
_ESCAPES = re.compile(f"(?P<whole>{_ESCAPE})|(?P<broken>{_BROKEN})")
_BROKEN_MARK = "␛"

_DROPPED = "\u00ad\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef"  # shape other characters; alone they mean nothing
_SHOWN = (  # invisible, or reorder what is read: in a statement under review they decide what it says
    "\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
)
_UNSAFE = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff{_DROPPED}{_SHOWN}]")
_UNSAFE_BUT_NEWLINE = re.compile(f"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff{_DROPPED}{_SHOWN}]")
_IS_DROPPED = re.compile(f"[{_DROPPED}]")
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_PILE = re.compile(f"([{_MARKS}]{{4}})[{_MARKS}]+")  # no script needs more than four marks on one letter


def sanitise(text: str | bytes, limit: int = LIMIT) -> str:
    r"""``text`` as it may be drawn: newlines stay, tabs are expanded, nothing in it can command a terminal.

    Whole escape sequences vanish, broken ones become ``␛``, other control characters their pictures, invisible and
    reordering characters their code points; invalid UTF-8, C1 and lone surrogates become U+FFFD. Longer than ``limit``
    characters it is cut, and says so.

    >>> sanitise("\x1b]0;owned\x07ERROR:\x1b[31m no\x00")
    'ERROR: no␀'
    >>> sanitise("abcdef", limit=4)
    'abcd… (cut, 2 characters more)'
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    clean = text[:limit]
    if not (clean.isascii() and clean.isprintable()):
        clean = _ESCAPES.sub(_escape_mark, clean.replace("\r\n", "\n"))
        clean = _tame(clean.expandtabs(TAB), _UNSAFE_BUT_NEWLINE)
    more = max(0, len(text) - limit) + max(0, len(clean) - limit)
    return f"{clean[:limit]}… (cut, {more:,} characters more)" if more else clean


def sanitise_line(text: str | bytes, limit: int = 300) -> str:
    r"""``sanitise`` for a place that has one row: line breaks become a space each, runs of blanks one.

    >>> sanitise_line("no\r\n  such table")
    'no such table'
    """
    return " ".join(sanitise(text, limit).split())


def _tame(text: str, unsafe: re.Pattern[str]) -> str:
    return _PILE.sub(r"\1", unsafe.sub(_visible, text))


def _escape_mark(match: re.Match[str]) -> str:
    return "" if match["whole"] is not None else _BROKEN_MARK


@lru_cache(maxsize=1024)
def _picture(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if code < 0xA0 or 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    if _IS_DROPPED.match(char):
        return ""
    return f"‹U+{code:04X}›"


def _visible(match: re.Match[str]) -> str:
    return _picture(match[0])


Colour = int | tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """How a span looks: ``fg`` and ``bg`` are None (the theme's), a palette index 0–255, or red, green, blue."""

    fg: Colour | None = None
    bg: Colour | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False
    reverse: bool = False


PLAIN = Look()
Span = tuple[str, Look]


def clean_line(raw: bytes) -> tuple[Span, ...]:
    r"""One line of command output as spans of safe text, each with its look; adjacent spans differ in look.

    Colours and emphasis (SGR) are kept, blinking and concealment are not. Carriage return, backspace, erase-in-line
    and horizontal motion act as in a terminal, so a progress bar shows its last state; tabs are expanded. The rest is
    treated as ``sanitise`` treats it. Each line begins plain: a line is shown alone, without all that came before it.

    >>> plain_text(clean_line(b"10 %\r20 %\x1b]0;owned\x07\r\n"))
    '20 %'
    """
    raw = raw.rstrip(b"\r\n")
    if not _SPECIAL_BYTES.search(raw):
        return ((raw.decode("ascii"), PLAIN),) if raw else ()
    text = raw.decode("utf-8", "replace")
    if _REWINDS.search(text):
        return _replayed(text[text.find("\r", len(text) - REWIND_WINDOW) + 1 :] if len(text) > REWIND_WINDOW else text)
    return _flowed(text)


def plain_text(spans: tuple[Span, ...]) -> str:
    """The text of a cleaned line without its looks."""
    return "".join(text for text, _ in spans)


_SPECIAL_BYTES = re.compile(rb"[^\x20-\x7e]")
_REWINDS = re.compile("[\r\b]|(?:\x1b\\[|\x9b)[0-9;]*[KGCD]")
_TOKEN = re.compile(
    rf"(?:\x1b\[|\x9b)(?P<arguments>[0-9;:]*)(?P<final>[mKGCD])|(?P<rewind>[\r\b])"
    rf"|(?P<whole>{_ESCAPE})|(?P<broken>{_BROKEN})"
)
_LAST_COLUMN = 4_096  # no motion goes further right, whatever number it names


def _pieces(text: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Runs of safe text (tabs still in them), each with the sequence that follows it."""
    end = 0
    for match in _TOKEN.finditer(text):
        broken = match["broken"] is not None
        yield _tame_run(text[end : match.start()]) + (_BROKEN_MARK if broken else ""), match
        end = match.end()
    yield _tame_run(text[end:]), None


def _tame_run(run: str) -> str:
    if run.isascii() and run.isprintable():
        return run
    return "\t".join(_tame(part, _UNSAFE) for part in run.split("\t"))


def _flowed(text: str) -> tuple[Span, ...]:
    """A line in which nothing goes back."""
    look, column, tabs = PLAIN, 0, "\t" in text
    spans: list[Span] = []
    for run, match in _pieces(text):
        if run:
            if tabs:
                run, column = _expand(run, column)
            if spans and spans[-1][1] == look:
                spans[-1] = (spans[-1][0] + run, look)
            else:
                spans.append((run, look))
        if match is not None and match["final"] == "m":
            look = _restyle(look, match["arguments"])
    return tuple(spans)


def _expand(run: str, column: int) -> tuple[str, int]:
    parts = []
    for number, part in enumerate(run.split("\t")):
        if number:
            gap = TAB - column % TAB
            parts.append(" " * gap)
            column += gap
        parts.append(part)
        column += len(part) if part.isascii() else sum(map(_columns, part))
    return "".join(parts), column


def _replayed(text: str) -> tuple[Span, ...]:
    """A line that overwrites itself, played into a row of cells."""
    row, look = _Row(), PLAIN
    for run, match in _pieces(text):
        if run:
            row.put(run, look)
        if match is None:
            break
        final = match["final"]
        if match["rewind"]:
            row.column = 0 if match["rewind"] == "\r" else max(0, row.column - 1)
        elif final == "m":
            look = _restyle(look, match["arguments"])
        elif final is not None:
            argument = match["arguments"].partition(";")[0]
            row.move(final, int(argument[:5]) if argument.isdecimal() else 0)
    return row.spans()


class _Row:
    """Cells of one line; a wide character is followed by an empty cell."""

    def __init__(self) -> None:
        self.column = 0
        self._text: list[str] = []
        self._looks: list[Look] = []

    def put(self, run: str, look: Look) -> None:
        for number, part in enumerate(run.split("\t")):
            if number:
                self.column = min(_LAST_COLUMN, self.column + TAB - self.column % TAB)
            if part:
                self._write(list(part) if part.isascii() else _cells(part), look)

    def _write(self, cells: list[str], look: Look) -> None:
        start, end = self.column, self.column + len(cells)
        self._pad(start)
        if start < len(self._text) and self._text[start] == "" and start:
            self._text[start - 1] = " "
        if end < len(self._text) and self._text[end] == "":
            self._text[end] = " "
        self._text[start:end] = cells
        self._looks[start:end] = [look] * len(cells)
        self.column = end

    def _pad(self, length: int) -> None:
        missing = length - len(self._text)
        if missing > 0:
            self._text.extend(" " * missing)
            self._looks.extend([PLAIN] * missing)

    def move(self, final: str, argument: int) -> None:
        if final == "K":
            if argument == 1:
                reach = min(self.column + 1, len(self._text))
                self._text[:reach] = " " * reach
                self._looks[:reach] = [PLAIN] * reach
            elif argument in (0, 2):
                kept = self.column if argument == 0 else 0
                del self._text[kept:], self._looks[kept:]
            return
        step = max(1, argument)
        goal = {"G": step - 1, "C": self.column + step, "D": self.column - step}[final]
        self.column = min(max(goal, 0), _LAST_COLUMN)

    def spans(self) -> tuple[Span, ...]:
        return tuple(
            ("".join(cell for cell, _ in group), look)
            for look, group in groupby(zip(self._text, self._looks, strict=True), key=itemgetter(1))
        )


def _cells(text: str) -> list[str]:
    """One entry per column: marks join the character before them, wide characters get an empty second entry."""
    cells: list[str] = []
    for char in text:
        width = _columns(char)
        if width == 0 and cells:
            cells[-1 if cells[-1] else -2] += char
        else:
            cells.append(char if width else " " + char)
            if width == 2:
                cells.append("")
    return cells


@lru_cache(maxsize=4096)
def _columns(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


_SWITCHES: dict[int, tuple[tuple[str, bool], ...]] = {
    1: (("bold", True),),
    2: (("dim", True),),
    3: (("italic", True),),
    4: (("underline", True),),
    7: (("reverse", True),),
    9: (("strike", True),),
    21: (("underline", True),),
    22: (("bold", False), ("dim", False)),
    23: (("italic", False),),
    24: (("underline", False),),
    27: (("reverse", False),),
    29: (("strike", False),),
}


@lru_cache(maxsize=2048)
def _restyle(look: Look, arguments: str) -> Look:
    """``look`` after one SGR sequence; what is not known (blink, conceal, fonts) changes nothing."""
    codes = _codes(arguments[:200])
    position = 0
    while position < len(codes):
        code = codes[position]
        position += 1
        if code == 0:
            look = PLAIN
        elif code in _SWITCHES:
            look = replace(look, **dict(_SWITCHES[code]))
        elif code in (38, 48):
            colour, used = _extended(codes[position : position + 4])
            position += used
            if colour is not None:
                look = replace(look, fg=colour) if code == 38 else replace(look, bg=colour)
        else:
            look = _basic_colour(look, code)
    return look


def _codes(arguments: str) -> list[int]:
    codes: list[int] = []
    for group in arguments.split(";"):
        parts = [int(part[:5]) if part.isdecimal() else 0 for part in group.split(":")]
        if parts[0] not in (38, 48):
            del parts[1:]  # 4:3 is a curly underline: underlined is enough
        elif parts[1:2] == [2] and len(parts) >= 6:
            del parts[2]  # the colour space, which nobody sets
        codes.extend(parts)
    return codes


def _basic_colour(look: Look, code: int) -> Look:
    if 30 <= code <= 37 or 90 <= code <= 97:
        return replace(look, fg=code - 30 if code < 90 else code - 82)
    if 40 <= code <= 47 or 100 <= code <= 107:
        return replace(look, bg=code - 40 if code < 100 else code - 92)
    if code == 39:
        return replace(look, fg=None)
    return replace(look, bg=None) if code == 49 else look


def _extended(rest: list[int]) -> tuple[Colour | None, int]:
    """The colour after a 38 or 48, and how many numbers it took."""
    if rest[:1] == [5] and len(rest) >= 2:
        return (rest[1] if rest[1] <= 255 else None), 2
    if rest[:1] == [2] and len(rest) >= 4:
        red, green, blue = rest[1:4]
        return ((red, green, blue) if max(rest[1:4]) <= 255 else None), 4
    return None, len(rest)
