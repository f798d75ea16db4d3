"""The console with its health screen on a tab, or not opened, in a real terminal; for the benchmark of its cost.

``python -m tests.benchmarks.health_app TAB SECONDS FIGURES DIRECTORY``: TAB is ``bare`` (no health at all), ``strip``
(the main screen with its health strip), a number key, or ``datatable``. Another process writes the samples, as a
watcher does: new every second, and every session's times move, as on a busy server. Writes the share of one processor
that the console took.
"""

from __future__ import annotations

import asyncio
import json
import math
import multiprocessing
import sys
import time
from dataclasses import replace
from pathlib import Path

from rich.text import Text
from textual.widgets import DataTable

from migconsole.adapters.health_store import HealthReader, HealthWriter
from migconsole.adapters.postgres.probes.catalogue import PROBES, Tier
from migconsole.adapters.themes import load_palettes
from migconsole.domain.readings import Reading
from migconsole.domain.series import values
from migconsole.domain.thresholds import Phase
from migconsole.tui.app import MigconsoleApp
from migconsole.tui.format import Clock
from migconsole.tui.screens.health import HealthAccess, HealthPorts, HealthScreen
from migconsole.tui.screens.main import MainScreen
from tests.tui.fakes import World
from tests.tui.health_source import FakeHealth, health_at, session

TIMES = ("query_s", "xact_s", "state_s", "wait_s")


async def sample(path: Path, source: FakeHealth) -> None:
    """Write like a watcher on a busy server, until this process is ended."""
    writer = HealthWriter(path, redact=str)
    await writer.open()
    pulse = {probe.name for probe in PROBES if probe.tier is Tier.PULSE}
    for alarm in source.alarms():
        await writer.keep_alarm(alarm)
    newest = {probe: readings[-1] for probe, readings in source.readings.items()}
    await writer.write(list(newest.values()), values(list(newest.values())))
    while True:
        now = time.time()
        moved = [later(newest[probe], now, now - source.now) for probe in sorted(pulse & set(newest))]
        await writer.write(moved, values(moved))
        await writer.beat(cost=0.004, connections=2, problem="", phase=str(Phase.STEP))
        await asyncio.sleep(1.0)


def later(reading: Reading, now: float, past: float) -> Reading:
    """The same sessions ``past`` seconds later, and figures that never stand still."""
    wave = 1.0 + 0.2 * math.sin(now / 7)
    rows = []
    for row in reading.rows:
        made = row | {name: row[name] + past for name in TIMES if row.get(name)}
        rows.append(made | {name: round(row[name] * wave) for name in ("used", "active", "rate") if row.get(name)})
    return replace(reading, at=now, rows=tuple(rows))


async def measure(app: MigconsoleApp, source: HealthReader, tab: str, seconds: float) -> float:
    """The share of one processor on a tab."""
    while not any(isinstance(screen, MainScreen) for screen in app.screen_stack):
        await asyncio.sleep(0.05)
    if tab == "datatable":
        await refill(app, source)
    elif tab not in ("bare", "strip"):
        app.command_health()
        await asyncio.sleep(0.5)
        assert isinstance(app.screen, HealthScreen)
        app.screen.go_tab(int(tab) - 1)
    await asyncio.sleep(2.0)
    used, began = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    return (time.process_time() - used) / (time.monotonic() - began)


async def refill(app: MigconsoleApp, source: HealthReader) -> None:
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


def sampling(path: Path, source: FakeHealth) -> None:
    """What the other process does."""
    asyncio.run(sample(path, source))


def main(tab: str, seconds: float, figures: Path, directory: Path) -> None:
    world = World(directory)
    world.half_way()
    made = health_at(time.time())
    more = [session(8000 + number, wait_type="LWLock", wait_event="WALWrite") for number in range(60)]
    last = made.readings["sessions"][-1]
    made.readings["sessions"] = [replace(last, rows=(*last.rows, *more))]
    path = directory / "health.db"
    watcher = multiprocessing.get_context("spawn").Process(target=sampling, args=(path, made), daemon=True)
    watcher.start()
    source = HealthReader(path)
    while source.latest("sessions") is None:
        time.sleep(0.05)
    palettes, _ = load_palettes()
    ports = HealthPorts(phase=lambda: Phase.STEP)
    access = None if tab == "bare" else HealthAccess(source, ports)
    app = MigconsoleApp(world.session(), palettes=palettes, health=lambda session: access, clock=Clock())

    async def pilot(_: object) -> None:
        found.append(await measure(app, source, tab, seconds))
        app.exit(0)

    found: list[float] = []
    app.run(auto_pilot=pilot)
    watcher.terminate()
    watcher.join()
    figures.write_text(json.dumps({"share": found[0]}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
