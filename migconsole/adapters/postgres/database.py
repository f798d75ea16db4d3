"""The target as the engine sees it: identity, read-only queries, checks, and our own backends on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from migconsole.adapters.postgres import metering
from migconsole.adapters.postgres.backends import Backends
from migconsole.adapters.postgres.checks import CHECKS, Probe, verify_arguments
from migconsole.adapters.postgres.connect import Connection, Purpose, quoted, session
from migconsole.adapters.postgres.failures import DRIVER_FAILURES, FAILURES, querying
from migconsole.adapters.postgres.identity import read_identity, read_skew
from migconsole.adapters.postgres.schema import read_schema
from migconsole.adapters.postgres.values import LETTER, letter, plain, table
from migconsole.domain.expectation import Observation
from migconsole.domain.sql import query_problem
from migconsole.domain.target import Target
from migconsole.engine.comparing import Past
from migconsole.engine.ports import CheckResult, ServerIdentity
from migconsole.errors import UsageError

ROW_LIMIT = 10_000
"""Rows of one statement that are kept as evidence."""

CHECK_TIMEOUT = 15.0
CHECK_LOCK_TIMEOUT = 0.4
"""Seconds a check waits for a lock: below half of deadlock_timeout's default, so that no check decides a deadlock."""

IDENTITY_TIMEOUT = 5.0


