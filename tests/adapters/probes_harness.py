"""What tests of the probes need: a database worth looking at, locks of every kind, and a watch over our own waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from migconsole.adapters.postgres.probes.catalogue import BY_NAME, PROBES, Tier
from migconsole.adapters.postgres.probes.runner import Probes, Watched
from migconsole.adapters.postgres.target import resolve_target
from migconsole.domain.readings import Quality, Reading
from tests.waiting import eventually

RUN = "f00dface99"
LONGEST_WAIT = 0.15
"""Seconds a session of ours may be seen waiting for a lock."""

SCHEMA = """
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
CREATE TABLE t (id serial PRIMARY KEY, x int, big text);
INSERT INTO t (x, big) SELECT g, repeat(md5(g::text), 200) FROM generate_series(1, 200) g;
CREATE INDEX t_x ON t (x);
CREATE INDEX t_x_again ON t (x);
CREATE TABLE "Other Table" (a int);
INSERT INTO "Other Table" SELECT generate_series(1, 100);
ALTER TABLE t ADD CONSTRAINT t_positive CHECK (x > 0) NOT VALID;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t_quiet AFTER INSERT ON t FOR EACH ROW EXECUTE PROCEDURE nothing();
ALTER TABLE t DISABLE TRIGGER t_quiet;
"""

SCENARIOS: Mapping[str, tuple[str, str]] = {
    "held": ("", "ALTER TABLE t ADD COLUMN y int"),
    "pending": ("SELECT count(*) FROM t", "ALTER TABLE t ADD COLUMN y int"),
    "reindex": ("", "REINDEX INDEX t_x"),
    "reindex toast": ("", "REINDEX TABLE {toast}"),
    "sequence": ("", "ALTER SEQUENCE t_id_seq INCREMENT 2"),
}
"""What a reader runs first in an open transaction, and then the migration in one of its own."""

CATALOGS = ("pg_class", "pg_attribute", "pg_authid", "pg_database")


def monitor(url: str, **watched: Any) -> Probes:
    """A monitor that watches ``t``."""
    return Probes(resolve_target(url, environment={}), RUN, watched=Watched(tables=("public.t",), **watched))


@asynccontextmanager
async def opened(url: str, **watched: Any) -> AsyncIterator[Probes]:
    """A monitor that has connected and prepared everything."""
    probes = monitor(url, **watched)
    await probes.open()
    try:
        yield probes
    finally:
        await probes.close()


@asynccontextmanager
async def client(url: str, application: str = "app") -> AsyncIterator[asyncpg.Connection]:
    """A session of somebody else; whatever it does is rolled back."""
    connection = await asyncpg.connect(url, server_settings={"application_name": application}, statement_cache_size=0)
    try:
        yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def locks(url: str, scenario: str) -> AsyncIterator[None]:
    """Hold (or, where a reader is in front, wait for) what the scenario says."""
    first, then = SCENARIOS[scenario]
    async with client(url, "reader") as reader, client(url, "deploy") as migration, client(url, "look") as look:
        toast = await look.fetchval("SELECT reltoastrelid::regclass::text FROM pg_class WHERE oid = 't'::regclass")
        if first:
            await reader.execute("BEGIN")
            await reader.fetch(first)
        await migration.execute("BEGIN")
        running = asyncio.ensure_future(migration.execute(then.format(toast=toast)))
        if first:
            await until_waiting(look, migration.get_server_pid())
        else:
            await running
        try:
            yield
        finally:
            migration.terminate()
            await asyncio.gather(running, return_exceptions=True)


async def until_waiting(look: asyncpg.Connection, pid: int) -> None:
    """Return when a backend waits for a lock."""
    query = "SELECT count(*) FROM pg_locks WHERE pid = $1 AND NOT granted"
    await eventually(lambda: look.fetchval(query, pid), 5, "it does not wait")


class OwnWaits:
    """Samples how long sessions of ours wait for locks, through a session that was opened before."""

    SQL = """SELECT DISTINCT l.pid, a.query_start FROM pg_lock_status() l
             JOIN pg_stat_get_activity(NULL) a ON a.pid = l.pid
             WHERE NOT l.granted AND a.application_name LIKE 'migconsole/%'"""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.longest = 0.0
        self.samples = 0
        self._since: dict[tuple[int, object], float] = {}

    async def run(self) -> None:
        """Sample until cancelled."""
        statement = await self._connection.prepare(self.SQL)
        while True:
            waiting = {(row["pid"], row["query_start"]) for row in await statement.fetch()}
            now = time.monotonic()
            self._since = {one: self._since.get(one, now) for one in waiting}
            self.longest = max([self.longest, *(now - since for since in self._since.values())])
            self.samples += 1
            await asyncio.sleep(0.005)


@asynccontextmanager
async def watched_waits(url: str) -> AsyncIterator[OwnWaits]:
    """Watch our own waits while the block runs, and fail when one was too long."""
    async with client(url, "look") as connection:
        waits = OwnWaits(connection)
        task = asyncio.create_task(waits.run())
        try:
            yield waits
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert waits.samples > 3
    assert waits.longest < LONGEST_WAIT, f"a session of ours waited {waits.longest:.3f} s"


def by_name(readings: Sequence[Reading]) -> dict[str, Reading]:
    """Readings by their probe."""
    return {reading.probe: reading for reading in readings}


def declared(reading: Reading) -> None:
    """The rows have the declared columns, and values of the declared kinds."""
    kinds: dict[str, tuple[type, ...]] = {
        "text": (str,),
        "time": (str,),
        "bool": (bool,),
        "pids": (list,),
        "list": (list,),
        "pid": (int,),
        "oid": (int,),
        "count": (int, float),
    }
    columns = BY_NAME[reading.probe].columns
    for row in reading.rows:
        assert list(row) == [column.name for column in columns]
        for column in columns:
            value = row[column.name]
            expected = kinds.get(column.unit, (int, float))
            assert value is None or isinstance(value, expected), (reading.probe, column, value)


async def everything(probes: Probes, *, gate: bool = False) -> dict[str, Reading]:
    """One reading of every probe."""
    found = by_name(await probes.run_pulse())
    for probe in PROBES:
        if probe.tier is not Tier.PULSE:
            found[probe.name] = await probes.run_probe(probe.name, gate=gate)
    return found


EMPTY_IS_FINE = {
    "lock_tree",
    "ael_queue",
    "idle_in_xact",
    "dump_running",
    "progress_index",
    "progress_other",
    "replication_lag",
    "wait_profile",
    "vacuum_on_target",
    "slots_retained",
    "invalid_indexes",
}
"""Probes without rows where nothing of the kind is going on."""


def all_declared(found: Mapping[str, Reading], *, monitor_only: bool, major: int) -> None:
    """Every probe answered as declared; what it could not read is named."""
    excused: dict[str, Quality] = {"standby_conflicts": Quality.NOT_AVAILABLE}
    if major < 12:
        excused["progress_index"] = Quality.NOT_AVAILABLE
    if monitor_only:
        excused |= {"sequences": Quality.NO_PRIVILEGE, "bloat_est": Quality.NO_PRIVILEGE}
    assert set(found) == set(BY_NAME)
    for name, reading in found.items():
        declared(reading)
        assert reading.quality is excused.get(name, Quality.OK), (name, reading.quality, reading.reason)
        if reading.quality is Quality.OK:
            assert reading.rows or name in EMPTY_IS_FINE, f"{name} has no row"
        else:
            assert reading.reason


async def pulse_is_fresh(probes: Probes, pulses: int = 3) -> dict[str, Reading]:
    """Every value of some pulses is ok and at most two seconds old when it is there."""
    found: dict[str, Reading] = {}
    for _ in range(pulses):
        began = time.time()
        found = by_name(await probes.run_pulse())
        assert time.time() - began < 2
        for reading in found.values():
            assert reading.quality in (Quality.OK, Quality.NOT_AVAILABLE), (reading.probe, reading.reason)
            assert reading.at >= began - 0.01
    return found


async def deadlock(url: str) -> None:
    """A migration locks an index and then its table, while the monitor asks for sizes between the two.

    The worst is asked for: the exact size without the guard that would skip the table. It holds the table and waits for
    the index, and gives up before the server looks for deadlocks, so the migration gets its lock.
    """
    async with opened(url) as probes, client(url, "deploy") as migration:
        await migration.execute("BEGIN; REINDEX INDEX t_x")
        assert (await probes.run_probe("watch_sizes", gate=True)).quality is Quality.OK
        connection = probes.probe._connection
        refused = 0

        async def ask() -> None:
            nonlocal refused
            while True:
                try:
                    await connection.fetchval("SELECT pg_total_relation_size('public.t'::regclass)")
                    await asyncio.sleep(0.01)
                except asyncpg.LockNotAvailableError:
                    refused += 1

        asking = asyncio.create_task(ask())
        try:
            while refused < 3:
                await asyncio.sleep(0.01)
                assert not asking.done()
            await asyncio.wait_for(migration.execute("ALTER TABLE t ADD COLUMN y int; COMMIT"), 5)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        assert await migration.fetchval("SELECT count(y) FROM t") == 0
