"""The rollback procedure once a rollback was decided on: which line is next, and what cannot be stopped any more."""

from __future__ import annotations

from dataclasses import dataclass

from migconsole.domain.built_in import boxes
from migconsole.domain.checklist import Answer, Checklist, Item, Located, Manual
from migconsole.domain.items import ItemState
from migconsole.domain.run import Run

DEEDS = ("restore", "put-back", "purge")
"""Built-in jobs that change what the databases are, and undo by themselves what they can when they are told to stop."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """Where the rollback procedure stands. ``stops`` says why it does not go on by itself, "" when it does."""

    located: Located | None
    stops: str = ""
    person: bool = False


def lines(checklist: Checklist, restore: Item) -> list[Located]:
    """The leaves of the rollback procedure in order; lines that the restore replaces come with it, not before it."""
    replaced = boxes(restore)
    leaves = [located for located in checklist.walk_rollback() if not located.item.items]
    aside = {item.id for section in checklist.aside for item in section.items}
    own = [located for located in leaves if located.item.id not in aside and located.item.id not in replaced]
    built_in = [located for located in leaves if located.item.id == restore.id and restore.id in aside]
    return [*built_in, *own]


def next_step(run: Run, checklist: Checklist, restore: Item) -> NextStep:
    """The next line of the rollback procedure, and whether it can be carried out without asking anybody again."""
    for located in lines(checklist, restore):
        record = run.record(located.item.id)
        state = record.state
        title = located.item.title
        if state.settled:
            continue
        if state is ItemState.RUNNING:
            return NextStep(located, f"“{title}” is running")
        if state.problem:
            return NextStep(located, f"“{title}” is {state.value}: it is not gone past by itself")
        if record.awaiting:
            return NextStep(located, f"“{title}” ended well and awaits an answer", person=True)
        return NextStep(located)
    return NextStep(None, "every line of the rollback procedure is dealt with")


def by_person(action: object) -> bool:
    """Whether an action, as it stands today, is a person's."""
    return isinstance(action, Manual | Answer)


def cancel_refusal(run: Run) -> str:
    """Why a rollback, a putting back or a purge that runs cannot be cancelled any more; "" while it can."""
    deed = run.rollback.open
    if deed is None:
        return ""
    sent = deed.committed or any(step in ("swap", "put-back", "drop") for step in deed.steps)
    if not sent:
        return ""
    return "the point of no return is behind: half of it would be worse than either end; it goes on to its end"


def own_doing(run: Run, differences: tuple[str, ...]) -> str:
    """The rollback of this run by which the target became another database of the same name, "" when it was not us.

    Only the oid may differ, and only after a deed of ours that ended by replacing the database.
    """
    deed = run.rollback.last
    if deed is None or deed.verdict not in ("swapped", "put back", "restored"):
        return ""
    only_oid = len(differences) == 1 and differences[0].startswith("database oid:")
    return deed.id if only_oid else ""
