"""When a key may accept a dialog: never by accident, never because a key is still held down."""

from __future__ import annotations

from collections.abc import Callable

DEAD = 0.5
"""Seconds after a dialog opened in which no key accepts it: what was typed was meant for the screen below."""

QUIET = 0.8
"""Seconds of silence needed after an accepting key came too early: longer than the delay before keys repeat."""

BRIEF = 0.15
"""The dead time where the accepting key cannot have opened the question: it only keeps out keys typed ahead."""

TOO_EARLY = "too early, ignored: wait a moment, then press it again"
"""What is said about a key that did not count."""

BURST = 0.12
"""Two presses of one key nearer than this are a key held down; nobody types a deliberate answer twice that fast."""


class Guard:
    """Decides whether a key press is a person's answer. Terminals do not report key repeat, so it is told by timing."""

    def __init__(self, now: Callable[[], float], dead: float = DEAD) -> None:
        self._now, self._dead = now, dead
        self._ready = now() + dead
        self._last: tuple[str, float] = ("", float("-inf"))

    def open(self) -> None:
        """Start the dead time: the dialog is on screen now."""
        self._ready = self._now() + self._dead

    def accepts(self, key: str) -> bool:
        """Whether this press counts."""
        now = self._now()
        before, at = self._last
        self._last = (key, now)
        if now < self._ready:
            self._ready = max(self._ready, now + min(QUIET, 2 * self._dead))
            return False
        if before == key and now - at < BURST:
            self._ready = now + QUIET
            return False
        return True
