"""The ways out that nobody planned: exceptions and signals leave the terminal whole and a log without secrets."""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

SIGNALS = {signal.SIGTERM: 143, signal.SIGHUP: 129}
"""Exit codes as shells report a death by these signals."""


def write_log(error: BaseException, directory: Path, redact: Callable[[str], str]) -> Path | None:
    """The traceback, without local variables and with every secret masked, in a file of ours alone.

    Returns None when the directory cannot be written; there is nothing better to do with an error then.
    """
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    try:
        safe = redact(text)
    except Exception:  # masking failed: what cannot be masked is not written
        safe = f"{type(error).__name__}: the traceback could not be masked and was not kept\n"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = directory / f"console-error-{stamp}-{os.getpid()}.log"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(safe)
    except OSError:
        return None
    return path


def install_signals(leave: Callable[[int], None]) -> Callable[[], None]:
    """Call ``leave`` with the exit code when the terminal goes or somebody ends us; returns what undoes it.

    Textual installs none of these: the terminal would stay raw, on the alternate screen, with the mouse on.
    """
    loop = asyncio.get_running_loop()
    installed = []
    for number, code in SIGNALS.items():
        try:
            loop.add_signal_handler(number, leave, code)
        except (ValueError, RuntimeError, NotImplementedError):
            continue  # not the main thread, as in tests: the process keeps its own handlers
        installed.append(number)

    def undo() -> None:
        for number in installed:
            loop.remove_signal_handler(number)

    return undo
