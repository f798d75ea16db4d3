"""Words that the renderers share: times, identities, events, signatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migconsole.domain.events import Event, Kind
from migconsole.domain.signing import Signature

_MOVES = {
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


def stamp(at: str) -> str:
    """A journal time as people write it; always UTC.

    >>> stamp("2030-01-31T22:04:05.678Z"), stamp("")
    ('2030-01-31 22:04:05', '')
    """
    return at[:19].replace("T", " ")


def identity_words(identity: Mapping[str, Any]) -> str:
    """What the server said about itself when it was pinned, "" when it never was."""
    if not identity:
        return ""
    role = "standby" if identity.get("in_recovery") else "primary"
    where = f"{identity.get('database')}@{identity.get('host')}:{identity.get('port')}"
    system = f", system {identity['system_identifier']}" if identity.get("system_identifier") else ""
    return f"{where}, PostgreSQL {identity.get('version')}, {role}, as {identity.get('user')}{system}"


def signature_words(signature: Signature) -> str:
    """A signature with what it is bound to, or the refusal."""
    bound = f"(journal {signature.head}, {signature.hash[:16]})"
    return f"refused: {signature.reason} {bound}" if signature.refused else f"{signature.text} {bound}"


def delivery_words(delivery: Mapping[str, Any]) -> str:
    """A notification and what became of it."""
    detail = f" ({delivery['detail']})" if delivery["detail"] else ""
    text = str(delivery["text"]).partition("\n")[0]
    return f"{stamp(delivery['at'])} {delivery['occasion']} to {delivery['to']}: {delivery['result']}{detail} · {text}"


def event_words(event: Event, titles: Mapping[str, str]) -> str:
    """A decision in words; a kind without words of its own is told by its name and its data."""
    data = event.data
    item = titles.get(str(data.get("item", "")), str(data.get("item", "")))
    kind = event.kind
    if kind == Kind.ITEM_MOVED:
        move = str(data.get("move"))
        said = " · ".join(str(data[key]) for key in ("value", "note", "reason", "due") if data.get(key))
        return f"{item}: {_MOVES.get(move, move)}{f' · {said}' if said else ''}"
    if kind == Kind.SIGNED:
        verb = "signed" if data.get("signature") else "refused to sign"
        return f"{data.get('name')} {verb} as {data.get('role')}{_after(data.get('reason'))}"
    words = {
        Kind.HOLD: f"on hold ({data.get('owner', '')}){_after(data.get('reason'))}",
        Kind.RELEASE: "released",
        Kind.VARIABLE_SET: f"{data.get('name')} = {data.get('value')}",
        Kind.LEASE_TAKEN: f"drives now{_after(data.get('reason'))}",
        Kind.LEASE_RELEASED: "handed over",
        Kind.TRIPWIRE: f"tripwire {data.get('tripwire')}: {data.get('state')}{_after(data.get('reason'))}",
        Kind.ALARM_ACKNOWLEDGED: f"alarm {data.get('alarm')} seen{_after(data.get('note'))}",
        Kind.RUN_ENDED: f"run ended: {data.get('ending')}{_after(data.get('reason'))}",
        Kind.RUN_CLOSED: "run closed",
    }
    if kind in words:
        return words[Kind(kind)]
    said = ", ".join(f"{key} {value}" for key, value in sorted(data.items()) if isinstance(value, str | int | float))
    return f"{kind}{f': {said}' if said else ''}"


def _after(text: Any) -> str:
    return f": {text}" if text else ""
