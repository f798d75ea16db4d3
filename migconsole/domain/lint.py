"""What in a migration deserves a second look: what is lost, what breaks old clients, what holds long locks.

These are the built-in rules, for hosts where squawk is not installed. They read words, not the grammar: they can miss a
thing and warn of a harmless one, so a clean result of theirs says which of the two looked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from migconsole.domain.sql import UnfinishedSqlError, located


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. ``line`` counts from 1; ``level`` is error for what loses data or breaks clients, else warning."""

    file: str
    line: int
    rule: str
    message: str
    level: str = "warning"

    def text(self) -> str:
        """For a person."""
        return f"{self.file}:{self.line}: {self.level}: {self.rule}: {self.message}"

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern over one statement without comments and quoted text, in lower case; ``unless`` takes it back."""

    name: str
    pattern: re.Pattern[str]
    message: str
    level: str = "warning"
    unless: re.Pattern[str] | None = None
    new_table_too: bool = True


def _rule(name: str, pattern: str, message: str, *, error: bool = False, unless: str = "", old: bool = False) -> Rule:
    return Rule(
        name,
        re.compile(pattern, re.DOTALL),
        message,
        "error" if error else "warning",
        re.compile(unless, re.DOTALL) if unless else None,
        new_table_too=not old,
    )


_ADD = r"\badd\s+(?:constraint\s+\S+\s+)?"
_TRANSACTION = (
    r"^(?:begin|commit|end|abort|start\s+transaction|prepare\s+transaction"
    r"|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))\b"
)
RULES = (
    _rule("drop-table", r"\bdrop\s+table\b", "the table and its rows are gone", error=True),
    _rule("drop-database", r"\bdrop\s+(?:database|schema)\b", "everything in it is gone", error=True),
    _rule(
        "drop-column",
        r"^alter\s+table\b.*\bdrop\s+(?:column\b|(?!column\b|constraint\b|not\b|default\b|expression\b|identity\b)[\w\"])",
        "the column's data is gone, and code that still names it fails",
        error=True,
    ),
    _rule("truncate", r"\btruncate\b", "every row is gone, and no row counter shows it", error=True),
    _rule(
        "delete-without-where", r"\bdelete\s+from\b", "every row is deleted", error=True, unless=r"\bwhere\b|\busing\b"
    ),
    _rule(
        "update-without-where", r"^update\b.*\bset\b", "every row is rewritten in one transaction", unless=r"\bwhere\b"
    ),
    _rule("rename", r"^alter\b.*\brename\b", "code that still uses the old name fails", error=True),
    _rule(
        "change-type",
        r"^alter\s+table\b.*\balter\s+(?:column\s+)?\S+\s+(?:set\s+data\s+)?type\b",
        "most changes of type rewrite the table under ACCESS EXCLUSIVE",
        old=True,
    ),
    _rule("set-not-null", r"\bset\s+not\s+null\b", "the whole table is read under ACCESS EXCLUSIVE", old=True),
    _rule(
        "add-required-column",
        r"^alter\s+table\b.*\badd\s+(?:column\s+)?(?!constraint\b)[^,]*\bnot\s+null\b",
        "it fails on a table with rows, and old code cannot insert",
        error=True,
        unless=r"\bdefault\b|\bgenerated\b|\bserial\b",
        old=True,
    ),
    _rule(
        "volatile-default",
        r"^alter\s+table\b.*\badd\s+(?:column\s+)?.*(?:\bdefault\s+[\w.]*(?:random|uuid|clock_timestamp|nextval)\w*\s*\("
        r"|\b(?:big|small)?serial\b|\bgenerated\s+always\s+as\s*\()",
        "the table is rewritten under ACCESS EXCLUSIVE",
        old=True,
    ),
    _rule(
        "index-blocks-writes",
        r"^create\s+(?:unique\s+)?index\b",
        "writes wait until it is built; CONCURRENTLY lets them through",
        unless=r"\bconcurrently\b",
        old=True,
    ),
    _rule("drop-index", r"^drop\s+index\b", "queries that rely on it become slow; it locks the table"),
    _rule(
        "constraint-not-valid",
        rf"^alter\s+table\b.*{_ADD}(?:foreign\s+key|check)\b",
        "every row is checked under a lock; NOT VALID and VALIDATE CONSTRAINT later do not block",
        unless=r"\bnot\s+valid\b",
        old=True,
    ),
    _rule(
        "unique-constraint",
        rf"^alter\s+table\b.*{_ADD}(?:unique|primary\s+key)\b",
        "the index is built under ACCESS EXCLUSIVE; build it CONCURRENTLY and attach it USING INDEX",
        unless=r"\busing\s+index\b",
        old=True,
    ),
    _rule("rewrites-table", r"^(?:vacuum\b.*\bfull\b|cluster\b)", "the table is rewritten under ACCESS EXCLUSIVE"),
    _rule("lock-table", r"^lock\b", "everybody else waits until the transaction ends"),
    _rule(
        "drop-object",
        r"^drop\s+(?:view|materialized|function|procedure|type|domain|sequence|extension|trigger)\b",
        "code that still uses it fails",
    ),
    _rule(
        "transaction",
        _TRANSACTION,
        "the tool's own transaction ends here; what follows stays when a later statement fails",
    ),
)
"""What is looked for, statement by statement."""

_CREATED = re.compile(r"^create\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?([\w.\"]+)")
_ON = re.compile(
    r"^(?:alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?|create\s+(?:unique\s+)?index\b.*?\bon\s+(?:only\s+)?)([\w.\"]+)"
)
_CONCURRENTLY = re.compile(r"\bconcurrently\b")


def lint(file: str, text: str) -> list[Finding]:
    """Findings of the built-in rules in one file, in its order.

    >>> [finding.rule for finding in lint("a.sql", "DROP TABLE old;")]
    ['drop-table']
    """
    try:
        statements = [(line, " ".join(statement.lower().split())) for line, statement in located(text)]
    except UnfinishedSqlError as error:
        return [Finding(file, 1, "unreadable", str(error), "error")]
    new = {match[1] for _, statement in statements if (match := _CREATED.match(statement)) and match[1] != '""'}
    return [
        finding for line, statement in statements for finding in _judge(file, line, statement, new, len(statements))
    ]


def _judge(file: str, line: int, statement: str, new: set[str], count: int) -> Iterator[Finding]:
    target = _ON.match(statement)
    on_new = target is not None and target[1] in new
    for rule in RULES:
        if on_new and not rule.new_table_too:
            continue
        if rule.pattern.search(statement) and not (rule.unless and rule.unless.search(statement)):
            yield Finding(file, line, rule.name, rule.message, rule.level)
    if count > 1 and _CONCURRENTLY.search(statement) and not statement.startswith("refresh"):
        why = "CONCURRENTLY fails inside a transaction: it must be alone in its file"
        yield Finding(file, line, "concurrently-in-transaction", why, "error")


_ELSEWHERE = re.compile(r"\\(?:i|ir|include|include_relative|c|connect|gexec)(?![\w])")
"""Words of psql behind which statements stand that cannot be read here, or another connection."""


def transaction_control(text: str) -> tuple[str, ...]:
    """Lines of a psql script that end or leave the one transaction that it is run in; none when it is all or nothing.

    >>> transaction_control("DROP TABLE a;\\nCOMMIT;\\nDROP TABLE b;")
    ('line 2: COMMIT',)
    """
    found: list[tuple[int, str]] = []
    rest = []
    for number, line in enumerate(text.splitlines(), 1):
        if _ELSEWHERE.search(line):
            found.append((number, line))
        # A word of psql ends with its line, not with a semicolon.
        rest.append("" if line.lstrip().startswith("\\") else line)
    try:
        statements = located("\n".join(rest))
    except UnfinishedSqlError as error:
        return (f"it cannot be read: {error}",)
    pattern = re.compile(_TRANSACTION)
    found += [(line, words) for line, words in statements if pattern.match(" ".join(words.lower().split()))]
    return tuple(f"line {number}: {' '.join(words.split())}" for number, words in sorted(found))
