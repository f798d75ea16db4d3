"""What the journal says about rollbacks: begun, step by step, ended. Folded like everything else of a run.

Outside a run the same events lie in a state file, so a deed can be found again and gone on with either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from migconsole.domain import rollback_verified
from migconsole.domain.rollback_state import Replacement
from migconsole.domain.rollback_verified import Proof

DROP = "drop"
OPEN = "open"


@dataclass(slots=True)
class DeedRecord:
    """One deed. ``steps`` maps a step to the last that is known of it, in the order in which they began.

    ``names`` are app, side and failed; ``oid`` is the application's database when it began. ``committed`` says that
    the point of no return was sent. ``verdict`` is "" while it has no end. ``verification`` is what the reading back of
    the content gave, "" while there was none, and ``findings`` its lines; ``explained`` when clients can have written
    what differs.
    """

    id: str
    deed: str
    strategy: str = ""
    reason: str = ""
    decided_by: str = ""
    began: str = ""
    owner: str = ""
    app: str = ""
    oid: int = 0
    backup: str = ""
    steps: dict[str, str] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    committed: bool = False
    ended: str = ""
    verdict: str = ""
    why: str = ""
    outage: float | None = None
    seconds: float | None = None
    verification: str = ""
    findings: tuple[str, ...] = ()
    explained: bool = False

    @property
    def verifiable(self) -> bool:
        """Whether it replaced or changed what is in the database, so that its content has to be read back."""
        return self.deed == "rollback" and self.verdict in ("swapped", "restored", "reverted")

    @property
    def proof(self) -> str:
        """What the reading back gave: without one on record it is not verified; "" where nothing is read back."""
        return (self.verification or Proof.UNVERIFIED.value) if self.verifiable else ""

    @property
    def proof_line(self) -> str:
        """The same in a line."""
        if not self.verifiable:
            return ""
        return self.findings[0] if self.findings and self.findings[0] else "NOT verified: no reading back is on record"

    @property
    def open(self) -> bool:
        """Whether it has no recorded end."""
        return not self.verdict

    @property
    def current(self) -> str:
        """The title of the step that began last."""
        return self.titles.get(next(reversed(self.steps), ""), "") if self.steps else ""


@dataclass(slots=True)
class RollbackBook:
    """Every rollback, putting back and purge of a run, oldest first."""

    deeds: list[DeedRecord] = field(default_factory=list)

    @property
    def open(self) -> DeedRecord | None:
        """The deed that began last and has no end."""
        return self.deeds[-1] if self.deeds and self.deeds[-1].open else None

    @property
    def last(self) -> DeedRecord | None:
        """The newest deed."""
        return self.deeds[-1] if self.deeds else None

    def replacement(self) -> Replacement | None:
        """The database that is being, or was, replaced where it stood; None when no DROP was ever sent for it."""
        for deed in reversed(self.deeds):
            if deed.strategy == "in-place" and deed.deed == "rollback" and DROP in deed.steps:
                return Replacement(deed.oid, opened=OPEN in deed.steps)
            if deed.verdict in ("swapped", "put back"):
                return None
        return None

    def started(self, data: Mapping[str, Any], at: str) -> None:
        """A deed began."""
        self.deeds.append(
            DeedRecord(
                id=str(data["rollback"]),
                deed=str(data.get("deed", "rollback")),
                strategy=str(data.get("strategy", "")),
                reason=str(data.get("reason", "")),
                decided_by=str(data.get("by", "")),
                began=at,
                owner=str(data.get("owner", "")),
                app=str(data.get("app", "")),
                oid=int(data.get("oid", 0)),
                backup=str(data.get("backup", "")),
            )
        )

    def stepped(self, data: Mapping[str, Any]) -> None:
        """A step of a deed began or ended. Raises KeyError for a deed that never began."""
        deed = self._deed(data)
        step, course = str(data["step"]), str(data["course"])
        deed.steps[step] = course
        deed.titles[step] = str(data.get("title", step))
        deed.committed = deed.committed or bool(data.get("no_return"))

    def ended(self, data: Mapping[str, Any], at: str) -> None:
        """A deed ended."""
        deed = self._deed(data)
        deed.ended, deed.verdict, deed.why = at, str(data["verdict"]), str(data.get("why", ""))
        deed.outage, deed.seconds = _number(data.get("outage")), _number(data.get("seconds"))

    def verified(self, data: Mapping[str, Any]) -> None:
        """The content was read back after a deed, or was not."""
        deed = self._deed(data)
        deed.verification, lines = rollback_verified.of_data(data)
        deed.findings = (str(data.get("line", "")), *lines)
        deed.explained = data.get("explained") is True

    def _deed(self, data: Mapping[str, Any]) -> DeedRecord:
        wanted = str(data["rollback"])
        for deed in reversed(self.deeds):
            if deed.id == wanted:
                return deed
        raise KeyError(wanted)


STARTED = "rollback.started"
STEP = "rollback.step"
ENDED = "rollback.ended"
VERIFIED = "rollback.verified"


def fold_rollbacks(entries: Iterable[tuple[str, str, Mapping[str, Any]]]) -> RollbackBook:
    """The book after (kind, at, data) entries of a state file; strange ones change nothing."""
    book = RollbackBook()
    for kind, at, data in entries:
        try:
            if kind == STARTED:
                book.started(data, at)
            elif kind == STEP:
                book.stepped(data)
            elif kind == ENDED:
                book.ended(data, at)
            elif kind == VERIFIED:
                book.verified(data)
        except (KeyError, TypeError, ValueError):
            continue
    return book


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
