"""What statements did between two readings of cumulative statistics, exactly, or why that cannot be said.

Mean and standard deviation of a window follow from the totals at both ends, so a comparison needs neither an extension
nor a reset. Whatever breaks the counters in between (a reset, evictions, a restart) is named, never smoothed over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

Row = Mapping[str, Any]
Key = tuple[int, int, bool, str]
"""Database, role, whether called by a client itself, and the statement's number."""

COUNTERS = (
    "rows",
    "blocks_hit",
    "blocks_read",
    "blocks_dirtied",
    "blocks_written",
    "temp_read",
    "temp_written",
    "read_ms",
    "write_ms",
    "wal_bytes",
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement in a window: ``calls``, ``total`` and ``mean`` and ``deviation`` in ms, and its other counters.

    ``counters`` has the growth of each of COUNTERS, None where the server does not count it.
    """

    key: Key
    calls: int
    total: float
    mean: float
    deviation: float
    counters: Mapping[str, float | None]
    new: bool = False


@dataclass(frozen=True, slots=True)
class Incomparable:
    """A statement whose counters do not go on from one end to the other."""

    key: Key
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """The statements of a window, the most time first. ``seconds`` is its length.

    ``problems`` say what makes the whole of it doubtful; ``vanished`` were there at the beginning and are no longer.
    ``whole`` are the milliseconds of all statements where some are looked at apart, so that shares are of one whole.
    """

    seconds: float
    statements: tuple[Statement, ...] = ()
    incomparable: tuple[Incomparable, ...] = ()
    vanished: tuple[Key, ...] = ()
    problems: tuple[str, ...] = field(default=())
    whole: float = 0.0

    @property
    def total(self) -> float:
        """Milliseconds of all statements together."""
        return sum(statement.total for statement in self.statements)

    @property
    def count(self) -> int:
        """How many statements there are, comparable or not."""
        return len(self.statements) + len(self.incomparable)

    def apart(self, numbers: Collection[str]) -> tuple[Window, Window]:
        """Without the statements of these numbers, and those alone."""
        return self._of(lambda key: key[3] not in numbers), self._of(lambda key: key[3] in numbers)

    def _of(self, kept: Callable[[Key], bool]) -> Window:
        return replace(
            self,
            statements=tuple(one for one in self.statements if kept(one.key)),
            incomparable=tuple(one for one in self.incomparable if kept(one.key)),
            vanished=tuple(key for key in self.vanished if kept(key)),
            whole=self.whole or self.total,
        )


def window(
    earlier: Sequence[Row],
    later: Sequence[Row],
    seconds: float,
    *,
    health_before: Row | None = None,
    health_after: Row | None = None,
) -> Window:
    """What happened between two readings of the probe ``pgss_delta``, with those of ``pgss_health`` beside them.

    A statement that is only in the later one counts from zero and is marked new; after an eviction that cannot be
    told from an old one that came back, so it is incomparable then.
    """
    reset, evicted, problems = _validity(health_before, health_after)
    if reset:
        return Window(
            seconds,
            incomparable=tuple(Incomparable(_key(row), "the statistics were reset") for row in later),
            problems=problems,
        )
    before = {_key(row): row for row in earlier}
    statements: list[Statement] = []
    incomparable: list[Incomparable] = []
    for row in later:
        key = _key(row)
        start = before.pop(key, None)
        reason = _broken(start, row, evicted)
        if reason:
            incomparable.append(Incomparable(key, reason))
        elif start is None or row["calls"] > start["calls"]:
            statements.append(_difference(key, start, row))
    statements.sort(key=lambda statement: -statement.total)
    return Window(seconds, tuple(statements), tuple(incomparable), tuple(before), problems)


def _key(row: Row) -> Key:
    return (row["dbid"], row["userid"], row["toplevel"], row["queryid"])


def _validity(before: Row | None, after: Row | None) -> tuple[bool, int, tuple[str, ...]]:
    if before is None or after is None:
        return False, 0, ("nothing says whether the statistics were reset or statements evicted",)
    problems: list[str] = []
    reset = before.get("stats_reset") != after.get("stats_reset")
    if reset:
        problems.append("the statistics were reset in between")
    evicted = (after.get("dealloc") or 0) - (before.get("dealloc") or 0)
    if evicted > 0 and not reset:
        problems.append(f"statements were evicted {evicted} time{'s' if evicted > 1 else ''} in between")
    if before.get("track") != after.get("track"):
        problems.append(f"pg_stat_statements.track changed from {before.get('track')} to {after.get('track')}")
    return reset, max(evicted, 0), tuple(problems)


def _broken(start: Row | None, row: Row, evicted: int) -> str:
    if start is None:
        return "it may have been evicted and come back" if evicted else ""
    if row.get("since") != start.get("since"):
        return "its own counters were reset, or it was evicted and came back"
    if row["calls"] < start["calls"] or row["total_ms"] < start["total_ms"] - 0.001:
        return "its counters went backwards"
    return ""


def _difference(key: Key, start: Row | None, row: Row) -> Statement:
    calls_a, total_a, squares_a = (start["calls"], start["total_ms"], _squares(start)) if start else (0, 0.0, 0.0)
    calls = row["calls"] - calls_a
    total = row["total_ms"] - total_a
    mean = total / calls
    variance = (_squares(row) - squares_a) / calls - mean * mean
    counters = {name: _growth(start, row, name) for name in COUNTERS}
    return Statement(key, calls, total, mean, math.sqrt(max(variance, 0.0)), counters, start is None)


def _squares(row: Row) -> float:
    """The sum of squared times, from what the server keeps: calls, mean and (population) deviation."""
    squares: float = row["calls"] * (row["sd_ms"] ** 2 + row["mean_ms"] ** 2)
    return squares


def _growth(start: Row | None, row: Row, name: str) -> float | None:
    after, before = row.get(name), start.get(name) if start else 0
    if after is None or before is None:
        return None
    growth: float = after - before
    return growth


def together(alike: Iterable[Statement]) -> Statement:
    """Several statements, at least one, as one: what one number would have counted, under the first one's."""
    those = list(alike)
    if len(those) == 1:
        return those[0]
    calls, total = sum(one.calls for one in those), sum(one.total for one in those)
    mean = total / calls
    squares = sum(one.calls * (one.deviation**2 + one.mean**2) for one in those)
    counters = {name: _summed(one.counters.get(name) for one in those) for name in those[0].counters}
    deviation = math.sqrt(max(squares / calls - mean * mean, 0.0))
    return replace(those[0], calls=calls, total=total, mean=mean, deviation=deviation, counters=counters)


def _summed(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)
