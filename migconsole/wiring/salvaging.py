"""``salvage``: rows that stand only in the failed database, written as files for review."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from migconsole.adapters.postgres.salvage import Salvage, failed_databases, opened
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.runs import RunStore, opened_data, state_directory
from migconsole.adapters.salvage_files import TableFiles, make_directory, private
from migconsole.domain.rollback import DatabaseRow, failed_name
from migconsole.domain.salvage import SalvageReport, SalvageTable, TableResult, sequences_script, split
from migconsole.domain.target import Target
from migconsole.errors import StoppedError, UsageError
from migconsole.wiring import opening

SEQUENCES = "advance-sequences.sql"
SUMMARY = "summary.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asked for. ``failed`` names the kept database where there is more than one."""

    output: Path
    tables: tuple[str, ...] = ()
    form: str = "csv"
    failed: str = ""


async def salvage(
    state_dir: str | None, run: str | None, url: str, wanted: Wanted, say: Callable[[str], None]
) -> SalvageReport:
    """Write everything. Raises MigconsoleError when there is no failed database, or it cannot be read."""
    target, expected = _target(state_dir, run, url)
    failed = _choose(await failed_databases(target), wanted.failed or expected, target)
    make_directory(wanted.output)
    report = SalvageReport(failed.name)
    async with opened(target, failed) as source:
        for stranger in source.strangers:
            report.warnings.append(f"somebody else is in {failed.name}: {stranger}")
        for table in _selected(await source.tables(), wanted.tables):
            result = await _table(source, table, wanted)
            report.tables.append(result)
            say(result.line())
        report.sequences = await source.sequences()
    _finish(report, wanted.output)
    for warning in report.warnings:
        say(f"! {warning}")
    if report.sequences:
        say(f"{len(report.sequences)} sequences are behind the failed database: see {SEQUENCES}")
    return report


def _target(state_dir: str | None, run: str | None, url: str) -> tuple[Target, str]:
    """The target, and the name of the failed database where the run tells it."""
    if url and not run:
        return resolve_target(url), ""
    directory = RunStore(state_directory(state_dir)).find(run or None)
    target = opening.restored(directory, opening.Options(target=url))[1].target
    return target, failed_name(target.database, str(opened_data(directory).get("run", "")))


def _choose(found: Sequence[DatabaseRow], name: str, target: Target) -> DatabaseRow:
    fitting = [row for row in found if not name or row.name == name]
    if len(fitting) == 1:
        return fitting[0]
    there = ", ".join(row.name for row in found)
    if not found:
        raise StoppedError(
            f"No failed database of {target.database} is kept on this server",
            "One is kept by a rollback that swapped databases, until it is purged.",
        )
    raise UsageError("Which failed database is meant?", f"Kept: {there}.", "Name it with --failed NAME.")


def _selected(tables: Sequence[SalvageTable], names: Sequence[str]) -> list[SalvageTable]:
    if not names:
        return list(tables)
    by_name: dict[str, list[SalvageTable]] = {}
    for table in tables:
        for name in (table.name, table.label):
            by_name.setdefault(name, []).append(table)
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise UsageError(f"The failed database has no table “{unknown[0][:80]}”")
    return [table for table in tables if any(table in by_name[name] for name in names)]


async def _table(source: Salvage, table: SalvageTable, wanted: Wanted) -> TableResult:
    if table.problem:
        return TableResult(table.label, note=table.problem)
    files = TableFiles(wanted.output, table, wanted.form)
    read = only = differing = 0
    whole = False
    try:
        async with contextlib.aclosing(source.rows(table)) as batches:
            async for batch in batches:
                missing, odd = split(table, batch, await source.today(table, batch))
                files.missing(missing)
                files.differing(odd)
                read, only, differing = read + len(batch), only + len(missing), differing + len(odd)
        whole = True
    finally:
        names = files.close(whole=whole)
    gone = [column.name for column in table.columns if not column.kept]
    note = "the table does not exist now" if not table.exists else ""
    if gone:
        note = f"columns that cannot be given back as they are: {', '.join(gone)}"
    return TableResult(table.label, read, only, differing, names, note)


def _finish(report: SalvageReport, output: Path) -> None:
    if report.sequences:
        with private(output / SEQUENCES) as stream:
            stream.writelines(f"{line}\n" for line in sequences_script(report.sequences))
    with private(output / SUMMARY) as stream:
        json.dump(report.data(), stream, indent=2)
