"""The demo's regression from end to end: a migration drops an index, and the pack's own tripwire trips by itself.

Everything is real: the demo's server, application, project and migrations, the program, its watcher. Only the checklist
is short: the pack's lines that matter here, word for word.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from migconsole.adapters import watchers
from migconsole.adapters.journal.reading import read_events
from migconsole.demo.demo import Demo
from migconsole.domain.events import Draft, Kind
from migconsole.domain.items import ItemState
from migconsole.domain.run import Run, fold
from migconsole.domain.sensing import Sensed
from migconsole.domain.tripwires import WireRecord, WireState
from tests.e2e.pty import PROGRAM
from tests.e2e.test_watch import append
from tests.waiting import wait_until

pytestmark = pytest.mark.kill

PACK = Path(__file__).parents[2] / "checklists" / "prisma.yaml"
WIRE = "Severe performance degradation"
BASELINE = 30.0
"""Seconds of the application's life before the migration: enough calls for a baseline."""

PATIENCE = 300.0


def pack_lines() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Of the pack: the line that runs the migrations, the tripwire, and the line that watches the queries."""
    pack = yaml.safe_load(PACK.read_text(encoding="utf-8"))
    items = {
        item.get("id"): item for phase in pack["phases"] for section in phase["sections"] for item in section["items"]
    }
    migrate = {**items["migrate"], **items["migrate"]["alternatives"][0]}
    for name in ("alternatives", "title", "needs"):
        migrate.pop(name, None)
    wire = next(wire for wire in pack["tripwires"] if wire["tripwire"] == WIRE)
    return migrate, wire, items["query-performance"]


@dataclass
class Scene:
    """A demo whose migrations were applied by a run that its watcher goes on watching."""

    demo: Demo
    directory: Path

    def fold(self) -> Run:
        return fold(read_events(self.directory / "run.db"))

    def wire(self) -> WireRecord:
        """The only tripwire; one that nothing has happened to has no record yet."""
        return next(iter(self.fold().tripwires.wires.values()), WireRecord())


@pytest.fixture
def migrated(request: pytest.FixtureRequest) -> Iterator[Scene]:
    migrate, wire, watched = pack_lines()
    with Demo(request.param) as demo:
        checklist = {
            "checklist": "Only the regression",
            "format": 1,
            "target": {"url": "${DATABASE_URL}"},
            "phases": [
                phase("Before", "T-1h", {"item": "Health", "check": {"name": "server_health", "baseline": True}}),
                phase(
                    "Life",
                    "T-1h",
                    {"item": "A while", "run": f"sleep {BASELINE:.0f}", "danger": "read", "expect": {"exit": 0}},
                ),
                phase("Again", "T-1h", {"item": "Health again", "check": {"name": "server_health", "baseline": True}}),
                phase("Migration", "T-0", migrate),
                phase("After", "T+0s", {**watched, "watch": "15s"}),
            ],
            "tripwires": [wire],
        }
        path = demo.project / "short.yaml"
        path.write_text(yaml.safe_dump(checklist, sort_keys=False), encoding="utf-8")
        environment = {**os.environ, **demo.environment, "MIGCONSOLE_STATE_DIR": str(demo.state_dir)}
        done = subprocess.run(
            [str(PROGRAM), "run", str(path), "--headless", "--allow", "mutating", "--watch", "--stop-after", "migrate"],
            cwd=demo.project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (directory,) = (demo.state_dir / "runs").iterdir()
        try:
            yield Scene(demo, directory)
        finally:
            pid = watchers.running(directory)
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                wait_until(lambda: watchers.running(directory) is None, 15)


def phase(name: str, at: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"phase": name, "at": at, "sections": [{"section": name, "items": list(items)}]}


def until(scene: Scene, condition: Callable[[], object], what: str) -> None:
    try:
        wait_until(condition, PATIENCE, what)
    except AssertionError as error:
        log = (scene.directory / watchers.LOG).read_text()
        raise AssertionError(f"{error}; watcher: {log}; {scene.fold().sensors.senses}") from None


@pytest.mark.parametrize("migrated", ["regression"], indirect=True)
async def test_an_index_that_is_dropped_trips_the_packs_tripwire(migrated: Scene) -> None:
    run = migrated.fold()
    assert run.record("migrate").state is ItemState.VERIFIED, "every migration succeeded: nothing but the load shows it"
    until(migrated, lambda: migrated.wire().state is WireState.TRIPPED, "the tripwire")
    wire = migrated.wire()
    assert wire.by == "check"
    assert "orders" in wire.evidence
    assert "critical" in wire.evidence
    assert migrated.fold().record("query-performance").state is not ItemState.VERIFIED
    events = [event for event in read_events(migrated.directory / "run.db") if event.kind == Kind.TRIPWIRE]
    assert [(event.data["state"], event.actor) for event in events] == [("tripped", "watcher")]
    name = events[0].data["tripwire"]
    seen = {"tripwire": name, "state": "acknowledged", "by": "person", "reason": "we roll back"}
    await append(migrated.directory, Draft(Kind.TRIPWIRE, seen, "ada"))
    assert migrated.wire().state is WireState.ACKNOWLEDGED
    assert migrated.wire().evidence == wire.evidence, "what it tripped on stays on record"
    assert migrated.fold().anomalies == []


@pytest.mark.parametrize("migrated", ["smooth"], indirect=True)
def test_a_migration_that_harms_nothing_trips_nothing(migrated: Scene) -> None:
    def judged() -> bool:
        sense = migrated.fold().sensors.senses.get("query-performance")
        return sense is not None and sense.verdict is Sensed.PASSED

    until(migrated, judged, "its queries were judged")
    assert migrated.wire().state is WireState.ARMED
