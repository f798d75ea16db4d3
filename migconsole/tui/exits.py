"""The ways out that are asked about: leaving, ctrl+c, stopping what runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from textual.app import App
from textual.screen import Screen
from textual.widgets import Input

from migconsole.domain.text import sanitise
from migconsole.engine.session import Session
from migconsole.errors import EXIT_OK
from migconsole.tui.commands import Context
from migconsole.tui.format import Clock
from migconsole.tui.operations import Operations
from migconsole.tui.screens.dialogs.leaving import interrupt_dialog, quit_dialog
from migconsole.tui.screens.main import MainScreen

Answer = TypeVar("Answer")


class Exits(App[int]):
    """The half of the application that decides whether it ends."""

    session: Session | None
    clock: Clock
    _opened = False
    fleeting = False
    """Whether what is shown is removed when the console ends, as a demo is."""

    def perform(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run work that outlives a screen."""
        raise NotImplementedError

    async def ask(self, screen: Screen[Answer | None]) -> Answer | None:
        """Show a dialog and wait for its answer."""
        raise NotImplementedError

    def hint(self, text: str, holds: Callable[[], bool] | None = None) -> None:
        """Say something in the status row, for as long as it ``holds``."""
        raise NotImplementedError

    def alert(self, text: str, *, grave: bool = True) -> None:
        """The same so that nobody overlooks it."""
        raise NotImplementedError

    def toast(self, text: str, severity: Any = "information") -> None:
        """Say something that passes."""
        raise NotImplementedError

    async def action_quit(self) -> None:
        """Everything that wants to quit comes here and is asked."""
        self.command_quit()

    def command_quit(self) -> None:
        """Ask, unless there is nothing to ask about."""
        if self.session is None or not self._opened:
            self.exit(EXIT_OK)
        elif not any(screen.has_class("leaving") for screen in self.screen_stack):
            self.perform(self._ask_to_leave(self.session))

    async def _ask_to_leave(self, session: Session) -> None:
        dialog = quit_dialog(session, self.clock, fleeting=self.fleeting)
        dialog.add_class("leaving")
        answer = await self.ask(dialog)
        if answer == "leave":
            self.exit(EXIT_OK)
        elif answer == "stop":
            await self._stop_running(session)
            if not any(session.run.running()):
                self.exit(EXIT_OK)

    async def _stop_running(self, session: Session) -> None:
        main = next(s for s in self.screen_stack if isinstance(s, MainScreen))
        for attempt in list(session.run.running()):
            item = session.located(attempt.item).item
            await Operations(self, main).cancel(Context(session=session, item=item))

    def command_interrupt(self) -> None:
        """ctrl+c: copy a selection, else ask what to do about what runs. Never kills."""
        focused = self.focused
        selected = self.screen.get_selected_text()
        if isinstance(focused, Input) and focused.selected_text:
            self.copy_to_clipboard(focused.selected_text)
        elif selected and self.session is not None:
            self.copy_to_clipboard(self.session.copy_text(sanitise(selected, 1_000_000)))
            self.toast("Copied.")
        elif self.session is None or not any(self.session.run.running()):
            self.hint("nothing is running; q leaves")
        elif not any(screen.has_class("leaving") for screen in self.screen_stack):
            self.perform(self._ask_what(self.session))

    async def _ask_what(self, session: Session) -> None:
        dialog = interrupt_dialog(session, self.clock, fleeting=self.fleeting)
        dialog.add_class("leaving")
        answer = await self.ask(dialog)
        main = next(s for s in self.screen_stack if isinstance(s, MainScreen))
        if answer == "leave":
            self.exit(EXIT_OK)
        elif answer == "cancel":
            await self._stop_running(session)
        elif answer == "hold":
            await Operations(self, main).hold(main.context())

    @property
    def suspendable(self) -> bool:
        """Whether the terminal can be given to a command."""
        return self._driver is not None and self._driver.can_suspend
