"""Nothing changes the database before the way back is proven: the default gate of a checklist that takes a backup.

The gate stands before every mutating item of the forward phases from T-0 on, in a checklist that has a ``backup`` or
``prove`` item, until the run has a restore point that is proven. Items before T-0 come before the backup by nature;
reading items, and the jobs that make the restore point, are not held up. In phases after T-0 it falls silent once
something mutating of an earlier phase from T-0 on was carried out: what it would protect has happened then, and
refusing to start the application protects nobody. It can be overridden with a typed reason, which is on record and
listed as a deviation; every item that is run so needs one of its own.

A snapshot of another tool is a kind of its own: it opens the gate only where the checklist accepts it
(``prove: {by: …, accept: true}``); elsewhere it is one more thing that the typed reason can rest on. And a way back
older than ``max_age`` asks for a reason, too, as long as nothing has been changed: until then a fresh one can be had.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime

from migconsole.domain import changes
from migconsole.domain.changes import MAKERS
from migconsole.domain.checklist import Action, Checklist, Danger, Job, Located
from migconsole.domain.quantities import parse_duration
from migconsole.domain.restore_points import PointState, RestorePoint
from migconsole.domain.run import Run

OVERRIDE_REASON = 10
"""Characters of reason with which something is run without a proven way back: as many as forcing past a failure."""

MAX_AGE = 24 * 3600.0
"""Seconds a restore point may be old where the checklist says nothing. One of the evening before a nightly window still
counts; of an older one nobody knows any more what was written since, and a whole day's business would be lost."""

_NEEDED = {
    "restore-point-proven": (PointState.PROVEN, PointState.ARMED),
    "restore-point-armed": (PointState.ARMED,),
    "restore-point-snapshot": (PointState.SNAPSHOT, PointState.PROVEN, PointState.ARMED),
}
_NAMES = {"restore-point-proven": "proven", "restore-point-armed": "armed", "restore-point-snapshot": "verified"}


def unmet_need(run: Run, need: str) -> str:
    """Why a ``needs`` entry about the restore point is not met, or ""."""
    wanted = _NEEDED.get(need)
    if wanted is None:
        return f"needs {need}; write {', '.join(_NEEDED)}"
    if run.restore_point.state in wanted:
        return ""
    return f"needs a restore point that is {_NAMES[need]}: {describe(run)}"


def gate(run: Run, checklist: Checklist, located: Located, action: Action, danger: Danger) -> str:
    """Why a mutating item has to wait for the proof of the way back, or ""."""
    if danger is Danger.READ or located.phase is None or located.phase.at < 0 or is_maker(action):
        return ""
    if held(run, checklist) or not has_backup(checklist):
        return ""
    if located.phase.at > 0 and begun(run, checklist, located.phase.at):
        return ""
    return f"nothing is changed from T-0 on before the way back is proven: {describe(run)}"


def stale(
    run: Run, checklist: Checklist, located: Located, action: Action, danger: Danger, now: datetime | None
) -> str:
    """Why something mutating should wait for a fresher way back, or ""; silent once anything has been changed."""
    if danger is Danger.READ or located.phase is None or located.phase.at < 0 or is_maker(action) or now is None:
        return ""
    if not held(run, checklist) or not has_backup(checklist) or begun(run, checklist):
        return ""
    seconds, limit = age(run.restore_point, now), oldest_allowed(checklist)
    if seconds is None or seconds <= limit:
        return ""
    return (
        f"the way back is {in_words(seconds)} old, more than {in_words(limit)}: what was written since would be lost "
        f"(B counts it); {FRESH}"
    )


FRESH = "take a fresh backup and prove it (reopen both with u)"


def is_maker(action: Action) -> bool:
    """Whether an action makes a way back, or goes it."""
    return isinstance(action, Job) and action.name in MAKERS


def held(run: Run, checklist: Checklist) -> bool:
    """Whether the run has a way back on which something may be changed: proven, or a snapshot that is accepted."""
    point = run.restore_point
    if point.state is PointState.SNAPSHOT:
        return any(
            job.arguments.get("by") == point.by and job.arguments.get("accept") is True for job in _jobs(checklist)
        )
    return point.state in (PointState.PROVEN, PointState.ARMED)


