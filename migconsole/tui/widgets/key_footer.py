"""The footer: at most eight keys that matter here; a key that cannot be used now is dimmed, help says why."""

from __future__ import annotations

from textual import events
from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from migconsole.tui.commands import Context, UiCommand, in_scope, label, removed, verdict
from migconsole.tui.lines import Part

MOST = 8


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
        at, width = 1, self.content_size.width
        for command, allowed in self._entries:
            key, title = f"{label(command.keys[0])} ", command.title
            piece = Part(((key, "bold $accent" if allowed else "$line"), (title, "" if allowed else "$line")))
            if at + piece.width > width:
                break
            self._places.append((at, at + piece.width, command.id))
            texts += [*piece.texts, ("   ", "")]
            at += piece.width + 3
        return Content.assemble(*texts)

    async def on_click(self, event: events.Click) -> None:
        """A click is the key."""
        for start, end, command in self._places:
            if start <= event.x < end:
                await self.app.run_action(f"app.command('{command}')")
