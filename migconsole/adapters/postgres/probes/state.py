"""What both sessions share: what is watched, names of numbers, what shapes remember, and what the monitoring costs."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from migconsole.adapters.postgres.probes.masking import Masking
from migconsole.domain.target import Target

COST_WINDOW = 60.0
"""Seconds over which the monitor's own cost is told, from the first second on: opening the sessions and looking at
everything once is what a minute begins with, not what every second of it costs."""

NAME_PAUSE = 30.0
"""Seconds before a number without a name is looked up again: it may be of an object that is not committed yet."""

MOST_UNKNOWN = 500


@dataclass(frozen=True, slots=True)
class Watched:
    """What the run is about to change, and who does it.

    ``tables`` are "schema.table" (no schema: the target's). ``app_names`` and ``pids`` are the migration's sessions,
    ``dumps`` application names of our own backups. ``running`` says that a step which changes things runs now, so that
    the migration's session must be there. ``lock_timeout`` is the migration's, in seconds, when it is known.
    ``replacing`` is the run's rollback by which another database comes under the name.
    """

    tables: tuple[str, ...] = ()
    app_names: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()
    dumps: tuple[str, ...] = ()
    running: bool = False
    lock_timeout: float | None = None
    replacing: str = ""


@dataclass(frozen=True, slots=True)
class Cost:
    """What the monitor took of late: ``share`` of wall time, its sessions, and how many of them wait for a lock."""

    share: float
    connections: int
    waiting: int
    queries_per_second: float


class Names:
    """Names of numbers, kept by the client so that the pulse needs no catalogue. Unknown ones are noted for later."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._relations: dict[int, str] = {}
        self._others: dict[tuple[str, int], str] = {}
        self._asked: dict[int, float] = {}
        self._unknown: set[int] = set()
        self.strangers = False
        """Whether a role or database was met that has no name yet."""

    def relation(self, oid: int | None) -> str | None:
        """A relation's name as it is written in SQL, ``oid 16400`` until it is known."""
        if not oid:
            return None
        known = self._relations.get(oid)
        if known is None and len(self._unknown) < MOST_UNKNOWN and self._asked.get(oid, 0.0) <= self._clock():
            self._unknown.add(oid)
        return known or f"oid {oid}"

    def knows(self, oid: int) -> bool:
        """Whether a relation has a name."""
        return oid in self._relations

    def other(self, kind: str, oid: int | None) -> str | None:
        """The name of a role or database."""
        if not oid:
            return None
        known = self._others.get((kind, oid))
        if known is None:
            self.strangers = True
        return known or f"oid {oid}"

    def wanted(self) -> list[int]:
        """Relations to look up now; they are not wanted again before a pause."""
        found, self._unknown = sorted(self._unknown), set()
        due = self._clock() + NAME_PAUSE
        self._asked = {oid: at for oid, at in self._asked.items() if at > self._clock()} | dict.fromkeys(found, due)
        return found

    @property
    def wanting(self) -> bool:
        """Whether anything is to be looked up."""
        return bool(self._unknown)

    def learn(self, names: Iterable[tuple[int, str]]) -> None:
        """Remember names of relations."""
        self._relations.update(names)

    def learn_others(self, names: Iterable[tuple[str, int, str]]) -> None:
        """Remember names of roles and databases."""
        self._others = {(kind, oid): name for kind, oid, name in names}
        self.strangers = False

    def forget(self) -> None:
        """Another database stands under the target's name: numbers of relations mean something else now."""
        self._relations.clear()
        self._asked.clear()
        self._unknown.clear()


class CostMeter:
    """Adds up how long queries took."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spent: deque[tuple[float, float]] = deque()

    def add(self, milliseconds: float) -> None:
        """One query took this long."""
        self._spent.append((self._clock(), milliseconds))
        self._trim()

    def _trim(self) -> None:
        while self._spent and self._spent[0][0] < self._clock() - COST_WINDOW:
            self._spent.popleft()

    @property
    def share(self) -> float:
        """Share of wall time, 0 to 1."""
        self._trim()
        return sum(spent for _, spent in self._spent) / 1000 / COST_WINDOW

    @property
    def rate(self) -> float:
        """Queries per second."""
        self._trim()
        return len(self._spent) / COST_WINDOW


@dataclass(slots=True)
class Shared:
    """State of one monitor. ``memory`` is what each shape keeps between its readings, by probe.

    ``sizes`` maps a table's oid to its estimated bytes (heap, and all that a rewrite writes). ``watched_oids`` are the
    watched tables with their partitions; ``own`` our sessions' pids by purpose.
    """

    target: Target
    run: str
    clock: Callable[[], float]
    watched: Watched
    names: Names
    masking: Masking
    cost: CostMeter = field(default_factory=CostMeter)
    memory: dict[str, dict[str, Any]] = field(default_factory=dict)
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    watched_oids: frozenset[int] = frozenset()
    own: dict[str, int] = field(default_factory=dict)
    database_oid: int | None = None
    local: bool = False
