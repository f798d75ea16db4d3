"""The command palette over the registry. A command that cannot be used is listed with its reason."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape

from migconsole.domain.text import sanitise_line
from migconsole.tui.commands import UiCommand, in_scope, label, removed, verdict

if TYPE_CHECKING:
    from migconsole.tui.app import MigconsoleApp


class RegistryProvider(Provider):
    """Every command of the screen below, and every theme."""

    def _entries(self) -> list[tuple[str, str, UiCommand | None, str]]:
        app = cast("MigconsoleApp", self.app)
        context = app.context()
        entries: list[tuple[str, str, UiCommand | None, str]] = []
        for command in in_scope(context):
            if removed(command, context) or command.group == "Move" or command.id == "palette":
                continue
            judged = verdict(command, context)
            keys = " ".join(label(key) for key in command.keys)
            about = command.help if judged.allowed else f"not now: {sanitise_line(judged.reason)}"
            entries.append((f"{command.title[0].upper()}{command.title[1:]}", f"{keys}   {about}", command, ""))
        entries += [(f"Theme: {title}", "colours", None, name) for name, title in app.theme_titles().items()]
        return entries

    def _call(self, command: UiCommand | None, theme: str) -> Callable[[], Any]:
        app = cast("MigconsoleApp", self.app)
        if command is None:
            return partial(app.use_theme, theme)
        return partial(app.action_command, command.id)

    async def discover(self) -> Hits:
        """Everything, in registry order."""
        for title, about, command, theme in self._entries():
            yield DiscoveryHit(Content(title), self._call(command, theme), text=title, help=escape(about))

    async def search(self, query: str) -> Hits:
        """What matches, best first."""
        matcher = self.matcher(query)
        for title, about, command, theme in self._entries():
            score = matcher.match(title)
            if score > 0:
                # The palette reads help as markup; a reason may hold anything.
                shown = matcher.highlight(escape(title))
                yield Hit(score, shown, self._call(command, theme), text=title, help=escape(about))
