"""Two consoles on one run: votes, claims, handing over; the clock, gates, tripwires and endings of a session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from migconsole.domain.checklist import (
    Answer,
    Checklist,
    Danger,
    Gate,
    Item,
    Job,
    Phase,
    Run,
    Section,
    Step,
    Tripwire,
)
from migconsole.domain.events import Draft, Kind
from migconsole.domain.gates import GateState
from migconsole.domain.items import ItemState
from migconsole.domain.lifecycle import RunState
from migconsole.domain.policy import Command
from migconsole.domain.tripwires import WireState
from migconsole.engine.resolve import Confirmation
from migconsole.engine.session import Session
from migconsole.engine.watched_run import WatchedRun
from migconsole.errors import StoppedError, UsageError
from tests.engine.fakes import MemoryJournal, World

YES = Confirmation(1, reason="there is no room for a second copy")

ROLES = ("Database Admin", "DevOps Lead")
SECTION = Section("main", "Main", (Item("apply", "Apply", Step(Run("./a.sh"), danger=Danger.MUTATING)),))
CHECKLIST = Checklist(
    "Shared",
    roles=ROLES,
    phases=(
        Phase(
            "plan",
            "Plan",
            -3600,
            (
                Section(
                    "p",
                    "Planning",
                    (Item("tell", "Tell them"), Item("window", "Window", Step(Answer("window", "When?")))),
                ),
            ),
        ),
        Phase("exec", "Execution", 0, (SECTION,)),
    ),
    tripwires=(Tripwire("bugs", "Critical bugs"), Tripwire("late", "Too late", clock="last-safe-abort")),
    rollback=(Section("back", "Back", (Item("undo", "Undo"),)),),
    gates=(Gate("go", "Go for T-0", "Execution", ROLES),),
)


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path, CHECKLIST)
    yield world
    await world.close()


async def both(world: World) -> tuple[Session, Session]:
    """Ana drives, bob watches."""
    return await world.opened("ana"), await world.opened("bob")


@pytest.mark.parametrize("gate", [Gate("go", "Go for T-0", "Execution", ROLES), Gate("go", "Go", "apply", ROLES)])
async def test_a_no_go_that_was_said_elsewhere_a_moment_ago_counts(tmp_path: Path, gate: Gate) -> None:
    """It is on record, and the driver's console has not looked since: neither a start nor a word goes past it."""
    world = World(tmp_path, replace(CHECKLIST, gates=(gate,)))
    first, second = await both(world)
    for role in ROLES:
        await first.gates.vote("go", role, "go", "AS")
    no = {"gate": "go", "role": ROLES[1], "vote": "no-go", "initials": "BL", "reason": "the standby is away"}
    world.store.add(Draft(Kind.GATE_VOTED, no, "bob"))
    assert first.gates.standing(gate).open, "it does not know it yet"
    with pytest.raises(StoppedError, match="gate"):
        await first.start("apply", 0, YES)
    world.store.add(Draft(Kind.GATE_VOTED, {**no, "vote": "go"}, "bob"))
    await first.gates._recorder.catch_up()
    world.store.add(Draft(Kind.GATE_VOTED, no, "bob"))
    with pytest.raises(StoppedError, match="gate"):
        await first.attest("apply")
    assert not first.run.record("apply").attempts
    assert first.run.anomalies == []
    assert second.run.record("apply").state is ItemState.TODO
    await world.close()


async def test_two_consoles_vote_and_what_is_passed_is_on_record(shared: World) -> None:
    first, second = await both(shared)
    assert not second.driving
    with pytest.raises(StoppedError, match="cannot run now"):
        await first.start("apply", 0, YES)
    await first.gates.vote("go", ROLES[0], "go", "AS")
    await second.gates.vote("go", ROLES[1], "go", "BL")
    await first._recorder.catch_up()
    assert first.gates.standing(CHECKLIST.gates[0]).state is GateState.GO
    attempt = await first.start("apply", 0, YES)
    kinds = shared.store.kinds()
    assert kinds.index(Kind.GATE_PASSED) < kinds.index(Kind.ATTEMPT_STARTED)
    shared.jobs.end()
    await asyncio.wait_for(first.finished("apply", attempt.number), 20)
    with pytest.raises(StoppedError, match="passed"):
        await second.gates.vote("go", ROLES[1], "go", "BL")


async def test_a_slow_reading_that_fits_what_is_on_record_takes_nothing_back(shared: World) -> None:
    """What is heard late is unsure by as much; taken for agreement, it would make every GO older or younger by it."""
    shared.database.clock = (12.0, 0.1)
    session = await shared.opened("ana")
    session.clock.heard(8.0, 9.0)
    await session.clock.watch()
    assert session.clock.skew == 12.0
    session.clock.heard(0.5, 9.0)
    await session.clock.watch()
    assert session.clock.skew == 0.0, "one that does not fit says that a clock was set"


