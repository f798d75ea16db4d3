"""The check of migrations: what a tool's table records against the files of the checkout, never by an exit code."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from migconsole.adapters.migrators import MIGRATORS
from migconsole.adapters.postgres.checks.base import Findings, Probe, check, text
from migconsole.adapters.postgres.checks.fingerprints import keep, read_fingerprint
from migconsole.adapters.postgres.connect import quoted
from migconsole.domain.migrations import MigrationReport, MigrationState
from migconsole.engine.migrator_ports import Migrator, Rows
from migconsole.engine.ports import CheckResult
from migconsole.errors import UsageError

SHOWN = 40
_WORDS = ", ".join(MIGRATORS)


@check(
    "migrations",
    "Migrations of Prisma, Alembic, Django, dbmate, Sqitch or Flyway: the checkout against what the database records.",
    arguments={
        "tool": f"auto (default), or one of {_WORDS}",
        "directory": "folder of the migrations; default: where the tool usually has them",
        "pin_schema": "true keeps the schema's fingerprint, for what a failed migration leaves behind",
        "schema": "schema of the tool's table; default: the URL's schema, else public (Sqitch: sqitch)",
    },
    values={
        "tool": "which tool it is",
        "applied": "how many are applied, edited ones included",
        "pending": "how many files are not applied",
        "failed": "how many began and did not finish; null where the tool does not record it",
        "edited": "how many applied ones have another content in the checkout; null where the tool does not record it",
        "unknown": "how many applied ones the checkout does not have",
        "out_of_order": "how many pending ones stand before an applied one",
        "diverged": "whether each side has migrations that the other has not",
        "total": "how many migrations the checkout has",
        "running": "whether a migrator holds the tool's lock now; null where it takes none that is known",
        "pending_names": "their names, as a list; the same for applied_, failed_, edited_ and unknown_names",
    },
)
async def migrations(probe: Probe, arguments: Mapping[str, Any]) -> CheckResult:
    """Pending ones alone are no fault; failed, edited and unknown ones are. A missing table means all are pending."""
    found = Findings()
    seen = await examine(probe, arguments, found)
    if seen is None or seen.report is None:
        return found.result({"tool": seen.tool.name} if seen else {})
    if text(arguments, "pin_schema").lower() == "true" and (now := await read_fingerprint(probe, found)) is not None:
        keep(probe, now, found)
    running = await lock_holders(probe, seen.tool, found) if seen.tool.lock else None
    _describe(seen.tool, seen.report, found, running=bool(running))
    if not seen.report.migrations:
        found.unknown(f"no migrations in {seen.directory} and none recorded")
    return found.result({"tool": seen.tool.name, "running": running, **_values(seen.report)})


@dataclass(frozen=True, slots=True)
class Examined:
    """What the files and the record of one tool amount to; ``report`` is None when one of them cannot be read."""

    tool: Migrator
    directory: Path
    schema: str
    report: MigrationReport | None


async def examine(probe: Probe, arguments: Mapping[str, Any], found: Findings) -> Examined | None:
    """Choose the tool, read its record, and compare; what stands in the way is said in ``found``."""
    chosen = await choose(probe, arguments, found)
    if chosen is None:
        return None
    tool, directory = chosen
    schema = schema_of(probe, tool, arguments)
    rows = await recorded(probe, tool, schema, found)
    if rows is None:
        return Examined(tool, directory, schema, None)
    report = await asyncio.to_thread(tool.judge, directory, rows)
    if report is None:
        found.unknown(f"there is no readable folder {directory}: the checkout cannot be compared")
    return Examined(tool, directory, schema, report)


def _values(report: MigrationReport) -> dict[str, Any]:
    names: dict[str, Any] = {f"{state.value}_names": list(report.names(state)) for state in MigrationState}
    counts: dict[str, Any] = {state.value: report.count(state) for state in MigrationState}
    foreign = set(report.names(MigrationState.UNKNOWN))
    total = sum(entry.name not in foreign for entry in report.migrations)
    names["applied_names"] = list(report.applied)
    counts |= {"applied": len(report.applied), "out_of_order": len(report.out_of_order), "total": total}
    return {**counts, **names, "diverged": report.diverged}


async def choose(probe: Probe, arguments: Mapping[str, Any], found: Findings) -> tuple[Migrator, Path] | None:
    """The tool and its folder; None when that cannot be told, which is said in ``found``.

    Raises UsageError for a tool that is not known.
    """
    name = text(arguments, "tool", "auto")
    given = text(arguments, "directory")
    if name != "auto":
        if name not in MIGRATORS:
            raise UsageError(f"There is no knowledge of the tool “{name[:40]}”", "", f"Known are: auto, {_WORDS}.")
        tool = MIGRATORS[name]
        return tool, await asyncio.to_thread(_folder, tool, probe, given)
    if given and not await asyncio.to_thread(probe.path(given).is_dir):
        found.unknown(f"there is no readable folder {probe.path(given)}: the checkout cannot be compared")
        return None
    candidates = await asyncio.to_thread(_recognised, probe, given)
    if len(candidates) > 1:
        there = {tool.name: await _has_table(probe, tool, schema_of(probe, tool, arguments)) for tool, _ in candidates}
        candidates = [entry for entry in candidates if there[entry[0].name]] or candidates
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(tool.name for tool, _ in candidates)
        found.unknown(f"migrations of more than one tool are here ({names}): say which with tool:")
    elif given:
        return MIGRATORS["prisma"], probe.path(given)
    else:
        found.unknown(f"no migrations of a known tool ({_WORDS}) below {probe.project}: say directory: and tool:")
    return None


def schema_of(probe: Probe, tool: Migrator, arguments: Mapping[str, Any]) -> str:
    """The schema of the tool's table."""
    return text(arguments, "schema", tool.schema or probe.schema)


