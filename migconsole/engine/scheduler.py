"""When which probe runs: intervals by phase, a governor on their cost, a breaker on their failures.

Pure: time is given, nothing is awaited. Two lanes run side by side, one a session, so that a slow probe in the target
never delays the pulse. Whoever drives a lane asks ``pick``, runs what it names, and reports with ``finished``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from migconsole.domain.readings import Quality
from migconsole.domain.thresholds import Phase


class Lane(StrEnum):
    """One for each session: what runs in the same one runs one after the other."""

    PULSE = "pulse"
    PROBE = "probe"


PULSE = "pulse"
"""The name under which all probes of tier P run together."""


@dataclass(frozen=True, slots=True)
class Duty:
    """A probe as the scheduler sees it.

    ``tier`` is F, M, S or G (P for the pulse as a whole). ``gate``: gates run it. ``heavy`` ones never run beside each
    other nor while the migration stands in a lock chain. ``statistics``: before version 15 it reads a file of all
    tables. ``steps``: of tier S, but goes on, rarely, while a step runs.
    """

    name: str
    tier: str
    lane: Lane = Lane.PROBE
    gate: bool = False
    heavy: bool = False
    twin: str = ""
    statistics: bool = False
    steps: bool = False


INTERVALS: Mapping[str, Mapping[Phase, float]] = MappingProxyType(
    {
        "P": {Phase.BEFORE: 5.0, Phase.STEP: 1.0, Phase.FIRST_HOUR: 2.0, Phase.LATER: 10.0},
        "F": {Phase.BEFORE: 15.0, Phase.STEP: 5.0, Phase.FIRST_HOUR: 10.0, Phase.LATER: 30.0},
        "M": {Phase.BEFORE: 60.0, Phase.STEP: 30.0, Phase.FIRST_HOUR: 60.0, Phase.LATER: 60.0},
        "S": {Phase.BEFORE: 900.0, Phase.FIRST_HOUR: 300.0, Phase.LATER: 900.0},
    }
)
"""Seconds between two runs of a tier. None of S while a step runs: it is then that catalogues are locked."""

IN_STEPS = 300.0

DUTY = 100.0
"""A probe that took t seconds is not run again within 100 t: one per cent of the time at most."""

TOTAL = 0.02
"""Largest share of the time that all probes together may keep the server busy."""

PULSE_SHARE = 0.015
"""Of TOTAL, what the pulse may take for itself, so that the others are not starved by it."""

CREDIT = 0.5
"""Seconds of work that may be saved up for a probe which takes long."""

FIRST_CREDIT = 0.05
"""What there is of it at the start, so that the first look at everything is no burst."""

QUESTIONS = 0.5
"""Of what the pulse leaves of TOTAL, the part that a checklist's own questions may take; the rest is the probes' alone,
so that neither starves the other. The probes may have what no question takes."""

LONGEST_PAUSE = 60.0
"""Seconds up to which the pause doubles while a probe meets locks or its timeout."""

REFUSED_PAUSE = 60.0
"""Seconds between two looks at a probe that the server refuses; the refusal is remembered, so a look costs nothing."""

LARGE_STATISTICS = 0.03
"""Seconds from which a statistics probe shows that it reads a large file: 0.06 s and more for 20,000 tables before
version 15, below 0.001 s from 15 on."""

LOOK = 0.25
"""Seconds between two looks at what is due and not allowed yet."""

JITTER = 0.1
_WEIGHT = 0.3
_PULSE_WEIGHT = 0.1
_FARTHEST = 1e18


@dataclass(slots=True)
class _State:
    duty: Duty
    due: float
    began: float = -_FARTHEST
    usual: float = 0.0
    worst: float = 0.0
    pause: float = 0.0
    stands_in: bool = False
    seen: bool = False


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a lane runs next; ``gate`` as widely as it can."""

    name: str
    gate: bool = False


