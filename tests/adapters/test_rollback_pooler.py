"""A swap behind PgBouncer with the hooks of the checklist: its clients wait less than a second."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from migconsole.demo.privilege import choose
from migconsole.demo.server import EmbeddedServer, free_port
from migconsole.demo.trees import find_tree
from migconsole.domain.rollback_deeds import swap_plan
from migconsole.domain.rollback_plan import Course, StepReport, Verdict
from tests.adapters.rollback_harness import Scene, scene
from tests.waiting import eventually, wait_until

PROGRAM = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
CLIENTS = 10
OUTAGE = 1.0
"""Seconds from the fence to the first answer of the restored database."""

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no pgbouncer here (Debian: apt install pgbouncer)")


@dataclass(frozen=True, slots=True)
class Pooler:
    """A running PgBouncer in front of a scene."""

    port: int
    made: Scene

    @property
    def url(self) -> str:
        """The application's URL through it."""
        return f"postgresql://app@127.0.0.1:{self.port}/{self.made.names.app}"

    def hook(self, word: str) -> str:
        """A console command of it, as a checklist has it."""
        psql = self.made.server.tool("psql")
        return f"{psql} -X -h 127.0.0.1 -p {self.port} -U app -d pgbouncer -c '{word} {self.made.names.app}'"


@pytest.fixture
def pooler(server: EmbeddedServer, tmp_path: Path) -> Iterator[Pooler]:
    """PgBouncer in transaction mode; it refuses to run as root, so it runs as whoever the server does."""
    with scene(server, tmp_path) as made:
        made.arm()
        port = free_port()
        folder = server.base / f"bouncer{port}"
        folder.mkdir()
        configuration = folder / "bouncer.ini"
        configuration.write_text(
            f"[databases]\n{made.names.app} = host=127.0.0.1 port={server.port} user=postgres\n"
            f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\nauth_type=any\nadmin_users=app\n"
            f"pool_mode=transaction\ndefault_pool_size=5\nunix_socket_dir=\nlogfile={folder}/log\npidfile={folder}/pid\n"
        )
        privilege, _ = choose(find_tree(), server.base)
        privilege.hand_over(folder)
        privilege.hand_over(configuration)
        command = [*privilege.prefix, str(PROGRAM), str(configuration)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **privilege.arguments,
        )
        try:
            wait_until(lambda: _listens(port) or process.poll() is not None, timeout=10)
            assert process.poll() is None
            yield Pooler(port, made)
        finally:
            process.terminate()
            process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_clients_behind_a_pooler_wait_less_than_a_second(pooler: Pooler) -> None:
    stop = asyncio.Event()
    fenced: list[float] = []
    answered: list[float] = []
    errors: list[str] = []

    async def client() -> None:
        connection = await asyncpg.connect(pooler.url, statement_cache_size=0)
        try:
            while not stop.is_set():
                try:
                    (row,) = await connection.fetch("SELECT what FROM content")
                except asyncpg.PostgresError as error:
                    errors.append(str(error))
                    if connection.is_closed():
                        connection = await asyncpg.connect(pooler.url, statement_cache_size=0)
                    continue
                if row["what"] == "old":
                    answered.append(time.monotonic())
                    return
                await asyncio.sleep(0.01)
        finally:
            connection.terminate()

    def report(news: StepReport) -> None:
        if (news.step, news.course) == ("pooler-pause", Course.BEGAN):
            fenced.append(time.monotonic())

    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    try:
        sessions = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{pooler.made.names.app}'"
        await eventually(lambda: int(pooler.made.server.psql(sessions)) > 0, timeout=10)
        hooks = {"pause": pooler.hook("PAUSE"), "resume": pooler.hook("RESUME")}
        outcome = await pooler.made.do(swap_plan, report=report, hooks=hooks)
        assert outcome.verdict is Verdict.SWAPPED, outcome
        await eventually(
            lambda: len(answered) == CLIENTS or any(c.done() and c.exception() for c in clients), timeout=20
        )
        assert [c.exception() for c in clients if c.done()] == [None] * CLIENTS
    finally:
        stop.set()
        await asyncio.gather(*clients, return_exceptions=True)
    assert min(answered) - fenced[0] <= OUTAGE
    print(f"behind PgBouncer: {min(answered) - fenced[0]:.2f} s, {len(errors)} errors")


async def test_a_hook_that_fails_leaves_everything_as_it_was(pooler: Pooler) -> None:
    made = pooler.made
    outcome = await made.do(swap_plan, hooks={"pause": "echo no such pooler; exit 3", "resume": "true"})
    assert outcome.verdict is Verdict.NOTHING
    assert "no such pooler" in outcome.reason
    assert made.databases() == {made.names.app: True, made.names.side: False}


async def test_a_pooler_without_hooks_is_said_in_the_plan(pooler: Pooler) -> None:
    deeds, _ = pooler.made.deeds(hooks={"pause": "true"})
    plan = swap_plan(await deeds.survey())
    assert any("15 s and more" in warning for warning in plan.warnings)
    assert plan.outage is not None
    assert plan.outage >= 15
