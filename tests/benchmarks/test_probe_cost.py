"""What the monitor costs the server, against what people use instead, on databases of 1,000 to 50,000 tables.

Server time is what pg_stat_statements counts (planning and execution) for a role that does nothing else. The activity
monitor is written after what such tools show on every refresh: running, waiting and blocking queries, the size of all
databases, transactions, temporary files. The size query is the deployment checklist's own, quoted so that it runs.
"""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Iterator

import asyncpg
import pytest

from migconsole.adapters.postgres.probes.runner import Probes
from migconsole.adapters.postgres.target import resolve_target
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.readings import Quality

pytestmark = pytest.mark.benchmark

TABLES = (1_000, 10_000, 50_000)
JUDGED = 10_000
ROUNDS = 9

ACTIVITY_MONITOR = (
    """SELECT a.pid, a.datname, a.application_name, a.client_addr, a.usename, a.wait_event, a.state, a.query,
              extract(epoch FROM now() - coalesce(a.query_start, a.xact_start)) AS duration
       FROM pg_stat_activity a WHERE a.state <> 'idle' AND a.pid <> pg_backend_pid()
       ORDER BY duration DESC NULLS LAST""",
    """SELECT a.pid, a.application_name, a.datname, a.usename, l.locktype, l.mode, c.relname, a.query
       FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid LEFT JOIN pg_class c ON c.oid = l.relation
       WHERE NOT l.granted""",
    """SELECT h.pid, a.application_name, a.usename, h.mode, c.relname, a.query
       FROM pg_locks w JOIN pg_locks h ON h.granted AND h.pid <> w.pid AND h.relation IS NOT DISTINCT FROM w.relation
            AND h.database IS NOT DISTINCT FROM w.database
       JOIN pg_stat_activity a ON a.pid = h.pid LEFT JOIN pg_class c ON c.oid = h.relation WHERE NOT w.granted""",
    """SELECT sum(pg_database_size(datname)) AS total, max(length(datname)) FROM pg_database WHERE datallowconn""",
    """SELECT sum(xact_commit + xact_rollback), sum(blks_hit), sum(blks_read), sum(tup_inserted), sum(tup_updated),
              sum(tup_deleted), sum(temp_files), sum(temp_bytes) FROM pg_stat_database""",
    """SELECT count(*) FILTER (WHERE state = 'active'), count(*) FILTER (WHERE state = 'idle'), count(*),
              count(*) FILTER (WHERE wait_event_type = 'Lock'), current_setting('max_connections')
       FROM pg_stat_activity WHERE backend_type = 'client backend'""",
    """SELECT (SELECT count(*) FROM pg_stat_replication), (SELECT count(*) FROM pg_replication_slots),
              now() - pg_postmaster_start_time()""",
)
SIZES = """SELECT schemaname, tablename,
                  pg_size_pretty(pg_total_relation_size(quote_ident(schemaname) || '.' || quote_ident(tablename)))
           FROM pg_tables WHERE schemaname = 'public'
           ORDER BY pg_total_relation_size(quote_ident(schemaname) || '.' || quote_ident(tablename)) DESC"""

FILL = """
CREATE OR REPLACE PROCEDURE fill(already int, wanted int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN already + 1..wanted LOOP
        EXECUTE format('CREATE TABLE "Table %s" (id int PRIMARY KEY, n int, t text)', i);
        EXECUTE format('INSERT INTO "Table %s" VALUES (1, 1)', i);
        EXECUTE format('CREATE INDEX ON "Table %s" (n)', i);
        IF i % 100 = 0 THEN COMMIT; END IF;
    END LOOP;
END $$
"""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    settings = {
        "shared_preload_libraries": "pg_stat_statements",
        "pg_stat_statements.track": "all",
        "pg_stat_statements.track_planning": "on",
        "shared_buffers": "512MB",
        "autovacuum": "off",
        "max_locks_per_transaction": 256,
        "max_wal_size": "4GB",
    }
    with EmbeddedServer(settings=settings) as started:
        started.psql("CREATE ROLE ours SUPERUSER LOGIN; CREATE ROLE theirs SUPERUSER LOGIN")
        started.psql("CREATE DATABASE d")
        started.psql(f"CREATE EXTENSION pg_stat_statements; {FILL}", "d")
        yield started


