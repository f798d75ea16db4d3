"""A job's output file as lines: the file stays the truth, memory holds a small index and a few blocks.

The index keeps one number per 32 KiB of file (how many lines begin before it), so five million lines of a hundred
bytes cost 128 KiB. Nothing is memory-mapped: a file that another process truncates would kill the console.
While a big file is being indexed, ``seek_end`` numbers the lines of a window at its end, so that the end shows at once;
when the index reaches it the numbers move, and the view is told by how much.
"""

from __future__ import annotations

import os
import re
import stat
import time
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from migconsole.adapters import output_scan
from migconsole.adapters.output_marks import StderrMarks, TimeMarks
from migconsole.engine.patience import TooSlowError

LINE_LIMIT = 16_384
"""Bytes of one line that are handed out: a hundred rows when wrapped, and cheap to clean."""

WINDOW = 1 << 20
"""Bytes at the end of a file that are numbered first while the rest is being indexed."""

_BLOCK = 32_768
_READ = 1 << 20
_SCAN = 131_072
_OVERLAP = 4_096  # a match in a line longer than _SCAN is found when it is shorter than this
_CACHED = 24
_FINGERPRINT = 128

_REMOVED = "The output file was removed; what was open is still shown"


class LineIndex:
    """Where lines begin in the bytes from ``start`` to ``end`` of an open file."""

    def __init__(self, start: int = 0) -> None:
        self.start = self.end = start
        self.newlines = 0
        self._open_ended = False  # the last indexed byte is not a newline
        self._before = array("Q", [0])  # newlines before each block
        self._blocks: OrderedDict[int, tuple[int, bytes, array[int]]] = OrderedDict()

    def __len__(self) -> int:
        return self.newlines + self._open_ended

    def extend(self, fd: int, goal: int, deadline: float) -> None:
        """Read on until ``goal`` or ``deadline`` (monotonic); at least one read is made."""
        while self.end < goal:
            data = os.pread(fd, min(_READ, goal - self.end), self.end)
            if not data:
                return
            position = 0
            while position < len(data):
                border = self.start + len(self._before) * _BLOCK - self.end
                stop = min(len(data), border)
                self.newlines += data.count(b"\n", position, stop)
                position = stop
                if stop == border:
                    self._before.append(self.newlines)
            self.end += len(data)
            self._open_ended = data[-1] != 10
            if time.monotonic() >= deadline:
                return

    def span(self, fd: int, number: int) -> tuple[int, int]:
        """The offsets of a line's first byte and of the byte after its last, the newline not counted."""
        first = self.start if number <= 0 else self._newline(fd, number) + 1
        return first, self.end if number >= self.newlines else self._newline(fd, number + 1)

    def at(self, fd: int, offset: int) -> int:
        """The number of the line that holds the byte at ``offset``; its newline belongs to it."""
        block = (offset - self.start) // _BLOCK
        _, positions = self._load(fd, block)
        return self._before[block] + bisect_left(positions, (offset - self.start) % _BLOCK)

    def read(self, fd: int, first: int, end: int) -> bytes:
        """Bytes of the file, from a block at hand when they lie in one."""
        block, inside = divmod(first - self.start, _BLOCK)
        if inside + end - first <= _BLOCK:
            return self._load(fd, block)[0][inside : inside + end - first]
        return os.pread(fd, end - first, first)

    def _newline(self, fd: int, ordinal: int) -> int:
        """The offset of the newline with this ordinal, counted from 1."""
        block = bisect_left(self._before, ordinal) - 1
        _, positions = self._load(fd, block)
        place = ordinal - self._before[block] - 1
        # A file that was overwritten under us may have fewer newlines than were counted; the next look resets us.
        return self.start + block * _BLOCK + (positions[place] if place < len(positions) else _BLOCK - 1)

    def _load(self, fd: int, block: int) -> tuple[bytes, array[int]]:
        base = self.start + block * _BLOCK
        length = min(_BLOCK, self.end - base)
        cached = self._blocks.get(block)
        if cached is not None and cached[0] == length:
            self._blocks.move_to_end(block)
            return cached[1], cached[2]
        data = os.pread(fd, length, base)
        positions = array("H", [match.start() for match in re.finditer(b"\n", data)])
        self._blocks[block] = (length, data, positions)
        if len(self._blocks) > _CACHED:
            self._blocks.popitem(last=False)
        return data, positions


