"""The output file as lines: exact whatever its size and shape, and honest when it changes under us."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from migconsole.adapters.output_marks import STDERR_NAME, TIMES_NAME, pack_moment, pack_range
from migconsole.adapters.outputs import LINE_LIMIT, WINDOW, FileOutput
from migconsole.domain.problems import Level, hints_for, pattern_for
from migconsole.engine.patience import TooSlowError
from tests.waiting import wait_until


def opened(path: Path) -> FileOutput:
    output = FileOutput(path)
    wait_until(lambda: (output.grow(), output.complete)[1])
    return output


def lines_of(output: FileOutput) -> list[bytes]:
    return [output.line(number) for number in range(len(output))]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"a",
        b"a\n",
        b"a\nb",
        b"\n\n\n",
        b"x" * 32_768,
        b"x" * 32_767 + b"\n",
        b"x" * 32_767 + b"\ny",
        b"\n" * 70_000,
        (b"y" * 99 + b"\n") * 5_000,
        b"z" * 100_000 + b"\nend",
    ],
    ids=lambda content: f"{len(content)} bytes",
)
def test_lines_are_what_splitting_the_file_gives(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(content)
    expected = content.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    output = opened(path)
    assert lines_of(output) == [line[:LINE_LIMIT] for line in expected]
    assert [output.length(number) for number in range(len(output))] == [len(line) for line in expected]
    output.close()


def test_random_files_that_grow_in_random_pieces(tmp_path: Path) -> None:
    dice = random.Random(4711)
    path = tmp_path / "output.log"
    content = b"\n".join(b"%d" % number * dice.choice((0, 1, 3, 40, 2_000)) for number in range(4_000))
    path.touch()
    output = FileOutput(path)
    written = 0
    with path.open("ab", buffering=0) as file:
        while written < len(content):
            piece = content[written : written + dice.randrange(1, 90_000)]
            file.write(piece)
            written += len(piece)
            output.grow()
            expected = content[:written].removesuffix(b"\n").split(b"\n")
            assert len(output) == len(expected)
            assert [output.line(len(output) - back) for back in (3, 2, 1) if back <= len(output)] == expected[-3:]
    assert lines_of(output) == content.split(b"\n")
    output.close()


def test_a_real_process_is_followed_while_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    with path.open("wb") as file:
        child = subprocess.Popen([sys.executable, "-c", "for n in range(50000): print('line', n)"], stdout=file)
        output = FileOutput(path)
        wait_until(lambda: (output.grow(), child.poll() is not None and output.complete)[1], timeout=20)
    output.grow()
    assert len(output) == 50_000
    assert output.line(49_999) == b"line 49999"
    assert output.line(12_345) == b"line 12345"
    output.close()


def test_a_missing_file_is_waited_for(tmp_path: Path) -> None:
    output = FileOutput(tmp_path / "output.log")
    assert not output.grow()
    assert (len(output), output.complete, output.note) == (0, True, "")
    output.path.write_bytes(b"here\n")
    assert output.grow()
    assert output.line(0) == b"here"
    output.close()


def test_a_long_line_is_cut_between_characters(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"a" + "é".encode() * LINE_LIMIT + b"\nnext")
    output = opened(path)
    assert output.line(0).decode() == "a" + "é" * ((LINE_LIMIT - 1) // 2)
    assert output.length(0) == 1 + 2 * LINE_LIMIT
    assert output.line(1) == b"next"
    output.close()


def test_of_a_long_progress_line_the_last_state_is_given(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"".join(b"%6d %%\r" % number for number in range(100_000)) + b"\nnext")
    output = opened(path)
    assert output.line(0).endswith(b" 99999 %\r")
    assert len(output.line(0)) <= LINE_LIMIT
    assert output.line(1) == b"next"
    output.close()


def test_the_end_of_a_big_file_is_there_before_the_index(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    count = 600_000
    path.write_bytes(b"".join(b"line number %09d\n" % number for number in range(count)))
    output = FileOutput(path)
    output.grow(budget=0)
    assert not output.complete
    output.seek_end()
    assert not output.exact
    assert output.line(len(output) - 1) == b"line number %09d" % (count - 1)
    shown, generation = len(output) - 10, output.generation
    content = output.line(shown)
    with path.open("ab") as file:
        file.write(b"more\n")
    while not output.exact:
        output.grow(budget=0)
        if not output.exact:
            assert output.line(len(output) - 1) == b"more"
    assert output.generation == generation + 1
    assert output.moved is not None
    assert output.line(shown + output.moved) == content
    assert len(output) == count + 1
    output.close()


def test_a_window_that_begins_inside_an_endless_line(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"first\n" + b"x" * (3 * WINDOW))
    output = FileOutput(path)
    output.grow(budget=0)
    output.seek_end()
    assert not output.exact
    assert len(output) == 1
    wait_until(lambda: (output.grow(), output.exact)[1])
    assert output.moved == 1
    assert output.length(1) == 3 * WINDOW
    output.close()


def test_going_back_to_the_start_while_indexing(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"x" * 99 + b"\n" + b"y\n" * (2 * WINDOW))
    output = FileOutput(path)
    output.grow(budget=0)
    output.seek_end()
    output.seek_start()
    assert output.exact
    assert output.moved is None
    assert output.line(0) == b"x" * 99
    output.close()


def test_truncation_is_noticed_and_said(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"one\ntwo\nthree\n")
    output = opened(path)
    generation = output.generation
    path.write_bytes(b"new\n")
    assert output.grow()
    assert output.generation > generation
    assert output.moved is None
    assert "truncated" in output.note
    assert lines_of(output) == [b"new"]
    output.close()


def test_overwriting_in_place_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"one\n" * 100)
    output = opened(path)
    with path.open("r+b") as file:
        file.write(b"two\n" * 100 + b"more\n")
    os.utime(path, (1, 1))
    assert output.grow()
    assert "overwritten" in output.note
    assert output.line(0) == b"two"
    assert len(output) == 101
    output.close()


def test_replacement_shows_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"old\n" * 1_000)
    output = opened(path)
    other = tmp_path / "other"
    other.write_bytes(b"new\n" * 2_000)
    other.rename(path)
    assert output.grow()
    assert "replaced" in output.note
    assert len(output) == 2_000
    assert output.line(1_999) == b"new"
    output.close()


def test_removal_keeps_what_was_open(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"kept\n")
    output = opened(path)
    path.unlink()
    assert output.grow()
    assert "removed" in output.note
    assert lines_of(output) == [b"kept"]
    output.close()


def test_what_is_not_a_file_is_refused_without_hanging(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    os.mkfifo(path)
    output = FileOutput(path)
    output.grow()
    assert "not a regular file" in output.note
    assert len(output) == 0
    output.close()


def test_a_closed_output_answers_nothing(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"a\n")
    output = opened(path)
    output.close()
    output.close()
    assert output.line(0) == b""
    assert list(output.scan(b"a", 0)) == []


@pytest.fixture
def searchable(tmp_path: Path) -> FileOutput:
    path = tmp_path / "output.log"
    lines = [b"line %d" % number for number in range(30_000)]
    lines[7] = b'\x1b[31mERROR\x1b[0m:  relation "x"'
    lines[20_000] = b"ends here\r"
    lines[25_000] = b"y" * 400_000 + b"needle" + b"z" * 400_000
    lines[25_001] = b""
    path.write_bytes(b"\n".join(lines) + b"\n")
    return opened(path)


@pytest.mark.parametrize(
    ("pattern", "start", "backwards", "found"),
    [
        (rb"^line 29999$", 0, False, 29_999),
        (rb"^line 1\b", 29_999, True, 1),
        (rb"^line 5$", 6, False, None),
        (rb"^line 5$", 5, False, 5),
        (rb"^line 5$", 4, True, None),
        (rb"^ERROR:  relation", 0, False, 7),
        (rb"here$", 0, False, 20_000),
        (rb"needle", 0, False, 25_000),
        (rb"needle", 29_999, True, 25_000),
        (rb"^$", 0, False, 25_001),
        (rb"line 10\s+line 11", 0, False, None),
        (rb"line 1[^x]*5$", 11, False, 15),
        (rb"nowhere", 0, False, None),
        (rb"line", -5, False, 0),
        (rb"line", 10**9, True, 29_999),
        (rb"y+needle", 0, False, 25_000),
        (rb"need.*$", 0, False, None),
        (rb"nee.*z", 29_999, True, 25_000),
        (rb"y*$", 24_999, False, 24_999),
        (rb"^l.*e 29{3}8", 29_999, True, 29_998),
    ],
)
def test_find(searchable: FileOutput, pattern: bytes, start: int, backwards: bool, found: int | None) -> None:
    assert searchable.find(pattern, start, backwards=backwards) == found
    searchable.close()


def test_scan_gives_every_hit_in_order_both_ways(searchable: FileOutput) -> None:
    wanted = [number for number in range(30_000) if re.search(rb"7$", searchable.line(number)) and number != 7]
    assert [hit for hit in searchable.scan(rb"7$", 0) if hit is not None] == wanted
    assert [hit for hit in searchable.scan(rb"7$", 29_999, backwards=True) if hit is not None] == wanted[::-1]
    searchable.close()


@pytest.mark.parametrize(
    ("pattern", "given_up"),
    [
        (rb".*bar", False),
        (rb"[^x]*bar", False),
        (rb"\s+z", False),
        (rb".*.*.*bar", True),
        (rb"(?:y|yy)+bar", True),
        (rb"(?:z+y*)+bar", True),
    ],
)
def test_no_pattern_holds_up_the_console(searchable: FileOutput, pattern: bytes, given_up: bool) -> None:
    """Each takes minutes, or for ever, on the line of 800,000 bytes when it may see the whole."""
    slowest, before, refused = 0.0, time.perf_counter(), False
    try:
        for hit in searchable.scan(pattern, 24_000):
            now = time.perf_counter()
            slowest, before = max(slowest, now - before), now
            assert hit is None
    except TooSlowError:
        refused = True
    assert refused == given_up
    assert max(slowest, time.perf_counter() - before) < 1
    searchable.close()


def test_scan_pauses_often(searchable: FileOutput) -> None:
    assert list(searchable.scan(rb"nowhere", 0)).count(None) > 5
    searchable.close()


def test_scan_ends_when_the_file_becomes_another(searchable: FileOutput) -> None:
    scan = searchable.scan(rb"line", 0)
    assert next(scan) == 0
    searchable.path.write_bytes(b"line\n")
    searchable.grow()
    assert len(list(scan)) < 20_000
    searchable.close()


def test_a_broken_pattern_is_refused_at_once(searchable: FileOutput) -> None:
    with pytest.raises(re.error):
        searchable.scan(b"(", 0)
    searchable.close()


def test_problems_are_found_with_their_hints(searchable: FileOutput) -> None:
    levels = (Level.ERROR, Level.WARNING)
    hits = [hit for hit in searchable.scan(pattern_for(*levels), 0, hints=hints_for(*levels)) if hit is not None]
    assert hits == [7]
    searchable.close()


def test_marks_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"out\nerr\nout\n")
    (tmp_path / STDERR_NAME).write_bytes(pack_range(4, 8) + b"torn")
    (tmp_path / TIMES_NAME).write_bytes(pack_moment(0, 100.0) + pack_moment(8, 107.5))
    output = opened(path)
    assert [output.is_stderr(number) for number in range(3)] == [False, True, False]
    assert output.has_times
    assert [output.time(number) for number in range(3)] == [100.0, 100.0, 107.5]
    output.close()


def test_no_marks_means_not_known(tmp_path: Path) -> None:
    path = tmp_path / "output.log"
    path.write_bytes(b"out\n")
    output = opened(path)
    assert not output.has_times
    assert output.time(0) is None
    assert not output.is_stderr(0)
    output.close()
