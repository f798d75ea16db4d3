"""How a run comes onto the screen and leaves it again: opening, resuming, going back to the list of runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from migconsole.domain.occasions import Occasion
from migconsole.domain.text import sanitise_line
from migconsole.engine.session import Session
from migconsole.errors import MigconsoleError
from migconsole.tui.bridge import Bridge
from migconsole.tui.exits import Exits
from migconsole.tui.library import Library
from migconsole.tui.screens.dialogs.leaving import resume_dialog, resumed
from migconsole.tui.screens.health.ports import HealthAccess
from migconsole.tui.screens.main import MainScreen
from migconsole.tui.screens.runs import RunsScreen

GRAVE = frozenset({"failed", "regressed", "alarm", "tripwire"})
"""Occasions that something has gone wrong; the others only want somebody to look up."""

_THEN = {
    "alarm": "D shows the database",
    "tripwire": "X tells more, B rolls back",
    "safe-abort-near": "O is the clock, B rolls back",
}
"""Which key is next after an occasion. What is done about a failure stands in the footer."""


class Openings(Exits):
    """The part of the application that knows which run is open. ``failure`` is why one could not be."""

    library: Library | None
    failure: MigconsoleError | None = None
    health: HealthAccess | None = None
    _bridge: Bridge | None = None

    def trouble(self, error: MigconsoleError) -> None:
        """Say what went wrong."""
        raise NotImplementedError

    def health_of(self, session: Session | None) -> HealthAccess | None:
        """What the health of a run is read with; None where nothing samples it."""
        raise NotImplementedError

    async def forget_health(self) -> None:
        """Stop looking after the watcher of the run that is left; it goes on by itself."""
        health, self.health = self.health, None
        if health is None:
            return
        if health.keeper is not None:
            await health.keeper.close()
        await asyncio.to_thread(health.close)

    async def enter(self, session: Session) -> None:
        """Open a session unless it is, and show it; after an absence, what happened meanwhile."""
        session.clock.use(self.clock.utc)
        if not self._opened and not await self._open(session):
            return
        self.session, self._opened = session, True
        self.health = self.health_of(session)
        if self.health is not None and self.health.keeper is not None:
            self.health.keeper.start()
        screen = MainScreen(session, self.clock, self.health)
        screen.waiting = session.driving and resumed(session)
        await self.push_screen(screen)
        self._bridge = Bridge(self, session, self.clock)
        self.set_window_title(session)
        session.notices.ring(self.ring)
        if screen.waiting:
            answer = await self.ask(resume_dialog(session, self.clock, self.clock.utc()))
            if answer == "go":
                screen.waiting = False
                screen.redraw()

    async def _open(self, session: Session) -> bool:
        try:
            await session.open()
        except MigconsoleError as error:
            await session.close()
            self.session = None
            if isinstance(self.screen, RunsScreen):
                self.trouble(error)
            else:
                self.failure = error
                self.exit(error.exit_code, return_code=error.exit_code)
            return False
        return True

    def set_window_title(self, session: Session) -> None:
        """Name the run in the terminal's title."""
        self.title = f"migconsole · {sanitise_line(session.run.title, 80)}"

    def ring(self, occasion: Occasion) -> None:
        """Make somebody look up: a bell, and a message of the terminal where it knows them (OSC 9)."""
        text = sanitise_line(occasion.text, 160)
        self.bell()
        if self._driver is not None and not self.is_headless:
            self._driver.write(f"\x1b]9;migconsole {text}\x07")
        then = _THEN.get(occasion.name, "")
        self.alert(f"{text} ({then})" if then else text, grave=occasion.name in GRAVE)

    def command_open_run(self) -> None:
        """Open the chosen run, or start the chosen checklist."""
        screen = self.screen
        if isinstance(screen, RunsScreen) and self.library is not None and (chosen := screen.chosen()):
            kind, path = chosen
            make = self.library.open if kind == "run" else self.library.create
            self.perform(self._open_from_library(make(path)))

    async def _open_from_library(self, making: Awaitable[Session]) -> None:
        self.hint("opening…")
        session = await making
        self._opened = False
        await self.enter(session)

    def command_runs(self) -> None:
        """Back to the list of runs; what runs goes on."""
        self.perform(self._back_to_runs())

    async def _back_to_runs(self) -> None:
        session, self.session = self.session, None
        if self._bridge is not None:
            self._bridge.close()
            self._bridge = None
        while len(self.screen_stack) > 1 and not isinstance(self.screen, RunsScreen):
            await self.pop_screen()
        await self.forget_health()
        if session is not None:
            await session.close()
        if isinstance(self.screen, RunsScreen):
            self.screen.command_reload_runs()
        elif self.library is not None:
            await self.push_screen(RunsScreen(self.library, self.clock))
