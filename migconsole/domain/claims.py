"""Items that one person has taken on: a watching console may then say that it is done, and nobody else does."""

from __future__ import annotations

from dataclasses import dataclass, field

from migconsole.domain.events import Event


@dataclass(frozen=True, slots=True)
class Claim:
    """``number`` counts an item's claims; an attestation names the one it rests on."""

    item: str
    number: int
    actor: str
    console: str
    at: str


@dataclass
class ClaimBook:
    """Who has claimed what now, and how many claims an item has had."""

    held: dict[str, Claim] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def claimed(self, event: Event) -> None:
        """Somebody claims an item; the first one has it."""
        item, number = str(event.data["item"]), int(event.data["claim"])
        if number != self.counts.get(item, 0) + 1:
            return
        self.counts[item] = number
        self.held[item] = Claim(item, number, event.actor, str(event.data.get("console", "")), event.at)

    def released(self, event: Event) -> None:
        """A claim is given up, or withdrawn by the driver."""
        item = str(event.data["item"])
        claim = self.held.get(item)
        if claim is not None and claim.number == int(event.data["claim"]):
            del self.held[item]

    def holds(self, item: str, number: int, actor: str) -> bool:
        """Whether a claim still stands and is this person's."""
        claim = self.held.get(item)
        return claim is not None and claim.number == number and claim.actor == actor

    def settle(self, item: str) -> None:
        """The item was moved: nothing is left to claim."""
        self.held.pop(item, None)
