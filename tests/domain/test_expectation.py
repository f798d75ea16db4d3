from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.expectation import (
    Condition,
    Expectation,
    ExpectationError,
    Observation,
    evaluate,
    parse,
    parse_condition,
    patterns,
)

GB = 1024**3


def sql(block: dict[str, Any], *results: Observation) -> tuple[bool | None, tuple[str, ...]]:
    judged = evaluate(parse(block, "sql"), results)
    return judged.passed, judged.reasons


def table(columns: str, *rows: tuple[Any, ...]) -> Observation:
    return Observation(columns=tuple(columns.split()), rows=list(rows))


def run(block: dict[str, Any], exit_code: int | None, output: str = "") -> tuple[bool | None, tuple[str, ...]]:
    expectation = parse(block, "run")
    seen = Observation(exit_code=exit_code, matched={p: p in output for p in patterns(expectation)})
    judged = evaluate(expectation, [seen])
    return judged.passed, judged.reasons


def check(block: dict[str, Any], **values: Any) -> tuple[bool | None, tuple[str, ...]]:
    judged = evaluate(parse(block, "check"), [Observation(values=values)])
    return judged.passed, judged.reasons


@pytest.mark.parametrize(
    ("expected", "count", "passed"),
    [(1, 1, True), (1, 2, False), (">= 1", 0, False), (">= 1", 3, True), ("0", 0, True), ("in (1, 2)", 2, True)],
)
def test_rows(expected: Any, count: int, passed: bool) -> None:
    assert sql({"rows": expected}, table("a", *[(1,)] * count))[0] is passed


def test_a_failure_says_expected_and_observed() -> None:
    assert sql({"rows": ">= 1"}, table("a")) == (False, ("rows: expected >= 1, got 0",))
    assert sql({"value": "> 0"}, table("n", (0,))) == (False, ("value: expected > 0, got 0",))
    assert run({"exit": 0}, 3) == (False, ("exit: expected 0, got 3",))


def test_a_pass_says_what_was_seen() -> None:
    assert sql({"value": "> 0"}, table("n", (7,))) == (True, ("value: 7, as expected (> 0)",))


@pytest.mark.parametrize("key", ["value", "column.n", "each", "matches"])
def test_zero_rows_are_never_a_pass(key: str) -> None:
    passed, reasons = sql({key: "x"}, table("n"))
    assert passed is False
    assert "got no rows" in reasons[0]


@pytest.mark.parametrize("key", ["rows", "value", "column.n", "each", "matches"])
def test_no_result_set_is_a_failure(key: str) -> None:
    assert sql({key: "1"}, Observation())[0] is False


@pytest.mark.parametrize(
    ("expected", "observed", "passed"),
    [
        ("> 0", 1, True),
        ("> 0", Decimal("0.0001"), True),
        ("> 0", "12", True),
        ("> 0", "many", False),
        ("> 0", True, False),
        ("> 0", None, False),
        ("!= 5", "text", False),
        ("!= 5", 6, True),
        ("!= x", None, False),
        (42, 42.0, True),
        ("'42'", "42", True),
        ("= public", "public", True),
        ("<> public", "audit", True),
        ("true", True, True),
        ("true", "t", True),
        ("false", False, True),
        ("null", None, True),
        ("!= null", "x", True),
        ("in (a, 'b, c')", "b, c", True),
        ("not in (a, b)", "c", True),
        ("not in (a, b)", "a", False),
        ("~ ^prod", "prod-1", True),
        ("!~ ^prod", "prod-1", False),
        ("< 5m", timedelta(minutes=4), True),
        ("< 5m", timedelta(minutes=6), False),
        (">= 10GB", 11 * GB, True),
        (">= 10 GB", 9 * GB, False),
        ("internal error", "internal error", True),
    ],
)
def test_values(expected: Any, observed: Any, passed: bool) -> None:
    assert sql({"value": expected}, table("v", (observed,)))[0] is passed