@pytest.mark.parametrize("ahead", [1200.0, -1200.0])
async def test_a_server_whose_clock_is_elsewhere_neither_closes_a_gate_nor_keeps_it_open(
    shared: World, ahead: float
) -> None:
    shared.database.clock = (ahead, 0.02)
    session = await shared.opened("ana")
    assert shared.store.of(Kind.SERVER_CLOCK) == [{"skew_s": ahead, "uncertainty_s": 0.02}]
    for role in ROLES:
        await session.gates.vote("go", role, "go", "AS")
    voted = datetime.fromisoformat(shared.store.events[-1].at)
    session.clock.use(lambda: voted + timedelta(minutes=14))
    assert session.gates.standing(CHECKLIST.gates[0]).state is GateState.GO
    assert session.clock.now() == voted + timedelta(minutes=14, seconds=ahead)
    session.clock.use(lambda: voted + timedelta(minutes=16))
    assert session.gates.standing(CHECKLIST.gates[0]).state is GateState.WAITING
    # The same reading is no news, another one is: also from the watcher's probe.
    session.clock.heard(ahead + 0.5, 0.02)
    await session.clock.watch()
    assert len(shared.store.of(Kind.SERVER_CLOCK)) == 1
    session.clock.heard(0.3, 0.02)
    await session.clock.watch()
    assert [data["skew_s"] for data in shared.store.of(Kind.SERVER_CLOCK)] == [ahead, 0.0]
    assert session.clock.now() == voted + timedelta(minutes=16)


async def test_who_only_looks_puts_no_clock_on_record(shared: World) -> None:
    shared.database.clock = (1200.0, 0.02)
    session = shared.session("carl", read_only=True)
    await session.open()
    assert session.clock.skew == 1200
    assert Kind.SERVER_CLOCK not in shared.store.kinds()


async def test_what_is_no_vote_is_refused_before_it_is_recorded(shared: World) -> None:
    session = await shared.opened("ana")
    for arguments in (("stop", ROLES[0], "go", "A"), ("go", "Nobody", "go", "A"), ("go", ROLES[0], "go", " ")):
        with pytest.raises(UsageError):
            await session.gates.vote(*arguments)
    with pytest.raises(UsageError, match="NO-GO needs a reason"):
        await session.gates.vote("go", ROLES[0], "no-go", "AS")
    assert Kind.GATE_VOTED not in shared.store.kinds()


async def test_an_attestation_behind_a_gate_passes_it_too(shared: World) -> None:
    session = await shared.opened("ana")
    assert "gate" in session.verdict("apply", Command.ATTEST).reason
    for role in ROLES:
        await session.gates.vote("go", role, "go", "AS")
    await session.attest("apply", note="by hand")
    assert session.gates.standing(CHECKLIST.gates[0]).state is GateState.PASSED


async def test_a_watching_console_attests_what_it_has_claimed_and_nothing_else(shared: World) -> None:
    first, second = await both(shared)
    assert "watches" in second.verdict("tell", Command.ATTEST).reason
    await second.conduct.claim(second.located("tell").item)
    await first._recorder.catch_up()
    assert "bob has claimed it" in first.verdict("tell", Command.ATTEST).reason
    with pytest.raises(StoppedError, match="cannot be claimed"):
        await first.conduct.claim(first.located("tell").item)
    await second.attest("tell", note="called them")
    assert second.run.record("tell").state is ItemState.ATTESTED
    assert second.run.record("tell").actor == "bob"
    assert "watches" in second.verdict("window", Command.ANSWER).reason
    assert second.run.anomalies == []


async def test_commands_are_not_claimed_and_a_claim_is_withdrawn_with_a_reason(shared: World) -> None:
    first, second = await both(shared)
    with pytest.raises(StoppedError, match="only what a person does"):
        await second.conduct.claim(second.located("apply").item)
    item = second.located("tell").item
    await second.conduct.claim(item)
    await first._recorder.catch_up()
    with pytest.raises(UsageError, match="needs a reason"):
        await first.conduct.release(item)
    await first.conduct.release(item, "bob went to bed")
    assert first.verdict("tell", Command.ATTEST).allowed


async def test_the_claim_that_was_recorded_first_counts(shared: World) -> None:
    first, second = await both(shared)
    item = first.located("tell").item
    results = await asyncio.gather(first.conduct.claim(item), second.conduct.claim(item), return_exceptions=True)
    assert sum(isinstance(result, StoppedError) for result in results) == 1


async def test_a_handover_leaves_a_note(shared: World) -> None:
    first, second = await both(shared)
    await first.hand_over("the index builds until 01:10")
    assert await second.take_over("") or await second.take_over("handed over")
    assert second.run.handover is not None
    assert second.run.handover.text == "the index builds until 01:10"


