"""Seals in files of their own beside the journal: whoever cuts or rewrites the journal has to find these, too."""

from __future__ import annotations

import json
from pathlib import Path

from migconsole.adapters.runs import write_durably
from migconsole.domain.seals import Seal, seal_of

FOLDER = "seals"


def keep_seal(directory: Path, seal: Seal) -> Path:
    """Write a seal of a run (0600) and return its file. Raises OSError."""
    folder = directory / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{seal.head:06}-{seal.hash[:8]}-{seal.what}.json"
    content = {"what": seal.what, "head": seal.head, "hash": seal.hash, "at": seal.at}
    write_durably(path, json.dumps(content, indent=2, sort_keys=True).encode() + b"\n")
    return path


def kept_seals(directory: Path) -> list[Seal]:
    """The seals of a run, by their place in the journal; what is no seal is passed over."""
    found = []
    for path in sorted((directory / FOLDER).glob("*.json")):
        try:
            content = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        seal = seal_of(content) if isinstance(content, dict) else None
        if seal is not None:
            found.append(seal)
    return sorted(found, key=lambda seal: seal.head)
