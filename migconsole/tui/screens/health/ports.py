"""What the health screen can do besides looking; without a part its key says why it does nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from migconsole.domain.readings import Alarm
from migconsole.domain.thresholds import THRESHOLDS, Phase, Thresholds
from migconsole.engine.comparing import Past
from migconsole.engine.ports import HealthSource, Output
from migconsole.engine.session import Session

Signal = Callable[[int, str, bool], Awaitable[object]]
"""``signal(pid, backend_start, terminate)``: cancels what a session runs, or ends it, if the pid is still that session.
Its result says in words what became of it ("signalled", "nothing was signalled: …"); raises MigconsoleError."""


def _before() -> Phase:
    return Phase.BEFORE


def _nothing() -> None:
    """Nothing was opened."""


@dataclass(frozen=True, slots=True)
class HealthPorts:
    """``acknowledge`` puts on record that a person has seen an alarm. ``log`` gives the server's log as lines, or why
    it cannot be read from here. ``retry`` asks the watcher to try again what was refused. ``phase`` decides the limits.
    ``past`` is what the run compares with; ``baseline`` takes a snapshot for it now and says what was kept.
    """

    title: str = ""
    signal: Signal | None = None
    acknowledge: Callable[[Alarm], Awaitable[None]] | None = None
    log: Callable[[], Output | str] | None = None
    retry: Callable[[], None] | None = None
    phase: Callable[[], Phase] = _before
    thresholds: Thresholds = THRESHOLDS
    past: Past | None = None
    baseline: Callable[[], Awaitable[str]] | None = None


class Keeper(Protocol):
    """Looks after the watcher of a run for as long as a console is open."""

    problem: str
    """Why there is no watcher, "" while there is one or it is being started."""

    def start(self) -> None:
        """Start one when none lives, now and whenever it died."""

    async def close(self) -> None:
        """Stop looking after it."""


@dataclass(frozen=True, slots=True)
class HealthAccess:
    """What a health screen is opened with. Without a ``keeper`` this console only reads what somebody else samples.

    ``close`` lets go of what was opened for it, once the run is left.
    """

    source: HealthSource
    ports: HealthPorts = HealthPorts()
    keeper: Keeper | None = None
    close: Callable[[], None] = _nothing


HealthOpening = Callable[[Session | None], HealthAccess | None]
"""Gives the health of a run (of the watched target, without one); None where nothing samples it."""
