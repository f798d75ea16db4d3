"""What may happen next: every refusal with its words, and the few things that a typed reason can override."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migconsole.domain.checklist import (
    Alternative,
    Answer,
    Check,
    Checklist,
    Danger,
    Item,
    Job,
    Located,
    Manual,
    Mode,
    Phase,
    Run,
    Section,
    Sql,
    Step,
)
from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState, Move
from migconsole.domain.policy import OUT_OF_ORDER, Command, Situation, Verdict, action_name, judge, tier, unmet
from tests.domain.journals import Log

READ, MUTATING, DESTRUCTIVE = Danger.READ, Danger.MUTATING, Danger.DESTRUCTIVE
CHECKLIST = Checklist(
    "T",
    phases=(
        Phase(
            "p",
            "P",
            0,
            (
                Section(
                    "free",
                    "Any order",
                    (
                        Item("manual", "Tell them"),
                        Item("ask", "Size", Step(Answer("size", "How large?"))),
                        Item("check", "Version", Step(Check("server_version"))),
                        Item("sql", "Rows", Step(Sql(("SELECT 1",)))),
                        Item("apply", "Apply", Step(Run("./apply.sh"), danger=MUTATING)),
                        Item("other", "Other", Step(Run("./other.sh"), danger=MUTATING)),
                        Item("drop", "Drop", Step(Run("dropdb x"), danger=DESTRUCTIVE), needs=("apply",)),
                        Item("gated", "Gated", Step(Run("./x.sh")), needs=("gate:go",)),
                        Item("point", "Point", Step(Run("./x.sh")), needs=("restore-point-armed",)),
                        Item("lost", "Lost", Step(Run("./x.sh")), needs=("nowhere",)),
                        Item("job", "Lint", Step(Job("lint"))),
                        Item("must", "Must", required=True),
                        Item("later", "After it", needs=("manual",)),
                        Item("head", "Group", items=(Item("h1", "one"), Item("h2", "two"))),
                    ),
                ),
                Section(
                    "strict",
                    "In order",
                    (
                        Item("one", "One", Step(Check("tables_exist"))),
                        Item("opt", "Opt", optional=True),
                        Item("two", "Two", items=(Item("two.1", "Two one"),)),
                        Item("three", "Three", Step(Run("./three.sh"))),
                    ),
                    Mode.READ_DO,
                ),
            ),
        ),
    ),
    rollback=(
        Section(
            "back",
            "Back",
            (
                Item("undo", "Undo", Step(Run("./undo.sh"), danger=DESTRUCTIVE)),
                Item("undo-2", "Undo more", Step(Run("./more.sh"), danger=MUTATING)),
            ),
        ),
    ),
)
PINNED = {"identity": {"database": "app"}}


def find(item_id: str) -> Located:
    walks = (*CHECKLIST.walk(), *CHECKLIST.walk_rollback())
    return next(located for located in walks if located.item.id == item_id)


def ask(
    log: Log,
    item_id: str,
    command: Command = Command.RUN,
    situation: Situation | None = None,
    danger: Danger | None = None,
) -> Verdict:
    located = find(item_id)
    alternative = located.item.steps[0]
    return judge(
        log.run,
        CHECKLIST,
        located,
        command,
        situation or Situation(),
        alternative=alternative,
        danger=danger or alternative.step.danger or READ,
    )


@pytest.fixture
def log() -> Log:
    log = Log()
    log.add(Kind.TARGET_PINNED, PINNED)
    return log


@pytest.mark.parametrize(
    ("danger", "environment", "expected"),
    [
        (READ, "production", 0),
        (MUTATING, "production", 1),
        (MUTATING, "staging", 1),
        (MUTATING, "", 1),
        (MUTATING, "Development", 0),
        (MUTATING, "test", 0),
        (DESTRUCTIVE, "test", 2),
        (DESTRUCTIVE, "production", 2),
    ],
)
def test_confirmation_tiers(danger: Danger, environment: str, expected: int) -> None:
    assert tier(danger, environment) == expected


@pytest.mark.parametrize("command", Command)
@pytest.mark.parametrize(
    ("situation", "words"),
    [
        (Situation(read_only=True), "this console is read-only"),
        (Situation(driving=False, driver="bo"), "bo drives; this console watches"),
        (Situation(driving=False), "another console drives; this console watches"),
    ],
)
def test_who_does_not_drive_decides_nothing(log: Log, command: Command, situation: Situation, words: str) -> None:
    assert ask(log, "manual", command, situation) == Verdict(False, words)


@pytest.mark.parametrize("command", sorted({*Command} - {Command.STOP}))
def test_a_broken_journal_stops_everything_but_stopping(log: Log, command: Command) -> None:
    log.start("apply")
    broken = Situation(broken="database or disk is full")
    assert "database or disk is full" in ask(log, "apply", command, broken).reason
    assert ask(log, "apply", Command.STOP, broken).allowed


def test_an_ended_run_is_over(log: Log) -> None:
    log.add(Kind.RUN_ENDED, {"ending": "completed"})
    assert {ask(log, "manual", c).reason for c in set(Command) - {Command.STOP}} == {"the run has ended (completed)"}


def test_a_heading_is_not_done_itself(log: Log) -> None:
    for command in set(Command) - {Command.STOP}:
        assert ask(log, "head", command).reason == "the items below it are done one by one"
    assert not ask(log, "head", Command.STOP).allowed


def test_only_what_runs_or_left_processes_can_be_stopped(log: Log) -> None:
    assert ask(log, "apply", Command.STOP).reason == "nothing is running here"
    log.start("apply")
    assert ask(log, "apply", Command.STOP).allowed
    log.end("apply", "interrupted", survivors=["psql (4711)"])
    assert ask(log, "apply", Command.STOP).allowed


def test_manual_items_are_not_run_and_questions_not_ticked(log: Log) -> None:
    assert "a person does it" in ask(log, "manual").reason
    assert "a person does it" in ask(log, "ask").reason
    assert "answered with a value" in ask(log, "ask", Command.ATTEST).reason
    assert "takes no answer" in ask(log, "manual", Command.ANSWER).reason
    assert ask(log, "ask", Command.ANSWER).allowed
    assert ask(log, "manual", Command.ATTEST).allowed


def test_what_is_not_there_yet_says_so(log: Log) -> None:
    assert ask(log, "job").allowed
    assert ask(log, "job", situation=Situation(unavailable={"job:lint": "not yet"})).reason == "not yet"
    missing = Situation(unavailable={"check:server_version": "not in this version"})
    assert ask(log, "check", situation=missing).reason == "not in this version"


@pytest.mark.parametrize("item", ["check", "sql"])
def test_a_done_check_may_be_run_again_a_done_change_not(log: Log, item: str) -> None:
    log.attempt(item, "passed", "read")
    assert ask(log, item).allowed
    log.attempt("apply", "passed")
    assert ask(log, "apply").reason == "it is already verified; reopen it first (u)"
    log.move("apply", Move.REOPEN)
    assert ask(log, "apply").allowed


@pytest.mark.parametrize("state", [Move.ATTEST, Move.ACCEPT])
def test_a_change_that_somebody_said_is_done_is_not_run(log: Log, state: Move) -> None:
    log.move("apply", state)
    assert "reopen it first" in ask(log, "apply").reason


def test_what_awaits_an_answer_is_not_run_again(log: Log) -> None:
    log.attempt("apply", "asks")
    assert "awaits your answer" in ask(log, "apply").reason
    assert ask(log, "apply", Command.ATTEST).allowed


def test_nothing_runs_twice_at_once(log: Log) -> None:
    log.start("apply")
    assert ask(log, "apply").reason == "it is running"
    assert ask(log, "other").reason == "a mutating attempt is running (apply); two never run at once"
    assert ask(log, "check").allowed, "what only reads may run beside it"


def test_a_running_read_does_not_keep_a_change_from_starting(log: Log) -> None:
    log.start("check", "read")
    assert ask(log, "apply").allowed


@pytest.mark.parametrize("detour", ["", "reopen", "defer", "recheck"])
def test_no_change_beside_an_unknown_outcome(log: Log, detour: str) -> None:
    log.attempt("apply", "interrupted")
    if detour == "recheck":
        log.attempt("apply", "interrupted", "read")
    elif detour:
        log.move("apply", Move(detour))
    assert "the outcome of “apply” is unknown" in ask(log, "other").reason
    assert ask(log, "apply").allowed, "it may be run again, by key"
    assert ask(log, "check").allowed


def test_an_interrupted_check_holds_nobody_up(log: Log) -> None:
    log.attempt("check", "interrupted", "read")
    assert ask(log, "apply").allowed


def test_a_hold_stops_changes_only(log: Log) -> None:
    log.add(Kind.HOLD, {"reason": "replica lags", "owner": "bo"})
    assert ask(log, "apply").reason == "the run is on hold (bo: replica lags); release it first (p)"
    assert ask(log, "check").allowed
    assert ask(log, "manual", Command.ATTEST).allowed


def test_a_changed_target_stops_changes(log: Log) -> None:
    log.add(Kind.TARGET_CHANGED, {"differences": ["port: was 1, is 2"]})
    assert ask(log, "apply").reason == "the target changed: port: was 1, is 2"
    assert ask(log, "check").allowed


def test_no_change_on_a_target_nobody_identified() -> None:
    assert ask(Log(), "apply").reason == "the target has not been identified yet"


def test_needs_name_what_is_missing(log: Log) -> None:
    assert ask(log, "drop").reason == "needs “Apply”, which is todo"
    log.attempt("apply", "failed")
    assert ask(log, "drop").reason == "needs “Apply”, which is failed"
    log.attempt("apply", "passed")
    assert ask(log, "drop").allowed
    assert "gate:go, which this checklist does not have" in ask(log, "gated").reason
    assert ask(log, "point").reason == "needs a restore point that is armed: there is no backup of this run yet"
    assert ask(log, "point").overridden("no room for a second copy")
    assert not ask(log, "point").overridden("because")
    assert "does not have" in ask(log, "lost").reason


def test_needs_may_name_a_heading_or_an_item_of_the_rollback(log: Log) -> None:
    assert "“Group”" in unmet(log.run, CHECKLIST, "head")
    log.move("h1", Move.ATTEST)
    log.move("h2", Move.ATTEST)
    assert unmet(log.run, CHECKLIST, "head") == ""
    assert "“Undo”" in unmet(log.run, CHECKLIST, "undo")


def test_an_attestation_before_its_needs_wants_a_reason(log: Log) -> None:
    wanted = Verdict(False, "needs “Tell them”, which is todo", overridable=True, hows=(OUT_OF_ORDER,))
    assert ask(log, "later", Command.ATTEST) == wanted
    log.move("manual", Move.ATTEST)
    assert ask(log, "later", Command.ATTEST).allowed


def test_a_strict_section_goes_in_order_unless_a_reason_is_given(log: Log) -> None:
    assert ask(log, "one").allowed
    first = Verdict(False, "in this section “One” comes first", overridable=True, hows=(OUT_OF_ORDER,))
    assert ask(log, "three") == ask(log, "two.1", Command.ATTEST) == first
    log.attempt("one", "passed", "read")
    assert ask(log, "two.1", Command.ATTEST).allowed, "an untouched optional item is passed by"
    assert ask(log, "three").reason == "in this section “Two one” comes first"
    log.move("two.1", Move.DEFER)
    assert ask(log, "three").allowed


def test_a_strict_section_stops_at_a_failure(log: Log) -> None:
    log.attempt("one", "failed", "read")
    assert ask(log, "three").overridable
    log.attempt("opt", "failed", "read")
    log.move("one", Move.FORCE)
    assert ask(log, "two.1", Command.ATTEST).reason == "in this section “Opt” comes first"


def test_required_and_failed_items_are_not_skipped(log: Log) -> None:
    assert ask(log, "must", Command.SKIP).reason == "a required item cannot be skipped"
    assert ask(log, "manual", Command.SKIP).allowed
    log.attempt("apply", "failed")
    for command in (Command.ATTEST, Command.SKIP, Command.EXCLUDE):
        assert not ask(log, "apply", command).allowed
    log.move("apply", Move.REOPEN)
    for command in (Command.ATTEST, Command.SKIP, Command.EXCLUDE):
        assert "its last attempt failed" in ask(log, "apply", command).reason
    assert ask(log, "apply", Command.ACCEPT).allowed


def test_every_refusal_has_words_and_every_permission_none(log: Log) -> None:
    logs = [log]
    for outcome in ("passed", "failed", "asks", "interrupted"):
        other = Log()
        other.attempt("apply", outcome)
        logs.append(other)
    for one in logs:
        for located in (*CHECKLIST.walk(), *CHECKLIST.walk_rollback()):
            for command in Command:
                verdict = ask(one, located.item.id, command)
                assert verdict.allowed == (verdict.reason == "")
                assert not (verdict.allowed and verdict.overridable)


def test_the_rollback_procedure_is_judged_alike(log: Log) -> None:
    assert ask(log, "undo").allowed
    log.start("apply")
    assert "two never run at once" in ask(log, "undo").reason
    log.end("apply", "failed")
    log.add(Kind.HOLD, {"reason": "wait", "owner": "bo"})
    assert "on hold" in ask(log, "undo").reason


def test_going_back_does_not_wait_for_an_unknown_way_forward(log: Log) -> None:
    log.attempt("apply", "interrupted")
    assert "unknown" in ask(log, "other").reason
    assert ask(log, "undo").allowed
    log.attempt("undo", "interrupted", "destructive")
    assert "the outcome of “undo” is unknown" in ask(log, "undo-2").reason
    assert ask(log, "undo").allowed


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (Step(Manual()), "manual"),
        (Step(Run("x")), "run"),
        (Step(Check("disk_free")), "check:disk_free"),
        (Step(Job("backup")), "job:backup"),
    ],
)
def test_actions_have_names(step: Step, name: str) -> None:
    assert action_name(Alternative("", step)) == name


def test_the_state_is_that_of_the_journal_not_of_the_checklist(log: Log) -> None:
    """A checklist edited after the run began cannot make an item green."""
    renamed = replace(find("apply").item, id="renamed")
    assert log.run.state_of(renamed) is ItemState.TODO
