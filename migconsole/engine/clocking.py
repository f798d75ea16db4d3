"""The clock of an open run: server time, T-0 and the window, and the limits that are crossed while it runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from migconsole.domain import server_time
from migconsole.domain.checklist import Checklist
from migconsole.domain.clock import Clock, reckon
from migconsole.domain.events import Kind
from migconsole.domain.run import Run
from migconsole.domain.times import MomentError, instant, parse_moment, settle, stamp
from migconsole.domain.timetable import DECISIONS, LAST_SAFE_ABORT, WINDOW_END
from migconsole.domain.tripwires import WireState
from migconsole.engine.recorder import Recorder
from migconsole.errors import UsageError

REASON = 3
"""Characters of reason with which T-0 or the window is moved."""


def _utc() -> datetime:
    return datetime.now(UTC)


class Clocking:
    """What screens ask about time, and what is put on record about it.

    What counts is the difference of the clocks that is on record (``domain.server_time``): "now" and the times of
    recorded events are then read in the same way, by every console. What was heard is put there by the next look.
    """

    def __init__(self, recorder: Recorder, checklist: Checklist, now: Callable[[], datetime] = _utc) -> None:
        self._heard: tuple[float, float] | None = None
        self._recorder = recorder
        self._checklist = checklist
        self._now = now
        self._memo: tuple[tuple[int, int, str], Clock] | None = None

    @property
    def _run(self) -> Run:
        return self._recorder.run

    @property
    def skew(self) -> float | None:
        """How many seconds the server's clock is ahead of this host's, None while nobody has compared them."""
        recorded = self._run.clock.server.skew
        return self._counting() if recorded is None else recorded

    def use(self, now: Callable[[], datetime]) -> None:
        """Take the time from where the surface takes it, so that what is drawn and what is judged agree."""
        self._now = now

    def now(self) -> datetime:
        """The time in UTC, the server's where it is known."""
        return self.server(self._now())

    def server(self, local: datetime) -> datetime:
        """A time of this host as the server has it."""
        return self._run.clock.server.now(local)

    def current(self) -> Clock:
        """The clock now."""
        return self.at(self._now())

    def at(self, local: datetime) -> Clock:
        """The clock at a time of this host; computed once a second and event."""
        moment = self.server(local).replace(microsecond=0)
        key = (self._run.head, int(moment.timestamp()), self._run.head_hash)
        if self._memo is None or self._memo[0] != key:
            self._memo = (key, reckon(self._run, self._checklist, moment))
        return self._memo[1]

    def moment(self, text: str) -> datetime:
        """A moment as a person wrote it. Raises UsageError that says how to write one."""
        try:
            return parse_moment(text, self.now(), self._run.clock.t0)
        except MomentError as error:
            raise UsageError("This is no moment", str(error)) from None

    async def set(self, t0: str = "", window: str = "", reason: str = "", source: str = "key") -> None:
        """Set or move T-0 and the window's end; what is "" stays.

        ``t0`` is a moment. ``window`` is a length from T-0 ("2h") or the moment of its end ("02:00"). Moving what was
        set before needs a reason. Raises UsageError.
        """
        table = self._run.clock
        if not t0.strip() and not window.strip():
            raise UsageError("Nothing is set", remedy="Give T-0, the window, or both.")
        if table.settings and len(reason.strip()) < REASON:
            raise UsageError("Moving the clock needs a reason", remedy="It is on record, and everybody sees it.")
        try:
            begin, end = settle(t0, window, self.now(), table.t0, table.window_end)
        except MomentError as error:
            raise UsageError("The clock cannot be set so", str(error)) from None
        data = {
            "t0": stamp(begin) if begin else "",
            "window_end": stamp(end) if end else "",
            "reason": reason.strip(),
            "source": source,
        }
        await self._recorder.record(Kind.CLOCK_SET, data, decision=True)
        await self.watch()

    async def decide(self, decision: str, reason: str) -> None:
        """Put on record what the driver decided once backing out no longer fits into the window."""
        if decision not in DECISIONS:
            raise UsageError(f"“{decision}” cannot be decided", f"There are: {', '.join(DECISIONS)}.")
        if self._run.clock.open_crossing() is None:
            raise UsageError("There is nothing to decide: the last safe abort has not been crossed")
        if len(reason.strip()) < REASON:
            raise UsageError("The decision needs a reason")
        await self._recorder.record(Kind.CLOCK_DECIDED, {"decision": decision, "reason": reason}, decision=True)

    async def watch(self) -> None:
        """Put on record what has been crossed since the last look, each crossing once whoever sees it first."""
        if self._run.ended_at or not self._run.opened_at:
            return
        await self._put_on_record()
        clock = self.current()
        for what, limit in ((LAST_SAFE_ABORT, clock.last_safe_abort), (WINDOW_END, clock.window_end)):
            await self._crossing(what, limit, clock.now)
        await self._near(clock.last_safe_abort, clock.now)
        await self._wires()

    async def _near(self, limit: datetime | None, now: datetime) -> None:
        """Say once that the last safe abort is near: shortly before is when the room can still decide."""
        notice = self._run.clock.notice
        lead = timedelta(seconds=self._checklist.abort_notice)
        if limit is None or not limit - lead <= now < limit or notice in self._run.clock.notices:
            return
        episode, setting = notice
        told = {"what": LAST_SAFE_ABORT, "change": "near", "limit": stamp(limit), "seen": stamp(now)}
        data = {**told, "episode": episode, "setting": setting}
        await self._recorder.record(Kind.CLOCK_CROSSED, data, key=f"clock:near:{episode}:{setting}")

    async def _crossing(self, what: str, limit: datetime | None, now: datetime) -> None:
        table = self._run.clock
        past = limit is not None and now >= limit
        if past == (table.open_crossing(what) is not None):
            return
        change, number = ("past", table.episodes(what) + 1) if past else ("back", table.episodes(what))
        data = {"what": what, "change": change, "limit": stamp(limit) if limit else "", "seen": stamp(now)}
        await self._recorder.record(Kind.CLOCK_CROSSED, data, key=f"clock:{what}:{number}:{change}")

    async def _wires(self) -> None:
        """Tripwires that the checklist leaves to the clock."""
        for wire in self._checklist.tripwires:
            crossing = self._run.clock.open_crossing(wire.clock) if wire.clock else None
            if crossing is None or self._run.tripwires.record(wire.id).state is not WireState.ARMED:
                continue
            limit = instant(crossing.limit)
            at = f" at {limit:%H:%M} UTC" if limit else ""
            reason = f"the {wire.clock.replace('-', ' ')}{at} has passed"
            data = {"tripwire": wire.id, "state": "tripped", "by": "clock", "reason": reason}
            number = self._run.clock.episodes(wire.clock)
            await self._recorder.record(Kind.TRIPWIRE, data, key=f"tripwire:{wire.id}:clock:{number}")

    def heard(self, skew: float, uncertainty: float = 0.0) -> None:
        """The server's clock was read: it is ``skew`` seconds ahead, give or take ``uncertainty``."""
        self._heard = (skew, uncertainty)

    async def compared(self, reading: tuple[float, float] | None, *, record: bool) -> None:
        """The same for a reading that came with the server's identity, put on record before anything is decided."""
        self._heard = reading or self._heard
        if record and self._run.opened_at and not self._run.ended_at:
            await self._put_on_record()

    def _counting(self) -> float | None:
        """What was heard, as far as it counts; None while nothing was."""
        return None if self._heard is None else server_time.counting(*self._heard)

    async def _put_on_record(self) -> None:
        """Record the difference of the clocks where it is another than the one on record."""
        server, counting = self._run.clock.server, self._counting()
        if counting is None or self._heard is None:
            return
        raw, uncertainty = self._heard
        if server.skew is not None and abs(raw - server.skew) <= uncertainty:
            return  # a slow answer that fits what is on record is no sign of a clock that was set
        if abs(counting - (server.skew or 0.0)) <= max(server_time.SKEW_SHOWN, uncertainty):
            return
        data = {"skew_s": round(counting, 3), "uncertainty_s": round(uncertainty, 3)}
        await self._recorder.record(Kind.SERVER_CLOCK, data, key=f"server.clock:{len(server.readings) + 1}")
