"""Two consoles on one run: one drives, the other watches, and nothing that both do at once corrupts it."""

from __future__ import annotations

import re
import signal
import sqlite3
from typing import Any

from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from tests.e2e.checklists import Desk, accept, pause
from tests.e2e.pty import Console
from tests.waiting import wait_until

ITEMS = (
    {
        "item": "Apply",
        "id": "apply",
        "run": "psql -qc 'INSERT INTO ran VALUES (1)'; printf 'be%s\\n' gun; while [ ! -e end ]; do sleep 0.05; done",
        "danger": "mutating",
        "expect": {"exit": 0},
    },
    {"item": "Look around", "id": "look"},
    {"item": "Look again", "id": "again"},
)


GATED: dict[str, Any] = {
    "roles": ["Database Admin", "QA Lead"],
    "phases": [
        {"phase": "Before", "at": "T-1h", "sections": [{"section": "Ready", "items": list(ITEMS[1:])}]},
        {"phase": "Execution", "at": "T-0", "sections": [{"section": "Changes", "items": [ITEMS[0]]}]},
    ],
    "gates": [{"gate": "Go for T-0", "id": "go", "before": "Execution"}],
}


def vote(console: Console, desk: Desk, row: int, key: str, initials: str, reason: str = "") -> None:
    """Cast the vote of the role in a row of the polls."""
    votes = len(desk.events(Kind.GATE_VOTED))
    console.press("V")
    console.wait_for("n NO-GO")
    pause()
    console.press(*"j" * row, key)
    console.wait_for("initials of the")
    console.type(initials)
    if reason:
        console.press("tab")
        console.wait_for(re.compile(r"reason[^\n]*\n[^\n]*▌"))
        console.type(reason)
    accept(console, "enter", lambda: len(desk.events(Kind.GATE_VOTED)) > votes)
    console.wait_for("n NO-GO")
    console.press("escape")
    console.wait_gone("n NO-GO")


def watches(console: Console) -> bool:
    return "watching" in console.screen()[0].lower()


def take_over(console: Console, reason: str) -> None:
    console.press("H")
    console.wait_for("Take over")
    console.type(reason)
    accept(console, "enter", lambda: "say why you take over" not in console.text)


def test_the_second_console_watches_notes_and_takes_over(desk: Desk) -> None:
    desk.write(*ITEMS)
    desk.database.psql("CREATE TABLE ran (x int)")
    first = desk.run("--as", "ann")
    second = desk.resume("--as", "bob")
    second.wait_until(lambda: watches(second), 20, "the second console's banner says that it watches")
    assert not watches(first)
    second.press(".")
    second.press("r")
    second.wait_for("this console watches; H takes over")
    second.press("escape")
    second.press("space")
    second.wait_for("this console watches; H takes over")
    assert not desk.events(Kind.ATTEMPT_STARTED)
    assert not desk.events(Kind.ITEM_MOVED)

    second.press("+")
    second.wait_for("enter accepts")
    second.type("the load balancer is drained")
    accept(second, "enter", lambda: desk.events(Kind.NOTE))
    (note,) = desk.events(Kind.NOTE)
    assert (note.actor, note.data["text"]) == ("bob", "the load balancer is drained")

    # A console that is alive is not displaced.
    take_over(second, "I want it")
    second.wait_for(" drives")
    assert watches(second)
    second.press("escape")

    first.press("H")
    first.wait_for("Hand over")
    first.type("the backup is armed, nothing has run yet")
    accept(first, "enter", lambda: watches(first))
    take_over(second, "ann went home")
    second.wait_until(lambda: not watches(second), 10, "it drives")

    # What one starts, the other sees; the driver dies, and the watcher drives on.
    # From the top: a console that watched stands where work is, and . goes on from there.
    second.press("g", ".")
    desk.start(second, "apply")
    first.wait_for("running")
    second.kill()
    assert second.wait() == -signal.SIGKILL
    take_over(first, "bob is gone")
    first.wait_until(lambda: not watches(first), 10, "it drives")
    (desk.project / "end").touch()
    assert desk.ended("apply").outcome == "passed"
    assert desk.record("apply").state is ItemState.VERIFIED
    assert desk.database.psql("SELECT count(*) FROM ran") == "1"
    assert [event.actor for event in desk.events(Kind.LEASE_TAKEN)] == ["ann", "bob", "ann"]
    desk.assert_whole()