class Meter:
    """Server time of a role in ms, and the private memory of a backend in bytes."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def spent(self, role: str) -> float:
        """Milliseconds of planning and execution so far."""
        sql = """SELECT coalesce(sum(total_exec_time + total_plan_time), 0) FROM pg_stat_statements s
                 JOIN pg_roles r ON r.oid = s.userid WHERE r.rolname = $1 AND s.toplevel"""
        spent: float = await self._connection.fetchval(sql, role)
        return spent

    async def typical(self, role: str, act: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> float:
        """The median of several rounds."""
        costs = []
        for _ in range(rounds):
            before = await self.spent(role)
            await act()
            costs.append(await self.spent(role) - before)
        return statistics.median(costs)


def memory(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        _, resident, shared = (int(word) for word in file.read().split()[:3])
    return (resident - shared) * 4096


async def test_the_monitor_costs_next_to_nothing(server: EmbeddedServer) -> None:
    target = resolve_target(server.url("d", "ours"), environment={})
    look = await asyncpg.connect(server.url("d"))
    meter = Meter(look)
    print("\n          pulse  monitor  ratio   sizes ms     checklist ms      ratio           memory MB")
    print("tables       ms       ms           first  later   first   later  first  later  ours  checklist")
    ratios: dict[int, tuple[float, float, float, int, int]] = {}
    done = 0
    for tables in TABLES:
        await look.execute(f"CALL fill({done}, {tables})", timeout=900)
        for catalog in ("pg_class", "pg_index", "pg_attribute", "pg_depend", "pg_type"):
            await look.execute(f"VACUUM ANALYZE {catalog}", timeout=300)
        await look.execute("CHECKPOINT")
        done = tables
        probes = Probes(target, "f00dface")
        await probes.open()
        theirs = await asyncpg.connect(server.url("d", "theirs"))
        try:

            async def refresh(session: asyncpg.Connection = theirs) -> None:
                for sql in ACTIVITY_MONITOR:
                    await session.fetch(sql)

            async def sizes(monitor: Probes = probes) -> None:
                for name in ("all_sizes_est", "watch_sizes"):
                    assert (await monitor.run_probe(name)).quality is Quality.OK

            pulse = await meter.typical("ours", probes.run_pulse)
            reference = await meter.typical("theirs", refresh)
            await probes.run_probe("not_valid")
            own = probes._shared.own["probe"]
            start = memory(own)
            first = await meter.typical("ours", sizes, 1)
            again = await meter.typical("ours", sizes, 3)
            grown = memory(own) - start if probes._shared.own["probe"] == own else 0
            seed = await asyncpg.connect(server.url("d", "theirs"))
            try:
                await seed.fetch("SELECT 1")
                before = memory(seed.get_server_pid())
                cold = await meter.typical("theirs", lambda s=seed: s.fetch(SIZES), 1)
                warm = await meter.typical("theirs", lambda s=seed: s.fetch(SIZES), 3)
                kept = memory(seed.get_server_pid()) - before
            finally:
                await seed.close()
        finally:
            await theirs.close()
            await probes.close()
        ratios[tables] = (reference / pulse, cold / first, warm / again, grown, kept)
        print(
            f"{tables:6,} {pulse:8.2f} {reference:8.1f} {reference / pulse:6.0f} {first:7.1f} {again:6.1f} {cold:7.0f}"
            f" {warm:7.0f} {cold / first:6.1f} {warm / again:6.1f} {grown / 1024**2:5.1f} {kept / 1024**2:10.1f}"
        )
    await look.close()
    by_pulse, by_cold, _, grown, kept = ratios[JUDGED]
    assert by_pulse >= 20
    assert by_cold >= 10
    assert grown < kept / 10
    pulses = [ratios[tables][0] for tables in TABLES]
    assert pulses == sorted(pulses), "the pulse does not grow with the database; the reference does"
