r"""Regular expressions from a checklist, kept from running for ever on text from outside.

The author of a checklist writes the pattern, a command or a server writes the text. Python's engine backtracks, so
both are bounded: nested unbounded repetition such as ``(a+)+`` is refused when the file is loaded (its time doubles
with every character), patterns are short, and they only ever see a line, cut at a stated length.
Patterns apply line by line; ``^`` and ``$`` are the ends of a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

LONGEST_PATTERN = 500
LONGEST_LINE = 4_000
_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}")
_BOUNDED = re.compile(r"\?|\{\d+(?:,\d+)?\}|\{,\d+\}")


class PatternError(ValueError):
    """A pattern that cannot be used; the message says why."""


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> re.Pattern[str]:
    """Compile a checklist's pattern, or raise PatternError with the reason and the place.

    >>> compile_pattern(r"(\\d+) migrations? applied").search("3 migrations applied")[1]
    '3'
    """
    if not text:
        raise PatternError("an empty pattern matches everything")
    if len(text) > LONGEST_PATTERN:
        raise PatternError(f"a pattern of more than {LONGEST_PATTERN} characters")
    try:
        compiled = re.compile(text, re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"not a regular expression: {error}") from None
    if _nested_repetition(text):
        raise PatternError(
            "a repeated group repeats inside, which can take for ever; make the inner one possessive, as in (a++)+"
        )
    return compiled


def _nested_repetition(text: str) -> bool:
    """Whether a group that repeats without bound holds something that does, too; possessive ones cannot backtrack."""
    groups = [False]
    position, closed, inside = 0, False, False
    while position < len(text):
        character = text[position]
        width, repeated = 1, False
        if character == "\\":
            width = 2
        elif character == "[":
            width = _class_width(text, position)
        elif character == "(":
            groups.append(False)
            position, closed = position + 1, False
            if text.startswith("?", position):
                position += 1
            continue
        elif character == ")":
            inside = groups.pop() if len(groups) > 1 else False
            closed = True
            position += 1
            groups[-1] = groups[-1] or inside
            continue
        elif found := (_UNBOUNDED.match(text, position) or _BOUNDED.match(text, position)):
            width = found.end() - position
            possessive = text.startswith("+", position + width)
            repeated = bool(_UNBOUNDED.match(text, position)) and not possessive
            if repeated and closed and inside:
                return True
            if possessive or text.startswith("?", position + width):
                width += 1
        groups[-1] = groups[-1] or repeated
        closed = False
        position += width
    return False


def _class_width(text: str, start: int) -> int:
    position = start + 1
    if text.startswith("^", position):
        position += 1
    if text.startswith("]", position):
        position += 1
    while position < len(text) and text[position] != "]":
        position += 2 if text[position] == "\\" else 1
    return position + 1 - start


def first_lines(text: str) -> str:
    """The part of a value a pattern may see."""
    return text[:LONGEST_LINE]


def match_lines(patterns: Iterable[str], lines: Iterable[str]) -> dict[str, bool]:
    """Which patterns some line contains; reads the lines once and stops when all were seen.

    >>> match_lines(["OK", "ERROR"], ["it is OK"])
    {'OK': True, 'ERROR': False}
    """
    found = dict.fromkeys(patterns, False)
    open_ones = {text: compile_pattern(text) for text in found}
    for line in lines:
        if not open_ones:
            break
        cut = line[:LONGEST_LINE]
        for text in [text for text, pattern in open_ones.items() if pattern.search(cut)]:
            found[text] = True
            del open_ones[text]
    return found


def capture_lines(captures: Mapping[str, str], lines: Iterable[str]) -> dict[str, str]:
    r"""The first group (or the whole) of each pattern's last match; names without a match are left out.

    >>> capture_lines({"n": r"(\d+) rows"}, ["3 rows", "5 rows"])
    {'n': '5'}
    """
    compiled = {name: compile_pattern(text) for name, text in captures.items()}
    values: dict[str, str] = {}
    for line in lines:
        cut = line[:LONGEST_LINE]
        for name, pattern in compiled.items():
            for match in pattern.finditer(cut):
                values[name] = (match[1] if pattern.groups else match[0]) or ""
    return values
