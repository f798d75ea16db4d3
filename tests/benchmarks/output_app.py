"""The console's output view alone in a real terminal, for the benchmark that drives it through a pseudo-terminal.

``python -m tests.benchmarks.output_app FILE FIGURES``: shows FILE, says on its first row whether it follows and how
often that changed, and on ``q`` writes its figures to FIGURES as JSON: seconds to the first screen, event-loop lag,
resident memory at the beginning and the most since.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import ClassVar

import psutil
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from migconsole.adapters.outputs import FileOutput
from migconsole.tui.widgets.output_view import OutputView

_PROBE = 0.005


class OutputApp(App[None]):
    """One line of state and the view."""

    BINDINGS: ClassVar[list[BindingType]] = [("q", "leave", "Leave"), ("r", "reset", "Measure from here")]

    def __init__(self, path: Path, figures: Path) -> None:
        super().__init__()
        self._path, self._figures = path, figures
        self._changes = 0
        self._lags: list[float] = []
        self._process = psutil.Process()
        self._memory = self._most = 0
        self._first_screen = 0.0

    def compose(self) -> ComposeResult:
        yield Static("starting", id="state", markup=False)
        yield OutputView(id="view")

    def on_mount(self) -> None:
        self.query_one(OutputView).focus()
        self._memory = self._most = self._process.memory_info().rss
        self._output = FileOutput(self._path)
        started = time.perf_counter()
        self.query_one(OutputView).show(self._output)
        self.call_after_refresh(self._shown, started)
        self._task = asyncio.create_task(self._probe())

    def _shown(self, started: float) -> None:
        self._first_screen = time.perf_counter() - started

    async def _probe(self) -> None:
        while True:
            due = time.perf_counter() + _PROBE
            await asyncio.sleep(_PROBE)
            self._lags.append(time.perf_counter() - due)
            self._most = max(self._most, self._process.memory_info().rss)

    def on_output_view_followed(self) -> None:
        self._tell("FOLLOWS")

    def on_output_view_unfollowed(self) -> None:
        self._tell("PAUSED")

    def _tell(self, state: str) -> None:
        self._changes += 1
        self.query_one("#state", Static).update(f"{state}-{self._changes};")

    def action_reset(self) -> None:
        self._lags.clear()
        self._memory = self._most = self._process.memory_info().rss
        self.query_one("#state", Static).update("RESET;")

    def action_leave(self) -> None:
        while self._output.grow(0.5):  # what was written since the last look
            pass
        lags = sorted(self._lags)
        self._figures.write_text(
            json.dumps(
                {
                    "first_screen": self._first_screen,
                    "lag_p50": lags[len(lags) // 2],
                    "lag_p99": lags[int(len(lags) * 0.99)],
                    "lag_max": lags[-1],
                    "growth_mb": (self._most - self._memory) / 1e6,
                    "lines": len(self._output),
                    "exact": self._output.exact,
                }
            )
        )
        self.exit()


if __name__ == "__main__":
    OutputApp(Path(sys.argv[1]), Path(sys.argv[2])).run()
