"""The check of free disk space: only of volumes that are proven to be the server's."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migconsole.adapters.postgres.checks.base import Findings, Probe, check, number, text
from migconsole.adapters.postgres.locality import locality
from migconsole.adapters.volumes import volume
from migconsole.domain.quantities import format_size
from migconsole.engine.ports import CheckResult

FACTOR = 2.0
"""Free space demanded, as a multiple of the database: a restored copy beside it, and as much for the migration."""


@check(
    "disk_free",
    "Free space on the server's volumes against the database's size; of a remote server a person is asked.",
    arguments={
        "factor": "free space demanded, as a multiple of the database; default 2",
        "backup_directory": "folder of the backups on this host, measured too",
    },
    values={
        "free": "bytes free on the tightest of the data volumes; null when unknown",
        "total": "bytes of that volume; null when unknown",
        "database": "bytes of the database",
        "wal_free": "bytes free where the WAL lies; null when unknown",
        "backup_free": "bytes free for backups on this host; null when not asked or unknown",
    },
)
async def disk_free(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """PostgreSQL reports no free space, so the volume is asked, and only where it is proven to be the right one."""
    found = Findings()
    database = (await probe.row("current_size"))["size"]
    found.note(f"the database takes {format_size(database)}")
    values: dict[str, Any] = {"free": None, "total": None, "database": database, "wal_free": None, "backup_free": None}
    factor = number(arguments, "factor") or FACTOR
    place, why = await data_place(probe)
    if place is None:
        found.unknown(f"free space on the server is unknown: {why}; look there and enter it by hand")
    else:
        found.note(why)
        spaces = [(f"tablespace {row['name']}", Path(row["location"])) for row in await probe.rows("tablespaces")]
        values |= await asyncio.to_thread(_volumes, [("data", place), *spaces], found, factor * database)
        values["wal_free"] = (await asyncio.to_thread(volume, "WAL", place / "pg_wal")).free
    backups = text(arguments, "backup_directory")
    if backups:
        folder = probe.path(backups)
        values["backup_free"] = (await asyncio.to_thread(volume, "backups", folder)).free
        say = found.unknown if values["backup_free"] is None else found.note
        say(f"backups in {folder}: {_shown(values['backup_free'])} free")
    return found.result(values)


async def data_place(probe: Probe) -> tuple[Path | None, str]:
    """The server's data directory where it is proven to be on this host, and how that is known or why it is not."""
    row = await probe.row("data_directory")
    if row["data_directory"] is None:
        return None, "no privilege to see where the data lies (grant pg_read_all_settings)"
    directory = Path(row["data_directory"])
    proof = await asyncio.to_thread(locality, directory, row["backend"], row["client_port"], row["started"])
    return (directory, proof.why) if proof.local else (None, proof.why)


def _volumes(folders: list[tuple[str, Path]], found: Findings, needed: float) -> dict[str, Any]:
    tightest: tuple[int, int] | None = None
    for name, folder in folders:
        try:
            usage = shutil.disk_usage(folder)
        except OSError:
            found.unknown(f"{name} in {folder}: free space cannot be read")
            continue
        say = found.good if usage.free >= needed else found.bad
        free, total, wanted = (format_size(count) for count in (usage.free, usage.total, needed))
        say(f"{name} in {folder}: {free} free of {total}, {wanted} needed")
        tightest = min(tightest or (usage.free, usage.total), (usage.free, usage.total))
    return {"free": tightest[0], "total": tightest[1]} if tightest else {}


def _shown(size: int | None) -> str:
    return "unknown" if size is None else format_size(size)
