"""Which lines of a stretch of output match a pattern, in bounded time whatever the pattern and the lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from migconsole.engine.patience import at_most

PIECE = 2_048
"""Bytes that a slow pattern sees at a time: ``.*x`` takes quadratic time on what it sees."""

_OVERLAP = 512  # such a pattern finds what is shorter than this in a line longer than PIECE
_AT_ONCE = 0.05
_PATIENCE = 0.1
_SEQUENCES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]")
_REPEATS = re.compile(rb"[*+{]")


def repeats(pattern: bytes) -> bool:
    """Whether a pattern may look at the same bytes again and again.

    >>> repeats(b"ERROR: [a-z]"), repeats(b".*x")
    (False, True)
    """
    return _REPEATS.search(pattern) is not None


def plain(data: bytes) -> bytes:
    """``data`` without escape sequences and carriage returns before newlines; the newlines stay."""
    if b"\x1b" in data:
        data = _SEQUENCES.sub(b"", data)
    return data.replace(b"\r\n", b"\n").removesuffix(b"\r")


def hits_at_once(regex: re.Pattern[bytes], data: bytes, number: int) -> list[int]:
    """The numbers of the lines in ``data`` that match, the first line having ``number``.

    Raises TooSlowError after a twentieth of a second: ``hits_by_line`` may still do it.
    """
    with at_most(_AT_ONCE):
        return _hits(regex, data, number)


def _hits(regex: re.Pattern[bytes], data: bytes, number: int) -> list[int]:
    found: list[int] = []
    position = counted = 0
    while position <= len(data) and (match := regex.search(data, position)):
        begin = data.rfind(b"\n", position, match.start()) + 1 or position
        end = data.find(b"\n", match.start())
        end = len(data) if end < 0 else end
        if match.end() <= end or regex.search(data, begin, end):
            number += data.count(b"\n", counted, begin)
            counted = begin
            found.append(number)
        position = end + 1
    return found


def hits_by_line(regex: re.Pattern[bytes], data: bytes, number: int) -> Iterator[int | None]:
    """The same for a slow pattern: each line for itself, long ones in pieces, and None between portions of work.

    Raises TooSlowError where even that takes long.
    """
    begin = 0
    while begin <= len(data):
        end = data.find(b"\n", begin)
        end = len(data) if end < 0 else end
        if end - begin > PIECE:
            matched = False
            for matched in in_pieces(regex, data[begin:end]):  # noqa: B007 - the last answer counts
                yield None
            if matched:
                yield number
            begin, number = end + 1, number + 1
            continue
        stop = data.rfind(b"\n", begin, begin + 2 * PIECE)
        stop = end if stop < end else stop
        portion = data[begin:stop].split(b"\n")
        if any(len(line) > PIECE for line in portion):
            portion, stop = portion[:1], end
        with at_most(_PATIENCE):
            found = [number + place for place, line in enumerate(portion) if regex.search(line)]
        yield from found
        yield None
        begin, number = stop + 1, number + len(portion)


def in_pieces(regex: re.Pattern[bytes], line: bytes) -> Iterator[bool]:
    """Search one long line piece by piece: False for each piece without a match, at last True for one with.

    Raises TooSlowError where one piece takes long.
    """
    anchored = b"$" in regex.pattern
    for begin in range(0, max(1, len(line) - _OVERLAP), PIECE - _OVERLAP):
        end = min(len(line), begin + PIECE)
        with at_most(_PATIENCE):
            match = regex.search(line, begin, end)
        # The end of a piece is not the end of the line, though "$" takes it for one.
        if match is not None and not (anchored and match.end() == end < len(line)):
            yield True
            return
        yield False
