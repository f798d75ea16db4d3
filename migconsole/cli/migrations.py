"""Commands that look at migration files and at addresses: review, lint, http. Each is also a job of a checklist."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import click

from migconsole.cli import options

_RUN = click.option("--run", "run_name", metavar="RUN", default="", help="The run it belongs to.")
_FORMAT = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
_CHOICE = (
    click.option(
        "--directory", metavar="DIR", default="", help="Folder of the migrations; default: the tool's usual one."
    ),
    click.option("--tool", default="auto", help="prisma, alembic, django, dbmate, sqitch, flyway; default: auto."),
    click.option("--schema", default="", help="Schema of the tool's table; default: the URL's, else public."),
    click.option(
        "--target", metavar="URL", default="", help="The database; default: the run's, else the environment's."
    ),
)


def _choosing(command: Any) -> Any:
    for option in reversed(_CHOICE):
        command = option(command)
    return command


@click.command()
@_choosing
@_RUN
@_FORMAT
@options.state_directory
@click.pass_obj
def review(state_dir: str | None, /, run_name: str, form: str, **choice: str) -> None:
    """Show every pending migration file whole and pin it by its content.

    It never passes by itself: in a run its item then asks a person, who attests by name. A file that changes afterwards
    turns the item regressed.
    """
    from migconsole.wiring import reviewing  # noqa: PLC0415 - start-up time of the commands that need none of it

    asked = reviewing.Choice(**choice)
    _carry_out(state_dir, run_name, form, lambda where, say: reviewing.review(where, asked, say))


@click.command()
@_choosing
@click.option("--built-in", is_flag=True, help="Use the built-in rules, even where squawk is installed.")
@_RUN
@_FORMAT
@options.state_directory
@click.pass_obj
def lint(state_dir: str | None, /, run_name: str, form: str, built_in: bool, **choice: str) -> None:
    """Lint every pending migration file with squawk, or with a few built-in rules; exit 3 when there are findings."""
    from migconsole.wiring import reviewing  # noqa: PLC0415 - start-up time of the commands that need none of it

    asked = reviewing.Choice(**choice)
    _carry_out(state_dir, run_name, form, lambda where, say: reviewing.lint(where, asked, say, built_in=built_in))


@click.command()
@click.argument("address", metavar="URL")
@click.option("--expect-status", multiple=True, type=click.IntRange(100, 599), help="A status that passes; repeatable.")
@click.option("--expect-body", default="", metavar="PATTERN", help="A pattern that a line of the body must match.")
@click.option("--expect-not-body", default="", metavar="PATTERN", help="A pattern that no line of the body may match.")
@click.option("--method", type=click.Choice(["GET", "HEAD"]), default="GET", help="What is sent; it changes nothing.")
@click.option("--timeout", default="10s", metavar="DURATION", help="How long an answer is waited for.")
@_RUN
@_FORMAT
@options.state_directory
@click.pass_obj
def http(
    state_dir: str | None,
    run_name: str,
    form: str,
    address: str,
    expect_status: tuple[int, ...],
    expect_body: str,
    expect_not_body: str,
    method: str,
    timeout: str,
) -> None:
    """Ask URL once and judge its answer; redirects are followed to the same host only."""
    from migconsole.domain.quantities import QuantityError, parse_duration  # noqa: PLC0415 - start-up time
    from migconsole.wiring import http_job  # noqa: PLC0415 - start-up time of the commands that need none of it

    try:
        seconds = parse_duration(timeout)
    except QuantityError as error:
        raise click.BadParameter(str(error), param_hint="--timeout") from None
    question = http_job.Question(address, method, expect_status, expect_body, expect_not_body, seconds)

    async def work(_where: Any, say: Any) -> Any:
        return await asyncio.to_thread(http_job.ask, question, say)

    _carry_out(state_dir, run_name, form, work)


def _carry_out(state_dir: str | None, run_name: str, form: str, work: Any) -> None:
    """Do the work of a command, leave its outcome, and exit with what it amounts to."""
    from migconsole.domain.text import sanitise  # noqa: PLC0415 - only where something is said
    from migconsole.errors import MigconsoleError  # noqa: PLC0415 - start-up time
    from migconsole.wiring import small_jobs  # noqa: PLC0415 - start-up time of the commands that need none of it

    def say(line: str) -> None:
        click.echo(sanitise(line, limit=1_000_000), err=form == "json")

    async def everything() -> int:
        where = small_jobs.link(state_dir, run_name or None)
        try:
            outcome = await work(where, say)
        except MigconsoleError as error:
            await small_jobs.conclude(where, small_jobs.failed(error))
            raise
        if form == "json":
            click.echo(json.dumps(outcome.data(), indent=2))
        else:
            say(f"{outcome.verdict}: {'; '.join(outcome.reasons)}" if outcome.reasons else outcome.verdict)
        return await small_jobs.conclude(where, outcome)

    sys.exit(asyncio.run(everything()))
