"""What an event of the journal says, in words: the same in the timeline, the resume screen and the report.

Words only, unsanitised: whoever draws them makes them safe first. Every kind has words of its own; one that a later
version wrote is told by its name and its data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from migconsole.domain.checklist import Checklist
from migconsole.domain.deviations import item_titles
from migconsole.domain.events import Event, Kind
from migconsole.domain.stamps import plain_duration
from migconsole.domain.times import instant

Names = Mapping[str, str]
"""Titles by what the journal calls things: items by their identifier, others as "gate:ID", "section:ID", …"""

MOVES = {
    "attest": "attested",
    "accept": "accepted with issues",
    "skip": "skipped",
    "exclude": "not applicable",
    "force": "forced",
    "defer": "deferred",
    "reopen": "reopened",
    "regress": "regressed",
    "recover": "holds again",
}
OUTCOMES = {
    "passed": "verified",
    "failed": "failed",
    "asks": "ended well, awaiting an answer",
    "interrupted": "unknown",
}


def names(checklist: Checklist) -> dict[str, str]:
    """The titles of everything in a checklist that an event may be about."""
    sections = [section for phase in checklist.phases for section in phase.sections]
    named = {f"section:{section.id}": section.title for section in (*sections, *checklist.rollback)}
    return item_titles(checklist) | named


def words(event: Event, known: Names) -> str:
    """One line about an event.

    >>> words(Event(1, "", 0.0, "gate.voted", "ana", {"role": "QA", "initials": "AL", "vote": "go"}, "", ""), {})
    'QA (AL): GO'
    """
    teller = _TELLERS.get(event.kind)
    if teller is not None:
        return teller(event.data, known)
    plain = (str, int, float)
    said = ", ".join(f"{key} {value}" for key, value in sorted(event.data.items()) if isinstance(value, plain))
    return f"{event.kind}{f': {said}' if said else ''}"


def _named(data: Any, known: Names, of: str = "item") -> str:
    name = str(data.get(of, ""))
    return known.get(name if of == "item" else f"{of}:{name}", name)


def _why(data: Any, key: str = "reason") -> str:
    return f": {data[key]}" if data.get(key) else ""


def _dot(data: Any) -> str:
    return f" · {data['why']}" if data.get("why") else ""


def _reasons(data: Any, separator: str = " · ") -> str:
    reasons = "; ".join(str(reason) for reason in data.get("reasons") or ())
    return f"{separator}{reasons}" if reasons else ""


def moment(iso: str, *, day: bool = False) -> str:
    """A recorded time for people, UTC."""
    at = instant(iso)
    return iso[:19] if at is None else at.strftime("%Y-%m-%d %H:%M:%S" if day else "%H:%M:%S")


def _started(data: Any, known: Names) -> str:
    by_hand = " by hand" if data.get("by_hand") else ""
    confirmed = data.get("confirmed")
    why = _why(confirmed) if isinstance(confirmed, Mapping) else ""
    return f"{_named(data, known)}: attempt {data.get('attempt')} started{by_hand}{why}"


def _ended(data: Any, known: Names) -> str:
    outcome = str(data.get("outcome"))
    took = f" · {plain_duration(data['duration'])}" if data.get("duration") is not None else ""
    return f"{_named(data, known)}: {OUTCOMES.get(outcome, outcome)}{took}{_reasons(data)}"


def _moved(data: Any, known: Names) -> str:
    move = str(data.get("move"))
    said = " · ".join(str(data[key]) for key in ("value", "note", "reason", "due") if data.get(key))
    return f"{_named(data, known)}: {MOVES.get(move, move)}{f' · {said}' if said else ''}"


def _sensed(data: Any, known: Names) -> str:
    verdict = str(data.get("verdict"))
    said = {"passed": "seen to hold", "failed": "seen not to hold", "unknown": "cannot be seen"}.get(verdict, verdict)
    look = f" at {data['look']}" if data.get("look") else ""
    return f"{_named(data, known)}: {said}{look}{_reasons(data)}"


def _covered(data: Any, known: Names) -> str:
    said = "done by the rollback" if data.get("used") else "not needed by this way back"
    return f"{_named(data, known)}: {said}{_why(data)}"


def _note(data: Any, known: Names) -> str:
    item = _named(data, known)
    return f"{f'{item}: ' if item else ''}{data.get('text', '')}"


def _pinned(data: Any, known: Names) -> str:
    identity = data.get("identity") or {}
    where = f"{identity.get('database')}@{identity.get('host')}:{identity.get('port')}"
    return f"target pinned: {where}{_why(data)}"


def _held(data: Any, known: Names) -> str:
    until = data.get("until")
    ends = f", expected to end {moment(str(until))} UTC" if until else ""
    return f"on hold ({data.get('owner', '')}{ends}){_why(data)}"


def _alarm(data: Any, known: Names) -> str:
    if data.get("change") == "cleared":
        return f"over: {data.get('message') or data.get('probe', '')}"
    return f"{data.get('level', '')}: {data.get('message') or data.get('probe', '')}"


def _clock(data: Any, known: Names) -> str:
    parts = [
        f"{name} {moment(str(data[key]), day=True)}"
        for key, name in (("t0", "T-0"), ("window_end", "window until"))
        if data.get(key)
    ]
    source = f" ({data['source']})" if data.get("source") else ""
    return f"clock: {', '.join(parts)} UTC{source}{_why(data)}"


def _crossed(data: Any, known: Names) -> str:
    what = str(data.get("what", "")).replace("-", " ")
    if data.get("change") == "back":
        return f"the {what} lies ahead again"
    limit = f"{moment(str(data.get('limit', '')))} UTC"
    return f"the {what} is near: {limit}" if data.get("change") == "near" else f"the {what} has passed: it was {limit}"


def _ahead(skew: object) -> str:
    """How two clocks stand to each other."""
    if not isinstance(skew, int | float):
        return "another"
    if not skew:
        return "this host's again"
    return f"{plain_duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} this host's"


def _voted(data: Any, known: Names) -> str:
    gate = f"{_named(data, known, 'gate')}: " if data.get("gate") else ""
    word = "GO" if data.get("vote") == "go" else "NO-GO"
    return f"{gate}{data.get('role', '')} ({data.get('initials', '')}): {word}{_why(data)}"


def _passed(data: Any, known: Names) -> str:
    item = _named(data, known)
    return f"gate {_named(data, known, 'gate')} passed{f' with “{item}”' if item else ''}"


def _wire(data: Any, known: Names) -> str:
    by = "" if data.get("by", "person") == "person" else f" by the {data['by']}"
    return f"tripwire {_named(data, known, 'tripwire')} {data.get('state', '')}{by}{_why(data)}"


def _called(data: Any, known: Names) -> str:
    section = _named(data, known, "section")
    return f"section {section} called {data.get('end', '')} by {data.get('person', '')}"


def _signed(data: Any, known: Names) -> str:
    who = f"{data.get('name', '')} as {data.get('role', '')}"
    return f"signed: {who}" if data.get("signature") else f"refused to sign: {who}{_why(data)}"


def _notified(data: Any, known: Names) -> str:
    detail = f" ({data['detail']})" if data.get("detail") else ""
    return f"notification {data.get('result', '')}{detail}"


def _notifying(data: Any, known: Names) -> str:
    return f"{data.get('occasion', '')} to {data.get('to', '')}: {str(data.get('text') or '').partition(chr(10))[0]}"


def _run_ended(data: Any, known: Names) -> str:
    person = f" by {data['person']}" if data.get("person") else ""
    return f"run ended: {data.get('ending', '')}{person}{_why(data)}"


def _engaged(data: Any, known: Names) -> str:
    person = f" by {data['by']}" if data.get("by") else ""
    return f"decided to roll back ({data.get('strategy', '')}){person}{_why(data)}"


def _step(data: Any, known: Names) -> str:
    return f"{data.get('title', '')}: {data.get('course', '')}{_dot(data)}"


_TELLERS: Mapping[str, Callable[[Any, Names], str]] = {
    Kind.RUN_OPENED: lambda data, known: f"run opened: {data.get('title', '')}",
    Kind.TARGET_PINNED: _pinned,
    Kind.TARGET_CHANGED: lambda data, known: "target changed: " + "; ".join(map(str, data.get("differences", ()))),
    Kind.CONSOLE_ATTACHED: lambda data, known: f"console attached {data.get('console', '')}",
    Kind.CONSOLE_DETACHED: lambda data, known: f"console left {data.get('console', '')}",
    Kind.LEASE_TAKEN: lambda data, known: f"drives now{_why(data)}",
    Kind.LEASE_RELEASED: lambda data, known: "no longer drives",
    Kind.ATTEMPT_STARTED: _started,
    Kind.ATTEMPT_ADOPTED: lambda data, known: (
        f"{_named(data, known)}: attempt {data.get('attempt')} found running and followed again"
    ),
    Kind.ATTEMPT_SIGNALLED: lambda data, known: f"{_named(data, known)}: {data.get('rung')} sent",
    Kind.ATTEMPT_ENDED: _ended,
    Kind.ITEM_MOVED: _moved,
    Kind.ITEM_SENSED: _sensed,
    Kind.ITEM_COVERED: _covered,
    Kind.EXAMINED: lambda data, known: (
        f"{_named(data, known)}: what attempt {data.get('attempt')} left behind, {len(data.get('lines', ()))} lines"
    ),
    Kind.VARIABLE_SET: lambda data, known: f"{data.get('name', '')} = {data.get('value', '')}",
    Kind.NOTE: _note,
    Kind.HOLD: _held,
    Kind.RELEASE: lambda data, known: "released",
    Kind.TRIPWIRE: _wire,
    Kind.ALARM: _alarm,
    Kind.ALARM_ACKNOWLEDGED: lambda data, known: f"alarm {data.get('alarm', '')} seen{_why(data, 'note')}",
    Kind.RUN_ENDED: _run_ended,
    Kind.ROLLBACK_ENGAGED: _engaged,
    Kind.ROLLBACK_STOOD_DOWN: lambda data, known: f"the rollback was called off{_why(data)}",
    Kind.ROLLBACK_STARTED: lambda data, known: (
        f"{data.get('title') or data.get('deed') or 'rollback begun'}{_why(data)}"
    ),
    Kind.ROLLBACK_STEP: _step,
    Kind.ROLLBACK_ENDED: lambda data, known: f"{data.get('deed', '')}: {data.get('verdict', '')}{_dot(data)}",
    Kind.ROLLBACK_VERIFIED: lambda data, known: f"read back: {data.get('line', '')}",
    Kind.RESTORE_POINT: lambda data, known: (
        f"restore point {data.get('state', '')}: backup {data.get('backup', '')}{_why(data, 'why')}"
    ),
    Kind.REVIEWED: lambda data, known: f"{len(data.get('files', ()))} migration files shown for review and pinned",
    Kind.REVIEW_OUTDATED: lambda data, known: f"{_named(data, known)}: what was reviewed has changed{_reasons(data)}",
    Kind.CLOCK_SET: _clock,
    Kind.CLOCK_CROSSED: _crossed,
    Kind.CLOCK_DECIDED: lambda data, known: f"decided: {data.get('decision', '')}{_why(data)}",
    Kind.SERVER_CLOCK: lambda data, known: f"the server's clock is {_ahead(data.get('skew_s'))}",
    Kind.ESTIMATES_LEARNED: lambda data, known: f"{len(data.get('items', ()))} estimates from earlier runs",
    Kind.DRILLED: lambda data, known: f"way back drilled {moment(str(data.get('at', '')), day=True)} UTC",
    Kind.GATE_VOTED: _voted,
    Kind.GATE_PASSED: _passed,
    Kind.SECTION_CALLED: _called,
    Kind.ITEM_CLAIMED: lambda data, known: f"{_named(data, known)}: claimed",
    Kind.ITEM_RELEASED: lambda data, known: f"{_named(data, known)}: claim given up{_why(data)}",
    Kind.HANDED_OVER: lambda data, known: f"hands over: {data.get('note', '')}",
    Kind.RUN_COMMITTED: lambda data, known: (
        f"plan {str(data.get('plan', ''))[:12]} approved by {data.get('approver', '')}"
    ),
    Kind.RUN_CLOSED: lambda data, known: "the record was closed",
    Kind.SEALED: lambda data, known: f"sealed in a {data.get('what', 'report')}: {data.get('head')} events",
    Kind.SIGNED: _signed,
    Kind.NOTIFYING: _notifying,
    Kind.NOTIFIED: _notified,
}
