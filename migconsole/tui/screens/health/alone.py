"""The health screen by itself: a target is watched, and there is no run."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable, Sequence

from migconsole.domain.readings import Alarm
from migconsole.engine.palette import Palette
from migconsole.engine.ports import HealthSource
from migconsole.engine.session import Session
from migconsole.errors import EXIT_OK
from migconsole.tui import theming
from migconsole.tui.screens.health.ports import HealthAccess, HealthPorts


async def run_alone(
    source: HealthSource,
    target: str,
    acknowledge: Callable[[int, str], Awaitable[None]],
    *,
    ports: HealthPorts | None = None,
    palettes: Sequence[Palette] = (),
    theme: str = "",
    mouse: bool = True,
) -> int:
    """Show the screen until it is left; returns the exit code. ``acknowledge`` takes an alarm's number and a person."""
    from migconsole.tui.app import MigconsoleApp  # noqa: PLC0415 - the application imports this package

    async def seen(alarm: Alarm) -> None:
        await acknowledge(alarm.id, getpass.getuser())

    given = ports or HealthPorts(title=target, acknowledge=seen)

    def opened(session: Session | None) -> HealthAccess:
        return HealthAccess(source, given)

    app = MigconsoleApp(health=opened, palettes=palettes, theme=theme or theming.DEFAULT)
    await app.run_async(mouse=mouse)
    return app.return_code or EXIT_OK
