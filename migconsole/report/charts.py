"""The geometry of a report's pictures: numbers and lines only, drawn by the template. No text in here is markup."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from migconsole.domain.quantities import format_size
from migconsole.domain.stamps import iso, plain_duration
from migconsole.engine.report import HealthWindow, Points
from migconsole.engine.report_times import Bar, PhaseBars

WIDTH = 1000.0
"""Units of a picture's width; the page scales them."""

LABELS, FIGURES = 300.0, 130.0
ROW = 18.0
CHART_WIDTH, CHART_HEIGHT = 470.0, 88.0
_UNITS = {
    "database_size": "bytes",
    "wal_rate": "bytes/s",
    "lag_bytes": "bytes",
    "oldest_xact": "s",
    "oldest_wait": "s",
    "cache_hit": "share",
    "disk_used_share": "share",
}
_TITLES = {
    "connections": "connections",
    "blocked": "sessions that wait",
    "tps": "transactions/s",
    "oldest_xact": "oldest transaction",
    "wal_rate": "WAL written",
    "lag_bytes": "replication lag",
    "cache_hit": "cache hits",
    "database_size": "database size",
    "oldest_wait": "longest wait",
    "disk_used_share": "disk used",
}


@dataclass(frozen=True, slots=True)
class Rect:
    """A bar; ``kind`` is a class of the style sheet, out of a closed set."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text at a place; ``end`` anchors it at its end."""

    x: float
    y: float
    text: str
    end: bool = False


@dataclass(frozen=True, slots=True)
class Gantt:
    """Planned against actual, one phase."""

    title: str
    subtitle: str
    height: float
    rects: tuple[Rect, ...]
    labels: tuple[Label, ...]
    ticks: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """One line of health: ``lines`` are point lists of SVG polylines, split at gaps; ``bands`` what ran meanwhile."""

    title: str
    low: str
    high: str
    last: str
    lines: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    bands: tuple[Rect, ...]
    missing: bool


@dataclass(frozen=True, slots=True)
class ChartGroup:
    """The charts of one window."""

    title: str
    when: str
    charts: tuple[Chart, ...]


def gantt(phase: PhaseBars) -> Gantt:
    """Planned times as frames, actual ones as bars, forecasts as outlines, on one axis in UTC.

    A plan that lies far from what happened would leave both too small to see: its frames are then drawn from where the
    phase really began, and the subtitle says how far the plan was away.
    """
    shift = _shift(phase)
    start, end = _bounds(phase, shift)
    scale = (WIDTH - LABELS - FIGURES) / (end - start)
    rects: list[Rect] = []
    labels: list[Label] = []
    for number, bar in enumerate(phase.bars):
        y = number * ROW + 4.0
        labels.append(Label(0.0, y + 10.0, _short(bar.title, 46)))
        rects += _rects(bar, y, lambda at: LABELS + (at - start) * scale, shift)
        labels.append(Label(WIDTH, y + 10.0, _figures(bar), end=True))
    foot = len(phase.bars) * ROW + 16.0
    ticks = tuple(
        Label(LABELS + part * (end - start) * scale, foot, iso(start + part * (end - start))[11:19])
        for part in (0.0, 0.25, 0.5, 0.75)
    )
    height = len(phase.bars) * ROW + 22.0
    return Gantt(phase.title, _times(phase, shift), height, tuple(rects), tuple(labels), ticks)


def _rects(bar: Bar, y: float, place: Callable[[float], float], shift: float) -> Iterator[Rect]:
    planned = bar.planned_start
    if planned is None and bar.planned and bar.began is not None:
        planned = bar.began - shift
    if planned is not None and bar.planned:
        words = f"{bar.title}: planned {plain_duration(bar.planned)} ({bar.source})"
        when = f", {iso(planned)[:19]}" if bar.planned_start is not None else ""
        first = place(planned + shift)
        rect = Rect(
            first, y - 1.0, max(place(planned + shift + bar.planned) - first, 2.0), 13.0, "planned", words + when
        )
        yield rect
    if bar.forecast_end is not None and bar.planned:
        begin = bar.forecast_start if bar.forecast_start is not None else (bar.began or bar.forecast_end)
        words = f"{bar.title}: forecast to end {iso(bar.forecast_end)[:19]}"
        yield Rect(place(begin), y + 3.0, max(place(bar.forecast_end) - place(begin), 2.0), 5.0, "forecast", words)
    for first_at, last_at, what in bar.parts:
        title = f"{bar.title}: {what}, {iso(first_at)[:19]}, {plain_duration(last_at - first_at)}"
        width = max(place(last_at) - place(first_at), 3.0)
        yield Rect(place(first_at), y + 1.0, width, 9.0, _kind(what), title)


def _shift(phase: PhaseBars) -> float:
    """By how many seconds the plan's frames are moved: 0 while both fit on one axis that can be read."""
    if phase.planned_at is None or phase.began is None:
        return 0.0
    planned = (phase.planned_end or phase.planned_at) - phase.planned_at
    actual = (phase.ended or phase.began) - phase.began
    away = phase.began - phase.planned_at
    return away if abs(away) > 2.0 * max(planned, actual, 60.0) else 0.0


