"""What a statement is, whatever number the server gave it: its text without what differs from call to call.

``queryid`` changes where a column's type changes and where a database is dropped and restored, which is where a
comparison matters most. The normalised text survives both.
"""

from __future__ import annotations

import hashlib
import re

_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_TOKEN = re.compile(
    r"""
    (?P<name>"(?:[^"]|"")*")
  | (?P<constant>[eEnNbBxX]?'(?:[^'\\]|''|\\.)*' | \$\d+ | (?<![\w.])[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<word>[^\W\d]\w*)
  | (?P<space>\s+)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_LIST = re.compile(r"\( ?\?(?: ?, ?\?)* ?\)(?: ?, ?\( ?\?(?: ?, ?\?)* ?\))*")
_COLUMN = r'(?:"(?:[^"]|"")*"|[^\W\d]\w*)(?: ?\. ?(?:"(?:[^"]|"")*"|[^\W\d]\w*|\*))*'
_COLUMNS = re.compile(
    rf"(?<![\w\"])(select|returning) (?:(?:\*|{_COLUMN})(?: as {_COLUMN})?)(?: ?, ?(?:\*|{_COLUMN})(?: as {_COLUMN})?)*"
    r"(?= from | ?$)"
)
_LONGEST = 4_000


def normal(text: str) -> str:
    """A statement's text with comments, constants, their lists and lists of plain columns folded.

    >>> normal('SELECT "t"."a", "t"."b" FROM t WHERE id IN ($1, $2) -- of the page')
    'select * from t where id in (?)'
    """
    folded = []
    for match in _TOKEN.finditer(_COMMENT.sub(" ", text[:_LONGEST])):
        kind, part = match.lastgroup, match[0]
        folded.append(
            "?" if kind == "constant" else " " if kind == "space" else part if kind == "name" else part.lower()
        )
    plain = re.sub(r"\s+", " ", "".join(folded)).strip().rstrip(";").strip()
    return _COLUMNS.sub(r"\1 *", _LIST.sub("(?)", plain))


def fingerprint(text: str) -> str:
    """A short name of the normalised text; "" for a text that is not known."""
    plain = normal(text)
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()[:16] if plain else ""
