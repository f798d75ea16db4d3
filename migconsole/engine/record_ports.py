"""What keeping and telling a run's record needs from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from migconsole.domain.seals import Seal


class RecordFiles(Protocol):
    """The files of a record beside its journal."""

    def keep_seal(self, seal: Seal) -> None:
        """Keep a seal in a file of its own. Raises OSError."""

    def publish(self) -> tuple[Sequence[Path], Seal]:
        """Write the report in every form into the run directory; the files, and the head that they tell of.

        Blocks for as long as that takes. Raises OSError and MigconsoleError.
        """


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message. ``result`` is "delivered", "failed" or "not sent" (nothing was tried, and why)."""

    result: str
    detail: str = ""


class Sender(Protocol):
    """Carries messages to the destinations of a checklist's notifications, by their number in it."""

    def name(self, destination: int) -> str:
        """A destination as it may be shown: never its address, which is a secret."""

    def send(self, destination: int, title: str, text: str) -> Delivery:
        """Deliver, or say why not. Blocks for as long as that takes; never raises."""


class NoFiles:
    """For sessions whose record is kept nowhere but in the journal."""

    def keep_seal(self, seal: Seal) -> None:
        """Nothing is kept."""

    def publish(self) -> tuple[Sequence[Path], Seal]:
        """Nothing is written."""
        return (), Seal("report", 0, "")
