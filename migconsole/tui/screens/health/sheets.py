"""Readings as the tables of the health screen: pure, to be tested without a screen. Here: sessions and locks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from migconsole.domain.readings import Level, Reading
from migconsole.domain.text import sanitise_line
from migconsole.domain.thresholds import THRESHOLDS, Phase, Thresholds
from migconsole.engine.comparing import Past
from migconsole.engine.ports import HealthSource
from migconsole.tui.widgets.health_sheet import Column, Row, Sheet, Source

LEVEL_STYLES = {Level.WARN: "$caution", Level.CRITICAL: "bold $danger", Level.GOOD: "", Level.UNKNOWN: "$muted"}

C = Column


@dataclass(frozen=True, slots=True)
class Look:
    """What a table is made from: the newest readings, the phase that decides what is bad, and the time.

    ``compared`` is the end of the window after the migration that is compared, in seconds; 0 is all of it.
    """

    source: HealthSource
    phase: Phase
    now: float
    window: float
    thresholds: Thresholds = THRESHOLDS
    past: Past | None = None
    compared: float = 0.0

    def read(self, *probes: str) -> dict[str, Reading | None]:
        """The newest readings by probe."""
        return {probe: self.source.latest(probe) for probe in probes}


Make = Callable[[Look], Sheet]


def rows_of(reading: Reading | None) -> Sequence[Mapping[str, Any]]:
    """The rows of a reading; none where there is none."""
    return reading.rows if reading is not None else ()


def key_of(row: Mapping[str, Any], *columns: str) -> str:
    """What a row is, by its key columns."""
    return "\0".join(str(row.get(column)) for column in columns)


def text_of(row: Mapping[str, Any], column: str) -> str:
    """A text of a row, safe to draw in a sentence."""
    return sanitise_line(str(row.get(column) or ""), 120)


def limit_style(look: Look, probe: str, column: str, value: Any) -> str:
    """The style of a value by the limits that hold in this phase."""
    warn, critical = look.thresholds.limits(probe, column, look.phase)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return ""
    if critical is not None and value >= critical:
        return LEVEL_STYLES[Level.CRITICAL]
    return LEVEL_STYLES[Level.WARN] if warn is not None and value >= warn else ""


def held_back(look: Look) -> str:
    """Why what is heavy is not read now: the watcher asks nothing of the kind that could join the migration's queue."""
    rows = rows_of(look.source.latest("lock_tree"))
    chained = any(row.get("migration") and (row.get("waits_for") or row.get("holds_up")) for row in rows)
    return "it waits until the migration is out of its lock queue" if chained else ""


# -- activity and locks -----------------------------------------------------------------------------------------------

_LOCKS = (
    C("who", "who waits for whom", "text", "lock_tree", 9, 20, 2),
    C("stands", "stands", "text", "lock_tree", 8, 45),
    C("wait_s", "waits", "s", "lock_tree", 7, missing="–"),
    C("mode", "mode", "text", "lock_tree", 5, 16, missing="–"),
    C("relation", "on", "text", "lock_tree", 6, 12, 2, "–"),
    C("state", "state", "text", "lock_tree", 3, 10),
    C("user", "user", "text", "lock_tree", 2, 8),
    C("query", "query", "text", "lock_tree", 4, 12, 5),
)


def lock_tree(look: Look) -> Sheet:
    """Roots first, the migration by its name."""
    readings = look.read("lock_tree")
    rows = [_lock_row(look, row) for row in rows_of(readings["lock_tree"])]
    return Sheet(
        "Lock tree",
        _LOCKS,
        tuple(rows),
        (Source("lock_tree"),),
        readings,
        empty="nobody waits for a lock",
        phase=look.phase,
    )


