"""What a report says of each rollback, putting back and purge: how it ended, whether its content was read back, and
what the lines after it in the rollback procedure gave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migconsole.domain import built_in, procedure
from migconsole.domain.checklist import Checklist, Item
from migconsole.domain.items import ItemState
from migconsole.domain.rollback_record import DeedRecord
from migconsole.domain.run import Run
from migconsole.domain.stamps import plain_duration

_TITLES = {"put-back": "The failed database put back", "purge": "A database purged", "unfence": "The database opened"}


@dataclass(frozen=True, slots=True)
class DeedReport:
    """One deed. ``facts`` are (name, words) in reading order, ``findings`` what the reading back found.

    ``proof`` is ``verified``, ``differs`` or ``not verified``, "" for a deed after which nothing is read back.
    """

    record: DeedRecord
    title: str
    proof: str
    facts: tuple[tuple[str, str], ...]
    findings: tuple[str, ...]


def deeds(run: Run, checklist: Checklist) -> tuple[DeedReport, ...]:
    """Every deed of a run, oldest first; the lines after the restore stand with the last rollback."""
    rollbacks = [deed for deed in run.rollback.deeds if deed.verifiable]
    return tuple(_deed(run, checklist, deed, last=deed in rollbacks[-1:]) for deed in run.rollback.deeds)


def _deed(run: Run, checklist: Checklist, deed: DeedRecord, *, last: bool) -> DeedReport:
    facts = [
        ("Why", f"{deed.reason} (decided by {deed.decided_by})" if deed.decided_by else deed.reason),
        ("Began", deed.began),
        ("Ended", deed.ended or "no end is on record"),
        ("Gave", "; ".join(filter(None, (deed.verdict or "unknown", deed.why)))),
        ("Outage", plain_duration(deed.outage) if deed.outage is not None else ""),
        ("Read back", deed.proof_line),
        ("After it", _after(run, checklist) if last else ""),
    ]
    title = f"Rollback: {deed.strategy}" if deed.deed == "rollback" else _TITLES.get(deed.deed, deed.deed)
    found = tuple((name, words) for name, words in facts if words)
    return DeedReport(deed, title, deed.proof, found, deed.findings[1:])


def _after(run: Run, checklist: Checklist) -> str:
    """The lines after the restore, smoke tests among them: how many are in which state, and which are not done."""
    items = list(_lines_after(checklist))
    if not items:
        return "the checklist has no lines after the restore"
    states: dict[ItemState, list[str]] = {}
    for item in items:
        states.setdefault(run.state_of(item), []).append(item.title)
    words = []
    for state, titles in states.items():
        named = ", ".join(f"“{title}”" for title in titles[:8])
        words.append(f"{len(titles)} {state.value}" + ("" if state.done else f" ({named})"))
    return ", ".join(words)


def _lines_after(checklist: Checklist) -> Iterator[Item]:
    try:
        restore = built_in.restore_item(checklist).item
    except StopIteration:
        return
    passed = False
    for located in procedure.lines(checklist, restore):
        if passed:
            yield located.item
        passed = passed or located.item.id == restore.id
