"""What a checklist's entries are called, and whether what refers to them finds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from migconsole.adapters.checklists import models
from migconsole.adapters.checklists.names import path_id, slug
from migconsole.adapters.checklists.problems import nearest, suggest
from migconsole.adapters.checklists.restores import check_restore

Path = tuple[Any, ...]
Report = Callable[..., None]
"""Called with a path, a message, and ``key=True`` when the key rather than its value is meant."""

CONDITIONS = ("restore-point-armed", "restore-point-proven", "restore-point-snapshot")
"""What ``needs`` may name beside items, checks and gates."""


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    id: str
    item: models.ItemModel
    above: tuple[str, ...]


class Index:
    """Ids of all items, tripwires and gates of one file, given once and never twice.

    ``line_of`` gives the line of a path, for messages that point to an earlier use.
    """

    def __init__(self, model: models.ChecklistModel, report: Report, line_of: Callable[[Path], int]) -> None:
        self._report = report
        self._line_of = line_of
        self._at: dict[Path, str] = {}
        self._first: dict[str, Path] = {}
        self._headings: dict[str, None] = {}
        self._checks: dict[str, str] = {}
        self._entries: list[_Entry] = []
        self._gates: dict[str, Path] = {}
        for n, phase in enumerate(model.phases):
            self._headings |= {phase.phase: None, path_id([phase.phase]): None}
            for m, section in enumerate(phase.sections):
                self._section(section, ("phases", n, "sections", m), (phase.phase, section.section))
        for n, section in enumerate(model.rollback):
            self._section(section, ("rollback", n), ("rollback", section.section))
        for n, tripwire in enumerate(model.tripwires):
            default = path_id(["tripwires", tripwire.tripwire])
            self._claim(tripwire.id, default, ("tripwires", n), self._first)
        for n, gate in enumerate(model.gates):
            self._claim(gate.id, slug(gate.gate), ("gates", n), self._gates)
        self._needs = {entry.path: self._resolved(entry) for entry in self._entries if entry.item.needs}
        self._find_circle()
        self._check_restores()

    def id_of(self, path: Path) -> str:
        """The id of the item, tripwire or gate at a path."""
        return self._at[path]

    def needs_of(self, path: Path) -> tuple[str, ...]:
        """An item's needs, checks replaced by the items that carry them out."""
        return self._needs.get(path, ())

    def check_heading(self, path: Path, name: str) -> None:
        """Report a name that is no phase, section or item."""
        if name not in self._headings and name not in self._first:
            near = suggest_exact(name, [*self._headings, *self._first])
            self._report(path, f"no phase, section or item is called “{name}”{near}")

    def _section(self, section: models.SectionModel, path: Path, titles: tuple[str, ...]) -> None:
        self._headings |= {section.section: None, path_id(titles): None}
        self._items(section.items, path, titles, ())

    def _items(
        self, items: Sequence[models.ItemModel], path: Path, titles: tuple[str, ...], above: tuple[str, ...]
    ) -> None:
        for number, item in enumerate(items):
            here = (*path, "items", number)
            item_id = self._claim(item.id, path_id((*titles, item.item)), here, self._first)
            self._headings[item.item] = None
            self._entries.append(_Entry(here, item_id, item, above))
            for step in (item, *item.alternatives):
                if step.check is not None:
                    self._checks.setdefault(str(step.check["name"]), item_id)
            self._items(item.items, here, (*titles, item.item), (*above, item_id))

    def _claim(self, given: str | None, default: str, path: Path, taken: dict[str, Path]) -> str:
        entry_id = given or default
        self._at[path] = entry_id
        first = taken.setdefault(entry_id, path)
        if first is not path:
            remedy = "" if given else "; give one of the two an id of its own"
            where = (*path, "id") if given else path
            self._report(where, f"the id “{entry_id}” is already used in line {self._line_of(first)}{remedy}")
        return entry_id

    def _resolved(self, entry: _Entry) -> tuple[str, ...]:
        found = (self._need(name, entry, number) for number, name in enumerate(entry.item.needs))
        return tuple(name for name in found if name)

    def _need(self, name: str, entry: _Entry, number: int) -> str:
        path = (*entry.path, "needs", number)
        if name in CONDITIONS:
            return name
        kind, _, rest = name.partition(":")
        if kind == "gate" and rest:
            if rest not in self._gates:
                self._report(path, f"no gate has the id “{rest}”{suggest(rest, self._gates)}")
            return name
        target = name
        if kind == "check" and rest:
            if rest not in self._checks:
                self._report(path, f"no item carries out the check “{rest}”{suggest(rest, self._checks)}")
                return ""
            target = self._checks[rest]
        if target not in self._first:
            known = [*self._first, *CONDITIONS, *(f"gate:{gate}" for gate in self._gates)]
            self._report(path, f"no item has the id “{name}”{suggest(name, known)}")
            return ""
        if target == entry.id or target in entry.above:
            self._report(path, "an item cannot wait for itself or for the heading it stands under")
            return ""
        return target

    def _check_restores(self) -> None:
        back = [entry for entry in self._entries if entry.path[0] == "rollback"]
        lines = [entry.id for entry in back if not entry.item.items]
        for entry in self._entries:
            ways = [(entry.path, entry.item.restore)]
            ways += [((*entry.path, "alternatives", n), way.restore) for n, way in enumerate(entry.item.alternatives)]
            for path, arguments in ways:
                if isinstance(arguments, Mapping):
                    check_restore(arguments, (*path, "restore"), entry.id, lines, self._report)

    def _find_circle(self) -> None:
        at = {self._at[path]: path for path in self._needs}
        try:
            TopologicalSorter({item: self._needs[path] for item, path in at.items()}).prepare()
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            first = min(at[item] for item in circle)
            start = circle.index(self._at[first])
            round_trip = [*circle[start:-1], *circle[:start], circle[start]]
            self._report((*first, "needs"), f"needs go round in a circle: {' → '.join(round_trip)}")


def suggest_exact(name: str, known: Iterable[str]) -> str:
    """A suggestion among names that keep their capitals."""
    folded = {entry.lower(): entry for entry in known}
    near = nearest(name, folded)
    return f" (did you mean “{folded[near]}”?)" if near else ""