def _folder(tool: Migrator, probe: Probe, given: str) -> Path:
    if given:
        return probe.path(given)
    folders = [probe.path(name) for name in tool.directories]
    return next((folder for folder in folders if tool.recognises(folder)), folders[0])


def _recognised(probe: Probe, given: str) -> list[tuple[Migrator, Path]]:
    found = []
    for tool in MIGRATORS.values():
        folders = [probe.path(given)] if given else [probe.path(name) for name in tool.directories]
        folder = next((folder for folder in folders if tool.recognises(folder)), None)
        if folder is not None:
            found.append((tool, folder))
    return found


async def _has_table(probe: Probe, tool: Migrator, schema: str) -> bool:
    return bool((await probe.rows("relations", [schema], [tool.table]))[0]["found"])


async def recorded(probe: Probe, tool: Migrator, schema: str, found: Findings) -> Rows | None:
    """What the tool's table records, nothing where there is no table; None (and said) when it cannot be read."""
    if not await _has_table(probe, tool, schema):
        found.note(f"{schema}.{tool.table} does not exist: nothing was ever applied by {tool.name} in this schema")
        return []
    try:
        # The table's name is fixed and its schema is not, so the schema comes as the search path of one transaction.
        await probe.connection.execute(f"BEGIN READ ONLY; SET LOCAL search_path = {quoted(schema)}")
        rows = await probe.rows(tool.query)
        await probe.connection.execute("ROLLBACK")
    except asyncpg.InsufficientPrivilegeError:
        found.unknown(f"no privilege to read {schema}.{tool.table}")
    except (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError):
        found.unknown(f"{schema}.{tool.table} is not the table that {tool.name} makes")
    except asyncpg.LockNotAvailableError:
        found.unknown(f"{schema}.{tool.table} is locked: a migrator is at work")
    else:
        return [dict(row) for row in rows]
    await probe.connection.execute("ROLLBACK")
    return None


async def lock_holders(probe: Probe, tool: Migrator, found: Findings) -> bool:
    """Whether somebody holds the tool's lock; each holder is noted with what its session does."""
    holders = await probe.rows("migrator_lock", tool.lock)
    for holder in holders:
        who = holder["application"] or "no name"
        does = f", {holder['state']} for {holder['seconds']:.0f} s" if holder["seconds"] is not None else ""
        found.note(f"a migrator holds {tool.name}'s lock now: pid {holder['pid']} ({who}{does}): {holder['query']}")
    return bool(holders)


def _describe(tool: Migrator, report: MigrationReport, found: Findings, *, running: bool) -> None:
    # What is wrong first, so that a long list of pending ones cannot hide it.
    listed = [entry for entry in report.migrations if entry.state is not MigrationState.APPLIED]
    listed.sort(key=lambda entry: entry.state is MigrationState.PENDING and not entry.broken)
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
        found.note(f"out of order: {name} is pending and stands before an applied one")
    for text_, say in [(t, found.bad) for t in report.wrong] + [(t, found.unknown) for t in report.unclear]:
        say(text_)
    for note in report.notes:
        found.note(note)
    if report.blind or report.names(MigrationState.FAILED):
        found.note(tool.caution)
