"""The top of the health screen: who samples and what that costs, the tabs, and the alarm that matters most."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.message import Message

from migconsole.domain.readings import Alarm, Level
from migconsole.domain.text import sanitise_line
from migconsole.engine.ports import WatcherState
from migconsole.tui import format
from migconsole.tui.alarms import ranking
from migconsole.tui.lines import cells_of, cut
from migconsole.tui.widgets import health_values
from migconsole.tui.widgets.health_lines import Line, PaintedLines, fitted

NO_WATCHER = "no watcher runs: nothing new comes (migconsole watch starts one)"


class HealthTabs(PaintedLines):
    """The tabs with their keys; at the right the watcher, its age and its cost."""

    class Wanted(Message):
        """A tab was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, names: Sequence[tuple[str, str]], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = tuple(names)
        self._current = 0
        self._right: tuple[tuple[str, str], ...] = ()
        self._places: list[tuple[int, int, int]] = []

    def show(self, current: int, state: WatcherState, more: Sequence[tuple[str, str]] = ()) -> None:
        """Draw the tabs and what is known of the watcher."""
        self._current = current
        self._right = (*more, *watcher_text(state))
        self.repaint()

    def lines_at(self, y: int, width: int) -> Line:
        """The one row."""
        right = list(self._right)
        # The names and a gap: what is said of the watcher's age gives way to them.
        room = width - 1 - sum(len(name) + 4 for name, _ in self._names)
        if cells_of(right) > room >= cells_of(right[:-1]):
            right = _without_age(right)
        long = cells_of(right) <= room
        pieces: list[tuple[str, str]] = []
        self._places, at = [], 0
        for number, (name, brief) in enumerate(self._names):
            active = number == self._current
            shown = name if long else brief
            first = (f" {number + 1} ", "bold $accent" if active else "$muted")
            second = (f"{shown} " if shown else "", "bold underline" if active else "$muted")
            length = cell_len(first[0]) + cell_len(second[0])
            self._places.append((at, at + length, number))
            pieces += [first, second]
            at += length
        if at + cells_of(right) > width:
            right = _without_age(right)
        room = max(0, width - cells_of(right))
        return (*fitted(pieces, room), *fitted(right, width - room))

    def on_click(self, event: events.Click) -> None:
        """A click is the key."""
        for start, end, number in self._places:
            if start <= event.x < end:
                self.post_message(self.Wanted(number))


def _without_age(right: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return right[:-1] if len(right) > 1 and right[-1][0].startswith(" · ") else right


def watcher_text(state: WatcherState) -> tuple[tuple[str, str], ...]:
    """The watcher in a few words: its cost while it lives, and that it does not when it does not."""
    if not state.alive:
        return (("■ no watcher runs ", "bold $danger"),)
    cost = format.UNKNOWN if state.cost is None else f"{state.cost:.1%}".replace("%", " %")
    age = "" if state.age is None else f" · {health_values.age(state.age)}"
    style = "$caution" if state.problem else "$muted"
    return ((f"mon {cost}", style), (f"{age} ", style))


class HealthAlarms(PaintedLines):
    """The worst alarm that nobody has seen yet, else the worst one; without one what is wrong with the watcher."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.shown: Alarm | None = None
        self._line: list[tuple[str, str]] = []
        self._spare: list[tuple[str, str]] = []

    def show(self, alarms: Sequence[Alarm], state: WatcherState, now: float) -> None:
        """Draw the row."""
        open_ones = ranking(alarms)
        self.shown = open_ones[0] if open_ones else None
        self._spare = []
        self._line = self._alarm(self.shown, len(open_ones) - 1, now) if self.shown else self._calm(state)
        if open_ones and not state.alive:
            self._line = [*self._line[:2], (" (no watcher runs) ", "bold $danger"), *self._line[2:]]
        self.repaint()

    def _calm(self, state: WatcherState) -> list[tuple[str, str]]:
        if not state.alive:
            why = sanitise_line(state.problem)
            return [(f" {NO_WATCHER}", "bold $danger"), (f" · {why}" if why else "", "$caution")]
        if state.problem:
            return [(f" {sanitise_line(state.problem)}", "$caution")]
        return [(" no alarm is open", "$muted")]

    def _alarm(self, alarm: Alarm, more: int, now: float) -> list[tuple[str, str]]:
        critical = alarm.level is Level.CRITICAL
        seen = bool(alarm.acknowledged)
        style = "$danger" if critical else "$caution"
        word = " ■ CRITICAL " if critical else " ▲ WARNING "
        line = [(word, style if seen else f"bold reverse {style}")]
        line.append((f" {sanitise_line(alarm.message, 200)}", style if seen else f"bold {style}"))
        age = (f"  open {format.duration(now - alarm.raised)}", "$muted")
        who = (f" · seen by {sanitise_line(alarm.acknowledged, 30)}" if seen else " · a acknowledges", "$muted")
        line += [age, who]
        if more > 0:
            line.append((f" · {more} more (e)", "$muted"))
        # What gives way where there is no room, in this order: the footer has the key, `e` shows the ages.
        self._spare = [who, age]
        return line

    def lines_at(self, y: int, width: int) -> Line:
        """The one row: whole pieces go, then the message is cut, so that how many more there are stays."""
        line = list(self._line)
        for piece in self._spare:
            if cells_of(line) > width:
                line.remove(piece)
        if self._spare and (over := cells_of(line) - width) > 0:
            text, style = line[1]
            line[1:2] = cut([(text, style)], max(1, cell_len(text) - over))
        return fitted(line, width)
