"""Commands that only look: runs, status, check, schema, doctor, verify."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import click

from migconsole.cli import options
from migconsole.errors import EXIT_FAILED, EXIT_OK

_FORMAT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")


def _echo(text: str) -> None:
    from migconsole.domain.text import sanitise  # noqa: PLC0415 - only where something is said

    click.echo(sanitise(text))


def _json(data: Any) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=True))


@click.command()
@_FORMAT
@options.state_directory
@click.pass_obj
def runs(state_dir: str | None, form: str) -> None:
    """List all runs, newest first."""
    from migconsole.wiring import overview  # noqa: PLC0415 - start-up time of the commands that need none of it

    summaries = overview.summaries(state_dir)
    if form == "json":
        _json([overview.summary_data(summary) for summary in summaries])
        return
    if not summaries:
        _echo("There is no run yet. Start one: migconsole run CHECKLIST")
    for summary in summaries:
        _echo(overview.summary_line(summary))


@click.command()
@click.argument("run_name", metavar="[RUN]", required=False)
@_FORMAT
@options.state_directory
@click.pass_obj
def status(state_dir: str | None, run_name: str | None, form: str) -> None:
    """Show where RUN (default: the newest) stands; reads the run directory only."""
    from migconsole.wiring import overview  # noqa: PLC0415 - start-up time of the commands that need none of it

    data = overview.status(state_dir, run_name)
    if form == "json":
        _json(data)
    else:
        _echo("\n".join(overview.status_lines(data)))


@click.command()
@click.argument("checklist")
@click.option("--target", metavar="URL", default="", help="Also prepare every query on this database, read-only.")
@_FORMAT
@options.state_directory
@click.pass_obj
def check(state_dir: str | None, checklist: str, target: str, form: str) -> None:
    """Load CHECKLIST and print every problem with its file, line and column; exit 2 when there is one."""
    from migconsole.wiring import checking  # noqa: PLC0415 - start-up time of the commands that need none of it

    report = asyncio.run(checking.check(checklist, target))
    if form == "json":
        _json(report.data())
    else:
        _echo("\n".join(report.lines()))
    sys.exit(report.exit_code)


@click.command()
def schema() -> None:
    """Print the JSON Schema of checklist files, for editors."""
    from migconsole.adapters import checklists  # noqa: PLC0415 - start-up time of the commands that need none of it

    _json(checklists.schema())


@click.command()
@click.option("--target", metavar="URL", default="", help="The database; default: from the environment.")
@click.option(
    "--migrations",
    metavar="DIR",
    default="",
    help="Also what a failed migration left behind, and the next command; DIR may be auto.",
)
@click.option("--tool", default="auto", help="The migration tool; default: auto.")
@click.option("--run", "run_name", metavar="RUN", default="", help="The run whose schema fingerprint is compared.")
@_FORMAT
@options.state_directory
@click.pass_obj
def doctor(state_dir: str | None, target: str, migrations: str, tool: str, run_name: str, form: str) -> None:
    """Check this host, this terminal and the target for what a run will need."""
    from migconsole.wiring import doctor as doctoring  # noqa: PLC0415 - start-up time of the commands that need none of it

    findings = asyncio.run(doctoring.examine(state_dir, target))
    if migrations:
        from migconsole.wiring import migration_doctor  # noqa: PLC0415 - only where it is asked for

        findings += asyncio.run(migration_doctor.examine(state_dir, target, migrations, tool, run_name))
    if form == "json":
        _json([finding.data() for finding in findings])
    else:
        for finding in findings:
            _echo(finding.line())
    sys.exit(EXIT_FAILED if any(finding.level == "problem" for finding in findings) else EXIT_OK)


@click.command()
@click.argument("run_name", metavar="RUN")
@click.option(
    "--expect", metavar="HASH", default="", help="A hash that was sealed earlier; finds a journal that was cut."
)
@_FORMAT
@options.state_directory
@click.pass_obj
def verify(state_dir: str | None, run_name: str, expect: str, form: str) -> None:
    """Check the hash chain of RUN's journal and its frozen checklist; exit 1 with the first bad event."""
    from migconsole.wiring import overview  # noqa: PLC0415 - start-up time of the commands that need none of it

    result = overview.verify(state_dir, run_name, expect)
    if form == "json":
        _json(result)
    elif result["problem"] and not result["first_bad"]:
        _echo(f"NOT KNOWN TO BE WHOLE: {result['problem']}")
    elif result["problem"]:
        _echo(f"BROKEN at event {result['first_bad']}: {result['problem']}")
    else:
        _echo(f"whole: {result['events']} events, head {result['head']}")
    sys.exit(EXIT_FAILED if result["problem"] else EXIT_OK)
