"""``migconsole check``: every problem of a checklist at once, and on a target every query prepared, none executed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from migconsole.adapters import checklists
from migconsole.adapters.checklists import ChecklistError
from migconsole.adapters.checklists.problems import suggest
from migconsole.domain.checklist import Check, Checklist, Sql, Step
from migconsole.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE


@dataclass(frozen=True, slots=True)
class Report:
    """What ``check`` found. ``problems`` break the file, as do ``unknown``, words that a check of it does not have;
    ``refused`` are queries that the server would not prepare."""

    path: Path
    title: str = ""
    boxes: int = 0
    problems: tuple[Any, ...] = ()
    refused: tuple[str, ...] = field(default=())
    prepared: int = 0
    unknown: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """2 for a broken file, 1 for refused queries, else 0."""
        return EXIT_USAGE if self.problems or self.unknown else EXIT_FAILED if self.refused else EXIT_OK

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "file": str(self.path),
            "title": self.title,
            "boxes": self.boxes,
            "problems": [asdict(problem) | {"file": str(problem.file)} for problem in self.problems],
            "unknown": list(self.unknown),
            "refused": list(self.refused),
            "prepared": self.prepared,
        }

    def lines(self) -> list[str]:
        """For a person."""
        if self.problems:
            return [str(problem) for problem in self.problems]
        if self.unknown:
            return list(self.unknown)
        boxes = "1 box" if self.boxes == 1 else f"{self.boxes} boxes"
        lines = [f"{self.path}: “{self.title}” is sound: {boxes}"]
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
    unknown = tuple(unknown_words(loaded.checklist))
    report = Report(path, loaded.checklist.title, loaded.checklist.boxes(), unknown=unknown)
    if unknown or not target:
        return report
    prepared, refused = await _prepare(loaded.checklist, target)
    return Report(path, report.title, report.boxes, (), tuple(refused), prepared)


def unknown_words(checklist: Checklist) -> list[str]:
    """Arguments and values that a check of the file does not have, each with where it stands and the nearest right one.

    A value that is never reported fails its item, and trips its tripwire, whatever the server is like.
    """
    from migconsole.adapters.postgres.checks import CHECK_DOCS  # noqa: PLC0415 - the driver takes long to load

    found = []
    for where, step in _steps(checklist):
        action = step.action
        if not isinstance(action, Check) or action.name not in CHECK_DOCS:
            continue
        doc = CHECK_DOCS[action.name]
        expected = [condition.key for condition in step.expect.conditions] if step.expect is not None else []
        for kind, words, known in (("argument", action.arguments, doc.arguments), ("value", expected, doc.values)):
            for word in words:
                if word not in known:
                    near = suggest(word, known) or f"; it has {', '.join(known) or 'none'}"
                    found.append(f"{where}: the check {action.name} has no {kind} “{word}”{near}")
    return found


def _steps(checklist: Checklist) -> Iterator[tuple[str, Step]]:
    """Every way of doing a line, and every tripwire's, with where it stands."""
    for located in (*checklist.walk(), *checklist.walk_rollback()):
        for alternative in located.item.steps:
            yield f"{located.item.position}: {located.item.title}", alternative.step
    for wire in checklist.tripwires:
        yield f"{wire.position}: {wire.title}", wire.step


async def _prepare(checklist: Checklist, target: str) -> tuple[int, list[str]]:
    from migconsole.adapters.postgres.database import PostgresDatabase  # noqa: PLC0415 - only with a target
    from migconsole.adapters.postgres.target import resolve_target  # noqa: PLC0415 - only with a target

    database = PostgresDatabase(resolve_target(target))
    prepared, refused = 0, []
    try:
        await database.identity()
        for where, step in _steps(checklist):
            for statement in step.action.statements if isinstance(step.action, Sql) else ():
                why = await database.refusal(statement)
                prepared += 1
                if why:
                    refused.append(f"{where}: {why}")
    finally:
        await database.close()
    return prepared, refused
