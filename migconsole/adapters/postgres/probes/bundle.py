"""Several queries as one statement, so that the pulse takes one trip to the server and one transaction, not eleven.

Each query becomes an array of its rows, with the server's own clock before and after it: rows, columns and types are
what the query gives by itself, and what it cost is told by the server, whatever the way and however busy our host is.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from migconsole.domain.own_statements import MARK

_PARAMETER = re.compile(r"\$(\d+)")

_ROWS = "ARRAY(SELECT part FROM (\n{}\n) part)"

KNOWN = 30
"""Passes over which the least overhead is known."""


@dataclass(frozen=True, slots=True)
class Part:
    """One query of a bundle: its text, the names of its columns, how many parameters it has."""

    source: str
    text: str
    columns: tuple[str, ...]
    parameters: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What one part gave, and for how many milliseconds the server worked on it."""

    rows: tuple[Mapping[str, Any], ...]
    busy: float


@dataclass(slots=True)
class Bundle:
    """Parts and the statement they make. ``overheads`` are milliseconds of a pass in no part of it, the way among."""

    parts: tuple[Part, ...]
    statement: Any = None
    overheads: deque[float] = field(default_factory=lambda: deque(maxlen=KNOWN))

    @property
    def text(self) -> str:
        """The statement. Parameters of later parts count on."""
        pieces, before = [], 0
        for part in self.parts:
            pieces += ["clock_timestamp()", _ROWS.format(_counting_on(part.text.strip(), before))]
            before += part.parameters
        return ", ".join([f"SELECT {MARK} 0 AS bundle", *pieces, "clock_timestamp()"])

    def answered(self, values: Sequence[Any], took: float, way: float) -> dict[str, Answered]:
        """The parts of the statement's only row, which ``took`` milliseconds; the least ``way`` is known.

        What the server does beside the parts (binding, sending) is the least overhead that was seen, less the way.
        """
        moments: Sequence[datetime] = values[1::2]
        busy = [_milliseconds(one, other) for one, other in pairwise(moments)]
        self.overheads.append(max(0.0, took - sum(busy)))
        beside = max(0.0, min(self.overheads) - way) / len(self.parts)
        return {
            part.source: Answered(tuple(dict(zip(part.columns, row, strict=True)) for row in rows), spent + beside)
            for part, rows, spent in zip(self.parts, values[2::2], busy, strict=True)
        }


def _counting_on(text: str, before: int) -> str:
    """A query whose parameters come after others.

    >>> _counting_on("SELECT $1, $2", 3)
    'SELECT $4, $5'
    """
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + before}", text)


def _milliseconds(one: datetime, other: datetime) -> float:
    """Between two readings of the server's clock; one that was set back in between says nothing."""
    return max(0.0, (other - one).total_seconds() * 1000)
