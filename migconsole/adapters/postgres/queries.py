"""The SQL of probes and checks: one file per query in ``sql/``, with variants by server version.

``name.sql`` serves every supported version; ``name_130000.sql`` serves servers from that ``server_version_num`` on. A
query that only has variants does not exist on older servers. What is sent has no comments but the mark
that tells our own statements from the application's.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from migconsole.domain.own_statements import marked

OLDEST = 110_000
"""``server_version_num`` of the oldest supported server, PostgreSQL 11."""

_FILE = re.compile(r"([a-z_]+?)(?:_(\d{6}))?\.sql")
_COMMENT = re.compile(r"^--.*\n", re.MULTILINE)
"""Comments stay here: every backend's statement is shown to somebody."""


def sent(text: str) -> str:
    """What is sent of a file: its statement with our mark, without its comments."""
    return marked(_COMMENT.sub("", text))


@cache
def _variants() -> dict[str, dict[int, str]]:
    found: dict[str, dict[int, str]] = {}
    for entry in files(__package__).joinpath("sql").iterdir():
        match = _FILE.fullmatch(entry.name)
        if match:
            found.setdefault(match[1], {})[int(match[2] or 0)] = sent(entry.read_text(encoding="utf-8"))
    return found


def names() -> tuple[str, ...]:
    """Every query there is."""
    return tuple(sorted(_variants()))


def every(name: str) -> tuple[str, ...]:
    """The texts of all variants of a query. Raises KeyError for no such query."""
    return tuple(_variants()[name].values())


@cache
def load(name: str, version_num: int) -> str | None:
    """The text of a query for a server, None where the server is too old for it. Raises KeyError for no such query."""
    fitting = {since: text for since, text in _variants()[name].items() if since <= version_num}
    return fitting[max(fitting)] if fitting else None
