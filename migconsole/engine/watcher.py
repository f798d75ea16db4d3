"""The watcher: samples a target's health for as long as it matters, whoever looks, and raises alarms.

Two loops run side by side, one a session, and a third one keeps house: it looks at the run, beats, thins and ends. What
the server does ends up in readings; what the disk does ends up in the heartbeat's problem; neither ends the watcher.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from migconsole.domain.alarms import AlarmBook, Change, Changed
from migconsole.domain.readings import Quality, Reading
from migconsole.domain.series import SERIES, values
from migconsole.domain.snapshots import TEXTS, dearest, text_rows
from migconsole.domain.thresholds import Phase
from migconsole.engine.health_ports import Chores, Circumstances, HealthProbes, HealthStore, Judge, Surrounding
from migconsole.engine.scheduler import PULSE, Duty, Lane, Scheduler
from migconsole.errors import MigconsoleError

HOUSEKEEPING = 1.0
BEAT = 2.0
LEAVING = 0.2
"""Seconds between looks at whether a job needs the target to itself: a rollback waits for the answer."""

THINNING = 300.0
ASK_AGAIN = 300.0
"""Seconds after which refused probes are tried again by themselves: a grant is noticed without anybody's key."""

GATES_AFTER = (0.0, 900.0, 1800.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 24 * 3600.0)
"""Seconds after the last step at which everything is read: the windows over which health is compared."""

JUMP = 2.0
"""Seconds between wall and monotonic clock that count as a clock that was set."""

ASLEEP = 30.0
"""Seconds without housekeeping that count as a host that slept: its lines have a gap there."""

OWN_COST = "self_cost"
CLOCK = "clock_skew"
FIRST_NORMAL_OID = 16384
"""Objects with smaller numbers are the system's own."""

SETTLING = 120.0
"""Seconds until our own cost is judged: it is a mean over a minute, and the first one is looking at everything once."""

NOTICE = 600.0
UNTOLD = 1000
TEXT_COUNT = 100
"""Statements, by total time, whose texts are kept for the screens."""


