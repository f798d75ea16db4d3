"""The items that every run has, whatever its checklist says: restoring, putting back, and purging the database.

They are started from the rollback wizard and the palette. Where a checklist has no ``restore`` item of its own, one
stands ready here, so that there is always a way back; the others are never part of a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from migconsole.domain.checklist import Checklist, Item, Job, Located, Mode, Section, Step

RESTORE = "built-in:restore"
PUT_BACK = "built-in:put-back"
PURGE = "built-in:purge"
"""Ids that no file can give: they have a colon."""

BOXES = ("verify", "drop", "create")
"""What a line of the rollback procedure can be for the restore that replaces it, beside restoring itself."""

_USED = {
    "swap": frozenset[str](),
    "side-restore": frozenset({"verify", "create"}),
    "in-place": frozenset({"verify", "drop", "create"}),
}
"""Strategy → the lines that it really carries out."""

_UNUSED = {
    ("swap", "verify"): "the copy that was proven before is swapped in; the backup itself is not read",
    ("swap", "drop"): "the database is renamed and kept, not dropped",
    ("swap", "create"): "the restored copy takes the name; nothing is created",
    ("side-restore", "drop"): "the database is renamed and kept, not dropped",
}


def completed(checklist: Checklist) -> Checklist:
    """The checklist with the built-in items aside."""
    items = [
        Item(PUT_BACK, "Put the failed database back", Step(Job("put-back"))),
        Item(PURGE, "Purge a database that is kept aside", Step(Job("purge"))),
    ]
    if next(_restores(checklist), None) is None:
        items.insert(0, Item(RESTORE, "Restore the database", Step(Job("restore"))))
    return replace(checklist, aside=(Section("built-in", "Rollback", tuple(items), Mode.DO_CONFIRM),))


def restore_item(checklist: Checklist) -> Located:
    """The item that restores the database: the first of the rollback procedure, else the built-in one."""
    return next(_restores(checklist))


def boxes(item: Item) -> Mapping[str, str]:
    """The lines that a restore item replaces: id → what each is for it, one of ``BOXES``."""
    found = item.step.action.arguments.get("boxes") if isinstance(item.step.action, Job) else None
    return {str(name): str(role) for name, role in found.items()} if isinstance(found, Mapping) else {}


def preferred(item: Item) -> tuple[str, ...]:
    """The strategies that the checklist prefers, in order; all of them where it says nothing."""
    action = item.step.action
    found = action.arguments.get("prefer") if isinstance(action, Job) else None
    given = found if isinstance(found, list | tuple) else ((found,) if isinstance(found, str) else ())
    return tuple(str(name) for name in given) or ("swap", "side-restore", "in-place")


def covered(strategy: str, role: str) -> tuple[bool, str]:
    """Whether a strategy carries a line out, and in words how, or why it does not need it."""
    if role in _USED.get(strategy, ()):
        return True, f"carried out by the strategy {strategy}"
    return False, _UNUSED.get((strategy, role), f"the strategy {strategy} does without it")


def _restores(checklist: Checklist) -> Iterator[Located]:
    for located in checklist.walk_rollback():
        action = located.item.step.action
        if isinstance(action, Job) and action.name == "restore" and not located.item.items:
            yield located
