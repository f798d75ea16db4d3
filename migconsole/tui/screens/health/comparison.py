"""What changed since the baseline: the load first, then the statements, and what cannot be compared."""

from __future__ import annotations

import math
from typing import Any

from migconsole.domain.readings import Level
from migconsole.domain.regression import Alone, Change, Comparison, Unknown, compare
from migconsole.domain.windows import together
from migconsole.engine import comparing
from migconsole.tui import format
from migconsole.tui.screens.health import queries
from migconsole.tui.screens.health.sheets import LEVEL_STYLES, Look, key_of
from migconsole.tui.widgets.health_sheet import Column as C
from migconsole.tui.widgets.health_sheet import Row, Sheet, Source

PROBES = ("pgss_delta", "pgss_health")
_SOURCES = (Source("pgss_delta", "M"), Source("pgss_health", "M"))

WINDOWS = (0.0, *comparing.WINDOWS)
"""The windows that can be chosen, by their ends; 0 is everything since the migration."""

_STATEMENTS = (
    C("verdict", "verdict", "text", "", 9, 15),
    C("text", "statement", "text", "", 9, 24, 6),
    C("ratio", "times", "text", "", 8, 8),
    C("before", "before", "ms", "", 7),
    C("after", "after", "ms", "", 7),
    C("impact", "of the time", "share", "", 6),
    C("calls", "calls", "count", "", 4),
    C("z", "z", "text", "", 2, 6),
    C("why", "clue", "text", "", 5, 20, 4),
)
_METRICS = (
    C("title", "for each transaction", "text", "", 9, 28, 2),
    C("before", "before", "text", "", 8, 10),
    C("after", "after", "text", "", 8, 10),
    C("ratio", "times", "text", "", 7, 7),
    C("says", "", "text", "", 5, 20, 3),
)


def compared(look: Look) -> Comparison | str:
    """The chosen window after the migration against the baseline, or why there is no comparison."""
    if look.past is None:
        return "no baseline yet: a baseline belongs to a run"
    before = comparing.baseline(look.past)
    if isinstance(before, str):
        return before
    after = comparing.scheduled(look.past, look.compared, look.now) if look.compared else comparing.since(look.past)
    return after if isinstance(after, str) else compare(before, after)


def name(length: float) -> str:
    """A choice of window in words."""
    return comparing.name(length) if length else "since the migration"


def choices(look: Look) -> str:
    """The windows that can be chosen, the chosen one in brackets, and those that are not there yet."""
    if look.past is None:
        return ""
    resumed = look.past.moments().resumed
    there: list[str] = []
    later: list[str] = []
    for length in WINDOWS:
        short = comparing.name(length).removeprefix("T+") if length else "since"
        begun = resumed is not None and look.now > resumed + (comparing.start_of(length) if length else 0)
        (there if begun else later).append(f"[{short}]" if length == look.compared else short)
    return f"+ −: {' '.join(there)}" + (f" · not yet: {' '.join(later)}" if later else "")


def load(look: Look) -> Sheet:
    """Traffic and what a transaction costs, before and after."""
    found = compared(look)
    readings = look.read(*PROBES)
    notes = tuple(filter(None, (choices(look),)))
    if isinstance(found, str):
        title = f"Load, {name(look.compared)}"
        return Sheet(title, _METRICS, (), (), readings, empty=found, notes=notes, phase=look.phase)
    rows = []
    for metric in found.metrics:
        values = {
            "title": metric.title,
            "before": _figure(metric.before, metric.unit),
            "after": _figure(metric.after, metric.unit),
            "ratio": "" if metric.ratio is None else f"{metric.ratio:.2f}×",
            "says": metric.muted or ("look at this" if metric.level is Level.WARN else ""),
        }
        rows.append(Row(metric.name, values, "$muted" if metric.muted else LEVEL_STYLES[metric.level]))
    title = f"Load, {name(look.compared)}: {format.duration(found.after.seconds)}"
    return Sheet(title, _METRICS, tuple(rows), _SOURCES, readings, phase=look.phase, notes=(*notes, *found.notes[:3]))


