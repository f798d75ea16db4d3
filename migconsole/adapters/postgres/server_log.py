"""The server's log where it can be read: a file of this host, or through the server by a role that may.

A log may have any size, so it is read from its end backwards, in bounded pieces, as far as the time that matters.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import psutil

from migconsole.adapters.postgres.connect import Connection
from migconsole.adapters.postgres.locality import Locality, locality
from migconsole.adapters.postgres.queries import OLDEST, load
from migconsole.domain.server_log import Entry, entries, zone_of

PREFERRED = ("csvlog", "jsonlog", "stderr")
"""Of several formats the one that says most of each entry."""

_SUFFIXES = {"csvlog": ".csv", "jsonlog": ".json", "stderr": ""}

LOCAL_LIMIT = 16 * 1024**2
REMOTE_LIMIT = 4 * 1024**2
"""Bytes that are read backwards at most: a busy server's minutes. Through the server they cost its memory."""

_FIRST_PIECE, _LONGEST_PIECE = 256 * 1024, 2 * 1024**2
_PEEK = 64 * 1024
_GRAIN = 2.0
"""Seconds to which the time of a file's last write is to be believed: the server tells whole ones."""

_GRANT = (
    "the role may not read the server's files: GRANT EXECUTE ON FUNCTION"
    " pg_read_binary_file(text, bigint, bigint, boolean), pg_stat_file(text, boolean)"
)
_REFUSALS = (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedFileError)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of the log; ``modified`` is Unix seconds of its last write."""

    path: str
    size: int
    modified: float


class LogFiles(Protocol):
    """A way to the files."""

    local: bool
    limit: int

    async def current(self) -> LogFile | None:
        """The file that is written to now."""

    async def older(self, than: LogFile) -> Sequence[LogFile]:
        """Files that were finished before, the newest first."""

    async def read(self, path: str, offset: int, length: int) -> bytes:
        """A piece of a file; empty when it is gone."""


@dataclass(frozen=True, slots=True)
class ServerLog:
    """Where the log is and how it is written. ``prefix`` is log_line_prefix, ``zone`` log_timezone."""

    files: LogFiles
    destination: str
    prefix: str
    zone: tzinfo
    path: str
    timed: bool
    """Whether its lines have a time."""


@dataclass(frozen=True, slots=True)
class Part:
    """The end of the log. ``reached`` is the time of its oldest entry; ``covered``: nothing since then is missing."""

    entries: tuple[Entry, ...]
    covered: bool
    reached: float | None
    size: int


async def locate(connection: Connection) -> ServerLog | str:
    """Find the log of the server behind a session, or say in words why it cannot be read from here.

    Raises what the driver raises when the server is gone.
    """
    row = await connection.fetchrow(load("server_log", OLDEST))
    written = [word.strip() for word in row["destination"].split(",")]
    formats = [name for name in PREFERRED if name in written]
    if not formats:
        return f"the server writes its log to {row['destination']}, which cannot be read from here"
    place = await connection.fetchrow(load("data_directory", OLDEST))
    where = await _locality(place)
    tried = []
    for name in formats:
        found = await _files(connection, row, name, where, place["data_directory"])
        if isinstance(found, str):
            tried.append(found)
            continue
        current = await found.current()
        if current is None:
            tried.append("its file is not there")
            continue
        timed = name != "stderr" or any(mark in row["prefix"] for mark in ("%m", "%t", "%n"))
        return ServerLog(found, name, row["prefix"], zone_of(row["zone"]), current.path, timed)
    return "; ".join(dict.fromkeys(tried))


async def _locality(place: Any) -> Locality:
    if place["data_directory"] is None:
        return Locality(False, "no privilege to see where the data lies (grant pg_read_all_settings)")
    directory = Path(place["data_directory"])
    return await asyncio.to_thread(locality, directory, place["backend"], place["client_port"], place["started"])


async def _files(
    connection: Connection, row: Any, destination: str, where: Locality, directory: str | None
) -> LogFiles | str:
    """The way to the files of one format, or why there is none."""
    if row["collector"] != "on":
        if destination != "stderr" or not where.local:
            return "the server has no logging_collector: its log goes wherever its standard error goes"
        return await asyncio.to_thread(_standard_error, connection.get_server_pid())
    named = await _named(connection, destination) if row["may_name"] else ""
    why = where.why
    if where.local:
        local = await asyncio.to_thread(_local, Path(directory or ""), destination, named)
        if not isinstance(local, str):
            return local
        why = local
    if not row["may_name"]:
        return f"{why}, and the role may not ask where the log is (pg_monitor may from 17 on)"
    if not row["may_read"]:
        return f"{why}, and {_GRANT}"
    if not named:
        return "the server says that it writes no such file"
    remote = RemoteFiles(connection, destination, named, bool(row["may_list"]))
    try:
        await remote.read(named, 0, 1)
    except _REFUSALS:
        return f"{why}, and the role may read no file outside of the data directory (grant pg_read_server_files)"
    return remote


async def _named(connection: Connection, destination: str) -> str:
    return await connection.fetchval(load("current_log", OLDEST), destination) or ""


def _standard_error(backend: int) -> LogFiles | str:
    """Where the server's own standard error goes: pg_ctl -l makes it a file."""
    try:
        target = Path(os.readlink(f"/proc/{psutil.Process(backend).ppid()}/fd/2"))
    except (OSError, psutil.Error):
        return "the server has no logging_collector, and where its standard error goes cannot be seen by this account"
    if not target.is_file() or not os.access(target, os.R_OK):
        return f"the server has no logging_collector; its standard error goes to {target}, which cannot be read"
    return LocalFiles(target)


