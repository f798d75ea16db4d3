"""Faults of a rollback, on real servers: what stands in the way, what is not what was pinned, what breaks half-way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from migconsole.demo.server import SUPERUSER, EmbeddedServer
from migconsole.domain.rollback import literal, quoted
from migconsole.domain.rollback_deeds import purge_plan, put_back_plan, swap_plan
from migconsole.domain.rollback_options import options
from migconsole.domain.rollback_plan import Course, StepReport, Verdict
from migconsole.domain.rollback_state import State
from migconsole.domain.rollback_survey import Hindrance
from migconsole.engine.ports import ServerIdentity
from migconsole.errors import JournalError, StoppedError
from tests.adapters.rollback_harness import Scene, scene
from tests.waiting import eventually, wait_until

GONE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What a client gets whose session is ended, or that is not let in."""

CLIENTS = 10
OUTAGE = 1.0
"""Seconds from the fence to the first accepted connection."""


@pytest.fixture(scope="module")
def logical() -> Iterator[EmbeddedServer]:
    """A server with prepared transactions and logical slots."""
    settings = {"max_prepared_transactions": "5", "wal_level": "logical"}
    with EmbeddedServer(settings=settings) as started:
        yield started


@pytest.fixture
def armed(server: EmbeddedServer, tmp_path: Path) -> Iterator[Scene]:
    """A database with an armed restore point."""
    with scene(server, tmp_path) as made:
        made.arm()
        yield made


@pytest.fixture
def held(logical: EmbeddedServer, tmp_path: Path) -> Iterator[Scene]:
    """The same on a server where something can stand in the way."""
    with scene(logical, tmp_path) as made:
        made.arm()
        yield made


# -- what stands in the way --------------------------------------------------------------------------------------------


async def test_a_prepared_transaction_is_named_with_its_commands(held: Scene) -> None:
    held.server.psql("BEGIN; INSERT INTO content VALUES ('x'); PREPARE TRANSACTION 'it''s mine'", held.names.app)
    try:
        deeds, _ = held.deeds()
        survey = await deeds.survey()
        refusals = swap_plan(survey).refusals
        assert len(refusals) == 1
        assert "ROLLBACK PREPARED 'it''s mine'" in refusals[0]
        assert held.databases()[held.names.app] is True
    finally:
        held.server.psql("ROLLBACK PREPARED 'it''s mine'", held.names.app)
    assert (await held.do(swap_plan)).verdict is Verdict.SWAPPED


async def test_one_that_appears_after_the_survey_is_found_before_the_fence(held: Scene) -> None:
    deeds, _ = held.deeds()
    survey = await deeds.survey()
    held.server.psql("BEGIN; INSERT INTO content VALUES ('x'); PREPARE TRANSACTION 'late'", held.names.app)
    try:
        outcome = await held.do(lambda _: swap_plan(survey))
        assert outcome.verdict is Verdict.NOTHING
        assert "late" in outcome.reason
        assert held.databases()[held.names.app] is True
    finally:
        held.server.psql("ROLLBACK PREPARED 'late'", held.names.app)


