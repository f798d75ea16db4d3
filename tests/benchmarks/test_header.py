"""What the clock in the header costs each second, beside drawing the whole checklist pane.

``pytest -m benchmark tests/benchmarks/test_header.py -n 0 -s`` prints the figures. Bound: one percent of a core for
what a second brings for the header: reckoning over a checklist of 120 lines, and its two rows down to the terminal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from migconsole.domain.checklist import Checklist, Item, Phase, Section
from migconsole.domain.events import Kind
from migconsole.domain.times import stamp
from migconsole.tui.widgets.banner import Banner
from tests.tui.driving import console
from tests.tui.fakes import World, checklist

LINES = 120
SECONDS = 120
LIMIT = 0.01
"""Share of one processor."""


def long_checklist() -> Checklist:
    """The usual small one with as many lines as the shipped packs have, each with an estimate."""
    more = tuple(Item(f"more{n}", f"Line {n} of a long checklist", estimate=60.0) for n in range(LINES))
    plain = checklist()
    return replace(plain, phases=(*plain.phases, Phase("more", "More", 1800, (Section("more", "More", more),))))


@pytest.mark.benchmark
async def test_a_second_of_the_header_costs_a_hundredth_of_a_core(tmp_path: Path) -> None:
    world = World(tmp_path, list=long_checklist())
    world.half_way()
    t0 = world.hands.moment - timedelta(minutes=10)
    window = {"t0": stamp(t0), "window_end": stamp(t0 + timedelta(hours=2)), "reason": "", "source": "key"}
    world.journal.put(Kind.CLOCK_SET, window)
    async with console(world, size=(200, 60)) as c:
        session, banner, tree = c.main.session, c.main.query_one(Banner), c.main.steps
        bridge = c.app._bridge
        assert bridge is not None
        bridge._timer.pause()
        assert "SAFE ABORT" in c.text()

        async def mean(work: Callable[[], object]) -> float:
            """Processor seconds of ``work`` and of drawing what it changed, each at another second of the clock."""
            used = 0.0
            for _ in range(SECONDS):
                world.hands.forward(1)
                began = time.process_time()
                work()
                await c.pilot.pause(0)
                used += time.process_time() - began
            return used / SECONDS

        def marks() -> None:
            tree.tick(world.hands.moment, session.clock.at(world.hands.moment))

        idle = await mean(lambda: None)
        reckoning = await mean(lambda: session.clock.at(world.hands.moment)) - idle
        header = await mean(banner.refresh) - idle
        lines = await mean(marks) - idle
        whole = await mean(tree.refresh) - idle
    print(
        f"\neach second at 200×60, {LINES + 17} lines, of a core: header {100 * header:.2f} % "
        f"(bound {100 * LIMIT:.0f} %), "
        f"reckoning in it {100 * reckoning:.2f} %, late and running marks {100 * lines:.2f} %; "
        f"the whole pane would be {100 * whole:.2f} %, {whole / max(lines, 1e-9):.1f} × the marks"
    )
    assert header <= LIMIT
