"""Which lines of a command's output report an error or a warning, as one table of patterns.

Patterns work on bytes, so that a whole file can be searched without decoding it. They are anchored to how the tools
begin such lines: the word alone ("0 errors", a column named ``error``) is not a problem.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Level(StrEnum):
    """How bad a line is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class ProblemPattern:
    """One way a tool reports a problem. Every match holds ``hint`` in some mixture of cases."""

    tool: str
    level: Level
    hint: bytes
    pattern: bytes


_E, _W = Level.ERROR, Level.WARNING
_FILE = rb"(?:psql:[^\n]{0,300}?:\d+: )?"

PATTERNS: tuple[ProblemPattern, ...] = (
    ProblemPattern("psql", _E, b"error:", rb"^[ \t>]*" + _FILE + rb"ERROR:[ \t]"),
    ProblemPattern("psql", _E, b"fatal:", rb"^[ \t>]*" + _FILE + rb"FATAL:[ \t]"),
    ProblemPattern("psql", _E, b"panic:", rb"^[ \t>]*" + _FILE + rb"PANIC:[ \t]"),
    ProblemPattern("psql", _W, b"warning:", rb"^[ \t>]*" + _FILE + rb"WARNING:[ \t]"),
    ProblemPattern("server log", _E, b"error:", rb"^\d{4}-\d\d-\d\d [^\n]{0,200}? (?:ERROR|FATAL|PANIC):[ \t]"),
    ProblemPattern("server log", _W, b"warning:", rb"^\d{4}-\d\d-\d\d [^\n]{0,200}? WARNING:[ \t]"),
    ProblemPattern(
        "libpq tools", _E, b"error:", rb"^(?:psql|pg_\w+|createdb|dropdb|vacuumdb|reindexdb): (?:fatal|error): "
    ),
    ProblemPattern("libpq tools", _W, b"warning:", rb"^(?:psql|pg_\w+|createdb|dropdb|vacuumdb|reindexdb): warning: "),
    ProblemPattern("prisma", _E, b"error", rb"^[ \t]*(?:Error: P\d{4}\b|Error code: P\d{4}\b|Database error code: )"),
    ProblemPattern("prisma", _W, b"warn", rb"^[ \t]*(?:warn |prisma:warn )"),
    ProblemPattern("prisma", _E, b"prisma:error", rb"^[ \t]*prisma:error "),
    ProblemPattern("alembic", _E, b"error", rb"^(?:ERROR|CRITI)\w*[ \t]+\[[\w.]+\]"),
    ProblemPattern("alembic", _W, b"warni", rb"^WARNI\w*[ \t]+\[[\w.]+\]"),
    ProblemPattern("alembic", _E, b"failed:", rb"^[ \t]*FAILED: "),
    ProblemPattern("python", _E, b"traceback", rb"^Traceback \(most recent call last\):"),
    ProblemPattern("python", _E, b"error", rb"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*Error\b[:\r\n]"),
    ProblemPattern("python", _E, b"exception", rb"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*Exception\b[:\r\n]"),
    ProblemPattern("python", _W, b"warning:", rb"^[^\n]{0,300}?\b[A-Z]\w*Warning: "),
    ProblemPattern("django", _W, b"warnings:", rb"^WARNINGS:"),
    ProblemPattern("django", _E, b"errors:", rb"^ERRORS:"),
    ProblemPattern("sqitch", _E, b"not ok", rb"(?:^|\.\. )not ok\b"),
    ProblemPattern("sqitch", _E, b"failed", rb"^(?:Deploy|Revert|Verify) failed"),
    ProblemPattern("flyway", _E, b"sql state", rb"^SQL State[ \t]+: "),
    ProblemPattern("flyway", _E, b"caused by:", rb"^Caused by: "),
    ProblemPattern("dbmate", _E, b"error: pq:", rb"^Error: pq: "),
    ProblemPattern("shell", _E, b"command not found", rb": command not found\r?$"),
    ProblemPattern("shell", _E, b"no such file", rb": No such file or directory\r?$"),
    ProblemPattern("shell", _E, b"permission denied", rb": Permission denied\r?$"),
    ProblemPattern("shell", _E, b"no space left", rb": No space left on device\r?$"),
    ProblemPattern("shell", _E, b"killed", rb"^(?:[^\n]{0,300}: )?Killed\r?$"),
    ProblemPattern("shell", _E, b"segmentation fault", rb"\bSegmentation fault\b"),
    ProblemPattern("generic", _E, b"error", rb"^[ \t]*(?:\[?(?:[Ee]rror|ERROR)\]?[: ]|[\w./-]{1,60}: [Ee]rror: )"),
    ProblemPattern("generic", _E, b"fatal", rb"^[ \t]*(?:\[?(?:[Ff]atal|FATAL)\]?[: ]|[\w./-]{1,60}: [Ff]atal: )"),
    ProblemPattern("npm", _E, b"npm err!", rb"^npm ERR! "),
    ProblemPattern("generic", _E, b"panic:", rb"^panic: "),
    ProblemPattern(
        "generic", _W, b"warn", rb"^[ \t]*(?:\[?(?:[Ww]arn(?:ing)?|WARN(?:ING)?)\]?[: ]|[\w./-]{1,60}: [Ww]arning: )"
    ),
)
"""In order of precedence: the first that matches says how bad a line is."""


def pattern_for(*levels: Level) -> bytes:
    """One pattern that matches every line of the given levels, for searching with multi-line anchors."""
    return b"|".join(entry.pattern for entry in PATTERNS if entry.level in levels)


def hints_for(*levels: Level) -> tuple[bytes, ...]:
    """Lower-case words of which every match of ``pattern_for`` holds one: text without any can be passed over."""
    hints = {entry.hint for entry in PATTERNS if entry.level in levels}
    return tuple(sorted(hint for hint in hints if not any(other != hint and other in hint for other in hints)))


_COMPILED = tuple((re.compile(entry.pattern), entry.level, entry.hint) for entry in PATTERNS)


@lru_cache(maxsize=4096)
def level_of(line: bytes) -> Level | None:
    """How bad one line is, escape sequences already removed; None for an ordinary line.

    >>> level_of(b'ERROR:  relation "x" does not exist')
    <Level.ERROR: 'error'>
    >>> level_of(b"0 errors, 0 warnings") is None
    True
    """
    lower = line.lower()
    for regex, level, hint in _COMPILED:
        if hint in lower and regex.search(line):
            return level
    return None
