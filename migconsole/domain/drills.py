"""The databases of a drill: their names, and how those that a drill left behind are told from everybody else's.

A drill that dies leaves its copies. Nothing but their names and markers says whose they are, so that both are asked: a
database is taken for a leftover only when it has a name that a drill gives and carries the marker of that drill, or has
no comment at all, as in the instant after CREATE DATABASE; who drops it then makes sure that it is empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from migconsole.domain.rollback import (
    NAME_LIMIT,
    DatabaseRow,
    Mark,
    between_name,
    failed_name,
    next_name,
    run8,
    side_name,
)

_WORD = "__drill_"


@dataclass(frozen=True, slots=True)
class Leftover:
    """What one drill left: its scratch copy's name, its backup's identifier and time, and its databases."""

    scratch: str
    identifier: str
    at: str
    rows: tuple[DatabaseRow, ...]

    @property
    def line(self) -> str:
        """For a person, with what helps."""
        when = self.at[:16] or "an unknown time"
        names = ", ".join(row.name for row in self.rows)
        return f"a drill of {when} left {names}; migconsole drill --clean names it all, and drops it once confirmed"

    def what(self, row: DatabaseRow) -> str:
        """What one of its databases is, for a person."""
        kinds = {
            self.scratch: "scratch copy",
            side_name(self.scratch, self.identifier): "restored beside it",
            failed_name(self.scratch, self.identifier): "swapped out",
        }
        lost = ", its DROP was interrupted" if row.lost else ""
        return f"{kinds.get(row.name, 'a step of its proof')}{lost}"


def scratch_name(app: str, identifier: str) -> str:
    """The scratch copy's name; no database of anybody is called so.

    >>> scratch_name("shop", "0a1b2c3d4e5f")
    'shop__drill_0a1b2c3d'
    """
    suffix = f"{_WORD}{run8(identifier)}"
    return app.encode()[: NAME_LIMIT - len(suffix)].decode("utf-8", "ignore") + suffix


def drill_lock(scratch: str) -> str:
    """The name of the lock that a drill holds from its first database to its last."""
    return f"{scratch} (drill)"


def made_by(scratch: str, identifier: str) -> tuple[str, ...]:
    """Every database that a drill with this backup makes."""
    names = (side_name, next_name, between_name, failed_name)
    return (scratch, *(name(scratch, identifier) for name in names))


def left_behind(app: str, rows: Iterable[DatabaseRow]) -> list[Leftover]:
    """The databases of drills of ``app`` among these, the oldest drill first; one may be at work: its lock tells."""
    rows = list(rows)
    drills: dict[str, str] = {}
    for row in rows:
        if (identifier := _identified(app, row)) is not None:
            marker = row.marker
            drills[identifier] = max(drills.get(identifier, ""), marker.at if marker is not None else "")
    found = []
    for identifier, at in sorted(drills.items(), key=lambda entry: entry[1]):
        scratch = scratch_name(app, identifier)
        names = made_by(scratch, identifier)
        its = tuple(row for row in rows if row.name in names and belongs(row, app, identifier))
        found.append(Leftover(scratch, identifier, at, its))
    return found


def belongs(row: DatabaseRow, app: str, identifier: str) -> bool:
    """Whether a database with a drill's name carries that drill's marker, or none of anybody's."""
    marker, scratch = row.marker, scratch_name(app, identifier)
    if marker is None:
        return row.comment is None
    if run8(marker.owner) != run8(identifier):
        return False
    return marker.app == scratch or (marker.app == app and marker.step is Mark.DRILL)


def _identified(app: str, row: DatabaseRow) -> str | None:
    """The drill that a database belongs to; None for any other database."""
    marker = row.marker
    if marker is not None:
        scratch = scratch_name(app, marker.owner)
        fits = marker.app == scratch or (marker.app == app and marker.step is Mark.DRILL)
        return run8(marker.owner) if fits and row.name in made_by(scratch, marker.owner) else None
    try:
        identifier = run8(row.name[-8:])
    except ValueError:
        return None
    return identifier if row.comment is None and row.name == scratch_name(app, identifier) else None
