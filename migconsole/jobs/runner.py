"""The detached process that carries out one attempt: ``python -m migconsole.jobs.runner DIRECTORY``.

It outlives the console that started it. It takes secrets from its standard input, claims the attempt, executes the
command, records the masked output and writes ``result.json`` last. It reports to its starter on standard output, one
line of JSON, whether it has the claim; everything else is in the files (see ``migconsole.adapters.jobs.files``).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migconsole.adapters import processes
from migconsole.adapters.jobs import files
from migconsole.domain.secrets import Secrets
from migconsole.jobs.child import Child, StartError, start
from migconsole.jobs.commands import COMMANDS
from migconsole.jobs.environment import FILES, child_environment
from migconsole.jobs.recorder import Channel, Recorder
from migconsole.jobs.watch import Watch

_PR_SET_CHILD_SUBREAPER = 36
_RESULT_RETRY = 0.5


class Runner:
    """One attempt from claim to result."""

    def __init__(self, directory: Path, request: Mapping[str, Any], handed: Mapping[str, Any]) -> None:
        self._directory = directory
        self._request = request
        self._inherited: Mapping[str, str] = handed.get("inherited") or dict(os.environ)
        self._additions = {**(request.get("environment") or {}), **(handed.get("environment") or {})}
        self._secret_values: Mapping[str, str] = handed.get("secrets") or {}
        self._secrets = _secrets_of(self._additions, self._secret_values, handed.get("masks") or ())
        self._claim = {
            "by": "runner",
            "pid": os.getpid(),
            "started": processes.start_time(os.getpid()),
            "boot": processes.boot_id(),
            "token": os.urandom(8).hex(),
            "at": _now(),
        }
        self._recorder: Recorder
        self._reserved: Path

    def claim(self) -> bool:
        """Take the attempt, and before that its files and room for the result; False when somebody else has it.

        Raises OSError when there is no room: what cannot be recorded is not executed.
        """
        self._reserved = files.reserve(self._directory / files.RESULT)
        self._recorder = Recorder(self._directory, files.OUTPUT)
        return files.claim(self._directory, self._claim)

    def run(self) -> None:
        """Execute, record, and write the result; stays until every process of the job is gone."""
        panic = files.run_directory(self._directory) / files.PANIC
        recorder = self._recorder
        began, started = time.monotonic(), _now()
        try:
            if panic.exists():
                raise StartError(f"nothing was executed: a {files.PANIC} file lies in the run directory")
            control = self._control()
            child = self._start()
        except (StartError, OSError) as error:
            recorder.close()
            outcome = self._outcome(started, began, recorder, error=str(error))
            self._conclude(outcome, None)
            return
        self._note_child(child)
        by_line = len(child.streams) > 1
        channels = [
            Channel(recorder, self._secrets, stderr=index == 1, by_line=by_line) for index in range(len(child.streams))
        ]
        limit = self._request.get("timeout") if self._request.get("danger") == "read" else None
        watch = Watch(self._claim, child, channels, recorder, control, panic, limit)
        code = watch.until_ended()
        ended, duration = watch.ended_at, watch.ended - child.began
        recorder.close()
        survivors = watch.survivors()
        outcome = self._outcome(started, began, recorder, error=recorder.error)
        outcome |= {
            "started": child.started,
            "exit_code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "ended": ended,
            "duration": duration,
            "masked": sum(channel.hits for channel in channels),
            "timed_out": watch.timed_out,
            "stopped_by": watch.stopped_by,
            "survivors": survivors,
        }
        self._conclude(outcome, watch)
        if survivors:
            watch.keep(Recorder(self._directory, files.LATE_OUTPUT, indexed=False), self._secrets)

    def _control(self) -> int:
        """Open the named pipe for reading; for writing too, so that it never ends when a console closes it."""
        path = self._directory / files.CONTROL
        os.mkfifo(path, 0o600)
        return os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def _start(self) -> Child:
        request = self._request
        kind = str(request.get("kind", "shell"))
        build = COMMANDS.get(kind)
        if build is None:
            raise StartError(f"this version cannot run jobs of the kind {kind}")
        try:
            words = build(request)
        except ValueError as error:
            raise StartError(str(error)) from error
        for name, content in FILES.items():
            descriptor = os.open(self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(content)
        environment = child_environment(
            self._inherited,
            directory=self._directory,
            app_name=str(request["app_name"]),
            token=str(self._claim["token"]),
            additions=self._additions,
            secrets=self._secret_values,
            built_in=kind != "shell",
        )
        return start(
            words,
            environment=environment,
            cwd=str(request["cwd"]),
            tty=bool(request.get("tty", True)),
            rows=int(request.get("rows", 40)),
            columns=int(request.get("columns", 120)),
        )

    def _note_child(self, child: Child) -> None:
        """Name the command's process. Nothing hangs on it, processes are found without the file: it is not synced."""
        data = {"token": self._claim["token"], "pid": child.pid, "started": processes.start_time(child.pid)}
        with contextlib.suppress(OSError):
            files.write_atomic(self._directory / files.JOB, data, durable=False)

    def _outcome(self, started: str, began: float, recorder: Recorder, *, error: str) -> dict[str, Any]:
        return {
            "token": self._claim["token"],
            "exit_code": None,
            "signal": None,
            "started": started,
            "ended": _now(),
            "duration": time.monotonic() - began,
            "size": recorder.size,
            "sha256": recorder.sha256,
            "masked": 0,
            "timed_out": False,
            "stopped_by": "",
            "error": self._secrets.redact(error),
            "survivors": [],
        }

    def _conclude(self, outcome: Mapping[str, Any], watch: Watch | None) -> None:
        """Write the result, again and again until it is written, the runner is told to end, or the folder is gone."""
        with contextlib.suppress(OSError):
            files.sync_file(self._directory / files.REQUEST)
        while True:
            try:
                files.write_atomic(self._directory / files.RESULT, outcome, reserved=self._reserved)
            except OSError:
                if not self._directory.is_dir():
                    return
                if watch is None:
                    time.sleep(_RESULT_RETRY)
                elif watch.pause(_RESULT_RETRY):
                    return
            else:
                with contextlib.suppress(OSError):
                    (self._directory / files.CONTROL).unlink()
                return


