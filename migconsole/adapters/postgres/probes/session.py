"""One of the monitor's two sessions: opened and prepared early, bounded in everything, never in anybody's way.

It holds no transaction, waits for no lock longer than a tenth of a second and always less than half of the server's
deadlock_timeout (or the migration would be the one that a deadlock ends), and comes back by itself with growing pauses.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg

from migconsole.adapters.postgres import metering
from migconsole.adapters.postgres.connect import MONITOR_LOCK_TIMEOUT, Connection, prepared, retire
from migconsole.adapters.postgres.failures import FAILURES, lost, querying, redacted
from migconsole.adapters.postgres.probes.capabilities import Capabilities, read_capabilities, variants
from migconsole.adapters.postgres.probes.catalogue import Probe, Through
from migconsole.adapters.postgres.probes.reading import Refusal, reading, refused, shares
from migconsole.adapters.postgres.probes.refusals import MISSING, RefusedSourceError, StoodDownError, is_lost
from migconsole.adapters.postgres.probes.shaping import Pass
from migconsole.adapters.postgres.probes.sources import SOURCES
from migconsole.adapters.postgres.probes.state import Shared
from migconsole.domain.own_statements import signed
from migconsole.domain.readings import Quality, Reading
from migconsole.domain.text import sanitise_line
from migconsole.errors import MigconsoleError

T = TypeVar("T")

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
CLIENT_FACTOR = 1.5
"""How much longer than the server's own limit a statement is waited for before its connection is given up."""

MOST_OPENED = 2_000
"""Relations a session may have opened before it is opened anew: the server keeps what it knows of each."""
_SETTINGS = signed("""SELECT set_config('lock_timeout', $1, false),
       set_config('max_parallel_workers_per_gather', '0', false), CASE WHEN current_setting('transaction_timeout', true)
       IS NOT NULL THEN set_config('transaction_timeout', '20s', false) END""")
_DEADLOCK = signed("SELECT extract(epoch FROM current_setting('deadlock_timeout')::interval)::float8")
_LIMIT = signed("SELECT set_config('statement_timeout', $1, false)")
_NOTHING = signed("SELECT")
"""A statement without columns: what it takes is the way to the server and back, and nothing else."""

FIRST_TRIPS, TRIPS = 5, 30
"""Measurements over which the shortest way to the server is known."""

WAY_INTERVAL = 10.0
"""Seconds between two measurements of the way: each is a trip of its own, for which a pulse would have to wait."""


