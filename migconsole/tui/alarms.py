"""Alarms on the screens: which one matters most, who has seen them, and which of them still has to ring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from migconsole.domain.readings import Alarm, Level
from migconsole.domain.run import Run


def ranking(alarms: Sequence[Alarm]) -> list[Alarm]:
    """Open alarms, the one that matters most first: unseen before seen, critical before warning, then the newest."""
    return sorted(
        (alarm for alarm in alarms if not alarm.cleared),
        key=lambda alarm: (bool(alarm.acknowledged), alarm.level is not Level.CRITICAL, -alarm.raised),
    )


def with_seen(alarms: Sequence[Alarm], run: Run | None) -> list[Alarm]:
    """Alarms with who has seen them: the journal knows it before the watcher has written it down."""
    seen = run.alarms if run is not None else {}
    return [
        replace(alarm, acknowledged=seen[alarm.id].acknowledged)
        if alarm.id in seen and seen[alarm.id].acknowledged and not alarm.acknowledged
        else alarm
        for alarm in alarms
    ]


class AlarmBell:
    """Rings once for every alarm, and never for one that somebody has seen."""

    def __init__(self) -> None:
        self._rung: set[int] = set()

    def fresh(self, alarms: Sequence[Alarm]) -> Alarm | None:
        """The alarm to ring for now, the worst of the new ones; None when there is nothing new."""
        new = [alarm for alarm in ranking(alarms) if alarm.id not in self._rung and not alarm.acknowledged]
        self._rung.update(alarm.id for alarm in alarms)
        return new[0] if new else None
