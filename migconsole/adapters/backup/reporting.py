"""What a long command says while it works: lines for a person, and how far it is, always called an estimate."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from migconsole.domain.quantities import format_duration, format_size

QUIET = 2.0
"""Seconds between two progress lines of one phase: a file that is read later must stay readable."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a phase is. ``done`` and ``total`` are bytes of the database; ``fraction`` and ``eta`` (seconds) are
    estimates, None when nothing is known to make one from. ``rate`` is bytes a second."""

    phase: str
    done: int = 0
    total: int = 0
    fraction: float | None = None
    rate: float | None = None
    eta: float | None = None
    note: str = ""

    def data(self) -> dict[str, Any]:
        """For a machine."""
        return {"event": "progress", "estimate": True, **asdict(self)}

    def line(self) -> str:
        """For a person."""
        parts = [f"{self.phase:<9}"]
        parts.append("  ?  %" if self.fraction is None else f"{self.fraction * 100:4.0f} %")
        parts.append(f"{format_size(self.done)} of {format_size(self.total)}" if self.total else format_size(self.done))
        parts += [f"{format_size(self.rate)}/s"] if self.rate else []
        parts += [f"{format_duration(self.eta)} left"] if self.eta is not None else []
        return "  ".join(parts) + "  (estimate)" + (f"  {self.note}" if self.note else "")


class Reporter(Protocol):
    """Who is told."""

    def say(self, line: str) -> None:
        """A line for a person."""

    def progress(self, progress: Progress) -> None:
        """How far it is."""


class Meter:
    """Turns bytes done into rate and time left, over the whole phase: short moments mislead."""

    def __init__(self, phase: str, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._phase = phase
        self._total = total
        self._clock = clock
        self._start = clock()
        self._best = 0

    def at(self, done: int, *, known: bool = True, note: str = "") -> Progress:
        """The progress with ``done`` bytes; it never goes back. Without ``known`` the total says nothing about it."""
        self._best = max(self._best, done)
        elapsed = self._clock() - self._start
        rate = self._best / elapsed if elapsed > 0.5 and self._best else None
        if not known or self._total <= 0:
            return Progress(self._phase, self._best, 0, None, rate, None, note)
        fraction = min(self._best / self._total, 0.99)
        eta = (self._total - self._best) / rate if rate and self._best < self._total else None
        return Progress(self._phase, self._best, self._total, fraction, rate, eta, note)
