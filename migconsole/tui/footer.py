"""Which keys the footer names in a context, and in what order: what somebody standing there most likely wants next."""

from __future__ import annotations

from dataclasses import dataclass

from migconsole.engine.session import Session
from migconsole.tui.commands import Context, UiCommand, in_scope, removed, verdict

MOST = 10

LAST = ("help", "quit")
"""What stays everywhere: with these two everything else can be found, or left."""

_WAYS_ON = ("run", "accept", "force", "rollback", "evidence")
"""What is done about an item that failed, whose end is not known, or that holds no more."""

_READING_ON = ("run", "accept", "rollback", "output_problem", "search")
"""The same for whoever reads what it printed."""

_GOING_BACK = ("rollback", "run", "attest")
"""Once a rollback was decided on: its next line comes before everything."""

_READING = ("search", "output_problem", "next_match", "follow")
"""What only serves a reader of the output, and so is named only there."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the footer. ``caption``: what it does here; ``place`` orders the row, and the last go first."""

    command: UiCommand
    caption: str
    allowed: bool
    place: tuple[int, int]


def keys(context: Context) -> list[Key]:
    """At most ``MOST`` keys in their order: what can be done before what cannot, the ways out always."""
    front = _front(context)
    found = []
    for command in in_scope(context):
        place = (0, front.index(command.id)) if command.id in front else (1, command.footer)
        named = command.id in front or (command.footer and not _elsewhere(command, context))
        if named and not removed(command, context):
            found.append(Key(command, _caption(command, context), verdict(command, context).allowed, place))
    found.sort(key=lambda key: (key.command.id not in LAST, not key.allowed, key.place))
    return sorted(found[:MOST], key=lambda key: key.place)


def _front(context: Context) -> tuple[str, ...]:
    """What comes first because of how things stand."""
    session = context.session
    if context.screen != "main" or session is None:
        return ()
    if context.waiting:
        return ("start_work",)
    if session.run.ended_at:
        return ("sign_off",)
    if not session.driving and not session.read_only:
        return ("hand_over",)
    back = _GOING_BACK if session.run.engagement.now is not None else ()
    return (*(("hold",) if session.run.hold else ()), *(_ways_on(session, context) or back))


def _ways_on(session: Session, context: Context) -> tuple[str, ...]:
    if context.item is not None and not context.item.items and session.run.state_of(context.item).problem:
        return _READING_ON if context.pane == "output" else _WAYS_ON
    return ()


def _elsewhere(command: UiCommand, context: Context) -> bool:
    return context.screen == "main" and command.id in _READING and context.pane != "output"


def _caption(command: UiCommand, context: Context) -> str:
    session = context.session
    if command.id == "hold" and session is not None and session.run.hold:
        return "release"
    if command.id == "hand_over" and session is not None and not session.driving:
        return "take over"
    if command.id == "rollback" and session is not None and session.run.engagement.now is not None:
        return "go on back"
    return command.title
