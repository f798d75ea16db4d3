"""Roles and tablespaces, which belong to the server and are in no dump of a database: no rollback brings them back."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from migconsole.adapters.backup import directory as storage
from migconsole.adapters.backup.tools import Toolbox
from migconsole.domain.text import sanitise_line

SHOWN = 20
"""Differences that are named; whoever changed more than that knows it."""

_NO_STATEMENT = re.compile(r"\s*(--|\\|SET |$)")
_PASSWORD = re.compile(r"\bPASSWORD\b.*", re.IGNORECASE)


async def changed(backup: Path, toolbox: Toolbox) -> tuple[str, ...]:
    """What of the server's globals is not as it was when the backup was taken, a line each; never a password.

    Which of it the migration did nobody knows: they are shared by all databases. "" of a backup without them is said.
    """
    try:
        before = await asyncio.to_thread((backup / storage.GLOBALS).read_text, encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ("roles and tablespaces of before are not in the backup: whether they changed is not known",)
    ended, now = await toolbox.output("pg_dumpall", "--no-password", "--globals-only", "--no-role-passwords")
    if ended.code != 0:
        return ("roles and tablespaces cannot be read now: whether they changed is not known",)
    return differences(before, now)


def differences(before: str, now: str) -> tuple[str, ...]:
    """The statements that only one of two ``pg_dumpall --globals-only`` has.

    >>> differences("CREATE ROLE a;\\nCREATE ROLE b;\\n", "-- x\\nCREATE ROLE a;\\nCREATE ROLE c;\\n")
    ('roles and tablespaces are not put back: since the backup - CREATE ROLE b;', '… + CREATE ROLE c;')
    """
    old, new = _statements(before), _statements(now)
    found = [
        *(f"- {line}" for line in old if line not in set(new)),
        *(f"+ {line}" for line in new if line not in set(old)),
    ]
    shown = found[:SHOWN] + ([f"{len(found) - SHOWN} more"] if len(found) > SHOWN else [])
    lead = ("roles and tablespaces are not put back: since the backup", *["…"] * len(shown))
    return tuple(f"{word} {line}" for word, line in zip(lead, shown, strict=False))


def _statements(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not _NO_STATEMENT.match(line)]
    return [sanitise_line(_PASSWORD.sub("PASSWORD …", line), 200) for line in lines]
