"""The health screen over a real server in a real terminal: a lock queue is seen, and the one in front is cancelled."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Database
from tests.e2e.checklists import Desk, accept
from tests.e2e.pty import Console

PATIENCE = 40.0
MONITOR = re.compile(r"mon \d+\.\d %")


def psql(database: Database, sql: str) -> subprocess.Popen[str]:
    """A session that stays at its statements until it is told otherwise."""
    command = [str(database.server.bindir / "psql"), "-X", "-v", "ON_ERROR_STOP=1", "-d", database.url, "-c", sql]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_lock_queue_is_seen_and_its_root_is_cancelled(
    open_console: Callable[..., Console], database: Database, tmp_path: Path
) -> None:
    database.psql("CREATE TABLE orders (id int)")
    holder = psql(database, "BEGIN; LOCK orders IN ACCESS SHARE MODE; SELECT pg_sleep(300)")
    waiter = None
    console = open_console("watch", "--target", database.url, rows=40, columns=120, cwd=tmp_path)
    try:
        console.wait_for("Overview", PATIENCE)
        console.wait_for(MONITOR, PATIENCE)
        waiter = psql(database, "ALTER TABLE orders ADD COLUMN unit_cost int")
        console.press("2")
        console.wait_for("holds up 1, oldest victim", PATIENCE)
        console.wait_for("waits for 1", PATIENCE)
        console.press("/")
        console.wait_for("words that occur in the row")
        console.type("pg_sleep")
        console.wait_for("filter pg_sleep")
        console.press("enter")
        console.wait_gone("enter keeps it")
        console.press("j")
        console.wait_for("backend start")
        console.press("c")
        console.wait_for("Cancel a statement", PATIENCE)
        console.wait_for("pg_sleep", PATIENCE)
        accept(console, "y", lambda: "Cancel a statement" not in console.text)
        assert holder.wait(20) != 0
        assert waiter.wait(20) == 0
        console.press("escape")
        console.wait_for("nobody waits for a lock", PATIENCE)
        console.press("q")
        assert console.wait() == 0
        console.assert_restored()
    finally:
        for process in (holder, waiter):
            if process is not None:
                process.kill()
                process.communicate()


def test_a_baseline_is_taken_by_key_and_kept_with_the_run(desk: Desk) -> None:
    desk.database.psql("CREATE EXTENSION pg_stat_statements")
    desk.write({"item": "Do it", "id": "it", "run": "true", "danger": "read", "expect": {"exit": 0}})
    console = desk.run(rows=40, columns=120)
    console.wait_for(MONITOR, PATIENCE)
    console.press("D")
    console.wait_for("Overview", PATIENCE)
    console.press("9")
    console.wait_for("no baseline yet", PATIENCE)
    assert "not read yet" not in console.text
    console.press("b")
    console.wait_for("baseline: the statistics of", PATIENCE)
    kept = list((desk.directory / "baselines").glob("*.snapshot"))
    assert len(kept) == 1
    assert stat.S_IMODE(kept[0].stat().st_mode) == 0o600


def test_without_a_run_the_key_makes_the_time_until_now_the_baseline(
    open_console: Callable[..., Console], database: Database, tmp_path: Path
) -> None:
    database.psql("CREATE EXTENSION pg_stat_statements; SELECT 1")
    console = open_console("watch", "--target", database.url, rows=40, columns=120, cwd=tmp_path)
    console.wait_for(MONITOR, PATIENCE)
    console.press("5")
    console.wait_for("a window needs two samples", PATIENCE)
    console.press("9")
    console.wait_for("b makes the time until now the baseline", PATIENCE)
    console.press("b")
    console.wait_for("what comes now is compared with them", PATIENCE)
    console.press("q")
    assert console.wait() == 0
    console.assert_restored()
