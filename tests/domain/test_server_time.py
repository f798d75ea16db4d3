"""Two clocks: events are stamped by this host's, the plan and everything that expires goes by the server's."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from migconsole.domain.checklist import Checklist, Danger, Gate, Item, Phase, Run, Section, Step
from migconsole.domain.clock import Clock, reckon
from migconsole.domain.events import Kind
from migconsole.domain.gates import VALID, GateState, Standing, standing
from migconsole.domain.times import instant, stamp
from tests.domain.journals import START, Log

GATE = Gate("go", "Go for T-0", "Execution", ("Database Admin",))
COMMAND = Step(Run("./x.sh"), danger=Danger.MUTATING)
CHECKLIST = Checklist(
    "T",
    roles=GATE.roles,
    phases=(
        Phase("p1", "Execution", 0, (Section("s1", "S", (Item("i1", "a", COMMAND, estimate=600), Item("i2", "b"))),)),
    ),
    gates=(GATE,),
)
SKEWS = [timedelta(minutes=20), timedelta(minutes=-20)]
MINUTE = timedelta(minutes=1)


def heard(log: Log, skew: timedelta) -> None:
    log.add(Kind.SERVER_CLOCK, {"skew_s": skew.total_seconds(), "uncertainty_s": 0.01})


def go(log: Log) -> None:
    log.add(Kind.GATE_VOTED, {"gate": "go", "role": "Database Admin", "vote": "go", "initials": "AS"})


def local(log: Log) -> datetime:
    """This host's time when the newest event was written."""
    moment = instant(log.events[-1].at)
    assert moment is not None
    return moment


def after(log: Log, later: timedelta) -> Standing:
    """How the gate stands so much later, asked at the server's time."""
    return standing(GATE, log.run.gates, log.run.clock.server.now(local(log) + later))


def reckoned(log: Log, later: timedelta = timedelta()) -> Clock:
    return reckon(log.run, CHECKLIST, log.run.clock.server.now(local(log) + later))


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("first", ["the clocks", "the vote"])
def test_a_go_counts_for_fifteen_minutes_whatever_the_clocks_say(skew: timedelta, first: str) -> None:
    log = Log()
    if first == "the clocks":
        heard(log, skew)
    go(log)
    if first == "the vote":
        heard(log, skew)
    assert log.run.anomalies == []
    fresh = after(log, VALID - 2 * MINUTE)
    assert fresh.state is GateState.GO
    assert fresh.until is not None
    assert abs(fresh.until - (local(log) + skew + VALID)) < MINUTE, "at the server's time, as the header has it"
    assert after(log, VALID + MINUTE).state is GateState.WAITING


@pytest.mark.parametrize("skew", SKEWS)
def test_a_go_is_no_younger_after_the_clocks_were_brought_together(skew: timedelta) -> None:
    """This host is set right while the vote stands: its clock jumps, the server's goes on."""
    log = Log()
    heard(log, skew)
    go(log)
    voted = log.run.clock.server.of(log.events[-1].at)
    assert voted is not None
    jumped = log.events[-1].seq
    log.jump = skew
    heard(log, timedelta())
    assert log.events[-1].seq == jumped + 1
    for later, counts in ((VALID - 2 * MINUTE, True), (VALID + MINUTE, False)):
        assert (standing(GATE, log.run.gates, voted + later).state is GateState.GO) is counts


@pytest.mark.parametrize("skew", SKEWS)
def test_what_runs_is_overdue_by_the_time_it_has_run(skew: timedelta) -> None:
    log = Log()
    heard(log, skew)
    log.start("i1")
    times = reckoned(log, timedelta(minutes=9)).items["i1"]
    assert times.overdue == 0
    assert times.start is not None
    assert abs(times.start - (local(log) + skew)) < MINUTE
    times = reckoned(log, timedelta(minutes=12)).items["i1"]
    assert times.overdue == pytest.approx(120, abs=5)


@pytest.mark.parametrize("skew", SKEWS)
def test_the_forecast_and_the_plan_are_the_servers(skew: timedelta) -> None:
    log = Log()
    heard(log, skew)
    t0 = local(log) + skew
    log.add(Kind.CLOCK_SET, {"t0": stamp(t0), "window_end": stamp(t0 + timedelta(hours=2)), "source": "key"})
    clock = reckoned(log)
    assert clock.forecast_end is not None
    assert abs(clock.forecast_end - (t0 + timedelta(seconds=600))) < MINUTE
    assert clock.items["i1"].late == 0
    log.attempt("i1", "passed", ended=stamp(local(log)))
    planned = reckoned(log).items["i1"]
    assert planned.end is not None
    assert abs(planned.end - t0) < MINUTE
    # Moving T-0 afterwards moves nothing that had begun.
    log.add(Kind.CLOCK_SET, {"t0": stamp(t0 + timedelta(hours=1)), "source": "key", "reason": "late"})
    assert reckoned(log).items["i1"].planned_start == planned.planned_start
    assert reckoned(log).items["i2"].planned_start != planned.planned_end


@pytest.mark.parametrize("skew", SKEWS)
def test_in_twenty_minutes_means_so_by_the_server_whose_clock_was_not_known_yet(skew: timedelta) -> None:
    log = Log()
    t0 = local(log) + timedelta(minutes=20)
    log.add(
        Kind.CLOCK_SET, {"t0": stamp(t0), "window_end": stamp(t0 + 120 * MINUTE), "source": "option", "local": True}
    )
    heard(log, skew)
    table = log.run.clock
    assert table.t0 == t0 + skew
    assert table.window_end == t0 + skew + 120 * MINUTE
    assert table.t0_at(t0 + skew) == t0 + skew


def test_a_moment_that_a_person_wrote_is_the_servers_already() -> None:
    log = Log()
    log.add(Kind.CLOCK_SET, {"t0": stamp(START), "source": "option", "local": False})
    heard(log, timedelta(minutes=20))
    assert log.run.clock.t0 == START


@pytest.mark.parametrize("skew", ["soon", None, 1e12])
def test_what_is_no_reading_changes_nothing(skew: object) -> None:
    log = Log()
    log.add(Kind.SERVER_CLOCK, {"skew_s": skew})
    assert log.run.anomalies
    assert log.run.clock.server.skew is None


def test_a_journal_without_readings_is_read_as_it_was_written() -> None:
    log = Log()
    go(log)
    assert log.run.clock.server.skew is None
    assert log.run.clock.server.of(log.events[-1].at) == local(log)
    assert log.run.clock.server.of("soon") is None
