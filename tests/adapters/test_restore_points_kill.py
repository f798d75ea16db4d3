"""Deaths of backup and proof: of the command, its child, a backend and the server, at every boundary of both.

Whatever dies, the database is as it was, no unfinished backup counts, no unarmed side database is taken for an armed
one, and the same command simply works the next time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from migconsole.adapters.backup import directory as storage
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback import Mark, next_name, parse_marker, side_name
from migconsole.errors import MigconsoleError
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


DEATHS = [command_dies, child_dies, backend_dies, server_dies]
Death = Callable[[subprocess.Popen[bytes], EmbeddedServer], None]


def until_dead(
    process: subprocess.Popen[bytes], server: EmbeddedServer, moment: Callable[[], object], death: Death
) -> None:
    """Wait for a moment, kill, and wait until nothing of the command is left. The moment may be missed: also a case."""

    def due() -> bool:
        with contextlib.suppress(MigconsoleError, OSError):
            return bool(moment()) or process.poll() is not None
        return process.poll() is not None

    wait_until(due, 60)
    death(process, server)
    process.wait(90)
    if not server.running:
        server.start()
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' "
        "AND (application_name LIKE 'mc/%' OR application_name LIKE 'migconsole/%')"
    )
    wait_until(lambda: server.psql(busy) == "0", 60, "nothing of ours is left on the server")


BACKUP_MOMENTS = {
    "begun": "*.partial",
    "dumping": "*.partial/dump/*.dat.gz",
    "listed": "*.partial/toc.list",
    "described": "*.partial/manifest.json",
    "summed": "*.partial/SHA256SUMS",
}


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.__name__)
@pytest.mark.parametrize("moment", BACKUP_MOMENTS)
def test_a_backup_that_is_killed_never_counts_and_the_next_one_does(
    shop: EmbeddedServer, tmp_path: Path, moment: str, death: Death
) -> None:
    url = shop.url("shop")
    process = subprocess.Popen(
        command("backup", "--target", url, "--directory", tmp_path, "--jobs", 2),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(shop),
    )
    until_dead(process, shop, lambda: list(tmp_path.glob(BACKUP_MOMENTS[moment])), death)
    for found in storage.look(tmp_path) if tmp_path.exists() else []:
        if found.state == "whole":
            assert storage.verify(found.path).manifest.rows == 120_001
        else:
            assert found.state == "unfinished"
            assert found.path.name.endswith(".partial")
    assert shop.psql("SELECT count(*) FROM big", "shop") == "120000"
    assert migconsole(shop, "backup", "--clean", "--directory", tmp_path).code == 0
    backup = backed_up(shop, url, tmp_path)
    assert storage.verify(backup).manifest.rows == 120_001
    assert not list(tmp_path.glob("*.partial"))


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


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.__name__)
@pytest.mark.parametrize("moment", ["created", "restoring", "copied", "verified", "closed"])
def test_a_proof_that_is_killed_arms_nothing_and_the_next_one_does(
    shop: EmbeddedServer, tmp_path: Path, moment: str, death: Death
) -> None:
    url = shop.url("shop")
    backup = backed_up(shop, url, tmp_path)
    side = side_name("shop", manifest_of(backup)["id"])
    row = (
        "SELECT datallowconn, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database "
        f"WHERE datname = '{side}'"
    )
    moments: dict[str, Callable[[], object]] = {
        "created": lambda: shop.psql(row),
        "restoring": lambda: "restoring" in shop.psql(row),
        "copied": lambda: shop.psql("SELECT 1 FROM pg_class WHERE relname = 'big_pkey'", side),
        "verified": lambda: "verified" in shop.psql(row),
        "closed": lambda: shop.psql(row).startswith("f|"),
    }
    process = subprocess.Popen(
        command("prove", backup, "--target", url, "--keep-armed"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(shop),
    )
    until_dead(process, shop, moments[moment], death)
    assert shop.psql("SELECT count(*) FROM big", "shop") == "120000"
    found = shop.psql(row)
    if found:
        is_open, _, text = found.partition("|")
        marker = parse_marker(text)
        if marker is not None and marker.step is Mark.ARMED:
            assert is_open == "f", "armed means closed"
            assert process.returncode in (0, -signal.SIGKILL, 1)
        elif process.returncode == 0:
            raise AssertionError("it said that it is armed and is not")
    said = migconsole(shop, "prove", backup, "--target", url, "--keep-armed")
    assert said.code == 0, said.complaint
    is_open, _, text = shop.psql(row).partition("|")
    marker = parse_marker(text)
    assert marker is not None
    assert (is_open, marker.step) == ("f", Mark.ARMED)
    assert os.path.exists(backup / "ROLLBACK-BY-HAND.sql")


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: death.__name__)
@pytest.mark.parametrize("moment", ["created", "copied", "verified", "closed", "exchanged"])
def test_proving_anew_never_leaves_the_run_without_an_armed_copy(
    shop: EmbeddedServer, tmp_path: Path, moment: str, death: Death
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

    def row(name: str) -> str:
        return shop.psql(
            "SELECT datallowconn, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database "
            f"WHERE datname = '{name}'"
        )

    def armed() -> str:
        """The backup that is armed under the name that a rollback looks for."""
        is_open, _, text = row(side).partition("|")
        marker = parse_marker(text)
        assert is_open == "f", "closed at every moment"
        assert marker is not None
        assert marker.step is Mark.ARMED
        return marker.backup

    moments: dict[str, Callable[[], object]] = {
        "created": lambda: row(following),
        "copied": lambda: shop.psql("SELECT 1 FROM pg_class WHERE relname = 'big_pkey'", following),
        "verified": lambda: "verified" in row(following),
        "closed": lambda: row(following).startswith("f|"),
        "exchanged": lambda: armed() == new,
    }
    process = subprocess.Popen(
        command("prove", second, "--target", url, "--keep-armed", "--run", run),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(shop),
    )
    until_dead(process, shop, moments[moment], death)
    assert armed() in (old, new)
    assert moment != "exchanged" or armed() == new
    said = migconsole(shop, "prove", second, "--target", url, "--keep-armed", "--run", run)
    assert said.code == 0, said.complaint
    assert armed() == new
    assert row(following) == ""
    assert folded(run).restore_point.backup == new
    shop.psql(f"ALTER DATABASE {side} WITH ALLOW_CONNECTIONS true")
    assert shop.psql("SELECT count(*) FROM small", side) == "2"
    assert shop.psql("SELECT count(*) FROM big", side) == "120000"
