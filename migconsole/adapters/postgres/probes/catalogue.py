"""The probes by number and name: what each reads, with which columns, how often, through which session, at what risk.

A declaration says everything a governor, a store or a screen must know without a server. Rows of a reading have
exactly the declared columns; a value that cannot be known is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Tier(StrEnum):
    """How often a probe is due: pulse, fast, medium, slow, or only at a gate (an item that asks, or a person)."""

    PULSE = "P"
    FAST = "F"
    MEDIUM = "M"
    SLOW = "S"
    GATE = "G"


class Through(StrEnum):
    """Which session a probe needs.

    The pulse lives in the maintenance database and reads by functions, so it answers while catalogues of the target
    are locked and while the target is fenced or swapped. The probe session lives in the target.
    """

    PULSE = "pulse"
    PROBE = "probe"


class Hazard(StrEnum):
    """What a probe could do to the server, apart from its time."""

    NONE = "none"
    LOCKS = "may wait for a relation lock"
    DIRECTORY = "walks a directory"
    MEMORY = "fills the session's caches"
    STATISTICS = "reads the statistics file before 15"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a reading. ``unit`` is one of UNITS; ``name`` is unique within its probe."""

    name: str
    unit: str


UNITS = MappingProxyType(
    {
        "text": "plain text from the server; hostile until sanitised",
        "bool": "true or false",
        "pid": "a backend's process id; 0 is a prepared transaction",
        "oid": "an object's number",
        "count": "a number of things now",
        "total": "a counter since its reset; only differences mean something",
        "bytes": "bytes now",
        "bytes total": "bytes since a counter's reset",
        "s": "seconds",
        "ms": "milliseconds",
        "ms total": "milliseconds since a counter's reset",
        "share": "0 to 1",
        "/s": "a rate per second, since the reading before",
        "/min": "a rate per minute, since the reading before",
        "bytes/s": "bytes per second, since the reading before",
        "time": "UTC ISO 8601 of the server's clock",
        "pids": "a list of process ids",
        "list": "a list of texts",
    }
)


def columns(text: str) -> tuple[Column, ...]:
    """Columns from "name unit, name unit"; the unit is text when left out.

    >>> columns("pid pid, query, written bytes total")[2]
    Column(name='written', unit='bytes total')
    """
    parts = (part.split(maxsplit=1) for part in text.split(","))
    found = tuple(Column(part[0], " ".join(part[1].split()) if len(part) > 1 else "text") for part in parts)
    unknown = {column.unit for column in found} - set(UNITS)
    if unknown or len({column.name for column in found}) != len(found):
        raise ValueError(f"unknown units {unknown} or a column twice in: {text}")
    return found


STATEMENT_TIMEOUTS = MappingProxyType(
    {Tier.PULSE: 0.5, Tier.FAST: 1.0, Tier.MEDIUM: 2.0, Tier.SLOW: 5.0, Tier.GATE: 15.0}
)
"""Seconds the server works on one statement of a tier at most."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe of the catalogue.

    ``tiers`` has the regular tier first; a second one of GATE means that gates run it too, then as widely as it can.
    ``sources`` names the queries it is made of (``sql/probes/``); ``shape`` names the function that makes its rows,
    "" when the query's rows are already its rows. ``limit`` is its own statement timeout in seconds (0: the tier's).
    ``twin`` is the probe that costs less and answers nearly the same. ``heavy`` ones never run beside each other, nor
    while the migration stands in a lock chain. ``key`` are the columns that identify a row between two readings.
    ``opens`` is how many relations the server opens for each row (-1: all there are): what it caches of them it gives
    back only when the session ends. Thresholds hang on the probe's name, in migconsole.domain.thresholds.
    """

    number: int
    name: str
    title: str
    tiers: tuple[Tier, ...]
    through: Through
    columns: tuple[Column, ...]
    sources: tuple[str, ...]
    key: tuple[str, ...] = ()
    shape: str = ""
    hazard: Hazard = Hazard.NONE
    heavy: bool = False
    opens: int = 0
    limit: float = 0.0
    twin: str = ""
    about: str = ""

    @property
    def tier(self) -> Tier:
        """The tier that says how often it is due."""
        return self.tiers[0]

    @property
    def timeout(self) -> float:
        """Seconds the server may work on one of its statements."""
        return self.limit or STATEMENT_TIMEOUTS[self.tier]


