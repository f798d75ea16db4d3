"""The server's log of real servers: its own file, through the server, rotated, huge, and where it cannot be read."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from migconsole.adapters.postgres import identity, server_log
from migconsole.adapters.postgres.checks import log
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.locality import Locality
from migconsole.adapters.postgres.server_log import LocalFiles, ServerLog, read_since
from migconsole.adapters.postgres.target import resolve_target
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.expectation import evaluate, parse
from migconsole.domain.server_log import Severity, worse, zone_of
from migconsole.engine.comparing import Moments
from migconsole.engine.ports import CheckResult
from migconsole.errors import UsageError
from tests.adapters.test_performance_checks import Past
from tests.adapters.test_postgres_checks import as_role
from tests.conftest import Database
from tests.waiting import eventually

PREFIX = {"log_line_prefix": "%m [%p] %q%u@%d %a "}
CLEAN = {"warnings": 0, "errors": 0, "fatal": 0, "panics": 0}


async def run(url: str, **arguments: Any) -> CheckResult:
    return await PostgresDatabase(resolve_target(url, environment={})).check("server_log", arguments)


def values(result: CheckResult) -> Mapping[str, Any]:
    return result.observations[0].values


async def failing(url: str, text: str = "SELECT no_such_column", application: str = "shop") -> None:
    """A client whose statement fails, which the server logs."""
    connection = await asyncpg.connect(url, server_settings={"application_name": application})
    try:
        with suppress(asyncpg.PostgresError):
            await connection.execute(text)
    finally:
        await connection.close()


def iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"


@contextmanager
def elsewhere() -> Iterator[None]:
    """The server is not known to run here, so that its files are asked of itself. All else is real."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_log, "locality", lambda *_: Locality(False, "the server does not run on this host"))
        yield


@pytest.fixture(scope="module", params=["stderr", "csvlog", "jsonlog"])
def logging_server(request: pytest.FixtureRequest) -> Any:
    with EmbeddedServer(settings={**PREFIX, "log_destination": request.param}) as started:
        yield started


# -- what is found -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("through", ["file", "server"])
async def test_what_is_wrong_since_a_time_is_found_in_every_format(
    logging_server: EmbeddedServer, through: str
) -> None:
    url = logging_server.url("postgres", "postgres")
    destination = logging_server.settings["log_destination"]
    await failing(url, "SELECT before_the_time")
    await asyncio.sleep(0.01)  # the server's stamps have milliseconds
    since = iso(time.time())
    before = await run(url, since=since)
    assert evaluate(parse(CLEAN, "check"), before.observations).passed is True, before.lines
    await failing(url)
    await failing(url)
    await failing(url, "DO $$ BEGIN RAISE WARNING 'look out'; END $$")
    with elsewhere() if through == "server" else nullcontext():
        result = await run(url, since=since)
    found = values(result)
    assert (found["errors"], found["warnings"], found["fatal"], found["covered"]) == (2, 1, 0, True), result.lines
    assert found["destination"] == destination
    assert result.judgement is False
    assert any("(2 times)" in line and "no_such_column" in line for line in result.lines)
    assert any("read through the server" in line for line in result.lines) is (through == "server")
    assert not any("before_the_time" in line for line in result.lines)
    assert evaluate(parse({"errors": 0}, "check"), result.observations).passed is False


@pytest.mark.parametrize("here", [1200.0, -1200.0])
async def test_the_time_to_look_back_to_is_the_servers(
    logging_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, here: float
) -> None:
    """This host's clock goes wrong; the log's lines carry the server's."""
    url = logging_server.url("postgres", "postgres")
    await failing(url, "SELECT of_this_minute")
    clock = SimpleNamespace(time=lambda: time.time() + here)
    monkeypatch.setattr(identity, "time", clock)
    monkeypatch.setattr(log, "time", clock)
    result = await run(url, since="5m")
    assert any("of_this_minute" in line for line in result.lines), result.lines
    past = Past(tmp_path)
    past.when = Moments(began=clock.time() - 60)
    await failing(url, "SELECT after_it_began")
    result = await PostgresDatabase(resolve_target(url, environment={}), past=past).check("server_log", {})
    assert any("after_it_began" in line for line in result.lines), result.lines


async def test_our_own_sessions_and_ignored_messages_are_counted_apart(logging_server: EmbeddedServer) -> None:
    url = logging_server.url("postgres", "postgres")
    await asyncio.sleep(0.01)
    since = iso(time.time())
    await failing(url, application="migconsole/-/check x")
    await failing(url, "SELECT known_nuisance")
    result = await run(url, since=since, ignore=["known_nuisance"])
    assert (values(result)["errors"], values(result)["ignored"], result.judgement) == (0, 2, True)
    with pytest.raises(UsageError):
        await run(url, ignore="(")
    with pytest.raises(UsageError):
        await run(url, since="yesterday")


