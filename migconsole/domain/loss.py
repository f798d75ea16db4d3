"""What a rollback would lose: the server's own row counters now, against those of the moment the backup was taken.

The counters (``pg_stat_user_tables``) count what was attempted, whether it was committed or not, so a figure here is an
upper bound; after a reset they are a lower bound; and where nothing can be said, the figure is None and is shown as
unknown, never as 0. TRUNCATE is not counted by the server: a table that looks emptied is said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from migconsole.domain.moments import Moment, TableCounts
from migconsole.domain.quantities import format_duration, format_size
from migconsole.domain.text import sanitise_line

SHOWN = 40
"""Tables listed one by one on a screen; the others are summed up in a line, and are whole in the JSON."""


class Fate(StrEnum):
    """What became of a table since the restore point."""

    SAME = "same"
    CHANGED = "changed"
    CREATED = "created"
    DROPPED = "dropped"
    RENAMED = "renamed"
    REPLACED = "replaced"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TableLoss:
    """What a rollback undoes in one table. None is unknown; ``at_least`` marks lower bounds after a reset."""

    table: str
    fate: Fate
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    at_least: bool = False
    note: str = ""

    @property
    def known(self) -> bool:
        """Whether all three figures are."""
        return None not in (self.inserted, self.updated, self.deleted)

    @property
    def touched(self) -> int:
        """The rows that are known to have been written."""
        return sum(figure or 0 for figure in (self.inserted, self.updated, self.deleted))


@dataclass(frozen=True, slots=True)
class SequenceLoss:
    """How far a sequence ran on; ``steps`` None is unknown."""

    sequence: str
    steps: int | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class LossPreview:
    """The whole preview. ``reset`` says why the counters do not compare, "" when they do; ``age`` in seconds."""

    tables: tuple[TableLoss, ...]
    sequences: tuple[SequenceLoss, ...] = ()
    wal_bytes: int | None = None
    age: float | None = None
    reset: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def complete(self) -> bool:
        """Whether every figure is known exactly enough to be added up."""
        return not self.reset and all(loss.known and not loss.at_least for loss in self.tables)

    def total(self, what: str) -> int | None:
        """The sum of ``inserted``, ``updated`` or ``deleted`` over all tables, None when one of them is unknown."""
        figures = [getattr(loss, what) for loss in self.tables]
        return None if None in figures else sum(figures)

    @property
    def nothing(self) -> bool:
        """Whether it is known that nothing would be lost."""
        return self.complete and all(loss.fate is Fate.SAME for loss in self.tables)

    def data(self) -> dict[str, Any]:
        """For JSON and for the journal: unknown figures are null."""
        return {
            "tables": [asdict(loss) | {"fate": loss.fate.value} for loss in self.tables],
            "sequences": [asdict(loss) for loss in self.sequences],
            "inserted": self.total("inserted"),
            "updated": self.total("updated"),
            "deleted": self.total("deleted"),
            "wal_bytes": self.wal_bytes,
            "age": self.age,
            "complete": self.complete,
            "nothing": self.nothing,
            "reset": self.reset,
            "notes": list(self.notes),
        }

    def headline(self) -> str:
        """The whole in one line, for a banner or a strategy's row."""
        if self.nothing:
            return "no row was written since the restore point"
        words = ", ".join(f"{_figure(self.total(what))} {what}" for what in ("inserted", "updated", "deleted"))
        bound = ", at least" if any(loss.at_least for loss in self.tables) else ""
        return f"rows written since the restore point{bound}: {words}"

    def lines(self, shown: int = SHOWN) -> list[str]:
        """The whole for a screen, most written tables first; every text is safe to draw."""
        lines = [self.headline()]
        if self.age is not None:
            wal = f", {format_size(self.wal_bytes)} of WAL (of the whole server)" if self.wal_bytes is not None else ""
            lines.append(f"the restore point is {format_duration(self.age)} old{wal}")
        if self.reset:
            lines.append(f"! {self.reset}")
        lines += [f"! {note}" for note in self.notes]
        listed = [loss for loss in self.tables if loss.fate is not Fate.SAME]
        lines += _table_lines(listed[:shown])
        if len(listed) > shown:
            lines.append(f"… and {len(listed) - shown} more tables")
        same = len(self.tables) - len(listed)
        if same and not self.nothing:
            lines.append(f"{same} {'table' if same == 1 else 'tables'} without a write")
        moved = [loss for loss in self.sequences if loss.steps != 0]
        lines += [f"sequence {loss.sequence}: {_steps(loss)}" for loss in moved[:shown]]
        if len(moved) > shown:
            lines.append(f"… and {len(moved) - shown} more sequences")
        return [sanitise_line(line, 400) if not line.startswith(" ") else line for line in lines]


