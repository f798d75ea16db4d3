"""Shapes of what the server as a whole does: progress, WAL, replication, archiving, counters, identity."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

from migconsole.adapters.postgres.probes.activity import GRANT, REWRITE, judged, picture
from migconsole.adapters.postgres.probes.shaping import Pass, Row, Shaped, rate, share, since, unmoved
from migconsole.domain.readings import Quality
from migconsole.domain.rewrites import estimate

_SEGMENT = re.compile(r"[0-9A-F]{24}")

SUSPECTED_AFTER = 1.0
"""Seconds an ALTER TABLE must last before it is taken for a rewrite."""

IDLE_SIZE_INTERVAL = 60.0
"""Least seconds between two readings of the database's size while nothing is rewritten."""


def progress_index(look: Pass) -> Shaped:
    """Index builds, and whom they wait for."""
    found = picture(look)
    source = look.rows("progress_index")
    lockers = {row["pid"]: row["locker"] for row in source}
    waiting = unmoved(look.memory("progress_index"), lockers, look.now)
    rows = []
    for row in source:
        session = found.by_pid.get(row["pid"])
        unit = "blocks" if row["blocks_total"] else "tuples"
        done, total = row[f"{unit}_done"], row[f"{unit}_total"]
        step = f": {row['step']}" if row["step"] else ""
        rows.append(
            {
                "pid": row["pid"],
                "command": row["command"],
                "relation": look.shared.names.relation(row["relid"]),
                "index": look.shared.names.relation(row["index_relid"]),
                "phase": f"{row['phase']}{step}",
                "share": share(done, total),
                "done": done,
                "total": total,
                "unit": unit,
                "lockers_done": row["lockers_done"],
                "lockers_total": row["lockers_total"],
                "locker": row["locker"] or None,
                "waiting_s": waiting[row["pid"]] if row["locker"] else 0.0,
                **_session_of(session),
                "migration": row["pid"] in found.migration,
            }
        )
    return judged(look, rows)


def _session_of(session: Row | None) -> dict[str, Any]:
    if session is None:
        return {}
    return {
        "elapsed_s": session["query_s"],
        "application": session["application_name"],
        "query": session["query"],
        "backend_start": session["backend_start"],
    }


def progress_other(look: Pass) -> Shaped:
    """All other work with a progress of its own, and for how long it has not moved."""
    found = picture(look)
    source = [row for row in look.rows("progress") if row["command"] is not None]
    marks = {(row["pid"], row["command"]): (row["phase"], row["mark"]) for row in source}
    still = unmoved(look.memory("progress_other"), marks, look.now)
    rows = [
        {
            "pid": row["pid"],
            "command": row["command"],
            "relation": look.shared.names.relation(row["relid"]),
            "phase": row["phase"],
            "share": share(row["done"], row["total"]),
            "done": row["done"],
            "total": row["total"],
            "unit": row["unit"],
            "still_s": still[row["pid"], row["command"]],
            **_session_of(found.by_pid.get(row["pid"])),
            "migration": row["pid"] in found.migration,
        }
        for row in source
    ]
    return judged(look, rows)


def wal_rate(look: Pass) -> Shaped:
    """Where the server writes, and how fast."""
    row = look.first("wal")
    seconds, growth = since(look.memory("wal_rate"), {"position": row["position"]}, look.now)
    return Shaped([{**row, "rate": rate(growth["position"], seconds)}])


def replication_lag(look: Pass) -> Shaped:
    """Standbys and what each is behind; bytes, because time understates a standstill."""
    rows = look.rows("replication")
    hidden = sum(1 for row in rows if row["hidden"])
    if hidden:
        return Shaped(rows, Quality.NO_PRIVILEGE, f"what {hidden} standbys have received is hidden: {GRANT}")
    return Shaped(rows)


def suspects(look: Pass) -> list[Row]:
    """Sessions that may be rewriting a table: active, for a while, with ACCESS EXCLUSIVE in their hands."""
    found = picture(look)
    holders = {lock["pid"] for lock in found.exclusive if lock["granted"]}
    return [
        row
        for pid, row in found.by_pid.items()
        if pid in holders
        and row["state"] == "active"
        and row["wait_event_type"] != "Lock"
        and (row["query_s"] or 0.0) >= SUSPECTED_AFTER
        and REWRITE.match(row["query"] or "")
    ]


