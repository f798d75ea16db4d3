"""Reading a journal file: the order of its events, its hash chain, and what damage it shows.

Nothing here writes, and nobody who reads becomes one of the run's consoles.
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from migconsole.adapters import processes
from migconsole.domain.events import GENESIS, Event, chain_hash
from migconsole.domain.seals import SEALING, Seal, broken_seal, seal_of
from migconsole.errors import JournalError, UsageError

COLUMNS = "seq, at, mono, kind, actor, data, previous, hash, key"

STALE_AFTER = 60.0
"""Seconds without a heartbeat after which a lease of a living process may be taken with a reason."""

_HASH = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the chain found. ``first_bad`` is 0 when no event is wrong; ``problem`` says what is."""

    events: int
    head: str
    first_bad: int = 0
    problem: str = ""


def verify(path: Path, expect: str = "", seals: Sequence[Seal] = ()) -> Verification:
    """Recompute the hash chain of a journal on disk, and look for what was sealed: ``expect``, and ``seals``.

    The chain finds edited, removed and re-ordered events. Truncation at the end, and a chain that was computed anew
    after an edit, leave a valid chain: that is what seals are for. ``expect`` is a head hash that was noted elsewhere
    (a report, a notification); its first eight characters will do.
    Raises JournalError when there is no such file, UsageError when ``expect`` is no hash.
    """
    expect = expect.strip().lower()
    if expect and not _HASH.fullmatch(expect):
        raise UsageError(
            "This is no hash", expect[:80], "Give the head hash that was sealed, or its first 8 characters."
        )
    if not path.is_file():
        raise JournalError("This is no run: it has no journal", str(path))
    previous, seq, seen = GENESIS, 0, expect == ""
    hashes: list[str] = []
    known = list(seals)
    connection = _reading(path, 10.0)
    try:
        for row in connection.execute(
            "SELECT seq, at, mono, kind, actor, key, data, previous, hash FROM events ORDER BY seq"
        ):
            number, at, mono, kind, actor, key, data, before, digest = row
            if number != seq + 1:
                return Verification(seq, previous, seq + 1, f"event {seq + 1} is missing")
            if before != previous:
                return Verification(seq, previous, number, f"event {number} does not follow event {seq}")
            if chain_hash(before, number, at, mono, kind, actor, key, data) != digest:
                return Verification(seq, previous, number, f"event {number} was changed after it was written")
            seq, previous = number, digest
            hashes.append(digest)
            seen = seen or digest.startswith(expect)
            known += _sealed(kind, data, at)
    except (sqlite3.Error, AttributeError, TypeError, ValueError) as error:
        return Verification(seq, previous, seq + 1, f"the journal cannot be read after event {seq}: {error}")
    finally:
        connection.close()
    broken = broken_seal(known, hashes)
    if broken is not None:
        return Verification(seq, previous, *broken)
    if not seen:
        return Verification(
            seq, previous, seq + 1, f"no event has the expected hash {expect}: the journal was cut or replaced"
        )
    return Verification(seq, previous)


def _sealed(kind: str, data: str, at: str) -> list[Seal]:
    """The seal in a row's data, if it is of a kind that has one."""
    if kind not in SEALING:
        return []
    content = json.loads(data)
    seal = seal_of(content, kind, at) if isinstance(content, dict) else None
    return [] if seal is None else [seal]


def present(path: Path) -> list[str]:
    """The consoles that have a run open now, by identifier; empty for a journal that cannot be read."""
    try:
        connection = _reading(path, 1.0)
        try:
            rows = connection.execute("SELECT console, host, pid, started, boot, beat FROM presence").fetchall()
        finally:
            connection.close()
    except sqlite3.Error:
        return []
    here = processes.host()
    return [
        console
        for console, host, pid, started, boot, beat in rows
        if (processes.alive(pid, started, boot) if host == here else time.time() - beat < STALE_AFTER)
    ]


def read_events(path: Path, before: int = 0) -> list[Event]:
    """All events of a journal, or those before an event, without becoming one of its consoles. Raises JournalError."""
    if not path.is_file():
        raise JournalError("This is no run: it has no journal", str(path))
    try:
        connection = _reading(path, 10.0)
        try:
            upto = f"WHERE seq < {int(before)}" if before else ""
            rows = connection.execute(f"SELECT {COLUMNS} FROM events {upto} ORDER BY seq")  # noqa: S608 - a number
            return [event_of(row) for row in rows]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise explained(error, path) from error


def _reading(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection that cannot write; whatever characters the path has."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=timeout)


def event_of(row: tuple[object, ...]) -> Event:
    """The event in a row of COLUMNS. Raises JournalError for one that does not hold what it should."""
    seq, at, mono, kind, actor, data, previous, digest, key = row
    try:
        content = json.loads(str(data))
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
        number, moment = int(str(seq)), float(str(mono))
    except ValueError as error:
        raise JournalError(
            f"Event {seq} of the journal is damaged",
            str(error),
            "Keep a copy of the run directory; `migconsole verify` shows how far the journal can be trusted.",
        ) from error
    return Event(number, str(at), moment, str(kind), str(actor), content, str(previous), str(digest), str(key))


def explained(error: sqlite3.Error, path: Path) -> JournalError:
    """What SQLite's complaint means for the operator."""
    text = str(error)
    if "full" in text:
        remedy = "Free space on this file system; the run goes on as soon as the journal can be written."
    elif "locked" in text:
        remedy = "Another process keeps the journal locked for more than ten seconds; end it."
    elif "readonly" in text or "unable to open" in text:
        remedy = "Check the owner and the modes of the run directory (0700, files 0600)."
    elif "malformed" in text or "not a database" in text:
        remedy = "The file is damaged. Keep a copy; `migconsole verify` shows how far it can be read."
    elif "no such table" in text:
        remedy = "The run was never opened: its console ended while it began. Remove the directory, start a new run."
    else:
        remedy = "Nothing that changes anything starts while the journal cannot be written."
    return JournalError(f"The journal cannot be used: {text}", str(path), remedy)
