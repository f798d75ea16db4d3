"""The copy of the server's log that a screen follows: from near the end, over rotations, with secrets masked."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from migconsole.adapters.outputs import FileOutput
from migconsole.adapters.postgres.log_follower import LogFollower, sweep
from migconsole.adapters.postgres.target import resolve_target
from migconsole.demo.server import EmbeddedServer
from tests.adapters.test_server_log import PREFIX, failing
from tests.waiting import eventually


@pytest.fixture(params=["stderr", "csvlog", "jsonlog"])
def logging_server(request: pytest.FixtureRequest) -> Any:
    with EmbeddedServer(settings={**PREFIX, "log_destination": request.param}) as started:
        yield started


async def test_the_log_is_followed_as_plain_lines(logging_server: EmbeddedServer) -> None:
    url = logging_server.url("postgres", "postgres")
    follower = LogFollower(resolve_target(url, environment={}), redact=lambda text: text.replace("hush", "***"))
    output: FileOutput | None = None
    try:
        await failing(url, "SELECT first_error")
        await eventually(lambda: isinstance(follower.opened(), FileOutput))
        opened = follower.opened()
        assert isinstance(opened, FileOutput)
        output = opened
        assert stat.S_IMODE(output.path.stat().st_mode) == 0o600
        await failing(url, "SELECT hush_error -- PASSWORD 'correct horse'")

        def text() -> str:
            return output.path.read_text()

        await eventually(lambda: '_error" does not exist' in text() and "***_error" in text())
        assert any("ERROR:  column" in line for line in text().splitlines())
        assert "hush" not in text()
        assert "correct horse" not in text()
        path = output.path
    finally:
        if output is not None:
            output.close()
        follower.close()
    assert not path.exists()


HOLDER = """
import sys
from migconsole.adapters.postgres.log_follower import LogFollower
from migconsole.adapters.postgres.target import resolve_target
follower = LogFollower(resolve_target("postgresql://nobody@127.0.0.1:9/none", environment={}))
follower.opened()
print(follower._folder, flush=True)
sys.stdin.read()
"""


def test_the_copy_of_a_killed_console_goes_at_the_next_start_and_a_living_ones_stays(tmp_path: Path) -> None:
    command, variables = [sys.executable, "-c", HOLDER], os.environ | {"TMPDIR": str(tmp_path)}
    folders = []
    with ExitStack() as stack:
        holders = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables, text=True)
            )
            for _ in range(2)
        ]
        for holder in holders:
            stack.callback(holder.kill)
            assert holder.stdout is not None
            folders.append(Path(holder.stdout.readline().strip()))
            os.utime(folders[-1], (1, 1))
        holders[0].kill()
        holders[0].wait()
        assert folders[0].is_dir(), "nobody could tidy up"
        (tmp_path / "migconsole-log-link").symlink_to(tmp_path)
        sweep(tmp_path)
        assert not folders[0].exists()
        assert folders[1].is_dir()
        assert stat.S_IMODE(folders[1].stat().st_mode) == 0o700
        assert holders[1].stdin is not None
        holders[1].stdin.close()
        holders[1].wait(20)
    assert not folders[1].exists(), "a console that ends takes its copy with it"
