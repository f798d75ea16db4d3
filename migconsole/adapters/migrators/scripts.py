"""The files behind migrations, read and pinned by their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from migconsole.adapters.migrators.base import LARGEST
from migconsole.domain.reviews import ReviewedFile
from migconsole.engine.migrator_ports import SqlFile


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file with its content; ``problem`` says why there is none."""

    pin: ReviewedFile
    text: str
    problem: str = ""

    @property
    def is_sql(self) -> bool:
        """Whether it is SQL, and not a program that makes some."""
        return self.pin.path.endswith(".sql")


def read(files: Sequence[SqlFile], project: Path) -> list[ReadFile]:
    """The content of each file, and its pin; one that cannot be read has a problem instead."""
    return [_read(file, project) for file in files]


def _read(file: SqlFile, project: Path) -> ReadFile:
    path = relative(file.path, project)
    try:
        content = file.path.read_bytes()
    except OSError as error:
        return ReadFile(ReviewedFile(file.migration, path, ""), "", f"cannot be read: {error.strerror}")
    pin = ReviewedFile(file.migration, path, hashlib.sha256(content).hexdigest(), len(content))
    if len(content) > LARGEST:
        return ReadFile(pin, "", f"is larger than {LARGEST // 1024**2} MiB: read it with a tool of your own")
    try:
        return ReadFile(pin, content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return ReadFile(pin, content.decode("utf-8", "replace"), "is not UTF-8")


def relative(path: Path, project: Path) -> str:
    """A path as it counts from the project, so that a pin means the same in every console."""
    return os.path.relpath(path.absolute(), project.absolute())


def sums(paths: Sequence[str], project: Path) -> dict[str, str | None]:
    """Today's SHA-256 of files; None for one that cannot be read."""
    found: dict[str, str | None] = {}
    for path in paths:
        try:
            found[path] = hashlib.sha256((project / path).read_bytes()).hexdigest()
        except OSError:
            found[path] = None
    return found
