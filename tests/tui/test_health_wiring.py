"""The console's health screen over a real file of samples, and without one."""

from __future__ import annotations

from pathlib import Path

from migconsole.adapters.health_store import HealthWriter
from migconsole.domain.events import Kind
from migconsole.domain.readings import Alarm, Level, Quality, Reading
from migconsole.tui.screens.health import HealthScreen
from migconsole.wiring.health import opening_for
from migconsole.wiring.opening import Options
from migconsole.wiring.watcher import HEALTH
from tests.tui.driving import console
from tests.tui.fakes import World
from tests.tui.health_source import session


async def test_without_a_watcher_the_screen_opens_and_says_so(tmp_path: Path) -> None:
    async with console(World(tmp_path), health=opening_for(Options(read_only=True))) as c:
        await c.press("D")
        await c.shown(HealthScreen)
        assert "no watcher runs" in c.text()
        for key in "2345678":
            await c.press(key)
            assert c.app._exception is None


async def test_what_a_watcher_wrote_is_shown_and_an_alarm_is_acknowledged_in_the_journal(tmp_path: Path) -> None:
    world = World(tmp_path)
    now = world.hands.moment.timestamp()
    writer = HealthWriter(tmp_path / HEALTH, redact=str)
    await writer.open()
    await writer.beat(cost=0.004, connections=2, problem="", phase="during a step")
    await writer.write([Reading("sessions", now, 0.7, Quality.OK, (session(5102),))], {})
    await writer.keep_alarm(Alarm(7, "long_xact", Level.WARN, "the transaction of pid 5102 is old", now - 9))
    await writer.close()
    raised = {"alarm": 7, "change": "raised", "probe": "long_xact", "level": "warn", "message": "old", "at": ""}
    world.journal.put(Kind.ALARM, raised, actor="watcher")
    async with console(world, health=opening_for(Options(read_only=True))) as c:
        await c.press("D")
        await c.shown(HealthScreen)
        await c.press("2")
        assert "5102" in c.text()
        assert "mon 0.4 %" in c.text()
        await c.press("a")
        await c.until(lambda: any(event.kind == Kind.ALARM_ACKNOWLEDGED for event in world.journal.events))
        await c.until(lambda: "seen by ana" in c.text())
