"""The pulse and the probe session: where each lives, and what it looks after beside its probes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg

from migconsole.adapters.postgres.backends import connect_for_maintenance
from migconsole.adapters.postgres.connect import Connection, Purpose, connect, prepared
from migconsole.adapters.postgres.failures import FAILURES, lost, querying
from migconsole.adapters.postgres.probes.bundle import Bundle, Part
from migconsole.adapters.postgres.probes.capabilities import variants
from migconsole.adapters.postgres.probes.catalogue import PROBES, Probe, Through, Tier
from migconsole.adapters.postgres.probes.objects import find_volumes
from migconsole.adapters.postgres.probes.refusals import RefusedSourceError, StoodDownError, is_lost
from migconsole.adapters.postgres.probes.session import CLIENT_FACTOR, Session
from migconsole.adapters.postgres.probes.shaping import Pass
from migconsole.adapters.postgres.probes.sources import SOURCES
from migconsole.adapters.postgres.probes.state import Shared
from migconsole.domain.own_statements import MARK, WITHIN, is_own, marked, signed
from migconsole.errors import TargetError

NAMES_INTERVAL = 10.0
"""Seconds between two looks at which number the target's name has: a swap changes it."""

WATCHED_INTERVAL = 60.0
TEXTS_INTERVAL = 300.0
"""Least seconds between two loads of statement texts: the server reads all of them for each."""

FIRST_TEXTS = 3
"""Loads that are not held back, so that a screen that just opened is not without texts."""

_NUMBERS = ("oid", "table_oid", "duplicate_oid")
_BUSY = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError, asyncpg.InsufficientPrivilegeError)


_TRY = signed("SELECT pg_try_advisory_lock($1)")
_HOLDER = marked(
    """SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
                AND classid::bigint = ($1::bigint >> 32) & 4294967295 AND objid::bigint = $1::bigint & 4294967295"""
)


PULSE = tuple(probe for probe in PROBES if probe.tier is Tier.PULSE)

APART = 10
"""Pulses that are asked for one by one after their common statement failed: it may have been too slow as a whole."""


def _part(source: str, statement: Any) -> Part:
    columns = tuple(attribute.name for attribute in statement.get_attributes())
    return Part(source, statement.get_query(), columns, len(statement.get_parameters()))


