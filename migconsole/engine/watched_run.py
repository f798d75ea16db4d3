"""What a watcher knows of its run: the journal is read as it grows, alarms are put into it as facts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from migconsole.domain.alarms import Changed
from migconsole.domain.changes import elsewhere
from migconsole.domain.checklist import Checklist
from migconsole.domain.events import Draft, Event, Kind
from migconsole.domain.readings import Alarm, Level
from migconsole.domain.run import AlarmRecord, Attempt, Run
from migconsole.domain.thresholds import Phase
from migconsole.engine.clocking import Clocking
from migconsole.engine.health_ports import Circumstances
from migconsole.engine.ports import Journal
from migconsole.engine.recorder import Recorder

FIRST_HOUR = 3600.0
ACTOR = "watcher"


REVIEWS_EVERY = 15.0
"""Seconds between two looks at the files that were reviewed."""

Outdated = Callable[[Run], Awaitable[Sequence[Draft]]]
"""The facts that reviewed files changed (``migconsole.engine.outdated``)."""


class Place(Protocol):
    """A run's directory, as far as it speaks to the watcher. Nothing raises."""

    def gone(self) -> bool:
        """Whether it does not exist any more."""

    def asked_to_retry(self) -> bool:
        """Whether a console asked for refused probes since the last call."""

    def asked_to_leave(self) -> Mapping[str, str]:
        """Jobs that need the target without the watcher's session in it, and why."""

    def has_left(self, requests: Iterable[str]) -> None:
        """Tell those that the session is closed."""


