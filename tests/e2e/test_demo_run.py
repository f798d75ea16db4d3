"""The main job in the real console: the demo's whole checklist by keyboard, with a migration that fails on the way."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from migconsole.domain.items import ItemState
from migconsole.domain.run import left, overall
from tests.e2e.operator import Operator
from tests.e2e.pty import Console
from tests.waiting import wait_until

SEES_THE_FAILURE = ("log-errors", "log-warnings")
"""Lines that rightly find the failed attempt's error in the server's log: a person has to say that it is dealt with."""


def test_a_whole_demo_run_with_a_failing_migration(open_console: Callable[..., Console], tmp_path: Path) -> None:
    console = open_console("demo", "--scenario", "failure", rows=40, columns=120, env={"TMPDIR": str(tmp_path)})
    console.wait_for("Pre-Deployment", timeout=90)
    home = wait_until(lambda: next(iter(tmp_path.glob("migconsole-demo-*")), None))
    operator = Operator(console, home / "state")
    failed = False
    while (item := operator.next_item()) is not None:
        located = next(found for found in operator.checklist.walk() if found.item.id == item.id)
        if located.phase is not None and located.phase.at == 0 and not operator.run().gates.votes:
            operator.say_go("AL")
        try:
            operator.go_to(item)
            record = operator.do(item)
        except AssertionError:
            if operator.next_item() == item:
                raise
            operator.back()
            continue  # the watcher saw an earlier line regress meanwhile, and that one comes first now
        if item.id == "migrate" and not failed:
            failed = True
            assert record.state is ItemState.FAILED
            assert record.last is not None
            assert record.last.exit_code == 1
            console.wait_for("failed")
            fix = next((home / "project").glob("ops/fix-duplicate-emails.sh"))
            subprocess.run([fix], cwd=home / "project", check=True, capture_output=True, env=_environment(home))
            record = operator.carry_out(item.id)
            assert len(record.attempts) == 2
        if item.id in SEES_THE_FAILURE and record.state is ItemState.FAILED:
            record = operator.accept(item.id, "that is the first attempt of the migration, mended since")
        assert record.state.done, (item.id, record.state, record.last and record.last.reasons)
    assert failed
    run = operator.run()
    assert not run.anomalies
    assert left(run, operator.checklist) == []
    assert overall(run, operator.checklist).done == 99
    assert run.record("migrate").state is ItemState.VERIFIED
    assert [attempt.outcome for attempt in run.record("migrate").attempts] == ["failed", "passed"]
    console.press("q")
    console.wait_for("the letters choose")
    operator.press_after_dead_time("l")
    assert console.wait(timeout=30) == 0
    console.assert_restored()
    wait_until(lambda: not home.exists(), timeout=30, message="the demo left its folder behind")


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
