"""A database with a restore point beside it, on a real server: what tests of rolling back begin with."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from migconsole.adapters.postgres.rollback.survey import Knowledge, PostgresRollbackServer
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.rollback.keepers import FileKeeper
from migconsole.adapters.rollback.surroundings import HereSurroundings
from migconsole.demo.server import SUPERUSER, EmbeddedServer
from migconsole.domain.rollback import Mark, Marker, Names, literal, quoted
from migconsole.domain.rollback_plan import Deed, Outcome, Plan, StepReport
from migconsole.domain.rollback_survey import Original, Survey
from migconsole.engine.rollback import Deeds
from migconsole.engine.rollback_ledger import Decision

OWNER = "0a1b2c3d4e5f"


@dataclass(slots=True)
class Scene:
    """An application's database and, armed beside it, what it was before: ``old`` in it where the live one has new."""

    server: EmbeddedServer
    names: Names
    home: Path
    user: str = SUPERUSER
    reports: list[StepReport] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The application database's URL."""
        return self.server.url(self.names.app, self.user)

    def content(self, database: str = "") -> str:
        """What a database says it is: old or new."""
        return self.server.psql("SELECT what FROM content", database or self.names.app)

    def arm(self, step: Mark = Mark.ARMED) -> None:
        """Make the live database (new) and the side one (old), as ``prove`` leaves them."""
        self.make(self.names.app, "new")
        self.make(self.names.side, "old")
        self.mark(self.names.side, step)
        if step is Mark.ARMED:
            self.close(self.names.side)

    def make(self, name: str, what: str) -> None:
        """A database with one row that says what it is."""
        owner = "" if self.user == SUPERUSER else f" OWNER {quoted(self.user)}"
        self.server.psql(f"CREATE DATABASE {quoted(name)} TEMPLATE template0{owner}")
        self.server.psql(f"CREATE TABLE content AS SELECT {literal(what)}::text AS what", name)

    def mark(self, name: str, step: Mark) -> None:
        """Our marker."""
        marker = Marker(OWNER, self.names.app, step, "b1", "c" * 64, "2026-11-24T14:02:00Z")
        self.server.psql(f"COMMENT ON DATABASE {quoted(name)} IS {literal(marker.text())}")

    def close(self, name: str) -> None:
        """No connections."""
        self.server.psql(f"ALTER DATABASE {quoted(name)} WITH ALLOW_CONNECTIONS false")

    def databases(self) -> dict[str, bool]:
        """Which of the three are there, and whether they are open."""
        rows = self.server.psql("SELECT datname || '|' || datallowconn FROM pg_database").splitlines()
        found = dict(row.rsplit("|", 1) for row in rows)
        names = (self.names.app, self.names.side, self.names.failed)
        return {name: found[name] == "true" for name in names if name in found}

    def comment(self, name: str) -> str:
        """A database's comment."""
        where = f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = {literal(name)}"
        return self.server.psql(where)

    def deeds(self, **known: object) -> tuple[Deeds, FileKeeper]:
        """The engine on this database, with a state file."""
        target = resolve_target(self.url)
        keeper = FileKeeper(self.home / "state.jsonl", str)
        original = known.pop("original", Original())
        knowledge = Knowledge(OWNER, book=keeper.book, original=original, **known)  # type: ignore[arg-type]
        server = PostgresRollbackServer(target, knowledge)
        return Deeds(server, keeper, HereSurroundings(target)), keeper

    async def do(
        self,
        make: Callable[[Survey], Plan],
        *,
        number: str = "d1",
        cancelled: Callable[[], bool] = lambda: False,
        report: Callable[[StepReport], None] | None = None,
        **known: object,
    ) -> Outcome:
        """Survey, plan and carry out."""
        deeds, _ = self.deeds(**known)
        survey = await deeds.survey()

        def told(news: StepReport) -> None:
            self.reports.append(news)
            if report is not None:
                report(news)

        return await deeds.execute(make(survey), survey, Decision(number, "Ada", "it is broken", cancelled), told)

    def drop(self) -> None:
        """Remove all three, whatever happened to them."""
        if not self.server.running:
            return
        for name in (self.names.app, self.names.side, self.names.failed):
            with contextlib.suppress(Exception):
                self.server.psql(
                    f"UPDATE pg_database SET datallowconn = false WHERE datname = {literal(name)};"
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {literal(name)};"
                )
            with contextlib.suppress(Exception):
                self.server.psql(f"DROP DATABASE IF EXISTS {quoted(name)}")

    # -- the command line ----------------------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """What is typed to confirm."""
        return f"{self.names.app}@{self.server.host}:{self.server.port}"

    def command(self, deed: Deed | str, *arguments: str) -> list[str]:
        """The words of a command on this database, without a run."""
        base = [sys.executable, "-m", "migconsole", str(deed), "--target", self.url, "--owner", OWNER]
        return [*base, "--state-dir", str(self.home), *arguments]

    def run(self, deed: Deed | str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self.command(deed, *arguments),
            capture_output=True,
            text=True,
            env=dict(os.environ),
            timeout=120,
            check=False,
        )


@contextlib.contextmanager
def scene(server: EmbeddedServer, home: Path, app: str = "", user: str = SUPERUSER) -> Iterator[Scene]:
    """A scene with a database name of its own, cleaned up in the end."""
    name = app or f"s_{os.urandom(4).hex()}"
    made = Scene(server, Names.of(name, OWNER), home, user)
    try:
        yield made
    finally:
        made.drop()
