"""What a table of the health screen shows, as plain data: columns, rows, and how far they can be believed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migconsole.domain.readings import Quality, Reading
from migconsole.domain.text import sanitise_line
from migconsole.domain.thresholds import Phase
from migconsole.engine.scheduler import INTERVALS
from migconsole.tui.widgets import health_values


def patience(tier: str, phase: Phase) -> float:
    """Seconds after which a reading of a tier is drawn as old: two and a half intervals were missed.

    What is not read by the clock in a phase (gates; the slow tier while a step runs) has no such age: how old it is
    stands beside it in any case.

    >>> patience("P", Phase.STEP), patience("G", Phase.STEP)
    (4.5, inf)
    """
    return 2.5 * INTERVALS.get(tier, {}).get(phase, float("inf")) + 2.0


_RANKS = (Quality.FAILED, Quality.NO_PRIVILEGE, Quality.LOCKED, Quality.STALE, Quality.NOT_AVAILABLE, Quality.OK)


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``name`` is that of the probe's; the lowest ``weight`` gives way first; ``grow`` takes spare room.

    ``missing`` is what an empty value of a good reading means ("never"); a value that was not read is always n/a.
    """

    name: str
    title: str
    unit: str = "text"
    probe: str = ""
    weight: int = 5
    width: int = 0
    grow: int = 0
    missing: str = ""

    @property
    def cells(self) -> int:
        """The least it takes; the title has room for its arrow."""
        return max(self.width or health_values.WIDTHS.get(self.unit, 12), len(self.title) + 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One row. ``key`` is what it is, whatever its numbers become. ``marks`` say of a column why it has no number.

    ``texts`` are what is written instead of a number that is there (``~1.2 GB``). ``style`` colours the whole row,
    ``styles`` single columns. ``lead`` stands before the first text (tree lines).
    ``extra`` is shown in the detail only: (name, unit) → value.
    """

    key: str
    values: Mapping[str, Any]
    style: str = ""
    styles: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    lead: str = ""
    extra: tuple[tuple[str, str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A probe behind a sheet, and the tier that says how often it is read."""

    probe: str
    tier: str = "P"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table. ``empty`` says what no rows mean when the reading is good; ``notes`` what the reader must know.

    ``held`` says why nothing is read just now, "" when nothing is held back.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sources: tuple[Source, ...]
    readings: Mapping[str, Reading | None]
    sort: tuple[str, bool] | None = None
    empty: str = "nothing"
    notes: tuple[str, ...] = ()
    phase: Phase = Phase.BEFORE
    held: str = ""

    def state(self, now: float) -> tuple[str, str, str]:
        """Age, the worst of the sources' qualities in words, and a style. A sheet without sources only says why."""
        if not self.sources:
            return "", "ok", "$muted"
        known = [(source, self.readings.get(source.probe)) for source in self.sources]
        missing = [source.probe for source, reading in known if reading is None]
        found = [(source, reading) for source, reading in known if reading is not None]
        if not found:
            return "", "not read yet", "$muted"
        oldest = max(now - reading.at for _, reading in found)
        worst = min((reading for _, reading in found), key=lambda reading: _RANKS.index(reading.quality))
        age = health_values.age(oldest)
        if worst.quality is not Quality.OK:
            return age, quality(worst), "$caution"
        if any(now - reading.at > patience(source.tier, self.phase) for source, reading in found):
            return age, "old", "$caution"
        if missing:
            return age, f"{', '.join(missing)} not read yet", "$muted"
        return age, "ok", "$muted"

    def good(self, probe: str, now: float) -> bool:
        """Whether values of a probe may be drawn as present ones."""
        reading = self.readings.get(probe)
        if reading is None or reading.quality is not Quality.OK:
            return False
        tier = next((source.tier for source in self.sources if source.probe == probe), "P")
        return now - reading.at <= patience(tier, self.phase)

    def column(self, name: str) -> Column | None:
        """A column by name."""
        return next((column for column in self.columns if column.name == name), None)


def quality(reading: Reading) -> str:
    """Quality and reason: "locked by 4711 (ALTER TABLE orders)"; the reason alone where it already says so."""
    word, reason = reading.quality.value, sanitise_line(reading.reason, 160)
    if not reason:
        return word
    return reason if reason.startswith(word) else f"{word}: {reason}"


def sorted_rows(rows: Iterable[Row], column: str, descending: bool) -> list[Row]:
    """Rows by a column; those without a value come last whichever way it is sorted."""
    known: list[tuple[Any, Row]] = []
    unknown: list[tuple[Any, Row]] = []
    for row in rows:
        value = _comparable(row.values.get(column))
        (unknown if value is None else known).append((value, row))
    kinds = {isinstance(value, str) for value, _ in known}
    known.sort(key=lambda pair: str(pair[0]) if len(kinds) > 1 else pair[0], reverse=descending)
    return [row for _, row in (*known, *unknown)]


def _comparable(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return ", ".join(str(one) for one in value).casefold()
    return None if value is None else str(value).casefold()


def matching(rows: Sequence[Row], words: Sequence[str]) -> list[Row]:
    """Rows in which every word occurs, in any text or number as it is written raw."""
    if not words:
        return list(rows)
    return [row for row in rows if all(word in _haystack(row) for word in words)]


def _haystack(row: Row) -> str:
    texts = [health_values.short(value, "list") for value in row.values.values() if value is not None]
    return " ".join((*texts, *row.marks.values())).casefold()