class PostgresDatabase:
    """One target. ``project`` is the folder that relative paths of checks count from; ``run`` names our sessions;
    ``past`` is what checks compare the present with, None without a run; ``lock_timeout`` seconds is what a check waits
    for a lock. ``sampling``: whoever asks is the run's watcher, so checks go by its samples and take none of their own.

    Sessions in the target are opened for each question and closed after it: an idle one would stand in the way of
    DROP DATABASE and of the rename swap. Only one stays, in the maintenance database: what cancels must not have to
    connect under the locks of a migration.
    """

    def __init__(
        self,
        target: Target,
        *,
        project: Path | None = None,
        run: str = "",
        past: Past | None = None,
        lock_timeout: float = CHECK_LOCK_TIMEOUT,
        sampling: bool = False,
    ) -> None:
        self.target = target
        self._sampling = sampling
        self._lock_timeout = lock_timeout
        self._pinned: ServerIdentity | None = None
        self._skew: tuple[float, float] | None = None
        self._project = project or Path.cwd()
        self._run = run
        self._past = past
        self._backends = Backends(target, run)

    async def identity(self) -> ServerIdentity:
        """Ask the server who it is; raises TargetError with a remedy when it cannot be asked."""
        purpose = Purpose("identity", IDENTITY_TIMEOUT, search_path="pg_catalog")
        async with session(self.target, purpose, run=self._run) as connection:
            try:
                identity = await read_identity(connection, self.target)
                self._skew = await read_skew(connection)
            except FAILURES as error:
                raise querying(error, self.target, IDENTITY_TIMEOUT, purpose.lock_timeout) from None
        self._pinned = self._pinned or identity
        await self._backends.prepare()
        return identity

    async def query(self, statements: Sequence[str], *, limit: float, lock_timeout: float) -> CheckResult:
        """Run read-only statements, one per transaction, ``limit`` seconds each; see the port."""
        for number, statement in enumerate(statements, 1):
            if problem := query_problem(statement):
                which = f"Statement {number}" if len(statements) > 1 else "The statement"
                raise UsageError(f"{which} cannot be run as a query", f"{problem}.")
        purpose = Purpose("query", limit, lock_timeout, search_path=self._search_path())
        observations: list[Observation] = []
        lines: list[str] = []
        cut = ""
        async with session(self.target, purpose, run=self._run) as connection:
            for number, statement in enumerate(statements, 1):
                try:
                    observation, truncated = await _run(connection, statement, lock_timeout)
                except FAILURES as error:
                    raise querying(error, self.target, limit, lock_timeout) from None
                observations.append(observation)
                if len(statements) > 1:
                    lines.append(f"-- statement {number}")
                lines += table(observation.columns, observation.rows or ())
                if truncated:
                    cut = f"only the first {ROW_LIMIT:,} rows were read"
                    lines.append(f"({cut})")
        return CheckResult(tuple(observations), tuple(lines), reason=cut)

    async def refusal(self, statement: str) -> str:
        """Why the server would not run a query, found by preparing it: nothing is executed. "" when it would."""
        if problem := query_problem(statement):
            return problem
        purpose = Purpose("prepare", CHECK_TIMEOUT, CHECK_LOCK_TIMEOUT, search_path=self._search_path())
        async with session(self.target, purpose, run=self._run) as connection:
            try:
                if not (await connection.prepare(statement)).get_attributes():
                    return "it returns no columns; a sql item reads"
            except FAILURES as error:
                refused = querying(error, self.target, CHECK_TIMEOUT, CHECK_LOCK_TIMEOUT)
                return " ".join(filter(None, (refused.title, refused.detail)))
        return ""

    def skew(self) -> tuple[float, float] | None:
        """How far the server's clock was ahead when its identity was read; see the port."""
        return self._skew

    def pin(self, identity: ServerIdentity) -> None:
        """Let checks compare with the identity that the run was opened on; until then, with the first one read."""
        self._pinned = identity

    async def check(self, name: str, arguments: Mapping[str, Any]) -> CheckResult:
        """Run a built-in check; raises UsageError for a name or argument there is not, TargetError for the server."""
        if name not in CHECKS:
            raise UsageError(f"There is no check “{name}”", "", f"Known are: {', '.join(CHECKS)}.")
        verify_arguments(name, arguments)
        purpose = Purpose(f"check {name}", CHECK_TIMEOUT, self._lock_timeout, search_path="pg_catalog")
        async with session(self.target, purpose, run=self._run) as connection:
            try:
                identity = await read_identity(connection, self.target)
                self._pinned = self._pinned or identity
                probe = Probe(
                    self.target,
                    connection,
                    identity,
                    self._pinned,
                    self._project,
                    self._past,
                    self._run,
                    self._sampling,
                )
                async with asyncio.timeout(CHECK_TIMEOUT * 2):
                    return await CHECKS[name](probe, arguments)
            except DRIVER_FAILURES as error:
                raise querying(error, self.target, CHECK_TIMEOUT, self._lock_timeout) from None

    async def cancel(self, app_name: str) -> int:
        """Cancel what the backends with this application name run; returns how many were signalled."""
        return await self._backends.cancel(_named(app_name))

    async def ours(self, app_name: str) -> Sequence[Mapping[str, Any]]:
        """Backends with this application name: pid, state, query_start seconds ago, query."""
        return await self._backends.ours(_named(app_name))

    async def dumps(self) -> Sequence[str]:
        """Sessions that copy the database out, in words; an ALTER has to wait for each."""
        return await self._backends.dumps()

    async def keep_schema(self) -> None:
        """Keep the schema's fingerprint with the run, unless one is kept; what a revert is held against."""
        if self._past is not None and await asyncio.to_thread(self._past.schema) is None:
            await asyncio.to_thread(self._past.keep_schema, await read_schema(self.target, self._run))

    async def signal(self, pid: int, backend_start: str, *, terminate: bool) -> str:
        """Cancel what a session runs, or end it, if it is still that session; what became of it, in words."""
        return str(await self._backends.signal(pid, backend_start, terminate=terminate))

    async def close(self) -> None:
        """Close the one session that stays open."""
        await self._backends.close()

    def _search_path(self) -> str:
        return quoted(self.target.search_path) if self.target.search_path else ""


def _named(app_name: str) -> str:
    if not app_name.strip():
        raise ValueError("an empty application name would mean everybody's sessions")
    return app_name


async def _run(connection: Connection, statement: str, lock_timeout: float) -> tuple[Observation, bool]:
    """One statement in a read-only transaction of which nothing stays that it set.

    It is committed: rollbacks are counted by the server, and a watched query would look like a failing application.
    """
    await connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY")
    with metering.by_cursor(lock_timeout):
        prepared = await connection.prepare(statement)
        attributes = prepared.get_attributes()
        if not attributes:
            remedy = "A sql item reads; use a run item to change things."
            raise UsageError("The statement returns no columns", "", remedy)
        cursor = await prepared.cursor()
        records = await cursor.fetch(ROW_LIMIT + 1)
    readers = [letter if attribute.type.oid == LETTER else plain for attribute in attributes]
    rows = [
        [read(value) for read, value in zip(readers, record.values(), strict=True)] for record in records[:ROW_LIMIT]
    ]
    await connection.execute("COMMIT; RESET ALL")
    columns = tuple(attribute.name for attribute in attributes)
    return Observation(columns=columns, rows=rows), len(records) > ROW_LIMIT
