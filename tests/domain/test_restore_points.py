"""Restore points: folded from facts, the best one counts, and nothing changes the database before one is proven."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migconsole.domain import restore_gate
from migconsole.domain.checklist import Check, Checklist, Danger, Item, Job, Located, Mode, Phase, Run, Section, Step
from migconsole.domain.clock import reckon
from migconsole.domain.events import Kind
from migconsole.domain.policy import Command, Situation, Verdict, judge
from migconsole.domain.restore_points import PointState
from tests.domain.journals import Log

P = PointState
NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


def change(item: str) -> Item:
    return Item(item, item, Step(Run(f"./{item}.sh"), danger=Danger.MUTATING))


def job(name: str) -> Item:
    return Item(name, name, Step(Job(name)))


BEFORE = Phase("before", "Before", -3600, (Section("b", "B", (change("early"), job("backup"), job("prove"))),))
AT_T0 = Phase(
    "t0",
    "T-0",
    0,
    (
        Section("m", "M", (Item("look", "Look", Step(Check("target"))), change("migrate"), job("drill"))),
        Section("o", "O", (change("first"), change("second")), Mode.READ_DO),
        Section("n", "N", (replace(change("armed"), needs=("restore-point-armed",)),)),
    ),
)
AFTER = Phase("after", "After", 900, (Section("a", "A", (change("start-app"),)),))
BACK = (Section("back", "Back", (change("undo"),)),)
CHECKLIST = Checklist("T", phases=(BEFORE, AT_T0, AFTER), rollback=BACK)
WITHOUT = Checklist("T", phases=(Phase("t0", "T-0", 0, (Section("m", "M", (change("migrate"),)),)),))


@pytest.fixture
def log() -> Log:
    log = Log()
    log.add(Kind.TARGET_PINNED, {"identity": {"database": "app"}})
    return log


def stated(log: Log, state: str, backup: str = "b1", **more: Any) -> None:
    log.add(Kind.RESTORE_POINT, {"state": state, "backup": backup, **more})


def ask(log: Log, item: str, checklist: Checklist = CHECKLIST) -> Verdict:
    walks: tuple[Located, ...] = (*checklist.walk(), *checklist.walk_rollback())
    located = next(found for found in walks if found.item.id == item)
    alternative = located.item.steps[0]
    action = alternative.step.action
    danger = alternative.step.danger or (Danger.MUTATING if isinstance(action, Job) else Danger.READ)
    return judge(log.run, checklist, located, Command.RUN, Situation(), alternative=alternative, danger=danger)


# The fold ------------------------------------------------------------------------------------------------------------


def test_a_restore_point_comes_into_being_fact_by_fact(log: Log) -> None:
    assert log.run.restore_point.state is P.NONE
    stated(log, "unproven", path="/b/1", at="2030-01-01T11:19:00Z", rows=7, bytes=9, durations={"dump_s": 3.5})
    stated(log, "proven", side="app__rb_1", durations={"restore_s": 7})
    stated(log, "armed")
    point = log.run.restore_point
    assert (point.state, point.path, point.side, point.rows, point.bytes) == (P.ARMED, "/b/1", "app__rb_1", 7, 9)
    assert point.durations == {"dump_s": 3.5, "restore_s": 7.0}
    assert point.proven_at < point.since
    assert restore_gate.badge(point, NOW) == "restore point ARMED, 41 min old"


def test_the_most_proven_counts_and_among_equals_the_newest(log: Log) -> None:
    stated(log, "armed", "b1", side="s")
    stated(log, "unproven", "b2")
    assert log.run.restore_point.backup == "b1"
    assert log.run.restore_points.newest.backup == "b2"
    stated(log, "armed", "b2", side="s")
    assert log.run.restore_point.backup == "b2"
    assert log.run.restore_points.points["b1"].state is P.PROVEN
    assert "b2" in log.run.restore_points.points["b1"].why


def test_a_failed_proof_takes_the_state_back(log: Log) -> None:
    stated(log, "armed")
    stated(log, "unproven", why="orders: 10 rows, the manifest has 11")
    assert log.run.restore_point.state is P.UNPROVEN
    assert "orders" in restore_gate.describe(log.run)


@pytest.mark.parametrize("data", [{}, {"backup": "b"}, {"backup": "b", "state": "green"}])
def test_a_fact_of_another_form_changes_nothing_and_is_kept(log: Log, data: dict[str, Any]) -> None:
    log.add(Kind.RESTORE_POINT, data)
    assert log.run.restore_point.state is P.NONE
    assert log.run.anomalies


@pytest.mark.parametrize("odd", [{"rows": -1}, {"rows": True}, {"bytes": "9"}, {"durations": {"x": "1"}}])
def test_odd_figures_are_unknown(log: Log, odd: dict[str, Any]) -> None:
    stated(log, "armed", **odd)
    point = log.run.restore_point
    assert (point.state, point.rows, point.bytes, point.durations) == (P.ARMED, None, None, {})


@pytest.mark.parametrize("at", ["", "yesterday", "2030-01-01T11:19:00"])
def test_an_age_that_is_not_known_is_not_made_up(log: Log, at: str) -> None:
    stated(log, "armed", at=at)
    assert restore_gate.age(log.run.restore_point, NOW) is None
    assert restore_gate.badge(log.run.restore_point, NOW) == "restore point ARMED"


def test_a_server_ahead_of_us_gives_no_negative_age(log: Log) -> None:
    stated(log, "armed", at=(NOW + timedelta(seconds=5)).isoformat())
    assert restore_gate.age(log.run.restore_point, NOW) == 0


# The gate ------------------------------------------------------------------------------------------------------------


def test_nothing_is_changed_before_the_proof(log: Log) -> None:
    refused = ask(log, "migrate")
    assert not refused.allowed
    assert "no backup of this run yet" in refused.reason
    assert not refused.overridden("too short")
    assert refused.overridden("no room for a second copy, agreed with Ana")
    stated(log, "unproven")
    assert "not been proven" in ask(log, "migrate").reason
    stated(log, "proven")
    assert ask(log, "migrate").allowed
    stated(log, "armed")
    assert ask(log, "migrate").allowed


@pytest.mark.parametrize("item", ["early", "prove", "look", "drill", "undo"])
def test_what_is_not_held_up(log: Log, item: str) -> None:
    assert ask(log, item).allowed


def test_a_checklist_without_a_backup_has_no_gate(log: Log) -> None:
    assert ask(log, "migrate", WITHOUT).allowed


def test_after_something_was_changed_the_later_phases_are_free_but_not_the_same_one(log: Log) -> None:
    assert not ask(log, "start-app").allowed
    log.attempt("migrate", "passed")
    assert ask(log, "start-app").allowed
    assert not ask(log, "first").allowed


@pytest.mark.parametrize("state", ["used", "purged"])
def test_a_restore_point_that_is_gone_protects_nothing(log: Log, state: str) -> None:
    stated(log, "armed")
    stated(log, state)
    assert not ask(log, "migrate").allowed


def test_one_reason_answers_proof_and_order_and_names_both(log: Log) -> None:
    refused = ask(log, "second")
    assert "proven" in refused.reason
    assert "“first” comes first" in refused.reason
    assert refused.least == restore_gate.OVERRIDE_REASON
    stated(log, "armed")
    assert ask(log, "second").least == 3


def test_a_need_of_its_own_asks_for_more_than_the_gate(log: Log) -> None:
    stated(log, "proven")
    assert ask(log, "armed").reason == (
        "needs a restore point that is armed: the backup is proven, its restored copy is not armed"
    )
    stated(log, "armed")
    assert ask(log, "armed").allowed


def test_an_override_is_on_record(log: Log) -> None:
    log.start("migrate", confirmed={"tier": 1, "typed": "", "reason": "no room, agreed"})
    attempt = log.run.record("migrate").last
    assert attempt is not None
    assert attempt.reason == "no room, agreed"


# The interlock -------------------------------------------------------------------------------------------------------


def test_a_backup_and_a_change_never_run_at_once(log: Log) -> None:
    stated(log, "armed")
    log.start("backup", "read", job="backup")
    assert "a backup is being taken" in ask(log, "migrate").reason
    log.end("backup", "passed")
    log.start("migrate")
    located = next(found for found in CHECKLIST.walk() if found.item.id == "backup")
    alternative = located.item.steps[0]
    verdict = judge(log.run, CHECKLIST, located, Command.RUN, Situation(), alternative=alternative, danger=Danger.READ)
    assert "migrate is running" in verdict.reason


# Age -----------------------------------------------------------------------------------------------------------------


def aged(limit: str) -> Checklist:
    backup = Item("backup", "Backup", Step(Job("backup", {"max_age": limit})))
    return Checklist("T", phases=(Phase("p", "P", -60, (Section("s", "S", (backup,)),)),))


@pytest.mark.parametrize(
    ("limit", "young", "words"), [("1h", True, "41 min old"), ("30m", None, "more than 30 min, take a fresh backup")]
)
def test_the_age_is_told_and_measured_by_what_the_checklist_allows(
    log: Log, limit: str, young: bool | None, words: str
) -> None:
    stated(log, "armed", at="2030-01-01T11:19:00Z")
    found, text = restore_gate.age_line(log.run, aged(limit), NOW)
    assert found is young
    assert words in text


def test_an_unknown_age_is_not_young(log: Log) -> None:
    stated(log, "armed")
    assert restore_gate.age_line(log.run, aged("1h"), NOW)[0] is None


def asked_at(log: Log, item: str, hours: float, checklist: Checklist = CHECKLIST) -> Verdict:
    """The verdict on running an item so many hours after NOW."""
    located = next(found for found in checklist.walk() if found.item.id == item)
    clock = reckon(log.run, checklist, NOW + timedelta(hours=hours))
    alternative = located.item.steps[0]
    danger = alternative.step.danger or Danger.MUTATING
    return judge(
        log.run, checklist, located, Command.RUN, Situation(clock=clock), alternative=alternative, danger=danger
    )


def test_a_stale_way_back_asks_for_a_reason_until_something_was_changed(log: Log) -> None:
    stated(log, "armed", at=NOW.isoformat())
    assert asked_at(log, "migrate", 23.9).allowed
    refused = asked_at(log, "migrate", 24.1)
    assert "24 h 6 min old, more than 24 h 0 min" in refused.reason
    assert "take a fresh backup" in refused.reason
    assert not refused.overridden("too short")
    assert refused.overridden("writes were off since the backup")
    assert asked_at(log, "early", 30).allowed, "before T-0 nothing waits"
    log.attempt("prove", "passed", job="prove")
    assert not asked_at(log, "migrate", 30).allowed, "a proof is no change"
    log.attempt("migrate", "passed")
    assert asked_at(log, "first", 30).allowed


def test_the_banner_says_that_it_is_stale(log: Log) -> None:
    stated(log, "armed", at=NOW.isoformat())
    later = NOW + timedelta(hours=5)
    assert restore_gate.badge(log.run.restore_point, later, 4 * 3600) == "restore point ARMED, 5 h 0 min old STALE"
    assert restore_gate.badge(log.run.restore_point, later, 6 * 3600) == "restore point ARMED, 5 h 0 min old"


# Restore points of other tools ---------------------------------------------------------------------------------------


def hooked(*, accept: bool) -> Checklist:
    prove = Item("prove", "prove", Step(Job("prove", {"by": "pgbackrest", "accept": accept})))
    return Checklist(
        "T",
        phases=(
            Phase("b", "B", -60, (Section("s", "S", (prove,)),)),
            Phase("t", "T", 0, (Section("m", "M", (change("migrate"),)),)),
        ),
    )


def test_a_snapshot_is_a_kind_of_its_own(log: Log) -> None:
    stated(log, "snapshot", "pgbackrest-1", by="pgbackrest", at=NOW.isoformat(), back="pgbackrest restore")
    point = log.run.restore_point
    assert (point.state, point.by, point.back, point.proven_at) == (P.SNAPSHOT, "pgbackrest", "pgbackrest restore", "")
    assert restore_gate.badge(point, NOW) == "SNAPSHOT verified 12:00"
    assert restore_gate.badge(point, NOW + timedelta(hours=5), 3600) == "SNAPSHOT verified 12:00 STALE"
    assert restore_gate.unmet_need(log.run, "restore-point-snapshot") == ""
    assert "by pgbackrest is verified" in restore_gate.unmet_need(log.run, "restore-point-proven")
    assert log.run.restore_points.newest.backup == ""


def test_a_snapshot_opens_the_gate_only_where_the_checklist_accepts_it(log: Log) -> None:
    stated(log, "snapshot", "pgbackrest-1", by="pgbackrest", at=NOW.isoformat())
    assert ask(log, "migrate", hooked(accept=True)).allowed
    refused = ask(log, "migrate", hooked(accept=False))
    assert "nothing was restored" in refused.reason or "by pgbackrest is verified" in refused.reason
    assert refused.overridden("the storage team vouches for it")
    assert not ask(log, "migrate").allowed, "another checklist accepts nothing of the kind"
    stated(log, "snapshot", "other-1", by="other", at=NOW.isoformat())
    assert not ask(log, "migrate", hooked(accept=True)).allowed, "nor that of another tool"


def test_what_is_proven_is_worth_more_than_a_snapshot(log: Log) -> None:
    stated(log, "proven", "b1")
    stated(log, "snapshot", "pgbackrest-1", by="pgbackrest")
    assert log.run.restore_point.backup == "b1"
    stated(log, "unproven", "b1")
    assert log.run.restore_point.by == "pgbackrest"
