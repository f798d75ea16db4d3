"""Which statements of a server are migconsole's own: told by a mark in their text, which pg_stat_statements keeps.

The mark stands behind the first word: PostgreSQL 18 keeps no comment in front of a statement, while one inside is kept
by every version, in prepared statements, cursors and each part of a string of several. A comment is no part of a
statement's number, so the text is that of whoever asked first. Hence what others may ask word for word is not marked
(BEGIN is everybody's), or is signed: with a condition, which is part of the number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from migconsole.domain.windows import Window

MARK = "/* migconsole */"

WITHIN = 100
"""Characters at the beginning of a text in which the mark is looked for, so that long texts cost nothing."""

_FIRST = re.compile(r"\s*\w+")


def marked(text: str) -> str:
    """A statement with the mark behind its first word.

    >>> marked("SELECT 1"), marked("WITH a AS (TABLE b) TABLE a")
    ('SELECT /* migconsole */ 1', 'WITH /* migconsole */ a AS (TABLE b) TABLE a')
    """
    return _FIRST.sub(lambda found: f"{found[0]} {MARK}", text, count=1)


def signed(text: str) -> str:
    """A question that anybody could ask, without a WHERE of its own, with the mark and a condition that always holds.

    >>> signed("SELECT 1")
    "SELECT /* migconsole */ 1 WHERE 'migconsole' <> ''"
    """
    return marked(f"{text} WHERE 'migconsole' <> ''")


def is_own(text: str) -> bool:
    """Whether a text is that of a statement of our own."""
    return MARK in text[:WITHIN]


def left_out(own: Window) -> str:
    """One line on our own statements of a window, "" without any."""
    if not own.count:
        return ""
    share = f", {own.total / own.whole:.1%} of the time" if own.whole else ""
    return f"migconsole's own are left out: {counted(own)}{share}"


def counted(own: Window) -> str:
    """How many statements a window has, in words."""
    return f"{own.count} statement{'' if own.count == 1 else 's'}"


def own_numbers(texts: Mapping[str, object]) -> frozenset[str]:
    """The numbers of our own among texts by number."""
    return frozenset(number for number, text in texts.items() if text and is_own(str(text)))
