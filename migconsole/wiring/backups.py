"""``migconsole backup``: take one, list what is there, check one, remove what was never finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migconsole.adapters.backup import directory as storage
from migconsole.adapters.backup.directory import Backup
from migconsole.adapters.backup.taking import take
from migconsole.adapters.jobs.outcomes import JobOutcome
from migconsole.domain.events import Kind
from migconsole.domain.quantities import format_size
from migconsole.wiring.restore_jobs import AskedToDump, Reports, Speaker, carried_out, conclude


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(AskedToDump):
    """What the command line gave."""

    hashes: Sequence[str] = ()


async def backup(options: Options, speak: Speaker) -> int:
    """Take a backup; the exit code. Raises MigconsoleError when there is none."""
    reports = Reports(speak)

    async def work() -> JobOutcome:
        setting = await options.prepared("backup", reports)
        choice = setting.choice
        reports.say(f"{setting.identity.name}, PostgreSQL {setting.identity.version}")
        reports.say(f"client programs {choice.clients.version} in {choice.clients.bindir}: {choice.why}")
        for found in _unfinished(options.directory):
            reports.say(f"note: {found.path.name}: {found.detail}; {found.next}")
        made = await take(options.order(setting, options.hashes), reports)
        outcome = outcome_of(made, reports.lines)
        await conclude(setting, outcome)
        reports.say(f"backup {made.manifest.id}: whole, not proven yet")
        speak(str(made.path), {"event": "backup", "path": str(made.path), **outcome.values})
        return outcome

    return await carried_out(work, reports)


def outcome_of(made: Backup, lines: Sequence[str]) -> JobOutcome:
    """What a whole backup is to the run: its values, and an unproven restore point."""
    manifest = made.manifest
    durations = {name: value for name, value in manifest.durations.items()}
    values = {
        "size": manifest.dump_bytes,
        "rows": manifest.rows,
        "tables": sum(relation.kind == "r" for relation in manifest.observed.relations),
        "database": manifest.database_bytes,
        **durations,
    }
    return JobOutcome(
        "passed",
        (),
        list(lines)[-200:],
        values,
        {
            "backup_id": manifest.id,
            "backup_path": str(made.path),
            "backup_time": manifest.server_time,
            "backup_size": str(manifest.dump_bytes),
        },
        [restore_point(made, "unproven", durations=durations)],
    )


def restore_point(made: Backup, state: str, *, side: str = "", why: str = "", **more: Any) -> dict[str, Any]:
    """The fact that a restore point is what it is now."""
    manifest = made.manifest
    data = {
        "state": state,
        "backup": manifest.id,
        "path": str(made.path),
        "side": side,
        "at": manifest.server_time,
        "lsn": manifest.lsn,
        "rows": manifest.rows,
        "bytes": manifest.dump_bytes,
        "sha256": made.digest,
        "why": why,
        **more,
    }
    return {"kind": str(Kind.RESTORE_POINT), "key": f"{manifest.id}:{state}", "data": data}


def _unfinished(directory: Path) -> list[storage.Found]:
    if not directory.expanduser().is_dir():
        return []
    return [found for found in storage.look(directory) if found.state in ("unfinished", "running")]


def listed(directory: Path) -> list[dict[str, Any]]:
    """Every backup below a directory, whole or not, with what to do about it."""
    rows = []
    for found in storage.look(directory):
        manifest = found.manifest
        rows.append(
            {
                "path": str(found.path),
                "state": found.state,
                "detail": found.detail,
                "next": found.next,
                "id": manifest.id if manifest else None,
                "database": manifest.database if manifest else None,
                "at": manifest.server_time if manifest else None,
                "lsn": manifest.lsn if manifest else None,
                "rows": manifest.rows if manifest else None,
                "size": manifest.dump_bytes if manifest else None,
            }
        )
    return rows


def list_line(row: dict[str, Any]) -> str:
    """One of them for a person."""
    what = f"{row['at']}  {row['rows']:,} rows  {format_size(row['size'])}" if row["id"] else row["detail"]
    return f"{row['state']:<10}  {row['path']}\n            {what}\n            next: {row['next']}"


def checked(path: Path) -> dict[str, Any]:
    """Read every byte of a backup; raises BackupError when it is not what was written."""
    made = storage.verify(path)
    manifest = made.manifest
    return {
        "path": str(made.path),
        "id": manifest.id,
        "database": manifest.database,
        "at": manifest.server_time,
        "rows": manifest.rows,
        "size": manifest.dump_bytes,
        "sha256": made.digest,
    }


def cleaned(directory: Path) -> list[Path]:
    """Remove what dead processes of this host left unfinished."""
    return storage.clean(directory)
