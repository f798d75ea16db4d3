"""Shapes of what lies in the target: sizes, tables, indexes, constraints, sequences, statements, settings."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path
from typing import Any

from migconsole.adapters.postgres.locality import locality
from migconsole.adapters.postgres.probes.shaping import Pass, Row, Shaped, rate, share, since
from migconsole.domain.readings import Quality

PAGE = 8192
_TUPLE_HEADER = 24
_LINE_POINTER = 4
_PAGE_HEADER = 24
UNUSED_SIZE = 10 * 1024**2
"""Bytes from which an index nobody scans is worth naming; PgHero's limit."""


def _named(look: Pass, row: Row) -> dict[str, Any]:
    names = look.shared.names
    extra: dict[str, Any] = {}
    table = row.get("table_oid", row["oid"])
    extra["relation"] = names.relation(table)
    extra["watched"] = table in look.shared.watched_oids
    if "table_oid" in row:
        extra["index"] = names.relation(row["oid"])
    if "duplicate_oid" in row:
        extra["duplicate_of"] = names.relation(row["duplicate_oid"])
    return {**row, **extra}


def named(look: Pass, source: str) -> Shaped:
    """The rows of a probe's one source with the names of their numbers."""
    return Shaped([_named(look, row) for row in look.rows(source)])


def watch_sizes(look: Pass) -> Shaped:
    """Exact sizes; growth is since the first one seen of each table, which outlives its being skipped."""
    memory = look.memory("watch_sizes")
    first: dict[int, int] = memory.setdefault("first", {})
    last: dict[int, tuple[int, float]] = memory.setdefault("last", {})
    rows = []
    for row in look.rows("watch_sizes"):
        oid, size = row["oid"], row["size"]
        pace = None
        if size is not None:
            first.setdefault(oid, size)
            if oid in last and look.now > last[oid][1]:
                pace = (size - last[oid][0]) / (look.now - last[oid][1])
            last[oid] = (size, look.now)
        growth = None if size is None else size - first[oid]
        rows.append({**_named(look, row), "growth": growth, "growth_rate": pace})
    rows.sort(key=lambda row: -(row["size"] if row["size"] is not None else row["estimate"]))
    return Shaped(rows)


def all_sizes_est(look: Pass) -> Shaped:
    """Estimated sizes; they also tell what a rewrite of each table has to write."""
    first: dict[int, int] = look.memory("all_sizes_est").setdefault("first", {})
    rows = []
    for row in look.rows("sizes_estimated"):
        look.shared.sizes[row["oid"]] = (row["heap"], row["total"])
        growth = row["total"] - first.setdefault(row["oid"], row["total"])
        rows.append({**_named(look, row), "growth": growth})
    return Shaped(rows)


def tables_activity(look: Pass) -> Shaped:
    """Scans, changes and maintenance of tables."""
    rows = []
    for row in look.rows("tables"):
        scans = None if row["idx_scans"] is None else row["seq_scans"] + row["idx_scans"]
        rows.append(
            {
                **_named(look, row),
                "dead_share": share(row["dead"], row["live"] + row["dead"]),
                "idx_share": share(row["idx_scans"], scans),
            }
        )
    return Shaped(rows)


def index_usage(look: Pass) -> Shaped:
    """Use of indexes. What was there at the first reading is old, and what came since is new."""
    memory = look.memory("index_usage")
    rows = look.rows("indexes")
    known: dict[int, float | None] | None = memory.get("known")
    if known is None:
        known = memory["known"] = {row["oid"]: None for row in rows}
    tables: set[int] = memory.setdefault("tables", set())
    seen_before = set(tables)
    tables.update(row["table_oid"] for row in rows)
    scans: dict[int, int] = memory.setdefault("scans", {})
    shaped = []
    for row in rows:
        oid = row["oid"]
        if oid not in known:
            known[oid] = look.now if row["table_oid"] in seen_before else None
        born = known[oid]
        rise = row["scans"] - scans[oid] if oid in scans and row["scans"] >= scans[oid] else None
        scans[oid] = row["scans"]
        free = not (row["unique"] or row["primary"] or row["constraint"])
        shaped.append(
            {
                **_named(look, row),
                "scans_rise": rise,
                "new": born is not None,
                "age_s": None if born is None else look.now - born,
                "unused": free and row["scans"] == 0 and row["size"] >= UNUSED_SIZE,
            }
        )
    return Shaped(shaped)


