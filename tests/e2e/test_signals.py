"""Every unplanned way out leaves the terminal as it was, an exit code that says why, and a log without secrets."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

from migconsole.domain.items import ItemState
from tests.e2e.checklists import PATIENCE, Desk
from tests.waiting import wait_until

ITEMS = (
    {
        "item": "Apply",
        "id": "apply",
        "run": "printf 'be%s\\n' gun; while [ ! -e end ]; do sleep 0.05; done",
        "danger": "mutating",
        "expect": {"exit": 0},
    },
    {"item": "Look around", "id": "look"},
)
# A widget that fails while it draws, as a defect would, with a secret in its message and in a local variable.
BROKEN = """
import os, sys
from migconsole.tui.widgets.banner import Banner

def render(self):
    password = os.environ["DATABASE_URL"]
    if os.path.exists("break"):
        raise RuntimeError(f"cannot draw {password}")
    return ""

Banner.render = render
from migconsole.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_command_runs_and_a_dialog_is_open(desk: Desk, number: signal.Signals) -> None:
    desk.write(*ITEMS)
    console = desk.run()
    desk.start(console, "apply")
    console.wait_for("begun")
    console.press("q")
    console.wait_for("Leave while something runs?")
    console.kill(number)
    assert console.wait() == 128 + number
    console.assert_restored()
    said = console.scrollback()
    assert "1 running" in said
    assert str(desk.directory) in said.replace("\n", "")
    assert "Traceback" not in said
    assert not list(desk.directory.glob("console-error-*.log"))
    assert desk.record("apply").state is ItemState.RUNNING
    (desk.project / "end").touch()
    wait_until((desk.directory / "jobs" / "apply" / "1" / "result.json").exists, PATIENCE)


def test_a_signal_while_the_run_is_being_opened(desk: Desk) -> None:
    """The server accepts the connection and never answers, so the console stays on its first screen."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        desk.url = f"postgresql://deploy@127.0.0.1:{silent.getsockname()[1]}/app"
        desk.write(*ITEMS)
        console = desk.open("run", str(desk.path))
        console.wait_for("opening…", PATIENCE)
        console.kill(signal.SIGTERM)
        assert console.wait() == 128 + signal.SIGTERM
    console.assert_restored()
    assert "Traceback" not in console.scrollback()


def test_a_failing_widget_leaves_a_masked_log_and_a_whole_terminal(desk: Desk, tmp_path: Path) -> None:
    desk.write(*ITEMS)
    script = tmp_path / "broken.py"
    script.write_text(BROKEN)
    password = "pa/ss@w0rd%x"
    desk.url = desk.url.replace("postgres@", "postgres:pa%2Fss%40w0rd%25x@", 1)
    console = desk.open(str(script), "run", str(desk.path), program=Path(sys.executable))
    console.wait_for("Look around", PATIENCE)
    (desk.project / "break").touch()
    assert console.wait() == 1
    console.assert_restored()
    said = console.scrollback()
    found = re.search(r"Its log: (\S+\.log)", said.replace("\n", ""))
    assert found, said
    log = Path(found[1])
    text = log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    assert "cannot draw" in text
    assert "render" in text
    for shown in (text, said, console.raw.decode(errors="replace")):
        for form in (password, "pa%2Fss%40w0rd%25x"):
            assert form not in shown
    assert "Traceback" not in said
    # Nothing of the run is lost by it.
    again = desk.resume()
    again.wait_for("Look around", PATIENCE)
