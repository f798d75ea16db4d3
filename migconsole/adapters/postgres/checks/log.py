"""The check of the server's own log: warnings and worse since T-0, where the log can be read."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from migconsole.adapters.postgres.checks.base import Findings, Probe, check, counted, text, texts
from migconsole.adapters.postgres.identity import read_ahead
from migconsole.adapters.postgres.probes.masking import Masking
from migconsole.adapters.postgres.server_log import Part, ServerLog, locate, read_since
from migconsole.domain.patterns import PatternError, compile_pattern
from migconsole.domain.quantities import QuantityError, format_size, parse_duration
from migconsole.domain.server_log import Entry, Severity, worse
from migconsole.engine.ports import CheckResult
from migconsole.errors import UsageError

OURS = "migconsole/"
SHOWN = 12
DEFAULT = 3600.0
"""Seconds to look back where T-0 has not begun."""


@check(
    "server_log",
    "Warnings and worse in the server's own log since T-0 or a given time; where it cannot be read, a person is asked.",
    arguments={
        "since": "T-0 (the default), a time such as 2026-11-25T22:00:00Z, or how long ago, such as 15m",
        "ignore": "list of patterns; messages that match one are counted apart",
        "database": "count only entries of this database, and those of no database",
    },
    values={
        "warnings": "entries of severity WARNING; null when the log could not be read that far",
        "errors": "entries of severity ERROR",
        "fatal": "entries of severity FATAL",
        "panics": "entries of severity PANIC",
        "unknown": "entries whose severity is in a language that is not known here",
        "total": "all of them",
        "ignored": "entries that match a pattern of ignore, or are of this console's own sessions",
        "covered": "whether the log could be read back to that time",
        "destination": "csvlog, jsonlog or stderr; null when it cannot be read",
    },
)
async def server_log(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Read backwards and bounded; a log that ends too late is not a clean one."""
    found = Findings()
    ahead = await read_ahead(probe.connection)
    since, says = await asyncio.to_thread(_since, probe, text(arguments, "since"), ahead)
    ignore = _patterns(texts_of(arguments, "ignore"))
    log = await locate(probe.connection)
    if isinstance(log, str):
        found.unknown(f"the server's log cannot be read from here: {log}; look there since {_utc(since)}")
        names = ("warnings", "errors", "fatal", "panics", "unknown", "total", "ignored", "destination")
        return found.result({**dict.fromkeys(names), "covered": False})
    part = await read_since(log, since)
    database = text(arguments, "database")
    bad = [one for one in worse(part.entries, since) if not database or one.database in ("", database)]
    ignored = [one for one in bad if one.application.startswith(OURS) or any(p.search(one.text) for p in ignore)]
    kept = [one for one in bad if one not in ignored] if ignored else bad
    _say(found, probe, log, part, kept, f"since {says} ({_utc(since)})")
    if ignored:
        found.note(f"{counted(len(ignored), 'more')} of our own sessions, or ignored by the checklist")
    counts = Counter(one.severity for one in kept)
    known = part.covered
    return found.result(
        {
            "warnings": counts[Severity.WARNING] if known or counts[Severity.WARNING] else None,
            "errors": counts[Severity.ERROR] if known or counts[Severity.ERROR] else None,
            "fatal": counts[Severity.FATAL] if known or counts[Severity.FATAL] else None,
            "panics": counts[Severity.PANIC] if known or counts[Severity.PANIC] else None,
            "unknown": counts[Severity.UNKNOWN],
            "total": len(kept) if known or kept else None,
            "ignored": len(ignored),
            "covered": known,
            "destination": log.destination,
        }
    )


def _say(found: Findings, probe: Probe, log: ServerLog, part: Part, kept: Sequence[Entry], since: str) -> None:
    masking = Masking(probe.target)
    how = "" if log.files.local else ", read through the server"
    found.note(f"{log.path} ({log.destination}{how}): {format_size(part.size)} read, {len(part.entries):,} entries")
    if not part.covered:
        if not log.timed:
            found.unknown("its lines have no time (log_line_prefix has no %m), so nothing says what is since then")
        else:
            found.unknown(f"what was read of it reaches back only to {_utc(part.reached)}")
    groups: dict[tuple[Severity, str], list[Entry]] = {}
    for one in kept:
        groups.setdefault((one.severity, _kind(one)), []).append(one)
    ordered = sorted(groups.items(), key=lambda group: (-group[0][0], -len(group[1])))
    for (severity, _), those in ordered[:SHOWN]:
        word = severity.name if severity is not Severity.UNKNOWN else those[0].word
        times = f" ({len(those)} times)" if len(those) > 1 else ""
        says = f"{_utc(those[-1].at)} {word}{times}: {masking.query(those[-1].text)}"
        known = log.timed and severity is not Severity.UNKNOWN
        (found.bad if known else found.unknown)(says[:400])
        for detail in those[-1].details[:2]:
            found.note(f"  {masking.query(detail)[:300]}")
    if len(ordered) > SHOWN:
        found.note(f"… and {counted(len(ordered) - SHOWN, 'more kind')}")
    if not kept:
        (found.good if part.covered else found.note)(f"nothing of WARNING and above {since}")


def _kind(entry: Entry) -> str:
    """Messages that differ in numbers and quoted names only are of one kind."""
    return "".join("#" if sign.isdigit() else sign for sign in entry.text[:80])


def _since(probe: Probe, given: str, ahead: float) -> tuple[float, str]:
    """The Unix time to look back to by the server's clock, which is ``ahead`` of ours, and how it is called."""
    if given in ("", "T-0"):
        began = probe.past.moments().began if probe.past is not None else None
        if began is None:
            return time.time() + ahead - DEFAULT, "an hour ago, as T-0 has not begun"
        return began + ahead, "T-0"
    try:
        return time.time() + ahead - float(parse_duration(given)), f"{given} ago"
    except QuantityError:
        pass
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise UsageError("The argument since cannot be read", "", "Write T-0, 15m, or 2026-11-25T22:00:00Z.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), given


def texts_of(arguments: Mapping[str, Any], name: str) -> list[str]:
    """A list of patterns; a single one may have spaces."""
    value = arguments.get(name)
    return [value] if isinstance(value, str) and value else texts(arguments, name)


def _patterns(those: Sequence[str]) -> list[Any]:
    try:
        return [compile_pattern(pattern) for pattern in those]
    except PatternError as error:
        raise UsageError("A pattern of ignore cannot be read", f"{error}.") from None


def _utc(at: float | None) -> str:
    return "an unknown time" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
