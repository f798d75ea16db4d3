"""Room on disk, volume by volume: what a proof and the migration after it will need, against what is free.

The database's volume, the one with its write-ahead log and the one with the backups differ, and a remote console sees
none of the server's. What is not known is said to be unknown: a person looks and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from migconsole.domain.quantities import format_size

WAL_FLOOR = 2
"""Where nothing holds the log back it is recycled: up to about twice ``max_wal_size`` lies on disk under load."""

MARGIN = 1.1
"""A tenth more than is counted: other things write, too, and a full volume stops the server."""


DENSEST = 100
"""How many bytes of tables one byte of a dump holds at the very most: rows of blanks shrink to a 35th, and bloat is in
no dump. Less room than that is certainly not enough, whatever is in the tables."""

STEADY = 2
"""By how much a dump may be smaller, for the size of its database, than the one before it."""

KEPT_FREE = 64 * 1024 * 1024
"""Bytes that a dump leaves free on its volume (a fiftieth of a small one): where the server's own files lie on the same
volume, the last of it going means that the server stops."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that something will take on a volume."""

    what: str
    bytes: int
    volume: str


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume by a name that tells it from others; ``free`` is None when nobody can see it from here."""

    name: str
    free: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """The judgement of one volume: True, False, or None where it is unknown."""

    enough: bool | None
    line: str


def wal_need(database: int, max_wal_size: int | None, held: bool) -> int:
    """Bytes of write-ahead log that a restore leaves on disk: it writes about as much as it restores.

    ``held``: an archive, a slot or a standby may keep all of it for a while.

    >>> wal_need(10_000, 1_000, held=False), wal_need(10_000, 1_000, held=True), wal_need(500, 1_000, held=False)
    (2000, 10000, 500)
    """
    if held or max_wal_size is None:
        return database
    return min(database, WAL_FLOOR * max_wal_size)


def judge(needs: Iterable[Need], volumes: Mapping[str, Volume]) -> list[Room]:
    """One judgement for each volume that something is needed on."""
    by_volume: dict[str, list[Need]] = {}
    for need in needs:
        by_volume.setdefault(need.volume, []).append(need)
    return [_room(volumes[name], parts) for name, parts in by_volume.items()]


def _room(volume: Volume, parts: list[Need]) -> Room:
    wanted = sum(part.bytes for part in parts)
    listed = " + ".join(f"{format_size(part.bytes)} {part.what}" for part in parts)
    if volume.free is None:
        return Room(
            None, f"{volume.name}: {format_size(wanted)} needed ({listed}); free space is unknown: {volume.why}"
        )
    enough = volume.free >= wanted * MARGIN
    return Room(enough, f"{volume.name}: {format_size(volume.free)} free, {format_size(wanted)} needed ({listed})")


@dataclass(frozen=True, slots=True)
class DumpSize:
    """Bytes that a dump will take: at the very least, and probably. ``basis`` says what the second rests on."""

    least: int
    likely: int
    basis: str


def dump_size(tables: int, database: int, before: tuple[int, int] | None) -> DumpSize:
    """What a dump of ``tables`` bytes of tables without indexes will take, in a database of ``database`` bytes.

    ``before`` are the bytes of the newest backup's dump and those of its database then, None without one.

    >>> dump_size(8_000, 10_000, None).least, dump_size(8_000, 10_000, (500, 5_000))
    (80, DumpSize(least=500, likely=1000, basis='as much for its size as the newest backup'))
    """
    if before is None or before[1] <= 0:
        return DumpSize(tables // DENSEST, tables, "the tables without indexes, as if nothing could be compressed")
    likely = before[0] * database // before[1]
    return DumpSize(likely // STEADY, likely, "as much for its size as the newest backup")


def kept_free(total: int) -> int:
    """Bytes that are left free on a volume of ``total`` bytes."""
    return min(KEPT_FREE, total // 50)
