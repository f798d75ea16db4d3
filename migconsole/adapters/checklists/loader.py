"""Loading a checklist file: all problems at once, or the checklist with the very bytes it was read from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from migconsole.adapters.checklists.problems import ChecklistError
from migconsole.adapters.checklists.reader import read_bytes, read_tree
from migconsole.domain.checklist import Checklist
from migconsole.errors import UsageError


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checklist and what it was read from. ``source`` is frozen into the run directory byte for byte."""

    checklist: Checklist
    source: bytes
    sha256: str
    path: Path


def load(path: Path) -> Loaded:
    """Read a checklist. Raises ChecklistError with every problem, UsageError when there is no readable file."""
    if path.suffix.lower() in (".md", ".markdown") and path.is_file():
        raise UsageError(
            f"{path} is Markdown",
            "A checklist is carried out from its YAML form.",
            f"Turn it into YAML first: migconsole import {path.name} --output {path.stem}.yaml",
        )
    source = read_bytes(path)
    return Loaded(parse(source, str(path)), source, hashlib.sha256(source).hexdigest(), path)


def parse(source: bytes, file: str) -> Checklist:
    """The checklist in a file's bytes; ``file`` is the name to use in messages. Raises ChecklistError."""
    # The models cost a quarter of a second, which the list of runs need not wait for.
    from migconsole.adapters.checklists.convert import Converter  # noqa: PLC0415 - see above
    from migconsole.adapters.checklists.validation import validate  # noqa: PLC0415 - see above

    tree, problems = read_tree(source, file)
    model, wrong = validate(tree, file)
    problems += wrong
    if model is None:
        raise ChecklistError(file, problems)
    converter = Converter(tree, model, file)
    checklist = converter.convert()
    problems += converter.problems
    if problems:
        raise ChecklistError(file, problems)
    return checklist


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, to compare a frozen copy with the record."""
    return hashlib.sha256(read_bytes(path)).hexdigest()
