"""How long a person waits for the first screen of a cold process, against what importing Textual alone costs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.pty import Console

RUNS = 7


@pytest.mark.benchmark
def test_first_paint(tmp_path: Path) -> None:
    """The runs screen, from the start of the process to its text on the terminal; the library's import is the floor."""
    reference, ours = [], []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
        reference.append(time.perf_counter() - began)
        began = time.perf_counter()
        console = Console(["--state-dir", str(tmp_path)], rows=40, columns=120, cwd=tmp_path)
        try:
            console.wait_for("prisma")
            ours.append(time.perf_counter() - began)
        finally:
            console.close()
    floor, paint = statistics.median(reference), statistics.median(ours)
    print(
        f"\nfirst paint {paint * 1000:.0f} ms, import of Textual alone {floor * 1000:.0f} ms, ratio {paint / floor:.2f}"
    )
    assert paint / floor < 5
