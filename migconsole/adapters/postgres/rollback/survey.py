"""Reading everything a rollback is decided on, in the maintenance database: the target may be closed, or missing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import asyncpg

from migconsole.adapters.postgres.backends import connect_for_maintenance
from migconsole.adapters.postgres.connect import Connection, Purpose, retire
from migconsole.adapters.postgres.failures import FAILURES, querying
from migconsole.adapters.postgres.rollback import reading
from migconsole.adapters.postgres.rollback.operator import PostgresOperator
from migconsole.domain.drills import drill_lock, left_behind
from migconsole.domain.rollback import DatabaseRow, Names, closing_statement, operator_lock_key
from migconsole.domain.rollback_record import RollbackBook
from migconsole.domain.rollback_state import derive
from migconsole.domain.rollback_survey import (
    Blocker,
    Candidate,
    Form,
    Measured,
    Original,
    ServerFacts,
    SessionGroup,
    Survey,
)
from migconsole.domain.target import Target
from migconsole.domain.text import sanitise_line
from migconsole.engine.ports import ServerIdentity

LIMIT = 15.0
LOCK_TIMEOUT = 0.1
_RESTORED = ("swapped", "restored")


async def _unknown() -> tuple[str, ...]:
    return ("unknown: nothing has counted it",)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the server cannot say: from the run or the state file, the checklist, and the backup at hand.

    ``owner`` is the run's or the backup's identifier. ``pinned`` is the identity the run was opened on. ``run_lock``
    is the key of the watcher's lock. ``free`` are bytes on the server's volume, None when unknown. ``redact`` masks
    what is a secret in statements of others.
    """

    owner: str
    book: Callable[[], RollbackBook] = RollbackBook
    pinned: ServerIdentity | None = None
    hooks: Mapping[str, str] = field(default_factory=dict)
    backup: str = ""
    original: Original = field(default_factory=Original)
    measured: Measured = field(default_factory=Measured)
    candidates: tuple[Candidate, ...] = ()
    ran: tuple[str, ...] = ()
    free: int | None = None
    run_lock: int = 0
    loss: Callable[[], Awaitable[tuple[str, ...]]] = _unknown
    redact: Callable[[str], str] = str


