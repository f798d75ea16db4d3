"""How far a standby is behind, also one that replays nothing at all."""

from __future__ import annotations

from migconsole.domain.lag import LagClock


def test_nothing_is_behind_without_a_standby_or_with_one_that_follows() -> None:
    clock = LagClock()
    assert clock.lag(0, 0, None) == 0
    assert clock.lag(5, 100, 0) == 0


def test_a_standby_that_stands_still_falls_behind_by_the_clock() -> None:
    clock = LagClock()
    assert clock.lag(0, 0, 0) == 0
    assert clock.lag(10, 100, 100) == 10
    assert clock.lag(20, 200, 200) == 20
    assert clock.lag(30, 200, 200) == 30, "also when nothing more is written"


def test_one_that_catches_up_is_behind_by_what_is_left() -> None:
    clock = LagClock()
    for moment in range(0, 50, 10):
        clock.lag(moment, moment * 10, 0)
    assert clock.lag(50, 500, 250) == 30
    assert clock.lag(60, 500, 0) == 0


def test_one_that_was_behind_before_is_behind_since_the_beginning_at_least() -> None:
    clock = LagClock()
    clock.lag(100, 0, 5000)
    assert clock.lag(107, 10, 5010) == 7
