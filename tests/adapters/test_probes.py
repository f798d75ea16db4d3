"""Health probes on a real server: what they return, under which locks they still do, and what they do when it goes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from migconsole.adapters.postgres.backends import Backends, Outcome
from migconsole.adapters.postgres.probes.capabilities import variants
from migconsole.adapters.postgres.probes.catalogue import BY_NAME, PROBES, Hazard, Through, Tier
from migconsole.adapters.postgres.probes.masking import Masking
from migconsole.adapters.postgres.probes.runner import Probes
from migconsole.adapters.postgres.probes.session import lock_timeout
from migconsole.adapters.postgres.probes.sources import SOURCES
from migconsole.adapters.postgres.probes.state import CostMeter
from migconsole.adapters.postgres.target import resolve_target
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.locks import PREPARED
from migconsole.domain.readings import Level, Quality, Reading
from migconsole.domain.thresholds import Phase, judge
from migconsole.domain.windows import window
from migconsole.errors import TargetError
from tests.adapters import probes_harness as harness
from tests.adapters.test_postgres_target import pooler
from tests.conftest import Database
from tests.waiting import eventually


@pytest.fixture
def looked_at(database: Database) -> Database:
    database.psql(harness.SCHEMA)
    return database


@pytest.fixture
async def probes(looked_at: Database) -> AsyncIterator[Probes]:
    async with harness.opened(looked_at.url) as opened:
        yield opened


@pytest.fixture
def watcher_role(looked_at: Database) -> str:
    name = f"watcher_{looked_at.name}"
    looked_at.psql(f"CREATE ROLE {name} LOGIN; GRANT pg_monitor TO {name}")
    return name


# -- declarations ------------------------------------------------------------------------------------------------------


def test_the_catalogue_is_whole() -> None:
    assert [probe.number for probe in PROBES] == list(range(1, 43))
    assert len(BY_NAME) == 42
    for probe in PROBES:
        assert set(probe.key) <= {column.name for column in probe.columns}, probe.name
        assert set(probe.sources) <= set(SOURCES), probe.name
        assert not probe.twin or probe.twin in BY_NAME
        if probe.tier is Tier.PULSE:
            assert probe.through is Through.PULSE, probe.name
            assert probe.hazard is Hazard.NONE, probe.name


def test_no_query_calls_what_must_never_be_called() -> None:
    never = ("pg_stat_reset", "pg_stat_statements_reset", "LOCK TABLE", "count(*) FROM public")
    on_the_pulse = ("_relation_size", "pg_table_size", "pg_indexes", "pg_get_expr", "def(", "pg_sequences", "pg_ls_")
    views = ("pg_stat_activity", "pg_stat_progress_v", "pg_stat_progress_c", "pg_stat_database ", "pg_prepared_xacts")
    pulse = {source for probe in PROBES if probe.through is Through.PULSE for source in probe.sources}
    for name, those in variants().items():
        for variant in those:
            assert not [word for word in never if word in variant.text], name
            if name in pulse:
                assert not [word for word in (*on_the_pulse, *views) if word in variant.text], name


@pytest.mark.parametrize("deadlock", [0.003, 0.01, 0.1, 0.2, 0.201, 1.0, 60.0])
def test_the_lock_timeout_is_always_below_half_of_deadlock_timeout(deadlock: float) -> None:
    assert 0 < lock_timeout(deadlock) < deadlock / 2
    assert lock_timeout(deadlock) <= 0.1


# -- what they return --------------------------------------------------------------------------------------------------


async def test_every_probe_returns_its_declared_columns(looked_at: Database, probes: Probes) -> None:
    looked_at.psql("ANALYZE t")
    await harness.everything(probes)
    harness.all_declared(await harness.everything(probes, gate=True), monitor_only=False, major=18)


async def test_every_probe_works_with_pg_monitor_alone(looked_at: Database, watcher_role: str) -> None:
    async with harness.opened(looked_at.server.url(looked_at.name, watcher_role)) as probes:
        harness.all_declared(await harness.everything(probes), monitor_only=True, major=18)


async def test_without_privileges_nothing_is_called_healthy(looked_at: Database) -> None:
    role = f"nobody_{looked_at.name}"
    looked_at.psql(f"CREATE ROLE {role} LOGIN")
    async with harness.client(looked_at.url) as other, harness.opened(looked_at.server.url(looked_at.name, role)) as p:
        await other.execute("BEGIN")
        found = await harness.everything(p)
        for name in ("sessions", "lock_tree", "idle_in_xact", "migration_session", "long_xact"):
            assert found[name].quality is Quality.NO_PRIVILEGE, name
            assert "pg_read_all_stats" in found[name].reason
            assert judge(name, found[name], Phase.STEP)[0] is Level.UNKNOWN
        assert found["conn_saturation"].quality is Quality.OK
        assert found["conn_saturation"].rows[0]["used"] >= 3
        assert found["disk_free"].quality is Quality.NO_PRIVILEGE
        asked = p.cost().queries_per_second
        await p.run_probe("disk_free")
        assert p.cost().queries_per_second <= asked, "a refusal is remembered and not asked again"


async def test_catalogue_probes_see_what_is_there(looked_at: Database, probes: Probes) -> None:
    found = await harness.everything(probes, gate=True)
    assert [row["index"] for row in found["duplicates"].rows] == ["public.t_x_again"]
    assert found["duplicates"].rows[0]["duplicate_of"] == "public.t_x"
    assert [(row["trigger"], row["state"], row["watched"]) for row in found["disabled_triggers"].rows] == [
        ("t_quiet", "disabled", True)
    ]
    assert [row["constraint"] for row in found["not_valid"].rows] == ["t_positive"]
    assert {row["relation"] for row in found["watch_sizes"].rows} == {"public.t", 'public."Other Table"'}
    exact = {row["relation"]: row["size"] for row in found["watch_sizes"].rows}
    assert exact["public.t"] == int(looked_at.psql("SELECT pg_total_relation_size('t')"))
    assert found["sequences"].rows[0]["limit_value"] == 2**31 - 1
    before = {row["kind"]: row["hash"] for row in found["schema_fingerprint"].rows}
    looked_at.psql("ALTER TABLE t ADD COLUMN later int; CREATE INDEX CONCURRENTLY t_new ON t (big)")
    after = (await probes.run_probe("schema_fingerprint")).rows
    changed = {row["kind"] for row in after if row["changed"]}
    assert changed == {"columns", "indexes", "relations", "all"}
    assert {row["kind"]: row["hash"] for row in after}["constraints"] == before["constraints"]
    new = [row["index"] for row in (await probes.run_probe("index_usage", gate=True)).rows if row["new"]]
    assert new == ["public.t_new"]


async def test_counters_become_rates(looked_at: Database, probes: Probes) -> None:
    first = await probes.run_probe("db_counters")
    assert first.rows[0]["tps"] is None, "the first reading has nothing to compare with"
    looked_at.psql("SELECT 1")
    second = await eventually(lambda: _counters_moved(probes))
    assert second["tps"] > 0
    assert 0 <= second["rollback_share"] <= 1


async def _counters_moved(probes: Probes) -> dict[str, float] | None:
    row = (await probes.run_probe("db_counters")).rows[0]
    return dict(row) if row["tps"] else None


async def test_a_window_of_statements_is_exact(looked_at: Database, probes: Probes) -> None:
    async with harness.client(looked_at.url) as app:
        await app.fetch("SELECT count(*) FROM t WHERE x > $1", 5)
        before = [await probes.run_probe(name) for name in ("pgss_delta", "pgss_health")]
        for number in range(7):
            await app.fetch("SELECT count(*) FROM t WHERE x > $1", number)
        after = [await probes.run_probe(name) for name in ("pgss_delta", "pgss_health")]
    made = window(before[0].rows, after[0].rows, 1, health_before=before[1].rows[0], health_after=after[1].rows[0])
    texts = await probes.texts(statement.key[3] for statement in made.statements)
    (ours,) = [one for one in made.statements if "WHERE x > $1" in texts.get(one.key[3], "")]
    assert ours.calls == 7
    assert ours.mean == pytest.approx(ours.total / 7)
    assert not made.problems
    looked_at.psql("SELECT pg_stat_statements_reset()")
    reset = [await probes.run_probe(name) for name in ("pgss_delta", "pgss_health")]
    assert reset[1].rows[0]["changed"] == "the statistics were reset"
    void = window(before[0].rows, reset[0].rows, 1, health_before=before[1].rows[0], health_after=reset[1].rows[0])
    assert not void.statements
    assert void.problems == ("the statistics were reset in between",)


# -- locks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", harness.SCENARIOS)
async def test_nothing_of_ours_waits_under_locks(looked_at: Database, probes: Probes, scenario: str) -> None:
    async with harness.watched_waits(looked_at.url), harness.locks(looked_at.url, scenario):
        await harness.pulse_is_fresh(probes)
        found = await harness.everything(probes, gate=True)
        sizes = found["watch_sizes"]
        assert sizes.quality is Quality.OK
        rows = {row["relation"]: row for row in sizes.rows}
        assert rows['public."Other Table"']["size"] > 0
        blocked = scenario != "sequence"
        assert rows["public.t"]["skipped"] is blocked
        assert (rows["public.t"]["size"] is None) is blocked
        (sequence,) = found["sequences"].rows
        assert sequence["skipped"] is (scenario == "sequence")


async def test_the_pulse_survives_locked_catalogues(looked_at: Database, probes: Probes) -> None:
    async with harness.client(looked_at.url, "deploy") as migration, harness.watched_waits(looked_at.url):
        await harness.pulse_is_fresh(probes)
        await migration.execute("BEGIN")
        for catalog in harness.CATALOGS:
            await migration.execute(f"LOCK TABLE pg_catalog.{catalog} IN ACCESS EXCLUSIVE MODE")
        await harness.pulse_is_fresh(probes, 5)
        for name in ("db_counters", "slots_retained", "checkpoints", "archive_backlog"):
            assert (await probes.run_probe(name)).quality is Quality.OK, name
        tables = await probes.run_probe("all_sizes_est")
        assert tables.quality is Quality.LOCKED
        assert tables.reason.startswith(f"locked by {migration.get_server_pid()}")
        await migration.execute("ROLLBACK")
        assert (await probes.run_probe("all_sizes_est")).quality is Quality.OK


async def test_the_migration_is_a_named_node_of_the_tree(looked_at: Database, probes: Probes) -> None:
    url = looked_at.url
    probes.watched = type(probes.watched)(tables=("public.t",), app_names=("mc/f00dface/12345678",), running=True)
    async with (
        harness.client(url, "reader") as reader,
        harness.client(url, "mc/f00dface/12345678") as migration,
        harness.client(url, "app") as first,
        harness.client(url, "app") as second,
        harness.client(url, "look") as look,
    ):
        await reader.execute("BEGIN")
        await reader.fetch("SELECT 1 FROM t LIMIT 1")
        waiting = [asyncio.ensure_future(migration.execute("ALTER TABLE t ADD COLUMN z int"))]
        await harness.until_waiting(look, migration.get_server_pid())
        for app in (first, second):
            waiting.append(asyncio.ensure_future(app.fetch("SELECT count(*) FROM t")))
            await harness.until_waiting(look, app.get_server_pid())
        found = harness.by_name(await probes.run_pulse())
        tree = [(row["depth"], row["pid"], row["holds_up"], row["migration"]) for row in found["lock_tree"].rows]
        assert tree[:2] == [(0, reader.get_server_pid(), 3, False), (1, migration.get_server_pid(), 2, True)]
        assert {row[1] for row in tree[2:]} == {first.get_server_pid(), second.get_server_pid()}
        (session,) = found["migration_session"].rows
        assert session["found_by"] == "application name"
        assert session["summary"].startswith("waits for 1, holds up 2, oldest victim ")
        (queue,) = found["ael_queue"].rows
        assert (queue["granted"], queue["behind"], queue["watched"]) == (False, 2, True)
        (idle,) = found["idle_in_xact"].rows
        assert (idle["pid"], idle["watched"]) == (reader.get_server_pid(), ["public.t"])
        signals = Backends(resolve_target(url, environment={}), harness.RUN)
        try:
            wrong = "2001-01-01T00:00:00+00:00"
            assert await signals.signal(idle["pid"], wrong, terminate=True) is Outcome.GONE
            assert await signals.signal(idle["pid"], idle["backend_start"], terminate=True) is Outcome.SIGNALLED
        finally:
            await signals.close()
        await asyncio.gather(*waiting)
        after = harness.by_name(await probes.run_pulse())
        assert after["lock_tree"].rows == ()


async def test_a_signal_without_the_privilege_says_so(looked_at: Database, watcher_role: str) -> None:
    async with harness.client(looked_at.url) as app, harness.client(looked_at.url, "look") as look:
        pid = app.get_server_pid()
        began = await look.fetchval("SELECT backend_start FROM pg_stat_activity WHERE pid = $1", pid)
        signals = Backends(resolve_target(looked_at.server.url(looked_at.name, watcher_role), environment={}))
        try:
            assert await signals.signal(pid, began.isoformat(), terminate=False) is Outcome.NO_PRIVILEGE
        finally:
            await signals.close()
        assert await app.fetchval("SELECT 1") == 1


async def test_above_a_hundred_waiters_only_counts_are_read(looked_at: Database) -> None:
    from migconsole.adapters.postgres.probes import activity, sources

    async with harness.opened(looked_at.url) as probes, harness.locks(looked_at.url, "pending"):
        patched = pytest.MonkeyPatch()
        patched.setattr(activity, "WAITER_LIMIT", 0)
        patched.setattr(sources, "WAITER_LIMIT", 0)
        try:
            (row,) = (await probes.run_probe("lock_tree")).rows
        finally:
            patched.undo()
        assert (row["kind"], row["holds_up"], row["mode"]) == ("group", 1, "ACCESS EXCLUSIVE")


async def test_prepared_transactions_block_under_pid_0() -> None:
    settings = {"max_prepared_transactions": 2, "shared_preload_libraries": "pg_stat_statements"}
    with EmbeddedServer(settings=settings) as server:
        server.psql(harness.SCHEMA)
        async with harness.opened(server.url()) as probes, harness.client(server.url(), "app") as app:
            server.psql("BEGIN; ALTER TABLE t ADD COLUMN p int; PREPARE TRANSACTION 'held'")
            waiting = asyncio.ensure_future(app.fetch("SELECT 1 FROM t"))
            tree = await eventually(lambda: _rows(probes, "lock_tree"))
            assert [(row["pid"], row["kind"], row["depth"]) for row in tree] == [
                (PREPARED, "prepared", 0),
                (app.get_server_pid(), "session", 1),
            ]
            held = [row for row in await _rows(probes, "long_xact") if row["kind"] == "prepared"]
            assert [row["name"] for row in held] == ["held"]
            sizes = {row["relation"]: row for row in await _rows(probes, "watch_sizes")}
            assert (sizes["public.t"]["skipped"], sizes["public.t"]["locked_by"]) == (True, PREPARED)
            server.psql("ROLLBACK PREPARED 'held'")
            await waiting


async def _rows(probes: Probes, name: str) -> list[dict[str, object]]:
    return [dict(row) for row in (await probes.run_probe(name)).rows]


# -- work in progress --------------------------------------------------------------------------------------------------


async def test_an_index_build_names_whom_it_waits_for(looked_at: Database, probes: Probes) -> None:
    async with harness.client(looked_at.url) as writer, harness.client(looked_at.url, "deploy") as migration:
        await writer.execute("BEGIN; UPDATE t SET x = 1 WHERE id = 1")
        build = asyncio.ensure_future(migration.execute("CREATE INDEX CONCURRENTLY t_slow ON t (x, id)"))
        (row,) = await eventually(lambda: _rows(probes, "progress_index"))
        row = (await eventually(lambda: _with_locker(probes)))[0]
        assert row["locker"] == writer.get_server_pid()
        assert row["phase"] == "waiting for writers before build"
        assert row["command"] == "CREATE INDEX CONCURRENTLY"
        (invalid,) = await _rows(probes, "invalid_indexes")
        assert invalid["building"], "an index that is being built is no leftover"
        await writer.execute("ROLLBACK")
        await build
        assert await _rows(probes, "invalid_indexes") == []


async def _reading(probes: Probes, name: str) -> Reading | None:
    found = await probes.run_probe(name)
    return found if found.rows else None


async def _with_locker(probes: Probes) -> list[dict[str, object]]:
    return [row for row in await _rows(probes, "progress_index") if row["locker"]]


@pytest.mark.parametrize("application", ["pg_dump", "mc/f00dface/aaaaaaaa"])
async def test_dumps_are_recognised_under_any_name(looked_at: Database, probes: Probes, application: str) -> None:
    server = looked_at.server
    async with harness.locks(looked_at.url, "held"):
        environment = server.environment() | ({"PGAPPNAME": application} if application != "pg_dump" else {})
        command = [server.tool("pg_dump"), "-d", looked_at.url, "-f", os.devnull]
        dump = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)  # noqa: ASYNC220 - it is only started
        try:
            # One reading for all: under another name a dump is known by its statement, and has others in between.
            reading = await eventually(lambda: _reading(probes, "dump_running"))
            (row,) = reading.rows
            assert (row["application"], row["kind"]) == (application, "dump")
            assert row["ours"] is application.startswith("mc/")
            assert judge("dump_running", reading, Phase.STEP)[0] is Level.CRITICAL
            assert judge("dump_running", reading, Phase.LATER)[0] is Level.GOOD
        finally:
            dump.kill()
            dump.wait()


async def test_a_rewrite_is_seen_growing(looked_at: Database, probes: Probes) -> None:
    looked_at.psql("CREATE TABLE wide AS SELECT g AS n, repeat('x', 400) AS pad FROM generate_series(1, 120000) g")
    looked_at.psql("ANALYZE wide")
    await probes.run_probe("all_sizes_est")
    await probes.run_probe("rewrite_eta")
    looked_at.psql(
        "CREATE FUNCTION slowly(int) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS "
        "'BEGIN IF $1 % 1000 = 0 THEN PERFORM pg_sleep(0.03); END IF; RETURN $1; END'"
    )
    async with harness.client(looked_at.url, "deploy") as migration:
        rewrite = asyncio.ensure_future(
            migration.execute("ALTER TABLE wide ALTER COLUMN n TYPE bigint USING slowly(n)")
        )
        row = await eventually(lambda: _growing(probes), timeout=10)
        assert row["relation"] == "public.wide"
        assert 0 < row["share"] < 1
        assert row["done"] > 0
        assert row["pid"] == migration.get_server_pid()
        await rewrite
    (idle,) = await _rows(probes, "rewrite_eta")
    assert idle["pid"] is None
    assert idle["database_size"] > 0


async def _growing(probes: Probes) -> dict[str, object] | None:
    await probes.run_pulse()
    for row in await _rows(probes, "rewrite_eta"):
        if row["pid"] and row["share"] and row["eta_s"]:
            return row
    return None


# -- a server that changes under us ------------------------------------------------------------------------------------


async def test_kill_and_restart_are_named_and_recovered_from(own_server: EmbeddedServer) -> None:
    own_server.psql("CREATE DATABASE d")
    async with harness.opened(own_server.url("d")) as probes:
        first = harness.by_name(await probes.run_pulse())
        assert first["server_identity"].rows[0]["changed"] == ""
        assert (await probes.run_probe("all_sizes_est")).quality is Quality.OK
        pid = own_server.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: not own_server.running)
        dead = await eventually(lambda: _dead(probes))
        assert all(reading.quality is Quality.FAILED and reading.reason for reading in dead.values())
        assert judge("sessions", dead["sessions"], Phase.STEP)[0] is Level.UNKNOWN
        paused = harness.by_name(await probes.run_pulse())
        assert "next try in" in paused["sessions"].reason
        # Its backend may answer once more before it notices that the server is gone.
        await eventually(lambda: _failed(probes, "all_sizes_est"))
        own_server.start()
        probes.retry()
        back = await eventually(lambda: _alive(probes), timeout=20)
        assert back["server_identity"].rows[0]["changed"] == "restarted"
        assert judge("server_identity", back["server_identity"], Phase.LATER)[0] is Level.CRITICAL
        assert (await probes.run_probe("all_sizes_est")).quality is Quality.OK


async def _dead(probes: Probes) -> dict[str, harness.Reading] | None:
    found = harness.by_name(await probes.run_pulse())
    return found if found["sessions"].quality is Quality.FAILED else None


async def _alive(probes: Probes) -> dict[str, harness.Reading] | None:
    probes.retry()
    found = harness.by_name(await probes.run_pulse())
    return found if found["sessions"].quality is Quality.OK else None


async def test_privileges_and_extensions_that_go_are_named(looked_at: Database, watcher_role: str) -> None:
    async with harness.opened(looked_at.server.url(looked_at.name, watcher_role)) as probes:
        assert (await probes.run_probe("sessions")).quality is Quality.OK
        assert (await probes.run_probe("pgss_delta")).quality is Quality.OK
        looked_at.psql(f"REVOKE pg_monitor FROM {watcher_role}")
        assert (await probes.run_probe("sessions")).quality is Quality.NO_PRIVILEGE
        looked_at.psql(f"GRANT pg_monitor TO {watcher_role}")
        assert (await probes.run_probe("sessions")).quality is Quality.OK
        looked_at.psql("DROP EXTENSION pg_stat_statements")
        gone = await probes.run_probe("pgss_delta")
        assert gone.quality is Quality.NOT_AVAILABLE
        assert gone.reason
        assert (await probes.run_probe("all_sizes_est")).quality is Quality.OK


async def test_standing_down_leaves_the_target(looked_at: Database, probes: Probes) -> None:
    await probes.run_probe("all_sizes_est")
    await probes.stand_down("the swap is under way")
    ours = f"datname = '{looked_at.name}' AND application_name LIKE 'migconsole/%'"
    async with harness.client(looked_at.server.url(), "look") as look:
        await eventually(lambda: _none(look, f"SELECT count(*) FROM pg_stat_activity WHERE {ours}"))
        reading = await probes.run_probe("all_sizes_est")
        assert (reading.quality, reading.reason) == (Quality.NOT_AVAILABLE, "stood down: the swap is under way")
        assert (await probes.run_probe("db_counters")).quality is Quality.OK
    await probes.stand_up()
    assert (await probes.run_probe("all_sizes_est")).quality is Quality.OK


async def test_standing_down_waits_for_no_statement_of_ours(looked_at: Database, probes: Probes) -> None:
    """A wide pass may take many seconds: whoever is about to swap the database does not wait for it."""
    looked_at.psql(
        "CREATE FUNCTION slow() RETURNS bool LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN true; END'"
    )
    await probes.run_probe("all_sizes_est")
    connection = probes.probe._connection
    assert connection is not None
    slow = await connection.prepare("SELECT public.slow(), $1::oid[], $2::int")
    probes.probe._prepared["sizes_estimated"] = slow
    reading = asyncio.create_task(probes.run_probe("all_sizes_est", gate=True))
    async with harness.client(looked_at.server.url(), "look") as look:
        ours = f"FROM pg_stat_activity WHERE datname = '{looked_at.name}' AND application_name LIKE 'migconsole/%'"
        await eventually(lambda: look.fetchval(f"SELECT count(*) {ours} AND query LIKE '%slow()%'"))
        began = time.monotonic()
        await probes.stand_down("the swap")
        assert time.monotonic() - began < 1.0
        assert await look.fetchval(f"SELECT count(*) {ours}") == 0
    found = await reading
    assert (found.quality, found.reason) == (Quality.NOT_AVAILABLE, "stood down: the swap")
    await probes.stand_up()
    assert (await probes.run_probe("all_sizes_est")).quality is Quality.OK


async def _none(look: asyncpg.Connection, sql: str) -> bool:
    return bool(await look.fetchval(sql) == 0)


async def test_a_swapped_database_is_noticed(looked_at: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from migconsole.adapters.postgres.probes import sessions

    monkeypatch.setattr(sessions, "NAMES_INTERVAL", 0.0)
    name = looked_at.name
    async with harness.opened(looked_at.url) as probes:
        await probes.run_pulse()
        await probes.stand_down("swap")
        looked_at.server.psql(f"ALTER DATABASE {name} RENAME TO {name}_old; CREATE DATABASE {name}")
        found = harness.by_name(await probes.run_pulse())
        assert found["server_identity"].rows[0]["changed"] == "another database under the name"
        probes.watched = type(probes.watched)(replacing="a rollback of the run")
        found = harness.by_name(await probes.run_pulse())
        assert found["server_identity"].rows[0]["changed"] == "", "our own rollback is no alarm"
        looked_at.server.psql(f"DROP DATABASE {name}; CREATE DATABASE {name}")
        found = harness.by_name(await probes.run_pulse())
        assert found["server_identity"].rows[0]["changed"] == "another database under the name", "and that was not it"
    looked_at.server.psql(f"DROP DATABASE {name}_old")


async def test_the_lock_timeout_follows_deadlock_timeout(looked_at: Database, probes: Probes) -> None:
    looked_at.psql(f"ALTER ROLE CURRENT_USER IN DATABASE {looked_at.name} SET deadlock_timeout = '60ms'")
    async with harness.opened(looked_at.url) as other:
        await other.run_probe("watch_sizes")
        async with harness.client(looked_at.url, "look") as look:
            assert other.probe._lock_timeout == pytest.approx(0.029)
            assert await look.fetchval("SHOW deadlock_timeout") == "60ms"
    assert probes.probe._lock_timeout == pytest.approx(0.1)


async def test_full_passes_give_the_servers_memory_back(looked_at: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from migconsole.adapters.postgres.probes import session

    monkeypatch.setattr(session, "MOST_OPENED", 3)
    async with harness.opened(looked_at.url) as probes:
        before = probes._shared.own["probe"]
        assert (await probes.run_probe("watch_sizes", gate=True)).quality is Quality.OK
        assert "probe" not in probes._shared.own
        assert (await probes.run_probe("not_valid")).quality is Quality.OK
        assert probes._shared.own["probe"] != before


async def test_the_monitor_never_makes_the_migration_the_victim_of_a_deadlock(looked_at: Database) -> None:
    await harness.deadlock(looked_at.url)


async def test_a_pooler_is_refused_and_named_in_every_reading(server: EmbeddedServer) -> None:
    async with pooler(server) as port:
        target = resolve_target(f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable", environment={})
        probes = Probes(target, harness.RUN)
        with pytest.raises(TargetError, match="connection pooler"):
            await probes.open()
        for reading in await probes.run_pulse():
            assert reading.quality is Quality.FAILED
            assert "connection pooler" in reading.reason
        assert "connection pooler" in (await probes.run_probe("watch_sizes")).reason
        await probes.close()


async def test_both_ends_of_replication(server: EmbeddedServer) -> None:
    with EmbeddedServer() as primary:
        primary.psql("SELECT pg_create_physical_replication_slot('kept', true)")
        with EmbeddedServer(primary=primary) as standby:
            async with harness.opened(primary.url()) as here, harness.opened(standby.url()) as there:
                found = await eventually(lambda: _rows(here, "replication_lag"), timeout=20)
                assert found[0]["state"] == "streaming"
                assert found[0]["replay_bytes"] is not None
                (slot,) = [row for row in await _rows(here, "slots_retained") if row["slot"] == "kept"]
                assert slot["active"] is False
                assert slot["retained"] > 0
                level, message = judge("slots_retained", await here.run_probe("slots_retained"), Phase.STEP)
                assert level is Level.WARN
                assert "kept" in message
                (own,) = await _rows(there, "replication_lag")
                assert (own["standby"], own["replay_bytes"]) == ("(this standby)", 0)
                assert (await there.run_probe("standby_conflicts")).quality is Quality.OK
                pulse = await harness.pulse_is_fresh(there)
                assert pulse["server_identity"].rows[0]["in_recovery"] is True
                assert pulse["wal_rate"].rows[0]["position"] > 0
                for name in ("checkpoints", "archive_backlog", "slots_retained", "watch_sizes", "sequences"):
                    assert (await there.run_probe(name)).quality is Quality.OK, name


async def test_a_standby_that_is_promoted_is_named_and_watched_on(server: EmbeddedServer) -> None:
    with EmbeddedServer() as primary, EmbeddedServer(primary=primary) as standby:
        async with harness.opened(standby.url()) as probes:
            first = harness.by_name(await probes.run_pulse())["server_identity"].rows[0]
            assert (first["in_recovery"], first["changed"]) == (True, "")
            primary.kill()
            standby.psql("SELECT pg_promote()")
            found = harness.by_name(await probes.run_pulse())["server_identity"]
            assert found.rows[0]["changed"] == "is the primary now, another timeline"
            assert found.rows[0]["previous"].startswith("in_recovery True")
            level, message = judge("server_identity", found, Phase.STEP)
            assert (level, "is the primary now" in message) == (Level.CRITICAL, True)
            assert harness.by_name(await probes.run_pulse())["sessions"].quality is Quality.OK
            assert (await probes.run_probe("all_sizes_est")).quality is Quality.OK


def test_passwords_of_others_are_masked() -> None:
    masking = Masking(resolve_target("postgresql://u:s3cretValue@h/d", environment={}))
    for text in (
        "ALTER ROLE x PASSWORD 'hunter2'",
        "ALTER ROLE x WITH ENCRYPTED PASSWORD E'hun\\'ter2' LOGIN",
        "CREATE USER x PASSWORD $a$hunter2$a$",
        "SELECT dblink('host=a password=hunter2 dbname=b')",
        "ALTER ROLE x PASSWORD 'hunter2 is cut he",
        "SELECT 's3cretValue'",
    ):
        masked = masking.query(text)
        assert "hunter2" not in masked, masked
        assert "hun\\'ter2" not in masked, masked
        assert "s3cretValue" not in masked, masked
    assert masking.query("SELECT password FROM users WHERE id = 1") == "SELECT password FROM users WHERE id = 1"
    hidden = masking.setting("primary_conninfo", "host=a password=b")
    assert hidden
    assert "password" not in hidden
    assert masking.setting("work_mem", "4MB") == "4MB"


async def test_what_sessions_run_is_masked(looked_at: Database, probes: Probes) -> None:
    async with harness.client(looked_at.url) as app:
        running = asyncio.ensure_future(app.execute("/* ALTER ROLE x PASSWORD 'hunter2' */ SELECT pg_sleep(30)"))
        rows = await eventually(lambda: _sleeping(probes))
        assert "'***'" in str(rows[0]["query"])
        assert "hunter2" not in str(rows)
        app.terminate()
        await asyncio.gather(running, return_exceptions=True)


async def _sleeping(probes: Probes) -> list[dict[str, object]]:
    return [row for row in await _rows(probes, "sessions") if "pg_sleep" in str(row["query"])]


async def test_a_clock_that_jumps_back_does_not_reach_durations(looked_at: Database) -> None:
    times = iter([1_000_000.0, *(float(n) for n in range(100, 10_000))])
    target = resolve_target(looked_at.url, environment={})
    probes = Probes(target, harness.RUN, clock=lambda: next(times))
    async with harness.client(looked_at.url) as app:
        await probes.open()
        try:
            await app.execute("BEGIN")
            first = await probes.run_probe("wal_rate")
            looked_at.psql("CREATE TABLE written AS SELECT generate_series(1, 1000)")
            second = await probes.run_probe("wal_rate")
            assert first.at > second.at
            assert second.rows[0]["rate"] > 0
        finally:
            await probes.close()


def test_the_first_look_is_told_as_a_part_of_a_minute() -> None:
    """Two tenths of a second of work in the first one are no twenty per cent of the server's time."""
    now = [100.0]
    meter = CostMeter(lambda: now[0])
    meter.add(200.0)
    now[0] += 1
    assert meter.share == pytest.approx(0.2 / 60)
    now[0] += 60
    assert meter.share == 0.0


