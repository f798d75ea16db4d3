"""Deviations: everything in a run that did not go as the checklist has it, in the order in which a reader wants it.

Made from the fold for what stands, and from the events for what happened on the way: a failure that was mended later is
still part of the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from migconsole.domain.checklist import Checklist
from migconsole.domain.events import Event, Kind
from migconsole.domain.items import ItemState
from migconsole.domain.policy import OUT_OF_ORDER
from migconsole.domain.run import Run


class Sort(StrEnum):
    """What kind of deviation, the gravest first."""

    JOURNAL = "journal"
    UNKNOWN = "outcome unknown"
    FAILED = "failed"
    REGRESSED = "regressed"
    FORCED = "forced"
    OVERRIDDEN = "gate overridden"
    UNVERIFIED = "not verified"
    TRIPWIRE = "tripwire"
    TARGET = "target"
    DEFERRED = "deferred"
    ACCEPTED = "accepted with issues"
    REFUSED = "refused to sign"
    OVERRIDE = "out of order"
    BY_HAND = "by hand"
    UNCAPTURED = "not captured"
    REPEATED = "repeated"
    REOPENED = "reopened"
    HOLD = "hold"
    ALARM = "alarm"
    TAKEN = "taken over"
    SKIPPED = "skipped"
    EXCLUDED = "not applicable"


GRAVE = frozenset(
    {
        *(Sort.JOURNAL, Sort.UNKNOWN, Sort.FAILED, Sort.REGRESSED, Sort.FORCED, Sort.OVERRIDDEN),
        *(Sort.UNVERIFIED, Sort.TRIPWIRE, Sort.TARGET),
    }
)
"""What makes a run look worse than it would by its progress."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One deviation. ``item`` is an identifier, "" for one of the whole run; ``at`` is UTC ISO 8601."""

    sort: Sort
    what: str
    why: str = ""
    at: str = ""
    actor: str = ""
    item: str = ""


_STANDING = {
    ItemState.FAILED: Sort.FAILED,
    ItemState.INTERRUPTED: Sort.UNKNOWN,
    ItemState.REGRESSED: Sort.REGRESSED,
    ItemState.FORCED: Sort.FORCED,
    ItemState.DEFERRED: Sort.DEFERRED,
    ItemState.OK_WITH_ISSUES: Sort.ACCEPTED,
    ItemState.SKIPPED: Sort.SKIPPED,
    ItemState.NOT_APPLICABLE: Sort.EXCLUDED,
}


_MOVED_TO = {
    "accept": Sort.ACCEPTED,
    "force": Sort.FORCED,
    "defer": Sort.DEFERRED,
    "skip": Sort.SKIPPED,
    "exclude": Sort.EXCLUDED,
}


def deviations(run: Run, checklist: Checklist, events: Iterable[Event]) -> list[Deviation]:
    """All of a run's deviations, by gravity and then by time."""
    titles = item_titles(checklist)
    found = [*_standing(run, checklist), *_of_run(run)]
    # What an event left standing is said once.
    said = {(deviation.item, deviation.at) for deviation in found if deviation.item}
    for event in events:
        if event.kind in _PASSING:
            passed = _PASSING[event.kind](event, event.data, titles)
            found.extend(new for new in passed if (new.item, new.at) not in said)
    order = list(Sort)
    return sorted(_counted(found), key=lambda deviation: (order.index(deviation.sort), deviation.at))


def _counted(found: Iterable[Deviation]) -> list[Deviation]:
    """The same alarm again and again is one line that says how often: what matters must not drown in it."""
    alarms: dict[str, list[Deviation]] = {}
    rest = []
    for deviation in found:
        if deviation.sort is Sort.ALARM:
            alarms.setdefault(deviation.what, []).append(deviation)
        else:
            rest.append(deviation)
    for same in alarms.values():
        times = f"{len(same)} times, the last at {same[-1].at[:19].replace('T', ' ')}" if len(same) > 1 else ""
        rest.append(replace(same[0], why=times))
    return rest


