"""The checklist as the lines of a tree: pure, so that folding and filtering can be tested without a screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from migconsole.domain.checklist import Answer, Checklist, Item, Manual, Section, Sql
from migconsole.domain.checklist import Run as RunAction
from migconsole.domain.items import ItemState
from migconsole.domain.run import ItemRecord, Progress, Run, progress
from migconsole.domain.sections import section_end, turn
from migconsole.domain.text import sanitise_line
from migconsole.domain.tripwires import summary


class RowKind(StrEnum):
    """What a line of the tree stands for."""

    PHASE = "phase"
    SECTION = "section"
    ITEM = "item"
    TRIPWIRE = "tripwire"


@dataclass(frozen=True, slots=True)
class Row:
    """One line. ``key`` identifies it across rebuilds; ``folded`` is None where there is nothing to fold.

    ``title`` is already safe to draw; ``mark`` is what a heading waits for, or who claimed an item.
    ``count`` is set for headings, ``aside`` is a word for lines that never count. ``order`` is "now" or "later" in a
    section that is read and done in order.
    """

    key: str
    kind: RowKind
    depth: int
    title: str
    parent: str = ""
    item: Item | None = None
    state: ItemState | None = None
    record: ItemRecord | None = None
    count: Progress | None = None
    folded: bool | None = None
    aside: str = ""
    mark: str = ""
    order: str = ""


Match = Callable[[Item, ItemState, ItemRecord], bool]

FILTERS = ("failed", "mine", "open", "running", "answer", "manual", "run", "sql", "check", "optional")
"""Words that may follow a colon in the filter."""


def matcher(text: str, actor: str) -> Match | None:
    """A filter from what was typed: plain words must occur in the title, ``:words`` name a state or a kind.

    Returns None for an empty filter. Raises ValueError with the known words for an unknown one.
    """
    words = text.casefold().split()
    if not words:
        return None
    for named in (word[1:] for word in words if word.startswith(":") and len(word) > 1):
        if named not in FILTERS:
            raise ValueError(f":{named} is not known; there are {' '.join(':' + name for name in FILTERS)}")

    def match(item: Item, state: ItemState, record: ItemRecord) -> bool:
        title = _safe(item.title).casefold()
        return all(
            _named(word[1:], item, state, record, actor) if word.startswith(":") else word in title for word in words
        )

    return match


def _named(word: str, item: Item, state: ItemState, record: ItemRecord, actor: str) -> bool:
    if word == "failed":
        return state.problem
    if word == "mine":
        return bool(record.actor) and record.actor == actor
    if word == "open":
        return not state.done
    if word == "running":
        return state is ItemState.RUNNING
    if word == "optional":
        return item.optional
    kinds = {way.step.action.kind for way in item.steps}
    return not word or word in kinds


@lru_cache(maxsize=16_384)
def _safe(title: str) -> str:
    return sanitise_line(title)


def build(checklist: Checklist, run: Run, folded: frozenset[str], match: Match | None = None) -> list[Row]:
    """Every visible line in order. With a filter nothing is folded and headings without a hit are left out."""
    rows: list[Row] = []
    for phase in checklist.phases:
        key = f"phase:{phase.id}"
        inner = list(_sections(phase.sections, key, 1, run, folded, match))
        items = [item for section in phase.sections for item in section.items]
        rows += _heading(key, RowKind.PHASE, 0, phase.title, "", progress(run, items), folded, match, inner)
    if checklist.tripwires:
        key = "tripwires"
        inner = [
            Row(
                f"tripwire:{wire.id}",
                RowKind.TRIPWIRE,
                1,
                _safe(wire.title),
                key,
                aside=run.tripwires.record(wire.id).state.value,
            )
            for wire in checklist.tripwires
            if match is None
        ]
        aside = summary(checklist, run.tripwires)
        rows += _heading(key, RowKind.PHASE, 0, "Roll back if…", "", None, folded, match, inner, aside)
    procedure = (*checklist.rollback, *_begun_aside(checklist, run))
    if procedure:
        key = "rollback"
        inner = list(_sections(procedure, key, 1, run, folded, match))
        rows += _heading(key, RowKind.PHASE, 0, "Rollback procedure", "", None, folded, match, inner, "only if needed")
    return rows


def _begun_aside(checklist: Checklist, run: Run) -> list[Section]:
    """What stands in no checklist, as soon as it was begun: its output, its end and its cancelling need a line."""
    begun = [
        replace(section, items=tuple(item for item in section.items if run.record(item.id).attempts))
        for section in checklist.aside
    ]
    return [section for section in begun if section.items]


def _heading(
    key: str,
    kind: RowKind,
    depth: int,
    title: str,
    parent: str,
    count: Progress | None,
    folded: frozenset[str],
    match: Match | None,
    inner: list[Row],
    aside: str = "",
) -> list[Row]:
    if match is not None:
        return (
            [Row(key, kind, depth, _safe(title), parent, count=count, folded=False, aside=aside), *inner]
            if inner
            else []
        )
    closed = key in folded
    head = Row(key, kind, depth, _safe(title), parent, count=count, folded=closed, aside=aside)
    return [head] if closed else [head, *inner]


def _sections(
    sections: Iterable[Section], parent: str, depth: int, run: Run, folded: frozenset[str], match: Match | None
) -> Iterator[Row]:
    for section in sections:
        if not section.title:
            yield from _items(section.items, parent, depth, run, folded, match)
            continue
        key = f"section:{parent}/{section.id}"
        count = progress(run, section.items)
        inner = _ordered(section, run, _items(section.items, key, depth + 1, run, folded, match))
        since = section_end(section, run.state_of, lambda item: run.record(item.id).since, run.sections)
        mark = "call it (C)" if since.wants_call else ""
        for row in _heading(key, RowKind.SECTION, depth, section.title, parent, count, folded, match, inner):
            yield replace(row, mark=mark) if row.key == key and mark else row


def _ordered(section: Section, run: Run, lines: Iterable[Row]) -> list[Row]:
    """Say of each line of a read-do section whether it is its turn."""
    at = turn(section, run.state_of)
    words = {key: "later" for key in at.later} | ({at.now: "now"} if at.now else {})
    return [replace(row, order=words[row.key]) if row.key in words else row for row in lines]


def _items(
    items: Iterable[Item], parent: str, depth: int, run: Run, folded: frozenset[str], match: Match | None
) -> Iterator[Row]:
    for item in items:
        state, record = run.state_of(item), run.record(item.id)
        inner = list(_items(item.items, item.id, depth + 1, run, folded, match))
        if match is not None and not inner and not match(item, state, record):
            continue
        closed = (item.id in folded and match is None) if item.items else None
        count = progress(run, item.items) if item.items else None
        claim = run.claims.held.get(item.id)
        row = Row(
            item.id, RowKind.ITEM, depth, _safe(item.title), parent, item, state, record, count=count, folded=closed
        )
        yield replace(row, mark=_safe(claim.actor)[:16]) if claim is not None else row
        if not closed:
            yield from inner


def headings(checklist: Checklist) -> frozenset[str]:
    """The keys of everything that starts folded: tripwires and the rollback procedure stay out of the way."""
    return frozenset({"tripwires", "rollback"}) if checklist.phases else frozenset()


def kind_word(item: Item) -> str:
    """What an item does, in one word.

    >>> kind_word(Item("a", "A"))
    'manual'
    """
    if item.items:
        return "heading"
    action = item.steps[0].step.action
    if isinstance(action, Manual):
        return "manual"
    if isinstance(action, Answer):
        return "answer"
    if isinstance(action, RunAction):
        return "command"
    if isinstance(action, Sql):
        return "query"
    return f"{action.kind} {action.name}"
