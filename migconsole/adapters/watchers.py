"""The watcher of a run as a process: one at most, found by a lock file, started detached by whoever misses it.

The lock is the kernel's, on ``watcher.lock`` in the run directory: it ends with the process however that ends. What the
file says (pid, start time, boot) is for people and for consoles that only look.

**Standing down.** A database cannot be fenced, renamed, dropped or used as a template while a session is in it. A job
that is about to do so asks the watcher to leave the target, and to come back afterwards::

    with watchers.stood_down(run_directory, "the swap"):     # or stand_down(...) and stand_up(...)
        ...                                                  # the watcher has no session in the target

It is one mechanism, made of files in the run directory: the job writes ``watcher.away.<pid>``, the watcher ends its
session (cutting short what that is doing), writes ``watcher.left.<pid>`` with the same token, and comes back when the
request is gone. The request of a process that died counts as gone, so nobody cleans up after a kill. The server is
watched on meanwhile, from the maintenance database. ``stand_down`` waits for at most ``LEAVING_LIMIT`` seconds and says
whether the target is known to be free of the watcher; a False is no reason to stop: whoever fences a database ends its
sessions anyway, and the watcher's is one of them. Both calls block (asyncio: ``asyncio.to_thread``).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from migconsole.adapters import processes
from migconsole.adapters.jobs.files import write_atomic
from migconsole.errors import MigconsoleError

LOCK = "watcher.lock"
LOG = "watcher.log"
RETRY = "watcher.retry"
"""A file of this name asks the watcher to try refused probes again; it removes it."""

AWAY = "watcher.away."
LEFT = "watcher.left."
"""Request and answer of ``stand_down``, each followed by the pid of whoever asks."""

LEAVING_LIMIT = 3.0
"""Seconds a job waits for the watcher to leave the target: it looks for requests five times a second."""

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


class Place:
    """``engine.watched_run.Place``: what is said to a watcher in its run directory, and what it answers there."""

    def __init__(self, directory: Path, lock: WatcherLock) -> None:
        self._directory = directory
        self._lock = lock

    def gone(self) -> bool:
        """Whether it does not exist any more, or is another one."""
        return self._lock.lost()

    def asked_to_retry(self) -> bool:
        """Whether a console asked for refused probes."""
        return asked_to_retry(self._directory)

    def asked_to_leave(self) -> Mapping[str, str]:
        """Jobs that need the target to themselves."""
        return asked_to_leave(self._directory)

    def has_left(self, requests: Iterable[str]) -> None:
        """Answer them."""
        has_left(self._directory, requests)


def running(directory: Path) -> int | None:
    """The pid of the run's watcher, None when none lives. Never raises."""
    try:
        found = json.loads((directory / LOCK).read_bytes())
        pid = int(found["pid"])
        return pid if processes.alive(pid, float(found["started"]), str(found["boot"])) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def end(directory: Path, patience: float = 5.0) -> None:
    """End the run's watcher, if one lives: in order, and by force after ``patience`` seconds. Never raises."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = running(directory)
        if pid is None:
            return
        with contextlib.suppress(OSError):
            os.kill(pid, number)
        until = time.monotonic() + patience
        while running(directory) is not None and time.monotonic() < until:
            time.sleep(0.02)


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


def stand_down(directory: Path, reason: str, limit: float = LEAVING_LIMIT) -> bool:
    """Ask the run's watcher to leave the target; whether it is known to have done so. See the module's text.

    True at once where no watcher lives: one that begins meanwhile stays out. Raises OSError where the run directory
    cannot be written.
    """
    request, answer = _stand_down_files(directory)
    pid, token = os.getpid(), secrets.token_hex(8)
    identity = {"pid": pid, "started": processes.start_time(pid) or 0.0, "boot": processes.boot_id()}
    write_atomic(request, {**identity, "token": token, "reason": reason}, durable=False)
    until = time.monotonic() + limit
    while running(directory) is not None:
        if _loaded(answer).get("token") == token:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)
    return True


def stand_up(directory: Path) -> None:
    """Let the watcher come back into the target. Never raises; without a ``stand_down`` nothing happens."""
    for path in _stand_down_files(directory):
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def stood_down(directory: Path, reason: str, limit: float = LEAVING_LIMIT) -> Iterator[bool]:
    """``stand_down`` for the length of a block, which is told what it returned."""
    try:
        yield stand_down(directory, reason, limit)
    finally:
        stand_up(directory)


def asked_to_leave(directory: Path) -> dict[str, str]:
    """The watcher's side: who asks it to leave the target (the file's name), and why. Never raises."""
    wanted: dict[str, str] = {}
    try:
        names = [name for name in os.listdir(directory) if name.startswith(AWAY) and name[len(AWAY) :].isdigit()]
    except OSError:
        return {}
    for name in names:
        found = _loaded(directory / name)
        try:
            lives = processes.alive(int(found["pid"]), float(found["started"]), str(found["boot"]))
        except (KeyError, TypeError, ValueError):
            continue
        if lives:
            wanted[name] = str(found.get("reason") or "asked to leave")
        else:
            for path in (directory / name, directory / name.replace(AWAY, LEFT)):
                with contextlib.suppress(OSError):
                    path.unlink()
    return wanted


def has_left(directory: Path, requests: Iterable[str]) -> None:
    """The watcher's side: answer these requests, whose watcher has no session in the target any more. Never raises."""
    for name in requests:
        token, answer = _loaded(directory / name).get("token"), directory / name.replace(AWAY, LEFT)
        if token and _loaded(answer).get("token") != token:
            with contextlib.suppress(OSError):
                write_atomic(answer, {"token": token}, durable=False)


def _stand_down_files(directory: Path) -> tuple[Path, Path]:
    pid = os.getpid()
    return directory / f"{AWAY}{pid}", directory / f"{LEFT}{pid}"


def _loaded(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


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
