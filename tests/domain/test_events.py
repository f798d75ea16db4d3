"""The canonical form and the chain: the same data the same bytes, and no two different events the same hash."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.events import GENESIS, canonical, chain_hash

TEXT = st.text(max_size=30)
DATA = st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), st.booleans(), st.none(), st.lists(TEXT, max_size=3)))
ARGUMENTS = (GENESIS, 1, "2030-01-01T00:00:00.000Z", 12.5, "note", "ana", "", '{"text":"x"}')


@given(DATA)
def test_canonical_text_is_stable_and_loses_nothing(data: dict[str, object]) -> None:
    text = canonical(data)
    assert json.loads(text) == data
    assert canonical(json.loads(text)) == text
    assert canonical(dict(reversed(data.items()))) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_does_not_know_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        canonical({"duration": value})


@pytest.mark.parametrize("position", range(len(ARGUMENTS)))
def test_every_field_is_in_the_hash(position: int) -> None:
    changed = list(ARGUMENTS)
    value = changed[position]
    changed[position] = f"{value}x" if isinstance(value, str) else value + 1  # type: ignore[operator]
    assert chain_hash(*changed) != chain_hash(*ARGUMENTS)  # type: ignore[arg-type]


@given(TEXT, TEXT, st.integers(0, 30))
def test_fields_cannot_run_together(actor: str, key: str, cut: int) -> None:
    moved = (actor + key)[:cut], (actor + key)[cut:]
    same = moved == (actor, key)
    first = chain_hash(GENESIS, 1, "at", 1.0, "note", actor, key, "{}")
    assert (chain_hash(GENESIS, 1, "at", 1.0, "note", *moved, "{}") == first) == same


def test_half_characters_can_be_hashed() -> None:
    assert len(chain_hash(GENESIS, 1, "at", 1.0, "note", "a\udc80", "", "{}")) == 64
