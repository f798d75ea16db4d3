"""The command of a job as a child process: started by ``sh`` on descriptors that the runner opens and reads itself.

``sh``'s own readers deliver late or line by line; its line-wise mode is several times slower than reading chunks here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_PIPE_SIZE = 1024 * 1024
_F_SETPIPE_SZ = 1031
_TO_DEFAULT = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGQUIT", "SIGPIPE", "SIGXFSZ", "SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGTSTP")
    if hasattr(signal, name)
)


class StartError(Exception):
    """Nothing was executed; the message says why."""


class Child:
    """A started command: ``pid``, the descriptors to read (stdout, and stderr where it is apart), and its end.

    ``began`` is when it was started, on the monotonic clock; ``started`` the same in UTC.
    """

    def __init__(self, process: Any, streams: Sequence[int], terminal: int | None, began: float, started: str) -> None:
        self._process = process
        self.pid: int = process.pid
        self.began = began
        self.started = started
        self.streams = tuple(streams)
        self.terminal = terminal

    def returncode(self) -> int | None:
        """The exit code, minus the signal's number when it was killed; None while it runs.

        ``sh`` has a thread of its own that may collect the exit status before us; its lock is what tells who did.
        """
        if self._process.exit_code is None:
            try:
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    return None
            except ChildProcessError:
                pass
        return int(self._process.wait())

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal a new size and tell the command's group (it has no controlling terminal that would)."""
        if self.terminal is None:
            return
        _set_size(self.terminal, rows, columns)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGWINCH)


def start(
    arguments: Sequence[str], *, environment: Mapping[str, str], cwd: str, tty: bool, rows: int, columns: int
) -> Child:
    """Execute a program in a process group of its own, stdin from /dev/null. Raises StartError.

    The group is in the runner's session: a session leader that opens a terminal would make it its controlling one,
    and then programs could ask for a password there, where nobody can answer. Without one they fail at once.
    """
    import sh  # noqa: PLC0415 - 75 ms: everything that can fail earlier has failed before

    if not os.path.isdir(cwd):
        raise StartError(f"the working directory {cwd} does not exist")
    reading, writing = _terminal(rows, columns) if tty else _pipes()
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")
    with open(os.devnull, "rb") as nothing:
        try:
            command = sh.Command(arguments[0])(
                *arguments[1:],
                _in=nothing,
                _out=writing[0],
                _err=writing[-1],
                _env=dict(environment),
                _cwd=cwd,
                _new_session=False,
                _new_group=True,
                _bg=True,
                _bg_exc=False,
                _return_cmd=True,
                _preexec_fn=_restore_signals,
            )
        except sh.CommandNotFound as error:
            raise StartError(f"{arguments[0]} was not found on PATH") from error
        except sh.ForkException as error:
            raise StartError(f"{arguments[0]} could not be executed: {_last_line(str(error))}") from error
        except (OSError, TypeError, ValueError) as error:
            raise StartError(f"{arguments[0]} could not be executed: {error}") from error
        finally:
            for descriptor in writing:
                os.close(descriptor)
    for descriptor in reading:
        os.set_blocking(descriptor, False)
    return Child(command.process, reading, reading[0] if tty else None, began, started)


def _terminal(rows: int, columns: int) -> tuple[list[int], list[int]]:
    """A pseudo-terminal that passes bytes as they are: no CR before each newline, no echo."""
    ours, theirs = os.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG)
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    _set_size(theirs, rows, columns)
    return [ours], [theirs]


def _pipes() -> tuple[list[int], list[int]]:
    """Two pipes as roomy as an ordinary user may have them: the fewer switches, the less a fast command waits."""
    pairs = [os.pipe(), os.pipe()]
    for reading, _ in pairs:
        with contextlib.suppress(OSError):
            fcntl.fcntl(reading, _F_SETPIPE_SZ, _PIPE_SIZE)
    return [reading for reading, _ in pairs], [writing for _, writing in pairs]


def _set_size(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _restore_signals() -> None:
    """Give the command the default signals: what is ignored here or in the console's parent it would ignore too."""
    for number in _TO_DEFAULT:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else text
