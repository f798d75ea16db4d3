"""``migconsole salvage``: what stands only in the failed database, as files for review."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click

from migconsole.cli import options


@click.command()
@click.argument("run_name", metavar="[RUN]", required=False)
@click.option("--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="A new or empty folder.")
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table, or schema.table; repeatable.")
@click.option("--format", "form", type=click.Choice(["csv", "sql"]), default="csv", help="Form of the files.")
@click.option("--failed", metavar="NAME", default="", help="The kept database, where there is more than one.")
@click.option("--target", metavar="URL", default="", help="The database; without RUN no run is needed.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@options.state_directory
@click.pass_obj
def salvage(
    state_dir: str | None,
    run_name: str | None,
    output: Path,
    tables: tuple[str, ...],
    form: str,
    failed: str,
    target: str,
    as_json: bool,
) -> None:
    """Write what stands only in the database that a rollback has kept, table by table, and what differs.

    The kept database is opened for one session and closed again at once. Nothing is applied: the files are for review.
    """
    from migconsole.domain.text import sanitise  # noqa: PLC0415 - start-up time of the commands that need none of it
    from migconsole.wiring import salvaging  # noqa: PLC0415 - start-up time of the commands that need none of it

    def say(line: str) -> None:
        click.echo(sanitise(line), err=as_json)

    wanted = salvaging.Wanted(output, tables, form, failed)
    report = asyncio.run(salvaging.salvage(state_dir, run_name, target, wanted, say))
    if as_json:
        click.echo(json.dumps(report.data(), indent=2))
