"""Journal events for the timeline and the resume screen: their words, with a glyph and a colour for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from migconsole.domain import event_words
from migconsole.domain.checklist import Checklist
from migconsole.domain.events import Event, Kind
from migconsole.domain.text import sanitise_line

Mark = tuple[str, str]
"""A glyph and a style."""

MARKS: dict[str, Mark] = {
    "passed": ("✔", "$status-verified"),
    "failed": ("✘", "$status-failed"),
    "asks": ("□", "$status-todo"),
    "interrupted": ("?", "$status-interrupted"),
}
_MOVES: dict[str, Mark] = {
    "attest": ("●", "$status-attested"),
    "accept": ("▲", "$status-ok-with-issues"),
    "skip": ("–", "$status-skipped"),
    "exclude": ("∅", "$status-not-applicable"),
    "force": ("»", "$status-forced"),
    "defer": ("◷", "$status-deferred"),
    "reopen": ("□", "$status-todo"),
    "regress": ("▼", "$status-regressed"),
    "recover": ("✔", "$status-verified"),
}
_STEPS = {"began": "◐", "done": "✔", "failed": "✘", "unknown": "?", "undone": "↶"}
_PLAIN: dict[str, Mark] = {
    Kind.RUN_OPENED: ("▶", "$good"),
    Kind.TARGET_PINNED: ("◎", ""),
    Kind.TARGET_CHANGED: ("▲", "$danger"),
    Kind.CONSOLE_ATTACHED: ("→", "$muted"),
    Kind.CONSOLE_DETACHED: ("←", "$muted"),
    Kind.LEASE_TAKEN: ("⚑", "$muted"),
    Kind.LEASE_RELEASED: ("⚐", "$muted"),
    Kind.ATTEMPT_STARTED: ("◐", "$status-running"),
    Kind.ATTEMPT_SIGNALLED: ("■", "$caution"),
    Kind.ATTEMPT_ADOPTED: ("↻", "$status-running"),
    Kind.ITEM_COVERED: ("◆", "$muted"),
    Kind.EXAMINED: ("✚", "$caution"),
    Kind.NOTE: ("✎", "$accent"),
    Kind.VARIABLE_SET: ("=", ""),
    Kind.HOLD: ("‖", "$caution"),
    Kind.RELEASE: ("▶", "$good"),
    Kind.ALARM_ACKNOWLEDGED: ("✓", "$muted"),
    Kind.REVIEW_OUTDATED: ("▼", "$danger"),
    Kind.REVIEWED: ("◇", "$muted"),
    Kind.SEALED: ("⊙", "$muted"),
    Kind.NOTIFYING: ("✉", ""),
    Kind.RUN_ENDED: ("■", "$good"),
    Kind.ROLLBACK_ENGAGED: ("↩", "$danger"),
    Kind.ROLLBACK_STOOD_DOWN: ("↩", "$muted"),
    Kind.ROLLBACK_STARTED: ("↩", "$caution"),
    Kind.ROLLBACK_ENDED: ("↩", "$caution"),
    Kind.CLOCK_SET: ("◔", "$accent"),
    Kind.CLOCK_DECIDED: ("◆", "$accent"),
    Kind.SERVER_CLOCK: ("◔", "$caution"),
    Kind.ESTIMATES_LEARNED: ("~", "$muted"),
    Kind.DRILLED: ("~", "$muted"),
    Kind.GATE_PASSED: ("◇", "$good"),
    Kind.SECTION_CALLED: ("✓", "$good"),
    Kind.ITEM_CLAIMED: ("◉", "$accent"),
    Kind.ITEM_RELEASED: ("○", "$muted"),
    Kind.HANDED_OVER: ("⚐", "$accent"),
    Kind.RUN_COMMITTED: ("◈", "$good"),
    Kind.RUN_CLOSED: ("■", "$muted"),
}


def titles(checklist: Checklist) -> dict[str, str]:
    """Titles of what events are about, safe to draw."""
    return {name: sanitise_line(title) for name, title in event_words.names(checklist).items()}


def describe(event: Event, names: dict[str, str]) -> tuple[str, str, str]:
    """Glyph, style and words for one event; an unknown kind is shown by its name."""
    mark, style = _mark(event.kind, event.data)
    return mark, style, sanitise_line(event_words.words(event, names), 500)


def _mark(kind: str, data: Any) -> Mark:
    if kind in _PLAIN:
        return _PLAIN[kind]
    by_data: Mapping[Kind, Callable[[], Mark | None]] = {
        Kind.ATTEMPT_ENDED: lambda: MARKS.get(str(data.get("outcome"))),
        Kind.ITEM_MOVED: lambda: _MOVES.get(str(data.get("move"))),
        Kind.ITEM_SENSED: lambda: _sensed(str(data.get("verdict"))),
        Kind.ALARM: lambda: _alarm(data),
        Kind.RESTORE_POINT: lambda: _restore_point(str(data.get("state", ""))),
        Kind.ROLLBACK_STEP: lambda: _rollback_step(str(data.get("course", ""))),
        Kind.ROLLBACK_VERIFIED: lambda: ("✔", "$good") if data.get("proof") == "verified" else ("?", "$caution"),
        Kind.CLOCK_CROSSED: lambda: _crossed(str(data.get("change"))),
        Kind.GATE_VOTED: lambda: ("✔", "$good") if data.get("vote") == "go" else ("✘", "$danger"),
        Kind.TRIPWIRE: lambda: ("⚑", _WIRES.get(str(data.get("state", "")), "$good")),
        Kind.SIGNED: lambda: ("●", "$status-attested") if data.get("signature") else ("✘", "$status-failed"),
        Kind.NOTIFIED: lambda: ("✉", "$good" if data.get("result") == "delivered" else "$caution"),
    }
    finder = by_data.get(Kind(kind)) if kind in set(Kind) else None
    return (finder() if finder is not None else None) or ("·", "")


_WIRES = {"tripped": "$danger", "acknowledged": "$caution"}


def _sensed(verdict: str) -> Mark:
    return {"passed": MARKS["passed"], "failed": ("▼", "$status-regressed")}.get(verdict, ("?", "$muted"))


def _alarm(data: Any) -> Mark:
    if data.get("change") == "cleared":
        return "▽", "$muted"
    return "▲", "$danger" if data.get("level") == "critical" else "$caution"


def _restore_point(state: str) -> Mark:
    return "◆", {"armed": "$good", "proven": "$good", "used": "$caution"}.get(state, "$muted")


def _rollback_step(course: str) -> Mark:
    return _STEPS.get(course, "·"), "$danger" if course in ("failed", "unknown") else "$muted"


def _crossed(change: str) -> Mark:
    return {"back": ("◔", "$good"), "near": ("◔", "$caution")}.get(change, ("▲", "$danger"))
