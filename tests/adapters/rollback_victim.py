"""A process that carries a deed out and is killed, by SIGKILL, at one point of it. Run by the kill matrix.

``python -m tests.adapters.rollback_victim URL HOME DEED POINT``, where POINT is ``STEP:COURSE`` (as it is reported),
``sent:N`` (the Nth statement is on its way, no answer yet) or ``after:N`` (the Nth has been answered).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from migconsole.adapters.backup.clients import Choice, choose, find_clients
from migconsole.adapters.postgres.rollback.operator import PostgresOperator
from migconsole.adapters.postgres.rollback.survey import Knowledge, PostgresRollbackServer
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.rollback.keepers import FileKeeper
from migconsole.adapters.rollback.originals import original_of
from migconsole.adapters.rollback.restoring import RestoringSurroundings
from migconsole.domain.rollback_deeds import purge_plan, put_back_plan, rollback_plan, swap_plan
from migconsole.domain.rollback_means import Means
from migconsole.domain.rollback_plan import StepReport, Strategy
from migconsole.domain.rollback_state import State
from migconsole.engine.rollback import Deeds
from migconsole.engine.rollback_ledger import Decision
from tests.adapters.rollback_harness import OWNER


def die() -> None:
    """As kill -9 does it."""
    os.kill(os.getpid(), signal.SIGKILL)


class Doomed(PostgresOperator):
    """Dies at a statement."""

    point = ""
    count = 0

    async def execute(self, statement: str, limit: float | None = None) -> None:
        """Send, and die where it was asked for."""
        type(self).count += 1
        if self.point == f"sent:{self.count}":
            sending = asyncio.ensure_future(super().execute(statement, limit))
            for _ in range(5):
                await asyncio.sleep(0)
            # Where the server was quicker this is a death after the statement, from which to come back just as well.
            assert not sending.done() or sending.exception() is None
            die()
        await super().execute(statement, limit)
        if self.point == f"after:{self.count}":
            die()


class DoomedServer(PostgresRollbackServer):
    """Hands out doomed operators."""

    def operator(self) -> PostgresOperator:
        """A doomed one."""
        return Doomed(self._target, self.names, system=self._system)


async def main(url: str, home: Path, deed: str, point: str, backup: str = "") -> None:
    """Carry it out as far as it goes; with a point that never comes, to its end, and say how it ended."""
    Doomed.point = point
    target = resolve_target(url)
    keeper = FileKeeper(home / "state.jsonl", str)
    knowledge = Knowledge(OWNER, book=keeper.book)
    if backup:
        described = original_of(Path(backup), target.database)
        knowledge = Knowledge(described.identifier, book=keeper.book, backup=backup, original=described.original)
    server = DoomedServer(target, knowledge)

    def choice() -> Choice:
        return choose(find_clients(), target, f"{server.version_num // 10_000}.{server.version_num % 10_000}")

    deeds = Deeds(server, keeper, RestoringSurroundings(target, choice=choice))

    def report(news: StepReport) -> None:
        if point == f"{news.step}:{news.course}":
            die()

    survey = await deeds.survey()
    plan = {
        "swap": lambda: swap_plan(survey),
        "put-back": lambda: put_back_plan(survey),
        "purge": lambda: purge_plan(survey, survey.names.failed),
        "in-place": lambda: rollback_plan(survey, Strategy.IN_PLACE, Means(keep=str(home))),
    }[deed]()
    if survey.situation.state is State.REPLACED:
        print("restored already")
        return
    outcome = await deeds.execute(plan, survey, Decision(f"{deed}-{point}", "Ada", "it is broken"), report)
    print(outcome.verdict, outcome.reason)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
