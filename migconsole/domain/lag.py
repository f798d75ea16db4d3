"""How far a standby is behind, in seconds, from what was written when.

The server's own ``replay_lag`` stands still while a standby replays nothing at all, which is when it matters most. So
the time is taken from our own record: when had as much been written as the standby has replayed by now?
"""

from __future__ import annotations

from collections import deque

_KEPT = 4096


class LagClock:
    """Remembers how much WAL had been written at which moment (any monotonic clock, seconds)."""

    def __init__(self) -> None:
        self._written: deque[tuple[float, int]] = deque(maxlen=_KEPT)

    def lag(self, now: float, written: int, behind: int | None) -> float:
        """Seconds that the slowest standby is behind; 0 without one. ``written`` only grows.

        >>> clock = LagClock()
        >>> clock.lag(0.0, 0, 0), clock.lag(10.0, 100, 0), clock.lag(20.0, 200, 150), clock.lag(30.0, 300, 200)
        (0.0, 0.0, 20.0, 20.0)
        """
        self._written.append((now, written))
        if not behind or behind <= 0:
            return 0.0
        replayed = written - behind
        # The newest moment at which no more had been written than is replayed now; the first one when all are later.
        then = self._written[0][0]
        for moment, amount in self._written:
            if amount > replayed:
                break
            then = moment
        return now - then