def not_valid(look: Pass) -> Shaped:
    """Constraints that were never validated, and which of them came since the first reading."""
    rows = look.rows("not_valid")
    first = look.memory("not_valid").setdefault("first", {row["oid"] for row in rows})
    kinds = {"c": "CHECK", "f": "FOREIGN KEY", "n": "NOT NULL"}
    return Shaped(
        [
            {**_named(look, row), "type": kinds.get(row["type"], row["type"]), "new": row["oid"] not in first}
            for row in rows
        ]
    )


def sequences(look: Pass) -> Shaped:
    """How far sequences have come; without a grant a value is not known, which is not the same as not used."""
    rows = []
    unreadable = 0
    for row in look.rows("sequences"):
        unreadable += not row["readable"]
        used = None
        if row["readable"] and not row["skipped"] and row["ascending"] and not row["cycles"]:
            used = share(row["last_value"] or 0, row["limit_value"])
        rows.append(
            {
                **row,
                "sequence": look.shared.names.relation(row["oid"]),
                "relation": look.shared.names.relation(row["table_oid"]),
                "used_share": used,
            }
        )
    if unreadable:
        what = f"{unreadable} of {len(rows)} sequences cannot be read: grant SELECT on them, or pg_read_all_data (14+)"
        return Shaped(rows, Quality.NO_PRIVILEGE, what)
    return Shaped(rows)