def _lock_row(look: Look, row: Mapping[str, Any]) -> Row:
    depth = row.get("depth") or 0
    pid, kind = row.get("pid"), row.get("kind")
    if kind == "group":
        who = "waiters together"
    elif kind == "prepared" or pid == 0:
        who = "a prepared transaction"
    elif row.get("migration"):
        who = f"MIGRATION {pid}"
    else:
        who = f"{pid} {text_of(row, 'application')}".strip()
    if row.get("cycle"):
        who += " (deadlock)"
    style = "bold $accent" if row.get("migration") else "$muted" if row.get("ours") else ""
    victim = row.get("oldest_victim_s")
    styles = {
        "wait_s": limit_style(look, "lock_tree", "wait_s", row.get("wait_s")) or style,
        "stands": _victim_style(look, row, victim) or style,
    }
    values = dict(row) | {"who": who, "stands": standing(row)}
    return Row(
        key_of(row, "pid", "backend_start", "mode", "relation")
        if kind == "group"
        else key_of(row, "pid", "backend_start"),
        values,
        style,
        styles,
        lead="  " * (depth - 1) + "└ " if depth else "",
        extra=(
            ("blocked by", "pids", row.get("blocked_by")),
            ("application", "text", row.get("application")),
            ("backend start", "time", row.get("backend_start")),
        ),
    )


def _victim_style(look: Look, row: Mapping[str, Any], victim: Any) -> str:
    return limit_style(look, "lock_tree", "oldest_victim_s" if row.get("migration") else "wait_s", victim)


def standing(row: Mapping[str, Any]) -> str:
    """Where a session stands in the tree.

    >>> standing({"waits_for": 1, "holds_up": 14, "oldest_victim_s": 6.2})
    'waits for 1, holds up 14, oldest victim 6.2 s'
    """
    parts = []
    if row.get("waits_for"):
        parts.append(f"waits for {row['waits_for']}")
    if row.get("holds_up"):
        parts.append(f"holds up {row['holds_up']}")
        if row.get("oldest_victim_s") is not None:
            parts.append(f"oldest victim {row['oldest_victim_s']:.1f} s")
    return ", ".join(parts)


_SESSIONS = (
    C("pid", "pid", "pid", "sessions", 9),
    C("state", "state", "text", "sessions", 8, 12),
    C("wait", "waits for", "text", "sessions", 7, 14, 1),
    C("xact_s", "xact", "s", "sessions", 7, missing="–"),
    C("query_s", "query", "s", "sessions", 6, missing="–"),
    C("state_s", "in state", "s", "sessions", 4),
    C("user", "user", "text", "sessions", 5, 9),
    C("application", "application", "text", "sessions", 6, 12, 1),
    C("client", "client", "text", "sessions", 3, 10, 1),
    C("database", "database", "text", "sessions", 2, 10, 1),
    C("backend_type", "type", "text", "sessions", 1, 10),
    C("text", "statement", "text", "sessions", 8, 14, 6),
)


def sessions(look: Look) -> Sheet:
    """Everybody on the server: the waiting first, then the active, then those in a transaction."""
    readings = look.read("sessions")
    return Sheet(
        "Sessions",
        _SESSIONS,
        tuple(_session_row(look, row) for row in rows_of(readings["sessions"])),
        (Source("sessions"),),
        readings,
        empty="no other session",
        phase=look.phase,
    )


def _session_row(look: Look, row: Mapping[str, Any]) -> Row:
    wait = " ".join(part for part in (text_of(row, "wait_type"), text_of(row, "wait_event")) if part)
    blocked = row.get("wait_type") == "Lock"
    style = (
        "bold $accent" if row.get("migration") else "$muted" if row.get("ours") or row.get("state") == "idle" else ""
    )
    idle = str(row.get("state") or "").startswith("idle in")
    old = look.thresholds.limits("long_xact", "age_s", look.phase)[0]
    xact = row.get("xact_s")
    styles = {
        "wait": "bold $danger" if blocked else style,
        "state": "$caution" if idle else style,
        "xact_s": "$caution" if old is not None and xact is not None and xact >= old and not row.get("ours") else style,
    }
    values = dict(row) | {"wait": wait, "text": row.get("query")}
    texts = {"state": text_of(row, "state").replace("idle in transaction", "idle in xact")} if idle else {}
    return Row(
        key_of(row, "pid", "backend_start"),
        values,
        style,
        styles,
        texts=texts,
        extra=(
            ("backend start", "time", row.get("backend_start")),
            ("parallel leader", "pid", row.get("leader")),
            ("in the target", "bool", row.get("in_target")),
        ),
    )
