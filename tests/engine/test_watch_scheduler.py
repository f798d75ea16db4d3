"""The watcher's scheduler: whatever probes cost and however they fail, its promises hold. Time is made up."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migconsole.domain.readings import Quality
from migconsole.domain.thresholds import Phase
from migconsole.engine.scheduler import CREDIT, INTERVALS, PULSE, TOTAL, Chosen, Duty, Lane, Scheduler

DUTIES = (
    Duty("counters", "F", Lane.PULSE, statistics=True),
    Duty("rewrite", "F", Lane.PULSE, heavy=True),
    Duty("io", "M"),
    Duty("statements", "M", heavy=True),
    Duty("sizes", "S", gate=True, heavy=True, twin="estimate", steps=True),
    Duty("estimate", "S", heavy=True),
    Duty("invalid", "S", gate=True),
    Duty("fingerprint", "G", gate=True, heavy=True),
)
HEAVY = {duty.name for duty in DUTIES if duty.heavy}


@dataclass(frozen=True)
class Run:
    name: str
    lane: Lane
    began: float
    took: float
    gate: bool = False
    chained: bool = False


class Simulation:
    """Drives both lanes through made-up time; each probe takes what ``took`` says."""

    def __init__(self, took: dict[str, float], *, phase: Phase = Phase.BEFORE, gates: bool = False) -> None:
        self.scheduler = Scheduler(DUTIES, 0.0, phase, chance=lambda: 0.5)
        self.took = took
        self.quality: dict[str, Quality] = {}
        self.now = 0.0
        self.runs: list[Run] = []
        self._busy: dict[Lane, Run] = {}
        if gates:
            self.scheduler.gate()

    def until(self, end: float) -> None:
        while self.now < end:
            for lane in Lane:
                run = self._busy.get(lane)
                if run is not None and run.began + run.took <= self.now:
                    del self._busy[lane]
                    quality = self.quality.get(run.name, Quality.OK)
                    largest = run.took if run.name == PULSE else None
                    self.scheduler.finished(run.name, self.now, run.took, quality, largest=largest)
                if lane not in self._busy and (chosen := self.scheduler.pick(lane, self.now)) is not None:
                    self._start(lane, chosen)
            ends = [run.began + run.took for run in self._busy.values()]
            waits = [self.now + self.scheduler.wait(lane, self.now) for lane in Lane if lane not in self._busy]
            self.now = max(self.now + 0.001, min([*ends, *waits, end]))

    def _start(self, lane: Lane, chosen: Chosen) -> None:
        took = self.took.get(chosen.name, 0.001)
        run = Run(chosen.name, lane, self.now, took, chosen.gate, self.scheduler.chained)
        self.runs.append(run)
        self._busy[lane] = run

    def of(self, name: str) -> list[Run]:
        return [run for run in self.runs if run.name == name]


costs = st.dictionaries(
    st.sampled_from([PULSE, *(duty.name for duty in DUTIES)]), st.floats(0.0001, 2.0), min_size=1, max_size=9
)
phases = st.sampled_from(list(Phase))


@given(costs, phases)
@settings(max_examples=25, deadline=None)
def test_no_probe_is_busy_for_more_than_one_per_cent(took: dict[str, float], phase: Phase) -> None:
    simulation = Simulation(took, phase=phase)
    simulation.until(1800)
    for name in {run.name for run in simulation.runs}:
        # The first pulse finds everything cold and does not count.
        runs = simulation.of(name)[1 if name == PULSE else 0 :] or simulation.of(name)
        elapsed = runs[-1].began - runs[0].began
        assert sum(run.took for run in runs[:-1]) <= 0.01 * elapsed + 1e-6, name


@given(costs, phases)
@settings(max_examples=25, deadline=None)
def test_all_together_are_busy_for_two_per_cent_at_most(took: dict[str, float], phase: Phase) -> None:
    simulation = Simulation(took, phase=phase)
    simulation.until(1800)
    busy = sum(run.took for run in simulation.runs)
    # What began is finished: beside the credit, one run of each lane may be on the way; the first ones know no cost.
    once = 2 * max(took.values()) + 2 * took.get(PULSE, 0.001)
    assert busy <= TOTAL * 1800 + CREDIT + once


@given(costs, phases, st.booleans())
@settings(max_examples=25, deadline=None)
def test_two_heavy_probes_never_run_beside_each_other(took: dict[str, float], phase: Phase, gates: bool) -> None:
    simulation = Simulation(took, phase=phase, gates=gates)
    simulation.until(900)
    heavy = sorted((run for run in simulation.runs if run.name in HEAVY), key=lambda run: run.began)
    for one, other in itertools.pairwise(heavy):
        assert one.began + one.took <= other.began + 1e-9


@given(costs, phases)
@settings(max_examples=20, deadline=None)
def test_none_heavy_begins_while_the_migration_stands_in_a_lock_chain(took: dict[str, float], phase: Phase) -> None:
    simulation = Simulation(took, phase=phase, gates=True)
    for minute in range(10):
        simulation.scheduler.chained = minute % 2 == 0
        simulation.until(60.0 * (minute + 1))
    assert not [run for run in simulation.runs if run.chained and run.name in HEAVY]


def test_what_shares_the_pulses_session_begins_where_it_is_over_before_the_next_pulse() -> None:
    """A size of the database may take a third of a second: the pulse of a step, due every second, keeps its time."""
    simulation = Simulation({PULSE: 0.002, "counters": 0.3, "rewrite": 0.4}, phase=Phase.STEP)
    simulation.until(900)
    pulses = [run.began for run in simulation.of(PULSE) if run.began > 100]
    assert len(simulation.of("counters")) > 10
    assert len(simulation.of("rewrite")) > 10
    assert max(later - earlier for earlier, later in itertools.pairwise(pulses)) < 1.01


@given(costs, phases)
@settings(max_examples=20, deadline=None)
def test_a_cheap_pulse_is_never_late_whatever_the_others_cost(took: dict[str, float], phase: Phase) -> None:
    cheap = {name: cost for name, cost in took.items() if name != PULSE}
    simulation = Simulation(cheap, phase=phase, gates=True)
    simulation.until(300)
    beats = [run.began for run in simulation.of(PULSE)]
    # Only what shares its session can hold it up, and that has a limit of a second and more.
    slack = sum(cheap.get(duty.name, 0.001) for duty in DUTIES if duty.lane is Lane.PULSE) + 0.3
    assert max(b - a for a, b in itertools.pairwise(beats)) <= INTERVALS["P"][phase] * 1.1 + slack


@pytest.mark.parametrize("phase", list(Phase))
def test_cheap_probes_keep_the_intervals_of_their_phase(phase: Phase) -> None:
    simulation = Simulation({}, phase=phase)
    simulation.until(3600)
    for tier, name in (("P", PULSE), ("F", "counters"), ("M", "io"), ("S", "invalid")):
        interval = INTERVALS[tier].get(phase)
        expected = 0 if interval is None else 3600 / (interval * 1.05)
        assert len(simulation.of(name)) == pytest.approx(expected, abs=2 + expected * 0.05), name


def test_while_a_step_runs_only_the_target_tables_sizes_are_read_of_the_slow_tier() -> None:
    simulation = Simulation({}, phase=Phase.STEP)
    simulation.until(1200)
    slow = {run.name for run in simulation.runs if run.name in ("sizes", "estimate", "invalid", "fingerprint")}
    assert slow == {"sizes"}


def test_a_new_phase_counts_at_once() -> None:
    simulation = Simulation({}, phase=Phase.LATER)
    simulation.until(100)
    beats = [run.began for run in simulation.of(PULSE)]
    simulation.scheduler.enter(Phase.STEP, simulation.now)
    simulation.until(103)
    assert len(simulation.of(PULSE)) >= len(beats) + 3


def test_what_meets_a_lock_is_asked_ever_more_rarely_and_comes_back() -> None:
    simulation = Simulation({}, phase=Phase.STEP)
    simulation.quality["counters"] = Quality.LOCKED
    simulation.until(600)
    begun = [run.began for run in simulation.of("counters")]
    pauses = [b - a for a, b in itertools.pairwise(begun)]
    assert pauses[0] == pytest.approx(5, rel=0.15)
    assert pauses[1] == pytest.approx(10, rel=0.15)
    assert max(pauses) == pytest.approx(60, rel=0.15)
    simulation.quality.clear()
    simulation.until(900)
    begun = [run.began for run in simulation.of("counters")]
    assert begun[-1] - begun[-2] == pytest.approx(5, rel=0.2)


def test_a_probe_that_is_too_slow_is_stood_in_for_by_its_twin_until_it_answers() -> None:
    simulation = Simulation({}, phase=Phase.STEP)
    simulation.quality["sizes"] = Quality.STALE
    simulation.until(900)
    assert simulation.of("estimate")
    simulation.quality.clear()
    simulation.until(1500)
    seen = len(simulation.of("estimate"))
    simulation.until(3000)
    assert len(simulation.of("estimate")) == seen


def test_what_is_refused_is_asked_again_on_request() -> None:
    simulation = Simulation({}, phase=Phase.STEP)
    simulation.quality["counters"] = Quality.NO_PRIVILEGE
    simulation.until(30)
    assert len(simulation.of("counters")) == 1
    simulation.scheduler.retry(simulation.now)
    simulation.until(31)
    assert len(simulation.of("counters")) == 2


def test_what_is_asked_about_something_new_runs_soon_also_when_it_runs_just_now() -> None:
    world = Simulation({"sizes": 0.02})
    world.until(100.0)
    assert len(world.of("sizes")) == 1
    world.scheduler.hasten("sizes", world.now)
    world.until(110.0)
    assert len(world.of("sizes")) == 2
    world.until(world.of("sizes")[-1].began + INTERVALS["S"][Phase.BEFORE])
    world.until(world.now + INTERVALS["S"][Phase.BEFORE] * 0.2)
    assert len(world.of("sizes")) == 3
    scheduler = Scheduler(DUTIES[4:5], 0.0, chance=lambda: 0.5)
    assert scheduler.pick(Lane.PROBE, 0.0) == Chosen("sizes")
    scheduler.hasten("sizes", 0.01)
    scheduler.finished("sizes", 0.02, 0.02, Quality.OK)
    assert scheduler.pick(Lane.PROBE, 1.0) is None, "within a hundred times of what it took"
    assert scheduler.pick(Lane.PROBE, 3.0) == Chosen("sizes")


def test_a_gate_runs_each_of_its_probes_once_as_widely_as_it_can() -> None:
    simulation = Simulation({}, phase=Phase.LATER, gates=True)
    simulation.scheduler.gate()
    simulation.until(60)
    gates = [run.name for run in simulation.runs if run.gate]
    assert sorted(gates) == ["fingerprint", "invalid", "sizes"]


def test_a_statistics_probe_that_shows_a_large_file_is_asked_more_rarely() -> None:
    spans: list[float] = []
    for took in (0.001, 0.04):
        simulation = Simulation({"counters": took}, phase=Phase.BEFORE)
        simulation.until(600)
        spans.append(_longest(simulation.of("counters")))
    assert spans[1] == pytest.approx(3 * spans[0], rel=0.05)


def test_one_lane_runs_one_probe_at_a_time() -> None:
    scheduler = Scheduler(DUTIES, 0.0)
    assert scheduler.pick(Lane.PULSE, 0.0) == Chosen(PULSE)
    assert scheduler.pick(Lane.PULSE, 10.0) is None
    scheduler.finished(PULSE, 10.0, 0.001, Quality.OK, largest=0.001)
    assert scheduler.pick(Lane.PULSE, 10.0) is not None


def test_one_slow_pulse_does_not_cost_its_freshness() -> None:
    simulation = Simulation({PULSE: 0.005}, phase=Phase.STEP)
    simulation.until(30)
    simulation.took[PULSE] = 0.1
    simulation.until(31)
    simulation.took[PULSE] = 0.005
    simulation.until(60)
    assert _longest(simulation.of(PULSE)) < 2.0


def test_the_pulse_can_be_set() -> None:
    simulation = Simulation({})
    simulation.scheduler = Scheduler(DUTIES, 0.0, Phase.LATER, pulse=2.0, chance=lambda: 0.0)
    simulation.until(20)
    assert len(simulation.of(PULSE)) == pytest.approx(10, abs=1)


def _longest(runs: Sequence[Run]) -> float:
    return max(b.began - a.began for a, b in itertools.pairwise(runs))


def test_a_step_that_follows_at_once_puts_off_what_reads_everything_until_it_has_ended() -> None:
    """The catalogues are the migration's while a step runs: a gate of the step before it waits."""
    simulation = Simulation({}, phase=Phase.LATER, gates=True)
    simulation.scheduler.enter(Phase.STEP, 0.0)
    simulation.until(400.0)
    assert not [run.name for run in simulation.runs if run.gate]
    assert "sizes" in [run.name for run in simulation.runs], "the run's own tables are looked at all the same"
    simulation.scheduler.enter(Phase.FIRST_HOUR, simulation.now)
    simulation.until(700.0)
    assert sorted(run.name for run in simulation.runs if run.gate) == ["fingerprint", "invalid", "sizes"]
