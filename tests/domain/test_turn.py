"""Sections that are read and done in order: whose turn it is, and what comes later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migconsole.domain.checklist import Item, Job, Mode, Section, Step
from migconsole.domain.items import ItemState
from migconsole.domain.sections import Turn, first_before, following, in_turn, turn

DROP = Item("drop", "Drop it")
RESTORE = Item("restore", "Restore", Step(Job("restore", {"boxes": {"drop": "drop"}})))
SECTION = Section(
    "s",
    "S",
    (Item("one", "One"), Item("maybe", "Maybe", optional=True), Item("two", "Two", items=(Item("in", "In"),)), DROP),
    Mode.READ_DO,
)


def states(**known: ItemState) -> dict[str, ItemState]:
    return known


def turn_of(section: Section, known: dict[str, ItemState]) -> Turn:
    return turn(section, lambda item: known.get(item.id, ItemState.TODO))


@pytest.mark.parametrize(
    ("known", "now", "later"),
    [
        (states(), "one", {"maybe", "in", "drop"}),
        (states(one=ItemState.RUNNING), "one", {"maybe", "in", "drop"}),
        (states(one=ItemState.FAILED), "one", {"maybe", "in", "drop"}),
        (states(one=ItemState.VERIFIED), "in", {"drop"}),
        (states(one=ItemState.DEFERRED), "in", {"drop"}),
        ({"one": ItemState.VERIFIED, "in": ItemState.SKIPPED}, "drop", set()),
        ({"one": ItemState.VERIFIED, "in": ItemState.FORCED, "drop": ItemState.ATTESTED}, "", set()),
    ],
)
def test_the_first_line_that_waits_has_the_turn(known: dict[str, ItemState], now: str, later: set[str]) -> None:
    assert turn_of(SECTION, known) == Turn(now, frozenset(later))


def test_in_any_order_nothing_is_late() -> None:
    free = replace(SECTION, mode=Mode.DO_CONFIRM)
    assert turn_of(free, {}) == Turn()
    assert first_before(free, DROP, lambda item: ItemState.TODO) is None


def test_what_a_job_does_itself_is_not_waited_for() -> None:
    section = Section("r", "R", (DROP, RESTORE), Mode.READ_DO)
    assert first_before(section, RESTORE, lambda item: ItemState.TODO) is None
    assert turn_of(section, {}) == Turn("drop", frozenset())


@pytest.mark.parametrize(
    ("known", "after"),
    [
        (states(one=ItemState.VERIFIED), "maybe"),
        (states(one=ItemState.VERIFIED, maybe=ItemState.SKIPPED), "in"),
        (states(one=ItemState.VERIFIED, maybe=ItemState.DEFERRED), "in"),
        (states(one=ItemState.FAILED), ""),
        ({"one": ItemState.VERIFIED, "maybe": ItemState.ATTESTED, "in": ItemState.ATTESTED}, "drop"),
    ],
)
def test_the_cursor_goes_on_to_optional_lines_too(known: dict[str, ItemState], after: str) -> None:
    def state_of(item: Item) -> ItemState:
        return known.get(item.id, ItemState.TODO)

    assert following(SECTION, SECTION.items[0], state_of) == after
    assert not after or in_turn(SECTION, Item(after, after, optional=after == "maybe"), state_of)
