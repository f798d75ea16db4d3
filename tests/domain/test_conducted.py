"""Any history of a run that was conducted: gates, clock, tripwires, claims and holds between its attempts."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from migconsole.domain.clock import reckon
from migconsole.domain.events import Kind
from migconsole.domain.run import fold
from migconsole.domain.times import instant, stamp
from migconsole.domain.tripwires import WireState
from tests.domain.journals import START, Log, leaves, random_log
from tests.domain.test_clock import CHECKLIST

ROLES = ("Database Admin", "QA Lead")
SEEN: set[str] = set()
"""The kinds that the histories of this module reached; what none of them reaches is not tested here."""


def conducted(seed: int, length: int) -> Log:
    """A legal history of attempts and decisions about items, with decisions about the run between them."""
    dice = random.Random(seed)
    log = Log()
    for event in random_log(seed, length, CHECKLIST).events[1:]:
        log.add(event.kind, event.data, event.actor)
        while dice.random() < 0.4:
            dice.choice((clock, crossing, gate, wire, claim, lease, section))(dice, log)
    SEEN.update(event.kind for event in log.events)
    return log


def clock(dice: random.Random, log: Log) -> None:
    t0 = START + timedelta(minutes=dice.randint(-120, 120))
    end = t0 + timedelta(minutes=dice.randint(1, 300))
    log.add(Kind.CLOCK_SET, {"t0": stamp(t0), "window_end": stamp(end), "reason": "moved", "source": "key"})


def crossing(dice: random.Random, log: Log) -> None:
    table, what = log.run.clock, {"what": "last-safe-abort", "limit": stamp(START)}
    standing = table.open_crossing()
    if standing is None and dice.random() < 0.5:
        episode, setting = table.notice
        log.add(Kind.CLOCK_CROSSED, {**what, "change": "near", "episode": episode, "setting": setting})
    elif standing is None:
        log.add(Kind.CLOCK_CROSSED, {**what, "change": "past"})
    elif not standing.decision and dice.random() < 0.5:
        log.add(Kind.CLOCK_DECIDED, {"decision": dice.choice(["go on", "hold", "roll back"]), "reason": "because"})
    else:
        log.add(Kind.CLOCK_CROSSED, {**what, "change": "back"})


def gate(dice: random.Random, log: Log) -> None:
    votes = log.run.gates.votes.get("go", {})
    if len(votes) == len(ROLES) and all(vote.vote == "go" for vote in votes.values()) and dice.random() < 0.5:
        log.add(Kind.GATE_PASSED, {"gate": "go", "item": "i2"})
        return
    vote = dice.choice(["go", "no-go"])
    data = {"gate": "go", "role": dice.choice(ROLES), "vote": vote, "initials": "AL"}
    log.add(Kind.GATE_VOTED, {**data, "reason": "not yet" if vote == "no-go" else ""})


def wire(dice: random.Random, log: Log) -> None:
    state = log.run.tripwires.record("bugs").state
    changes = {
        WireState.ARMED: ("tripped",),
        WireState.TRIPPED: ("acknowledged", "cleared"),
        WireState.ACKNOWLEDGED: ("cleared", "tripped"),
    }
    data = {"tripwire": "bugs", "state": dice.choice(changes[state]), "by": "person", "reason": "seen"}
    log.add(Kind.TRIPWIRE, data)


def claim(dice: random.Random, log: Log) -> None:
    item = dice.choice(leaves(CHECKLIST))
    held = log.run.claims.held.get(item)
    if held is not None:
        log.add(Kind.ITEM_RELEASED, {"item": item, "claim": held.number, "reason": ""}, held.actor)
    else:
        log.add(
            Kind.ITEM_CLAIMED, {"item": item, "claim": log.run.claims.counts.get(item, 0) + 1, "console": "c2"}, "bob"
        )


def lease(dice: random.Random, log: Log) -> None:
    if log.run.driver:
        log.add(Kind.HANDED_OVER, {"note": "your turn", "console": log.run.driver})
        log.add(Kind.LEASE_RELEASED, {"console": log.run.driver})
    else:
        log.add(Kind.LEASE_TAKEN, {"console": dice.choice(["c1", "c2"]), "from": "", "reason": ""})


def section(dice: random.Random, log: Log) -> None:
    log.add(Kind.SECTION_CALLED, {"section": "s0", "person": "Ana", "end": "complete"})


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 60), st.floats(0, 1))
def test_any_prefix_of_a_conducted_run_folds_and_goes_on_to_the_same_end(seed: int, length: int, part: float) -> None:
    log = conducted(seed, length)
    cut = max(1, int(len(log.events) * part))
    run = fold(log.events[:cut])
    assert run.anomalies == []
    assert run.head == cut
    assert repr(fold(log.events[cut:], run)) == repr(fold(log.events))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9), st.integers(1, 60), st.integers(0, 600))
def test_its_clock_never_forecasts_the_past_and_never_aborts_after_the_window(
    seed: int, length: int, later: int
) -> None:
    log = conducted(seed, length)
    last = instant(log.events[-1].at)
    assert last is not None
    found = reckon(log.run, CHECKLIST, last + timedelta(minutes=later))
    for times in found.items.values():
        assert times.over or (times.end is not None and times.end >= found.now)
        assert times.begun or (times.start is not None and times.start >= found.now)
    if found.window_end is not None:
        assert found.last_safe_abort is not None
        assert found.last_safe_abort <= found.window_end


def test_the_histories_reach_every_kind_of_decision() -> None:
    for seed in range(30):
        conducted(seed, 40)
    wanted = {Kind.CLOCK_SET, Kind.CLOCK_CROSSED, Kind.CLOCK_DECIDED, Kind.GATE_VOTED, Kind.GATE_PASSED, Kind.TRIPWIRE}
    wanted |= {
        Kind.SECTION_CALLED,
        Kind.ITEM_CLAIMED,
        Kind.ITEM_RELEASED,
        Kind.HANDED_OVER,
        Kind.LEASE_TAKEN,
        Kind.HOLD,
    }
    assert wanted <= SEEN