def test_keys_pressed_in_both_at_once_leave_one_truth(desk: Desk) -> None:
    desk.write(*ITEMS)
    first, second = desk.run("--as", "ann"), desk.resume("--as", "bob")
    second.wait_until(lambda: watches(second), 20, "the second console's banner says that it watches")
    for number in range(2):
        for console in (first, second):
            console.press("+")
        for console in (first, second):
            console.wait_for("enter accepts")
            console.type(f"note {number}")
        for console in (first, second):
            accept(console, "enter", lambda c=console: "enter accepts" not in c.text)  # type: ignore[misc]
    wait_until(lambda: len(desk.events(Kind.NOTE)) == 4)
    first.press("H")
    first.wait_for("Hand over")
    first.type("the backup is armed, nothing has run yet")
    accept(first, "enter", lambda: watches(first))
    for console in (first, second):
        console.press("H")
        console.wait_for("Take over")
        console.type("both want it")
    pause()
    for console in (first, second):
        console.press("enter")
    wait_until(lambda: watches(first) != watches(second), 10, "one of them drives")
    assert len(desk.events(Kind.LEASE_TAKEN)) == 2
    desk.assert_whole()


def test_one_drives_while_the_other_votes_and_claims(desk: Desk) -> None:
    desk.write(**GATED)
    desk.database.psql("CREATE TABLE ran (x int)")
    first = desk.run("--as", "ann", columns=160)
    second = desk.resume("--as", "bob", columns=160)
    second.wait_until(lambda: watches(second), 20, "the second console watches")
    # Who is here stands in both headers.
    first.wait_until(lambda: "with bob" in first.screen()[0], 20, "the header names the other console")
    second.wait_until(lambda: "with ann" in second.screen()[0], 20, "the header names the other console")

    # What bob claims is bob's to attest, and not ann's any more.
    select(second, "Look again")
    second.press("m")
    first.wait_for("claimed by bob")
    select(first, "Look again")
    first.press("space")
    first.wait_for("bob has claimed it")
    second.press("space")
    second.wait_for("enter attests")
    accept(second, "enter", lambda: desk.record("again").state is ItemState.ATTESTED)
    assert desk.record("again").actor == "bob"
    # The gate: a NO-GO of the watching console keeps it closed; its GO, with the driver's, opens it.
    vote(first, desk, 0, "g", "AN")
    vote(second, desk, 1, "n", "BO", "the users are still in")
    select(first, "Apply")
    first.press("r")
    first.wait_for("NO-GO from QA Lead (BO): the users are still in")
    assert not desk.events(Kind.ATTEMPT_STARTED)
    vote(second, desk, 1, "g", "BO")
    (desk.project / "end").touch()
    select(first, "Apply")
    desk.start(first, "apply")
    assert desk.ended("apply").outcome == "passed"
    assert [event.actor for event in desk.events(Kind.GATE_VOTED)] == ["ann", "bob", "bob"]
    assert len(desk.events(Kind.GATE_PASSED)) == 1
    desk.assert_whole()


def test_a_driver_that_fell_silent_is_displaced_with_a_reason_and_sees_it_when_it_wakes(desk: Desk) -> None:
    desk.write(*ITEMS)
    first = desk.run("--as", "ann")
    second = desk.resume("--as", "bob")
    second.wait_until(lambda: watches(second), 20, "the second console watches")
    first.kill(signal.SIGSTOP)
    silent(desk, "ann")
    take_over(second, "ann does not answer the phone")
    second.wait_until(lambda: not watches(second), 10, "it drives")
    taken = desk.events(Kind.LEASE_TAKEN)[-1]
    assert (taken.actor, taken.data["reason"]) == ("bob", "ann does not answer the phone")
    first.kill(signal.SIGCONT)
    first.wait_until(lambda: watches(first), 20, "it sees that it was displaced")
    first.press("space")
    first.wait_for("this console watches; H takes over")
    assert not desk.events(Kind.ITEM_MOVED)
    told = desk.call("report", desk.directory.name).stdout
    assert "another console took over" in told
    assert "ann does not answer the phone" in told
    desk.assert_whole()


def silent(desk: Desk, actor: str) -> None:
    """Let two minutes pass since a console's last heartbeat; the journal itself is left alone."""
    with sqlite3.connect(desk.directory / "run.db", timeout=10) as db:
        changed = db.execute("UPDATE presence SET beat = beat - 120 WHERE actor = ?", (actor,)).rowcount
    db.close()
    assert changed == 1


def pane(console: Console) -> int:
    """The row of the item pane's frame."""
    return next(number for number, line in enumerate(console.screen()) if "─ Item ─" in line)


def select(console: Console, title: str) -> None:
    """Put the cursor on an item, from the top on."""

    def shown() -> str:
        return console.screen()[pane(console) + 1].rpartition("││")[2].strip(" │")

    console.press("g")
    console.wait_until(lambda: shown() == "Before", 10, "the cursor is at the top")
    while (now := shown()) != title:
        console.press("j")
        console.wait_until(lambda before=now: shown() != before, 10, f"below {now} lies {title}")  # type: ignore[misc]
