"""What shapes work with: the fetched rows of one pass, and the few things every shape needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migconsole.adapters.postgres.probes.state import Shared
from migconsole.domain.readings import Quality

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shaped:
    """A probe's rows, and what else can be said about them: rows for lack of privilege are never simply empty."""

    rows: Sequence[Row]
    quality: Quality = Quality.OK
    reason: str = ""


@dataclass(slots=True)
class Pass:
    """One look at the server: ``fetched`` rows by source (absent: not asked), shared by all probes that are made of it.

    ``derived`` keeps what several shapes compute alike. ``gate`` asks for the widest answer.
    """

    shared: Shared
    at: float
    gate: bool = False
    now: float = field(default_factory=time.monotonic)
    """For durations: the clock on the wall may be set while the run lasts."""

    fetched: dict[str, Sequence[Row]] = field(default_factory=dict)
    derived: dict[str, Any] = field(default_factory=dict)

    def rows(self, source: str) -> Sequence[Row]:
        """The rows of a source; empty when it was not asked or refused."""
        return self.fetched.get(source, ())

    def first(self, source: str) -> Row:
        """The only row of a source; empty when it was not asked or refused."""
        rows = self.rows(source)
        return rows[0] if rows else {}

    def memory(self, probe: str) -> dict[str, Any]:
        """What a probe remembers from its earlier readings."""
        return self.shared.memory.setdefault(probe, {})

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Make something the first time it is wanted in this pass."""
        if name not in self.derived:
            self.derived[name] = make()
        return self.derived[name]


Shape = Callable[[Pass], Shaped]


def since(memory: dict[str, Any], values: Mapping[str, Any], at: float) -> tuple[float | None, dict[str, Any]]:
    """Seconds since the reading before and how counters grew; None for what is new, was reset or went backwards."""
    before, then = memory.get("values"), memory.get("at")
    memory["values"], memory["at"] = dict(values), at
    if before is None or then is None or at <= then:
        return None, dict.fromkeys(values)
    growth = {}
    for name, value in values.items():
        earlier = before.get(name)
        known = isinstance(value, int | float) and isinstance(earlier, int | float) and value >= earlier
        growth[name] = value - earlier if known else None
    return at - then, growth


def share(part: float | None, whole: float | None) -> float | None:
    """``part`` of ``whole`` as 0 to 1; None when either is unknown or there is no whole."""
    return None if part is None or not whole else part / whole


def rate(growth: float | None, seconds: float | None) -> float | None:
    """Growth per second; None when either is unknown."""
    return None if growth is None or not seconds else growth / seconds


def unmoved(memory: dict[str, Any], marks: Mapping[Any, Any], at: float) -> dict[Any, float]:
    """Seconds for which each mark has stayed the same, as far as it has been seen."""
    before: dict[Any, tuple[Any, float]] = memory.get("marks", {})
    now = {
        key: (mark, before[key][1] if key in before and before[key][0] == mark else at) for key, mark in marks.items()
    }
    memory["marks"] = now
    return {key: at - began for key, (_, began) in now.items()}


def count(rows: Iterable[Row], key: str) -> int:
    """How many rows have a true value."""
    return sum(1 for row in rows if row[key])
