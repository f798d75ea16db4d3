"""``migconsole check``: every problem of a checklist at once, and on a target every query prepared, none executed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from migconsole.adapters import checklists
from migconsole.adapters.checklists import ChecklistError
from migconsole.domain.checklist import Checklist, Sql
from migconsole.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Report:
    """What ``check`` found. ``problems`` break the file; ``refused`` are queries that the server would not prepare."""

    path: Path
    title: str = ""
    boxes: int = 0
    problems: tuple[Any, ...] = ()
    refused: tuple[str, ...] = field(default=())
    prepared: int = 0

    @property
    def exit_code(self) -> int:
        """2 for a broken file, 1 for refused queries, else 0."""
        return EXIT_USAGE if self.problems else EXIT_FAILED if self.refused else EXIT_OK

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "file": str(self.path),
            "title": self.title,
            "boxes": self.boxes,
            "problems": [asdict(problem) | {"file": str(problem.file)} for problem in self.problems],
            "refused": list(self.refused),
            "prepared": self.prepared,
        }

    def lines(self) -> list[str]:
        """For a person."""
        if self.problems:
            return [str(problem) for problem in self.problems]
        lines = [f"{self.path}: “{self.title}” is sound: {self.boxes} boxes"]
        if self.prepared:
            lines.append(f"{self.prepared} queries prepared on the target, none executed")
        return [*lines, *(f"refused: {line}" for line in self.refused)]


async def check(name: str, target: str) -> Report:
    """Load a checklist; with a target, prepare each of its queries there."""
    path = checklists.find(name)
    try:
        loaded = checklists.load(path)
    except ChecklistError as error:
        return Report(path, problems=tuple(error.problems))
    report = Report(path, loaded.checklist.title, loaded.checklist.boxes())
    if not target:
        return report
    prepared, refused = await _prepare(loaded.checklist, target)
    return Report(path, report.title, report.boxes, (), tuple(refused), prepared)


async def _prepare(checklist: Checklist, target: str) -> tuple[int, list[str]]:
    from migconsole.adapters.postgres.database import PostgresDatabase  # noqa: PLC0415 - only with a target
    from migconsole.adapters.postgres.target import resolve_target  # noqa: PLC0415 - only with a target

    database = PostgresDatabase(resolve_target(target))
    prepared, refused = 0, []
    try:
        await database.identity()
        for located in (*checklist.walk(), *checklist.walk_rollback()):
            for alternative in located.item.steps:
                action = alternative.step.action
                for statement in action.statements if isinstance(action, Sql) else ():
                    why = await database.refusal(statement)
                    prepared += 1
                    if why:
                        refused.append(f"{located.item.position}: {located.item.title}: {why}")
    finally:
        await database.close()
    return prepared, refused
