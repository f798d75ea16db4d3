"""The command that watches health: of a run, or of any database by itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from migconsole.cli import options
from migconsole.errors import UsageError


@click.command()
@click.argument("run_name", metavar="[RUN]", required=False)
@click.option("--target", metavar="URL", default="", help="Watch this database, without any run.")
@click.option("--background", is_flag=True, help="Only sample and raise alarms; nothing is shown.")
@click.option("--until", metavar="DURATION", default="24h", help="End this long after the last step, or the start.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), help="Print a line a pulse; no screen.")
@click.option("--handed", is_flag=True, hidden=True)
@options.state_directory
@click.pass_obj
def watch(
    state_dir: str | None,
    run_name: str | None,
    target: str,
    background: bool,
    until: str,
    form: str | None,
    handed: bool,
) -> None:
    """Watch the health of RUN's database (default: the newest run), or of --target without any run.

    On a terminal the health screen opens. Elsewhere, and with --format, a line is printed for each pulse and each
    alarm; it ends with exit 1 while a critical alarm is open or the server cannot be reached.
    """
    if handed:
        sys.exit(_serve(Path(run_name or "")))
    from migconsole.wiring import opening  # noqa: PLC0415 - start-up time of the commands that need none of it

    if run_name and target and not background:
        raise UsageError("Name a run or --target, not both", remedy="A run knows its own target.")
    seconds = _seconds(until)
    chosen = opening.Options(state_dir=state_dir, target=target)
    if background:
        sys.exit(_background(run_name, chosen, seconds))
    sys.exit(asyncio.run(_foreground(run_name, chosen, seconds, form)))


async def _foreground(run_name: str | None, chosen: Any, seconds: float, form: str | None) -> int:
    from migconsole.wiring import watch_lines, watching  # noqa: PLC0415 - as above

    alone = bool(chosen.target) and not run_name
    opened = watching.watching_target(chosen.target, seconds) if alone else watching.watching_run(run_name, chosen)
    stop = _stopped_by_signals()
    async with opened as watched:
        if form is None and _terminal():
            return await watching.show(watched)
        return await watch_lines.follow(watched, _say, as_json=form == "json", until=seconds, stop=stop)


def _background(run_name: str | None, chosen: Any, seconds: float) -> int:
    """Sample in this process, in the foreground of its shell: to be put into the background by whoever wants to."""
    from migconsole.wiring import watcher, watching  # noqa: PLC0415 - as above

    if chosen.target and not run_name:
        return asyncio.run(_only_sample(chosen, seconds))
    return asyncio.run(watcher.watch_run(watching.directory_of(run_name, chosen), chosen, seconds))


async def _only_sample(chosen: Any, seconds: float) -> int:
    from migconsole.wiring import watch_lines, watching  # noqa: PLC0415 - as above

    stop = _stopped_by_signals()
    async with watching.watching_target(chosen.target, seconds) as watched:
        return await watch_lines.follow(watched, lambda line: None, as_json=False, until=seconds, stop=stop)


def _serve(directory: Path) -> int:
    """Be the watcher that a console started, away from its session, family and terminal."""
    handed = json.loads(sys.stdin.buffer.read() or b"{}")
    descriptor = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.fork():
        os._exit(0)
    os.setsid()
    from migconsole.wiring import watcher  # noqa: PLC0415 - as above

    return watcher.serve_handed(directory, handed, watcher.answer_on(descriptor))


def _stopped_by_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _seconds(until: str) -> float:
    from migconsole.domain.quantities import QuantityError, parse_duration  # noqa: PLC0415 - as above

    try:
        return parse_duration(until)
    except QuantityError as error:
        raise UsageError("--until is no duration", str(error)) from None


def _terminal() -> bool:
    streams: list[Callable[[], bool]] = [sys.stdin.isatty, sys.stdout.isatty, sys.stderr.isatty]
    return all(stream() for stream in streams) and os.environ.get("TERM", "") != "dumb"


def _say(text: str) -> None:
    from migconsole.domain.text import sanitise  # noqa: PLC0415 - as above

    click.echo(sanitise(text))
    sys.stdout.flush()
