"""Journal events in words, for the timeline and the resume screen."""

from __future__ import annotations

from typing import Any

from migconsole.domain.checklist import Checklist
from migconsole.domain.events import Event, Kind
from migconsole.domain.text import sanitise_line
from migconsole.tui import conduct_words, format
from migconsole.tui.item_text import OUTCOMES

MARKS = {
    "passed": ("✔", "$status-verified"),
    "failed": ("✘", "$status-failed"),
    "asks": ("□", "$status-todo"),
    "interrupted": ("?", "$status-interrupted"),
}
_MOVES = {
    "attest": ("●", "$status-attested", "attested"),
    "accept": ("▲", "$status-ok-with-issues", "accepted with issues"),
    "skip": ("–", "$status-skipped", "skipped"),
    "exclude": ("∅", "$status-not-applicable", "not applicable"),
    "force": ("»", "$status-forced", "forced"),
    "defer": ("◷", "$status-deferred", "deferred"),
    "reopen": ("□", "$status-todo", "reopened"),
    "regress": ("▼", "$status-regressed", "regressed"),
    "recover": ("✔", "$status-verified", "holds again"),
}


def titles(checklist: Checklist) -> dict[str, str]:
    """Item titles by id, safe to draw."""
    walks = (checklist.walk(), checklist.walk_rollback())
    return {located.item.id: sanitise_line(located.item.title) for walk in walks for located in walk}


def describe(event: Event, names: dict[str, str]) -> tuple[str, str, str]:
    """Glyph, style and words for one event; an unknown kind is shown by its name."""
    data = event.data
    item = names.get(str(data.get("item", "")), sanitise_line(str(data.get("item", ""))))
    mark, style, words = _described(event, data, item)
    return mark, style, sanitise_line(words, 500)


def _described(event: Event, data: Any, item: str) -> tuple[str, str, str]:
    kind = event.kind
    if kind == Kind.ATTEMPT_STARTED:
        return "◐", "$status-running", f"{item}: attempt {data.get('attempt')} started"
    if kind == Kind.ATTEMPT_ENDED:
        outcome = str(data.get("outcome"))
        mark, style = MARKS.get(outcome, ("·", ""))
        took = f" · {format.took(data['duration'])}" if data.get("duration") is not None else ""
        reasons = "; ".join(str(reason) for reason in data.get("reasons", ()))
        return mark, style, f"{item}: {OUTCOMES.get(outcome, outcome)}{took}{f' · {reasons}' if reasons else ''}"
    if kind == Kind.ATTEMPT_SIGNALLED:
        return "■", "$caution", f"{item}: {data.get('rung')} sent"
    if kind == Kind.ATTEMPT_ADOPTED:
        return "↻", "$status-running", f"{item}: attempt {data.get('attempt')} found running and followed again"
    if kind == Kind.ITEM_MOVED:
        mark, style, word = _MOVES.get(str(data.get("move")), ("·", "", str(data.get("move"))))
        said = " · ".join(str(data[key]) for key in ("value", "note", "reason", "due") if data.get(key))
        return mark, style, f"{item}: {word}{f' · {said}' if said else ''}"
    if kind == Kind.ITEM_SENSED:
        return _sensed(data, item)
    if kind == Kind.NOTE:
        return "✎", "$accent", f"{f'{item}: ' if item else ''}{data.get('text', '')}"
    return conduct_words.describe(event, item) or _plain(event, data)


