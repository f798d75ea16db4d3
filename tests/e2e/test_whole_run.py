"""A whole run by two consoles at once, to four signatures, one consistent journal and the report that proves it."""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from pathlib import Path

from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from migconsole.domain.run import Run
from tests.e2e.checklists import SIGNED_RUN, Desk, accept, pause
from tests.e2e.pty import Console
from tests.e2e.test_two_consoles import watches
from tests.waiting import wait_until

ROLES = ["Database Admin", "DevOps Lead", "Application Lead", "QA Lead"]
REPORT = Path(__file__).parent / "whole_run.md"


def note(console: Console, text: str) -> None:
    console.press("+")
    console.wait_for("enter accepts")
    console.type(text)
    accept(console, "enter", lambda: "enter accepts" not in console.text)


def sign(console: Console, row: int, name: str, signature: str, done: object) -> None:
    """Sign for the role in a row of the sign-off, from the main screen."""
    console.press("S")
    console.wait_for("Deviations that stand")
    for _ in range(row):
        console.press("j")
    console.press("s")
    console.wait_for("typed: your name or initials")
    pause()
    console.press("tab")
    console.wait_for("▌ typed: your name")
    console.type(signature)
    accept(console, "enter", lambda: "You sign as" not in console.text)
    console.wait_until(done, 10, f"{name} has signed")  # type: ignore[arg-type]
    back(console)


def back(console: Console) -> None:
    """Back to the main screen; an alarm of the moment takes one escape for itself."""
    for _ in range(3):
        console.press("escape")
        with suppress(AssertionError):
            console.wait_for("─ Checklist", timeout=4)
            return
    console.wait_for("─ Checklist")


def normalised(text: str, directory: Path, desk: Desk, run: Run) -> str:
    """Without what is another each time: names, ports, times and hashes."""
    text = text.replace(directory.name.replace("_", r"\_"), "RUN").replace(run.run_id, "ID")
    text = text.replace(desk.database.name.replace("_", r"\_"), "DATABASE")
    text = re.sub(r"DATABASE@[^,\s]+", "DATABASE@HOST", text)
    text = re.sub(r"PostgreSQL [\d.]+, primary, as \w+, system \d+", "PostgreSQL VERSION", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"\b\d+\.\d s\b", "SECONDS", text)
    text = re.sub(r"\b[0-9a-f]{16,64}\b", "HASH", text)
    # Whether the watcher raised an alarm meanwhile is a matter of the machine, and so is what is counted with it.
    text = re.sub(r"^\| alarm \|.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"Deviations \(\d+\)", "Deviations (COUNT)", text)
    text = re.sub(r"journal \d+|\d+ events", "COUNT", text)
    text = re.sub(r"^- Took: .*", "- Took: SECONDS", text, flags=re.MULTILINE)
    return text


def test_a_whole_run_by_two_consoles_ends_with_four_signatures(desk: Desk) -> None:
    desk.write(*SIGNED_RUN, roles=ROLES)
    first = desk.run("--as", "Ana")
    second = desk.resume("--as", "Bo")
    second.wait_until(lambda: watches(second), 20, "the second console watches")

    # One works, the other looks on and adds what it knows.
    first.press("space")
    first.wait_for("enter attests")
    note(second, "the load balancer is drained")
    accept(first, "enter", lambda: desk.record("tell").state is ItemState.ATTESTED)
    first.press(".")
    desk.start(first, "apply")
    assert desk.ended("apply").outcome == "passed"
    first.press(".")
    desk.start(first, "there", confirm=False)
    assert desk.ended("there").outcome == "passed"
    first.press(".")
    first.press("s")
    first.wait_for("enter accepts")
    first.type("there are none")
    accept(first, "enter", lambda: desk.record("logs").state is ItemState.SKIPPED)

    # Nobody signs a run that goes on.
    second.press("S")
    second.wait_for("the run has not ended")
    second.press("escape")
    second.wait_for("─ Checklist")
    end(first, desk)

    # Two at each console, taking turns.
    signed = [
        (first, 0, "Ana", "Ana Alvarez"),
        (second, 1, "Bo", "Bo Berg"),
        (first, 2, "Ana", "Cy Chen, by Ana"),
        (second, 3, "Bo", "D. Dahl"),
    ]
    for number, (console, row, name, signature) in enumerate(signed, 1):
        sign(console, row, name, signature, lambda n=number: len(desk.fold().signoff.signatures) == n)
    wait_until(lambda: desk.fold().life.closed, 20)
    wait_until(lambda: (desk.directory / "report.json").exists(), 20)

    # Closed: nothing but addenda.
    first.press("p")
    first.wait_until(lambda: "has ended" in first.text or "is closed" in first.text, 10, "no hold any more")
    first.press("escape")
    note(second, "an addendum: users were told at 08:05")
    wait_until(lambda: len(desk.events(Kind.NOTE)) == 2)

    desk.assert_whole()
    run = desk.fold()
    assert [s.text for s in run.signoff.signatures.values()] == [text for *_, text in signed]
    assert {event.actor for event in desk.events(Kind.SIGNED)} == {"Ana", "Bo"}
    assert len(desk.events(Kind.RUN_CLOSED)) == 1
    assert desk.database.psql("SELECT count(*) FROM budgets") == "0"
    for name in ("report.md", "report.html", "report.json"):
        assert stat.S_IMODE((desk.directory / name).stat().st_mode) == 0o600
    assert json.loads((desk.directory / "report.json").read_text())["journal"]["whole"]

    told = desk.call("report", desk.directory.name)
    assert told.returncode == 0, told.stderr
    text = normalised(told.stdout, desk.directory, desk, run)
    if os.environ.get("UPDATE_REPORT"):
        REPORT.write_text(text, "utf-8")
    assert text == REPORT.read_text("utf-8")
    assert text.count("[x]") == 3


def end(console: Console, desk: Desk) -> None:
    """End the run as completed, where it is signed then."""
    console.press("S")
    console.wait_for("the run has not ended")
    console.press("E")
    console.wait_for("An ended run takes no more work")
    pause()
    console.press("c")  # once: a second one would be typed into the form
    console.wait_for("ended by")
    accept(console, "enter", lambda: desk.fold().ended_at)
    console.wait_gone("ended by")
    back(console)
