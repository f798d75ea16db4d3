"""``outcome.json`` in an attempt's directory: what a built-in job tells whoever judges it.

The command that carries a job out writes it at its end; the console, the watcher or the next console reads it. From
a shell of its own, outside of a run, the same command writes nothing.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from migconsole.adapters.jobs import files
from migconsole.domain.outcomes import JobOutcome, believed

__all__ = ["ATTEMPT_DIRECTORY", "JobOutcome", "attempt_directory", "read_outcome", "write_outcome"]

ATTEMPT_DIRECTORY = files.ATTEMPT_DIRECTORY
"""The environment variable that names the attempt's directory; set for built-in jobs of a run and for nothing else."""

LARGEST = 4 * 1024 * 1024
"""Bytes of the file that are read at most."""


def attempt_directory(environ: Mapping[str, str] | None = None) -> Path | None:
    """The directory of the attempt that this process carries out; None outside of a run."""
    given = (os.environ if environ is None else environ).get(ATTEMPT_DIRECTORY, "")
    return Path(given) if given else None


def write_outcome(outcome: JobOutcome, environ: Mapping[str, str] | None = None) -> None:
    """Write the outcome, whole or not at all (0600, on disk when this returns); outside of a run do nothing.

    Raises OSError when it cannot be written: the job must then not end well. ValueError for an unknown verdict.
    """
    data = outcome.data()
    directory = attempt_directory(environ)
    if directory is not None:
        files.write_atomic(directory / files.OUTCOME, data)


def read_outcome(directory: Path) -> JobOutcome | None:
    """What a job left in its attempt's directory; None when it left none.

    Raises ValueError in words when the file cannot be believed: torn, too large, no regular file, without a verdict.
    """
    try:
        # Not blocking: whatever lies there under this name, a pipe too, must not hold up the console.
        descriptor = os.open(directory / files.OUTCOME, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"{files.OUTCOME} cannot be read: {error.strerror}") from error
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{files.OUTCOME} is no regular file")
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ValueError(f"{files.OUTCOME} has more than {LARGEST // 1024 // 1024} MiB")
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{files.OUTCOME} is torn: {type(error).__name__}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{files.OUTCOME} holds no object")
    return believed(data)
