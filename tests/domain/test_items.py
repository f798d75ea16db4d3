"""Every state, every move: what is legal, where it leads, what it asks for, and what it says when it is not."""

from __future__ import annotations

import pytest

from migconsole.domain.items import BY_PERSON, RULES, ItemState, Move, refusal

S, M = ItemState, Move
ENDS = {M.VERIFY: S.VERIFIED, M.FAIL: S.FAILED, M.ASK: S.TODO, M.INTERRUPT: S.INTERRUPTED}
PERSON = {
    M.ATTEST: S.ATTESTED,
    M.ACCEPT: S.OK_WITH_ISSUES,
    M.SKIP: S.SKIPPED,
    M.EXCLUDE: S.NOT_APPLICABLE,
    M.FORCE: S.FORCED,
    M.DEFER: S.DEFERRED,
    M.REOPEN: S.TODO,
}
LEGAL: dict[ItemState, set[Move]] = {
    S.TODO: {M.START, M.ATTEST, M.ACCEPT, M.SKIP, M.EXCLUDE, M.DEFER, M.SENSE},
    S.RUNNING: set(ENDS),
    S.VERIFIED: {M.START, M.ACCEPT, M.REOPEN, M.REGRESS, M.OUTDATE},
    S.ATTESTED: {M.START, M.ACCEPT, M.REOPEN, M.OUTDATE},
    S.OK_WITH_ISSUES: {M.START, M.REOPEN, M.OUTDATE},
    S.FAILED: {M.START, M.ACCEPT, M.FORCE, M.DEFER, M.REOPEN},
    S.INTERRUPTED: {M.START, M.ATTEST, M.ACCEPT, M.FORCE, M.DEFER, M.REOPEN},
    S.SKIPPED: {M.REOPEN},
    S.NOT_APPLICABLE: {M.REOPEN},
    S.FORCED: {M.REOPEN},
    S.DEFERRED: {M.START, M.ATTEST, M.ACCEPT, M.EXCLUDE, M.REOPEN},
    S.REGRESSED: {M.START, M.ACCEPT, M.FORCE, M.DEFER, M.REOPEN, M.RECOVER},
}
for _state in (S.TODO, S.DEFERRED):
    LEGAL[_state] |= {M.COVER, M.OMIT}
for _state in (S.FAILED, S.INTERRUPTED):
    LEGAL[_state] |= {M.COVER}
REASONS = {M.ACCEPT: 3, M.SKIP: 3, M.EXCLUDE: 3, M.FORCE: 10, M.DEFER: 3, M.REOPEN: 3, M.OMIT: 3}


@pytest.mark.parametrize("state", S)
@pytest.mark.parametrize("move", M)
def test_every_move_from_every_state(state: ItemState, move: Move) -> None:
    allowed = refusal(state, move, reason="because it must be so") == ""
    assert allowed == (move in LEGAL[state])


@pytest.mark.parametrize("move", M)
def test_where_a_move_leads(move: Move) -> None:
    leads = {
        **ENDS,
        **PERSON,
        M.START: S.RUNNING,
        M.REGRESS: S.REGRESSED,
        M.RECOVER: S.VERIFIED,
        M.OUTDATE: S.REGRESSED,
        M.SENSE: S.VERIFIED,
    }
    leads |= {M.COVER: S.VERIFIED, M.OMIT: S.NOT_APPLICABLE}
    assert RULES[move].to is leads[move]


def test_what_a_person_may_do_is_what_the_table_says() -> None:
    assert set(PERSON) == BY_PERSON


@pytest.mark.parametrize("move", M)
def test_reasons_have_a_length_and_blanks_do_not_count(move: Move) -> None:
    state = next(s for s in S if move in LEGAL[s] and (move is not M.ACCEPT or s is S.FAILED))
    needed = REASONS.get(move, 0)
    assert refusal(state, move, reason="x" * needed) == ""
    if needed:
        assert f"at least {needed}" in refusal(state, move, reason="x" * (needed - 1))
        assert f"at least {needed}" in refusal(state, move, reason=" " * 40)


def test_required_items_are_neither_skipped_nor_excluded() -> None:
    for move in (M.SKIP, M.EXCLUDE):
        assert refusal(S.TODO, move, reason="not needed", required=True) == "a required item cannot be skipped"
    assert refusal(S.TODO, M.ATTEST, required=True) == ""


@pytest.mark.parametrize("state", [S.TODO, S.DEFERRED])
@pytest.mark.parametrize("move", [M.ATTEST, M.SKIP, M.EXCLUDE])
def test_no_way_around_a_failed_command(state: ItemState, move: Move) -> None:
    assert refusal(state, move, reason="looks fine to me", last="failed") != ""


@pytest.mark.parametrize("state", [S.TODO, S.DEFERRED, S.INTERRUPTED])
def test_an_unknown_outcome_is_attested_only_with_a_reason(state: ItemState) -> None:
    assert "at least 3" in refusal(state, M.ATTEST, last="interrupted")
    assert refusal(state, M.ATTEST, reason="checked the table", last="interrupted") == ""


@pytest.mark.parametrize("move", [M.SKIP, M.EXCLUDE])
def test_an_unknown_outcome_is_not_left_out(move: Move) -> None:
    assert "not known" in refusal(S.TODO, move, reason="never mind it", last="interrupted")


def test_a_running_item_takes_nothing_but_its_end() -> None:
    for move in BY_PERSON | {M.START}:
        assert refusal(S.RUNNING, move, reason="because it must be so") == "it is running"


def test_words_of_a_refusal_name_the_way_out() -> None:
    assert "force it (F)" in refusal(S.FAILED, M.ATTEST)
    assert "reopen it first (u)" in refusal(S.SKIPPED, M.START)
    assert "reopen it first (u)" in refusal(S.VERIFIED, M.SKIP, reason="abc")


def test_states_are_told_apart_without_colour() -> None:
    assert len({s.glyph for s in S}) == len({s.ascii_glyph for s in S}) == len({s.value for s in S}) == 12
    assert all(len(s.glyph) == len(s.ascii_glyph) == 1 and s.ascii_glyph.isascii() for s in S)


def test_green_and_trouble_do_not_overlap() -> None:
    assert not [s for s in S if s.done and s.problem]
    assert {s for s in S if s.done} == {
        S.VERIFIED,
        S.ATTESTED,
        S.OK_WITH_ISSUES,
        S.SKIPPED,
        S.NOT_APPLICABLE,
        S.FORCED,
    }
    assert {s for s in S if s.problem} == {S.FAILED, S.INTERRUPTED, S.REGRESSED}