P, F, M, S, G = Tier.PULSE, Tier.FAST, Tier.MEDIUM, Tier.SLOW, Tier.GATE
PULSE, PROBE = Through.PULSE, Through.PROBE

_PULSE_PROBES = (
    Probe(
        1,
        "sessions",
        "Sessions",
        (P,),
        PULSE,
        columns(
            "pid pid, database, user, application, client, backend_type, state, wait_type, wait_event, state_s s,"
            " query_s s, xact_s s, backend_start time, leader pid, query, in_target bool, ours bool, migration bool"
        ),
        ("activity",),
        ("pid", "backend_start"),
        "sessions",
        about="At most 200: waiting ones first, then active ones, then those in a transaction.",
    ),
    Probe(
        2,
        "conn_saturation",
        "Connection slots",
        (P,),
        PULSE,
        columns(
            "used count, slots count, free count, used_share share, active count, idle count, idle_in_xact count,"
            " waiting count, other count, in_target count, hidden count, max_connections count, reserved count"
        ),
        ("activity", "server"),
        (),
        "conn_saturation",
        about="slots leaves out what is reserved for superusers and reserved_connections.",
    ),
    Probe(
        3,
        "lock_tree",
        "Lock tree",
        (P,),
        PULSE,
        columns(
            "depth count, pid pid, kind, blocked_by pids, waits_for count, holds_up count, wait_s s, oldest_victim_s s,"
            " lock, mode, relation, application, user, state, query, backend_start time, migration bool, ours bool,"
            " cycle bool"
        ),
        ("activity", "locks", "blocking"),
        ("pid", "backend_start"),
        "lock_tree",
        about=(
            "Rows in the order they are drawn, roots first. kind is session, prepared (pid 0), or group: above 100"
            " waiters only counts by relation and mode are read, and holds_up is their number."
        ),
    ),
    Probe(
        4,
        "ael_queue",
        "ACCESS EXCLUSIVE locks",
        (P,),
        PULSE,
        columns(
            "pid pid, relation, relation_oid oid, granted bool, since_s s, behind count, application, user, query,"
            " backend_start time, migration bool, watched bool"
        ),
        ("activity", "locks"),
        ("pid", "relation_oid"),
        "ael_queue",
    ),
    Probe(
        5,
        "migration_session",
        "Migration session",
        (P,),
        PULSE,
        columns(
            "found bool, running bool, pid pid, found_by, state, wait_type, wait_event, query_s s, xact_s s,"
            " locks_held count, locks_wanted count, waits_for count, holds_up count, oldest_victim_s s, summary,"
            " lock_timeout_s s, gone_s s, application, user, query, backend_start time"
        ),
        ("activity", "locks", "blocking"),
        ("pid", "backend_start"),
        "migration_session",
        about="One row with found = false when there is none; gone_s: since the running step's session was last seen.",
    ),
    Probe(
        6,
        "idle_in_xact",
        "Idle in transaction",
        (P,),
        PULSE,
        columns(
            "pid pid, idle_s s, xact_s s, locks count, watched list, application, user, query, backend_start time,"
            " ours bool"
        ),
        ("activity", "locks"),
        ("pid", "backend_start"),
        "idle_in_xact",
        about="watched names the watched tables on which it holds a lock: DDL would queue behind it.",
    ),
    Probe(
        7,
        "long_xact",
        "Oldest transactions",
        (P,),
        PULSE,
        columns(
            "kind, pid pid, name, age_s s, xmin_age count, state, application, user, query, backend_start time,"
            " migration bool"
        ),
        ("activity", "prepared", "slots"),
        ("kind", "pid", "name"),
        "long_xact",
        about="kind is transaction, prepared, walsender or slot; the last two hold back vacuum by xmin alone.",
    ),
    Probe(
        8,
        "dump_running",
        "Dumps and base backups",
        (P, G),
        PULSE,
        columns(
            "pid pid, kind, age_s s, state, relation, application, user, query, backend_start time, ours bool,"
            " locks count"
        ),
        ("activity", "locks"),
        ("pid", "backend_start"),
        "dump_running",
        about="Known by the application name, by what it runs (also under our own names mc/…), or as a base backup.",
    ),
    Probe(
        9,
        "progress_index",
        "Index builds",
        (P,),
        PULSE,
        columns(
            "pid pid, command, relation, index, phase, share share, done count, total count, unit, lockers_done count,"
            " lockers_total count, locker pid, waiting_s s, elapsed_s s, application, query, migration bool"
        ),
        ("activity", "progress_index"),
        ("pid",),
        "progress_index",
        about="From 12. waiting_s counts how long it has been waiting for the same locker.",
    ),
    Probe(
        10,
        "progress_other",
        "Progress",
        (P,),
        PULSE,
        columns(
            "pid pid, command, relation, phase, share share, done count, total count, unit, still_s s, elapsed_s s,"
            " application, query, migration bool"
        ),
        ("activity", "progress"),
        ("pid", "command"),
        "progress_other",
        about="VACUUM, ANALYZE, CLUSTER, COPY, base backup, REPACK. still_s counts how long nothing has moved.",
    ),
    Probe(
        12,
        "wal_rate",
        "WAL",
        (P,),
        PULSE,
        columns(
            "position bytes total, rate bytes/s, records total, full_pages total, buffers_full total, in_recovery bool"
        ),
        ("wal",),
        (),
        "wal_rate",
        about="position is the write position as a number (on a standby the replay position).",
    ),
    Probe(
        13,
        "replication_lag",
        "Standbys",
        (P,),
        PULSE,
        columns(
            "standby, pid pid, client, state, sync_state, sent_bytes bytes, write_bytes bytes, flush_bytes bytes,"
            " replay_bytes bytes, write_s s, flush_s s, replay_s s, reply_s s"
        ),
        ("replication",),
        ("standby", "pid"),
        "replication_lag",
        about="Bytes behind the primary's position. On a standby one row about itself.",
    ),
    Probe(
        20,
        "wait_profile",
        "What sessions wait for",
        (P,),
        PULSE,
        columns("who, wait_type, wait_event, samples count, share share"),
        ("activity",),
        ("who", "wait_type", "wait_event"),
        "wait_profile",
        about="Over the last 60 samples of active sessions; who is migration or an application name.",
    ),
    Probe(
        37,
        "vacuum_on_target",
        "Autovacuum on watched tables",
        (P, G),
        PULSE,
        columns(
            "pid pid, relation, command, wraparound bool, watched bool, phase, share share, elapsed_s s, query,"
            " backend_start time"
        ),
        ("activity", "progress"),
        ("pid", "backend_start"),
        "vacuum_on_target",
    ),
    Probe(
        40,
        "server_identity",
        "Server identity",
        (P,),
        PULSE,
        columns(
            "started_at time, in_recovery bool, system_identifier, timeline count, version, database_oid oid,"
            " previous, changed"
        ),
        ("server", "identity"),
        (),
        "server_identity",
        about="changed says what is not as at the first reading (restarted, failed over, another cluster), else empty.",
    ),
    Probe(
        42,
        "self_cost",
        "What the monitor costs",
        (P,),
        PULSE,
        columns(
            "busy_share share, queries_per_s /s, connections count, waiting count, longest_wait_s s, memory bytes,"
            " lock_timeout_s s, deadlock_timeout_s s"
        ),
        ("activity", "locks", "server"),
        (),
        "self_cost",
        about="memory is our backends' private memory where the server is on this host, else None.",
    ),
    Probe(
        11,
        "rewrite_eta",
        "Table rewrites",
        (F,),
        PULSE,
        columns(
            "pid pid, relation, phase, share share, eta_s s, elapsed_s s, done bytes, total bytes, still_s s,"
            " wal bytes, database_size bytes, growth bytes, query, backend_start time, migration bool"
        ),
        ("activity", "locks", "wal", "size"),
        ("pid",),
        "rewrite_eta",
        heavy=True,
        limit=3.0,
        hazard=Hazard.DIRECTORY,
        about=(
            "From the growth of the database, for statements without a progress view. Without a rewrite one row with"
            " the database's size alone, read rarely. growth is since the first size seen."
        ),
    ),
    Probe(
        14,
        "slots_retained",
        "Replication slots",
        (F,),
        PULSE,
        columns(
            "slot, slot_type, active bool, pid pid, retained bytes, wal_status, safe_bytes bytes, invalidation,"
            " inactive_s s, xmin_age count, catalog_xmin_age count, temporary bool"
        ),
        ("slots",),
        ("slot",),
        "slots_retained",
    ),
    Probe(
        15,
        "archive_backlog",
        "WAL archiving",
        (F,),
        PULSE,
        columns(
            "enabled bool, pending count, archived total, failed total, failed_rise count, last_wal, last_at time,"
            " last_s s, last_failed_wal, last_failed_at time"
        ),
        ("archiver",),
        (),
        "archive_backlog",
        about="pending are whole segments between the last archived one and the write position.",
    ),
    Probe(
        16,
        "standby_conflicts",
        "Conflicts with replay",
        (F,),
        PULSE,
        columns(
            "lock total, snapshot total, tablespace total, bufferpin total, deadlock total, slot total, all total,"
            " rise count, max_delay_s s"
        ),
        ("conflicts",),
        (),
        "standby_conflicts",
        about="Only on a standby.",
    ),
    Probe(
        17,
        "db_counters",
        "Database counters",
        (F,),
        PULSE,
        columns(
            "tps /s, rollback_share share, cache_hit share, deadlocks_per_min /min, temp_rate bytes/s, commits total,"
            " rollbacks total, blocks_hit total, blocks_read total, rows_returned total, rows_fetched total,"
            " rows_inserted total, rows_updated total, rows_deleted total, deadlocks total, temp_files total,"
            " temp_bytes bytes total, read_ms ms total, write_ms ms total, sessions_killed total,"
            " sessions_abandoned total, sessions_fatal total, checksum_failures total, stats_reset time"
        ),
        ("counters",),
        (),
        "db_counters",
        hazard=Hazard.STATISTICS,
        about="Rates are since the reading before; None at the first one and after a reset.",
    ),
    Probe(
        18,
        "checkpoints",
        "Checkpoints",
        (F,),
        PULSE,
        columns(
            "timed total, requested total, timed_share share, counted count, write_ms ms total, sync_ms ms total,"
            " buffers total, since_bytes bytes, since_s s, max_wal_size bytes, stats_reset time"
        ),
        ("checkpoints",),
        (),
        "checkpoints",
        about="timed_share is of the checkpoints since the first reading (counted); of all while there were none.",
    ),
    Probe(
        41,
        "clock_skew",
        "Clock",
        (G,),
        PULSE,
        columns("skew_s s, uncertainty_s s, server_time time"),
        ("clock",),
        (),
        "clock_skew",
        about="The server's clock minus this host's, known to half the round trip.",
    ),
)

