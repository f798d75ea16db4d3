"""Watchers as processes on real servers: one a run, seen when they die, mended, never ended by what a server does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from migconsole.adapters import processes, watchers
from migconsole.adapters.health_store import HealthReader
from migconsole.adapters.journal.reading import read_events
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.adapters.postgres.probes.catalogue import PROBES
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.events import Draft, Kind
from migconsole.domain.readings import Level, Quality, Reading
from migconsole.domain.run import fold
from migconsole.domain.thresholds import Phase
from migconsole.engine.watched_run import acknowledgement
from migconsole.wiring import opening, watching
from migconsole.wiring.opening import Options
from migconsole.wiring.watcher import thresholds
from tests.adapters.test_postgres_target import pooler
from tests.conftest import Database
from tests.waiting import eventually, wait_until

CHECKLIST = """
checklist: Watched
format: 1
target: {url: "${DATABASE_URL}"}
alarms: {conn_saturation: {warn: 1%, critical: 99%}, self_cost: off}
phases:
  - phase: One
    at: T-0
    sections:
      - section: Only
        items: [{item: Do it, id: it, run: "true", danger: mutating}]
"""
SLOW = 30.0
STEP = {"item": "it", "attempt": 1, "kind": "run", "danger": "mutating", "text": "true"}


@dataclass
class Watched:
    """A run that was opened by nobody's console."""

    path: Path
    options: Options

    @property
    def reader(self) -> HealthReader:
        return HealthReader(self.path / "health.db")

    def ensure(self) -> int:
        return watching.ensure_watcher(self.path, self.options)

    def end(self) -> None:
        pid = watchers.running(self.path)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: watchers.running(self.path) is None)

    def log(self) -> str:
        return (self.path / watchers.LOG).read_text()


@pytest.fixture
def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Watched]]:
    made: list[Watched] = []

    def make(url: str) -> Watched:
        monkeypatch.setenv("DATABASE_URL", url)
        file = tmp_path / "checklist.yaml"
        file.write_text(CHECKLIST)
        options = Options(state_dir=str(tmp_path / "state"), project=tmp_path)

        async def create() -> Path:
            session = await opening.create(str(file), options)
            await session.close()
            return session.directory

        made.append(Watched(asyncio.run(create()), options))
        return made[-1]

    yield make
    for run in made:
        run.end()


@pytest.fixture
def run(make_run: Callable[[str], Watched], database: Database) -> Watched:
    return make_run(database.url)


def reads(reader: HealthReader, probe: str, quality: Quality, timeout: float = SLOW) -> Reading:
    """Wait until the probe's newest reading is of this quality."""

    def matching() -> Reading | None:
        reading = reader.latest(probe)
        return reading if reading is not None and reading.quality is quality else None

    found = wait_until(matching, timeout, f"{probe} {quality}")
    assert found is not None
    return found


# -- a run's watcher ---------------------------------------------------------------------------------------------------


def test_a_watcher_samples_away_from_whoever_started_it(run: Watched) -> None:
    pid = run.ensure()
    assert reads(run.reader, "conn_saturation", Quality.OK).rows
    state = run.reader.watcher()
    assert (state.alive, state.pid) == (True, pid)
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in os.scandir(run.path) if entry.is_file()}
    assert {name for name, mode in modes.items() if mode != 0o600} == set()
    assert run.log() == ""