def _bounds(phase: PhaseBars, shift: float) -> tuple[float, float]:
    times = [phase.began, phase.ended, phase.forecast_start, phase.forecast_end]
    times += [at + shift for at in (phase.planned_at, phase.planned_end) if at is not None]
    for bar in phase.bars:
        if bar.planned_start is None and bar.planned and bar.began is not None:
            times.append(bar.began + bar.planned)
    known = [at for at in times if at is not None]
    if not known:
        # Nothing has begun and there is no T-0: the plan's durations alone, one after the other.
        return 0.0, max(sum(bar.planned or 0.0 for bar in phase.bars), 1.0)
    return min(known), max(max(known), min(known) + 1.0)


def _figures(bar: Bar) -> str:
    took = sum(last - first for first, last, _ in bar.parts)
    planned = plain_duration(bar.planned) if bar.planned else ""
    if bar.began is None:
        return f"planned {planned}" if planned else bar.state
    words = plain_duration(took) if took else bar.state
    return f"{words} / {planned}" if planned else words


def _times(phase: PhaseBars, shift: float) -> str:
    parts = []
    if phase.planned_at is not None:
        parts.append(f"planned {_minute(phase.planned_at)}")
    if phase.began is not None:
        parts.append(f"began {iso(phase.began)[:19].replace('T', ' ')}")
        if phase.planned_at is not None:
            late = phase.began - phase.planned_at
            parts.append(f"{plain_duration(abs(late))} {'late' if late > 0 else 'early'}")
        if phase.ended is not None and phase.forecast_end is None:
            parts.append(f"took {plain_duration(phase.ended - phase.began)}")
    else:
        parts.append("not begun")
    if phase.forecast_end is not None:
        parts.append(f"forecast to end {_minute(phase.forecast_end)}")
    if shift:
        parts.append("the plan's frames are drawn from where it began")
    return " · ".join(parts)


def _minute(at: float) -> str:
    return iso(at)[:16].replace("T", " ")


def chart_group(window: HealthWindow) -> ChartGroup:
    """The charts of a window; a line without a single value says so instead of being drawn as zero."""
    when = f"{iso(window.start)[:19].replace('T', ' ')} to {iso(window.end)[:19].replace('T', ' ')}"
    return ChartGroup(window.title, when, tuple(_chart(points, window) for points in window.lines))


def _chart(points: Points, window: HealthWindow) -> Chart:
    unit, title = _UNITS.get(points.name, ""), _TITLES.get(points.name, points.name.replace("_", " "))
    span = max(window.end - window.start, 1.0)
    bands = tuple(
        Rect(
            max(0.0, (first - window.start) / span) * CHART_WIDTH,
            0.0,
            max((min(last, window.end) - max(first, window.start)) / span * CHART_WIDTH, 1.5),
            CHART_HEIGHT,
            "band",
            words,
        )
        for first, last, words in window.marks
        if last >= window.start and first <= window.end
    )
    numbers = [value for _, value in points.values if value is not None]
    if not numbers:
        return Chart(title, "", "", "", (), (), bands, True)
    low, high = min(numbers), max(numbers)
    # Counts begin at zero; a size or a share is looked at for its change.
    if unit in ("", "bytes/s", "s"):
        low = min(low, 0.0)
    height = (high - low) or 1.0

    def place(at: float, value: float) -> tuple[float, float]:
        x = (at - window.start) / span * CHART_WIDTH
        return round(x, 1), round(CHART_HEIGHT - 4.0 - (value - low) / height * (CHART_HEIGHT - 8.0), 1)

    lines, dots = [], []
    for run in _runs(points.values):
        placed = [place(at, value) for at, value in run]
        if len(placed) == 1:
            dots.append(placed[0])
        else:
            lines.append(" ".join(f"{x},{y}" for x, y in placed))
    words = (value_words(low, unit), value_words(high, unit), value_words(numbers[-1], unit))
    return Chart(title, *words, tuple(lines), tuple(dots), bands, False)


def _runs(values: Sequence[tuple[float, float | None]]) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for at, value in values:
        if value is not None:
            run.append((at, value))
        elif run:
            yield run
            run = []
    if run:
        yield run


def value_words(value: float, unit: str) -> str:
    """A value with its unit, short.

    >>> value_words(13207024435, "bytes"), value_words(0.992, "share"), value_words(412.0, ""), value_words(41.5, "s")
    ('12.3 GB', '99.2 %', '412', '41.5 s')
    """
    if unit.startswith("bytes"):
        return format_size(value) + unit.removeprefix("bytes")
    if unit == "share":
        return f"{value * 100:.1f} %"
    if unit == "s":
        return plain_duration(value)
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.1f}"


def _kind(what: str) -> str:
    known = {
        "passed": "good",
        "verified": "good",
        "failed": "bad",
        "regressed": "bad",
        "forced": "bad",
        "interrupted": "unknown",
        "asks": "person",
        "attested": "person",
        "running": "unknown",
    }
    return known.get(what, "other")


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
