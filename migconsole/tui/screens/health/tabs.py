"""The tabs of the health screen: which tables each has and which probes those are made of."""

from __future__ import annotations

from dataclasses import dataclass

from migconsole.domain.snapshots import TEXTS
from migconsole.tui.screens.health import comparison, movement, objects, queries, sheets
from migconsole.tui.screens.health.sheets import Make


@dataclass(frozen=True, slots=True)
class Spec:
    """A table: it is made anew when one of its probes has a new reading."""

    id: str
    make: Make
    probes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab by its name, and by a short one for narrow terminals; the number key is its place."""

    id: str
    name: str
    short: str
    tables: tuple[Spec, ...] = ()


TABS = (
    Tab("overview", "Overview", "over"),
    Tab(
        "activity",
        "Activity",
        "act",
        (Spec("locks", sheets.lock_tree, ("lock_tree",)), Spec("sessions", sheets.sessions, ("sessions",))),
    ),
    Tab(
        "tables", "Tables", "tab", (Spec("sizes", objects.tables, ("watch_sizes", "tables_activity", "all_sizes_est")),)
    ),
    Tab("indexes", "Indexes", "idx", (Spec("use", objects.indexes, ("index_usage", "invalid_indexes", "duplicates")),)),
    Tab(
        "queries",
        "Queries",
        "qry",
        (Spec("statements", queries.queries, ("pgss_delta", "pgss_health", TEXTS)),),
    ),
    Tab(
        "progress",
        "Progress",
        "prog",
        (Spec("running", movement.progress, ("progress_index", "progress_other", "rewrite_eta")),),
    ),
    Tab(
        "replication",
        "Replication",
        "repl",
        (
            Spec("standbys", movement.standbys, ("replication_lag",)),
            Spec("slots", movement.slots, ("slots_retained",)),
            Spec("archiving", movement.archiving, ("archive_backlog",)),
        ),
    ),
    Tab("log", "Log", "log"),
    Tab(
        "comparison",
        "Comparison",
        "cmp",
        (Spec("load", comparison.load, comparison.PROBES), Spec("changes", comparison.statements, comparison.PROBES)),
    ),
)