def _local(data: Path, destination: str, named: str) -> LogFiles | str:
    if not named:
        try:
            lines = (data / "current_logfiles").read_text("utf-8", "replace").splitlines()
        except OSError as error:
            return f"{data / 'current_logfiles'}: {error.strerror}"
        named = dict(line.split(" ", 1) for line in lines if " " in line).get(destination, "")
    path = data / named
    if not named or not path.is_file() or not os.access(path, os.R_OK):
        return f"{path} cannot be read by this account"
    return LocalFiles(path, data, destination)


class LocalFiles:
    """Files of this host. ``data`` is the data directory, whose ``current_logfiles`` tells of a rotation."""

    local = True
    limit = LOCAL_LIMIT

    def __init__(self, path: Path, data: Path | None = None, destination: str = "stderr") -> None:
        self._path = path
        self._data = data
        self._destination = destination

    async def current(self) -> LogFile | None:
        """The file that is written to now."""
        return await asyncio.to_thread(self._current)

    async def older(self, than: LogFile) -> Sequence[LogFile]:
        """Files of the same kind in the same folder."""
        return await asyncio.to_thread(self._older, than)

    async def read(self, path: str, offset: int, length: int) -> bytes:
        """A piece of a file."""
        return await asyncio.to_thread(self._read, path, offset, length)

    def _current(self) -> LogFile | None:
        if self._data is not None:
            found = _local(self._data, self._destination, "")
            if isinstance(found, LocalFiles):
                self._path = found._path
        return _seen(self._path)

    def _older(self, than: LogFile) -> list[LogFile]:
        path = Path(than.path)
        if self._data is None:
            return []
        names = [one for one in path.parent.glob("*") if _alike(one.name, self._destination) and one != path]
        found = [seen for one in names if (seen := _seen(one)) is not None]
        return sorted((one for one in found if one.modified <= than.modified), key=lambda one: -one.modified)

    def _read(self, path: str, offset: int, length: int) -> bytes:
        try:
            with open(path, "rb") as stream:
                stream.seek(offset)
                return stream.read(length)
        except OSError:
            return b""


def _alike(name: str, destination: str) -> bool:
    if destination == "stderr":
        return not name.endswith((".csv", ".json"))
    return name.endswith(_SUFFIXES[destination])


def _seen(path: Path) -> LogFile | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return LogFile(str(path), found.st_size, found.st_mtime) if path.is_file() else None


class RemoteFiles:
    """Files of the server's host, read through a session."""

    local = False
    limit = REMOTE_LIMIT

    def __init__(self, connection: Connection, destination: str, named: str, listed: bool) -> None:
        self._connection = connection
        self._listed = listed
        self._destination = destination
        self._named = named

    async def current(self) -> LogFile | None:
        """The file that is written to now."""
        self._named = await _named(self._connection, self._destination) or self._named
        size = await self._connection.fetchval(load("log_size", OLDEST), self._named)
        return None if size is None else LogFile(self._named, size, float("inf"))

    async def older(self, than: LogFile) -> Sequence[LogFile]:
        """Files of the same kind in the log directory, where the role may list it."""
        if not self._listed:
            return []
        folder, _, name = than.path.rpartition("/")
        rows = await self._connection.fetch(load("log_files", OLDEST))
        return [
            LogFile(f"{folder}/{row['name']}" if folder else row["name"], row["size"], row["modified"])
            for row in rows
            if _alike(row["name"], self._destination) and row["name"] != name
        ]

    async def read(self, path: str, offset: int, length: int) -> bytes:
        """A piece of a file."""
        return await self._connection.fetchval(load("log_piece", OLDEST), path, offset, length) or b""


async def read_since(log: ServerLog, since: float) -> Part:
    """The entries of the end of the log, back to Unix time ``since`` or to the limit of what is read."""
    current = await log.files.current()
    if current is None:
        return Part((), False, None, 0)
    found: list[Entry] = []
    size, reached, covered = 0, None, False
    for file in (current, *await log.files.older(current)):
        if file is not current and file.modified + _GRAIN < since:
            covered = True
            break
        data, whole, earliest = await _backwards(log, file, since, log.files.limit - size)
        size += len(data)
        part = entries(data.decode("utf-8", "replace"), log.destination, log.prefix, log.zone)
        found = [*part, *found]
        reached = earliest if earliest is not None else reached
        covered = earliest is not None and earliest < since
        if covered or not whole:
            break
    return Part(tuple(found), covered and log.timed, reached, size)


async def _backwards(log: ServerLog, file: LogFile, since: float, budget: int) -> tuple[bytes, bool, float | None]:
    """The end of one file back to ``since``, whether that is all of it, and the time of its first entry."""
    position, data, piece = file.size, b"", _FIRST_PIECE
    earliest: float | None = None
    while position > 0 and len(data) < budget:
        length = min(piece, position, budget - len(data))
        data = await log.files.read(file.path, position - length, length) + data
        position -= length
        piece = min(piece * 2, _LONGEST_PIECE)
        earliest = _earliest(log, data[:_PEEK]) or earliest
        if earliest is not None and earliest < since:
            break
    return data, position == 0, earliest


def _earliest(log: ServerLog, data: bytes) -> float | None:
    part = entries(data.decode("utf-8", "replace"), log.destination, log.prefix, log.zone)
    return next((one.at for one in part if one.at is not None), None)