class FileOutput:
    """``engine.ports.Output`` over a file that may grow, shrink, be replaced or vanish while it is open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.note = ""
        self.generation = 0
        self.moved: int | None = None
        self.total = 0
        self._fd = -1
        self._closed = False
        self._identity = (0, 0)
        self._fingerprint = b""
        self._changed_at = 0
        self._head = LineIndex()
        self._tail: LineIndex | None = None
        self._stderr = StderrMarks(path.parent)
        self._times = TimeMarks(path.parent)

    @property
    def complete(self) -> bool:
        """Whether everything on disk is indexed."""
        return self._head.end >= self.total

    @property
    def size(self) -> int:
        """Bytes of the index that counts from the first line."""
        return self._head.end

    @property
    def exact(self) -> bool:
        """Whether numbers count from the first line of the file."""
        return self._tail is None

    @property
    def has_times(self) -> bool:
        """Whether times were kept beside the file."""
        return self._times.count > 0

    @property
    def _lines(self) -> LineIndex:
        return self._head if self._tail is None else self._tail

    def __len__(self) -> int:
        return len(self._lines)

    def grow(self, budget: float = 0.02) -> bool:
        """Look at the file, then index new bytes for about ``budget`` seconds; True when something changed."""
        if self._closed:
            return False
        deadline = time.monotonic() + budget
        before = self._signs()
        try:
            self._look()
            if self._fd >= 0:
                if self._tail is not None:
                    self._tail.extend(self._fd, self.total, deadline)
                self._head.extend(self._fd, self.total, deadline)
                if self._tail is not None and self.complete:
                    self._renumber(self._head.at(self._fd, self._tail.start))
        except OSError as error:
            self._unreadable(error)
        self._stderr.grow()
        self._times.grow()
        return before != self._signs()

    def seek_end(self) -> None:
        """While the index is incomplete, number the lines of a window at the end."""
        if self._tail is not None or self._fd < 0 or self.total - self._head.end <= WINDOW:
            return
        first = self.total - WINDOW
        try:
            newline = os.pread(self._fd, WINDOW, first).find(b"\n")
            tail = LineIndex(first + newline + 1)
            tail.extend(self._fd, self.total, time.monotonic() + 1)
        except OSError as error:
            self._unreadable(error)
            return
        self._renumber(None)
        self._tail = tail

    def seek_start(self) -> None:
        """While the index is incomplete, number from the first line again."""
        if self._tail is not None:
            self._renumber(None)

    def line(self, number: int) -> bytes:
        """The raw bytes of one line, at most ``LINE_LIMIT`` of them; of a line that overwrites itself the last ones."""
        first, end = self._span(number)
        try:
            if end - first <= LINE_LIMIT:
                return self._lines.read(self._fd, first, end) if end > first else b""
            last = os.pread(self._fd, LINE_LIMIT, end - LINE_LIMIT)
            rewind = last.find(b"\r", 0, len(last.rstrip(b"\r")))
            if rewind >= 0:
                return last[rewind + 1 :]
            return _whole_characters(os.pread(self._fd, LINE_LIMIT, first))
        except OSError as error:
            self._unreadable(error)
            return b""

    def length(self, number: int) -> int:
        """How many bytes the whole line has."""
        first, end = self._span(number)
        return end - first

    def is_stderr(self, number: int) -> bool:
        """Whether the line begins in bytes that came through stderr."""
        return self._stderr.count > 0 and self._stderr.holds(self._span(number)[0])

    def time(self, number: int) -> float | None:
        """When the beginning of the line was written, in Unix seconds."""
        return self._times.at(self._span(number)[0]) if self.has_times else None

    def find(self, pattern: bytes, start: int, *, backwards: bool = False) -> int | None:
        """The number of the next line at or after (before) ``start`` that matches; raises ``re.error``."""
        return next((hit for hit in self.scan(pattern, start, backwards=backwards) if hit is not None), None)

    def scan(
        self, pattern: bytes, start: int, *, backwards: bool = False, hints: Sequence[bytes] = ()
    ) -> Iterator[int | None]:
        """Numbers of matching lines, and None after each few milliseconds of work.

        Raises ``re.error`` at once, and TooSlowError from the iterator where a pattern has no end on some line.
        """
        return self._guarded(self._scan(re.compile(pattern, re.MULTILINE), start, backwards, hints))

    def close(self) -> None:
        """Let go of the file; what was indexed stays countable, but lines are empty from here on."""
        self._closed = True
        self._release()
        self._stderr.close()
        self._times.close()

    def _signs(self) -> tuple[int | str, ...]:
        return self.generation, self._head.end, self._lines.end, self.note, self.total, self._stderr.count

    def _span(self, number: int) -> tuple[int, int]:
        if self._fd < 0 or not 0 <= number < len(self):
            return 0, 0
        try:
            return self._lines.span(self._fd, number)
        except OSError as error:
            self._unreadable(error)
            return 0, 0

    def _unreadable(self, error: OSError) -> None:
        self.note = f"The output cannot be read: {error.strerror or error}"

    def _look(self) -> None:
        """Notice growth, truncation, replacement and removal."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            if self._fd >= 0:
                self.note = _REMOVED
                self.total = os.fstat(self._fd).st_size
            return
        if self.note == _REMOVED:
            self.note = ""
        identity = (found.st_dev, found.st_ino)
        if self._fd < 0 or identity != self._identity:
            self._open(identity, found.st_mode)
        elif found.st_size < self._head.end or (self._tail is not None and found.st_size < self._tail.end):
            self._reset("The output file was truncated; it is shown from its new beginning")
        elif found.st_mtime_ns != self._changed_at and not self._begins_as_before():
            self._reset("The output file was overwritten; it is shown anew")
        self._changed_at = found.st_mtime_ns
        if self._fd >= 0:
            self.total = os.fstat(self._fd).st_size
        if len(self._fingerprint) < _FINGERPRINT:
            self._fingerprint = os.pread(self._fd, _FINGERPRINT, 0) if self._fd >= 0 else b""

    def _begins_as_before(self) -> bool:
        return os.pread(self._fd, len(self._fingerprint), 0) == self._fingerprint

    def _open(self, identity: tuple[int, int], mode: int) -> None:
        if not stat.S_ISREG(mode):
            raise OSError(0, "not a regular file")
        fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd >= 0:
            self._release()
            self._reset("The output file was replaced; the new one is shown")
        self._fd, self._identity = fd, identity

    def _reset(self, note: str) -> None:
        self.note = note
        self._fingerprint = b""
        self._head = LineIndex()
        self._renumber(None)

    def _renumber(self, moved: int | None) -> None:
        self._tail = None
        self.moved = moved
        self.generation += 1

    def _release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _guarded(self, scan: Iterator[int | None]) -> Iterator[int | None]:
        try:
            yield from scan
        except OSError as error:
            self._unreadable(error)

    def _scan(
        self, regex: re.Pattern[bytes], start: int, backwards: bool, hints: Sequence[bytes]
    ) -> Iterator[int | None]:
        generation = self.generation
        size = _BLOCK if not hints and output_scan.repeats(regex.pattern) else _SCAN
        slow = False
        number = min(start, len(self) - 1) if backwards else max(0, start)
        while 0 <= number < len(self) and self._fd >= 0 and generation == self.generation:
            first, last, begin, end = self._stretch(number, backwards, size)
            found: list[int] = []
            if end - begin > size:
                for matched in self._search_long_line(regex, begin, end, _BLOCK if slow else size):
                    found = [number] if matched else []
                    yield None
            elif not hints or _holds(self._lines.read(self._fd, begin, end), hints):
                data = output_scan.plain(self._lines.read(self._fd, begin, end))
                try:
                    found = [] if slow else output_scan.hits_at_once(regex, data, first)
                except TooSlowError:
                    slow = True
                if slow:
                    for hit in output_scan.hits_by_line(regex, data, first):
                        if hit is None:
                            yield None
                        else:
                            found.append(hit)
            yield from reversed(found) if backwards else found
            yield None
            number = first - 1 if backwards else last + 1

    def _stretch(self, number: int, backwards: bool, size: int) -> tuple[int, int, int, int]:
        """Whole lines from ``number`` on in a direction, about ``size`` bytes: first, last, and their offsets."""
        lines, fd = self._lines, self._fd
        begin, end = lines.span(fd, number)
        if end - begin >= size:
            return number, number, begin, end
        if backwards:
            first = min(number, lines.at(fd, end - size) + 1) if end - size > lines.start else 0
            return first, number, lines.span(fd, first)[0], end
        last = max(number, lines.at(fd, begin + size) - 1) if begin + size < lines.end else len(lines) - 1
        return number, last, begin, lines.span(fd, last)[1]

    def _search_long_line(self, regex: re.Pattern[bytes], begin: int, end: int, size: int) -> Iterator[bool]:
        """Whether one line matches, told by the last answer; the others are pauses."""
        for offset in range(begin, end, size - _OVERLAP):
            data = output_scan.plain(os.pread(self._fd, min(size, end - offset), offset))
            if size == _SCAN:
                answers: Iterable[bool] = (regex.search(data) is not None,)
            else:
                answers = output_scan.in_pieces(regex, data)
            for found in answers:
                yield found
                if found:
                    return


def _holds(data: bytes, hints: Sequence[bytes]) -> bool:
    lower = data.lower()
    return any(hint in lower for hint in hints)


def _whole_characters(data: bytes) -> bytes:
    """``data`` without a UTF-8 character that was cut at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return data[:-back] if needed > back else data
    return data
