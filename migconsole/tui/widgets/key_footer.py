"""The footer: at most ten keys that matter here; a key that cannot be used now is dimmed, help says why."""

from __future__ import annotations

from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from migconsole.tui.commands import Context, label
from migconsole.tui.footer import LAST, Key, keys
from migconsole.tui.lines import Part


class KeyFooter(Widget):
    """Made from the registry for the present context."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys: list[Key] = []
        self._places: list[tuple[int, int, str]] = []

    def show(self, context: Context) -> None:
        """Draw the keys of a context."""
        chosen = keys(context)
        if chosen != self._keys:
            self._keys = chosen
            self.refresh()

    def render(self) -> RenderResult:
        """The row, with the click places remembered."""
        texts: list[tuple[str, str]] = [(" ", "")]
        self._places = []
        at = 1
        pieces, gap = self._fitting(self.content_size.width - 2)
        for key, piece in pieces:
            self._places.append((at, at + piece.width, key.command.id))
            texts += [*piece.texts, (" " * gap, "")]
            at += piece.width + gap
        return Content.assemble(*texts)

    def _fitting(self, width: int) -> tuple[list[tuple[Key, Part]], int]:
        """The keys that fit and the gap between them: gaps shrink, then what cannot be used goes; the ways out stay."""
        pieces = [
            (
                key,
                Part(
                    (
                        (f"{label(key.command.keys[0])} ", "bold $accent" if key.allowed else "$line"),
                        (key.caption, "" if key.allowed else "$line"),
                    )
                ),
            )
            for key in self._keys
        ]
        leaving = sorted(self._keys, key=lambda key: (key.command.id not in LAST, not key.allowed, key.place))
        while len(pieces) > 1:
            for gap in (3, 2):
                if sum(piece.width + gap for _, piece in pieces) - gap <= width:
                    return pieces, gap
            goes = leaving.pop()
            pieces = [(key, piece) for key, piece in pieces if key is not goes]
        return pieces, 2

    async def on_click(self, event: events.Click) -> None:
        """A click is the key."""
        for start, end, command in self._places:
            if start <= event.x < end:
                await self.app.run_action(f"app.command('{command}')")
