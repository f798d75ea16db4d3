"""Driving the real console in a pseudo-terminal: keys go in, and what a terminal would show is looked at.

A thread reads all the time, so that a console which is not looked at is never held up by a full terminal.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pexpect
import psutil

from tests.e2e.terminal import Cell, Terminal
from tests.waiting import wait_until

T = TypeVar("T")

PROGRAM = Path(sys.executable).with_name("migconsole")

KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "space": " ",
    "backspace": "\x7f",
    "delete": "\x1b[3~",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "f1": "\x1bOP",
    **{f"ctrl+{letter}": chr(ord(letter) - 96) for letter in "abcdefghijklmnopqrstuvwxyz"},
}

# Everything that changes what a program draws; a test sets what it wants.
_FORGOTTEN = ("COLORTERM", "NO_COLOR", "FORCE_COLOR", "TMUX", "STY", "SSH_TTY", "SSH_CONNECTION", "LINES", "COLUMNS")
# Finds what the console started. Jobs get a clean environment, but LC_* reaches them whatever its name.
_MARKER = "LC_MIGCONSOLE_TEST"
_PATIENCE = 20.0
_CLEAN_UP = 30.0


class Console:
    """``migconsole ARGUMENTS`` in a pseudo-terminal. Make it with the fixture ``open_console``, which ends it."""

    def __init__(
        self,
        arguments: Sequence[str] = (),
        rows: int = 40,
        columns: int = 120,
        env: Mapping[str, str] | None = None,
        *,
        cwd: Path | None = None,
        program: Path = PROGRAM,
    ) -> None:
        self._token = secrets.token_hex(8)
        kept = {n: v for n, v in os.environ.items() if n not in _FORGOTTEN and not n.startswith(("TEXTUAL", "TERM"))}
        environment = kept | {"TERM": "xterm-256color", "LANG": "C.UTF-8", **(env or {}), _MARKER: self._token}
        self._process = pexpect.spawn(
            str(program),
            list(arguments),
            env=environment,
            cwd=None if cwd is None else str(cwd),
            dimensions=(rows, columns),
            timeout=None,
        )
        assert self._process.pid is not None
        self._pid = self._process.pid
        self._settings = self._line_settings()
        self._lock = threading.Lock()
        self._terminal = Terminal(rows, columns)
        self._raw = bytearray()
        self._seen: list[str] | None = None
        self._failure = ""
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, name=f"terminal of {self.pid}", daemon=True)
        self._reader.start()

    # -- the process ----------------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The console's process id."""
        return self._pid

    @property
    def alive(self) -> bool:
        """Whether the console runs; collects it when it has ended."""
        return bool(self._process.isalive())

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send the console alone a signal."""
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Close the terminal, as a dropped ssh link does; the console gets SIGHUP and can write nowhere."""
        self._let_go()

    def wait(self, timeout: float = _CLEAN_UP) -> int:
        """Wait for the end; returns the exit code, or minus the signal that ended it."""
        self.wait_until(lambda: not self.alive, timeout, "the console has ended")
        if not self._process.closed:
            self._reader.join(_PATIENCE)
            assert not self._reader.is_alive(), self._said("the console has ended, but something holds its terminal")
        status, number = self._process.exitstatus, self._process.signalstatus
        return int(status) if status is not None else -int(number or 0)

    # -- keys -----------------------------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """Press keys: single characters or names of ``KEYS``.

        Escape may only be the last one: what follows it at once is a different key. Wait for its effect first.
        """
        for position, key in enumerate(keys):
            if key == "escape" and position + 1 < len(keys):
                raise ValueError("wait for what escape does before the next key")
            self._write(KEYS[key] if key in KEYS else _single(key))

    def type(self, text: str) -> None:
        """Type text, character by character."""
        self._write(text)

    def paste(self, text: str) -> None:
        """Paste text as a terminal does that was asked to mark it."""
        self._write(f"\x1b[200~{text}\x1b[201~")

    def click(self, row: int, column: int) -> None:
        """Press and release the first mouse button on a cell, counted from 0."""
        self._write("".join(f"\x1b[<0;{column + 1};{row + 1}{end}" for end in "Mm"))

    def resize(self, rows: int, columns: int) -> None:
        """Change the terminal's size; the console gets SIGWINCH."""
        with self._lock:
            self._seen = None
            self._terminal.resize(rows, columns)
        self._process.setwinsize(rows, columns)

    # -- what is seen ---------------------------------------------------------------------------------------------

    def screen(self) -> list[str]:
        """The rows that are shown, without blanks at their right ends."""
        with self._lock:
            if self._seen is None:  # made once for each change: tests look a hundred times a second
                self._seen = self._terminal.lines()
            return list(self._seen)

    @property
    def text(self) -> str:
        """The rows that are shown, as one text."""
        return "\n".join(self.screen())

    def scrollback(self) -> str:
        """What stands on the primary screen and above it: what a person sees after the console has left."""
        with self._lock:
            return "\n".join(self._terminal.history()).rstrip()

    @property
    def raw(self) -> bytes:
        """Every byte the console wrote."""
        with self._lock:
            return bytes(self._raw)

    @property
    def titles(self) -> list[str]:
        """Every title the console gave the terminal's window."""
        with self._lock:
            return list(self._terminal.titles)

    def row(self, row: int) -> list[Cell]:
        """The cells of a row, counted from 0."""
        with self._lock:
            return self._terminal.row(row)

    def find(self, text: str) -> tuple[int, int]:
        """Row and column of the first place where the text is shown, counted from 0."""
        for number in range(len(self.screen())):
            cells = self.row(number)
            at = "".join(cell.text for cell in cells).find(text)
            if at >= 0:
                widths = 0
                for column, cell in enumerate(cells):
                    if widths >= at and cell.text:
                        return number, column
                    widths += len(cell.text)
        raise AssertionError(self._said(f"not on the screen: {text!r}"))

    def cells(self, text: str) -> list[Cell]:
        """The cells that show the text, at its first place."""
        row, column = self.find(text)
        return self.row(row)[column : column + len(text)]

    def colours(self, text: str) -> set[tuple[str, str]]:
        """Foreground and background of every cell that shows the text, at its first place."""
        return {(cell.foreground, cell.background) for cell in self.cells(text) if cell.text.strip()}

    # -- waiting --------------------------------------------------------------------------------------------------

    def wait_for(self, wanted: str | re.Pattern[str], timeout: float = _PATIENCE) -> re.Match[str]:
        """Wait until the screen shows a text or matches a pattern (rows are joined by newlines)."""
        pattern = re.compile(re.escape(wanted)) if isinstance(wanted, str) else wanted

        def shown() -> re.Match[str] | None:
            found = pattern.search(self.text)
            if found is None and not self.alive and not self._reader.is_alive():
                found = pattern.search(self.text)  # what it wrote last
                assert found, self._said(f"the console ended before it showed {pattern.pattern!r}")
            return found

        found = self.wait_until(shown, timeout, f"the screen shows {pattern.pattern!r}")
        assert found is not None
        return found

    def wait_gone(self, text: str, timeout: float = _PATIENCE) -> None:
        """Wait until the screen no longer shows the text."""
        self.wait_until(lambda: text not in self.text, timeout, f"the screen no longer shows {text!r}")

    def wait_until(self, condition: Callable[[], T], timeout: float = _PATIENCE, message: str = "") -> T:
        """Wait for a condition; AssertionError with the screen when it does not come true in time."""
        try:
            return wait_until(condition, timeout, message)
        except AssertionError as error:
            if "the screen is:" in str(error):
                raise
            raise AssertionError(self._said(str(error))) from None

    def assert_restored(self) -> None:
        """After the end: the terminal is as the console found it."""
        assert not self.alive, self._said("the console still runs")
        with self._lock:
            problems = self._terminal.unrestored()
        if self._line_settings() != self._settings:
            problems.append("the terminal's line settings (echo, canonical mode, signals) were not put back")
        assert not problems, self._said("; ".join(problems))

    # -- inner life -----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the console and everything it started that outlived it. AssertionError when that takes force.

        Jobs live on by design and are killed at once; whatever cleans up by itself (the demo's guard) gets the time.
        """
        if self.alive:
            self.kill(signal.SIGKILL)
            self.wait_until(lambda: not self.alive, message="the console dies of SIGKILL")
        self._let_go()
        for process in self._survivors():
            if not _cleans_up(process):
                with contextlib.suppress(psutil.Error):
                    process.kill()
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self._survivors(), _CLEAN_UP)
        stubborn = self._survivors()
        for process in stubborn:
            with contextlib.suppress(psutil.Error):
                process.kill()
        assert not stubborn, f"the console left processes behind: {stubborn}"

    def _survivors(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(_MARKER) == self._token:
                    found.append(process)
        return found

    def _read(self) -> None:
        descriptor = self._process.child_fd
        while not self._closing.is_set():
            if not select.select([descriptor], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(descriptor, 65536)
            except OSError:  # EIO: nobody holds the other end any more
                return
            if not data:
                return
            with self._lock:
                self._raw += data
                self._seen = None
                try:
                    answer = self._terminal.feed(data)
                except Exception as error:
                    self._failure = f"the terminal gave up: {error!r}"
                    return
            if answer:
                with contextlib.suppress(OSError):
                    os.write(descriptor, answer)

    def _let_go(self) -> None:
        """Close our end. pexpect's own way also kills the console and waits for it."""
        if self._process.closed:
            return
        self._closing.set()
        self._reader.join(_PATIENCE)
        inner: Any = getattr(self._process, "ptyproc")  # noqa: B009 - missing in the type stubs
        inner.fileobj.close()
        self._process.closed = inner.closed = True

    def _write(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(self._process.child_fd, data) :]

    def _line_settings(self) -> list[object]:
        return termios.tcgetattr(self._process.child_fd)[:4]

    def _said(self, problem: str) -> str:
        rows = "\n".join(f"  │{line}" for line in self.screen())
        failure = f" ({self._failure})" if self._failure else ""
        return f"{problem}{failure}; the screen is:\n{rows}"


def _single(key: str) -> str:
    if len(key) != 1:
        raise ValueError(f"no such key: {key!r}; type text with type()")
    return key


def _cleans_up(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(part.endswith("guard.py") for part in process.cmdline())
    return False
