"""Backups of real databases: what is counted, what is refused, and that nothing half done ever counts."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import psutil
import pytest

from migconsole.adapters.backup import directory as storage
from migconsole.adapters.backup.directory import BackupError
from migconsole.demo.server import EmbeddedServer
from tests.adapters.restoring import GENERATED, SAMPLE, backed_up, command, environment, manifest_of, migconsole
from tests.conftest import Database
from tests.waiting import wait_until


def test_a_backup_holds_what_the_snapshot_held(database: Database, tmp_path: Path) -> None:
    database.psql(SAMPLE + GENERATED)
    backup = backed_up(database.server, database.url, tmp_path / "backups", "--jobs", 2)
    manifest = manifest_of(backup)
    rows = {(entry["schema"], entry["name"]): entry["rows"] for entry in manifest["tables"]}
    assert rows["Odd Schema", 'T "a"\n'] == 500
    assert rows["public", "parts_a"] + rows["public", "parts_b"] == 300
    assert rows["public", "parts"] is None, "a partitioned table holds none itself"
    assert (rows["public", "parent"], rows["public", "child"]) == (1, 1)
    assert rows["public", "fleeting"] == 10
    assert manifest["large_objects"] == 1
    assert manifest["origin"]["system_identifier"]
    assert all(entry["hash"] for entry in manifest["tables"] if entry["kind"] == "r")
    (countdown,) = [entry for entry in manifest["sequences"] if entry["name"] == "countdown"]
    assert (countdown["last_value"], countdown["is_called"]) == (9, True)


def test_nobody_else_can_read_it(database: Database, tmp_path: Path) -> None:
    database.psql(SAMPLE)
    backup = backed_up(database.server, database.url, tmp_path / "backups")
    for path in (backup.parent, backup, *backup.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_many_small_tables_are_counted_and_hashed_each_for_itself(database: Database, tmp_path: Path) -> None:
    made = [
        f"CREATE TABLE small_{n} (id int, note text); INSERT INTO small_{n} SELECT g, md5(g::text) "
        f"FROM generate_series(1, {n}) g;"
        for n in range(130)
    ]
    database.psql("".join(made) + "CREATE TABLE large AS SELECT g, repeat('x', 900) FROM generate_series(1, 12000) g")
    manifest = manifest_of(backed_up(database.server, database.url, tmp_path, "--jobs", 3))
    rows = {entry["name"]: (entry["rows"], entry["hash"]) for entry in manifest["tables"]}
    assert {name: rows[name][0] for name in rows} == {f"small_{n}": n for n in range(130)} | {"large": 12000}
    assert rows["large"][1] is None, "too large to be hashed unasked"
    row = 'hashtextextended(ROW(id, note)::text COLLATE "C", 0)::numeric'
    for n in (0, 1, 2, 64, 129):
        wanted = database.psql(f"SELECT COALESCE(sum({row}), 0) FROM small_{n}")
        assert rows[f"small_{n}"][1] == f"hashtextextended:{wanted}"


def test_an_empty_database_is_a_backup_too(database: Database, tmp_path: Path) -> None:
    backup = backed_up(database.server, database.url, tmp_path)
    assert manifest_of(backup)["tables"] == []
    assert storage.verify(backup).manifest.database == database.name


def test_writes_during_the_backup_make_no_difference(database: Database, tmp_path: Path) -> None:
    database.psql(
        "CREATE TABLE busy (id serial, x text); INSERT INTO busy (x) SELECT 'a' FROM generate_series(1, 200000)"
    )
    stop = Event()

    def write() -> None:
        while not stop.is_set():
            database.psql("INSERT INTO busy (x) SELECT 'b' FROM generate_series(1, 50)")

    writer = Thread(target=write)
    writer.start()
    try:
        wait_until(lambda: int(database.psql("SELECT count(*) FROM busy WHERE x = 'b'")) > 100)
        backup = backed_up(database.server, database.url, tmp_path)
    finally:
        stop.set()
        writer.join()
    (entry,) = [entry for entry in manifest_of(backup)["tables"] if entry["name"] == "busy"]
    assert 200_100 <= entry["rows"] < int(database.psql("SELECT count(*) FROM busy"))
    lines = subprocess.run(
        [database.server.tool("pg_restore"), "-f", "-", "-a", "-t", "busy", str(backup / "dump")],
        capture_output=True,
        env=database.server.environment(),
        check=True,
    ).stdout.splitlines()
    assert sum(line.endswith((b"\ta", b"\tb")) for line in lines) == entry["rows"]


def test_it_waits_for_no_migration(database: Database, tmp_path: Path) -> None:
    database.psql("CREATE TABLE locked (a int)")
    with holding(database, "LOCK TABLE locked"):
        said = migconsole(database.server, "backup", "--target", database.url, "--directory", tmp_path)
    assert said.code == 3
    assert "exclusive lock" in said.complaint
    assert list(tmp_path.iterdir()) == []


def test_it_waits_for_no_migrator(database: Database, tmp_path: Path) -> None:
    with holding(database, "SELECT pg_advisory_lock(72707369)"):
        said = migconsole(database.server, "backup", "--target", database.url, "--directory", tmp_path)
    assert said.code == 3
    assert "migrator's lock" in said.complaint


class holding:
    """A session that does something inside a transaction and keeps it open."""

    def __init__(self, database: Database, sql: str) -> None:
        self._database = database
        tool = database.server.tool("psql")
        self._psql = subprocess.Popen(
            [tool, "-XAtq", "-d", database.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=database.server.environment(),
        )
        self._sql = sql

    def __enter__(self) -> None:
        assert self._psql.stdin is not None
        assert self._psql.stdout is not None
        self._psql.stdin.write(f"BEGIN; {self._sql};\n\\echo held\n")
        self._psql.stdin.flush()
        while self._psql.stdout.readline().strip() != "held":
            assert self._psql.poll() is None

    def __exit__(self, *_: object) -> None:
        assert self._psql.stdin is not None
        self._psql.stdin.close()
        self._psql.wait(10)
        assert self._psql.stdout is not None
        self._psql.stdout.close()


def test_a_table_that_may_not_be_read_leaves_no_backup(database: Database, tmp_path: Path) -> None:
    server = database.server
    database.psql("CREATE TABLE hidden (a int); CREATE TABLE shown (a int); CREATE ROLE reader LOGIN")
    try:
        database.psql("GRANT SELECT ON shown TO reader")
        url = server.url(database.name, "reader")
        said = migconsole(server, "backup", "--target", url, "--directory", tmp_path)
        assert said.code == 1
        assert "permission denied" in said.complaint
        assert list(tmp_path.iterdir()) == []
    finally:
        database.psql("DROP OWNED BY reader; DROP ROLE reader")


def test_rows_hidden_by_a_policy_are_not_counted_as_all(database: Database, tmp_path: Path) -> None:
    server = database.server
    database.psql(
        "CREATE TABLE guarded (a int); INSERT INTO guarded VALUES (1), (2);"
        "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY one ON guarded USING (a = 1); CREATE ROLE reader LOGIN; GRANT SELECT ON guarded TO reader"
    )
    try:
        url = server.url(database.name, "reader")
        said = migconsole(server, "backup", "--target", url, "--directory", tmp_path)
        assert said.code == 1
        assert list(tmp_path.iterdir()) == []
    finally:
        database.psql("DROP OWNED BY reader; DROP ROLE reader")


# -- what has happened to it since -------------------------------------------------------------------------------------


@pytest.fixture
def backup(database: Database, tmp_path: Path) -> Path:
    database.psql(SAMPLE)
    return backed_up(database.server, database.url, tmp_path / "backups")


def largest(backup: Path) -> Path:
    return max((backup / "dump").glob("*.dat*"), key=lambda path: path.stat().st_size)


def test_a_truncated_file_is_refused(backup: Path) -> None:
    path = largest(backup)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(BackupError, match="not what was written") as caught:
        storage.verify(backup)
    assert path.name in caught.value.detail


def test_a_rotten_byte_is_refused(backup: Path) -> None:
    path = largest(backup)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BackupError, match="not what was written"):
        storage.verify(backup)


def test_a_missing_and_an_added_file_are_refused(backup: Path) -> None:
    path = largest(backup)
    path.rename(path.with_name("9999.dat.gz"))
    with pytest.raises(BackupError) as caught:
        storage.verify(backup)
    assert f"dump/{path.name} is missing" in caught.value.detail
    assert "dump/9999.dat.gz is not in SHA256SUMS" in caught.value.detail


def test_a_link_in_place_of_a_file_is_refused(backup: Path) -> None:
    path = largest(backup)
    elsewhere = path.rename(backup.parent / "elsewhere")
    path.symlink_to(elsewhere)
    with pytest.raises(BackupError):
        storage.verify(backup)


def test_an_edited_manifest_is_refused(backup: Path) -> None:
    text = (backup / "manifest.json").read_text()
    (backup / "manifest.json").write_text(text.replace('"rows": 500', '"rows": 501'))
    with pytest.raises(BackupError, match="manifest is not what was written"):
        storage.verify(backup)


def test_a_dump_of_other_origin_is_refused(database: Database, tmp_path: Path) -> None:
    (tmp_path / "x" / "dump").mkdir(parents=True)
    with pytest.raises(BackupError, match="no backup of migconsole"):
        storage.verify(tmp_path / "x")


def test_an_unfinished_one_is_refused_whatever_is_in_it(backup: Path) -> None:
    partial = backup.rename(backup.with_name(backup.name + ".partial"))
    with pytest.raises(BackupError, match="never finished"):
        storage.verify(partial)


def test_a_whole_one_is_said_to_be_whole(backup: Path, server: EmbeddedServer) -> None:
    said = migconsole(server, "backup", "--check", backup)
    assert said.code == 0
    assert said.events[0]["rows"] == manifest_of(backup)["tables"][0]["rows"] + sum(
        entry["rows"] or 0 for entry in manifest_of(backup)["tables"][1:]
    )


# -- killed ------------------------------------------------------------------------------------------------------------


def test_one_that_was_killed_is_listed_never_counts_and_can_be_removed(database: Database, tmp_path: Path) -> None:
    database.psql("CREATE TABLE t AS SELECT g, repeat(md5(g::text), 30) AS x FROM generate_series(1, 60000) g")
    process = subprocess.Popen(
        command("backup", "--target", database.url, "--directory", tmp_path),
        stdout=subprocess.DEVNULL,
        env=environment(database.server),
    )
    wait_until(lambda: list(tmp_path.glob("*.partial/dump/*.dat.gz")), 20)
    (listed,) = storage.look(tmp_path)
    assert listed.state == "running"
    process.send_signal(signal.SIGKILL)
    process.wait()
    (listed,) = storage.look(tmp_path)
    assert (listed.state, listed.path.suffix) == ("unfinished", ".partial")
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'mc/%'"
    wait_until(lambda: database.psql(ours) == "0", 20, "pg_dump ends with us")
    said = migconsole(database.server, "backup", "--clean", "--directory", tmp_path)
    assert said.code == 0
    assert list(tmp_path.iterdir()) == []
    backed_up(database.server, database.url, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_that_was_interrupted_leaves_nothing(database: Database, tmp_path: Path, number: signal.Signals) -> None:
    database.psql("CREATE TABLE t AS SELECT g, repeat(md5(g::text), 30) AS x FROM generate_series(1, 60000) g")
    process = subprocess.Popen(
        command("backup", "--target", database.url, "--directory", tmp_path),
        stdout=subprocess.DEVNULL,
        env=environment(database.server),
    )
    wait_until(lambda: list(tmp_path.glob("*.partial/dump/*.dat.gz")), 20)
    process.send_signal(number)
    assert process.wait(30) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_dead_snapshot_is_a_clean_failure(database: Database, tmp_path: Path) -> None:
    database.psql("CREATE TABLE t AS SELECT g, repeat(md5(g::text), 30) AS x FROM generate_series(1, 60000) g")
    process = subprocess.Popen(
        command("backup", "--target", database.url, "--directory", tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(database.server),
    )
    end = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE application_name LIKE 'migconsole/%/backup' AND state = 'idle in transaction'"
    )
    wait_until(lambda: database.psql(end) != "0", 20)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 1, complaint
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def volume_of(size: str, folder: Path) -> Iterator[Path]:
    """A small volume of its own at a folder; skips the test where none can be had."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small volume needs root")
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False).returncode:
        pytest.skip("no volume can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_leaves_nothing_that_fills_it(database: Database, tmp_path: Path) -> None:
    with volume_of("200k", tmp_path / "small") as volume:
        database.psql("CREATE TABLE t AS SELECT md5(g::text) AS x FROM generate_series(1, 60000) g")
        said = migconsole(database.server, "backup", "--target", database.url, "--directory", volume)
        assert said.code == 1
        assert "Free space" in said.complaint
        assert list(volume.iterdir()) == []


def test_a_volume_that_cannot_hold_the_dump_is_refused_before_anything_is_dumped(
    database: Database, tmp_path: Path
) -> None:
    database.psql("CREATE TABLE t AS SELECT repeat(md5(g::text), 30) AS x FROM generate_series(1, 40000) g")
    with volume_of("200k", tmp_path / "small") as volume:
        said = migconsole(database.server, "backup", "--target", database.url, "--directory", volume)
        assert said.code == 1
        assert "There is no room for the backup" in said.complaint
        assert "backup volume" in said.complaint
        assert "for the dump at the very least" in said.complaint
        assert "--directory" in said.complaint
        assert not any(event.get("phase") == "dump" for event in said.events)
        assert list(volume.iterdir()) == []


def test_what_the_last_backup_took_is_what_the_next_one_needs(database: Database, tmp_path: Path) -> None:
    database.psql("CREATE TABLE t AS SELECT md5(g::text) AS x FROM generate_series(1, 20000) g")
    with volume_of("3M", tmp_path / "small") as volume:
        backup = backed_up(database.server, database.url, volume)
        size = manifest_of(backup)["dump_bytes"]
        with (volume / "filler").open("wb") as filler:
            filler.write(b"x" * (shutil.disk_usage(volume).free - size // 3))
        said = migconsole(database.server, "backup", "--target", database.url, "--directory", volume)
        assert said.code == 1
        assert "as much for its size as the newest backup" in said.complaint
        assert {path.name for path in volume.iterdir()} == {"filler", backup.name}


def test_a_disk_that_fills_meanwhile_ends_the_dump_before_it_is_full(database: Database, tmp_path: Path) -> None:
    database.psql(
        "CREATE TABLE t AS SELECT string_agg(md5((g * 1000 + n)::text), '') AS x "
        "FROM generate_series(1, 10000) g, generate_series(1, 30) n GROUP BY g"
    )
    with volume_of("100M", tmp_path / "small") as volume:
        process = subprocess.Popen(
            command("backup", "--target", database.url, "--directory", volume),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(database.server),
        )
        try:
            dump = wait_until(lambda: dumping(process.pid), timeout=30)
            dump.suspend()
            with (volume / "filler").open("wb") as filler:
                filler.write(b"x" * (shutil.disk_usage(volume).free - 1_000_000))
            _, complaint = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 1
        assert "The volume of the backup is full" in complaint
        assert "are kept free" in complaint
        assert not dump.is_running()
        assert [path.name for path in volume.iterdir()] == ["filler"]


def dumping(pid: int) -> psutil.Process | None:
    """The pg_dump of a command, once it dumps: before, others are asked for their versions."""
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            if child.name() == "pg_dump" and any(word.startswith("--snapshot") for word in child.cmdline()):
                return child
    return None


# -- every version -----------------------------------------------------------------------------------------------------


@pytest.mark.matrix
def test_every_version_is_backed_up(matrix_database: Database, tmp_path: Path) -> None:
    server = matrix_database.server
    matrix_database.psql(SAMPLE + (GENERATED if server.tree.major >= 12 else ""))
    backup = backed_up(server, matrix_database.url, tmp_path, "--jobs", 2, "--hash", "all")
    made = storage.verify(backup)
    assert made.manifest.server_version.startswith(str(server.tree.major))
    assert made.manifest.rows > 800
