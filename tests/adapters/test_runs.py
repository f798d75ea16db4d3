"""Run directories: made with the right modes or not at all, found by what an operator types, flags from any shell."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from migconsole.adapters import processes, runs
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.adapters.runs import RunDirectory, RunStore, opened_data, slug, state_directory, write_durably
from migconsole.domain.events import Draft, Kind
from migconsole.errors import JournalError, UsageError

CHECKLIST = "checklist: Ü\n".encode()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    previous = os.umask(0)
    yield
    os.umask(previous)


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "state")


async def opened(store: RunStore, title: str = "Production migration") -> tuple[RunDirectory, str]:
    directory, run_id = store.create(title, CHECKLIST)
    journal = await SqliteJournal.create(directory.journal, Console.here("ana"))
    await journal.append(Draft(Kind.RUN_OPENED, {"run": run_id, "title": title}, "ana"))
    await journal.close()
    return directory, run_id


def test_where_runs_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert state_directory("/srv/state") == Path("/srv/state")
    assert state_directory("relative").is_absolute()
    monkeypatch.setenv("MIGCONSOLE_STATE_DIR", str(tmp_path))
    assert state_directory() == tmp_path
    assert state_directory("/srv/state") == Path("/srv/state")
    monkeypatch.delenv("MIGCONSOLE_STATE_DIR")
    assert state_directory() == Path(os.environ["XDG_STATE_HOME"]) / "migconsole"


async def test_a_run_directory_is_for_the_owner_alone(store: RunStore) -> None:
    directory, run_id = await opened(store)
    attempt = directory.attempt("backup", 1)
    directory.write_output("check", 1, ["fine"])
    assert directory.checklist.read_bytes() == CHECKLIST
    assert directory.path.name.endswith(f"-production-migration-{run_id[:4]}")
    for path in (store.state, *store.state.rglob("*")):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path
    assert attempt == directory.path / "jobs" / "backup" / "1"


def test_a_state_directory_that_cannot_be_made_is_explained_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file in the way")
    with pytest.raises(UsageError) as caught:
        RunStore(tmp_path / "state").create("T", CHECKLIST)
    assert "--state-dir" in caught.value.remedy
    assert os.listdir(tmp_path) == ["state"]


def test_a_run_that_cannot_be_begun_leaves_no_directory(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "write_durably", full)
    with pytest.raises(UsageError, match="No space left"):
        store.create("T", CHECKLIST)
    assert list(store.path.iterdir()) == []


async def test_runs_are_listed_newest_first_even_within_a_second(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [(await opened(store, f"{letter} migration"))[0] for letter in "cab"]
    (store.path / "20200101T000000Z-no-journal").mkdir()
    assert [run.path for run in store.all()] == [run.path for run in reversed(made)]
    assert store.find(None).path == made[-1].path


async def test_a_run_is_found_by_name_start_path_or_identifier(store: RunStore) -> None:
    directory, run_id = await opened(store)
    await opened(store, "Another")
    for wanted in (directory.path.name, str(directory.path), run_id, run_id[:6], run_id[:4]):
        assert store.find(wanted).path == directory.path, wanted


@pytest.mark.parametrize("wanted", ["nothing", "20990101", "x", "../other"])
async def test_what_is_not_there_is_not_found_by_chance(store: RunStore, wanted: str) -> None:
    await opened(store)
    with pytest.raises(UsageError, match="There is no run"):
        store.find(wanted)


async def test_an_identifier_must_fit_whole_not_only_in_its_first_four(store: RunStore) -> None:
    _, run_id = await opened(store)
    other = run_id[:4] + ("0000" if run_id[4:8] != "0000" else "1111")
    with pytest.raises(UsageError, match="There is no run"):
        store.find(other)


async def test_an_ambiguous_name_lists_what_it_could_be(store: RunStore) -> None:
    made = [(await opened(store))[0] for _ in range(2)]
    with pytest.raises(UsageError, match="More than one run") as caught:
        store.find(made[0].path.name[:4])
    assert all(run.path.name in caught.value.detail for run in made)


def test_no_run_at_all_says_how_to_begin(store: RunStore) -> None:
    with pytest.raises(UsageError) as caught:
        store.find(None)
    assert "migconsole run" in caught.value.remedy


async def test_what_a_run_was_opened_with(store: RunStore) -> None:
    directory, run_id = await opened(store)
    assert opened_data(directory)["run"] == run_id
    fresh, _ = store.create("T", CHECKLIST)
    await (await SqliteJournal.create(fresh.journal, Console.here("ana"))).close()
    with pytest.raises(JournalError, match="never opened"):
        opened_data(fresh)


@pytest.fixture
def directory(store: RunStore) -> RunDirectory:
    return store.create("T", CHECKLIST)[0]


def test_hostile_item_ids_stay_inside_and_apart(directory: RunDirectory) -> None:
    ids = ["a", "A", "../../etc", "..", ".", "", "a/b", "a-b", "a b", "\x1b[2J", "ü", "x" * 300, "x" * 301, "a\0b"]
    found = [directory.attempt(item, 1) for item in ids]
    assert len(set(found)) == len(ids)
    assert all(path.is_dir() and path.resolve().is_relative_to(directory.path / "jobs") for path in found)


def test_an_attempts_place_that_cannot_be_made_is_explained(directory: RunDirectory) -> None:
    (directory.path / "jobs").write_text("in the way")
    with pytest.raises(JournalError, match="cannot be used"):
        directory.attempt("a", 1)


def test_evidence_is_kept_with_its_size_and_hash(directory: RunDirectory) -> None:
    size, digest = directory.write_output("check", 2, ["one", "zwei ü", "half \udc80"])
    path = directory.path / "jobs" / "check" / "2" / "output.log"
    assert path.read_bytes() == "one\nzwei ü\nhalf ?\n".encode()
    assert (size, digest) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    assert not list(path.parent.glob("*.partial"))
    output = directory.open_output("check", 2)
    assert output is not None
    output.grow(1)
    assert [output.line(n) for n in range(len(output))] == [b"one", "zwei ü".encode(), b"half ?"]
    output.close()
    assert directory.open_output("check", 3) is None


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_durably(path, b"old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_no_flags(directory: RunDirectory) -> None:
    assert directory.flags() == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", ""),
        (b"replica lags\nsecond line", "replica lags"),
        (b"\xff\xfe bytes", "\ufffd\ufffd bytes"),
        (b"x" * 1000, "x" * 400),
    ],
)
def test_a_flag_files_first_line_is_the_reason(directory: RunDirectory, content: bytes, reason: str) -> None:
    (directory.path / "HOLD").write_bytes(content)
    assert directory.flags() == {"HOLD": reason}
    (directory.path / "PANIC").touch()
    assert directory.flags() == {"HOLD": reason, "PANIC": ""}


def test_whatever_lies_there_under_a_flags_name_holds(directory: RunDirectory) -> None:
    """A flag that cannot be read must not read as no flag, and a pipe must not hold up the console."""
    (directory.path / "HOLD").mkdir()
    os.mkfifo(directory.path / "PANIC")
    assert directory.flags() == {"HOLD": "", "PANIC": ""}
    (directory.path / "HOLD").rmdir()
    (directory.path / "HOLD").symlink_to("nowhere")
    assert "HOLD" in directory.flags()


@pytest.mark.parametrize(("text", "expected"), [("Ü/../x", "x"), ("  ", "run"), ("A b--c", "a-b-c")])
def test_slugs_are_safe_names(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_a_process_is_known_by_more_than_its_number() -> None:
    pid = os.getpid()
    started = processes.start_time(pid)
    assert started is not None
    assert processes.alive(pid, started, processes.boot_id())
    assert not processes.alive(pid, started - 1, processes.boot_id())
    assert not processes.alive(pid, started, "another boot")
    assert processes.start_time(2**22 + 1) is None


def test_a_zombie_is_gone() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert processes.start_time(pid) is None
    os.waitpid(pid, 0)


def test_where_a_login_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.delenv("SSH_CLIENT", raising=False)
    assert processes.ssh_origin() == ""
    monkeypatch.setenv("SSH_CLIENT", "198.51.100.4 999 22")
    assert processes.ssh_origin() == "198.51.100.4"
