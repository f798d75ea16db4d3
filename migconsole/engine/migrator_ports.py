"""What is asked of the knowledge of a migration tool: it reads files and judges rows, and never starts the tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from migconsole.domain.migrations import MigrationReport

Rows = Sequence[Mapping[str, Any]]
"""What a tool's table records, one mapping for each row; the keys are those of the tool's query."""


@dataclass(frozen=True, slots=True)
class SqlFile:
    """A file whose text a migration brings to the server. ``migration`` is the name its tool gives it."""

    migration: str
    path: Path
    readable: bool = True


class Migrator(Protocol):
    """One tool. Reading files never executes anything that lies in the checkout."""

    @property
    def name(self) -> str:
        """How ``tool:`` calls it."""

    @property
    def table(self) -> str:
        """The table it keeps its record in."""

    @property
    def schema(self) -> str:
        """The schema of that table where the tool always uses one; "" where it is the connection's."""

    @property
    def query(self) -> str:
        """The name of the query that reads the table, run with its schema as search path."""

    @property
    def lock(self) -> int:
        """The key of the advisory lock that it holds while it works; 0 when it takes none that is known."""

    @property
    def directories(self) -> tuple[str, ...]:
        """Where its files lie when nobody says."""

    @property
    def caution(self) -> str:
        """What this tool's record does not tell, in a sentence; "" for nothing."""

    def recognises(self, directory: Path) -> bool:
        """Whether a folder is one of this tool's."""

    def judge(self, directory: Path, rows: Rows) -> MigrationReport | None:
        """Compare the files of a folder with the rows; None when the folder cannot be read."""

    def scripts(self, directory: Path, names: Sequence[str]) -> list[SqlFile]:
        """The files behind the named migrations, in the order they would be applied."""
