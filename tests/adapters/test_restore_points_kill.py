"""Deaths of backup and proof: of the command, its child, a backend and the server, at every boundary of both.

The command stands still at the boundary (``restore_points_victim``) until the death has happened, so that each is
really hit. Whatever dies, the database is as it was, no unfinished backup counts, no unarmed side database is taken for
an armed one, and the same command simply works the next time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from migconsole.adapters.backup import directory as storage
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback import next_name, parse_marker, side_name
from tests.adapters.restoring import backed_up, command, environment, folded, manifest_of, migconsole, opened_run
from tests.waiting import wait_until

pytestmark = pytest.mark.kill

FILL = """
CREATE TABLE big AS SELECT g AS id, repeat(md5(g::text), 12) AS x FROM generate_series(1, 120000) g;
ALTER TABLE big ADD PRIMARY KEY (id); CREATE INDEX ON big (x); CREATE TABLE small (a int); INSERT INTO small VALUES (1);
"""


@pytest.fixture
def shop(own_server: EmbeddedServer) -> EmbeddedServer:
    own_server.psql("CREATE DATABASE shop")
    own_server.psql(FILL, "shop")
    return own_server


def command_dies(process: subprocess.Popen[bytes], server: EmbeddedServer) -> None:
    process.send_signal(signal.SIGKILL)


def child_dies(process: subprocess.Popen[bytes], server: EmbeddedServer) -> None:
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            if child.name() in ("pg_dump", "pg_restore"):
                child.kill()


def backend_dies(process: subprocess.Popen[bytes], server: EmbeddedServer) -> None:
    server.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name LIKE 'mc/%' OR application_name LIKE 'migconsole/%'"
    )


def server_dies(process: subprocess.Popen[bytes], server: EmbeddedServer) -> None:
    server.kill()


Death = Callable[[subprocess.Popen[bytes], EmbeddedServer], None]
At = tuple[str, Death]


def named(value: object) -> str | None:
    """How a case is called."""
    return value if isinstance(value, str) else getattr(value, "__name__", None)


def dead_at(server: EmbeddedServer, reached: Path, point: str, death: Death, *words: object) -> int:
    """Carry a command out up to a boundary, which must be reached, and let something die there; the exit code.

    Whatever is left of the command then goes on to its end, and nothing of it is left on the server.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.adapters.restore_points_victim", str(reached), point, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(server),
    )
    assert process.stdin is not None
    try:
        wait_until(lambda: reached.exists() or process.poll() is not None, 90)
        assert reached.exists(), f"{point} was never reached; exit {process.poll()}"
        death(process, server)
        process.stdin.close()
        code = process.wait(90)
    finally:
        process.kill()
        process.wait()
    if not server.running:
        server.start()
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
        "AND (application_name LIKE 'mc/%' OR application_name LIKE 'migconsole/%')"
    )
    wait_until(lambda: server.psql(busy) == "0", 60, "nothing of ours is left on the server")
    return code


def row(server: EmbeddedServer, name: str) -> tuple[str, str]:
    """Of a database: whether it is open (t, f, or "" where it is not there), and the step of its marker."""
    found = server.psql(
        "SELECT datallowconn, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database "
        f"WHERE datname = '{name}'"
    )
    is_open, _, text = found.partition("|")
    marker = parse_marker(text)
    return is_open, str(marker.step) if marker is not None else ""


BACKUP_POINTS = [
    "make_partial:after",
    "pg_dump:started",
    "pg_restore-output:after",
    "pg_dumpall:started",
    "hash_files:after",
    "settle:before",
    "manifest.json:after",
    "SHA256SUMS:after",
    "settle:after",
    "conclude:after",
]
BACKUP_CASES: list[At] = [
    *((point, command_dies) for point in BACKUP_POINTS),
    *(("pg_dump:started", death) for death in (child_dies, backend_dies, server_dies)),
    *(("pg_restore-output:after", death) for death in (backend_dies, server_dies)),
    ("settle:after", server_dies),
]


@pytest.mark.parametrize(("point", "death"), BACKUP_CASES, ids=named)
def test_a_backup_that_is_killed_never_counts_and_the_next_one_does(
    shop: EmbeddedServer, tmp_path: Path, point: str, death: Death
) -> None:
    url, folder = shop.url("shop"), tmp_path / "backups"
    words = ("backup", "--target", url, "--directory", folder, "--jobs", 2)
    code = dead_at(shop, tmp_path / "reached", point, death, *words)
    found = storage.look(folder) if folder.exists() else []
    if point in ("settle:after", "conclude:after"):
        assert [one.state for one in found] == ["whole"], "it has its name: from there on it is a backup"
        assert storage.verify(found[0].path).manifest.rows == 120_001
    else:
        assert code != 0
        assert [one.state for one in found] == (["unfinished"] if death is command_dies else [])
    assert shop.psql("SELECT count(*) FROM big", "shop") == "120000"
    assert migconsole(shop, "backup", "--clean", "--directory", folder).code == 0
    backup = backed_up(shop, url, folder)
    assert storage.verify(backup).manifest.rows == 120_001
    assert not list(folder.glob("*.partial"))


