"""What a checkout's migrations are to a database."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.domain.migrations import (
    MigrationFile,
    MigrationRow,
    MigrationState,
    checksums,
    classify,
    matches,
)


def file(name: str, content: str = "SELECT 1;\n", problem: str = "") -> MigrationFile:
    return MigrationFile(name, checksums(content.encode()), problem)


def row(name: str, content: str = "SELECT 1;\n", *, finished: bool = True, rolled_back: bool = False) -> MigrationRow:
    digest = hashlib.sha256(content.encode()).hexdigest()
    return MigrationRow(name, digest, "2026-11-22T00:00:00+00:00", finished, rolled_back, "\nERROR: no\nmore")


@pytest.mark.parametrize(
    ("files", "rows", "states"),
    [
        ([file("1")], [], {"1": "pending"}),
        ([file("1")], [row("1")], {"1": "applied"}),
        ([file("1", "SELECT 2;\n")], [row("1")], {"1": "edited"}),
        ([], [row("1")], {"1": "unknown"}),
        ([file("1")], [row("1", finished=False)], {"1": "failed"}),
        ([], [row("1", finished=False)], {"1": "failed"}),
        ([file("1")], [row("1", finished=False, rolled_back=True)], {"1": "pending"}),
        ([file("1")], [row("1", finished=False, rolled_back=True), row("1")], {"1": "applied"}),
        ([file("1")], [row("1"), row("1", finished=False)], {"1": "failed"}),
        ([file("1")], [row("1", "old", rolled_back=True), row("1")], {"1": "applied"}),
        ([], [row("1", rolled_back=True)], {}),
        ([MigrationFile("1", frozenset(), "has no migration.sql")], [], {"1": "pending"}),
        ([MigrationFile("1", frozenset(), "has no migration.sql")], [row("1")], {"1": "edited"}),
        ([], [], {}),
    ],
)
def test_states(files: list[MigrationFile], rows: list[MigrationRow], states: dict[str, str]) -> None:
    assert {entry.name: entry.state.value for entry in classify(files, rows).migrations} == states


def test_a_failure_shows_the_first_line_of_its_log() -> None:
    (entry,) = classify([file("1")], [row("1", finished=False)]).migrations
    assert "ERROR: no" in entry.note
    assert "more" not in entry.note


def test_a_file_without_a_script_cannot_be_applied() -> None:
    (entry,) = classify([MigrationFile("1", frozenset(), "has no migration.sql")], []).migrations
    assert entry.broken


def test_out_of_order() -> None:
    report = classify([file("1"), file("2"), file("3")], [row("2")])
    assert report.out_of_order == ("1",)
    assert report.names(MigrationState.PENDING) == ("1", "3")


def test_line_ends_do_not_make_an_edit() -> None:
    windows = file("1", "SELECT 1;\r\nSELECT 2;\r\n")
    unix = file("1", "SELECT 1;\nSELECT 2;\n")
    for recorded in (row("1", "SELECT 1;\r\nSELECT 2;\r\n"), row("1", "SELECT 1;\nSELECT 2;\n")):
        assert matches(windows, recorded.checksum)
        assert matches(unix, recorded.checksum)


def test_checksums_without_leading_zeros_are_recognised() -> None:
    content = next(f"SELECT {n};" for n in range(1000) if hashlib.sha256(f"SELECT {n};".encode()).digest()[0] < 16)
    old = "".join(f"{byte:x}" for byte in hashlib.sha256(content.encode()).digest())
    assert len(old) < 64
    assert matches(file("1", content), old)
    assert not matches(file("1", content + " "), old)


NAMES = st.sampled_from(["1", "2", "3"])
ROWS = st.builds(row, NAMES, st.sampled_from(["a", "b"]), finished=st.booleans(), rolled_back=st.booleans())


FILES = st.lists(st.builds(file, NAMES, st.sampled_from(["a", "b"])), unique_by=lambda found: found.name)


@given(files=FILES, rows=st.lists(ROWS))
def test_every_file_and_every_standing_attempt_is_accounted_for_once(
    files: list[MigrationFile], rows: list[MigrationRow]
) -> None:
    report = classify(files, rows)
    names = [entry.name for entry in report.migrations]
    assert names == sorted(set(names))
    assert set(names) == {f.name for f in files} | {r.name for r in rows if not r.rolled_back}
    assert len(names) == sum(len(report.names(state)) for state in MigrationState)
