"""The output of a job on its way to disk: masked, hashed, never lost without saying so."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections import deque
from pathlib import Path

from migconsole.adapters import output_marks
from migconsole.domain.secrets import Masker, Secrets

_TIME_STEP = 0.1
_RETRY = 0.25
BACKLOG = 256 * 1024
"""How many of the newest bytes are kept in memory while the disk is full."""


class Recorder:
    """Appends to one output file; writes are not buffered, so what the child has printed is there to be read.

    When the disk is full the command goes on: killing a migration because its log cannot be written would be worse.
    The newest output is kept in memory and written when there is room again; what had to be dropped is counted and
    marked in the file. ``size`` and ``sha256`` describe what is in the file.
    """

    def __init__(self, directory: Path, name: str, *, indexed: bool = True) -> None:
        self._descriptor = _open(directory / name)
        self._errors = _open(directory / output_marks.STDERR_NAME) if indexed else None
        self._times = _open(directory / output_marks.TIMES_NAME) if indexed else None
        self._hash = hashlib.sha256()
        self._marked = 0
        self._backlog: deque[tuple[bytes, bool]] = deque()
        self._backlog_size = 0
        self._dropped = 0
        self.retry_at = 0.0
        self._time_at = 0.0
        self._problem = ""
        self.size = 0
        self.lost = 0

    @property
    def sha256(self) -> str:
        """Hexadecimal hash of the file's content."""
        return self._hash.hexdigest()

    @property
    def behind(self) -> bool:
        """Whether output waits for room on the disk; ``retry`` is worth trying at ``retry_at`` (monotonic)."""
        return bool(self._backlog or self._dropped)

    @property
    def error(self) -> str:
        """Why the file is incomplete, or ""."""
        missing = self.lost + self._dropped + self._backlog_size
        if not missing:
            return ""
        return f"the recorded output is incomplete: {missing} bytes could not be written ({self._problem})"

    def write(self, data: bytes, *, stderr: bool = False) -> None:
        """Append masked bytes; never raises."""
        if not data:
            return
        if self.behind:
            self._keep(data, stderr)
            if time.monotonic() >= self.retry_at:
                self.retry()
            return
        written = self._append(data, stderr)
        if written < len(data):
            self._keep(data[written:], stderr)

    def retry(self) -> bool:
        """Try to write what the full disk kept back; True when nothing is waiting any more."""
        self.retry_at = time.monotonic() + _RETRY
        if self._dropped:
            note = f"\n[migconsole: {self._dropped} bytes of output are missing here: {self._problem}]\n".encode()
            if not self._append_all(note):
                return False
            self.lost += self._dropped
            self._dropped = 0
        while self._backlog:
            data, stderr = self._backlog[0]
            written = self._append(data, stderr)
            self._backlog_size -= written
            if written < len(data):
                self._backlog[0] = (data[written:], stderr)
                return False
            self._backlog.popleft()
        return True

    def close(self) -> None:
        """Make everything durable and let go; what is still waiting counts as lost."""
        self.retry()
        self.lost += self._dropped + self._backlog_size
        self._dropped = self._backlog_size = 0
        self._backlog.clear()
        for descriptor in (self._descriptor, self._errors, self._times):
            if descriptor is not None:
                try:
                    os.fsync(descriptor)
                except OSError as error:
                    self._problem = self._problem or _words(error)
                    self.lost += 1 if descriptor == self._descriptor else 0
                os.close(descriptor)

    def _append_all(self, note: bytes) -> bool:
        """Write a note whole or not at all."""
        size, digest = self.size, self._hash.copy()
        if self._append(note, False) == len(note):
            return True
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, size)
            self.size, self._hash = size, digest
        return False

    def _append(self, data: bytes, stderr: bool) -> int:
        """Write as much as fits and return how much that was."""
        begin = self.size
        if stderr:
            self._mark(begin, begin + len(data))
        view, written = memoryview(data), 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, view[written:])
        except OSError as error:
            self._problem = _words(error)
            if stderr:
                self._unmark(begin, begin + written)
        self._hash.update(view[:written])
        self.size += written
        if written and self._times is not None and (now := time.monotonic()) >= self._time_at:
            self._time_at = now + _TIME_STEP
            with contextlib.suppress(OSError):
                os.write(self._times, output_marks.pack_moment(begin, time.time()))
        return written

    def _mark(self, begin: int, end: int) -> None:
        """Note where stderr lies, before it is there: a reader never sees stderr that is not marked yet."""
        if self._errors is not None:
            with contextlib.suppress(OSError):
                self._marked += os.write(self._errors, output_marks.pack_range(begin, end))

    def _unmark(self, begin: int, end: int) -> None:
        """Correct the last mark to what could be written."""
        size = len(output_marks.pack_range(begin, end))
        if self._errors is not None and self._marked >= size:
            with contextlib.suppress(OSError):
                self._marked -= size
                os.ftruncate(self._errors, self._marked)
                if end > begin:
                    self._mark(begin, end)

    def _keep(self, data: bytes, stderr: bool) -> None:
        self._backlog.append((data, stderr))
        self._backlog_size += len(data)
        while self._backlog_size > BACKLOG:
            oldest, was_stderr = self._backlog.popleft()
            excess = min(len(oldest), self._backlog_size - BACKLOG)
            if excess < len(oldest):
                self._backlog.appendleft((oldest[excess:], was_stderr))
            self._dropped += excess
            self._backlog_size -= excess


class Channel:
    """One stream of a command, masked on its own: a secret never runs from stdout into stderr.

    With two streams in one file, whole lines are kept together as far as that delays nobody: the beginning of a line
    waits until its end comes, the command pauses (``settle``), or it grows long.
    """

    _LONGEST = 64 * 1024

    def __init__(self, recorder: Recorder, secrets: Secrets, *, stderr: bool = False, by_line: bool = False) -> None:
        self._recorder = recorder
        self._masker: Masker = secrets.masker()
        self._stderr = stderr
        self._by_line = by_line
        self._tail = b""

    @property
    def hits(self) -> int:
        """How many secrets were masked."""
        return self._masker.hits

    @property
    def waiting(self) -> bool:
        """Whether a beginning of a line waits for its end."""
        return bool(self._tail)

    def feed(self, chunk: bytes) -> None:
        """Mask and record what was read."""
        self._put(self._masker.feed(chunk))

    def settle(self) -> None:
        """Record the beginning of a line that was held to keep the line together."""
        tail, self._tail = self._tail, b""
        self._recorder.write(tail, stderr=self._stderr)

    def end(self) -> None:
        """The stream has ended; an unfinished last line still gives way to whole lines of the other stream."""
        self._put(self._masker.finish())

    def finish(self) -> None:
        """Nobody waits for more: record everything."""
        self.end()
        self.settle()

    def _put(self, data: bytes) -> None:
        if not self._by_line:
            self._recorder.write(data, stderr=self._stderr)
            return
        cut = data.rfind(b"\n") + 1
        if not cut and len(self._tail) + len(data) < self._LONGEST:
            self._tail += data
            return
        cut = cut or len(data)
        head = self._tail + data[:cut] if self._tail else data[:cut]
        self._tail = data[cut:]
        self._recorder.write(head, stderr=self._stderr)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__
