"""The overview: every value that is kept over time, with its limits, its age, and the steps of the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from migconsole.domain.readings import Level, Quality, Reading
from migconsole.domain.run import Run
from migconsole.domain.series import SERIES
from migconsole.domain.text import sanitise_line
from migconsole.engine.ports import HealthSource
from migconsole.tui import format
from migconsole.tui.screens.health.sheets import LEVEL_STYLES, Look, text_of
from migconsole.tui.widgets import health_values
from migconsole.tui.widgets.health_charts import Chart, Marker, Values
from migconsole.tui.widgets.health_lines import Line
from migconsole.tui.widgets.health_sheet import patience, quality


@dataclass(frozen=True, slots=True)
class Shown:
    """A line of the overview: the series, its name, its unit, and where its limits stand in the catalogue.

    ``beside`` are columns of the probe that are written as "first of second".
    """

    series: str
    title: str
    unit: str
    column: str = ""
    tier: str = "P"
    low: float = 0.0
    top: float | None = None
    beside: tuple[str, str] | None = None
    falling: bool = False


SHOWN = (
    Shown("connections_share", "connections", "share", "used_share", top=1.0, beside=("used", "slots")),
    Shown("active", "active", "count"),
    Shown("blocked", "blocked", "count"),
    Shown("oldest_wait", "longest wait", "s", "wait_s"),
    Shown("migration_victims", "migration blocks", "count"),
    Shown("oldest_xact", "oldest xact", "s", "age_s"),
    Shown("idle_in_xact", "idle in xact", "count"),
    Shown("tps", "transactions", "/s", tier="F"),
    Shown("rollback_share", "rolled back", "share", "rollback_share", "F"),
    Shown("cache_hit", "cache hit", "share", "cache_hit", "F", 0.8, 1.0, falling=True),
    Shown("deadlocks", "deadlocks", "/min", "deadlocks_per_min", "F"),
    Shown("temp_rate", "temp files", "bytes/s", tier="F"),
    Shown("wal_rate", "WAL", "bytes/s"),
    Shown("lag_bytes", "standby lag", "bytes", "replay_bytes"),
    Shown("slots_retained", "slots keep", "bytes", "retained", "F"),
    Shown("archive_pending", "to archive", "count", "pending", "F"),
    Shown("database_size", "database", "bytes", tier="F"),
    Shown("cost", "monitor", "share", "busy_share"),
)


_NONE = {"lag_bytes": "no standby", "slots_retained": "no slot"}
"""What it means that a good reading has no rows, where a zero would say something else."""


class History:
    """Series kept in memory, so that every look reads only what is new."""

    def __init__(self, source: HealthSource) -> None:
        self._source = source
        self._kept: dict[str, list[tuple[float, float | None]]] = {}
        self._window = 0.0

    def values(self, name: str, now: float, window: float) -> Values:
        """The values of the last ``window`` seconds and a little before."""
        if window > self._window:
            self._kept.clear()
            self._window = window
        kept = self._kept.get(name, [])
        last = next((at for at, value in reversed(kept) if value is not None), None)
        if last is None or last > now:
            kept = list(self._source.series(name, window * 1.1))
        else:
            # The newest known value is read again: whether a gap follows it is only known from both ends.
            fresh = [pair for pair in self._source.series(name, now - last + 1.0) if pair[0] >= last]
            kept = [pair for pair in kept if now - window * 1.1 <= pair[0] < last] + fresh
        self._kept[name] = kept
        return kept


def charts(look: Look, history: History) -> list[Chart]:
    """A chart for every line."""
    return [chart(look, shown, history.values(shown.series, look.now, look.window)) for shown in SHOWN]


def chart(look: Look, shown: Shown, values: Values) -> Chart:
    """One line: the newest value with its age, quality and level, and the values before it."""
    probe, make = SERIES[shown.series]
    reading = look.source.latest(probe)
    warn, critical = look.thresholds.limits(probe, shown.column, look.phase) if shown.column else (None, None)
    value = make(reading.rows) if reading is not None and reading.rows else None
    if reading is not None and reading.quality is Quality.OK and not reading.rows:
        value = make(())
    state, state_style, good = state_of(look, reading, shown.tier)
    made = Chart(
        shown.title,
        _written(shown, value, reading),
        values,
        state,
        "$muted" if value is None else "$stale" if not good else "",
        state_style,
        _limits(shown, warn, critical),
        shown.low,
        shown.top,
        warn,
        critical,
        shown.falling,
    )
    if value is None or not good:
        return made
    style = made.level(value)
    if style == "$primary":
        return made
    from_level = LEVEL_STYLES[Level.CRITICAL] if style == "$danger" else "bold $caution"
    mark = "▲ " if style == "$caution" else "■ "
    return replace(made, value=mark + made.value, style=from_level)


def _written(shown: Shown, value: float | None, reading: Reading | None) -> str:
    if value is None:
        off = reading is not None and reading.rows and reading.rows[0].get("enabled") is False
        return "off" if off else format.UNKNOWN
    if reading is not None and not reading.rows and shown.series in _NONE:
        return _NONE[shown.series]
    if shown.beside and reading is not None and reading.rows:
        first, second = (reading.rows[0].get(column) for column in shown.beside)
        if first is not None and second is not None:
            return f"{first} of {second}"
    if shown.unit == "count":
        return f"{value:,.0f}"
    return health_values.short(value, shown.unit)


def _limits(shown: Shown, warn: float | None, critical: float | None) -> str:
    texts = [
        f"{glyph} {health_values.short(limit, shown.unit) if shown.unit != 'count' else f'{limit:,.0f}'}"
        for glyph, limit in (("▲", warn), ("■", critical))
        if limit is not None
    ]
    return " ".join(texts)


def state_of(look: Look, reading: Reading | None, tier: str) -> tuple[str, str, bool]:
    """Age and quality in a few words, a style, and whether the value may be drawn as the present one."""
    if reading is None:
        return "not read yet", "$muted", False
    age = look.now - reading.at
    if reading.quality is not Quality.OK:
        words = quality(reading) if not reading.rows else f"{health_values.age(age)} old, {quality(reading)}"
        return words, "$caution", False
    if age > patience(tier, look.phase):
        return f"{health_values.age(age)} old", "$caution", False
    return f"{health_values.age(age)} ago", "$muted", True


def head(look: Look) -> list[Line]:
    """The server and the migration in a sentence each."""
    lines: list[Line] = []
    identity = look.source.latest("server_identity")
    if identity is not None and identity.rows:
        row = identity.rows[0]
        role = "standby" if row.get("in_recovery") else "primary"
        age, style, good = state_of(look, identity, "P")
        texts = [
            (" server     ", "$muted"),
            (f"PostgreSQL {text_of(row, 'version')}, {role}", "" if good else "$stale"),
        ]
        since = health_values.ago(row.get("started_at"), look.now) if row.get("started_at") else "n/a"
        texts.append((f", started {since}", "$muted"))
        if row.get("changed"):
            texts.append((f"  ■ {text_of(row, 'changed')}", "bold $danger"))
        lines.append((*texts, ("  ", ""), (age, style)))
    lines.append(tuple(_migration(look)))
    lines.append(
        ((" window     ", "$muted"), (health_values.age(look.window), ""), ("  + longer, - shorter", "$muted"))
    )
    return lines


def _migration(look: Look) -> list[tuple[str, str]]:
    reading = look.source.latest("migration_session")
    label = (" migration  ", "$muted")
    age, style, good = state_of(look, reading, "P")
    if reading is None or not reading.rows:
        return [label, (age, style)]
    row = foremost(reading.rows)
    if not row.get("found"):
        gone = row.get("gone_s")
        missing = f"■ the running step's session has been gone from the server for {format.duration(gone or 0)}"
        text = "no session of a step" if gone is None else missing
        return [label, (text, "bold $danger" if gone is not None and good else "$muted"), (f"  {age}", style)]
    summary, worse = text_of(row, "summary"), victims_style(look, row)
    others = f"(1 of {len(reading.rows)}) " if len(reading.rows) > 1 else ""
    texts = [label, (f"pid {row.get('pid')} {others}", "bold" if good else "$stale")]
    texts += [(summary or "in nobody’s way", worse if good else "$stale"), (f"  {age}", style)]
    texts.append((f"  {text_of(row, 'state')}", "$muted"))
    if row.get("wait_type"):
        texts.append((f", waits for {text_of(row, 'wait_type')} {text_of(row, 'wait_event')}", "$muted"))
    return texts


def foremost(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of several sessions of the migration the one to speak about: who holds others up, else who waits, else who works.

    >>> rows = [{"pid": 1, "query_s": 9.0}, {"pid": 2, "waits_for": 1}, {"pid": 3, "holds_up": 2}]
    >>> [foremost(rows[:count])["pid"] for count in (1, 2, 3)]
    [1, 2, 3]
    """
    columns = ("holds_up", "oldest_victim_s", "waits_for", "locks_wanted", "locks_held", "query_s")
    return max(rows, key=lambda row: tuple(row.get(column) or 0 for column in columns))