def _secrets_of(additions: Mapping[str, str], values: Mapping[str, str], masks: Iterable[str]) -> Secrets:
    secrets = Secrets(masks, names=[additions.get(name, "") for name in ("PGHOST", "PGDATABASE", "PGUSER")])
    for name, value in values.items():
        secrets.add(value)
        if name == "PGPASSWORD":
            secrets.add_password(value)
    return secrets


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (Linux): none gets out of sight."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _detach() -> None:
    """Leave the starter's session and family: what happens to it, or to its terminal, does not reach this process."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.fork():
        os._exit(0)
    os.setsid()


def _report(descriptor: int, message: Mapping[str, Any]) -> None:
    """Answer the starter, if it is still there, and close the line."""
    with contextlib.suppress(OSError):
        os.write(descriptor, json.dumps(message).encode() + b"\n")
    os.close(descriptor)


def main(arguments: list[str]) -> None:
    """Run the attempt that a directory describes, detached."""
    directory = Path(arguments[0]).absolute()
    handed = json.loads(sys.stdin.buffer.read() or b"{}")
    answer = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    _detach()
    try:
        request = files.read_json(directory / files.REQUEST)
        if request is None:
            raise FileNotFoundError(f"{files.REQUEST} is missing")
        runner = Runner(directory, request, handed)
        claimed = runner.claim()
    except Exception as error:
        _report(answer, {"error": f"{type(error).__name__}: {error}"})
        raise
    _report(answer, {"claimed": claimed})
    if claimed:
        _adopt_orphans()
        runner.run()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
