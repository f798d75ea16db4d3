"""The fold of rollback events: what is open, what was decided, whether the database was replaced where it stood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migconsole.domain.events import Event, Kind
from migconsole.domain.rollback_record import fold_rollbacks
from migconsole.domain.rollback_state import Replacement
from migconsole.domain.run import fold

STARTED = {
    "rollback": "r1",
    "deed": "rollback",
    "strategy": "in-place",
    "reason": "orders vanish",
    "by": "Ada",
    "owner": "0a1b2c3d",
    "app": "shop",
    "oid": 77,
}


def step(name: str, course: str, **more: Any) -> Mapping[str, Any]:
    """The data of a step event."""
    return {"rollback": "r1", "step": name, "title": name, "course": course, **more}


def test_the_journal_and_a_state_file_fold_alike() -> None:
    entries = [
        (Kind.ROLLBACK_STARTED, STARTED),
        (Kind.ROLLBACK_STEP, step("fence", "began")),
        (Kind.ROLLBACK_STEP, step("fence", "done")),
        (Kind.ROLLBACK_STEP, step("drop", "began", no_return=True)),
    ]
    events = [Event(n, f"t{n}", 0.0, kind, "Ada", data, "", "") for n, (kind, data) in enumerate(entries, 1)]
    run = fold(events)
    book = fold_rollbacks((kind, f"t{n}", data) for n, (kind, data) in enumerate(entries, 1))
    assert not run.anomalies
    assert run.rollback == book
    deed = book.open
    assert deed is not None
    assert (deed.current, deed.committed, deed.began, deed.reason) == ("drop", True, "t1", "orders vanish")
    assert book.replacement() == Replacement(77)


def test_a_deed_that_ended_is_not_open_and_its_last_step_is_known() -> None:
    entries: list[tuple[str, str, Mapping[str, Any]]] = [
        ("rollback.started", "t1", STARTED),
        ("rollback.step", "t2", step("drop", "done", no_return=True)),
        ("rollback.step", "t3", step("open", "began")),
        ("rollback.ended", "t4", {"rollback": "r1", "verdict": "restored", "outage": 12.5}),
    ]
    book = fold_rollbacks(entries)
    assert book.open is None
    assert book.last is not None
    assert (book.last.verdict, book.last.outage) == ("restored", 12.5)
    assert book.replacement() == Replacement(77, opened=True)


def test_a_fence_alone_replaces_nothing() -> None:
    book = fold_rollbacks([("rollback.started", "t1", STARTED), ("rollback.step", "t2", step("fence", "done"))])
    assert book.replacement() is None


def test_strange_entries_change_nothing() -> None:
    book = fold_rollbacks(
        [
            ("rollback.step", "t1", step("fence", "began")),
            ("rollback.started", "t2", {}),
            ("rollback.started", "t3", {"rollback": "r2", "oid": "x"}),
            ("something", "t4", {}),
        ]
    )
    assert book.deeds == []
