"""What statements did in a window between two samples: never since the beginning of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from migconsole.domain.own_statements import MARK, counted, own_numbers
from migconsole.domain.readings import Reading
from migconsole.domain.snapshots import TEXTS
from migconsole.domain.windows import Incomparable, Statement, Window, together, window
from migconsole.tui import format
from migconsole.tui.screens.health.sheets import Look, key_of, rows_of
from migconsole.tui.widgets.health_sheet import Column as C
from migconsole.tui.widgets.health_sheet import Row, Sheet, Source

OWN = "migconsole's own"
"""The key of the row of our own statements."""

_OWN_TEXT = 160
"""Characters of each of them that are listed."""

_SHORTEST = 5.0
"""Seconds between two samples below which there is no window."""

_P = "pgss_delta"

_COLUMNS = (
    C("text", "statement", "text", "", 9, 36, 6),
    C("total", "total", "ms", _P, 9),
    C("share", "share", "share", _P, 6),
    C("mean", "mean", "ms", _P, 8),
    C("sd", "± sd", "ms", _P, 3),
    C("calls", "calls", "count", _P, 8),
    C("rows_call", "rows/call", "count", _P, 2, 9),
    C("io_ms", "I/O time", "ms", _P, 5, missing="not timed"),
    C("blocks_read", "read", "bytes", _P, 6),
    C("hit", "cached", "share", _P, 4, missing="–"),
    C("temp", "temp", "bytes", _P, 3),
    C("wal_bytes", "WAL", "bytes", _P, 3, missing="–"),
    C("queryid", "id", "text", _P, 1, 10),
)

_BLOCK = 8192
"""Bytes of a block: what the counters count in, unless the server was built otherwise."""


def queries(look: Look) -> Sheet:
    """Statements by total time in the window; what cannot be compared is listed as such, with the reason."""
    readings = look.read(_P, "pgss_health")
    later = readings[_P]
    sources = (Source(_P, "M"), Source("pgss_health", "M"))
    if later is None or not later.rows:
        return Sheet(
            "Statements",
            _COLUMNS,
            (),
            sources,
            readings,
            empty="no statement was counted",
            phase=look.phase,
        )
    earlier = start_of(look, later)
    if earlier is None:
        return Sheet(
            "Statements",
            _COLUMNS,
            (),
            sources,
            readings,
            empty="a window needs two samples; the second one is still to come",
            phase=look.phase,
        )
    before = rows_of(look.source.before("pgss_health", earlier.at))
    after = rows_of(readings["pgss_health"])
    texts = {str(row.get("queryid")): row.get("query") for row in rows_of(look.source.latest(TEXTS))}
    found, own = window(
        earlier.rows,
        later.rows,
        later.at - earlier.at,
        health_before=before[0] if before else None,
        health_after=after[0] if after else None,
    ).apart(own_numbers(texts))
    rows = [_row(statement, found, texts) for statement in found.statements]
    rows += [_incomparable(one, texts) for one in found.incomparable]
    rows += _own(own, texts)
    return Sheet(
        f"Statements in {format.duration(found.seconds)}",
        _COLUMNS,
        tuple(rows),
        sources,
        readings,
        ("total", True),
        "no statement ran in this window",
        _notes(found),
        look.phase,
    )


def start_of(look: Look, later: Reading) -> Reading | None:
    """The sample a window begins with: ``look.window`` before the newest, or nearer where none is that old."""
    length = look.window
    while length >= _SHORTEST:
        earlier = look.source.before(_P, later.at - length)
        if earlier is not None and earlier.rows and earlier.at <= later.at - _SHORTEST:
            return earlier
        length /= 2
    return None


def _notes(found: Window) -> tuple[str, ...]:
    notes = list(found.problems)
    if found.incomparable:
        notes.append(f"{len(found.incomparable)} cannot be compared")
    if found.vanished:
        notes.append(f"{len(found.vanished)} vanished")
    return tuple(notes)


def _text(queryid: str, texts: Mapping[str, Any]) -> str:
    text = texts.get(queryid)
    return str(text) if text else f"(text not read; id {queryid})"


def _row(statement: Statement, found: Window, texts: Mapping[str, Any]) -> Row:
    counters, queryid = statement.counters, statement.key[3]
    read, hit = counters.get("blocks_read"), counters.get("blocks_hit")
    temp = _sum(counters.get("temp_read"), counters.get("temp_written"))
    total = found.whole
    values = {
        "text": _text(queryid, texts),
        "query": _text(queryid, texts),
        "total": statement.total,
        "share": statement.total / total if total else None,
        "mean": statement.mean,
        "sd": statement.deviation,
        "calls": statement.calls,
        "rows_call": _ratio(counters.get("rows"), statement.calls),
        "io_ms": _sum(counters.get("read_ms"), counters.get("write_ms")) or None,
        "blocks_read": None if read is None else read * _BLOCK,
        "hit": _ratio(hit, (hit or 0) + (read or 0)),
        "temp": None if temp is None else temp * _BLOCK,
        "wal_bytes": counters.get("wal_bytes"),
        "queryid": queryid,
    }
    extra = (
        ("new in this window", "bool", statement.new),
        ("role", "oid", statement.key[1]),
        ("called by a client", "bool", statement.key[2]),
        ("blocks hit", "count", hit),
        ("blocks dirtied", "count", counters.get("blocks_dirtied")),
        ("blocks written", "count", counters.get("blocks_written")),
    )
    return Row(_key(statement.key), values, "", {"text": "$accent"} if statement.new else {}, extra=extra)


def _own(own: Window, texts: Mapping[str, Any]) -> list[Row]:
    """Our own statements as one row, in which they are listed."""
    if not own.count:
        return []
    name = own_name(own)
    if not own.statements:
        return [replace(_incomparable(own.incomparable[0], {}), key=OWN, values={"text": name, "query": name})]
    row = _row(replace(together(own.statements), new=False), own, texts)
    values = {**row.values, "text": name, "query": own_list(own, texts), "sd": None, "queryid": None}
    return [
        replace(row, key=OWN, values=values, style="$muted", styles={}, marks={"sd": "–", "queryid": "–"}, extra=())
    ]


def own_name(own: Window) -> str:
    """Our own statements of a window in a cell."""
    return f"migconsole's own: {counted(own)} (enter lists them)"


def own_list(own: Window, texts: Mapping[str, Any]) -> str:
    """Each of them in a line, the dearest first."""
    return "\n".join(
        f"{one.total:,.1f} ms in {one.calls:,} calls: {_plain(_text(one.key[3], texts))[:_OWN_TEXT]}"
        for one in own.statements
    )


def _plain(text: str) -> str:
    return " ".join(text.replace(MARK, "").split())


def _incomparable(one: Incomparable, texts: Mapping[str, Any]) -> Row:
    text = _text(one.key[3], texts)
    numbers = {column.name: "?" for column in _COLUMNS if column.name not in ("text", "queryid")}
    extra = (("cannot be compared", "text", one.reason),)
    return Row(_key(one.key), {"text": text, "query": text, "queryid": one.key[3]}, "$muted", {}, numbers, extra=extra)


def _key(key: tuple[Any, ...]) -> str:
    return key_of(dict(enumerate(key)), *range(len(key)))  # type: ignore[arg-type]


def _sum(*values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _ratio(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