class PostgresRollbackServer:
    """``engine.rollback_ports.RollbackServer`` for a target. ``run`` names our sessions on the server."""

    def __init__(self, target: Target, knowledge: Knowledge, run: str = "") -> None:
        self.names = Names.of(target.database, knowledge.owner)
        self._target = target
        self._knowledge = knowledge
        self._run = run
        self._system = knowledge.pinned.system_identifier if knowledge.pinned is not None else None
        self.version_num = 0

    async def survey(self) -> Survey:
        """See the port."""
        purpose = Purpose("survey", LIMIT, LOCK_TIMEOUT, search_path="pg_catalog")
        connection = await connect_for_maintenance(self._target, purpose, self._run, apart=True)
        try:
            survey = await self._surveyed(connection)
        except FAILURES as error:
            raise querying(error, self._target, LIMIT, LOCK_TIMEOUT) from None
        finally:
            await retire(connection)
        self.version_num = survey.server.version_num
        if survey.server.system is not None and self._system is None:
            self._system = survey.server.system
        return replace(survey, loss=await self._knowledge.loss())

    def operator(self) -> PostgresOperator:
        """See the port."""
        return PostgresOperator(self._target, self.names, run=self._run, system=self._system)

    async def _surveyed(self, connection: Connection) -> Survey:
        known = self._knowledge
        rows = await reading.read_rows(connection, self.names)
        facts, at = await self._server(connection)
        book = known.book()
        replacement = book.replacement()
        app = rows.get(self.names.app)
        oid = app.oid if app is not None else 0
        return Survey(
            at=at,
            target=self._target.name,
            names=self.names,
            situation=derive(self.names, rows, replacement),
            rows=rows,
            server=facts,
            owner=known.owner,
            changed=self._changed(facts, rows, book),
            sessions=await self._sessions(connection, oid),
            blockers=await self._blockers(connection, rows),
            replicas=await self._replicas(connection),
            pooler=self._pooler(),
            hooks=known.hooks,
            holder=await reading.lock_holder(connection, operator_lock_key(self.names.app)),
            run_lock=await reading.lock_holder(connection, known.run_lock) if known.run_lock else None,
            points=(
                *await self._side_points(connection, rows),
                *[await self._aged(connection, one) for one in known.candidates],
            ),
            size=await self._size(connection, oid),
            free=known.free,
            backup=known.backup,
            original=known.original,
            measured=known.measured,
            ran=known.ran,
            notes=(
                *await self._busy(connection, oid),
                *self._notes(facts),
                *_lent(rows),
                *await self._drills(connection),
            ),
            replacement=replacement,
        )

    async def _server(self, connection: Connection) -> tuple[ServerFacts, str]:
        row = await connection.fetchrow(reading.text_of("rollback_server"), self.names.app)
        facts = ServerFacts(
            version_num=row["version_num"],
            system=await reading.system_identifier(connection),
            timeline=await reading.read_timeline(connection),
            in_recovery=row["in_recovery"],
            started=row["started"].isoformat(),
            user=row["user"],
            superuser=row["superuser"],
            createdb=row["createdb"],
            owns=row["owns"],
            maintenance=row["maintenance"],
        )
        return facts, row["at"]

    def _changed(self, facts: ServerFacts, rows: Mapping[str, DatabaseRow], book: RollbackBook) -> tuple[str, ...]:
        """Differences to the pinned identity. The oid may have changed by our own swap, and by nothing else."""
        pinned = self._knowledge.pinned
        if pinned is None:
            return ()
        found = []
        if pinned.system_identifier != facts.system:
            found.append(f"system identifier: was {pinned.system_identifier}, is {facts.system}")
        if (pinned.host, pinned.port) != (self._target.host, self._target.port):
            found.append(f"address: was {pinned.host}:{pinned.port}, is {self._target.host}:{self._target.port}")
        if pinned.database != self._target.database:
            found.append(f"database name: was {pinned.database}, is {self._target.database}")
        app, failed = rows.get(self.names.app), rows.get(self.names.failed)
        explained = (failed is not None and failed.oid == pinned.oid) or book.replacement() is not None
        explained = explained or any(deed.verdict in _RESTORED for deed in book.deeds)
        if app is not None and app.oid != pinned.oid and not explained:
            found.append(f"database oid: was {pinned.oid}, is {app.oid}")
        return tuple(found)

    def _notes(self, facts: ServerFacts) -> tuple[str, ...]:
        pinned = self._knowledge.pinned
        if pinned is None or pinned.started_at == facts.started:
            return ()
        return (f"the server was started anew at {facts.started}, after the run was opened ({pinned.started_at})",)

    async def _drills(self, connection: Connection) -> tuple[str, ...]:
        """What drills of this database left that are not at work any more."""
        found = []
        for one in left_behind(self.names.app, await reading.read_drills(connection)):
            if await reading.lock_holder(connection, operator_lock_key(drill_lock(one.scratch))) is None:
                found.append(one.line)
        return tuple(found)

    async def _sessions(self, connection: Connection, oid: int) -> tuple[SessionGroup, ...]:
        rows = await connection.fetch(reading.text_of("rollback_sessions"), oid)
        clean = self._knowledge.redact
        return tuple(
            SessionGroup(
                sanitise_line(clean(row["application"]), 63),
                sanitise_line(row["role"]),
                row["address"],
                row["count"],
                row["oldest"],
                row["beyond"],
            )
            for row in rows
        )

    async def _blockers(self, connection: Connection, rows: Mapping[str, DatabaseRow]) -> tuple[Blocker, ...]:
        found: list[Blocker] = []
        for name in (self.names.app, self.names.failed):
            if name in rows:
                found += await reading.read_blockers(connection, name, rows[name].oid)
        return tuple(found)

    async def _replicas(self, connection: Connection) -> tuple[str, ...]:
        rows = await connection.fetch(reading.text_of("rollback_replicas"))
        return tuple(sanitise_line(f"{row['name']} at {row['address']} {row['state']}").strip() for row in rows)

    async def _size(self, connection: Connection, oid: int) -> int | None:
        if not oid:
            return None
        try:
            size: int | None = await connection.fetchval(reading.text_of("rollback_size"), oid)
        except (asyncpg.InsufficientPrivilegeError, asyncpg.QueryCanceledError, asyncpg.UndefinedObjectError):
            return None
        return size

    async def _busy(self, connection: Connection, oid: int) -> tuple[str, ...]:
        rows = await connection.fetch(reading.text_of("rollback_busy"), oid)
        found = []
        for row in rows:
            seconds = "" if row["seconds"] is None else f" for {row['seconds']:.0f} s"
            waits = f", waiting for {row['waits_for']}" if row["waits_for"] else ""
            query = sanitise_line(self._knowledge.redact(row["query"] or ""), 120)
            found.append(f"backend {row['pid']} still runs{seconds}{waits}: {query}")
        return tuple(found)

    async def _side_points(self, connection: Connection, rows: Mapping[str, DatabaseRow]) -> tuple[Candidate, ...]:
        side = rows.get(self.names.side)
        marker = side.marker if side is not None else None
        if side is None or marker is None:
            return ()
        known = next((one for one in self._knowledge.candidates if one.backup == marker.backup), None)
        row: Mapping[str, Any] = {}
        if known is not None:
            row = await self._since(connection, known)
        return (
            Candidate(
                Form.SIDE,
                self.names.side,
                marker.step.value,
                marker.backup,
                known.at if known is not None else marker.at,
                known.lsn if known is not None else "",
                row.get("age"),
                row.get("wal"),
            ),
        )

    async def _aged(self, connection: Connection, one: Candidate) -> Candidate:
        # When another tool's snapshot was made is what a person wrote: nothing to ask the server about.
        if one.form is not Form.BACKUP:
            return one
        row = await self._since(connection, one)
        return replace(one, age=row.get("age"), wal=row.get("wal"))

    async def _since(self, connection: Connection, one: Candidate) -> Mapping[str, Any]:
        row: Mapping[str, Any] = await connection.fetchrow(reading.text_of("restore_point_since"), one.at, one.lsn)
        return row

    def _pooler(self) -> str:
        pooled = self._target.pooled
        if pooled is not None:
            return f"DATABASE_URL goes to {pooled.host}:{pooled.port}"
        if self._target.pooler:
            return self._target.pooler
        return "the checklist has pooler hooks" if self._knowledge.hooks else ""


def _lent(rows: Mapping[str, DatabaseRow]) -> tuple[str, ...]:
    return tuple(
        f"{row.name} was left open by a salvage that died; the next salvage, putting back or rollback closes it, or: "
        f"{closing_statement(row)};"
        for row in rows.values()
        if row.lent
    )
