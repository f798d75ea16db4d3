"""Which processes belong to a job, and how all of them are signalled.

A job's processes are found three ways, because each alone misses some: as descendants of its runner (which adopts
orphans), as members of its session (also after the runner's death), and by the job's token in their environment (also
when they made sessions of their own and the runner is gone). What cleans its environment, makes its own session and
outlives a killed runner cannot be found.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

from migconsole.adapters import processes
from migconsole.adapters.jobs.files import MARKER

_KILL_ROUNDS = 50
_KILL_PAUSE = 0.01


def members(claim: Mapping[str, Any]) -> list[psutil.Process]:
    """Every living process of the job except its runner, parents before children; never this one or its ancestors."""
    if claim.get("boot") != processes.boot_id():
        return []
    runner, token = int(claim["pid"]), f"{MARKER}={claim['token']}".encode()
    runner_lives = processes.start_time(runner) == claim["started"]
    excluded = {runner, os.getpid(), *(parent.pid for parent in _ancestors())}
    children: dict[int, list[psutil.Process]] = {}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            children.setdefault(process.ppid(), []).append(process)
            if process.pid not in excluded and _is_member(process.pid, runner, float(claim["started"]), token):
                found[process.pid] = process
    waiting = [runner, *found] if runner_lives else list(found)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child.pid not in found and child.pid not in excluded:
                found[child.pid] = child
                waiting.append(child.pid)
    return [process for process in sorted(found.values(), key=_age) if processes.start_time(process.pid) is not None]


def signal_members(claim: Mapping[str, Any], number: signal.Signals) -> int:
    """Signal every process of the job, each only if it is still the one that was found; returns how many.

    SIGKILL goes round until none is left, because a process may fork while the others are being killed. Any other
    signal is sent once to each, and to what was started meanwhile.
    """
    reached: set[tuple[int, float | None]] = set()
    for _ in range(_KILL_ROUNDS):
        fresh = [p for p in members(claim) if (p.pid, processes.start_time(p.pid)) not in reached]
        if not fresh:
            break
        for process in fresh:
            identity = (process.pid, processes.start_time(process.pid))
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
            reached.add(identity)
        if number == signal.SIGKILL:
            time.sleep(_KILL_PAUSE)
        elif number == signal.SIGWINCH:
            break
    return len(reached)


def describe(found: Sequence[psutil.Process]) -> str:
    """``bash (4711), psql (4712)``: names and pids; arguments stay out, they may hold anything."""
    parts = []
    for process in found:
        with contextlib.suppress(psutil.Error):
            parts.append(f"{process.name()} ({process.pid})")
    return ", ".join(parts)


def _is_member(pid: int, session: int, since: float, token: bytes) -> bool:
    with contextlib.suppress(OSError):
        if os.getsid(pid) == session and (processes.start_time(pid) or 0.0) >= since:
            return True
    return _environment_has(pid, token)


def _environment_has(pid: int, token: bytes) -> bool:
    """Whether the environment the process was started with holds ``token``; False where it may not be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return token in file.read().split(b"\0")
    except OSError:
        return False


def _ancestors() -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process().parents()
    return []


def _age(process: psutil.Process) -> tuple[float, int]:
    return processes.start_time(process.pid) or 0.0, process.pid
