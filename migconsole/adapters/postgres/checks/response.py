"""The check of response times: as a client sees them, from connecting to the answer."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median
from typing import Any

from migconsole.adapters.postgres.checks.base import Findings, Probe, check, duration, number, text
from migconsole.adapters.postgres.connect import Connection, Purpose, connect, quoted, retire
from migconsole.domain.own_statements import signed
from migconsole.domain.sql import query_problem
from migconsole.engine.ports import CheckResult
from migconsole.errors import MigconsoleError, UsageError

CONNECTS = 5
TRIPS = 30
BUDGET = 5.0
"""Seconds one part of the measurement may take; it then has fewer times."""

FACTOR = 3.0
"""A median of this multiple of the baseline's is slow: response times of an idle moment vary by two easily. Ours."""

FLOOR = 0.005
"""Seconds below which no factor counts: nobody notices, and a busy machine makes it."""

CONNECTING, TRIVIAL = "connect", "trivial"
_TRIVIAL = signed("SELECT 1")

_VALUES = {
    "connect": "seconds to open a session, median",
    "trivial": "seconds of a statement that does nothing, median",
    "statement": "seconds of the chosen statement, median; null without one",
    "slowest": "seconds of the slowest of them",
    "ratio": "the worst of the medians as a multiple of its baseline; null without one",
}


@check(
    "response_time",
    "How long connecting, a trivial statement and a chosen one take, against what was measured before the migration.",
    arguments={
        "statement": "a query of your application to time, with its values in it; it is only read",
        "max": "longest median allowed for each, such as 50ms; without it the baseline decides",
        "factor": "multiple of the baseline's median that counts as slow; default 3",
    },
    values=_VALUES,
)
async def response_time(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """What is measured before T-0 becomes the baseline; without it and without ``max`` a person judges."""
    statement = text(arguments, "statement").strip()
    if statement and (problem := query_problem(statement)):
        raise UsageError("The statement cannot be timed", f"{problem}.")
    found = Findings()
    measured = await measure(probe, statement)
    limit = duration(arguments, "max", 0.0)
    factor = number(arguments, "factor") or FACTOR
    ratios = [_judge(probe, found, key, times, limit, factor) for key, times in measured.items()]
    if probe.past is not None:
        await asyncio.to_thread(keep, probe, measured, found)
    medians = {key: round(median(times), 5) for key, times in measured.items()}
    chosen = next((key for key in measured if key not in (CONNECTING, TRIVIAL)), "")
    return found.result(
        {
            "connect": medians[CONNECTING],
            "trivial": medians[TRIVIAL],
            "statement": medians.get(chosen),
            "slowest": round(max(max(times) for times in measured.values()), 5),
            "ratio": max((ratio for ratio in ratios if ratio is not None), default=None),
        }
    )


async def measure(probe: Probe, statement: str = "") -> dict[str, tuple[float, ...]]:
    """Seconds by what was timed. Raises MigconsoleError when no session can be opened, or what the driver raises."""
    purpose = Purpose("check response_time", BUDGET, search_path=_path(probe))
    connects: list[float] = []
    connection: Connection | None = None
    try:
        for _ in range(CONNECTS):
            if connection is not None:
                await retire(connection)
            began = time.perf_counter()
            connection = await connect(probe.target, purpose, run=probe.run)
            connects.append(time.perf_counter() - began)
        opened: Any = connection
        trivial = await _timed(lambda: opened.fetchval(_TRIVIAL))
        measured = {CONNECTING: tuple(connects), TRIVIAL: trivial}
        if statement:
            measured[key_of(statement)] = await _timed(lambda: opened.fetch(statement))
        return measured
    finally:
        if connection is not None:
            await retire(connection)


async def _timed(ask: Callable[[], Awaitable[Any]]) -> tuple[float, ...]:
    """The times of up to TRIPS questions; the first one, which prepares, is left out where there are more."""
    times: list[float] = []
    until = time.perf_counter() + BUDGET
    while len(times) <= TRIPS and (not times or time.perf_counter() < until):
        began = time.perf_counter()
        await ask()
        times.append(time.perf_counter() - began)
    return tuple(times[1:] or times)


def key_of(statement: str) -> str:
    """The name under which the times of a statement are kept."""
    return "statement " + hashlib.sha256(statement.encode("utf-8", "replace")).hexdigest()[:16]


def keep(probe: Probe, measured: Mapping[str, Sequence[float]], found: Findings) -> None:
    """Keep what was measured with the run; before T-0 it is the baseline."""
    if probe.past is None:
        return
    try:
        for key, times in measured.items():
            probe.past.keep_times(key, time.time(), times)
    except MigconsoleError as error:
        found.note(f"{error.title}: {error.detail}")


def _judge(
    probe: Probe, found: Findings, key: str, times: Sequence[float], limit: float, factor: float
) -> float | None:
    """Say one median and judge it; its ratio to the baseline."""
    middle = median(times)
    what = {CONNECTING: "connecting", TRIVIAL: "a trivial statement"}.get(key, "the chosen statement")
    says = f"{what}: {1000 * middle:.1f} ms (median of {len(times)}, slowest {1000 * max(times):.1f} ms)"
    before = _before(probe, key)
    ratio = round(middle / before, 3) if before else None
    if ratio is not None and before is not None:
        says += f", {ratio:.1f}× the {1000 * before:.1f} ms before T-0"
    if limit:
        (found.bad if middle > limit else found.good)(f"{says}; at most {1000 * limit:g} ms")
    elif ratio is None:
        found.unknown(f"{says}; no baseline yet")
    elif ratio > factor and middle > FLOOR:
        # Connecting and a trivial statement measure the host and the network: a person knows whether those are busy.
        (found.unknown if key in (CONNECTING, TRIVIAL) else found.bad)(says)
    else:
        found.good(says)
    return ratio


def _before(probe: Probe, key: str) -> float | None:
    """The median of what was measured last before T-0."""
    if probe.past is None:
        return None
    began = probe.past.moments().began
    if began is None:
        return None
    earlier = [times for at, times in probe.past.times(key) if at <= began]
    return median(earlier[-1]) if earlier and earlier[-1] else None


def _path(probe: Probe) -> str:
    return quoted(probe.target.search_path) if probe.target.search_path else ""
