"""How far a table rewrite is, for statements without a progress of their own, from the growth of the database.

A rewrite writes a second copy of the table and then of its indexes, so growth against the size of both is the share
that is done. While an index is sorted nothing grows: that plateau is not a standstill.
"""

from __future__ import annotations

from dataclasses import dataclass

_PLATEAU = 1.0
"""Seconds without growth after which something else than writing is going on."""

_LEAST_SHARE = 0.02
"""Below this share the rate says nothing about the rest."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """``share`` is 0 to 1, ``eta`` seconds; None where nothing is known. ``phase`` says what it seems to do."""

    phase: str
    share: float | None
    eta: float | None


def estimate(*, heap: int, total: int, done: int, elapsed: float, still: float, wal: int) -> Estimate:
    """What the growth says.

    ``heap`` and ``total`` are bytes of the table before (with TOAST and indexes in the total), ``done`` bytes the
    database grew and ``wal`` bytes written since the statement began ``elapsed`` seconds ago, ``still`` seconds since
    it last grew.

    >>> estimate(heap=400, total=400, done=100, elapsed=10.0, still=0.0, wal=90)
    Estimate(phase='writing', share=0.25, eta=30.0)
    >>> estimate(heap=400, total=800, done=400, elapsed=10.0, still=2.0, wal=90).phase
    'sorting an index'
    """
    if total <= 0:
        return Estimate("size unknown", None, None)
    if done <= 0:
        return Estimate("scanning" if wal <= 0 else "writing in place", None, None)
    share = min(done / total, 0.99)
    if still >= _PLATEAU and total > heap and done >= 0.9 * heap:
        return Estimate("sorting an index", share, None)
    if still >= _PLATEAU:
        return Estimate("no growth", share, None)
    eta = elapsed * (1 - share) / share if share >= _LEAST_SHARE else None
    return Estimate("writing", share, eta)
