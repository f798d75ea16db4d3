"""The catalogue's limits as data: what is too much, of what, in which phase, and whose figure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from migconsole.domain.readings import Level


class Phase(StrEnum):
    """Where the run is; it sets how often probes are read and which limits hold."""

    BEFORE = "before"
    STEP = "during a step"
    FIRST_HOUR = "first hour"
    LATER = "later"


WINDOW = (Phase.STEP, Phase.FIRST_HOUR)
QUIET = (Phase.BEFORE, Phase.LATER)
_EVERYWHERE = tuple(Phase)
_OURS = "migconsole"

Row = Mapping[str, Any]
Condition = tuple[str, str, Any]
"""Column, operator (= != > >= <), and what it is compared with."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit.

    ``column`` is what is measured; ``unit`` how it is written (s, bytes, share, count, /min). ``above`` is False where
    small is bad. ``warn`` and ``critical`` are limits that count as crossed when reached; None: there is no such level.
    ``where`` are conditions on a row. ``rows`` is how many rows must have crossed. ``source`` says whose limit it is.
    ``message`` is filled with the row that is worst, ``{value}`` and ``{count}``.
    """

    name: str
    probe: str
    column: str
    warn: float | None
    critical: float | None
    message: str
    source: str
    unit: str = "count"
    above: bool = True
    where: tuple[Condition, ...] = ()
    rows: int = 1
    phases: tuple[Phase, ...] = _EVERYWHERE

    def level(self, value: float) -> Level:
        """The level of one value."""
        for limit, level in ((self.critical, Level.CRITICAL), (self.warn, Level.WARN)):
            if limit is not None and (value >= limit if self.above else value <= limit):
                return level
        return Level.GOOD


def _rule(name: str, column: str, warn: float | None, critical: float | None, message: str, **more: Any) -> Rule:
    more.setdefault("source", _OURS)
    return Rule(name, name.partition(".")[0], column, warn, critical, message, **more)


_GB = 1024**3
_MB = 1024**2
CHECKPOINTS = 5
"""Checkpoints since the watcher began below which their share says nothing: creating a database demands some, too."""

_TRUE: Any = True
_FALSE: Any = False

RULES: tuple[Rule, ...] = (
    _rule(
        "conn_saturation.used",
        "used_share",
        0.80,
        0.95,
        "{value} of the connection slots are taken ({used} of {slots})",
        unit="share",
        source="PostgreSQL exporter's alert rules 80 %; check_postgres 95 %",
    ),
    _rule(
        "lock_tree.migration",
        "oldest_victim_s",
        2.0,
        10.0,
        "the migration (pid {pid}) holds up {holds_up}, the oldest for {value}",
        unit="s",
        where=(("migration", "=", _TRUE), ("holds_up", ">=", 1)),
        phases=(Phase.BEFORE, Phase.STEP, Phase.FIRST_HOUR),
    ),
    _rule(
        "lock_tree.wait",
        "wait_s",
        60.0,
        120.0,
        "pid {pid} has waited {value} for a lock",
        unit="s",
        where=(("migration", "!=", _TRUE),),
        source="check_postgres lockwait",
    ),
    _rule(
        "lock_tree.blocked",
        "wait_s",
        300.0,
        600.0,
        "{count} sessions have waited {value} and longer for locks",
        unit="s",
        rows=3,
        source="pganalyze",
    ),
    _rule(
        "lock_tree.crowd",
        "holds_up",
        100,
        300,
        "{value} sessions wait for {mode} on {relation}",
        where=(("kind", "=", "group"),),
    ),
    _rule(
        "lock_tree.cycle", "wait_s", 0.0, None, "pid {pid} is in a deadlock", unit="s", where=(("cycle", "=", _TRUE),)
    ),
    _rule(
        "ael_queue.pending",
        "since_s",
        1.0,
        5.0,
        "pid {pid} waits {value} for ACCESS EXCLUSIVE on {relation}, with {behind} behind it",
        unit="s",
        where=(("granted", "=", _FALSE), ("behind", ">=", 1)),
    ),
    _rule(
        "migration_session.vanished",
        "gone_s",
        5.0,
        30.0,
        "a step is running and its session has been gone from the server for {value}",
        unit="s",
        where=(("found", "=", _FALSE), ("running", "=", _TRUE)),
    ),
    _rule(
        "idle_in_xact.age",
        "idle_s",
        1800.0,
        3600.0,
        "pid {pid} ({application}) has been idle in a transaction for {value}",
        unit="s",
        where=(("ours", "!=", _TRUE),),
        source="pganalyze",
    ),
    _rule(
        "idle_in_xact.watched",
        "idle_s",
        5.0,
        10.0,
        "pid {pid} ({application}) is idle in a transaction for {value} with a lock on {watched}",
        unit="s",
        where=(("watched", "!=", ()),),
        phases=(Phase.BEFORE, Phase.STEP),
    ),
    _rule(
        "long_xact.age",
        "age_s",
        60.0,
        120.0,
        "the transaction of pid {pid} ({application}) is {value} old",
        unit="s",
        where=(("kind", "=", "transaction"), ("migration", "!=", _TRUE)),
        source="PgHero 60 s; PostgreSQL exporter's alert rules 2 min",
    ),
    _rule(
        "long_xact.prepared",
        "age_s",
        1.0,
        30.0,
        "the prepared transaction {name} is {value} old",
        unit="s",
        where=(("kind", "=", "prepared"),),
        source="check_postgres prepared_txns",
    ),
    _rule(
        "dump_running.present",
        "pid",
        None,
        0,
        "a {kind} runs (pid {pid}): DDL would queue behind it",
        phases=(Phase.STEP,),
    ),
    _rule(
        "progress_index.locker",
        "waiting_s",
        60.0,
        300.0,
        "the build of {index} has waited {value} for pid {locker}",
        unit="s",
    ),
    _rule(
        "progress_other.still", "still_s", 60.0, 300.0, "{command} on {relation} has not moved for {value}", unit="s"
    ),
    _rule(
        "rewrite_eta.still",
        "still_s",
        60.0,
        None,
        "the rewrite of {relation} has not grown the database for {value}",
        unit="s",
        where=(("phase", "=", "no growth"),),
    ),
    _rule(
        "replication_lag.replay",
        "replay_s",
        1.5,
        5.0,
        "{standby} is {value} behind",
        unit="s",
        phases=WINDOW,
        source="gh-ost 1.5 s; PgHero 5 s",
    ),
    _rule(
        "replication_lag.far",
        "replay_s",
        300.0,
        3600.0,
        "{standby} is {value} behind",
        unit="s",
        phases=QUIET,
        source="PostgreSQL exporter's alert rules 1 h",
    ),
    _rule(
        "replication_lag.bytes",
        "replay_bytes",
        100 * _MB,
        _GB,
        "{standby} has {value} still to replay",
        unit="bytes",
    ),
    _rule(
        "slots_retained.inactive",
        "inactive_s",
        0.0,
        1800.0,
        "the slot {slot} has been inactive for {value} and keeps {retained} bytes of WAL",
        unit="s",
        where=(("active", "=", _FALSE), ("temporary", "!=", _TRUE)),
        source="PgHero; PostgreSQL exporter's alert rules 30 min",
    ),
    _rule(
        "slots_retained.bytes",
        "retained",
        100 * _MB,
        10 * _GB,
        "the slot {slot} keeps {value} of WAL",
        unit="bytes",
        source="GitLab 100 MB; migconsole",
    ),
    _rule(
        "slots_retained.lost",
        "retained",
        None,
        0,
        "the slot {slot} has lost WAL it needs",
        where=(("wal_status", "=", "lost"),),
    ),
    _rule(
        "slots_retained.unreserved",
        "retained",
        0,
        None,
        "the slot {slot} is about to lose WAL it needs",
        where=(("wal_status", "=", "unreserved"),),
    ),
    _rule(
        "archive_backlog.pending",
        "pending",
        42,
        420,
        "{value} WAL segments wait for archiving",
        where=(("enabled", "=", _TRUE),),
        source="GitLab 42 segments",
    ),
    _rule(
        "archive_backlog.failing",
        "failed_rise",
        None,
        1,
        "archiving fails: {last_failed_wal}",
        where=(("enabled", "=", _TRUE),),
    ),
    _rule("standby_conflicts.rise", "rise", 1, None, "replay has cancelled {value} queries here", phases=WINDOW),
    _rule(
        "db_counters.rollbacks",
        "rollback_share",
        0.10,
        0.50,
        "{value} of the transactions are rolled back",
        unit="share",
        where=(("tps", ">=", 1),),
        source="PostgreSQL exporter's alert rules 10 %",
    ),
    _rule(
        "db_counters.deadlocks",
        "deadlocks_per_min",
        5,
        None,
        "{value} deadlocks a minute",
        unit="/min",
        source="PostgreSQL exporter's alert rules",
    ),
    _rule(
        "db_counters.cache_hit",
        "cache_hit",
        0.98,
        None,
        "only {value} of the blocks were in the cache",
        unit="share",
        above=False,
        where=(("tps", ">=", 1),),
        phases=QUIET,
        source="PostgreSQL exporter's alert rules 98 %",
    ),
    _rule("db_counters.checksums", "checksum_failures", None, 1, "{value} pages failed their checksum"),
    _rule(
        "checkpoints.timed",
        "timed_share",
        0.5,
        None,
        "only {value} of the checkpoints came by schedule: max_wal_size is small for this load",
        unit="share",
        above=False,
        where=(("counted", ">=", CHECKPOINTS),),
        source="PostgreSQL exporter's alert rules; the least number is ours",
    ),
    _rule(
        "pgss_health.full",
        "used_share",
        0.90,
        None,
        "{value} of the room for statements is used: the rare ones will be evicted",
        unit="share",
        source="pganalyze, pg_profile",
    ),
    _rule(
        "disk_free.used",
        "used_share",
        0.90,
        0.95,
        "{volume} is {value} full",
        unit="share",
        source="check_postgres disk_space",
    ),
    _rule(
        "disk_free.factor",
        "factor_free",
        2.0,
        1.0,
        "{volume} has {value} times the database's size free",
        unit="times",
        above=False,
        where=(("volume", "!=", "wal"),),
        phases=(Phase.BEFORE, Phase.STEP),
        source="the deployment checklist: twice the database",
    ),
    _rule(
        "tables_activity.scans",
        "idx_share",
        0.95,
        None,
        "{relation} is read without an index: {value} of its scans use one",
        unit="share",
        above=False,
        where=(("live", ">=", 10_000), ("seq_scans", ">=", 100)),
        source="PgHero",
    ),
    _rule(
        "index_usage.new",
        "age_s",
        3600.0,
        None,
        "the new index {index} has not been used for {value}",
        unit="s",
        where=(("new", "=", _TRUE), ("scans", "=", 0)),
    ),
    _rule(
        "invalid_indexes.left",
        "oid",
        None,
        0,
        "the index {index} on {relation} is invalid",
        where=(("building", "!=", _TRUE),),
        source="PgHero; critical by migconsole",
    ),
    _rule(
        "not_valid.new",
        "oid",
        0,
        None,
        "the constraint {constraint} on {relation} is not validated",
        where=(("new", "=", _TRUE), ("enforced", "!=", _FALSE)),
        source="PgHero",
    ),
    _rule(
        "never_analysed.rows",
        "rows",
        10_000,
        None,
        "{relation} was never analysed ({value} rows): the planner guesses",
        phases=(Phase.BEFORE, Phase.STEP),
    ),
    _rule(
        "never_analysed.after",
        "rows",
        None,
        10_000,
        "{relation} was never analysed ({value} rows): the planner guesses",
        phases=(Phase.FIRST_HOUR, Phase.LATER),
    ),
    _rule(
        "sequences.used",
        "used_share",
        0.85,
        0.95,
        "{sequence} has used {value} of its numbers",
        unit="share",
        source="check_postgres sequence",
    ),
    _rule(
        "disabled_triggers.any",
        "oid",
        0,
        None,
        "the trigger {trigger} on {relation} is {state}",
        where=(("state", "!=", "always"), ("internal", "!=", _TRUE)),
        source="check_postgres disabled_triggers",
    ),
    _rule(
        "disabled_triggers.foreign_key",
        "oid",
        None,
        0,
        "the foreign key {constraint} on {relation} is not checked: its trigger is {state}",
        where=(("state", "!=", "always"), ("internal", "=", _TRUE)),
    ),
    _rule(
        "bloat_est.wasted",
        "wasted",
        _GB,
        5 * _GB,
        "{relation} wastes about {value}",
        unit="bytes",
        source="check_postgres bloat",
    ),
    _rule(
        "xid_age.used",
        "used_share",
        0.90,
        0.95,
        "{kind} {name}: transaction ids are at {value} of autovacuum_freeze_max_age",
        unit="share",
        source="check_postgres autovac_freeze",
    ),
    _rule(
        "xid_age.wraparound",
        "xid_age",
        1.3e9,
        1.4e9,
        "{kind} {name} is {value} transactions old: wraparound is near",
        source="check_postgres txn_wraparound",
    ),
    _rule(
        "vacuum_on_target.watched",
        "elapsed_s",
        0.0,
        None,
        "autovacuum is at work on {relation} (pid {pid})",
        unit="s",
        where=(("watched", "=", _TRUE), ("wraparound", "!=", _TRUE)),
        phases=(Phase.BEFORE, Phase.STEP),
        source="GitLab holds for 10 min",
    ),
    _rule(
        "vacuum_on_target.wraparound",
        "elapsed_s",
        None,
        0.0,
        "autovacuum to prevent wraparound is at work on {relation} (pid {pid}): it does not step aside for DDL",
        unit="s",
        where=(("watched", "=", _TRUE), ("wraparound", "=", _TRUE)),
        phases=(Phase.BEFORE, Phase.STEP),
    ),
    _rule(
        "clock_skew.skew",
        "skew_s",
        2.0,
        5.0,
        "the server's clock differs from this host's by {value}",
        unit="s",
        source="check_postgres timesync",
    ),
    _rule(
        "self_cost.busy",
        "busy_share",
        0.01,
        0.03,
        "the monitor itself takes {value} of the time",
        unit="share",
        source="migconsole: usual is less than half of the first; the governor's bound, 0.02, lies between them",
    ),
    _rule(
        "self_cost.waits", "longest_wait_s", 0.05, None, "a session of the monitor waits {value} for a lock", unit="s"
    ),
)
"""The catalogue's limits. ``{watched}`` and other columns of the probe can stand in a message."""

TEXT_RULES = MappingProxyType(
    {
        "server_identity": ("changed", Level.CRITICAL, "the server is not as it was: {changed}"),
        "pgss_health": ("changed", Level.WARN, "statement statistics cannot be compared: {changed}"),
        "config_drift": ("name", Level.WARN, "the setting {name} changed from {before} to {value}"),
    }
)
"""Probes whose every text in a column is an alarm by itself."""
