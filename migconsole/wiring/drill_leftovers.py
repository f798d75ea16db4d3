"""``migconsole drill --clean``: the databases that a killed drill left, named, and dropped once that is confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.sides import SideKeeper
from migconsole.adapters.postgres.target import resolve_target
from migconsole.domain.drills import Leftover, belongs, drill_lock, left_behind
from migconsole.domain.quantities import format_size
from migconsole.domain.rollback import DatabaseRow
from migconsole.domain.target import Target
from migconsole.engine.ports import ServerIdentity
from migconsole.errors import EXIT_OK, EXIT_STOPPED, MigconsoleError, StoppedError
from migconsole.wiring.restore_jobs import Speaker


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What the command line gave."""

    target: str
    confirm: str = ""


async def leftover_lines(target: Target, run: str = "") -> list[str]:
    """One line for each drill that left databases here; none where they cannot be seen."""
    try:
        found = await _found(target, run)
    except MigconsoleError:
        return []
    return [f"! {one.line}" for one, alive in found if not alive]


async def clean(wanted: Cleaning, speak: Speaker) -> int:
    """Name what drills left; with the right name typed, drop it. The exit code; raises MigconsoleError."""
    target = resolve_target(wanted.target or None)
    identity = await _identity(target)
    found = await _found(target)
    for one, alive in found:
        _tell(one, alive, speak)
    dead = [one for one, alive in found if not alive]
    if not dead:
        speak(f"{identity.name}: no drill has left anything", {"event": "clean", "dropped": []})
        return EXIT_OK
    if wanted.confirm != identity.name:
        given = f" Given was {wanted.confirm}." if wanted.confirm else ""
        raise StoppedError(
            "Nothing was dropped",
            f"What is named above would be dropped for good.{given}",
            f"--confirm {identity.name}",
        )
    dropped: list[str] = []
    refused = 0
    for one in dead:
        refused += await _drop(target, identity, one, dropped, speak)
    speak(f"{len(dropped)} databases dropped", {"event": "clean", "dropped": dropped})
    return EXIT_STOPPED if refused else EXIT_OK


async def _identity(target: Target) -> ServerIdentity:
    database = PostgresDatabase(target)
    try:
        return await database.identity()
    finally:
        await database.close()


async def _found(target: Target, run: str = "") -> list[tuple[Leftover, bool]]:
    """Every drill of the target's database that has databases here, and whether it is still at work."""
    async with SideKeeper.opened(target, target.database, run, lock=False) as keeper:
        left = left_behind(target.database, await keeper.drills())
        found = []
        for one in left:
            free = await keeper.claim(drill_lock(one.scratch))
            if free:
                await keeper.unlock(drill_lock(one.scratch))
            found.append((one, not free))
        return found


def _tell(one: Leftover, alive: bool, speak: Speaker) -> None:
    when = f"backup {one.identifier}, {one.at or 'no time known'}"
    state = "still at work: left alone" if alive else "its process is gone"
    speak(f"drill of {when}: {state}", {"event": "drill", **_data(one), "alive": alive})
    for row in one.rows:
        size = "size unknown" if row.size is None else format_size(row.size)
        speak(f"  {row.name}  {one.what(row)}, {size}", {"event": "database", "name": row.name, "what": one.what(row)})


def _data(one: Leftover) -> dict[str, Any]:
    return {"backup": one.identifier, "at": one.at, "databases": [asdict(row) for row in one.rows]}


async def _drop(target: Target, identity: ServerIdentity, one: Leftover, dropped: list[str], speak: Speaker) -> int:
    """Drop what one dead drill left, as long as it is dead; how many of its databases stayed."""
    ours = partial(belongs, app=target.database, identifier=one.identifier)
    refused = 0
    async with SideKeeper.opened(target, one.scratch, one.identifier) as keeper:
        if not await keeper.claim(drill_lock(one.scratch)):
            raise StoppedError(f"The drill on {one.scratch} is at work", remedy="Wait for its end.")
        for row in _last_first(one.rows):
            try:
                await keeper.drop_leftover(row, identity.system_identifier, ours)
            except MigconsoleError as error:
                refused += 1
                speak(
                    f"{row.name} stays: {error.title}. {error.detail} {error.remedy}",
                    {"event": "kept", "name": row.name},
                )
            else:
                dropped.append(row.name)
                speak(f"{row.name} dropped", {"event": "dropped", "name": row.name})
    return refused


def _last_first(rows: Sequence[DatabaseRow]) -> list[DatabaseRow]:
    """The scratch copy, whose name finds the others, goes last."""
    return sorted(rows, key=lambda row: len(row.name), reverse=True)