def size_wanted(look: Pass) -> bool:
    """Whether the database's size is worth its price now: while a rewrite is suspected, else once in a while."""
    last = look.memory("rewrite_eta").get("idle_at")
    return bool(suspects(look)) or last is None or look.now - last >= IDLE_SIZE_INTERVAL


def rewrite_eta(look: Pass) -> Shaped:
    """How far rewrites are, from the growth of the database since before they began."""
    memory, found = look.memory("rewrite_eta"), picture(look)
    size, position = look.first("size").get("size"), look.first("wal")["position"]
    running = suspects(look)
    if size is None:
        size = memory.get("size")
    else:
        memory["size"] = size
        memory.setdefault("first", size)
    growth = None if size is None else size - memory["first"]
    begun: dict[tuple[int, Any], dict[str, Any]] = memory.setdefault("begun", {})
    if not running:
        begun.clear()
        if "size" in look.fetched:
            memory["idle_at"], memory["base"] = look.now, (size, position)
        return judged(look, [{"database_size": size, "growth": growth}])
    rows = []
    for session in running:
        key = (session["pid"], session["backend_start"])
        base = begun.setdefault(
            key,
            dict(zip(("size", "wal"), memory.get("base", (size, position)), strict=True), moved=look.now, last=size),
        )
        if size != base["last"]:
            base["last"], base["moved"] = size, look.now
        rows.append(_rewrite(look, session, base, size, position) | {"database_size": size, "growth": growth})
        rows[-1]["migration"] = session["pid"] in found.migration
    for key in [key for key in begun if key[0] not in {row["pid"] for row in rows}]:
        del begun[key]
    return judged(look, rows)


def _rewrite(look: Pass, session: Row, base: dict[str, Any], size: int | None, position: int) -> dict[str, Any]:
    held = [lock["relation"] for lock in picture(look).exclusive if lock["pid"] == session["pid"] and lock["granted"]]
    known = [(look.shared.sizes[oid], oid) for oid in held if oid in look.shared.sizes]
    for oid in held:
        look.shared.names.relation(oid)
    (heap, total), oid = max(known, key=lambda pair: pair[0][1]) if known else ((0, 0), held[0])
    done = max(0, (size or 0) - (base["size"] or 0))
    still, wal = look.now - base["moved"], max(0, position - base["wal"])
    guess = estimate(heap=heap, total=total, done=done, elapsed=session["query_s"], still=still, wal=wal)
    return {
        "pid": session["pid"],
        "relation": look.shared.names.relation(oid),
        "phase": guess.phase,
        "share": guess.share,
        "eta_s": guess.eta,
        "done": done,
        "total": total or None,
        "still_s": still,
        "wal": wal,
        **_session_of(session),
    }


def slots_retained(look: Pass) -> Shaped:
    """Slots and the WAL they keep; before 17 inactivity is timed from when it was first seen."""
    source = look.rows("slots")
    idle = unmoved(look.memory("slots_retained"), {row["slot_name"]: row["active"] for row in source}, look.now)
    rows = []
    for row in source:
        inactive = row["inactive_s"] if row["inactive_s"] is not None else idle[row["slot_name"]]
        rows.append(
            {
                **row,
                "slot": row["slot_name"],
                "pid": row["active_pid"],
                "inactive_s": None if row["active"] else inactive,
            }
        )
    return Shaped(rows)


def archive_backlog(look: Pass) -> Shaped:
    """How far archiving is behind; whole segments between the last archived and the one being written."""
    row = look.first("archiver")
    _, growth = since(look.memory("archive_backlog"), {"failed": row["failed_count"]}, look.now)
    pending = _segments(row["last_archived_wal"], row["current_wal"], row["segment_size"]) if row["enabled"] else None
    shaped = {
        "enabled": row["enabled"],
        "pending": pending,
        "archived": row["archived_count"],
        "failed": row["failed_count"],
        "failed_rise": growth["failed"],
        "last_wal": row["last_archived_wal"],
        "last_at": row["last_archived_time"],
        "last_s": row["last_s"],
        "last_failed_wal": row["last_failed_wal"],
        "last_failed_at": row["last_failed_time"],
    }
    return Shaped([shaped])


