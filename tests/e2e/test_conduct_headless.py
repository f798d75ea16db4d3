"""The clock and the gates without a screen: ``--t0``, ``--window``, ``--vote``, and what ``status`` says of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migconsole.domain.events import Kind
from migconsole.domain.times import instant
from tests.e2e.checklists import Desk

ROLES = ["Database Admin", "QA Lead"]
HEAD: dict[str, Any] = {
    "roles": ROLES,
    "phases": [
        {
            "phase": "Before",
            "at": "T-1h",
            "sections": [{"section": "Ready", "items": [{"item": "Tell them", "id": "tell", "estimate": "2m"}]}],
        },
        {
            "phase": "Execution",
            "at": "T-0",
            "sections": [{"section": "Apply", "items": [{"item": "Look", "id": "look", "estimate": "5m"}]}],
        },
    ],
    "gates": [{"gate": "Go for T-0", "id": "go", "before": "Execution"}],
    "tripwires": [{"tripwire": "Users see errors", "id": "errors"}],
    "rollback": [{"section": "Back", "items": [{"item": "Tell them, too", "id": "back", "estimate": "10m"}]}],
}
HEADLESS = ("--headless", "--attest-all", "rehearsed")


def status(desk: Desk) -> dict[str, Any]:
    done = desk.call("status", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_t0_and_the_window_come_from_the_command_line_once(desk: Desk) -> None:
    desk.write(**HEAD)
    began = datetime.now(UTC)
    done = desk.call("run", str(desk.path), *HEADLESS, "--t0", "20m", "--window", "2h")
    assert done.returncode == 3, "the gate is closed"
    (event,) = desk.events(Kind.CLOCK_SET)
    t0, end = instant(event.data["t0"]), instant(event.data["window_end"])
    assert t0 is not None
    assert end is not None
    assert timedelta(minutes=19) < t0 - began < timedelta(minutes=22)
    assert end - t0 == timedelta(hours=2)
    assert event.data["source"] == "option"
    clock = status(desk)["clock"]
    assert (clock["t0"], clock["window_end"]) == (event.data["t0"], event.data["window_end"])
    assert clock["last_safe_abort"] == event.data["window_end"], "nothing has been changed: backing out takes no time"
    moved = desk.call("resume", "--headless", "--t0", "30m")
    assert moved.returncode == 2
    assert "moved on record" in moved.stderr
    assert len(desk.events(Kind.CLOCK_SET)) == 1
    desk.assert_whole()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--t0", "soon"), "is no moment"),
        (("--window", "2h"), "give T-0 as well"),
        (("--t0", "20m", "--window", "10m ago"), "is no moment"),
        (("--vote", "Database Admin=PERHAPS:AA"), "is no vote"),
        (("--vote", "Database Admin=GO"), "is no vote"),
        (("--vote", "Nobody=GO:NN"), "has no vote in this checklist"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_decided(
    desk: Desk, arguments: tuple[str, ...], said: str
) -> None:
    desk.write(**HEAD)
    done = desk.call("run", str(desk.path), *HEADLESS, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr + done.stdout
    assert not list(desk.state.glob("runs/*/run.db")) or not desk.events(Kind.GATE_VOTED)


def test_only_a_vote_votes_and_one_no_go_blocks(desk: Desk) -> None:
    desk.write(**HEAD)
    alone = desk.call("run", str(desk.path), *HEADLESS)
    assert alone.returncode == 3
    assert "no vote of Database Admin, QA Lead" in alone.stdout + alone.stderr
    assert not desk.events(Kind.GATE_VOTED), "attesting all is no vote"
    half = desk.call("resume", *HEADLESS, "--vote", "Database Admin=GO:AA")
    assert half.returncode == 3
    assert "no vote of QA Lead" in half.stdout + half.stderr
    against = desk.call("resume", *HEADLESS, "--vote", "QA Lead=NO-GO:QL")
    assert against.returncode == 3
    assert "NO-GO from QA Lead (QL)" in against.stdout + against.stderr
    assert desk.record("look").state.value == "todo"
    (gate,) = status(desk)["gates"]
    assert (gate["id"], gate["state"]) == ("go", "no-go")
    assert [(vote["role"], vote["vote"], vote["initials"]) for vote in gate["votes"]] == [
        ("Database Admin", "go", "AA"),
        ("QA Lead", "no-go", "QL"),
    ]
    desk.assert_whole()


def test_with_every_go_the_run_passes_and_status_says_how_it_was_conducted(desk: Desk) -> None:
    desk.write(**HEAD)
    votes = [word for role in ROLES for word in ("--vote", f"{role}=GO:XY")]
    done = desk.call("run", str(desk.path), *HEADLESS, *votes, "--t0", "now", "--window", "2h", "--as", "ana")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(desk.events(Kind.GATE_PASSED)) == 1
    found = status(desk)
    assert found["run_state"] == "draft", "nothing that changes anything has begun, and nobody approved the plan"
    assert found["gates"][0]["state"] == "passed"
    assert found["gates"][0]["passed"]
    assert [(wire["id"], wire["state"]) for wire in found["tripwires"]] == [("errors", "armed")]
    sections = {section["id"]: section for section in found["sections"]}
    assert sections["execution.apply"]["end"] == "complete"
    assert sections["execution.apply"]["called_by"] is None
    assert (found["claims"], found["handover"], found["approved_by"]) == ([], None, None)
    clock = found["clock"]
    look = clock["items"]["look"]
    assert (look["begun"], look["over"], look["estimate"], look["estimate_from"]) == (True, True, 300, "the checklist")
    assert look["planned_start"] == clock["t0"]
    assert clock["phases"]["execution"]["over"] is True
    assert clock["back_out"]["way"]
    assert desk.call("sign", "--end", "completed").returncode == 0
    assert status(desk)["run_state"] == "completed"
    text = desk.call("status").stdout
    assert "T-0" in text
    assert "Go for T-0: passed" in text
    desk.assert_whole()
