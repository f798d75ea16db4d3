"""Commands about a run's record: its report, and the signatures under it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from migconsole.cli import options
from migconsole.errors import EXIT_FAILED, EXIT_OK, UsageError


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


@click.command()
@click.argument("run_name", metavar="[RUN]", required=False)
@click.option("--role", metavar="ROLE", default="", help="Sign for this role of the checklist.")
@click.option("--name", metavar="NAME", default="", help="Who signs; default: --as, else your login name.")
@click.option("--signature", metavar="TEXT", default="", help="The typed signature.")
@click.option("--seen", metavar="HASH", default="", help="The journal that was seen; needed while deviations stand.")
@click.option("--refuse", metavar="REASON", default="", help="Refuse to sign for the role; the reason is on record.")
@click.option(
    "--end",
    "ending",
    type=click.Choice(["completed", "rolled back", "abandoned"]),
    help="First end the run so; no console may be driving it.",
)
@click.option("--reason", metavar="TEXT", default="", help="Why it is ended as rolled back or abandoned.")
@click.option("--close", is_flag=True, help="Close a run that everybody has signed or refused.")
@click.option("--as", "actor", metavar="NAME", default="", help="Who acts; default: your login name.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it.")
@options.state_directory
@click.pass_obj
def sign(state_dir: str | None, /, run_name: str | None, form: str, **given: Any) -> None:
    """Sign RUN (default: the newest) off for a role, or show who has signed and what deviates.

    A signature is bound to the journal as it is now, or as it was seen (--seen). Where deviations stand they are shown
    first, and signing needs --seen. When every role has signed, the run is closed and its reports are
    written. Works beside an open console.
    """
    said = [name for name in ("signature", "refuse") if given[name]]
    if bool(given["role"]) != (len(said) == 1):
        raise UsageError("Give --role with --signature or with --refuse", remedy="Without any, the sign-off is shown.")
    printed = asyncio.run(_sign(state_dir, run_name, form, given))
    click.echo(printed)


async def _sign(state_dir: str | None, run_name: str | None, form: str, given: dict[str, Any]) -> str:
    from migconsole.domain.text import sanitise  # noqa: PLC0415 - as above
    from migconsole.wiring import signing as wired  # noqa: PLC0415 - as above

    async with wired.opened(state_dir, run_name, given["actor"]) as (signing, recorder):
        name = given["name"] or recorder.actor
        if given["ending"]:
            await wired.end(recorder, signing, given["ending"], name, given["reason"])
        if given["signature"]:
            await signing.sign(given["role"], name, given["signature"], wired.seen(signing, recorder, given["seen"]))
        elif given["refuse"]:
            await signing.refuse(given["role"], name, given["refuse"])
        # The last signature closes by itself.
        if given["close"] and not (given["signature"] and recorder.run.life.closed):
            await signing.close()
        if form == "json":
            return json.dumps(wired.data(signing, recorder), indent=2, ensure_ascii=True)
        return sanitise("\n".join(wired.lines(signing, recorder)))


@click.command()
@click.argument("text")
@click.option("--title", metavar="TEXT", default="", help="The message's title; default: the run's.")
@click.option("--to", metavar="NAME", multiple=True, help="Only to this variable of the checklist's notifications.")
@click.option(
    "--url-from", metavar="VARIABLE", default="", help="Without a run: this environment variable has the address."
)
@click.option("--run", "run_name", metavar="RUN", default="", help="To the destinations of this run's checklist.")
@options.state_directory
@click.pass_obj
def notify(state_dir: str | None, text: str, title: str, to: tuple[str, ...], url_from: str, run_name: str) -> None:
    """Send TEXT to the notification services of a run's checklist; exit 1 when one of them did not take it.

    Addresses hold tokens, so none is ever given here: they come from the checklist's variables or the environment.
    """
    from migconsole.wiring import notifying  # noqa: PLC0415 - start-up time of the commands that need none of it

    sent = notifying.send(state_dir, text, title=title, to=to, url_from=url_from, run=run_name)
    for line in sent.lines:
        click.echo(line)
    sys.exit(EXIT_OK if sent.delivered else EXIT_FAILED)
