"""The guard: a small process that cleans up after its parent, however that ended.

It reads orders from its standard input, one JSON object a line, and acts when that pipe closes, which happens on any
death of the parent, SIGKILL included. It is run by file name with an isolated interpreter and imports only the
standard library, so it starts in about 20 ms and needs nothing that may be gone by then.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_PATIENCE = 10.0


class Guard:
    """The parent's side: tell the guard what to stop and what to remove, and dismiss it when all is done."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The guard's process id."""
        return self._process.pid

    def server(self, data: Path) -> None:
        """Stop the server of this data directory (its current process, read from postmaster.pid at that moment)."""
        self._say(server=str(data))

    def process(self, pid: int) -> None:
        """End this process, unless its id belongs to another one by then."""
        self._say(process=[pid, started(pid)])

    def folder(self, folder: Path) -> None:
        """Remove this folder, after servers and processes have ended."""
        self._say(folder=str(folder))

    def dismiss(self) -> None:
        """Let the guard go without doing anything."""
        self._say(dismissed=True)
        self._end()

    def act(self) -> None:
        """Have the guard do its work now, and wait for it."""
        self._end()

    def _end(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin:
                self._process.stdin.close()
        try:
            self._process.wait(3 * _PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _say(self, **order: object) -> None:
        with contextlib.suppress(BrokenPipeError, ValueError):
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()


def started(pid: int) -> str:
    """Something that tells a process from a later one with the same id; empty where the system does not say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def alive(pid: int) -> bool:
    """Whether a process exists and is not merely waiting to be reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return not Path("/proc/self/stat").exists()


def postmaster(data: Path) -> int | None:
    """The process id of the server that runs on a data directory, or None."""
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if alive(pid) else None


def await_end(pid: int, patience: float) -> bool:
    """Wait until a process has ended; False when it outlives ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def end(pid: int, *signals: signal.Signals, patience: float = _PATIENCE) -> bool:
    """Send one signal after the other until the process has ended; False when it outlives the last."""
    for number in signals:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if await_end(pid, patience):
            return True
    return False


def clean_up(orders: list[dict[str, object]]) -> None:
    """Carry out the collected orders: processes first, then servers, then folders."""
    for order in orders:
        if isinstance(known := order.get("process"), list) and started(known[0]) == known[1]:
            end(known[0], signal.SIGTERM, signal.SIGKILL, patience=2)
    for order in orders:
        if "server" in order and (pid := postmaster(Path(str(order["server"])))):
            end(pid, signal.SIGQUIT, signal.SIGKILL)
    for order in orders:
        if "folder" in order:
            remove(Path(str(order["folder"])))


def remove(folder: Path) -> None:
    """Remove a folder in which somebody may still be writing.

    It loses its name first: who opens files by their path finds nothing any more, and cannot fill it faster than it
    is emptied.
    """
    doomed = folder.with_name(folder.name + ".removed")
    try:
        folder.rename(doomed)
    except OSError:
        doomed = folder
    deadline = time.monotonic() + _PATIENCE
    while doomed.exists() and time.monotonic() < deadline:
        shutil.rmtree(doomed, ignore_errors=True)
        if doomed.exists():
            time.sleep(0.05)


def main() -> None:
    """Collect orders until the pipe closes, then clean up, unless dismissed."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    orders = []
    for line in sys.stdin.buffer:
        with contextlib.suppress(ValueError):  # a parent killed while it wrote leaves half a line
            orders.append(json.loads(line))
    if not any("dismissed" in order for order in orders):
        clean_up(orders)


if __name__ == "__main__":
    main()
