"""``import``: a Markdown checklist becomes a YAML file that loads, or nothing is written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from migconsole.adapters import checklists
from migconsole.adapters.checklists import ChecklistError
from migconsole.adapters.importing import Imported, convert, emit, parse
from migconsole.errors import MigconsoleError, UsageError

LARGEST = 2 * 1024 * 1024
"""Bytes of a Markdown file that is read."""


@dataclass(frozen=True, slots=True)
class Result:
    """The YAML text, what it was made from, and what a person should look at."""

    text: str
    imported: Imported

    def lines(self) -> list[str]:
        """For a person, on standard error."""
        remarks = self.imported.all_remarks()
        open_questions = sum(remark.undecided for remark in remarks)
        counts = f"{self.imported.boxes} boxes and {self.imported.codes} blocks of code, all of them placed"
        return [*map(str, remarks), f"{counts}; {open_questions} undecided, {len(remarks) - open_questions} hints"]


def read(path: Path) -> Result:
    """Convert a file. Raises UsageError for one that cannot be read, MigconsoleError if the result would not load."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError("The file cannot be read", f"{path}: {error.strerror}.") from None
    if len(content) > LARGEST:
        raise UsageError("The file is too large", f"{path} has more than {LARGEST // 1024**2} MiB.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("The file is not UTF-8", f"{path}.") from None
    imported = convert(parse(text), text, fallback=path.stem)
    result = Result(emit(imported, path.name), imported)
    try:
        checklists.parse(result.text.encode(), path.with_suffix(".yaml").name)
    except ChecklistError as error:
        raise MigconsoleError(
            "The import does not load", "\n".join(map(str, error.problems[:20])), "Please report it with the file."
        ) from None
    return result


def write(result: Result, path: Path) -> None:
    """Write the YAML to a new file. Raises UsageError when it is there already: nothing is overwritten."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write(result.text)
    except FileExistsError:
        raise UsageError(f"{path} is there already", "", "Name another file; nothing is overwritten.") from None
    except OSError as error:
        raise MigconsoleError("The file cannot be written", f"{path}: {error.strerror}.") from None