class Scheduler:
    """One for a watcher. ``pulse`` sets the pulse's interval in seconds, whatever the phase, when it is not 0."""

    def __init__(
        self,
        duties: Iterable[Duty],
        now: float,
        phase: Phase = Phase.BEFORE,
        *,
        pulse: float = 0.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._pulse_interval = pulse
        self._chance = chance
        self._phase = phase
        self._states = {PULSE: _State(Duty(PULSE, "P", Lane.PULSE), now)}
        self._states |= {duty.name: _State(duty, now) for duty in duties if duty.tier != "P"}
        self._gates: list[str] = []
        self._again: set[str] = set()
        self._running: dict[Lane, tuple[Chosen, float]] = {}
        self._pulsed = now
        self._credit, self._credited = FIRST_CREDIT, now
        self._asking_credit, self._asking_credited = FIRST_CREDIT, now
        self.chained = False

    @property
    def phase(self) -> Phase:
        """The phase whose intervals hold."""
        return self._phase

    def enter(self, phase: Phase, now: float) -> None:
        """Change the phase: what is due sooner by the new intervals becomes so at once."""
        if phase is self._phase:
            return
        self._phase = phase
        for state in self._states.values():
            interval = self._interval(state)
            if interval is not None:
                self._bring_forward(state, interval, now)

    def gate(self) -> None:
        """Run every probe of the gates once, as soon as it may; what opens everything, when no step runs."""
        waiting = set(self._gates)
        self._gates += [s.duty.name for s in self._states.values() if s.duty.gate and s.duty.name not in waiting]

    def retry(self, now: float) -> None:
        """Ask again at once what was refused or met a lock; the governor still holds."""
        for state in self._states.values():
            state.pause = 0.0
            if self._interval(state) is not None:
                state.due = max(now, state.began + DUTY * max(state.usual, state.worst))

    def hasten(self, name: str, now: float) -> None:
        """Run a probe as soon as it may, once more if it runs now, since what it is asked about has changed."""
        state = self._states[name]
        if any(run.name == name for run, _ in self._running.values()):
            self._again.add(name)
        elif self._interval(state) is not None:
            self._bring_forward(state, 0.0, now)

    def _bring_forward(self, state: _State, interval: float, now: float) -> None:
        """Make due what an interval since it last ran makes due sooner; its cost and its pause still hold."""
        state.due = min(state.due, max(now, state.began + self._gap(state, interval)))

    def pick(self, lane: Lane, now: float) -> Chosen | None:
        """What this lane runs now, None when nothing is due or allowed. It counts as running until ``finished``."""
        chosen = None if lane in self._running else self._choose(lane, now)
        if chosen is not None:
            self._running[lane] = (chosen, now)
        return chosen

    def may_ask(self, now: float) -> bool:
        """Whether a question of the checklist's own may be asked: their part of the time is not used up."""
        return self._asking_balance(now) >= 0

    def asked(self, now: float, took: float) -> None:
        """Report a question that kept the server busy for ``took`` seconds. It counts against the total, too."""
        self._asking_credit, self._asking_credited = self._asking_balance(now) - took, now
        self._credit, self._credited = self._balance(now) - took, now

    def _choose(self, lane: Lane, now: float) -> Chosen | None:
        if lane is Lane.PULSE and self._states[PULSE].due <= now:
            return Chosen(PULSE)
        if self._balance(now) < 0:
            return None
        waiting = [
            state
            for state in self._states.values()
            if state.duty.lane is lane
            and state.due <= now
            and self._interval(state) is not None
            and self._allowed(state.duty.name)
            and self._fits(state, now)
        ]
        # The slow tier waits behind a gate, which reads the same more widely; the others must not wait for it.
        first = min(waiting, key=lambda state: (state.duty.tier not in "FM", state.due), default=None)
        if first is None or first.duty.tier not in "FM":
            for name in self._gates:
                state = self._states[name]
                if state.duty.lane is lane and self._opens(state) and self._allowed(name) and self._fits(state, now):
                    self._gates.remove(name)
                    return Chosen(name, gate=True)
        if first is None:
            return None
        # What is due anyway and a gate waits for is run once, as the gate would have it.
        gate = first.duty.name in self._gates and self._opens(first)
        if gate:
            self._gates.remove(first.duty.name)
        return Chosen(first.duty.name, gate=gate)

    def finished(self, name: str, now: float, took: float, quality: Quality, *, largest: float | None = None) -> None:
        """Report a run that ended ``now`` and kept the server busy for ``took`` seconds.

        ``largest`` is what the costliest single probe of a pulse took.
        """
        state = self._states[name]
        _, state.began = self._running.pop(state.duty.lane, (None, now - took))
        self._credit = self._balance(now) - (0.0 if name == PULSE else took)
        self._credited = now
        self._cost(state, took, took if largest is None else largest)
        interval = self._interval(state)
        if quality in (Quality.LOCKED, Quality.STALE) and name != PULSE:
            state.pause = min(max(2 * state.pause, interval or REFUSED_PAUSE), LONGEST_PAUSE)
        else:
            state.pause = REFUSED_PAUSE if quality in (Quality.NO_PRIVILEGE, Quality.NOT_AVAILABLE) else 0.0
        self._switch(state, quality, now)
        # Where the phase has no interval the duty waits for the next phase, which sets its time by when it ran.
        # The pulse alone keeps time: others may be a little later, so that they do not all fall on one moment.
        jitter = 0.0 if name == PULSE else JITTER * self._chance()
        state.due = state.began + self._gap(state, interval or 0.0) * (1 + jitter)
        if name == PULSE:
            self._pulsed = now
        if name in self._again:
            self._again.discard(name)
            self.hasten(name, now)

    def _cost(self, state: _State, took: float, largest: float) -> None:
        """Remember what a run cost. Of the pulse one slow run must not cost its freshness, so it counts on average.

        Its first run does not count: it finds everything cold.
        """
        if state.duty.name == PULSE:
            if state.seen:
                state.usual += _PULSE_WEIGHT * (took - state.usual) if state.usual else took
                state.worst += _PULSE_WEIGHT * (largest - state.worst) if state.worst else largest
        else:
            state.usual = took if not state.usual else state.usual + _WEIGHT * (took - state.usual)
            state.worst = took
        state.seen = True

    def _switch(self, state: _State, quality: Quality, now: float) -> None:
        """A probe that was too slow is stood in for by its cheap twin, until it answers in time again."""
        twin = self._states.get(state.duty.twin)
        if twin is None or quality not in (Quality.OK, Quality.STALE):
            return
        twin.stands_in = quality is Quality.STALE
        if twin.stands_in:
            twin.due = min(twin.due, max(now, twin.began + DUTY * max(twin.usual, twin.worst)))

    def wait(self, lane: Lane, now: float, longest: float = 1.0) -> float:
        """Seconds until this lane should ask again."""
        mine = [
            state for state in self._states.values() if state.duty.lane is lane and self._interval(state) is not None
        ]
        later = min((state.due - now for state in mine if state.due > now), default=longest)
        # What is due and not allowed waits for the other lane, the lock chain or credit: look again soon.
        return min(later, longest, LOOK if any(state.due <= now for state in mine) or self._gates else longest)

    def _allowed(self, name: str) -> bool:
        """No heavy probe beside another one, nor while the migration waits for or holds up anybody."""
        if not self._states[name].duty.heavy:
            return True
        return not self.chained and not any(self._states[run.name].duty.heavy for run, _ in self._running.values())

    def _opens(self, state: _State) -> bool:
        """Whether a gate may read this now: while a step runs, not what is asked of all relations and catalogues.

        The next step may begin right after one; what its gate waits for is read when no step runs any more.
        """
        return self._phase is not Phase.STEP or state.duty.tier in "FM"

    def _fits(self, state: _State, now: float) -> bool:
        """Whether a probe that shares the pulse's session will be over when the next pulse is due.

        What takes longer than the time between two pulses begins right after one.
        """
        if state.duty.lane is not Lane.PULSE:
            return True
        return state.usual <= self._states[PULSE].due - now or now - self._pulsed < LOOK

    def _interval(self, state: _State) -> float | None:
        """Seconds between two runs in this phase, None for not at all."""
        duty = state.duty
        if duty.name == PULSE and self._pulse_interval:
            return self._pulse_interval
        found = INTERVALS.get(duty.tier, {}).get(self._phase)
        if found is None:
            stands = duty.tier == "S" and (duty.steps or state.stands_in)
            return IN_STEPS if stands and self._phase is Phase.STEP else None
        if duty.statistics and max(state.usual, state.worst) >= LARGE_STATISTICS:
            return found * (3 if duty.tier == "F" else 2)
        return found

    def _gap(self, state: _State, interval: float) -> float:
        if state.duty.name == PULSE:
            return max(interval, DUTY * state.worst, state.usual / PULSE_SHARE)
        return max(interval, DUTY * max(state.usual, state.worst), state.pause)

    def _balance(self, now: float) -> float:
        """Seconds of work that may still be done, pulse apart; negative after a long one until that is made up."""
        return min(CREDIT, self._credit + max(0.0, now - self._credited) * self._rest())

    def _asking_balance(self, now: float) -> float:
        """The same of the questions alone."""
        earned = max(0.0, now - self._asking_credited) * self._rest() * QUESTIONS
        return min(CREDIT, self._asking_credit + earned)

    def _rest(self) -> float:
        """The share of the time that the pulse leaves."""
        state = self._states[PULSE]
        return TOTAL - state.usual / self._gap(state, self._interval(state) or 1.0)
