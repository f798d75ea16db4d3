"""What the timeline shows: a kind of event, and words that the event, its person, its item or its kind must have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from migconsole.domain.deviations import GRAVE, Sort, of_event
from migconsole.domain.events import Event, Kind
from migconsole.engine.report import decides

_ATTEMPTS = (Kind.ATTEMPT_STARTED, Kind.ATTEMPT_ENDED, Kind.ATTEMPT_SIGNALLED, Kind.ATTEMPT_ADOPTED)
_ALARMS = (Kind.ALARM, Kind.ALARM_ACKNOWLEDGED, Kind.TRIPWIRE)
_SEALS = (Kind.SEALED, Kind.SIGNED, Kind.RUN_CLOSED, Kind.NOTIFYING, Kind.NOTIFIED)

Titles = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EventKind:
    """A kind of event as a reader thinks of it."""

    name: str
    holds: Callable[[Event, Titles], bool]


KINDS: Sequence[EventKind] = (
    EventKind("everything", lambda event, titles: True),
    EventKind("deviations", lambda event, titles: bool(of_event(event, titles))),
    EventKind("decisions", lambda event, titles: decides(event)),
    EventKind("attempts", lambda event, titles: event.kind in _ATTEMPTS),
    EventKind("notes", lambda event, titles: event.kind == Kind.NOTE),
    EventKind("alarms", lambda event, titles: event.kind in _ALARMS),
    EventKind("seals and signatures", lambda event, titles: event.kind in _SEALS),
)
"""In the order in which the keys go through them."""


def matches(text: str, words: str, event: Event) -> bool:
    """Whether an event has every word of a filter; ``by:``, ``item:`` and ``kind:`` look in one place only.

    ``words`` is what the timeline says of the event, in lower case.

    >>> event = Event(1, "", 0.0, "note", "Ana", {"item": "migrate", "text": "late"}, "", "")
    >>> matches("by:ana item:migr", "migrate: late", event), matches("by:bo", "migrate: late", event)
    (True, False)
    """
    places = {"by": event.actor, "item": str(event.data.get("item", "")), "kind": event.kind}
    for wanted in text.casefold().split():
        place, colon, value = wanted.partition(":")
        if colon and place in places:
            if value not in places[place].casefold():
                return False
        elif wanted not in words and wanted not in event.actor.casefold() and wanted not in event.kind:
            return False
    return True


def mark(event: Event, titles: Titles) -> str:
    """A style for events that deviate: grave ones stand out of a long list."""
    sorts = {deviation.sort for deviation in of_event(event, titles)}
    return "$danger" if sorts & (GRAVE | {Sort.FORCED}) else "$caution" if sorts else ""