def preview(before: Moment, now: Moment) -> LossPreview:
    """What going back from ``now`` to ``before`` undoes.

    >>> was = Moment((TableCounts("public", "t", 7, 10, 10, 0, 0),))
    >>> preview(was, Moment((TableCounts("public", "t", 7, 12, 13, 1, 0),))).headline()
    'rows written since the restore point: 3 inserted, 1 updated, 0 deleted'
    """
    reset = _reset(before, now)
    foreign = _foreign(before, now)
    since_reset = bool(reset) and not foreign and _later(now.stats_reset, before.at)
    comparable = not reset and not foreign
    losses = sorted(_tables(before, now, comparable=comparable, since_reset=since_reset), key=_most_written)
    return LossPreview(
        tables=tuple(losses),
        sequences=tuple(_sequences(before, now)),
        wal_bytes=None if foreign else _distance(before.lsn, now.lsn),
        age=_seconds(before.at, now.at),
        reset=reset,
        notes=(foreign,) if foreign else (),
    )


def _foreign(before: Moment, now: Moment) -> str:
    """Why the two moments are not of one database, or ""."""
    if before.system_identifier and now.system_identifier and before.system_identifier != now.system_identifier:
        return "the backup is of another server: its counters do not compare"
    if before.database_oid and now.database_oid and before.database_oid != now.database_oid:
        return "the database is not the one that was backed up (it was restored or made anew since): counters unknown"
    return ""


def _reset(before: Moment, now: Moment) -> str:
    if not now.counting:
        return "the server does not count rows (track_counts is off): what was written is unknown"
    if _instant(before.stats_reset) != _instant(now.stats_reset):
        when = f" at {now.stats_reset}" if now.stats_reset else ""
        return f"the counters were reset{when}: figures are lower bounds or unknown"
    if _went_back(before, now):
        # A crash loses all counters and leaves no mark of it in pg_stat_database.
        return "the counters went back: the server lost them in a crash, what was written is unknown"
    return ""


def _went_back(before: Moment, now: Moment) -> bool:
    later = {table.oid: table for table in now.tables}
    pairs = ((old, later[old.oid]) for old in before.tables if old.oid in later)
    return any(
        (getattr(new, what) or 0) < (getattr(old, what) or 0)
        for old, new in pairs
        if new.inserted is not None
        for what in ("inserted", "updated", "deleted")
    )


def _tables(before: Moment, now: Moment, *, comparable: bool, since_reset: bool) -> Iterable[TableLoss]:
    by_oid = {table.oid: table for table in before.tables}
    by_name = {table.label: table for table in before.tables}
    present = {table.oid for table in now.tables}
    seen: set[int] = set()
    for table in now.tables:
        old = by_oid.get(table.oid)
        replaced = by_name.get(table.label) if old is None else None
        if old is None and replaced is not None and replaced.oid in present:
            replaced = None  # that one was renamed, and this one took its name
        if old is not None:
            seen.add(old.oid)
            if table.kind == "r":
                yield _same_table(old, table, comparable=comparable, since_reset=since_reset)
        elif table.kind != "r":
            continue
        elif replaced is not None:
            seen.add(replaced.oid)
            note = "it was dropped and created anew" if comparable else "another table of the same name"
            yield _new_table(table, Fate.REPLACED, note, counted=comparable or since_reset)
        else:
            yield _new_table(table, Fate.CREATED, "it did not exist: goes with all its rows", counted=now.counting)
    for table in before.tables:
        if table.oid not in seen:
            rows = f" with {table.rows:,} rows" if table.rows is not None else ""
            yield TableLoss(table.label, Fate.DROPPED, 0, 0, 0, note=f"it was dropped: comes back{rows}")


def _new_table(table: TableCounts, fate: Fate, note: str, *, counted: bool) -> TableLoss:
    if not counted:
        return TableLoss(table.label, Fate.UNKNOWN, note=note)
    return TableLoss(table.label, fate, table.inserted, table.updated, table.deleted, note=note)


