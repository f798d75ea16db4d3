"""From what a pass fetched, or was refused, to a Reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from migconsole.adapters.postgres.probes import activity, objects, server
from migconsole.adapters.postgres.probes.catalogue import Probe
from migconsole.adapters.postgres.probes.masking import Masking
from migconsole.adapters.postgres.probes.shaping import Pass, Shape, Shaped
from migconsole.adapters.postgres.probes.sources import SOURCES
from migconsole.adapters.postgres.values import plain
from migconsole.domain.readings import Quality, Reading

_SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        shape.__name__: shape
        for shape in (
            activity.sessions,
            activity.conn_saturation,
            activity.lock_tree,
            activity.ael_queue,
            activity.migration_session,
            activity.idle_in_xact,
            activity.long_xact,
            activity.dump_running,
            activity.wait_profile,
            activity.vacuum_on_target,
            activity.self_cost,
            server.progress_index,
            server.progress_other,
            server.wal_rate,
            server.replication_lag,
            server.server_identity,
            server.rewrite_eta,
            server.slots_retained,
            server.archive_backlog,
            server.standby_conflicts,
            server.db_counters,
            server.checkpoints,
            server.clock_skew,
            objects.watch_sizes,
            objects.all_sizes_est,
            objects.tables_activity,
            objects.index_usage,
            objects.not_valid,
            objects.sequences,
            objects.bloat_est,
            objects.xid_age,
            objects.schema_fingerprint,
            objects.config_drift,
            objects.pgss_health,
            objects.temp_files,
            objects.disk_free,
        )
    }
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no value."""

    quality: Quality
    reason: str


def refused(probe: Probe, at: float, refusal: Refusal, took: float = 0.0) -> Reading:
    """A reading without a value."""
    reason = refusal.reason
    if refusal.quality is Quality.STALE and probe.twin:
        reason = f"{reason}; {probe.twin} costs less"
    return Reading(probe.name, at, took, refusal.quality, (), reason)


def reading(probe: Probe, look: Pass, problems: Mapping[str, Refusal], parts: Mapping[str, int]) -> Reading:
    """One probe's reading of a pass. Of a source that several probes share, each bears its part of the time."""
    took = sum(look.derived.get(f"busy:{source}", 0.0) / parts[source] for source in probe.sources)
    for source in probe.sources:
        if source in problems and not SOURCES[source].optional:
            return refused(probe, look.at, problems[source], took)
    try:
        shaped = _shaped(probe, look)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # One probe that meets what nobody thought of must not end the watch over all others.
        what = f"its values were not understood ({type(error).__name__})"
        return refused(probe, look.at, Refusal(Quality.FAILED, what), took)
    rows = tuple(_row(probe, row, look.shared.masking) for row in shaped.rows)
    return Reading(probe.name, look.at, took, shaped.quality, rows, shaped.reason)


def _shaped(probe: Probe, look: Pass) -> Shaped:
    if probe.shape == "named":
        return objects.named(look, probe.sources[0])
    if probe.shape:
        return _SHAPES[probe.shape](look)
    return Shaped(look.rows(probe.sources[0]))


def _row(probe: Probe, row: Mapping[str, Any], masking: Masking) -> dict[str, Any]:
    made = {column.name: plain(row.get(column.name)) for column in probe.columns}
    if made.get("query"):
        made["query"] = masking.query(made["query"])
    return made


def shares(probes: Sequence[Probe]) -> Mapping[str, int]:
    """How many probes of a pass share each source, to part its time among them."""
    found: dict[str, int] = {}
    for probe in probes:
        for source in probe.sources:
            found[source] = found.get(source, 0) + 1
    return found
