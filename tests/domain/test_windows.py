"""Windows of statement statistics: exact mean and deviation, and everything that makes a comparison void."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.rewrites import estimate
from migconsole.domain.windows import Window, window

TIMES = st.lists(st.floats(0.01, 10_000), min_size=1, max_size=40)
HEALTH: dict[str, Any] = {"stats_reset": "2026-01-01", "dealloc": 3, "track": "top"}


def row(times: list[float], queryid: str = "1", **more: Any) -> dict[str, Any]:
    kept = {
        "dbid": 1,
        "userid": 2,
        "toplevel": True,
        "queryid": queryid,
        "calls": len(times),
        "total_ms": sum(times),
        "mean_ms": statistics.fmean(times) if times else 0.0,
        "sd_ms": statistics.pstdev(times) if times else 0.0,
        "rows": len(times),
        "wal_bytes": None,
        "since": None,
    }
    return kept | more


@given(before=TIMES, during=TIMES)
def test_the_window_is_what_happened_in_it(before: list[float], during: list[float]) -> None:
    made = window([row(before)], [row(before + during)], 10, health_before=HEALTH, health_after=HEALTH)
    (statement,) = made.statements
    assert statement.calls == len(during)
    assert statement.mean == pytest.approx(statistics.fmean(during), rel=1e-6)
    largest = max(before + during)
    assert statement.deviation == pytest.approx(statistics.pstdev(during), rel=1e-3, abs=1e-4 * largest)
    assert statement.counters["rows"] == len(during)
    assert statement.counters["wal_bytes"] is None
    assert not statement.new
    assert made.total == pytest.approx(sum(during), rel=1e-6)
    assert not made.problems


def test_new_quiet_and_vanished_statements() -> None:
    quiet, gone, fresh = row([1.0], "quiet"), row([1.0], "gone"), row([2.0, 4.0], "fresh")
    made = window([quiet, gone], [quiet, fresh], 10, health_before=HEALTH, health_after=HEALTH)
    (statement,) = made.statements
    assert (statement.key[3], statement.new, statement.mean) == ("fresh", True, 3.0)
    assert [key[3] for key in made.vanished] == ["gone"]
    assert not made.incomparable


def test_some_are_looked_at_apart_and_shares_stay_of_one_whole() -> None:
    mine, yours = row([1.0], "mine"), row([3.0], "yours")
    lost, back = row([1.0], "lost"), row([5.0, 5.0], "back", since="2026-01-02")
    made = window([lost, row([5.0], "back")], [mine, yours, back], 10, health_before=HEALTH, health_after=HEALTH)
    others, own = made.apart({"mine", "lost", "back"})
    assert [one.key[3] for one in others.statements] == ["yours"]
    assert (others.count, others.total, others.whole, others.incomparable, others.vanished) == (1, 3.0, 4.0, (), ())
    assert [one.key[3] for one in own.statements] == ["mine"]
    assert [one.key[3] for one in own.incomparable] == ["back"]
    assert [key[3] for key in own.vanished] == ["lost"]
    assert (own.count, own.total, own.whole) == (2, 1.0, 4.0)
    assert made.apart(()) == (replace(made, whole=4.0), Window(10, problems=made.problems, whole=4.0))


def test_a_reset_voids_everything() -> None:
    after = HEALTH | {"stats_reset": "2026-02-02"}
    made = window([row([1.0])], [row([1.0, 2.0])], 10, health_before=HEALTH, health_after=after)
    assert not made.statements
    assert [one.reason for one in made.incomparable] == ["the statistics were reset"]
    assert made.problems == ("the statistics were reset in between",)


def test_after_evictions_what_seems_new_may_be_old() -> None:
    after = HEALTH | {"dealloc": 5}
    made = window([row([1.0], "known")], [row([1.0, 2.0], "known"), row([9.0], "back")], 10,
                  health_before=HEALTH, health_after=after)  # fmt: skip
    assert [one.key[3] for one in made.statements] == ["known"]
    assert [one.key[3] for one in made.incomparable] == ["back"]
    assert made.problems == ("statements were evicted 2 times in between",)


@pytest.mark.parametrize(
    ("earlier", "later", "reason"),
    [
        (row([1.0, 2.0]), row([1.0]), "its counters went backwards"),
        (row([5.0]), row([1.0, 1.0]), "its counters went backwards"),
        (row([1.0], since="a"), row([1.0, 2.0], since="b"), "its own counters were reset"),
    ],
)
def test_counters_that_do_not_go_on_are_named(earlier: dict[str, Any], later: dict[str, Any], reason: str) -> None:
    made = window([earlier], [later], 10, health_before=HEALTH, health_after=HEALTH)
    assert not made.statements
    assert made.incomparable[0].reason.startswith(reason)


def test_without_health_the_doubt_is_said() -> None:
    assert window([], [], 10).problems == ("nothing says whether the statistics were reset or statements evicted",)


MB = 1024**2


@pytest.mark.parametrize(("done", "elapsed", "share"), [(145, 0.7, 0.27), (290, 1.4, 0.54), (430, 2.1, 0.80)])
def test_the_growth_of_a_rewrite_foretells_its_end(done: int, elapsed: float, share: float) -> None:
    """A measured one: a heap of 538 MB without an index, done after 2.8 s."""
    guess = estimate(heap=538 * MB, total=538 * MB, done=done * MB, elapsed=elapsed, still=0.0, wal=done * MB)
    assert guess.share == pytest.approx(share, abs=0.01)
    assert guess.eta is not None
    assert elapsed + guess.eta == pytest.approx(2.8, abs=0.25)


def test_a_plateau_at_the_heaps_size_is_an_index_being_sorted() -> None:
    def guess(**values: Any) -> str:
        return estimate(
            **({"heap": 404, "total": 810, "done": 404, "elapsed": 4.0, "still": 2.0, "wal": 9} | values)
        ).phase

    assert guess() == "sorting an index"
    assert guess(still=0.0) == "writing"
    assert guess(done=100) == "no growth"
    assert guess(total=404) == "no growth"
    assert guess(done=0, wal=0) == "scanning"
    assert guess(done=0) == "writing in place"
    assert guess(total=0) == "size unknown"
