"""What the watcher sees by itself: sensed items and the tripwires that a machine can see.

One question at a time, each bounded and each in a session of its own that ends with it. Nothing is asked while the
target has to be left, while the migration is in a lock queue, and no query of the checklist's own while a step changes
the target: it would hold ACCESS SHARE, and become the reader that the migration waits for.

Facts go into the journal on a change of verdict only, and at scheduled looks. An answer that is not there is unknown:
it moves nothing, and is put on record once it has lasted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from migconsole.domain.checklist import Check, Checklist, Located, Sql, Step, Tripwire
from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from migconsole.domain.run import Run
from migconsole.domain.sensing import LOOKED_AT, Sensed, moved, way
from migconsole.domain.tripwires import WireState
from migconsole.engine.comparing import moments
from migconsole.engine.health_ports import Circumstances
from migconsole.engine.ports import Database
from migconsole.engine.resolve import Resolving
from migconsole.engine.verdicts import judge_check
from migconsole.errors import MigconsoleError

LIMIT = 5.0
"""Seconds for a question without a timeout of its own, and at most three times as long with one."""

LOCK_TIMEOUT = 0.1
"""Seconds a question waits for a lock, as every query of the monitor."""

DUTY = 100.0
"""A question on which the server worked for t seconds is not asked again within 100 t, as a probe: one per cent of its
time at most. The way there, waiting for a lock, and a busy host of ours are no work of the server's. What all questions
may take together is the scheduler's to say."""

AGAIN = 5.0
"""Seconds until a verdict that differs is asked for once more, as only what is seen twice in a row is a change; and the
first pause after a question without an answer, which doubles up to the time between two looks."""

LASTING = 60.0
"""Seconds that an answer has to be missing before that is put on record: a server that restarts says little."""

BLIND = 300.0
"""Seconds without an answer after which a tripwire is said to be watched by nobody: a comparison needs some minutes of
samples after a migration before it says anything."""

WIRES = 60.0
"""Seconds between two looks at a tripwire that says nothing of it."""

LINES = 20
"""Lines of evidence that go into the journal with a verdict."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question gave."""

    verdict: Sensed
    reasons: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


class Spent(Protocol):
    """What has been asked of the server since counting began."""

    @property
    def seconds(self) -> float:
        """Seconds for which it worked."""


Meter = Callable[[], AbstractContextManager[Spent]]
"""Counts what is spent by what is begun inside."""


class Ask(Protocol):
    """Puts a step to the server and judges the answer. What keeps it from being answered is unknown, never raised."""

    async def __call__(self, step: Step, limit: float) -> Answer:
        """Ask."""


class Questions:
    """``Ask`` over the target, with today's values of the run's variables."""

    def __init__(self, resolving: Resolving, database: Database) -> None:
        self._resolving = resolving
        self._database = database

    async def __call__(self, step: Step, limit: float) -> Answer:
        """Ask and judge; without an answer the reason is why there is none."""
        prepared = self._resolving.prepare(step)
        if prepared.unresolved:
            return Answer(Sensed.UNKNOWN, tuple(f"“{name}” has no value" for name in prepared.unresolved))
        try:
            async with asyncio.timeout(limit * 2):
                if isinstance(step.action, Sql):
                    wait = min(step.lock_timeout or LOCK_TIMEOUT, LOCK_TIMEOUT)
                    result = await self._database.query(prepared.statements, limit=limit, lock_timeout=wait)
                else:
                    assert isinstance(step.action, Check)
                    result = await self._database.check(step.action.name, prepared.arguments)
            outcome = judge_check(step, result)
        except TimeoutError:
            return Answer(Sensed.UNKNOWN, (f"no answer within {limit * 2:.0f} s",))
        except MigconsoleError as error:
            return Answer(Sensed.UNKNOWN, tuple(filter(None, (error.title, error.detail))))
        except Exception as error:  # what a check stumbles over is no verdict, and no end of the watcher
            return Answer(Sensed.UNKNOWN, (f"the check itself broke: {type(error).__name__}: {error}",))
        return Answer(_VERDICTS.get(outcome.outcome, Sensed.UNKNOWN), outcome.reasons, outcome.lines)


_VERDICTS = {"passed": Sensed.PASSED, "failed": Sensed.FAILED}
"""What an outcome says; one that asks a person says nothing by itself."""

Tell = Callable[[Kind, Mapping[str, Any], str], Awaitable[object]]
"""Appends a fact under its key. Raises MigconsoleError when it cannot; the same is then told again."""


@dataclass(slots=True)
class _Sensor:
    """One thing that is looked at. ``changing`` is the verdict that was seen once and has to be seen again; ``pause``
    is how long it was left alone when it gave no answer."""

    due: float = 0.0
    pause: float = 0.0
    changing: Sensed | None = None
    unknown_since: float | None = None
    why: str = ""
    looks: set[float] = field(default_factory=set)