def _jobs(checklist: Checklist) -> Iterator[Job]:
    """Every backup and proof of the way forward."""
    for located in checklist.walk():
        for alternative in located.item.steps:
            action = alternative.step.action
            if isinstance(action, Job) and action.name in ("backup", "prove"):
                yield action


def has_backup(checklist: Checklist) -> bool:
    """Whether a checklist takes or proves a backup by a built-in job: then its proof is waited for."""
    return next(_jobs(checklist), None) is not None


def describe(run: Run) -> str:
    """What the run's restore point lacks, in words."""
    point = run.restore_point
    words = {
        PointState.NONE: "there is no backup of this run yet",
        PointState.UNPROVEN: "the backup has not been proven by a restore",
        PointState.SNAPSHOT: f"a restore point by {point.by} is verified",
        PointState.PROVEN: "the backup is proven, its restored copy is not armed",
        PointState.ARMED: "the restored copy is armed",
        PointState.USED: "the restore point has been used by a rollback",
        PointState.PURGED: "the restore point has been purged",
    }[point.state]
    return f"{words} ({point.why})" if point.why else words


def oldest_allowed(checklist: Checklist) -> float:
    """Seconds that a restore point may be old: the least ``max_age`` of backup and proof, else ``MAX_AGE``."""
    found = []
    for job in _jobs(checklist):
        if "max_age" in job.arguments:
            try:
                found.append(parse_duration(str(job.arguments["max_age"])))
            except ValueError:
                continue
    return min(found, default=MAX_AGE)


def age_line(run: Run, checklist: Checklist, now: datetime) -> tuple[bool | None, str]:
    """How old the way back is, for whoever is about to change something, and what to do where it is too old.

    True where it is young enough, None where that is for a person to judge: it forbids nothing by itself.
    """
    seconds, limit = age(run.restore_point, now), oldest_allowed(checklist)
    if seconds is None:
        return None, "how old the way back is, is not known"
    old = f"it is {in_words(seconds)} old: what was written since would be lost by going back"
    if seconds > limit:
        return None, f"{old}; more than {in_words(limit)}, {FRESH}"
    return True, old


def age(point: RestorePoint, now: datetime) -> float | None:
    """Seconds since the backup's snapshot by the server's time; None when it is not known. ``now`` has a zone."""
    try:
        taken = datetime.fromisoformat(point.at)
    except ValueError:
        return None
    if taken.tzinfo is None:
        return None
    return max(0.0, (now - taken).total_seconds())


def badge(point: RestorePoint, now: datetime, limit: float = math.inf, *, brief: bool = False) -> str:
    """The restore point in the banner: ``restore point ARMED, 41 min old``; STALE beyond ``limit`` seconds.

    One that another tool made says when it was verified: ``SNAPSHOT verified 14:02``, in the server's time (UTC).
    ``brief`` is for a row without room: ``ARMED 41 min``.

    >>> badge(RestorePoint(), datetime.fromisoformat("2030-01-01T00:00:00+00:00"))
    'NO BACKUP'
    """
    if point.state is PointState.NONE:
        return "NO BACKUP"
    seconds = age(point, now)
    stale = " STALE" if seconds is not None and seconds > limit else ""
    if point.state is PointState.SNAPSHOT:
        taken = "" if seconds is None else f" {datetime.fromisoformat(point.at):%H:%M}"
        return f"SNAPSHOT{'' if brief else ' verified'}{taken}{stale}"
    state = point.state.value.upper()
    old = "" if seconds is None or point.state in (PointState.USED, PointState.PURGED) else in_words(seconds)
    if brief:
        return f"{state} {old}{stale}" if old else state
    word = f"backup {state}" if point.state is PointState.UNPROVEN else f"restore point {state}"
    return f"{word}, {old} old{stale}" if old else word


def in_words(seconds: float) -> str:
    """An age as it is read out; to the minute, because that is how finely anybody decides on it.

    >>> in_words(12), in_words(2460), in_words(8000), in_words(200_000)
    ('12 s', '41 min', '2 h 13 min', '2 d 7 h')
    """
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if minutes < 1:
        return f"{int(seconds)} s"
    if hours < 2:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def begun(run: Run, checklist: Checklist, before: float = math.inf) -> bool:
    """Whether something mutating of an earlier phase from T-0 on has been started, or was done elsewhere."""
    return changes.certain(run, checklist, before, MAKERS)
