"""Shapes made of sessions and locks: who is there, who waits for whom, where the migration stands."""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from migconsole.adapters.postgres.probes.shaping import Pass, Row, Shaped, share
from migconsole.domain.locks import PREPARED, Node, Waiter, build, position
from migconsole.domain.readings import Quality

SESSION_LIMIT = 200
"""Sessions that are listed; counts are of all."""

WAITER_LIMIT = 100
"""Waiters above which the lock manager is not asked for each any more, and only counts are shown."""

PROFILE_SAMPLES = 60
"""Samples of active sessions that the wait profile is made of."""

GRANT = "grant pg_read_all_stats or pg_monitor"

_COMMENTS = r"^\s*(?:/\*.*?\*/\s*|--[^\n]*\n\s*)*"
_DDL = re.compile(
    _COMMENTS
    + r"(?:alter\s+(?:table|index|type|sequence|materialized)|create\s+(?:unique\s+)?index|create\s+table|drop\s+"
    r"(?:table|index|column|type|view|materialized|schema)|reindex|cluster|truncate|repack|vacuum\s+(?:full|\([^)]*full)|"
    r"refresh\s+materialized)",
    re.IGNORECASE | re.DOTALL,
)
REWRITE = re.compile(
    _COMMENTS + r"(?:alter\s+(?:table|materialized)|refresh\s+materialized|do\b)", re.IGNORECASE | re.DOTALL
)
_DUMP = re.compile(
    _COMMENTS + r"(?:copy\s.+\sto\s+stdout|lock\s+table\s.+\sin\s+access\s+share\s+mode|select\s+(?:pg_catalog\.)?"
    r"pg_export_snapshot|set\s+transaction\s+snapshot|set\s+transaction\s+isolation\s+level\s+(?:repeatable\s+read|"
    r"serializable),\s+read\s+only)",
    re.IGNORECASE | re.DOTALL,
)
_VACUUM = re.compile(r"^autovacuum: (VACUUM|ANALYZE|VACUUM ANALYZE|BRIN summarize)\s+(\S+)", re.IGNORECASE)
_MODES = {
    "AccessShareLock": "ACCESS SHARE",
    "RowShareLock": "ROW SHARE",
    "RowExclusiveLock": "ROW EXCLUSIVE",
    "ShareUpdateExclusiveLock": "SHARE UPDATE EXCLUSIVE",
    "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE",
    "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}


@dataclass(slots=True)
class Picture:
    """Sessions and locks of one pass, sorted out once for all shapes."""

    by_pid: dict[int, Row] = field(default_factory=dict)
    wanted: dict[int, Row] = field(default_factory=dict)
    """The lock each waiter waits for."""
    sums: dict[int | None, Row] = field(default_factory=dict)
    exclusive: list[Row] = field(default_factory=list)
    """ACCESS EXCLUSIVE locks on relations of the target, held and wanted."""
    on_watched: dict[int, set[int]] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    own: frozenset[int] = frozenset()
    migration: dict[int, str] = field(default_factory=dict)
    """The migration's sessions, and how they were found."""
    hidden: int = 0


def picture(look: Pass) -> Picture:
    """Sort out sessions and locks; made once in a pass."""
    made: Picture = look.once("picture", lambda: _picture(look))
    return made


def _picture(look: Pass) -> Picture:
    found = Picture(own=frozenset(look.shared.own.values()))
    for row in look.rows("activity"):
        found.by_pid[row["pid"]] = row
        found.hidden += bool(row["hidden"])
    prisma: set[int] = set()
    for lock in look.rows("locks"):
        pid = lock["pid"]
        if lock["kind"] == "sum":
            found.sums[pid] = lock
            continue
        if not lock["granted"]:
            found.wanted[pid] = lock
        if lock["prisma"] and lock["granted"]:
            prisma.add(pid)
        if lock["locktype"] == "relation" and lock["database"] == look.shared.database_oid:
            if lock["mode"] == "AccessExclusiveLock":
                found.exclusive.append(lock)
            if lock["granted"] and lock["relation"] in look.shared.watched_oids:
                found.on_watched.setdefault(pid if pid is not None else PREPARED, set()).add(lock["relation"])
    found.nodes = build(
        [Waiter(row["pid"], tuple(row["blockers"]), _wait(found, row["pid"])) for row in _blocking(look)]
    )
    found.migration = _migration(look, found, prisma)
    return found


def _blocking(look: Pass) -> list[Row]:
    return [row for row in look.rows("blocking") if row["blockers"]]


def _wait(found: Picture, pid: int) -> float | None:
    """Seconds waited: from the lock itself (14+), else since the session's state changed."""
    lock, session = found.wanted.get(pid), found.by_pid.get(pid)
    if lock is not None and lock["wait_s"] is not None:
        waited: float = lock["wait_s"]
        return waited
    return session["query_s"] if session is not None else None


def _migration(look: Pass, found: Picture, prisma: set[int]) -> dict[int, str]:
    watched = look.shared.watched
    named = {pid: "process number" for pid in watched.pids if pid in found.by_pid}
    for pid, row in found.by_pid.items():
        if row["application_name"] and row["application_name"] in watched.app_names:
            named[pid] = "application name"
    if named:
        return named
    held = {pid: "Prisma's advisory lock" for pid in sorted(prisma) if pid in found.by_pid}
    if held:
        return held
    return {
        pid: "it changes the schema"
        for pid, row in found.by_pid.items()
        if row["datid"] == look.shared.database_oid
        and row["backend_type"] == "client backend"
        and row["state"] == "active"
        and _DDL.match(row["query"] or "")
    }


def _who(look: Pass, row: Row | None) -> dict[str, Any]:
    if row is None:
        return {}
    return {
        "application": row["application_name"],
        "user": look.shared.names.other("role", row["usesysid"]),
        "state": row["state"],
        "query": row["query"],
        "backend_start": row["backend_start"],
        "xact_s": row["xact_s"],
        "query_s": row["query_s"],
    }


def _ours(look: Pass, row: Row) -> bool:
    return row["pid"] in look.shared.own.values() or (row["application_name"] or "").startswith("migconsole/")


def judged(look: Pass, rows: list[dict[str, Any]]) -> Shaped:
    """Rows that hide something say so: what other roles do cannot be called healthy unseen."""
    hidden = picture(look).hidden
    if not hidden:
        return Shaped(rows)
    verb = "session is" if hidden == 1 else "sessions are"
    return Shaped(rows, Quality.NO_PRIVILEGE, f"{hidden} {verb} hidden: {GRANT}")


def sessions(look: Pass) -> Shaped:
    """The sessions that matter most."""
    found = picture(look)
    rows = []
    for row in look.rows("activity"):
        waits = row["wait_event_type"] == "Lock"
        order = (not waits, row["state"] != "active", row["xact_s"] is None, -(row["xact_s"] or row["state_s"] or 0.0))
        rows.append((order, row))
    rows.sort(key=lambda pair: pair[0])
    return judged(look, [_session(look, found, row) for _, row in rows[:SESSION_LIMIT]])


def _session(look: Pass, found: Picture, row: Row) -> dict[str, Any]:
    return {
        **_who(look, row),
        "pid": row["pid"],
        "database": look.shared.names.other("database", row["datid"]),
        "client": row["client"],
        "backend_type": row["backend_type"],
        "wait_type": row["wait_event_type"],
        "wait_event": row["wait_event"],
        "state_s": row["state_s"],
        "leader": row["leader_pid"],
        "in_target": row["datid"] == look.shared.database_oid,
        "ours": _ours(look, row),
        "migration": row["pid"] in found.migration,
    }


def conn_saturation(look: Pass) -> Shaped:
    """How many slots are taken. A hidden session takes one too, so this needs no privilege."""
    server = look.first("server")
    clients = [
        r for r in look.rows("activity") if r["backend_type"] == "client backend" or (r["hidden"] and r["datid"])
    ]
    states = Counter(row["state"] for row in clients if not row["hidden"])
    idle_in_xact = states["idle in transaction"] + states["idle in transaction (aborted)"]
    hidden = sum(1 for row in clients if row["hidden"])
    reserved = server["superuser_reserved"] + server["reserved"]
    slots = server["max_connections"] - reserved
    row = {
        "used": len(clients),
        "slots": slots,
        "free": slots - len(clients),
        "used_share": share(len(clients), slots),
        "active": states["active"],
        "idle": states["idle"],
        "idle_in_xact": idle_in_xact,
        "waiting": sum(1 for row in clients if row["wait_event_type"] == "Lock"),
        "other": len(clients) - hidden - states["active"] - states["idle"] - idle_in_xact,
        "in_target": sum(1 for row in clients if row["datid"] == look.shared.database_oid),
        "hidden": hidden,
        "max_connections": server["max_connections"],
        "reserved": reserved,
    }
    if hidden:
        row |= dict.fromkeys(("active", "idle", "idle_in_xact", "waiting", "other"))
    return Shaped([row])


def lock_tree(look: Pass) -> Shaped:
    """The tree, or above the limit counts by what is wanted."""
    found = picture(look)
    if len(found.wanted) > WAITER_LIMIT:
        return judged(look, _groups(look, found))
    rows = []
    for node in found.nodes:
        lock = found.wanted.get(node.pid) or _held(found, node.pid)
        row = found.by_pid.get(node.pid)
        rows.append(
            {
                **_who(look, row),
                "depth": node.depth,
                "pid": node.pid,
                "kind": "prepared" if node.pid == PREPARED else "session",
                "blocked_by": list(node.blocked_by),
                "waits_for": len(node.blocked_by),
                "holds_up": node.holds_up,
                "wait_s": node.wait,
                "oldest_victim_s": node.oldest_victim,
                "lock": lock["locktype"] if lock else None,
                "mode": mode(lock["mode"]) if lock else None,
                "relation": look.shared.names.relation(lock["relation"]) if lock else None,
                "migration": node.pid in found.migration,
                "ours": row is not None and _ours(look, row),
                "cycle": node.cycle,
            }
        )
    return judged(look, rows)


def _held(found: Picture, pid: int) -> Row | None:
    return next((lock for lock in found.exclusive if lock["pid"] == pid and lock["granted"]), None)


def _groups(look: Pass, found: Picture) -> list[dict[str, Any]]:
    groups = Counter((lock["locktype"], lock["mode"], lock["relation"]) for lock in found.wanted.values())
    waits: dict[tuple[Any, ...], float] = {}
    for pid, lock in found.wanted.items():
        key = (lock["locktype"], lock["mode"], lock["relation"])
        waits[key] = max(waits.get(key, 0.0), _wait(found, pid) or 0.0)
    return [
        {
            "depth": 0,
            "kind": "group",
            "holds_up": number,
            "oldest_victim_s": waits[key],
            "wait_s": waits[key],
            "lock": key[0],
            "mode": mode(key[1]),
            "relation": look.shared.names.relation(key[2]),
            "migration": False,
            "ours": False,
            "cycle": False,
        }
        for key, number in groups.most_common()
    ]


def mode(name: str | None) -> str | None:
    """A lock mode as the documentation writes it."""
    return _MODES.get(name, name) if name else None


def ael_queue(look: Pass) -> Shaped:
    """ACCESS EXCLUSIVE on relations of the target: held or wanted, since when, and how many queue behind it."""
    found = picture(look)
    behind = Counter(lock["relation"] for lock in found.wanted.values() if lock["locktype"] == "relation")
    rows = []
    for lock in found.exclusive:
        session = found.by_pid.get(lock["pid"])
        wait = _wait(found, lock["pid"]) if not lock["granted"] else None
        rows.append(
            {
                **_who(look, session),
                "pid": lock["pid"] if lock["pid"] is not None else PREPARED,
                "relation": look.shared.names.relation(lock["relation"]),
                "relation_oid": lock["relation"],
                "granted": lock["granted"],
                "since_s": wait if not lock["granted"] else (session["xact_s"] if session else None),
                "behind": behind[lock["relation"]] - (not lock["granted"]),
                "migration": lock["pid"] in found.migration,
                "watched": lock["relation"] in look.shared.watched_oids,
            }
        )
    rows.sort(key=lambda row: (-row["behind"], row["granted"]))
    return judged(look, rows[:SESSION_LIMIT])


def migration_session(look: Pass) -> Shaped:
    """Where the migration itself stands."""
    found, watched = picture(look), look.shared.watched
    place = position(found.nodes, found.migration.keys())
    rows = []
    for pid, how in found.migration.items():
        own = position(found.nodes, [pid])
        sums = found.sums.get(pid)
        session = found.by_pid[pid]
        rows.append(
            {
                **_who(look, session),
                "found": True,
                "running": watched.running,
                "pid": pid,
                "found_by": how,
                "wait_type": session["wait_event_type"],
                "wait_event": session["wait_event"],
                "locks_held": sums["held"] if sums else 0,
                "locks_wanted": sums["wanted"] if sums else 0,
                "waits_for": own.waits_for,
                "holds_up": own.holds_up,
                "oldest_victim_s": own.oldest_victim,
                "summary": (place if len(found.migration) == 1 else own).text,
                "lock_timeout_s": watched.lock_timeout,
            }
        )
    gone = _gone(look, bool(rows))
    if not rows:
        lock_timeout = watched.lock_timeout
        rows.append({"found": False, "running": watched.running, "gone_s": gone, "lock_timeout_s": lock_timeout})
    return judged(look, rows)


def _gone(look: Pass, found: bool) -> float | None:
    """Seconds since the running step's session was last seen; None where the step has had none, or nothing runs.

    A script may well be between two of its commands, and a step that has not come to the database yet has lost nothing.
    """
    memory = look.memory("migration_session")
    if not look.shared.watched.running:
        memory.clear()
    elif found:
        memory["seen"] = look.now
    return look.now - memory["seen"] if "seen" in memory and not found else None


def idle_in_xact(look: Pass) -> Shaped:
    """Sessions that hold what they hold and do nothing."""
    found = picture(look)
    rows = []
    for row in look.rows("activity"):
        if not (row["state"] or "").startswith("idle in transaction"):
            continue
        names = [look.shared.names.relation(oid) for oid in sorted(found.on_watched.get(row["pid"], ()))]
        sums = found.sums.get(row["pid"])
        extra = {
            "pid": row["pid"],
            "idle_s": row["state_s"],
            "locks": sums["relations"] if sums else 0,
            "watched": names[:10],
            "ours": _ours(look, row),
        }
        rows.append(_who(look, row) | extra)
    rows.sort(key=lambda row: (not row["watched"], -(row["idle_s"] or 0.0)))
    return judged(look, rows[:SESSION_LIMIT])


def long_xact(look: Pass) -> Shaped:
    """What keeps old row versions alive: transactions, prepared ones, standbys and slots."""
    found = picture(look)
    rows: list[dict[str, Any]] = []
    for row in look.rows("activity"):
        if row["xact_s"] is None and row["xmin_age"] is None:
            continue
        kind = "walsender" if row["backend_type"] == "walsender" else "transaction"
        rows.append(
            {
                **_who(look, row),
                "kind": kind,
                "pid": row["pid"],
                "age_s": row["xact_s"],
                "xmin_age": row["xmin_age"],
                "migration": row["pid"] in found.migration,
            }
        )
    for row in look.rows("prepared"):
        owner = look.shared.names.other("role", row["ownerid"])
        rows.append({"kind": "prepared", "pid": PREPARED, "name": row["gid"], "user": owner, **_ages(row)})
    for row in look.rows("slots"):
        ages = [age for age in (row["xmin_age"], row["catalog_xmin_age"]) if age is not None]
        if ages:
            rows.append({"kind": "slot", "name": row["slot_name"], "xmin_age": max(ages)})
    rows.sort(key=lambda row: -(row.get("age_s") or 0.0))
    return judged(look, rows[:50])


def _ages(row: Row) -> dict[str, Any]:
    return {"age_s": row["age_s"], "xmin_age": row["xmin_age"]}


def dump_running(look: Pass) -> Shaped:
    """Dumps hold ACCESS SHARE on everything until they end."""
    found, watched = picture(look), look.shared.watched
    rows = []
    for row in look.rows("activity"):
        kind = _dump_kind(row, watched.dumps)
        if not kind:
            continue
        sums = found.sums.get(row["pid"])
        application = row["application_name"] or ""
        rows.append(
            {
                **_who(look, row),
                "pid": row["pid"],
                "kind": kind,
                "age_s": row["xact_s"] if row["xact_s"] is not None else row["query_s"],
                "relation": None,
                "ours": application.startswith("mc/") or application in watched.dumps,
                "locks": sums["relations"] if sums else 0,
            }
        )
    return judged(look, rows)


def _dump_kind(row: Row, dumps: tuple[str, ...]) -> str:
    application, query = row["application_name"] or "", row["query"] or ""
    if row["backend_type"] == "walsender":
        base = application == "pg_basebackup" or re.match(r"\s*BASE_BACKUP", query, re.IGNORECASE)
        return "base backup" if base else ""
    if row["backend_type"] != "client backend":
        return ""
    if application in ("pg_dump", "pg_dumpall") or application in dumps:
        return "dump"
    return "dump" if row["xact_s"] is not None and _DUMP.match(query) else ""


def wait_profile(look: Pass) -> Shaped:
    """What active sessions were found waiting for, sampled: the migration apart from each application."""
    found = picture(look)
    samples: deque[Counter[tuple[str, str, str]]] = look.memory("wait_profile").setdefault(
        "samples", deque(maxlen=PROFILE_SAMPLES)
    )
    one: Counter[tuple[str, str, str]] = Counter()
    for row in look.rows("activity"):
        if row["state"] == "active" and not row["hidden"] and not _ours(look, row):
            who = (
                "migration" if row["pid"] in found.migration else row["application_name"] or row["backend_type"] or "?"
            )
            one[who, row["wait_event_type"] or "CPU", row["wait_event"] or "running"] += 1
    samples.append(one)
    total: Counter[tuple[str, str, str]] = Counter()
    for sample in samples:
        total.update(sample)
    seen = sum(total.values())
    keys = ("who", "wait_type", "wait_event")
    rows = [
        {**dict(zip(keys, key, strict=True)), "samples": number, "share": number / seen}
        for key, number in total.most_common(50)
    ]
    return judged(look, rows)


def vacuum_on_target(look: Pass) -> Shaped:
    """Autovacuum at work in the target; to prevent wraparound it does not step aside for DDL."""
    progress = {row["pid"]: row for row in look.rows("progress")}
    rows = []
    for row in look.rows("activity"):
        if row["backend_type"] != "autovacuum worker" or row["datid"] != look.shared.database_oid:
            continue
        query = row["query"] or ""
        match = _VACUUM.match(query)
        step = progress.get(row["pid"])
        oid = step["relid"] if step else None
        rows.append(
            {
                **_who(look, row),
                "pid": row["pid"],
                "relation": match[2] if match else look.shared.names.relation(oid),
                "command": match[1].upper() if match else None,
                "wraparound": "to prevent wraparound" in query,
                "watched": oid in look.shared.watched_oids or _names_watched(look, match[2] if match else ""),
                "phase": step["phase"] if step else None,
                "share": share(step["done"], step["total"]) if step else None,
                "elapsed_s": row["query_s"],
            }
        )
    return judged(look, rows)


def _names_watched(look: Pass, name: str) -> bool:
    names = (look.shared.names.relation(oid) or "" for oid in look.shared.watched_oids)
    return bool(name) and name in {known.replace('"', "") for known in names}


def self_cost(look: Pass) -> Shaped:
    """Our own sessions: how much they do, and whether one of them waits."""
    found, cost, server = picture(look), look.shared.cost, look.first("server")
    waits = [wait for pid in found.own if pid in found.wanted and (wait := _wait(found, pid)) is not None]
    row = {
        "busy_share": cost.share,
        "queries_per_s": cost.rate,
        "connections": len(look.shared.own),
        "waiting": sum(1 for pid in found.own if pid in found.wanted),
        "longest_wait_s": max(waits, default=0.0),
        "memory": _memory(look),
        "lock_timeout_s": server.get("lock_timeout_s"),
        "deadlock_timeout_s": server.get("deadlock_timeout_s"),
    }
    return Shaped([row])


def _memory(look: Pass) -> int | None:
    """Memory of our own backends that is theirs alone, from /proc, where the server is proven to be on this host."""
    if not look.shared.local:
        return None
    total = 0
    try:
        for pid in look.shared.own.values():
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                _, resident, shared = (int(word) for word in file.read().split()[:3])
            total += (resident - shared) * 4096
    except (OSError, ValueError):
        return None
    return total
