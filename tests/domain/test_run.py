"""The fold: any legal history, any prefix of it, any stranger's event; and what each kind of event changes."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migconsole.domain.checklist import Item
from migconsole.domain.events import Event, Kind
from migconsole.domain.items import ItemState, Move
from migconsole.domain.run import OUTCOME_MOVES, Run, fold, heading_state, left, overall, progress
from tests.domain.journals import OPENED, Log, flat_checklist, leaves, random_log

S = ItemState
CHECKLIST = flat_checklist(12)
SEEDS = st.integers(0, 10**9)


# Any history --------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 160))
def test_any_prefix_of_a_legal_history_folds(seed: int, cut: int) -> None:
    log = random_log(seed, 160, CHECKLIST)
    run = fold(log.events[:cut])
    assert run.anomalies == []
    assert run.head == cut
    assert run.head_hash == (log.events[cut - 1].hash if cut else "")


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(0, 160))
def test_step_by_step_and_all_at_once_agree(seed: int, cut: int) -> None:
    events = random_log(seed, 160, CHECKLIST).events
    whole = fold(events)
    assert fold(events) == whole
    assert fold(events[cut:], fold(events[:cut])) == whole
    assert fold(events, fold(events)).items == whole.items, "events that were taken before change nothing"


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_counts_never_exceed_their_total(seed: int) -> None:
    run, checklist = Run(), CHECKLIST
    for event in random_log(seed, 160, checklist).events:
        run.apply(event)
        p = overall(run, checklist)
        assert 0 <= p.done <= p.total <= checklist.boxes()
        assert p.running + p.problems + p.deferred + p.done <= p.total
        assert (p.done == p.total) <= (not left(run, checklist))


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_verified_comes_from_a_passed_attempt_alone(seed: int) -> None:
    run = Run()
    for event in random_log(seed, 200, CHECKLIST).events:
        before = {name: record.state for name, record in run.items.items()}
        run.apply(event)
        for name, record in run.items.items():
            if record.state is S.VERIFIED and before.get(name) is not S.VERIFIED:
                assert event.kind == Kind.ATTEMPT_ENDED
                assert event.data["outcome"] == "passed"
                assert record.attempts[-1].outcome == "passed"
            if record.state is S.ATTESTED:
                assert not record.attempts or record.attempts[-1].outcome != "failed"


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_attempts_are_numbered_kept_and_never_two_at_once(seed: int) -> None:
    run, kept = Run(), dict[str, list[str]]()
    for event in random_log(seed, 200, CHECKLIST).events:
        run.apply(event)
        for name, record in run.items.items():
            assert [a.number for a in record.attempts] == list(range(1, len(record.attempts) + 1))
            assert sum(a.running for a in record.attempts) == (record.state is S.RUNNING)
            outcomes = [a.outcome for a in record.attempts]
            old = kept.get(name, [])
            assert [now for was, now in zip(old, outcomes, strict=False) if was] == [was for was in old if was]
            kept[name] = outcomes


@settings(max_examples=150, deadline=None)
@given(SEEDS, st.sampled_from(list(Kind)), st.dictionaries(st.text(max_size=8), st.none() | st.text() | st.integers()))
def test_a_strange_event_is_kept_as_an_anomaly_and_changes_no_item(seed: int, kind: str, junk: dict[str, Any]) -> None:
    log = random_log(seed, 30, CHECKLIST)
    before = fold(log.events)
    strange = Event(len(log.events) + 1, "at", 1.0, kind, "x", junk | {"item": "i0"}, "p", "h")
    after = fold([*log.events, strange])
    assert after.items == before.items


def test_a_gap_and_a_repetition_are_noticed() -> None:
    events = random_log(1, 20, CHECKLIST).events
    assert "event 12 follows event 10" in fold([*events[:10], *events[11:]]).anomalies
    assert "event 10 follows event 10" in fold([*events[:10], events[9], *events[10:]]).anomalies


def test_an_unknown_kind_is_noticed_and_skipped() -> None:
    log = Log()
    log.add("gate.vote", {"role": "dba"})
    log.add(Kind.NOTE, {"text": "still here"})
    assert log.run.anomalies == ["event 2: unknown kind 'gate.vote'"]
    assert log.run.notes[0].text == "still here"


# What events do -----------------------------------------------------------------------------------------------------


def test_a_run_is_opened_once() -> None:
    log = Log()
    log.add(Kind.RUN_OPENED, OPENED | {"run": "other"})
    assert log.run.run_id == "r1"
    assert "opened before" in log.run.anomalies[0]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("passed", S.VERIFIED), ("failed", S.FAILED), ("asks", S.TODO), ("interrupted", S.INTERRUPTED)],
)
def test_an_attempts_end_moves_its_item(outcome: str, state: ItemState) -> None:
    log = Log()
    log.start("a", text="psql -f x", app_name="mc/r1/1")
    assert log.run.record("a").state is S.RUNNING
    log.end("a", outcome, exit_code=0, duration=1.5, reasons=["because"], lines=["ok"], sha256="f", size=3)
    record = log.run.record("a")
    assert record.state is state
    assert record.awaiting == (outcome == "asks")
    attempt = record.attempts[0]
    assert (attempt.outcome, attempt.exit_code, attempt.duration, attempt.size) == (outcome, 0, 1.5, 3)
    assert (attempt.reasons, attempt.lines, attempt.running) == (("because",), ("ok",), False)


def test_an_end_is_recorded_once() -> None:
    log = Log()
    log.attempt("a", "failed")
    log.end("a", "passed")
    assert log.run.record("a").state is S.FAILED
    assert "has ended before" in log.run.anomalies[0]


def test_the_job_says_when_it_ended_not_who_noticed() -> None:
    log = Log()
    log.attempt("a", "passed", ended="2029-12-31T23:00:00.000Z")
    assert log.run.record("a").attempts[0].ended == "2029-12-31T23:00:00.000Z"


@pytest.mark.parametrize("move", [Move.VERIFY, Move.START, Move.FAIL, Move.ASK, Move.INTERRUPT])
def test_no_decision_can_do_what_only_an_attempt_can(move: Move) -> None:
    log = Log()
    log.start("a")
    log.move("a", move)
    log.move("b", move)
    assert log.run.record("a").state is S.RUNNING
    assert log.run.record("b").state is S.TODO
    assert len(log.run.anomalies) == 2


def test_a_running_item_cannot_be_accepted_away() -> None:
    log = Log()
    log.start("a")
    log.move("a", Move.ACCEPT)
    log.end("a", "passed")
    assert log.run.record("a").state is S.VERIFIED
    assert not list(log.run.running())


@pytest.mark.parametrize("detour", [Move.REOPEN, Move.DEFER, Move.FORCE, Move.ACCEPT])
@pytest.mark.parametrize("goal", [Move.ATTEST, Move.SKIP, Move.EXCLUDE])
def test_a_failed_command_is_not_attested_by_any_detour(detour: Move, goal: Move) -> None:
    log = Log()
    log.attempt("a", "failed")
    log.move("a", detour)
    if detour in (Move.FORCE, Move.ACCEPT):
        log.move("a", Move.REOPEN)
    log.move("a", goal)
    assert log.run.record("a").state in (S.TODO, S.DEFERRED)
    assert "its last attempt failed" in log.run.anomalies[-1] or "not possible" in log.run.anomalies[-1]


def test_attempts_come_in_order() -> None:
    log = Log()
    log.add(Kind.ATTEMPT_STARTED, {"item": "a", "attempt": 2, "kind": "run", "danger": "read"})
    assert log.run.record("a").state is S.TODO
    assert "is not the next one" in log.run.anomalies[0]


def test_a_malformed_start_leaves_nothing_running() -> None:
    log = Log()
    log.add(Kind.ATTEMPT_STARTED, {"item": "a", "attempt": 1})
    assert log.run.items == {}
    assert len(log.run.anomalies) == 1


def test_signals_and_adoptions_are_counted() -> None:
    log = Log()
    log.start("a")
    log.add(Kind.ATTEMPT_SIGNALLED, {"item": "a", "attempt": 1, "rung": "SIGINT"})
    log.add(Kind.ATTEMPT_ADOPTED, {"item": "a", "attempt": 1, "pid": 7})
    attempt = log.run.record("a").attempts[0]
    assert (attempt.signals, attempt.adopted) == (("SIGINT",), 1)


def test_an_answer_gives_its_variable_and_reopening_withdraws_it() -> None:
    log = Log()
    log.move("a", Move.ATTEST, "", value="41.0 GB", variable="backup_size")
    assert log.run.captured == {"backup_size": "41.0 GB"}
    assert log.run.record("a").value == "41.0 GB"
    log.move("a", Move.REOPEN)
    assert log.run.captured == {}
    assert log.run.record("a").value == ""


def test_what_an_attempt_captured_is_withdrawn_when_it_is_run_again() -> None:
    log = Log()
    log.attempt("a", "failed", captured={"applied": "3"})
    log.attempt("b", "passed", captured={"other": "1"})
    assert log.run.captured == {"applied": "3", "other": "1"}
    log.start("a")
    assert log.run.captured == {"other": "1"}
    log.end("a", "passed", captured={"applied": "7"})
    assert log.run.captured == {"applied": "7", "other": "1"}


def test_an_answer_to_what_ran_without_a_verdict_ends_the_waiting() -> None:
    log = Log()
    log.attempt("a", "asks")
    assert log.run.record("a").awaiting
    log.move("a", Move.ATTEST, "", note="looked at it")
    assert log.run.record("a").state is S.ATTESTED
    log.move("a", Move.REOPEN)
    assert not log.run.record("a").awaiting, "it may be run again"


def test_hold_and_release() -> None:
    log = Log()
    log.add(Kind.HOLD, {"reason": "replica lags", "owner": "bo", "until": "23:30"})
    assert log.run.hold is not None
    assert (log.run.hold.owner, log.run.hold.reason, log.run.hold.until) == ("bo", "replica lags", "23:30")
    log.add(Kind.RELEASE, {})
    assert log.run.hold is None


def test_target_pinned_changed_and_pinned_again() -> None:
    log = Log()
    log.add(Kind.TARGET_PINNED, {"identity": {"database": "app"}})
    log.add(Kind.TARGET_CHANGED, {"differences": ["host: was a, is b"]})
    assert log.run.changed == ("host: was a, is b",)
    log.add(Kind.TARGET_PINNED, {"identity": {"database": "app2"}})
    assert (log.run.identity, log.run.changed) == ({"database": "app2"}, ())


def test_the_lease_names_the_driver_and_only_the_driver_lets_go() -> None:
    log = Log()
    log.add(Kind.LEASE_TAKEN, {"console": "one"}, actor="ana")
    log.add(Kind.LEASE_RELEASED, {"console": "two"})
    assert (log.run.driver, log.run.driver_actor) == ("one", "ana")
    log.add(Kind.LEASE_RELEASED, {"console": "one"})
    assert (log.run.driver, log.run.driver_actor) == ("", "")


def test_variables_and_the_end() -> None:
    log = Log()
    log.add(Kind.VARIABLE_SET, {"name": "dir", "value": "/b"})
    log.add(Kind.RUN_ENDED, {"ending": "completed"})
    assert (log.run.variables, log.run.ending) == ({"dir": "/b"}, "completed")
    assert log.run.ended_at == log.events[-1].at


# The unknown outcome ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("danger", "then", "unknown"),
    [
        ("mutating", [], True),
        ("destructive", [], True),
        ("read", [], False),
        ("mutating", ["reopen"], True),
        ("mutating", ["defer"], True),
        ("mutating", ["attest"], False),
        ("mutating", ["accept"], False),
        ("mutating", ["force"], False),
        ("mutating", ["reopen", "attest"], False),
        ("mutating", ["read:interrupted"], True),
        ("mutating", ["read:asks"], True),
        ("mutating", ["read:passed"], False),
        ("mutating", ["read:failed"], False),
        ("mutating", ["mutating:failed"], False),
        ("mutating", ["mutating:asks"], False),
        ("mutating", ["mutating:interrupted", "reopen"], True),
    ],
)
def test_what_may_have_changed_something_stays_unknown_until_it_is_resolved(
    danger: str, then: list[str], unknown: bool
) -> None:
    log = Log()
    log.attempt("a", "interrupted", danger)
    for step in then:
        kind, _, outcome = step.partition(":")
        if outcome:
            log.attempt("a", outcome, kind)
        else:
            log.move("a", Move(kind))
    assert log.run.anomalies == []
    assert (log.run.record("a").unknown is not None) == unknown


# Headings and counts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("children", "state"),
    [
        ([S.VERIFIED, S.VERIFIED], S.VERIFIED),
        ([S.VERIFIED, S.NOT_APPLICABLE], S.VERIFIED),
        ([S.VERIFIED, S.ATTESTED], S.ATTESTED),
        ([S.VERIFIED, S.TODO], S.TODO),
        ([S.FAILED, S.RUNNING], S.FAILED),
        ([S.RUNNING, S.TODO], S.RUNNING),
        ([S.INTERRUPTED, S.REGRESSED], S.INTERRUPTED),
        ([S.REGRESSED, S.VERIFIED], S.REGRESSED),
        ([S.DEFERRED, S.VERIFIED], S.DEFERRED),
        ([S.DEFERRED, S.TODO], S.TODO),
        ([S.FORCED, S.OK_WITH_ISSUES], S.FORCED),
        ([S.OK_WITH_ISSUES, S.VERIFIED], S.OK_WITH_ISSUES),
        ([S.SKIPPED, S.SKIPPED], S.SKIPPED),
        ([S.NOT_APPLICABLE], S.NOT_APPLICABLE),
    ],
)
def test_a_headings_state_follows_its_children(children: list[ItemState], state: ItemState) -> None:
    assert heading_state(children) is state
    assert heading_state(children[::-1]) is state


@given(st.lists(st.sampled_from(list(S)), min_size=1, max_size=6))
def test_a_heading_is_green_only_when_its_children_are(children: list[ItemState]) -> None:
    state = heading_state(children)
    if state.done:
        assert all(child.done for child in children)
    if state is S.VERIFIED:
        assert set(children) <= {S.VERIFIED, S.NOT_APPLICABLE}


def test_progress_leaves_out_what_does_not_apply() -> None:
    items = (Item("a", "A"), Item("b", "B"), Item("h", "H", items=(Item("h1", "1"), Item("h2", "2"))))
    log = Log()
    log.attempt("a", "passed", "read")
    log.move("b", Move.EXCLUDE)
    p = progress(log.run, items)
    assert (p.done, p.total) == (1, 4)
    log.move("h1", Move.EXCLUDE)
    log.move("h2", Move.EXCLUDE)
    p = progress(log.run, items)
    assert (p.done, p.total) == (1, 1)


def test_what_is_left() -> None:
    checklist = flat_checklist(3)
    section = checklist.phases[0].sections[0]
    optional = replace(section.items[1], optional=True)
    items = (section.items[0], optional, section.items[2])
    checklist = replace(checklist, phases=(replace(checklist.phases[0], sections=(replace(section, items=items),)),))
    log = Log()
    assert [item.id for item in left(log.run, checklist)] == ["i0", "i2"]
    log.attempt("i0", "passed", "read")
    log.move("i2", Move.DEFER)
    assert [item.id for item in left(log.run, checklist)] == ["i2"], "deferred stays on the list"
    log.attempt("i1", "failed")
    assert [item.id for item in left(log.run, checklist)] == ["i1", "i2"], "an optional item that failed counts"


def test_every_outcome_has_a_move() -> None:
    for outcome in OUTCOME_MOVES:
        log = Log()
        log.attempt("a", outcome)
        assert not log.run.anomalies


def test_random_histories_do_reach_every_state() -> None:
    """Or the properties above would hold of nothing."""
    seen: set[ItemState] = set()
    for seed in random.Random(7).sample(range(10**6), 20):
        run = Run()
        for event in random_log(seed, 160, CHECKLIST).events:
            run.apply(event)
            seen |= {run.record(name).state for name in leaves(CHECKLIST)}
    assert seen == set(S) - {S.REGRESSED}