async def test_the_answer_to_the_window_sets_the_clock_and_moving_it_needs_a_reason(shared: World) -> None:
    session = await shared.opened("ana")
    await session.answer("window", "2029-12-31 23:00Z for 3h")
    t0 = session.run.clock.t0
    assert t0 is not None
    assert session.run.clock.window_end == t0 + timedelta(hours=3)
    with pytest.raises(UsageError, match="needs a reason"):
        await session.clock.set(t0="T+10m")
    await session.clock.set(t0="T+10m", reason="the replica lags")
    assert session.run.clock.t0 == t0 + timedelta(minutes=10)
    assert session.run.clock.window_end == t0 + timedelta(hours=3), "a change window does not move with it"
    with pytest.raises(UsageError, match="move both"):
        await session.clock.set(t0="T+9h", reason="tomorrow")


async def test_a_crossing_is_a_fact_once_trips_the_clocks_wire_and_wants_a_decision(shared: World) -> None:
    first, second = await both(shared)
    for role in ROLES:
        await first.gates.vote("go", role, "go", "AS")
    now = first.clock.now()
    await first.clock.set(t0=(now - timedelta(hours=3)).isoformat(), window="2h")
    await second._recorder.catch_up()
    await asyncio.gather(first.clock.watch(), second.clock.watch())
    crossings = [data for data in shared.store.of(Kind.CLOCK_CROSSED) if data["what"] == "last-safe-abort"]
    assert [data["change"] for data in crossings] == ["past"]
    assert first.tripwires.record("late").state is WireState.TRIPPED
    assert "last safe abort has passed" in first.verdict("apply", Command.RUN).reason
    await first.clock.decide("go on", "the window was extended by mail")
    assert first.verdict("apply", Command.RUN).allowed
    await first.clock.set(window="6h", reason="extended")
    assert [data["change"] for data in shared.store.of(Kind.CLOCK_CROSSED)][-1] == "back"


async def test_before_a_step_that_could_not_be_backed_out_of_in_time_the_driver_is_asked(tmp_path: Path) -> None:
    migrate = replace(SECTION.items[0], estimate=600)
    back = Section("back", "Restore the database", (Item("undo", "Undo", Step(Job("restore")), estimate=1380),))
    phases = (CHECKLIST.phases[0], replace(CHECKLIST.phases[1], sections=(replace(SECTION, items=(migrate,)),)))
    world = World(tmp_path, replace(CHECKLIST, phases=phases, rollback=(back,), gates=()))
    session = await world.opened("ana")
    now = session.clock.now()
    await session.clock.set(t0=now.isoformat(), window=(now + timedelta(minutes=12)).isoformat())
    verdict = session.verdict("apply", Command.RUN)
    assert verdict.overridable
    assert verdict.asks
    assert "after the last safe abort" in verdict.reason
    assert "once it has begun, backing out takes 23 min" in verdict.reason
    await session.clock.set(window="2h", reason="extended")
    assert session.verdict("apply", Command.RUN).allowed
    await world.close()


async def test_a_migration_that_was_run_elsewhere_makes_the_run_active_and_counts(tmp_path: Path) -> None:
    world = World(tmp_path, replace(CHECKLIST, gates=()))
    session = await world.opened("ana")
    assert session.run.state is RunState.DRAFT
    await session.attest("tell", note="told them")
    assert session.run.state is RunState.DRAFT
    await session.attest("apply", note="in another terminal")
    assert session.run.state is RunState.ACTIVE
    assert session.clock.current().backout.way == "restore"
    await world.close()


async def test_work_done_elsewhere_is_no_approval_of_the_plan(tmp_path: Path) -> None:
    two = replace(SECTION, items=(*SECTION.items, replace(SECTION.items[0], id="again", title="Again")))
    phases = (CHECKLIST.phases[0], replace(CHECKLIST.phases[1], sections=(two,)))
    world = World(tmp_path, replace(CHECKLIST, phases=phases, gates=(), approval=True))
    session = await world.opened("ana")
    await session.attest("apply", note="in another terminal")
    assert session.run.state is RunState.ACTIVE
    assert "approve it first" in session.verdict("again", Command.RUN).reason
    await world.close()


