"""Death at every boundary of the replacement in place: of its backend, of its programs, of the server.

Behind the DROP the name does not resolve for a while: that is why this way is the last resort. What holds all the same:
before it the data is the new one, whole and open again; behind it nobody else is let in before the old one is there,
whole, and the same command again goes on forward to it without a hand edit. (SIGKILL of the command itself:
``test_rollback_restores.py``.)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from migconsole.adapters.backup.clients import choose, find_clients
from migconsole.adapters.postgres.rollback.survey import Knowledge, PostgresRollbackServer
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.rollback.keepers import FileKeeper
from migconsole.adapters.rollback.originals import original_of
from migconsole.adapters.rollback.restoring import RestoringSurroundings
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback import Names
from migconsole.domain.rollback_means import Means
from migconsole.domain.rollback_plan import Act, Course, Outcome, Plan, StepReport, Strategy, Verdict
from migconsole.domain.rollback_restores import other_plan
from migconsole.domain.rollback_state import State
from migconsole.engine.rollback import Deeds
from migconsole.engine.rollback_ledger import Decision
from migconsole.errors import MigconsoleError
from tests.adapters.restoring import backed_up
from tests.adapters.rollback_harness import Scene
from tests.adapters.test_rollback_kill import Cut
from tests.waiting import eventually

pytestmark = pytest.mark.kill

BEFORE = """
CREATE TABLE content (what text PRIMARY KEY); INSERT INTO content VALUES ('old');
CREATE TABLE big AS SELECT g AS id, repeat(md5(g::text), 8) AS x FROM generate_series(1, 60000) g;
CREATE INDEX ON big (x);
"""
MIGRATION = "UPDATE content SET what = 'new'"
DROP = 2
"""The statement of the point of no return; the first is the fence."""


@pytest.fixture
def shop(own_server: EmbeddedServer, tmp_path: Path) -> tuple[Scene, Path]:
    """A migrated database on a server that may be killed, with a backup of before; its writes are on disk at once."""
    own_server.psql("ALTER SYSTEM SET fsync = on")
    own_server.psql("SELECT pg_reload_conf()")
    own_server.psql("CREATE DATABASE shop")
    own_server.psql("COMMENT ON DATABASE shop IS 'the shop'; ALTER DATABASE shop SET work_mem TO '5MB'")
    own_server.psql(BEFORE, "shop")
    own_server.psql("CREATE ROLE client LOGIN PASSWORD 'of the client'")
    backup = backed_up(own_server, own_server.url("shop"), tmp_path / "backups")
    identifier = json.loads((backup / "manifest.json").read_text())["id"]
    own_server.psql(MIGRATION, "shop")
    return Scene(own_server, Names.of("shop", identifier), tmp_path), backup


def deeds_on(made: Scene, backup: Path, home: Path) -> Deeds:
    target = resolve_target(made.url)
    described = original_of(backup, "shop")
    keeper = FileKeeper(home / "state.jsonl", str)
    knowledge = Knowledge(described.identifier, book=keeper.book, backup=str(backup), original=described.original)
    server = PostgresRollbackServer(target, knowledge)
    version = made.server.psql("SHOW server_version").split()[0]
    return Deeds(server, keeper, RestoringSurroundings(target, choice=lambda: choose(find_clients(), target, version)))


Report = Callable[[StepReport], None]


async def replaced(deeds: Deeds, keep: Path, number: str, report: Report = lambda news: None) -> Outcome | None:
    """Carry it out; None where there is nothing left to do."""
    survey = await deeds.survey()
    if survey.situation.state is State.REPLACED:
        return None
    plan: Plan = other_plan(survey, Strategy.IN_PLACE, Means(keep=str(keep)))
    return await deeds.execute(plan, survey, Decision(number, "Ada", "it is broken"), report)


def statements(made: Scene, backup: Path, home: Path) -> int:
    """How many statements the replacement sends on the operator's connection."""
    survey = asyncio.run(deeds_on(made, backup, home).survey())
    plan = other_plan(survey, Strategy.IN_PLACE, Means(keep=str(home)))
    return sum(len(step.statements) for step in plan.steps if step.act in (Act.STATEMENTS, Act.TRANSACTION))


def let_in(made: Scene) -> bool:
    """Whether a client that is no superuser can connect."""
    try:
        return made.server.psql("SELECT 1", "shop", "client", "of the client") == "1"
    except MigconsoleError:
        return False


def sound(made: Scene, *, dropped: bool) -> None:
    """Before the DROP the new data, open; behind it the old data, or nobody but us is let in."""
    if not dropped:
        assert made.databases()["shop"] is True
        assert made.content("shop") == "new"
        assert let_in(made)
    elif let_in(made):
        assert made.content("shop") == "old"
        assert made.server.psql("SELECT count(*) FROM big", "shop") == "60000"


def kept_dumps(home: Path) -> list[Path]:
    """Dumps of the failed data that count."""
    return [path for path in home.glob("failed-*") if not path.name.endswith(".partial")]


