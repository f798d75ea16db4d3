"""From the tree of a Markdown checklist to the parts of a checklist file."""

from __future__ import annotations

import re

from migconsole.adapters.importing.hints import hints
from migconsole.adapters.importing.items import ItemReader
from migconsole.adapters.importing.markdown import Block, Code, Heading, Listing, Paragraph, Table, written_boxes
from migconsole.adapters.importing.model import Imported, Phase, Remark, Section, Tripwire

__all__ = ["Imported", "convert"]

_UNITS = {"m": "m", "min": "m", "minute": "m", "h": "h", "hr": "h", "hour": "h"}
_UNITS |= {"d": "d", "day": "d", "w": "w", "week": "w"}
_UNIT = r"(minutes?|min|m|hours?|hr|h|days?|d|weeks?|w)\b"
_T = re.compile(rf"\bT\s*([-+−–])\s*(\d{{1,4}})\s*(?:{_UNIT})?", re.IGNORECASE)
_BEFORE = re.compile(rf"\b(\d{{1,4}}|one|a)\s*{_UNIT}\s+before\b", re.IGNORECASE)
_AFTER = re.compile(rf"\b(?:first|within|after)\s+(\d{{1,4}}|one|a)?\s*{_UNIT}", re.IGNORECASE)
_ROLLBACK = re.compile(r"\broll(?:ing)?[\s-]?back\b|\bback[\s-]?out\b", re.IGNORECASE)
_CRITERIA = re.compile(r"\bcriteria\b|\broll[\s-]?back\s+(?:if|when)\b", re.IGNORECASE)
_SIGN_OFF = re.compile(r"\bsign[\s-]?offs?\b|\bapprovals?\b", re.IGNORECASE)
_NEWER = r"\s*(?:\+|or (?:newer|later|higher))"
_POSTGRESQL = re.compile(rf"\bPostgre(?:SQL|s)\b[^\n]{{0,30}}?\b(\d{{1,2}})(?:\.\d+)?{_NEWER}", re.IGNORECASE)


def convert(root: Heading, text: str, *, fallback: str = "Imported checklist") -> Imported:
    """The checklist that a tree describes. ``text`` is what it was read from, to count by; ``fallback`` its title."""
    return _Converter(root, text, fallback).result


