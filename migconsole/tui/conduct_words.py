"""The words of the timeline for the clock, gates, tripwires, sections, claims and the states of a run."""

from __future__ import annotations

from typing import Any

from migconsole.domain.events import Event, Kind
from migconsole.tui import format

Words = tuple[str, str, str]


def describe(event: Event, item: str) -> Words | None:
    """Glyph, style and words of an event of these kinds, None for any other. ``item`` is the title it is about."""
    data = event.data
    table = {
        Kind.CLOCK_SET: _clock,
        Kind.CLOCK_CROSSED: _crossed,
        Kind.GATE_VOTED: _voted,
        Kind.TRIPWIRE: _wire,
    }
    if event.kind in table:
        return table[Kind(event.kind)](data)
    words = {
        Kind.CLOCK_DECIDED: ("◆", "$accent", f"decided: {data.get('decision', '')}{_why(data)}"),
        Kind.ESTIMATES_LEARNED: ("~", "$muted", f"{len(data.get('items', ()))} estimates from earlier runs"),
        Kind.DRILLED: ("~", "$muted", f"way back drilled {format.clock_time(str(data.get('at', '')), day=True)} UTC"),
        Kind.GATE_PASSED: ("◇", "$good", f"gate {data.get('gate', '')} passed with “{item}”"),
        Kind.SECTION_CALLED: (
            "✓",
            "$good",
            f"section {data.get('section', '')} called {data.get('end', '')} by {data.get('person', '')}",
        ),
        Kind.ITEM_CLAIMED: ("◉", "$accent", f"{item}: claimed"),
        Kind.ITEM_RELEASED: ("○", "$muted", f"{item}: claim given up{_why(data)}"),
        Kind.HANDED_OVER: ("⚐", "$accent", f"hands over: {data.get('note', '')}"),
        Kind.RUN_COMMITTED: ("◈", "$good", f"plan {str(data.get('plan', ''))[:12]} approved by {data.get('approver')}"),
        Kind.RUN_CLOSED: ("■", "$muted", "the record was closed"),
    }
    return words.get(Kind(event.kind)) if event.kind in set(Kind) else None


def _clock(data: Any) -> Words:
    parts = [
        f"{name} {format.clock_time(str(data[key]), day=True)}"
        for key, name in (("t0", "T-0"), ("window_end", "window until"))
        if data.get(key)
    ]
    return "◔", "$accent", f"clock: {', '.join(parts)} UTC ({data.get('source', '')}){_why(data)}"


def _crossed(data: Any) -> Words:
    what = str(data.get("what", "")).replace("-", " ")
    if data.get("change") == "back":
        return "◔", "$good", f"the {what} lies ahead again"
    return "▲", "$danger", f"the {what} has passed: it was {format.clock_time(str(data.get('limit', '')))} UTC"


def _voted(data: Any) -> Words:
    go = data.get("vote") == "go"
    who = f"{data.get('role', '')} ({data.get('initials', '')})"
    return "✔" if go else "✘", "$good" if go else "$danger", f"{who}: {'GO' if go else 'NO-GO'}{_why(data)}"


def _wire(data: Any) -> Words:
    state = str(data.get("state", ""))
    style = {"tripped": "$danger", "acknowledged": "$caution"}.get(state, "$good")
    by = "" if data.get("by", "person") == "person" else f" by the {data['by']}"
    return "⚑", style, f"tripwire {data.get('tripwire', '')} {state}{by}{_why(data)}"


def _why(data: Any) -> str:
    return f": {data['reason']}" if data.get("reason") else ""
