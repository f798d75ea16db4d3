"""The pulse as one statement: one trip, and each value with its own quality, as if it had been asked for by itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from migconsole.adapters.postgres.connect import prepared
from migconsole.adapters.postgres.probes.runner import Probes
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.readings import Quality, Reading
from tests.adapters import probes_harness as harness
from tests.adapters.slow_way import slow_way
from tests.conftest import Database

WAY = 0.1
"""Seconds to the server and back."""


@pytest.fixture
def looked_at(database: Database) -> Database:
    database.psql(harness.SCHEMA)
    return database


def together(probes: Probes) -> bool:
    """Whether the next pulse is one statement."""
    return probes.pulse._bundle is not None and not probes.pulse._apart


async def test_a_pulse_over_a_slow_way_is_one_trip(looked_at: Database) -> None:
    """Eleven queries one after another would take more than a second, which is the pulse's interval during a step."""
    async with slow_way(looked_at.url, WAY) as way, harness.opened(way.url) as probes:
        found = []
        for _ in range(5):
            before, began = way.trips, time.perf_counter()
            readings = await probes.run_pulse()
            found.append((way.trips - before, time.perf_counter() - began))
            assert {one.quality for one in readings} <= {Quality.OK, Quality.NOT_AVAILABLE}, readings
        assert min(trips for trips, _ in found) == 1
        assert max(trips for trips, _ in found) <= 3, (
            "names, the way itself and a limit are asked for beside it at times"
        )
        assert WAY <= min(took for _, took in found) < 2 * WAY
        assert sum(one.took for one in readings) / 1000 < WAY / 4, "the way is no work of the server's"


async def test_somebody_who_waits_costs_one_trip_more(looked_at: Database) -> None:
    async with (
        slow_way(looked_at.url, WAY) as way,
        harness.opened(way.url) as probes,
        harness.locks(looked_at.url, "pending"),
    ):
        found = []
        for _ in range(3):
            before = way.trips
            readings = harness.by_name(await probes.run_pulse())
            found.append(way.trips - before)
            assert [row["depth"] for row in readings["lock_tree"].rows] == [0, 1]
        assert min(found) == 2


async def alike(url: str) -> None:
    """Asked together and one by one: the same rows, columns and types."""
    async with harness.opened(url) as probes, harness.client(url, "app") as app:
        await app.execute("BEGIN; SELECT 1")
        assert together(probes)
        one = harness.by_name(await probes.run_pulse())
        probes.pulse._apart = 1
        other = harness.by_name(await probes.run_pulse())
        assert one.keys() == other.keys()
        for name in one:
            assert one[name].quality is other[name].quality, name
            assert compatible(types(one[name]), types(other[name])), name
        starts = {row["pid"]: row["backend_start"] for row in one["sessions"].rows}
        assert starts.items() <= {row["pid"]: row["backend_start"] for row in other["sessions"].rows}.items()


def types(reading: Reading) -> dict[str, set[type]]:
    """The types of each column's values; what is empty, as a wait of an idle session is at times, has none."""
    found: dict[str, set[type]] = {}
    for row in reading.rows:
        for name, value in row.items():
            found.setdefault(name, set()).update({type(value)} if value is not None else ())
    return found


def compatible(one: dict[str, set[type]], other: dict[str, set[type]]) -> bool:
    """The same columns, and the same types where both have values."""
    return one.keys() == other.keys() and all(
        one[name] == other[name] or not one[name] or not other[name] for name in one
    )


async def test_together_and_one_by_one_are_alike(looked_at: Database) -> None:
    await alike(looked_at.url)


@pytest.mark.matrix
async def test_they_are_alike_on_every_version(matrix_database: Database) -> None:
    matrix_database.psql(harness.SCHEMA)
    await alike(matrix_database.url)


async def test_what_is_refused_is_refused_alone(own_server: EmbeddedServer) -> None:
    own_server.psql("CREATE DATABASE d; CREATE ROLE nobody LOGIN")
    own_server.psql("REVOKE EXECUTE ON FUNCTION pg_catalog.pg_control_system() FROM PUBLIC")
    async with harness.opened(own_server.url("d", "nobody")) as probes:
        first = qualities(await probes.run_pulse())
        assert not together(probes), "one of them may not be read"
        probes.pulse._apart = 0
        assert qualities(await probes.run_pulse()) == first
        assert together(probes), "the others are one statement again"
        assert first["conn_saturation"] is Quality.OK
        assert probes.pulse._refused.keys() == {"identity"}


async def test_one_that_takes_too_long_as_a_whole_falls_apart_at_once(looked_at: Database) -> None:
    async with harness.opened(looked_at.url) as probes:
        assert probes.pulse._bundle is not None
        assert probes.pulse._connection is not None
        probes.pulse._bundle.statement = await prepared(
            probes.pulse._connection, "SELECT pg_sleep(2), $1::oid, $2::oid[]"
        )
        began = time.perf_counter()
        assert Quality.STALE not in qualities(await probes.run_pulse()).values()
        assert time.perf_counter() - began < 2.0
        assert not together(probes)
        probes.pulse._apart = 0
        await probes.run_pulse()
        assert together(probes)


async def test_it_is_parsed_once(looked_at: Database) -> None:
    """What is prepared is prepared on the server: another parse would need catalogues that may be locked by then."""
    async with harness.opened(looked_at.url) as probes:
        for session in (probes.pulse, probes.probe):
            connection = session._connection
            assert connection is not None
            held = await connection.fetch("SELECT name, statement FROM pg_prepared_statements")
            texts = {row["statement"] for row in held}
            assert {statement.get_query() for statement in session._prepared.values()} <= texts


def qualities(readings: tuple[Reading, ...]) -> Mapping[str, Any]:
    """By probe."""
    return {reading.probe: reading.quality for reading in readings}


async def test_an_extension_that_is_updated_is_read_on(database: Database) -> None:
    """What was prepared for its old columns is prepared anew."""
    database.psql("CREATE EXTENSION pg_stat_statements VERSION '1.9'")
    async with harness.opened(database.url) as probes:
        assert (await probes.run_probe("pgss_delta")).quality is Quality.OK
        database.psql("ALTER EXTENSION pg_stat_statements UPDATE")
        found = [(await probes.run_probe("pgss_delta")).quality for _ in range(2)]
        assert found[-1] is Quality.OK
        database.psql("DROP EXTENSION pg_stat_statements; CREATE EXTENSION pg_stat_statements")
        found = [(await probes.run_probe("pgss_delta")).quality for _ in range(2)]
        assert found[-1] is Quality.OK
