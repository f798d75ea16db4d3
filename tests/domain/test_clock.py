"""The clock over any history: it never forecasts the past, backing out never ends the window later, actuals stay."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migconsole.domain.changes import told
from migconsole.domain.checklist import Answer, Checklist, Danger, Item, Job, Phase, Run, Section, Sql, Step
from migconsole.domain.clock import Clock, Level, Times, estimate_of, passes_abort, reckon
from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState, Move
from migconsole.domain.times import MomentError, instant, parse_moment, settle, stamp
from tests.domain.journals import START, Log, random_log

COMMAND = Step(Run("./x.sh"), danger=Danger.MUTATING)
CHECKLIST = Checklist(
    "T",
    phases=(
        Phase("p0", "Before", -3600, (Section("s0", "S", (Item("i0", "a", COMMAND, estimate=300), Item("i1", "b"))),)),
        Phase(
            "p1",
            "Execution",
            0,
            (
                Section("s1", "S", (Item("i2", "c", COMMAND, estimate=600), Item("i3", "d", COMMAND, optional=True))),
                Section("s2", "S", (Item("i4", "e", items=(Item("i5", "f", COMMAND, estimate=60),)),)),
            ),
        ),
        Phase("p2", "After", 86400, (Section("s3", "S", (Item("i6", "g", COMMAND, estimate=60),)),)),
    ),
    rollback=(
        Section("r0", "Stop", (Item("r-stop", "Stop", COMMAND, estimate=60),)),
        Section("r1", "Restore", (Item("r-db", "Restore", Step(Job("restore")), estimate=1200),)),
        Section("r2", "Start", (Item("r-start", "Start", COMMAND, estimate=120),)),
    ),
)
ELSEWHERE = replace(
    CHECKLIST,
    phases=(
        CHECKLIST.phases[0],
        replace(
            CHECKLIST.phases[1],
            sections=(
                *CHECKLIST.phases[1].sections,
                Section(
                    "s9",
                    "S",
                    (
                        Item("manual", "Manual"),
                        Item("hook", "Hook", Step(Run('eval "$STOP"', hook="STOP"))),
                        Item("reads", "Reads", Step(Sql(("SELECT 1",)))),
                        Item("asked", "Asked", Step(Answer("text", "?"))),
                        Item("saved", "Saved", Step(Job("backup"))),
                    ),
                ),
            ),
        ),
    ),
)
MINUTES = st.integers(-600, 600)


def at(log: Log) -> datetime:
    moment = instant(log.events[-1].at)
    assert moment is not None
    return moment


def set_clock(log: Log, t0: datetime, length: timedelta = timedelta(hours=2)) -> None:
    log.add(Kind.CLOCK_SET, {"t0": stamp(t0), "window_end": stamp(t0 + length), "reason": "planned", "source": "key"})


def reckoned(log: Log, later: timedelta = timedelta()) -> Clock:
    return reckon(log.run, CHECKLIST, at(log) + later)


# Any history ---------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 80), MINUTES, st.integers(1, 600), st.integers(0, 600))
def test_no_history_forecasts_the_past(seed: int, cut: int, t0: int, length: int, later: int) -> None:
    log = random_log(seed, cut, CHECKLIST)
    set_clock(log, START + timedelta(minutes=t0), timedelta(minutes=length))
    assert log.run.anomalies == []
    clock = reckoned(log, timedelta(minutes=later))
    for times in clock.items.values():
        if not times.over:
            assert times.end is not None
            assert times.end >= clock.now
        if not times.begun:
            assert times.start is not None
            assert times.start >= clock.now
        assert times.late >= 0
        assert times.overdue >= 0
    assert clock.window_end is not None
    assert clock.last_safe_abort is not None
    assert clock.last_safe_abort <= clock.window_end
    assert clock.backed_out >= clock.now
    assert clock.forecast_end is not None
    if any(not clock.items[i].over for i in ("i0", "i1", "i2", "i5")):
        assert clock.forecast_end >= clock.now


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 60), MINUTES, MINUTES)
def test_moving_t0_moves_only_what_has_not_started(seed: int, cut: int, before: int, after: int) -> None:
    log = Log()
    set_clock(log, START + timedelta(minutes=before))
    for event in random_log(seed, cut, CHECKLIST).events[1:]:
        log.add(event.kind, event.data, event.actor)
    assert log.run.anomalies == []
    moment = at(log) + timedelta(minutes=5)
    old = reckon(log.run, CHECKLIST, moment)
    set_clock(log, START + timedelta(minutes=after))
    new = reckon(log.run, CHECKLIST, moment)
    shift = timedelta(minutes=after - before)
    for item, was in old.items.items():
        now = new.items[item]
        if was.begun and was.start is not None and was.start < at(log):
            same = (was.planned_start, was.start if was.begun else None, was.end if was.over else None)
            assert same == (now.planned_start, now.start if now.begun else None, now.end if now.over else None)
        elif not was.begun and log.run.record(item).state is ItemState.TODO and not log.run.record(item).attempts:
            assert was.planned_start is not None
            assert now.planned_start == was.planned_start + shift


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 80))
def test_the_clock_changes_no_run(seed: int, cut: int) -> None:
    log = random_log(seed, cut, CHECKLIST)
    before = repr(log.run)
    reckoned(log)
    assert repr(log.run) == before


# The window ----------------------------------------------------------------------------------------------------------


def test_the_answer_to_the_window_sets_t0_and_its_end() -> None:
    log = Log()
    log.move("i1", Move.ATTEST, "", value="2030-01-01T01:00Z 90m", type="window")
    assert log.run.anomalies == []
    assert (log.run.clock.t0, log.run.clock.window_end) == (
        START + timedelta(hours=1),
        START + timedelta(hours=2, minutes=30),
    )
    assert log.run.clock.settings[-1].source == "item:i1"


def test_a_window_that_ends_before_it_begins_is_none() -> None:
    log = Log()
    log.add(Kind.CLOCK_SET, {"t0": stamp(START), "window_end": stamp(START - timedelta(hours=1))})
    assert log.run.anomalies
    assert log.run.clock.t0 is None


def test_without_a_window_there_is_no_last_safe_abort() -> None:
    clock = reckoned(Log())
    assert (clock.last_safe_abort, clock.slack, clock.level) == (None, None, Level.NONE)


def test_each_part_can_be_moved_alone() -> None:
    log = Log()
    set_clock(log, START)
    log.add(Kind.CLOCK_SET, {"window_end": stamp(START + timedelta(hours=3)), "reason": "extended"})
    assert log.run.clock.t0 == START
    assert log.run.clock.window_end == START + timedelta(hours=3)


# What backing out takes ----------------------------------------------------------------------------------------------


def test_nothing_migrated_backs_out_at_once() -> None:
    log = Log()
    set_clock(log, START)
    log.attempt("i0", "passed")
    clock = reckoned(log)
    assert clock.backout.seconds == 0
    assert clock.last_safe_abort == clock.window_end


@pytest.mark.parametrize(
    ("item", "move", "way", "doubt"),
    [
        ("i2", Move.ATTEST, "restore", 0),
        ("hook", Move.ATTEST, "restore", 1),
        ("manual", Move.ATTEST, "restore", 1),
        ("reads", Move.ATTEST, "nothing to put back", 0),
        ("asked", Move.ATTEST, "nothing to put back", 0),
        ("saved", Move.ATTEST, "nothing to put back", 0),
        ("i2", Move.SKIP, "nothing to put back", 0),
        ("i1", Move.ATTEST, "nothing to put back", 0),
    ],
)
def test_what_was_done_elsewhere_has_to_be_put_back_too(item: str, move: Move, way: str, doubt: int) -> None:
    log = Log()
    set_clock(log, START)
    log.move(item, move)
    assert log.run.anomalies == []
    clock = reckon(log.run, ELSEWHERE, at(log))
    assert (clock.backout.way, clock.backout.doubt) == (way, doubt)
    assert clock.backout.seconds == (1380 if way == "restore" else 0)
    assert clock.level is (Level.NONE if doubt else Level.GREEN)
    log.move(item, Move.REOPEN)
    assert reckon(log.run, ELSEWHERE, at(log)).backout == clock.backout, "reopening a line undoes nothing"


def test_what_was_done_elsewhere_is_told_to_whoever_rolls_back() -> None:
    log = Log()
    log.attempt("i0", "passed")
    for item in ("manual", "asked", "i2"):
        log.move(item, Move.ATTEST)
    log.start("i5", "read")
    lines = told(log.run, ELSEWHERE)
    assert [line.partition("Z ")[2] for line in lines] == [
        "“a” attempt 1: passed",
        "“Manual”: ana says that it was done; whether it changed anything is unknown",
        "“c”: ana says that it was done; it was not run here",
    ]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ ", line) for line in lines)


def test_what_is_certain_ends_the_doubt_and_red_stays_red() -> None:
    log = Log()
    set_clock(log, START)
    log.move("manual", Move.ATTEST)
    late = reckon(log.run, ELSEWHERE, START + timedelta(minutes=98))
    assert (late.level, late.backout.doubt) == (Level.RED, 1)
    log.attempt("i2", "passed")
    clock = reckon(log.run, ELSEWHERE, at(log))
    assert (clock.backout.doubt, clock.level) == (0, Level.GREEN)


def test_a_way_back_that_nobody_has_a_time_for_is_never_green() -> None:
    log = Log()
    set_clock(log, START)
    log.start("i2")
    clock = reckon(log.run, replace(CHECKLIST, rollback=(Section("r", "Restore the database", ()),)), at(log))
    assert (clock.backout.source, clock.backout.unknown, clock.level) == ("unknown", 1, Level.NONE)


def test_after_a_change_a_cold_restore_counts_with_what_stands_around_it() -> None:
    log = Log()
    set_clock(log, START)
    log.start("i2")
    clock = reckoned(log)
    assert (clock.backout.way, clock.backout.database, clock.backout.around) == ("restore", 1200, 180)
    assert clock.last_safe_abort == START + timedelta(hours=2) - timedelta(seconds=1380)


@pytest.mark.parametrize(
    ("state", "durations", "way", "database", "source"),
    [
        ("armed", {}, "swap", 10.0, "estimated"),
        ("armed", {"fence": 4.0, "swap": 0.03}, "swap", 4.03, "measured"),
        ("unproven", {"restore": 300.0}, "restore", 310.0, "measured"),
        ("proven", {"restore_s": 300.0}, "restore", 310.0, "measured"),
        ("unproven", {}, "restore", 1200.0, "estimated"),
    ],
)
def test_the_restore_point_decides_how_long(
    state: str, durations: dict[str, float], way: str, database: float, source: str
) -> None:
    log = Log()
    set_clock(log, START)
    log.start("i2")
    log.add(Kind.RESTORE_POINT, {"backup": "b1", "state": state, "durations": durations})
    backout = reckoned(log).backout
    assert (backout.way, backout.database, backout.source) == (way, database, source)


DRILL = {"backup_s": 70.0, "prove_s": 90.0, "restore_s": 50.0, "fence": 1.5, "swap": 0.5}


@pytest.mark.parametrize(
    ("state", "durations", "way", "database", "source"),
    [
        ("armed", {}, "swap", 2.0, "drilled 2030-01-01"),
        ("armed", {"fence": 4.0, "swap": 0.03}, "swap", 4.03, "measured"),
        ("unproven", {}, "restore", 52.0, "drilled 2030-01-01"),
        ("proven", {"restore_s": 300.0}, "restore", 302.0, "measured"),
    ],
)
def test_a_drill_moves_the_last_safe_abort(
    state: str, durations: dict[str, float], way: str, database: float, source: str
) -> None:
    log = Log()
    set_clock(log, START)
    log.start("i2")
    log.add(Kind.RESTORE_POINT, {"backup": "b1", "state": state, "durations": durations})
    log.add(Kind.DRILLED, {"at": stamp(START), "durations": DRILL})
    clock = reckoned(log)
    assert (clock.backout.way, clock.backout.database, clock.backout.source) == (way, database, source)
    assert clock.last_safe_abort == START + timedelta(hours=2) - timedelta(seconds=database + 180)


def test_a_drill_is_the_estimate_of_a_backup_and_a_proof() -> None:
    steps = {job: Item(job, job, Step(Job(job)), estimate=1) for job in ("backup", "prove", "drill", "notify")}
    log = Log()
    log.add(Kind.ESTIMATES_LEARNED, {"items": {"prove": {"seconds": 9, "source": "1 earlier run"}}})
    assert {job: found.seconds for job, item in steps.items() if (found := estimate_of(log.run, item))} == {
        "backup": 1,
        "prove": 9,
        "drill": 1,
        "notify": 1,
    }
    log.add(Kind.DRILLED, {"at": stamp(START), "durations": {**DRILL, "odd": "x", "worse": -1, "flag": True}})
    log.add(Kind.DRILLED, {"at": stamp(START - timedelta(days=1)), "durations": {"backup_s": 1.0}})
    assert log.run.anomalies == []
    assert {job: found.seconds for job, item in steps.items() if (found := estimate_of(log.run, item))} == {
        "backup": 70,
        "prove": 90,
        "drill": 1,
        "notify": 1,
    }


def test_what_is_rolled_back_already_is_not_counted_again() -> None:
    log = Log()
    set_clock(log, START)
    log.attempt("i2", "failed")
    log.attempt("r-stop", "passed")
    log.attempt("r-db", "passed")
    assert reckoned(log).backout.seconds == 120


# Levels, late, held --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minutes", "level"), [(10, Level.GREEN), (95, Level.YELLOW), (119, Level.YELLOW)])
def test_the_level_turns_at_a_quarter_of_the_slack(minutes: int, level: Level) -> None:
    log = Log()
    set_clock(log, START)
    assert reckon(log.run, CHECKLIST, START + timedelta(minutes=minutes)).level is level
    assert reckon(log.run, CHECKLIST, START + timedelta(hours=2)).level is Level.RED


def test_late_and_overdue_are_said_by_how_much() -> None:
    log = Log()
    set_clock(log, START)
    log.start("i2")
    clock = reckoned(log, timedelta(minutes=15))
    assert clock.items["i2"].overdue == 300
    assert clock.items["i5"].late > 0, "it should have been done after eleven minutes"
    assert clock.items["i3"].late == 0, "an optional line is never late"


def test_a_hold_moves_what_has_not_begun() -> None:
    log = Log()
    set_clock(log, START)
    free = reckoned(log).forecast_end
    until = START + timedelta(minutes=45)
    log.add(Kind.HOLD, {"reason": "wait", "owner": "ana", "until": stamp(until)})
    held = reckoned(log)
    assert free is not None
    assert held.forecast_end is not None
    assert held.forecast_end >= until > free
    log.add(Kind.RELEASE, {})
    assert reckoned(log).forecast_end == free + timedelta(seconds=2)


def test_an_item_that_ends_past_the_last_safe_abort_is_named() -> None:
    log = Log()
    set_clock(log, START, timedelta(minutes=30))
    log.start("i2")
    log.end("i2", "passed")
    assert passes_abort(reckoned(log, timedelta(minutes=6)), next(CHECKLIST.walk()).item) == (
        "it is forecast to end at 00:11, after the last safe abort at 00:07 UTC"
    )
    assert passes_abort(reckoned(log), Item("new", "no estimate")) == ""


def test_before_the_first_change_the_abort_that_holds_once_it_has_begun_is_what_asks() -> None:
    """Ten minutes of migration, thirteen of window, twenty-three to go back: it can never be backed out of in time."""
    log = Log()
    set_clock(log, START, timedelta(minutes=13))
    migrate = next(found.item for found in CHECKLIST.walk() if found.item.id == "i2")
    clock = reckon(log.run, CHECKLIST, START)
    assert clock.backout.seconds == 0
    assert passes_abort(clock, migrate) == ""
    assert passes_abort(clock, migrate, changes=True) == (
        "it is forecast to end at 00:10, after the last safe abort at 23:50 UTC: "
        "once it has begun, backing out takes 23 min (restore)"
    )
    assert passes_abort(reckon(Log().run, CHECKLIST, START), migrate, changes=True) == "", "no window, nothing passes"
    log.start("i2")
    assert reckon(log.run, CHECKLIST, START).last_safe_abort == START - timedelta(minutes=10)


def test_learned_estimates_come_first_and_say_from_where() -> None:
    log = Log()
    log.add(Kind.ESTIMATES_LEARNED, {"items": {"i2": {"seconds": 220, "source": "median of 3 runs"}}})
    times: Times = reckoned(log).items["i2"]
    assert times.estimate is not None
    assert (times.estimate.seconds, times.estimate.source) == (220, "median of 3 runs")


def test_a_crossing_stands_until_it_fits_again_and_is_decided_once() -> None:
    log = Log()
    set_clock(log, START)
    what = {"what": "last-safe-abort", "limit": stamp(START)}
    log.add(Kind.CLOCK_DECIDED, {"decision": "go on"})
    assert "no crossing" in log.run.anomalies[0]
    log.add(Kind.CLOCK_CROSSED, {**what, "change": "past"})
    log.add(Kind.CLOCK_CROSSED, {**what, "change": "past"})
    assert log.run.clock.episodes("last-safe-abort") == 1
    log.add(Kind.CLOCK_DECIDED, {"decision": "go on", "reason": "the window was extended by mail"})
    standing = log.run.clock.open_crossing()
    assert standing is not None
    assert standing.decided_by == "ana"
    log.add(Kind.CLOCK_CROSSED, {**what, "change": "back"})
    assert log.run.clock.open_crossing() is None


# Moments -------------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 25, 23, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW),
        ("00:10", NOW + timedelta(minutes=20)),
        ("23:30 UTC", NOW - timedelta(minutes=20)),
        ("+20m", NOW + timedelta(minutes=20)),
        ("1h30m", NOW + timedelta(minutes=90)),
        ("T+15m", NOW + timedelta(minutes=75)),
        ("t-0", NOW + timedelta(hours=1)),
        ("2026-11-26 00:10Z", NOW + timedelta(minutes=20)),
        ("2026-11-26T01:10+01:00", NOW + timedelta(minutes=20)),
    ],
)
def test_moments_are_read_as_people_write_them(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW, NOW + timedelta(hours=1)) == moment


@pytest.mark.parametrize("text", ["", "soon", "25:00", "T+15", "99999999999d", "5"])
def test_what_is_no_moment_says_how_to_write_one(text: str) -> None:
    with pytest.raises(MomentError, match="write"):
        parse_moment(text, NOW, NOW)


@pytest.mark.parametrize("text", ["9999-12-31 20:00Z", "0026-11-26 07:00Z", "0001-01-01 00:00+05:00", "300000d"])
def test_a_mistyped_year_is_refused_before_anything_is_reckoned_with_it(text: str) -> None:
    """On record it would end every console and the watcher: phases days before and after it leave the calendar."""
    with pytest.raises(MomentError, match="write"):
        parse_moment(text, NOW, NOW)
    with pytest.raises(MomentError):
        settle(text, "1h", NOW)
    with pytest.raises(MomentError):
        settle("23:30", "300000d", NOW)


def test_a_journal_that_has_one_is_told_of_and_reckoned_without_it() -> None:
    log = Log()
    log.add(Kind.CLOCK_SET, {"t0": "9999-12-31T20:00:00.000Z", "window_end": "", "reason": "", "source": "key"})
    assert log.run.clock.t0 is None
    assert log.run.anomalies


def test_a_time_from_t0_needs_one() -> None:
    with pytest.raises(MomentError, match="T-0, which is not set"):
        parse_moment("T+5m", NOW)
