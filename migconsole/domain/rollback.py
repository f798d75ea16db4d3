"""What a rollback knows without asking: the names of its databases, and the marker that ours carry as their comment."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

NAME_LIMIT = 63
"""Bytes of an identifier (NAMEDATALEN - 1): the server cuts longer ones silently, and two could become one."""

INVALID = -2
"""``datconnlimit`` of a database whose DROP was interrupted: nobody can connect to it, and only DROP remains."""

REBUILD_LIMIT = 9973
"""Connection limit of a database that is being rebuilt where it stands by a role that limit 0 would lock out: a value
that nobody sets, so that it is recognised before the marker is on it."""

LENT = 1_900_000_000
"""Added to the connection limit of a kept database, and one more, while a salvage lets itself in: whoever finds such a
limit knows that the salvage died there, and what the limit was. No server takes as many connections."""

_MARKER_LIMIT = 100_000
_IDENTIFIER = re.compile(r"[0-9a-f]{8}")


def run8(identifier: str) -> str:
    """The first eight hex characters of a run's or backup's identifier. Raises ValueError when it does not begin so.

    >>> run8("0a1b2c3d4e5f")
    '0a1b2c3d'
    """
    found = _IDENTIFIER.match(identifier)
    if found is None:
        raise ValueError("an identifier begins with eight hex characters")
    return found[0]


def side_name(app: str, identifier: str) -> str:
    """The side database: where the restore point of a run (or, outside a run, of a backup) waits.

    >>> side_name("shop", "0a1b2c3d4e5f")
    'shop__rb_0a1b2c3d'
    """
    return _named(app, "rb", identifier)


def failed_name(app: str, identifier: str) -> str:
    """The failed database, kept after the swap."""
    return _named(app, "failed", identifier)


def point_name(app: str, identifier: str) -> str:
    """A clone of the database, made as a restore point with ``CREATE DATABASE … TEMPLATE``."""
    return _named(app, "rp", identifier)


def next_name(app: str, identifier: str) -> str:
    """What is restored while an armed side database has to stay; the two change names when it is proven."""
    return _named(app, "next", identifier)


def between_name(app: str, identifier: str) -> str:
    """Held for an instant inside the transaction in which two databases change names; never seen from outside."""
    return _named(app, "was", identifier)


def _named(app: str, word: str, identifier: str) -> str:
    """The application's part is cut, never the suffix, and never inside a character."""
    suffix = f"__{word}_{run8(identifier)}"
    room = NAME_LIMIT - len(suffix)
    return app.encode()[:room].decode("utf-8", "ignore") + suffix


