"""The last resort: an unexpected failure becomes a log file without secrets, and one line that names it."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from migconsole import __version__


def record(error: BaseException, directory: Path | None, redact: Callable[[str], str] = str) -> Path | None:
    """Write the traceback (never the locals: they hold passwords) to a new file (0600) and return its path.

    ``directory`` is where runs are kept; a temporary directory serves when it cannot be written. None when nothing can.
    """
    text = redact(
        f"migconsole {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n"
        f"{datetime.now(UTC).isoformat(timespec='seconds')}\n\n" + "".join(traceback.format_exception(error))
    )
    name = f"crash-{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.log"
    for place in (directory, Path(tempfile.gettempdir())):
        if place is None:
            continue
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = place / name
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            continue
        return path
    return None
