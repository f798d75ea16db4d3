"""A world of fakes for each test, with the engine's waits shortened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from migconsole.engine import attempts, execution, session, stopping
from migconsole.engine.ports import StopRung
from tests.engine.fakes import World


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FOLLOW", 0.005)
    monkeypatch.setattr(session, "BEAT", 0.01)
    monkeypatch.setattr(attempts, "RETRY", 0.005)
    monkeypatch.setattr(attempts, "SERVER_PATIENCE", 0.05)
    monkeypatch.setattr(execution, "SERVER_PAUSE", 0.005)
    monkeypatch.setattr(execution, "LOOK", 0.2)
    monkeypatch.setattr(execution, "SPOT_FIRST", 30.0)
    monkeypatch.setattr(stopping, "WAITS", dict.fromkeys(StopRung, 30.0))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.close()