class Watcher:
    """Samples until ``until`` seconds after the last step, the run's end, or ``stop``.

    ``monotonic`` counts through sleep, ``clock`` is Unix time. ``began`` is called once sampling begins.
    """

    def __init__(
        self,
        probes: HealthProbes,
        store: HealthStore,
        duties: Iterable[Duty],
        judge: Judge,
        surrounding: Surrounding,
        *,
        until: float,
        pulse: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        began: Callable[[], None] = lambda: None,
        chores: Chores | None = None,
    ) -> None:
        self._probes = probes
        self._store = store
        self._judge = judge
        self._surrounding = surrounding
        self._until = until
        self._monotonic = monotonic
        self._clock = clock
        self._tell_began = began
        self._chores = chores
        self._quiet = False
        self._scheduler = Scheduler(duties, monotonic(), pulse=pulse)
        self._book = AlarmBook()
        self._now = Circumstances(Phase.BEFORE)
        self._untold: list[Changed] = []
        self._stop = asyncio.Event()
        self._wake = {lane: asyncio.Event() for lane in Lane}
        self._problems: dict[str, str] = {}
        self._notice = ("", 0.0)
        self._began = clock()
        self._offset = clock() - monotonic()
        self._housekept = monotonic()
        self._settled = monotonic() + SETTLING
        self._gates_done = 0
        self._steps = 0
        self._stood_down = ""

    def stop(self) -> None:
        """End soon, and in order."""
        self._stop.set()

    async def run(self) -> None:
        """Sample until the end. Raises MigconsoleError when nothing can be watched, or nothing written, at all."""
        await self._store.open()
        try:
            await self._beat()
            await self._look()
            await self._stand()
            await self._reconcile()
            await self._probes.open()
            self._tell_began()
            self._scheduler.gate()
            await self._together()
        except MigconsoleError as error:
            self._problems["target"] = error.title
            raise
        finally:
            await self._probes.close()
            with suppress(MigconsoleError):
                await self._store.gap(SERIES)
                await self._beat()
            await self._store.close()

    async def _reconcile(self) -> None:
        """Begin where the last watcher ended, also between keeping an alarm and putting it on record."""
        kept = {alarm.id: alarm for alarm in await self._store.alarms()}
        recorded = self._now.alarms
        for alarm in sorted(kept.values(), key=lambda alarm: alarm.id):
            if alarm.id not in recorded:
                self._untold.append(Changed(Change.RAISED, alarm))
            if alarm.cleared and (alarm.id not in recorded or not recorded[alarm.id].cleared):
                self._untold.append(Changed(Change.CLEARED, alarm))
        for alarm in recorded.values():
            if alarm.id not in kept:
                await self._written(self._store.keep_alarm(alarm))
        self._book = AlarmBook({**recorded, **kept}.values())

    async def _together(self) -> None:
        """The loops, until one ends: by order, or by a defect, which then is not hidden."""
        loops = [asyncio.create_task(self._lane(lane), name=f"watcher {lane}") for lane in Lane]
        loops.append(asyncio.create_task(self._housekeeping(), name="watcher housekeeping"))
        loops.append(asyncio.create_task(self._leaving(), name="watcher leaving"))
        loops.append(asyncio.create_task(self._doing(), name="watcher chores"))
        try:
            done, _ = await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
        for loop in done:
            loop.result()

    async def _lane(self, lane: Lane) -> None:
        while True:
            chosen = self._scheduler.pick(lane, self._monotonic())
            if chosen is None:
                self._wake[lane].clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._scheduler.wait(lane, self._monotonic())):
                        await self._wake[lane].wait()
            elif chosen.name == PULSE:
                await self._pulse()
            else:
                await self._probe(chosen.name, gate=chosen.gate)

    async def _pulse(self) -> None:
        readings = await self._probes.run_pulse()
        costs = [reading.took / 1000 for reading in readings]
        quality = Quality.OK if any(r.quality is Quality.OK for r in readings) else Quality.FAILED
        largest = max(costs, default=0.0)
        self._scheduler.finished(PULSE, self._monotonic(), sum(costs), quality, largest=largest)
        self._scheduler.chained = any(_chained(reading) for reading in readings)
        # A new session would hang in locked catalogues, and a question of ours must not join the migration's queue.
        self._quiet = self._scheduler.chained or any(_catalogues_locked(reading) for reading in readings)
        await self._take(readings)

    async def _probe(self, name: str, *, gate: bool) -> None:
        reading = await self._probes.run_probe(name, gate=gate)
        self._scheduler.finished(name, self._monotonic(), reading.took / 1000, reading.quality)
        await self._take([reading], pinned=gate)
        if name == "pgss_delta" and reading.quality is Quality.OK:
            await self._texts(reading)

    async def _texts(self, reading: Reading) -> None:
        """Keep the texts of the statements that matter, so that screens need no session of their own."""
        numbers = dearest(reading.rows)
        texts = await self._probes.texts(numbers[:TEXT_COUNT], numbers)
        if texts:
            await self._take([Reading(TEXTS, self._clock(), 0.0, Quality.OK, text_rows(texts))])

    async def _take(self, readings: Sequence[Reading], *, pinned: bool = False) -> None:
        """Store readings, and what they say of alarms."""
        changes = [
            changed
            for reading in readings
            if reading.probe != OWN_COST or self._monotonic() - self._settled > 0
            for changed in self._book.judged(reading, *self._judge(reading, self._scheduler.phase))
        ]
        for reading in readings:
            if reading.probe == CLOCK and reading.rows:
                row = reading.rows[0]
                self._surrounding.skewed(float(row["skew_s"]), float(row["uncertainty_s"]))
        await self._written(self._store.write(readings, values(readings), pinned=pinned))
        for changed in changes:
            await self._changed(changed)

    async def _changed(self, changed: Changed) -> None:
        # On record first: whoever sees an alarm may acknowledge it at once, and the journal must know it by then.
        if changed.change is not Change.ACKNOWLEDGED:
            self._untold = [*self._untold, changed][-UNTOLD:]
            await self._tell()
        await self._written(self._store.keep_alarm(changed.alarm))

    async def _tell(self) -> None:
        """Put on record what is not yet; what cannot be written now is told again, in order."""
        while self._untold:
            changed = self._untold[0]
            try:
                await self._surrounding.tell(changed)
            except MigconsoleError as error:
                self._problems["journal"] = error.title
                return
            self._problems.pop("journal", None)
            if self._untold and self._untold[0] is changed:
                del self._untold[0]

    async def acknowledge(self, alarm: int, person: str) -> None:
        """A person has seen an alarm."""
        for changed in self._book.acknowledged(alarm, person):
            await self._changed(changed)

    async def _housekeeping(self) -> None:
        beat = thinned = asked = self._monotonic()
        while not self._stop.is_set() and not self._surrounding.gone():
            now = self._monotonic()
            await self._clocks(now)
            await self._look()
            if self._now.over or self._clock() - max(self._began, self._now.since or 0.0) >= self._until:
                return
            await self._tell()
            if now - beat >= BEAT:
                beat = now
                self._problems["lock"] = await self._probes.hold()
                await self._beat()
            if now - thinned >= THINNING:
                thinned = now
                await self._written(self._store.thin())
            if self._surrounding.asked_to_retry() or now - asked >= ASK_AGAIN:
                asked = now
                self._retry()
            with suppress(TimeoutError):
                async with asyncio.timeout(HOUSEKEEPING):
                    await self._stop.wait()

    def _retry(self) -> None:
        self._probes.retry()
        self._scheduler.retry(self._monotonic())
        self._wake_lanes()

    async def _look(self) -> None:
        """See how the run stands, and follow it: phase, names, gates, the session in the target."""
        try:
            self._now = await self._surrounding.look(self._clock())
        except MigconsoleError as error:
            self._problems["run"] = error.title
            return
        self._problems.pop("run", None)
        for name in self._probes.watch(self._now):
            self._scheduler.hasten(name, self._monotonic())
        if self._now.phase is not self._scheduler.phase:
            self._scheduler.enter(self._now.phase, self._monotonic())
            self._wake_lanes()
        for alarm in self._now.alarms.values():
            if alarm.acknowledged:
                await self.acknowledge(alarm.id, alarm.acknowledged)
        self._due_gates()

    async def _leaving(self) -> None:
        while True:
            await asyncio.sleep(LEAVING)
            await self._stand()

    async def _doing(self) -> None:
        """The chores, one after another; what cannot be put on record is told of and tried again."""
        while True:
            await asyncio.sleep(HOUSEKEEPING)
            if self._chores is None or self._stood_down:
                continue
            now = self._monotonic()
            try:
                await self._chores.do(self._now, quiet=self._quiet or not self._scheduler.may_ask(now))
            except MigconsoleError as error:
                self._problems["chores"] = error.title
            else:
                self._problems["chores"] = self._chores.problem()
            if spent := self._chores.spent():
                self._scheduler.asked(self._monotonic(), spent)
                self._probes.spent(spent)

    async def _stand(self) -> None:
        """Leave the target for whoever needs it alone, say so, and come back when nobody does."""
        requests = self._surrounding.asked_to_leave()
        away = next(iter(requests.values()), "") or self._now.away
        if away and not self._stood_down:
            self._stood_down = away
            if self._chores is not None:
                await self._chores.leave()
            await self._probes.stand_down(away)
        elif self._stood_down and not away:
            self._stood_down = ""
            await self._probes.stand_up()
            self._retry()
        if requests:
            self._surrounding.has_left(requests)

    def _due_gates(self) -> None:
        """After each step, and at fixed times after the last one, everything is read."""
        if self._now.steps != self._steps:
            self._steps, self._gates_done = self._now.steps, 0
        if self._now.since is None or self._now.running:
            return
        passed = sum(1 for after in GATES_AFTER if self._clock() - self._now.since >= after)
        if passed > self._gates_done:
            self._gates_done = passed
            self._scheduler.gate()
            self._wake_lanes()

    async def _clocks(self, now: float) -> None:
        """Notice a clock that was set and a host that slept: stamps before and after do not compare."""
        offset = self._clock() - now
        if abs(offset - self._offset) > JUMP:
            moved = offset - self._offset
            self._notice = (f"the clock was set {'forward' if moved > 0 else 'back'} by {abs(moved):.0f} s", now)
            # Until and since are wall times, so the end moves with the clock.
            self._began += moved
        if abs(offset - self._offset) > JUMP or now - self._housekept > ASLEEP:
            await self._written(self._store.gap(SERIES))
        self._offset, self._housekept = offset, now

    async def _beat(self) -> None:
        cost, connections = self._probes.cost()
        notice = self._notice[0] if self._notice[0] and self._monotonic() - self._notice[1] < NOTICE else ""
        problem = "; ".join(text for text in (*self._problems.values(), notice) if text)
        await self._written(
            self._store.beat(cost=cost, connections=connections, problem=problem, phase=str(self._scheduler.phase))
        )

    async def _written(self, writing: Awaitable[None]) -> None:
        """Await a write; a full disk is told of in the heartbeat as soon as that can be written again."""
        try:
            await writing
        except MigconsoleError as error:
            self._problems["store"] = error.title
        else:
            self._problems.pop("store", None)

    def _wake_lanes(self) -> None:
        for event in self._wake.values():
            event.set()


def _catalogues_locked(reading: Reading) -> bool:
    return reading.probe == "ael_queue" and any(
        0 < (row.get("relation_oid") or 0) < FIRST_NORMAL_OID for row in reading.rows
    )


def _chained(reading: Reading) -> bool:
    """Whether the migration waits for somebody or holds somebody up."""
    return reading.probe == "lock_tree" and any(
        row.get("migration") and ((row.get("waits_for") or 0) > 0 or (row.get("holds_up") or 0) > 0)
        for row in reading.rows
    )
