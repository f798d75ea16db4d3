"""Every kind of event is told in words, and never by the name that only the code knows."""

from __future__ import annotations

import pytest

from migconsole.domain.event_words import names, words
from migconsole.domain.events import Event, Kind
from tests.domain.test_gates import CHECKLIST


def event(kind: str, **data: object) -> Event:
    return Event(1, "2030-01-01T00:00:00.000Z", 0.0, kind, "ana", data, "", "")


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_words_of_its_own_even_without_data(kind: Kind) -> None:
    said = words(event(kind), {})
    assert said.strip() or kind is Kind.NOTE
    assert not said.startswith(kind.value) or "." not in kind.value


def test_an_unknown_kind_is_told_by_its_name_and_its_data() -> None:
    assert words(event("later.kind", b=1, a="x", nested={"no": 1}), {}) == "later.kind: a x, b 1"


def test_gates_wires_and_sections_are_told_by_their_titles() -> None:
    known = names(CHECKLIST)
    gate = CHECKLIST.gates[0]
    said = words(event(Kind.GATE_VOTED, gate=gate.id, role="QA", initials="AL", vote="no-go", reason="no"), known)
    assert said == f"{gate.title}: QA (AL): NO-GO: no"
    assert words(event(Kind.TRIPWIRE, tripwire="x", state="tripped", by="clock"), {"tripwire:x": "Too late"}) == (
        "tripwire Too late tripped by the clock"
    )
