"""The drills of a state directory, a line each, so that later runs know what the way back takes on their target."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DRILLS = "drills.jsonl"
"""In the state directory. No secret is in it, mode 0600."""

READ = 1024 * 1024
"""Bytes from the file's end that are looked at: some thousand drills."""


def remember(state: Path, entry: Mapping[str, Any]) -> None:
    """Append a drill: ``target`` (``db@host:port``), ``at``, ``durations`` in seconds, ``rows``, ``bytes``.

    A failure costs an estimate and nothing else, so that nothing is raised.
    """
    with contextlib.suppress(OSError):
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(state / DRILLS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(dict(entry)) + "\n")


def last_drill(state: Path, target: str) -> dict[str, Any] | None:
    """The newest drill of a target, None when there was none that can be read.

    Lines that are torn or of another form are passed by: the file is a memory, not a record.
    """
    try:
        with (state / DRILLS).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - READ))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        with contextlib.suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("target") == target and isinstance(entry.get("durations"), dict):
                return entry
    return None