class _Converter:
    def __init__(self, root: Heading, text: str, fallback: str) -> None:
        self.result = Imported()
        self._items = ItemReader(self.result)
        self._around: list[str] = []
        top = root.within[0] if len(root.within) == 1 else root
        self.result.title = self._items.title(top.title or fallback)
        if (version := _POSTGRESQL.search(text)) is not None:
            self.result.postgresql = f">={version[1]}"
        self._own(root, None, [])
        if top is not root:
            self._own(top, None, [])
        for heading in top.within:
            self._heading(heading, None, [])
        self._settle(text)

    def _settle(self, text: str) -> None:
        """What the format needs beyond what was written, and whether all that was written is there."""
        result = self.result
        if not result.phases:
            result.phases.append(Phase("Migration", "T-0", 1))
            result.remarks.append(Remark(1, "no task list was found outside of a rollback section: add phases"))
        result.phases = [phase for phase in result.phases if phase.sections] or result.phases
        for phase in result.phases:
            if not phase.sections:
                phase.sections = [Section("Migration", phase.line, [self._items.placeholder(phase.line)])]
        written = written_boxes(text)
        if len(written) != result.boxes:
            why = f"{len(written)} lines look like boxes and {result.boxes} were found in lists: compare the two"
            result.remarks.append(Remark(written[0] if written else 1, why))
        result.remarks += hints(result)

    # -- headings ------------------------------------------------------------------------------------------------------

    def _heading(self, heading: Heading, phase: Phase | None, path: list[str]) -> None:
        if not heading.has_boxes:
            self._without_boxes(heading)
            return
        if _ROLLBACK.search(heading.title) and phase is None:
            self._rollback(heading, [heading.title])
            return
        offset = _offset(heading.title)
        timed_within = any(_offset(inner.title) for inner in heading.walk() if inner is not heading)
        if offset or (phase is None and not timed_within):
            phase = self._phase(heading, offset)
            path = [heading.title]
        elif phase is not None:
            path = [*path, heading.title]
        else:
            self._around.append(self._items.title(heading.title))
        self._own(heading, phase, path)
        for inner in heading.within:
            self._heading(inner, phase, path)

    def _phase(self, heading: Heading, offset: str) -> Phase:
        title = self._items.title(_without_offset(heading.title) or heading.title or self.result.title)
        phase = Phase(title, offset or "T-0", heading.line, comments=self._around)
        self._around = []
        if not offset:
            before = self.result.phases[-1].at if self.result.phases else "T-0"
            phase.at = before
            phase.remarks.append(Remark(heading.line, f"when “{title}” is due is not written; {before} was taken"))
        self.result.phases.append(phase)
        return phase

    def _own(self, heading: Heading, phase: Phase | None, path: list[str]) -> None:
        """What stands directly below a heading: its boxes become a section, its texts comments."""
        listings = [block for block in heading.blocks if isinstance(block, Listing) and block.has_boxes]
        others = [block for block in heading.blocks if block not in listings]
        if not listings:
            self._comments(others, [heading.title] if heading.level > 1 else [])
            return
        if phase is None:
            phase = self._phase(heading, "")
            path = [heading.title]
        names = [_without_offset(name) or name for name in path[1:]] or [phase.title]
        section = Section(self._items.title(" / ".join(names)), heading.line)
        for block in others:
            section.comments += self._words(block)
        for listing in listings:
            section.ordered = section.ordered or listing.ordered
            section.items += self._items.entries(listing, [*path[:1], *names])
        phase.sections.append(section)

    # -- what is not to be done ----------------------------------------------------------------------------------------

    def _without_boxes(self, heading: Heading) -> None:
        for inner in heading.walk():
            blocks = list(inner.blocks)
            if _SIGN_OFF.search(heading.title):
                tables = [block for block in blocks if isinstance(block, Table)]
                for table in tables:
                    if self._roles(table):
                        blocks.remove(table)
            self._comments(blocks, [inner.title], always=True)

    def _roles(self, table: Table) -> bool:
        heading = [cell.strip().lower() for cell in table.rows[0]]
        column = heading.index("role") if "role" in heading else 0
        roles = [self._items.title(row[column]) for row in table.rows[1:] if len(row) > column and row[column].strip()]
        self.result.roles += [role for role in roles if role not in self.result.roles]
        return bool(roles)

    def _comments(self, blocks: list[Block], head: list[str], *, always: bool = False) -> None:
        words = [line for block in blocks for line in self._words(block)]
        if words or (always and head):
            self.result.comments += [*(f"{title}:" for title in head), *(f"  {line}" for line in words)]

    def _words(self, block: Block) -> list[str]:
        if isinstance(block, Code):
            self.result.codes += 1
        return self._items.words(block)

    # -- rollback ------------------------------------------------------------------------------------------------------

    def _rollback(self, heading: Heading, path: list[str]) -> None:
        self.result.comments.append(f"{self._items.title(heading.title)}:")
        criteria = bool(_CRITERIA.search(heading.title))
        section: Section | None = None
        for block in heading.blocks:
            if isinstance(block, Paragraph):
                criteria = criteria or bool(_CRITERIA.search(block.text))
                self._comments([block], [])
            elif isinstance(block, Listing) and block.has_boxes:
                section = self._rollback_list(block, heading, path, section, criteria=criteria)
            else:
                self._comments([block], [])
        for inner in heading.within:
            self._rollback(inner, [*path, inner.title])

    def _rollback_list(
        self, listing: Listing, heading: Heading, path: list[str], section: Section | None, *, criteria: bool
    ) -> Section | None:
        if criteria:
            for entry in listing.entries:
                wire = Tripwire(
                    self._items.title(entry.text), self._items.identify(["tripwire"], entry.text), entry.line
                )
                self.result.boxes += entry.checked is not None
                for block in entry.blocks:
                    wire.comments += self._words(block)
                self.result.tripwires.append(wire)
            return section
        for entry in listing.entries:
            nested = [block for block in entry.blocks if isinstance(block, Listing) and block.has_boxes]
            if entry.checked is None and nested:
                step = Section(self._items.title(entry.text), entry.line, ordered=True)
                for block in entry.blocks:
                    if block in nested:
                        step.items += self._items.entries(block, [*path, entry.text])
                    else:
                        step.comments += self._words(block)
                self.result.rollback.append(step)
                continue
            if section is None:
                section = Section(self._items.title(heading.title), heading.line, ordered=listing.ordered)
                self.result.rollback.append(section)
            section.items += self._items.entries(Listing((entry,), listing.ordered, entry.line), path)
        return section


def _offset(title: str) -> str:
    """The offset from T-0 that a heading names, "" for none.

    >>> _offset("Pre-Migration (T-1 hour)"), _offset("Review (Within 1 Week)"), _offset("Run (T-0)"), _offset("Other")
    ('T-1h', 'T+7d', 'T-0', '')
    """
    if match := _T.search(title):
        sign = "+" if match[1] == "+" else "-"
        return _written(sign, match[2], match[3] or "m") if int(match[2]) else "T-0"
    if match := _BEFORE.search(title):
        return _written("-", match[1], match[2])
    if match := _AFTER.search(title):
        return _written("+", match[1] or "1", match[2])
    return ""


def _written(sign: str, count: str, unit: str) -> str:
    number = int(count) if count.isdecimal() else 1
    letter = _UNITS[unit.lower().rstrip("s") if len(unit) > 1 else unit.lower()]
    return f"T{sign}{number * 7}d" if letter == "w" else f"T{sign}{number}{letter}"


def _without_offset(title: str) -> str:
    """A heading without the brackets that hold its offset."""
    bare = re.sub(r"\s*\(([^()]*)\)\s*$", lambda match: "" if _offset(match[1]) else match[0], title)
    return bare.strip()
