"""Starting the full screen and saying goodbye: what stands on the terminal before and after."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from migconsole.domain.run import overall
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.palette import Palette
from migconsole.engine.session import Session
from migconsole.errors import EXIT_OK
from migconsole.tui import theming
from migconsole.tui.app import MigconsoleApp
from migconsole.tui.library import Library
from migconsole.tui.screens.health import HealthOpening


def farewell(app: MigconsoleApp) -> list[str]:
    """What is printed once the terminal is its own again: where the run stands, where it lies, what went wrong."""
    lines = []
    session = app.session
    if session is not None:
        count = overall(session.run, session.checklist)
        running = len(list(session.run.running()))
        state = f"{running} running" if running else session.run.ending or "nothing running"
        problems = f", {count.problems} to resolve" if count.problems else ""
        lines.append(f"{sanitise_line(session.run.title)}: {count.done} of {count.total} done{problems}, {state}")
        if not app.fleeting:
            lines.append(f"Run: {session.directory}   (migconsole resume)")
    if app.failure is not None:
        lines.append(sanitise(str(app.failure)))
    if app.log_path is not None:
        lines.append(f"The console failed. Its log: {app.log_path}")
    return lines


def run_console(
    *,
    start: Callable[[], Awaitable[Session]] | None,
    library: Library | None = None,
    health: HealthOpening | None = None,
    palettes: Sequence[Palette] = (),
    theme_problems: Sequence[str] = (),
    theme: str = "",
    mouse: bool = True,
    state_directory: Path | None = None,
    fleeting: bool = False,
) -> int:
    """Run the full screen and return the process exit code. ``fleeting``: the run is removed when it ends.

    ``start`` makes the session to open, None shows the runs screen of ``library``. Whatever ``start`` raises is raised
    before the terminal is touched.
    """

    async def main() -> int:
        session = None if start is None else await start()
        app = MigconsoleApp(
            session,
            library=library,
            health=health,
            palettes=palettes,
            theme_problems=theme_problems,
            theme=theme or theming.DEFAULT,
            state_directory=state_directory,
        )
        app.fleeting = fleeting
        await app.run_async(mouse=mouse)
        with contextlib.suppress(OSError):  # the terminal may be what went away
            for line in farewell(app):
                print(line, file=sys.stderr)
        return app.return_code or EXIT_OK

    return asyncio.run(main())