class Sensing:
    """Asks whatever is due. ``clock`` is Unix time, ``monotonic`` counts through sleep."""

    def __init__(
        self,
        checklist: Checklist,
        run: Callable[[], Run],
        ask: Ask,
        tell: Tell,
        meter: Meter,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checklist = checklist
        self._run = run
        self._ask = ask
        self._tell = tell
        self._meter = meter
        self._spent = 0.0
        self._clock = clock
        self._monotonic = monotonic
        self._sensors: dict[str, _Sensor] = {}
        self._items = [one for one in (*checklist.walk(), *checklist.walk_rollback()) if way(one.item) is not None]
        self._wires = [wire for wire in checklist.tripwires if isinstance(wire.step.action, Check | Sql)]
        self._asking: asyncio.Future[Answer] | None = None

    @property
    def idle(self) -> bool:
        """Whether the checklist has nothing that could be sensed."""
        return not self._items and not self._wires

    async def leave(self) -> None:
        """Break off what is being asked, because the target has to be left; its session is closed then."""
        asking = self._asking
        if asking is not None:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    def blind(self) -> str:
        """Which tripwires look armed and cannot be seen: their questions have had no answer for long. "" for none."""
        now = self._monotonic()
        sensors = [(wire, self._sensor(wire.id)) for wire in self._wires]
        return "; ".join(
            f"nobody can see whether “{wire.title}” holds ({one.why or 'no answer'})"
            for wire, one in sensors
            if one.unknown_since is not None and now - one.unknown_since >= BLIND
        )

    def spent(self) -> float:
        """Seconds for which the server worked on questions since the last call."""
        spent, self._spent = self._spent, 0.0
        return spent

    async def look(self, now: Circumstances, *, quiet: bool) -> None:
        """Ask what has been due for longest, one question a call; nothing while it should be ``quiet``.

        Raises MigconsoleError where it cannot be put on record.
        """
        if now.away or now.over or quiet:
            return
        # One question a call: between two of them the watcher may have been asked to leave. The longest due first:
        # where there is more to ask than time allows, the last line of the checklist has its turn, too.
        located = min(self._due_items(now), key=lambda one: self._sensor(one.item.id).due, default=None)
        wire = min(self._due_wires(now), key=lambda one: self._sensor(one.id).due, default=None)
        if located is not None and (wire is None or self._sensor(located.item.id).due < self._sensor(wire.id).due):
            await self._look_at(located)
        elif wire is not None:
            await self._watch_over(wire)

    # -- items ---------------------------------------------------------------------------------------------------------

    def _due_items(self, now: Circumstances) -> Iterator[Located]:
        for located in self._items:
            item, run = located.item, self._run()
            record = run.record(item.id)
            chosen = way(item, record.last.alternative if record.last else None)
            if chosen is None or record.state not in LOOKED_AT or not self._may_ask(item.steps[chosen].step, now):
                continue
            if self._look_due(located) is not None or self._watch_due(located):
                yield located

    def _watch_due(self, located: Located) -> bool:
        if located.item.watch is None or not self._is_due(located.item.id):
            return False
        t0, begun = self._t0()
        since = None if t0 is None else self._clock() - t0
        return reached(self._checklist, self._run(), located, since, begun)

    async def _look_at(self, located: Located) -> None:
        item, sensor = located.item, self._sensor(located.item.id)
        record = self._run().record(item.id)
        chosen = way(item, record.last.alternative if record.last else None)
        look = self._look_due(located)
        answer = await self._asked(item.steps[chosen or 0].step, sensor, item.watch or AGAIN)
        if answer is None:
            return
        run = self._run()
        record, before = run.record(item.id), run.sensors.senses.get(item.id)
        last = record.last.outcome if record.last else ""
        changes = (
            before is None or before.verdict is not answer.verdict or bool(moved(answer.verdict, record.state, last))
        )
        if not changes and answer.verdict is not Sensed.UNKNOWN:
            sensor.changing = None  # it holds again, or still does not: what was seen once was no change
        if look is None and not (changes and self._confirmed(sensor, answer, first=before is None)):
            return
        if record.state not in LOOKED_AT:
            return
        number = before.number + 1 if before is not None else 1
        data = {
            "item": item.id,
            "verdict": answer.verdict.value,
            "reasons": list(answer.reasons),
            "lines": list(answer.lines[:LINES]),
        }
        key = f"item.sensed:{item.id}:{number}"
        if look is not None:
            name = f"T+{_written(look)}"
            data["look"], key = name, f"item.sensed:{item.id}:{name}"
        await self._tell(Kind.ITEM_SENSED, data, key)
        sensor.changing = None
        if look is not None:
            sensor.looks |= {offset for offset in item.schedule if offset <= look}

    def _look_due(self, located: Located) -> float | None:
        """The newest scheduled look that is due and on nobody's record; older ones that were missed are let go."""
        if not located.item.schedule:
            return None
        t0, begun = self._t0()
        if t0 is None or not begun:
            return None
        passed = [offset for offset in located.item.schedule if self._clock() >= t0 + offset]
        sensor, sense = self._sensor(located.item.id), self._run().sensors.senses.get(located.item.id)
        if not passed or passed[-1] in sensor.looks or (sense and sense.look == f"T+{_written(passed[-1])}"):
            return None
        return passed[-1] if self._is_due(located.item.id) else None

    # -- tripwires -----------------------------------------------------------------------------------------------------

    def _due_wires(self, now: Circumstances) -> Iterator[Tripwire]:
        if not now.running and now.since is None:
            return
        yield from (wire for wire in self._wires if self._is_due(wire.id) and self._may_ask(wire.step, now))

    async def _watch_over(self, wire: Tripwire) -> None:
        """A criterion that does not hold trips its wire; a person acknowledges, and decides."""
        sensor = self._sensor(wire.id)
        answer = await self._asked(wire.step, sensor, wire.watch or WIRES)
        if answer is None or answer.verdict is Sensed.UNKNOWN:
            return
        record = self._run().tripwires.record(wire.id)
        trips = answer.verdict is Sensed.FAILED
        tripped = record.state is not WireState.ARMED and not record.over
        if trips == tripped:
            sensor.changing = None
            return
        if not trips and record.by != "check":
            return  # what a person or the clock saw, no check takes back
        if not self._confirmed(sensor, answer, first=False):
            return
        state = "tripped" if trips else "cleared"
        evidence = "\n".join(answer.lines[:LINES])
        reason = "; ".join(answer.reasons) or ("its check does not hold" if trips else "its check holds again")
        data = {"tripwire": wire.id, "state": state, "by": "check", "reason": reason, "evidence": evidence}
        await self._tell(Kind.TRIPWIRE, data, f"tripwire:{wire.id}:check:{state}:{self._run().head}")
        sensor.changing = None

    # -- asking --------------------------------------------------------------------------------------------------------

    def _sensor(self, name: str) -> _Sensor:
        return self._sensors.setdefault(name, _Sensor())

    def _is_due(self, name: str) -> bool:
        return self._monotonic() >= self._sensor(name).due

    def _may_ask(self, step: Step, now: Circumstances) -> bool:
        return not (now.running and isinstance(step.action, Sql))

    async def _asked(self, step: Step, sensor: _Sensor, every: float) -> Answer | None:
        """The answer, None when it was broken off. When it is asked next follows from what it cost the server."""
        answer: Answer | None = None
        with self._meter() as spent:
            self._asking = asyncio.ensure_future(self._ask(step, min(step.timeout or LIMIT, 3 * LIMIT)))
            try:
                answer = await self._asking
            except asyncio.CancelledError:
                around = asyncio.current_task()
                if around is not None and around.cancelling():
                    raise
                return None
            finally:
                self._asking = None
                answered = answer is not None and answer.verdict is not Sensed.UNKNOWN
                sensor.pause = every if answered else min(every, max(AGAIN, 2 * sensor.pause))
                sensor.due = self._monotonic() + max(sensor.pause, DUTY * spent.seconds)
                if answered:
                    sensor.pause = 0.0
                self._spent += spent.seconds
        sensor.why = "; ".join(answer.reasons)
        if answer.verdict is not Sensed.UNKNOWN:
            sensor.unknown_since = None
        elif sensor.unknown_since is None:
            sensor.unknown_since = self._monotonic()
        return answer

    def _confirmed(self, sensor: _Sensor, answer: Answer, *, first: bool) -> bool:
        """Whether a verdict counts: the first one at once, a change when it was seen twice, unknown when it lasts."""
        if answer.verdict is Sensed.UNKNOWN:
            return sensor.unknown_since is not None and self._monotonic() - sensor.unknown_since >= LASTING
        if first or sensor.changing is answer.verdict:
            return True
        sensor.changing = answer.verdict
        sensor.due = min(sensor.due, self._monotonic() + AGAIN)
        return False

    def _t0(self) -> tuple[float | None, bool]:
        """T-0 by the clock, as this host has it, else when the migration began; and whether it has really begun."""
        clock, began = self._run().clock, moments(self._run(), self._checklist).began
        return began if clock.t0 is None else clock.server.local(clock.t0).timestamp(), began is not None


def reached(checklist: Checklist, run: Run, located: Located, since: float | None, begun: bool) -> bool:
    """Whether a line's turn has come, so that it may turn verified by itself: nothing is green ahead of its time.

    It has been run before; or its phase's time has come (``since`` is seconds since T-0, or since the migration
    began where nobody set it; what stands after T-0 waits until the migration has really ``begun``); or work in its
    phase has begun; or everything before its phase is dealt with. The rollback's lines wait until one was touched.
    """
    if run.record(located.item.id).attempts:
        return True
    if located.phase is None:
        return any(run.record(one.item.id).state is not ItemState.TODO for one in checklist.walk_rollback())
    if since is not None and since >= located.phase.at and (begun or located.phase.at <= 0):
        return True
    before = True
    for phase in checklist.phases:
        states = [run.state_of(item) for section in phase.sections for item in section.items]
        if phase.id == located.phase.id:
            return before or any(state is not ItemState.TODO for state in states)
        before = before and all(state.settled for state in states)
    return False


def _written(offset: float) -> str:
    """An offset as checklists write it: 1h, 4h, 15m."""
    whole = int(offset)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if whole >= size and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"