async def test_a_slot_that_nobody_uses_goes_with_the_failed_database_and_forbids_purging(held: Scene) -> None:
    slot = f"cdc_{os.urandom(3).hex()}"
    held.server.psql(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')", held.names.app)
    try:
        deeds, _ = held.deeds()
        plan = swap_plan(await deeds.survey())
        assert not plan.refusals
        assert any(slot in warning for warning in plan.warnings)
        assert (await held.do(swap_plan)).verdict is Verdict.SWAPPED
        refused = purge_plan(await deeds.survey(), held.names.failed).refusals
        assert any("pg_drop_replication_slot" in why for why in refused)
    finally:
        held.server.psql(f"SELECT pg_drop_replication_slot('{slot}')")
    outcome = await held.do(lambda survey: purge_plan(survey, held.names.failed), number="d2")
    assert outcome.verdict is Verdict.PURGED


async def test_an_enabled_subscription_forbids_the_swap(held: Scene) -> None:
    held.server.psql(
        "CREATE SUBSCRIPTION feed CONNECTION 'host=/nonexistent dbname=x' PUBLICATION p"
        " WITH (connect = false, slot_name = 'feed'); ALTER SUBSCRIPTION feed ENABLE",
        held.names.app,
    )
    try:
        deeds, _ = held.deeds()
        assert any("ALTER SUBSCRIPTION" in why for why in swap_plan(await deeds.survey()).refusals)
    finally:
        held.server.psql("ALTER SUBSCRIPTION feed DISABLE", held.names.app)
        held.server.psql("ALTER SUBSCRIPTION feed SET (slot_name = NONE)", held.names.app)
        held.server.psql("DROP SUBSCRIPTION feed", held.names.app)


@contextlib.contextmanager
def replicating(server: EmbeddedServer, source: str, sink: str) -> Iterator[str]:
    """Logical replication of ``content`` that runs, from one database to the other; the slot's name."""
    slot = f"live_{os.urandom(3).hex()}"
    server.psql(f"CREATE PUBLICATION {slot} FOR TABLE content", source)
    server.psql(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')", source)
    where = f"host={server.host} port={server.port} user={SUPERUSER} dbname={source}"
    server.psql(
        f"CREATE SUBSCRIPTION {slot} CONNECTION '{where}'"
        f" PUBLICATION {slot} WITH (create_slot = false, slot_name = '{slot}', copy_data = false)",
        sink,
    )
    active = f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot}' AND active"
    try:
        wait_until(lambda: server.psql(active) == "1", 30)
        yield slot
    finally:
        server.psql(f"ALTER SUBSCRIPTION {slot} DISABLE", sink)
        server.psql(f"ALTER SUBSCRIPTION {slot} SET (slot_name = NONE)", sink)
        server.psql(f"DROP SUBSCRIPTION {slot}", sink)
        wait_until(lambda: server.psql(active) == "0", 30)
        server.psql(f"SELECT pg_drop_replication_slot('{slot}')")


@pytest.fixture
def other(held: Scene) -> Iterator[str]:
    """A database at the other end of a replication."""
    name = f"o_{os.urandom(4).hex()}"
    held.make(name, "new")
    yield name
    held.server.psql(f'DROP DATABASE "{name}"')


async def test_a_change_feed_that_is_being_read_forbids_the_swap_by_its_slot(held: Scene, other: str) -> None:
    with replicating(held.server, held.names.app, other) as slot:
        deeds, _ = held.deeds()
        (why,) = swap_plan(await deeds.survey()).refusals
        assert why.startswith(f"logical slot {slot}: pgoutput, in use")
        assert f"SELECT pg_drop_replication_slot('{slot}')" in why
        with pytest.raises(StoppedError):
            await held.do(swap_plan)
        assert held.databases()[held.names.app] is True


async def test_a_background_worker_in_the_database_is_named(held: Scene, other: str) -> None:
    with replicating(held.server, other, held.names.app) as name:
        deeds, _ = held.deeds()
        found = {blocker.kind: blocker for blocker in (await deeds.survey()).blockers}
        assert set(found) == {Hindrance.SUBSCRIPTION, Hindrance.WORKER}
        assert found[Hindrance.SUBSCRIPTION].name == name
        assert "logical replication" in found[Hindrance.WORKER].name
        assert "stop what starts it" in found[Hindrance.WORKER].resolve
        assert found[Hindrance.SUBSCRIPTION].hard


async def test_a_dump_is_named_and_ended_with_the_sessions(armed: Scene) -> None:
    reader = await asyncpg.connect(armed.url, server_settings={"application_name": "pg_dump"})
    await reader.execute("BEGIN; LOCK TABLE content IN ACCESS SHARE MODE")
    deeds, _ = armed.deeds()
    plan = swap_plan(await deeds.survey())
    assert not plan.refusals
    assert any(warning.startswith("running dump pg_dump (pid ") for warning in plan.warnings), plan.warnings
    assert (await armed.do(swap_plan)).verdict is Verdict.SWAPPED
    with pytest.raises(GONE):
        await reader.fetchval("SELECT 1")
    reader.terminate()


async def test_sessions_are_listed_and_ended(armed: Scene) -> None:
    url = armed.url
    clients = [
        await asyncpg.connect(url, server_settings={"application_name": f"shop-{kind}"})
        for kind in ("api", "api", "worker")
    ]
    deeds, _ = armed.deeds()
    survey = await deeds.survey()
    found = {group.application: group.count for group in survey.sessions}
    assert found == {"shop-api": 2, "shop-worker": 1}
    assert all(group.oldest is not None and not group.beyond for group in survey.sessions)
    assert (await armed.do(swap_plan)).verdict is Verdict.SWAPPED
    for client in clients:
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await client.fetchval("SELECT 1")
        client.terminate()


# -- rights and names --------------------------------------------------------------------------------------------------


async def test_an_owner_with_createdb_needs_no_superuser(server: EmbeddedServer, tmp_path: Path) -> None:
    role = f"deploy_{os.urandom(3).hex()}"
    server.psql(f"CREATE ROLE {role} LOGIN CREATEDB")
    try:
        with scene(server, tmp_path, user=role) as made:
            made.arm()
            server.psql(f"ALTER TABLE content OWNER TO {role}", made.names.app)
            app = await asyncpg.connect(made.url)
            assert (await made.do(swap_plan)).verdict is Verdict.SWAPPED
            app.terminate()
            assert (await made.do(put_back_plan, number="d2")).verdict is Verdict.PUT_BACK
            assert made.content() == "new"
            admin = await asyncpg.connect(server.url(made.names.app, SUPERUSER))
            deeds, _ = made.deeds()
            survey = await deeds.survey()
            assert any("a superuser must" in why for why in swap_plan(survey).refusals)
            await admin.close()
            await eventually(
                lambda: (
                    made.server.psql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = {literal(made.names.app)}")
                    == "0"
                )
            )
            server.psql(f"ALTER ROLE {role} NOCREATEDB")
            assert any("CREATEDB" in why for why in swap_plan(await deeds.survey()).refusals)
    finally:
        server.psql(f"DROP ROLE IF EXISTS {role}")


@pytest.mark.parametrize(
    "app",
    [
        """we"ird 'na me; DROP TABLE x; --""",
        "x" * 63,
        "größe-" + "ü" * 27,
        "a\\b%s$1",
    ],
)
async def test_hostile_names(server: EmbeddedServer, tmp_path: Path, app: str) -> None:
    with scene(server, tmp_path, app=app) as made:
        made.arm()
        assert (await made.do(swap_plan)).verdict is Verdict.SWAPPED
        assert made.content() == "old"
        assert (await made.do(put_back_plan, number="d2")).verdict is Verdict.PUT_BACK
        assert made.content() == "new"


# -- not what was pinned -----------------------------------------------------------------------------------------------


async def pinned(made: Scene, **changes: object) -> ServerIdentity:
    """The identity of the server as a run would have pinned it, with differences."""
    deeds, _ = made.deeds()
    survey = await deeds.survey()
    app = survey.app
    assert app is not None
    values = {
        "database": made.names.app,
        "host": made.server.host,
        "port": made.server.port,
        "user": SUPERUSER,
        "version": "18",
        "version_num": survey.server.version_num,
        "in_recovery": False,
        "system_identifier": survey.server.system,
        "oid": app.oid,
        "started_at": survey.server.started,
    }
    return ServerIdentity(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "says"),
    [({"system_identifier": "7"}, "system identifier"), ({"oid": 7}, "oid"), ({"port": 1}, "address")],
)
async def test_another_server_or_database_forbids_everything(
    armed: Scene, change: dict[str, object], says: str
) -> None:
    identity = await pinned(armed, **change)
    deeds, _ = armed.deeds(pinned=identity)
    survey = await deeds.survey()
    assert any(says in line for line in survey.changed)
    for plan in (swap_plan(survey), put_back_plan(survey), purge_plan(survey, armed.names.side)):
        assert any(says in why for why in plan.refusals)
    for option in options(survey):
        assert option.why_not, option.strategy


