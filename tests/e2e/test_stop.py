"""Stopping for real: the ladder on the screen, the server asked at its end, and what remains on record."""

from __future__ import annotations

import sys

import psutil

from migconsole.domain.items import ItemState
from migconsole.domain.run import Hold
from tests.e2e.checklists import Desk, accept
from tests.e2e.pty import Console
from tests.waiting import wait_until

SLEEP = {
    "item": "Sleep",
    "id": "sleep",
    "run": "psql -c 'SELECT pg_sleep(120)'",
    "danger": "mutating",
    "expect": {"exit": 0},
}
# A client that SIGINT does not stop, and a helper of its own session that only SIGKILL does.
STUBBORN = """
import asyncio, os, signal, subprocess, sys
import asyncpg

async def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    helper = subprocess.Popen(
        [sys.executable, "-c", "import signal, time\\n"
         "for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(n, signal.SIG_IGN)\\n"
         "open('helper', 'w').write('up')\\ntime.sleep(120)"],
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    open("pid", "w").write(str(helper.pid))
    connection = await asyncpg.connect(server_settings={"application_name": os.environ["PGAPPNAME"]})
    print("at " + "work", flush=True)
    try:
        await connection.execute("SELECT pg_sleep(120)")
    except asyncpg.QueryCanceledError:
        print("cancelled by the " + "server", flush=True)
    await asyncio.sleep(120)

asyncio.run(main())
"""


def backends(desk: Desk) -> int:
    """How many statements of jobs the server runs in this database."""
    return int(
        desk.database.psql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
        )
    )


def held(desk: Desk) -> Hold:
    hold = wait_until(lambda: desk.fold().hold, 10)
    assert hold is not None
    return hold


def open_ladder(console: Console) -> None:
    console.press("c")
    console.wait_for("Stop “")
    console.wait_for("▸ next")


def test_sigint_cancels_what_the_server_runs(desk: Desk) -> None:
    desk.write(SLEEP)
    console = desk.run()
    desk.start(console, "sleep")
    wait_until(lambda: backends(desk) == 1, 10)
    console.press("c")
    console.press("y")  # meant for the screen below: the dialog takes nothing in its first half second
    console.wait_for("▸ next")
    assert not desk.record("sleep").last.signals  # type: ignore[union-attr]
    accept(console, "y", lambda: desk.record("sleep").last.signals)  # type: ignore[union-attr]
    attempt = desk.ended("sleep")
    assert attempt.signals == ("SIGINT",)
    assert attempt.outcome == "interrupted"
    assert any("0 of its backends remain" in line for line in (*attempt.reasons, *attempt.lines)), attempt
    assert backends(desk) == 0
    console.wait_gone("Stop “")
    console.press("e")
    console.wait_for("0 of its backends remain")
    desk.assert_whole()


def test_the_ladder_to_its_end(desk: Desk) -> None:
    (desk.project / "stubborn.py").write_text(STUBBORN)
    desk.write(SLEEP | {"run": f"exec {sys.executable} stubborn.py"})
    console = desk.run()
    desk.start(console, "sleep")
    console.wait_for("at work")
    wait_until(lambda: (desk.project / "helper").exists() and backends(desk) == 1, 10)
    helper = psutil.Process(int((desk.project / "pid").read_text()))

    def sent() -> tuple[str, ...]:
        last = desk.record("sleep").last
        return last.signals if last else ()

    open_ladder(console)
    accept(console, "y", lambda: sent())
    console.wait_for("pg_cancel_backend follows by itself in")
    console.wait_until(lambda: len(sent()) == 2, 10, "the server is asked after five seconds")
    console.wait_for("1 of its backends signalled")
    assert backends(desk) == 0
    console.wait_for("SIGTERM may be sent")
    assert desk.record("sleep").state is ItemState.RUNNING
    accept(console, "y", lambda: len(sent()) == 3)
    attempt = desk.ended("sleep")
    assert attempt.signals == ("SIGINT", "pg_cancel_backend", "SIGTERM")
    assert attempt.outcome == "interrupted"
    assert b"cancelled by the server" in desk.output("sleep")
    # What would not end is named, and can be ended.
    assert helper.is_running()
    assert str(helper.pid) in str(attempt.survivors) + str(attempt.reasons)
    console.wait_gone("Stop “")
    console.press("c")
    console.wait_for("SIGKILL")
    accept(console, "y", lambda: not helper.is_running() or helper.status() == psutil.STATUS_ZOMBIE)
    assert sent()[-1] == "SIGKILL"
    desk.assert_whole()


def test_a_panic_file_ends_the_command_and_holds_the_run(desk: Desk) -> None:
    desk.write(SLEEP, {"item": "Next", "id": "next", "run": "true", "danger": "mutating", "expect": {"exit": 0}})
    console = desk.run()
    desk.start(console, "sleep")
    wait_until(lambda: backends(desk) == 1, 10)
    (desk.directory / "PANIC").write_text("the wrong server\n")
    attempt = desk.ended("sleep")
    assert attempt.outcome == "interrupted"
    assert any("PANIC" in reason for reason in attempt.reasons), attempt.reasons
    assert held(desk).reason == "the wrong server"
    console.wait_for("file PANIC")
    assert desk.database.server.running
    assert backends(desk) == 0
    console.press(".")
    console.press("r")
    console.wait_for("hold")
    assert not desk.record("next").attempts
    desk.assert_whole()


def test_a_hold_from_the_keyboard_and_one_from_a_shell(desk: Desk) -> None:
    desk.write({"item": "Next", "id": "next", "run": "true", "danger": "mutating", "expect": {"exit": 0}})
    console = desk.run()
    console.press("p")
    console.wait_for("Hold the run")
    console.type("waiting for the network team")
    for _ in range(3):
        accept(console, "enter", lambda: True)
    assert held(desk).reason == "waiting for the network team"
    console.wait_for("ON HOLD")
    console.press("r")
    console.wait_for("on hold")
    assert "y runs it" not in console.text
    console.press("p")
    console.wait_for("keep it on hold")
    accept(console, "y", lambda: desk.fold().hold is None)
    (desk.directory / "HOLD").touch()
    assert held(desk).owner == "file HOLD"
    console.press("r")
    console.wait_for("on hold")
    (desk.directory / "HOLD").unlink()
    wait_until(lambda: desk.fold().hold is None, 10)
    assert not desk.record("next").attempts
    desk.start(console, "next")
    assert desk.ended("next").outcome == "passed"
