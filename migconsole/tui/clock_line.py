"""The clock as one row of the header, from the whole sentence to what must never be missing: the last safe abort."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from migconsole.domain.clock import Clock, Level
from migconsole.domain.server_time import SKEW_SHOWN
from migconsole.tui import format
from migconsole.tui.lines import cells_of

Texts = list[tuple[str, str]]
Piece = tuple[tuple[str, str], ...]

STYLES = {Level.NONE: "", Level.GREEN: "bold $good", Level.YELLOW: "bold $caution", Level.RED: "bold reverse $danger"}
BAR = (" │ ", "$line")
_NEAR = timedelta(hours=18)


def clock_line(clock: Clock, width: int, skew: float | None = None) -> Texts:
    """The longest form that fits into ``width`` cells; the zone is named once, at the end."""
    for form in (_full, _short, _narrow, _least):
        texts = _joined([*form(clock), *_skewed(skew, form is _full)])
        if cells_of(texts) <= width:
            return texts
    return _joined(_least(clock))


def ended_line(clock: Clock, ended: datetime) -> Texts:
    """Of a run that has ended: nothing is forecast any more, and nobody backs out.

    >>> from datetime import UTC
    >>> now = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
    >>> clock = Clock(now, now - timedelta(hours=3), now - timedelta(hours=1))
    >>> "".join(text for text, _ in ended_line(clock, now - timedelta(hours=2)))
    ' T-0 09:00 │ ended 10:00 │ the window ended 11:00, 1:00 later UTC'
    """
    pieces: list[Piece] = [
        ((f"T-0 {hour(clock.t0, clock.now)}", "bold"),),
        ((f"ended {hour(ended, clock.now)}", "bold"),),
    ]
    if clock.window_end is not None:
        over = (ended - clock.window_end).total_seconds()
        ends = "ends" if clock.window_end > clock.now else "ended"
        words = f"the window {ends} {hour(clock.window_end, clock.now)}, {span(abs(over))}"
        pieces.append(((f"{words} {'before' if over > 0 else 'later'}", "$caution" if over > 0 else ""),))
    return _joined(pieces)


def t0_text(clock: Clock, *, seconds: bool = True) -> str:
    """How far T-0 lies ahead or back.

    >>> from datetime import UTC
    >>> now = datetime(2026, 1, 1, 0, 43, tzinfo=UTC)
    >>> t0_text(Clock(now, now - timedelta(seconds=760), None)), t0_text(Clock(now, now + timedelta(hours=49), None))
    ('T-0 +00:12:40', 'T-0 -2d 01:00')
    """
    if clock.t0 is None:
        return "T-0 not set"
    distance = (clock.now - clock.t0).total_seconds()
    sign = "-" if distance < 0 else "+"
    if abs(distance) >= 86400:
        return f"T-0 {sign}{format.duration(abs(distance))}"
    return f"T-0 {sign}{format.elapsed(abs(distance))[: None if seconds else 5]}"


def hour(moment: datetime | None, now: datetime) -> str:
    """A time of day; with its day where that is not plain.

    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 25, 23, 0, tzinfo=UTC)
    >>> hour(now + timedelta(hours=3), now), hour(now + timedelta(days=2), now), hour(None, now)
    ('02:00', '27 Nov 23:00', 'not set')
    """
    if moment is None:
        return "not set"
    return f"{moment:%H:%M}" if abs(moment - now) < _NEAR else f"{moment.day} {moment:%b %H:%M}"


def span(seconds: float) -> str:
    """Hours and minutes, for what is counted down.

    >>> span(4620), span(52 * 60), span(200000), span(20)
    ('1:17', '0:52', '2d 07h', '0:00')
    """
    whole = max(0, int(seconds))
    if whole >= 86400:
        return f"{whole // 86400}d {whole % 86400 // 3600:02}h"
    return f"{whole // 3600}:{whole // 60 % 60:02}"


def _full(clock: Clock) -> list[Piece]:
    end = "window not set" if clock.window_end is None else f"window ends {hour(clock.window_end, clock.now)}"
    return [
        ((t0_text(clock), "bold"),),
        ((end, ""), (_left(clock), "$muted")),
        ((f"forecast end {_forecast(clock)}", ""),),
        ((f"back out now → {_back_out(clock)}", ""),),
        _abort(clock, "LAST SAFE ABORT"),
    ]


def _short(clock: Clock) -> list[Piece]:
    end = "no window" if clock.window_end is None else f"ends {hour(clock.window_end, clock.now)}"
    return [
        ((t0_text(clock), "bold"),),
        ((end, ""),),
        ((f"forecast {_forecast(clock)}", ""),),
        ((f"out → {_back_out(clock)}", ""),),
        _abort(clock, "LAST SAFE ABORT"),
    ]


def _narrow(clock: Clock) -> list[Piece]:
    end = "no window" if clock.window_end is None else f"ends {hour(clock.window_end, clock.now)}"
    return [
        ((t0_text(clock, seconds=False), "bold"),),
        ((end, ""),),
        ((f"out → {_back_out(clock)}", ""),),
        _abort(clock, "SAFE ABORT"),
    ]


def _least(clock: Clock) -> list[Piece]:
    return [((t0_text(clock, seconds=False), "bold"),), _abort(clock, "SAFE ABORT")]


def _abort(clock: Clock, name: str) -> Piece:
    limit, slack = clock.last_safe_abort, clock.slack
    if limit is None or slack is None:
        return ((f"{name} not known: no window", "$muted"),)
    style = STYLES[clock.level]
    # What nobody has a time for makes backing out longer, never shorter: the true moment is no later.
    about = "≤" if clock.backout.unknown else ""
    if clock.backout.doubt:
        # A person did something of which nobody knows whether it has to be put back: this is the moment if it has.
        about = "unknown, ≤"
    away = f"in {span(slack)}" if slack > 0 else f"passed {span(-slack)} ago"
    return ((f"{name} {about}{hour(limit, clock.now)} ({away})", style),)


def _left(clock: Clock) -> str:
    left = clock.left
    if left is None:
        return ""
    return f" ({span(left)} left)" if left > 0 else f" (over since {span(-left)})"


def _forecast(clock: Clock) -> str:
    return ("≥" if clock.guessed else "") + hour(clock.forecast_end, clock.now)


def _back_out(clock: Clock) -> str:
    if clock.backout.doubt:
        return "unknown"
    return ("≥" if clock.backout.unknown else "") + hour(clock.backed_out, clock.now)


def _skewed(skew: float | None, long: bool) -> list[Piece]:
    if skew is None or abs(skew) < SKEW_SHOWN:
        return []
    words = f"server {skew:+.0f} s" if long else f"{skew:+.0f} s"
    return [((words, "$caution"),)]


def _joined(pieces: Sequence[Piece]) -> Texts:
    texts: Texts = [(" ", "")]
    for number, piece in enumerate(pieces):
        if number:
            texts.append(BAR)
        texts.extend(piece)
    return [*texts, (" UTC", "$muted")]