class WatchedRun:
    """``engine.health_ports.Surrounding`` of a run. ``told`` is given every event of it as it comes in.

    With a ``checklist`` it puts on record what its clock crosses.
    """

    def __init__(
        self,
        journal: Journal,
        place: Place,
        *,
        redact: Callable[[str], str] = str,
        told: Callable[[Sequence[Event]], None] = lambda events: None,
        outdated: Outdated | None = None,
        checklist: Checklist | None = None,
    ) -> None:
        self.recorder = Recorder(journal, ACTOR, redact)
        self._journal = journal
        self._place = place
        self._redact = redact
        self._told = told
        self._outdated = outdated
        self._checklist = checklist
        self._clock = Clocking(self.recorder, checklist) if checklist is not None else None
        self._looked = float("-inf")
        self._told_of = 0

    @property
    def run(self) -> Run:
        """The fold of the journal as of the last look."""
        return self.recorder.run

    async def look(self, now: float) -> Circumstances:
        """Fold what is new in the journal. Raises JournalError."""
        await self.recorder.catch_up()
        news = self.recorder.events[self._told_of :]
        self._told_of += len(news)
        self._told(news)
        if self._clock is not None:
            # Time goes on with the last console closed, and somebody who is asleep is told all the same.
            await self._clock.watch()
        if self._outdated is not None and not now - self._looked < REVIEWS_EVERY:
            self._looked = now
            for draft in await self._outdated(self.run):
                await self._journal.append(draft)
        return circumstances(self.run, now, self._checklist)

    def skewed(self, skew: float, uncertainty: float) -> None:
        """Reckon by the server's clock, as every console does."""
        if self._clock is not None:
            self._clock.heard(skew, uncertainty)

    async def tell(self, changed: Changed) -> None:
        """Append the change as a fact, once however often it is told. Raises JournalError."""
        alarm = changed.alarm
        at = alarm.cleared if changed.change == "cleared" else alarm.raised
        data: dict[str, Any] = {
            "alarm": alarm.id,
            "change": str(changed.change),
            "probe": alarm.probe,
            "level": str(alarm.level),
            "message": self._redact(alarm.message),
            "at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        if changed.change == "raised":
            data["evidence"] = [dict(row) for row in alarm.evidence]
        await self.recorder.record(Kind.ALARM, data, key=f"alarm:{alarm.id}:{changed.change}")

    def gone(self) -> bool:
        """Whether the run's directory does not exist any more."""
        return self._place.gone()

    def asked_to_retry(self) -> bool:
        """Whether a console asked for refused probes."""
        return self._place.asked_to_retry()

    def asked_to_leave(self) -> Mapping[str, str]:
        """Which jobs need the target to themselves."""
        return self._place.asked_to_leave()

    def has_left(self, requests: Iterable[str]) -> None:
        """Answer them."""
        self._place.has_left(requests)


def acknowledgement(alarm: int, person: str, note: str = "") -> Draft:
    """The event by which a person says that an alarm was seen; any console may append it. The first one counts."""
    data = {"alarm": alarm, "note": note}
    return Draft(Kind.ALARM_ACKNOWLEDGED, data, person, key=f"alarm:{alarm}:acknowledged")


class Alone:
    """``Surrounding`` of a watcher without a run."""

    def __init__(self, phase: Phase = Phase.BEFORE, *, gone: Callable[[], bool] = lambda: False) -> None:
        self._circumstances = Circumstances(phase)
        self._gone = gone

    async def look(self, now: float) -> Circumstances:
        """Always the same."""
        return self._circumstances

    def skewed(self, skew: float, uncertainty: float) -> None:
        """There is no clock of a run."""

    async def tell(self, changed: Changed) -> None:
        """There is no journal."""

    def gone(self) -> bool:
        """Whether the place for the samples does not exist any more."""
        return self._gone()

    def asked_to_retry(self) -> bool:
        """Nobody asks."""
        return False

    def asked_to_leave(self) -> Mapping[str, str]:
        """Nobody asks."""
        return {}

    def has_left(self, requests: Iterable[str]) -> None:
        """Nobody asks."""


def circumstances(run: Run, now: float, checklist: Checklist | None = None) -> Circumstances:
    """How a run stands for its watcher at Unix time ``now``.

    With the ``checklist``, a command that a person says was run elsewhere is a step that has ended, too: the hours
    after it are watched as closely, and its tripwires are no less armed.
    """
    attempts = [attempt for record in run.items.values() for attempt in record.attempts]
    changing = [attempt for attempt in attempts if attempt.danger != "read"]
    running = [attempt for attempt in changing if attempt.running]
    ends = [attempt.ended for attempt in changing if not attempt.running]
    ends += [one.at for one in elsewhere(run, checklist)] if checklist is not None else []
    ended = [moment for end in ends if (moment := _unix(end)) is not None]
    since = max(ended, default=None)
    deed = run.rollback.last
    return Circumstances(
        phase=_phase(bool(running), since, now),
        migrating=tuple(attempt.app_name for attempt in running if attempt.app_name),
        dumping=tuple(a.app_name for a in attempts if a.running and a.danger == "read" and a.app_name),
        running=bool(running),
        away=_away(running),
        steps=len(ended),
        since=since,
        alarms={alarm.id: _alarm(alarm) for alarm in run.alarms.values()},
        over=bool(run.ended_at),
        replacing=deed.id if deed is not None and deed.committed else "",
    )


def _phase(running: bool, since: float | None, now: float) -> Phase:
    if running:
        return Phase.STEP
    if since is None:
        return Phase.BEFORE
    return Phase.FIRST_HOUR if now - since < FIRST_HOUR else Phase.LATER


def _away(running: list[Attempt]) -> str:
    """A destructive step may need the database without any session in it: restore, swap, purge."""
    destructive = next((attempt for attempt in running if attempt.danger == "destructive"), None)
    return f"“{destructive.item}” runs, which may need the database to itself" if destructive is not None else ""


def _alarm(record: AlarmRecord) -> Alarm:
    return Alarm(
        record.id,
        record.probe,
        Level(record.level),
        record.message,
        _unix(record.raised) or 0.0,
        _unix(record.cleared) or 0.0,
        record.acknowledged,
        record.evidence,
    )


def _unix(moment: str) -> float | None:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return None
