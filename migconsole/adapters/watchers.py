"""The watcher of a run as a process: one at most, found by a lock file, started detached by whoever misses it.

The lock is the kernel's, on ``watcher.lock`` in the run directory: it ends with the process however that ends. What the
file says (pid, start time, boot) is for people and for consoles that only look.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migconsole.adapters import processes
from migconsole.errors import MigconsoleError

LOCK = "watcher.lock"
LOG = "watcher.log"
RETRY = "watcher.retry"
"""A file of this name asks the watcher to try refused probes again; it removes it."""

START_LIMIT = 30.0
"""Seconds a watcher has to say that it samples, or why it does not, on the slowest of hosts."""

_KEPT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class WatcherLock:
    """Taken by a watcher for as long as it lives."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK
        self._descriptor: int | None = None
        self._inode = 0

    def take(self) -> bool:
        """Become the run's watcher; False when there is one. Raises OSError."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        pid = os.getpid()
        identity = {"pid": pid, "started": processes.start_time(pid) or 0.0, "boot": processes.boot_id()}
        raw = json.dumps(identity).encode()
        os.pwrite(descriptor, raw, 0)
        os.ftruncate(descriptor, len(raw))
        self._descriptor, self._inode = descriptor, os.fstat(descriptor).st_ino
        return True

    def lost(self) -> bool:
        """Whether the run directory, or the lock in it, is not the one any more that was taken."""
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return True

    def release(self) -> None:
        """Let the next watcher begin."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def running(directory: Path) -> int | None:
    """The pid of the run's watcher, None when none lives. Never raises."""
    try:
        found = json.loads((directory / LOCK).read_bytes())
        pid = int(found["pid"])
        return pid if processes.alive(pid, float(found["started"]), str(found["boot"])) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ask_to_retry(directory: Path) -> None:
    """Have refused probes tried again. Raises OSError."""
    os.close(os.open(directory / RETRY, os.O_WRONLY | os.O_CREAT, 0o600))


def asked_to_retry(directory: Path) -> bool:
    """Whether somebody did since the last call."""
    try:
        (directory / RETRY).unlink()
    except OSError:
        return False
    return True


def spawn(directory: Path, handed: Mapping[str, Any], *, python: str = sys.executable) -> int:
    """Start a watcher in a session of its own and return its pid once it samples, or that of the one that does.

    ``handed`` goes through a pipe, so that nothing of it is in arguments or in an environment that others can read.
    Raises MigconsoleError with the watcher's own reason when it does not start.
    """
    allowed = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(("LC_", "PYTHON"))}
    try:
        log = os.open(directory / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = subprocess.Popen(
                [python, "-P", "-m", "migconsole", "watch", str(directory), "--background", "--handed"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd="/",
                env=allowed,
                start_new_session=True,
            )
        finally:
            os.close(log)
    except OSError as error:
        raise _not_started(directory, str(error)) from error
    try:
        raw, _ = process.communicate(json.dumps(handed).encode(), timeout=START_LIMIT)
        answer = json.loads(raw)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise _not_started(directory, f"it said nothing within {START_LIMIT:.0f} s") from None
    except ValueError:
        raise _not_started(directory, f"it ended with {process.wait()}") from None
    if "pid" not in answer:
        process.wait()
        raise MigconsoleError(
            str(answer.get("title", "")), str(answer.get("detail", "")), str(answer.get("remedy", ""))
        )
    return int(answer["pid"])


def _not_started(directory: Path, detail: str) -> MigconsoleError:
    return MigconsoleError("The health watcher could not be started", detail, f"See {directory / LOG}.")
