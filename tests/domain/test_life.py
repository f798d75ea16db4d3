"""Tripwires, sections, claims and the states of a run, as the fold has them."""

from __future__ import annotations

import pytest

from migconsole.domain.checklist import Checklist, Item, Mode, Section, Tripwire
from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState, Move
from migconsole.domain.lifecycle import RunState
from migconsole.domain.sections import SectionEnd, section_end
from migconsole.domain.tripwires import WireState, pre_filled, summary, tripped
from tests.domain.journals import Log

WIRES = Checklist("T", tripwires=(Tripwire("bugs", "Critical bugs"), Tripwire("slow", "Too slow")))
SECTION = Section("smoke", "Smoke tests", (Item("i0", "a"), Item("i1", "b", optional=True), Item("i2", "c")))


def wire(log: Log, change: str, by: str = "person", name: str = "bugs", **more: str) -> None:
    log.add(Kind.TRIPWIRE, {"tripwire": name, "state": change, "by": by, **more})


def end_of(log: Log, section: Section = SECTION) -> SectionEnd:
    return section_end(section, log.run.state_of, lambda item: log.run.record(item.id).since, log.run.sections)


# Tripwires -----------------------------------------------------------------------------------------------------------


def test_a_tripped_wire_stays_until_a_person_has_seen_it_even_when_it_is_over() -> None:
    log = Log()
    wire(log, "tripped", "check", reason="p99 is 4× the baseline")
    wire(log, "cleared", "check")
    record = log.run.tripwires.record("bugs")
    assert (record.state, record.over) == (WireState.TRIPPED, True)
    wire(log, "acknowledged")
    assert log.run.tripwires.record("bugs").state is WireState.ARMED
    assert log.run.anomalies == []


def test_an_acknowledged_wire_stays_in_sight_until_it_is_cleared() -> None:
    log = Log()
    wire(log, "tripped", reason="the client crashes")
    wire(log, "acknowledged", reason="we look into it")
    assert [pair[0].id for pair in tripped(WIRES, log.run.tripwires)] == ["bugs"]
    assert summary(WIRES, log.run.tripwires) == "acknowledged 1 · armed 1"
    wire(log, "cleared", "check")
    assert tripped(WIRES, log.run.tripwires) == []


def test_tripping_again_keeps_who_was_first_and_takes_the_newest_reason() -> None:
    log = Log()
    wire(log, "tripped", "check", reason="first")
    wire(log, "tripped", "clock", reason="second")
    record = log.run.tripwires.record("bugs")
    assert (record.by, record.reason, record.times) == ("check", "second", 1)


def test_the_unseen_ones_come_first_and_fill_in_the_reason() -> None:
    log = Log()
    wire(log, "tripped", name="bugs", reason="seen")
    wire(log, "acknowledged", name="bugs")
    wire(log, "tripped", name="slow", reason="4 s")
    found = tripped(WIRES, log.run.tripwires)
    assert [pair[0].id for pair in found] == ["slow", "bugs"]
    assert pre_filled(found[:1]) == "Too slow: 4 s"


@pytest.mark.parametrize(("change", "by"), [("exploded", "person"), ("tripped", "nobody")])
def test_what_cannot_happen_to_a_wire_is_an_anomaly(change: str, by: str) -> None:
    log = Log()
    wire(log, change, by)
    assert len(log.run.anomalies) == 1
    assert log.run.tripwires.record("bugs").state is WireState.ARMED


# Sections ------------------------------------------------------------------------------------------------------------


def test_a_section_ends_in_words_that_name_what_is_not_simply_done() -> None:
    log = Log()
    assert end_of(log).words == "2 left", "the optional line does not keep it open"
    log.move("i0", Move.ATTEST)
    log.move("i2", Move.DEFER)
    assert end_of(log).words == "complete except deferred (1)"
    log.attempt("i2", "failed")
    log.move("i2", Move.FORCE)
    assert end_of(log).words == "complete with overrides (1)"


