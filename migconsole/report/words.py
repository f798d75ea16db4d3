"""Words that the renderers share: times, identities, signatures, deliveries. Those of events are the domain's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migconsole.domain.signing import Signature
from migconsole.domain.stamps import iso
from migconsole.engine.report import Report


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


def clock_words(report: Report) -> str:
    """The run against its window in one line: planned, forecast and actual."""
    times = report.times
    parts = ["No T-0 was set: nothing was planned to a time"]
    if times.t0 is not None:
        parts = [f"T-0 {_at(times.t0)}"]
    if times.window_end is not None:
        parts.append(f"window until {_at(times.window_end)}")
    if times.planned_end is not None:
        parts.append(f"planned to end {_at(times.planned_end)}")
    if report.run.ended_at:
        ended = report.run.clock.server.of(report.run.ended_at)
        parts.append(f"ended {stamp(report.run.ended_at) if ended is None else _at(ended.timestamp())}")
    elif times.forecast_end is not None:
        least = f" at the earliest ({times.guessed} items have no estimate)" if times.guessed else ""
        parts.append(f"forecast to end {_at(times.forecast_end)}{least}")
    if times.last_safe_abort is not None:
        parts.append(f"last safe abort {_at(times.last_safe_abort)}")
    return " · ".join(parts)


def clocks_words(report: Report) -> str:
    """By how much the clock that stamps events differed from the server's, "" where they agreed."""
    readings = report.run.clock.server.readings
    if not readings:
        return ""
    told = [f"the server's was {one.skew:+.0f} s from {_at(one.begin.timestamp())}" for one in readings]
    return f"events carry this host's clock; {', '.join(told)}. Planned against actual is by the server's"


def _at(at: float) -> str:
    return stamp(iso(at))


def delivery_words(delivery: Mapping[str, Any]) -> str:
    """A notification and what became of it."""
    detail = f" ({delivery['detail']})" if delivery["detail"] else ""
    text = str(delivery["text"]).partition("\n")[0]
    return f"{stamp(delivery['at'])} {delivery['occasion']} to {delivery['to']}: {delivery['result']}{detail} · {text}"
