"""How long a checklist of 5,000 items takes to load, against what the YAML parser alone takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest
import yaml

from migconsole.adapters.checklists import parse

ITEMS = 5_000
RUNS = 5


def checklist() -> bytes:
    lines = ["checklist: Large", "phases:", "- phase: P", "  at: T-0", "  sections:"]
    for number in range(ITEMS):
        if number % 50 == 0:
            lines += [f"  - section: Section {number // 50}", "    items:"]
        lines += [
            f"    - item: Item number {number}",
            f"      id: item-{number}",
            f'      run: psql -X -c "SELECT {number}"',
            "      expect: {exit: 0, output: OK}",
            "      estimate: 4m",
            *([f"      needs: [item-{number - 1}]"] if number else []),
        ]
    return "\n".join(lines).encode()


def median(work: Callable[[], object]) -> float:
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


@pytest.mark.benchmark
def test_load_of_5000_items() -> None:
    source = checklist()
    assert parse(source, "large.yaml").boxes() == ITEMS
    ours = median(lambda: parse(source, "large.yaml"))
    fast = median(lambda: yaml.load(source, Loader=yaml.CSafeLoader))
    print(
        f"\nload of {ITEMS:,} items ({len(source) / 1e6:.1f} MB): {ours:.2f} s, validated and with positions; ", end=""
    )
    print(f"PyYAML's C loader alone, plain objects: {fast:.2f} s; ratio {ours / fast:.2f}")
    assert ours / fast < 2.5
