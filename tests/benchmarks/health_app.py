"""The console with its health screen on a tab, or not opened, in a real terminal; for the benchmark of its cost.

``python -m tests.benchmarks.health_app TAB SECONDS FIGURES DIRECTORY``: TAB is ``main`` or a number key. Readings are
new every second and every session's times move, as on a busy server. Writes the share of one processor it took.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.text import Text
from textual.widgets import DataTable

from migconsole.adapters.themes import load_palettes
from migconsole.domain.readings import Reading
from migconsole.domain.thresholds import Phase
from migconsole.tui.app import MigconsoleApp
from migconsole.tui.format import Clock
from migconsole.tui.screens.health import HealthAccess, HealthPorts, HealthScreen
from migconsole.tui.screens.main import MainScreen
from tests.tui.fakes import World
from tests.tui.health_source import FakeHealth, health_at, session


class Moving(FakeHealth):
    """Every second every number of the pulse is another one."""

    def latest(self, probe: str) -> Reading | None:
        reading = super().latest(probe)
        now = float(int(time.time()))
        if reading is None or probe not in ("sessions", "lock_tree", "progress_index", "wal_rate", "conn_saturation"):
            return reading if reading is None else replace(reading, at=max(reading.at, now - 3))
        past = now - self.now
        rows = tuple(
            row | {name: row[name] + past for name in ("query_s", "xact_s", "state_s", "wait_s") if row.get(name)}
            for row in reading.rows
        )
        return replace(reading, at=now, rows=rows)


async def measure(app: MigconsoleApp, source: FakeHealth, tab: str, seconds: float) -> float:
    """The share of one processor on a tab."""
    while not any(isinstance(screen, MainScreen) for screen in app.screen_stack):
        await asyncio.sleep(0.05)
    if tab == "datatable":
        await refill(app, source)
    elif tab != "main":
        app.command_health()
        await asyncio.sleep(0.5)
        assert isinstance(app.screen, HealthScreen)
        app.screen.go_tab(int(tab) - 1)
    await asyncio.sleep(2.0)
    used, began = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    return (time.process_time() - used) / (time.monotonic() - began)


async def refill(app: MigconsoleApp, source: FakeHealth) -> None:
    """The usual way, as a reference: the library's own table, cleared and filled again."""
    table: DataTable[str] = DataTable()
    await app.screen.mount(table)
    table.styles.layer, table.styles.dock, table.styles.height = "cover", "top", "100%"
    table.add_columns("pid", "state", "wait", "xact", "query", "in state", "user", "application", "text")

    def fill() -> None:
        table.clear()
        reading = source.latest("sessions")
        for row in reading.rows if reading else ():
            names = ("pid", "state", "wait_event", "xact_s", "query_s", "state_s", "user", "application", "query")
            table.add_row(*(Text(str(row[name])) for name in names))

    app.set_interval(1.0, fill)


def main(tab: str, seconds: float, figures: Path, directory: Path) -> None:
    world = World(directory)
    world.half_way()
    made = health_at(time.time())
    source = Moving(made.now, made.readings, made.lines, made.open_alarms)
    more = [session(8000 + number, wait_type="LWLock", wait_event="WALWrite") for number in range(60)]
    last = source.readings["sessions"][-1]
    source.readings["sessions"] = [replace(last, rows=(*last.rows, *more))]
    palettes, _ = load_palettes()
    ports = HealthPorts(phase=lambda: Phase.STEP)
    app = MigconsoleApp(
        world.session(), palettes=palettes, health=lambda session: HealthAccess(source, ports), clock=Clock()
    )

    async def pilot(_: object) -> None:
        found.append(await measure(app, source, tab, seconds))
        app.exit(0)

    found: list[float] = []
    app.run(auto_pilot=pilot)
    figures.write_text(json.dumps({"share": found[0]}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