async def test_our_own_swap_is_no_change_of_the_target(armed: Scene) -> None:
    identity = await pinned(armed)
    assert (await armed.do(swap_plan, pinned=identity)).verdict is Verdict.SWAPPED
    deeds, _ = armed.deeds(pinned=identity)
    assert (await deeds.survey()).changed == ()


async def test_a_database_that_was_exchanged_after_the_survey_is_not_touched(armed: Scene) -> None:
    deeds, _ = armed.deeds()
    survey = await deeds.survey()
    armed.server.psql(f'DROP DATABASE "{armed.names.app}"')
    armed.make(armed.names.app, "another")
    outcome = await armed.do(lambda _: swap_plan(survey))
    assert outcome.verdict is Verdict.NOTHING
    assert "oid" in outcome.reason
    assert armed.content() == "another"


async def test_an_interrupted_drop_offers_only_its_end(armed: Scene) -> None:
    where = literal(armed.names.side)
    armed.server.psql(f"UPDATE pg_database SET datconnlimit = -2 WHERE datname = {where}")
    deeds, _ = armed.deeds()
    survey = await deeds.survey()
    assert survey.situation.state is State.LOST
    assert survey.situation.repairs == (f"DROP DATABASE {quoted(armed.names.side)};",)
    assert swap_plan(survey).refusals
    assert (await armed.do(lambda s: purge_plan(s, armed.names.side))).verdict is Verdict.PURGED


