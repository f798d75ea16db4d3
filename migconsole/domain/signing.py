"""The sign-off: who has signed or refused for which role, on what they saw, and whether the run is closed.

A signature is bound to the journal's head at the moment of signing. What changes the run afterwards supersedes it: the
role signs again, on what is then to be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from migconsole.domain.events import Event, Kind

CHANGES = frozenset({Kind.ATTEMPT_STARTED, Kind.ITEM_MOVED, "item.sensed", Kind.TARGET_CHANGED})
"""After these a signature speaks of a run that is no longer there."""

AFTER_CLOSE = frozenset(
    {
        *(Kind.NOTE, Kind.SEALED, Kind.NOTIFYING, Kind.NOTIFIED),
        *(Kind.CONSOLE_ATTACHED, Kind.CONSOLE_DETACHED, Kind.LEASE_TAKEN, Kind.LEASE_RELEASED, Kind.TARGET_CHANGED),
    }
)
"""What may still be added to a closed run: addenda, seals, deliveries, and who looks at it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a person said for a role. ``head`` and ``hash`` are the journal that they saw.

    ``text`` is the typed signature, "" where they refused with ``reason``. ``name`` is claimed, ``actor`` is who sat at
    the console.
    """

    role: str
    name: str
    text: str
    reason: str
    at: str
    actor: str
    head: int
    hash: str

    @property
    def refused(self) -> bool:
        """Whether the person declined to sign."""
        return not self.text


@dataclass(slots=True)
class SignOff:
    """The sign-off as the journal has it. ``signatures`` are those that still hold, by role.

    ``round`` counts how often they were superseded, ``closed`` is set with the run's end as a record.
    """

    signatures: dict[str, Signature] = field(default_factory=dict)
    superseded: list[Signature] = field(default_factory=list)
    round: int = 0
    closed: bool = False

    def signed(self, event: Event) -> None:
        """Somebody signed or refused. Raises ValueError for a role that has spoken already in this round."""
        data = event.data
        role, text, reason = str(data["role"]), str(data.get("signature", "")), str(data.get("reason", ""))
        if role in self.signatures:
            raise ValueError(f"{role} has signed or refused before")
        if not text and not reason:
            raise ValueError("neither a signature nor a reason for refusing one")
        if self.closed:
            raise ValueError("the run is closed")
        head, digest = int(data["head"]), str(data["hash"])
        self.signatures[role] = Signature(role, str(data["name"]), text, reason, event.at, event.actor, head, digest)

    def saw(self, event: Event) -> None:
        """Take note of any event: some of them supersede what was signed."""
        if self.signatures and event.kind in CHANGES and not self.closed:
            self.superseded.extend(self.signatures.values())
            self.signatures.clear()
            self.round += 1

    def missing(self, roles: Sequence[str]) -> list[str]:
        """The roles that have neither signed nor refused."""
        return [role for role in roles if role not in self.signatures]

    def refused(self) -> list[Signature]:
        """The recorded refusals."""
        return [signature for signature in self.signatures.values() if signature.refused]
