"""What a built-in job leaves for its judge: whole or not at all, bounded, and believed only as far as it may be."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from migconsole.adapters.jobs.outcomes import ATTEMPT_DIRECTORY, JobOutcome, read_outcome, write_outcome
from migconsole.domain.outcomes import LARGEST_FACT, MOST_LINES

FACT = {"kind": "restore-point", "key": "4711:armed", "data": {"backup": "4711", "state": "armed"}}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    said = JobOutcome("passed", ("fine",), ("a line",), {"size": 12, "missing": []}, {"backup_path": "/b"}, (FACT,))
    write_outcome(said, {ATTEMPT_DIRECTORY: str(tmp_path)})
    read = read_outcome(tmp_path)
    assert read is not None
    assert (read.verdict, read.reasons, read.lines) == ("passed", ("fine",), ("a line",))
    assert (read.values, read.captured) == ({"size": 12, "missing": []}, {"backup_path": "/b"})
    assert read.facts == ({**FACT, "key": "restore-point:4711:armed"},)
    assert stat.S_IMODE((tmp_path / "outcome.json").stat().st_mode) == 0o600


def test_outside_of_a_run_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_outcome(JobOutcome("passed"), {})
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_no_outcome(tmp_path: Path) -> None:
    assert read_outcome(tmp_path) is None


def test_an_unknown_verdict_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="verdict"):
        write_outcome(JobOutcome("green"), {ATTEMPT_DIRECTORY: str(tmp_path)})
    assert read_outcome(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "torn"),
        (b'{"verdict": "passed"', "torn"),
        (b"[]", "no object"),
        (b"{}", "no verdict"),
        (b'{"verdict": "green"}', "no verdict"),
        (b"[" * 100_000, "torn"),
        (b" " * (4 * 1024 * 1024 + 1), "more than"),
    ],
)
def test_what_cannot_be_believed_says_why(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "outcome.json").write_bytes(content)
    with pytest.raises(ValueError, match=why):
        read_outcome(tmp_path)


def test_no_pipe_and_no_link_is_followed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "outcome.json")
    with pytest.raises(ValueError, match="no regular file"):
        read_outcome(tmp_path)
    (tmp_path / "outcome.json").unlink()
    (tmp_path / "outcome.json").symlink_to("/etc/passwd")
    with pytest.raises(ValueError, match="cannot be read"):
        read_outcome(tmp_path)


@pytest.mark.parametrize(
    "odd",
    [
        {"reasons": "all"},
        {"lines": ["a"] * (MOST_LINES + 1)},
        {"values": {"deep": {"er": 1}}},
        {"values": {"size": float("inf")}},
        {"captured": {"PATH": "/tmp/evil"}},
        {"captured": {"backup_path": "two\nlines"}},
        {"captured": {"backup_password": "x"}},
        {"facts": [{"kind": "lease.taken", "key": "x", "data": {"console": "mine"}}]},
        {"facts": [{"kind": "attempt.ended", "key": "x", "data": {"outcome": "passed"}}]},
        {"facts": [{"kind": "restore-point", "key": "", "data": {}}]},
        {"facts": [{"kind": "restore-point", "key": "x", "data": {"why": "y" * LARGEST_FACT}}]},
    ],
)
def test_what_a_job_must_not_say_is_left_out_and_keeps_it_from_passing(tmp_path: Path, odd: dict[str, Any]) -> None:
    (tmp_path / "outcome.json").write_text(json.dumps({"verdict": "passed", **odd}))
    read = read_outcome(tmp_path)
    assert read is not None
    assert read.verdict == "asks"
    assert "not taken over" in read.reasons[-1]
    assert not read.facts
    assert not read.captured
