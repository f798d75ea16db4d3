"""The beginning and the end of an attempt's output, and whether the file still is the one that was recorded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from migconsole.engine.report import Excerpt

HEAD_LINES, TAIL_LINES = 20, 100
ALL_LINES = 24_000
"""Lines of all outputs together: with hundreds of attempts each shows less, so that a page can still be opened."""

HEAD_BYTES, TAIL_BYTES = 8_192, 32_768
"""What of an output is shown at most: enough to see what happened; the whole is in the evidence bundle."""

HASHED = 64 * 1024 * 1024
"""Bytes up to which an output is hashed for a report: a dump's log of gigabytes must not hold it up."""


def share(attempts: int) -> tuple[int, int]:
    """How many first and last lines each of so many attempts shows.

    >>> share(10), share(500), share(100_000)
    ((20, 100), (8, 40), (4, 16))
    """
    lines = max(20, min(HEAD_LINES + TAIL_LINES, ALL_LINES // max(1, attempts)))
    head = lines // 6 if lines > 20 else 4
    return head, lines - head


def excerpt(
    path: Path,
    sha256: str,
    redact: Callable[[bytes], bytes] = bytes,
    lines_shown: tuple[int, int] = (HEAD_LINES, TAIL_LINES),
) -> Excerpt | None:
    """Read an output's first and last lines, None when there is none or it cannot be read."""
    head_lines, tail_lines = lines_shown
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= HEAD_BYTES + TAIL_BYTES:
                data = file.read(HEAD_BYTES + TAIL_BYTES)
                intact = hashlib.sha256(data).hexdigest() == sha256 if sha256 else None
                lines = redact(data).splitlines()
                if len(lines) <= head_lines + tail_lines:
                    return Excerpt(tuple(lines), (), 0, size, intact)
                first, last = lines[:head_lines], lines[-tail_lines:]
                omitted = sum(len(line) + 1 for line in lines[head_lines:-tail_lines])
                return Excerpt(tuple(first), tuple(last), omitted, size, intact)
            intact = None
            if sha256 and size <= HASHED:
                intact = hashlib.file_digest(file, "sha256").hexdigest() == sha256
                file.seek(0)
            head = file.read(HEAD_BYTES)
            file.seek(size - TAIL_BYTES)
            tail = file.read(TAIL_BYTES)
    except OSError:
        return None
    # The first line of the tail and the last of the head are pieces; a half secret could not be told, either.
    first = redact(head).splitlines()[:-1][:head_lines]
    last = redact(tail).splitlines()[1:][-tail_lines:]
    omitted = size - sum(len(line) + 1 for line in (*first, *last))
    return Excerpt(tuple(first), tuple(last), max(0, omitted), size, intact)
