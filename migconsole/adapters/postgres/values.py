"""Values of the server as plain JSON types, and results as lines for a person."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from migconsole.domain.text import sanitise_line

LONGEST_TEXT = 65_536
"""Characters of one value that are kept; more is no evidence any more."""

SHOWN_ROWS = 500
SHOWN_CELL = 120


def plain(value: Any) -> Any:
    """A value as null, boolean, number, text, list or mapping. Intervals become seconds, times ISO 8601.

    >>> plain(Decimal("2.50")), plain(Decimal(3)), plain(timedelta(minutes=2)), plain(b"\\x01")
    (2.5, 3, 120.0, '\\\\x01')
    """
    simple = _simple(value)
    if simple is not _OTHER:
        return simple
    if isinstance(value, asyncpg.Record):
        return [plain(item) for item in value.values()]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, asyncpg.BitString):
        return value.as_string().replace(" ", "")
    if isinstance(value, asyncpg.Range):
        return _range(value)
    return _cut(str(value))


LETTER = 18
"""The oid of ``"char"``, the one-byte type of catalogues, which the driver hands over as bytes."""


def letter(value: Any) -> Any:
    """A value of type ``"char"`` as text."""
    return value.decode("latin-1") if isinstance(value, bytes) else value


_OTHER = object()


def _simple(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _cut(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            return str(value)
        return int(value) if value == value.to_integral_value() and abs(value) < Decimal(10) ** 30 else float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return _cut(f"\\x{bytes(value[: LONGEST_TEXT // 2 + 1]).hex()}")
    return _OTHER


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _range(value: Any) -> str:
    if value.isempty:
        return "empty"
    lower = "" if value.lower is None else plain(value.lower)
    upper = "" if value.upper is None else plain(value.upper)
    return f"{'[' if value.lower_inc else '('}{lower},{upper}{']' if value.upper_inc else ')'}"


def shown(value: Any) -> str:
    """One cell for a person: NULL is marked, and nothing of it can act on a terminal."""
    if value is None:
        return "∅"
    if isinstance(value, bool):
        return "true" if value else "false"
    return sanitise_line(str(value), SHOWN_CELL)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """A result as aligned lines, the first rows of it, with a closing count.

    >>> table(["n"], [[1], [None]])
    ['n', '─', '1', '∅', '(2 rows)']
    """
    cells = [[shown(value) for value in row] for row in rows[:SHOWN_ROWS]]
    heads = [shown(column) for column in columns]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)] if heads else []
    numeric = [
        all(row[i] is None or (isinstance(row[i], int | float) and not isinstance(row[i], bool)) for row in rows)
        for i in range(len(heads))
    ]

    def line(row: Sequence[str]) -> str:
        aligned = (c.rjust(w) if n else c.ljust(w) for c, w, n in zip(row, widths, numeric, strict=True))
        return "  ".join(aligned).rstrip()

    lines = [line(heads), "  ".join("─" * width for width in widths), *map(line, cells)]
    if len(rows) > SHOWN_ROWS:
        lines.append(f"… {len(rows) - SHOWN_ROWS:,} more rows")
    return [*lines, f"({len(rows):,} row{'' if len(rows) == 1 else 's'})"]
