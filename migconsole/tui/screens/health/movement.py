"""What moves: progress of the server's long work, replication, slots, archiving."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migconsole.domain.readings import Quality
from migconsole.domain.text import sanitise_line
from migconsole.tui import format
from migconsole.tui.screens.health.sheets import Look, held_back, key_of, limit_style, rows_of, text_of
from migconsole.tui.widgets.health_sheet import Column as C
from migconsole.tui.widgets.health_sheet import Row, Sheet, Source

_PROGRESS = (
    C("command", "what", "text", "", 8, 14, 1),
    C("relation", "on", "text", "", 7, 14, 2),
    C("phase", "phase", "text", "", 6, 19, 2),
    C("bar", "progress", "text", "", 5, 20),
    C("share", "done", "share", "", 9),
    C("elapsed_s", "for", "s", "", 7),
    C("eta_s", "left", "s", "", 8, missing="–"),
    C("amount", "amount", "text", "", 4, 20),
    C("still_s", "no move", "s", "", 5, missing="–"),
    C("pid", "pid", "pid", "", 6),
    C("query", "statement", "text", "", 2, 12, 3),
)


def progress(look: Look) -> Sheet:
    """Everything the server reports progress of, and rewrites that it does not report."""
    readings = look.read("progress_index", "progress_other", "rewrite_eta")
    rows = []
    for probe in ("rewrite_eta", "progress_index", "progress_other"):
        for row in rows_of(readings[probe]):
            if row.get("pid") is not None:
                rows.append(_progress_row(look, probe, row))
    return Sheet(
        "Progress",
        _PROGRESS,
        tuple(rows),
        (Source("progress_index"), Source("progress_other"), Source("rewrite_eta", "F")),
        readings,
        empty="nothing is built, vacuumed, analysed, copied, backed up or rewritten now",
        phase=look.phase,
        held=held_back(look),
    )


def _progress_row(look: Look, probe: str, row: Mapping[str, Any]) -> Row:
    share, elapsed = row.get("share"), row.get("elapsed_s")
    values = dict(row)
    if probe == "rewrite_eta":
        values["command"] = "table rewrite"
    elif share and elapsed and 0.01 <= share < 1:
        values["eta_s"] = elapsed * (1 - share) / share
    unit = "bytes" if probe == "rewrite_eta" else str(row.get("unit") or "")
    values["amount"] = _amount(row.get("done"), row.get("total"), unit)
    values["bar"] = "" if share is None else "━" * int(share * 20) + "─" * (20 - int(share * 20))
    if probe == "progress_index":
        values["relation"] = f"{text_of(row, 'index') or '?'} on {text_of(row, 'relation')}"
        if row.get("locker"):
            values["phase"] = f"pid {row['locker']} for {row.get('waiting_s') or 0:.0f} s: {text_of(row, 'phase')}"
    column = "waiting_s" if probe == "progress_index" else "still_s"
    worse = limit_style(look, probe, column, row.get(column))
    style = "bold $accent" if row.get("migration") else ""
    styles = {"bar": "$primary", "share": style or "bold", "still_s": worse or style, "phase": worse or style}
    more = [("application", "text", row.get("application"))]
    if probe == "rewrite_eta":
        more = [
            ("estimated from", "text", "the growth of the database; other growth counts as well"),
            ("WAL written", "bytes", row.get("wal")),
            ("database", "bytes", row.get("database_size")),
            ("grown by", "bytes", row.get("growth")),
        ]
    return Row(f"{probe}\0{key_of(row, 'pid', 'command')}", values, style, styles, extra=tuple(more))


def _amount(done: Any, total: Any, unit: str) -> str:
    from_bytes = unit == "bytes"

    def one(value: Any) -> str:
        return "?" if value is None else format.size(value) if from_bytes else f"{value:,}"

    if done is None and total is None:
        return ""
    return f"{one(done)} of {one(total)}{'' if from_bytes or not unit else ' ' + sanitise_line(unit, 12)}"


_STANDBYS = (
    C("standby", "standby", "text", "replication_lag", 9, 14, 2),
    C("state", "state", "text", "replication_lag", 7, 10),
    C("sync_state", "sync", "text", "replication_lag", 6, 8),
    C("sent_bytes", "not sent", "bytes", "replication_lag", 4),
    C("write_bytes", "written", "bytes", "replication_lag", 3),
    C("flush_bytes", "flushed", "bytes", "replication_lag", 4),
    C("replay_bytes", "replayed", "bytes", "replication_lag", 9),
    C("replay_s", "behind", "s", "replication_lag", 8, missing="–"),
    C("write_s", "write lag", "s", "replication_lag", 2, missing="–"),
    C("flush_s", "flush lag", "s", "replication_lag", 2, missing="–"),
    C("reply_s", "reply", "s", "replication_lag", 5),
    C("client", "client", "text", "replication_lag", 3, 12, 1),
    C("pid", "pid", "pid", "replication_lag", 3),
)


def standbys(look: Look) -> Sheet:
    """How far behind each standby is, by stage; bytes first, because time understates a stall."""
    readings = look.read("replication_lag")
    rows = []
    for row in rows_of(readings["replication_lag"]):
        styles = {
            name: limit_style(look, "replication_lag", name, row.get(name)) for name in ("replay_bytes", "replay_s")
        }
        rows.append(Row(key_of(row, "standby", "pid"), row, "", styles))
    return Sheet(
        "Standbys", _STANDBYS, tuple(rows), (Source("replication_lag"),), readings, empty="no standby", phase=look.phase
    )


_SLOTS = (
    C("slot", "slot", "text", "slots_retained", 9, 14, 2),
    C("slot_type", "type", "text", "slots_retained", 5, 9),
    C("active", "active", "bool", "slots_retained", 8, 6),
    C("retained", "keeps", "bytes", "slots_retained", 9),
    C("wal_status", "WAL", "text", "slots_retained", 7, 10),
    C("safe_bytes", "room", "bytes", "slots_retained", 4),
    C("inactive_s", "idle for", "s", "slots_retained", 6, missing="–"),
    C("invalidation", "invalidated", "text", "slots_retained", 5, 11, 1),
    C("xmin_age", "xmin age", "count", "slots_retained", 3, missing="–"),
    C("catalog_xmin_age", "catalogue", "count", "slots_retained", 2, missing="–"),
    C("pid", "pid", "pid", "slots_retained", 3, missing="–"),
)


def slots(look: Look) -> Sheet:
    """Which slots keep WAL on the primary's disk."""
    readings = look.read("slots_retained")
    rows = []
    for row in rows_of(readings["slots_retained"]):
        styles = {"retained": limit_style(look, "slots_retained", "retained", row.get("retained"))}
        if row.get("active") is False and not row.get("temporary"):
            styles["active"] = styles["inactive_s"] = "$caution"
        if row.get("wal_status") in ("unreserved", "lost"):
            styles["wal_status"] = "bold $danger"
        rows.append(Row(key_of(row, "slot"), row, "", styles))
    return Sheet(
        "Slots",
        _SLOTS,
        tuple(rows),
        (Source("slots_retained", "F"),),
        readings,
        ("retained", True),
        "no replication slot",
        phase=look.phase,
    )


