"""How durations, sizes, times and identities are written on the screens: fixed widths, nothing guessed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from migconsole.domain.items import ItemState
from migconsole.engine.ports import ServerIdentity

UNKNOWN = "n/a"
"""What is drawn for a value that could not be read; never 0."""

_BARS = "▁▂▃▄▅▆▇█"
_WORDS = {ItemState.OK_WITH_ISSUES: "issues", ItemState.INTERRUPTED: "unknown"}


def _utc() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the screens get the time from, so that a picture of one can be taken twice."""

    monotonic: Callable[[], float] = time.monotonic
    utc: Callable[[], datetime] = _utc


def duration(seconds: float | None) -> str:
    """Short and exact to the second, for columns.

    >>> duration(7), duration(192), duration(3723), duration(90061), duration(None)
    ('0:07', '3:12', '1:02:03', '1d 01:01', 'n/a')
    """
    if seconds is None:
        return UNKNOWN
    whole = max(0, int(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour:02}:{minute:02}"
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def took(seconds: float) -> str:
    """How long something took, with a decimal while that still matters.

    >>> took(0.24), took(12.0), took(0.013)
    ('0.2 s', '0:12', '13 ms')
    """
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else duration(seconds)


def elapsed(seconds: float) -> str:
    """Fixed width for clocks that tick.

    >>> elapsed(192), elapsed(360000)
    ('00:03:12', '100:00:00')
    """
    whole = max(0, int(seconds))
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def estimate(seconds: float) -> str:
    """The form in which checklists write durations.

    >>> estimate(240), estimate(45), estimate(5400)
    ('4m', '45s', '1h30m')
    """
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    parts = (f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{second}s" if second else "")
    return "".join(parts) or "0s"


def overdue(expected: float | None, seconds: float | None) -> str:
    """What is said of something that takes longer than its estimate, "" while it does not.

    >>> overdue(240, 485), overdue(240, 200), overdue(None, 900), overdue(5, 12)
    ('expected 4m, now 8m', '', '', 'expected 5s, now 12s')
    """
    if not expected or seconds is None or seconds <= expected:
        return ""
    return f"expected {estimate(expected)}, now {estimate(seconds - seconds % 60 if seconds >= 60 else seconds)}"


def size(value: float | None, signed: bool = False) -> str:
    """Bytes in powers of 1024, three figures.

    >>> size(13207024435), size(-2048, signed=True), size(None), size(0)
    ('12.3 GB', '-2.0 kB', 'n/a', '0 B')
    """
    if value is None:
        return UNKNOWN
    sign = "-" if value < 0 else ("+" if signed and value else "")
    amount = abs(float(value))
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if amount < 1024 or unit == "PB":
            return f"{sign}{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{sign}{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("the last unit takes everything")


def sparkline(values: Sequence[float | None], width: int, low: float = 0.0, top: float | None = None) -> str:
    """The newest ``width`` values as bars between ``low`` and the highest; a missing one is a gap, not a low bar.

    >>> sparkline([0, 1, None, 2, 4], 5)
    '▁▃ ▅█'
    """
    if width <= 0:
        return ""
    shown = values[-width:]
    highest = max((v for v in shown if v is not None), default=0.0) if top is None else top
    span = highest - low

    def bar(value: float | None) -> str:
        if value is None:
            return " "
        return _BARS[0] if span <= 0 else _BARS[min(7, max(0, int((value - low) / span * 7 + 0.5)))]

    return "".join(bar(value) for value in shown).rjust(width)


def word(state: ItemState) -> str:
    """One short word for a state, to stand beside its glyph.

    >>> word(ItemState.OK_WITH_ISSUES), word(ItemState.VERIFIED)
    ('issues', 'verified')
    """
    return _WORDS.get(state, state.value)


def meter(done: int, total: int, width: int) -> tuple[str, str]:
    """The filled and the empty part of a progress bar; full only when everything is done.

    >>> meter(41, 99, 10)
    ('━━━━', '──────')
    """
    filled = 0 if total <= 0 else min(width, done * width // total)
    return "━" * filled, "─" * (width - filled)


def moment(iso: str) -> datetime | None:
    """A journal time as a datetime, None when it is not one."""
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def clock_time(iso: str, day: bool = False) -> str:
    """A journal time for a column, UTC, with its day where asked."""
    at = moment(iso)
    if at is None:
        return iso[:19]
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S" if day else "%H:%M:%S")


def since(iso: str, now: datetime) -> float | None:
    """Seconds between a journal time and ``now``; None when it cannot be told."""
    at = moment(iso)
    return None if at is None else max(0.0, (now - at).total_seconds())


def fingerprint(identity: ServerIdentity) -> str:
    """Six characters that change when the pinned identity does: enough to compare two terminals by eye."""
    parts = (identity.system_identifier, identity.database, identity.host, identity.port, identity.in_recovery)
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).hexdigest()[:6]