def statements(look: Look) -> Sheet:
    """Regressed first, then new, improved, vanished, and what cannot be compared with its reason."""
    found = compared(look)
    readings = look.read(*PROBES)
    if isinstance(found, str):
        return Sheet("Statements", _STATEMENTS, (), (), readings, empty=found, phase=look.phase)
    rows = [_change(one, str(one.level), LEVEL_STYLES[one.level]) for one in found.regressed]
    rows += [_alone(one, "new") for one in found.new]
    rows += [_change(one, "improved", "$accent") for one in found.improved]
    rows += [_alone(one, "vanished") for one in found.vanished]
    rows += [_unknown(one) for one in found.unknown]
    counts = (
        f"{len(found.regressed)} slower, {len(found.improved)} faster, {len(found.steady)} as before,"
        f" {len(found.new)} new, {len(found.vanished)} vanished, {len(found.unknown)} cannot be compared"
    )
    notes: tuple[str, ...] = (f"VOID: {found.void}",) if found.void else (counts,)
    own = _own(found)
    empty = "no statement changed" if found.judged else "no statement was called often enough on both sides"
    if own and not rows:
        notes = (*notes, empty)
    return Sheet("Statements", _STATEMENTS, (*rows, *own), _SOURCES, readings, None, empty, notes, look.phase)


def _change(one: Change, verdict: str, style: str) -> Row:
    values = {
        "verdict": verdict,
        "text": one.text or f"(text not read; id {one.key[3]})",
        "query": one.text,
        "ratio": "∞" if math.isinf(one.ratio) else f"{one.ratio:.1f}×",
        "before": one.before.mean,
        "after": one.after.mean,
        "impact": one.impact,
        "calls": one.after.calls,
        "z": "∞" if math.isinf(one.z) else f"{one.z:.0f}",
        "why": one.clue,
    }
    extra = (("found again by", "text", one.link), ("calls in the baseline", "count", one.before.calls))
    return Row(_key(one.key), values, "", {"verdict": style, "ratio": style}, extra=extra)


def _alone(one: Alone, verdict: str) -> Row:
    mean = "after" if verdict == "new" else "before"
    values = {
        "verdict": verdict,
        "text": one.text or f"(text not read; id {one.key[3]})",
        "query": one.text,
        mean: one.statement.mean,
        "impact": one.share,
        "calls": one.statement.calls,
    }
    return Row(f"{verdict} {_key(one.key)}", values, "$muted", marks=_without(values))


def _unknown(one: Unknown) -> Row:
    text = one.text or f"(text not read; id {one.key[3]})"
    values: dict[str, Any] = {"verdict": "not comparable", "text": text, "query": one.text, "why": one.reason}
    return Row(f"? {_key(one.key)} {one.reason}", values, "$muted", marks=_without(values))


def _own(found: Comparison) -> tuple[Row, ...]:
    """Our own statements since the migration as one row, in which they are listed: they have no verdict."""
    before, own = found.own
    if not own.statements:
        return ()
    now = together(own.statements)
    texts = found.before.texts() | found.after.texts()
    values: dict[str, Any] = {
        "verdict": "left out",
        "text": queries.own_name(own),
        "query": queries.own_list(own, texts),
        "after": now.mean,
        "impact": own.total / own.whole if own.whole else None,
        "calls": now.calls,
    }
    if before.statements:
        values["before"] = together(before.statements).mean
    return (Row(queries.OWN, values, "$muted", marks=_without(values)),)


def _without(values: dict[str, Any]) -> dict[str, str]:
    return {column.name: "–" for column in _STATEMENTS if column.name not in values}


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "n/a"
    if unit == "bytes":
        return format.size(value)
    return f"{value * 100:.1f} %" if unit == "share" else f"{value:.2f} ms" if unit == "ms" else f"{value:.2f}"


def _key(key: tuple[Any, ...]) -> str:
    return key_of(dict(enumerate(key)), *range(len(key)))  # type: ignore[arg-type]
