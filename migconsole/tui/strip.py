"""What the health strip says, made from the watcher's file: values with their age and level, the migration, the alarm.

Pure: readings in, styled texts out. Unknown is n/a, old looks old, and what cannot be believed is not shown as if it
could.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from migconsole.domain.readings import Alarm, Level, Quality, Reading
from migconsole.domain.series import SERIES
from migconsole.domain.text import sanitise_line
from migconsole.engine.ports import WatcherState
from migconsole.tui import format
from migconsole.tui.alarms import ranking
from migconsole.tui.screens.health import overview
from migconsole.tui.screens.health.overview import History, Shown
from migconsole.tui.screens.health.sheets import Look, text_of
from migconsole.tui.widgets import health_values
from migconsole.tui.widgets.health_sheet import patience, quality

Text = tuple[str, str]

WINDOW = 120.0
"""Seconds that a sparkline of the strip shows."""

DEAD = 12.0
"""Seconds after which values that nobody renews are not shown any more: a good old number would look like a good new
one. Where the pulse is slow by intention, three missed beats."""

_PULSE = "conn_saturation"


@dataclass(frozen=True, slots=True)
class Value:
    """A value. ``values`` are those before it, between ``low`` and ``top``; the lowest ``weight`` gives way first."""

    name: str
    value: str
    style: str
    weight: int
    values: Sequence[float | None] = ()
    low: float = 0.0
    top: float | None = None


@dataclass(frozen=True, slots=True)
class Strip:
    """One look. ``lost`` says why there are no values. ``migration`` and ``alarm`` are empty where there is none.

    ``brief`` is the migration where there is only one row, and only while it is in anybody's way. ``sampled`` is
    whether a watcher lives.
    """

    values: tuple[Value, ...] = ()
    lost: tuple[Text, ...] = ()
    migration: tuple[Text, ...] = ()
    brief: tuple[Text, ...] = ()
    alarm: tuple[Text, ...] = ()
    sessions: tuple[Text, ...] = ()
    monitor: tuple[Text, ...] = ()
    age: tuple[Text, ...] = ()
    sampled: bool = False


_LINES = {shown.series: shown for shown in overview.SHOWN}
_SHOWN = (
    ("connections_share", "conn", 9),
    ("tps", "tps", 7),
    ("blocked", "blocked", 10),
    ("oldest_xact", "oldest xact", 8),
    ("lag_bytes", "lag", 4),
    ("cache_hit", "cache", 6),
    ("database_size", "db", 5),
    ("wal_rate", "wal", 3),
)
"""Series, its name here, and its weight."""


def strip(look: Look, history: History, state: WatcherState, alarms: Sequence[Alarm], problem: str = "") -> Strip:
    """Everything the strip says now. ``problem`` is why this console could not start a watcher, "" when it could."""
    pulse = look.source.latest(_PULSE)
    alarm = _alarm(alarms, look.now)
    monitor = _monitor(state)
    if lost := _lost(look, pulse, state, problem):
        return Strip(lost=lost, alarm=alarm, monitor=monitor, sampled=state.alive)
    assert pulse is not None
    said, migration = alarm or _trouble(state, problem) or _unread(look), _migration(look)
    return Strip(
        tuple(value for series, name, weight in _SHOWN if (value := _value(look, history, series, name, weight))),
        migration=migration,
        brief=migration[1:3] if _in_the_way(look) else (),
        alarm=said,
        sessions=_sessions(pulse),
        monitor=monitor,
        age=_age(look, pulse),
        sampled=state.alive,
    )


def _lost(look: Look, pulse: Reading | None, state: WatcherState, problem: str) -> tuple[Text, ...]:
    """Why nothing is shown: nobody samples, or nothing that was read can still be believed."""
    if pulse is None:
        if not state.alive and problem:
            return (("no watcher  ", "bold $danger"), (sanitise_line(problem, 300), "$caution"))
        return (("waiting for the watcher’s first sample", "$muted"),)
    age = max(0.0, look.now - pulse.at)
    if age <= max(DEAD, 3 * patience("P", look.phase) if state.alive else 0.0):
        if pulse.rows or pulse.quality is Quality.OK:
            return ()
        why = quality(pulse)
    elif not state.alive:
        why = problem or state.problem
    else:
        why = quality(pulse) if pulse.quality is not Quality.OK else state.problem or "the watcher reads nothing"
    return ((f"no data {format.duration(age)}  ", "bold $danger"), (sanitise_line(why, 300), "$caution"))


def _value(look: Look, history: History, series: str, name: str, weight: int) -> Value | None:
    shown = _LINES[series]
    reading = look.source.latest(SERIES[series][0])
    if series == "lag_bytes" and (reading is None or (reading.quality is Quality.OK and not reading.rows)):
        return None
    made = overview.chart(look, shown, history.values(series, look.now, look.window))
    values = tuple(value for _, value in made.values)
    top = made.top
    if top is None:
        # Room above the highest value: a quiet line stays low, and a rise is seen to rise.
        top = 1.6 * max((value for value in values if value is not None), default=0.0)
    style = made.style
    if series == "blocked" and made.value not in ("0", format.UNKNOWN):
        style = "bold $danger"
    said = _written(shown, made.value, reading) + _old(look, shown, reading)
    return Value(name, said, style, weight, values, shown.low, top)


def _written(shown: Shown, value: str, reading: Reading | None) -> str:
    """A value as the strip has room for it: slots as a fraction, growth beside the size."""
    if value == format.UNKNOWN or reading is None or not reading.rows:
        return value
    if shown.series == "blocked":
        return value if value == "0" else f"{value} ▲"
    row = reading.rows[0]
    if shown.series == "connections_share":
        return value.replace(" of ", "/")
    if shown.series == "database_size" and (growth := row.get("growth")):
        return f"{value} {format.size(growth, signed=True)}"
    return value.removesuffix("/s") if shown.series == "tps" else value


def _old(look: Look, shown: Shown, reading: Reading | None) -> str:
    """How old a value is that should have been read again, and why it was not."""
    if reading is None or not reading.rows:
        return ""
    age = look.now - reading.at
    why = "" if reading.quality is Quality.OK else f", {reading.quality}"
    return f" ({health_values.age(age)} old{why})" if why or age > patience(shown.tier, look.phase) else ""


def _migration(look: Look) -> tuple[Text, ...]:
    """``Migration backend 4711: waits for 1, holds up 3, oldest victim 6.2 s``; nothing while no step runs.

    Of several backends it speaks about the one that matters most.
    """
    reading = look.source.latest("migration_session")
    if reading is None or not reading.rows:
        return ()
    row = overview.foremost(reading.rows)
    age, _, good = overview.state_of(look, reading, "P")
    old = () if good else ((f"  {age}", "$caution"),)
    if not row.get("found"):
        gone = row.get("gone_s")
        if gone is None:
            return ()
        text = f"its session has been gone from the server for {format.duration(gone)}"
        return (("Migration: ", "$muted"), (text, "bold $caution" if good else "$stale"), *old)
    others = f" (1 of {len(reading.rows)})" if len(reading.rows) > 1 else ""
    texts: list[Text] = [
        ("Migration backend ", "$muted"),
        (f"{row.get('pid')}{others}: ", "bold" if good else "$stale"),
        (text_of(row, "summary") or "in nobody’s way", overview.victims_style(look, row) if good else "$stale"),
    ]
    return (*texts, *old)


def _in_the_way(look: Look) -> bool:
    reading = look.source.latest("migration_session")
    return reading is not None and any(row.get("waits_for") or row.get("holds_up") for row in reading.rows)


def _alarm(alarms: Sequence[Alarm], now: float) -> tuple[Text, ...]:
    """The worst alarm that nobody has seen, else the worst one, and how many more there are."""
    ranked = ranking(alarms)
    if not ranked:
        return ()
    top = ranked[0]
    critical, seen = top.level is Level.CRITICAL, bool(top.acknowledged)
    style = "$danger" if critical else "$caution"
    texts = [
        ("■ " if critical else "▲ ", style if seen else f"bold {style}"),
        (sanitise_line(top.message, 200), style if seen else f"bold {style}"),
        (f"  open {format.duration(now - top.raised)}", "$muted"),
    ]
    if len(ranked) > 1:
        texts.append((f"  +{len(ranked) - 1}", "$muted"))
    return tuple(texts)


def _trouble(state: WatcherState, problem: str) -> tuple[Text, ...]:
    why = (state.problem or problem) if not state.alive else state.problem
    return ((sanitise_line(why, 300), "$caution"),) if why else ()


def _unread(look: Look) -> tuple[Text, ...]:
    """Why some value of the strip is n/a: the first reason, and how many values there are without one."""
    readings = {SERIES[series][0]: look.source.latest(SERIES[series][0]) for series, _, _ in _SHOWN}
    unread = [one for one in readings.values() if one is not None and one.quality is not Quality.OK and not one.rows]
    if not unread:
        return ()
    many = f" ({len(unread)} readings)" if len(unread) > 1 else ""
    return ((f"n/a: {sanitise_line(quality(unread[0]), 120)}{many}", "$caution"),)


def _sessions(pulse: Reading) -> tuple[Text, ...]:
    """Sessions by what they do; only said while nothing worse is."""
    row = pulse.rows[0] if pulse.rows else {}
    names = (("active", "active"), ("idle", "idle"), ("idle in transaction", "idle_in_xact"), ("other", "other"))
    counts = [f"{name} {row[column]}" for name, column in names if row.get(column)]
    return (("sessions ", "$muted"), (" · ".join(counts), "")) if counts else ()


def _monitor(state: WatcherState) -> tuple[Text, ...]:
    if not state.alive:
        return (("■ no watcher", "bold $danger"),)
    cost = format.UNKNOWN if state.cost is None else health_values.short(state.cost, "share")
    return ((f"mon {cost}", "$caution" if state.problem else "$muted"),)


def _age(look: Look, pulse: Reading) -> tuple[Text, ...]:
    age, style, good = overview.state_of(look, pulse, "P")
    return ((age, style if good else "bold $caution"),)