_ARCHIVING = (
    C("says", "archiving", "text", "archive_backlog", 9, 10, 1),
    C("pending", "waiting", "count", "archive_backlog", 9),
    C("archived", "archived", "total", "archive_backlog", 6),
    C("failed", "failed", "total", "archive_backlog", 7),
    C("failed_rise", "of late", "count", "archive_backlog", 6),
    C("last_wal", "last segment", "text", "archive_backlog", 4, 24),
    C("last_at", "last at", "time", "archive_backlog", 7, missing="never"),
    C("last_failed_wal", "last failure", "text", "archive_backlog", 3, 24),
    C("last_failed_at", "failed at", "time", "archive_backlog", 3, missing="never"),
)


def archiving(look: Look) -> Sheet:
    """Whether WAL leaves the server: going back to a point in time depends on it."""
    readings = look.read("archive_backlog")
    reading = readings["archive_backlog"]
    rows = []
    for row in rows_of(reading):
        values = dict(row) | {"says": "on" if row.get("enabled") else "off"}
        styles = {
            "pending": limit_style(look, "archive_backlog", "pending", row.get("pending"))
            if row.get("enabled")
            else "",
            "failed_rise": "bold $danger" if row.get("failed_rise") else "",
            "says": "" if row.get("enabled") else "$caution",
        }
        rows.append(Row("archiving", values, "", styles))
    empty = "not read yet" if reading is None or reading.quality is not Quality.OK else "nothing reported"
    return Sheet(
        "Archiving", _ARCHIVING, tuple(rows), (Source("archive_backlog", "F"),), readings, empty=empty, phase=look.phase
    )
