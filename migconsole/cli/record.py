"""Commands about a run's record: its report, and the signatures under it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from migconsole.cli import options
from migconsole.errors import EXIT_FAILED, EXIT_OK


@click.command()
@click.argument("run_name", metavar="[RUN]", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "html", "json", "bundle"]),
    default="md",
    help="Markdown, one page of HTML, JSON, or a bundle with the evidence.",
)
@click.option("--output", metavar="PATH", default="", help="Write to a file (0600), or into a directory.")
@options.state_directory
@click.pass_obj
def report(state_dir: str | None, run_name: str | None, form: str, output: str) -> None:
    """Report RUN (default: the newest): outcome, deviations, decisions, timeline, every line with its evidence.

    Without --output it goes to standard output; a bundle goes to a file named after the run. What a report tells of the
    journal's head is sealed. Exit 1 when the journal is broken; the report then says so first.
    """
    from migconsole.wiring import reporting  # noqa: PLC0415 - start-up time of the commands that need none of it

    made = reporting.make(state_dir, run_name, form, Path(output) if output else None)
    if made.path is None:
        click.echo(made.text, nl=False)
    else:
        click.echo(str(made.path))
    for problem in made.problems:
        click.echo(f"migconsole: {problem}", err=True)
    sys.exit(EXIT_FAILED if made.broken else EXIT_OK)
