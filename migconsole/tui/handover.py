"""Giving the real terminal to a command, and taking it back whatever became of the command."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from textual.app import App


async def give_terminal(app: App[Any], argv: Sequence[str], environment: Mapping[str, str], directory: str) -> int:
    """Run a command on the real terminal and return its exit code, minus the signal that ended it.

    The console goes on behind it, but draws nothing: a suspended driver writes for nobody, and after some thirty
    writes it would wait for ever. Raises OSError, with the screen back, when the command cannot be executed.
    """
    failure: OSError | None = None
    code = 0
    with app.batch_update(), app.suspend(), _keys_are_the_commands():
        try:
            process = await asyncio.create_subprocess_exec(*argv, env=dict(environment), cwd=directory)
        except OSError as error:  # an exception that left the block would leave the terminal suspended
            failure = error
        else:
            try:
                code = await process.wait()
            except asyncio.CancelledError:  # the console ends, and what the command reads from goes with it
                _hang_up(process.pid)
                raise
    if failure is not None:
        raise failure
    return code


@contextmanager
def _keys_are_the_commands() -> Iterator[None]:
    """ctrl+c and ctrl+\\ reach every process of the terminal; the console outlives them, as a shell does.

    Handlers and not SIG_IGN, which the command would inherit.
    """
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _hang_up(pid: int) -> None:
    """SIGHUP to a command and everything below it: bash alone would leave its children reading the terminal."""
    import psutil  # noqa: PLC0415 - 25 ms of start-up for what hardly ever happens

    with suppress(psutil.Error):
        command = psutil.Process(pid)
        for process in (*command.children(recursive=True), command):
            with suppress(psutil.Error):
                process.send_signal(signal.SIGHUP)
