"""The verdict of a comparison: what became slower is found, noise is not, and what is not known is said."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.fingerprint import fingerprint, normal
from migconsole.domain.own_statements import left_out
from migconsole.domain.readings import Level, Quality, Reading
from migconsole.domain.regression import BY_ID, BY_TEXT, Comparison, compare, sustained, welch
from migconsole.domain.snapshots import Snapshot, Span
from migconsole.domain.windows import Statement
from tests.domain.comparing import Server

ORDERS = "SELECT id, number FROM orders WHERE client_id = $1 ORDER BY placed_at DESC LIMIT $2"


def noise(mean: float, count: int, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [max(0.0, chance.gauss(mean, mean / 4)) for _ in range(count)]


def both(server: Server, then: list[float], now: list[float], text: str = ORDERS, number: str = "1") -> Comparison:
    """A statement in the baseline and after it, beside one that always takes the same."""
    server.call("other", noise(2.0, 400), "SELECT * FROM products WHERE id = $1")
    server.call(number, noise(1.0, 10), text)
    a = server.look(0)
    server.call(number, then)
    server.call("other", noise(2.0, 400, 2))
    b = server.look(600)
    c = server.look(700)
    server.call(number, now)
    server.call("other", noise(2.0, 400, 3))
    return compare(Span(a, b), Span(c, server.look(1300)))


# -- verdicts ----------------------------------------------------------------------------------------------------------


def test_a_statement_that_takes_ten_times_as_long_is_critical_and_named() -> None:
    found = both(Server(), noise(1.0, 200), noise(10.0, 200, 5))
    assert [change.text for change in found.regressed] == [ORDERS]
    (change,) = found.regressed
    assert change.level is Level.CRITICAL
    assert change.link == BY_ID
    assert change.ratio == pytest.approx(10, rel=0.1)
    assert change.z > 4
    assert (found.count(Level.CRITICAL), found.count(Level.WARN), found.judged, found.void) == (1, 0, 2, "")
    assert not found.improved
    assert not found.new


def test_twice_as_long_is_a_warning_and_half_as_long_an_improvement() -> None:
    assert [change.level for change in both(Server(), noise(1.0, 200), noise(3.0, 200)).regressed] == [Level.WARN]
    found = both(Server(), noise(4.0, 200), noise(1.0, 200))
    assert not found.regressed
    assert [change.text for change in found.improved] == [ORDERS]


@pytest.mark.parametrize(
    ("then", "now", "why"),
    [
        (noise(1.0, 49), noise(10.0, 200), "only 49 calls in the baseline"),
        (noise(1.0, 200), noise(10.0, 49), "only 49 calls since then"),
    ],
)
def test_few_calls_have_no_verdict(then: list[float], now: list[float], why: str) -> None:
    found = both(Server(), then, now)
    assert not found.regressed
    assert [(one.text, one.reason) for one in found.unknown] == [(ORDERS, why)]


def test_what_costs_next_to_nothing_is_no_regression() -> None:
    found = both(Server(), noise(0.001, 200), noise(0.01, 200))
    assert not found.regressed
    assert found.judged == 2


def test_a_wide_spread_is_noise() -> None:
    lucky = [1.0] * 195 + [400.0] * 5
    unlucky = [1.0] * 188 + [400.0] * 12
    found = both(Server(), lucky, unlucky)
    assert sum(unlucky) / sum(lucky) > 2
    assert not found.regressed


@given(st.floats(0.5, 50), st.integers(0, 10_000), st.integers(60, 300))
def test_the_same_load_is_never_a_regression(mean: float, seed: int, calls: int) -> None:
    found = both(Server(), noise(mean, calls, seed), noise(mean, calls, seed + 1))
    assert not found.regressed
    assert not found.improved
    assert found.judged == 2


@given(st.floats(8.0, 500.0), st.integers(60, 300), st.integers(0, 10_000))
def test_a_large_factor_is_always_found(factor: float, calls: int, seed: int) -> None:
    found = both(Server(), noise(1.0, calls, seed), noise(factor, calls, seed + 1))
    assert [change.text for change in found.regressed] == [ORDERS]
    assert found.regressed[0].impact <= 1


@given(
    st.tuples(st.floats(0.01, 100), st.floats(0, 50), st.integers(2, 1000)),
    st.tuples(st.floats(0.01, 100), st.floats(0, 50), st.integers(2, 1000)),
)
def test_welch_is_antisymmetric_and_zero_for_equals(a: tuple[float, float, int], b: tuple[float, float, int]) -> None:
    def statement(mean: float, deviation: float, calls: int) -> Statement:
        return Statement((1, 1, True, "1"), calls, mean * calls, mean, deviation, {})

    one, other = statement(*a), statement(*b)
    assert welch(one, other) == pytest.approx(-welch(other, one))
    assert welch(one, one) == 0
    assert math.isinf(welch(statement(1, 0, 5), statement(2, 0, 5)))


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=40), st.lists(st.floats(0, 1000), min_size=1, max_size=40))
def test_a_window_has_exactly_the_mean_and_deviation_of_its_calls(first: list[float], then: list[float]) -> None:
    server = Server()
    server.call("1", first)
    a = server.look(0)
    server.call("1", then)
    (statement,) = Span(a, server.look(60)).statements().statements
    mean = math.fsum(then) / len(then)
    deviation = math.sqrt(math.fsum((time - mean) ** 2 for time in then) / len(then))
    assert statement.calls == len(then)
    assert statement.mean == pytest.approx(mean, abs=1e-6)
    assert statement.deviation == pytest.approx(deviation, abs=0.05)


# -- finding a statement again -----------------------------------------------------------------------------------------


def test_a_new_number_is_found_by_its_text() -> None:
    server = Server()
    server.call("1", noise(1.0, 100), ORDERS)
    a = server.look(0)
    server.call("1", noise(1.0, 200))
    b = server.look(600)
    server.call(
        "2",
        noise(10.0, 200),
        "select id, number, total from orders where client_id = $1 order by placed_at desc limit $2",
    )
    found = compare(Span(a, b), Span(b, server.look(1200)))
    (change,) = found.regressed
    assert change.link == BY_TEXT
    assert not found.new
    assert not found.vanished


def test_new_and_vanished_are_apart_and_without_a_text_nothing_is_guessed() -> None:
    server = Server()
    server.call("1", noise(1.0, 100), ORDERS)
    a = server.look(0)
    server.call("1", noise(1.0, 200))
    b = server.look(600)
    server.call("2", noise(1.0, 200), "SELECT 1")
    found = compare(Span(a, b), Span(b, server.look(1200)))
    assert [one.text for one in found.new] == ["SELECT 1"]
    assert [one.text for one in found.vanished] == [ORDERS]
    assert found.count(Level.CRITICAL) is None, "nothing could be judged, which is no pass"
    blind = compare(Span(_blind(a), _blind(b)), Span(_blind(b), _blind(server.look(1200))))
    assert not blind.new
    assert ["its text was not read" in one.reason for one in blind.unknown] == [True]


def test_a_monitor_that_asks_most_has_no_verdict_and_hides_none() -> None:
    """On a quiet server our own statements are most of the time: a share of that would make every harm a small one."""
    server, ours = Server(), "SELECT /* migconsole */ count(*) FROM pg_catalog.pg_class"
    server.call("own", noise(50.0, 400), ours)
    server.call("gone", noise(50.0, 400), "WITH /* migconsole */ a AS (SELECT 1) TABLE a")
    server.call("1", noise(1.0, 10), ORDERS)
    a = server.look(0)
    server.call("1", noise(1.0, 100))
    server.call("own", noise(50.0, 400, 2))
    server.call("gone", noise(50.0, 400, 2))
    b = server.look(600)
    server.call("1", noise(10.0, 100, 3))
    server.call("own", noise(500.0, 400, 3))
    server.call("fresh", noise(500.0, 100), "SELECT /* migconsole */ 1 WHERE 'migconsole' <> ''")
    # What was not known to be ours in the baseline is by now.
    found = compare(Span(_blind(a), _blind(b)), Span(_blind(b), server.look(1200)))
    assert [(change.text, change.level) for change in found.regressed] == [(ORDERS, Level.CRITICAL)]
    assert found.regressed[0].impact > 0.8
    assert (found.judged, found.improved, found.new, found.vanished, found.unknown) == (1, (), (), (), ())
    assert [sorted(one.key[3] for one in window.statements) for window in found.own] == [
        ["gone", "own"],
        ["fresh", "own"],
    ]
    assert left_out(found.own[1]) == "migconsole's own are left out: 2 statements, 99.6% of the time"


def _blind(snapshot: Snapshot) -> Snapshot:
    return Snapshot(snapshot.at, {name: one for name, one in snapshot.readings.items() if name != "statement_texts"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT * FROM t WHERE a = $1", "select *  from t\nwhere a = 42 -- why"),
        ("SELECT a, b FROM t WHERE c IN ($1, $2, $3)", "SELECT a, b, added FROM t WHERE c IN ($1)"),
        ('SELECT "t"."a" FROM "t"', 'SELECT "t"."a", "t"."b" AS "c" FROM "t"'),
        ("INSERT INTO t VALUES ($1, $2), ($3, $4)", "INSERT INTO t VALUES ($1,$2)"),
        ("SELECT 1;", "/* page 7 */ SELECT 'it''s'"),
    ],
)
def test_the_same_statement_in_another_dress(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t", "SELECT a FROM u"),
        ("SELECT count(*) FROM t", "SELECT a FROM t"),
        ('SELECT a FROM "T"', "SELECT a FROM t"),
        ("SELECT a FROM t WHERE a = $1", "SELECT a FROM t WHERE b = $1"),
        ("UPDATE t SET a = $1", "UPDATE t SET b = $1"),
    ],
)
def test_different_statements_stay_apart(one: str, other: str) -> None:
    assert fingerprint(one) != fingerprint(other)


@given(st.text(max_size=300))
def test_normalising_is_idempotent_and_never_fails(text: str) -> None:
    assert normal(normal(text)) == normal(text)
    assert fingerprint("") == ""


# -- what makes a comparison void --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "value", "why"),
    [
        ("started_at", "2027-01-15T12:00:00+00:00", "restarted"),
        ("timeline", 2, "failed over"),
        ("in_recovery", True, "failed over"),
        ("system_identifier", "8", "another cluster"),
        ("database_oid", 6, "replaced"),
    ],
)
def test_another_server_needs_a_fresh_baseline(what: str, value: object, why: str) -> None:
    server = Server()
    server.call("1", noise(1.0, 100), ORDERS)
    a = server.look(0)
    server.call("1", noise(1.0, 200))
    b = server.look(600)
    server.identity = server.identity | {what: value}
    c = server.look(700)
    server.call("1", noise(10.0, 200))
    found = compare(Span(a, b), Span(c, server.look(1300)))
    assert why in found.void
    assert "fresh baseline" in found.void
    assert found.judged == 0
    assert found.count(Level.CRITICAL) is None


def test_a_reset_inside_a_window_makes_its_statements_incomparable() -> None:
    server = Server()
    server.call("1", noise(1.0, 100), ORDERS)
    a = server.look(0)
    server.call("1", noise(1.0, 200))
    b = server.look(600)
    server.health = server.health | {"stats_reset": "2027-01-15T00:00:00+00:00"}
    found = compare(Span(a, b), Span(b, server.look(1200)))
    assert found.judged == 0
    assert [one.reason for one in found.unknown] == ["since then the statistics were reset"]
    assert any("reset" in note for note in found.notes)


def test_a_reset_between_the_windows_is_said_and_harms_nothing() -> None:
    server = Server()
    server.call("1", noise(1.0, 100), ORDERS)
    a = server.look(0)
    server.call("1", noise(1.0, 200))
    b = server.look(600)
    server.times.clear()
    server.health = server.health | {"stats_reset": "2027-01-15T00:00:00+00:00"}
    server.call("1", noise(10.0, 5))
    c = server.look(700)
    server.call("1", noise(10.0, 200))
    found = compare(Span(a, b), Span(c, server.look(1300)))
    assert [change.level for change in found.regressed] == [Level.CRITICAL]
    assert "statistics of statements were reset in between" in found.notes


def test_without_statistics_of_statements_there_is_no_comparison() -> None:
    bare = Reading("pgss_delta", 1.0, 0.0, Quality.NOT_AVAILABLE, (), "the extension is not in this database")
    snapshot = Snapshot(1.0, {"pgss_delta": bare})
    found = compare(Span(None, snapshot), Span(snapshot, snapshot))
    assert "the extension is not in this database" in found.void
    assert found.count(Level.WARN) is None


def test_one_snapshot_is_a_baseline_since_the_statistics_began() -> None:
    server = Server()
    server.call("1", noise(1.0, 300), ORDERS)
    only = server.look(600)
    server.call("1", noise(10.0, 200))
    found = compare(Span(None, only), Span(only, server.look(1200)))
    assert [change.level for change in found.regressed] == [Level.CRITICAL]
    assert found.regressed[0].before.calls == 300


# -- the load ----------------------------------------------------------------------------------------------------------


def test_a_drop_in_traffic_is_no_success() -> None:
    found = both(Server(), noise(1.0, 2000), noise(1.0, 60))
    assert found.traffic is not None
    assert found.traffic < 0.5
    assert any("of the baseline's traffic" in note for note in found.notes)
    assert next(metric.level for metric in found.metrics if metric.name == "tps") is Level.WARN


def test_after_a_start_reads_are_muted_and_it_is_said() -> None:
    server = Server()
    server.identity = server.identity | {"started_at": "2027-01-15T08:00:00+00:00"}  # START
    server.call("1", noise(1.0, 100), ORDERS)
    a = server.look(0)
    server.call("1", noise(1.0, 200))
    b = server.look(300)
    server.call("1", noise(1.0, 200))
    found = compare(Span(a, b), Span(b, server.look(600)))
    assert any("caches are warming" in note for note in found.notes)
    assert {m.name for m in found.metrics if m.muted} == {"blocks_read", "cache_hit"}
    later = compare(Span(a, b), Span(b, server.look(1000)))
    assert not any("caches are warming" in note for note in later.notes)


def test_clues_name_blocks_and_the_table_that_is_read_sequentially() -> None:
    server = Server()

    def table(scans: int) -> None:
        server.tables = [{"oid": 1, "relation": "public.orders", "seq_scans": scans}]

    table(0)
    server.call("1", noise(1.0, 100), ORDERS, blocks=4)
    a = server.look(0)
    server.call("1", noise(1.0, 200), blocks=4)
    b = server.look(600)
    server.call("1", noise(10.0, 600), blocks=2000)
    table(600)
    (change,) = compare(Span(a, b), Span(b, server.look(1200))).regressed
    assert change.clue == (
        "500× the blocks for the same rows: another plan, or bloat; "
        "orders is read sequentially 1.0 times a second, 0.0/s before"
    )


# -- windows that follow each other, and short ones --------------------------------------------------------------------


def after_windows(*ends: tuple[float, list[float]]) -> tuple[Span, list[Span]]:
    """A baseline of ORDERS at 1 ms, and windows that follow each other: (end in seconds, times of its calls)."""
    server = Server()
    server.call("1", noise(1.0, 10), ORDERS)
    a = server.look(0)
    server.call("1", noise(1.0, 200))
    before, begin, found = Span(a, server.look(600)), server.look(700), []
    for end, times in ends:
        server.call("1", times)
        found.append(Span(begin, server.look(700 + end)))
        begin = found[-1].end
    return before, found


@pytest.mark.parametrize(
    ("windows", "lasts"),
    [
        ([(900, 10.0)], None),
        ([(900, 10.0), (1800, 10.0)], 1),
        ([(900, 10.0), (1800, 1.0)], 0),
        ([(900, 1.0), (1800, 10.0)], 0),
        ([(900, 10.0), (1800, 3.0)], 0),
        ([(900, 10.0), (1800, 1.0), (3600, 10.0)], 0),
        ([(900, 1.0), (1800, 10.0), (3600, 10.0)], 1),
    ],
)
def test_only_what_is_critical_in_the_two_newest_windows_lasts(
    windows: list[tuple[float, float]], lasts: int | None
) -> None:
    before, found = after_windows(*((end, noise(mean, 100, int(end))) for end, mean in windows))
    assert sustained(before, found) == lasts


def test_a_window_that_has_just_begun_does_not_hide_what_lasted() -> None:
    before, found = after_windows((900, noise(10, 100)), (1800, noise(10, 100)), (1810, noise(10, 3)))
    assert sustained(before, found) == 1


def test_slower_by_time_alone_is_no_more_than_a_warning_in_less_than_a_minute() -> None:
    for seconds, level in ((59, Level.WARN), (61, Level.CRITICAL)):
        before, (window,) = after_windows((seconds, noise(10, 100)))
        (change,) = compare(before, window).regressed
        assert change.level is level
        assert "waits, or a busier machine" in change.clue


def test_more_blocks_are_critical_in_a_short_window_too() -> None:
    server = Server()
    server.call("1", noise(1.0, 10), ORDERS)
    a = server.look(0)
    server.call("1", noise(1.0, 200))
    before, begin = Span(a, server.look(600)), server.look(700)
    server.call("1", noise(10.0, 100), blocks=500)
    (change,) = compare(before, Span(begin, server.look(720))).regressed
    assert change.level is Level.CRITICAL


def test_waits_that_last_a_minute_over_two_short_windows_are_critical() -> None:
    slow = noise(10, 100)
    before, found = after_windows((35, slow), (70, slow))
    assert [compare(before, window).count(Level.CRITICAL) for window in found] == [0, 0]
    assert sustained(before, found) == 1
    before, found = after_windows((20, slow), (40, slow))
    assert sustained(before, found) == 0


def test_what_ran_too_seldom_in_one_of_the_windows_was_not_found_to_be_well() -> None:
    server = Server()
    server.call("1", noise(1.0, 10), ORDERS)
    server.call("2", noise(1.0, 10), ORDERS)
    a = server.look(0)
    server.call("1", noise(1.0, 200))
    server.call("2", noise(1.0, 200))
    before, middle = Span(a, server.look(600)), server.look(700)
    server.call("1", noise(10.0, 3))
    server.call("2", noise(1.0, 200))
    first = Span(middle, server.look(1600))
    server.call("1", noise(10.0, 100))
    server.call("2", noise(1.0, 200))
    second = Span(first.end, server.look(2500))
    assert compare(before, first).judged
    assert sustained(before, [first, second]) is None