def test_a_value_is_exactly_one_cell() -> None:
    assert sql({"value": "> 0"}, table("n", (1,), (1,)))[0] is False
    assert sql({"value": "> 0"}, table("a b", (1, 1)))[0] is False


def test_a_column_must_hold_in_every_row_and_exist() -> None:
    result = table("name n", ("a", 1), ("b", 0))
    assert sql({"column.n": "> 0"}, result) == (False, ("column.n: expected > 0, got 0 in row 2",))
    assert sql({"column.name": "in (a, b)"}, result)[0] is True
    passed, reasons = sql({"column.count": "> 0"}, result)
    assert passed is False
    assert "no such column (it has name, n)" in reasons[0]


def test_each_means_every_cell_of_every_row() -> None:
    assert sql({"each": "> 0"}, table("a b", (1, 2), (3, 4)))[0] is True
    assert sql({"each": "> 0"}, table("a b", (1, 2), (3, 0)))[0] is False


def test_matches_wants_a_cell_in_every_row() -> None:
    result = table("name def", ("a", "FOREIGN KEY"), ("b", "FOREIGN KEY"))
    assert sql({"matches": "FOREIGN"}, result)[0] is True
    assert sql({"matches": "^a$"}, result)[0] is False


def test_conditions_apply_to_every_statement_unless_numbered() -> None:
    results = (table("n", (5,)), table("n", (0,)))
    assert sql({"value": "> 0"}, *results) == (False, ("statement 2: value: expected > 0, got 0",))
    assert sql({"value[1]": "> 0", "value[2]": 0}, *results)[0] is True
    assert sql({"value[3]": "> 0"}, *results)[0] is False


def test_a_list_in_which_only_some_statements_are_judged_still_needs_those() -> None:
    assert sql({"rows[2]": 1}, table("n"), table("n", (1,)))[0] is True


@pytest.mark.parametrize(
    ("block", "exit_code", "output", "passed"),
    [
        ({"exit": 0}, 0, "", True),
        ({"exit": [0, 2]}, 2, "", True),
        ({"exit": [0, 2]}, 1, "", False),
        ({"exit": "< 3"}, 2, "", True),
        ({"output": "OK"}, 0, "OK", True),
        ({"output": "OK"}, 1, "OK", False),
        ({"output": "OK", "exit": 1}, 1, "OK", True),
        ({"output": "OK"}, 0, "", False),
        ({"output": ["one", "two"]}, 0, "one", False),
        ({"not_output": "ERROR"}, 0, "ERROR", False),
        ({"not_output": "ERROR"}, 0, "fine", True),
        ({"exit": 0}, None, "", False),
    ],
)
def test_commands(block: dict[str, Any], exit_code: int | None, output: str, passed: bool) -> None:
    assert run(block, exit_code, output)[0] is passed


def test_output_that_nobody_searched_is_no_pass() -> None:
    judged = evaluate(parse({"output": "OK"}, "run"), [Observation(exit_code=0)])
    assert judged.passed is None


def test_named_values_of_a_check() -> None:
    assert check({"free": ">= 2x database"}, free=5 * GB, database=2 * GB)[0] is True
    assert check({"free": ">= 2x database"}, free=3 * GB, database=2 * GB)[0] is False
    assert check({"pending": 0}, pending=0)[0] is True
    assert check({"missing": []}, missing=[])[0] is True
    assert check({"missing": []}, missing=["budgets"]) == (False, ("missing: expected [], got [budgets]",))
    assert check({"applied": ["b", "a"]}, applied=("a", "b"))[0] is True
    assert check({"idle": "< 10m"}, idle=599)[0] is True


@pytest.mark.parametrize("values", [{}, {"free": None, "database": 1}, {"free": 5, "database": None}, {"free": 5}])
def test_what_a_check_could_not_read_is_neither_pass_nor_failure(values: dict[str, Any]) -> None:
    assert check({"free": ">= 2x database"}, **values)[0] is None


