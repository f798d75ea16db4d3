"""The journal on real files, written, killed and disputed by real processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, namedtuple
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from migconsole.adapters import processes
from migconsole.adapters.journal import sqlite
from migconsole.adapters.journal.reading import present, read_events, verify
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.domain.events import GENESIS, Draft, Kind
from migconsole.errors import JournalError, StoppedError, UsageError
from tests.waiting import eventually, wait_until

HOSTILE = "\x1b]0;owned\x07 [/foo] \0 ü 漢 \u202e 'quoted' \n two lines"


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def note(text: str = "hello", **more: Any) -> Draft:
    return Draft(Kind.NOTE, {"text": text}, "ana", **more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[SqliteJournal]:
    journal = await SqliteJournal.create(path, Console.here("ana"))
    yield journal
    await journal.close()


class Writer:
    """A child process that appends; what it said is read by a thread so that it never blocks."""

    def __init__(self, path: Path, **orders: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.adapters.journal_writer", str(path), json.dumps(orders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: list[list[str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.split(" ", 2))

    def said(self, word: str) -> list[list[str]]:
        return [line for line in list(self.lines) if line[0].strip() == word]

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> int:
        code = self.process.wait(30)
        self._reader.join(10)
        return code

    def kill(self) -> None:
        self.process.kill()
        self.end()


@pytest.fixture
def writer(path: Path) -> Iterator[Callable[..., Writer]]:
    made: list[Writer] = []

    def make(**orders: Any) -> Writer:
        made.append(Writer(path, **orders))
        return made[-1]

    yield make
    for one in made:
        with contextlib.suppress(ProcessLookupError):
            one.process.send_signal(signal.SIGCONT)
        one.kill()
        for pipe in (one.process.stdin, one.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


# Appending and reading ------------------------------------------------------------------------------------------------


async def test_what_is_appended_is_read_back_in_order_and_chained(journal: SqliteJournal, path: Path) -> None:
    written = [await journal.append(note(HOSTILE)), await journal.append(note("two"))]
    assert await journal.read() == written == read_events(path)
    assert [event.seq for event in written] == [1, 2]
    assert (written[0].previous, written[1].previous) == (GENESIS, written[0].hash)
    assert written[0].data == {"text": HOSTILE}
    assert await journal.read(after=1) == written[1:]


async def test_half_characters_do_not_break_the_record(journal: SqliteJournal, path: Path) -> None:
    await journal.append(Draft(Kind.NOTE, {"text": "path \udcff"}, "user\udc80"))
    assert verify(path).problem == ""
    assert read_events(path)[0].data == {"text": "path ?"}


async def test_a_value_json_does_not_know_leaves_the_journal_usable(journal: SqliteJournal) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        await journal.append(Draft(Kind.NOTE, {"duration": float("nan")}))
    assert (await journal.append(note())).seq == 1


async def test_a_fact_is_recorded_once(journal: SqliteJournal) -> None:
    first = await journal.append(note("first", key="fact"))
    again = await journal.append(note("second", key="fact"))
    assert again == first
    assert len(await journal.read()) == 1


async def test_files_are_for_the_owner_alone(journal: SqliteJournal, path: Path) -> None:
    previous = os.umask(0)
    try:
        await journal.append(note())
    finally:
        os.umask(previous)
    found = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert found == dict.fromkeys(("run.db", "run.db-wal", "run.db-shm"), 0o600)


async def test_a_second_journal_is_not_made_over_the_first(journal: SqliteJournal, path: Path) -> None:
    await journal.append(note())
    with pytest.raises(JournalError):
        await SqliteJournal.create(path, Console.here("bo"))
    assert len(await journal.read()) == 1


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM events WHERE seq = 1", "UPDATE events SET data = '{}'", "UPDATE events SET seq = 9 WHERE seq = 1"],
)
async def test_events_can_only_be_appended(journal: SqliteJournal, path: Path, statement: str) -> None:
    await journal.append(note())
    with contextlib.closing(sqlite3.connect(path)) as other, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(statement)


async def test_durability_is_what_the_design_says(journal: SqliteJournal) -> None:
    def settings() -> list[object]:
        return [journal._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    assert await journal._do(settings) == ["wal", 2]


async def test_a_cancelled_append_is_whole_or_absent_and_the_next_one_works(journal: SqliteJournal, path: Path) -> None:
    for number in range(20):
        task = asyncio.create_task(journal.append(note(f"{number}")))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    last = await journal.append(note("last"))
    assert (await journal.read())[-1] == last
    assert verify(path).problem == ""


async def test_a_closed_journal_says_so(path: Path) -> None:
    journal = await SqliteJournal.create(path, Console.here("ana"))
    await journal.close()
    await journal.close()
    with pytest.raises(JournalError, match="closed"):
        await journal.append(note())


@pytest.mark.parametrize("name", ["with space", "100%", "a#b", "what?", "ü"])
async def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    journal = await SqliteJournal.create(folder / "run.db", Console.here("ana"))
    event = await journal.append(note())
    await journal.heartbeat()
    assert verify(folder / "run.db").head == event.hash
    assert read_events(folder / "run.db") == [event]
    assert present(folder / "run.db") == [journal.console.id]
    await journal.close()
    assert present(folder / "run.db") == []


# The chain ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def chain(path: Path) -> Path:
    journal = await SqliteJournal.create(path, Console.here("ana"))
    for number in range(8):
        await journal.append(note(f"event {number}", key=f"k{number}"))
    await journal.close()
    return path


def tamper(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TRIGGER events_keep")
        db.execute("DROP TRIGGER events_fixed")
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize("seq", [1, 4, 8])
@pytest.mark.parametrize("column", ["at", "mono", "kind", "actor", "key", "data", "previous", "hash"])
def test_any_edit_is_found_at_its_event(chain: Path, column: str, seq: int) -> None:
    value = "99.5" if column == "mono" else '\'{"text":"other"}\''
    tamper(chain, f"UPDATE events SET {column} = {value} WHERE seq = {seq}")
    found = verify(chain)
    assert found.first_bad == seq
    assert str(seq) in found.problem


def test_an_edit_with_a_hash_made_to_fit_is_found_at_the_next_event(chain: Path) -> None:
    event = read_events(chain)[3]
    from migconsole.domain.events import canonical, chain_hash

    data = canonical({"text": "forged"})
    digest = chain_hash(event.previous, 4, event.at, event.mono, event.kind, event.actor, event.key, data)
    tamper(chain, f"UPDATE events SET data = '{data}', hash = '{digest}' WHERE seq = 4")
    assert verify(chain).first_bad == 5


@pytest.mark.parametrize("seq", [1, 4])
def test_a_removed_event_is_found(chain: Path, seq: int) -> None:
    tamper(chain, f"DELETE FROM events WHERE seq = {seq}")
    assert verify(chain).first_bad == seq
    tamper_again = f"UPDATE events SET seq = seq - 1 WHERE seq > {seq}"
    with contextlib.closing(sqlite3.connect(chain, isolation_level=None)) as db:
        db.execute(tamper_again)
    assert verify(chain).first_bad == seq


def test_swapped_events_are_found(chain: Path) -> None:
    tamper(
        chain,
        "UPDATE events SET seq = 100 WHERE seq = 3",
        "UPDATE events SET seq = 3 WHERE seq = 6",
        "UPDATE events SET seq = 6 WHERE seq = 100",
    )
    assert verify(chain).first_bad == 3


def test_truncation_is_found_by_a_sealed_hash_and_only_by_it(chain: Path) -> None:
    sealed = verify(chain).head
    assert verify(chain, sealed).problem == verify(chain, sealed[:16].upper()).problem == ""
    tamper(chain, "DELETE FROM events WHERE seq > 5")
    assert verify(chain).problem == ""
    found = verify(chain, sealed)
    assert found.first_bad == 6
    assert "cut or replaced" in found.problem


def test_a_hash_sealed_earlier_is_found_within(chain: Path) -> None:
    assert verify(chain, read_events(chain)[2].hash).problem == ""


@pytest.mark.parametrize("expect", ["abc", "not a hash!", "g" * 64, "0" * 65])
def test_what_is_no_hash_is_refused_rather_than_found_by_chance(chain: Path, expect: str) -> None:
    with pytest.raises(UsageError):
        verify(chain, expect)


def test_a_foreign_table_is_a_finding_not_a_crash(chain: Path) -> None:
    tamper(chain, "CREATE TABLE o AS SELECT * FROM events", "DROP TABLE events", "ALTER TABLE o RENAME TO events")
    assert verify(chain).problem == ""
    with contextlib.closing(sqlite3.connect(chain, isolation_level=None)) as db:
        db.execute("UPDATE events SET actor = NULL WHERE seq = 5")
    assert verify(chain).first_bad == 5


def test_random_changes_are_found(chain: Path, tmp_path: Path) -> None:
    dice = random.Random(11)
    for _ in range(40):
        copy = tmp_path / "copy.db"
        shutil.copy(chain, copy)
        seq, column = dice.randint(1, 8), dice.choice(["at", "actor", "data", "key"])
        text = next(str(getattr(e, column, "")) for e in read_events(chain) if e.seq == seq)
        changed = text + dice.choice(" x0") if column != "data" else '{"text":"' + str(dice.random()) + '"}'
        tamper(copy, f"UPDATE events SET {column} = '{changed}' WHERE seq = {seq}")
        assert verify(copy).first_bad == seq, (seq, column)


# Damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to look at" * 100])
async def test_a_file_that_is_no_journal_is_explained(path: Path, content: bytes) -> None:
    write(path, content)
    with pytest.raises(JournalError) as caught:
        read_events(path)
    assert caught.value.remedy
    if content:
        assert verify(path).problem
        with pytest.raises(JournalError, match="cannot be used"):
            await SqliteJournal.open(path, Console.here("ana"))


async def test_no_file_is_explained(path: Path) -> None:
    for call in (read_events, verify):
        with pytest.raises(JournalError, match="no journal"):
            call(path)
    with pytest.raises(JournalError, match="no journal"):
        await SqliteJournal.open(path, Console.here("ana"))
    assert os.listdir(path.parent) == [], "looking makes no file"


def test_a_half_file_is_reported_not_believed(chain: Path) -> None:
    data = chain.read_bytes()
    chain.write_bytes(data[: len(data) // 2])
    try:
        assert verify(chain).problem
    except JournalError as error:
        assert error.remedy  # noqa: PT017
    with pytest.raises(JournalError):
        read_events(chain)


def test_damaged_content_names_its_event(chain: Path) -> None:
    tamper(chain, "UPDATE events SET data = 'no json' WHERE seq = 3")
    with pytest.raises(JournalError, match="Event 3"):
        read_events(chain)


# Who decides ----------------------------------------------------------------------------------------------------------


async def test_decisions_need_the_lease_and_facts_do_not(journal: SqliteJournal, path: Path) -> None:
    other = await SqliteJournal.open(path, Console.here("bo"))
    await journal.heartbeat()
    await other.heartbeat()
    assert await journal.take_lease("ana")
    assert await journal.take_lease("ana"), "taking what one has is no event"
    assert not await other.take_lease("bo")
    assert not await other.take_lease("bo", "impatience"), "a living driver is not displaced"
    with pytest.raises(StoppedError, match="drives"):
        await other.append(note(decision=True))
    await other.append(note("a fact"))
    await journal.append(note("decided", decision=True))
    assert [event.kind for event in await other.read()] == ["lease.taken", "note", "note"]
    await other.close()


async def test_handing_over_is_at_once_and_on_record(journal: SqliteJournal, path: Path) -> None:
    other = await SqliteJournal.open(path, Console.here("bo"))
    assert await journal.take_lease("ana")
    await journal.release_lease()
    await journal.release_lease()
    assert await other.take_lease("bo")
    assert (await journal.holds_lease(), await other.holds_lease()) == (False, True)
    with pytest.raises(StoppedError):
        await journal.append(note(decision=True))
    assert [event.kind for event in await journal.read()] == ["lease.taken", "lease.released", "lease.taken"]
    await other.close()


async def test_who_took_the_lease_is_recorded_beside_the_claimed_name(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.7 50122 192.0.2.1 22")
    await journal.take_lease("claimed")
    event = (await journal.read())[0]
    assert event.actor == "claimed"
    assert event.data["user"] == processes.login_name()
    assert (event.data["ssh"], event.data["pid"], event.data["host"]) == ("192.0.2.7", os.getpid(), processes.host())


async def test_a_killed_drivers_lease_is_free_and_says_why(
    journal: SqliteJournal, writer: Callable[..., Writer]
) -> None:
    child = writer(name="bo", lease=True, stay=True)
    await eventually(lambda: child.said("staying"), 20)
    assert [line[1].strip() for line in child.said("lease")] == ["True"]
    await journal.heartbeat()
    assert not await journal.take_lease("ana")
    child.kill()
    assert await journal.take_lease("ana")
    taken = (await journal.read())[-1]
    assert taken.data["reason"] == f"the previous console (pid {child.process.pid}) is gone"
    assert taken.data["from"] == (await journal.read())[0].data["console"]


async def test_a_stopped_drivers_lease_is_taken_only_when_silent_and_with_a_reason(
    journal: SqliteJournal, writer: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    child = writer(name="bo", lease=True, stay=True)
    await eventually(lambda: child.said("staying"), 20)
    child.process.send_signal(signal.SIGSTOP)
    assert not await journal.take_lease("ana", "the terminal hangs"), "it beat a moment ago"
    monkeypatch.setattr(sqlite, "STALE_AFTER", 0.01)
    assert not await journal.take_lease("ana")
    assert not await journal.take_lease("ana", "   ")
    assert await eventually(lambda: journal.take_lease("ana", "the terminal hangs"))
    assert (await journal.read())[-1].data["reason"] == "the terminal hangs"


async def test_a_beat_from_the_future_keeps_nobody_out_for_ever(journal: SqliteJournal, path: Path) -> None:
    other = await SqliteJournal.open(path, Console.here("bo"))
    await other.heartbeat()
    assert await other.take_lease("bo")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE presence SET beat = ?", (time.time() + 3600,))
    assert not await journal.take_lease("ana")
    assert await journal.take_lease("ana", "its clock was set back")
    await other.close()


async def test_a_lease_from_before_a_reboot_is_free(journal: SqliteJournal, path: Path) -> None:
    other = await SqliteJournal.open(path, Console.here("bo"))
    await other.heartbeat()
    await other.take_lease("bo")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE presence SET boot = 'an earlier boot'")
    assert await journal.take_lease("ana")
    await other.close()


async def test_who_is_present(journal: SqliteJournal, path: Path, writer: Callable[..., Writer]) -> None:
    child = writer(name="bo", stay=True)
    await eventually(lambda: child.said("staying"), 20)
    await journal.take_lease("ana")
    found = {p.actor: p for p in await journal.heartbeat()}
    assert set(found) == {"ana", "bo"}
    assert (found["ana"].driving, found["bo"].driving) == (True, False)
    assert len(present(path)) == 2
    child.kill()
    assert [p.actor for p in await journal.heartbeat()] == ["ana"]
    assert present(path) == [journal.console.id]


async def test_a_console_that_closed_is_not_present(journal: SqliteJournal, path: Path) -> None:
    other = await SqliteJournal.open(path, Console.here("bo"))
    await other.heartbeat()
    await other.close()
    assert [p.actor for p in await journal.heartbeat()] == ["ana"]


async def test_a_driver_that_closed_without_handing_over_leaves_a_free_lease(
    journal: SqliteJournal, path: Path
) -> None:
    other = await SqliteJournal.open(path, Console.here("bo"))
    await other.heartbeat()
    await other.take_lease("bo")
    await other.close()
    assert await journal.take_lease("ana")
    assert "without handing over" in (await journal.read())[-1].data["reason"]


# Several processes ----------------------------------------------------------------------------------------------------


def test_two_processes_appending_at_once_make_one_chain(chain: Path, writer: Callable[..., Writer]) -> None:
    children = [writer(name=name, count=80, wait=True) for name in ("one", "two")]
    for child in children:
        wait_until(lambda child=child: child.said("ready"), 20)
    for child in children:
        child.go()
    assert [child.end() for child in children] == [0, 0]
    assert verify(chain).problem == ""
    events = read_events(chain)
    assert Counter(event.actor for event in events) == {"ana": 8, "one": 80, "two": 80}
    for child in children:
        assert {(int(line[1]), line[2].strip()) for line in child.said("done")} <= {(e.seq, e.hash) for e in events}


def test_two_processes_observing_the_same_facts_record_each_once(chain: Path, writer: Callable[..., Writer]) -> None:
    children = [writer(name=name, count=40, keys=True, wait=True) for name in ("one", "two")]
    for child in children:
        wait_until(lambda child=child: child.said("ready"), 20)
    for child in children:
        child.go()
    assert [child.end() for child in children] == [0, 0]
    keys = Counter(event.key for event in read_events(chain) if event.key.startswith("fact:"))
    assert keys == {f"fact:{number}": 1 for number in range(40)}
    assert [line[1:] for line in children[0].said("done")] == [line[1:] for line in children[1].said("done")]


def kill_while_writing(chain: Path, writer: Callable[..., Writer], after: int) -> None:
    child = writer(name="victim", count=100_000, padding=random.randint(0, 6000))
    wait_until(lambda: len(child.said("done")) >= after, 30)
    child.kill()
    said = [(int(line[1]), line[2].strip()) for line in child.said("done") if len(line) == 3]
    found = verify(chain)
    assert found.problem == ""
    events = {event.seq: event.hash for event in read_events(chain)}
    assert {seq: events.get(seq) for seq, _ in said} == dict(said), "what was reported as durable is there"
    assert len(events) - said[-1][0] in (0, 1), "at most the one it had not reported yet"


def test_a_writer_killed_in_the_middle_loses_nothing_it_reported(chain: Path, writer: Callable[..., Writer]) -> None:
    kill_while_writing(chain, writer, 25)


@pytest.mark.kill
def test_writers_killed_again_and_again_leave_one_valid_chain(chain: Path, writer: Callable[..., Writer]) -> None:
    for _ in range(25):
        kill_while_writing(chain, writer, random.randint(1, 120))


async def test_a_killed_writer_holds_up_nobody(
    journal: SqliteJournal, path: Path, writer: Callable[..., Writer]
) -> None:
    child = writer(name="victim", count=100_000)
    await eventually(lambda: len(child.said("done")) > 10, 30)
    child.kill()
    began = time.monotonic()
    await journal.append(note("after it"))
    assert time.monotonic() - began < 5
    assert verify(path).problem == ""


# No room, no permission -----------------------------------------------------------------------------------------------


def test_no_room_is_refused_nothing_half_is_kept_and_room_is_used_again(
    chain: Path, writer: Callable[..., Writer]
) -> None:
    child = writer(name="victim", count=10_000, padding=3000, file_limit=200_000)
    assert child.end() == 0
    assert child.said("refused")[0][1] == "JournalError"
    title, remedy = json.loads(child.said("refused")[0][2])
    assert title.startswith("The journal cannot be used")
    assert remedy
    done, again = child.said("done"), child.said("again")
    assert int(again[0][1]) == int(done[-1][1]) + 1, "the refused event left no gap"
    assert verify(chain).problem == ""
    assert read_events(chain)[-1].data == {"text": "room again"}


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if mount is None or os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_is_named_and_the_journal_recovers(tiny: Path) -> None:
    journal = await SqliteJournal.create(tiny / "run.db", Console.here("ana"))
    ballast = tiny / "ballast"
    ballast.write_bytes(b"x" * 1_700_000)
    kept = []

    async def fill() -> None:
        for number in range(2000):
            kept.append(await journal.append(note(f"{number} " + "x" * 2000)))

    with pytest.raises(JournalError) as caught:
        await fill()
    assert "full" in caught.value.title
    assert "Free space" in caught.value.remedy
    assert verify(tiny / "run.db").events == len(kept)
    with pytest.raises(JournalError):
        await journal.append(note("x" * 100_000))
    ballast.unlink()
    again = await journal.append(note("room again"))
    assert again.seq == len(kept) + 1
    assert verify(tiny / "run.db").head == again.hash
    await journal.close()


async def test_a_commit_that_fails_leaves_no_transaction_open(journal: SqliteJournal) -> None:
    def deny(operation: int, argument: str | None, *rest: object) -> int:
        return sqlite3.SQLITE_DENY if (operation, argument) == (sqlite3.SQLITE_TRANSACTION, "COMMIT") else 0

    await journal.append(note("before"))
    await journal._do(lambda: journal._db.set_authorizer(deny))
    with pytest.raises(JournalError, match="not authorized"):
        await journal.append(note("lost"))
    await journal._do(lambda: journal._db.set_authorizer(None))
    await journal.append(note("after"))
    assert [event.data["text"] for event in await journal.read()] == ["before", "after"]


AS_SOMEBODY = """
import asyncio, os, sys
from pathlib import Path
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.errors import JournalError
console = Console.here("x")
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    asyncio.run(SqliteJournal.create(Path(sys.argv[1]), console))
except JournalError as error:
    print(error)
"""


def test_a_directory_that_cannot_be_written_is_explained() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o555)
        command = [sys.executable, "-c", AS_SOMEBODY, f"{folder}/run.db"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "The journal cannot be used: Permission denied" in done.stdout
        Path(folder).chmod(0o755)


Partition = namedtuple("Partition", "mountpoint fstype")


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "fuse.glusterfs", "vboxsf"]
)
async def test_network_file_systems_are_refused_for_new_and_old_runs(
    chain: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    found = [Partition("/", "ext4"), Partition(str(chain.parent), kind)]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: found)
    for opening in (SqliteJournal.open(chain, Console.here("a")), SqliteJournal.create(chain, Console.here("a"))):
        with pytest.raises(JournalError, match="network file system") as caught:
            await opening
        assert kind in caught.value.detail
        assert "--state-dir" in caught.value.remedy


async def test_the_innermost_mount_decides(chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        Partition("/", "nfs4"),
        Partition(str(chain.parent.parent), "ext4"),
        Partition(f"{chain.parent}-elsewhere", "nfs4"),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: found)
    await (await SqliteJournal.open(chain, Console.here("a"))).close()
