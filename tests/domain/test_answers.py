"""Answers by type: what is taken, in which form it is kept, and what is refused with words that help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.answers import FORMS, TYPES, AnswerError, check_answer

TAKEN = [
    ("text", " hello there ", "hello there"),
    ("number", "42", "42"),
    ("number", "-0.5", "-0.5"),
    ("size", "41GB", "41.0 GB"),
    ("duration", "90m", "1h30m"),
    ("window", "2026-11-22 23:00 3h", "2026-11-22T23:00Z 3h"),
    ("window", "2026-11-22T23:00:00Z 90m", "2026-11-22T23:00Z 1h30m"),
    ("path", "/var/backups", "/var/backups"),
    ("url", "https://status.example.com/x", "https://status.example.com/x"),
    ("choice", "SWAP", "swap"),
    ("yes-no", "Y", "yes"),
    ("yes-no", "no", "no"),
]
REFUSED = [
    ("number", "many"),
    ("number", "nan"),
    ("number", "inf"),
    ("number", "1_000"),
    ("size", "large"),
    ("duration", "soon"),
    ("window", "tonight"),
    ("window", "2026-13-45T99:99Z 3h"),
    ("window", "2026-11-22T23:00Z long"),
    ("window", "9999-12-31T20:00Z 3h"),
    ("window", "0026-11-22T23:00Z 3h"),
    ("window", "2026-11-22T23:00Z 99999999999d"),
    ("url", "status page"),
    ("choice", "burn"),
    ("choice", ""),
    ("yes-no", "maybe"),
    ("text", "   "),
    ("text", "two\nlines"),
    ("text", "zero\0byte"),
    ("path", "\x1b[2J"),
    ("text", "half \udc80"),
]


@pytest.mark.parametrize(("kind", "given", "kept"), TAKEN)
def test_taken(kind: str, given: str, kept: str) -> None:
    assert check_answer(kind, given, ("swap", "in-place")) == kept


@pytest.mark.parametrize(("kind", "given"), REFUSED)
def test_refused_with_what_is_expected(kind: str, given: str) -> None:
    with pytest.raises(AnswerError) as caught:
        check_answer(kind, given, ("swap", "in-place"))
    assert FORMS[kind] in str(caught.value)


def test_every_type_says_what_it_wants() -> None:
    assert set(FORMS) == set(TYPES)


@given(st.sampled_from(TYPES), st.text(max_size=40))
def test_whatever_is_typed_is_taken_or_refused(kind: str, text: str) -> None:
    try:
        kept = check_answer(kind, text, ("swap",))
    except AnswerError:
        return
    assert kept
    assert check_answer(kind, kept, ("swap",)) == kept
