"""The footer: at most eight keys that matter here; a key that cannot be used now is dimmed, help says why."""

from __future__ import annotations

from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from migconsole.tui.commands import Context, UiCommand, in_scope, label, removed, verdict
from migconsole.tui.lines import Part

MOST = 8

_LAST = ("help", "quit")
"""What stays on the narrowest screen: with these two everything else can be found, or left."""


class KeyFooter(Widget):
    """Made from the registry for the present context."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._entries: list[tuple[UiCommand, bool]] = []
        self._places: list[tuple[int, int, str]] = []

    def show(self, context: Context) -> None:
        """Draw the keys of a context."""
        commands = [c for c in in_scope(context) if c.footer and not removed(c, context)]
        entries = [(command, verdict(command, context).allowed) for command in commands]
        # What can be done comes before what cannot, so that eight places hold the eight most useful keys.
        chosen = sorted(entries, key=lambda entry: (not entry[1], entry[0].footer))[:MOST]
        chosen.sort(key=lambda entry: entry[0].footer)
        if chosen != self._entries:
            self._entries = chosen
            self.refresh()

    def render(self) -> RenderResult:
        """The row, with the click places remembered."""
        texts: list[tuple[str, str]] = [(" ", "")]
        self._places = []
        at = 1
        pieces, gap = self._fitting(self.content_size.width - 2)
        for command, piece in pieces:
            self._places.append((at, at + piece.width, command.id))
            texts += [*piece.texts, (" " * gap, "")]
            at += piece.width + gap
        return Content.assemble(*texts)

    def _fitting(self, width: int) -> tuple[list[tuple[UiCommand, Part]], int]:
        """The keys that fit and the gap between them: gaps shrink, then what cannot be used goes; the ways out stay."""
        pieces = {
            command: Part(
                (
                    (f"{label(command.keys[0])} ", "bold $accent" if allowed else "$line"),
                    (command.title, "" if allowed else "$line"),
                )
            )
            for command, allowed in self._entries
        }
        leaving = sorted(self._entries, key=lambda entry: (entry[0].id in _LAST, entry[1], -entry[0].footer))
        for gap in (3, 2):
            if sum(piece.width + gap for piece in pieces.values()) - gap <= width:
                return list(pieces.items()), gap
        for command, _ in leaving:
            if sum(piece.width + 2 for piece in pieces.values()) - 2 <= width:
                break
            del pieces[command]
        return list(pieces.items()), 2

    async def on_click(self, event: events.Click) -> None:
        """A click is the key."""
        for start, end, command in self._places:
            if start <= event.x < end:
                await self.app.run_action(f"app.command('{command}')")