_PROBE_PROBES = (
    Probe(
        19,
        "io",
        "Input and output",
        (M, G),
        PROBE,
        columns(
            "backend_type, object, context, reads total, read_bytes bytes total, read_ms ms total, writes total,"
            " write_bytes bytes total, write_ms ms total, extends total, extend_bytes bytes total, hits total,"
            " evictions total, fsyncs total, stats_reset time"
        ),
        ("io",),
        ("backend_type", "object", "context"),
        hazard=Hazard.STATISTICS,
        about="Before 16 one row of kind all, with what the database read.",
    ),
    Probe(
        21,
        "pgss_delta",
        "Statements",
        (M, G),
        PROBE,
        columns(
            "dbid oid, userid oid, toplevel bool, queryid, calls total, total_ms ms total, mean_ms ms, sd_ms ms,"
            " min_ms ms, max_ms ms, rows total, blocks_hit total, blocks_read total, blocks_dirtied total,"
            " blocks_written total, temp_read total, temp_written total, read_ms ms total, write_ms ms total,"
            " wal_bytes bytes total, since time"
        ),
        ("statements",),
        ("dbid", "userid", "toplevel", "queryid"),
        heavy=True,
        about=(
            "Cumulative, of this database; migconsole.domain.windows makes a window of two readings. queryid is text:"
            " it is a signed 64-bit number. Texts: ProbeSession.texts()."
        ),
    ),
    Probe(
        22,
        "pgss_health",
        "Statement statistics",
        (M, G),
        PROBE,
        columns(
            "version, entries count, max_entries count, used_share share, dealloc total, stats_reset time, track,"
            " changed"
        ),
        ("statements_health",),
        (),
        "pgss_health",
        about="changed says what broke the comparison since the first reading: a reset, evictions, another setting.",
    ),
    Probe(
        39,
        "config_drift",
        "Settings changed",
        (M, G),
        PROBE,
        columns("name, value, before, source, pending_restart bool, hash"),
        ("settings",),
        ("name",),
        "config_drift",
        about="The first row has no name, only the hash of all settings; then one for each that changed.",
    ),
    Probe(
        25,
        "disk_free",
        "Disk space",
        (F, G),
        PROBE,
        columns(
            "volume, path, total bytes, free bytes, used_share share, database_size bytes, factor_free count,"
            " needed bytes"
        ),
        ("data_directory",),
        ("volume",),
        "disk_free",
        about="Only where the server is proven to be on this host; else not available: confirm by hand.",
    ),
    Probe(
        26,
        "temp_files",
        "Temporary files",
        (F,),
        PROBE,
        columns("files count, bytes bytes, files_total total, bytes_total bytes total, rate bytes/s"),
        ("temp_files",),
        (),
        "temp_files",
        hazard=Hazard.DIRECTORY,
        limit=0.4,
        about="files and bytes are on disk now (12+). After one that takes too long it is not asked again.",
    ),
    Probe(
        23,
        "watch_sizes",
        "Exact sizes",
        (S, G),
        PROBE,
        columns(
            "oid oid, relation, kind, size bytes, skipped bool, locked_by pid, estimate bytes, growth bytes,"
            " growth_rate bytes/s, watched bool"
        ),
        ("watch_sizes",),
        ("oid",),
        "watch_sizes",
        hazard=Hazard.LOCKS,
        heavy=True,
        opens=4,
        twin="all_sizes_est",
        about="Watched tables and the 200 largest. A skipped one is under ACCESS EXCLUSIVE, held or wanted.",
    ),
    Probe(
        24,
        "all_sizes_est",
        "Sizes (estimated)",
        (S,),
        PROBE,
        columns(
            "oid oid, relation, kind, total bytes, heap bytes, indexes bytes, toast bytes, rows count, growth bytes,"
            " watched bool"
        ),
        ("sizes_estimated",),
        ("oid",),
        "all_sizes_est",
        heavy=True,
        about="From relpages, so as old as the last VACUUM or ANALYZE. The 500 largest and the watched ones.",
    ),
    Probe(
        27,
        "tables_activity",
        "Tables",
        (S, G),
        PROBE,
        columns(
            "oid oid, relation, live count, dead count, dead_share share, mods count, seq_scans total, seq_rows total,"
            " idx_scans total, idx_share share, inserted total, updated total, hot_updated total, deleted total,"
            " last_vacuum time, last_autovacuum time, last_analyze time, last_autoanalyze time, last_seq_scan time,"
            " last_idx_scan time, size bytes, watched bool"
        ),
        ("tables",),
        ("oid",),
        "tables_activity",
        hazard=Hazard.STATISTICS,
        heavy=True,
        opens=3,
        twin="all_sizes_est",
        about="Watched tables and the 200 largest; at a gate all. Last-scan times from 16 on.",
    ),
    Probe(
        28,
        "index_usage",
        "Indexes",
        (S, G),
        PROBE,
        columns(
            "oid oid, index, table_oid oid, relation, scans total, scans_rise count, rows_read total,"
            " rows_fetched total, size bytes, unique bool, primary bool, constraint bool, valid bool, last_scan time,"
            " age_s s, new bool, unused bool, watched bool"
        ),
        ("indexes",),
        ("oid",),
        "index_usage",
        hazard=Hazard.STATISTICS,
        heavy=True,
        opens=2,
        about=(
            "new: it was not there at the first reading; age_s since when. unused: no scan, and neither unique nor part"
            " of a constraint. Scans on standbys are not in it. At a gate all indexes."
        ),
    ),
    Probe(
        29,
        "invalid_indexes",
        "Invalid indexes",
        (G, S),
        PROBE,
        columns("oid oid, index, relation, valid bool, ready bool, live bool, building bool, watched bool"),
        ("invalid_indexes",),
        ("oid",),
        "named",
        about="building: a session is at work on it now, so it is no leftover.",
    ),
    Probe(
        30,
        "not_valid",
        "Constraints not validated",
        (G,),
        PROBE,
        columns("oid oid, constraint, relation, type, enforced bool, new bool, watched bool"),
        ("not_valid",),
        ("oid",),
        "not_valid",
        about="enforced is false for NOT ENFORCED ones of 18, which are meant so. new: not there at the first reading.",
    ),
    Probe(
        31,
        "never_analysed",
        "Tables without statistics",
        (G, S),
        PROBE,
        columns("oid oid, relation, rows count, mods count, size bytes, analysed time, watched bool"),
        ("never_analysed",),
        ("oid",),
        "named",
        hazard=Hazard.STATISTICS,
        heavy=True,
        opens=-1,
        about="Never analysed since the counters began, the largest 200.",
    ),
    Probe(
        32,
        "sequences",
        "Sequences",
        (G,),
        PROBE,
        columns(
            "oid oid, sequence, relation, column, data_type, last_value count, limit_value count, used_share share,"
            " cycles bool, skipped bool, readable bool"
        ),
        ("sequences",),
        ("oid",),
        "sequences",
        hazard=Hazard.LOCKS,
        about=(
            "limit_value is the lesser of the sequence's own and its column's. skipped: locked. readable is false"
            " without a grant on it. Whether it lags behind max(id) needs a query of the checklist."
        ),
    ),
    Probe(
        33,
        "disabled_triggers",
        "Disabled triggers",
        (G,),
        PROBE,
        columns("oid oid, trigger, relation, state, internal bool, constraint, watched bool"),
        ("disabled_triggers",),
        ("oid",),
        "named",
        about="internal ones carry foreign keys: rows go unchecked while they are off.",
    ),
    Probe(
        34,
        "duplicates",
        "Duplicate indexes",
        (G,),
        PROBE,
        columns("oid oid, index, relation, duplicate_of, size bytes, unique bool, watched bool"),
        ("duplicates",),
        ("oid",),
        "named",
        about="The same columns, operator classes, collations, order, predicate and access method.",
    ),
    Probe(
        35,
        "bloat_est",
        "Bloat (estimated)",
        (S,),
        PROBE,
        columns("oid oid, relation, size bytes, wasted bytes, wasted_share share, watched bool"),
        ("bloat",),
        ("oid",),
        "bloat_est",
        heavy=True,
        about="Watched tables only, from planner statistics, which need SELECT on the table.",
    ),
    Probe(
        36,
        "xid_age",
        "Transaction id age",
        (S, G),
        PROBE,
        columns(
            "kind, name, xid_age count, multixact_age count, freeze_max count, multixact_freeze_max count,"
            " used_share share, watched bool"
        ),
        ("xid_age",),
        ("kind", "name"),
        "xid_age",
        about="Databases, and the 20 oldest tables of the target. used_share is of autovacuum_freeze_max_age.",
    ),
    Probe(
        38,
        "schema_fingerprint",
        "Schema fingerprint",
        (G,),
        PROBE,
        columns("kind, hash, objects count, changed bool"),
        ("schema_fingerprint",),
        ("kind",),
        "schema_fingerprint",
        heavy=True,
        about="Raw catalogue rows hashed by kind, and all. changed: not as at the first reading.",
    ),
)

PROBES: tuple[Probe, ...] = tuple(sorted((*_PULSE_PROBES, *_PROBE_PROBES), key=lambda probe: probe.number))
"""All 42, by number."""

BY_NAME = MappingProxyType({probe.name: probe for probe in PROBES})
