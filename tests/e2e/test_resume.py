"""A console that goes away under a mutating command, and the next one that finds everything as it is."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from tests.e2e.checklists import Desk, accept
from tests.e2e.pty import Console
from tests.waiting import wait_until

# What it prints is not in the command's own text, which stands on the screen as well.
APPLY = """
psql -qc "INSERT INTO ran VALUES ('applied')"
printf 'be%s\\n' gun
while [ ! -e middle ]; do sleep 0.05; done
printf 'half%s\\n' way
while [ ! -e end ]; do sleep 0.05; done
printf 'fini%s\\n' shed
"""
ITEMS = (
    {"item": "Apply", "id": "apply", "run": APPLY, "danger": "mutating", "expect": {"exit": 0, "output": "finished"}},
    {"item": "Look around", "id": "look"},
)


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """A desk with the checklist and the table that counts how often it was applied."""
    desk.write(*ITEMS)
    desk.database.psql("CREATE TABLE ran (what text)")
    return desk


def times_applied(desk: Desk) -> int:
    return int(desk.database.psql("SELECT count(*) FROM ran"))


def has_result(desk: Desk) -> bool:
    return (desk.directory / "jobs" / "apply" / "1" / "result.json").exists()


def go_on(console: Console) -> None:
    """Say on the resume screen that work goes on."""
    console.wait_for("Back on the run")
    accept(console, "R", lambda: "Back on the run" not in console.text)
    assert "RESUMED" not in console.text


def test_a_run_whose_console_dies_again_and_again(ready: Desk) -> None:
    """Killed in the middle, then its terminal closed, then gone while the command ends: one run, whole."""
    desk = ready
    first = desk.run()
    desk.start(first, "apply")
    wait_until(lambda: desk.output("apply"))
    first.wait_for("begun", 3)  # what is on disk is shown at once, and not with the next event of the run
    before = [event.hash for event in desk.events()]
    first.kill()
    assert first.wait() == -signal.SIGKILL

    second = desk.resume()
    second.wait_for("Back on the run")
    assert "Apply: attempt 1 is running and followed again" in second.text
    assert [event.hash for event in desk.events()][: len(before)] == before
    second.press("escape")
    second.wait_gone("Back on the run")
    second.press("r")
    second.wait_for("resumed")  # nothing is started before somebody said that work goes on
    (desk.project / "middle").touch()
    second.wait_for("halfway")
    second.hang_up()
    assert second.wait() in (128 + signal.SIGHUP, -signal.SIGHUP)
    assert desk.record("apply").state is ItemState.RUNNING
    (desk.project / "end").touch()
    wait_until(lambda: has_result(desk))

    third = desk.resume()
    third.wait_for("Back on the run")
    third.wait_for("✔ Apply: verified")
    go_on(third)
    third.wait_for("finished")
    record = desk.record("apply")
    assert record.state is ItemState.VERIFIED
    assert record.last is not None
    assert (record.last.number, record.last.exit_code, record.last.adopted) == (1, 0, 1)
    assert times_applied(desk) == 1
    assert desk.output("apply").splitlines() == [b"begun", b"halfway", b"finished"]
    assert "1 of 2" in third.text
    desk.assert_whole()


def test_an_end_that_a_dead_console_had_not_judged_is_folded_in(ready: Desk) -> None:
    desk = ready
    console = desk.run()
    desk.start(console, "apply")
    console.wait_for("begun")
    console.kill(signal.SIGSTOP)  # it can neither see the end nor record it
    (desk.project / "middle").touch()
    (desk.project / "end").touch()
    wait_until(lambda: has_result(desk))
    console.kill()
    console.wait()
    assert desk.record("apply").state is ItemState.RUNNING
    again = desk.resume()
    again.wait_for("✔ Apply: verified")
    assert desk.record("apply").state is ItemState.VERIFIED
    assert times_applied(desk) == 1
    desk.assert_whole()


def die_at(desk: Desk, console: Console, moment: Callable[[], object]) -> None:
    """Confirm the command, and kill the console as soon as something is so."""
    console.press("r")
    console.wait_for("y runs it")
    accept(console, "y", lambda: desk.events(Kind.ATTEMPT_STARTED))
    wait_until(moment)
    console.kill()
    console.wait()


def assert_true_state(desk: Desk) -> None:
    """Applied once and seen through to its end, or never, and then nothing says that it was."""
    (desk.project / "middle").touch()
    (desk.project / "end").touch()
    console = desk.resume()
    console.wait_for("Back on the run")
    attempt = desk.ended("apply")
    assert times_applied(desk) == (1 if attempt.outcome == "passed" else 0), attempt
    assert len(desk.record("apply").attempts) == 1
    if attempt.outcome != "passed":
        assert not has_result(desk)
        go_on(console)
        assert desk.start(console, "apply").number == 2
        assert desk.ended("apply").outcome == "passed"
        assert times_applied(desk) == 1
    desk.assert_whole()


@pytest.mark.kill
def test_a_console_that_dies_as_soon_as_the_intent_is_on_record(ready: Desk) -> None:
    die_at(ready, ready.run(), lambda: True)
    assert_true_state(ready)


@pytest.mark.kill
@pytest.mark.parametrize("name", ["request.json", "claim", "output.log"])
def test_a_console_that_dies_while_the_command_starts(ready: Desk, name: str) -> None:
    path = "jobs/apply/1/" + name
    console = ready.run()
    die_at(ready, console, lambda: (ready.directory / path).exists() or has_result(ready))
    assert_true_state(ready)


@pytest.mark.kill
@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM, None], ids=str)
@pytest.mark.parametrize("moment", ["begun", "halfway"])
def test_every_way_to_go_at_every_moment(ready: Desk, way: signal.Signals | None, moment: str) -> None:
    desk = ready
    console = desk.run()
    desk.start(console, "apply")
    if moment == "halfway":
        (desk.project / "middle").touch()
    console.wait_for(moment)
    if way is None:
        console.hang_up()
    else:
        console.kill(way)
    console.wait()
    if way in (signal.SIGHUP, signal.SIGTERM):
        console.assert_restored()
    (desk.project / "middle").touch()
    again = desk.resume()
    again.wait_for("followed again")
    again.wait_for("halfway")
    (desk.project / "end").touch()
    again.wait_for("finished")
    assert desk.ended("apply").outcome == "passed"
    assert times_applied(desk) == 1
    desk.assert_whole()
