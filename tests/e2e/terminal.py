"""What a terminal would show and remember of what a program wrote: screens, modes, title, keyboard protocol.

pyte draws; this layer cuts the stream into control sequences first, because pyte prints the rest of every sequence
it does not know, has no alternate screen, and forgets the modes that a console must put back before it leaves.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import pyte

ALTERNATE = frozenset({47, 1047, 1049})
MOUSE = frozenset({9, 1000, 1001, 1002, 1003, 1005, 1006, 1015, 1016})
CURSOR, FOCUS, PASTE, SYNCHRONISED, RESIZE_REPORTS = 25, 1004, 2004, 2026, 2048

_SEQUENCE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: title, clipboard, links, colours
    r"|[PX^_][^\x1b]*\x1b\\"  # DCS, SOS, PM, APC
    r"|[ -/]*[0-OQ-WYZ\\`-~])"
)
_MODE = re.compile(r"\x1b\[\?([0-9;]+)([hl])")
_TITLE = re.compile(r"\x1b\][012];([^\x07\x1b]*)")
_KEYBOARD = re.compile(r"\x1b\[([<>])[0-9;]*u")
_DRAWN = re.compile(r"\x1b(?:\[\??[0-9;]*[@-~]|[78DEHMNOZc=>]|#8|[()][0-9A-Za-z])")
_LONGEST = 1 << 20
"""Characters; a control sequence that is longer was never ended, and what follows it would never be drawn."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text ("" is the right half of a wide character) and colours, as names or six hex digits."""

    text: str
    foreground: str
    background: str
    bold: bool
    underlined: bool


class Terminal:
    """A terminal of 256 colours with an alternate screen. Not thread-safe: whoever feeds it locks it."""

    def __init__(self, rows: int, columns: int) -> None:
        self._primary = pyte.HistoryScreen(columns, rows, history=10_000)
        # Without a history it draws three times as fast; a slow one shows late what the console drew in time.
        self._alternate = pyte.Screen(columns, rows)
        self._streams = {id(screen): pyte.Stream(screen) for screen in (self._primary, self._alternate)}
        self._screen: pyte.Screen = self._primary
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._frame: list[str] | None = None
        self.modes: dict[int, bool] = {CURSOR: True}
        self.titles: list[str] = []
        self.keyboard = 0
        """How many keyboard protocols were pushed and not popped."""

    # -- what was written -----------------------------------------------------------------------------------------

    def feed(self, data: bytes) -> bytes:
        """Take what the program wrote; returns what a terminal would answer."""
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        answers = []
        at = 0
        while at < len(text):
            escape = text.find("\x1b", at)
            if escape < 0:
                self._draw(text[at:])
                break
            self._draw(text[at:escape])
            found = _SEQUENCE.match(text, escape)
            if found:
                answers.append(self._obey(found[0]))
                at = found.end()
            elif len(text) - escape > _LONGEST:
                raise ValueError(f"a control sequence that never ends: {text[escape : escape + 40]!r}")
            else:
                self._rest = text[escape:]
                break
        return "".join(answers).encode()

    def _obey(self, sequence: str) -> str:
        if found := _MODE.fullmatch(sequence):
            self._draw_modes([int(mode) for mode in found[1].split(";") if mode], found[2] == "h")
        elif found := _TITLE.match(sequence):
            self.titles.append(found[1])
        elif found := _KEYBOARD.fullmatch(sequence):
            self.keyboard += 1 if found[1] == ">" else -1
        elif sequence == f"\x1b[?{SYNCHRONISED}$p":
            return f"\x1b[?{SYNCHRONISED};2$y"  # supported, so that a frame is seen whole or not at all
        elif _DRAWN.fullmatch(sequence):
            self._draw(sequence)
        return ""

    def _draw_modes(self, modes: list[int], on: bool) -> None:
        for mode in modes:
            self.modes[mode] = on
            if mode == SYNCHRONISED:
                self._end_frame()
                self._frame = [] if on else None
            elif mode in ALTERNATE:
                self._end_frame()
                self._screen = self._alternate if on else self._primary
                if on:
                    self._alternate.reset()
            else:
                self._draw(f"\x1b[?{mode}{'h' if on else 'l'}")

    def _draw(self, text: str) -> None:
        if not text:
            return
        if self._frame is not None:
            self._frame.append(text)
        else:
            self._streams[id(self._screen)].feed(text)

    def _end_frame(self) -> None:
        drawn, self._frame = self._frame, None
        if drawn:
            self._draw("".join(drawn))

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of both screens."""
        for screen in (self._primary, self._alternate):
            screen.resize(rows, columns)

    # -- what is seen ---------------------------------------------------------------------------------------------

    @property
    def alternate(self) -> bool:
        """Whether the alternate screen is shown."""
        return self._screen is self._alternate

    def lines(self) -> list[str]:
        """The rows from the top, without blanks at their right ends."""
        columns = range(self._screen.columns)
        rows = (self._screen.buffer[row] for row in range(self._screen.lines))
        return ["".join([line[column].data for column in columns]).rstrip() for line in rows]

    def history(self) -> list[str]:
        """Rows that have left the primary screen at its top, oldest first, then its rows."""
        gone = self._primary.history.top
        rows = ["".join(line[column].data for column in range(self._primary.columns)).rstrip() for line in gone]
        return [*rows, *(line.rstrip() for line in self._primary.display)]

    def row(self, row: int) -> list[Cell]:
        """The cells of one row, counted from 0; a wide character is followed by an empty cell."""
        line = self._screen.buffer[row]
        return [_cell(line[column]) for column in range(self._screen.columns)]

    def unrestored(self) -> list[str]:
        """What a program that has ended left behind in the terminal."""
        on = {mode for mode, is_on in self.modes.items() if is_on}
        problems = [
            ("the alternate screen is still shown", self.alternate or bool(on & ALTERNATE)),
            (f"mouse reports are still on: {sorted(on & MOUSE)}", bool(on & MOUSE)),
            ("bracketed paste is still on", PASTE in on),
            ("focus reports are still on", FOCUS in on),
            ("reports of size changes are still on", RESIZE_REPORTS in on),
            ("a frame was begun and not ended", SYNCHRONISED in on),
            ("the cursor is still hidden", CURSOR not in on),
            (f"{self.keyboard} keyboard protocols were not popped", self.keyboard > 0),
            (f"the terminal's title was changed to {self.titles[-1:]}", bool(self.titles)),
        ]
        return [problem for problem, present in problems if present]


def _cell(char: pyte.screens.Char) -> Cell:
    front, back = (char.bg, char.fg) if char.reverse else (char.fg, char.bg)
    return Cell(char.data, front, back, char.bold, char.underscore)
