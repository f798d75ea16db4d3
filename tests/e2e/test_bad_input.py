"""Bad input in a real terminal: one message with the remedy, the code of the README, nothing left behind."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from migconsole.demo.server import EmbeddedServer
from tests.adapters.test_postgres_target import pooler
from tests.conftest import Database
from tests.e2e.checklists import PATIENCE, Desk, accept
from tests.e2e.pty import Console
from tests.waiting import wait_until

ITEM = {"item": "Look around", "id": "look"}
PASSWORD = "hunter2-Secret"


def assert_refused(desk: Desk, console: Console, code: int, *said: str) -> None:
    """It ended with this code; what it says stands in the terminal that was put back; no run remains."""
    assert console.wait(30) == code
    console.assert_restored()
    # The terminal breaks lines wherever they are too long for it.
    shown = "".join(console.scrollback().split())
    for words in said:
        assert "".join(words.split()) in shown, shown
    assert "Traceback" not in shown
    assert "\ufffd" not in shown
    assert PASSWORD.encode() not in console.raw
    assert not list(desk.state.glob("runs/*"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, ("checklist.yaml",)),
        ("checklist: [unclosed\n", ("checklist.yaml:", "checklist")),
        ("checklist: A\nphasez: []\n", ("checklist.yaml:2:1", "phases")),
        (b"checklist: \xff\xfe\n", ("checklist.yaml", "UTF-8")),
        ("", ("checklist.yaml",)),
    ],
    ids=["missing", "broken", "unknown key", "not UTF-8", "empty"],
)
def test_a_checklist_that_cannot_be_used(desk: Desk, text: str | bytes | None, said: tuple[str, ...]) -> None:
    if text is not None:
        desk.path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert_refused(desk, desk.open("run", str(desk.path)), 2, *said)


def test_a_target_without_a_value(desk: Desk) -> None:
    desk.write(ITEM, target={"url": "${ELSEWHERE_URL}", "environment": "production"})
    assert_refused(desk, desk.open("run", str(desk.path)), 2, "ELSEWHERE_URL")


def test_a_variable_that_is_not_declared_and_a_secret_on_the_command_line(desk: Desk) -> None:
    desk.write(ITEM, variables={"token": {"secret": True, "env": "TOKEN"}})
    assert_refused(desk, desk.open("run", str(desk.path), "--var", "colour=red"), 2, "colour", "token")
    assert_refused(desk, desk.open("run", str(desk.path), "--var", f"token={PASSWORD}"), 2, "Set TOKEN")


def test_a_command_whose_variable_has_no_value_says_so_and_does_not_start(desk: Desk) -> None:
    run = {"item": "Apply", "id": "apply", "run": 'echo "${where}"', "danger": "read", "expect": {"exit": 0}}
    desk.write(run, variables={"where": {"help": "which one"}})
    console = desk.run()
    console.press("r")
    console.wait_for("A value is missing")
    console.wait_for("where")
    assert not desk.record("apply").attempts


def test_a_server_that_is_not_there(desk: Desk) -> None:
    """The run is kept, says what is wrong, and nothing that changes anything can start."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        desk.url = f"postgresql://deploy:{PASSWORD}@127.0.0.1:{port}/app"
        desk.write({"item": "Apply", "id": "apply", "run": "touch done", "danger": "mutating", "expect": {"exit": 0}})
        console = desk.run()
        console.wait_for("127.0.0.1")
        console.wait_for("refuses connections")
        console.press("r")
        console.wait_until(lambda: "y runs it" not in console.text and "identif" in console.text, PATIENCE)
        assert not desk.record("apply").attempts
        headless = desk.call("run", str(desk.path), "--headless", "--allow", "mutating")
    assert headless.returncode == 1
    assert f"127.0.0.1:{port}" in headless.stderr
    assert PASSWORD not in headless.stdout + headless.stderr
    assert PASSWORD.encode() not in console.raw
    assert not (desk.project / "done").exists()


