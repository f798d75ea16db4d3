"""The watcher sees by itself: sensed lines, tripwires with a check, scheduled looks, and what a dead console left."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from migconsole.adapters import watchers
from migconsole.domain.events import Draft, Kind
from migconsole.domain.items import ItemState
from migconsole.domain.run import Run
from migconsole.domain.tripwires import WireState
from migconsole.engine.comparing import unix
from migconsole.wiring import watching
from tests.e2e.checklists import Desk
from tests.e2e.test_watch import append
from tests.waiting import wait_until

PATIENCE = 60.0
QUERY = "SELECT count(*) AS bad FROM queue WHERE bad"
CHANGE = {"item": "Change it", "id": "change", "run": "true", "danger": "mutating", "expect": {"exit": 0}}
BEGAN = {"item": "change", "attempt": 1, "kind": "run", "danger": "mutating", "text": "true"}
ENDED = {"item": "change", "attempt": 1, "outcome": "passed"}


def sensed(name: str = "stuck") -> dict[str, Any]:
    """A line that holds while nothing bad is in the queue; made anew each time, because YAML has no aliases here."""
    return {"item": f"Nothing is {name}", "id": name, "sql": QUERY, "expect": {"value": 0}, "watch": "1s"}


def until(desk: Desk, condition: Callable[[Run], object], what: str = "") -> Run:
    """Wait until the journal says so."""
    wait_until(lambda: condition(desk.fold()), PATIENCE, what)
    return desk.fold()


def state(item: str, wanted: ItemState) -> Callable[[Run], bool]:
    return lambda run: run.record(item).state is wanted


def test_a_sensed_line_turns_verified_by_itself_regresses_and_recovers(desk: Desk) -> None:
    desk.database.psql("CREATE TABLE queue (bad boolean)")
    desk.write(sensed())
    console = desk.run()
    until(desk, state("stuck", ItemState.VERIFIED), "verified by itself")
    console.wait_for("verified")
    desk.database.psql("INSERT INTO queue VALUES (true)")
    until(desk, state("stuck", ItemState.REGRESSED))
    console.wait_for("regressed")
    desk.database.psql("DELETE FROM queue")
    run = until(desk, state("stuck", ItemState.VERIFIED))
    events = desk.events(Kind.ITEM_SENSED)
    assert [event.data["verdict"] for event in events] == ["passed", "failed", "passed"], "nothing but changes"
    assert {event.actor for event in events} == {"watcher"}
    assert run.anomalies == []


def test_what_cannot_be_read_regresses_nothing(desk: Desk) -> None:
    desk.database.psql("CREATE TABLE queue (bad boolean)")
    desk.write(sensed())
    desk.run()
    until(desk, state("stuck", ItemState.VERIFIED))
    reader = watching.HealthReader(desk.directory / "health.db")
    desk.database.psql("DROP TABLE queue")
    last = reader.latest("conn_saturation")
    assert last is not None
    wait_until(lambda: (now := reader.latest("conn_saturation")) and now.at > last.at + 8, PATIENCE)
    assert desk.record("stuck").state is ItemState.VERIFIED
    assert [event.data["verdict"] for event in desk.events(Kind.ITEM_SENSED)] == ["passed"]


def test_nothing_is_green_ahead_of_its_time(desk: Desk) -> None:
    """A line of a later phase is not looked at before its phase is reached, unless it was run."""
    desk.database.psql("CREATE TABLE queue (bad boolean)")
    first = {"phase": "First", "at": "T-0", "sections": [{"section": "A", "items": [CHANGE, sensed()]}]}
    later = {"phase": "Later", "at": "T+1h", "sections": [{"section": "B", "items": [sensed("late")]}]}
    desk.write(phases=[first, later])
    desk.run()
    until(desk, state("stuck", ItemState.VERIFIED))
    assert desk.record("late").state is ItemState.TODO
    assert "late" not in desk.fold().sensors.senses


@pytest.mark.kill
def test_scheduled_looks_are_made_at_their_times_each_once_whatever_they_see(desk: Desk) -> None:
    """From T-0 on: a look that finds what the last one found is on record, too; one that was missed is let go."""
    desk.database.psql("CREATE TABLE queue (bad boolean)")
    line = {"item": "Nothing is stuck", "id": "look", "sql": QUERY, "expect": {"value": 0}}
    desk.write(CHANGE, sensed(), {**line, "schedule": ["T+2s", "T+9s", "T+30s", "T+45s"]})
    desk.run()
    until(desk, state("stuck", ItemState.VERIFIED), "the watcher looks")
    assert desk.record("look").state is ItemState.TODO, "T-0 has not begun"
    asyncio.run(append(desk.directory, Draft(Kind.ATTEMPT_STARTED, BEGAN, "ada")))
    asyncio.run(append(desk.directory, Draft(Kind.ATTEMPT_ENDED, ENDED, "ada")))
    until(desk, lambda run: looks(run) == "T+9s", "the second look")
    assert desk.record("look").state is ItemState.VERIFIED
    pid = watchers.running(desk.directory)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    desk.database.psql("INSERT INTO queue VALUES (true)")
    run = until(desk, lambda run: looks(run) == "T+30s", "the watcher that came back looks")
    assert run.record("look").state is ItemState.REGRESSED
    desk.database.psql("DELETE FROM queue")
    run = until(desk, lambda run: looks(run) == "T+45s")
    assert run.record("look").state is ItemState.VERIFIED
    told = [event for event in desk.events(Kind.ITEM_SENSED) if event.data["item"] == "look"]
    assert [(event.data["look"], event.data["verdict"]) for event in told] == [
        ("T+2s", "passed"),
        ("T+9s", "passed"),
        ("T+30s", "failed"),
        ("T+45s", "passed"),
    ]
    assert {event.actor for event in told} == {"watcher"}
    t0 = unix(run.record("change").attempts[0].started)
    assert t0 is not None
    for event, due in zip(told, (2, 9, 30, 45), strict=True):
        at = unix(event.at)
        assert at is not None
        assert at - t0 >= due, event.data["look"]
    assert run.anomalies == []


def looks(run: Run) -> str:
    """The newest scheduled look that is on record."""
    sense = run.sensors.senses.get("look")
    return sense.look if sense is not None else ""


def test_a_tripwire_with_a_check_trips_when_the_migration_has_begun(desk: Desk) -> None:
    desk.database.psql("CREATE TABLE queue (bad boolean); INSERT INTO queue VALUES (true)")
    wire = {"tripwire": "Data corruption", "id": "corrupt", "sql": QUERY, "expect": {"value": 0}, "watch": "1s"}
    desk.write(sensed(), CHANGE, tripwires=[wire])
    desk.run()
    until(desk, lambda run: "stuck" in run.sensors.senses)
    assert desk.fold().tripwires.record("corrupt").state is WireState.ARMED, "nothing has begun"
    asyncio.run(append(desk.directory, Draft(Kind.ATTEMPT_STARTED, BEGAN, "ada")))
    asyncio.run(append(desk.directory, Draft(Kind.ATTEMPT_ENDED, ENDED, "ada")))
    run = until(desk, lambda run: run.tripwires.record("corrupt").state is WireState.TRIPPED)
    record = run.tripwires.record("corrupt")
    assert record.by == "check"
    assert "1" in record.evidence
    desk.database.psql("DELETE FROM queue")
    until(desk, lambda run: run.tripwires.record("corrupt").over)
    assert desk.fold().tripwires.record("corrupt").state is WireState.TRIPPED, "a person acknowledges it"


def test_a_job_that_outlives_its_console_is_judged_by_the_watcher(desk: Desk) -> None:
    """The console is killed over a running command, and nobody opens another one."""
    long = {"item": "Wait", "id": "long", "run": "sleep 6; echo all is well", "danger": "read"}
    desk.write({**long, "expect": {"output": "all is well"}})
    console = desk.run()
    wait_until(lambda: watchers.running(desk.directory), PATIENCE)
    console.press("r")
    wait_until(lambda: (desk.directory / "jobs" / "long" / "1" / "job.json").exists(), PATIENCE)
    os.kill(console.pid, signal.SIGKILL)
    run = until(desk, lambda run: not run.record("long").attempts[0].running, "judged by the watcher")
    assert run.record("long").state is ItemState.VERIFIED, run.record("long").attempts[0].reasons
    (ended,) = desk.events(Kind.ATTEMPT_ENDED)
    assert ended.actor == "watcher"
    assert run.record("long").attempts[0].exit_code == 0


def test_no_look_is_made_while_a_job_has_the_target_to_itself(desk: Desk) -> None:
    desk.database.psql("CREATE TABLE queue (bad boolean)")
    desk.write(sensed())
    desk.run()
    until(desk, state("stuck", ItemState.VERIFIED))
    desk.database.psql("INSERT INTO queue VALUES (true)")
    name = desk.database.name
    with watchers.stood_down(desk.directory, "the swap") as left:
        assert left
        for _ in range(20):
            desk.database.server.psql(
                f"ALTER DATABASE {name} RENAME TO {name}_x; ALTER DATABASE {name}_x RENAME TO {name}"
            )
        assert desk.record("stuck").state is ItemState.VERIFIED
    until(desk, state("stuck", ItemState.REGRESSED))