def test_a_call_holds_until_a_line_changes() -> None:
    log = Log()
    log.move("i0", Move.ATTEST)
    log.move("i2", Move.ATTEST)
    assert end_of(log).wants_call
    log.add(Kind.SECTION_CALLED, {"section": "smoke", "person": "Ana Silva", "end": "complete"})
    assert not end_of(log).wants_call
    assert end_of(log).call == log.run.sections.calls["smoke"]
    log.move("i2", Move.REOPEN)
    assert end_of(log).call is None
    log.move("i2", Move.ATTEST)
    assert end_of(log).wants_call, "what changed is called again"


def test_what_is_read_in_order_needs_no_call() -> None:
    log = Log()
    log.move("i0", Move.ATTEST)
    section = Section("s", "S", (Item("i0", "a"),), Mode.READ_DO)
    assert end_of(log, section).complete
    assert not end_of(log, section).wants_call


# Claims --------------------------------------------------------------------------------------------------------------


def claim(log: Log, actor: str, number: int = 1) -> None:
    log.add(Kind.ITEM_CLAIMED, {"item": "i0", "claim": number, "console": "c"}, actor)


def test_the_first_claim_counts_and_its_person_attests() -> None:
    log = Log()
    claim(log, "bob")
    claim(log, "eve")
    assert log.run.claims.held["i0"].actor == "bob"
    log.add(Kind.ITEM_MOVED, {"item": "i0", "move": "attest", "claim": 1}, "eve")
    assert log.run.record("i0").state is ItemState.TODO
    log.add(Kind.ITEM_MOVED, {"item": "i0", "move": "attest", "claim": 1}, "bob")
    assert log.run.record("i0").state is ItemState.ATTESTED
    assert log.run.claims.held == {}
    assert log.run.anomalies == []


def test_what_the_driver_decided_first_stands() -> None:
    log = Log()
    claim(log, "bob")
    log.move("i0", Move.SKIP)
    log.add(Kind.ITEM_MOVED, {"item": "i0", "move": "attest", "claim": 1}, "bob")
    assert log.run.record("i0").state is ItemState.SKIPPED
    assert log.run.anomalies == []


def test_a_claim_that_was_given_up_can_be_taken_by_another() -> None:
    log = Log()
    claim(log, "bob")
    log.add(Kind.ITEM_RELEASED, {"item": "i0", "claim": 1}, "bob")
    claim(log, "eve", 2)
    assert log.run.claims.held["i0"].actor == "eve"


# The run -------------------------------------------------------------------------------------------------------------


def test_a_run_goes_from_draft_to_closed() -> None:
    log = Log()
    states = [log.run.state]
    log.add(Kind.RUN_COMMITTED, {"approver": "Ben Lead", "plan": "ab" * 32})
    states.append(log.run.state)
    log.start("i0", "read")
    states.append(log.run.state)
    log.end("i0", "passed")
    log.start("i1", "mutating")
    states.append(log.run.state)
    log.add(Kind.HOLD, {"reason": "wait", "owner": "ana"})
    states.append(log.run.state)
    log.add(Kind.RELEASE, {})
    log.add(Kind.RUN_ENDED, {"ending": "rolled back", "reason": "the client crashes", "person": "Ana"})
    states.append(log.run.state)
    log.add(Kind.RUN_CLOSED, {})
    states.append(log.run.state)
    s = RunState
    assert states == [s.DRAFT, s.COMMITTED, s.COMMITTED, s.ACTIVE, s.HOLD, s.ROLLED_BACK, s.CLOSED]
    assert log.run.anomalies == []
    assert (log.run.life.ended_by, log.run.life.reason) == ("Ana", "the client crashes")


def test_a_run_is_closed_only_after_its_end_and_approved_by_somebody() -> None:
    log = Log()
    log.add(Kind.RUN_CLOSED, {})
    log.add(Kind.RUN_COMMITTED, {"approver": " ", "plan": "x"})
    assert len(log.run.anomalies) == 2
    assert log.run.state is RunState.DRAFT


def test_a_handover_keeps_its_note() -> None:
    log = Log()
    log.add(Kind.HANDED_OVER, {"note": "the index builds until 01:10", "console": "c"}, "ana")
    assert log.run.handover is not None
    assert (log.run.handover.actor, log.run.handover.text) == ("ana", "the index builds until 01:10")
