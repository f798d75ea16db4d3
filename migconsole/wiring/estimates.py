"""Estimates from earlier runs of the same checklist, and from drills: how long a thing took, and how that is known."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from migconsole.adapters.drill_book import last_drill
from migconsole.adapters.journal import reading
from migconsole.adapters.runs import RunStore
from migconsole.domain.lifecycle import RunState
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

REHEARSALS = ("staging", "rehearsal")
"""Environments on which a migration is rehearsed: there the data are like production's. Nothing is learned from one of
another kind (development, test): a migration of toy data takes no time."""


@dataclass(frozen=True, slots=True)
class _Measured:
    """What one finished run took for an item. ``same`` is whether it ran the very same checklist."""

    seconds: float
    environment: str
    day: str
    same: bool


def learn(store: RunStore, title: str, environment: str = "production", sha256: str = "") -> dict[str, dict[str, Any]]:
    """Item → seconds and source, from the newest completed runs of the checklist with this title.

    A run that was broken off, abandoned or rolled back teaches nothing, nor does one that cannot be read. A rehearsal
    of the very same checklist (``sha256``) counts before the runs in the same ``environment``, those before a rehearsal
    of another version. Each says what it is: "rehearsed on staging 2026-11-20", "median of 3 production runs",
    "production run of 2026-11-20".
    """
    seen: dict[str, list[_Measured]] = {}
    for directory in store.all()[:RUNS]:
        try:
            run = fold(reading.read_events(directory.journal))
        except MigconsoleError:
            continue
        if run.title != title or run.life.ending != RunState.COMPLETED:
            continue
        same = bool(sha256) and run.checklist_sha256 == sha256
        for item, seconds in _durations(run).items():
            measured = _Measured(seconds, run.environment.lower(), run.opened_at[:10], same)
            seen.setdefault(item, []).append(measured)
    known = {item: _estimate(found, environment.lower()) for item, found in seen.items()}
    return {item: found for item, found in known.items() if found is not None}


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


def _estimate(found: list[_Measured], environment: str) -> dict[str, Any] | None:
    """The estimate that measurements (the newest first) give for a run in an environment; None where none counts."""
    rehearsals = [one for one in found if one.environment in REHEARSALS]
    here = [one for one in found if one.environment == environment][:KEPT]
    rehearsed = next((one for one in rehearsals if one.same), None) or (None if here else next(iter(rehearsals), None))
    if rehearsed is not None:
        source = f"rehearsed on {rehearsed.environment} {rehearsed.day}"
        return {"seconds": round(rehearsed.seconds, 1), "source": source}
    if not here:
        return None
    named = environment or "earlier"
    source = f"median of {len(here)} {named} runs" if len(here) > 1 else f"{named} run of {here[0].day}"
    return {"seconds": round(median(one.seconds for one in here), 1), "source": source}
