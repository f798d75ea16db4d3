"""Starting, finding again, following and stopping detached jobs; whether this console started them does not matter."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from migconsole.adapters import processes
from migconsole.adapters.jobs import files, tree
from migconsole.domain.secrets import Secrets
from migconsole.engine.ports import JobPhase, JobRequest, JobResult, JobStatus, StopRung
from migconsole.errors import MigconsoleError, UsageError

START_LIMIT = 30.0
"""Seconds a runner has to claim its attempt, on the slowest of hosts, before the attempt is revoked."""

_RUNNER_VARIABLES = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_SHORT_SECRET = 8
_FIRST_LOOK, _LAST_LOOK = 0.02, 0.1
_RUNNER_GRACE = 2.0
_SIGNALS = {
    StopRung.INTERRUPT: signal.SIGINT,
    StopRung.TERMINATE: signal.SIGTERM,
    StopRung.KILL: signal.SIGKILL,
}


class DetachedJobs:
    """``engine.ports.Jobs`` on this host: one runner process per attempt, known by the files in its directory."""

    def __init__(self, *, python: str = sys.executable) -> None:
        self._python = python

    async def start(self, request: JobRequest) -> JobStatus:
        """Write the request, spawn the runner and return once it has claimed the attempt.

        Raises UsageError when the script holds a secret, MigconsoleError when the runner could not be started; then
        the attempt is revoked: nothing of it was executed, nor ever will be.
        """
        return await asyncio.to_thread(self._start, request)

    def probe(self, directory: Path) -> JobStatus:
        """Read a job's state; what is torn, foreign or gone is LOST with the reason and the processes that remain."""
        try:
            return _probe(directory)
        except (OSError, ValueError, KeyError, TypeError) as error:
            return JobStatus(JobPhase.LOST, reason=f"the job's files cannot be read: {error}")

    async def wait(self, directory: Path) -> JobStatus:
        """Look every tenth of a second until the job is no longer running."""
        pause = _FIRST_LOOK
        while (status := await asyncio.to_thread(self.probe, directory)).phase is JobPhase.RUNNING:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LAST_LOOK)
        return status

    async def stop(self, directory: Path, rung: StopRung) -> None:
        """Signal the whole process tree, survivors of an ended job too; the runner notes it in the result.

        ``CANCEL_BACKEND`` is only noted: the server is asked by whoever holds a connection. A runner that has nobody
        left to signal, because it waits for room to write the result, is itself told to end by the last two rungs.
        """
        await asyncio.to_thread(_stop, directory, rung)

    async def revoke(self, directory: Path) -> bool:
        """Take the claim of an attempt that never started; True also when it was revoked before."""
        return await asyncio.to_thread(_revoke, directory)

    async def resize(self, directory: Path, rows: int, columns: int) -> None:
        """Give the job's terminal a new size; nothing happens where there is no runner any more."""
        _order(directory, {"order": "resize", "rows": rows, "columns": columns})

    def _start(self, request: JobRequest) -> JobStatus:
        secrets = _secrets_of(request)
        whole = Secrets(v for v in request.secrets.values() if len(v) >= _SHORT_SECRET and v not in _names(request))
        words = "\0".join((request.script, *_texts(request.arguments)))
        if whole.redact(words) != words:
            raise UsageError(
                "The command holds a secret",
                "Every user of this host can read the arguments of a running command.",
                "Let the command read it from its environment, as $NAME; a built-in job takes it from there by itself.",
            )
        written = {name: v for name, v in request.environment.items() if secrets.redact(v) == v}
        hidden = {name: v for name, v in request.environment.items() if name not in written}
        self._write_request(request, written, sorted({*hidden, *request.secrets}))
        handed = {
            "inherited": dict(os.environ),
            "environment": hidden,
            "secrets": dict(request.secrets),
            "masks": list(request.masks),
        }
        answer, complaint = self._spawn(request.directory, handed)
        if answer is not None and "claimed" in answer:
            return self.probe(request.directory)
        if answer is None and not _revoke(request.directory):
            return self.probe(request.directory)
        if answer is not None:
            with contextlib.suppress(MigconsoleError):
                _revoke(request.directory)
        raise MigconsoleError(
            "The job could not be started",
            secrets.redact(str((answer or {}).get("error") or complaint)),
            f"Nothing was executed. See {request.directory / files.RUNNER_LOG}; when the cause is gone, run it again.",
        )

    def _write_request(self, request: JobRequest, environment: Mapping[str, str], hidden: list[str]) -> None:
        data = {
            "kind": request.kind,
            "run_id": request.run_id,
            "item": request.item,
            "attempt": request.attempt,
            "script": request.script,
            "cwd": str(request.cwd),
            "app_name": request.app_name,
            "danger": request.danger,
            "environment": environment,
            "secret_names": hidden,
            "tty": request.tty,
            "rows": request.rows,
            "columns": request.columns,
            "timeout": request.timeout,
            "arguments": dict(request.arguments),
            "run": request.run,
        }
        try:
            request.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.write_new(request.directory / files.REQUEST, data)
        except FileExistsError as error:
            raise MigconsoleError(
                "This attempt was started before", str(request.directory), "Start a new attempt of the item."
            ) from error
        except OSError as error:
            raise MigconsoleError(
                "The job's request cannot be written",
                f"{request.directory}: {error.strerror}",
                "Nothing was executed. Make room or mend the permissions of the state directory, then run it again.",
            ) from error

    def _spawn(self, directory: Path, handed: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
        """Start a runner and hand it what must not be written down; return its answer and why there is none.

        The runner leaves our family at once, so there is nothing to collect later, and nothing in its own
        environment that a secret could be read from.
        """
        allowed = {
            name: value
            for name, value in os.environ.items()
            if name in _RUNNER_VARIABLES or name.startswith(("LC_", "PYTHON"))
        }
        log = os.open(directory / files.RUNNER_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = subprocess.Popen(
                [self._python, "-P", "-m", "migconsole.jobs.runner", str(directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=allowed,
                start_new_session=True,
            )
        except OSError as error:
            return {"error": f"{self._python}: {error.strerror}"}, ""
        finally:
            os.close(log)
        with process:
            try:
                raw, _ = process.communicate(json.dumps(handed).encode(), timeout=START_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                return None, f"the runner did not claim the attempt within {START_LIMIT:.0f} s"
        try:
            answer = json.loads(raw)
        except ValueError:
            return None, f"the runner ended with {process.returncode} before it claimed the attempt"
        return (answer if isinstance(answer, dict) else None), ""


def _probe(directory: Path) -> JobStatus:
    claim = files.read_json(directory / files.CLAIM)
    if claim is None:
        return JobStatus(JobPhase.NOT_STARTED)
    if claim["by"] != "runner":
        return JobStatus(JobPhase.REVOKED, reason=str(claim.get("reason", "")))
    pid, child = int(claim["pid"]), _child_pid(directory, claim)
    lives = processes.alive(pid, float(claim["started"]), str(claim["boot"]))
    # In this order: a runner that ends after the first question has written its result before the second.
    result = _result(directory, claim)
    if isinstance(result, JobResult):
        remaining = _remaining(claim) if result.survivors else ()
        return JobStatus(JobPhase.FINISHED, pid, child, result, processes=remaining)
    if result:
        return JobStatus(JobPhase.LOST, pid, child, reason=result, processes=_remaining(claim))
    if lives:
        return JobStatus(JobPhase.RUNNING, pid, child)
    if claim["boot"] != processes.boot_id():
        return JobStatus(JobPhase.LOST, pid, child, reason="the host was rebooted while it ran")
    found = tree.members(claim)
    reason = "its runner is gone without a result; " + (
        f"still running: {tree.describe(found)}" if found else "none of its processes is left"
    )
    return JobStatus(JobPhase.LOST, pid, child, reason=reason, processes=tuple(p.pid for p in found))


def _remaining(claim: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(process.pid for process in tree.members(claim))


def _child_pid(directory: Path, claim: Mapping[str, Any]) -> int | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        job = files.read_json(directory / files.JOB)
        if job is not None and job["token"] == claim["token"]:
            return int(job["pid"])
    return None


def _result(directory: Path, claim: Mapping[str, Any]) -> JobResult | str | None:
    """The result, None while there is none, or in words why the file is not believed."""
    try:
        data = files.read_json(directory / files.RESULT)
    except (OSError, ValueError):
        return "its result file is torn"
    if data is None:
        return None
    if data.get("token") != claim["token"]:
        return "its result file belongs to another job"
    try:
        values = {f.name: data[f.name] for f in fields(JobResult)}
        result = JobResult(**values | {"survivors": tuple(values["survivors"])})
    except KeyError as error:
        return f"its result file is incomplete: {error} is missing"
    if (result.exit_code is None) == (result.signal is None) and not result.error:
        return "its result file says neither how it ended nor why it did not begin"
    return result


def _stop(directory: Path, rung: StopRung) -> None:
    _order(directory, {"order": "stopping", "rung": rung.value})
    number = _SIGNALS.get(rung)
    try:
        claim = files.read_json(directory / files.CLAIM)
        if number is None or claim is None or claim["by"] != "runner":
            return
        if not tree.signal_members(claim, number) and rung in (StopRung.TERMINATE, StopRung.KILL):
            _end_runner(directory, claim, forcibly=rung is StopRung.KILL)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MigconsoleError(
            "The job's processes cannot be found", f"{directory / files.CLAIM}: {error}", "Look for them with ps."
        ) from error


def _end_runner(directory: Path, claim: Mapping[str, Any], *, forcibly: bool) -> None:
    """Tell a runner without processes to end; kill it only when it neither ends nor writes its result."""
    pid, started, boot = int(claim["pid"]), float(claim["started"]), str(claim["boot"])
    for number in (signal.SIGTERM, *((signal.SIGKILL,) if forcibly else ())):
        if (directory / files.RESULT).exists() or not processes.alive(pid, started, boot):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        until = time.monotonic() + (_RUNNER_GRACE if forcibly else 0.0)
        while time.monotonic() < until and processes.alive(pid, started, boot):
            time.sleep(_FIRST_LOOK)


def _revoke(directory: Path) -> bool:
    try:
        if files.claim(directory, {"by": "console", "pid": os.getpid(), "boot": processes.boot_id()}):
            return True
        existing = files.read_json(directory / files.CLAIM) or {}
    except (OSError, ValueError) as error:
        raise MigconsoleError(
            "The attempt cannot be revoked", f"{directory}: {error}", "Whether it started is not known: look at it."
        ) from error
    return bool(existing.get("by") == "console")


def _order(directory: Path, order: Mapping[str, Any]) -> None:
    """Write one line to the runner's pipe; short lines arrive whole. Nobody reads it when there is no runner."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory / files.CONTROL, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(descriptor, json.dumps(order).encode() + b"\n")
        finally:
            os.close(descriptor)


def _texts(value: Any) -> Iterator[str]:
    """Every text in the arguments of a built-in job, which become words of a command line."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    else:
        yield str(value)


def _names(request: JobRequest) -> set[str]:
    return {request.environment.get(name, "") for name in ("PGHOST", "PGDATABASE", "PGUSER")}


def _secrets_of(request: JobRequest) -> Secrets:
    return Secrets([*request.secrets.values(), *request.masks], names=_names(request))
