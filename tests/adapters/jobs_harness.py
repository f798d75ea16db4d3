"""Real jobs for tests: requests in a run directory of their own, and nothing left running afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil

from migconsole.adapters import processes
from migconsole.adapters.jobs import files
from migconsole.adapters.jobs.detached import DetachedJobs
from migconsole.engine.ports import JobRequest, JobStatus
from tests.waiting import wait_until

SPAWNER = """
import asyncio, json, os, resource, signal, sys
from pathlib import Path
from migconsole.adapters.jobs.detached import DetachedJobs
from migconsole.engine.ports import JobRequest
options = json.load(sys.stdin)
if options["file_limit"] is not None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (options["file_limit"], resource.RLIM_INFINITY))
if options["terminal"] is not None:
    import fcntl, termios
    fcntl.ioctl(options["terminal"], termios.TIOCSCTTY, 0)
if options["ignore"]:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
data = options["request"]
request = JobRequest(**data | {"directory": Path(data["directory"]), "cwd": Path(data["cwd"])})
status = asyncio.run(DetachedJobs().start(request))
print(status.phase.value, flush=True)
if options["stay"]:
    signal.pause()
"""


class Harness:
    """Makes requests, starts them, and ends whatever is left."""

    def __init__(self, path: Path) -> None:
        self.run = path / "run"
        self.cwd = path
        self.jobs = DetachedJobs()
        self._made: list[Path] = []
        self._spawners: list[subprocess.Popen[bytes]] = []

    def request(self, script: str, **changes: Any) -> JobRequest:
        number = len(self._made) + 1
        directory = self.run / "jobs" / "item" / str(number)
        self._made.append(directory)
        request = JobRequest(
            run_id="r1",
            item="item",
            attempt=number,
            directory=directory,
            script=script,
            cwd=self.cwd,
            app_name="mc/r1/abcdef01",
        )
        return replace(request, **changes)

    async def start(self, script: str, **changes: Any) -> Path:
        request = self.request(script, **changes)
        await self.jobs.start(request)
        return request.directory

    async def finish(self, script: str, **changes: Any) -> tuple[JobStatus, bytes]:
        directory = await self.start(script, **changes)
        status = await self.jobs.wait(directory)
        return status, output(directory)

    def spawner(
        self,
        request: JobRequest,
        *,
        stay: bool = True,
        expect: bool = True,
        file_limit: int | None = None,
        ignore_interrupt: bool = False,
        terminal: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Another process that starts the job, as a console does, and stays until it is killed.

        ``expect``: return once the job has started; ``terminal``: its controlling terminal.
        """
        data = asdict(request) | {"directory": str(request.directory), "cwd": str(request.cwd)}
        options = {"request": data, "stay": stay, "file_limit": file_limit, "ignore": ignore_interrupt}
        options["terminal"] = terminal
        process = subprocess.Popen(
            [sys.executable, "-c", SPAWNER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=() if terminal is None else (terminal,),
            start_new_session=terminal is not None,
        )
        self._spawners.append(process)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(options).encode())
        process.stdin.close()
        if expect:
            assert process.stdout.readline()
        return process

    def close(self) -> None:
        for process in self._spawners:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        for directory in self._made:
            claim = read(directory / files.CLAIM)
            if claim.get("by") != "runner":
                continue
            for process in runner_of(directory):
                end(process)
            for process in processes_of(directory):
                end(process)


def end(process: psutil.Process) -> None:
    """Kill a process and wait until it is gone."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
    wait_until(lambda: processes.start_time(process.pid) is None)


def read(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return data


def output(directory: Path) -> bytes:
    try:
        return (directory / files.OUTPUT).read_bytes()
    except OSError:
        return b""


def prints(directory: Path, text: bytes, timeout: float = 10.0) -> None:
    """Wait until the output holds ``text``."""
    wait_until(lambda: text in output(directory), timeout, f"{text!r} in the output")


def runner_of(directory: Path) -> list[psutil.Process]:
    """The runner, when it lives."""
    claim = read(directory / files.CLAIM)
    try:
        process = psutil.Process(claim["pid"])
        return [process] if str(directory) in process.cmdline() else []
    except (KeyError, TypeError, psutil.Error):
        return []


def processes_of(directory: Path) -> list[psutil.Process]:
    """The job's processes as the kernel knows them by the token: found without the code that is tested."""
    token = f"{files.MARKER}={read(directory / files.CLAIM).get('token')}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if token in (path / "environ").read_bytes().split(b"\0"):
                process = psutil.Process(int(path.name))
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


def kill(victims: Sequence[psutil.Process]) -> None:
    for process in victims:
        os.kill(process.pid, signal.SIGKILL)


def proc(pid: int, name: str) -> bytes:
    """A file of ``/proc/PID``, as another process sees it."""
    return Path(f"/proc/{pid}/{name}").read_bytes()
