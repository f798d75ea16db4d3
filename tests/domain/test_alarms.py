"""Alarms: when they ring, when they are over, and what of them is kept."""

from __future__ import annotations

from migconsole.domain.alarms import AlarmBook, Change
from migconsole.domain.readings import Alarm, Level, Quality, Reading

GOOD, WARN, CRITICAL, UNKNOWN = Level.GOOD, Level.WARN, Level.CRITICAL, Level.UNKNOWN


def play(book: AlarmBook, *levels: Level, probe: str = "lock_tree") -> list[str]:
    """What changed at each of these judgements, as "raised warn"."""
    said = []
    for second, level in enumerate(levels):
        reading = Reading(probe, 1000.0 + second, 0.1, Quality.OK, ({"pid": second},))
        said += [f"{c.change} {c.alarm.level}" for c in book.judged(reading, level, f"at {second}")]
    return said


def test_it_rings_once_for_as_long_as_it_lasts() -> None:
    assert play(AlarmBook(), WARN, WARN, WARN, GOOD, GOOD, GOOD) == ["raised warn", "cleared warn"]


def test_a_value_that_dances_on_its_threshold_rings_once() -> None:
    assert play(AlarmBook(), *[WARN, GOOD] * 20) == ["raised warn"]


def test_one_that_keeps_coming_back_has_to_stay_away_longer_each_time() -> None:
    swinging = [WARN, *[GOOD] * 6] * 20
    assert play(AlarmBook(), *swinging).count("raised warn") == 2
    assert play(AlarmBook(), *swinging, *[GOOD] * 6)[-1] == "cleared warn", "and is over all the same"


def test_one_that_is_back_after_long_is_over_as_soon_as_the_first() -> None:
    book = AlarmBook()
    assert play(book, WARN, GOOD, GOOD) == ["raised warn", "cleared warn"]
    later = Reading("lock_tree", 5000.0, 0.1, Quality.OK, ())
    assert [c.change for c in book.judged(later, WARN, "")] == [Change.RAISED]
    good = [Reading("lock_tree", 5001.0 + n, 0.1, Quality.OK, ()) for n in range(2)]
    assert [c.change for one in good for c in book.judged(one, GOOD, "")] == [Change.CLEARED]


def test_worse_rings_again_and_better_does_not_hide_it() -> None:
    assert play(AlarmBook(), WARN, CRITICAL, WARN) == [
        *("raised warn", "cleared warn"),
        *("raised critical", "cleared critical"),
        "raised warn",
    ]


def test_what_cannot_be_judged_neither_rings_nor_clears() -> None:
    book = AlarmBook()
    assert play(book, UNKNOWN, WARN, UNKNOWN, UNKNOWN, UNKNOWN) == ["raised warn"]
    assert len(book.open()) == 1


def test_probes_do_not_mind_each_other() -> None:
    book = AlarmBook()
    play(book, WARN)
    play(book, CRITICAL, probe="slots")
    assert {alarm.probe for alarm in book.open()} == {"lock_tree", "slots"}


def test_the_first_person_who_saw_it_stays_on_record() -> None:
    book = AlarmBook()
    play(book, CRITICAL)
    (alarm,) = book.open()
    assert [c.change for c in book.acknowledged(alarm.id, "ada")] == [Change.ACKNOWLEDGED]
    assert book.acknowledged(alarm.id, "bob") == []
    assert book.acknowledged(alarm.id + 1, "bob") == []
    play(book, WARN)
    assert [a.acknowledged for a in book.open()] == ["ada"], "what got better need not be seen again"
    play(book, CRITICAL)
    assert [a.acknowledged for a in book.open()] == [""], "what got worse must be"


def test_identifiers_are_moments_and_never_meet() -> None:
    book = AlarmBook([Alarm(1_000_000, "old", WARN, "", 1000.0, 1001.0)])
    play(book, WARN)
    play(book, WARN, probe="slots")
    assert [alarm.id for alarm in book.open()] == [1_000_002, 1_000_001]
    assert [alarm.probe for alarm in AlarmBook(book.open()).open()] == ["slots", "lock_tree"]


def test_the_evidence_is_frozen_and_bounded() -> None:
    book = AlarmBook()
    rows = tuple({"pid": number, "query": "x" * 10_000} for number in range(500))
    (changed,) = book.judged(Reading("sessions", 1.0, 0.1, Quality.OK, rows), WARN, "many")
    assert len(changed.alarm.evidence) == 20
    assert all(len(row["query"]) == 300 for row in changed.alarm.evidence)
