"""The way back as it is looked at before something is changed: how old it is, what was written since, and whether a
fresh one can be had without losing a row, because nobody writes any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from migconsole.domain import restore_gate
from migconsole.domain.checklist import Checklist, Job
from migconsole.domain.restore_points import PointState
from migconsole.domain.rollback_survey import SessionGroup, Survey
from migconsole.domain.run import Run

OURS = ("migconsole/", "mc/")
"""How application names of this program's sessions and its jobs' begin."""

UNKNOWN = "what was written since is unknown"


@dataclass(frozen=True, slots=True)
class WayBack:
    """``badge`` as in the banner, ``stale`` beyond ``max_age``. ``written`` are lines about what going back would lose.

    ``others`` are the sessions of others in the database, None where they were not looked at: only when it is empty
    the application has stopped.
    """

    badge: str
    limit: str
    stale: bool
    written: tuple[str, ...]
    others: tuple[str, ...] | None = None

    @property
    def quiet(self) -> bool:
        """Whether a fresh backup now would hold everything that was ever written."""
        return self.others == ()


def way_back(run: Run, checklist: Checklist, now: datetime, survey: Survey | None, why: str = "") -> WayBack | None:
    """The way back of a run; None for a checklist that takes no backup. ``why`` says why there is no survey."""
    if not restore_gate.has_backup(checklist):
        return None
    point, limit = run.restore_point, restore_gate.oldest_allowed(checklist)
    seconds = restore_gate.age(point, now)
    return WayBack(
        restore_gate.badge(point, now, limit),
        restore_gate.in_words(limit),
        seconds is not None and seconds > limit,
        _written(point.state, survey, why),
        None if survey is None else others(survey.sessions),
    )


def others(sessions: Sequence[SessionGroup]) -> tuple[str, ...]:
    """Sessions that are not this program's, in words."""
    return tuple(
        f"{group.count} of {group.application or 'unnamed'} as {group.role}"
        for group in sessions
        if not group.application.startswith(OURS)
    )


def makers(run: Run, checklist: Checklist) -> list[str]:
    """The items of the way forward that made the way back and are done: a fresh one begins with reopening them."""
    found = []
    for located in checklist.walk():
        jobs = [alternative.step.action for alternative in located.item.steps]
        if any(isinstance(job, Job) and job.name in ("backup", "prove") for job in jobs):
            found += [located.item.id] if run.record(located.item.id).state.done else []
    return found


def _written(state: PointState, survey: Survey | None, why: str) -> tuple[str, ...]:
    if state in (PointState.NONE, PointState.USED, PointState.PURGED):
        return ("there is nothing to go back to",)
    if survey is None:
        return (f"{UNKNOWN}: {why or 'it is being counted'}",)
    # The first lines are the sums: rows, then age and WAL, then what makes them doubtful.
    sums = [line for line in survey.loss if not line.startswith((" ", "!"))][:2]
    doubts = [line for line in survey.loss if line.startswith("!")][:2]
    return (*sums, *doubts) or (UNKNOWN,)