async def test_shortly_before_the_last_safe_abort_everybody_is_told_once_for_each_window(shared: World) -> None:
    first, second = await both(shared)
    now = first.clock.now()
    await first.clock.set(t0=(now - timedelta(hours=1)).isoformat(), window=(now + timedelta(minutes=11)).isoformat())
    assert shared.store.of(Kind.CLOCK_CROSSED) == []
    first.clock.use(lambda: now + timedelta(minutes=2))
    second.clock.use(lambda: now + timedelta(minutes=2))
    await second._recorder.catch_up()
    await asyncio.gather(first.clock.watch(), second.clock.watch())
    await first.clock.watch()
    (near,) = shared.store.of(Kind.CLOCK_CROSSED)
    assert (near["what"], near["change"]) == ("last-safe-abort", "near")
    await first._recorder.catch_up()
    assert first.run.clock.open_crossing() is None, "near is no crossing: nothing has to be decided yet"
    await first.clock.set(window=(now + timedelta(minutes=9)).isoformat(), reason="shortened")
    assert len(shared.store.of(Kind.CLOCK_CROSSED)) == 2, "another window, another notice"
    assert first.run.anomalies == []


async def test_with_every_console_closed_the_watcher_keeps_the_clock_by_the_servers_time(shared: World) -> None:
    first, _ = await both(shared)
    now = first.clock.now()
    await first.clock.set(t0=(now - timedelta(hours=1)).isoformat(), window=(now + timedelta(minutes=30)).isoformat())
    watched = WatchedRun(MemoryJournal(shared.store, "watcher"), NoPlace(), checklist=first.checklist)
    await watched.look(now.timestamp())
    assert shared.store.of(Kind.CLOCK_CROSSED) == []
    watched.skewed(25 * 60.0, 0.1)
    await watched.look(now.timestamp())
    (near,) = shared.store.of(Kind.CLOCK_CROSSED)
    assert (near["what"], near["change"]) == ("last-safe-abort", "near")


class NoPlace:
    """Nobody asks the watcher for anything."""

    def gone(self) -> bool:
        return False

    def asked_to_retry(self) -> bool:
        return False

    def asked_to_leave(self) -> Mapping[str, str]:
        return {}

    def has_left(self, requests: Iterable[str]) -> None:
        raise AssertionError("nobody asked")


async def test_a_tripwire_is_tripped_by_anybody_and_cleared_by_the_driver(shared: World) -> None:
    first, second = await both(shared)
    await second.tripwires.trip("bugs", "the client crashes")
    await first._recorder.catch_up()
    assert first.tripwires.reason() == "Critical bugs: the client crashes"
    await first.tripwires.acknowledge("bugs", "looking")
    with pytest.raises(StoppedError, match="drives"):
        await second.tripwires.clear("bugs", "gone")
    await first.tripwires.clear("bugs", "a stale cache")
    assert first.tripwires.tripped() == []


async def test_sections_are_called_complete_by_name_and_runs_end_with_what_was_put_off(shared: World) -> None:
    session = await shared.opened("ana")
    planning = CHECKLIST.phases[0].sections[0]
    with pytest.raises(StoppedError, match="“Tell them” is open"):
        await session.conduct.call(planning, "Ana")
    await session.attest("tell")
    await session.defer("window", "fixed by the change board", "T+24h")
    await session.conduct.call(planning, "Ana Silva")
    call = session.run.sections.calls["p"]
    assert (call.person, call.end) == ("Ana Silva", "complete except deferred (1)")
    with pytest.raises(StoppedError, match="1 left"):
        await session.conduct.end(RunState.COMPLETED, "Ana")
    for role in ROLES:
        await session.gates.vote("go", role, "go", "AS")
    await session.attest("apply")
    await session.conduct.end(RunState.COMPLETED, "Ana")
    assert session.run.state is RunState.COMPLETED
    assert shared.store.of(Kind.RUN_ENDED)[0]["deferred"] == ["window"]
    assert "has ended (completed)" in session.verdict("tell", Command.REOPEN).reason


async def test_a_plan_is_approved_by_name_and_shows_when_it_was_amended(shared: World) -> None:
    session = await shared.opened("ana")
    assert session.run.state is RunState.DRAFT
    with pytest.raises(UsageError):
        await session.conduct.commit(" ")
    await session.conduct.commit("Ben Lead")
    assert session.run.state is RunState.COMMITTED
    assert not session.conduct.amended
    with pytest.raises(StoppedError, match="approved by Ben Lead"):
        await session.conduct.commit("Ben Lead")


async def test_ending_otherwise_needs_what_it_says(shared: World) -> None:
    session = await shared.opened("ana")
    with pytest.raises(StoppedError, match="nothing of the rollback"):
        await session.conduct.end(RunState.ROLLED_BACK, "Ana", "the client crashes")
    await session.skip("undo", "there is nothing to undo")
    with pytest.raises(StoppedError, match="nothing of the rollback"):
        await session.conduct.end(RunState.ROLLED_BACK, "Ana", "the client crashes")
    with pytest.raises(UsageError, match="at least 10"):
        await session.conduct.end(RunState.ABANDONED, "Ana", "no")
    await session.conduct.end(RunState.ABANDONED, "Ana", "the change was withdrawn")
    assert session.run.state is RunState.ABANDONED
