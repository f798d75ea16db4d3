"""Seals in files of their own beside the journal: whoever cuts or rewrites the journal has to find these, too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from migconsole.adapters.runs import write_durably
from migconsole.domain.seals import Seal, seal_of

FOLDER = "seals"


@dataclass(frozen=True, slots=True)
class Kept:
    """The seals beside a journal, by their place in it; ``unreadable`` are the files that say nothing any more."""

    seals: tuple[Seal, ...] = ()
    unreadable: tuple[str, ...] = ()


def keep_seal(directory: Path, seal: Seal) -> Path:
    """Write a seal of a run (0600) and return its file. Raises OSError."""
    folder = directory / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / _name(seal)
    content = {"what": seal.what, "head": seal.head, "hash": seal.hash, "at": seal.at}
    write_durably(path, json.dumps(content, indent=2, sort_keys=True).encode() + b"\n")
    return path


def kept_seals(directory: Path) -> Kept:
    """The seals of a run.

    A file that cannot be read, that holds no seal, or another one than its name says, is no reason to trust the
    journal: it is named.
    """
    found, unreadable = [], []
    try:
        # What was being written when its process died is no seal yet.
        paths = sorted(path for path in (directory / FOLDER).iterdir() if path.suffix != ".partial")
    except FileNotFoundError:
        return Kept()
    except OSError:
        return Kept((), (FOLDER,))
    for path in paths:
        seal = _read(path)
        if seal is None or _name(seal) != path.name:
            unreadable.append(f"{FOLDER}/{path.name}")
        else:
            found.append(seal)
    return Kept(tuple(sorted(found, key=lambda seal: seal.head)), tuple(unreadable))


def _read(path: Path) -> Seal | None:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return seal_of(content) if isinstance(content, dict) else None


def _name(seal: Seal) -> str:
    return f"{seal.head:06}-{seal.hash[:8]}-{seal.what}.json"
