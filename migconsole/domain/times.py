"""Moments as people write them: a time of day, a time from now, a time from T-0, or the whole date; always UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from migconsole.domain.quantities import QuantityError, parse_duration, parse_offset

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?\s*(?:Z|UTC)?", re.IGNORECASE)
_HALF_DAY = timedelta(hours=12)
_DAY = timedelta(days=1)

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""What T-0 or a window's end can be: beyond that somebody mistyped a year, and reckoning with phases of days around it
would leave the calendar."""

FORMS = "write 23:30, 20m, T+30m, now, or 2026-11-25 23:30Z (all UTC)"


class MomentError(ValueError):
    """A moment that cannot be read; the message shows the forms that can."""


def parse_moment(text: str, now: datetime, t0: datetime | None = None) -> datetime:
    """The moment that a text means, in UTC. A time of day is the one nearest to ``now``; a duration counts from now.

    Raises MomentError, also for one that is centuries away. ``T+30m`` needs a T-0.

    >>> now = datetime(2026, 11, 25, 23, 50, tzinfo=UTC)
    >>> parse_moment("00:10", now).isoformat(), parse_moment("20m", now).isoformat()
    ('2026-11-26T00:10:00+00:00', '2026-11-26T00:10:00+00:00')
    """
    return within_reach(_parsed(text.strip(), now, t0))


def within_reach(moment: datetime) -> datetime:
    """The moment itself. Raises MomentError where it cannot be reckoned with."""
    if not FIRST <= moment < LAST:
        raise MomentError(f"the year {moment.year} is not meant; {FORMS}")
    return moment


def _parsed(text: str, now: datetime, t0: datetime | None) -> datetime:
    if text.lower() == "now":
        return now
    match = _TIME.fullmatch(text)
    if match:
        day = now.replace(hour=int(match[1]), minute=int(match[2]), second=int(match[3] or 0), microsecond=0)
        return day + _DAY if day < now - _HALF_DAY else day - _DAY if day > now + _HALF_DAY else day
    if text[:1].upper() == "T" and text[1:2] in ("", "-", "+"):
        return _from_t0(text, t0)
    try:
        return now + timedelta(seconds=parse_duration(text.removeprefix("+")))
    except (QuantityError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(re.sub(r"\s*(?:Z|UTC)$", "+00:00", text, flags=re.IGNORECASE))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise MomentError(f"“{text[:40]}” is no moment; {FORMS}") from None


def _from_t0(text: str, t0: datetime | None) -> datetime:
    if t0 is None:
        raise MomentError(f"“{text[:40]}” counts from T-0, which is not set")
    try:
        return t0 + timedelta(seconds=parse_offset("T" + text[1:]))
    except (QuantityError, OverflowError):
        raise MomentError(f"“{text[:40]}” is no moment; {FORMS}") from None


def settle(
    t0: str, window: str, now: datetime, begin: datetime | None = None, end: datetime | None = None
) -> tuple[datetime | None, datetime | None]:
    """T-0 and the window's end from what a person wrote; what is "" stays as ``begin`` and ``end`` have it.

    ``window`` is a length from T-0 ("2h") or the moment of its end. A change window does not move with T-0.
    Raises MomentError.
    """
    if t0.strip():
        begin = parse_moment(t0, now, begin)
    if window.strip():
        end = _end(window.strip(), now, begin)
    if begin is not None and end is not None and end <= begin:
        raise MomentError(f"the window would end {end:%H:%M}, and T-0 is {begin:%H:%M} UTC; move both")
    return begin, end


def _end(window: str, now: datetime, begin: datetime | None) -> datetime:
    try:
        length = parse_duration(window)
    except QuantityError:
        return parse_moment(window, now, begin)
    if begin is None:
        raise MomentError("a window's length counts from T-0; give T-0 as well")
    try:
        return within_reach(begin + timedelta(seconds=length))
    except OverflowError:
        raise MomentError(f"“{window[:40]}” is too long") from None


def instant(iso: str) -> datetime | None:
    """A recorded time as a datetime in UTC, None for what is none.

    >>> instant("2026-11-25T23:30:00.000Z").isoformat(), instant("soon")
    ('2026-11-25T23:30:00+00:00', None)
    """
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def stamp(moment: datetime) -> str:
    """A moment as the journal keeps it.

    >>> stamp(datetime(2026, 11, 25, 23, 30, tzinfo=UTC))
    '2026-11-25T23:30:00.000Z'
    """
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
