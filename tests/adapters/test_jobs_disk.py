"""A full disk never ends a command, never stays unsaid, and never hides how the command ended."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from migconsole.adapters import output_marks
from migconsole.adapters.jobs import files
from migconsole.adapters.outputs import FileOutput
from migconsole.engine.ports import JobPhase, JobRequest, JobResult, StopRung
from migconsole.errors import MigconsoleError
from migconsole.jobs.recorder import BACKLOG
from tests.adapters.jobs_harness import Harness, output, processes_of, runner_of
from tests.waiting import wait_until

LIMIT = 64 * 1024


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    yield harness
    harness.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def start_limited(harness: Harness, script: str, **changes: object) -> JobRequest:
    """A job whose files may not exceed ``LIMIT`` bytes, until ``lift``: what a full disk is to an ordinary user."""
    request = harness.request(script, **changes)
    harness.spawner(request, file_limit=LIMIT)
    return request


def limit(directory: Path, size: int) -> None:
    (runner,) = runner_of(directory)
    resource.prlimit(runner.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def lift(directory: Path) -> None:
    limit(directory, resource.RLIM_INFINITY)


def full(directory: Path) -> None:
    wait_until(lambda: len(output(directory)) == LIMIT)


async def finished(harness: Harness, directory: Path) -> JobResult:
    status = await harness.jobs.wait(directory)
    assert status.phase is JobPhase.FINISHED, status
    assert status.result is not None
    return status.result


@pytest.mark.parametrize("tty", [True, False], ids=["tty", "pipes"])
async def test_the_command_goes_on_and_the_result_says_what_is_missing(harness: Harness, tty: bool) -> None:
    request = start_limited(harness, "seq 1 100000; echo done > done; exit 7", tty=tty)
    result = await finished(harness, request.directory)
    whole = b"".join(b"%d\n" % n for n in range(1, 100001))
    text = output(request.directory)
    assert text == whole[:LIMIT]
    assert (result.exit_code, result.size) == (7, LIMIT)
    assert result.sha256 == hashlib.sha256(text).hexdigest()
    assert f"incomplete: {len(whole) - LIMIT} bytes could not be written" in result.error
    assert (harness.cwd / "done").exists()


async def test_what_a_short_shortage_held_back_is_written(harness: Harness) -> None:
    request = start_limited(harness, "seq 1 20000; touch printed; while [ ! -e go ]; do sleep 0.05; done; echo end")
    wait_until(lambda: (harness.cwd / "printed").exists())
    full(request.directory)
    lift(request.directory)
    (harness.cwd / "go").touch()
    result = await finished(harness, request.directory)
    assert output(request.directory) == b"".join(b"%d\n" % n for n in range(1, 20001)) + b"end\n"
    assert result.error == ""


async def test_a_gap_is_marked_and_the_end_is_there(harness: Harness) -> None:
    request = start_limited(harness, "seq 1 100000; touch printed; while [ ! -e go ]; do sleep 0.05; done; echo end")
    wait_until(lambda: (harness.cwd / "printed").exists())
    full(request.directory)
    lift(request.directory)
    wait_until(lambda: len(output(request.directory)) > LIMIT + BACKLOG)
    (harness.cwd / "go").touch()
    result = await finished(harness, request.directory)
    whole = b"".join(b"%d\n" % n for n in range(1, 100001))
    missing = len(whole) - LIMIT - BACKLOG
    note = b"\n[migconsole: %d bytes of output are missing here: File too large]\n" % missing
    assert output(request.directory) == whole[:LIMIT] + note + whole[-BACKLOG:] + b"end\n"
    assert f"incomplete: {missing} bytes" in result.error
    assert result.sha256 == hashlib.sha256(output(request.directory)).hexdigest()


async def test_stderr_marks_stay_right_around_a_gap(harness: Harness) -> None:
    script = "seq 1 30000 >&2; touch printed; while [ ! -e go ]; do sleep 0.05; done; echo out; sleep 0.1; echo err >&2"
    request = start_limited(harness, script, tty=False)
    wait_until(lambda: (harness.cwd / "printed").exists())
    full(request.directory)
    lift(request.directory)
    (harness.cwd / "go").touch()
    await finished(harness, request.directory)
    view = FileOutput(request.directory / files.OUTPUT)
    while view.grow() or not view.complete:
        pass
    plain = [view.line(n) for n in range(len(view)) if not view.is_stderr(n)]
    view.close()
    assert plain == [b"out"]
    assert (request.directory / output_marks.STDERR_NAME).stat().st_size % 16 == 0


async def without_room(harness: Harness) -> Path:
    """A job whose command has ended and whose runner cannot write the result."""
    directory = await harness.start("while [ ! -e go ]; do sleep 0.05; done; exit 4")
    wait_until(lambda: processes_of(directory))
    limit(directory, 0)
    (harness.cwd / "go").touch()
    wait_until(lambda: not processes_of(directory))
    assert harness.jobs.probe(directory).phase is JobPhase.RUNNING
    return directory


async def test_a_result_that_cannot_be_written_is_tried_until_it_can(harness: Harness) -> None:
    directory = await without_room(harness)
    lift(directory)
    assert (await finished(harness, directory)).exit_code == 4


@pytest.mark.parametrize("rung", [StopRung.TERMINATE, StopRung.KILL])
async def test_a_runner_that_waits_for_room_can_be_told_to_end(harness: Harness, rung: StopRung) -> None:
    directory = await without_room(harness)
    await harness.jobs.stop(directory, rung)
    status = await harness.jobs.wait(directory)
    assert status.phase is JobPhase.LOST
    assert "none of its processes is left" in status.reason


async def test_a_full_disk_under_the_run_hides_nothing(harness: Harness, small_disk: Path) -> None:
    harness.run = small_disk / "run"
    request = harness.request("while [ ! -e go ]; do sleep 0.05; done; seq 1 100000; exit 6")
    await harness.jobs.start(request)
    wait_until(lambda: (request.directory / files.JOB).exists())
    fill(small_disk)
    (harness.cwd / "go").touch()
    result = await finished(harness, request.directory)
    assert result.exit_code == 6
    assert "No space left on device" in result.error
    assert result.size == len(output(request.directory))


async def test_nothing_starts_on_a_full_disk(harness: Harness, small_disk: Path) -> None:
    harness.run = small_disk / "run"
    request = harness.request("touch executed")
    request.directory.mkdir(parents=True)
    fill(small_disk)
    with pytest.raises(MigconsoleError, match="cannot be written") as caught:
        await harness.jobs.start(request)
    assert "No space left" in caught.value.detail
    assert not (harness.cwd / "executed").exists()
    (small_disk / "filler").unlink()
    await harness.jobs.stop(request.directory, StopRung.KILL)


async def test_a_runner_without_room_executes_nothing(harness: Harness, small_disk: Path) -> None:
    harness.run = small_disk / "run"
    request = harness.request("touch executed")
    harness.jobs._write_request(request, {}, [])
    fill(small_disk)
    answer, _ = harness.jobs._spawn(request.directory, {})
    assert answer is not None
    assert "No space left" in answer["error"]
    assert harness.jobs.probe(request.directory).phase is JobPhase.NOT_STARTED
    assert not (harness.cwd / "executed").exists()


def fill(place: Path) -> None:
    """Write until not one more byte fits."""
    with open(place / "filler", "wb", buffering=0) as file:
        for size in (64 * 1024, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    assert os.statvfs(place).f_bavail == 0