class PulseSession(Session):
    """In the maintenance database, where new sessions and catalogues stay open whatever the migration locks."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared, Through.PULSE)
        self._bundle: Bundle | None = None
        self._apart = 0
        self._names_due = 0.0
        self._holds_on: Connection | None = None

    async def _connected(self) -> Connection:
        purpose = Purpose(self.purpose, 0.5, search_path="pg_catalog")
        return await connect_for_maintenance(self._shared.target, purpose, self._shared.run)

    async def hold(self, key: int) -> str:
        """Hold the advisory lock ``key`` for as long as this session lives; "" when it is held, else why it is not.

        It is asked for again after the session was lost, and never waited for: nor is a session that is being opened,
        which takes as long as a server that does not answer is given.
        """
        if (held := self._held()) is not None:
            return held
        async with self._lock:
            if (held := self._held()) is not None:
                return held
            connection = self._connection
            assert connection is not None
            try:
                async with asyncio.timeout(1.0):
                    if await connection.fetchval(_TRY, key):
                        self._holds_on = connection
                        return ""
                    holder = await connection.fetchval(_HOLDER, key)
            except FAILURES as error:
                return f"the run lock is not held: {querying(error, self._shared.target, 1.0, 0.1).title}"
            return f"another run watches this database (session {holder})" if holder else "the run lock was just let go"

    def _held(self) -> str | None:
        """As ``hold`` says it, as far as that is known without asking; None when the lock is to be asked for."""
        if self._connection is None or self._connection.is_closed():
            return "the run lock is not held: there is no session"
        return "" if self._connection is self._holds_on else None

    async def _ready(self, connection: Connection) -> None:
        self._bundle, self._apart = None, 0
        await self._learn_names(connection)
        for source in dict.fromkeys(s for probe in PROBES if probe.through is self._through for s in probe.sources):
            with suppress(RefusedSourceError):
                await self._statement(connection, source)
            # Else its transaction, and the locks of its catalogues, stay until something runs.
            await self._measure_the_way()
        with suppress(asyncpg.PostgresError):
            await self._bundled(connection, self._joinable(PULSE, Pass(self._shared, 0.0)))
        await self._measure_the_way()

    def _joinable(self, probes: Sequence[Probe], look: Pass) -> dict[str, tuple[Any, ...]]:
        """The sources that can be asked together, with their arguments: each has been prepared and never refused."""
        asked = {}
        for source in dict.fromkeys(source for probe in probes for source in probe.sources):
            arguments = SOURCES[source].arguments(look)
            if arguments is not None and source in self._prepared and source not in self._doubtful:
                asked[source] = arguments
        return asked

    async def _bundled(self, connection: Connection, asked: Iterable[str]) -> Bundle:
        wanted = tuple(asked)
        if self._bundle is None or tuple(part.source for part in self._bundle.parts) != wanted:
            bundle = Bundle(tuple(_part(source, self._prepared[source]) for source in wanted))
            bundle.statement = await prepared(connection, bundle.text)
            self._bundle = bundle
        return self._bundle

    async def _fetch_together(self, connection: Connection, probes: Sequence[Probe], look: Pass) -> None:
        """What the whole pulse needs, by one statement. If that fails, each is asked for itself, and for a while."""
        if len(probes) < len(PULSE):
            return
        if self._apart:
            self._apart -= 1
            return
        asked, limit = self._joinable(probes, look), max(probe.timeout for probe in probes)
        if len(asked) < 2:
            return
        began = time.perf_counter()
        try:
            bundle = await self._bundled(connection, asked)
            await self._limit_to(limit)
            began = time.perf_counter()
            async with asyncio.timeout(limit * CLIENT_FACTOR):
                (row,) = await bundle.statement.fetch(*(one for those in asked.values() for one in those))
        except asyncpg.PostgresError as error:
            self._bundle, self._apart = None, APART
            self._shared.cost.add(max(0.0, (time.perf_counter() - began) * 1000 - self._way))
            if is_lost(connection, error):
                raise lost(self._shared.target) from None
            return
        took = (time.perf_counter() - began) * 1000
        for source, answer in bundle.answered(tuple(row), took, self._way).items():
            look.fetched[source] = answer.rows
            self._spent(source, took, answer.busy, look)

    async def _complete(self, connection: Connection, probes: Sequence[Probe], look: Pass) -> None:
        deadlock = look.first("server").get("deadlock_timeout_s")
        if deadlock is not None:
            await self._adapt(connection, deadlock)

    async def _refresh(self, connection: Connection) -> None:
        if time.monotonic() >= self._names_due:
            with suppress(*_BUSY):
                await self._learn_names(connection)

    async def _learn_names(self, connection: Connection) -> None:
        """Names of roles and databases, and the target's number. Another one than before voids what is known of it."""
        shared = self._shared
        self._names_due = time.monotonic() + NAMES_INTERVAL
        if "names" not in self._prepared:
            self._prepared["names"] = await prepared(connection, variants()["names"][0].text)
        rows = await self._prepared["names"].fetch()
        shared.names.learn_others((row["kind"], row["oid"], row["name"]) for row in rows)
        name = shared.target.database
        oid = next((row["oid"] for row in rows if row["kind"] == "database" and row["name"] == name), None)
        if oid is None and shared.database_oid is None:
            raise TargetError(f"There is no database {name} on the server")
        if oid is not None and shared.database_oid not in (None, oid):
            shared.names.forget()
            shared.sizes.clear()
            shared.watched_oids = frozenset()
        shared.database_oid = oid if oid is not None else shared.database_oid


