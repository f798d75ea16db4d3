"""The state of a rollback, derived at every start from the rows of ``pg_database`` and the markers on our databases.

Nothing of it is kept by us. The table is the one of the rollback sheet (3.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from migconsole.domain.rollback import NAME_LIMIT, REBUILD_LIMIT, DatabaseRow, Mark, Names, ours, quoted


class State(StrEnum):
    """What the databases on the server say about a rollback."""

    IDLE = "idle"
    CLOSED = "closed"
    RESTORING = "restoring"
    OPEN = "open"
    ARMED = "armed"
    FENCED = "fenced"
    SWAPPED = "swapped"
    SWAPPED_CLOSED = "swapped-closed"
    REPLACING = "replacing"
    REBUILDING = "rebuilding"
    REPLACED = "replaced"
    MISSING = "missing"
    LOST = "lost"
    FOREIGN = "foreign"


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


@dataclass(frozen=True, slots=True)
class Replacement:
    """On record: the database with this oid began to be replaced where it stood. ``opened``: up to its last step."""

    oid: int
    opened: bool = False


def derive(names: Names, rows: Mapping[str, DatabaseRow], replacement: Replacement | None = None) -> Situation:
    """The state that the three rows show; a missing row is a database that is not there.

    Only with a ``replacement`` on record may the application's name be missing without a stranger's act. Where its oid
    is still there the DROP was never carried out, and the record does not count.
    """
    app, side, failed = (rows.get(name) for name in (names.app, names.side, names.failed))
    if replacement is not None and app is not None and app.oid == replacement.oid and not app.lost:
        replacement = None
    in_place = replacement is not None
    for row in (app, side, failed):
        if row is not None and row.lost:
            return _lost(names, row, in_place=in_place)
    for row in (side, failed):
        if row is not None and not ours(row, names.app):
            return _foreign(row)
    if app is None:
        return _without_app(names, side, failed, in_place=in_place)
    if replacement is not None:
        return _replaced(names, app, replacement)
    if failed is not None:
        return _swapped(names, app)
    return _before(names, app, side)


def _replaced(names: Names, app: DatabaseRow, replacement: Replacement) -> Situation:
    unfinished = app.limit in (0, REBUILD_LIMIT) or (app.marker is not None and app.marker.step is Mark.RESTORING)
    if unfinished:
        return Situation(
            State.REBUILDING,
            f"{names.app} was dropped and made anew; its restore is not finished",
            ("Go on forward: drop what was restored so far, restore it again",),
        )
    if replacement.opened:
        return Situation(State.REPLACED, f"{names.app} was restored where it stood", ("Verify, start the application",))
    return Situation(
        State.FOREIGN,
        f"{names.app} was dropped by us, and somebody else has made it anew; an application that deploys at its start?",
        ("Stop whatever made it, move it aside, then go on forward",),
        (f"ALTER DATABASE {quoted(names.app)} RENAME TO {quoted(_aside(names.app))};",),
    )


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
    if marker.step is Mark.VERIFIED or side.open:
        return _not_armed(names, app, side, marker.step)
    if not app.open:
        return Situation(
            State.FENCED,
            f"{names.app} is closed to connections: an outage, with all data whole",
            (f"Swap {names.side} in", f"Unfence: open {names.app} again"),
        )
    used = " It was live before it was put back, and has the rows written then." if marker.step is Mark.USED else ""
    return Situation(State.ARMED, f"{names.side} is armed: one swap away.{used}", ("Swap", "Purge when not needed"))


def _not_armed(names: Names, app: DatabaseRow, side: DatabaseRow, step: Mark) -> Situation:
    """A whole copy that is no restore point: its proof was cut off before the end, or somebody let clients into it."""
    if step is Mark.VERIFIED:
        why = f"the proof of {names.side} was cut off before it was armed"
        on: tuple[str, ...] = (
            "Prove the backup again, or restore it beside the database (side-restore): it is dropped and made anew",
        )
    else:
        why = f"{names.side} was armed and is open now: whoever opened it may have changed it"
        close = f"ALTER DATABASE {quoted(names.side)} WITH ALLOW_CONNECTIONS false;"
        again = "Prove the backup again, or restore it beside the database (side-restore)"
        on = (
            f"{again if step is Mark.ARMED else 'Purge it, and prove a backup again'}",
            f"Or, if you answer for it that nobody has changed it: {close} the swap reads everything back afterwards",
        )
    if app.open:
        return Situation(State.OPEN, why, on)
    return Situation(State.CLOSED, f"{names.app} does not accept connections; {why}", (f"Open {names.app} again", *on))
