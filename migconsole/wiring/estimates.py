"""Estimates from earlier runs of the same checklist, and from drills: how long a thing took, and how that is known."""

from __future__ import annotations

from statistics import median
from typing import Any

from migconsole.adapters.drill_book import last_drill
from migconsole.adapters.journal import reading
from migconsole.adapters.runs import RunStore
from migconsole.domain.quantities import format_duration
from migconsole.domain.run import Attempt, Run, fold
from migconsole.errors import MigconsoleError

RUNS = 20
"""The newest runs that are looked at: older ones were on another server, or another amount of data."""

KEPT = 5
"""The newest durations of an item that count."""

SHORTEST = 1.0
"""Seconds below which nothing is learned: such an item does not move a forecast."""

LONGEST = 10**8
"""Seconds from which on a duration is not believed."""

REHEARSALS = ("staging", "development", "test")


def learn(store: RunStore, title: str) -> dict[str, dict[str, Any]]:
    """Item → seconds and source, from the newest runs of the checklist with this title; unreadable ones are passed by.

    The newest rehearsal (a run on another environment than production) comes before the median of several runs, one
    run is named as such: "rehearsed 3:40", "median of 3 runs", "1 run".
    """
    seen: dict[str, list[tuple[float, bool]]] = {}
    for directory in store.all()[:RUNS]:
        try:
            run = fold(reading.read_events(directory.journal))
        except MigconsoleError:
            continue
        if run.title != title:
            continue
        rehearsed = run.environment.lower() in REHEARSALS
        for item, seconds in _durations(run).items():
            seen.setdefault(item, []).append((seconds, rehearsed))
    return {item: _estimate(found[:KEPT]) for item, found in seen.items()}


def drilled(store: RunStore, target: str) -> dict[str, Any] | None:
    """The newest drill on this target (``db@host:port``) as the data of its fact, None when there was none."""
    found = last_drill(store.state, target)
    if found is None:
        return None
    kept = {
        str(name): float(seconds)
        for name, seconds in found["durations"].items()
        if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < LONGEST
    }
    return {"at": str(found.get("at", ""))[:40], "durations": kept} if kept else None


def _durations(run: Run) -> dict[str, float]:
    """Seconds of each item's newest attempt that ended well."""
    found = {}
    for item, record in run.items.items():
        attempt = next((attempt for attempt in reversed(record.attempts) if _counts(attempt)), None)
        if attempt is not None and attempt.duration is not None:
            found[item] = attempt.duration
    return found


def _counts(attempt: Attempt) -> bool:
    return attempt.outcome in ("passed", "asks") and attempt.duration is not None and attempt.duration >= SHORTEST


def _estimate(found: list[tuple[float, bool]]) -> dict[str, Any]:
    rehearsal = next((seconds for seconds, rehearsed in found if rehearsed), None)
    if rehearsal is not None:
        return {"seconds": round(rehearsal, 1), "source": f"rehearsed {format_duration(round(rehearsal))}"}
    seconds = median(value for value, _ in found)
    source = f"median of {len(found)} runs" if len(found) > 1 else "1 earlier run"
    return {"seconds": round(seconds, 1), "source": source}
