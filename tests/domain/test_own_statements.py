"""The mark in statements of our own, and what is said of them."""

from __future__ import annotations

import pytest

from migconsole.domain.own_statements import MARK, is_own, left_out, marked, own_numbers, signed
from migconsole.domain.windows import Incomparable, Statement, Window


def statement(number: str, total: float) -> Statement:
    return Statement((1, 2, True, number), 2, total, total / 2, 0.0, {})


@pytest.mark.parametrize("text", ["SELECT 1", "\n  select\n a FROM b", "WITH a AS (SELECT 1) TABLE a", "SELECT"])
def test_it_stands_behind_the_first_word(text: str) -> None:
    found = marked(text)
    assert is_own(found)
    assert found.replace(f" {MARK}", "", 1) == text
    assert not found.startswith(MARK), "PostgreSQL 18 keeps no comment in front"


def test_far_behind_it_is_something_else() -> None:
    assert not is_own("SELECT " + "a, " * 50 + MARK)
    assert own_numbers({"1": signed("SELECT 1"), "2": "SELECT 1", "3": None}) == {"1"}


def test_one_line_says_how_many_and_what_they_took() -> None:
    own = Window(10, (statement("1", 3.0), statement("2", 1.0)), (Incomparable((1, 2, True, "3"), "why"),), whole=400.0)
    assert left_out(own) == "migconsole's own are left out: 3 statements, 1.0% of the time"
    assert left_out(Window(10, (statement("1", 1.0),), whole=1.0)).endswith("1 statement, 100.0% of the time")
    assert left_out(Window(10, (), (Incomparable((1, 2, True, "3"), "why"),))) == (
        "migconsole's own are left out: 1 statement"
    )
    assert left_out(Window(10)) == ""