def lock_timeout(deadlock_timeout: float) -> float:
    """Seconds to wait for a lock: 0.1, and always less than half of the server's deadlock_timeout.

    0 when that leaves no whole millisecond: then nothing that could wait for a lock may be asked.

    >>> lock_timeout(1.0), lock_timeout(0.1), lock_timeout(0.002)
    (0.1, 0.049, 0.0)
    """
    milliseconds = round(deadlock_timeout * 1000)
    return min(round(MONITOR_LOCK_TIMEOUT * 1000), max(0, (milliseconds - 1) // 2)) / 1000


class Session:
    """A session for the probes of one side. One statement at a time, each in a transaction of its own."""

    def __init__(self, shared: Shared, through: Through) -> None:
        self._shared = shared
        self._through = through
        self._lock = asyncio.Lock()
        self._connection: Connection | None = None
        self._prepared: dict[str, Any] = {}
        self._refused: dict[str, Refusal] = {}
        self._capabilities = Capabilities(frozenset())
        self._limit = 0.0
        self._lock_timeout = 0.0
        self._trips: deque[float] = deque(maxlen=TRIPS)
        self._measured = 0.0
        self._doubtful: set[str] = set()
        self._stood_down = ""
        self._work: asyncio.Future[Any] | None = None
        self._problem = ""
        self._pause = 0.0
        self._next_attempt = 0.0
        self._look_again = False

    # -- its life ------------------------------------------------------------------------------------------------------

    @property
    def purpose(self) -> str:
        """Its name on the server, and in ``Shared.own``."""
        return self._through.value

    async def open(self) -> None:
        """Connect and prepare now. Raises MigconsoleError with a remedy when that is impossible."""
        async with self._lock:
            if self.standing:
                await self._leavable(self._opened())

    async def close(self) -> None:
        """End the session."""
        async with self._lock:
            await self._drop()

    async def stand_down(self, reason: str) -> None:
        """End the session and stay away until ``stand_up``: readings are not available until then.

        A statement that runs, or a login that hangs, is cut short: nobody waits for the monitor to leave.
        """
        self._stood_down = reason or "stood down"
        if self._work is not None:
            self._work.cancel()
        await self.close()

    def stand_up(self) -> None:
        """Come back with the next reading."""
        self._stood_down = ""
        self.retry()

    def retry(self, sources: Sequence[str] = ()) -> None:
        """Forget what the server refused (all, or these sources), and any pause."""
        self._look_again = self._look_again or bool(self._refused)
        for source in sources or list(self._refused):
            self._refused.pop(source, None)
        self._next_attempt = 0.0

    @property
    def standing(self) -> bool:
        """Whether it may be used."""
        return not self._stood_down

    async def _leavable(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work on the session that ``stand_down`` may cut short, which raises StoodDownError."""
        self._work = task = asyncio.ensure_future(work)
        try:
            return await task
        except asyncio.CancelledError:
            await self._drop()
            around = asyncio.current_task()
            if self.standing or (around is not None and around.cancelling()):
                raise
            raise StoodDownError(f"stood down: {self._stood_down}") from None
        finally:
            self._work = None

    async def _opened(self) -> Connection:
        if self._connection is not None and self._connection.is_closed():
            await self._drop()
        if self._connection is None:
            connection = await self._connected()
            try:
                await self._set_up(connection)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
            self._shared.own[self.purpose] = connection.get_server_pid()
            self._pause = 0.0
            self._look_again = False
        elif self._look_again:
            # What this session missed when it was opened may have been added since: an extension, a view. Locked
            # catalogues are no reason to lose the session; it looks again the next time.
            with suppress(asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
                self._capabilities = await read_capabilities(self._connection)
                self._look_again = False
        return self._connection

    async def _connected(self) -> Connection:
        """Open a session where its probes live. Raises MigconsoleError."""
        raise NotImplementedError

    async def _ready(self, connection: Connection) -> None:
        """What has to be known or prepared before anything is locked."""

    async def _set_up(self, connection: Connection) -> None:
        try:
            self._lock_timeout = -1.0
            self._prepared, self._limit = {}, 0.5
            await self._adapt(connection, await connection.fetchval(_DEADLOCK))
            self._capabilities = await read_capabilities(connection)
            self._doubtful.clear()
            self._prepared[_LIMIT] = await prepared(connection, _LIMIT)
            self._prepared[_DEADLOCK] = await prepared(connection, _DEADLOCK)
            self._prepared[_NOTHING] = await prepared(connection, _NOTHING)
            self._trips.clear()
            # Preparing leaves the transaction open until something runs, and the server's limit counts on.
            for _ in range(FIRST_TRIPS):
                await self._measure_the_way()
            await self._ready(connection)
        except FAILURES as error:
            raise querying(error, self._shared.target, 0.5, self._lock_timeout) from None

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._prepared = {}
        self._shared.own.pop(self.purpose, None)
        if connection is not None:
            await retire(connection)

    async def _failed(self, problem: str) -> None:
        await self._drop()
        self._pause = min(max(FIRST_PAUSE, self._pause * 2), LONGEST_PAUSE)
        self._next_attempt = time.monotonic() + self._pause
        self._problem = problem
        self._refused.clear()

    def _absent(self) -> Refusal | None:
        if self._stood_down:
            return Refusal(Quality.NOT_AVAILABLE, f"stood down: {self._stood_down}")
        left = self._next_attempt - time.monotonic()
        if self._connection is None and left > 0:
            return Refusal(Quality.FAILED, f"{self._problem} (next try in {left:.0f} s)")
        return None

    # -- reading -------------------------------------------------------------------------------------------------------

    async def read(self, probes: Sequence[Probe], *, gate: bool = False) -> list[Reading]:
        """Read probes from one set of queries, one Reading each; never raises for what the server does."""
        async with self._lock:
            at = self._shared.clock()
            if absent := self._absent():
                return [refused(probe, at, absent) for probe in probes]
            look = Pass(self._shared, at, gate)
            try:
                problems = await self._leavable(self._fetch_all(probes, look))
            except StoodDownError as error:
                return [refused(probe, at, Refusal(Quality.NOT_AVAILABLE, error.title)) for probe in probes]
            except MigconsoleError as error:
                await self._failed(error.title)
                return [refused(probe, at, Refusal(Quality.FAILED, error.title)) for probe in probes]
            except FAILURES as error:
                title = querying(error, self._shared.target, self._limit, self._lock_timeout).title
                await self._failed(title)
                return [refused(probe, at, Refusal(Quality.FAILED, title)) for probe in probes]
            readings = [reading(probe, look, problems, shares(probes)) for probe in probes]
            if any(_opened_many(probe, one) for probe, one in zip(probes, readings, strict=True)):
                await self._drop()
            return readings

    async def _fetch_all(self, probes: Sequence[Probe], look: Pass) -> dict[str, Refusal]:
        """Ask every source once. Returns what was refused; raises when the connection is gone."""
        connection = await self._opened()
        problems: dict[str, Refusal] = {}
        await self._refresh(connection)
        if time.monotonic() - self._measured >= WAY_INTERVAL:
            await self._measure_the_way()
        await self._fetch_together(connection, probes, look)
        for source in dict.fromkeys(source for probe in probes for source in probe.sources):
            if source in look.fetched:
                continue
            limit = max(probe.timeout for probe in probes if source in probe.sources)
            if SOURCES[source].locks and not await self._adapt(connection):
                problems[source] = Refusal(
                    Quality.NOT_AVAILABLE, "deadlock_timeout is too short to ask for a lock safely"
                )
                continue
            try:
                await self._fetch(connection, source, limit, look)
            except RefusedSourceError as error:
                problems[source] = error.refusal
        await self._complete(connection, probes, look)
        return problems

    async def _fetch_together(self, connection: Connection, probes: Sequence[Probe], look: Pass) -> None:
        """Fetch what can be asked in one statement; the rest is asked one by one."""

    async def _refresh(self, connection: Connection) -> None:
        """What a session looks after beside its probes, before it reads."""

    async def _complete(self, connection: Connection, probes: Sequence[Probe], look: Pass) -> None:
        """What shapes need beside the fetched rows."""

    async def _adapt(self, connection: Connection, deadlock_timeout: float | None = None) -> float:
        """Follow the server's deadlock_timeout; returns the lock timeout that goes with it, in seconds."""
        if deadlock_timeout is None:
            deadlock_timeout = await self._prepared[_DEADLOCK].fetchval()
        wanted = lock_timeout(deadlock_timeout)
        if wanted != self._lock_timeout:
            await connection.fetch(_SETTINGS, f"{max(1, round(wanted * 1000))}ms")
            self._lock_timeout = wanted
        return wanted

    async def _fetch(self, connection: Connection, source: str, limit: float, look: Pass) -> None:
        arguments = SOURCES[source].arguments(look)
        if arguments is None:
            return
        statement = await self._statement(connection, source)
        await self._limit_to(limit)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(limit * CLIENT_FACTOR):
                look.fetched[source] = await statement.fetch(*arguments)
            self._doubtful.discard(source)
        except asyncpg.PostgresError as error:
            refusal = await self._refusal(connection, source, limit, error)
            self._doubtful.add(source)
            raise refusal from None
        finally:
            took = (time.perf_counter() - began) * 1000
            # The way to the server is no work of the server's; over a slow network it would be most of it.
            self._spent(source, took, max(0.0, took - self._way), look)

    def _spent(self, source: str, took: float, busy: float, look: Pass) -> None:
        """Note what a source took here and what it cost the server, in milliseconds."""
        self._shared.cost.add(busy)
        metering.note(busy / 1000)
        look.derived[f"took:{source}"] = took
        look.derived[f"busy:{source}"] = busy
        look.derived[f"until:{source}"] = time.time()

    @property
    def _way(self) -> float:
        """Milliseconds of the shortest way to the server and back of late."""
        return min(self._trips, default=0.0)

    async def _measure_the_way(self) -> None:
        self._measured = time.monotonic()
        began = time.perf_counter()
        async with asyncio.timeout(self._limit * CLIENT_FACTOR):
            await self._prepared[_NOTHING].fetch()
        self._trips.append((time.perf_counter() - began) * 1000)

    async def _limit_to(self, limit: float) -> None:
        if limit != self._limit:
            await self._prepared[_LIMIT].fetchval(str(round(limit * 1000)))
            self._limit = limit

    async def _statement(self, connection: Connection, source: str) -> Any:
        """The prepared statement of a source: of the newest variant that this server accepts."""
        if source in self._refused:
            raise RefusedSourceError(self._refused[source])
        if source in self._prepared:
            return self._prepared[source]
        texts = self._capabilities.fitting(source)
        refusal = Refusal(Quality.NOT_AVAILABLE, self._capabilities.missing(source) if not texts else "")
        for text in texts:
            try:
                statement = self._prepared[source] = await prepared(connection, text)
            except asyncpg.PostgresError as error:
                # A lock that was not granted is, to the driver, a kind of missing prerequisite too.
                if isinstance(error, asyncpg.LockNotAvailableError) or not isinstance(error, MISSING):
                    raise await self._refusal(connection, source, self._limit, error) from None
                refusal = Refusal(Quality.NOT_AVAILABLE, self._says(error))
            else:
                return statement
        self._refused[source] = refusal
        raise RefusedSourceError(refusal)

    def _says(self, error: BaseException) -> str:
        return redacted(error, self._shared.target)

    async def _refusal(
        self, connection: Connection, source: str, limit: float, error: asyncpg.PostgresError
    ) -> RefusedSourceError:
        """What an error means for a source. Errors of the connection are raised again."""
        if isinstance(error, asyncpg.LockNotAvailableError):
            return RefusedSourceError(Refusal(Quality.LOCKED, await self._locker(connection)))
        if isinstance(error, asyncpg.QueryCanceledError):
            refusal = Refusal(Quality.STALE, f"took longer than {limit:g} s")
            if SOURCES[source].once:
                refusal = self._refused[source] = Refusal(
                    Quality.STALE, f"took longer than {limit:g} s; not asked again"
                )
            return RefusedSourceError(refusal)
        if isinstance(error, asyncpg.InsufficientPrivilegeError):
            refusal = self._refused[source] = Refusal(Quality.NO_PRIVILEGE, self._says(error))
            return RefusedSourceError(refusal)
        if isinstance(error, MISSING):
            self._prepared.pop(source, None)
            refusal = Refusal(Quality.NOT_AVAILABLE, self._says(error))
            if source in self._doubtful:
                self._refused[source] = refusal
            self._look_again = True  # what answered before may have been replaced, as by an update of its extension
            return RefusedSourceError(refusal)
        if is_lost(connection, error):
            raise lost(self._shared.target) from None
        return RefusedSourceError(Refusal(Quality.FAILED, self._says(error)))

    async def _locker(self, connection: Connection) -> str:
        """Who holds or wants the lock that was not granted, as far as that can be told."""
        with suppress(*FAILURES):
            async with asyncio.timeout(CLIENT_FACTOR):
                rows = await connection.fetch(variants()["lockers"][0].text)
            if rows:
                row = rows[0]
                pid = "a prepared transaction" if row["pid"] is None else str(row["pid"])
                what = sanitise_line(self._shared.masking.query(row["query"] or ""), 60) or self._shared.names.relation(
                    row["relation"]
                )
                return f"locked by {pid} ({what})"
        return "locked by an unknown session"


def _opened_many(probe: Probe, one: Reading) -> bool:
    return probe.opens < 0 or probe.opens * len(one.rows) > MOST_OPENED