# -- the record --------------------------------------------------------------------------------------------------------


async def test_without_a_record_nothing_is_changed(armed: Scene) -> None:
    (armed.home / "state.jsonl").mkdir()
    with pytest.raises(JournalError):
        await armed.do(swap_plan)
    assert armed.databases() == {armed.names.app: True, armed.names.side: False}


async def test_a_record_that_breaks_after_the_fence_opens_the_database_again(armed: Scene) -> None:
    path = armed.home / "state.jsonl"

    def broken(news: StepReport) -> None:
        if (news.step, news.course) == ("end-sessions", Course.BEGAN):
            path.unlink()
            path.mkdir()

    outcome = await armed.do(swap_plan, report=broken)
    assert outcome.verdict is Verdict.UNFENCED
    assert "state file" in outcome.reason
    assert armed.databases() == {armed.names.app: True, armed.names.side: False}


async def test_a_torn_line_is_no_entry_and_the_next_one_is_whole(armed: Scene) -> None:
    path = armed.home / "state.jsonl"
    path.write_text('{"kind": "rollback.started", "at": "t", "key": "k", "da')
    await armed.do(swap_plan)
    _, keeper = armed.deeds()
    assert [deed.verdict for deed in keeper.book().deeds] == ["swapped"]


# -- clients that come back --------------------------------------------------------------------------------------------


async def test_ten_clients_that_reconnect_are_shut_out_for_less_than_a_second(armed: Scene) -> None:
    """From the fence to the first connection that reaches the restored database, ten clients coming back at once."""
    stop = asyncio.Event()
    fenced: list[float] = []
    accepted: list[float] = []
    busy = 0

    async def client() -> None:
        nonlocal busy
        while not stop.is_set():
            try:
                connection = await asyncpg.connect(armed.url, timeout=5)
            except GONE:
                await asyncio.sleep(0.01)
                continue
            busy += 1
            try:
                while not stop.is_set():
                    what = await connection.fetchval("SELECT what FROM content")
                    if what == "old":
                        accepted.append(time.monotonic())
                        return
                    await asyncio.sleep(0.005)
            except GONE:
                continue
            finally:
                with contextlib.suppress(*GONE):
                    connection.terminate()

    def report(news: StepReport) -> None:
        if (news.step, news.course) == ("fence", Course.BEGAN):
            fenced.append(time.monotonic())

    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    try:
        await eventually(lambda: busy >= CLIENTS, timeout=20)
        outcome = await armed.do(swap_plan, report=report)
        assert outcome.verdict is Verdict.SWAPPED
        await eventually(lambda: len(accepted) == CLIENTS or any(one.done() and one.exception() for one in clients))
        assert [one.exception() for one in clients if one.done()] == [None] * CLIENTS
    finally:
        stop.set()
        await asyncio.gather(*clients, return_exceptions=True)
    assert min(accepted) - fenced[0] <= OUTAGE
    assert outcome.outage is not None
    assert outcome.outage <= OUTAGE


# -- every version -----------------------------------------------------------------------------------------------------


@pytest.mark.matrix
async def test_every_version_swaps_puts_back_and_purges(matrix_server: EmbeddedServer, tmp_path: Path) -> None:
    with scene(matrix_server, tmp_path) as made:
        made.arm()
        assert (await made.do(swap_plan)).verdict is Verdict.SWAPPED
        assert made.content() == "old"
        assert (await made.do(put_back_plan, number="d2")).verdict is Verdict.PUT_BACK
        assert made.content() == "new"
        assert (await made.do(swap_plan, number="d3")).verdict is Verdict.SWAPPED
        outcome = await made.do(lambda survey: purge_plan(survey, made.names.failed), number="d4")
        assert outcome.verdict is Verdict.PURGED
        assert made.databases() == {made.names.app: True}


async def test_a_standby_is_refused(own_server: EmbeddedServer, tmp_path: Path) -> None:
    with scene(own_server, tmp_path) as made:
        made.arm()
        with EmbeddedServer(primary=own_server) as standby:
            await eventually(lambda: standby.psql("SELECT pg_is_in_recovery()") == "t", timeout=20)
            other = Scene(standby, made.names, tmp_path)
            deeds, _ = other.deeds()
            survey = await deeds.survey()
            assert survey.server.in_recovery
            assert any("standby" in why for why in swap_plan(survey).refusals)
            with pytest.raises(StoppedError):
                await other.do(swap_plan)
        assert made.content() == "new"