@pytest.fixture
def guarded(desk: Desk) -> Iterator[Desk]:
    """A desk whose server wants a password."""
    with EmbeddedServer() as server:
        server.psql(f"CREATE ROLE deploy LOGIN PASSWORD '{PASSWORD}'")
        hba = server.data / "pg_hba.conf"
        hba.write_text("host all deploy 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
        server.psql("SELECT pg_reload_conf()")
        desk.database = Database(server, "postgres", server.url("postgres"))
        yield desk


def test_a_wrong_password(guarded: Desk) -> None:
    desk = guarded
    desk.write(ITEM)
    desk.url = desk.database.server.url("postgres", "deploy", PASSWORD + "-wrong")
    console = desk.run()
    console.wait_for("password")
    assert PASSWORD.encode() not in console.raw
    done = desk.call("run", str(desk.path), "--headless")
    assert done.returncode == 1
    assert "password" in done.stderr
    assert "deploy" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr


async def test_a_pooler_is_named_with_the_way_around_it(desk: Desk) -> None:
    async with pooler(desk.database.server) as port:
        desk.write(ITEM)
        desk.url = f"postgresql://postgres:{PASSWORD}@127.0.0.1:{port}/{desk.database.name}?sslmode=disable"
        done = await asyncio.to_thread(desk.call, "run", str(desk.path), "--headless")
    assert done.returncode == 1
    assert f"127.0.0.1:{port} is a connection pooler" in done.stderr
    assert "DIRECT_URL" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def test_a_url_that_is_none(desk: Desk) -> None:
    desk.write(ITEM)
    desk.url = f"postgresql://deploy:{PASSWORD}@db1:notaport/app"
    assert_refused(desk, desk.open("run", str(desk.path)), 2, "port")


def test_a_state_directory_that_cannot_be_written(desk: Desk) -> None:
    desk.write(ITEM)
    desk.state.write_text("a file, where a folder should be")
    console = desk.open("run", str(desk.path))
    assert_refused(desk, console, 2, "state directory", "--state-dir")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Four megabytes and no more: the journal and the watcher's samples of a short run; needs root."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Use up the room, but for so many bytes."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
        file.truncate(max(0, file.tell() - leave))
    return filler


def test_a_full_disk_under_the_state_directory(desk: Desk, small_disk: Path) -> None:
    desk.write(ITEM)
    desk.state = small_disk
    fill(small_disk)
    console = desk.open("run", str(desk.path))
    assert_refused(desk, console, 2, "state directory", "Free space")


def test_a_disk_that_fills_up_during_the_run(desk: Desk, small_disk: Path) -> None:
    desk.write({"item": "Apply", "id": "apply", "run": "touch done", "danger": "mutating", "expect": {"exit": 0}}, ITEM)
    desk.state = small_disk
    console = desk.run()
    before = len(desk.events())
    filler = fill(small_disk)
    console.press("r")
    console.wait_until(lambda: "y runs it" in console.text or "journal" in console.text, PATIENCE)
    if "y runs it" in console.text:
        accept(console, "y", lambda: "y runs it" not in console.text)
    console.wait_for("journal")
    assert not (desk.project / "done").exists(), "nothing starts that cannot be recorded"
    assert len(desk.events()) == before
    filler.unlink()
    console.press("escape")
    console.wait_until(lambda: "journal" not in "".join(console.screen()[:-3]), message="the dialog is closed")
    console.press("escape")  # the message stays until somebody has seen it
    console.wait_gone("journal", PATIENCE)
    desk.start(console, "apply")
    assert desk.ended("apply").outcome == "passed"
    wait_until((desk.project / "done").exists)
    desk.assert_whole()


def test_a_run_that_is_named_where_there_is_none(desk: Desk) -> None:
    assert_refused(desk, desk.open("verify", "some-run"), 2, "“some-run”, nor any other", "migconsole run CHECKLIST")


def test_a_server_that_never_answers_is_not_watched_well(desk: Desk) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = f"postgresql://ana:{PASSWORD}@127.0.0.1:{taken.getsockname()[1]}/app"
        console = desk.open("watch", "--target", target, "--until", "3s", "--format", "text")
        assert_refused(desk, console, 1, "refuses connections")
