"""Pictures of the health screen at three sizes. Update with ``--snapshot-update`` and look at each that changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from migconsole.domain.thresholds import Phase
from migconsole.tui.screens.health import HealthAccess, HealthPorts, HealthScreen
from migconsole.tui.screens.main import MainScreen
from tests.tui.fakes import World
from tests.tui.health_source import health_at
from tests.waiting import eventually


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("tab", ["overview", "activity"])
def test_health(tab: str, size: tuple[int, int], tmp_path: Path, snap_compare: Any) -> None:
    world = World(tmp_path)
    world.half_way()
    source = health_at(world.hands.moment.timestamp())
    ports = HealthPorts(phase=lambda: Phase.STEP)
    app = world.app(health=lambda session: HealthAccess(source, ports))

    async def before(pilot: Pilot[Any]) -> None:
        await eventually(lambda: isinstance(app.screen, MainScreen))
        await pilot.press("D")
        await eventually(lambda: isinstance(app.screen, HealthScreen))
        await pilot.press(*(["1"] if tab == "overview" else ["2", "j", "j"]))
        await pilot.pause()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)
