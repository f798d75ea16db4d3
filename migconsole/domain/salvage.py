"""Salvage: what stands only in the failed database, as text for review. Nothing of it is ever applied by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migconsole.domain.rollback import literal, quoted
from migconsole.domain.text import sanitise_line

Row = Sequence[str | None]
"""One row as text, in the order of the table's columns; None is NULL."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the failed database's table. ``kept`` is whether the table has it now, too, and can be given it."""

    name: str
    type: str
    kept: bool = True


@dataclass(frozen=True, slots=True)
class SalvageTable:
    """A table to compare. ``key`` are the columns of its primary key; ``exists`` is whether it is there now.

    ``problem`` says why its rows are not compared, "" when they are.
    """

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    exists: bool = True
    problem: str = ""

    @property
    def label(self) -> str:
        """The name as it is shown."""
        return f"{self.schema}.{self.name}"

    @property
    def sql_name(self) -> str:
        """The name as it is written in SQL."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def compared(self) -> tuple[int, ...]:
        """Places of the columns that both sides have."""
        return tuple(place for place, column in enumerate(self.columns) if column.kept)

    @property
    def key_places(self) -> tuple[int, ...]:
        """Places of the key's columns."""
        places = {column.name: place for place, column in enumerate(self.columns)}
        return tuple(places[name] for name in self.key)


@dataclass(frozen=True, slots=True)
class TableResult:
    """What was found in one table; a figure is None where it was not compared."""

    table: str
    read: int | None = None
    only_failed: int | None = None
    differing: int | None = None
    files: tuple[str, ...] = ()
    note: str = ""

    def line(self) -> str:
        """For a person."""
        if self.only_failed is None:
            return sanitise_line(f"{self.table}: not compared, {self.note}")
        found = f"{self.only_failed:,} only in the failed database, {self.differing or 0:,} differ"
        note = f" ({self.note})" if self.note else ""
        return sanitise_line(f"{self.table}: {found}, of {self.read or 0:,} read{note}")


@dataclass(frozen=True, slots=True)
class SequenceAhead:
    """A sequence that has gone further in the failed database than where it stands now."""

    schema: str
    name: str
    failed: int
    now: int | None
    ascending: bool = True


@dataclass(slots=True)
class SalvageReport:
    """The whole. ``warnings`` are what a person must know before using any of it."""

    database: str
    tables: list[TableResult] = field(default_factory=list)
    sequences: list[SequenceAhead] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """For JSON."""
        names = ("table", "read", "only_failed", "differing", "note")
        return {
            "database": self.database,
            "tables": [
                {name: getattr(result, name) for name in names} | {"files": list(result.files)}
                for result in self.tables
            ],
            "sequences_ahead": len(self.sequences),
            "warnings": self.warnings,
        }


def split(
    table: SalvageTable, rows: Sequence[Row], now: Mapping[Row, Row]
) -> tuple[list[Row], list[tuple[Row, Row, tuple[int, ...]]]]:
    """The rows of a batch that are nowhere now, and those that differ with what stands now and the places that differ.

    ``now`` maps a key's values to today's values of the compared columns.
    """
    missing: list[Row] = []
    differing: list[tuple[Row, Row, tuple[int, ...]]] = []
    for row in rows:
        current = now.get(tuple(row[place] for place in table.key_places))
        if current is None:
            missing.append(row)
            continue
        odd = tuple(place for place, value in zip(table.compared, current, strict=True) if row[place] != value)
        if odd:
            differing.append((row, current, odd))
    return missing, differing


# -- SQL ---------------------------------------------------------------------------------------------------------------


HEADER = """\
-- For review; migconsole never applies it. Read it, take out what is not wanted, then run it in one transaction:
--   psql -X -v ON_ERROR_STOP=1 -1 -f {file}
-- Foreign keys may want another order of the files, and triggers will fire.
SET standard_conforming_strings = on;
SET bytea_output = hex;
SET datestyle = 'ISO, YMD';
SET intervalstyle = 'postgres';
SET timezone = 'UTC';
"""


def insert(table: SalvageTable, row: Row) -> str:
    """A row as a statement that leaves alone what is there already; columns that are gone stand behind it."""
    kept = [(column, row[place]) for place, column in enumerate(table.columns) if column.kept]
    names = ", ".join(quoted(column.name) for column, _ in kept)
    values = ", ".join(_value(column, value) for column, value in kept)
    gone = [(c.name, row[place]) for place, c in enumerate(table.columns) if not c.kept and row[place] is not None]
    comment = f"  -- {_commented(gone)}" if gone else ""
    into = f"INSERT INTO {table.sql_name} ({names})"
    return f"{into} OVERRIDING SYSTEM VALUE VALUES ({values}) ON CONFLICT DO NOTHING;{comment}"


def update(table: SalvageTable, row: Row, current: Row, odd: Sequence[int]) -> Iterator[str]:
    """A row that differs, as a statement that is commented out: which of the two is right, only a person knows."""
    sets = ", ".join(f"{quoted(table.columns[p].name)} = {_value(table.columns[p], row[p])}" for p in odd)
    where = " AND ".join(
        f"{quoted(table.columns[p].name)} = {_value(table.columns[p], row[p])}" for p in table.key_places
    )
    standing = dict(zip(table.compared, current, strict=True))
    yield f"-- now: {_commented([(table.columns[p].name, standing[p]) for p in odd])}"
    statement = f"UPDATE {table.sql_name} SET {sets} WHERE {where};"  # noqa: S608 - names are quoted
    yield f"-- {_one_line(statement)}"


def sequences_script(ahead: Sequence[SequenceAhead]) -> Iterator[str]:
    """A script that moves sequences past what the failed database gave out, never back."""
    yield "-- For review; migconsole never applies it. Without it, numbers that the failed database gave out (in a"
    yield "-- mail, an invoice, another system) are given out again. Best run before applications are let in again."
    yield "SET standard_conforming_strings = on;"
    for entry in ahead:
        name = f"{quoted(entry.schema)}.{quoted(entry.name)}"
        best = "GREATEST" if entry.ascending else "LEAST"
        now = "never used" if entry.now is None else str(entry.now)
        yield f"-- now {now}, in the failed database {entry.failed}"
        furthest = f"{best}((SELECT last_value FROM {name}), {entry.failed})"  # noqa: S608 - the name is quoted
        yield f"SELECT pg_catalog.setval({literal(name)}::regclass, {furthest}, true);"


def _value(column: Column, value: str | None) -> str:
    return "NULL" if value is None else f"{literal(value)}::{column.type}"


def _commented(values: Sequence[tuple[str, str | None]]) -> str:
    shown = ((name, "NULL" if value is None else literal(value)) for name, value in values)
    return ", ".join(f"{_one_line(name)} = {_one_line(value)}" for name, value in shown)


def _one_line(text: str) -> str:
    """Text that cannot end the comment it stands in."""
    if "\n" not in text and "\r" not in text:
        return text
    return text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
