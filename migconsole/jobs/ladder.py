"""The stop ladder as the runner walks it by itself: for a read's time limit, and for the PANIC file."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from typing import Any

GRACE = 5.0
"""Seconds a rung is given before the next: as long as the console gives SIGINT."""

RUNGS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


class Ladder:
    """SIGINT, SIGTERM, SIGKILL to all processes of the job, ``GRACE`` apart, once it was begun.

    The server's own cancel is the console's: the runner has no connection, and PANIC leaves the server as it is.
    """

    def __init__(self, claim: Mapping[str, Any], grace: float = GRACE) -> None:
        self._claim = claim
        self._grace = grace
        self._next = 0
        self._due: float | None = None

    @property
    def begun(self) -> bool:
        """Whether anything was sent."""
        return self._next > 0

    @property
    def due(self) -> float | None:
        """Monotonic time of the next rung, None when there is none to come."""
        return self._due

    def begin(self) -> str:
        """Send the first rung and return its name; "" when the ladder was begun before."""
        return "" if self.begun else self._send()

    def step(self) -> str:
        """Send the next rung when it is due, and return its name, else ""."""
        if self._due is None or time.monotonic() < self._due:
            return ""
        return self._send()

    def _send(self) -> str:
        rung = RUNGS[self._next]
        signal_all(self._claim, rung)
        self._next += 1
        self._due = time.monotonic() + self._grace if self._next < len(RUNGS) else None
        return rung.name


def signal_all(claim: Mapping[str, Any], number: signal.Signals) -> int:
    """Signal every process of the job; returns how many."""
    from migconsole.adapters.jobs import tree  # noqa: PLC0415 - psutil costs 25 ms, and most jobs are never stopped

    return tree.signal_members(claim, number)
