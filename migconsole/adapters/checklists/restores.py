"""The ``restore`` items of a file: whether the lines they replace are there, and what each is for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from migconsole.adapters.checklists.problems import suggest
from migconsole.domain.built_in import BOXES

Path = tuple[Any, ...]
Report = Callable[..., None]

WAYS = ("swap", "side-restore", "in-place", "revert", "app-only")
"""Ways back that a checklist may prefer: those that this program carries out, or goes without the database."""


def check_restore(
    arguments: Mapping[str, Any], path: Path, own: str, rollback: Collection[str], report: Report
) -> None:
    """Report what a restore item names that is not there. ``rollback`` are the ids of the rollback procedure's lines
    without items below them, ``own`` is the restore's own."""
    _boxes(arguments.get("boxes"), (*path, "boxes"), own, rollback, report)
    given = arguments.get("prefer")
    names = list(given) if isinstance(given, list | tuple) else [] if given is None else [given]
    for number, name in enumerate(names):
        if name not in WAYS:
            where = (*path, "prefer", number) if isinstance(given, list | tuple) else (*path, "prefer")
            report(where, f"“{name}” is none of {', '.join(WAYS)}{suggest(str(name), WAYS)}")


def _boxes(given: Any, path: Path, own: str, rollback: Collection[str], report: Report) -> None:
    if given is None:
        return
    if not isinstance(given, Mapping):
        report(path, "boxes are written ID: ROLE, with the id of a line of the rollback procedure")
        return
    others = [name for name in rollback if name != own]
    for name, role in given.items():
        if name == own:
            report((*path, name), "the restore does not replace itself", key=True)
        elif name not in others:
            why = f"no line of the rollback procedure has the id “{name}”{suggest(str(name), others)}"
            report((*path, name), why, key=True)
        if role not in BOXES:
            report((*path, name), f"“{role}” is none of {', '.join(BOXES)}{suggest(str(role), BOXES)}")
