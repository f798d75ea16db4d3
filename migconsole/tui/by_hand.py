"""What the keys do in instruction mode: hand the command over, and take what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migconsole.domain.checklist import Item
from migconsole.engine.resolve import Confirmation
from migconsole.tui.decisions import Decisions
from migconsole.tui.screens.dialogs.tell import TellDialog

if TYPE_CHECKING:
    from migconsole.tui.commands import Context


class ByHandOperations(Decisions):
    """The part of the operations that executes nothing."""

    async def copy(self, text: str) -> None:
        """To the clipboard and to a file."""
        raise NotImplementedError

    async def by_hand(self, context: Context) -> None:
        """Switch instruction mode."""
        on = self._session.by_hand.switch()
        self._screen.redraw()
        words = "nothing runs here; r copies the command, then takes what came of it" if on else "off: r runs again"
        self._screen.status.hint(f"instruction mode: {words}")

    async def hand_over_command(self, item: Item, alternative: int, confirmation: Confirmation) -> None:
        """Put on record that it is done by hand, copy the command, and ask."""
        attempt = await self._session.by_hand.begin(item.id, alternative, confirmation)
        await self.copy(attempt.text)
        await self.tell(item)

    async def tell(self, item: Item) -> None:
        """Take what came of a command that somebody executes by hand."""
        attempt = self._session.by_hand.open_attempt(item.id)
        if attempt is None:
            return
        told = await self._app.ask(TellDialog(attempt, item.title, self._clock))
        if told is not None:
            ended = await self._session.by_hand.tell(item.id, told)
            self._screen.output.show(item.id, ended.number)
