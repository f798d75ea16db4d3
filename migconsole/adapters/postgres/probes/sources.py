"""The queries probes are made of: what each is asked with, and when it need not be asked at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from migconsole.adapters.postgres.probes.activity import WAITER_LIMIT
from migconsole.adapters.postgres.probes.server import size_wanted
from migconsole.adapters.postgres.probes.shaping import Pass

TOP_TABLES = 200
TOP_ESTIMATES = 500
EVERY_TABLE = 1_000_000
GATE_SIZES = 1_000
"""Tables whose exact size a gate asks for: below what would make the session forget to give memory back."""

Arguments = Callable[[Pass], tuple[Any, ...] | None]


@dataclass(frozen=True, slots=True)
class Source:
    """``arguments`` of None: not needed now. A probe does without an ``optional`` one; one that gave up once
    (``once``) is not asked again before a person says so. ``locks``: it may wait for a lock on a relation."""

    arguments: Arguments
    optional: bool = False
    once: bool = False
    locks: bool = False


def _nothing(_look: Pass) -> tuple[Any, ...]:
    return ()


def _database(look: Pass) -> tuple[Any, ...]:
    return (look.shared.database_oid or 0,)


def _locks(look: Pass) -> tuple[Any, ...]:
    return (look.shared.database_oid or 0, sorted(look.shared.watched_oids))


def _blocking(look: Pass) -> tuple[Any, ...] | None:
    waiting = sum(1 for row in look.rows("activity") if row["wait_event_type"] == "Lock")
    return () if 0 < waiting <= WAITER_LIMIT else None


def _size(look: Pass) -> tuple[Any, ...] | None:
    return _database(look) if size_wanted(look) else None


def _tables(most: int, at_gate: int) -> Arguments:
    def arguments(look: Pass) -> tuple[Any, ...]:
        return sorted(look.shared.watched_oids), at_gate if look.gate else most

    return arguments


def _watched(look: Pass) -> tuple[Any, ...]:
    return (sorted(look.shared.watched_oids),)


_PLAIN = Source(_nothing)

SOURCES = MappingProxyType(
    {
        "activity": _PLAIN,
        "locks": Source(_locks),
        "blocking": Source(_blocking),
        "server": _PLAIN,
        "identity": Source(_nothing, optional=True),
        "prepared": Source(_nothing, optional=True),
        "slots": _PLAIN,
        "progress_index": _PLAIN,
        "progress": _PLAIN,
        "wal": _PLAIN,
        "replication": _PLAIN,
        "size": Source(_size, optional=True),
        "archiver": _PLAIN,
        "conflicts": Source(_database),
        "counters": Source(_database),
        "checkpoints": _PLAIN,
        "clock": _PLAIN,
        "io": _PLAIN,
        "statements": _PLAIN,
        "statements_health": _PLAIN,
        "settings": _PLAIN,
        "data_directory": _PLAIN,
        "temp_files": Source(_nothing, once=True),
        "watch_sizes": Source(_tables(TOP_TABLES, GATE_SIZES), locks=True),
        "sizes_estimated": Source(_tables(TOP_ESTIMATES, TOP_ESTIMATES)),
        "tables": Source(_tables(TOP_TABLES, EVERY_TABLE)),
        "indexes": Source(_tables(TOP_TABLES, EVERY_TABLE)),
        "invalid_indexes": _PLAIN,
        "not_valid": _PLAIN,
        "never_analysed": _PLAIN,
        "sequences": Source(_nothing, locks=True),
        "disabled_triggers": _PLAIN,
        "duplicates": _PLAIN,
        "bloat": Source(_watched),
        "xid_age": _PLAIN,
        "schema_fingerprint": _PLAIN,
    }
)