def _plain(event: Event, data: Any) -> tuple[str, str, str]:
    words = {
        Kind.RUN_OPENED: ("▶", "$good", f"run opened: {data.get('title', '')}"),
        Kind.TARGET_PINNED: ("◎", "", f"target pinned: {_target(data)}"),
        Kind.TARGET_CHANGED: ("▲", "$danger", "target changed: " + "; ".join(map(str, data.get("differences", ())))),
        Kind.CONSOLE_ATTACHED: ("→", "$muted", f"console attached {data.get('console', '')}"),
        Kind.CONSOLE_DETACHED: ("←", "$muted", f"console left {data.get('console', '')}"),
        Kind.LEASE_TAKEN: ("⚑", "$muted", f"drives now{_because(data)}"),
        Kind.LEASE_RELEASED: ("⚐", "$muted", "handed over"),
        Kind.VARIABLE_SET: ("=", "", f"{data.get('name', '')} = {data.get('value', '')}"),
        Kind.HOLD: ("‖", "$caution", f"on hold ({data.get('owner', '')}): {data.get('reason', '')}"),
        Kind.RELEASE: ("▶", "$good", "released"),
        Kind.ALARM: _alarm(data),
        Kind.ALARM_ACKNOWLEDGED: ("✓", "$muted", f"alarm seen {data.get('note', '')}".strip()),
        Kind.RESTORE_POINT: _restore_point(data),
        Kind.REVIEW_OUTDATED: (
            "▼",
            "$danger",
            f"{data.get('item', '')}: {'; '.join(map(str, data.get('reasons', ())))}",
        ),
        Kind.REVIEWED: ("◇", "$muted", f"{len(data.get('files', ()))} migration files shown for review and pinned"),
        Kind.SEALED: ("⊙", "$muted", f"sealed in a {data.get('what', 'report')}: {data.get('head')} events"),
        Kind.SIGNED: _signed(data),
        Kind.NOTIFYING: ("✉", "", f"{data.get('occasion', '')} to {data.get('to', '')}: {_first(data.get('text'))}"),
        Kind.NOTIFIED: _notified(data),
        Kind.RUN_ENDED: ("■", "$good", f"run ended: {data.get('ending', '')}"),
        Kind.ROLLBACK_STARTED: ("↩", "$caution", f"{data.get('title') or data.get('deed', '')}{_because(data)}"),
        Kind.ROLLBACK_STEP: _rollback_step(data),
        Kind.ROLLBACK_VERIFIED: _rollback_verified(data),
        Kind.ROLLBACK_ENDED: ("↩", "$caution", f"{data.get('deed', '')}: {data.get('verdict', '')}{_why(data)}"),
    }
    return words.get(Kind(event.kind), ("·", "", event.kind)) if event.kind in set(Kind) else ("·", "", event.kind)


def _sensed(data: Any, item: str) -> tuple[str, str, str]:
    verdict = str(data.get("verdict"))
    mark, style = {"passed": MARKS["passed"], "failed": ("▼", "$status-regressed")}.get(verdict, ("?", "$muted"))
    words = {"passed": "seen to hold", "failed": "seen not to hold", "unknown": "cannot be seen"}.get(verdict, verdict)
    look = f" at {data['look']}" if data.get("look") else ""
    reasons = "; ".join(str(reason) for reason in data.get("reasons", ()))
    return mark, style, f"{item}: {words}{look}{f' · {reasons}' if reasons else ''}"


def _alarm(data: Any) -> tuple[str, str, str]:
    if data.get("change") == "cleared":
        return "▽", "$muted", f"alarm over: {data.get('probe', '')}"
    style = "$danger" if data.get("level") == "critical" else "$caution"
    return "▲", style, f"{data.get('level', '')}: {data.get('message') or data.get('probe', '')}"


def _outdated(data: Any) -> str:
    return f"{data.get('item', '')}: {'; '.join(map(str, data.get('reasons', ())))}"


def _restore_point(data: Any) -> tuple[str, str, str]:
    state = str(data.get("state", ""))
    style = {"armed": "$good", "proven": "$good", "used": "$caution"}.get(state, "$muted")
    why = f": {data['why']}" if data.get("why") else ""
    return "◆", style, f"restore point {state}: backup {data.get('backup', '')}{why}"


def _rollback_step(data: Any) -> tuple[str, str, str]:
    marks = {"began": "◐", "done": "✔", "failed": "✘", "unknown": "?", "undone": "↶"}
    style = "$danger" if data.get("course") in ("failed", "unknown") else "$muted"
    course = str(data.get("course", ""))
    return marks.get(course, "·"), style, f"{data.get('title', '')}: {course}{_why(data)}"


def _rollback_verified(data: Any) -> tuple[str, str, str]:
    well = data.get("proof") == "verified"
    return "✔" if well else "?", "$good" if well else "$caution", f"read back: {data.get('line', '')}"


def _why(data: Any) -> str:
    return f" · {data['why']}" if data.get("why") else ""


def _because(data: Any) -> str:
    return f": {data['reason']}" if data.get("reason") else ""


def _target(data: Any) -> str:
    identity = data.get("identity") or {}
    return f"{identity.get('database')}@{identity.get('host')}:{identity.get('port')}"


def _signed(data: Any) -> tuple[str, str, str]:
    who = f"{data.get('name', '')} as {data.get('role', '')}"
    if data.get("signature"):
        return "●", "$status-attested", f"signed: {who}: {data['signature']}"
    return "✘", "$status-failed", f"refused to sign: {who}: {data.get('reason', '')}"


def _notified(data: Any) -> tuple[str, str, str]:
    result = str(data.get("result", ""))
    detail = f" ({data['detail']})" if data.get("detail") else ""
    style = "$good" if result == "delivered" else "$caution"
    return "✉", style, f"notification {result}{detail}"


def _first(text: Any) -> str:
    return str(text or "").partition("\n")[0]
