"""Names, the marker, and the state table: each row of the rollback sheet."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.rollback import (
    INVALID,
    NAME_LIMIT,
    REBUILD_LIMIT,
    DatabaseRow,
    Mark,
    Marker,
    Names,
    failed_name,
    literal,
    operator_lock_key,
    parse_marker,
    point_name,
    run8,
    side_name,
)
from migconsole.domain.rollback_state import Replacement, State, derive

RUN = "0a1b2c3d4e5f"
NAMES = Names.of("shop", RUN)


def row(name: str, *, open_: bool = True, step: Mark | None = None, limit: int = -1, app: str = "shop") -> DatabaseRow:
    """A database, with our marker when ``step`` is given."""
    comment = None if step is None else Marker(RUN, app, step).text()
    return DatabaseRow(name, 1, open_, limit, comment)


def state(*rows: DatabaseRow, replacement: Replacement | None = None) -> State:
    """The state that rows show."""
    return derive(NAMES, {one.name: one for one in rows}, replacement).state


APP, SIDE, FAIL = NAMES.app, NAMES.side, NAMES.failed


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((row(APP),), State.IDLE),
        ((row(APP, open_=False),), State.CLOSED),
        ((row(APP), row(SIDE, step=Mark.RESTORING)), State.RESTORING),
        ((row(APP, open_=False), row(SIDE, step=Mark.RESTORING)), State.CLOSED),
        ((row(APP), row(SIDE, step=Mark.VERIFIED)), State.OPEN),
        ((row(APP), row(SIDE, step=Mark.VERIFIED, open_=False)), State.OPEN),
        ((row(APP), row(SIDE, step=Mark.ARMED)), State.OPEN),
        ((row(APP), row(SIDE, step=Mark.USED)), State.OPEN),
        ((row(APP), row(SIDE, step=Mark.ARMED, open_=False)), State.ARMED),
        ((row(APP), row(SIDE, step=Mark.USED, open_=False)), State.ARMED),
        ((row(APP, open_=False), row(SIDE, step=Mark.ARMED, open_=False)), State.FENCED),
        ((row(APP, open_=False), row(SIDE, step=Mark.VERIFIED)), State.CLOSED),
        ((row(APP, open_=False), row(SIDE, step=Mark.ARMED)), State.CLOSED),
        ((row(APP), row(FAIL, step=Mark.FAILED, open_=False)), State.SWAPPED),
        ((row(APP, open_=False), row(FAIL, step=Mark.FAILED, open_=False)), State.SWAPPED_CLOSED),
        ((row(APP), row(SIDE, step=Mark.ARMED, open_=False), row(FAIL, step=Mark.FAILED)), State.SWAPPED),
        ((), State.MISSING),
        ((row(SIDE, step=Mark.ARMED),), State.MISSING),
        ((row(FAIL, step=Mark.FAILED), row(SIDE, step=Mark.ARMED)), State.MISSING),
        ((row(APP, limit=INVALID),), State.LOST),
        ((row(APP), row(SIDE, step=Mark.ARMED, limit=INVALID)), State.LOST),
        ((row(APP), row(SIDE)), State.FOREIGN),
        ((row(APP), row(FAIL)), State.FOREIGN),
        ((row(APP), row(SIDE, step=Mark.ARMED, app="shop2")), State.FOREIGN),
    ],
)
def test_each_row_of_the_table(rows: tuple[DatabaseRow, ...], expected: State) -> None:
    assert state(*rows) is expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), State.REPLACING),
        ((row(APP, limit=INVALID),), State.REPLACING),
        ((row(APP, step=Mark.RESTORING),), State.REBUILDING),
        ((row(APP, limit=0),), State.REBUILDING),
        ((row(APP, limit=REBUILD_LIMIT),), State.REBUILDING),
        ((row(APP),), State.FOREIGN),
    ],
)
def test_a_missing_name_is_no_strangers_act_once_in_place_has_begun(
    rows: tuple[DatabaseRow, ...], expected: State
) -> None:
    assert state(*rows, replacement=Replacement(77)) is expected


def test_a_replacement_whose_drop_never_came_does_not_count() -> None:
    assert state(row(APP, open_=False), replacement=Replacement(1)) is State.CLOSED


def test_a_replacement_that_was_opened_is_done() -> None:
    assert state(row(APP), replacement=Replacement(77, opened=True)) is State.REPLACED


def test_a_strangers_act_shows_both_repair_commands() -> None:
    rows = {one.name: one for one in (row(FAIL, step=Mark.FAILED), row(SIDE, step=Mark.ARMED))}
    situation = derive(NAMES, rows)
    assert situation.stop
    assert situation.repairs == (
        'ALTER DATABASE "shop__failed_0a1b2c3d" RENAME TO "shop";',
        'ALTER DATABASE "shop__rb_0a1b2c3d" RENAME TO "shop";',
    )
    assert "Do not start the application" in situation.next[0]


@given(st.text(min_size=1, max_size=80).filter(lambda name: "\0" not in name and name.isprintable()))
def test_names_fit_and_keep_their_suffix(app: str) -> None:
    for make, word in ((side_name, "__rb_"), (failed_name, "__failed_"), (point_name, "__rp_")):
        name = make(app, RUN)
        assert len(name.encode()) <= NAME_LIMIT
        assert name.endswith(f"{word}{RUN[:8]}")
        assert app.startswith(name.removesuffix(f"{word}{RUN[:8]}"))


def test_a_name_is_never_cut_inside_a_character() -> None:
    assert side_name("ü" * 31 + "x", RUN) == "ü" * 25 + "__rb_0a1b2c3d"
    assert len(side_name("x" + "ü" * 31, RUN).encode()) <= NAME_LIMIT


@pytest.mark.parametrize("identifier", ["", "0a1b2c3", "shop", "0A1B2C3D", "../../etc"])
def test_an_identifier_that_is_none_makes_no_name(identifier: str) -> None:
    with pytest.raises(ValueError, match="eight hex"):
        run8(identifier)


def test_a_marker_survives_its_way_through_the_comment() -> None:
    marker = Marker(RUN, "sh\"o'p ü", Mark.FAILED, "b1", "f" * 64, "2026-11-24T14:02:00Z", 'was "this"\n')
    assert parse_marker(marker.text()) == marker


@pytest.mark.parametrize(
    "comment",
    [
        None,
        "",
        "production database",
        "{",
        "[]",
        "{}",
        '{"migconsole": 1}',
        json.dumps({"migconsole": RUN, "app": "shop", "step": "armed", "at": 7}),
        json.dumps({"migconsole": RUN, "app": "shop", "step": "ready"}),
        json.dumps({"migconsole": RUN, "app": "", "step": "armed"}),
        json.dumps({"migconsole": "../x", "app": "shop", "step": "armed"}),
        json.dumps({"migconsole": RUN, "step": "armed"}),
        '{"a":' * 50_000,
        Marker(RUN, "shop", Mark.ARMED).text() + " " * 200_000,
    ],
)
def test_every_other_comment_is_not_ours(comment: str | None) -> None:
    assert parse_marker(comment) is None


@given(st.text(max_size=200))
def test_no_comment_breaks_the_reader(comment: str) -> None:
    parse_marker(comment)
    parse_marker("{" + comment)


def test_the_lock_follows_the_name_and_fits_a_bigint() -> None:
    keys = {operator_lock_key(name) for name in ("shop", "Shop", "shop2", "größe")}
    assert len(keys) == 4
    assert all(-(2**63) <= key < 2**63 for key in keys)
    assert operator_lock_key("shop") == operator_lock_key("shop")


def test_literals_hold_quotes_and_backslashes() -> None:
    assert literal("a'b\\c") == "E'a''b\\\\c'"