async def test_hostile_text_is_one_tame_line_and_passwords_are_masked(logging_server: EmbeddedServer) -> None:
    url = logging_server.url("postgres", "postgres")
    await asyncio.sleep(0.01)
    since = iso(time.time())
    await failing(url, "DO $$ BEGIN RAISE WARNING E'\\033]0;owned\\007[red] x\\nPANIC:  y'; END $$")
    await failing(url, "ALTER ROLE nobody_at_all PASSWORD 'correct horse'")
    result = await run(url, since=since)
    assert values(result)["panics"] == 0
    assert not any("\x1b" in line or "\n" in line for line in result.lines)
    assert not any("correct horse" in line for line in result.lines), result.lines


async def test_a_log_that_does_not_reach_back_far_enough_is_not_clean(logging_server: EmbeddedServer) -> None:
    result = await run(logging_server.url("postgres", "postgres"), since="2000-01-01T00:00:00Z", ignore=["."])
    assert values(result)["covered"] is False
    assert values(result)["panics"] is None
    assert result.judgement is None
    assert "reaches back only to" in result.reason


# -- where it cannot be read -------------------------------------------------------------------------------------------


async def test_without_rights_a_person_is_asked_and_told_why(database: Database) -> None:
    for role in ("ordinary", "monitoring"):
        url = as_role(database, role)
        with elsewhere():
            result = await run(url)
        assert result.judgement is None
        assert values(result)["errors"] is None
        assert "cannot be read from here" in result.reason
        assert "may not ask where the log is" in result.reason or "GRANT EXECUTE" in result.reason
        again = await run(database.url, since="1m")
        assert not any("permission denied" in line for line in again.lines), "asking left an error in the log"
        assert evaluate(parse({"errors": 0}, "check"), result.observations).passed is None


async def test_a_server_without_a_collector_is_read_where_its_standard_error_is_a_file() -> None:
    with EmbeddedServer(settings={**PREFIX, "logging_collector": "off"}) as server:
        url = server.url("postgres", "postgres")
        await asyncio.sleep(0.01)
        since = iso(time.time())
        await failing(url)
        result = await run(url, since=since)
        assert values(result)["errors"] == 1, result.lines
        with elsewhere():
            remote = await run(url, since=since)
        assert remote.judgement is None
        assert "no logging_collector" in remote.reason


async def test_lines_without_a_time_prove_nothing() -> None:
    with EmbeddedServer(settings={"log_line_prefix": "[%p] "}) as server:
        url = server.url("postgres", "postgres")
        clean = await run(url)
        assert clean.judgement is None
        assert "no time" in clean.reason


# -- rotation and size -------------------------------------------------------------------------------------------------


async def test_a_rotated_log_is_read_over_its_files() -> None:
    with EmbeddedServer(settings={**PREFIX, "log_filename": "pg-%Y%m%d%H%M%S.log"}) as server:
        url = server.url("postgres", "postgres")
        await asyncio.sleep(0.01)
        since = iso(time.time())
        await failing(url, "SELECT in_the_first_file")
        first = server.psql("SELECT pg_current_logfile()")

        def rotated() -> bool:
            server.psql("SELECT pg_rotate_logfile()")
            return server.psql("SELECT pg_current_logfile()") != first

        await eventually(rotated)
        await failing(url, "SELECT in_the_second_file")
        for here in (True, False):
            with nullcontext() if here else elsewhere():
                result = await run(url, since=since)
            assert values(result)["errors"] == 2, result.lines
            assert values(result)["covered"] is True


class Counted(LocalFiles):
    """Counts what is read, which no load on the host changes, as it does time."""

    read_bytes = 0

    async def read(self, path: str, offset: int, length: int) -> bytes:
        piece = await super().read(path, offset, length)
        self.read_bytes += len(piece)
        return piece


async def test_ten_gigabytes_are_not_read_from_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "huge.log"
    with path.open("wb") as stream:
        stream.truncate(10 * 1024**3)
        stream.seek(0, os.SEEK_END)
        for number in range(20_000):
            stream.write(f"2026-11-25 18:{number // 400:02d}:00.000 UTC [1] ERROR:  number {number}\n".encode())
    files = Counted(path)
    log = ServerLog(files, "stderr", "%m [%p] ", zone_of("UTC"), str(path), True)
    since = 1_795_629_600.0 + 49 * 60
    part = await read_since(log, since)
    assert part.covered
    assert part.size < 1024**2
    assert files.read_bytes < 2 * 1024**2, "next to nothing but what was asked for"
    assert len(worse(part.entries, since)) == 400
    whole = await read_since(log, 0.0)
    assert not whole.covered
    assert whole.size <= log.files.limit
    assert files.read_bytes <= 2 * log.files.limit
    assert {one.severity for one in part.entries} == {Severity.ERROR}


# -- versions ----------------------------------------------------------------------------------------------------------


@pytest.mark.matrix
async def test_on_every_version(matrix_database: Database) -> None:
    url = matrix_database.url
    await asyncio.sleep(0.01)
    since = iso(time.time())
    await failing(url, f"SELECT of_{matrix_database.name}")
    for here in (True, False):
        with nullcontext() if here else elsewhere():
            result = await run(url, since=since)
        assert any(f"of_{matrix_database.name}" in line for line in result.lines), result.lines
        assert values(result)["errors"] >= 1
