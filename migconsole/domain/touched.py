"""Which tables a migration's SQL names as those it changes: the ones whose size is worth watching.

A look at the text, not a parser: what it misses is watched among the largest tables anyway, and what it finds too much
costs one row.
"""

from __future__ import annotations

import re

_QUIET = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$", re.DOTALL)
_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_TOUCHED = re.compile(
    rf"""\b(?:
        ALTER\s+TABLE(?:\s+IF\s+EXISTS)?(?:\s+ONLY)?
      | CREATE\s+(?:UNLOGGED\s+)?TABLE(?:\s+IF\s+NOT\s+EXISTS)?
      | CREATE\s+(?:UNIQUE\s+)?INDEX\b[^;()]*?\bON(?:\s+ONLY)?
      | DROP\s+TABLE(?:\s+IF\s+EXISTS)?
      | TRUNCATE(?:\s+TABLE)?(?:\s+ONLY)?
      | REINDEX\s+(?:\([^)]*\)\s*)?TABLE(?:\s+CONCURRENTLY)?
      | CLUSTER
      | UPDATE(?:\s+ONLY)?
      | INSERT\s+INTO
      | DELETE\s+FROM(?:\s+ONLY)?
    )\s+({_NAME}(?:\s*\.\s*{_NAME})?)""",
    re.IGNORECASE | re.VERBOSE,
)
_NO_TABLES = frozenset({"set", "on", "only", "of", "using", "cascade", "restrict", "no", "to"})
"""Words that follow UPDATE and the like where no table is meant (ON UPDATE CASCADE, DO UPDATE SET)."""


def touched(sql: str) -> tuple[str, ...]:
    """The tables in the order in which they first occur, names as the server knows them, quoted where they were.

    >>> touched('ALTER TABLE Orders ADD COLUMN a int; -- DROP TABLE x\\nUPDATE shop."Item" SET a = 1;')
    ('orders', 'shop."Item"')
    >>> touched("CREATE UNIQUE INDEX CONCURRENTLY i ON orders (a); SELECT 'DELETE FROM t'")
    ('orders',)
    """
    found = (_folded(match[1]) for match in _TOUCHED.finditer(_QUIET.sub(" ", sql)))
    return tuple(dict.fromkeys(name for name in found if name not in _NO_TABLES))


def _folded(name: str) -> str:
    parts = re.findall(_NAME, name)
    return ".".join(part if part.startswith('"') else part.lower() for part in parts)
