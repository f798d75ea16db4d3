"""What the job runner notes beside an output file: which bytes came through stderr, and when bytes were written.

Both files are appended to while the job runs and hold fixed-size records in the order of the output, so they are
searched where they lie and cost no memory. A file that is missing, or a torn last record, means "not known".
"""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path

STDERR_NAME = "stderr.idx"
"""Beside ``output.log``: ranges of it that came through stderr, two unsigned 64-bit little-endian offsets each."""

TIMES_NAME = "output.idx"
"""Beside ``output.log``: an offset (unsigned 64-bit) and the Unix time (double) at which the bytes from it on came."""

_RANGE = struct.Struct("<QQ")
_MOMENT = struct.Struct("<Qd")


def pack_range(first: int, end: int) -> bytes:
    """One record of the stderr file: bytes ``first`` up to, not including, ``end``."""
    return _RANGE.pack(first, end)


def pack_moment(offset: int, at: float) -> bytes:
    """One record of the times file."""
    return _MOMENT.pack(offset, at)


class _Records:
    """Fixed-size records of a growing file, ordered by their first number."""

    def __init__(self, path: Path, layout: struct.Struct) -> None:
        self._path, self._layout = path, layout
        self._fd = -1
        self.count = 0

    def grow(self) -> None:
        try:
            if self._fd < 0:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self.count = os.fstat(self._fd).st_size // self._layout.size
        except OSError:
            self.count = 0

    def last_at_or_before(self, offset: int) -> tuple[int, float] | None:
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self._record(middle)[0] <= offset:
                low = middle + 1
            else:
                high = middle
        return self._record(low - 1) if low else None

    def _record(self, number: int) -> tuple[int, float]:
        size = self._layout.size
        data = os.pread(self._fd, size, number * size)
        if len(data) < size:
            return 0, 0
        first, second = self._layout.unpack(data)
        return first, second

    def close(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._fd, self.count = -1, 0


class StderrMarks(_Records):
    """Which bytes came through stderr; empty for a terminal, which does not keep them apart."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / STDERR_NAME, _RANGE)

    def holds(self, offset: int) -> bool:
        """Whether the byte at ``offset`` came through stderr."""
        found = self.last_at_or_before(offset)
        return found is not None and offset < found[1]


class TimeMarks(_Records):
    """When bytes were written."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory / TIMES_NAME, _MOMENT)

    def at(self, offset: int) -> float | None:
        """Unix time at which the byte at ``offset`` came, None when it was not noted."""
        found = self.last_at_or_before(offset)
        return None if found is None else found[1]
