"""A rollback that was decided on: who, why, which way, and what was shown; until it is done, or called off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from migconsole.domain.events import Event

REASON = 10
"""Characters of the reason for a rollback: it is read aloud, sent out, and asked about afterwards."""


@dataclass(frozen=True, slots=True)
class Engaged:
    """The decision. ``typed`` is the target's name as it was typed; ``again`` the second time, for the last resort.
    ``means`` are further arguments of the restore: a backup, a script, a place."""

    at: str
    actor: str
    reason: str
    decided_by: str
    strategy: str
    typed: str
    again: str = ""
    loss: tuple[str, ...] = ()
    means: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Engagement:
    """Rollbacks that were decided on in this run; the last one counts."""

    now: Engaged | None = None
    called_off: str = ""
    earlier: list[Engaged] = field(default_factory=list)

    def engaged(self, event: Event) -> None:
        """Somebody decided to roll back."""
        data = event.data
        if self.now is not None:
            self.earlier.append(self.now)
        self.called_off = ""
        self.now = Engaged(
            event.at,
            event.actor,
            str(data["reason"]),
            str(data["by"]),
            str(data["strategy"]),
            str(data["typed"]),
            str(data.get("again", "")),
            tuple(str(line) for line in data.get("loss") or ()),
            {str(name): str(value) for name, value in (data.get("means") or {}).items()},
        )

    def stood_down(self, event: Event) -> None:
        """The rollback was called off before it did anything that cannot be taken back."""
        if self.now is not None:
            self.earlier.append(self.now)
        self.now, self.called_off = None, str(event.data["reason"])