def standing(run: Run, checklist: Checklist) -> list[Deviation]:
    """What stands now: shown before anybody signs."""
    order = list(Sort)
    return sorted([*_standing(run, checklist), *_of_run(run)], key=lambda found: (order.index(found.sort), found.at))


def of_event(event: Event, titles: Mapping[str, str]) -> list[Deviation]:
    """What one event is a deviation for, whether or not it still stands; ``titles`` are those of the items."""
    finder = _PASSING.get(event.kind)
    found = [] if finder is None else finder(event, event.data, titles)
    sort = _MOVED_TO.get(str(event.data.get("move"))) if event.kind == Kind.ITEM_MOVED else None
    if sort is not None:
        item, reason = str(event.data.get("item", "")), str(event.data.get("reason") or "")
        found.append(Deviation(sort, titles.get(item, item), reason, event.at, event.actor, item))
    return found


def item_titles(checklist: Checklist) -> dict[str, str]:
    """Titles by identifier, of the way forward and of the way back; gates and tripwires as "gate:ID", "tripwire:ID"."""
    walks = (checklist.walk(), checklist.walk_rollback())
    return {
        **{located.item.id: located.item.title for walk in walks for located in walk},
        **{f"gate:{gate.id}": gate.title for gate in checklist.gates},
        **{f"tripwire:{wire.id}": wire.title for wire in checklist.tripwires},
    }


def _standing(run: Run, checklist: Checklist) -> list[Deviation]:
    found = []
    for walk in (checklist.walk(), checklist.walk_rollback()):
        for located in walk:
            item = located.item
            record = run.record(item.id)
            sort = None if item.items else _STANDING.get(record.state)
            if sort is not None:
                why = record.reason or ("; ".join(record.last.reasons) if record.last else "")
                due = f"{why} (due {record.due})" if record.due else why
                found.append(Deviation(sort, item.title, due, record.since, record.actor, item.id))
    return found


def _of_run(run: Run) -> list[Deviation]:
    strange = "the journal holds an event that the rules do not allow"
    found = [Deviation(Sort.JOURNAL, strange, why) for why in run.anomalies]
    for deed in run.rollback.deeds:
        if deed.verifiable and deed.proof != "verified" and not deed.explained:
            what = f"the database after the rollback ({deed.strategy})"
            found.append(Deviation(Sort.UNVERIFIED, what, deed.proof_line, deed.ended, deed.decided_by))
    if run.changed:
        found.append(Deviation(Sort.TARGET, "the target is not the one that was pinned", "; ".join(run.changed)))
    for signature in (*run.signoff.superseded, *run.signoff.refused()):
        if signature.refused:
            who = f"{signature.name}, {signature.role}"
            found.append(Deviation(Sort.REFUSED, who, signature.reason, signature.at, signature.actor))
    return found


def _ended(event: Event, data: Mapping[str, Any], titles: Mapping[str, str]) -> list[Deviation]:
    sorts = {"failed": Sort.REPEATED, "interrupted": Sort.UNKNOWN}
    sort = sorts.get(str(data.get("outcome")))
    if sort is None:
        return []
    outcome = "failed" if sort is Sort.REPEATED else "its outcome was not known"
    what = f"{_title(data, titles)}: attempt {data.get('attempt')} {outcome}"
    reasons = "; ".join(str(reason) for reason in data.get("reasons") or ())
    return [Deviation(sort, what, reasons, event.at, event.actor, str(data.get("item", "")))]


def _started(event: Event, data: Mapping[str, Any], titles: Mapping[str, str]) -> list[Deviation]:
    item, title = str(data.get("item", "")), _title(data, titles)
    found = []
    confirmed = data.get("confirmed")
    if isinstance(confirmed, Mapping):
        sort, what, reason = _overrode(confirmed)
        if what:
            found.append(Deviation(sort, f"{title}: {what}", reason, event.at, event.actor, item))
    if data.get("by_hand"):
        what = f"{title}: executed by hand, outside of this console"
        found.append(Deviation(Sort.BY_HAND, what, "", event.at, event.actor, item))
    if data.get("interactive"):
        what = f"{title}: had the terminal; what was typed and shown there was not captured"
        found.append(Deviation(Sort.UNCAPTURED, what, "", event.at, event.actor, item))
    return found


