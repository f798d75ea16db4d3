"""Checks of what the server runs on and of its connections: the host only where it is proven to be this one."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from migconsole.adapters.postgres.checks.base import Findings, Probe, check, number, text
from migconsole.adapters.postgres.checks.disk import data_place
from migconsole.adapters.postgres.probes.runner import Probes
from migconsole.domain.quantities import format_size
from migconsole.domain.readings import Quality
from migconsole.engine.ports import CheckResult

MAX_CPU = 90.0
MIN_MEMORY = 10.0
MAX_IO_WAIT = 30.0
"""Per cent: processors busy, memory available, time waiting for disks; our own choices, no source claims them."""

MEASURE = 2.0
"""Seconds over which processors and disks are looked at."""

MAX_USED = 80.0
"""Per cent of the connection slots in use (the exporter mixin's warning)."""

_HOST = {
    "cpu": "per cent of all processors busy",
    "load": "processes that want to run, for each processor, over the last minute",
    "memory": "per cent of the memory that is available",
    "memory_available": "bytes available",
    "swap": "per cent of the swap space in use",
    "io_wait": "per cent of the processors' time that waited for disks; null where the system does not count it",
    "disk_busy": "per cent of the time the data's disk was busy; null where it is not known",
    "disk_read": "bytes read a second, by all disks",
    "disk_written": "bytes written a second, by all disks",
}


@check(
    "host_resources",
    "Processors, memory and disks of the server's host, where it is this one; of a remote server a person is asked.",
    arguments={
        "max_cpu": "per cent of the processors that may be busy; default 90",
        "min_memory": "per cent of the memory that must be available; default 10",
        "max_io_wait": "per cent of the time that may be spent waiting for disks; default 30",
    },
    values=_HOST,
)
async def host_resources(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """PostgreSQL knows nothing of its host, so the host is asked, and only where it is proven to be the right one."""
    found = Findings()
    place, why = await data_place(probe)
    if place is None:
        found.unknown(
            f"processors, memory and disks of the server are unknown: {why}; look there and enter them by hand"
        )
        return found.result(dict.fromkeys(_HOST))
    found.note(why)
    values = await asyncio.to_thread(_measured, place)
    limits = (
        ("cpu", "max_cpu", MAX_CPU, "processors busy", False),
        ("memory", "min_memory", MIN_MEMORY, "memory available", True),
        ("io_wait", "max_io_wait", MAX_IO_WAIT, "waiting for disks", False),
    )
    for name, argument, default, says, least in limits:
        value, given = values[name], number(arguments, argument)
        limit = default if given is None else given
        if value is None:
            found.note(f"{says}: not counted on this system")
            continue
        wrong = value < limit if least else value > limit
        # Two busy seconds are no failure by themselves: a person judges, unless the checklist set the limit.
        say = found.good if not wrong else found.unknown if given is None else found.bad
        say(f"{says}: {value:.0f} %, {'at least' if least else 'at most'} {limit:g} %")
    found.note(f"load {values['load']:.2f} for each of {os.cpu_count()} processors, swap {values['swap']:.0f} % in use")
    busy = "" if values["disk_busy"] is None else f", the data's disk busy {values['disk_busy']:.0f} % of the time"
    found.note(
        f"disks read {format_size(values['disk_read'])}/s and write {format_size(values['disk_written'])}/s{busy}"
    )
    return found.result(values)


def _measured(place: Path) -> dict[str, Any]:
    device = _device(place)
    before = _disks(device)
    times = psutil.cpu_times_percent(interval=MEASURE)
    after = _disks(device)
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return {
        "cpu": round(100.0 - times.idle - getattr(times, "iowait", 0.0), 1),
        "load": round(os.getloadavg()[0] / (os.cpu_count() or 1), 2),
        "memory": round(100.0 * memory.available / memory.total, 1),
        "memory_available": memory.available,
        "swap": round(swap.percent, 1),
        "io_wait": getattr(times, "iowait", None),
        "disk_busy": None
        if before[2] is None or after[2] is None
        else min(100.0, (after[2] - before[2]) / MEASURE / 10),
        "disk_read": round((after[0] - before[0]) / MEASURE),
        "disk_written": round((after[1] - before[1]) / MEASURE),
    }


def _disks(device: str) -> tuple[int, int, float | None]:
    """Bytes read and written by all disks, and the milliseconds one of them was busy."""
    together = psutil.disk_io_counters()
    if together is None:
        return 0, 0, None
    one = (psutil.disk_io_counters(perdisk=True) or {}).get(device)
    return together.read_bytes, together.write_bytes, getattr(one, "busy_time", None)


def _device(place: Path) -> str:
    """The block device below a folder, by the longest mount point that holds it; "" when there is none."""
    found = ("", "")
    real = str(place.resolve())
    for part in psutil.disk_partitions(all=False):
        point = part.mountpoint.rstrip("/") or "/"
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) > len(found[0]):
            found = (point, Path(part.device).name)
    return found[1]


@check(
    "connection_pool",
    "How full the server's connection slots are, who holds them, and who waits.",
    arguments={
        "application": "count the sessions of this application name as the pool",
        "max_used": "per cent of the slots that may be in use; default 80",
        "min": "sessions the pool must have at least",
    },
    values={
        "used": "slots in use on the whole server",
        "slots": "slots there are for ordinary roles",
        "used_percent": "share of them in use",
        "free": "slots left",
        "pool": "sessions of the application, or all in the database without one",
        "active": "sessions that run a statement; null without the privilege",
        "idle": "sessions that do nothing; null without the privilege",
        "idle_in_transaction": "sessions idle in a transaction; null without the privilege",
        "waiting": "sessions that wait for a lock; null without the privilege",
        "by_application": "mapping of application name to sessions in this database",
    },
)
async def connection_pool(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """By the pulse's own counts, so that the screen and the check never differ."""
    found = Findings()
    probes = Probes(probe.target, probe.run)
    try:
        await probes.pulse.open()
        reading = await probes.run_probe("conn_saturation")
    finally:
        await probes.close()
    rows = await probe.rows("sessions")
    application = text(arguments, "application")
    pool = sum(not application or row["application"] == application for row in rows)
    by_application = dict(Counter(row["application"] or "(no name)" for row in rows).most_common())
    row = dict(reading.rows[0]) if reading.quality is Quality.OK and reading.rows else {}
    if not row:
        found.unknown(f"the slots in use are unknown: {reading.reason or reading.quality}")
    share = row.get("used_share")
    limit = number(arguments, "max_used") or MAX_USED
    if share is not None:
        (found.bad if 100 * share >= limit else found.good)(
            f"{row['used']} of {row['slots']} slots in use ({share:.0%}), {row['free']} free"
        )
    _told_pool(found, pool, application, number(arguments, "min"))
    for name, count in list(by_application.items())[:12]:
        found.note(f"{count:4d}  {name}")
    hidden = bool(row.get("hidden"))
    if hidden:
        found.unknown(f"no privilege to see the state of {row['hidden']} sessions: grant pg_read_all_stats")
    elif row:
        found.note(
            f"{row['active']} active, {row['idle']} idle, {row['idle_in_xact']} idle in a transaction,"
            f" {row['waiting']} waiting for a lock"
        )
    return found.result(
        {
            "used": row.get("used"),
            "slots": row.get("slots"),
            "used_percent": None if share is None else round(100 * share, 1),
            "free": row.get("free"),
            "pool": pool,
            "active": None if hidden else row.get("active"),
            "idle": None if hidden else row.get("idle"),
            "idle_in_transaction": None if hidden else row.get("idle_in_xact"),
            "waiting": None if hidden else row.get("waiting"),
            "by_application": by_application,
        }
    )


def _told_pool(found: Findings, pool: int, application: str, least: float | None) -> None:
    says = f"{pool} sessions{f' of {application}' if application else ' in this database'}"
    if least is None:
        found.note(says)
    elif pool >= least:
        found.good(f"{says}, at least {least:g} wanted")
    else:
        found.bad(f"{says}, at least {least:g} wanted")
