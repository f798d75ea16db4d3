"""Lines of health over any past time, for reports: read once, from a file that may still grow or not be there."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from migconsole.adapters.health_store.reader import GAP

Line = list[tuple[float, float | None]]


def history(path: Path, names: Iterable[str], start: float, end: float) -> dict[str, Line]:
    """The values of each named line between two Unix times, oldest first, None in every gap.

    Empty without a file, for one that cannot be read, and for names that nobody sampled: unknown, never zero.
    """
    if not path.is_file():
        return {}
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as db:
            numbers = {str(name): int(number) for number, name in db.execute("SELECT id, name FROM names")}
            return {name: _line(db, numbers[name], start, end) for name in names if name in numbers}
    except sqlite3.Error:
        return {}


def _line(db: sqlite3.Connection, number: int, start: float, end: float) -> Line:
    found: Line = []
    rows = db.execute(
        "SELECT at, value FROM series WHERE name = ? AND at >= ? AND at <= ? ORDER BY at", (number, start, end)
    )
    for at, value in rows:
        # Older samples are thinned to one pair in twenty seconds, which is no gap.
        if found and value is not None and found[-1][1] is not None and at - found[-1][0] > GAP:
            found.append(((at + found[-1][0]) / 2, None))
        found.append((float(at), None if value is None else float(value)))
    return found
