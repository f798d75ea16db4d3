"""The copy of the server's log that a screen follows: from near the end, over rotations, with secrets masked."""

from __future__ import annotations

import stat
from typing import Any

import pytest

from migconsole.adapters.outputs import FileOutput
from migconsole.adapters.postgres.log_follower import LogFollower
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
