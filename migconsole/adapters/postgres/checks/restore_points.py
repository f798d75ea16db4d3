"""The check of the run's restore point: how much it is worth now, by the record and by what the server shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migconsole.adapters.postgres.checks.base import Findings, Probe, check, duration, text
from migconsole.adapters.postgres.rollback import reading
from migconsole.domain.quantities import format_duration, format_size
from migconsole.domain.restore_gate import MAX_AGE
from migconsole.domain.restore_points import NOTHING, PointState, RestorePoint
from migconsole.domain.rollback import Mark, parse_marker, side_name
from migconsole.engine.ports import CheckResult
from migconsole.errors import UsageError

_LEAST = {
    "snapshot": (PointState.SNAPSHOT, PointState.PROVEN, PointState.ARMED),
    "proven": (PointState.PROVEN, PointState.ARMED),
    "armed": (PointState.ARMED,),
}


@check(
    "restore_point",
    "The way back is there: the run's restore point is armed (or proven), the server shows it, and it is not too old.",
    arguments={
        "state": "the least that passes: armed (default), proven, or snapshot for one of another tool",
        "max_age": "how old its data may be; default 24h",
    },
    values={
        "state": "none, unproven, snapshot, proven, armed, used or purged; armed only where the server shows it so",
        "backup": "identifier of the backup",
        "age": "seconds since the snapshot of its data; null when unknown",
        "wal": "bytes of WAL written since, by the whole server; null when unknown",
        "rows": "rows in it; null when unknown",
        "side": "name of the restored copy that waits, empty without one",
    },
)
async def restore_point(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """The record says what was proven; whether the copy still waits only the server knows, so it is asked each time."""
    found = Findings()
    least = text(arguments, "state", "armed")
    if least not in _LEAST:
        raise UsageError(
            f"The check restore_point has no state “{least[:40]}”", remedy=f"It takes {', '.join(_LEAST)}."
        )
    point = await _known(probe)
    state = await _state(probe, point, found)
    age, wal = await _since(probe, point)
    told = f"restore point {point.backup or 'none'}: {state}"
    (found.good if state in _LEAST[least] else found.bad)(f"{told}{'' if state in _LEAST[least] else f', not {least}'}")
    if point.why:
        found.note(point.why)
    _aged(found, state, age, wal, duration(arguments, "max_age", MAX_AGE))
    side = point.side if state is PointState.ARMED else ""
    values = {"state": state.value, "backup": point.backup, "age": age, "wal": wal, "rows": point.rows, "side": side}
    return found.result(values)


async def _known(probe: Probe) -> RestorePoint:
    """The run's best one; without a run what the server's markers say."""
    if probe.past is not None:
        return probe.past.restore_point()
    for owner in await reading.discover(probe.target):
        side = side_name(probe.identity.database, owner)
        for row in await probe.rows("side_databases", [side]):
            marker = parse_marker(row["comment"])
            if marker is not None and marker.step is Mark.ARMED:
                return RestorePoint(PointState.ARMED, marker.backup, side=side)
    return NOTHING


async def _state(probe: Probe, point: RestorePoint, found: Findings) -> PointState:
    """What it is worth: an armed one only while its copy waits, closed, with the marker of this very backup."""
    if point.state is not PointState.ARMED:
        return point.state
    why = f"there is no database {point.side}"
    for row in await probe.rows("side_databases", [point.side]):
        marker = parse_marker(row["comment"])
        if marker is None or marker.app != probe.identity.database or marker.backup != point.backup:
            why = f"{point.side} does not carry the marker of this backup"
        elif marker.step is not Mark.ARMED or row["open"]:
            why = f"{point.side} is {'open' if row['open'] else marker.step}"
        else:
            found.good(f"{point.side} waits, closed")
            return PointState.ARMED
    found.bad(f"the record says armed, the server does not: {why}")
    return PointState.PROVEN


async def _since(probe: Probe, point: RestorePoint) -> tuple[float | None, int | None]:
    row = await probe.row("restore_point_since", point.at, point.lsn)
    return row["age"], row["wal"]


def _aged(found: Findings, state: PointState, age: float | None, wal: int | None, limit: float) -> None:
    if state in (PointState.NONE, PointState.PURGED):
        return
    if age is None:
        found.unknown("how old its data is cannot be told")
        return
    written = "" if wal is None else f", {format_size(wal)} of WAL written since"
    line = f"its data is {format_duration(age)} old{written}"
    (found.bad if age > limit else found.good)(line + (f": more than {format_duration(limit)}" if age > limit else ""))