def operator_lock_key(app: str) -> int:
    """The advisory lock of whoever changes what a database's name means; in the maintenance database.

    Of the name, which a swap keeps, not of the oid, which it changes and which can exceed an int4. It is another lock
    than the watcher's run lock: that one says that a run is open and lasts for days, this one is held by the very
    connection that executes, for the minutes of a rollback.
    """
    digest = hashlib.sha256(f"migconsole operator {app}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


# -- the marker --------------------------------------------------------------------------------------------------------


class Mark(StrEnum):
    """How far a database of ours is.

    USED: it was the live one for a while, between a swap and its undoing. DRILL: a copy that a drill works on.
    """

    RESTORING = "restoring"
    VERIFIED = "verified"
    ARMED = "armed"
    FAILED = "failed"
    USED = "used"
    DRILL = "drill"


@dataclass(frozen=True, slots=True)
class Marker:
    """The comment on a database of ours. ``owner`` is the run's or backup's identifier, ``at`` the server's UTC time.

    ``comment`` keeps what the database's comment was before it became FAIL, so that putting it back loses nothing.
    """

    owner: str
    app: str
    step: Mark
    backup: str = ""
    manifest: str = ""
    at: str = ""
    comment: str | None = None

    def stepped(self, step: Mark, at: str) -> Marker:
        """The same database, one step on."""
        return replace(self, step=step, at=at)

    def text(self) -> str:
        """The comment's text.

        >>> Marker("0a1b2c3d", "shop", Mark.ARMED).text()
        '{"migconsole": "0a1b2c3d", "app": "shop", "step": "armed", "backup": "", "manifest": "", "at": ""}'
        """
        data: dict[str, str] = {
            "migconsole": self.owner,
            "app": self.app,
            "step": self.step.value,
            "backup": self.backup,
            "manifest": self.manifest,
            "at": self.at,
        }
        if self.comment is not None:
            data["comment"] = self.comment
        return json.dumps(data, ensure_ascii=False)


def parse_marker(comment: str | None) -> Marker | None:
    """The marker in a database's comment; None for anything that is not exactly one: such a database is not ours."""
    if not comment or len(comment) > _MARKER_LIMIT or not comment.startswith("{"):
        return None
    try:
        data = json.loads(comment)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        return None
    try:
        step = Mark(data.get("step", ""))
        run8(data.get("migconsole", ""))
    except ValueError:
        return None
    if not data.get("app"):
        return None
    return Marker(
        owner=data["migconsole"],
        app=data["app"],
        step=step,
        backup=data.get("backup", ""),
        manifest=data.get("manifest", ""),
        at=data.get("at", ""),
        comment=data.get("comment"),
    )


# -- databases --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DatabaseRow:
    """A row of ``pg_database``. ``comment`` is its description as the server has it, None without one."""

    name: str
    oid: int
    open: bool = True
    limit: int = -1
    comment: str | None = None
    owner: str = ""
    size: int | None = None
    sessions: int = 0
    template: bool = False

    @property
    def lost(self) -> bool:
        """Whether a DROP of it was interrupted: its data is gone."""
        return self.limit == INVALID

    @property
    def lent(self) -> bool:
        """Whether a salvage has let itself in and not closed it again."""
        return self.open and self.limit >= LENT

    @property
    def marker(self) -> Marker | None:
        """Our marker, None when it is not ours."""
        return parse_marker(self.comment)


def half_dropped(expects: Iterable[tuple[str, int]], rows: Mapping[str, DatabaseRow]) -> str:
    """Which of these databases (name, oid) has a DROP that was cut off, "" when none: nothing undoes that."""
    return next((name for name, _ in expects if name in rows and rows[name].lost), "")


def ours(row: DatabaseRow, app: str) -> bool:
    """Whether a database carries our marker for this application."""
    return row.marker is not None and row.marker.app == app


@dataclass(frozen=True, slots=True)
class Names:
    """The three names of a rollback."""

    app: str
    side: str
    failed: str

    @classmethod
    def of(cls, app: str, identifier: str) -> Names:
        """The names of a run or backup."""
        return cls(app, side_name(app, identifier), failed_name(app, identifier))


def quoted(name: str) -> str:
    """An identifier for SQL.

    >>> quoted('my "db"')
    '"my ""db""\"'
    """
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def lending_statement(row: DatabaseRow) -> str:
    """Opens a closed database in a way that tells whoever finds it open who did it, in one statement.

    >>> lending_statement(DatabaseRow("f", 1, open=False))
    'ALTER DATABASE "f" WITH ALLOW_CONNECTIONS true CONNECTION LIMIT 1900000000'
    """
    return f"ALTER DATABASE {quoted(row.name)} WITH ALLOW_CONNECTIONS true CONNECTION LIMIT {LENT + row.limit + 1}"


def closing_statement(row: DatabaseRow) -> str:
    """Closes it again with the limit that it had.

    >>> closing_statement(DatabaseRow("f", 1, limit=LENT + 1 + 7))
    'ALTER DATABASE "f" WITH ALLOW_CONNECTIONS false CONNECTION LIMIT 7'
    """
    limit = row.limit - LENT - 1 if row.limit >= LENT else row.limit
    return f"ALTER DATABASE {quoted(row.name)} WITH ALLOW_CONNECTIONS false CONNECTION LIMIT {limit}"


def literal(text: str | None) -> str:
    """A string constant for SQL that means the same whatever ``standard_conforming_strings`` is.

    >>> literal("it's"), literal(None)
    ("'it''s'", 'NULL')
    """
    if text is None:
        return "NULL"
    doubled = text.replace("'", "''")
    if "\\" not in doubled:
        return f"'{doubled}'"
    escaped = doubled.replace("\\", "\\\\")
    return f"E'{escaped}'"
