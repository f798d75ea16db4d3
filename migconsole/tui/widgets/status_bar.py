"""The status row: errors stay until they are acknowledged, hints give way; else it tells what is under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from migconsole.domain.text import sanitise_line
from migconsole.tui.lines import cells_of, cut


class StatusBar(Widget):
    """One row above the footer: the oldest unacknowledged error, else what stays wrong, else a hint."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._errors: list[str] = []
        self._standing = ""
        self._hint = ""
        self._mark = ("", "")
        self._about: tuple[tuple[str, str], ...] = ()
        self._holds: Callable[[], bool] | None = None

    def error(self, text: str) -> None:
        """Keep an error on screen until it is acknowledged."""
        line = sanitise_line(text)
        if line and line not in self._errors:
            self._errors.append(line)
        self.refresh()

    def standing(self, text: str) -> None:
        """What is wrong for as long as it is wrong: acknowledging does not hide it."""
        self._standing = sanitise_line(text)
        self.refresh()

    def hint(self, text: str, holds: Callable[[], bool] | None = None) -> None:
        """Say something that may be overlooked. ``holds`` is asked by ``review`` whether it is still true."""
        self._hint, self._mark, self._holds = sanitise_line(text), ("", ""), holds
        self.refresh()

    def alert(self, text: str, *, grave: bool = True) -> None:
        """Say something that nobody should overlook; it gives way like a hint. ``grave``: something has gone wrong."""
        self.hint(text)
        self._mark = (" ✘ ", "bold $danger") if grave else (" ▲ ", "bold $caution")

    def about(self, texts: Sequence[tuple[str, str]]) -> None:
        """What stands there while there is nothing to say."""
        if tuple(texts) != self._about:
            self._about = tuple(texts)
            self.refresh()

    def review(self) -> None:
        """Drop a hint that is no longer true: why a key did nothing is nothing that lasts."""
        if self._hint and self._holds is not None and not self._holds():
            self.hint("")

    def acknowledge(self) -> bool:
        """Drop the oldest error, or the hint; False when there was nothing to drop."""
        dropped = bool(self._errors or self._hint)
        if self._errors:
            self._errors.pop(0)
        else:
            self.hint("")
        self.refresh()
        return dropped

    @property
    def text(self) -> str:
        """What is shown."""
        return self._errors[0] if self._errors else self._standing or self._hint

    def render(self) -> RenderResult:
        """The row."""
        width = self.content_size.width
        if self._errors:
            more = f"and {len(self._errors) - 1} more · " if len(self._errors) > 1 else ""
            left = ((" ✘ ", "bold reverse $danger"), (f" {self._errors[0]}", "bold $danger"))
            return _row(left, width, (f" {more}esc acknowledges ", "$muted"))
        if self._standing:
            return _row([(" ▲  ", "bold $caution"), (self._standing, "$caution")], width)
        mark, style = self._mark
        if not self._hint:
            return _row([(" ", ""), *self._about], width)
        return _row([(mark or " ", style), (self._hint, style or "$muted")], width)


def _row(left: Sequence[tuple[str, str]], width: int, right: tuple[str, str] = ("", "")) -> Content:
    """A text that is cut at its end, never its mark, and what must stay at the right of it."""
    room = width - cell_len(right[0])
    head = cut(left, room)
    return Content.assemble(*head, " " * (room - cells_of(head)), right)
