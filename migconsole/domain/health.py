"""Rates and histories from health samples: what the strip shows, made without guessing.

A value that was not read is None all the way to the screen; it is never replaced by zero or by the last good one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

HISTORY = 60
"""Samples kept for a sparkline: two minutes at the pulse's two seconds."""


@dataclass(frozen=True, slots=True)
class HealthSample:
    """One reading. ``at`` is monotonic seconds, sizes are bytes, ``oldest_xact`` seconds; counters are cumulative.

    ``connections`` maps a session state ("active", "idle", "idle in transaction", …) to how many there are.
    ``server_connections`` counts the sessions of all databases, which is what ``max_connections`` limits.
    ``problem`` says why values are missing.
    """

    at: float
    connections: Mapping[str, int] | None = None
    max_connections: int | None = None
    blocked: int | None = None
    oldest_xact: float | None = None
    database_size: int | None = None
    commits: int | None = None
    rollbacks: int | None = None
    blocks_hit: int | None = None
    blocks_read: int | None = None
    server_time: str = ""
    problem: str = ""
    server_connections: int | None = None


@dataclass(frozen=True, slots=True)
class HealthView:
    """The newest sample with what follows from its predecessors.

    ``tps`` is transactions per second, ``cache_hit`` 0..1, ``growth`` bytes since the first size seen, ``cost`` the
    share of wall time that the monitor's own queries took, ``history`` one value a sample (None where unknown).
    """

    sample: HealthSample | None = None
    tps: float | None = None
    cache_hit: float | None = None
    growth: int | None = None
    history: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    cost: float | None = None
    problem: str = ""


class HealthHistory:
    """Turns samples into views. A counter that goes backwards (restart, reset) gives None, not a negative rate."""

    def __init__(self) -> None:
        self._previous: HealthSample | None = None
        self._first_size: int | None = None
        self._series: dict[str, deque[float | None]] = {
            name: deque(maxlen=HISTORY)
            for name in ("connections", "tps", "blocked", "database_size", "cache_hit", "oldest_xact")
        }

    def add(self, sample: HealthSample, cost: float | None = None) -> HealthView:
        """Take one sample into account and describe the present."""
        before, self._previous = self._previous, sample
        if self._first_size is None:
            self._first_size = sample.database_size
        tps = _rate(before, sample)
        cache_hit = _cache_hit(before, sample)
        values = {
            "connections": _float(_sessions(sample)),
            "tps": tps,
            "blocked": _float(sample.blocked),
            "database_size": _float(sample.database_size),
            "cache_hit": cache_hit,
            "oldest_xact": sample.oldest_xact,
        }
        for name, value in values.items():
            self._series[name].append(value)
        growth = None
        if sample.database_size is not None and self._first_size is not None:
            growth = sample.database_size - self._first_size
        history = {name: tuple(series) for name, series in self._series.items()}
        return HealthView(sample, tps, cache_hit, growth, history, cost, sample.problem)


def _sessions(sample: HealthSample) -> int | None:
    """All sessions of the server where they were counted, else those of the database."""
    if sample.server_connections is not None or sample.connections is None:
        return sample.server_connections
    return sum(sample.connections.values())


def _float(value: int | None) -> float | None:
    return None if value is None else float(value)


def _delta(before: int | None, now: int | None) -> int | None:
    return None if before is None or now is None or now < before else now - before


def _rate(before: HealthSample | None, now: HealthSample) -> float | None:
    if before is None or now.at <= before.at:
        return None
    commits, rollbacks = _delta(before.commits, now.commits), _delta(before.rollbacks, now.rollbacks)
    return None if commits is None or rollbacks is None else (commits + rollbacks) / (now.at - before.at)


def _cache_hit(before: HealthSample | None, now: HealthSample) -> float | None:
    """The share of block reads served from shared buffers between two samples; None when there were none."""
    if before is None:
        return None
    hit, read = _delta(before.blocks_hit, now.blocks_hit), _delta(before.blocks_read, now.blocks_read)
    return None if hit is None or read is None or hit + read == 0 else hit / (hit + read)
