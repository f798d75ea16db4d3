"""A snapshot of the cumulative statistics, taken by whoever needs one: a check, or a person."""

from __future__ import annotations

import time
from collections.abc import Callable

from migconsole.adapters.postgres.probes.runner import Probes
from migconsole.domain.readings import Quality, Reading
from migconsole.domain.snapshots import PROBES, STATEMENTS, TEXTS, Snapshot, dearest, text_rows
from migconsole.domain.target import Target

TEXT_COUNT = 500
"""Statements, by total time, whose texts go into a snapshot: what is beyond them has next to no share of the time."""


async def capture(target: Target, run: str = "", *, clock: Callable[[], float] = time.time) -> Snapshot:
    """Read every probe of a snapshot once, through two sessions that are closed again.

    Raises MigconsoleError when the server cannot be reached; what it refuses is in the snapshot, with the reason.
    """
    probes = Probes(target, run, clock=clock)
    try:
        await probes.open()
        readings: dict[str, Reading] = {}
        for name in PROBES:
            readings[name] = await probes.run_probe(name)
        numbers = dearest(readings[STATEMENTS].rows)
        texts = await probes.texts(numbers[:TEXT_COUNT], numbers)
        readings[TEXTS] = Reading(TEXTS, clock(), 0.0, Quality.OK, text_rows(texts))
        return Snapshot(readings[STATEMENTS].at, readings)
    finally:
        await probes.close()
