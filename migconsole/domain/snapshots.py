"""Two looks at cumulative statistics, and what makes the time between them comparable, or not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from migconsole.domain.own_statements import own_numbers
from migconsole.domain.readings import Quality, Reading
from migconsole.domain.windows import Window, window

Row = Mapping[str, Any]

STATEMENTS, HEALTH, COUNTERS, IDENTITY, TEXTS = (
    "pgss_delta",
    "pgss_health",
    "db_counters",
    "server_identity",
    "statement_texts",
)
WAL, TABLES, INDEXES, SIZES = "wal_rate", "tables_activity", "index_usage", "watch_sizes"
PROBES = (IDENTITY, STATEMENTS, HEALTH, COUNTERS, WAL, TABLES, INDEXES, SIZES)
"""What a snapshot is made of; the texts of its statements go with it (TEXTS: rows of queryid and query)."""

SHORTEST = 5.0
"""Seconds between two snapshots below which there is no window: clocks and rounding would decide."""


def dearest(rows: Iterable[Row]) -> list[str]:
    """The numbers of statements, the most total time first."""
    ranked = sorted(rows, key=lambda row: row.get("total_ms") or 0.0, reverse=True)
    return [str(row["queryid"]) for row in ranked]


def text_rows(texts: Mapping[str, str]) -> tuple[Row, ...]:
    """Statement texts by queryid as the rows of a TEXTS reading."""
    return tuple({"queryid": number, "query": text} for number, text in sorted(texts.items()))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Readings of the cumulative probes at about the same Unix time ``at``, by probe."""

    at: float
    readings: Mapping[str, Reading]

    def rows(self, probe: str) -> Sequence[Row]:
        """The rows of a probe; none where it was not read, or could not be."""
        reading = self.readings.get(probe)
        return reading.rows if reading is not None and reading.quality is Quality.OK else ()

    def row(self, probe: str) -> Row | None:
        """The only row of a probe."""
        rows = self.rows(probe)
        return rows[0] if rows else None

    def texts(self) -> dict[str, str]:
        """Statement texts by queryid, as far as they were read."""
        return {str(row["queryid"]): str(row["query"]) for row in self.rows(TEXTS) if row.get("query")}

    def why_no_statements(self) -> str:
        """Why there are no statistics of statements, "" when there are."""
        reading = self.readings.get(STATEMENTS)
        if reading is None:
            return "statements have not been read"
        return "" if reading.quality is Quality.OK else reading.reason or str(reading.quality)


@dataclass(frozen=True, slots=True)
class Span:
    """The time between two snapshots; without a ``begin`` everything since the statistics began, to ``end``."""

    begin: Snapshot | None
    end: Snapshot
    name: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """Its length; 0 where nobody knows when the statistics began."""
        if self.begin is not None:
            return self.end.at - self.begin.at
        return max(0.0, self.end.at - (_unix((self.end.row(HEALTH) or {}).get("stats_reset")) or self.end.at))

    def elapsed(self, probe: str) -> float:
        """Seconds between the two readings of one probe, which need not be of the same moment as the statements'."""
        if self.begin is None:
            began = _unix((self.end.row(probe) or {}).get("stats_reset"))
            return 0.0 if began is None else max(0.0, self.end.at - began)
        ends = (self.begin.readings.get(probe), self.end.readings.get(probe))
        return max(0.0, ends[1].at - ends[0].at) if ends[0] is not None and ends[1] is not None else 0.0

    def rate(self, probe: str, column: str) -> float | None:
        """By how much a counter grew a second."""
        growth, seconds = self.growth(probe, column), self.elapsed(probe)
        return growth / seconds if growth is not None and seconds else None

    @property
    def broken(self) -> tuple[str, ...]:
        """What happened in between after which counters do not go on."""
        return breaks(self.begin, self.end) if self.begin is not None else ()

    def statements(self) -> Window:
        """What the statements did, without our own."""
        return self.apart(self.own())[0]

    def own(self) -> frozenset[str]:
        """The numbers of our own statements, as far as their texts were read."""
        return own_numbers(self.texts())

    def apart(self, own: Collection[str]) -> tuple[Window, Window]:
        """What the statements did: the application's, and those with the numbers in ``own``."""
        return self._window().apart(own)

    def _window(self) -> Window:
        after = self.end.row(HEALTH)
        if self.begin is None:
            return window((), self.end.rows(STATEMENTS), self.seconds, health_before=after, health_after=after)
        before = self.begin.row(HEALTH)
        return window(
            self.begin.rows(STATEMENTS),
            self.end.rows(STATEMENTS),
            self.seconds,
            health_before=before,
            health_after=after,
        )

    def texts(self) -> dict[str, str]:
        """Texts of the statements, from both ends."""
        return (self.begin.texts() if self.begin is not None else {}) | self.end.texts()

    def growth(self, probe: str, column: str) -> float | None:
        """By how much a counter grew; None where it is unknown, was reset, or went backwards."""
        after = self.end.row(probe)
        before: Row | None = {column: 0} if self.begin is None else self.begin.row(probe)
        if self.begin is None and probe == WAL:
            return None  # a position, not a counter since a reset
        return _growth(before, after, column)


def _growth(before: Row | None, after: Row | None, column: str) -> float | None:
    if before is None or after is None:
        return None
    earlier, later = before.get(column), after.get(column)
    reset = "stats_reset" in before and before.get("stats_reset") != after.get("stats_reset")
    if earlier is None or later is None or reset or later < earlier:
        return None
    return float(later - earlier)


def breaks(earlier: Snapshot, later: Snapshot) -> tuple[str, ...]:
    """Why what was counted before does not compare with what was counted after; empty when it does."""
    a, b = earlier.row(IDENTITY), later.row(IDENTITY)
    if a is None or b is None:
        return ("which server was asked is not known",)
    found = []
    if _differ(a, b, "system_identifier"):
        found.append("another cluster answers")
    if _differ(a, b, "database_oid"):
        found.append("the database was replaced (restored or swapped)")
    if _differ(a, b, "timeline") or _differ(a, b, "in_recovery"):
        found.append("the server failed over")
    if _differ(a, b, "started_at"):
        found.append(f"the server was restarted ({b.get('started_at')})")
    return tuple(found)


def resets(earlier: Snapshot, later: Snapshot) -> tuple[str, ...]:
    """Statistics that were reset between two snapshots: each window stands by itself, but it must be known."""
    found = []
    for probe, what in ((HEALTH, "statistics of statements"), (COUNTERS, "the database's counters")):
        a, b = earlier.row(probe), later.row(probe)
        if a is not None and b is not None and _differ(a, b, "stats_reset"):
            found.append(f"{what} were reset in between")
    return tuple(found)


def _differ(a: Row, b: Row, column: str) -> bool:
    return a.get(column) is not None and b.get(column) is not None and a[column] != b[column]


def started(snapshot: Snapshot) -> float | None:
    """When the server started, in Unix seconds."""
    return _unix((snapshot.row(IDENTITY) or {}).get("started_at"))


def _unix(moment: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(moment)).timestamp()
    except ValueError:
        return None