class ProbeSession(Session):
    """In the target itself; stood down before the target is fenced, swapped or dropped."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared, Through.PROBE)
        self._watched_due = 0.0
        self._watched_for: tuple[str, ...] = ()
        self._texts: dict[str, str] = {}
        self._own: dict[str, str] = {}
        self._judged: frozenset[str] = frozenset()
        self._texts_due = 0.0
        self._texts_loads = 0

    async def _connected(self) -> Connection:
        purpose = Purpose(self.purpose, 0.5, search_path="pg_catalog")
        return await connect(self._shared.target, purpose, run=self._shared.run)

    async def _refresh(self, connection: Connection) -> None:
        shared = self._shared
        if time.monotonic() >= self._watched_due or self._watched_for != shared.watched.tables:
            self._watched_for, self._watched_due = shared.watched.tables, time.monotonic() + WATCHED_INTERVAL
            await self._find_watched(connection)
        with suppress(*_BUSY):
            await self._resolve(connection)

    async def _find_watched(self, connection: Connection) -> None:
        pairs = [_split(name, self._shared.target.search_path or "public") for name in self._watched_for]
        text = variants()["watched"][0].text
        with suppress(*_BUSY):
            rows = (
                await connection.fetch(text, [pair[0] for pair in pairs], [pair[1] for pair in pairs]) if pairs else []
            )
            self._shared.watched_oids = frozenset(row["oid"] for row in rows)
            for row in rows:
                self._shared.names.relation(row["oid"])

    async def _resolve(self, connection: Connection) -> None:
        """Names and sizes of what the pulse met."""
        shared = self._shared
        wanted = shared.names.wanted()
        if wanted:
            await self._name(connection, wanted)
            rows = await connection.fetch(variants()["relation_sizes"][0].text, wanted)
            shared.sizes.update((row["oid"], (row["heap"], row["total"])) for row in rows)

    async def _name(self, connection: Connection, oids: Iterable[int]) -> None:
        rows = await connection.fetch(variants()["relation_names"][0].text, list(oids))
        self._shared.names.learn((row["oid"], row["name"]) for row in rows)

    async def _complete(self, connection: Connection, probes: Sequence[Probe], look: Pass) -> None:
        names = self._shared.names
        met = {row[number] for rows in look.fetched.values() for row in rows for number in _NUMBERS if number in row}
        unknown = sorted(oid for oid in met if oid and not names.knows(oid))
        if unknown:
            with suppress(*_BUSY):
                await self._name(connection, unknown)
        if any(probe.name == "disk_free" for probe in probes):
            await find_volumes(look)

    async def resolve(self) -> None:
        """Look up what the pulse met, when the session is there and free; never opens one for it."""
        if self._lock.locked() or self._connection is None or not self.standing:
            return
        async with self._lock:
            try:
                if self._connection is not None and not self._connection.is_closed():
                    await self._leavable(self._refresh(self._connection))
            except StoodDownError:
                return
            except FAILURES as error:
                await self._failed(f"The session in the target ended ({type(error).__name__})")

    async def texts(self, queryids: Iterable[str], counted: Iterable[str] = ()) -> Mapping[str, str]:
        """Texts of these statements and of all that are our own, as far as they are known.

        They are loaded rarely, because the server reads all of them for each. ``counted`` are the numbers of all
        statements: a new one may be our own, which only its text tells.
        """
        wanted = list(dict.fromkeys(queryids))
        every = frozenset((*wanted, *counted))
        missing = [one for one in wanted if one not in self._texts]
        due = time.monotonic() >= self._texts_due or self._texts_loads < FIRST_TEXTS
        if (missing or not every <= self._judged) and due and self.standing:
            self._texts_loads += 1
            self._texts_due = time.monotonic() + TEXTS_INTERVAL
            await self._load_texts(missing, every)
        return self._own | {one: self._texts[one] for one in wanted if one in self._texts}

    async def _fetch_texts(self, queryids: list[str]) -> list[Any]:
        statement = await self._statement(await self._opened(), "statement_texts")
        await self._limit_to(2.0)
        rows: list[Any] = await statement.fetch(queryids, MARK, WITHIN)
        return rows

    async def _load_texts(self, queryids: list[str], every: frozenset[str]) -> None:
        async with self._lock:
            try:
                rows = await self._leavable(self._fetch_texts(queryids))
                found = {row["queryid"]: self._shared.masking.query(row["query"]) for row in rows}
                self._own = {number: text for number, text in found.items() if is_own(text)}
                self._texts.update((number, found[number]) for number in queryids if number in found)
                self._judged = every
            except (RefusedSourceError, TargetError):
                return
            except FAILURES as error:
                if self._connection is not None and self._connection.is_closed():
                    await self._failed(f"The session in the target ended ({type(error).__name__})")


def _split(name: str, schema: str) -> tuple[str, str]:
    """A table's schema and name from how it is written.

    >>> _split('"My Schema"."Order"', "public"), _split("orders", "public")
    (('My Schema', 'Order'), ('public', 'orders'))
    """
    parts, quoted, one = [], False, ""
    for sign in name.strip():
        if sign == '"':
            quoted = not quoted
        elif sign == "." and not quoted:
            parts.append(one)
            one = ""
        else:
            one += sign
    parts.append(one)
    return (parts[-2], parts[-1]) if len(parts) > 1 else (schema, parts[0])
