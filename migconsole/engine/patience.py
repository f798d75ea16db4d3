"""A bound on the time that a typed regular expression may take: some are exponential, and the screen would hang."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from migconsole.errors import UsageError


class TooSlowError(UsageError):
    """A pattern was given up; what it would have found is not known."""

    def __init__(self) -> None:
        super().__init__(
            "The pattern takes too long on some line",
            "It repeats what can repeat already, or tries many beginnings for each end.",
            "Write it without nested or neighbouring repetition.",
        )


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise TooSlowError where the body takes longer; only in the main thread, elsewhere it takes as long as it takes.

    The alarm reaches into a running match, because the matching engine looks for signals as it goes. A thread would
    not help: matching holds the interpreter's lock. It looks every few thousand steps, and a step may cross all of the
    text: on more than some tens of kilobytes the alarm can be late.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, ring)
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
