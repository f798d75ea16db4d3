"""The check of migrations: Prisma's table against the files of the checkout, by content and not by exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg

from migconsole.adapters.migrators.prisma import provider_problem, read_files
from migconsole.adapters.postgres.checks.base import Findings, Probe, check, text
from migconsole.adapters.postgres.connect import quoted
from migconsole.domain.migrations import MigrationReport, MigrationRow, MigrationState, classify
from migconsole.engine.ports import CheckResult

TABLE = "_prisma_migrations"
DIRECTORY = "prisma/migrations"
SHOWN = 40


@check(
    "migrations",
    "Prisma's migrations: the files of the checkout against what the database records, by checksum.",
    arguments={
        "directory": f"folder of the migration folders; default {DIRECTORY}",
        "schema": f"schema of {TABLE}; default: the URL's schema, else public",
    },
    values={
        "applied": "how many are applied, edited ones included",
        "pending": "how many files are not applied",
        "failed": "how many began and did not finish",
        "edited": "how many applied ones have another content in the checkout",
        "unknown": "how many applied ones the checkout does not have",
        "out_of_order": "how many pending ones sort before an applied one",
        "total": "how many migration files the checkout has",
        "running": "whether a migrator holds Prisma's lock now",
        "pending_names": "their names, as a list; the same for applied_, failed_, edited_ and unknown_names",
    },
)
async def migrations(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Pending ones alone are no fault; failed, edited and unknown ones are. A missing table means all are pending."""
    found = Findings()
    directory = probe.path(text(arguments, "directory", DIRECTORY))
    schema = text(arguments, "schema", probe.schema)
    files = await asyncio.to_thread(read_files, directory)
    if files is None:
        found.unknown(f"there is no readable folder {directory}: the checkout cannot be compared")
        return found.result({})
    try:
        rows = await _recorded(probe, schema, found)
    except asyncpg.InsufficientPrivilegeError:
        found.unknown(f"no privilege to read {schema}.{TABLE}")
        return found.result({"total": len(files)})
    report = classify(files, rows)
    running = await probe.rows("prisma_lock")
    for holder in running:
        found.note(f"a migrator holds Prisma's lock now (pid {holder['pid']})")
    if problem := await asyncio.to_thread(provider_problem, directory):
        found.bad(problem)
    _describe(report, found, running=bool(running))
    if not report.migrations:
        found.unknown(f"no migrations in {directory} and none recorded")
    names = {f"{state.value}_names": list(report.names(state)) for state in MigrationState}
    names["applied_names"] = list(report.applied)
    counts = {state.value: len(report.names(state)) for state in MigrationState} | {"applied": len(report.applied)}
    return found.result(
        {**counts, "out_of_order": len(report.out_of_order), "total": len(files), "running": bool(running), **names}
    )


async def _recorded(probe: Probe, schema: str, found: Findings) -> list[MigrationRow]:
    if not (await probe.rows("relations", [schema], [TABLE]))[0]["found"]:
        found.note(f"{schema}.{TABLE} does not exist: nothing was ever applied by Prisma in this schema")
        return []
    # The table's name is fixed and its schema is not, so the schema comes as the search path of one transaction.
    await probe.connection.execute(f"BEGIN READ ONLY; SET LOCAL search_path = {quoted(schema)}")
    rows = await probe.rows("prisma_migrations")
    await probe.connection.execute("ROLLBACK")
    return [
        MigrationRow(
            name=row["name"],
            checksum=row["checksum"],
            started_at=row["started_at"].isoformat(),
            finished=row["finished"],
            rolled_back=row["rolled_back"],
            logs=row["logs"],
        )
        for row in rows
    ]


def _describe(report: MigrationReport, found: Findings, *, running: bool) -> None:
    listed = [entry for entry in report.migrations if entry.state is not MigrationState.APPLIED]
    if report.applied:
        found.good(f"{len(report.applied)} applied, the last one is {report.applied[-1]}")
    for entry in listed[:SHOWN]:
        line = f"{entry.state.value}: {entry.name}" + (f" ({entry.note})" if entry.note else "")
        if entry.state is MigrationState.PENDING and not entry.broken:
            found.note(line)
        elif entry.state is MigrationState.FAILED and running:
            found.unknown(f"{line}, or it is running: a migrator holds the lock")
        else:
            found.bad(line)
    if len(listed) > SHOWN:
        found.note(f"… and {len(listed) - SHOWN} more")
    for name in report.out_of_order:
        found.note(f"out of order: {name} is pending and sorts before an applied one")
