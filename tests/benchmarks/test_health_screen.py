"""What the health strip and screen cost the console, in a real terminal at 200×60. Run with ``-m benchmark -s``.

Bounds: at most one point of one processor for the strip, and five for the screen, above the idle console without any
health on the same machine in the same run. The reference beside them is the usual way, a table that is cleared and
filled every second. The samples are read from a watcher's file, which another process writes once a second.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 10.0
REFERENCE = "a table refilled"


def share(tab: str, directory: Path) -> float:
    figures = directory / f"{tab}.json"
    state = directory / f"run-{tab}"
    state.mkdir()
    arguments = ["-m", "tests.benchmarks.health_app", tab, str(SECONDS), str(figures), str(state)]
    child = pexpect.spawn(sys.executable, arguments, cwd=str(ROOT), dimensions=(60, 200), timeout=60)
    child.expect(pexpect.EOF)
    child.close()
    return float(json.loads(figures.read_text())["share"])


@pytest.mark.benchmark
def test_the_strip_costs_a_point_and_the_health_screen_five(tmp_path: Path) -> None:
    idle = share("bare", tmp_path)
    names = {"strip": "strip", "1": "overview", "2": "activity", "3": "tables", "5": "queries", "datatable": REFERENCE}
    found = {name: share(tab, tmp_path) - idle for tab, name in names.items()}
    print(f"\nidle console {idle:.1%}; above it: " + ", ".join(f"{n} {100 * s:+.1f} points" for n, s in found.items()))
    screen = {name: cost for name, cost in found.items() if name not in ("strip", REFERENCE)}
    print(f"the dearest tab costs {max(screen.values()) / found[REFERENCE]:.2f} of {REFERENCE}")
    assert found["strip"] <= 0.01
    assert all(cost <= 0.05 for cost in screen.values())