def _same_table(old: TableCounts, table: TableCounts, *, comparable: bool, since_reset: bool) -> TableLoss:
    renamed = f"it was {old.label}" if old.label != table.label else ""
    if since_reset:
        fate = Fate.RENAMED if renamed else Fate.CHANGED
        return TableLoss(table.label, fate, table.inserted, table.updated, table.deleted, at_least=True, note=renamed)
    figures = [_delta(getattr(old, what), getattr(table, what)) for what in ("inserted", "updated", "deleted")]
    if not comparable or None in figures:
        why = "it has no counters to compare" if comparable else ""
        return TableLoss(table.label, Fate.UNKNOWN, note="; ".join(filter(None, (renamed, why))))
    inserted, updated, deleted = figures
    emptied = _emptied(old, table, deleted or 0)
    note = "; ".join(filter(None, (renamed, emptied)))
    fate = Fate.RENAMED if renamed else Fate.CHANGED if any(figures) or emptied else Fate.SAME
    return TableLoss(table.label, fate, inserted, updated, None if emptied else deleted, note=note)


def _emptied(old: TableCounts, table: TableCounts, deleted: int) -> str:
    """TRUNCATE removes rows without counting them; the estimate of live rows is what shows it."""
    if old.rows and table.rows == 0 and deleted < old.rows:
        return f"it held {old.rows:,} rows and looks emptied (TRUNCATE is not counted)"
    return ""


def _sequences(before: Moment, now: Moment) -> Iterable[SequenceLoss]:
    was = {entry.label: entry for entry in before.sequences}
    for entry in now.sequences:
        old = was.get(entry.label)
        if old is None:
            continue
        if entry.last_value is None:
            yield SequenceLoss(entry.label, 0 if old.last_value is None else None)
        elif old.last_value is None:
            yield SequenceLoss(entry.label, None, f"first used since, now at {entry.last_value:,}")
        else:
            steps = (entry.last_value - old.last_value) // (entry.increment or 1)
            note = "it went back or round" if steps < 0 else ""
            yield SequenceLoss(entry.label, steps, note)


def _delta(old: int | None, new: int | None) -> int | None:
    return None if old is None or new is None or new < old else new - old


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _later(one: str, other: str) -> bool:
    first, second = _instant(one), _instant(other)
    return first is not None and second is not None and first > second


def _seconds(start: str, end: str) -> float | None:
    first, last = _instant(start), _instant(end)
    return None if first is None or last is None else (last - first).total_seconds()


def _distance(start: str, end: str) -> int | None:
    """Bytes between two WAL positions; None when either is missing or the timeline turned back.

    >>> _distance("0/16B3740", "1/0")
    4271163584
    """
    try:
        (high, low), (high_end, low_end) = (text.split("/") for text in (start, end))
        bytes_between = (int(high_end, 16) << 32) + int(low_end, 16) - (int(high, 16) << 32) - int(low, 16)
    except ValueError:
        return None
    return bytes_between if bytes_between >= 0 else None


def _most_written(loss: TableLoss) -> tuple[bool, int, str]:
    return loss.known, -loss.touched, loss.table


def _figure(figure: int | None, *, at_least: bool = False) -> str:
    return "unknown" if figure is None else f"{'≥ ' if at_least else ''}{figure:,}"


def _steps(loss: SequenceLoss) -> str:
    said = "advanced by an unknown number" if loss.steps is None else f"advanced by {loss.steps:,}"
    return f"{said} ({loss.note})" if loss.note else said


def _table_lines(losses: Sequence[TableLoss]) -> list[str]:
    if not losses:
        return []
    rows = [["table", "inserted", "updated", "deleted", ""]]
    for loss in losses:
        figures = [_figure(getattr(loss, what), at_least=loss.at_least) for what in ("inserted", "updated", "deleted")]
        word = "" if loss.fate in (Fate.CHANGED, Fate.SAME) else loss.fate.value
        note = sanitise_line("; ".join(filter(None, (word, loss.note))), 120)
        rows.append([sanitise_line(loss.table, 63), *figures, note])
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  " + _aligned(row, widths).rstrip() for row in rows]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """The name to the left, the figures to the right."""
    figures = "  ".join(f"{row[column]:>{widths[column]}}" for column in (1, 2, 3))
    return f"{row[0]:<{widths[0]}}  {figures}  {row[4]}"
