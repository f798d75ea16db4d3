"""Room for a dump on the volume it is written to: looked at before it begins, and for as long as it is written."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from migconsole.adapters.backup import directory as storage
from migconsole.adapters.backup.directory import BackupError
from migconsole.adapters.volumes import volume
from migconsole.domain.quantities import format_size
from migconsole.domain.volumes import Need, dump_size, judge, kept_free
from migconsole.errors import MigconsoleError

LOOK_EVERY = 1.0
"""Seconds between two looks while the dump is written: a fast disk writes a gigabyte in that time, and what matters
more than the last byte is that the dump ends before it fails."""

_REMEDY = "Free space on that volume, or name a folder on another one with --directory DIR."


def look(partial: Path, database: str, tables: int, size: int) -> str:
    """How much room there is, for a person; raises BackupError where it is certainly too little.

    ``tables`` are the bytes of the tables without indexes, ``size`` those of the whole database. How far the data can
    be compressed is not known before, unless there is a backup of this database already: so what is only likely to be
    too little is said, and what cannot be enough is refused.
    """
    place = volume("backup volume", partial.parent)
    expected = dump_size(tables, size, _before(partial.parent, database))
    free = Need("left free", _kept(partial), place.name)
    volumes = {place.name: place}
    (least,) = judge([Need("for the dump at the very least", expected.least, place.name), free], volumes)
    (likely,) = judge([Need("for the dump", expected.likely, place.name), free], volumes)
    if least.enough is False:
        also = f"{expected.basis}: {format_size(expected.likely)}"
        raise BackupError("There is no room for the backup", f"{least.line}\n{also}", _REMEDY)
    doubt = {True: "", False: "note: it may be too little: ", None: "note: "}[likely.enough]
    return f"{doubt}{likely.line}: {expected.basis}"


async def watch(partial: Path) -> None:
    """Look until cancelled; raises BackupError before the volume is full: the server may write to it, too."""
    kept = await asyncio.to_thread(_kept, partial)
    while True:
        await asyncio.sleep(LOOK_EVERY)
        place = await asyncio.to_thread(volume, "backup volume", partial.parent)
        if place.free is not None and place.free < kept:
            left = f"{place.name}: {format_size(place.free)} are left, and {format_size(kept)} are kept free"
            raise BackupError("The volume of the backup is full: there is no backup", left, _REMEDY)


def _kept(partial: Path) -> int:
    try:
        return kept_free(shutil.disk_usage(partial).total)
    except OSError:
        return 0


def _before(directory: Path, database: str) -> tuple[int, int] | None:
    """Bytes of the newest whole backup of a database, and those of the database then."""
    try:
        manifests = [found.manifest for found in storage.look(directory)]
    except MigconsoleError:
        return None
    of_it = (manifest for manifest in manifests if manifest is not None and manifest.database == database)
    newest = next(of_it, None)
    return None if newest is None else (newest.dump_bytes, newest.database_bytes)
