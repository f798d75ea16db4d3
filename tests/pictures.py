"""Make the README's pictures from the real console on a real demo run: ``python -m tests.pictures``."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from textual.pilot import Pilot

from migconsole.adapters.themes import load_palettes
from migconsole.demo.demo import Demo
from migconsole.domain.checklist import Danger
from migconsole.domain.lifecycle import RunState
from migconsole.engine.headless import Headless, Permissions
from migconsole.engine.session import Session
from migconsole.tui.app import MigconsoleApp
from migconsole.tui.screens.dialogs.base import ChoiceDialog, FormDialog
from migconsole.tui.screens.dialogs.confirm import ConfirmDialog
from migconsole.tui.screens.health import HealthScreen
from migconsole.tui.screens.main import MainScreen
from migconsole.tui.screens.rollback import RollbackScreen
from migconsole.tui.screens.sign_off import SignOffScreen
from migconsole.wiring import health
from migconsole.wiring.opening import Options, create
from migconsole.wiring.surfaces import demo_answers, demo_votes
from migconsole.wiring.watching import ensure_watcher
from tests.report.browser import PROGRAM, browse
from tests.waiting import eventually

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"


async def draw(demo: Demo) -> None:
    """Carry the run to the migration without a screen, then show the rest."""
    # The application stays up, so that the health strip has something to show.
    variables = {name: value for name, value in demo.variables.items() if name != "stop_app"}
    options = Options(state_dir=str(demo.state_dir), variables=variables, project=demo.project, actor="Ada (DBA)")
    session = await create("prisma", options)
    await session.open()
    await Headless(session, _allowed("status-before"), print).run()
    palettes, _ = load_palettes()
    watched = health.opening_for(options, leave=False)
    app = MigconsoleApp(session, health=watched, palettes=palettes, opened=True, state_directory=demo.state_dir)
    async with app.run_test(size=(128, 38), notifications=True) as pilot:
        await _scenes(app, pilot, session)
    await session.close()


def _allowed(stop_after: str = "") -> Permissions:
    """What the whole run is allowed without a screen, or up to an item."""
    answers = demo_answers(datetime.now(UTC))
    changing = frozenset({Danger.MUTATING})
    return Permissions("rehearsed", changing, answers=answers, stop_after=stop_after, votes=demo_votes())


async def _scenes(app: MigconsoleApp, pilot: Pilot[int], session: Session) -> None:
    def keep(name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / f"{name}.svg").write_text(app.export_screenshot(title="migconsole"), encoding="utf-8")

    async def until(condition: Callable[[], bool]) -> None:
        try:
            await eventually(condition, timeout=60)
        except AssertionError:
            keep("stuck")
            raise
        await pilot.pause()

    await until(lambda: isinstance(app.screen, MainScreen) and "tps" in _text(app) and "tps n/a" not in _text(app))
    screen = app.screen
    assert isinstance(screen, MainScreen)
    screen.steps.go("migrate")
    await pilot.press("r")
    await until(lambda: isinstance(app.screen, ChoiceDialog))
    await pilot.pause(0.6)
    await pilot.press("1")
    await until(lambda: isinstance(app.screen, ConfirmDialog))
    await pilot.pause(0.6)
    keep("confirm")
    await pilot.press("y")
    await until(lambda: session.run.record("migrate").last is not None and "[1/" in _text(app))
    await pilot.press("D", "2")
    await until(lambda: isinstance(app.screen, HealthScreen) and "holds up" in _text(app))
    keep("health")
    await pilot.press("escape")
    await until(lambda: isinstance(app.screen, MainScreen) and "[2/" in _text(app))
    keep("main")
    await session.finished("migrate", 1)
    await pilot.press("t")
    await pilot.pause(0.5)
    keep("timeline")
    await pilot.press("escape")
    await _wizard(app, pilot, until, keep)


async def _wizard(
    app: MigconsoleApp,
    pilot: Pilot[int],
    until: Callable[[Callable[[], bool]], Awaitable[None]],
    keep: Callable[[str], None],
) -> None:
    """The pages of the rollback wizard, as far as the exact plan; nothing is done."""
    await until(lambda: isinstance(app.screen, MainScreen))
    await pilot.press("B")
    await until(lambda: isinstance(app.screen, FormDialog))
    await pilot.pause(0.6)
    await pilot.press(*("space" if letter == " " else letter for letter in "orders fail since the migration"))
    await pilot.press("enter", "enter")
    await until(lambda: isinstance(app.screen, RollbackScreen) and "databases" in _text(app))
    for word, name in (("What is lost", "loss"), ("Which way", "ways"), ("The plan", "plan")):
        await pilot.press("enter")
        await until(lambda word=word: f"─ {word} " in _text(app))  # type: ignore[misc]
        keep(f"rollback-{name}")
    await pilot.press("escape")


async def record(demo: Demo) -> None:
    """Carry a run to its end, then picture its sign-off and, where there is a browser, its report."""
    options = Options(state_dir=str(demo.state_dir), variables=demo.variables, project=demo.project, actor="Ada (DBA)")
    session = await create("prisma", options)
    await session.open()
    headless = Headless(session, _allowed(), print)
    await asyncio.to_thread(ensure_watcher, session.directory, options)
    await headless.run()
    feedback = next(located.item.id for located in session.checklist.walk() if located.item.title.startswith("Gather"))
    await session.reopen(feedback, "the users come to work on Monday")
    await session.defer(feedback, "the users come to work on Monday", "Monday")
    await session.note("Two duplicate e-mails were mended by hand before the migration.")
    await session.conduct.end(RunState.COMPLETED, "Ada Lindqvist")
    palettes, _ = load_palettes()
    app = MigconsoleApp(session, palettes=palettes, opened=True, state_directory=demo.state_dir)
    async with app.run_test(size=(128, 30), notifications=True) as pilot:
        await eventually(lambda: isinstance(app.screen, MainScreen), timeout=60)
        names = ("Ada Lindqvist", "Bo Berg", "Cyra Khan", "Dana Okafor")
        for role, name in list(zip(session.signing.roles, names, strict=True))[:3]:
            await session.signing.sign(role, name, name)
        await pilot.press("S")
        await eventually(lambda: isinstance(app.screen, SignOffScreen), timeout=60)
        await pilot.pause()
        (PICTURES / "sign-off.svg").write_text(app.export_screenshot(title="migconsole"), encoding="utf-8")
        await session.signing.sign(session.signing.roles[3], names[3], names[3])
    page = session.directory / "report.html"
    await session.close()
    if PROGRAM is None:
        print("no Chromium on this host: the picture of the report stays as it is")
        return
    with tempfile.TemporaryDirectory() as profile:
        picture = f"--screenshot={PICTURES / 'report.png'}"
        browse(page, Path(profile), "--window-size=1100,1500", picture)


def _text(app: MigconsoleApp) -> str:
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


def main() -> None:
    """Draw all pictures, each half on a demo of its own; they and their servers are gone afterwards."""
    for part in (draw, record):
        with Demo(progress=print) as demo:
            os.environ.update(demo.environment)
            asyncio.run(part(demo))


if __name__ == "__main__":
    main()
