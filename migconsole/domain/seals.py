"""Seals: what was told elsewhere about the journal's head, and what a later journal must therefore still hold.

A valid chain proves that nothing in the middle was changed without recomputing everything after it; it cannot prove
that nothing was recomputed, or cut off at the end. A seal can: the number of events and the hash of the last one at
some moment, written into a report, a signature, a notification and a file beside the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from migconsole.domain.events import Event, Kind

SEALING = (Kind.SEALED, Kind.SIGNED, Kind.NOTIFYING)
"""Kinds of events that carry a seal: ``head`` (the number of events) and ``hash`` (of the last of them)."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The journal's head at a moment. ``what`` says where it was told ("report", "sign-off", "notification")."""

    what: str
    head: int
    hash: str
    at: str = ""

    @property
    def words(self) -> str:
        """For a person, and short enough for a notification.

        >>> Seal("report", 41, "3fa91c" + "0" * 58).words
        'journal sealed at event 41, hash 3fa91c0000000000'
        """
        return f"journal sealed at event {self.head}, hash {self.hash[:16]}"


def seal_of(data: Mapping[str, Any], what: str = "", at: str = "") -> Seal | None:
    """The seal in an event's data or a sidecar file, None where there is none or it makes no sense."""
    head, digest = data.get("head"), data.get("hash")
    if not isinstance(head, int) or head < 1 or not isinstance(digest, str) or not digest:
        return None
    return Seal(str(data.get("what") or what), head, digest, str(data.get("at") or at))


def seals_in(events: Iterable[Event]) -> list[Seal]:
    """Every seal that the journal itself knows of, in order."""
    names = {Kind.SIGNED: "sign-off", Kind.NOTIFYING: "notification"}
    found = []
    for event in events:
        if event.kind in SEALING:
            seal = seal_of(event.data, names.get(Kind(event.kind), "seal"), event.at)
            if seal is not None:
                found.append(seal)
    return found


def broken_seal(seals: Iterable[Seal], hashes: Sequence[str]) -> tuple[int, str] | None:
    """The first event that a seal contradicts, and how; ``hashes`` are those of events 1, 2, … in order.

    >>> broken_seal([Seal("report", 2, "bb")], ["aa", "bb"]) is None
    True
    >>> broken_seal([Seal("report", 2, "bb")], ["aa", "cc"])
    (2, 'event 2 is not the one that the report sealed')
    >>> broken_seal([Seal("report", 3, "dd")], ["aa", "cc"])
    (3, 'the journal was cut: the report sealed 3 events, 2 are left')
    """
    for seal in sorted(seals, key=lambda seal: seal.head):
        when = f" of {seal.at[:19]}Z" if seal.at else ""
        if seal.head > len(hashes):
            left = len(hashes)
            return left + 1, f"the journal was cut: the {seal.what}{when} sealed {seal.head} events, {left} are left"
        if hashes[seal.head - 1] != seal.hash:
            return seal.head, f"event {seal.head} is not the one that the {seal.what}{when} sealed"
    return None
