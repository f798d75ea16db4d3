"""A watcher's file in memory: readings a test puts there, hostile texts among them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from migconsole.domain.readings import Alarm, Level, Quality, Reading
from migconsole.engine.ports import WatcherState
from tests.tui.fakes import HOSTILE

START = "2030-03-08T22:00:00.123456+00:00"
MIGRATION = 4711


@dataclass
class FakeHealth:
    """``engine.ports.HealthSource``; ``now`` is Unix time, ``asked`` counts the questions."""

    now: float
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    lines: dict[str, list[tuple[float, float | None]]] = field(default_factory=dict)
    open_alarms: list[Alarm] = field(default_factory=list)
    state: WatcherState = field(default_factory=lambda: WatcherState(True, 1.0, 77, 0.004, 2))
    asked: int = 0

    def latest(self, probe: str) -> Reading | None:
        self.asked += 1
        return self.readings[probe][-1] if self.readings.get(probe) else None

    def before(self, probe: str, at: float) -> Reading | None:
        return next((reading for reading in reversed(self.readings.get(probe, [])) if reading.at <= at), None)

    def series(self, name: str, seconds: float) -> Sequence[tuple[float, float | None]]:
        return [pair for pair in self.lines.get(name, []) if self.now - seconds <= pair[0] <= self.now + 1]

    def alarms(self, *, open_only: bool = True) -> Sequence[Alarm]:
        return self.open_alarms

    def watcher(self) -> WatcherState:
        return self.state

    def put(
        self,
        probe: str,
        rows: Sequence[Mapping[str, Any]] = (),
        *,
        age: float = 1.0,
        quality: Quality = Quality.OK,
        reason: str = "",
    ) -> None:
        self.readings.setdefault(probe, []).append(Reading(probe, self.now - age, 0.8, quality, tuple(rows), reason))

    def change(self, probe: str, number: int, **values: Any) -> None:
        """The newest reading of a probe again, a second later, with one row changed."""
        last = self.readings[probe][-1]
        rows = [dict(row) for row in last.rows]
        rows[number] |= values
        self.readings[probe].append(replace(last, at=self.now, rows=tuple(rows)))


def session(pid: int, **more: Any) -> dict[str, Any]:
    row = {
        "pid": pid,
        "database": "fulfillment_ops_db",
        "user": "app",
        "application": "web",
        "client": "10.0.3.17",
        "backend_type": "client backend",
        "state": "active",
        "wait_type": None,
        "wait_event": None,
        "state_s": 0.4,
        "query_s": 0.4,
        "xact_s": 0.9,
        "backend_start": START,
        "leader": None,
        "query": f"SELECT id, total FROM orders WHERE id = {pid}",
        "in_target": True,
        "ours": False,
        "migration": False,
    }
    return row | more


def lock(pid: int, depth: int, **more: Any) -> dict[str, Any]:
    row = {
        "depth": depth,
        "pid": pid,
        "kind": "session",
        "blocked_by": [],
        "waits_for": 0,
        "holds_up": 0,
        "wait_s": None,
        "oldest_victim_s": None,
        "lock": "relation",
        "mode": "ROW EXCLUSIVE",
        "relation": "public.orders",
        "application": "web",
        "user": "app",
        "state": "active",
        "query": f"UPDATE orders SET total = 1 WHERE id = {pid}",
        "backend_start": START,
        "migration": False,
        "ours": False,
        "cycle": False,
    }
    return row | more


def _sessions() -> list[dict[str, Any]]:
    rows = [
        session(
            MIGRATION,
            application="mc/1a2b3c4d/9f8e7d6c",
            user="deploy",
            query="ALTER TABLE orders ADD COLUMN unit_cost numeric NOT NULL DEFAULT 0",
            wait_type="Lock",
            wait_event="relation",
            xact_s=8.4,
            query_s=6.3,
            migration=True,
        ),
        session(5102, state="idle in transaction", application="report", user="bi", xact_s=412.0, query_s=None),
    ]
    for number in range(14):
        waits = number < 9
        rows.append(
            session(
                6000 + number,
                wait_type="Lock" if waits else None,
                wait_event="relation" if waits else None,
                xact_s=6.2 - number * 0.3,
                query_s=6.2 - number * 0.3,
            )
        )
    rows.append(session(7001, application=HOSTILE, query=f"SELECT '{HOSTILE}' [bold]", user="[/foo]"))
    rows.append(session(7002, backend_type="walsender", application="standby1", user="repl", query="START_REPLICATION"))
    rows.append(session(7003, state="idle", xact_s=None, query_s=None, state_s=912.0, query="COMMIT"))
    return rows


def _locks() -> list[dict[str, Any]]:
    rows = [
        lock(5102, 0, holds_up=15, oldest_victim_s=6.3, mode=None, relation=None, application="report", user="bi"),
        lock(
            MIGRATION,
            1,
            blocked_by=[5102],
            waits_for=1,
            holds_up=14,
            wait_s=6.3,
            oldest_victim_s=6.2,
            mode="ACCESS EXCLUSIVE",
            application="mc/1a2b3c4d/9f8e7d6c",
            user="deploy",
            migration=True,
            query="ALTER TABLE orders ADD COLUMN unit_cost numeric NOT NULL DEFAULT 0",
        ),
    ]
    rows += [lock(6000 + n, 2, blocked_by=[MIGRATION], waits_for=1, wait_s=6.2 - n * 0.3) for n in range(9)]
    rows.append(lock(7001, 2, blocked_by=[MIGRATION], waits_for=1, wait_s=0.4, application=HOSTILE))
    return rows


def _tables() -> tuple[list[dict[str, Any]], ...]:
    exact, activity, estimated = [], [], []
    names = ("orders", "order_lines", "shipments", "inventory_movements", "customers", "products", HOSTILE)
    for number, name in enumerate(names):
        oid, size = 16400 + number, int(9e9 / (number + 1) ** 2)
        skipped = name == "orders"
        exact.append(
            {
                "oid": oid,
                "relation": f"public.{name}",
                "kind": "table",
                "size": None if skipped else size,
                "skipped": skipped,
                "locked_by": MIGRATION if skipped else None,
                "estimate": size,
                "growth": None if skipped else number * 1_048_576,
                "growth_rate": None if skipped else number * 20_000.0,
                "watched": number < 2,
            }
        )
        activity.append(
            {
                "oid": oid,
                "relation": f"public.{name}",
                "live": 4_200_000 // (number + 1),
                "dead": 1_300_000 if number == 1 else 12_000,
                "dead_share": 0.38 if number == 1 else 0.004,
                "mods": 1200 * number,
                "seq_scans": 12 + number,
                "seq_rows": 1_000_000,
                "idx_scans": 98_231_411 // (number + 1),
                "idx_share": 0.998,
                "inserted": 5_000_000,
                "updated": 12_000_000,
                "hot_updated": 11_000_000,
                "deleted": 300,
                "last_vacuum": None,
                "last_autovacuum": "2030-03-08T21:11:00+00:00" if number else None,
                "last_analyze": "2030-03-09T00:01:00+00:00",
                "last_autoanalyze": None,
                "last_seq_scan": None,
                "last_idx_scan": "2030-03-09T00:42:55+00:00",
                "size": size,
                "watched": number < 2,
            }
        )
    estimated.append({"oid": 17000, "relation": "audit.log_2029", "kind": "table", "total": 3_200_000_000, "rows": 9e6})
    return exact, activity, estimated


def _indexes() -> list[dict[str, Any]]:
    rows = []
    for number, name in enumerate(("orders_pkey", "orders_customer_idx", "orders_customer_idx1", "lines_old_idx")):
        rows.append(
            {
                "oid": 18000 + number,
                "index": f"public.{name}",
                "table_oid": 16400,
                "relation": "public.orders",
                "scans": 0 if number > 1 else 9_231_000,
                "scans_rise": 0 if number > 1 else 4120,
                "rows_read": 99,
                "rows_fetched": 98,
                "size": int(4e8 / (number + 1)),
                "unique": number == 0,
                "primary": number == 0,
                "constraint": number == 0,
                "valid": number != 2,
                "last_scan": None if number > 1 else "2030-03-09T00:42:58+00:00",
                "age_s": 300.0,
                "new": number == 2,
                "unused": number == 3,
                "watched": True,
            }
        )
    return rows


def statement(queryid: str, calls: int, mean: float, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "dbid": 16401,
        "userid": 10,
        "toplevel": True,
        "queryid": queryid,
        "calls": calls,
        "total_ms": calls * mean,
        "mean_ms": mean,
        "sd_ms": mean / 2,
        "min_ms": mean / 10,
        "max_ms": mean * 10,
        "rows": calls * 3,
        "blocks_hit": calls * 40,
        "blocks_read": calls * 2,
        "blocks_dirtied": 0,
        "blocks_written": 0,
        "temp_read": 0,
        "temp_written": 0,
        "read_ms": calls * 0.1,
        "write_ms": 0.0,
        "wal_bytes": calls * 10,
        "since": START,
    }
    return row | more


def _queries(health: FakeHealth) -> None:
    for age, factor in ((605.0, 1), (5.0, 2)):
        rows = [
            statement("901", 120_000 * factor, 4.2),
            statement("-77", 1_000 * factor, 230.0),
            statement("31337", 90 * factor, 0.03),
            statement("555", 5_000 // factor, 1.0),
        ]
        if factor == 2:
            rows.append(statement("8", 12, 900.0))
        health.put("pgss_delta", rows, age=age)
        info = {"version": "1.11", "entries": 900, "max_entries": 5000, "used_share": 0.18, "dealloc": 0}
        health.put("pgss_health", [info | {"stats_reset": START, "track": "top", "changed": ""}], age=age)
    texts = {
        "901": "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.id = $1",
        "-77": "UPDATE inventory_movements SET quantity = quantity - $1 WHERE product_id = $2 RETURNING id",
        "31337": f"SELECT '{HOSTILE}'",
        "8": "SELECT count(*) FROM order_lines",
    }
    health.put("statement_texts", [{"queryid": name, "query": text} for name, text in texts.items()], age=5.0)


def _movement(health: FakeHealth) -> None:
    health.put(
        "progress_index",
        [
            {
                "pid": 6100,
                "command": "CREATE INDEX CONCURRENTLY",
                "relation": "public.orders",
                "index": "orders_sku_idx",
                "phase": "waiting for writers before build",
                "share": 0.34,
                "done": 34_000,
                "total": 100_000,
                "unit": "blocks",
                "lockers_done": 1,
                "lockers_total": 2,
                "locker": 5102,
                "waiting_s": 75.0,
                "elapsed_s": 120.0,
                "application": "psql",
                "query": "CREATE INDEX CONCURRENTLY orders_sku_idx ON orders (sku)",
                "migration": False,
            }
        ],
    )
    health.put("progress_other")
    health.put(
        "rewrite_eta",
        [
            {
                "pid": MIGRATION,
                "relation": "public.orders",
                "phase": "writing the new table",
                "share": 0.62,
                "eta_s": 93.0,
                "elapsed_s": 152.0,
                "done": 5_400_000_000,
                "total": 8_700_000_000,
                "still_s": 0.0,
                "wal": 5_600_000_000,
                "database_size": 13_207_024_435,
                "growth": 5_400_000_000,
                "query": "ALTER TABLE orders ALTER COLUMN id TYPE bigint",
                "backend_start": START,
                "migration": True,
            }
        ],
        age=4.0,
    )
    stages = {"sent_bytes": 0, "write_bytes": 8192, "flush_bytes": 65536, "replay_bytes": 210_000_000}
    health.put(
        "replication_lag",
        [
            {"standby": "standby1", "pid": 7002, "client": "10.0.3.2", "state": "streaming", "sync_state": "sync"}
            | stages
            | {"write_s": 0.001, "flush_s": 0.002, "replay_s": 3.1, "reply_s": 0.4}
        ],
    )
    health.put(
        "slots_retained",
        [
            {
                "slot": "cdc_old",
                "slot_type": "logical",
                "active": False,
                "pid": None,
                "retained": 23_000_000_000,
                "wal_status": "extended",
                "safe_bytes": None,
                "invalidation": "",
                "inactive_s": 86_000.0,
                "xmin_age": None,
                "catalog_xmin_age": 12_000_000,
                "temporary": False,
            }
        ],
        age=7.0,
    )
    health.put("archive_backlog", quality=Quality.NO_PRIVILEGE, reason="needs pg_monitor", age=7.0)


def _overview(health: FakeHealth) -> None:
    counts = {"active": 12, "idle": 40, "idle_in_xact": 3, "waiting": 10, "free": 31, "in_target": 60, "hidden": 0}
    health.put("conn_saturation", [{"used": 66, "slots": 97, "used_share": 0.68, "max_connections": 100} | counts])
    health.put(
        "migration_session",
        [
            {
                "found": True,
                "running": True,
                "pid": MIGRATION,
                "found_by": "application name",
                "state": "active",
                "wait_type": "Lock",
                "wait_event": "relation",
                "waits_for": 1,
                "holds_up": 14,
                "oldest_victim_s": 6.2,
                "summary": "waits for 1, holds up 14, oldest victim 6.2 s",
            }
        ],
    )
    health.put("long_xact", [{"kind": "transaction", "pid": 5102, "age_s": 412.0}])
    health.put("wal_rate", [{"position": 1, "rate": 4.2e6, "in_recovery": False}])
    health.put("db_counters", [{"tps": 412.0, "rollback_share": 0.01, "cache_hit": 0.972, "deadlocks_per_min": 0.0}])
    health.put("self_cost", [{"busy_share": 0.004, "connections": 2}])
    health.put(
        "server_identity",
        [{"started_at": "2030-03-01T00:00:00+00:00", "in_recovery": False, "version": "16.4", "changed": ""}],
    )

    def wave(low: float, high: float, length: float) -> list[tuple[float, float | None]]:
        values: list[tuple[float, float | None]] = []
        for step in range(300):
            at = health.now - 600 + step * 2
            rise = (step / 300) ** 3
            value = low + (high - low) * (0.35 * (1 + math.sin(step / length)) / 2 + 0.65 * rise)
            values.append((at, None if 120 <= step < 135 else value))
        return values

    health.lines = {
        "connections_share": wave(0.2, 0.85, 9),
        "active": wave(2, 12, 5),
        "blocked": [(at, 0 if at < health.now - 90 else 10) for at, _ in wave(0, 1, 1)],
        "oldest_wait": [(at, 0 if at < health.now - 90 else 6.3) for at, _ in wave(0, 1, 1)],
        "migration_victims": [(at, 0 if at < health.now - 90 else 14) for at, _ in wave(0, 1, 1)],
        "oldest_xact": [(at, max(0.0, 412 - (health.now - at))) for at, _ in wave(0, 1, 1)],
        "idle_in_xact": wave(0, 3, 20),
        "tps": wave(300, 420, 7),
        "rollback_share": wave(0, 0.02, 11),
        "cache_hit": wave(0.99, 0.972, 13),
        "wal_rate": wave(1e6, 4.2e6, 4),
        "lag_bytes": wave(0, 2.1e8, 9),
        "slots_retained": wave(2.2e10, 2.3e10, 50),
        "database_size": wave(7.8e9, 13.2e9, 90),
        "cost": wave(0.002, 0.005, 8),
    }


def health_at(now: float) -> FakeHealth:
    """A migration that waits in a lock queue, with everything beside it that the screen shows."""
    health = FakeHealth(now)
    health.put("sessions", _sessions())
    health.put("lock_tree", _locks())
    exact, activity, estimated = _tables()
    health.put("watch_sizes", exact, age=40.0)
    health.put("tables_activity", activity, age=40.0)
    health.put("all_sizes_est", estimated, age=200.0)
    health.put("index_usage", _indexes(), age=40.0)
    health.put("invalid_indexes", [{"oid": 18002, "index": "public.orders_customer_idx1", "building": False}], age=40.0)
    health.put("duplicates", [{"oid": 18002, "duplicate_of": "public.orders_customer_idx"}], age=600.0)
    _queries(health)
    _movement(health)
    _overview(health)
    message = "the migration (pid 4711) holds up 14, the oldest for 6s"
    health.open_alarms = [
        Alarm(2, "lock_tree", Level.CRITICAL, message, now - 4.0, evidence=({"pid": 4711, "query": HOSTILE},)),
        Alarm(1, "long_xact", Level.WARN, f"the transaction of pid 5102 ({HOSTILE}) is 6m old", now - 200.0),
    ]
    return health


def sampled(health: FakeHealth) -> None:
    """Two minutes of a migration that waits for one session and holds up three, as the strip shows them."""
    counts = {"active": 9, "idle": 21, "idle_in_xact": 3}
    health.put("conn_saturation", [{"used": 33, "slots": 100, "used_share": 0.33, **counts}])
    health.put("lock_tree", [{"pid": 5102, "waits_for": 0, "holds_up": 4}, *_victims()])
    health.put("migration_session", [_standing(4711)])
    health.put("long_xact", [{"kind": "transaction", "pid": 5102, "age_s": 41.0}])
    health.put("wal_rate", [{"position": 1, "rate": 4.2e6, "in_recovery": False}])
    health.put("db_counters", [{"tps": 412.0, "rollback_share": 0.01, "cache_hit": 0.992, "deadlocks_per_min": 0.0}])
    health.put("rewrite_eta", [{"database_size": 13_207_024_435, "growth": 1_180_000_000}], age=3.0)
    health.put("replication_lag", [{"standby": "s1", "replay_bytes": 0}])
    times = [health.now - 120 + 2 * step for step in range(60)]
    health.lines = {
        "connections_share": [(at, 0.2 + 0.02 * (step % 7)) for step, at in enumerate(times)],
        "tps": [(at, 400.0 + 60 * (step % 5)) for step, at in enumerate(times)],
        "blocked": [(at, 0.0 if step < 54 else 3.0) for step, at in enumerate(times)],
    }


def _victims() -> list[dict[str, Any]]:
    return [{"pid": pid, "waits_for": 1, "holds_up": 0, "wait_s": 6.2} for pid in (5201, 5202, 5203)]


def _standing(pid: int) -> dict[str, Any]:
    summary = "waits for 1, holds up 3, oldest victim 6.2 s"
    found = {
        "found": True,
        "running": True,
        "pid": pid,
        "state": "active",
        "wait_type": "Lock",
        "wait_event": "relation",
    }
    return found | {"waits_for": 1, "holds_up": 3, "oldest_victim_s": 6.2, "summary": summary}
