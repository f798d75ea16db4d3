"""What an import makes: the parts of a checklist file, each with the line it came from and what was not decided."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Remark:
    """Something a person should look at. ``undecided`` is a choice that was left open, else it is a hint."""

    line: int
    text: str
    undecided: bool = True

    def __str__(self) -> str:
        return f"line {self.line}: {'undecided: ' if self.undecided else 'hint: '}{self.text}"


@dataclass(slots=True)
class Action:
    """One way of doing an item: a script, or queries. ``title`` names it among alternatives."""

    kind: str
    texts: list[str]
    title: str = ""
    line: int = 0


@dataclass(slots=True)
class Item:
    """One box. ``actions`` are alternatives where there is more than one; ``help`` is what else was written of it."""

    title: str
    id: str
    line: int
    actions: list[Action] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    help: list[str] = field(default_factory=list)
    optional: bool = False
    remarks: list[Remark] = field(default_factory=list)


@dataclass(slots=True)
class Section:
    """A heading, or a numbered step, with its items. ``comments`` are texts that are no item."""

    title: str
    line: int
    items: list[Item] = field(default_factory=list)
    ordered: bool = False
    comments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Phase:
    """A part of the run; ``at`` is the offset as it is written in the file."""

    title: str
    at: str
    line: int
    sections: list[Section] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Tripwire:
    """A “roll back if …” criterion."""

    title: str
    id: str
    line: int
    comments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Imported:
    """The whole. ``comments`` are texts without a place of their own; ``boxes`` and ``codes`` count what was placed."""

    title: str = ""
    roles: list[str] = field(default_factory=list)
    postgresql: str = ""
    variables: list[str] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    tripwires: list[Tripwire] = field(default_factory=list)
    rollback: list[Section] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    boxes: int = 0
    codes: int = 0

    def all_items(self) -> list[Item]:
        """Every item, headings included, in the order of the file."""
        sections = [section for phase in self.phases for section in phase.sections]
        found: list[Item] = []
        left = [item for section in (*sections, *self.rollback) for item in section.items]
        while left:
            item = left.pop(0)
            found.append(item)
            left = [*item.items, *left]
        return found

    def all_remarks(self) -> list[Remark]:
        """Everything a person should look at, by line."""
        of_items = [remark for item in self.all_items() for remark in item.remarks]
        of_phases = [remark for phase in self.phases for remark in phase.remarks]
        return sorted([*self.remarks, *of_phases, *of_items], key=lambda remark: (remark.line, not remark.undecided))
