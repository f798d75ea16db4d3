"""Health as lines, for where there is no terminal: one for each pulse, and one for each alarm that comes or goes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from migconsole.domain.quantities import format_duration, format_size
from migconsole.domain.readings import Alarm, Level, Quality, Reading
from migconsole.domain.series import SERIES, values
from migconsole.engine.ports import HealthSource
from migconsole.errors import EXIT_FAILED, EXIT_OK, MigconsoleError
from migconsole.wiring.watching import Watching

LOOK = 0.1
_PULSE_OF = "conn_saturation"
_PROBES = tuple(dict.fromkeys(probe for probe, _ in SERIES.values()))


async def follow(
    watching: Watching, say: Callable[[str], None], *, as_json: bool, until: float, stop: asyncio.Event
) -> int:
    """Say every pulse until ``until`` seconds are over or ``stop`` is set; the exit code.

    It is 1 while a critical alarm is open, and where the last pulse did not reach the server: no answer is not health.
    Raises what the watcher ended with.
    """
    lines = Lines(watching.source, as_json=as_json)
    end = time.monotonic() + until
    while not stop.is_set() and time.monotonic() < end:
        for line in lines.new():
            say(line)
        failure = watching.failure()
        if isinstance(failure, MigconsoleError):
            raise failure
        if failure is not None:
            raise RuntimeError("the watcher ended") from failure
        try:
            await asyncio.wait_for(stop.wait(), LOOK)
        except TimeoutError:
            continue
    critical = any(alarm.level is Level.CRITICAL for alarm in watching.source.alarms())
    return EXIT_FAILED if critical or lines.unreached else EXIT_OK


class Lines:
    """What is new since the last look."""

    def __init__(self, source: HealthSource, *, as_json: bool) -> None:
        self._source = source
        self._json = as_json
        self._last = 0.0
        self._problem = ""
        self._alarms: dict[int, Alarm] = {}
        self.unreached = False
        """Whether the last pulse got no answer."""

    def new(self) -> list[str]:
        """Lines to say now: alarms first, then the pulse; why there is none once, when that changes."""
        pulse = self._source.latest(_PULSE_OF)
        seen = None if pulse is None else pulse.at
        fresh = pulse is not None and seen != self._last
        state = self._source.watcher()
        lines = self._changed_alarms()
        if fresh and pulse is not None:
            self._last = pulse.at
            self.unreached = pulse.quality is Quality.FAILED
            lines.append(self._pulse(pulse))
        if state.problem != self._problem and (state.age is not None or fresh):
            self._problem = state.problem
            if state.problem:
                lines.append(self._said({"event": "watcher", "problem": state.problem}, f"watcher: {state.problem}"))
        return lines

    def _pulse(self, pulse: Reading) -> str:
        readings = [reading for probe in _PROBES if (reading := self._source.latest(probe)) is not None]
        found = values(readings)
        if not self._json:
            return _line(pulse, found, self._source)
        state = self._source.watcher()
        unread = {r.probe: _why(r) for r in readings if r.quality is not Quality.OK}
        alarms = [{"id": a.id, "level": str(a.level), "probe": a.probe, "message": a.message} for a in self._open()]
        return json.dumps(
            {
                "event": "pulse",
                "at": _stamp(pulse.at),
                "values": found,
                "unread": unread,
                "alarms": alarms,
                "monitor": {"cost": state.cost, "connections": state.connections, "pid": state.pid},
            }
        )

    def _open(self) -> list[Alarm]:
        return list(self._source.alarms())

    def _changed_alarms(self) -> list[str]:
        now = {alarm.id: alarm for alarm in self._open()}
        raised = [alarm for number, alarm in now.items() if number not in self._alarms]
        cleared = [alarm for number, alarm in self._alarms.items() if number not in now]
        self._alarms = now
        lines = []
        for event, alarms in (("alarm", raised), ("cleared", cleared)):
            for alarm in sorted(alarms, key=lambda a: a.id):
                data = {"event": event, "id": alarm.id, "level": str(alarm.level), "probe": alarm.probe}
                text = f"{event.upper():<8} {alarm.level:<8} {alarm.probe}: {alarm.message}"
                lines.append(self._said(data | {"message": alarm.message, "at": _stamp(alarm.raised)}, text))
        return lines

    def _said(self, data: dict[str, Any], text: str) -> str:
        return json.dumps(data) if self._json else text


def _line(pulse: Reading, found: dict[str, float | None], source: HealthSource) -> str:
    state = source.watcher()
    if pulse.quality is not Quality.OK:
        return f"{_clock(pulse.at)}  {_why(pulse)}"
    row = pulse.rows[0] if pulse.rows else {}
    alarms = len(source.alarms())
    parts = [
        _clock(pulse.at),
        f"conn {_number(row.get('used'))}/{_number(row.get('slots'))}",
        f"active {_number(found.get('active'))}",
        f"blocked {_number(found.get('blocked'))}",
        f"oldest xact {_duration(found.get('oldest_xact'))}",
        f"tps {_number(found.get('tps'))}",
        f"cache {_percent(found.get('cache_hit'))}",
        f"wal {_rate(found.get('wal_rate'))}",
        f"lag {_size(found.get('lag_bytes'))}",
        f"db {_size(found.get('database_size'))}",
        f"mon {_percent(state.cost)}",
    ]
    return "  ".join(parts) + (f"  alarms {alarms}" if alarms else "")


def _why(reading: Reading) -> str:
    return f"{reading.quality.value}: {reading.reason}" if reading.reason else reading.quality.value


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}Z"


def _number(value: Any) -> str:
    return "n/a" if value is None else f"{value:.0f}"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value * 100:.1f} %"


def _size(value: float | None) -> str:
    return "n/a" if value is None else format_size(int(value))


def _rate(value: float | None) -> str:
    return "n/a" if value is None else f"{format_size(int(value))}/s"


def _duration(value: float | None) -> str:
    return "n/a" if value is None else format_duration(value)