def _segments(archived: str | None, current: str | None, size: int) -> int | None:
    if not archived or not current or not _SEGMENT.fullmatch(archived[:24]) or not _SEGMENT.fullmatch(current):
        return None

    def number(name: str) -> int:
        return int(name[8:16], 16) * (2**32 // size) + int(name[16:24], 16)

    return max(0, number(current) - number(archived[:24]) - 1)


def standby_conflicts(look: Pass) -> Shaped:
    """Queries that replay has cancelled here."""
    row = look.first("conflicts")
    if not row["in_recovery"]:
        return Shaped((), Quality.NOT_AVAILABLE, "only on a standby")
    _, growth = since(look.memory("standby_conflicts"), {"all": row["all"]}, look.now)
    return Shaped([{**row, "rise": growth["all"]}])


def db_counters(look: Pass) -> Shaped:
    """Counters of the target and what follows from two readings of them."""
    row = look.first("counters")
    numbers = {name: value for name, value in row.items() if name != "stats_reset"}
    seconds, growth = since(look.memory("db_counters"), numbers, look.now)
    ended = _sum(growth["commits"], growth["rollbacks"])
    blocks = _sum(growth["blocks_hit"], growth["blocks_read"])
    deadlocks = rate(growth["deadlocks"], seconds)
    shaped = {
        **row,
        "tps": rate(ended, seconds),
        "rollback_share": share(growth["rollbacks"], ended),
        "cache_hit": share(growth["blocks_hit"], blocks),
        "deadlocks_per_min": None if deadlocks is None else 60 * deadlocks,
        "temp_rate": rate(growth["temp_bytes"], seconds),
    }
    return Shaped([shaped])


def _sum(*parts: float | None) -> float | None:
    return None if None in parts else sum(part for part in parts if part is not None)


def checkpoints(look: Pass) -> Shaped:
    """Checkpoints by schedule against those that were demanded or forced by WAL."""
    row, memory = look.first("checkpoints"), look.memory("checkpoints")
    first = memory.setdefault("first", (row["timed"], row["requested"]))
    timed, requested = row["timed"] - first[0], row["requested"] - first[1]
    if timed < 0 or requested < 0:
        first = memory["first"] = (row["timed"], row["requested"])
        timed, requested = 0, 0
    counted = timed + requested
    if not counted:
        timed, requested = row["timed"], row["requested"]
    return Shaped([{**row, "timed_share": share(timed, timed + requested), "counted": counted}])


def clock_skew(look: Pass) -> Shaped:
    """The server's clock against ours; the truth lies within half the round trip."""
    server: datetime = look.first("clock")["server_time"]
    trip: float = look.derived.get("took:clock", 0.0) / 1000
    here = look.derived.get("until:clock", time.time()) - trip / 2
    return Shaped([{"skew_s": server.timestamp() - here, "uncertainty_s": trip / 2, "server_time": server}])


def server_identity(look: Pass) -> Shaped:
    """Who the server is, and what is not as it was at first."""
    server, identity, memory = look.first("server"), look.first("identity"), look.memory("server_identity")
    now = {
        "started_at": server["started_at"].astimezone(UTC).isoformat(),
        "in_recovery": server["in_recovery"],
        "system_identifier": identity.get("system_identifier"),
        "timeline": identity.get("timeline"),
        "version": server["version"],
        "database_oid": look.shared.database_oid,
    }
    first = memory.setdefault("first", now)
    deed = look.shared.watched.replacing
    if deed and deed != memory.get("deed") and first["database_oid"] != now["database_oid"]:
        # Once for each rollback: whoever replaces the database after that is not us.
        memory["deed"] = deed
        first = memory["first"] = {**first, "database_oid": now["database_oid"]}
    words = {
        "started_at": "restarted",
        "in_recovery": "is the primary now" if not now["in_recovery"] else "is a standby now",
        "system_identifier": "another cluster",
        "timeline": "another timeline",
        "version": "another version",
        "database_oid": "another database under the name",
    }
    changed = [
        words[key] for key in words if first[key] != now[key] and first[key] is not None and now[key] is not None
    ]
    previous = ", ".join(f"{key} {first[key]}" for key in words if first[key] != now[key]) if changed else ""
    return Shaped([{**now, "changed": ", ".join(changed), "previous": previous}])
