"""What a server counted at one moment: the row counters that two moments of a database are compared by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TableCounts:
    """One table's counters at one moment; ``rows`` is exact in a manifest and the server's estimate later.

    ``kind`` is ``pg_class.relkind``: only ordinary tables hold rows of their own that are counted.
    """

    schema: str
    name: str
    oid: int
    rows: int | None = None
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    kind: str = "r"

    @property
    def label(self) -> str:
        """The name as it is shown."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class SequencePosition:
    """Where a sequence stood; ``last_value`` is None where it could not be read or was never used."""

    schema: str
    name: str
    last_value: int | None
    increment: int = 1

    @property
    def label(self) -> str:
        """The name as it is shown."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Moment:
    """What a server said at one moment. Times are ISO 8601 with a zone, ``lsn`` is as ``pg_lsn`` prints it.

    ``counting`` is whether the server counts rows at all (``track_counts``).
    """

    tables: tuple[TableCounts, ...] = ()
    sequences: tuple[SequencePosition, ...] = ()
    database: str = ""
    database_oid: int | None = None
    system_identifier: str | None = None
    at: str = ""
    lsn: str = ""
    stats_reset: str = ""
    counting: bool = True


COUNTERS = frozenset("rpmf")
"""Kinds of relations that have row counters; a manifest also names views and sequences among what it describes."""


def from_manifest(manifest: Mapping[str, Any]) -> Moment:
    """The moment that a backup's ``manifest.json`` describes; what it leaves out is unknown."""
    target = manifest.get("target") or {}
    tables = [
        TableCounts(
            str(entry["schema"]),
            str(entry["name"]),
            int(entry["oid"]),
            _number(entry.get("rows")),
            _number(entry.get("n_tup_ins")),
            _number(entry.get("n_tup_upd")),
            _number(entry.get("n_tup_del")),
        )
        for entry in manifest.get("tables") or ()
        if entry.get("kind", "r") in COUNTERS
    ]
    sequences = [
        # A sequence that was never called stands on its first value without having given it out.
        SequencePosition(
            str(entry["schema"]),
            str(entry["name"]),
            _number(entry.get("last_value")) if entry.get("is_called", True) else None,
        )
        for entry in manifest.get("sequences") or ()
    ]
    system = target.get("system_identifier")
    return Moment(
        tables=tuple(tables),
        sequences=tuple(sequences),
        database=str(manifest.get("database") or ""),
        database_oid=_number(target.get("oid")),
        system_identifier=str(system) if system else None,
        at=str(manifest.get("server_time") or ""),
        lsn=str(manifest.get("lsn") or ""),
        stats_reset=str(manifest.get("stats_reset") or ""),
    )


def _number(value: Any) -> int | None:
    return None if value is None else int(value)
