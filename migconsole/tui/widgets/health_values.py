"""How the values of probes are written in a column, and how they are written in full."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from migconsole.domain.text import sanitise, sanitise_line
from migconsole.tui import format

WIDTHS = {
    "bytes": 8,
    "bytes total": 8,
    "bytes/s": 10,
    "s": 8,
    "ms": 9,
    "ms total": 9,
    "share": 7,
    "pid": 7,
    "oid": 9,
    "count": 8,
    "total": 9,
    "/s": 8,
    "/min": 8,
    "bool": 5,
    "time": 9,
    "pids": 10,
}
"""Cells of a column by the unit of its values: fixed, so that nothing wobbles when numbers move."""

LEFT = frozenset({"text", "list", "pids"})
"""Units that are written from the left; everything else is a number and ends at the right."""


@lru_cache(maxsize=8192)
def _safe(text: str) -> str:
    return sanitise_line(text)


def short(value: Any, unit: str, now: float = 0.0) -> str:
    """A value as a column shows it. ``now`` is Unix time, for how long ago something was.

    >>> short(1288490189, "bytes"), short(0.987, "share"), short(None, "count"), short(12345, "total")
    ('1.2 GB', '98.7 %', 'n/a', '12,345')
    >>> short(0.4, "s"), short(75, "s"), short("1970-01-01T00:00:00+00:00", "time", 7200.0)
    ('0.4 s', '1:15', '2h ago')
    """
    if value is None:
        return format.UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return _safe(", ".join(str(one) for one in value))
    if unit == "time":
        return ago(value, now)
    if not isinstance(value, (int, float)):
        return _safe(str(value))
    return _number(value, unit)


def _number(value: float, unit: str) -> str:
    if unit.startswith("bytes"):
        return format.size(value) + ("/s" if unit == "bytes/s" else "")
    if unit == "s":
        return format.took(value)
    if unit.startswith("ms"):
        return milliseconds(value)
    if unit == "share":
        return f"{value:.1%}".replace("%", " %")
    if unit in ("pid", "oid"):
        return str(value)
    if unit == "/s":
        return f"{value:,.0f}/s" if value >= 10 else f"{value:.1f}/s"
    if unit == "/min":
        return f"{value:,.1f}/m"
    return f"{value:,.0f}" if isinstance(value, int) or value >= 100 else f"{value:,.2f}"


def milliseconds(value: float) -> str:
    """A time of a statement.

    >>> milliseconds(0.0423), milliseconds(12.3), milliseconds(4200), milliseconds(7200000)
    ('0.042 ms', '12.3 ms', '4.20 s', '2:00:00')
    """
    if value < 1:
        return f"{value:.3f} ms"
    if value < 1000:
        return f"{value:.1f} ms"
    return f"{value / 1000:.2f} s" if value < 100_000 else format.duration(value / 1000)


def ago(value: Any, now: float) -> str:
    """How long ago a time was, in one unit; what cannot be read as a time is shown as it is."""
    at = moment(value)
    if at is None:
        return _safe(str(value))
    seconds = now - at
    if seconds < 0:
        return "just now" if seconds > -60 else "ahead"
    for size, name in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{name} ago"
    return f"{int(seconds)}s ago"


def moment(value: Any) -> float | None:
    """Unix time of a time as probes give it (text or datetime), None when it is none."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    at = format.moment(value) if isinstance(value, str) else None
    return None if at is None else at.timestamp()


def raw(value: Any, unit: str) -> str:
    """The exact value with its unit, for the detail and for copying; texts are whole and safe to draw.

    >>> raw(1288490189, "bytes"), raw(None, "s"), raw(True, "bool")
    ('1288490189 bytes', 'n/a', 'true')
    """
    if value is None:
        return format.UNKNOWN
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, dict)):
        return sanitise(json.dumps(value, ensure_ascii=False, default=str), 20_000)
    if isinstance(value, (int, float)):
        named = unit in ("bytes", "bytes/s", "s", "ms", "/s", "/min") or unit.endswith(" total")
        return f"{value} {unit}" if named else str(value)
    return sanitise(str(value), 100_000)


def age(seconds: float) -> str:
    """The age of a reading.

    >>> age(2.4), age(75), age(9000)
    ('2 s', '1:15', '2:30:00')
    """
    seconds = max(0.0, seconds)
    return f"{seconds:.0f} s" if seconds < 60 else format.duration(seconds)
