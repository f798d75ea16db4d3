"""What is asked on a session in the maintenance database, by the survey and by the operator alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from migconsole.adapters.postgres.backends import connect_for_maintenance, dump_words
from migconsole.adapters.postgres.connect import Connection, Purpose, retire
from migconsole.adapters.postgres.failures import FAILURES, querying
from migconsole.adapters.postgres.queries import OLDEST, load
from migconsole.domain.rollback import DatabaseRow, Names, failed_name, parse_marker, quoted, side_name
from migconsole.domain.rollback_survey import Blocker, Hindrance, Holder
from migconsole.domain.target import Target


def text_of(name: str) -> str:
    """A query that exists for every version."""
    text = load(name, OLDEST)
    if text is None:
        raise KeyError(name)
    return text


async def read_rows(connection: Connection, names: Names) -> dict[str, DatabaseRow]:
    """The databases of a rollback that exist."""
    wanted = [names.app, names.side, names.failed]
    found = await connection.fetch(text_of("rollback_databases"), wanted)
    return {
        row["name"]: DatabaseRow(
            row["name"],
            row["oid"],
            row["open"],
            row["limit"],
            row["comment"],
            row["owner"],
            sessions=row["sessions"],
            template=row["template"],
        )
        for row in found
    }


async def read_drills(connection: Connection) -> list[DatabaseRow]:
    """The databases that may be of a drill; ``migconsole.domain.drills`` says which are."""
    names = ("name", "oid", "open", "limit", "comment", "owner", "size")
    rows = await connection.fetch(text_of("drill_databases"))
    return [DatabaseRow(*(row[name] for name in names)) for row in rows]


async def system_identifier(connection: Connection) -> str | None:
    """The cluster's identifier, None where this role may not read it."""
    try:
        found: str | None = await connection.fetchval(text_of("system_identifier"))
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedFunctionError):
        return None
    return found


async def read_timeline(connection: Connection) -> int | None:
    """The timeline, None where this role may not read it."""
    try:
        found: int | None = await connection.fetchval(text_of("rollback_timeline"))
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedFunctionError):
        return None
    return found


async def differences(
    connection: Connection, expects: Sequence[tuple[str, int]], system: str | None
) -> tuple[str, ...]:
    """What is not as expected: the cluster, its role, the oids of databases; see the port."""
    found = []
    if system is not None:
        now = await system_identifier(connection)
        if now != system:
            found.append(f"system identifier: was {system}, is {now}")
    row = await connection.fetchrow(text_of("rollback_guard"), [name for name, _ in expects])
    if row["in_recovery"]:
        found.append("recovery state: was primary, is standby")
    there: Mapping[str, int] = dict(zip(row["names"] or (), row["oids"] or (), strict=True))
    for name, oid in expects:
        if there.get(name, 0) != oid:
            was, now = (f"oid {number}" if number else "not there" for number in (oid, there.get(name, 0)))
            found.append(f"database {name}: was {was}, is {now}")
    return tuple(found)


async def lock_holder(connection: Connection, key: int) -> Holder | None:
    """Who holds an advisory lock in this database."""
    row = await connection.fetchrow(text_of("rollback_lock_holder"), key)
    return None if row is None else Holder(row["pid"], row["application"], row["address"], row["role"], row["age"])


async def read_blockers(connection: Connection, database: str, oid: int) -> tuple[Blocker, ...]:
    """What stands in the way of renaming or dropping a database, with the command that resolves it."""
    rows = await connection.fetch(text_of("rollback_blockers"), oid)
    dumps = await connection.fetch(text_of("dump_sessions"), database)
    return (
        *(_blocker(database, row["kind"], row["name"], row["detail"], row["active"]) for row in rows),
        *(_dump(dump_words(row)) for row in dumps),
    )


def _blocker(database: str, kind: str, name: str, detail: str, active: bool) -> Blocker:
    inside = f"in {database}: "
    if kind == "prepared":
        text = name.replace("'", "''")
        return Blocker(Hindrance.PREPARED, name, detail, f"{inside}ROLLBACK PREPARED '{text}'; or COMMIT PREPARED")
    if kind == "slot":
        text = name.replace("'", "''")
        resolve = f"stop its consumer, then SELECT pg_drop_replication_slot('{text}');"
        state = "in use" if active else "not in use: it goes with the renamed database and keeps holding WAL back"
        return Blocker(Hindrance.SLOT, name, ", ".join(filter(None, (detail, state))), resolve, hard=active)
    if kind == "subscription":
        resolve = (
            f"{inside}ALTER SUBSCRIPTION {quoted(name)} DISABLE; ALTER SUBSCRIPTION {quoted(name)} SET"
            f" (slot_name = NONE); DROP SUBSCRIPTION {quoted(name)};"
        )
        return Blocker(Hindrance.SUBSCRIPTION, name, detail, resolve, hard=active)
    resolve = "it is ended with the sessions; stop what starts it, or it will come back"
    return Blocker(Hindrance.WORKER, f"{detail} ({name})", "it works in the database", resolve, hard=False)


def _dump(words: str) -> Blocker:
    return Blocker(Hindrance.DUMP, words, "it is ended with the sessions", "wait for it", hard=False)


async def discover(target: Target, run: str = "") -> tuple[str, ...]:
    """The owners (runs or backups) whose side or failed database for this application is on the server.

    Raises MigconsoleError.
    """
    connection = await connect_for_maintenance(
        target, Purpose("survey", 15.0, search_path="pg_catalog"), run, apart=True
    )
    try:
        rows = await connection.fetch(text_of("rollback_marked"))
    except FAILURES as error:
        raise querying(error, target, 15.0, 0.1) from None
    finally:
        await retire(connection)
    found = []
    for row in rows:
        marker = parse_marker(row["comment"])
        if marker is None or marker.app != target.database:
            continue
        if row["name"] in (side_name(marker.app, marker.owner), failed_name(marker.app, marker.owner)):
            found.append(marker.owner)
    return tuple(dict.fromkeys(found))