def _overrode(confirmed: Mapping[str, Any]) -> tuple[Sort, str, str]:
    """What was overridden with the typed reason. In older journals it is for going out of order."""
    reason, how = str(confirmed.get("reason") or ""), str(confirmed.get("how") or "")
    if "overrode" not in confirmed:
        return Sort.OVERRIDE, "run before its turn" if reason else "", reason
    if not confirmed["overrode"]:
        return Sort.OVERRIDE, "", ""
    if how == OUT_OF_ORDER:
        return Sort.OVERRIDE, "run before its turn", reason
    return Sort.OVERRIDDEN, f"run {how}, although {confirmed['overrode']}", reason


def _moved(event: Event, data: Mapping[str, Any], titles: Mapping[str, str]) -> list[Deviation]:
    item, title, reason = str(data.get("item", "")), _title(data, titles), str(data.get("reason") or "")
    move = data.get("move")
    if move == "reopen":
        return [Deviation(Sort.REOPENED, title, reason, event.at, event.actor, item)]
    if move == "regress":
        return [Deviation(Sort.REGRESSED, f"{title}: no longer held", reason, event.at, event.actor, item)]
    if move == "attest" and reason:
        what = f"{title}: attested before its turn, or after an unknown outcome"
        return [Deviation(Sort.OVERRIDE, what, reason, event.at, event.actor, item)]
    return []


def _held(event: Event, data: Mapping[str, Any], titles: Mapping[str, str]) -> list[Deviation]:
    owner = str(data.get("owner") or event.actor)
    until = f", expected to end {data['until']}" if data.get("until") else ""
    return [Deviation(Sort.HOLD, f"held by {owner}{until}", str(data.get("reason", "")), event.at, event.actor)]


def _tripped(event: Event, data: Mapping[str, Any], titles: Mapping[str, str]) -> list[Deviation]:
    if data.get("state") != "tripped":
        return []
    wire = str(data.get("tripwire", ""))
    what = f"{titles.get(f'tripwire:{wire}', wire)}: tripped by a {data.get('by', 'person')}"
    return [Deviation(Sort.TRIPWIRE, what, str(data.get("reason") or ""), event.at, event.actor)]


def _alarmed(event: Event, data: Mapping[str, Any], titles: Mapping[str, str]) -> list[Deviation]:
    if data.get("change") != "raised" or data.get("level") != "critical":
        return []
    return [Deviation(Sort.ALARM, str(data.get("message") or data.get("probe", "")), "", event.at, event.actor)]


def _changed(event: Event, data: Mapping[str, Any], titles: Mapping[str, str]) -> list[Deviation]:
    differences = "; ".join(str(part) for part in data.get("differences") or ())
    if not differences:
        return []
    return [Deviation(Sort.TARGET, "the server reported another target", differences, event.at, event.actor)]


def _pinned(event: Event, data: Mapping[str, Any], titles: Mapping[str, str]) -> list[Deviation]:
    reason = str(data.get("reason") or "")
    if not reason:
        return []
    return [Deviation(Sort.TARGET, "the changed target was accepted", reason, event.at, event.actor)]


def _taken(event: Event, data: Mapping[str, Any], titles: Mapping[str, str]) -> list[Deviation]:
    if not data.get("from"):
        return []
    return [Deviation(Sort.TAKEN, "another console took over", str(data.get("reason") or ""), event.at, event.actor)]


def _title(data: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    item = str(data.get("item", ""))
    return titles.get(item, item)


_Finder = Callable[[Event, Mapping[str, Any], Mapping[str, str]], list[Deviation]]

_PASSING: Mapping[str, _Finder] = {
    Kind.ATTEMPT_STARTED: _started,
    Kind.ATTEMPT_ENDED: _ended,
    Kind.ITEM_MOVED: _moved,
    Kind.HOLD: _held,
    Kind.TRIPWIRE: _tripped,
    Kind.ALARM: _alarmed,
    Kind.TARGET_CHANGED: _changed,
    Kind.TARGET_PINNED: _pinned,
    Kind.LEASE_TAKEN: _taken,
}
