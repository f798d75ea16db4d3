"""Commands that open a run: demo, run, resume, and the bare command."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from migconsole.cli import options
from migconsole.errors import UsageError

STRATEGIES = ("swap", "side-restore", "in-place", "app-only", "revert")

_HEADLESS = ("attest_all", "answers", "alternatives", "allow", "confirm", "stop_after", "votes", "overrides", "watch")
"""Parameters that make no sense with a screen."""

F = TypeVar("F", bound=Callable[..., Any])


def home(state_dir: str | None) -> int:
    """The runs screen."""
    _demand_terminal("migconsole runs, or migconsole run CHECKLIST --headless")
    from migconsole.wiring import opening, surfaces  # noqa: PLC0415 - start-up time of the commands that need none of it

    return surfaces.show(None, opening.Options(state_dir=state_dir))


def _opening(command: F) -> F:
    """The options that every command has which opens a run."""
    for option in reversed(
        [
            click.option(
                "--target", metavar="URL", help="The database; default: the checklist's, from the environment."
            ),
            click.option("--as", "actor", metavar="NAME", help="Who acts; default: your login name."),
            click.option(
                "--var", "variables", metavar="NAME=VALUE", multiple=True, help="Set a variable of the checklist."
            ),
            click.option(
                "--t0", metavar="TIME", default="", help="When T-0 is: 23:30, 20m, now, 2026-11-25 23:30Z (UTC)."
            ),
            click.option("--window", metavar="2h", default="", help="The change window from T-0, or when it ends."),
            click.option("--read-only", is_flag=True, help="Watch; nothing can be decided or run."),
            click.option(
                "--headless", is_flag=True, help="Without a screen: a line per item, stops where a person is needed."
            ),
            click.option("--attest-all", metavar="REASON", help="Headless: attest manual items with this reason."),
            click.option("--answer", "answers", metavar="ITEM=VALUE", multiple=True, help="Headless: answer an item."),
            click.option(
                "--alternative",
                "alternatives",
                metavar="ITEM=N",
                multiple=True,
                help="Headless: take way N of an item.",
            ),
            click.option("--allow", type=click.Choice(["mutating"]), help="Headless: let mutating actions run."),
            click.option(
                "--confirm",
                metavar="DB@HOST:PORT",
                default="",
                help="Headless: the target's name, for destructive actions.",
            ),
            click.option("--stop-after", metavar="ITEM", default="", help="Headless: end well after this item."),
            click.option(
                "--vote", "votes", metavar="ROLE=GO:INITIALS", multiple=True, help="Headless: a role's vote at gates."
            ),
            click.option(
                "--override",
                "overrides",
                metavar="ITEM=WHAT:REASON",
                multiple=True,
                help="Headless: run an item without the proof, beside a dump, past the last safe abort.",
            ),
            click.option("--watch", is_flag=True, help="Headless: start the background process that samples health."),
            click.option(
                "--theme", metavar="NAME", default="", help="A theme's name; themes can be switched live, too."
            ),
            click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal."),
        ]
    ):
        command = option(command)
    return command


@click.command()
@click.argument("checklist")
@_opening
@options.state_directory
@click.pass_obj
def run(state_dir: str | None, /, checklist: str, **given: Any) -> None:
    """Start a run of CHECKLIST: a file, or the name of a shipped one (prisma, generic-sql)."""
    from migconsole.wiring import opening  # noqa: PLC0415 - start-up time of the commands that need none of it

    chosen = _options(state_dir, given)
    _open(given, lambda: opening.create(checklist, chosen), chosen)


@click.command()
@click.argument("run_name", metavar="[RUN]", required=False)
@_opening
@click.option("--rollback", "reason", metavar="REASON", default="", help="Headless: go through the rollback procedure.")
@click.option("--by", metavar="NAME", default="", help="With --rollback: who decided it; default: who acts.")
@click.option("--strategy", type=click.Choice(STRATEGIES), help="With --rollback: which way; default: the checklist's.")
@click.option("--last-resort", metavar="DB@HOST:PORT", default="", help="With --rollback: in-place, confirmed twice.")
@click.option(
    "--old-app", metavar="TEXT", default="", help="With --rollback: how it is known that it runs on the new schema."
)
@options.state_directory
@click.pass_obj
def resume(state_dir: str | None, /, run_name: str | None, **given: Any) -> None:
    """Go on with RUN (default: the newest), whatever happened to the console that had it open."""
    from migconsole.wiring import opening  # noqa: PLC0415 - start-up time of the commands that need none of it

    chosen = _options(state_dir, given)
    _open(given, lambda: opening.resume(run_name, chosen), chosen, back_out=_back_out(given))


@click.command()
@click.option("--headless", is_flag=True, help="Carry the run without a screen and print a line per item.")
@click.option(
    "--scenario",
    type=click.Choice(["smooth", "regression", "failure"]),
    default="smooth",
    help="What goes wrong, if anything.",
)
@click.option("--keep", is_flag=True, help="Keep server and files afterwards, and say how to come back.")
@click.option("--theme", metavar="NAME", default="", help="A theme's name; themes can be switched live, too.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal.")
def demo(headless: bool, scenario: str, keep: bool, theme: str, no_mouse: bool) -> None:
    """A real migration on an embedded PostgreSQL, from the first box to the last; cleans up after itself."""
    if not headless:
        _demand_terminal("migconsole demo --headless")
    from migconsole.wiring import opening, surfaces  # noqa: PLC0415 - start-up time of the commands that need none of it

    chosen = opening.Options(theme=theme, mouse=not no_mouse)
    sys.exit(surfaces.demo(scenario, keep=keep, headless_run=headless, options=chosen, say=_say))


def _options(state_dir: str | None, given: dict[str, Any]) -> Any:
    from migconsole.wiring import opening  # noqa: PLC0415 - start-up time of the commands that need none of it

    return opening.Options(
        state_dir=state_dir,
        target=given["target"] or "",
        actor=given["actor"] or "",
        variables=_pairs(given["variables"], "--var NAME=VALUE"),
        read_only=given["read_only"],
        t0=given["t0"],
        window=given["window"],
        theme=given["theme"],
        mouse=not given["no_mouse"],
    )


def _back_out(given: dict[str, Any]) -> Any:
    """What --rollback and its companions say, None without it."""
    if not given["reason"]:
        for name in ("by", "strategy", "last_resort", "old_app"):
            if given[name]:
                raise UsageError(f"--{name.replace('_', '-')} goes with --rollback REASON")
        return None
    if not given["headless"]:
        raise UsageError("--rollback goes with --headless", remedy="In the full screen the wizard does it (B).")
    from migconsole.domain.rollback_plan import Strategy  # noqa: PLC0415 - start-up time of the commands without it
    from migconsole.engine.headless_rollback import BackOut  # noqa: PLC0415 - as above

    strategy = Strategy(given["strategy"]) if given["strategy"] else None
    return BackOut(given["reason"], given["by"], strategy, given["last_resort"], given["old_app"].strip())


def _open(given: dict[str, Any], start: Callable[[], Awaitable[Any]], chosen: Any, *, back_out: Any = None) -> None:
    from migconsole.wiring import surfaces  # noqa: PLC0415 - start-up time of the commands that need none of it

    if not given["headless"]:
        for name in _HEADLESS:
            if given[name]:
                raise UsageError(f"--{name.replace('_', '-').rstrip('s')} goes with --headless")
        _demand_terminal("the same command with --headless")
        sys.exit(surfaces.show(start, chosen))
    permissions = surfaces.permissions(
        attest_all=given["attest_all"] or "",
        answers=_pairs(given["answers"], "--answer ITEM=VALUE"),
        alternatives={
            name: _number(value) for name, value in _pairs(given["alternatives"], "--alternative ITEM=N").items()
        },
        allow=given["allow"] or "",
        confirm=given["confirm"],
        stop_after=given["stop_after"],
        votes=_pairs(given["votes"], "--vote ROLE=GO:INITIALS"),
        overrides=given["overrides"],
    )
    watch = chosen if given["watch"] else None
    sys.exit(asyncio.run(surfaces.headless(start, permissions, _say, watch=watch, back_out=back_out)))


def _pairs(texts: tuple[str, ...], form: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"“{text}” is not of the form {form}")
        pairs[name.strip()] = value
    return pairs


def _number(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"“{text}” is no number of an alternative; they count from 1")
    return int(text)


def _say(text: str) -> None:
    from migconsole.domain.text import sanitise  # noqa: PLC0415 - only where something is said

    click.echo(sanitise(text))


def _demand_terminal(instead: str) -> None:
    """A full-screen program on a pipe would only write escape sequences into it; Textual draws through stderr."""
    if sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "") != "dumb":
        return
    raise UsageError(
        "This needs a terminal, and standard input, output or error is none", remedy=f"Without one: {instead}"
    )
