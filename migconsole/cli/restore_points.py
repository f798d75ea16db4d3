"""Commands that make a rollback possible: backup, prove, drill."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from migconsole.cli import options
from migconsole.errors import EXIT_OK, UsageError

_FORMAT = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Lines, or a JSON object a line."
)
_TARGET = click.option("--target", metavar="URL", default="", help="The database; default: from the environment.")
_RUN = click.option("--run", "run_name", metavar="RUN", help="The run this is for; its journal records the result.")
_ITEM = click.option("--item", hidden=True, default="")


def _speaker(form: str) -> Callable[[str, Mapping[str, Any]], None]:
    from migconsole.domain.text import sanitise_line  # noqa: PLC0415 - start-up time of the commands that need none of it

    def speak(line: str, data: Mapping[str, Any]) -> None:
        click.echo(json.dumps(dict(data), ensure_ascii=True) if form == "json" else sanitise_line(line))
        sys.stdout.flush()

    return speak


def _common(state_dir: str | None, target: str, run_name: str | None, item: str) -> dict[str, Any]:
    """What all of them are asked, by the names of ``restore_jobs.Asked``."""
    return {"state_dir": state_dir, "target": target, "run": run_name, "item": item}


@click.command()
@_TARGET
@click.option("--directory", metavar="DIR", help="Where backups lie; each gets a folder of its own there.")
@click.option("--jobs", metavar="N", type=click.IntRange(1, 64), default=1, help="Tables dumped at once.")
@_RUN
@click.option(
    "--hash",
    "hashes",
    metavar="TABLE",
    multiple=True,
    help="Also hash this table (schema.table), or all, or none; small ones are hashed anyway.",
)
@click.option("--list", "listing", is_flag=True, help="List the backups in DIR, whole or not, and what to do next.")
@click.option("--check", "checked", metavar="BACKUP", help="Read every byte of a backup and compare its checksums.")
@click.option("--clean", is_flag=True, help="Remove from DIR what dead processes left unfinished.")
@_ITEM
@_FORMAT
@options.state_directory
@click.pass_obj
def backup(
    state_dir: str | None,
    target: str,
    directory: str | None,
    jobs: int,
    run_name: str | None,
    hashes: tuple[str, ...],
    listing: bool,
    checked: str | None,
    clean: bool,
    item: str,
    form: str,
) -> None:
    """Back up the database into a folder of DIR, with a manifest that a restore can be compared with.

    It counts only when pg_dump ended well, every byte could be read back, and the dump holds exactly the relations of
    its snapshot. It is not proven before it was restored: see prove.
    """
    from migconsole.wiring import backups  # noqa: PLC0415 - start-up time of the commands that need none of it

    speak = _speaker(form)
    if checked:
        found = backups.checked(Path(checked))
        speak(f"whole: {found['path']}, {found['rows']:,} rows, manifest {found['sha256']}", found)
        sys.exit(EXIT_OK)
    if not directory:
        raise UsageError("No directory is given", remedy="Name one with --directory DIR.")
    if listing:
        rows = backups.listed(Path(directory))
        for row in rows:
            for number, line in enumerate(backups.list_line(row).splitlines() if form == "text" else [""]):
                if form == "text" or number == 0:
                    speak(line, row)
        sys.exit(EXIT_OK)
    if clean:
        for path in backups.cleaned(Path(directory)):
            speak(f"removed {path}", {"removed": str(path)})
        sys.exit(EXIT_OK)
    common = _common(state_dir, target, run_name, item)
    wanted = backups.Options(**common, directory=Path(directory), jobs=jobs, hashes=hashes)
    sys.exit(asyncio.run(backups.backup(wanted, speak)))


@click.command()
@click.argument("backup_path", metavar="BACKUP", required=False, default="")
@_TARGET
@click.option("--keep-armed", is_flag=True, help="Keep the side database, closed: a rollback is then one swap.")
@click.option("--jobs", metavar="N", type=click.IntRange(1, 64), default=1, help="Tables restored at once.")
@_RUN
@click.option(
    "--max-lag", metavar="DURATION", default="30s", help="Hold the restore while a standby is further behind."
)
@click.option("--disk-free", metavar="SIZE", default="", help="Free space on the server, where it cannot be seen.")
@click.option("--rewrites", metavar="SIZE", default="", help="What the migration rewrites; default: the largest table.")
@click.option(
    "--give-up-armed",
    metavar="REASON",
    default="",
    help="Drop the armed copy first where there is no room for two: no way back until the new one is proven.",
)
@click.option("--by", metavar="NAME", default="", help="Another tool makes the restore point; nothing is restored.")
@click.option("--take", metavar="COMMAND", default="", help="With --by: the command that makes it.")
@click.option("--verify", metavar="COMMAND", default="", help="With --by: the command that shows it is there.")
@click.option("--verify-sql", metavar="QUERY", default="", help="With --by: or a query whose first value is true.")
@click.option("--expect", metavar="PATTERN", default="", help="With --by: what verifying must show.")
@click.option("--back", metavar="COMMAND", default="", help="With --by: how to go back; shown, never carried out.")
@click.option("--precondition", metavar="TEXT", default="", help="With --by: what must hold for going back.")
@_ITEM
@_FORMAT
@options.state_directory
@click.pass_obj
def prove(
    state_dir: str | None,
    backup_path: str,
    target: str,
    keep_armed: bool,
    jobs: int,
    run_name: str | None,
    max_lag: str,
    disk_free: str,
    rewrites: str,
    give_up_armed: str,
    by: str,
    take: str,
    verify: str,
    verify_sql: str,
    expect: str,
    back: str,
    precondition: str,
    item: str,
    form: str,
) -> None:
    """Prove BACKUP (default: the newest of RUN) by restoring it beside the database and comparing every count.

    The database itself is not touched. With --keep-armed the restored copy waits, closed, and a rollback is one swap;
    without it the copy is dropped when it has proven the backup. With --by NAME another tool makes the restore point
    (a paused standby, a volume snapshot, pgBackRest) and a command or query verifies it; it is never called proven.
    """
    from migconsole.wiring import hooked, proofs  # noqa: PLC0415 - start-up time of the commands that need none of it

    common = _common(state_dir, target, run_name, item)
    if by:
        if backup_path or keep_armed or give_up_armed:
            raise UsageError("--by restores nothing", "BACKUP, --keep-armed and --give-up-armed are for a restore.")
        hook = hooked.Options(
            **common,
            by=by,
            take=take,
            verify=verify,
            verify_sql=verify_sql,
            expect=expect,
            back=back,
            precondition=precondition,
        )
        sys.exit(asyncio.run(hooked.prove_by_hook(hook, _speaker(form))))
    if take or verify or verify_sql or expect or back or precondition:
        raise UsageError("These options belong to --by NAME", "--take, --verify, --verify-sql, --expect, --back.")

    wanted = proofs.Options(
        **common,
        backup=backup_path,
        jobs=jobs,
        keep=keep_armed,
        max_lag=max_lag,
        disk_free=disk_free,
        rewrites=rewrites,
        give_up=give_up_armed,
    )
    sys.exit(asyncio.run(proofs.prove_backup(wanted, _speaker(form))))


@click.command()
@_TARGET
@click.option("--directory", metavar="DIR", help="Where the drill's backup is written.")
@click.option("--jobs", metavar="N", type=click.IntRange(1, 64), default=1, help="Tables dumped and restored at once.")
@_RUN
@click.option("--keep-backup", is_flag=True, help="Keep the drill's backup, which it has proven.")
@click.option("--disk-free", metavar="SIZE", default="", help="Free space on the server, where it cannot be seen.")
@click.option("--clean", "cleaning", is_flag=True, help="Name the databases that killed drills left, and drop them.")
@click.option("--confirm", metavar="DB@HOST:PORT", default="", help="With --clean: the name it asks for.")
@_ITEM
@_FORMAT
@options.state_directory
@click.pass_obj
def drill(
    state_dir: str | None,
    target: str,
    directory: str | None,
    jobs: int,
    run_name: str | None,
    keep_backup: bool,
    disk_free: str,
    cleaning: bool,
    confirm: str,
    item: str,
    form: str,
) -> None:
    """Rehearse the whole rollback on copies: backup, proof, swap, put back; with a time for every step.

    The database itself is only read. Two copies of it are made, and dropped at the end. What a drill that was killed
    left is named by the next one, and dropped by --clean once its name is confirmed.
    """
    if cleaning:
        from migconsole.wiring import drill_leftovers  # noqa: PLC0415 - as below

        wanted_clean = drill_leftovers.Cleaning(target, confirm)
        sys.exit(asyncio.run(drill_leftovers.clean(wanted_clean, _speaker(form))))
    if not directory:
        raise UsageError("No directory is given", remedy="Name one with --directory DIR.")
    from migconsole.wiring import drills  # noqa: PLC0415 - start-up time of the commands that need none of it

    common = _common(state_dir, target, run_name, item)
    wanted = drills.Options(
        **common, directory=Path(directory), jobs=jobs, keep_backup=keep_backup, disk_free=disk_free
    )
    sys.exit(asyncio.run(drills.drill(wanted, _speaker(form))))
