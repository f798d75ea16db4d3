"""Alarms from judged readings: raised with the evidence, raised again when it gets worse, cleared when it is over."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from migconsole.domain.readings import Alarm, Level, Reading

EVIDENCE_ROWS = 20
EVIDENCE_TEXT = 300
"""What is kept of the rows that raised an alarm: it goes into the journal, which is never thinned."""

CALM = 2
"""Good readings in a row that clear an alarm: a value that dances on its threshold rings once."""

AGAIN = 300.0
LONGER = 4
MOST = 120
"""One that is back within ``AGAIN`` seconds has to stay away ``LONGER`` times as many readings, at most ``MOST``."""


class Change(StrEnum):
    """What happened to an alarm."""

    RAISED = "raised"
    CLEARED = "cleared"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Changed:
    """An alarm after a change."""

    change: Change
    alarm: Alarm


class AlarmBook:
    """The alarms that are open, one a probe. Give it every judged reading in order; it says what changed.

    A reading that cannot be judged changes nothing: what was wrong is not over because nobody can look.
    """

    def __init__(self, known: Iterable[Alarm] = ()) -> None:
        known = tuple(known)
        self._open = {alarm.probe: alarm for alarm in sorted(known, key=lambda a: a.id) if not alarm.cleared}
        self._last_id = max((alarm.id for alarm in known), default=0)
        self._calm: dict[str, int] = {}
        self._needed: dict[str, int] = {}
        self._left: dict[str, float] = {}

    def open(self) -> tuple[Alarm, ...]:
        """The open alarms, the newest first."""
        return tuple(sorted(self._open.values(), key=lambda alarm: alarm.id, reverse=True))

    def judged(self, reading: Reading, level: Level, message: str) -> list[Changed]:
        """Take one judgement into account. A level that rises or falls closes the alarm and raises the next one."""
        alarm = self._open.get(reading.probe)
        if level is Level.UNKNOWN:
            return []
        if level is Level.GOOD:
            self._calm[reading.probe] = self._calm.get(reading.probe, 0) + 1
            if alarm is None or self._calm[reading.probe] < self._needed.get(reading.probe, CALM):
                return []
            self._left[reading.probe] = reading.at
            return [self._cleared(alarm, reading.at)]
        self._calm[reading.probe] = 0
        if alarm is not None and alarm.level is level:
            return []
        if alarm is None:
            back = reading.at - self._left.get(reading.probe, -math.inf) < AGAIN
            longer = min(MOST, self._needed.get(reading.probe, CALM) * LONGER)
            self._needed[reading.probe] = longer if back else CALM
        changes = [self._cleared(alarm, reading.at)] if alarm is not None else []
        # What got better after a person saw it need not be seen again.
        seen = alarm.acknowledged if alarm is not None and level is Level.WARN else ""
        return [*changes, self._raised(reading, level, message, seen)]

    def acknowledged(self, number: int, person: str) -> list[Changed]:
        """A person has seen it; the first one stays on record."""
        for probe, alarm in self._open.items():
            if alarm.id == number and not alarm.acknowledged:
                self._open[probe] = replace(alarm, acknowledged=person)
                return [Changed(Change.ACKNOWLEDGED, self._open[probe])]
        return []

    def _raised(self, reading: Reading, level: Level, message: str, seen: str) -> Changed:
        # Milliseconds of its raising: the same in the store and in the journal, whichever of them is lost.
        self._last_id = max(self._last_id + 1, int(reading.at * 1000))
        evidence = tuple(_short(row) for row in reading.rows[:EVIDENCE_ROWS])
        alarm = Alarm(self._last_id, reading.probe, level, message, reading.at, acknowledged=seen, evidence=evidence)
        self._open[reading.probe] = alarm
        return Changed(Change.RAISED, alarm)

    def _cleared(self, alarm: Alarm, at: float) -> Changed:
        del self._open[alarm.probe]
        return Changed(Change.CLEARED, replace(alarm, cleared=max(at, alarm.raised + 0.001)))


def _short(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value[:EVIDENCE_TEXT] if isinstance(value, str) else value for name, value in row.items()}
