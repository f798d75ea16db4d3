"""Restore points: the backups of a run, and how far each has come towards being a rollback of one swap.

A backup is *unproven* until it has been restored beside the database and compared, *proven* when that comparison
held, *armed* when the restored copy waits, closed, to be swapped in. *used* and *purged* are how it ends. A *snapshot*
is made by another tool and verified by a command or a query: nothing was restored from it, it is never called proven.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from migconsole.domain.events import Event


class PointState(StrEnum):
    """How much a restore point is worth now."""

    NONE = "none"
    UNPROVEN = "unproven"
    SNAPSHOT = "snapshot"
    PROVEN = "proven"
    ARMED = "armed"
    USED = "used"
    PURGED = "purged"

    @property
    def proven(self) -> bool:
        """Whether a restore from it has been seen to hold."""
        return self in (PointState.PROVEN, PointState.ARMED, PointState.USED)


_WORTH = (
    PointState.NONE,
    PointState.PURGED,
    PointState.UNPROVEN,
    PointState.USED,
    PointState.SNAPSHOT,
    PointState.PROVEN,
    PointState.ARMED,
)
"""From worthless to best: the best one is the run's restore point. A used one is behind every other that is proven."""


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """One backup of this run as the facts have it.

    ``at`` is the server's time of the backup's snapshot (UTC ISO 8601) and ``since`` when the state was recorded.
    ``side`` is the name of the restored copy, ``durations`` are seconds that were measured. ``why`` says what keeps
    it from the next state. ``by`` names the tool of a snapshot, "" for a backup of ours; ``back`` is the command to go
    back to it and ``precondition`` what must hold then: both are shown to a person and never carried out.
    """

    state: PointState = PointState.NONE
    backup: str = ""
    path: str = ""
    side: str = ""
    at: str = ""
    lsn: str = ""
    rows: int | None = None
    bytes: int | None = None
    durations: Mapping[str, float] = field(default_factory=dict)
    sha256: str = ""
    why: str = ""
    since: str = ""
    proven_at: str = ""
    by: str = ""
    back: str = ""
    precondition: str = ""


NOTHING = RestorePoint()


@dataclass(slots=True)
class RestorePoints:
    """Every restore point of a run, oldest first, kept up to date by its facts."""

    points: dict[str, RestorePoint] = field(default_factory=dict)

    @property
    def best(self) -> RestorePoint:
        """The one that a rollback would use: the most that is proven, among equals the newest."""
        ranked = [(_WORTH.index(point.state), number, point) for number, point in enumerate(self)]
        return max(ranked, key=lambda entry: entry[:2])[2] if ranked else NOTHING

    @property
    def newest(self) -> RestorePoint:
        """The backup of ours that was taken last, whatever it is worth."""
        return next((point for point in reversed(self.points.values()) if not point.by), NOTHING)

    def __iter__(self) -> Iterator[RestorePoint]:
        return iter(self.points.values())

    def stated(self, event: Event) -> None:
        """Take a ``restore-point`` fact into account. Raises ValueError or KeyError for one of another form."""
        data = event.data
        backup, state = str(data["backup"]), PointState(data["state"])
        known = self.points.get(backup, RestorePoint(backup=backup))
        point = replace(
            known,
            state=state,
            path=str(data.get("path") or known.path),
            side=str(data.get("side") or known.side),
            at=str(data.get("at") or known.at),
            lsn=str(data.get("lsn") or known.lsn),
            rows=_count(data.get("rows"), known.rows),
            bytes=_count(data.get("bytes"), known.bytes),
            durations={**known.durations, **_seconds(data.get("durations"))},
            sha256=str(data.get("sha256") or known.sha256),
            why=str(data.get("why") or ""),
            since=event.at,
            by=str(data.get("by") or known.by),
            back=str(data.get("back") or known.back),
            precondition=str(data.get("precondition") or known.precondition),
            proven_at=event.at if state.proven and not known.proven_at else known.proven_at,
        )
        if state in (PointState.PROVEN, PointState.ARMED):
            self._supersede(point)
        self.points[backup] = point

    def _supersede(self, newer: RestorePoint) -> None:
        """A side database exists once: whoever is restored into it takes it from the one before."""
        for backup, point in self.points.items():
            if backup != newer.backup and point.side == newer.side and point.state is PointState.ARMED:
                why = f"its side database now holds backup {newer.backup}"
                self.points[backup] = replace(point, state=PointState.PROVEN, why=why, since=newer.since)


def _count(value: Any, known: int | None) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else known


def _seconds(value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping):
        return {}
    return {str(name): float(s) for name, s in value.items() if isinstance(s, int | float) and not isinstance(s, bool)}
