"""What the tools' readers share: listing a folder, and reading Python sources without executing them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LARGEST = 4 * 1024 * 1024
"""Bytes of a migration that are read; a file of more is listed and said to be unreadable."""


class UnreadableMigration(Exception):
    """Why a file cannot be read as a migration."""


def files_in(directory: Path, suffix: str) -> list[Path] | None:
    """The plain files of a folder with this suffix, by name; None when there is no such readable folder."""
    try:
        found = sorted(entry for entry in directory.iterdir() if entry.suffix == suffix and entry.is_file())
    except OSError:
        return None
    return [entry for entry in found if not entry.name.startswith(".")]


def read_text(path: Path) -> str:
    """The text of a file. Raises UnreadableMigration."""
    try:
        content = path.read_bytes()
        if len(content) > LARGEST:
            raise UnreadableMigration(f"{path.name} is larger than {LARGEST // 1024**2} MiB")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnreadableMigration(f"{path.name} is not UTF-8") from None
    except OSError as error:
        raise UnreadableMigration(f"{path.name} cannot be read: {error.strerror}") from None


def parse_python(path: Path) -> ast.Module:
    """A Python source as a tree; it is never executed. Raises UnreadableMigration."""
    try:
        return ast.parse(read_text(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise UnreadableMigration(f"{path.name} is not valid Python") from None


def literals(body: list[ast.stmt]) -> Iterator[tuple[str, Any]]:
    """Names that are assigned a literal in a body, with their values; what is computed is left out."""
    for statement in body:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets, value = [statement.target], statement.value
        else:
            continue
        try:
            literal = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
        yield from ((target.id, literal) for target in targets if isinstance(target, ast.Name))


def names_of(value: Any) -> tuple[str, ...]:
    """A name, a list of names or nothing, as a tuple."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(entry) for entry in value)
