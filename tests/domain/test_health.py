"""Rates from samples: never negative, never guessed, never zero for what was not read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.health import HISTORY, HealthHistory, HealthSample

FULL = HealthSample(
    at=10.0,
    connections={"active": 2, "idle": 5},
    max_connections=100,
    blocked=0,
    oldest_xact=1.5,
    database_size=1000,
    commits=100,
    rollbacks=10,
    blocks_hit=900,
    blocks_read=100,
)


def test_the_first_sample_has_no_rates() -> None:
    view = HealthHistory().add(FULL)
    assert (view.tps, view.cache_hit, view.growth) == (None, None, 0)
    assert view.history["connections"] == (7.0,)


def test_rates_are_per_second_between_two_samples() -> None:
    history = HealthHistory()
    history.add(FULL)
    after = replace(FULL, at=12.0, commits=140, rollbacks=20, blocks_hit=990, blocks_read=110, database_size=1500)
    view = history.add(after, cost=0.004)
    assert (view.tps, view.cache_hit, view.growth, view.cost) == (25.0, 0.9, 500, 0.004)


@pytest.mark.parametrize("field", ["commits", "rollbacks"])
def test_a_counter_that_goes_back_gives_no_rate(field: str) -> None:
    history = HealthHistory()
    history.add(FULL)
    assert history.add(replace(FULL, at=12.0, **{field: 0})).tps is None


@pytest.mark.parametrize("at", [10.0, 9.0])
def test_no_time_gives_no_rate(at: float) -> None:
    history = HealthHistory()
    history.add(FULL)
    assert history.add(replace(FULL, at=at, commits=200)).tps is None


def test_no_reads_give_no_hit_ratio_rather_than_a_perfect_one() -> None:
    history = HealthHistory()
    history.add(FULL)
    assert history.add(replace(FULL, at=12.0)).cache_hit is None


def test_a_dead_server_is_unknown_everywhere_and_the_next_sample_starts_afresh() -> None:
    history = HealthHistory()
    history.add(FULL)
    dead = history.add(HealthSample(12.0, problem="connection refused"))
    assert dead.problem == "connection refused"
    assert {name: values[-1] for name, values in dead.history.items()} == dict.fromkeys(dead.history)
    again = history.add(replace(FULL, at=14.0, commits=500))
    assert (again.tps, again.problem) == (None, "")
    assert history.add(replace(FULL, at=16.0, commits=520)).tps == 10.0


def test_growth_counts_from_the_first_size_seen() -> None:
    history = HealthHistory()
    history.add(HealthSample(1.0))
    history.add(replace(FULL, at=2.0, database_size=4000))
    assert history.add(replace(FULL, at=3.0, database_size=3000)).growth == -1000
    assert history.add(HealthSample(4.0)).growth is None


def test_views_are_not_changed_by_later_samples() -> None:
    history = HealthHistory()
    view = history.add(FULL)
    history.add(replace(FULL, at=12.0))
    assert len(view.history["tps"]) == 1


@given(st.lists(st.integers(0, 10**6), max_size=150))
def test_history_is_bounded_and_rates_are_never_negative(commits: list[int]) -> None:
    history, view = HealthHistory(), None
    for number, value in enumerate(commits):
        view = history.add(replace(FULL, at=float(number), commits=value))
        assert view.tps is None or view.tps >= 0
    if view is not None:
        assert {len(values) for values in view.history.values()} == {min(len(commits), HISTORY)}
