"""What tests of a comparison need: snapshots of a server that counted what it was told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from migconsole.domain.readings import Quality, Reading
from migconsole.domain.snapshots import Snapshot

START = 1_800_000_000.0
STARTED = "2027-01-01T00:00:00+00:00"


class Server:
    """Counts calls as pg_stat_statements does, and gives snapshots of it."""

    def __init__(self, role: int = 10) -> None:
        self.role = role
        self.times: dict[str, list[float]] = {}
        self.texts: dict[str, str] = {}
        self.blocks: dict[str, int] = {}
        self.commits = 0
        self.identity: dict[str, Any] = {
            "started_at": STARTED,
            "in_recovery": False,
            "system_identifier": "7",
            "timeline": 1,
            "database_oid": 5,
        }
        self.health: dict[str, Any] = {"stats_reset": "2027-01-01T00:00:00+00:00", "dealloc": 0, "track": "top"}
        self.tables: list[Mapping[str, Any]] = []

    def call(self, number: str, times: Sequence[float], text: str = "", blocks: int = 1) -> None:
        """A statement ran so often, in milliseconds each."""
        self.times.setdefault(number, []).extend(times)
        self.texts[number] = text or self.texts.get(number) or f"select * from table_{number}"
        self.blocks[number] = self.blocks.get(number, 0) + blocks * len(times)
        self.commits += len(times)

    def look(self, at: float, texts: bool = True) -> Snapshot:
        """The snapshot at ``at`` seconds after the beginning."""
        rows = {
            "pgss_delta": [self._row(number, times) for number, times in self.times.items()],
            "pgss_health": [self.health],
            "db_counters": [
                {"commits": self.commits, "rollbacks": 0, "blocks_hit": 10 * self.commits, "blocks_read": 0}
            ],
            "server_identity": [self.identity],
            "tables_activity": self.tables,
        }
        if texts:
            rows["statement_texts"] = [{"queryid": number, "query": text} for number, text in self.texts.items()]
        return Snapshot(
            START + at,
            {
                name: Reading(name, START + at, 1.0, Quality.OK, tuple(dict(row) for row in found))
                for name, found in rows.items()
            },
        )

    def _row(self, number: str, times: Sequence[float]) -> dict[str, Any]:
        mean = math.fsum(times) / len(times)
        deviation = math.sqrt(math.fsum((time - mean) ** 2 for time in times) / len(times))
        return {
            "dbid": 5,
            "userid": self.role,
            "toplevel": True,
            "queryid": number,
            "calls": len(times),
            "total_ms": math.fsum(times),
            "mean_ms": mean,
            "sd_ms": deviation,
            "rows": len(times),
            "blocks_hit": self.blocks[number],
            "blocks_read": 0,
            "since": None,
        }
