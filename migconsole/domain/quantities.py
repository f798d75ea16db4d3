"""Durations, offsets from T-0 and sizes as people write them, and back again."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?(?:ms|[smhd])\s?)+")
_DURATION_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|[smhd])")
# Powers of 1024 under either spelling, as PostgreSQL's own settings and pg_size_pretty count.
_BYTES: dict[str, int] = {"b": 1, "bytes": 1} | {
    f"{letter}{unit}": 1024**power for power, letter in enumerate("kmgtp", start=1) for unit in ("b", "ib")
}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s?([A-Za-z]{1,5})")
_RELATIVE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s?[x×]\s?([a-z][a-z0-9_]{0,40})")


class QuantityError(ValueError):
    """A duration, offset or size that cannot be read; the message shows the form that can."""


@dataclass(frozen=True, slots=True)
class Relative:
    """A multiple of another observed value: ``2x database``."""

    factor: float
    of: str

    def __str__(self) -> str:
        return f"{self.factor:g}x {self.of}"


def parse_duration(text: str) -> float:
    """Seconds in a duration; every part has a unit, so that 5 can never mean minutes to one reader only.

    >>> parse_duration("1h30m"), parse_duration("2d"), parse_duration("250ms")
    (5400.0, 172800.0, 0.25)
    """
    text = text.strip()
    if not _DURATION.fullmatch(text):
        raise QuantityError(f"“{text[:40]}” is not a duration; write 90s, 4m, 1h30m or 2d")
    units = [unit for _, unit in _DURATION_PART.findall(text)]
    if len(set(units)) != len(units):
        raise QuantityError(f"“{text[:40]}” names a unit twice; write 90s, 4m, 1h30m or 2d")
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))


def parse_offset(text: str) -> float:
    """Seconds from T-0, negative before it.

    >>> parse_offset("T-1d"), parse_offset("T-0"), parse_offset("T+15m")
    (-86400.0, 0.0, 900.0)
    """
    stripped = text.strip()
    if stripped in ("T", "T-0", "T+0"):
        return 0.0
    if stripped[:2] in ("T-", "T+"):
        try:
            seconds = parse_duration(stripped[2:])
        except QuantityError:
            pass
        else:
            return -seconds if stripped[1] == "-" else seconds
    raise QuantityError(f"“{text[:40]}” is not an offset; write T-1d, T-1h, T-0 or T+15m")


def parse_size(text: str) -> int:
    """Bytes in a size. ``GB`` and ``GiB`` are the same 1024³ that PostgreSQL means.

    >>> parse_size("10GB"), parse_size("512 MiB")
    (10737418240, 536870912)
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or match[2].lower() not in _BYTES:
        raise QuantityError(f"“{text[:40]}” is not a size; write 10GB, 512MiB or 800kB")
    return round(float(match[1]) * _BYTES[match[2].lower()])


def parse_relative(text: str) -> Relative | None:
    """A multiple of another value, or None when the text is not one.

    >>> parse_relative("2x database")
    Relative(factor=2.0, of='database')
    """
    match = _RELATIVE.fullmatch(text.strip())
    return Relative(float(match[1]), match[2]) if match else None


def format_duration(seconds: float) -> str:
    """A duration as it is written in a checklist, at most two units, so that it can be read back.

    >>> format_duration(5400), format_duration(-86400), format_duration(0.25), format_duration(0)
    ('1h30m', '-1d', '250ms', '0s')
    """
    sign = "-" if seconds < 0 else ""
    seconds = abs(seconds)
    if 0 < seconds < 1:
        milliseconds = round(seconds * 1000)
        return f"{sign}{milliseconds}ms" if milliseconds < 1000 else f"{sign}1s"
    smallest = 60 if seconds >= 86400 else 1
    left = round(seconds / smallest) * smallest
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_SECONDS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return sign + ("".join(parts[:2]) or "0s")


def format_offset(seconds: float) -> str:
    """An offset from T-0 as it is written in a checklist.

    >>> format_offset(-3600), format_offset(0), format_offset(900)
    ('T-1h', 'T-0', 'T+15m')
    """
    if not seconds:
        return "T-0"
    return f"T{'-' if seconds < 0 else '+'}{format_duration(abs(seconds))}"


def format_size(count: float) -> str:
    """Bytes for a person, three significant digits.

    >>> format_size(13200000000), format_size(512), format_size(-2048)
    ('12.3 GB', '512 B', '-2.00 kB')
    """
    sign, left = ("-" if count < 0 else ""), abs(float(count))
    if left < 1024:
        return f"{sign}{left:.0f} B"
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        left /= 1024
        if left < 999.5 or unit == "PB":
            break
    digits = 2 if left < 9.995 else 1 if left < 99.95 else 0
    return f"{sign}{left:.{digits}f} {unit}"
