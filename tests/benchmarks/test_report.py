"""What a report costs: a run of 500 attempts with outputs, watched for 24 hours.

``pytest -m benchmark tests/benchmarks/test_report.py -n 0 -s`` prints the figures. The reference is reading and hashing
the same files, which no report can do without.
"""

from __future__ import annotations

import hashlib
import math
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from migconsole.adapters.health_store import form
from migconsole.domain.stamps import unix
from migconsole.wiring import reporting
from tests.report.runs import CHECKLIST, Recorded, recorded

ATTEMPTS = 500
DAY = 86400
LIMIT = 3.0
"""Seconds for a report in one form, from the files to the text."""

ITEM = (
    "          - {{item: Step {n}, id: step{n}, run: ./step.sh {n}, danger: mutating,"
    " expect: {{exit: 0}}, estimate: 30s}}\n"
)


def long_run(state: Path) -> Recorded:
    """A run of a hundred items, each tried five times, with three hundred coloured lines of output each time."""
    steps = "".join(ITEM.replace("{n}", str(n)) for n in range(100))
    checklist = CHECKLIST.replace("tripwires:", f"      - section: Steps\n        items:\n{steps}tripwires:", 1)
    run = recorded(state, checklist=checklist)
    output = b"".join(
        b"\x1b[32mstep %d\x1b[0m: 1,024 rows copied, and so on to the end of a usual line\n" % n for n in range(300)
    )
    for number in range(ATTEMPTS):
        outcome = "passed" if number >= ATTEMPTS - 100 else "failed"
        run.attempt(
            f"step{number % 100}", outcome, output, "mutating", reasons=[] if outcome == "passed" else ["exit 1"]
        )
    return run.save()


def watch(run: Recorded) -> int:
    """A day of samples: every two seconds for two hours, then thinned as the watcher thins them."""
    start = unix(run.log.run.opened_at) or 0.0
    dice = random.Random(7)
    times = [*range(0, DAY - 7200, 10), *range(DAY - 7200, DAY, 2)]
    with sqlite3.connect(run.directory.path / "health.db") as db:
        db.executescript(form.SCHEMA)
        for number, name in enumerate(reporting.WHOLE_LINES, 1):
            db.execute("INSERT INTO names VALUES (?, ?)", (number, name))
            values = [(number, start + at, 100 + 50 * math.sin(at / 900) + dice.random() * 20) for at in times]
            db.executemany("INSERT INTO series VALUES (?, ?, ?)", values)
    db.close()
    return len(times) * len(reporting.WHOLE_LINES)


def took(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@pytest.mark.benchmark
def test_a_report_of_a_long_day_is_made_while_one_waits(tmp_path: Path) -> None:
    run = long_run(tmp_path / "state")
    values = watch(run)
    outputs = [run.directory.output_path(f"step{n % 100}", n // 100 + 1) for n in range(ATTEMPTS)]
    reference = took(lambda: [hashlib.sha256(path.read_bytes()).digest() for path in outputs])
    print(f"\n{len(run.log.events)} events, {ATTEMPTS} attempts, {values:,} samples; reference {reference:.2f} s")
    for name in reporting.FORMATS:
        text = ""

        def make(form_name: str = name) -> None:
            nonlocal text
            text = reporting.render(reporting.read(run.directory), form_name)

        seconds = min(took(make) for _ in range(2))
        print(f"{name:>5}: {seconds:.2f} s, {len(text) / 1e6:.1f} MB, {seconds / reference:.0f} × the reference")
        assert seconds <= LIMIT
    seconds = took(lambda: reporting.bundle(run.directory, str, tmp_path / "evidence.tar.gz"))
    print(f"bundle: {seconds:.2f} s, {(tmp_path / 'evidence.tar.gz').stat().st_size / 1e6:.1f} MB")
