"""Tables and indexes: how big, how used, what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from migconsole.domain.snapshots import INDEXES, SIZES, TABLES
from migconsole.engine import comparing
from migconsole.tui import format
from migconsole.tui.screens.health.sheets import Look, held_back, rows_of, text_of
from migconsole.tui.widgets.health_sheet import Column as C
from migconsole.tui.widgets.health_sheet import Row, Sheet, Source

_TABLES = (
    C("relation", "table", "text", "", 9, 18, 3),
    C("size", "size", "bytes", "watch_sizes", 9, 12),
    C("growth", "growth", "bytes", "watch_sizes", 8),
    C("size_since", "size +baseline", "bytes", "", 4, missing="–"),
    C("scans_since", "scans +baseline", "count", "", 2, missing="–"),
    C("growth_rate", "growing", "bytes/s", "watch_sizes", 3),
    C("live", "rows", "count", "tables_activity", 6, 10),
    C("dead", "dead", "count", "tables_activity", 7, 10),
    C("dead_share", "dead %", "share", "tables_activity", 6),
    C("mods", "since analyse", "count", "tables_activity", 3),
    C("vacuumed", "vacuum", "time", "tables_activity", 6, missing="never"),
    C("analysed", "analyse", "time", "tables_activity", 6, missing="never"),
    C("seq_scans", "seq scans", "total", "tables_activity", 4),
    C("idx_share", "by index", "share", "tables_activity", 5),
    C("idx_scans", "idx scans", "total", "tables_activity", 2),
    C("last_seq_scan", "seq scan", "time", "tables_activity", 1),
    C("kind", "kind", "text", "", 1, 8),
)


def tables(look: Look) -> Sheet:
    """Size where it could be read exactly, else estimated and said so; activity beside it."""
    readings = look.read("watch_sizes", "all_sizes_est", "tables_activity")
    merged: dict[Any, dict[str, Any]] = {}
    marks: dict[Any, dict[str, str]] = {}
    for row in rows_of(readings["all_sizes_est"]):
        kept = {"relation": row.get("relation"), "kind": row.get("kind"), "watched": row.get("watched")}
        merged[row.get("oid")] = kept | {"estimated": row.get("total")}
    for row in rows_of(readings["tables_activity"]):
        mine = merged.setdefault(row.get("oid"), {})
        estimate = row.get("size")
        mine |= {name: value for name, value in row.items() if name != "size"}
        mine.setdefault("estimated", estimate)
        mine["vacuumed"] = latest(row.get("last_vacuum"), row.get("last_autovacuum"))
        mine["analysed"] = latest(row.get("last_analyze"), row.get("last_autoanalyze"))
    for row in rows_of(readings["watch_sizes"]):
        mine = merged.setdefault(row.get("oid"), {})
        mine |= {
            name: row[name] for name in ("relation", "kind", "size", "growth", "growth_rate", "watched") if name in row
        }
        if row.get("skipped"):
            by = row.get("locked_by")
            marks[row.get("oid")] = {"size": f"locked {by}" if by else "locked"}
            # Only for its place in the order: the mark is what is shown.
            mine["size"] = row.get("estimate")
    why = _since(look, merged, TABLES, ("seq_scans", "idx_scans"))
    for oid in marks:
        merged[oid].pop("size_since", None)
    return Sheet(
        "Tables",
        _with_baseline(_TABLES, why),
        tuple(_table_row(look, oid, values, marks.get(oid, {})) for oid, values in merged.items()),
        (Source("watch_sizes", "S"), Source("tables_activity", "S"), Source("all_sizes_est", "S")),
        readings,
        ("size", True),
        "no tables",
        notes=why,
        phase=look.phase,
        held=held_back(look),
    )


def _with_baseline(columns: tuple[C, ...], why: tuple[str, ...]) -> tuple[C, ...]:
    """The columns that can have a value: without a baseline nothing has changed since it."""
    return tuple(column for column in columns if not why or not column.name.endswith("_since"))


def _since(look: Look, rows: Mapping[Any, dict[str, Any]], probe: str, scans: Sequence[str]) -> tuple[str, ...]:
    """Put into rows what changed since the end of the baseline; returns why nothing could be, as a note.

    A table or index that was not there, or whose size was not read, has no change; a counter that is lower was reset.
    """
    before = comparing.baseline(look.past) if look.past is not None else ""
    if isinstance(before, str):
        return ("no baseline yet",)
    sizes = {row.get("oid"): row.get("size") for row in before.end.rows(SIZES)}
    known = {row.get("oid"): row for row in before.end.rows(probe)}
    for oid, values in rows.items():
        old = known.get(oid, {})
        was = sizes.get(oid) if probe == TABLES else old.get("size")
        size = values.get("size")
        values["size_since"] = None if was is None or size is None else size - was
        counts = [(old.get(name), values.get(name)) for name in scans]
        seen = [now - then for then, now in counts if then is not None and now is not None]
        values["scans_since"] = sum(seen) if len(seen) == len(counts) and min(seen) >= 0 else None
    return ()


def latest(*times: Any) -> Any:
    """The later of two times as text, None when neither is known."""
    known = [time for time in times if time is not None]
    return max(known, key=str) if known else None


def _table_row(look: Look, oid: Any, values: dict[str, Any], marks: dict[str, str]) -> Row:
    estimated = values.get("estimated")
    styles, texts, says = {}, {}, "locked, not read" if marks else "exact"
    if values.get("size") is None and not marks and estimated is not None:
        # It sorts among the exact ones, and is told apart by its sign.
        values = values | {"size": estimated}
        styles["size"], texts["size"] = "$muted", f"~{format.size(estimated)}"
        says = "estimated, as old as the last vacuum or analyse"
    if (values.get("dead_share") or 0) >= 0.2 and (values.get("dead") or 0) >= 10_000:
        styles["dead_share"] = styles["dead"] = "$caution"
    style = "$accent" if values.get("watched") else ""
    more = (
        ("size is", "text", says),
        ("estimated size", "bytes", estimated),
        ("inserted", "total", values.get("inserted")),
        ("updated", "total", values.get("updated")),
        ("of them hot", "total", values.get("hot_updated")),
        ("deleted", "total", values.get("deleted")),
        ("vacuumed by hand", "time", values.get("last_vacuum")),
        ("autovacuumed", "time", values.get("last_autovacuum")),
        ("analysed by hand", "time", values.get("last_analyze")),
        ("autoanalysed", "time", values.get("last_autoanalyze")),
        ("last index scan", "time", values.get("last_idx_scan")),
        ("watched", "bool", values.get("watched")),
    )
    return Row(str(oid), values, style, styles, marks, texts, extra=more)


_INDEXES = (
    C("index", "index", "text", "", 9, 26, 4),
    C("relation", "table", "text", "", 5, 14, 2),
    C("says", "finding", "text", "", 8, 18, 3),
    C("size", "size", "bytes", "index_usage", 8),
    C("scans", "scans", "total", "index_usage", 7),
    C("size_since", "size +baseline", "bytes", "", 3, missing="–"),
    C("scans_since", "scans +baseline", "count", "", 4, missing="–"),
    C("scans_rise", "since start", "count", "index_usage", 6),
    C("last_scan", "last scan", "time", "index_usage", 4),
    C("rows_read", "rows read", "total", "index_usage", 3, 10),
    C("rows_fetched", "fetched", "total", "index_usage", 2, 10),
    C("kind", "kind", "text", "", 5, 8),
)


def indexes(look: Look) -> Sheet:
    """Use and size, with what is wrong in words: invalid, duplicate, unused, new."""
    readings = look.read("index_usage", "invalid_indexes", "duplicates")
    found: dict[Any, dict[str, Any]] = {}
    says: dict[Any, list[str]] = {}
    bad: set[Any] = set()
    for row in rows_of(readings["index_usage"]):
        found[row.get("oid")] = dict(row)
        if row.get("valid") is False:
            bad.add(row.get("oid"))
    for row in rows_of(readings["invalid_indexes"]):
        oid = row.get("oid")
        found.setdefault(oid, {"index": row.get("index"), "relation": row.get("relation")})
        bad.discard(oid)
        if row.get("building"):
            says.setdefault(oid, []).insert(0, "being built")
        else:
            bad.add(oid)
    for oid in bad:
        says.setdefault(oid, []).insert(0, "INVALID")
    for row in rows_of(readings["duplicates"]):
        oid = row.get("oid")
        mine = found.setdefault(oid, {"index": row.get("index"), "relation": row.get("relation")})
        mine.setdefault("size", row.get("size"))
        says.setdefault(oid, []).append(f"duplicate of {text_of(row, 'duplicate_of')}")
    for oid, values in found.items():
        says.setdefault(oid, []).extend(word for word in ("new", "unused") if values.get(word))
    why = _since(look, found, INDEXES, ("scans",))
    return Sheet(
        "Indexes",
        _with_baseline(_INDEXES, why),
        tuple(_index_row(oid, values, says.get(oid, []), oid in bad) for oid, values in found.items()),
        (Source("index_usage", "S"), Source("invalid_indexes", "S"), Source("duplicates", "G")),
        readings,
        ("size", True),
        "no indexes",
        notes=why,
        phase=look.phase,
        held=held_back(look),
    )


def _index_row(oid: Any, values: Mapping[str, Any], says: Iterable[str], bad: bool) -> Row:
    kind = (
        "primary"
        if values.get("primary")
        else "unique"
        if values.get("unique")
        else "constr."
        if values.get("constraint")
        else ""
    )
    words = ", ".join(says)
    style = "bold $danger" if bad else "$caution" if words and "new" not in words else "$accent" if words else ""
    more = (("first seen", "s", values.get("age_s")), ("valid", "bool", values.get("valid")))
    return Row(str(oid), dict(values) | {"says": words, "kind": kind}, "", {"says": style}, extra=more)
