"""Reading ``health.db``: what consoles do. Quick, never raising, and never in the writer's way."""

from __future__ import annotations

import contextlib
import sqlite3
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from migconsole.adapters import processes
from migconsole.adapters.health_store.form import decode
from migconsole.adapters.journal.sqlite import monotonic
from migconsole.domain.readings import Alarm, Level, Quality, Reading
from migconsole.engine.ports import WatcherState

T = TypeVar("T")

SILENT = 20.0
"""Seconds without a sign of life after which a watcher that still runs counts as stuck; it beats every few seconds."""

GAP = 45.0
"""Seconds between two values of a series over which no line is drawn: more than the longest interval of a pulse or a
fast probe, which a governed server may triple."""

BUSY = 0.05
_FAILURES = (sqlite3.Error, OSError, ValueError, KeyError, TypeError, zlib.error)
_COLUMNS = "id, at, until, took, quality, reason, rows"
_KEEPS = (Quality.STALE, Quality.LOCKED, Quality.FAILED)
"""Qualities of a reading that failed for now: the last good rows go with them, and keep their own time."""


class HealthReader:
    """``engine.ports.HealthSource`` over the watcher's file, which may come, go or be replaced at any time."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._names: dict[str, int] = {}
        self._cache: dict[int, tuple[Any, Reading]] = {}

    def latest(self, probe: str) -> Reading | None:
        """The newest reading; while the probe cannot be read, with the last good rows and the time of those."""
        return self._asked(lambda db: self._reading(db, probe, None), None)

    def before(self, probe: str, at: float) -> Reading | None:
        """The same as it was at Unix time ``at``."""
        return self._asked(lambda db: self._reading(db, probe, at), None)

    def series(self, name: str, seconds: float) -> Sequence[tuple[float, float | None]]:
        """The values of the last ``seconds``, oldest first, with a None in every gap, the one up to now included."""

        def asking(db: sqlite3.Connection) -> list[tuple[float, float | None]]:
            number = self._number(db, name)
            now = self._clock()
            rows = db.execute(
                "SELECT at, value FROM series WHERE name = ? AND at >= ? AND at <= ? ORDER BY at",
                (number, now - seconds, now + 1),
            )
            return _with_gaps(list(rows), now)

        return self._asked(asking, [])

    def alarms(self, *, open_only: bool = True) -> Sequence[Alarm]:
        """Alarms, the newest first."""
        condition = "WHERE cleared = 0" if open_only else ""
        statement = f"SELECT * FROM alarms {condition} ORDER BY id DESC LIMIT 500"  # noqa: S608 - of two constants
        return self._asked(lambda db: [alarm_of(row) for row in db.execute(statement)], [])

    def watcher(self) -> WatcherState:
        """Who samples, and whether it still does: the process lives and gives signs of it."""
        missing = WatcherState(False, None, problem="no watcher has sampled here yet")
        return self._asked(lambda db: _state(db, self._clock()) or missing, missing)

    def phase(self) -> str:
        """The phase by which the watcher samples and judges, "" when it has not said."""
        return self._asked(lambda db: str((db.execute("SELECT phase FROM heartbeat").fetchone() or ("",))[0]), "")

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection, self._file, self._names, self._cache = None, None, {}, {}

    def _asked(self, question: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        try:
            return question(self._opened())
        except _FAILURES:
            self.close()
            return otherwise

    def _opened(self) -> sqlite3.Connection:
        found = self.path.stat()
        file = (found.st_dev, found.st_ino)
        if self._connection is None or file != self._file:
            self.close()
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, timeout=BUSY, check_same_thread=False)
            self._file = file
        return self._connection

    def _number(self, db: sqlite3.Connection, name: str) -> int:
        if name not in self._names:
            self._names = {known: number for number, known in db.execute("SELECT id, name FROM names")}
        return self._names.get(name, -1)

    def _reading(self, db: sqlite3.Connection, probe: str, at: float | None) -> Reading | None:
        number = self._number(db, probe)
        if at is None:
            # By order of writing: after the clock was set back the newest reading has not the latest time.
            row = db.execute(
                f"SELECT {_COLUMNS} FROM readings WHERE id = (SELECT max(id) FROM readings WHERE probe = ?)",  # noqa: S608
                (number,),
            ).fetchone()
        else:
            row = db.execute(
                f"SELECT {_COLUMNS} FROM readings WHERE probe = ? AND at <= ? ORDER BY at DESC, id DESC LIMIT 1",  # noqa: S608
                (number, at),
            ).fetchone()
        if row is None:
            return None
        cached = self._cache.get(number)
        if at is None and cached is not None and cached[0] == row[:4]:
            return cached[1]
        reading = self._with_last_good(db, number, row, _reading_of(probe, row, at))
        if at is None:
            self._cache[number] = (row[:4], reading)
        return reading

    def _with_last_good(self, db: sqlite3.Connection, number: int, row: Any, reading: Reading) -> Reading:
        if reading.rows or reading.quality not in _KEEPS:
            return reading
        good = db.execute(
            f"SELECT {_COLUMNS} FROM readings WHERE probe = ? AND quality = 'ok' AND at <= ?"  # noqa: S608
            " ORDER BY at DESC LIMIT 1",
            (number, row[1]),
        ).fetchone()
        if good is None:
            return reading
        return Reading(reading.probe, float(good[2]), reading.took, reading.quality, decode(good[6]), reading.reason)


def _reading_of(probe: str, row: Any, at: float | None) -> Reading:
    _, _, until, took, quality, reason, rows = row
    moment = until if at is None else min(until, at)
    return Reading(probe, float(moment), float(took), Quality(quality), decode(rows), str(reason))


def alarm_of(row: Any) -> Alarm:
    """The alarm in a row of the table. Raises ValueError or zlib.error for one that is damaged."""
    number, probe, level, message, raised, cleared, acknowledged, evidence = row
    return Alarm(number, probe, Level(level), message, raised, cleared, acknowledged, decode(evidence))


def _with_gaps(values: list[tuple[float, float | None]], now: float) -> list[tuple[float, float | None]]:
    found: list[tuple[float, float | None]] = []
    for at, value in values:
        if found and found[-1][1] is not None and value is not None and at - found[-1][0] > GAP:
            found.append(((at + found[-1][0]) / 2, None))
        found.append((at, value))
    if found and found[-1][1] is not None and now - found[-1][0] > GAP:
        found.append((now, None))
    return found


def _state(db: sqlite3.Connection, now: float) -> WatcherState | None:
    row = db.execute(
        "SELECT pid, started, boot, host, beat, wall, cost, connections, problem FROM heartbeat"
    ).fetchone()
    if row is None:
        return None
    pid, started, boot, host, beat, wall, cost, connections, problem = row
    here = host == processes.host() and boot == processes.boot_id()
    age = max(0.0, monotonic() - beat if here else now - wall)
    runs = processes.alive(pid, started, boot)
    if not runs:
        problem = f"the watcher (pid {pid}) is gone"
    elif age > SILENT:
        problem = f"the watcher (pid {pid}) has been silent for {age:.0f} s"
    return WatcherState(runs and age <= SILENT, age, pid, cost, connections, problem)
