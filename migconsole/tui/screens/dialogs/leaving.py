"""Questions about leaving, interrupting and coming back: each says what happens to what is running."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from textual.content import Content

from migconsole.domain.events import Event, Kind
from migconsole.domain.run import Attempt
from migconsole.domain.text import sanitise_line
from migconsole.engine.session import Session
from migconsole.tui import event_text, format
from migconsole.tui.format import Clock
from migconsole.tui.lines import hang
from migconsole.tui.screens.dialogs.base import Choice, ChoiceDialog

_COMINGS = (Kind.CONSOLE_ATTACHED, Kind.CONSOLE_DETACHED, Kind.LEASE_TAKEN, Kind.LEASE_RELEASED)
"""Events that say who looked, not what was done."""

_ROW = 66
"""Cells of a dialog's row on the narrowest screen."""

_STAY = Choice("stay", "b", "stay")

_FLEETING = "The demo ends with this console: its server, its files and this run are removed (--keep keeps them)."


def _names(session: Session, running: Sequence[Attempt]) -> str:
    return ", ".join(f"“{sanitise_line(session.located(attempt.item).item.title, 50)}”" for attempt in running)


def quit_dialog(session: Session, clock: Clock, *, fleeting: bool = False) -> ChoiceDialog:
    """Stay is the default; what runs goes on unless it is stopped on purpose. ``fleeting``: nothing outlives it."""
    running = list(session.run.running())
    if not running:
        text = "Nothing is running. The run stays open: migconsole resume comes back to it."
        text = f"Nothing is running. {_FLEETING}" if fleeting else text
        return ChoiceDialog("Leave?", text, [_STAY, Choice("leave", "l", "leave")], clock)
    names = _names(session, running)
    choices = [
        _STAY,
        _leave("the command goes on without a console; resume follows it again", fleeting),
        Choice(
            "stop", "s", "stop it", "walks the stop ladder first; then leave", danger=True, disabled=_not_here(session)
        ),
    ]
    return ChoiceDialog("Leave while something runs?", f"Running: {names}.", choices, clock, danger=True)


def interrupt_dialog(session: Session, clock: Clock, *, fleeting: bool = False) -> ChoiceDialog:
    """What ctrl+c means here is asked, never guessed."""
    names = _names(session, list(session.run.running()))
    why = _not_here(session)
    choices = [
        Choice("stay", "b", "back"),
        Choice("hold", "p", "hold the run", "what runs goes on, nothing that changes anything starts", disabled=why),
        Choice("cancel", "c", "cancel the command", "opens the stop ladder", danger=True, disabled=why),
        _leave("closes this console; the command goes on", fleeting),
    ]
    return ChoiceDialog("ctrl+c", f"Running: {names}.", choices, clock)


def _leave(words: str, fleeting: bool) -> Choice:
    if fleeting:
        return Choice("leave", "l", "end the demo", "the command ends with it, and everything is removed", danger=True)
    return Choice("leave", "l", "leave it running", words)


def _not_here(session: Session) -> str:
    if session.read_only:
        return "this console is read-only"
    return "" if session.driving else "this console watches; H takes over"


def resumed(session: Session) -> bool:
    """Whether somebody worked on this run before this console opened it."""
    earlier, _ = _split(session)
    return any(event.kind in (Kind.ATTEMPT_STARTED, Kind.ITEM_MOVED, Kind.NOTE) for event in earlier)


def _split(session: Session) -> tuple[list[Event], list[Event]]:
    events = list(session.timeline())
    own = next((i for i in range(len(events))[::-1] if _ours(events[i], session.console_id)), len(events))
    while own and _ours(events[own - 1], session.console_id):
        own -= 1
    return events[:own], events[own:]


def _ours(event: Event, console: str) -> bool:
    return event.kind in (Kind.CONSOLE_ATTACHED, Kind.LEASE_TAKEN) and event.data.get("console") == console


def resume_dialog(session: Session, clock: Clock, now: datetime) -> ChoiceDialog:
    """What the run looks like after an absence. Nothing runs until R."""
    earlier, since = _split(session)
    names = event_text.titles(session.checklist)
    texts: list[tuple[str, str]] = [(sanitise_line(session.run.title), "bold")]
    ago = format.since(earlier[-1].at, now) if earlier else None
    if ago is not None:
        texts.append((f"\nlast event {format.elapsed(ago)} ago", "$muted"))
    texts.append(("\n", ""))
    told = [event for event in earlier if event.kind not in _COMINGS]
    for event in told[-3:]:
        mark, style, words = event_text.describe(event, names)
        head, rest = hang((f"{format.clock_time(event.at)}  {mark} ", style or "$muted"), words, "", _ROW)
        texts += [("\n", ""), head, rest]
    running = list(session.run.running())
    lines = [f"◐ {names.get(a.item, a.item)}: attempt {a.number} is running and followed again" for a in running]
    lost = [e for e in since if e.kind == Kind.ATTEMPT_ENDED]
    texts.append(("\n\nSince then\n", "bold"))
    for line in lines:
        texts.append((f"{line}\n", "$status-running"))
    for event in lost:
        mark, style, words = event_text.describe(event, names)
        texts += [*hang((f"{mark} ", style), words, style, _ROW), ("\n", "")]
    if not lines and not lost:
        texts.append(("nothing was running\n", "$muted"))
    if session.run.changed:
        texts.append((f"▲ the target changed: {sanitise_line('; '.join(session.run.changed), 300)}\n", "$danger"))
    choices = [
        Choice("look", "b", "look first", "nothing can be run until R"),
        Choice("go", "R", "go on", "work goes on from here", disabled=_not_here(session)),
    ]
    return ChoiceDialog("Back on the run", Content.assemble(*texts), choices, clock)
