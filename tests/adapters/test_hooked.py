"""Restore points of other tools: taken and verified by commands and queries on a real server, on record in a run."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.adapters.restoring import Said, command, environment, folded, migconsole, opened_run
from tests.conftest import Database
from tests.waiting import wait_until


def by_hook(database: Database, *arguments: object) -> Said:
    return migconsole(database.server, "prove", "--target", database.url, "--by", "standby", *arguments)


def test_it_is_taken_verified_and_recorded_and_never_called_proven(database: Database, tmp_path: Path) -> None:
    run = opened_run(database.server, database.url, tmp_path)
    mark = tmp_path / "taken"
    said = by_hook(
        database,
        *("--take", f'echo "$PGDATABASE" > {mark}; echo replay paused'),
        *("--verify", f"cat {mark}", "--expect", f"^{database.name}$"),
        *("--back", "pg_ctl promote", "--precondition", "the primary is stopped", "--run", run),
    )
    assert said.code == 0, said.complaint
    assert "replay paused" in said.lines
    point = folded(run).restore_point
    assert (point.state, point.by, point.side, point.path) == ("snapshot", "standby", "", "")
    assert (point.back, point.precondition) == ("pg_ctl promote", "the primary is stopped")
    assert "/" in point.lsn


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--take", "echo no >&2; exit 3", "--verify-sql", "SELECT true"], 1, "did not take it"),
        (["--verify", "echo something else", "--expect", "paused"], 1, "shows nothing like paused"),
        (["--verify", "echo paused; exit 1", "--expect", "paused"], 1, "exit 1"),
        (["--verify-sql", "SELECT false"], 1, "not true"),
        (["--verify-sql", "SELECT 1 WHERE false"], 1, "no row"),
        (["--verify-sql", "DROP TABLE t"], 2, "cannot be run as a query"),
        (["--verify", "true"], 2, "--expect PATTERN"),
        (["--take", "true"], 2, "What verifies it is not said"),
        (["--verify-sql", "SELECT true", "--keep-armed"], 2, "restores nothing"),
    ],
)
def test_what_is_not_verified_does_not_count(database: Database, arguments: list[str], code: int, words: str) -> None:
    said = by_hook(database, *arguments)
    assert said.code == code, said.complaint
    assert words in said.complaint


def test_a_command_that_will_not_end_is_ended_by_force(database: Database, tmp_path: Path) -> None:
    """It and what it has started ignore the signal; the item can be cancelled all the same."""
    pids = tmp_path / "pids"
    take = f"trap '' TERM; sleep 1000 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; while :; do wait; done"
    process = subprocess.Popen(
        command("prove", "--target", database.url, "--by", "stubborn", "--take", take, "--verify-sql", "SELECT true"),
        stdout=subprocess.DEVNULL,
        env=environment(database.server),
    )
    try:
        wait_until(pids.exists, 60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
        wait_until(lambda: not any(psutil.pid_exists(int(pid)) for pid in pids.read_text().split()), 10)
    finally:
        process.kill()
        process.wait()
