"""Polls: one NO-GO blocks, a GO grows stale, nothing goes past a gate, and what was passed stays passed until NO-GO."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain import gates
from migconsole.domain.checklist import Alternative, Checklist, Danger, Gate, Item, Located, Phase, Run, Section, Step
from migconsole.domain.clock import reckon
from migconsole.domain.events import Kind
from migconsole.domain.gates import VALID, GateState, standing
from migconsole.domain.items import Move
from migconsole.domain.policy import Command, Situation, Verdict, judge
from migconsole.domain.times import instant
from tests.domain.journals import Log

ROLES = ("Database Admin", "DevOps Lead")
GO = Gate("go", "Go for T-0", "Execution", ROLES)
LAST = Gate("last", "Drop it", "drop", ("Database Admin",))
STEP = Step(Run("./apply.sh"), danger=Danger.MUTATING)
CHECKLIST = Checklist(
    "T",
    roles=ROLES,
    phases=(
        Phase("before", "Before", -3600, (Section("b", "B", (Item("prepare", "Prepare"),)),)),
        Phase(
            "exec",
            "Execution",
            0,
            (
                Section("c", "C", (Item("apply", "Apply", STEP), Item("look", "Look"))),
                Section("d", "D", (Item("group", "Group", items=(Item("inner", "Inner"),)),)),
            ),
        ),
        Phase(
            "after",
            "After",
            900,
            (
                Section(
                    "e",
                    "E",
                    (
                        Item("drop", "Drop", Step(Run("dropdb x"), danger=Danger.DESTRUCTIVE)),
                        Item("asks", "Asks", needs=("gate:go",)),
                    ),
                ),
            ),
        ),
    ),
    gates=(GO, LAST),
)


@pytest.fixture
def log() -> Log:
    log = Log()
    log.add(Kind.TARGET_PINNED, {"identity": {"database": "app"}})
    return log


def vote(log: Log, role: str, word: str = "go", gate: str = "go", reason: str = "") -> None:
    log.add(Kind.GATE_VOTED, {"gate": gate, "role": role, "vote": word, "initials": "ab", "reason": reason})


def now(log: Log) -> datetime:
    at = instant(log.events[-1].at)
    assert at is not None
    return at


def ask(log: Log, item: str, command: Command = Command.RUN, later: timedelta = timedelta()) -> Verdict:
    found: Located = next(located for located in CHECKLIST.walk() if located.item.id == item)
    situation = Situation(clock=reckon(log.run, CHECKLIST, now(log) + later))
    danger = found.item.step.danger or Danger.READ
    alternative = Alternative("", found.item.step)
    return judge(log.run, CHECKLIST, found, command, situation, alternative=alternative, danger=danger)


@pytest.mark.parametrize("item", ["apply", "look", "inner", "asks"])
@pytest.mark.parametrize("command", [Command.RUN, Command.ATTEST, Command.ACCEPT])
def test_what_stands_behind_a_gate_does_not_begin(log: Log, item: str, command: Command) -> None:
    verdict = ask(log, item, command)
    assert not verdict.allowed
    assert not verdict.overridable
    assert "gate “Go for T-0” is closed: no vote of Database Admin, DevOps Lead" in verdict.reason


def test_what_stands_before_it_is_free(log: Log) -> None:
    assert ask(log, "prepare", Command.ATTEST).allowed


def test_what_is_left_out_goes_past_no_gate(log: Log) -> None:
    assert ask(log, "look", Command.SKIP).allowed
    assert ask(log, "look", Command.DEFER).allowed


def test_all_roles_open_it_and_time_closes_it(log: Log) -> None:
    vote(log, ROLES[0])
    assert "no vote of DevOps Lead" in ask(log, "apply").reason
    vote(log, ROLES[1])
    assert ask(log, "apply").allowed
    assert ask(log, "apply", later=VALID - timedelta(seconds=2)).allowed
    stale = ask(log, "apply", later=VALID + timedelta(seconds=1))
    assert "older than 15 minutes" in stale.reason
    assert not stale.overridable


def test_one_no_go_blocks_until_its_role_says_go(log: Log) -> None:
    vote(log, ROLES[0])
    vote(log, ROLES[1], "no-go", reason="the replica lags")
    verdict = ask(log, "apply", later=timedelta(days=1))
    assert "NO-GO from DevOps Lead (ab): the replica lags" in verdict.reason
    vote(log, ROLES[1])
    assert ask(log, "apply").allowed


def test_a_passed_gate_stays_open_until_somebody_says_no(log: Log) -> None:
    for role in ROLES:
        vote(log, role)
    log.add(Kind.GATE_PASSED, {"gate": "go"})
    assert ask(log, "apply", later=timedelta(hours=3)).allowed
    vote(log, ROLES[0], "no-go", reason="stop it")
    assert not ask(log, "apply").allowed
    vote(log, ROLES[0])
    assert standing(GO, log.run.gates, now(log)).state is GateState.GO, "passed once is not passed for ever"


def test_a_gate_is_not_passed_without_votes(log: Log) -> None:
    vote(log, ROLES[0], "no-go", reason="not yet")
    log.add(Kind.GATE_PASSED, {"gate": "go"})
    assert "passed without a GO" in log.run.anomalies[0]
    assert not ask(log, "apply").allowed


def test_what_has_begun_may_be_judged_and_forced(log: Log) -> None:
    for role in ROLES:
        vote(log, role)
    log.attempt("apply", "failed")
    late = timedelta(hours=1)
    assert "older than" in ask(log, "apply", Command.RUN, late).reason, "but not begun again"
    assert ask(log, "apply", Command.FORCE, late).allowed
    assert ask(log, "apply", Command.ACCEPT, late).allowed


def test_the_gate_of_a_single_item_is_asked_each_time() -> None:
    assert gates.lasting(GO, CHECKLIST)
    assert not gates.lasting(LAST, CHECKLIST)


def test_without_a_time_no_vote_counts(log: Log) -> None:
    for role in ROLES:
        vote(log, role)
    assert standing(GO, log.run.gates, None).state is GateState.WAITING


def test_a_gate_of_nobody_never_opens(log: Log) -> None:
    assert not standing(replace(GO, roles=()), log.run.gates, now(log)).open


@pytest.mark.parametrize(
    ("word", "initials", "reason"), [("maybe", "ab", ""), ("go", " ", ""), ("no-go", "ab", "no"), ("go", "x" * 41, "")]
)
def test_what_is_no_vote_changes_nothing(log: Log, word: str, initials: str, reason: str) -> None:
    data = {"gate": "go", "role": ROLES[0], "vote": word, "initials": initials, "reason": reason}
    log.add(Kind.GATE_VOTED, data)
    assert log.run.anomalies
    assert not log.run.gates.votes


@given(
    st.lists(st.tuples(st.sampled_from(ROLES), st.sampled_from(["go", "no-go"])), max_size=12),
    st.integers(0, 3600),
)
def test_open_means_that_every_role_said_go_of_late(votes: list[tuple[str, str]], later: int) -> None:
    log = Log()
    for role, word in votes:
        vote(log, role, word, reason="because")
    moment = now(log) + timedelta(seconds=later)
    stands = standing(GO, log.run.gates, moment)
    newest = dict(votes)
    fresh = [cast for cast in log.run.gates.votes.get("go", {}).values() if cast.fresh(moment)]
    assert stands.open == (all(newest.get(role) == "go" for role in ROLES) and len(fresh) == len(ROLES))
    assert stands.open == (stands.reason == "")


def test_moves_of_an_item_behind_a_gate_are_judged_when_made(log: Log) -> None:
    log.move("look", Move.ATTEST)
    assert log.run.anomalies == [], "the fold takes what was recorded: the gate is the policy's"
