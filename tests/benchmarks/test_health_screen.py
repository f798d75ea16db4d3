"""What the health screen costs the console, in a real terminal at 200×60. Run with ``-m benchmark -s``.

Bound: at most five points of one processor above the idle console on the same machine in the same run. The reference
beside it is the usual way, a table that is cleared and filled every second.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 10.0


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
def test_the_health_screen_costs_at_most_five_points(tmp_path: Path) -> None:
    idle = share("main", tmp_path)
    names = {"1": "overview", "2": "activity", "5": "queries", "datatable": "a table refilled"}
    found = {name: share(tab, tmp_path) - idle for tab, name in names.items()}
    print(f"\nidle console {idle:.1%}; above it: " + ", ".join(f"{n} {100 * s:+.1f} points" for n, s in found.items()))
    assert all(cost <= 0.05 for name, cost in found.items() if name != "a table refilled")
