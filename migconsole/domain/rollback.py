"""What a rollback knows without asking: names of databases, the marker on them, and the state that follows from both.

The state of a rollback is never kept by us: it is derived, at every start, from the rows of ``pg_database`` and the
marker that our databases carry as their comment. The table is the one of the rollback sheet (3.3).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

NAME_LIMIT = 63
"""Bytes of an identifier (NAMEDATALEN - 1): the server cuts longer ones silently, and two could become one."""

INVALID = -2
"""``datconnlimit`` of a database whose DROP was interrupted: nobody can connect to it, and only DROP remains."""

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
    """How far a database of ours is. USED: it was the live one for a while, between a swap and its undoing."""

    RESTORING = "restoring"
    VERIFIED = "verified"
    ARMED = "armed"
    FAILED = "failed"
    USED = "used"


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


# -- the state ---------------------------------------------------------------------------------------------------------


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
    def marker(self) -> Marker | None:
        """Our marker, None when it is not ours."""
        return parse_marker(self.comment)


class State(StrEnum):
    """What the databases on the server say about a rollback."""

    IDLE = "idle"
    CLOSED = "closed"
    RESTORING = "restoring"
    VERIFIED = "verified"
    ARMED = "armed"
    FENCED = "fenced"
    SWAPPED = "swapped"
    SWAPPED_CLOSED = "swapped-closed"
    REPLACING = "replacing"
    REBUILDING = "rebuilding"
    MISSING = "missing"
    LOST = "lost"
    FOREIGN = "foreign"


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


@dataclass(frozen=True, slots=True)
class Situation:
    """The state with its reason and what to do about it.

    ``next`` are the ways on, as sentences. ``repairs`` are SQL statements for a person with psql, in the order in which
    they are shown; only a stranger's act or an interrupted DROP needs them.
    """

    state: State
    means: str
    next: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()

    @property
    def stop(self) -> bool:
        """Whether nothing may be done by us before a person has repaired something."""
        return self.state in (State.MISSING, State.LOST, State.FOREIGN)


def derive(names: Names, rows: Mapping[str, DatabaseRow], *, in_place: bool = False) -> Situation:
    """The state that the three rows show; a missing row is a database that is not there.

    ``in_place`` says that this run or state file has begun to replace the database where it stands: only then may its
    name be missing without a stranger's act.
    """
    app, side, failed = (rows.get(name) for name in (names.app, names.side, names.failed))
    for row in (app, side, failed):
        if row is not None and row.lost:
            return _lost(names, row, in_place=in_place)
    for row in (side, failed):
        if row is not None and not ours(row, names.app):
            return _foreign(row)
    if app is None:
        return _without_app(names, side, failed, in_place=in_place)
    if in_place and app.marker is not None and app.marker.step is Mark.RESTORING:
        return Situation(
            State.REBUILDING,
            f"{names.app} was dropped and made anew; its restore is not finished",
            ("Go on forward: drop what was restored so far, restore it again",),
        )
    if failed is not None:
        return _swapped(names, app)
    return _before(names, app, side)


def ours(row: DatabaseRow, app: str) -> bool:
    """Whether a database carries our marker for this application."""
    return row.marker is not None and row.marker.app == app


def _lost(names: Names, row: DatabaseRow, *, in_place: bool) -> Situation:
    finish = f"DROP DATABASE {quoted(row.name)};"
    means = f"A DROP of {row.name} was interrupted: its data is gone, and only finishing the DROP remains"
    if in_place and row.name == names.app:
        return Situation(State.REPLACING, means, ("Go on forward: finish the DROP, make it anew, restore",), (finish,))
    return Situation(State.LOST, means, ("Finish the DROP",), (finish,))


def _foreign(row: DatabaseRow) -> Situation:
    return Situation(
        State.FOREIGN,
        f"{row.name} exists and does not carry our marker: somebody else made it",
        ("Find out whose it is; rename or drop it by hand if it is in the way",),
        (f"ALTER DATABASE {quoted(row.name)} RENAME TO {quoted(_aside(row.name))};",),
    )


def _aside(name: str) -> str:
    return name.encode()[: NAME_LIMIT - 6].decode("utf-8", "ignore") + "_aside"


def _without_app(names: Names, side: DatabaseRow | None, failed: DatabaseRow | None, *, in_place: bool) -> Situation:
    if in_place:
        return Situation(
            State.REPLACING,
            f"{names.app} was dropped to be made anew; the point of no return is behind",
            ("Go on forward: make it anew, restore, compare",),
        )
    repairs = tuple(
        f"ALTER DATABASE {quoted(row.name)} RENAME TO {quoted(names.app)};" for row in (failed, side) if row is not None
    )
    return Situation(
        State.MISSING,
        f"There is no database {names.app}: somebody renamed or dropped it",
        (
            "Do not start the application: one that deploys at its start would create the database, empty",
            "Choose one of the two: the database with the latest writes, or the restored one",
        ),
        repairs,
    )


def _swapped(names: Names, app: DatabaseRow) -> Situation:
    if not app.open:
        return Situation(
            State.SWAPPED_CLOSED,
            f"{names.app} is the restored database and does not accept connections",
            (f"Open it: {names.app} must accept connections", "Put the failed database back"),
        )
    return Situation(
        State.SWAPPED,
        f"{names.app} is the restored database; the failed one is kept as {names.failed}",
        ("Verify, start the application", "Put the failed database back", "Purge the failed database, later"),
    )


def _before(names: Names, app: DatabaseRow, side: DatabaseRow | None) -> Situation:
    marker = side.marker if side is not None else None
    if side is None or marker is None:
        if app.open:
            return Situation(State.IDLE, "Nothing has been prepared, or all of it was purged", ("Back up, then prove",))
        return Situation(
            State.CLOSED, f"{names.app} does not accept connections, and no restore point is there", ("Open it again",)
        )
    if marker.step is Mark.RESTORING or marker.step is Mark.FAILED:
        if app.open:
            return Situation(
                State.RESTORING,
                f"The restore into {names.side} was not finished",
                (f"Drop {names.side} and restore again; a partial restore is never continued",),
            )
        return Situation(
            State.CLOSED, f"{names.app} does not accept connections; no proven restore point", ("Open it again",)
        )
    if not app.open:
        return Situation(
            State.FENCED,
            f"{names.app} is closed to connections: an outage, with all data whole",
            (f"Swap {names.side} in", f"Unfence: open {names.app} again"),
        )
    if marker.step is Mark.VERIFIED or side.open:
        return Situation(
            State.VERIFIED, f"{names.side} is proven, and still open to connections", (f"Close {names.side}: arm it",)
        )
    used = " It was live before it was put back, and has the rows written then." if marker.step is Mark.USED else ""
    return Situation(State.ARMED, f"{names.side} is armed: one swap away.{used}", ("Swap", "Purge when not needed"))


def quoted(name: str) -> str:
    """An identifier for SQL.

    >>> quoted('my "db"')
    '"my ""db""\"'
    """
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


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
