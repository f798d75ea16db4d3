from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.quantities import (
    QuantityError,
    Relative,
    format_duration,
    format_offset,
    format_size,
    parse_duration,
    parse_offset,
    parse_relative,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("4m", 240), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400), ("1h 30m", 5400), ("500ms", 0.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "4 minutes", "1h2h", "-4m", "1e9s", "4m;", "9" * 5000 + "s"])
def test_what_is_no_duration_is_refused_with_the_form_that_is(text: str) -> None:
    with pytest.raises(QuantityError, match="1h30m"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("T-1d", -86400), ("T-0", 0), ("T", 0), ("T+0", 0), ("T+15m", 900), ("T+7d", 604800)]
)
def test_offsets(text: str, seconds: float) -> None:
    assert parse_offset(text) == seconds


@pytest.mark.parametrize("text", ["", "1h", "T1h", "T-", "T--1h", "t-1h", "T-1"])
def test_what_is_no_offset_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="T-1d"):
        parse_offset(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("10GB", 10 * 1024**3), ("512MiB", 512 * 1024**2), ("1 kB", 1024), ("7B", 7), ("1.5 TB", 1.5 * 1024**4)],
)
def test_sizes(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "10", "GB", "10 G", "10 XB", "-1GB", "10GB/s"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(QuantityError, match="10GB"):
        parse_size(text)


def test_relative_sizes() -> None:
    assert parse_relative("2x database") == parse_relative("2 x database") == Relative(2, "database")
    assert parse_relative("2GB") is None
    assert str(Relative(1.5, "database")) == "1.5x database"


@given(st.integers(0, 90000))
def test_short_durations_survive_the_round_trip_within_their_precision(seconds: int) -> None:
    assert abs(parse_duration(format_duration(seconds)) - seconds) < (60 if seconds >= 3600 else 1)


@given(st.integers(1, 14 * 24 * 60))
def test_offsets_written_to_the_minute_below_a_day_survive(minutes: int) -> None:
    written = format_offset(-60 * minutes)
    assert abs(parse_offset(written) + 60 * minutes) < (3600 if minutes >= 1440 else 1)


@given(st.floats(0.0004, 1e9))
def test_every_formatted_duration_can_be_read_back(seconds: float) -> None:
    assert abs(parse_duration(format_duration(seconds)) - seconds) <= max(0.0006, seconds * 0.05, 0.5 * (seconds >= 1))


@given(st.integers(0, 10**18))
def test_every_formatted_size_is_within_a_hundredth(count: int) -> None:
    assert abs(parse_size(format_size(count)) - count) <= count * 0.006


def test_formatting_never_shows_a_thousand_of_a_unit() -> None:
    assert format_size(1024**3 - 1) == "1.00 GB"
    assert format_size(1000 * 1024**2) == "0.98 GB"
    assert format_duration(59.7) == "1m"
    assert format_duration(0.9999) == "1s"
