"""Jobs outlive their console and are found again; a claim is taken once, whoever races for it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from migconsole.adapters.jobs import files
from migconsole.adapters.jobs.detached import DetachedJobs
from migconsole.engine.ports import JobPhase, StopRung
from tests.adapters.jobs_harness import Harness, kill, output, prints, read, runner_of
from tests.waiting import wait_until


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    yield harness
    harness.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
@pytest.mark.parametrize("tty", [True, False], ids=["tty", "pipes"])
async def test_a_job_outlives_its_console_and_is_followed_by_the_next(
    harness: Harness, number: signal.Signals, tty: bool
) -> None:
    script = "echo before; while [ ! -e go ]; do sleep 0.05; done; stty size <&1; echo after; exit 5"
    request = harness.request(script, tty=tty)
    console = harness.spawner(request)
    prints(request.directory, b"before")
    console.send_signal(number)
    console.wait()
    assert harness.jobs.probe(request.directory).phase is JobPhase.RUNNING
    following = asyncio.create_task(harness.jobs.wait(request.directory))
    await harness.jobs.resize(request.directory, 12, 34)
    (harness.cwd / "go").touch()
    status = await following
    assert status.result is not None
    assert status.result.exit_code == 5
    text = output(request.directory)
    assert text.startswith(b"before\n")
    assert text.endswith(b"after\n")
    assert (b"12 34\n" in text) is tty


async def test_an_adopted_job_can_be_stopped(harness: Harness) -> None:
    request = harness.request("echo ready; sleep 30")
    console = harness.spawner(request)
    console.kill()
    console.wait()
    prints(request.directory, b"ready")
    await harness.jobs.stop(request.directory, StopRung.INTERRUPT)
    status = await harness.jobs.wait(request.directory)
    assert status.result is not None
    assert (status.result.signal, status.result.stopped_by) == (signal.SIGINT, "SIGINT")


async def test_a_job_whose_runner_is_killed_is_lost_and_its_command_named(harness: Harness) -> None:
    directory = await harness.start("trap '' PIPE; echo ready; while :; do echo x; sleep 0.05; done")
    prints(directory, b"ready")
    following = asyncio.create_task(harness.jobs.wait(directory))
    child = harness.jobs.probe(directory).child_pid
    kill(runner_of(directory))
    status = await following
    assert status.phase is JobPhase.LOST
    assert child in status.processes
    assert f"bash ({child})" in status.reason
    assert status.child_pid == child


@pytest.mark.parametrize("tty", [True, False], ids=["tty", "pipes"])
async def test_a_command_that_is_killed_ends_its_job(harness: Harness, tty: bool) -> None:
    directory = await harness.start("echo ready; sleep 30", tty=tty)
    prints(directory, b"ready")
    child = wait_until(lambda: harness.jobs.probe(directory).child_pid)
    os.kill(child, signal.SIGKILL)
    status = await harness.jobs.wait(directory)
    assert status.phase is JobPhase.FINISHED
    assert status.result is not None
    assert status.result.signal == signal.SIGKILL
    assert output(directory) == b"ready\n"


async def test_an_attempt_that_never_began_is_revoked_for_ever(harness: Harness) -> None:
    request = harness.request("touch executed")
    harness.jobs._write_request(request, {}, [])
    assert harness.jobs.probe(request.directory).phase is JobPhase.NOT_STARTED
    assert (await harness.jobs.wait(request.directory)).phase is JobPhase.NOT_STARTED
    assert await harness.jobs.revoke(request.directory)
    assert await DetachedJobs().revoke(request.directory)
    answer = run_runner(request.directory)
    assert answer == {"claimed": False}
    assert harness.jobs.probe(request.directory).phase is JobPhase.REVOKED
    assert not (harness.cwd / "executed").exists()


async def test_a_started_attempt_cannot_be_revoked(harness: Harness) -> None:
    await harness.finish("true")
    assert not await harness.jobs.revoke(harness.run / "jobs/item/1")


def run_runner(directory: Path) -> dict[str, object]:
    command = [sys.executable, "-P", "-m", "migconsole.jobs.runner", str(directory)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


async def test_of_racing_runners_one_executes(harness: Harness) -> None:
    request = harness.request("echo x >> runs; sleep 0.1")
    harness.jobs._write_request(request, {}, [])
    answers = await asyncio.gather(*(asyncio.to_thread(run_runner, request.directory) for _ in range(4)))
    assert sorted(answer["claimed"] for answer in answers) == [False, False, False, True]
    status = await harness.jobs.wait(request.directory)
    assert status.phase is JobPhase.FINISHED
    assert (harness.cwd / "runs").read_text() == "x\n"


async def test_revoking_races_with_claiming_and_one_of_them_wins(harness: Harness) -> None:
    """Whoever wins, the other knows: revoked means never executed, executed means not revoked."""
    outcomes = set()
    for _ in range(6):
        request = harness.request("echo x >> executed-$PGAPPNAME", app_name=f"mc{len(outcomes)}")
        marker = harness.cwd / f"executed-{request.app_name}"
        marker.unlink(missing_ok=True)
        harness.jobs._write_request(request, {}, [])
        runner = asyncio.create_task(asyncio.to_thread(run_runner, request.directory))
        while not (request.directory / ".result.json.reserved").exists() and not runner.done():
            await asyncio.sleep(0)
        revoked = await harness.jobs.revoke(request.directory)
        answer = await runner
        status = await harness.jobs.wait(request.directory)
        assert answer["claimed"] is not revoked
        assert status.phase is (JobPhase.REVOKED if revoked else JobPhase.FINISHED)
        assert marker.exists() is not revoked
        outcomes.add(revoked)
    assert outcomes


async def test_a_claim_names_its_process_by_more_than_a_pid(harness: Harness) -> None:
    directory = await harness.start("sleep 30")
    claim = read(directory / files.CLAIM)
    assert {"pid", "started", "boot", "token"} <= set(claim)
    (directory / files.CLAIM).write_text(json.dumps(claim | {"started": claim["started"] - 100}))
    status = harness.jobs.probe(directory)
    assert status.phase is JobPhase.LOST
    (directory / files.CLAIM).write_text(json.dumps(claim))
    assert harness.jobs.probe(directory).phase is JobPhase.RUNNING
