"""The journal in SQLite: write-ahead log, synchronous FULL, one transaction an event.

Every public call runs as one function on one thread of its own, so that a cancelled task can never leave a transaction
half open. The lease lives beside the chain in the same file and is compared inside the appending transaction: two
consoles cannot both decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psutil

from migconsole.adapters import processes
from migconsole.adapters.journal.reading import COLUMNS, STALE_AFTER, event_of, explained
from migconsole.domain.events import GENESIS, Draft, Event, Kind, canonical, chain_hash
from migconsole.engine.ports import Presence
from migconsole.errors import JournalError, StoppedError

T = TypeVar("T")

_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\w*|afs|afpfs|9p|ncpfs|ceph|lustre|gpfs|beegfs|webdav|davfs\d?|vboxsf|prl_fs"
    r"|(fuse\.)?(glusterfs|gluster|sshfs|ceph|s3fs|gcsfuse|rclone|davfs\d?|vmhgfs-fuse)",
    re.IGNORECASE,
)
"""File systems, and folders shared with a virtual machine's host, on which several kernels may meet in one file."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, mono REAL NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL,
  key TEXT NOT NULL, data TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS events_key ON events (key) WHERE key <> '';
CREATE TRIGGER IF NOT EXISTS events_keep BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS events_fixed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TABLE IF NOT EXISTS lease (id INTEGER PRIMARY KEY CHECK (id = 1), console TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS presence (
  console TEXT PRIMARY KEY, actor TEXT NOT NULL, host TEXT NOT NULL, tty TEXT NOT NULL,
  pid INTEGER NOT NULL, started REAL NOT NULL, boot TEXT NOT NULL, beat REAL NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Console:
    """Who is appending: recorded in ``presence`` so that others see whether this console still lives."""

    id: str
    actor: str
    host: str
    tty: str
    pid: int
    started: float
    boot: str

    @classmethod
    def here(cls, actor: str) -> Console:
        """Describe this process."""
        pid = os.getpid()
        return cls(
            processes.new_id(),
            actor,
            processes.host(),
            processes.terminal(),
            pid,
            processes.start_time(pid) or 0.0,
            processes.boot_id(),
        )


class SqliteJournal:
    """The journal of one run. Open it with :meth:`create` or :meth:`open`."""

    def __init__(self, path: Path, console: Console) -> None:
        self.path = path
        self.console = console
        self._thread = ThreadPoolExecutor(1, "journal")
        self._connection: sqlite3.Connection | None = None

    @classmethod
    async def create(cls, path: Path, console: Console) -> SqliteJournal:
        """Make a new journal file (0600). Raises JournalError where it would not be durable."""
        return await cls._opened(path, console, fresh=True)

    @classmethod
    async def open(cls, path: Path, console: Console) -> SqliteJournal:
        """Open an existing journal for reading and appending. Raises JournalError."""
        return await cls._opened(path, console, fresh=False)

    @classmethod
    async def _opened(cls, path: Path, console: Console, *, fresh: bool) -> SqliteJournal:
        journal = cls(path, console)
        try:
            await journal._do(lambda: journal._connect(fresh=fresh))
        except BaseException:
            journal._thread.shutdown(wait=False)
            raise
        return journal

    async def append(self, draft: Draft) -> Event:
        """Append durably; see the port. A fact whose key exists returns the stored event."""
        return await self._do(lambda: self._append(draft))

    async def read(self, after: int = 0) -> list[Event]:
        """Events above ``after``, in order."""

        def read() -> list[Event]:
            rows = self._db.execute(f"SELECT {COLUMNS} FROM events WHERE seq > ? ORDER BY seq", (after,))  # noqa: S608
            return [event_of(row) for row in rows]

        return await self._do(read)

    async def take_lease(self, actor: str, reason: str = "") -> bool:
        """Become the driver if nobody is, its process is gone, or it is silent and a reason is given."""
        return await self._do(lambda: self._take_lease(actor, reason))

    async def holds_lease(self) -> bool:
        """Whether this console drives."""
        return await self._do(lambda: self._lease_holder() == self.console.id)

    async def release_lease(self) -> None:
        """Let go, if held."""

        def release() -> None:
            with _Transaction(self._db):
                if self._lease_holder() == self.console.id:
                    self._insert(Draft(Kind.LEASE_RELEASED, {"console": self.console.id}, self.console.actor))
                    self._db.execute("DELETE FROM lease")

        await self._do(release)

    async def heartbeat(self) -> Sequence[Presence]:
        """Record that this console lives; forget consoles that are gone."""
        return await self._do(self._heartbeat)

    async def close(self) -> None:
        """Remove this console from those present and close the file."""

        def close() -> None:
            if self._connection is not None:
                try:
                    self._connection.execute("DELETE FROM presence WHERE console = ?", (self.console.id,))
                finally:
                    self._connection.close()
                    self._connection = None

        try:
            await self._do(close)
        except JournalError:
            pass
        finally:
            self._thread.shutdown(wait=False)

    async def _do(self, function: Callable[[], T]) -> T:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._thread, function)
        except RuntimeError as error:
            raise JournalError("The journal is closed", str(self.path)) from error
        try:
            return await asyncio.shield(running)
        except sqlite3.Error as error:
            raise explained(error, self.path) from error
        except OSError as error:
            raise JournalError(f"The journal cannot be used: {error.strerror}", str(self.path)) from error

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.ProgrammingError("the journal is closed")
        return self._connection

    def _connect(self, *, fresh: bool) -> None:
        refuse_network_file_system(self.path.parent)
        if fresh:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            _sync_directory(self.path.parent)
        elif not self.path.is_file():
            raise JournalError("This is no run: it has no journal", str(self.path))
        connection = sqlite3.connect(self.path, timeout=10.0, isolation_level=None, check_same_thread=False)
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise JournalError(
                    "The journal cannot be kept here",
                    f"{self.path}: the file system gives SQLite no write-ahead log (it offers “{mode}”).",
                    "Choose a local directory with --state-dir or MIGCONSOLE_STATE_DIR.",
                )
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.executescript(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _append(self, draft: Draft) -> Event:
        with _Transaction(self._db):
            if draft.key:
                row = self._db.execute(f"SELECT {COLUMNS} FROM events WHERE key = ?", (draft.key,)).fetchone()  # noqa: S608
                if row is not None:
                    return event_of(row)
            if draft.decision and self._lease_holder() != self.console.id:
                raise StoppedError(
                    "Another console drives this run",
                    "Decisions are made by the driving console alone.",
                    "Ask it to hand over (H), or take over when it is gone.",
                )
            return self._insert(draft)

    def _insert(self, draft: Draft) -> Event:
        head = self._db.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone() or (0, GENESIS)
        seq, previous = head[0] + 1, head[1]
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        mono = round(monotonic(), 3)
        data, actor = _storable(canonical(draft.data)), _storable(draft.actor)
        digest = chain_hash(previous, seq, at, mono, draft.kind, actor, draft.key, data)
        self._db.execute(
            "INSERT INTO events (seq, at, mono, kind, actor, key, data, previous, hash) VALUES (?,?,?,?,?,?,?,?,?)",
            (seq, at, mono, str(draft.kind), actor, draft.key, data, previous, digest),
        )
        return Event(seq, at, mono, str(draft.kind), actor, json.loads(data), previous, digest, draft.key)

    def _lease_holder(self) -> str:
        row = self._db.execute("SELECT console FROM lease").fetchone()
        return str(row[0]) if row else ""

    def _take_lease(self, actor: str, reason: str) -> bool:
        with _Transaction(self._db):
            holder = self._lease_holder()
            if holder == self.console.id:
                return True
            if holder:
                why = self._stale(holder)
                if why == "":
                    return False
                if why == "silent" and not reason.strip():
                    return False
                reason = reason or why
            self._db.execute("DELETE FROM lease")
            self._db.execute("INSERT INTO lease (id, console) VALUES (1, ?)", (self.console.id,))
            c = self.console
            data = {"console": c.id, "from": holder, "reason": reason, "host": c.host, "tty": c.tty, "pid": c.pid}
            # The actor's name is claimed (--as); these are not.
            data |= {"user": processes.login_name(), "ssh": processes.ssh_origin()}
            self._insert(Draft(Kind.LEASE_TAKEN, data, actor))
            return True

    def _stale(self, holder: str) -> str:
        """Why the holder's lease may be taken: "" (it may not), "silent" (with a reason), or what happened to it."""
        row = self._db.execute(
            "SELECT pid, started, boot, beat, host FROM presence WHERE console = ?", (holder,)
        ).fetchone()
        if row is None:
            return "the previous console left without handing over"
        pid, started, boot, beat, host = row
        if host == self.console.host and not processes.alive(pid, started, boot):
            return f"the previous console (pid {pid}) is gone"
        # A beat in the future means that the clock was set back: the holder, if it lives, beats again soon.
        return "silent" if abs(time.time() - beat) > STALE_AFTER else ""

    def _heartbeat(self) -> Sequence[Presence]:
        c = self.console
        with _Transaction(self._db):
            self._db.execute(
                "INSERT INTO presence (console, actor, host, tty, pid, started, boot, beat) VALUES (?,?,?,?,?,?,?,?) "
                "ON CONFLICT (console) DO UPDATE SET beat = excluded.beat",
                (c.id, c.actor, c.host, c.tty, c.pid, c.started, c.boot, time.time()),
            )
            holder = self._lease_holder()
            rows = self._db.execute(
                "SELECT console, actor, host, tty, pid, started, boot, beat FROM presence"
            ).fetchall()
            present = []
            for console, actor, host, tty, pid, started, boot, beat in rows:
                if host == c.host and not processes.alive(pid, started, boot):
                    if console != holder:
                        self._db.execute("DELETE FROM presence WHERE console = ?", (console,))
                    continue
                present.append(Presence(console, actor, host, tty, console == holder, max(0.0, time.time() - beat)))
            return present


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT: the write lock is taken before the head is read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            # Also after a COMMIT that found the disk full: an open transaction would refuse every later one.
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")


def monotonic() -> float:
    """Seconds since the host booted, sleep included where the system can tell: durations over a closed lid are real."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def refuse_network_file_system(directory: Path) -> None:
    """Raise JournalError on a file system where SQLite's write-ahead log is not safe (it needs shared memory)."""
    resolved = str(directory.resolve())
    best = ("", "")
    for part in psutil.disk_partitions(all=True):
        point = part.mountpoint.rstrip("/") or "/"
        inside = resolved == point or resolved.startswith(point if point == "/" else point + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, part.fstype)
    if _NETWORK.fullmatch(best[1]):
        raise JournalError(
            "The state directory is on a network file system",
            f"{directory} is {best[1]}: the journal's write-ahead log is not safe there.",
            "Choose a local directory with --state-dir or MIGCONSOLE_STATE_DIR.",
        )


def _storable(text: str) -> str:
    """The text without half characters, which names of files and users may bring and no database takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
