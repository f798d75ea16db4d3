"""Two consoles on one run: one drives, the other watches, and nothing that both do at once corrupts it."""

from __future__ import annotations

import signal

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
    second.press(".")
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