def test_any_number_of_consoles_have_one_watcher(run: Watched) -> None:
    script = (
        "import sys, json; from pathlib import Path; from migconsole.adapters import watchers; "
        "print(watchers.spawn(Path(sys.argv[1]), json.load(sys.stdin)))"
    )
    handed = json.dumps(watching.handed_over(run.options, 60)).encode()
    consoles = [
        subprocess.Popen([sys.executable, "-c", script, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    said = [int(console.communicate(handed, timeout=60)[0]) for console in consoles]
    assert all(console.returncode == 0 for console in consoles)
    pid = watchers.running(run.path)
    assert pid is not None
    assert set(said) == {pid}
    wait_until(lambda: watching_processes(run.path) == [pid], 10)


async def test_a_watcher_that_is_killed_is_seen_and_mended(
    make_run_async: Callable[[str], Any], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await make_run_async(database.url)
    monkeypatch.setattr(watching.WatcherKeeper, "FIRST_PAUSE", 0.1)
    keeper = watching.WatcherKeeper(run.path, run.options)
    keeper.start()
    reader = run.reader
    first = (await eventually(lambda: reader.watcher() if reader.watcher().alive else None, SLOW)).pid
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: f"(pid {first}) is gone" in reader.watcher().problem or reader.watcher().pid != first, 10)
    state = await eventually(lambda: reader.watcher() if reader.watcher().alive else None, SLOW)
    assert state.pid != first
    assert watchers.running(run.path) == state.pid
    await eventually(lambda: keeper.problem == "", SLOW)
    await keeper.close()
    assert reader.watcher().alive


async def test_nobody_watches_a_run_that_is_over(
    make_run_async: Callable[[str], Any], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await make_run_async(database.url)
    monkeypatch.setattr(watching.WatcherKeeper, "FIRST_PAUSE", 0.1)
    keeper = watching.WatcherKeeper(run.path, run.options)
    keeper.start()
    pid = (await eventually(lambda: run.reader.watcher() if run.reader.watcher().alive else None, SLOW)).pid
    await append(run.path, Draft(Kind.RUN_ENDED, {"ending": "complete"}, "ada"))
    await eventually(lambda: processes.start_time(pid) is None, SLOW)
    await eventually(lambda: keeper._task is not None and keeper._task.done(), SLOW)
    assert watchers.running(run.path) is None


def test_secrets_are_in_no_argument_no_environment_and_no_file(
    make_run: Callable[[str], Watched], database: Database
) -> None:
    password = "s3cr3t-Pa55word"
    role = f"r_{database.name}"
    database.psql(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'; GRANT pg_monitor TO {role}")
    run = make_run(database.server.url(database.name, role, password))
    pid = run.ensure()
    reads(run.reader, "sessions", Quality.OK)
    for name in ("cmdline", "environ"):
        assert password.encode() not in Path(f"/proc/{pid}/{name}").read_bytes()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: watchers.running(run.path) is None, 15)
    for file in run.path.rglob("*"):
        assert not file.is_file() or password.encode() not in file.read_bytes(), file


def test_a_watcher_ends_in_order_when_it_is_told_to(run: Watched) -> None:
    pid = run.ensure()
    reads(run.reader, "conn_saturation", Quality.OK)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: processes.start_time(pid) is None, 15)
    assert run.log() == ""
    assert "is gone" in run.reader.watcher().problem
    assert run.ensure() != pid


def test_a_watcher_ends_with_its_run_directory(run: Watched) -> None:
    pid = run.ensure()
    reads(run.reader, "conn_saturation", Quality.OK)
    shutil.rmtree(run.path)
    wait_until(lambda: processes.start_time(pid) is None, 15)
    assert not run.path.exists()


def test_a_watcher_that_cannot_start_says_why(run: Watched) -> None:
    (run.path / "checklist.yaml").write_text(CHECKLIST + "# changed\n")
    with pytest.raises(watching.MigconsoleError, match="frozen checklist"):
        run.ensure()
    assert watchers.running(run.path) is None


def test_two_runs_on_one_database_are_told_of_each_other(
    make_run: Callable[[str], Watched], database: Database
) -> None:
    one, other = make_run(database.url), make_run(database.url)
    one.ensure()
    reads(one.reader, "conn_saturation", Quality.OK)
    wait_until(lambda: one.reader.watcher().problem == "" and locks(database) == 1, SLOW)
    other.ensure()
    wait_until(lambda: "another run watches this database" in other.reader.watcher().problem, SLOW)
    one.end()
    wait_until(lambda: other.reader.watcher().problem == "", SLOW)


def test_alarms_go_into_the_journal_once_whoever_watches(run: Watched) -> None:
    run.ensure()
    reader = run.reader
    (alarm,) = wait_until(lambda: [a for a in reader.alarms() if a.probe == "conn_saturation"], SLOW)
    assert alarm.evidence[0]["used"] >= 1
    run.end()
    run.ensure()
    last = reads(reader, "conn_saturation", Quality.OK).at
    wait_until(lambda: reads(reader, "conn_saturation", Quality.OK).at > last, SLOW)
    events = [e for e in read_events(run.path / "run.db") if e.kind == Kind.ALARM]
    raised = [e for e in events if e.data["probe"] == "conn_saturation"]
    assert [(e.data["alarm"], e.data["change"], e.actor) for e in raised] == [(alarm.id, "raised", "watcher")]
    asyncio.run(append(run.path, acknowledgement(alarm.id, "ada", "known")))
    wait_until(lambda: [a.acknowledged for a in reader.alarms() if a.id == alarm.id] == ["ada"], SLOW)
    state = fold(read_events(run.path / "run.db"))
    assert state.anomalies == []
    assert (state.alarms[alarm.id].acknowledged, state.alarms[alarm.id].note) == ("ada", "known")
    assert state.alarms[alarm.id].evidence[0]["used"] >= 1


def test_the_watcher_follows_the_steps_of_the_run(run: Watched, database: Database) -> None:
    run.ensure()
    reader = run.reader
    reads(reader, "conn_saturation", Quality.OK)
    wait_until(lambda: reader.phase() == Phase.BEFORE, SLOW)
    name = "mc/12345678/abcdef01"
    started = {"item": "it", "attempt": 1, "kind": "run", "danger": "mutating", "app_name": name, "text": "true"}
    asyncio.run(append(run.path, Draft(Kind.ATTEMPT_STARTED, started, "ada")))
    wait_until(lambda: reader.phase() == Phase.STEP, SLOW)
    migration = subprocess.Popen(
        [database.server.tool("psql"), database.url, "-qc", "SELECT pg_sleep(60)"],
        env={**os.environ, "PGAPPNAME": name, "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        found = wait_until(
            lambda: (r := reader.latest("migration_session")) and r.rows and r.rows[0]["found"] and r, SLOW
        )
        assert found.rows[0]["application"] == name
    finally:
        migration.kill()
        migration.wait()
    asyncio.run(append(run.path, Draft(Kind.ATTEMPT_ENDED, {"item": "it", "attempt": 1, "outcome": "passed"}, "ada")))
    wait_until(lambda: reader.phase() == Phase.FIRST_HOUR, SLOW)


def test_the_session_in_the_target_is_gone_while_a_destructive_step_runs(run: Watched, database: Database) -> None:
    run.ensure()
    reader = run.reader
    wait_until(lambda: sessions_in(database) == 1, SLOW)
    started = {"item": "it", "attempt": 1, "kind": "run", "danger": "destructive", "text": "true"}
    asyncio.run(append(run.path, Draft(Kind.ATTEMPT_STARTED, started, "ada")))
    # No session alone does not say it: after probes that open many files the session is closed for a moment as well.
    wait_until(lambda: any("to itself" in found.reason for p in PROBES if (found := reader.latest(p.name))), SLOW)
    assert sessions_in(database) == 0
    before = reads(reader, "conn_saturation", Quality.OK).at
    wait_until(lambda: reads(reader, "conn_saturation", Quality.OK).at > before, SLOW)
    assert sessions_in(database) == 0
    asyncio.run(append(run.path, Draft(Kind.ATTEMPT_ENDED, {"item": "it", "attempt": 1, "outcome": "passed"}, "ada")))
    wait_until(lambda: sessions_in(database) == 1, SLOW)


def test_a_job_has_the_target_to_itself_for_as_long_as_it_asks(run: Watched, database: Database) -> None:
    run.ensure()
    reader = run.reader
    wait_until(lambda: sessions_in(database) == 1, SLOW)
    with watchers.stood_down(run.path, "the swap") as left:
        assert left
        assert sessions_in(database) == 0
        database.server.psql(f"ALTER DATABASE {database.name} RENAME TO {database.name}_away")
        database.server.psql(f"ALTER DATABASE {database.name}_away RENAME TO {database.name}")
        before = reads(reader, "conn_saturation", Quality.OK).at
        wait_until(lambda: reads(reader, "conn_saturation", Quality.OK).at > before, SLOW)
        assert sessions_in(database) == 0
    wait_until(lambda: sessions_in(database) == 1, SLOW)
    assert not list(run.path.glob("watcher.away*"))
    with watchers.stood_down(run.path, "again") as left:
        assert left
        assert sessions_in(database) == 0


def test_the_request_of_a_job_that_was_killed_counts_no_more(run: Watched, database: Database) -> None:
    run.ensure()
    wait_until(lambda: sessions_in(database) == 1, SLOW)
    script = (
        "import sys; from pathlib import Path; from migconsole.adapters import watchers; "
        "print(watchers.stand_down(Path(sys.argv[1]), 'the swap'), flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    job = subprocess.Popen([sys.executable, "-c", script, str(run.path)], stdin=pipe, stdout=pipe)
    assert job.stdout is not None
    assert job.stdout.readline() == b"True\n"
    assert sessions_in(database) == 0
    job.kill()
    job.communicate()
    wait_until(lambda: sessions_in(database) == 1, SLOW)
    assert not [*run.path.glob("watcher.away*"), *run.path.glob("watcher.left*")]


def test_nobody_waits_for_a_watcher_that_is_not_there_or_does_not_answer(run: Watched, database: Database) -> None:
    with watchers.stood_down(run.path, "the swap") as left:
        assert left
    pid = run.ensure()
    wait_until(lambda: sessions_in(database) == 1, SLOW)
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with watchers.stood_down(run.path, "the swap", limit=0.5) as left:
            assert not left
            assert time.monotonic() - began < 2.0
    finally:
        os.kill(pid, signal.SIGCONT)


# -- what a server does ------------------------------------------------------------------------------------------------


def test_a_server_that_is_killed_is_named_and_comes_back(
    make_run: Callable[[str], Watched], own_server: EmbeddedServer
) -> None:
    own_server.psql("CREATE DATABASE shop")
    run = make_run(own_server.url("shop"))
    pid = run.ensure()
    reader = run.reader
    good = reads(reader, "sessions", Quality.OK)
    assert good.rows
    own_server.kill()
    failed = reads(reader, "sessions", Quality.FAILED)
    assert failed.reason
    assert failed.rows, "the last good rows stay, with their own time"
    assert reader.series("connections", 60)[-1][1] is None
    own_server.start()
    again = reads(reader, "sessions", Quality.OK, 60)
    assert again.at > good.at
    wait_until(lambda: any(a.probe == "server_identity" for a in reader.alarms(open_only=False)), SLOW)
    assert watchers.running(run.path) == pid
    assert run.log() == ""


def test_a_run_whose_server_is_away_is_watched_all_the_same(
    make_run: Callable[[str], Watched], own_server: EmbeddedServer
) -> None:
    own_server.psql("CREATE DATABASE shop")
    run = make_run(own_server.url("shop"))
    own_server.stop()
    pid = run.ensure()
    assert reads(run.reader, "sessions", Quality.FAILED).reason
    own_server.start()
    reads(run.reader, "sessions", Quality.OK, 60)
    assert watchers.running(run.path) == pid


def test_revoked_privileges_and_a_dropped_extension_are_named_and_noticed_when_they_are_back(
    make_run: Callable[[str], Watched], database: Database
) -> None:
    role = f"r_{database.name}"
    database.psql(f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT pg_monitor TO {role}")
    database.psql("CREATE EXTENSION pg_stat_statements")
    run = make_run(database.server.url(database.name, role, "x"))
    pid = run.ensure()
    reader = run.reader
    reads(reader, "pgss_delta", Quality.OK)
    database.psql(f"DROP EXTENSION pg_stat_statements; REVOKE pg_monitor FROM {role}")
    watchers.ask_to_retry(run.path)
    gone = reads(reader, "pgss_delta", Quality.NOT_AVAILABLE, 150)
    assert gone.reason
    blind = reads(reader, "sessions", Quality.NO_PRIVILEGE)
    assert "pg_" in blind.reason or "privilege" in blind.reason
    database.psql(f"CREATE EXTENSION pg_stat_statements; GRANT pg_monitor TO {role}")
    watchers.ask_to_retry(run.path)
    reads(reader, "sessions", Quality.OK)
    reads(reader, "pgss_delta", Quality.OK, 150)
    assert watchers.running(run.path) == pid
    assert run.log() == ""


# -- without a run -----------------------------------------------------------------------------------------------------


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "migconsole", "watch", *arguments]


def test_without_a_run_lines_are_printed_and_nothing_stays(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder)}
    process = subprocess.Popen(
        command("--target", database.url, "--format", "json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )
    try:
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)
        pulses = [next(line for line in lines if line["event"] == "pulse") for _ in range(2)]
        (private,) = folder.iterdir()
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    finally:
        process.send_signal(signal.SIGTERM)
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 0
    assert complaint == ""
    assert pulses[0]["values"]["connections"] >= 1
    assert pulses[1]["at"] > pulses[0]["at"]
    assert pulses[1]["unread"] == {} or all(pulses[1]["unread"].values())
    assert list(folder.iterdir()) == []


def test_without_a_run_text_lines_end_by_themselves(database: Database) -> None:
    done = subprocess.run(
        command("--target", database.url, "--until", "3s"), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert done.stderr == ""
    (line, *_) = [line for line in done.stdout.splitlines() if "conn " in line]
    assert "blocked 0" in line
    assert "mon " in line


def test_a_run_is_followed_in_lines_and_its_watcher_stays(run: Watched) -> None:
    done = subprocess.run(command(str(run.path), "--until", "4s"), capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert "conn " in done.stdout
    assert watchers.running(run.path) is not None


def test_a_headless_run_is_watched_only_when_it_says_so(database: Database, tmp_path: Path) -> None:
    file, state = tmp_path / "checklist.yaml", tmp_path / "state"
    file.write_text(CHECKLIST)
    start = [sys.executable, "-m", "migconsole", "--state-dir", str(state), "run", str(file), "--headless"]
    environment = {**os.environ, "DATABASE_URL": database.url}
    for more, watched in (([], False), (["--watch"], True)):
        done = subprocess.run(
            [*start, *more], capture_output=True, text=True, timeout=60, env=environment, cwd=tmp_path
        )
        assert done.returncode == 3, done.stderr
        newest = max((state / "runs").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        pid = watchers.running(newest)
        assert (pid is not None) is watched
        if pid is not None:
            assert f"process {pid}" in done.stdout
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda pid=pid: processes.start_time(pid) is None, 15)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--target", "nonsense"), "The target cannot be used"),
        (("--until", "soon", "--target", "postgresql://u@h/d"), "--until is no duration"),
        (("some-run", "--target", "postgresql://u@h/d"), "not both"),
    ],
)
def test_what_cannot_be_watched_is_refused(arguments: tuple[str, ...], complaint: str) -> None:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_alarm_in_the_users_configuration_is_named(database: Database, clean_environment: Path) -> None:
    folder = clean_environment / ".config" / "migconsole"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[alarms]\nnonsense = "off"\n')
    done = subprocess.run(command("--target", database.url), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "nonsense" in done.stderr
    assert "config.toml" in done.stderr


def test_a_pooler_is_refused_with_what_to_do(server: EmbeddedServer, tmp_path: Path) -> None:
    """Through one nobody knows whose session the settings of the monitor would be."""
    with poolers_port(server) as port:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable"
        done = subprocess.run(command("--target", url), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "connection pooler" in done.stderr
    assert "Give the server's own address" in done.stderr
    assert "Traceback" not in done.stderr


@contextlib.contextmanager
def poolers_port(server: EmbeddedServer) -> Iterator[int]:
    """A pooler in a loop of its own, because this test waits for a process."""
    loop, ports, ended = asyncio.new_event_loop(), queue.Queue[int](), asyncio.Event()

    async def open_it() -> None:
        async with pooler(server) as port:
            ports.put(port)
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(open_it(),))
    thread.start()
    try:
        yield ports.get(timeout=10)
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()


def test_alarms_are_set_in_the_users_configuration_and_over_that_in_the_checklist(clean_environment: Path) -> None:
    folder = clean_environment / ".config" / "migconsole"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[alarms]\nconn_saturation = {warn = "10%"}\nself_cost = "off"\n')
    used = Reading("conn_saturation", 0.0, 0.0, Quality.OK, ({"used_share": 0.2, "used": 20, "slots": 100},))
    dear = Reading("self_cost", 0.0, 0.0, Quality.OK, ({"busy_share": 0.5, "longest_wait_s": 0.0},))
    for checklists, level in (({}, Level.WARN), ({"conn_saturation": {"warn": "30%"}}, Level.GOOD)):
        limits = thresholds(checklists)
        assert limits.judge(used, Phase.BEFORE)[0] is level
        assert limits.judge(dear, Phase.BEFORE)[0] is Level.GOOD


# -- help --------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def make_run_async(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[str], Any]]:
    made: list[Watched] = []

    async def make(url: str) -> Watched:
        monkeypatch.setenv("DATABASE_URL", url)
        file = tmp_path / "checklist.yaml"
        await asyncio.to_thread(file.write_text, CHECKLIST)
        options = Options(state_dir=str(tmp_path / "state"), project=tmp_path)
        session = await opening.create(str(file), options)
        await session.close()
        made.append(Watched(session.directory, options))
        return made[-1]

    yield make
    for run in made:
        run.end()


async def append(path: Path, draft: Draft) -> None:
    journal = await SqliteJournal.open(path / "run.db", Console.here("ada"))
    try:
        await journal.append(draft)
    finally:
        await journal.close()


def watching_processes(path: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if str(path).encode() in words and b"watch" in words:
                found.append(int(entry.name))
    return found


def sessions_in(database: Database) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND application_name LIKE 'migconsole/%'"
    return int(database.server.psql(query.format(database.name)))


def locks(database: Database) -> int:
    return int(database.server.psql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"))


def test_the_tables_that_pending_migrations_change_are_watched(run: Watched, database: Database) -> None:
    database.psql('CREATE TABLE orders (id int); CREATE TABLE "Item" (id int); CREATE TABLE other (id int)')
    folder = run.options.project
    assert folder is not None
    migration = folder / "prisma" / "migrations" / "20300101000000_change" / "migration.sql"
    migration.parent.mkdir(parents=True)
    (folder / "prisma" / "migrations" / "migration_lock.toml").write_text('provider = "postgresql"\n')
    migration.write_text('ALTER TABLE Orders ADD COLUMN a int; UPDATE "Item" SET id = 1;')
    run.ensure()
    reader = run.reader

    def watched() -> set[str]:
        reading = reader.latest("watch_sizes")
        return {str(row["relation"]) for row in reading.rows if row["watched"]} if reading is not None else set()

    os.close(os.open(run.path / watchers.RETRY, os.O_WRONLY | os.O_CREAT, 0o600))
    asyncio.run(append(run.path, Draft(Kind.ATTEMPT_STARTED, STEP, "ada")))
    asyncio.run(append(run.path, Draft(Kind.ATTEMPT_ENDED, {"item": "it", "attempt": 1, "outcome": "passed"}, "ada")))
    wait_until(lambda: watched() == {"public.orders", 'public."Item"'}, SLOW, str(watched()))
