"""What the runs screen needs: the runs there are, the checklists at hand, and a way to open either."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from migconsole.engine.ports import RunSummary
from migconsole.engine.session import Session


class Library(Protocol):
    """Given by the composition root; reading may touch the disk and is done off the loop."""

    def runs(self) -> Sequence[RunSummary]:
        """All runs, newest first; one that cannot be read is listed with its problem."""

    def checklists(self) -> Sequence[tuple[Path, str]]:
        """Checklist files at hand with their titles."""

    async def open(self, path: Path) -> Session:
        """A session on an existing run, not opened yet. Raises MigconsoleError."""

    async def create(self, path: Path) -> Session:
        """A session on a new run of a checklist, not opened yet. Raises MigconsoleError."""
