"""Reading a database back after a rollback: against its backup's manifest, or the schema kept before a migration."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from migconsole.adapters import past
from migconsole.adapters.backup import directory as storage
from migconsole.adapters.postgres.connect import Connection, Purpose, quoted, session
from migconsole.adapters.postgres.failures import FAILURES, querying
from migconsole.adapters.postgres.observing import observe, properties_of, rows
from migconsole.adapters.postgres.schema import read_schema
from migconsole.domain.manifest import COUNTED
from migconsole.domain.rollback import Mark
from migconsole.domain.rollback_plan import Plan, Strategy
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.rollback_verified import Verification, judge, judge_schema, unverified
from migconsole.domain.target import Target
from migconsole.domain.text import sanitise_line

JOBS = 2
"""Sessions that read: clients are in the database, and must not feel it."""

LIMIT = 30.0
LOCK_TIMEOUT = 1.0
_QUERIES = {"databasechangeloglock": "liquibase_lock", "_prisma_migrations": "prisma_migrations"}


async def verified(
    plan: Plan, survey: Survey, target: Target, directory: Path | None, redact: Callable[[str], str]
) -> Verification:
    """What a plan's end is compared with, and what came of it. ``directory`` is the run's. Raises MigconsoleError."""
    if plan.strategy is Strategy.REVERT:
        return await _against_schema(target, survey.owner, directory, redact)
    if not survey.backup:
        return unverified("no manifest is at hand (--backup DIR)")
    return await _against_manifest(target, survey, Path(survey.backup))


async def _against_manifest(target: Target, survey: Survey, path: Path) -> Verification:
    backup = await asyncio.to_thread(storage.described, path)
    side = survey.side.marker if survey.side is not None else None
    if side is not None and side.manifest and side.manifest != backup.digest:
        return unverified(f"the manifest in {path} is not the one that the side database was proven with")
    expected = backup.manifest.observed.relations
    hashed = {(e.schema, e.name) for e in expected if e.kind in COUNTED and e.hash is not None}
    observed = await observe(target, survey.owner, hashed, JOBS)
    properties = await properties_of(target, survey.owner)
    notes = []
    if side is not None and side.step is Mark.USED:
        notes.append("the side database was live before it was put back: it was not what the backup was any more")
    clients, left = await _around(target, survey.owner)
    return judge(backup.manifest, observed, properties, clients=clients, notes=(*notes, *left))


async def _against_schema(
    target: Target, owner: str, directory: Path | None, redact: Callable[[str], str]
) -> Verification:
    before = await asyncio.to_thread(past.kept_schema, directory) if directory is not None else None
    return judge_schema(before, past.masked(await read_schema(target, owner), redact))


async def _around(target: Target, owner: str) -> tuple[int, tuple[str, ...]]:
    """Sessions of clients, and what came back with the restore that stops a migration tool."""
    purpose = Purpose("leftovers", LIMIT, LOCK_TIMEOUT, search_path="pg_catalog")
    try:
        async with session(target, purpose, run=owner) as connection:
            clients = (await rows(connection, "verify_clients"))[0]["clients"]
            tables = await rows(connection, "verify_records", list(_QUERIES))
            left = [line for row in tables for line in await _left(connection, row["schema"], row["name"])]
    except FAILURES as error:
        raise querying(error, target, LIMIT, LOCK_TIMEOUT) from None
    return clients, tuple(left)


async def _left(connection: Connection, schema: str, table: str) -> list[str]:
    name = f"{quoted(schema)}.{quoted(table)}"
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL search_path = {quoted(schema)}")
            found = await rows(connection, _QUERIES[table])
    except FAILURES as error:
        return [f"{name} cannot be read, so a lock in it is not known: {type(error).__name__}"]
    if table == "databasechangeloglock":
        freed = f"UPDATE {name} SET locked = false, lockedby = NULL, lockgranted = NULL;"  # noqa: S608 - shown, and quoted
        return [
            sanitise_line(
                f"{name}: Liquibase's lock came back, of {row['lockedby']} since {row['lockgranted']}: {freed}"
            )
            for row in found
        ]
    return [
        sanitise_line(
            f"{name}: {row['name']} began and never finished: prisma migrate resolve --rolled-back {row['name']}"
        )
        for row in found
        if not row["finished"] and not row["rolled_back"]
    ]