def test_an_empty_list_is_not_a_missing_list() -> None:
    assert check({"missing": []}, missing=None)[0] is None
    assert check({"missing": []}, missing=0)[0] is False


def test_failure_outweighs_ignorance_and_ignorance_outweighs_success() -> None:
    assert check({"a": 1, "b": 1, "c": 1}, a=1, b=2)[0] is False
    assert check({"a": 1, "c": 1}, a=1)[0] is None


def test_nothing_expected_or_observed_asks_a_person() -> None:
    assert evaluate(None, [Observation(exit_code=0)]).passed is None
    assert evaluate(Expectation(()), [Observation(exit_code=0)]).passed is None
    assert evaluate(parse({"rows": 1}, "sql"), []).passed is None


@pytest.mark.parametrize(
    ("block", "kind", "message"),
    [
        ({"exit": "zero"}, "run", "whole number"),
        ({"rows": "> many"}, "sql", "no number"),
        ({"rows": [1, 2]}, "sql", r"in \(1, 2\)"),
        ({"rows": "some"}, "sql", "whole number"),
        ({"ouptut": "OK"}, "run", "exit, output or not_output"),
        ({"output": "("}, "run", "not a regular expression"),
        ({"output": "(a+)+"}, "run", "for ever"),
        ({"output": ""}, "run", "matches everything"),
        ({"output": "x" * 501}, "run", "500"),
        ({"value": ""}, "sql", "nothing to compare"),
        ({"value": ">"}, "sql", "nothing after the operator"),
        ({"value": ">> 1"}, "sql", "two operators"),
        ({"value": "in ()"}, "sql", "names no value"),
        ({"value": "in (a"}, "sql", "no closing"),
        ({"value": "in (a,,b)"}, "sql", "not a list"),
        ({"value": None}, "sql", "needs a value"),
        ({"value": {"a": 1}}, "sql", "needs a value"),
        ({"value[0]": 1}, "sql", "is no condition"),
        ({"exit[1]": 1}, "run", "is no condition"),
        ({"value": "x" * 3000}, "sql", "2000"),
        ({"free space": 1}, "check", "is no condition"),
    ],
)
def test_what_cannot_be_parsed_says_why(block: dict[str, Any], kind: str, message: str) -> None:
    with pytest.raises(ExpectationError, match=message):
        parse(block, kind)


def test_no_text_is_run_as_code() -> None:
    parse({"value": "__import__('os').abort()"}, "sql")
    assert sql({"value": "1 + 1"}, table("n", (2,)))[0] is False


def test_conditions_keep_what_was_written() -> None:
    assert parse_condition("value[2]", "> 0", "sql") == (Condition("value", "> 0", 2),)
    assert str(parse_condition("missing", [], "check")[0]) == "missing: []"


def test_patterns_are_asked_for_once() -> None:
    assert patterns(parse({"output": ["a", "b"], "not_output": "a"}, "run")) == ("a", "b")
    assert patterns(None) == ()


def test_a_huge_value_is_cut_in_the_reason() -> None:
    _, reasons = sql({"value": "x"}, table("n", ("y" * 100_000,)))
    assert len(reasons[0]) < 300


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_observed_value_is_judged_without_an_exception(observed: Any) -> None:
    for text in ("> 0", "x", "null", "in (a, b)", "[]", "~ a", "2x database", "!= true"):
        assert evaluate(parse({"v": text}, "check"), [Observation(values={"v": observed})]).reasons


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        expectation = parse({"v": text}, "check")
    except ExpectationError:
        return
    evaluate(expectation, [Observation(values={"v": text})])


def test_a_slow_pattern_cannot_be_fed_a_long_cell() -> None:
    begun = time.perf_counter()
    assert sql({"matches": r"a.*b$"}, table("t", ("a" * 5_000_000,)))[0] is False
    assert time.perf_counter() - begun < 10