def victims_style(look: Look, row: Mapping[str, Any]) -> str:
    """The style of what is said of the migration's session: by how long its oldest victim waits."""
    held = row.get("oldest_victim_s")
    if held is None or not row.get("holds_up"):
        return "bold $accent"
    warn, critical = look.thresholds.limits("lock_tree", "oldest_victim_s", look.phase)
    if critical is not None and held >= critical:
        return "bold $danger"
    return "bold $caution" if warn is not None and held >= warn else "bold $accent"


def markers(
    run: Run | None, names: Mapping[str, str], start: float, moment: Callable[[str], float | None]
) -> list[Marker]:
    """Starts and ends of attempts since Unix time ``start``, in order."""
    found: list[Marker] = []
    for record_id, record in run.items.items() if run is not None else ():
        name = sanitise_line(names.get(record_id, record_id), 60)
        for attempt in record.attempts:
            again = f", attempt {attempt.number}" if attempt.number > 1 else ""
            at = moment(attempt.started)
            if at is not None and at >= start:
                found.append(Marker(at, "▸", f"{format.clock_time(attempt.started)} {name}{again} started"))
            end = moment(attempt.ended) if attempt.ended else None
            if end is not None and end >= start:
                bad = attempt.outcome in ("failed", "interrupted")
                text = f"{format.clock_time(attempt.ended)} {name}{again} {attempt.outcome}"
                found.append(Marker(end, "◂", text, "$danger" if bad else "$good"))
    return sorted(found, key=lambda marker: marker.at)
