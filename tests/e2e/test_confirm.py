"""What accepts a dangerous question in a real terminal: a deliberate answer, and nothing else."""

from __future__ import annotations

from migconsole.domain.items import ItemState
from tests.e2e.checklists import PATIENCE, Desk, accept, pause

APPLY = {"item": "Apply", "id": "apply", "run": "echo x >> done", "danger": "mutating", "expect": {"exit": 0}}
DESTROY = APPLY | {"danger": "destructive"}


def nothing_ran(desk: Desk) -> bool:
    return not desk.record("apply").attempts and not (desk.project / "done").exists()


def test_a_change_is_accepted_by_y_alone_and_never_by_accident(desk: Desk) -> None:
    desk.write(APPLY)
    console = desk.run()
    console.type("ry")  # in one go, as a person does who is used to a faster program
    console.wait_for("y runs it")
    assert nothing_ran(desk)
    pause()
    console.press("enter")  # Cancel has the focus
    console.wait_gone("y runs it")
    console.press("r")
    console.wait_for("y runs it")
    pause()
    console.press("space", "tab")
    console.type("Yj1")
    for _ in range(40):  # a key that leans on the keyboard, from before the dialog could take it
        console.press("r")
    console.press("escape")
    console.wait_gone("y runs it")
    assert nothing_ran(desk)
    desk.start(console, "apply")
    assert desk.ended("apply").outcome == "passed"
    assert (desk.project / "done").read_text() == "x\n"


def test_a_key_held_down_never_accepts(desk: Desk) -> None:
    desk.write(APPLY)
    console = desk.run()
    console.type("ryy")
    for _ in range(50):  # some thirty a second is how keyboards repeat
        console.press("y")
        pause(0.02)
    console.wait_for("y runs it")
    assert nothing_ran(desk)
    console.press("escape")
    console.wait_gone("y runs it")
    assert nothing_ran(desk)


def test_destruction_asks_for_the_servers_own_name(desk: Desk) -> None:
    desk.write(DESTROY)
    name = f"{desk.database.name}@127.0.0.1:{desk.url.rsplit(':', 1)[1].split('/')[0]}"
    console = desk.run()
    console.press("r")
    console.wait_for("This destroys data")
    assert name in console.text
    pause()
    console.press("y")
    console.press("enter")
    console.wait_for("▌ y")
    console.wait_for("not the name yet")
    console.press("backspace")
    console.wait_gone("▌ y")
    console.type(name[:-1])
    pause()
    console.press("enter")
    console.wait_for("not the name yet")
    assert nothing_ran(desk)
    console.type(name[-1])
    console.wait_gone("not the name yet")
    accept(console, "enter", lambda: desk.record("apply").attempts)
    assert desk.ended("apply").outcome == "passed"
    (started,) = [event for event in desk.events() if event.kind == "attempt.started"]
    assert started.data["confirmed"]["typed"] == name


def test_a_read_only_console_offers_nothing_that_changes(desk: Desk) -> None:
    desk.write(APPLY)
    console = desk.run("--read-only")
    console.wait_for("read-only")
    for key in ("r", "space", "s", "p", "F"):
        console.press(key)
        console.wait_until(lambda: "this console is read-only" in console.screen()[-2], message="the key says why not")
        console.press("escape")
        console.wait_until(lambda: "read-only" not in console.screen()[-2], message="the message is gone")
    console.press("+")
    console.wait_until(lambda: "this console is read-only" in console.screen()[-2], PATIENCE)
    footer = console.screen()[-1]
    assert not any(word in footer for word in ("r run", "attest", "hold"))
    assert nothing_ran(desk)
    assert desk.record("apply").state is ItemState.TODO
