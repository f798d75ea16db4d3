"""Writing ``health.db``: the watcher's part. SQLite's write-ahead log, one transaction a tick, no waiting for the disk.

Samples are worth less than the journal: after a power cut the last seconds may be missing, and a damaged file is put
aside and begun anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from migconsole.adapters import processes
from migconsole.adapters.health_store import form
from migconsole.adapters.health_store.reader import alarm_of
from migconsole.adapters.journal.sqlite import monotonic, refuse_network_file_system
from migconsole.domain.readings import Alarm, Reading
from migconsole.errors import MigconsoleError

T = TypeVar("T")

REPEAT = 120.0
"""Longest pause in seconds over which a repeated reading is taken to have held all the while."""

SHORTEST_SECRET = 4


class HealthWriter:
    """The one writer of a ``health.db``; every call runs on a thread of its own. ``redact`` masks secrets by value.

    Calls raise MigconsoleError when the file cannot be written; the next call tries again.
    """

    def __init__(
        self,
        path: Path,
        *,
        redact: Callable[[str], str] = str,
        clock: Callable[[], float] = time.time,
        budget: int = form.BUDGET,
    ) -> None:
        self.path = path
        self._redact = redact
        self._clock = clock
        self._budget = budget
        self._thread = ThreadPoolExecutor(1, "health-store")
        self._connection: sqlite3.Connection | None = None
        self._names: dict[str, int] = {}
        self._last: dict[str, tuple[int, float, tuple[str, str, bytes]]] = {}
        self._harder: dict[int, int] = {}

    async def open(self) -> None:
        """Open or make the file (0600); one that is damaged is put aside. Every series begins with a gap."""

        def opening() -> None:
            refuse_network_file_system(self.path.parent)
            try:
                self._connect()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                self._put_aside()
                self._connect()
            with self._transaction() as db:
                db.execute("INSERT OR IGNORE INTO series SELECT DISTINCT name, ?, NULL FROM series", (self._clock(),))

        await self._do(opening)

    async def write(
        self, readings: Iterable[Reading], series: Mapping[str, float | None], *, pinned: bool = False
    ) -> None:
        """Store readings and the series' values of one tick. ``pinned`` ones are never thinned: gates, baselines."""

        def writing() -> None:
            with self._transaction() as db:
                for reading in readings:
                    self._store(db, reading, pinned)
                at = self._clock()
                values = [(self._name(db, name), at, value) for name, value in series.items()]
                db.executemany("INSERT OR REPLACE INTO series (name, at, value) VALUES (?,?,?)", values)

        await self._do(writing)

    async def gap(self, names: Iterable[str]) -> None:
        """Mark that nothing is known of these series now."""
        await self.write((), dict.fromkeys(names))

    async def beat(self, *, cost: float | None, connections: int, problem: str, phase: str) -> None:
        """The sign of life, by the clock that counts since the host booted: setting the wall clock fools nobody."""
        pid = os.getpid()
        row = (pid, processes.start_time(pid) or 0.0, processes.boot_id(), processes.host(), monotonic())

        def beating() -> None:
            with self._transaction() as db:
                db.execute(
                    "INSERT OR REPLACE INTO heartbeat VALUES (1,?,?,?,?,?,?,?,?,?,?)",
                    (*row, self._clock(), cost, connections, problem, phase),
                )

        await self._do(beating)

    async def alarms(self) -> list[Alarm]:
        """All alarms kept, the newest first."""

        def reading() -> list[Alarm]:
            return [alarm_of(row) for row in self._db.execute("SELECT * FROM alarms ORDER BY id DESC")]

        return await self._do(reading)

    async def keep_alarm(self, alarm: Alarm) -> None:
        """Store an alarm, or what changed of it."""
        evidence = form.encode(self._masked(alarm.evidence))

        def keeping() -> None:
            with self._transaction() as db:
                db.execute(
                    "INSERT INTO alarms VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET "
                    "cleared = excluded.cleared, acknowledged = excluded.acknowledged",
                    (
                        alarm.id,
                        alarm.probe,
                        str(alarm.level),
                        self._redact(alarm.message),
                        alarm.raised,
                        alarm.cleared,
                        alarm.acknowledged,
                        evidence,
                    ),
                )

        await self._do(keeping)

    async def thin(self) -> None:
        """Apply the retention and give room back to the file system."""

        def thinning() -> None:
            with self._transaction() as db:
                form.thin(db, self._clock(), self._harder, self._budget)
            self._db.execute("PRAGMA incremental_vacuum").fetchall()

        await self._do(thinning)

    async def close(self) -> None:
        """Close the file; what was written stays readable."""

        def closing() -> None:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

        with contextlib.suppress(MigconsoleError):
            await self._do(closing)
        self._thread.shutdown(wait=False)

    async def _do(self, function: Callable[[], T]) -> T:
        running = asyncio.get_running_loop().run_in_executor(self._thread, function)
        try:
            return await asyncio.shield(running)
        except (sqlite3.Error, OSError) as error:
            raise MigconsoleError(
                "The health samples cannot be written", f"{self.path}: {error}", "Make room, or mend the permissions."
            ) from error

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.ProgrammingError("it is closed")
        return self._connection

    def _connect(self) -> None:
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self.path, timeout=5.0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise OSError(f"the file system offers no write-ahead log, but “{mode}”")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA journal_size_limit = 4194304")
            connection.execute("PRAGMA trusted_schema = OFF")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, form.FORMAT):
                raise sqlite3.DatabaseError(f"it is of format {version}")
            connection.executescript(form.SCHEMA)
            connection.execute(f"PRAGMA user_version = {form.FORMAT}")
            self._names = {name: number for number, name in connection.execute("SELECT id, name FROM names")}
        except BaseException:
            connection.close()
            raise
        self._connection, self._last = connection, {}

    def _put_aside(self) -> None:
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        self.path.replace(self.path.with_name(self.path.name + ".damaged"))

    @contextlib.contextmanager
    def _transaction(self) -> Any:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            # Names and repeats remembered from a transaction that is taken back would point at nothing.
            if db.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
            self._last = {}
            self._names = {name: number for number, name in db.execute("SELECT id, name FROM names")}
            raise

    def _store(self, db: sqlite3.Connection, reading: Reading, pinned: bool) -> None:
        rows, reason = form.encode(self._masked(reading.rows)), self._redact(reading.reason)
        content = (str(reading.quality), reason, rows)
        last = self._last.get(reading.probe)
        if last is not None and not pinned:
            number, until, before = last
            if before == content and until <= reading.at <= until + REPEAT:
                db.execute("UPDATE readings SET until = ?, took = ? WHERE id = ?", (reading.at, reading.took, number))
                self._last[reading.probe] = (number, reading.at, content)
                return
        size = len(rows) + len(reason) + 60
        cursor = db.execute(
            "INSERT INTO readings (probe, at, until, took, quality, reason, pinned, size, rows)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            (
                self._name(db, reading.probe),
                reading.at,
                reading.at,
                reading.took,
                content[0],
                reason,
                int(pinned),
                size,
                rows,
            ),
        )
        self._last[reading.probe] = (int(cursor.lastrowid or 0), reading.at, content)

    def _name(self, db: sqlite3.Connection, name: str) -> int:
        if name not in self._names:
            self._names[name] = int(db.execute("INSERT INTO names (name) VALUES (?)", (name,)).lastrowid or 0)
        return self._names[name]

    def _masked(self, rows: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
        """The rows without secrets. Nearly always there is none, which one look at all texts together tells."""
        rows = tuple(rows)
        joined = "\0".join(value for row in rows for value in row.values() if isinstance(value, str))
        if not joined or self._redact(joined) == joined:
            return rows
        return tuple({name: self._mask(value) for name, value in row.items()} for row in rows)

    def _mask(self, value: Any) -> Any:
        return self._redact(value) if isinstance(value, str) and len(value) >= SHORTEST_SECRET else value