async def test_a_session_is_gone_only_when_the_running_step_had_one(looked_at: Database, probes: Probes) -> None:
    application = "mc/f00dface/12345679"
    running = type(probes.watched)(app_names=(application,), running=True)

    async def seen() -> tuple[bool, float | None]:
        (row,) = (await probes.run_probe("migration_session")).rows
        return row["found"], row.get("gone_s")

    probes.watched = running
    assert await seen() == (False, None), "a step that has not come to the database yet has lost nothing"
    async with harness.client(looked_at.url, application):
        assert await seen() == (True, None)
    gone = await eventually(lambda: _gone(probes))
    assert gone > 0
    probes.watched = type(probes.watched)(app_names=(application,), running=False)
    assert await seen() == (False, None)
    probes.watched = running
    assert await seen() == (False, None), "the next step starts anew"


async def _failed(probes: Probes, name: str) -> bool:
    return (await probes.run_probe(name)).quality is Quality.FAILED


async def _gone(probes: Probes) -> float | None:
    (row,) = (await probes.run_probe("migration_session")).rows
    return None if row["found"] else row["gone_s"]


async def test_a_session_that_was_opened_long_before_its_first_question_answers(looked_at: Database) -> None:
    """Preparing must not leave a transaction open, whose time then runs out, and in which locks would stay."""
    async with harness.opened(looked_at.url) as probes, harness.client(looked_at.url, "look") as look:
        pids = list(probes._shared.own.values())
        assert len(pids) == 2
        states = await look.fetch("SELECT state FROM pg_stat_activity WHERE pid = ANY($1::int[])", pids)
        assert {row["state"] for row in states} == {"idle"}
        assert await look.fetchval("SELECT count(*) FROM pg_locks WHERE pid = ANY($1::int[])", pids) == 0
        await look.fetchval("SELECT pg_sleep(0.7)")
        assert harness.by_name(await probes.run_pulse())["sessions"].quality is Quality.OK
        assert (await probes.run_probe("not_valid")).quality is Quality.OK
