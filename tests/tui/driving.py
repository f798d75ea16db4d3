"""Opening the console in a test, with notifications on: markup that crashes a toast stays invisible without them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from textual.pilot import Pilot

from migconsole.domain.items import ItemState
from migconsole.tui.app import MigconsoleApp
from migconsole.tui.screens.main import MainScreen
from migconsole.tui.widgets.status_bar import StatusBar
from tests.tui.fakes import World
from tests.waiting import eventually

SIZE = (120, 40)
T = TypeVar("T")


class Console:
    """A running application, and what a test wants to do with it."""

    def __init__(self, world: World, app: MigconsoleApp, pilot: Pilot[Any]) -> None:
        self.world, self.app, self.pilot = world, app, pilot

    @property
    def main(self) -> MainScreen:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, MainScreen))

    @property
    def status(self) -> str:
        for screen in reversed(self.app.screen_stack):
            for bar in screen.query(StatusBar):
                return bar.text
        return ""

    async def press(self, *keys: str) -> None:
        """Press keys with a person's pauses between them on the clock that the dialogs look at."""
        for key in keys:
            await self.pilot.press(key)
            self.world.hands.forward(0.3)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        for character in text:
            await self.pilot.press("space" if character == " " else character)
        await self.pilot.pause()

    async def go(self, item: str) -> None:
        assert self.main.steps.go(item)
        await self.pilot.pause()

    async def shown(self, kind: type[T]) -> T:
        """Wait until a screen of a kind is on top and the dead time of a dialog is over."""
        await eventually(lambda: isinstance(self.app.screen, kind))
        await self.pilot.pause()
        self.world.hands.forward(2)
        return self.app.screen  # type: ignore[return-value]

    async def gone(self, kind: type[Any]) -> None:
        await eventually(lambda: not any(isinstance(screen, kind) for screen in self.app.screen_stack))
        await self.pilot.pause()

    def state(self, item: str) -> ItemState:
        assert self.app.session is not None
        return self.app.session.run.record(item).state

    async def until(self, condition: Callable[[], Any]) -> None:
        await eventually(condition)
        await self.pilot.pause()

    def text(self) -> str:
        """What is on the screen, as lines without colours."""
        compositor = self.app.screen._compositor
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in compositor.render_strips())


@asynccontextmanager
async def console(world: World, size: tuple[int, int] = SIZE, **more: Any) -> AsyncIterator[Console]:
    app = world.app(**more)
    async with app.run_test(size=size, notifications=True, tooltips=False) as pilot:
        await eventually(lambda: any(isinstance(screen, MainScreen) for screen in app.screen_stack))
        await pilot.pause()
        yield Console(world, app, pilot)
