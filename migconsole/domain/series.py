"""Which values of readings are kept as lines over time, and how each is made from a probe's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from migconsole.domain.readings import Quality, Reading

Rows = Sequence[Mapping[str, Any]]
Value = Callable[[Rows], float | None]


def _first(column: str) -> Value:
    return lambda rows: _number(rows[0].get(column)) if rows else None


def _most(column: str, **only: Any) -> Value:
    """The largest value; 0 when there are no such rows, which is a fact where the reading is good."""

    def most(rows: Rows) -> float | None:
        chosen = [row.get(column) for row in rows if all(row.get(name) == wanted for name, wanted in only.items())]
        numbers = [number for value in chosen if (number := _number(value)) is not None]
        return max(numbers) if numbers else (0.0 if not chosen else None)

    return most


def _count(wanted: Callable[[Mapping[str, Any]], bool] = lambda row: True) -> Value:
    return lambda rows: float(sum(1 for row in rows if wanted(row)))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and value > 0


def _blocked(rows: Rows) -> float:
    """Waiting sessions; a group row stands for as many as it holds up."""
    total = 0.0
    for row in rows:
        if row.get("kind") == "group":
            total += _number(row.get("holds_up")) or 0.0
        elif _positive(row.get("waits_for")):
            total += 1
    return total


SERIES: Mapping[str, tuple[str, Value]] = MappingProxyType(
    {
        "connections": ("conn_saturation", _first("used")),
        "connections_share": ("conn_saturation", _first("used_share")),
        "active": ("conn_saturation", _first("active")),
        "idle_in_xact": ("conn_saturation", _first("idle_in_xact")),
        "blocked": ("lock_tree", _blocked),
        "oldest_wait": ("lock_tree", _most("wait_s")),
        "migration_victims": ("migration_session", _most("holds_up")),
        "oldest_xact": ("long_xact", _most("age_s", kind="transaction")),
        "wal_rate": ("wal_rate", _first("rate")),
        "lag_bytes": ("replication_lag", _most("replay_bytes")),
        "lag": ("replication_lag", _most("replay_s")),
        "slots_retained": ("slots_retained", _most("retained")),
        "archive_pending": ("archive_backlog", _first("pending")),
        "tps": ("db_counters", _first("tps")),
        "rollback_share": ("db_counters", _first("rollback_share")),
        "cache_hit": ("db_counters", _first("cache_hit")),
        "deadlocks": ("db_counters", _first("deadlocks_per_min")),
        "temp_rate": ("db_counters", _first("temp_rate")),
        "database_size": ("rewrite_eta", _first("database_size")),
        "growth": ("rewrite_eta", _first("growth")),
        "rewrite": ("rewrite_eta", _first("share")),
        "disk_used_share": ("disk_free", _most("used_share")),
        "cost": ("self_cost", _first("busy_share")),
    }
)
"""Name of a line → its probe and how its value is made. Units are those of the probe's column; counts are numbers."""

PROBES_OF_SERIES = frozenset(probe for probe, _ in SERIES.values())


def values(readings: Iterable[Reading]) -> dict[str, float | None]:
    """The values of every line that these readings feed; None, a gap, where the reading is not a good one.

    >>> reading = Reading("wal_rate", 0.0, 0.1, Quality.OK, ({"rate": 7},))
    >>> values([reading])
    {'wal_rate': 7.0}
    >>> values([Reading("wal_rate", 0.0, 0.0, Quality.FAILED)])
    {'wal_rate': None}
    """
    found = {reading.probe: reading for reading in readings if reading.probe in PROBES_OF_SERIES}
    return {
        name: value(found[probe].rows) if found[probe].quality is Quality.OK else None
        for name, (probe, value) in SERIES.items()
        if probe in found
    }
