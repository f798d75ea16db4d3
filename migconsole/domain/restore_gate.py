"""Nothing changes the database before the way back is proven: the default gate of a checklist that takes a backup.

The gate stands before every mutating item of the forward phases from T-0 on, in a checklist that has a ``backup`` or
``prove`` item, until the run has a restore point that is proven. Items before T-0 come before the backup by nature;
reading items, and the jobs that make the restore point, are not held up. In phases after T-0 it falls silent once
something mutating of an earlier phase from T-0 on was carried out: what it would protect has happened then, and
refusing to start the application protects nobody. It can be overridden with a typed reason, which is on record and
listed as a deviation; every item that is run so needs one of its own.
"""

from __future__ import annotations

from datetime import datetime

from migconsole.domain.checklist import Action, Checklist, Danger, Job, Located
from migconsole.domain.quantities import parse_duration
from migconsole.domain.restore_points import PointState, RestorePoint
from migconsole.domain.run import Run

OVERRIDE_REASON = 10
"""Characters of reason with which something is run without a proven way back: as many as forcing past a failure."""

_MAKERS = ("backup", "prove", "drill", "restore")
_NEEDED = {
    "restore-point-proven": (PointState.PROVEN, PointState.ARMED),
    "restore-point-armed": (PointState.ARMED,),
}


def unmet_need(run: Run, need: str) -> str:
    """Why a ``needs`` entry about the restore point is not met, or ""."""
    wanted = _NEEDED.get(need)
    if wanted is None:
        return f"needs {need}; write {' or '.join(_NEEDED)}"
    if run.restore_point.state in wanted:
        return ""
    return f"needs a restore point that is {wanted[-1].value if len(wanted) == 1 else 'proven'}: {describe(run)}"


def gate(run: Run, checklist: Checklist, located: Located, action: Action, danger: Danger) -> str:
    """Why a mutating item has to wait for the proof of the way back, or ""."""
    if danger is Danger.READ or located.phase is None or located.phase.at < 0:
        return ""
    if isinstance(action, Job) and action.name in _MAKERS:
        return ""
    if run.restore_point.state in (PointState.PROVEN, PointState.ARMED) or not has_backup(checklist):
        return ""
    if located.phase.at > 0 and _begun(run, checklist, located.phase.at):
        return ""
    return f"nothing is changed from T-0 on before the way back is proven: {describe(run)}"


def has_backup(checklist: Checklist) -> bool:
    """Whether a checklist takes or proves a backup by a built-in job: then its proof is waited for."""
    return any(
        isinstance(alternative.step.action, Job) and alternative.step.action.name in ("backup", "prove")
        for located in checklist.walk()
        for alternative in located.item.steps
    )


def describe(run: Run) -> str:
    """What the run's restore point lacks, in words."""
    point = run.restore_point
    words = {
        PointState.NONE: "there is no backup of this run yet",
        PointState.UNPROVEN: "the backup has not been proven by a restore",
        PointState.PROVEN: "the backup is proven, its restored copy is not armed",
        PointState.ARMED: "the restored copy is armed",
        PointState.USED: "the restore point has been used by a rollback",
        PointState.PURGED: "the restore point has been purged",
    }[point.state]
    return f"{words} ({point.why})" if point.why else words


def oldest_allowed(checklist: Checklist) -> float | None:
    """Seconds that a restore point may be old, by ``max_age`` of the backup or its proof; None when nothing is said."""
    found = []
    for located in checklist.walk():
        for alternative in located.item.steps:
            action = alternative.step.action
            if isinstance(action, Job) and action.name in ("backup", "prove") and "max_age" in action.arguments:
                try:
                    found.append(parse_duration(str(action.arguments["max_age"])))
                except ValueError:
                    continue
    return min(found, default=None)


def age_line(run: Run, checklist: Checklist, now: datetime) -> tuple[bool | None, str]:
    """How old the way back is, for whoever is about to change something, and what to do where it is too old.

    True where it is young enough, None where that is for a person to judge: it forbids nothing by itself.
    """
    seconds, limit = age(run.restore_point, now), oldest_allowed(checklist)
    if seconds is None:
        return None, "how old the way back is, is not known"
    old = f"it is {in_words(seconds)} old: what was written since would be lost by going back"
    if limit is not None and seconds > limit:
        fresh = "take a fresh backup and prove it (reopen both with u)"
        return None, f"{old}; more than {in_words(limit)}, {fresh}"
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


def badge(point: RestorePoint, now: datetime) -> str:
    """The restore point in the banner: ``restore point ARMED, 41 min old``.

    >>> badge(RestorePoint(), datetime.fromisoformat("2030-01-01T00:00:00+00:00"))
    'NO BACKUP'
    """
    if point.state is PointState.NONE:
        return "NO BACKUP"
    seconds = age(point, now)
    old = "" if seconds is None else f", {in_words(seconds)} old"
    word = "backup UNPROVEN" if point.state is PointState.UNPROVEN else f"restore point {point.state.value.upper()}"
    return word + ("" if point.state in (PointState.USED, PointState.PURGED) else old)


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


def _begun(run: Run, checklist: Checklist, before: float) -> bool:
    """Whether something mutating of an earlier phase from T-0 on has been started."""
    earlier = {
        located.item.id
        for located in checklist.walk()
        if located.phase is not None and 0 <= located.phase.at < before and located.item.id in run.items
    }
    return any(attempt.danger != Danger.READ for name in earlier for attempt in run.items[name].attempts)
