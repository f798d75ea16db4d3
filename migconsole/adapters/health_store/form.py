"""The form of ``health.db``: its tables, how rows of a reading become bytes, and how old samples are thinned."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

FORMAT = 1

SCHEMA = """
CREATE TABLE IF NOT EXISTS names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS readings (
  id INTEGER PRIMARY KEY, probe INTEGER NOT NULL, at REAL NOT NULL, until REAL NOT NULL, took REAL NOT NULL,
  quality TEXT NOT NULL, reason TEXT NOT NULL, pinned INTEGER NOT NULL, size INTEGER NOT NULL, rows BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS readings_order ON readings (probe, at, pinned, size, quality);
CREATE TABLE IF NOT EXISTS series (
  name INTEGER NOT NULL, at REAL NOT NULL, value REAL, PRIMARY KEY (name, at)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarms (
  id INTEGER PRIMARY KEY, probe TEXT NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL, raised REAL NOT NULL,
  cleared REAL NOT NULL, acknowledged TEXT NOT NULL, evidence BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS heartbeat (
  id INTEGER PRIMARY KEY CHECK (id = 1), pid INTEGER NOT NULL, started REAL NOT NULL, boot TEXT NOT NULL,
  host TEXT NOT NULL, beat REAL NOT NULL, wall REAL NOT NULL, cost REAL, connections INTEGER NOT NULL,
  problem TEXT NOT NULL, phase TEXT NOT NULL
) STRICT;
"""
"""A reading that repeats the one before is not stored again: ``until`` says how long it was seen so."""

BUDGET = 52 * 1024 * 1024
"""Bytes: above this the probes that take most are thinned harder, so that a day and its write-ahead log stay under
60 MB on any server."""

FULL = 900.0
"""Seconds for which every reading is kept: what an incident is looked at with."""

LADDER = ((FULL, 60.0), (7200.0, 300.0), (86400.0, 3600.0))
"""From this age in seconds on one reading in so many seconds is kept."""

LONGEST = 8 * 86400.0
"""Seconds after which samples are dropped: a run looks back a week, to the same hour."""

SERIES_FULL = 7200.0
SERIES_BUCKET = 20.0
"""From SERIES_FULL seconds on, of each bucket of so many seconds the lowest and the highest value are kept: spikes are
what charts of the past are looked at for."""

HARDEST = 64


def encode(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as compressed JSON, column by column: equal names and like values beside each other are short.

    >>> decode(encode([{"a": 1, "b": None}, {"a": 2}]))
    ({'a': 1, 'b': None}, {'a': 2, 'b': None})
    """
    rows = list(rows)
    if not rows:
        return b""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [[row.get(name) for row in rows] for name in names]
    text = json.dumps([len(rows), names, columns], separators=(",", ":"), ensure_ascii=False, default=str)
    return zlib.compress(text.encode("utf-8", "replace"), 6)


def decode(data: bytes) -> tuple[Mapping[str, Any], ...]:
    """The rows again. Raises ValueError or zlib.error for bytes that are none."""
    if not data:
        return ()
    count, names, columns = json.loads(zlib.decompress(data))
    if not columns:
        return tuple({} for _ in range(count))
    return tuple(dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def thin(connection: sqlite3.Connection, now: float, harder: dict[int, int], budget: int = BUDGET) -> None:
    """Drop what is too old and thin what is old; where that is not enough, thin the largest probes harder.

    ``harder`` remembers how much harder, by probe. Pinned readings (of gates: baselines) and the newest ones stay.
    """
    _drop_series(connection, now)
    connection.execute("DELETE FROM readings WHERE at < ?", (now - LONGEST,))
    connection.execute("DELETE FROM alarms WHERE cleared > 0 AND cleared < ?", (now - LONGEST,))
    sizes = connection.execute("SELECT probe, sum(size) FROM readings WHERE pinned = 0 GROUP BY probe").fetchall()
    for probe, _ in sizes:
        _thin_probe(connection, now, probe, harder.get(probe, 1))
    while _used(connection) > budget:
        largest = _largest(connection, harder)
        if largest is None:
            break
        harder[largest] = harder.get(largest, 1) * 2
        _thin_probe(connection, now, largest, harder[largest])


def _thin_probe(connection: sqlite3.Connection, now: float, probe: int, factor: int) -> None:
    since = 0.0
    # Harder means coarser and earlier: the last minutes of a large probe may be too much by themselves.
    for age, step in reversed(LADDER):
        until = now - max(age / factor, 60.0)
        connection.execute(
            """
            DELETE FROM readings WHERE id IN (
              SELECT id FROM (
                SELECT id, row_number() OVER (PARTITION BY CAST(at / :step AS INTEGER), quality = 'ok' ORDER BY at) AS n
                FROM readings WHERE probe = :probe AND pinned = 0 AND at >= :since AND at < :until)
              WHERE n > 1)
            AND id NOT IN (SELECT id FROM readings WHERE probe = :probe ORDER BY at DESC LIMIT 2)
            """,
            {"probe": probe, "step": step * factor, "since": since, "until": until},
        )
        since = until


def _largest(connection: sqlite3.Connection, harder: dict[int, int]) -> int | None:
    """The probe with most bytes that can still be thinned harder."""
    sizes = "SELECT probe FROM readings WHERE pinned = 0 GROUP BY probe ORDER BY sum(size) DESC"
    return next((probe for (probe,) in connection.execute(sizes) if harder.get(probe, 1) < HARDEST), None)


def _drop_series(connection: sqlite3.Connection, now: float) -> None:
    connection.execute("DELETE FROM series WHERE at < ?", (now - LONGEST,))
    for (name,) in connection.execute("SELECT id FROM names").fetchall():
        connection.execute(
            """
            DELETE FROM series WHERE name = :name AND at IN (
              SELECT at FROM (
                SELECT at, row_number() OVER low AS low, row_number() OVER high AS high
                FROM series WHERE name = :name AND at < :until
                WINDOW low AS (PARTITION BY CAST(at / :step AS INTEGER), value IS NULL ORDER BY value, at),
                       high AS (PARTITION BY CAST(at / :step AS INTEGER), value IS NULL ORDER BY value DESC, at DESC))
              WHERE low > 1 AND high > 1)
            """,
            {"name": name, "until": now - SERIES_FULL, "step": SERIES_BUCKET},
        )


def _used(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
