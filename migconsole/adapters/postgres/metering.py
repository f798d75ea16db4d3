"""What questions cost the server: the time it works for their sessions, without the way there and without waiting.

A client sees how long an answer took. Of that the way to the server and back is no work of the server's, nor is a lock
that was waited for in vain, nor a pause between two questions. The way is what the quickest answer of a session took.
A login is the same work each time, so that it counts as the quickest one of late: the others waited for a processor.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import asyncpg

CONTROL = ("BEGIN", "COMMIT", "ROLLBACK")
"""What begins or ends a transaction costs the server nothing, and takes one trip where other questions take two."""

LOGIN = 3.0
"""Ways of a login: a connection, the start of TLS and TLS itself, the start-up, and two of a password's proof, where
the way is that of a question, which takes two trips: one to prepare and one to ask."""

LOGINS = 30
"""Logins over which the quickest one is known."""

CURSOR = 1.5
"""Ways of a question that is prepared, bound and fetched, one after another."""


@dataclass(slots=True)
class _Session:
    """What one session took: its login, and times in seconds with their ways and how long of it a lock was awaited."""

    login: float
    times: list[tuple[float, float, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Without the way, which is known by the quickest answer."""
        way = min((took / ways for took, ways, waited in self.times if not waited), default=0.0)
        asked = sum(max(0.0, took - way * ways - waited) for took, ways, waited in self.times)
        return asked + max(0.0, self.login - way * LOGIN)


@dataclass(slots=True)
class Spent:
    """What the sessions opened so far, and those that measure themselves, have cost."""

    logins: deque[float]
    sessions: list[_Session] = field(default_factory=list)
    noted: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds for which the server worked."""
        return self.noted + sum(session.seconds for session in self.sessions)


_spending: ContextVar[Spent | None] = ContextVar("spending", default=None)
_times: ContextVar[_Session | None] = ContextVar("times", default=None)


class Metering:
    """Counts for one asker, who asks again and again."""

    def __init__(self) -> None:
        self._logins: deque[float] = deque(maxlen=LOGINS)

    @contextmanager
    def spending(self) -> Iterator[Spent]:
        """Count what is spent by whatever is begun inside."""
        spent = Spent(self._logins)
        token = _spending.set(spent)
        try:
            yield spent
        finally:
            _spending.reset(token)


def note(seconds: float) -> None:
    """Count a question whose cost the asker has measured by itself."""
    spent = _spending.get()
    if spent is not None:
        spent.noted += seconds


def follow(connection: Any, login: float, lock_timeout: float) -> None:
    """Count what a session, just opened in ``login`` seconds, is asked from now on; nothing where nobody counts."""
    spent = _spending.get()
    if spent is None:
        return
    spent.logins.append(login)
    session = _Session(min(spent.logins))
    spent.sessions.append(session)
    _times.set(session)

    def asked(record: Any) -> None:
        if record.query.lstrip().upper().startswith(CONTROL):
            return
        locked = isinstance(record.exception, asyncpg.LockNotAvailableError)
        session.times.append((record.elapsed, 1.0, min(record.elapsed, lock_timeout) if locked else 0.0))

    connection.add_query_logger(asked)


@contextmanager
def by_cursor(lock_timeout: float) -> Iterator[None]:
    """Count a question that is read through a cursor, which the driver does not tell of, on the newest session."""
    session = _times.get()
    began = time.perf_counter()
    locked = False
    try:
        yield
    except asyncpg.LockNotAvailableError:
        locked = True
        raise
    finally:
        took = time.perf_counter() - began
        if session is not None:
            session.times.append((took, CURSOR, min(took, lock_timeout) if locked else 0.0))
