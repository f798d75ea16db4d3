"""What probes read: rows with their age and their quality. A missing value is never zero, and says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Quality(StrEnum):
    """Whether a reading can be believed, and if not, why not."""

    OK = "ok"
    STALE = "stale"
    LOCKED = "locked"
    NO_PRIVILEGE = "no privilege"
    NOT_AVAILABLE = "not available here"
    FAILED = "failed"


class Level(StrEnum):
    """How bad a value is by its threshold; ``UNKNOWN`` when it could not be read."""

    UNKNOWN = "unknown"
    GOOD = "good"
    WARN = "warn"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Reading:
    """One probe at one time.

    ``at`` is Unix seconds of the watcher's host, ``took`` milliseconds the server was busy with it. ``rows`` are
    mappings of the probe's declared columns; sizes are bytes, durations seconds. ``reason`` says what ``quality`` means
    here ("locked by 4711 (ALTER TABLE orders)", "needs pg_monitor").
    """

    probe: str
    at: float
    took: float
    quality: Quality
    rows: tuple[Mapping[str, Any], ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A threshold that was crossed. ``evidence`` is the reading's rows that raised it, frozen.

    ``raised`` and ``cleared`` are Unix seconds (``cleared`` 0 while it lasts); ``acknowledged`` names a person.
    """

    id: int
    probe: str
    level: Level
    message: str
    raised: float
    cleared: float = 0.0
    acknowledged: str = ""
    evidence: tuple[Mapping[str, Any], ...] = ()
