"""The console keeps the run's watcher: one for all consoles, mended when it dies, none where nothing may be changed."""

from __future__ import annotations

import os
import re
import signal

from migconsole.adapters import processes, watchers
from tests.e2e.checklists import Desk, accept
from tests.e2e.pty import Console
from tests.waiting import wait_until

PATIENCE = 40.0
MONITOR = re.compile(r"mon \d+\.\d %")
ITEM = {"item": "Do it", "id": "it", "run": "true", "danger": "read", "expect": {"exit": 0}}


def watcher(desk: Desk, other_than: int | None = None) -> int:
    """The pid of the run's watcher, once there is one."""

    def lives() -> int | None:
        pid = watchers.running(desk.directory)
        return pid if pid != other_than else None

    found = wait_until(lives, PATIENCE)
    assert found is not None
    return found


def test_a_console_has_its_run_watched_and_mends_a_watcher_that_dies(desk: Desk) -> None:
    desk.write(ITEM)
    console = desk.run()
    console.wait_for(MONITOR, PATIENCE)
    first = watcher(desk)
    assert os.getsid(first) == first
    other = desk.resume()
    other.wait_for(MONITOR, PATIENCE)
    assert watchers.running(desk.directory) == first, "a second console relies on the same watcher"
    os.kill(first, signal.SIGKILL)
    second = watcher(desk, first)
    console.wait_for(MONITOR, PATIENCE)
    for one in (other, console):
        leave(one)
    assert watchers.running(desk.directory) == second, "it outlives the consoles on purpose"


def test_a_console_that_is_killed_leaves_the_watcher_at_work(desk: Desk) -> None:
    desk.write(ITEM)
    console = desk.run()
    console.wait_for(MONITOR, PATIENCE)
    pid = watcher(desk)
    console.kill()
    console.wait()
    assert processes.start_time(pid) is not None
    again = desk.resume()
    again.wait_for(MONITOR, PATIENCE)
    assert watchers.running(desk.directory) == pid


def test_a_read_only_console_starts_no_watcher_and_says_that_there_is_none(desk: Desk) -> None:
    desk.write(ITEM)
    desk.call("run", str(desk.path), "--headless")
    console = desk.resume("--read-only")
    console.wait_for("waiting for the watcher", PATIENCE)
    console.wait_for("no watcher", PATIENCE)
    leave(console)
    assert watchers.running(desk.directory) is None
    assert not (desk.directory / watchers.LOCK).exists()


def test_why_there_is_no_watcher_stands_on_the_screen(desk: Desk) -> None:
    """A pooler, a configuration that cannot be read: the run goes on, and nobody takes silence for health."""
    desk.write(ITEM)
    home = desk.project / "config" / "migconsole"
    home.mkdir(parents=True)
    (home / "config.toml").write_text('[alarms]\nconn_saturation = "nonsense"\n', encoding="utf-8")
    console = desk.run(env={"XDG_CONFIG_HOME": str(home.parent)})
    console.wait_for("A health alarm is not set rightly", PATIENCE)
    leave(console)


def leave(console: Console) -> None:
    """Leave by the key, as a person does."""
    console.press("q")
    console.wait_for("Leave?", PATIENCE)
    accept(console, "l", lambda: not console.alive)
    assert console.wait() == 0
    console.assert_restored()
