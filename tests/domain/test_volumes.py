"""Room on disk: summed up volume by volume, and unknown where nobody can see it."""

from __future__ import annotations

import pytest

from migconsole.domain.volumes import Need, Volume, dump_size, judge, kept_free, wal_need

DATA, WAL = Volume("data", 100), Volume("wal", 50)
BOTH = {"data": DATA, "wal": WAL}


def test_needs_of_one_volume_are_summed_up() -> None:
    (room,) = judge([Need("copy", 60, "data"), Need("rewrites", 41, "data")], BOTH)
    assert room.enough is False
    assert "copy" in room.line
    assert "rewrites" in room.line


def test_each_volume_is_judged_by_itself() -> None:
    data, wal = judge([Need("copy", 60, "data"), Need("WAL", 60, "wal")], BOTH)
    assert (data.enough, wal.enough) == (True, False)


def test_a_tenth_is_left_over() -> None:
    assert judge([Need("copy", 95, "data")], BOTH)[0].enough is False
    assert judge([Need("copy", 90, "data")], BOTH)[0].enough is True


def test_what_cannot_be_seen_is_unknown_and_never_enough() -> None:
    (room,) = judge([Need("copy", 1, "x")], {"x": Volume("x", None, "it is elsewhere")})
    assert room.enough is None
    assert "it is elsewhere" in room.line


@pytest.mark.parametrize(
    ("size", "limit", "held", "need"),
    [(10_000, 1_000, False, 2_000), (10_000, 1_000, True, 10_000), (500, 1_000, False, 500), (7, None, False, 7)],
)
def test_the_log_is_recycled_only_where_nothing_holds_it(size: int, limit: int | None, held: bool, need: int) -> None:
    assert wal_need(size, limit, held) == need


def test_a_dump_is_estimated_by_the_one_before_it_and_else_only_bounded() -> None:
    unknown = dump_size(8_000_000, 10_000_000, None)
    assert (unknown.least, unknown.likely) == (80_000, 8_000_000), "how far it can be compressed is not known"
    grown = dump_size(8_000_000, 10_000_000, (1_000_000, 5_000_000))
    assert (grown.least, grown.likely) == (1_000_000, 2_000_000)
    assert dump_size(0, 10, (5, 0)).least == 0, "a manifest without a size says nothing"


def test_a_small_volume_keeps_a_small_part_free() -> None:
    assert kept_free(100_000) == 2_000
    assert kept_free(1 << 50) == 64 << 20
