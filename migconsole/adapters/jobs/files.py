"""The files of one attempt, ``jobs/<item>/<n>/``: how console and job meet without knowing each other.

=================  ====================================================================================================
request.json       what is to be executed, without any secret; written by the console, never overwritten
claim              made exclusively, either by the runner before it executes or by a console that revokes the attempt
job.json           the command's process, written by the runner once it runs
output.log         the masked bytes of the command's terminal, or of both its pipes
stderr.idx         which of its bytes came through stderr, and
output.idx         when they were written, both as ``migconsole.adapters.output_marks`` has them
output.late.log    what processes that outlived the command wrote after the result
control            a named pipe on which the runner takes a new window size and notes of stop signals
result.json        written last and atomically
outcome.json       what a built-in job says about itself, written by its command (``migconsole.adapters.jobs.outcomes``)
runner.log         what the runner itself complained about; normally empty
=================  ====================================================================================================

Imported by the runner, so it stays light: the first byte of a command's output must not wait for libraries.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REQUEST = "request.json"
CLAIM = "claim"
JOB = "job.json"
OUTPUT = "output.log"
LATE_OUTPUT = "output.late.log"
CONTROL = "control"
RESULT = "result.json"
OUTCOME = "outcome.json"
RUNNER_LOG = "runner.log"
PANIC = "PANIC"
"""A file of this name in the run directory ends every command of the run by the ladder and lets none start."""

MARKER = "MIGCONSOLE_JOB"
"""An environment variable with the job's token, by which its processes are found even when their runner is gone."""

ATTEMPT_DIRECTORY = "MIGCONSOLE_ATTEMPT_DIR"
"""An environment variable by which the command of a built-in job knows where its outcome belongs."""

RESULT_ROOM = 8192


def run_directory(directory: Path) -> Path:
    """The run's directory, above ``jobs/<item>/<n>``."""
    return directory.parents[2]


def write_new(path: Path, data: Mapping[str, Any]) -> None:
    """Write JSON to a file that must not exist, 0600. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(data, file, ensure_ascii=True, indent=1)


def write_atomic(path: Path, data: Mapping[str, Any], *, reserved: Path | None = None, durable: bool = True) -> None:
    """Replace a file by JSON, so that a reader, and where it is durable a crash, sees all or nothing. Raises OSError.

    ``reserved`` is a file from ``reserve``: its room on disk is used, so that this works on a full disk.
    """
    raw = json.dumps(data, ensure_ascii=True, indent=1).encode()
    temporary = reserved or path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        written = 0
        while written < len(raw):
            written += os.pwrite(descriptor, raw[written:], written)
        os.ftruncate(descriptor, len(raw))
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    if durable:
        sync_directory(path.parent)


def reserve(path: Path, size: int = RESULT_ROOM) -> Path:
    """Take room on disk beside ``path`` for a later ``write_atomic``. Raises OSError when there is none."""
    reserved = path.with_name(f".{path.name}.reserved")
    descriptor = os.open(reserved, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.pwrite(descriptor, b" " * size, 0)
    finally:
        os.close(descriptor)
    return reserved


def claim(directory: Path, content: Mapping[str, Any]) -> bool:
    """Take the attempt, exclusively and durably; False when somebody else has it. Raises OSError.

    The content is complete before the name exists, so no reader ever sees half a claim.
    """
    temporary = directory / f".{CLAIM}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    write_new(temporary, content)
    try:
        os.link(temporary, directory / CLAIM)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    sync_directory(directory)
    return True


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None when there is no such file. Raises ValueError when it is torn, OSError."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    if not isinstance(data, dict):
        raise ValueError(f"{path.name} holds no object")
    return data


def sync_file(path: Path) -> None:
    """Make a file's content durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    sync_file(path)
