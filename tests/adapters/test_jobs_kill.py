"""The kill matrix of jobs: who dies (console, runner, command, the disk's room) and when (start, middle, end)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from migconsole.adapters.jobs import files
from migconsole.engine.ports import JobPhase, JobRequest, JobStatus, StopRung
from tests.adapters.jobs_harness import Harness, kill, output, prints, processes_of, runner_of
from tests.waiting import wait_until

pytestmark = pytest.mark.kill

BLOCK = b"".join(b"%d\n" % n for n in range(1, 20001))
WHOLE = b"start\n" + BLOCK + b"end\n"
# The grandchild in a session of its own is what a killed runner or command must not leave unknown.
SCRIPT = """
echo x >> runs
setsid sleep 1000 > /dev/null 2>&1 < /dev/null &
echo start
while [ ! -e middle ]; do sleep 0.01; done
seq 1 20000
while [ ! -e end ]; do sleep 0.01; done
kill $!
wait $! 2> /dev/null
echo end
exit 7
"""
MOMENTS = ["start", "middle", "end"]


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    yield harness
    harness.close()


@pytest.fixture(params=[True, False], ids=["tty", "pipes"])
def request_(harness: Harness, request: pytest.FixtureRequest) -> JobRequest:
    return harness.request(SCRIPT, tty=request.param)


def advance(harness: Harness, directory: Path, moment: str) -> None:
    """Bring the script to a moment: started, in the middle of its output, or about to end."""
    prints(directory, b"start\n")
    if moment != "start":
        (harness.cwd / "middle").touch()
        if moment == "end":
            prints(directory, b"\n20000\n")
            (harness.cwd / "end").touch()


def release(harness: Harness) -> None:
    (harness.cwd / "middle").touch()
    (harness.cwd / "end").touch()


def assert_truth(harness: Harness, directory: Path, status: JobStatus) -> None:
    """It ran once, what is recorded is what was printed, and a result fits its file."""
    assert (harness.cwd / "runs").read_text() == "x\n"
    text = output(directory)
    if status.result is not None and not status.result.error:
        assert hashlib.sha256(text).hexdigest() == status.result.sha256
        assert len(text) == status.result.size
    assert WHOLE.startswith(text)


def assert_ran_to_its_end(harness: Harness, directory: Path, status: JobStatus) -> None:
    assert status.phase is JobPhase.FINISHED, status
    assert status.result is not None
    assert (status.result.exit_code, status.result.error, status.result.survivors) == (7, "", ())
    assert output(directory) == WHOLE
    assert_truth(harness, directory, status)


def remaining_named_by_a_probe(harness: Harness, directory: Path) -> set[int]:
    """What ran before and after a probe ran during it (the script's own short sleeps come and go)."""
    before = {process.pid for process in processes_of(directory)}
    named = set(harness.jobs.probe(directory).processes)
    remaining = before & {process.pid for process in processes_of(directory)}
    assert remaining <= named
    return remaining


async def assert_nothing_remains(harness: Harness, directory: Path) -> None:
    await harness.jobs.stop(directory, StopRung.KILL)
    wait_until(lambda: not processes_of(directory) and not runner_of(directory))


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
async def test_the_console_dies(harness: Harness, request_: JobRequest, number: signal.Signals, moment: str) -> None:
    console = harness.spawner(request_)
    advance(harness, request_.directory, moment)
    console.send_signal(number)
    console.wait()
    release(harness)
    assert_ran_to_its_end(harness, request_.directory, await harness.jobs.wait(request_.directory))


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_consoles_terminal_is_closed(harness: Harness, request_: JobRequest, moment: str) -> None:
    ours, theirs = os.openpty()
    console = harness.spawner(request_, terminal=theirs)
    os.close(theirs)
    advance(harness, request_.directory, moment)
    os.close(ours)
    assert console.wait(5) == -signal.SIGHUP
    release(harness)
    assert_ran_to_its_end(harness, request_.directory, await harness.jobs.wait(request_.directory))


@pytest.mark.parametrize("delay", [0, 0.01, 0.03, 0.05, 0.07, 0.09, 0.12, 0.2])
async def test_the_console_dies_while_it_starts_the_job(harness: Harness, request_: JobRequest, delay: float) -> None:
    """Whatever stands when the next console looks: revoked and never executed, or executed once to its end."""
    starting = asyncio.create_task(asyncio.to_thread(harness.spawner, request_, expect=False))
    await asyncio.to_thread(wait_until, (request_.directory / files.REQUEST).exists)
    await asyncio.sleep(delay)
    console = await starting
    console.kill()
    console.wait()
    release(harness)
    if await harness.jobs.revoke(request_.directory):
        wait_until(lambda: not runners_named(request_.directory))
        assert harness.jobs.probe(request_.directory).phase is JobPhase.REVOKED
        assert not (harness.cwd / "runs").exists()
        assert output(request_.directory) == b""
    else:
        assert_ran_to_its_end(harness, request_.directory, await harness.jobs.wait(request_.directory))


def runners_named(directory: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(directory) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_runner_dies(harness: Harness, request_: JobRequest, moment: str) -> None:
    await harness.jobs.start(request_)
    advance(harness, request_.directory, moment)
    kill(runner_of(request_.directory))
    status = await harness.jobs.wait(request_.directory)
    if moment != "end" or status.phase is not JobPhase.FINISHED:
        assert status.phase is JobPhase.LOST
        remaining = remaining_named_by_a_probe(harness, request_.directory)
        assert moment == "end" or remaining
    assert_truth(harness, request_.directory, status)
    await assert_nothing_remains(harness, request_.directory)
    assert not await harness.jobs.revoke(request_.directory)


@pytest.mark.parametrize("delay", [0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15])
async def test_the_runner_dies_while_it_starts(harness: Harness, request_: JobRequest, delay: float) -> None:
    starting = asyncio.create_task(harness.jobs.start(request_))
    await asyncio.to_thread(wait_until, (request_.directory / files.REQUEST).exists)
    await asyncio.sleep(delay)
    for pid in runners_named(request_.directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    await asyncio.wait([starting])
    release(harness)
    status = await harness.jobs.wait(request_.directory)
    if starting.exception() is not None:
        assert status.phase is JobPhase.REVOKED
        assert not (harness.cwd / "runs").exists()
    elif status.phase is JobPhase.FINISHED:  # the kill hit the process that the runner had already left behind
        assert_ran_to_its_end(harness, request_.directory, status)
    else:
        assert status.phase is JobPhase.LOST
        remaining_named_by_a_probe(harness, request_.directory)
    await assert_nothing_remains(harness, request_.directory)
    runs = harness.cwd / "runs"
    assert not runs.exists() or runs.read_text() == "x\n"


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_command_dies(harness: Harness, request_: JobRequest, moment: str) -> None:
    await harness.jobs.start(request_)
    advance(harness, request_.directory, moment)
    child = wait_until(lambda: harness.jobs.probe(request_.directory).child_pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    status = await harness.jobs.wait(request_.directory)
    assert status.phase is JobPhase.FINISHED
    assert status.result is not None
    if moment != "end":
        assert status.result.signal == signal.SIGKILL
        assert any(name.startswith("sleep (") for name in status.result.survivors)
    assert_truth(harness, request_.directory, status)
    await assert_nothing_remains(harness, request_.directory)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("returns", [True, False], ids=["room-returns", "stays-full"])
async def test_the_disk_is_full(harness: Harness, request_: JobRequest, moment: str, returns: bool) -> None:
    """Neither the output nor the result can be written: the command ends all the same, and nothing untrue is said."""
    await harness.jobs.start(request_)
    advance(harness, request_.directory, moment)
    (runner,) = runner_of(request_.directory)
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    release(harness)
    wait_until(lambda: not processes_of(request_.directory))
    if returns:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        status = await harness.jobs.wait(request_.directory)
        assert status.phase is JobPhase.FINISHED
        assert status.result is not None
        assert status.result.exit_code == 7
        assert (output(request_.directory) == WHOLE) is not ("incomplete" in status.result.error)
    else:
        status = harness.jobs.probe(request_.directory)
        assert status.phase is JobPhase.RUNNING or moment == "end"
        await harness.jobs.stop(request_.directory, StopRung.TERMINATE)
        status = await harness.jobs.wait(request_.directory)
        assert status.phase is (JobPhase.LOST if status.result is None else JobPhase.FINISHED)
    assert_truth(harness, request_.directory, status)
    await assert_nothing_remains(harness, request_.directory)


def test_the_matrix_is_left_by_all_its_processes() -> None:
    """Nothing of the tests above still runs."""
    deadline = time.monotonic() + 5
    while True:
        done = subprocess.run(
            ["pgrep", "-f", "migconsole[.]jobs[.]runner .*test_the_"], capture_output=True, check=False
        )
        if not done.stdout or time.monotonic() > deadline:
            break
    assert done.stdout == b""
