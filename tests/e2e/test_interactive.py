"""An item that needs the real terminal: it gets it, and the record says what was not captured."""

from __future__ import annotations

import signal

from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from tests.e2e.checklists import PATIENCE, Desk, accept
from tests.waiting import wait_until

ASK = {
    "item": "Type the code",
    "id": "code",
    "run": 'test -t 0 && test -t 1; read -r -p "co""de? " code; echo "$code" > typed; stty -a > settings; exit 0',
    "danger": "mutating",
    "interactive": True,
}


def test_a_command_is_given_the_terminal_and_gives_it_back(desk: Desk) -> None:
    desk.write(ASK, {"item": "Look around", "id": "look"})
    console = desk.run()
    console.press("r")
    console.wait_for("y runs it")
    assert "real terminal" in console.text
    accept(console, "y", lambda: "y runs it" not in console.text)
    console.wait_for("code?")
    assert "─ Checklist" not in console.text, "the command has the terminal to itself"
    # Behind it the console goes on: it follows the run and the clock, and must not stumble over its absent screen.
    for number in range(1, 4):
        (desk.directory / "HOLD").touch()
        wait_until(lambda n=number: len(desk.events(Kind.HOLD)) == n, 10)  # type: ignore[misc]
        (desk.directory / "HOLD").unlink()
        wait_until(lambda n=number: len(desk.events(Kind.RELEASE)) == n, 10)  # type: ignore[misc]
    console.type("12 34 äö\r")
    console.wait_for("─ Checklist", PATIENCE)
    attempt = desk.ended("code")
    assert (desk.project / "typed").read_text() == "12 34 äö\n"
    assert " icanon" in (desk.project / "settings").read_text()
    assert attempt.interactive
    assert any("not captured" in reason for reason in attempt.reasons), attempt.reasons
    record = desk.record("code")
    assert (record.state, record.awaiting) == (ItemState.TODO, True)
    assert desk.output("code") == b""
    assert "12 34" not in str([event.data for event in desk.events()])
    # The screen is whole again, and takes keys.
    console.press("space")
    console.wait_for("enter attests")
    accept(console, "enter", lambda: desk.record("code").state is ItemState.ATTESTED)
    desk.assert_whole()


def test_ctrl_c_belongs_to_the_command_and_the_screen_always_comes_back(desk: Desk) -> None:
    desk.write(ASK | {"run": "cat", "cwd": "later"})
    console = desk.run()
    console.press("r")
    console.wait_for("y runs it")
    accept(console, "y", lambda: desk.record("code").attempts)
    assert desk.ended("code").outcome == "failed"  # there is no such folder yet
    # Only the screen that is back shows it; a key before that is the command's.
    console.wait_for("it could not be executed", PATIENCE)
    (desk.project / "later").mkdir()
    console.press("r")
    console.wait_for("y runs it")
    accept(console, "y", lambda: "y runs it" not in console.text)
    console.wait_gone("─ Checklist")
    console.type("echoed\r")
    console.wait_for("echoed\nechoed")
    console.press("ctrl+c")
    console.wait_for("─ Checklist", PATIENCE)
    attempt = desk.ended("code")
    assert (attempt.number, attempt.outcome) == (2, "interrupted")
    console.press("?")
    console.wait_for("scroll · esc back")


def test_a_console_that_is_ended_under_its_command(desk: Desk) -> None:
    desk.write(ASK)
    console = desk.run()
    console.press("r")
    console.wait_for("y runs it")
    accept(console, "y", lambda: "y runs it" not in console.text)
    console.wait_for("code?")
    console.kill(signal.SIGTERM)
    assert console.wait() == 128 + signal.SIGTERM
    console.assert_restored()
    again = desk.resume()
    again.wait_for("Back on the run", PATIENCE)
    assert desk.ended("code").outcome == "interrupted"
    assert desk.record("code").state is ItemState.INTERRUPTED
    desk.assert_whole()
