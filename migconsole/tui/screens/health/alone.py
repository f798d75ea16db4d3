"""The health screen by itself: a target is watched, and there is no run."""

from __future__ import annotations

from collections.abc import Sequence

from migconsole.engine.palette import Palette
from migconsole.engine.ports import HealthSource
from migconsole.engine.session import Session
from migconsole.errors import EXIT_OK
from migconsole.tui import theming
from migconsole.tui.screens.health.ports import HealthAccess, HealthPorts


async def run_alone(
    source: HealthSource,
    ports: HealthPorts,
    *,
    palettes: Sequence[Palette] = (),
    theme: str = theming.DEFAULT,
    mouse: bool = True,
) -> int:
    """Show the screen until it is left; returns the exit code."""
    from migconsole.tui.app import MigconsoleApp  # noqa: PLC0415 - the application imports this package

    def opened(session: Session | None) -> HealthAccess:
        return HealthAccess(source, ports)

    app = MigconsoleApp(health=opened, palettes=palettes, theme=theme)
    await app.run_async(mouse=mouse)
    return app.return_code or EXIT_OK
