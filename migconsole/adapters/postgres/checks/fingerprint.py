"""The schema's fingerprint before and after, and what a migration that went wrong has left behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

from migconsole.adapters.postgres.checks.base import Findings, Probe, check, text
from migconsole.adapters.postgres.checks.fingerprints import SHOWN, describe_changes, keep, kept, read_fingerprint
from migconsole.adapters.postgres.checks.migrations import Examined, examine, lock_holders
from migconsole.adapters.postgres.connect import quoted
from migconsole.domain.migration_doctor import Leftovers, advise
from migconsole.domain.migrations import MigrationState
from migconsole.domain.schema_diff import differences
from migconsole.engine.ports import CheckResult


@check(
    "schema_fingerprint",
    "The schema's fingerprint: kept with the run before a migration, compared object by object after it.",
    arguments={"pin": "true keeps it to compare with; else it is compared with the one that was kept"},
    values={
        "digest": "SHA-256 over the schema",
        "objects": "how many tables, columns, constraints, indexes and so on there are",
        "changed": "how many differ from the kept one; null when none was kept",
        "differences": "list of what was added, removed and changed",
    },
)
async def schema_fingerprint(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Differences alone are neither right nor wrong: a person, or ``expect``, says which were meant."""
    found = Findings()
    now = await read_fingerprint(probe, found)
    if now is None:
        return found.result({})
    values = {"digest": now.digest, "objects": len(now.objects)}
    if text(arguments, "pin").lower() == "true":
        keep(probe, now, found)
        return found.result({**values, "changed": 0, "differences": []})
    before, now = kept(probe, now)
    if before is None:
        found.unknown("no fingerprint was kept in this run: there is nothing to compare with")
        return found.result({**values, "changed": None, "differences": []})
    changes = differences(before, now)
    describe_changes(changes, found)
    if changes:
        found.unknown(f"{len(changes)} differences: are they what the migrations are for?")
    return found.result({**values, "changed": len(changes), "differences": changes[:SHOWN]})


@check(
    "migration_doctor",
    "What a migration that went wrong has left behind, and the exact next command with what must hold before it.",
    arguments={
        "tool": "as for the check migrations",
        "directory": "as for the check migrations",
        "schema": "as for the check migrations",
    },
    values={
        "tool": "which tool it is",
        "failed": "how many migrations began and did not finish; null where the tool does not record it",
        "changed": "how many objects differ from the kept fingerprint; null when none was kept",
        "invalid_indexes": "list of indexes that cannot be used",
        "not_valid": "how many constraints were never validated",
        "locked": "whether a lock of a migration tool is held",
        "advice": "how many next steps there are",
    },
)
async def migration_doctor(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Nothing is run. Whatever was left behind fails the check; what cannot be seen asks."""
    found = Findings()
    seen = await examine(probe, arguments, found)
    left = await _leftovers(probe, seen, text(arguments, "schema", probe.schema), found)
    _judge(left, found)
    advice = advise(left)
    for step in advice:
        for line in step.lines():
            found.note(line)
    failed = left.report.count(MigrationState.FAILED) if left.report else None
    return found.result(
        {
            "tool": left.tool,
            "failed": failed,
            "changed": None if left.changes is None else len(left.changes),
            "invalid_indexes": list(left.invalid),
            "not_valid": len(left.not_valid),
            "locked": bool(left.at_work or left.liquibase),
            "advice": len(advice),
        }
    )


async def _leftovers(probe: Probe, seen: Examined | None, schema: str, found: Findings) -> Leftovers:
    now = await read_fingerprint(probe, found)
    changes: tuple[str, ...] | None = None
    if now is not None:
        before, now = kept(probe, now)
        changes = None if before is None else tuple(differences(before, now))
    at_work: tuple[str, ...] = ()
    if seen is not None and seen.tool.lock and await lock_holders(probe, seen.tool, found):
        at_work = (f"the lock of {seen.tool.name} is held",)
    return Leftovers(
        tool=seen.tool.name if seen else "",
        report=seen.report if seen else None,
        changes=changes,
        invalid=tuple(row["name"] for row in await probe.rows("invalid_indexes")),
        not_valid=tuple(row["validate"] for row in await probe.rows("not_valid")),
        at_work=at_work,
        liquibase=await _liquibase(probe, schema),
    )


def _judge(left: Leftovers, found: Findings) -> None:
    for entry in left.report.migrations if left.report else ():
        if entry.state in (MigrationState.FAILED, MigrationState.EDITED, MigrationState.UNKNOWN):
            found.bad(f"{entry.state.value}: {entry.name} ({entry.note})")
    if left.changes is None:
        found.note("no fingerprint of the schema was kept before the migration")
    else:
        describe_changes(left.changes, found)
    for name in left.invalid:
        found.bad(f"invalid index {name}")
    if left.not_valid:
        found.bad(f"{len(left.not_valid)} constraints were never validated")
    for holder in left.liquibase:
        found.bad(f"Liquibase's lock is held by {holder}")
    if left.at_work:
        found.unknown("a migrator is at work: what is seen here can be another thing in a moment")


async def _liquibase(probe: Probe, schema: str) -> tuple[str, ...]:
    if not (await probe.rows("relations", [schema], ["databasechangeloglock"]))[0]["found"]:
        return ()
    try:
        await probe.connection.execute(f"BEGIN READ ONLY; SET LOCAL search_path = {quoted(schema)}")
        rows = await probe.rows("liquibase_lock")
    except asyncpg.PostgresError:
        rows = []
    await probe.connection.execute("ROLLBACK")
    return tuple(f"{row['lockedby']} since {row['lockgranted']}" for row in rows)