async def ended(made: Scene, backup: Path, home: Path) -> None:
    """The same again, once the server is through with the dead one's work: the old data, whole, open, as it was."""

    async def free() -> bool:
        operator = deeds_on(made, backup, home).server.operator()
        holder = await operator.take()
        await operator.close()
        return holder is None

    await eventually(free, timeout=30)
    keep = home / "again"  # named by the second, which a person does not repeat a command within
    keep.mkdir()
    outcome = await replaced(deeds_on(made, backup, home), keep, "again")
    assert outcome is None or outcome.verdict is Verdict.RESTORED, outcome
    assert made.content("shop") == "old"
    assert made.server.psql("SELECT count(*) FROM big", "shop") == "60000"
    assert made.databases() == {"shop": True}
    assert made.comment("shop") == "the shop"
    assert made.server.psql("SHOW work_mem", "shop") == "5MB"
    assert made.server.psql("SELECT datconnlimit FROM pg_database WHERE datname = 'shop'") == "-1"


@pytest.mark.parametrize("what", ["backend", "server"])
async def test_the_operators_death_at_every_statement(shop: tuple[Scene, Path], tmp_path: Path, what: str) -> None:
    made, backup = shop
    count = await asyncio.to_thread(statements, made, backup, tmp_path)
    assert count >= 8
    for number in range(1, count + 1):
        for when in ("before", "sent"):
            home = tmp_path / f"{number}{when}"
            home.mkdir()
            made.server.psql(MIGRATION, "shop")
            deeds = deeds_on(made, backup, home)
            make = deeds.server.operator

            def operator(make: Callable[[], object] = make, number: int = number, when: str = when) -> Cut:
                plain = make()
                cut = Cut(plain._target, plain._names, system=plain._system)  # type: ignore[attr-defined]
                cut.arm(made.server, number, what, when)
                return cut

            Cut._count = 0
            deeds.server.operator = operator  # type: ignore[method-assign]
            oid = made.server.psql("SELECT oid FROM pg_database WHERE datname = 'shop'")
            outcome = await replaced(deeds, home, "struck")
            assert outcome is not None
            assert outcome.verdict is not Verdict.UNKNOWN, (number, when, outcome)
            now = made.server.psql("SELECT oid FROM pg_database WHERE datname = 'shop'")
            assert (now == oid) or number >= DROP, (number, when)
            lost = made.server.psql("SELECT count(*) FROM pg_database WHERE datname = 'shop' AND datconnlimit = -2")
            if lost == "1":  # a DROP that was cut off: nothing undoes it, and it says so
                assert (number, when, outcome.verdict) == (DROP, "sent", Verdict.FAILED)
                assert "its data is gone" in outcome.reason
                assert "forward" in outcome.next[0]
            sound(made, dropped=now != oid or lost == "1")
            if outcome.verdict is Verdict.RESTORED:
                assert made.content("shop") == "old"
            await ended(made, backup, home)


class Striker:
    """Waits for a program of a step, in a thread, and strikes once."""

    def __init__(self, server: EmbeddedServer, program: str, death: str) -> None:
        self.struck = False
        self._server, self._program, self._death = server, program, death
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._wait)

    def __call__(self, news: StepReport) -> None:
        step = {"pg_dump": "keep-failed", "pg_restore": "restore"}[self._program]
        if news.step == step and news.course is Course.BEGAN and not news.lines and not self._thread.is_alive():
            self._thread.start()

    def stop(self) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _wait(self) -> None:
        busy = (
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY public.big%'"
            " AND pid <> pg_backend_pid()"
        )
        while not self._end.wait(0.002):
            if self._server.psql(busy) != "0":
                self.struck = self._strike()
                return

    def _strike(self) -> bool:
        if self._death == "server":
            self._server.kill()
            self._server.start()
            return True
        if self._death == "backend":
            ended = self._server.psql(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'COPY public.big%'"
                " AND pid <> pg_backend_pid()"
            )
            return ended != "0"
        found = [p for p in psutil.Process(os.getpid()).children(recursive=True) if p.name() == self._program]
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return bool(found)


@pytest.mark.parametrize("death", ["program", "backend", "server"])
@pytest.mark.parametrize("program", ["pg_dump", "pg_restore"])
async def test_death_inside_the_dump_and_inside_the_restore(
    shop: tuple[Scene, Path], tmp_path: Path, program: str, death: str
) -> None:
    made, backup = shop
    striker = Striker(made.server, program, death)
    oid = made.server.psql("SELECT oid FROM pg_database WHERE datname = 'shop'")
    try:
        outcome = await replaced(deeds_on(made, backup, tmp_path), tmp_path, "struck", striker)
    finally:
        striker.stop()
    assert striker.struck
    assert outcome is not None
    assert outcome.verdict not in (Verdict.RESTORED, Verdict.UNKNOWN)
    now = made.server.psql("SELECT oid FROM pg_database WHERE datname = 'shop'")
    if program == "pg_dump":
        assert now == oid
        sound(made, dropped=False)
        assert kept_dumps(tmp_path) == []
    else:
        assert now != oid
        sound(made, dropped=True)
    await ended(made, backup, tmp_path)
