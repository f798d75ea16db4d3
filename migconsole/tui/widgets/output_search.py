"""Searching and filtering an output file in slices, so that a gigabyte never blocks the screen."""

from __future__ import annotations

import asyncio
import re
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from migconsole.engine.patience import TooSlowError, at_most
from migconsole.engine.ports import Output

SLICE = 0.008
"""Seconds of work between two turns of the event loop."""

Scan = Iterator[int | None]
"""What ``Output.scan`` gives: numbers of matching lines, and None between slices of work."""

_REPORT = 0.25
_AROUND = 256
_PATIENCE = 0.01
_MOST_MARKS = 200
"""Matches marked in one row; one that is nothing but matches is told by its first ones."""
_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody typed: ``pattern`` searches the file, ``regex`` marks what is found in a drawn line.

    ``literal``: it was not a usable regular expression and is taken as it stands.
    """

    text: str
    pattern: bytes
    regex: re.Pattern[str]
    literal: bool = False

    def spans(self, text: str, start: int, end: int) -> list[tuple[int, int]]:
        """Where the query matches between two places of a line.

        Only what lies around them is looked at, and not for long: a slow pattern is marked in part or not at all.
        """
        found: list[tuple[int, int]] = []
        with suppress(TooSlowError), at_most(_PATIENCE):
            for match in self.regex.finditer(text, max(0, start - _AROUND), end + _AROUND):
                if match.start() >= end or len(found) >= _MOST_MARKS:
                    break
                if match.end() > max(match.start(), start):
                    found.append(match.span())
        return found

    def first(self, text: str) -> int | None:
        """Where the first match begins, None when the text holds none."""
        steps = range(0, len(text), 4 * _AROUND)
        return next((low for step in steps for low, _ in self.spans(text, step, step + 4 * _AROUND)), None)

    def __str__(self) -> str:
        short = self.text if len(self.text) <= 40 else f"{self.text[:39]}…"
        return f"/{short}/" if not self.literal else f"“{short}”"


def make_query(text: str) -> Query:
    r"""A query from typed text: a regular expression, or the text itself where it is not a usable one.

    What is valid both ways is searched both ways: ``near '[/foo]'`` finds itself. Case matters only when the text holds
    a capital.

    >>> make_query("near '['").literal
    True
    """
    try:
        return _compiled(text, f"{text}|{re.escape(text)}" if _SPECIAL.search(text) else text)
    except (re.error, RecursionError, OverflowError):
        return _compiled(text, re.escape(text), literal=True)


def _compiled(text: str, body: str, *, literal: bool = False) -> Query:
    body = body if any(char.isupper() for char in text) else f"(?i:{body})"
    pattern = body.encode("utf-8", "replace")
    re.compile(pattern, re.MULTILINE)
    return Query(text, pattern, re.compile(body, re.MULTILINE), literal)


class Listing:
    """Which lines are listed: all of them, or those that a filter found so far.

    The filter's hits are four bytes each. Line numbers are of one generation of the output.
    """

    def __init__(self, output: Output, query: Query | None = None) -> None:
        self.output = output
        self.query = query
        self._hits = array("I")
        self._scanned = 0  # lines before this one are decided; the last line may still grow
        self._scan: Scan | None = None
        self._goal = -1
        self.settled = query is None
        """Whether the filter has been through all lines once; what it finds from then on is new."""

    def __len__(self) -> int:
        return len(self.output) if self.query is None else len(self._hits)

    def number(self, index: int) -> int:
        """The line number at a place in the list."""
        return index if self.query is None else self._hits[index]

    def index(self, number: int) -> int:
        """The place of a line, or of the next listed one after it."""
        return number if self.query is None else bisect_left(self._hits, number)

    def lists(self, number: int) -> bool:
        """Whether a line is listed."""
        index = self.index(number)
        return index < len(self) and self.number(index) == number

    @property
    def scanned(self) -> int:
        """How many lines the filter has decided on."""
        return self._scanned

    @property
    def caught_up(self) -> bool:
        """Whether the filter has seen every line there is."""
        return self.query is None or (self._scan is None and self._goal == self.output.size)

    def sift(self, budget: float = SLICE) -> None:
        """Look through further lines for about ``budget`` seconds."""
        if self.query is None:
            return
        deadline = time.monotonic() + budget
        if self._scan is None:
            while self._hits and self._hits[-1] >= self._scanned:
                self._hits.pop()
            self._goal = self.output.size
            self._scan = self.output.scan(self.query.pattern, self._scanned)
        for hit in self._scan:
            if hit is not None:
                self._hits.append(hit)
                self._scanned = hit
            elif time.monotonic() >= deadline:
                return
        self._scan = None
        self._scanned = max(0, len(self.output) - 1)
        self.settled = self.settled or self.output.complete


def until(scan: Scan, stop: Callable[[int], bool]) -> Scan:
    """A scan that ends before the first hit for which ``stop`` is true."""
    for hit in scan:
        if hit is not None and stop(hit):
            return
        yield hit


async def hunt(
    scans: Sequence[Scan], accept: Callable[[int], bool], progress: Callable[[float], None]
) -> tuple[int | None, int]:
    """The first acceptable hit of several scans one after the other, and which of them found it.

    ``progress`` is told every quarter of a second how many seconds the search has lasted.
    """
    started = turn = reported = time.monotonic()
    for place, scan in enumerate(scans):
        for hit in scan:
            if hit is not None and accept(hit):
                return hit, place
            now = time.monotonic()
            if now - turn > SLICE:
                if now - reported > _REPORT:
                    progress(now - started)
                    reported = now
                await asyncio.sleep(0)
                turn = time.monotonic()
    return None, len(scans)
