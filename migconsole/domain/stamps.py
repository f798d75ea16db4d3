"""Journal times (UTC ISO 8601) as numbers that can be subtracted."""

from __future__ import annotations

from datetime import UTC, datetime


def unix(at: str) -> float | None:
    """A journal time in Unix seconds, None for a text that is none.

    >>> unix("1970-01-01T00:01:00.000Z"), unix("soon"), unix("")
    (60.0, None, None)
    """
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def iso(at: float) -> str:
    """Unix seconds as a journal time.

    >>> iso(60.0)
    '1970-01-01T00:01:00.000Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def elapsed(start: str, end: str) -> float | None:
    """Seconds from one journal time to another, None where one of them is none.

    >>> elapsed("1970-01-01T00:00:10Z", "1970-01-01T00:01:00Z"), elapsed("", "1970-01-01T00:01:00Z")
    (50.0, None)
    """
    first, last = unix(start), unix(end)
    return None if first is None or last is None else max(0.0, last - first)


def plain_duration(seconds: float | None) -> str:
    """A duration in words that need no column.

    >>> plain_duration(0.25), plain_duration(192), plain_duration(600), plain_duration(3723), plain_duration(None)
    ('0.2 s', '3 min 12 s', '10 min', '1 h 2 min', 'unknown')
    """
    if seconds is None:
        return "unknown"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {second} s" if second else f"{minutes} min"
    hours, minute = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minute} min"
    return f"{hours // 24} d {hours % 24} h"
