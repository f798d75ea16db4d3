"""No secret of a real run in anything that is written, shown or passed on, in any of its forms."""

from __future__ import annotations

import base64
import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from migconsole.demo.server import EmbeddedServer
from migconsole.domain.events import Kind
from tests.conftest import Database
from tests.e2e.checklists import PATIENCE, Desk, accept
from tests.e2e.pty import Console

PASSWORD = "k9#Wq/7v@Lm%21z"
TOKEN = "tok_4f9a8c7e6d5b"
SCRIPT = """
echo "raw $PGPASSWORD and $API_TOKEN; $DATABASE_URL"
encoded= rest=$PGPASSWORD
while [ -n "$rest" ]; do
  one=${rest:0:1} rest=${rest:1}
  case $one in [A-Za-z0-9]) encoded+=$one ;; *) encoded+=$(printf '%%%02X' "'$one") ;; esac
done
echo "encoded $encoded"
printf 'base64 %s %s\\n' "$(printf %s "$PGPASSWORD" | base64)" "$(printf %s "user:$API_TOKEN" | base64)"
printf 'split '; for part in tok_ 4f9a 8c7e 6d5b; do printf %s "$part"; sleep 0.02; done; echo
echo "stderr $API_TOKEN" >&2
psql -Atc "SELECT 'connected as ' || current_user"
psql <<<"SELECT '$API_TOKEN'::int"
echo rea""dy
while [ ! -e go ]; do sleep 0.05; done
"""


@pytest.fixture
def guarded(desk: Desk) -> Iterator[Desk]:
    """A desk whose server wants a password full of special characters, given in the URL."""
    with EmbeddedServer() as server:
        server.psql(f"CREATE ROLE deploy LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        hba = server.data / "pg_hba.conf"
        hba.write_text("host all deploy 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
        server.psql("SELECT pg_reload_conf()")
        desk.database = Database(server, "postgres", server.url("postgres"))
        port = desk.url_port()
        desk.url = f"postgresql://deploy:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/postgres"
        yield desk


def forms() -> list[bytes]:
    """What must be found nowhere."""
    whole = [PASSWORD, TOKEN, quote(PASSWORD), quote(PASSWORD, safe=""), "7v@Lm%21z", "k9#Wq/7v"]
    cores = [
        base64.b64encode(b"\0" * shift + secret.encode())[4:16] for secret in (PASSWORD, TOKEN) for shift in range(3)
    ]
    return [form.encode() for form in whole] + cores


def assert_clean(name: str, data: bytes) -> None:
    for form in forms():
        assert form not in data, f"{form!r} in {name}: {data[max(0, data.find(form) - 80) : data.find(form) + 80]!r}"


def copied(console: Console) -> list[bytes]:
    """What the console asked the terminal to put on the clipboard."""
    return [base64.b64decode(found) for found in re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07", console.raw)]


class ProcessList:
    """Every argument list that any process has while it watches."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, ...]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> ProcessList:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.05):
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error, OSError):
                    self.seen.add(tuple(process.cmdline()))


def test_a_whole_run_leaves_no_secret(guarded: Desk, tmp_path: Path) -> None:
    desk = guarded
    desk.write(
        {"item": "Apply", "id": "apply", "run": SCRIPT, "danger": "mutating"},
        {"item": "Ask", "id": "ask", "sql": "SELECT ${token}::int"},
        {"item": "Look", "id": "look"},
        variables={"token": {"secret": True, "env": "API_TOKEN"}},
    )
    secrets = {"API_TOKEN": TOKEN}
    with ProcessList() as processes:
        console = desk.run(env=secrets)
        desk.start(console, "apply")
        console.wait_for("ready")
        console.wait_for("connected as deploy")
        (desk.project / "go").touch()
        attempt = desk.ended("apply")
        assert attempt.masked >= 6
        for key, shown in (("e", "Evidence · "), ("t", "Timeline ·"), ("v", "token  secret")):
            console.press(key)
            console.wait_for(shown)
            console.press("escape")
            console.wait_gone(shown)
        console.press("2")
        console.wait_for("/ search")
        console.press("y")  # the whole output to the clipboard
        console.wait_until(lambda: copied(console), PATIENCE, "the output is copied")
        console.press("1")
        console.wait_for("/ filter")
        console.press("y")  # the command
        console.wait_until((desk.directory / "clipboard.txt").exists, PATIENCE, "there is a copy in a file")
        console.wait_until(lambda: len(copied(console)) == 2)
        for text in copied(console):
            assert_clean("the clipboard", text)
        assert_clean("the screen", console.raw)
        console.press("+")
        console.wait_for("enter accepts")
        console.type(f"the token is {TOKEN}")  # who types one sees it while typing, and never again
        accept(console, "enter", lambda: desk.events(Kind.NOTE))
        console.wait_gone("enter accepts")
        drawn = len(console.raw)
        console.press("t")
        console.wait_for("Timeline ·")
        console.wait_for("the token is ********")
        console.press("escape")
        console.wait_gone("Timeline ·")
        console.press("q")
        console.wait_for("Leave?")
        accept(console, "l", lambda: not console.alive)
        for command in (("status",), ("status", "--format", "json")):
            done = desk.call(*command, env=secrets)
            assert_clean(" ".join(command), (done.stdout + done.stderr).encode())
    assert b"********" in desk.output("apply")
    files = [path for path in desk.state.rglob("*") if path.is_file() and not path.is_fifo()]
    assert len(files) > 5
    for path in files:
        assert_clean(str(path.relative_to(desk.state)), path.read_bytes())
        assert path.stat().st_mode & 0o077 == 0, path
    for words in processes.seen:
        line = "\0".join(words).encode()
        if b"--as" not in line:
            assert_clean("an argument list", line)
    assert_clean("the screen", console.raw[drawn:])
