"""Commands about going back: the wizard, what is decided in it, and its own keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from migconsole.domain.policy import ALLOWED, Verdict

if TYPE_CHECKING:
    from migconsole.tui.commands import Context, Scope, UiCommand

Make = Callable[..., "UiCommand"]
Unless = Callable[[str], Callable[["Context"], Verdict]]


def _rollback(context: Context) -> Verdict:
    if not context.session:
        return Verdict(False, "no run is open")
    if context.session.run.ended_at:
        return Verdict(False, "the run has ended")
    if context.waiting:
        return Verdict(False, "the run was resumed; say that work goes on first (R)")
    why = context.session.rollback.unavailable
    return Verdict(False, why) if why else ALLOWED


def _aside(context: Context) -> Verdict:
    """Putting back and purging come after a rollback, and so after the run's end, too; but they need a driver."""
    if not context.session:
        return Verdict(False, "no run is open")
    why = context.session.rollback.unavailable
    return Verdict(False, why) if why else ALLOWED


def _engaged(context: Context) -> Verdict:
    if not context.session:
        return Verdict(False, "no run is open")
    return ALLOWED if context.session.run.engagement.now else Verdict(False, "no rollback was decided on")


def rollback_commands(make: Make, scope: Scope, group: str) -> tuple[UiCommand, ...]:
    """What can be asked for on the main screen. The ones without a key are in the palette."""
    rows: tuple[tuple[Any, ...], ...] = (
        ("rollback", "B", "roll back", "The wizard; a rollback that was decided on goes on", _rollback),
        ("call_off", "", "call the rollback off", "Before the database was changed", _engaged),
        ("put_back", "", "put back", "Undo the swap: the failed database is live again", _aside),
        ("purge", "", "purge", "Drop a database that is kept aside, for good", _aside),
    )
    return tuple(make(id, keys, title, help, group, scope, rule, danger=True) for id, keys, title, help, rule in rows)


def wizard_commands(make: Make, scope: Scope, unless: Unless) -> tuple[UiCommand, ...]:
    """The wizard's own keys; it says itself what is not possible on a page."""
    rows: tuple[tuple[str, str, str, str, int], ...] = (
        ("next", "enter", "next", "The next page; after the last one the name is asked for", 1),
        ("back", "escape", "back", "The page before; from the first one out, nothing is decided", 2),
        ("down", "j down", "down", "Further down; the next way", 3),
        ("up", "k up", "up", "Further up; the way before", 4),
        ("page_down", "pagedown", "page down", "One page down", 0),
        ("page_up", "pageup", "page up", "One page up", 0),
        ("choose_next", "right_square_bracket", "next way", "Mark the next way", 0),
        ("choose_previous", "left_square_bracket", "previous way", "Mark the way before", 0),
        ("again", "f5", "look again", "Read the databases again", 5),
        ("means", "o", "name", "Name a backup, a revert script, a place for the failed data, room", 7),
        ("copy", "y", "copy", "Copy the exact steps", 6),
    )
    return tuple(
        make(
            f"rollback_{id}",
            keys,
            title,
            help,
            "Rollback",
            scope,
            unless(f"rollback_{id}"),
            danger=id == "next",
            footer=footer,
        )
        for id, keys, title, help, footer in rows
    )
