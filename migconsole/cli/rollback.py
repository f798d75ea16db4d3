"""Commands that change what the database's name means: rollback, put-back, purge."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from migconsole.cli import options
from migconsole.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

_STRATEGIES = ("swap", "side-restore", "in-place", "app-only", "revert", "snapshot", "clone", "pitr")


def _common(command: F) -> F:
    """Options of all three."""
    for option in reversed(
        [
            click.option("--target", metavar="URL", help="The database; default: the run's, from the environment."),
            click.option("--run", "run_given", metavar="RUN", default="", hidden=True),
            click.option(
                "--owner",
                metavar="IDENTIFIER",
                default="",
                help="Without a run: the run or backup whose databases are meant, when there are several.",
            ),
            click.option("--as", "actor", metavar="NAME", default="", help="Who acts; default: your login name."),
            click.option("--plan", "only_plan", is_flag=True, help="Only show what was found and what would be done."),
            click.option("--confirm", metavar="DB@HOST:PORT", default="", help="The name that the plan asks for."),
            click.option(
                "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print it."
            ),
        ]
    ):
        command = option(command)
    return command


@click.command()
@click.argument("run_name", metavar="[RUN]", required=False)
@_common
@click.option("--strategy", type=click.Choice(_STRATEGIES), help="Which way back; default: the swap, where possible.")
@click.option("--reason", metavar="TEXT", default="", help="Why; it goes on record.")
@click.option("--by", metavar="NAME", default="", help="Who decided it.")
@click.option("--backup", metavar="DIR", type=click.Path(path_type=Path), help="The backup to restore from.")
@click.option("--script", metavar="FILE", type=click.Path(path_type=Path), help="Strategy revert: the script.")
@click.option(
    "--keep-failed",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Strategy in-place: where the failed data is dumped to first.",
)
@click.option(
    "--old-app", metavar="TEXT", default="", help="Strategy app-only: how it is known that it runs on the new schema."
)
@click.option("--jobs", type=click.IntRange(1, 64), default=1, help="Strategy in-place: jobs of dump and restore.")
@click.option("--last-resort", metavar="DB@HOST:PORT", default="", help="Strategy in-place: the second confirmation.")
@click.option("--disk-free", metavar="SIZE", default="", help="What is free on the server's volume, where unseen.")
@click.option("--no-verify", is_flag=True, help="Do not read the content back afterwards; it is then not verified.")
@click.option("--verify-limit", metavar="TIME", default="5m", help="How long reading it back may take. [default: 5m]")
@click.option("--unfence", is_flag=True, help="Only open a database again that a broken-off rollback left closed.")
@options.state_directory
@click.pass_obj
def rollback(state_dir: str | None, /, run_name: str | None, unfence: bool, **given: Any) -> None:
    """Go back: survey, ways back, plan, loss; with --reason and --confirm, do it. RUN defaults to the newest."""
    from migconsole.domain.rollback_plan import Deed  # noqa: PLC0415 - start-up time of the commands that need none

    _go(state_dir, run_name, given, Deed.UNFENCE if unfence else Deed.ROLLBACK)


@click.command("put-back")
@click.argument("run_name", metavar="[RUN]", required=False)
@_common
@click.option("--reason", metavar="TEXT", default="", help="Why; it goes on record.")
@click.option("--by", metavar="NAME", default="", help="Who decided it.")
@options.state_directory
@click.pass_obj
def put_back(state_dir: str | None, /, run_name: str | None, **given: Any) -> None:
    """Undo a swap: the failed database becomes the live one again, the restored one waits beside it."""
    from migconsole.domain.rollback_plan import Deed  # noqa: PLC0415 - as above

    _go(state_dir, run_name, given, Deed.PUT_BACK)


@click.command()
@click.argument("run_name", metavar="[RUN]", required=False)
@_common
@click.option(
    "--what",
    type=click.Choice(["failed", "side"]),
    default="failed",
    help="The failed database, or the side database that waits as a restore point.",
)
@click.option("--dated", metavar="YYYY-MM-DD", default="", help="The date of what is dropped, as the plan shows it.")
@options.state_directory
@click.pass_obj
def purge(state_dir: str | None, /, run_name: str | None, **given: Any) -> None:
    """Drop the failed (or the side) database for good; confirmed with its own name and its date."""
    from migconsole.domain.rollback_plan import Deed  # noqa: PLC0415 - as above

    _go(state_dir, run_name, given, Deed.PURGE)


def _go(state_dir: str | None, run_name: str | None, given: dict[str, Any], deed: Any) -> None:
    from migconsole.domain.rollback_plan import Strategy  # noqa: PLC0415 - as above
    from migconsole.wiring import rollback_command  # noqa: PLC0415 - as above
    from migconsole.wiring.opening import Options  # noqa: PLC0415 - as above
    from migconsole.wiring.rolling_back import Wanted  # noqa: PLC0415 - as above

    if run_name and given["run_given"]:
        raise UsageError("Name the run once")
    chosen = Options(state_dir=state_dir, target=given["target"] or "", actor=given["actor"])
    free = _size(given.get("disk_free", ""))
    wanted = Wanted(chosen, run_name or given["run_given"], given["owner"], given.get("backup"), free)
    strategy = given.get("strategy")
    command = rollback_command.Command(
        wanted,
        deed,
        Strategy(strategy) if strategy else None,
        what=given.get("what", "failed"),
        only_plan=given["only_plan"],
        reason=given.get("reason", ""),
        by=given.get("by", ""),
        confirm=given["confirm"],
        dated=given.get("dated", ""),
        last_resort=given.get("last_resort", ""),
        script=given.get("script"),
        keep_failed=given.get("keep_failed"),
        old_app=given.get("old_app", ""),
        jobs=given.get("jobs", 1),
        verify=not given.get("no_verify", False),
        verify_limit=_seconds(given.get("verify_limit", "5m")),
    )
    said = rollback_command.Said(_say, as_json=given["form"] == "json")
    try:
        code = asyncio.run(rollback_command.run(rollback_command.checked(command), said))
    finally:
        if said.as_json and said.data:
            said.data["steps"] = said.steps
            click.echo(json.dumps(said.data, indent=2, ensure_ascii=True, default=str))
    sys.exit(code)


def _size(text: str) -> int | None:
    from migconsole.domain.quantities import parse_size  # noqa: PLC0415 - as above

    try:
        return parse_size(text) if text else None
    except ValueError as error:
        raise UsageError("--disk-free is no size", str(error)) from None


def _seconds(text: str) -> float:
    from migconsole.domain.quantities import parse_duration  # noqa: PLC0415 - as above

    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError("--verify-limit is no length of time", str(error)) from None


def _say(text: str) -> None:
    from migconsole.domain.text import sanitise  # noqa: PLC0415 - as above

    click.echo(sanitise(text))
    sys.stdout.flush()