def test_workers_of_a_dump_whose_parent_is_killed_end_with_it(shop: EmbeddedServer, tmp_path: Path) -> None:
    """A parallel pg_dump that is killed leaves its workers, each with a session that holds locks."""
    process = subprocess.Popen(
        command("backup", "--target", shop.url("shop"), "--directory", tmp_path, "--jobs", 2),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(shop),
    )
    seen: list[psutil.Process] = []

    def workers() -> bool:
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(process.pid).children(recursive=True)
            seen[:] = [child for child in found if child.name() == "pg_dump"]
        return len(seen) == 3  # the parent and two workers

    wait_until(workers, 60)
    parent = next(child for child in seen if child.ppid() == process.pid)
    parent.kill()
    assert process.wait(60) == 1
    assert not [child for child in seen if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'mc/%'"
    wait_until(lambda: shop.psql(sessions) == "0", 30)
    assert list(tmp_path.iterdir()) == []


PROOF_POINTS = {
    "create:before": ("", ""),
    "create:after": ("t", ""),
    "mark-restoring:after": ("t", "restoring"),
    "pg_restore:started": ("t", "restoring"),
    "fill:after": ("t", "restoring"),
    "apply:after": ("t", "restoring"),
    "mark-verified:after": ("t", "verified"),
    "close:after": ("f", "verified"),
    "mark-armed:after": ("f", "armed"),
    "by-hand:after": ("f", "armed"),
    "conclude:after": ("f", "armed"),
}
"""Boundaries of a proof, and what the server has of the side database then: open, and its marker's step."""

PROOF_CASES: list[At] = [
    *((point, command_dies) for point in PROOF_POINTS),
    *(("pg_restore:started", death) for death in (child_dies, backend_dies, server_dies)),
    *((point, death) for point in ("close:after", "mark-armed:after") for death in (backend_dies, server_dies)),
]


@pytest.mark.parametrize(("point", "death"), PROOF_CASES, ids=named)
def test_a_proof_that_is_killed_arms_nothing_and_the_next_one_does(
    shop: EmbeddedServer, tmp_path: Path, point: str, death: Death
) -> None:
    url = shop.url("shop")
    shop.psql("ALTER SYSTEM SET fsync = on")  # a killed server must still know what it has answered
    shop.psql("ALTER DATABASE shop SET work_mem TO '5MB'; SELECT pg_reload_conf()")
    backup = backed_up(shop, url, tmp_path)
    side = side_name("shop", manifest_of(backup)["id"])
    code = dead_at(shop, tmp_path / "reached", point, death, "prove", backup, "--target", url, "--keep-armed")
    assert shop.psql("SELECT count(*) FROM big", "shop") == "120000"
    found = row(shop, side)
    if death is command_dies:
        assert code == -signal.SIGKILL
        assert found == PROOF_POINTS[point]
    assert found[1] != "armed" or found[0] == "f", "armed means closed"
    assert code != 0 or found == ("f", "armed"), "it said that it is armed"
    if found[1] in ("verified", "armed"):
        settings = "SELECT setconfig FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase"
        assert "work_mem=5MB" in shop.psql(f"{settings} WHERE datname = '{side}'"), (
            "its properties were applied before it was called verified"
        )
    said = migconsole(shop, "prove", backup, "--target", url, "--keep-armed")
    assert said.code == 0, said.complaint
    assert row(shop, side) == ("f", "armed")
    assert os.path.exists(backup / "ROLLBACK-BY-HAND.sql")


ANEW_POINTS = [
    *PROOF_POINTS,
    "exchange:before",
    "exchange:after",
    "drop:after",
]
ANEW_CASES: list[At] = [
    *((point, command_dies) for point in ANEW_POINTS),
    ("pg_restore:started", backend_dies),
    *(("exchange:after", death) for death in (backend_dies, server_dies)),
    ("mark-armed:after", server_dies),
]


@pytest.mark.parametrize(("point", "death"), ANEW_CASES, ids=named)
def test_proving_anew_never_leaves_the_run_without_an_armed_copy(
    shop: EmbeddedServer, tmp_path: Path, point: str, death: Death
) -> None:
    """The old copy is armed until the new one is, whatever dies in between; the two change names in one transaction."""
    url = shop.url("shop")
    shop.psql("ALTER SYSTEM SET fsync = on")  # a killed server must still know what it has answered
    shop.psql("SELECT pg_reload_conf()")
    run = opened_run(shop, url, tmp_path)
    first = backed_up(shop, url, tmp_path / "first", "--run", run)
    assert migconsole(shop, "prove", first, "--target", url, "--keep-armed", "--run", run).code == 0
    owner = folded(run).run_id
    side, following = side_name("shop", owner), next_name("shop", owner)
    shop.psql("INSERT INTO small VALUES (2)", "shop")
    second = backed_up(shop, url, tmp_path / "second", "--run", run)
    old, new = manifest_of(first)["id"], manifest_of(second)["id"]

    def armed() -> str:
        """The backup that is armed under the name that a rollback looks for, closed at every moment."""
        assert row(shop, side) == ("f", "armed")
        comment = f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{side}'"
        marker = parse_marker(shop.psql(comment))
        assert marker is not None
        return marker.backup

    words = ("prove", second, "--target", url, "--keep-armed", "--run", run)
    dead_at(shop, tmp_path / "reached", point, death, *words)
    exchanged = point in ("exchange:after", "drop:after", "by-hand:after", "conclude:after")
    assert armed() == (new if exchanged else old)
    said = migconsole(shop, *words)
    assert said.code == 0, said.complaint
    assert armed() == new
    assert row(shop, following) == ("", "")
    assert folded(run).restore_point.backup == new
    shop.psql(f"ALTER DATABASE {side} WITH ALLOW_CONNECTIONS true")
    assert shop.psql("SELECT count(*) FROM small", side) == "2"
    assert shop.psql("SELECT count(*) FROM big", side) == "120000"
