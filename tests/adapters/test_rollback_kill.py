"""Death at every boundary of a swap, its undoing and a purge: of the command, of its backend, of the server.

Whatever dies: the database's name resolves, its data is the old or the new exactly, and the same command again ends
it without a hand edit.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from migconsole.adapters.postgres.rollback.operator import PostgresOperator
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback_deeds import purge_plan, put_back_plan, swap_plan, unfence_plan
from migconsole.domain.rollback_plan import Verdict
from migconsole.domain.rollback_state import State
from migconsole.engine.rollback_ledger import Decision
from tests.adapters.rollback_harness import Scene, scene
from tests.waiting import eventually

pytestmark = pytest.mark.kill

STEPS = ("look", "watcher-away", "fence", "end-sessions", "swap", "read-back", "watcher-back")
SWAP = 9
"""Statements of a swap: the fence, and eight of the transaction with BEGIN and COMMIT."""

PLANS = {
    "swap": swap_plan,
    "put-back": put_back_plan,
    "purge": lambda survey: purge_plan(survey, survey.names.failed),
}


def points(deed: str) -> list[str]:
    """Every boundary of a deed."""
    steps = {"swap": STEPS, "put-back": tuple(s.replace("swap", "put-back") for s in STEPS)}.get(
        deed, ("look", "drop", "read-back")
    )
    statements = {"swap": SWAP, "put-back": SWAP - 1, "purge": 1}[deed]
    found = [f"{step}:{course}" for step in steps for course in ("began", "done")]
    return [*found, *(f"{how}:{n}" for n in range(1, statements + 1) for how in ("sent", "after"))]


async def prepared(made: Scene, deed: str) -> None:
    """The state a deed begins in."""
    made.arm()
    if deed != "swap":
        assert (await made.do(swap_plan, number="first")).verdict is Verdict.SWAPPED


async def settled(made: Scene) -> None:
    """Wait until the dead one's backend is gone: what it had sent is done by then, or never will be."""
    deeds, _ = made.deeds()
    operator = deeds.server.operator()

    async def free() -> bool:
        holder = await operator.take()
        await operator.close()
        return holder is None

    await eventually(free, timeout=30)


def whole(made: Scene, deed: str) -> None:
    """The name resolves, and what is behind it is the old or the new data."""
    found = made.databases()
    assert made.names.app in found, found
    if not found[made.names.app]:
        made.server.psql(f'ALTER DATABASE "{made.names.app}" WITH ALLOW_CONNECTIONS true')
        content = made.content()
        made.close(made.names.app)
    else:
        content = made.content()
    assert content in (("old",) if deed == "purge" else ("old", "new"))


async def ended(made: Scene, deed: str) -> None:
    """The same deed again brings it to its end; where it had happened already there is nothing left to do."""
    deeds, _ = made.deeds()
    survey = await deeds.survey()
    happened = {
        "swap": survey.situation.state is State.SWAPPED,
        "put-back": survey.failed is None,
        "purge": survey.failed is None,
    }[deed]
    if not happened:
        await made.do(PLANS[deed], number="again")
    elif not made.databases()[made.names.app]:
        await made.do(unfence_plan, number="again")
    names = made.names
    expected = {
        "swap": {names.app: True, names.failed: False},
        "put-back": {names.app: True, names.side: False},
        "purge": {names.app: True},
    }[deed]
    assert made.databases() == expected
    assert made.content() == {"swap": "old", "put-back": "new", "purge": "old"}[deed]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where state files go."""
    return tmp_path


@pytest.mark.parametrize("deed", list(PLANS))
async def test_sigkill_of_the_command(server: EmbeddedServer, home: Path, deed: str) -> None:
    for number, point in enumerate(points(deed)):
        folder = home / str(number)
        folder.mkdir()
        with scene(server, folder) as made:
            await prepared(made, deed)
            victim = [sys.executable, "-m", "tests.adapters.rollback_victim", made.url, str(folder), deed, point]
            died = await asyncio.to_thread(
                subprocess.run, victim, capture_output=True, text=True, timeout=60, env=dict(os.environ), check=False
            )
            assert died.returncode == -signal.SIGKILL, (point, died.stderr)
            await settled(made)
            whole(made, deed)
            await ended(made, deed)


class Cut(PostgresOperator):
    """Its backend, or its whole server, dies around a statement."""

    def arm(self, server: EmbeddedServer, at: int, what: str, when: str) -> None:
        """Say where."""
        self._server, self._at, self._what, self._when = server, at, what, when

    _count = 0

    async def execute(self, statement: str, limit: float | None = None) -> None:
        """Send it, with death before or while it is answered."""
        type(self)._count += 1
        hit = type(self)._count == self._at
        if hit and self._when == "before":
            await self._strike()
        if hit and self._when == "sent":
            sending = asyncio.ensure_future(super().execute(statement, limit))
            for _ in range(5):
                await asyncio.sleep(0)
            await self._strike()
            await sending
            return
        await super().execute(statement, limit)

    async def _strike(self) -> None:
        if self._what == "backend":
            await asyncio.to_thread(self._server.psql, f"SELECT pg_terminate_backend({self.pid}, 5000)")
        else:
            await asyncio.to_thread(self._server.kill)
            await asyncio.to_thread(self._server.start)


@pytest.fixture
def hazard(own_server: EmbeddedServer) -> Iterator[EmbeddedServer]:
    """A server that may be killed; its writes are on disk before they are answered."""
    own_server.psql("ALTER SYSTEM SET fsync = on")
    own_server.psql("SELECT pg_reload_conf()")
    return own_server


@pytest.mark.parametrize("what", ["backend", "server"])
@pytest.mark.parametrize("deed", list(PLANS))
async def test_death_of_the_backend_or_the_server(hazard: EmbeddedServer, home: Path, deed: str, what: str) -> None:
    statements = {"swap": SWAP, "put-back": SWAP - 1, "purge": 1}[deed]
    for number in range(1, statements + 1):
        for when in ("before", "sent"):
            folder = home / f"{number}{when}"
            folder.mkdir()
            with scene(hazard, folder) as made:
                await prepared(made, deed)
                await struck(made, deed, number, what, when)
                whole(made, deed)
                await ended(made, deed)


async def struck(made: Scene, deed: str, number: int, what: str, when: str) -> None:
    """Carry it out with a death in it: the verdict must be what the server has in the end."""
    Cut._count = 0
    deeds, _ = made.deeds()
    make = deeds.server.operator

    def operator() -> Cut:
        plain = make()
        cut = Cut(plain._target, plain._names, system=plain._system)  # type: ignore[attr-defined]
        cut.arm(made.server, number, what, when)
        return cut

    deeds.server.operator = operator  # type: ignore[method-assign]
    survey = await deeds.survey()
    outcome = await deeds.execute(PLANS[deed](survey), survey, Decision("struck", "Ada", "x"), made.reports.append)
    found = made.databases()
    did = {
        "swap": made.names.side not in found,
        "put-back": made.names.failed not in found,
        "purge": made.names.failed not in found,
    }[deed]
    assert outcome.well is did or outcome.verdict is Verdict.UNFENCED, (number, when, outcome)
    assert outcome.verdict is not Verdict.UNKNOWN
    assert found[made.names.app], (number, when, outcome)
