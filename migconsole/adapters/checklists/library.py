"""Where checklists lie: the team's own, the user's, and the packs that come with the program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from migconsole.adapters.checklists.problems import suggest
from migconsole.errors import UsageError

SUFFIXES = (".yaml", ".yml")
_TITLE = re.compile(r"^\ufeff?(?:\s*#[^\n]*\n|\s*\n|---[^\n]*\n)*checklist:[ \t]*([^\n]+)")
_HEAD = 16_384
_PACKAGE = Path(__file__).resolve().parents[2]


def folders() -> tuple[Path, ...]:
    """Where a checklist is looked for by name, in this order.

    The working directory's ``checklists`` folder, the user's configuration, the packs of an installed wheel, and the
    packs of a source tree.
    """
    return (
        Path.cwd() / "checklists",
        platformdirs.user_config_path("migconsole") / "checklists",
        *packs(),
    )


def packs() -> tuple[Path, ...]:
    """The folder of the shipped packs, wherever this program runs from."""
    candidates = (_PACKAGE / "_bundled" / "checklists", _PACKAGE.parent / "checklists")
    return tuple(path for path in candidates if path.is_dir())[:1]


def find(name: str) -> Path:
    """The file that a path or a name stands for. Raises UsageError that lists what is at hand."""
    given = Path(name).expanduser()
    if given.exists() or given.suffix or given.name != name:
        return given
    for folder in folders():
        for suffix in SUFFIXES:
            path = folder / f"{name}{suffix}"
            if path.is_file():
                return path
    known = [path.stem for path, _ in available()]
    raise UsageError(
        f"There is no checklist “{name}”{suggest(name, known)}",
        f"At hand: {', '.join(dict.fromkeys(known)) or 'none'}.",
        "Give the path of a checklist file, or the name of one of these.",
    )


def available() -> list[tuple[Path, str]]:
    """Checklists at hand with their titles, read without loading them: the team's first, then the shipped packs."""
    found: dict[Path, tuple[Path, str]] = {}
    for path in _candidates():
        resolved = path.resolve()
        if resolved not in found:
            title = _title(path)
            if title:
                found[resolved] = (path, title)
    return list(found.values())


def _candidates() -> Iterator[Path]:
    for folder in (Path.cwd(), *folders()):
        try:
            yield from sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
        except OSError:
            continue


def _title(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8", "replace")
    except OSError:
        return ""
    match = _TITLE.match(head)
    return match[1].partition(" #")[0].strip().strip("\"'") if match else ""
