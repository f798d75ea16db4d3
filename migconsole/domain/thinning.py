"""Thinning lines over time so that no spike is lost: what charts of the past are looked at for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

BUCKETS = 160
"""Columns of a chart: of each, the lowest and the highest value are drawn, so that no spike is lost by thinning."""


def thinned(
    values: Sequence[tuple[float, float | None]], start: float, end: float, buckets: int = BUCKETS
) -> list[tuple[float, float | None]]:
    """At most two values and one gap for each of ``buckets`` equal parts of the time: the lowest and the highest.

    >>> thinned([(0.0, 1.0), (1.0, 9.0), (2.0, 2.0), (3.0, None)], 0.0, 4.0, buckets=1)
    [(0.0, 1.0), (1.0, 9.0), (3.0, None)]
    """
    if len(values) <= buckets * 2:
        return list(values)
    step = max((end - start) / buckets, 1e-9)
    found: list[tuple[float, float | None]] = []
    position = 0
    times = [at for at, _ in values]
    while position < len(values):
        after = start + (int((times[position] - start) / step) + 1) * step
        stop = max(position + 1, bisect_left(times, after, position))
        part = values[position:stop]
        numbers = [(at, value) for at, value in part if value is not None]
        if numbers:
            low, high = min(numbers, key=lambda pair: pair[1]), max(numbers, key=lambda pair: pair[1])
            found += sorted({low, high})
        found += [pair for pair in part if pair[1] is None][:1]
        position = stop
    return sorted(found, key=lambda pair: pair[0])
