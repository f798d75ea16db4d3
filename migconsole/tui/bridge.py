"""Between the engine and the widgets: looks at the session at frame rate and posts at most one message of a kind."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import App
from textual.message import Message

from migconsole.engine.session import Session
from migconsole.tui.format import Clock

FRAME = 1 / 20
"""Seconds between looks: faster than that nobody reads, and ssh lines are slow."""


class RunChanged(Message, bubble=False):
    """The run, its verdicts or who drives changed."""


class Tick(Message, bubble=False):
    """Another second has passed: clocks and ages move."""


class Bridge:
    """Feeds every open screen. Widgets never wait for the engine, the engine never knows of widgets."""

    def __init__(self, app: App[int], session: Session, clock: Clock) -> None:
        self._app, self._session, self._clock = app, session, clock
        self._version = -1
        self._second = -1
        self._dirty = True
        self._unsubscribe: Callable[[], None] = session.subscribe(self._mark)
        self._timer = app.set_interval(FRAME, self.look, name="bridge")

    def close(self) -> None:
        """Stop looking."""
        self._unsubscribe()
        self._timer.stop()

    def _mark(self) -> None:
        self._dirty = True

    def look(self) -> None:
        """One frame."""
        messages: list[Callable[[], Message]] = []
        if self._dirty or self._session.version != self._version:
            self._dirty, self._version = False, self._session.version
            messages.append(RunChanged)
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second = second
            messages.append(Tick)
        for screen in self._app.screen_stack if messages else ():
            for make in messages:
                screen.post_message(make())