def bloat_est(look: Pass) -> Shaped:
    """Pages there are against pages the rows would need."""
    rows, blind, unknown = [], 0, 0
    for row in look.rows("bloat"):
        base = _named(look, row)
        if not row["readable"]:
            blind += 1
            rows.append(base)
        elif not row["columns_known"] or row["rows"] < 0:
            unknown += 1
            rows.append(base)
        else:
            width = _aligned(_TUPLE_HEADER) + _aligned(row["width"]) + _LINE_POINTER
            fit = max(1.0, (PAGE - _PAGE_HEADER) * row["fillfactor"] / 100 // width)
            needed = PAGE * int(-(-row["rows"] // fit))
            wasted = max(0, row["size"] - needed)
            rows.append({**base, "wasted": wasted, "wasted_share": share(wasted, row["size"])})
    if blind:
        return Shaped(rows, Quality.NO_PRIVILEGE, f"{blind} tables cannot be judged: SELECT on them is not granted")
    if rows and unknown == len(rows):
        return Shaped(rows, Quality.NOT_AVAILABLE, "the tables were never analysed, or have no rows")
    if not rows:
        return Shaped((), Quality.NOT_AVAILABLE, "no table is watched")
    return Shaped(rows)


def _aligned(width: float) -> float:
    return -(-width // 8) * 8


def xid_age(look: Pass) -> Shaped:
    """How near databases and tables are to a vacuum that cannot be put off."""
    rows = []
    for row in look.rows("xid_age"):
        used = max(row["xid_age"] / row["freeze_max"], row["multixact_age"] / row["multixact_freeze_max"])
        name = row["name"] or look.shared.names.relation(row["oid"])
        rows.append({**row, "name": name, "used_share": used, "watched": row["oid"] in look.shared.watched_oids})
    return Shaped(rows)


def schema_fingerprint(look: Pass) -> Shaped:
    """Hashes of the schema by kind, and of all."""
    rows: list[dict[str, Any]] = [dict(row) for row in look.rows("schema_fingerprint")]
    whole = hashlib.sha256("".join(f"{row['kind']}{row['hash']}" for row in rows).encode()).hexdigest()[:32]
    rows.append({"kind": "all", "hash": whole, "objects": sum(row["objects"] for row in rows)})
    first = look.memory("schema_fingerprint").setdefault("first", {row["kind"]: row["hash"] for row in rows})
    return Shaped([{**row, "changed": first.get(row["kind"]) != row["hash"]} for row in rows])


def config_drift(look: Pass) -> Shaped:
    """Settings that are not as they were at the first reading."""
    now = {row["name"]: row for row in look.rows("settings")}
    text = "\n".join(f"{name}={row['value']}" for name, row in now.items())
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    hide = look.shared.masking.setting
    first: dict[str, Any] = look.memory("config_drift").setdefault(
        "first", {name: hide(name, row["value"]) for name, row in now.items()}
    )
    rows: list[dict[str, Any]] = [{"name": "", "hash": digest}]
    for name in sorted({*first, *now}):
        value = hide(name, now[name]["value"]) if name in now else None
        pending = bool(now.get(name, {}).get("pending_restart"))
        if value != first.get(name) or pending:
            source = now[name]["source"] if name in now else None
            rows.append(
                {
                    "name": name,
                    "value": value,
                    "before": first.get(name),
                    "source": source,
                    "pending_restart": pending,
                }
            )
    return Shaped(rows)


def pgss_health(look: Pass) -> Shaped:
    """How full the statement statistics are, and whether they can still be compared with the first reading."""
    row = look.first("statements_health")
    parts = ("stats_reset", "dealloc", "track", "version")
    first = look.memory("pgss_health").setdefault("first", {part: row[part] for part in parts})
    words = {
        "stats_reset": "the statistics were reset",
        "dealloc": "statements were evicted",
        "track": f"track was {first['track']}",
        "version": f"the extension was {first['version']}",
    }
    reset = first["stats_reset"] != row["stats_reset"]  # which counts evictions from nothing again
    changed = [words[part] for part in parts if first[part] != row[part] and not (reset and part == "dealloc")]
    return Shaped([{**row, "used_share": share(row["entries"], row["max_entries"]), "changed": ", ".join(changed)}])


def temp_files(look: Pass) -> Shaped:
    """Temporary files now, and how fast they are written."""
    row = look.first("temp_files")
    seconds, growth = since(look.memory("temp_files"), {"bytes_total": row["bytes_total"]}, look.now)
    return Shaped([{**row, "rate": rate(growth["bytes_total"], seconds)}])


async def find_volumes(look: Pass) -> None:
    """Look at the server's volumes, where they are proven to be of this host; for the shape that follows."""
    row = look.first("data_directory")
    if not row:
        return
    place = Path(row["directory"])
    proof = await asyncio.to_thread(locality, place, row["backend"], row["client_port"], row["started"])
    look.shared.local = proof.local
    look.derived["locality"] = proof
    if proof.local:
        spaces = zip(row["names"], row["locations"], strict=True)
        folders = [("data", place), ("wal", place / "pg_wal"), *((f"tablespace {n}", Path(p)) for n, p in spaces)]
        look.derived["volumes"] = [(name, folder, await asyncio.to_thread(_usage, folder)) for name, folder in folders]


def _usage(folder: Path) -> tuple[int, int] | None:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.total, usage.free


def disk_free(look: Pass) -> Shaped:
    """Free space. PostgreSQL reports none, so a server elsewhere stays unknown."""
    row = look.first("data_directory")
    if "volumes" not in look.derived:
        why = look.derived["locality"].why if "locality" in look.derived else "where the data lies is not known"
        return Shaped((), Quality.NOT_AVAILABLE, f"unknown, confirm by hand: {why}")
    rows = []
    for name, folder, usage in look.derived["volumes"]:
        total, free = usage or (None, None)
        rows.append(
            {
                "volume": name,
                "path": str(folder),
                "total": total,
                "free": free,
                "used_share": None if not total or free is None else 1 - free / total,
                "database_size": row["database_size"],
                "factor_free": share(free, row["database_size"]),
                "needed": 2 * row["database_size"],
            }
        )
    if all(row["free"] is None for row in rows):
        return Shaped(rows, Quality.NO_PRIVILEGE, "free space cannot be read")
    return Shaped(rows)
