"""Sensed items: verified by themselves, regressed, recovered; a failure is never hidden, and unknown moves nothing."""

from __future__ import annotations

import pytest

from migconsole.domain.checklist import Alternative, Check, Item, Manual, Run, Sql, Step
from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState, Move
from migconsole.domain.run import fold
from migconsole.domain.sensing import Sensed, moved, way
from tests.domain.journals import Log

S = ItemState


def sensed(log: Log, verdict: str, number: int = 1, reason: str = "") -> None:
    data = {"item": "i0", "verdict": verdict, "reasons": [reason] if reason else [], "lines": ["free 7 GB"]}
    log.add(Kind.ITEM_SENSED, data, key=f"item.sensed:i0:{number}")


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("verdict", Sensed)
@pytest.mark.parametrize("last", ["", "passed", "failed", "asks", "interrupted"])
def test_what_a_verdict_moves(state: ItemState, verdict: Sensed, last: str) -> None:
    expected = {
        (S.TODO, Sensed.PASSED): None if last in ("failed", "interrupted") else Move.SENSE,
        (S.REGRESSED, Sensed.PASSED): Move.RECOVER,
        (S.VERIFIED, Sensed.FAILED): Move.REGRESS,
    }
    assert moved(verdict, state, last) is expected.get((state, verdict))


def test_a_line_turns_verified_by_itself_regresses_and_recovers() -> None:
    log = Log()
    states = []
    for number, verdict in enumerate(("failed", "passed", "unknown", "failed", "unknown", "passed"), 1):
        sensed(log, verdict, number, f"look {number}")
        run = fold(log.events)
        states.append(run.record("i0").state)
    assert states == [S.TODO, S.VERIFIED, S.VERIFIED, S.REGRESSED, S.REGRESSED, S.VERIFIED]
    assert run.anomalies == []
    assert (run.record("i0").reason, run.sensors.senses["i0"].lines) == ("look 6", ("free 7 GB",))
    assert run.sensors.senses["i0"].number == 6


def test_a_failure_of_its_own_command_is_not_hidden_by_a_look() -> None:
    log = Log()
    log.attempt("i0", "failed")
    sensed(log, "passed")
    run = fold(log.events)
    assert run.record("i0").state is S.FAILED
    log.move("i0", Move.REOPEN)
    sensed(log, "passed", 2)
    assert fold(log.events).record("i0").state is S.TODO


def test_what_a_person_said_stays_said() -> None:
    log = Log()
    log.move("i0", Move.ATTEST)
    sensed(log, "failed")
    run = fold(log.events)
    assert run.record("i0").state is S.ATTESTED
    assert run.sensors.senses["i0"].verdict is Sensed.FAILED


def test_a_verdict_that_does_not_exist_is_an_anomaly() -> None:
    log = Log()
    sensed(log, "green")
    assert fold(log.events).anomalies


def test_only_queries_and_checks_are_watched_and_the_way_that_was_taken_first() -> None:
    query, check, command = Step(Sql(("SELECT 1",))), Step(Check("disk_free")), Step(Run("true"))
    ways = tuple(Alternative(str(n), step) for n, step in enumerate((command, query, check)))
    item = Item("i", "I", alternatives=ways, watch=15.0)
    assert (way(item), way(item, 2), way(item, 0)) == (1, 2, 1)
    assert way(Item("i", "I", check)) is None
    assert way(Item("i", "I", check, schedule=(3600.0,))) == 0
    assert way(Item("i", "I", Step(Manual()), watch=15.0)) is None
