"""The health strip: what the server says right now. Unknown is n/a, old looks old, and its own cost is shown."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from migconsole.domain.health import HealthSample, HealthView
from migconsole.domain.text import sanitise_line
from migconsole.tui import format
from migconsole.tui.format import Clock
from migconsole.tui.lines import Part, part, spread

STALE = 5.0
"""Seconds after which values are drawn as old: two and a half of the pulse's two-second beats."""

DEAD = 12.0
"""Seconds after which the last values are not shown any more; a good old number would look like a good new one."""

LONG_XACT = 60.0
"""Seconds from which the oldest transaction is marked: it holds back vacuum and every lock it took."""

_ROWS_FOR_TWO = 2


class HealthStrip(Widget, can_focus=True):
    """Connections by state, transactions per second, blocked, oldest transaction, cache, size, age, cost."""

    ALLOW_SELECT = False

    def __init__(self, clock: Clock, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
        self._view = HealthView()

    def show(self, view: HealthView) -> None:
        """Draw a view."""
        self._view = view
        self.refresh()

    def tick(self) -> None:
        """Let the age advance."""
        self.refresh()

    def render(self) -> RenderResult:
        """One or two rows, by the room there is."""
        width, height = self.content_size
        sample = self._view.sample
        if sample is None:
            why = sanitise_line(self._view.problem) or "waiting for the first sample"
            return spread([part(" Health", "bold", 9), part(why, "$muted", 5)], [], width)
        age = max(0.0, self._clock.monotonic() - sample.at)
        if age > DEAD or (sample.problem and sample.connections is None):
            why = sanitise_line(self._view.problem or sample.problem)
            lost = [part(" Health", "bold", 9), part(f"no data {format.duration(age)}", "bold $danger", 8)]
            return spread([*lost, part(why, "$caution", 7)], [], width)
        width -= 1
        rows = [self._first(sample, age, width)]
        if height >= _ROWS_FOR_TWO:
            rows.append(self._second(sample, width))
        content = Content("\n").join([Content(" ") + row for row in rows])
        return content.stylize("$stale") if age > STALE else content

    def _line(self, name: str, width: int, low: float = 0.0, top: float | None = None) -> str:
        values = self._view.history.get(name, ())
        if top is None:
            # Room above the highest value: a quiet line stays low, and a rise is seen to rise.
            top = 1.6 * max((value for value in values if value is not None), default=0.0)
        return format.sparkline(values, width, low, top)

    def _first(self, sample: HealthSample, age: float, width: int) -> Content:
        view = self._view
        bars = 12 if width >= 150 else 8 if width >= 110 else 0
        total = sample.server_connections
        limit = f"/{sample.max_connections}" if sample.max_connections is not None else ""
        full = total is not None and sample.max_connections and total >= 0.9 * sample.max_connections
        blocked = (
            ("n/a", "$muted")
            if sample.blocked is None
            else (f"{sample.blocked} ▲", "bold $danger")
            if sample.blocked
            else ("0", "")
        )
        oldest = "bold $caution" if sample.oldest_xact is not None and sample.oldest_xact >= LONG_XACT else ""
        parts = [
            part("Health", "bold", 6),
            self._value(
                "conn", f"{_known(total)}{limit}", "bold $danger" if full else "", self._line("connections", bars), 9
            ),
            self._value("tps", _rate(view.tps), "", self._line("tps", bars), 7),
            self._value("blocked", *blocked, self._line("blocked", bars) if width >= 150 else "", 10),
            self._value("oldest xact", format.duration(sample.oldest_xact), oldest, "", 8),
        ]
        if self.content_size.height < _ROWS_FOR_TWO:
            parts += self._rest(sample, 0)
        return spread(parts, self._age(age), width, gap="   ")

    def _second(self, sample: HealthSample, width: int) -> Content:
        bars = 12 if width >= 150 else 8 if width >= 110 else 0
        states = sample.connections
        counts = sorted((states or {}).items())
        shown = " · ".join(f"{sanitise_line(name, 24)} {count}" for name, count in counts if count) or "nobody"
        cost = "" if self._view.cost is None else f"monitor {self._view.cost:.1%} "
        here = Part((("here ", "$muted"), (format.UNKNOWN if states is None else shown, "")), 5)
        parts = [part("      ", "", 6), here, *self._rest(sample, bars)]
        return spread(parts, [part(cost, "$muted", 3)], width, gap="   ")

    def _rest(self, sample: HealthSample, bars: int) -> list[Part]:
        view = self._view
        hit = format.UNKNOWN if view.cache_hit is None else f"{view.cache_hit:.1%}"
        growth = f" {format.size(view.growth, signed=True)}" if view.growth else ""
        low = "bold $caution" if view.cache_hit is not None and view.cache_hit < 0.9 else ""
        return [
            self._value("cache", hit, low, self._line("cache_hit", bars, 0.8, 1.0) if bars > 8 else "", 6),
            self._value("db", f"{format.size(sample.database_size)}{growth}", "", "", 5),
        ]

    def _value(self, name: str, value: str, style: str, bars: str, weight: int) -> Part:
        texts = [(f"{name} ", "$muted"), (value, style or "bold")]
        if bars.strip():
            texts.append((f" {bars}", "$secondary"))
        return Part(tuple(texts), weight)

    def _age(self, age: float) -> list[Part]:
        if age <= STALE:
            return [part(f"{age:.0f} s ago ", "$muted", 7)]
        return [part(f"{age:.0f} s old ", "bold $caution", 9)]


def _known(value: int | None) -> str:
    return format.UNKNOWN if value is None else str(value)


def _rate(value: float | None) -> str:
    if value is None:
        return format.UNKNOWN
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"
