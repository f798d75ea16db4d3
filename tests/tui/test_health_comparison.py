"""The Comparison tab as data: what became slower stands first, and without a baseline it says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migconsole.domain.readings import Quality, Reading
from migconsole.domain.thresholds import Phase
from migconsole.engine.comparing import Moments
from migconsole.engine.marked import MarkedPast
from migconsole.errors import MigconsoleError
from migconsole.tui.screens.health import HealthAccess, HealthPorts, comparison, objects
from migconsole.tui.screens.health.sheets import Look
from tests.domain.comparing import START, Server
from tests.domain.test_regression import ORDERS, noise
from tests.tui.driving import console
from tests.tui.fakes import World
from tests.tui.health_source import FakeHealth


class Samples:
    """Snapshots as the watcher's file gives them; also the run's past."""

    def __init__(self) -> None:
        server = Server()
        server.call("1", noise(1, 100), ORDERS)
        server.call("2", noise(2, 300), "SELECT 1 FROM gone")
        self.looks = [server.look(0)]
        server.call("1", noise(1, 200))
        server.call("2", noise(2, 300))
        self.looks.append(server.look(700))
        server.call("3", noise(3, 5), "SELECT x FROM fresh")
        self.looks.append(server.look(720))
        server.call("1", noise(10, 300))
        server.call("3", noise(3, 300))
        self.looks.append(server.look(1500))

    def latest(self, probe: str) -> Any:
        return self.looks[-1].readings.get(probe)

    def before(self, probe: str, at: float) -> Any:
        return next((look.readings.get(probe) for look in reversed(self.looks) if look.at <= at), None)

    def moments(self) -> Moments:
        return Moments(START + 705, START + 710)

    def source(self) -> Any:
        return self

    def kept(self) -> list[Any]:
        return []


def look(past: Any) -> Look:
    return Look(Samples(), Phase.FIRST_HOUR, START + 1501, 600.0, past=past)  # type: ignore[arg-type]


def test_what_became_slower_stands_first() -> None:
    sheet = comparison.statements(look(Samples()))
    assert [row.values["verdict"] for row in sheet.rows] == ["critical", "new", "vanished"]
    assert sheet.rows[0].values["text"] == ORDERS
    assert sheet.notes == ("1 slower, 0 faster, 0 as before, 1 new, 1 vanished, 0 cannot be compared",)
    load = comparison.load(look(Samples()))
    assert next(row for row in load.rows if row.key == "time").values["says"] == "look at this"
    assert any(str(row.values["before"]).endswith(" %") for row in load.rows), "as everywhere else"


def test_our_own_statements_are_one_row_without_a_verdict() -> None:
    past = Samples()
    for at, times in ((0, noise(5, 50)), (1, noise(5, 150)), (3, noise(50, 600))):
        server = Server()
        server.call("9", times, "SELECT /* migconsole */ count(*) FROM pg_catalog.pg_class")
        own = server.look(past.looks[at].at - START)
        for probe in ("pgss_delta", "statement_texts"):
            kept = past.looks[at].readings[probe]
            past.looks[at].readings[probe] = replace(kept, rows=(*kept.rows, *own.readings[probe].rows))  # type: ignore[index]
    past.looks[2].readings["pgss_delta"] = replace(  # type: ignore[index]
        past.looks[2].readings["pgss_delta"],
        rows=(*past.looks[2].readings["pgss_delta"].rows, past.looks[1].readings["pgss_delta"].rows[-1]),
    )
    sheet = comparison.statements(look(past))
    assert [row.values["verdict"] for row in sheet.rows] == ["critical", "new", "vanished", "left out"]
    row = sheet.rows[-1]
    assert row.values["text"] == "migconsole's own: 1 statement (enter lists them)"
    assert "count(*) FROM pg_catalog.pg_class" in row.values["query"]
    assert row.values["before"] < row.values["after"]
    assert 0.5 < row.values["impact"] < 1


def test_a_window_of_the_schedule_is_chosen_and_those_to_come_are_named() -> None:
    past = Samples()
    first = replace(look(past), compared=900.0)
    assert [row.values["verdict"] for row in comparison.statements(first).rows] == ["critical", "new", "vanished"]
    load = comparison.load(first)
    assert load.title.startswith("Load, T+15m: ")
    assert load.notes[0] == "+ −: since [15m] · not yet: 30m 1h 4h 12h 24h"
    early = comparison.statements(replace(first, compared=3600.0))
    assert not early.rows
    assert early.empty == "not yet: it begins at T+30m, in 16m49s"
    later = replace(first, compared=1800.0, now=START + 710 + 901)
    assert comparison.statements(later).empty == "nothing was sampled between T+15m and T+30m"
    assert comparison.load(later).notes[0] == "+ −: since 15m [30m] · not yet: 1h 4h 12h 24h"


def test_without_a_run_there_is_no_baseline_yet() -> None:
    for sheet in (comparison.statements(look(None)), comparison.load(look(None))):
        assert not sheet.rows
        assert "no baseline yet" in sheet.empty


async def test_a_baseline_is_taken_by_key_and_a_window_chosen(tmp_path: Path) -> None:
    asked = []

    async def take() -> str:
        asked.append(True)
        return "baseline: the statistics of 12 statements were kept"

    ports = HealthPorts(past=Samples(), baseline=take)  # type: ignore[arg-type]
    async with console(World(tmp_path), health=lambda session: HealthAccess(FakeHealth(START), ports)) as c:
        await c.press("D", "9", "b")
        await c.until(lambda: "12 statements" in c.status)
        assert asked == [True]
        await c.press("plus")
        assert "T+15m" in c.text()
        assert "[15m]" in c.text()
        await c.press("minus", "minus")
        assert "[since]" in c.text()


async def test_without_a_run_that_could_keep_it_no_baseline_is_taken(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await c.press("D", "b")
        assert "a baseline belongs to a run" in c.status


async def test_without_a_baseline_the_tab_says_so_and_not_that_nothing_was_read(tmp_path: Path) -> None:
    async with console(World(tmp_path), health=lambda session: HealthAccess(FakeHealth(START), HealthPorts())) as c:
        await c.press("D", "9")
        assert "no baseline yet" in c.text()
        assert "not read yet" not in c.text()


async def test_without_a_run_the_time_until_a_mark_is_the_baseline() -> None:
    source = Samples()
    source.looks, later = source.looks[:2], source.looks[2:]
    past = MarkedPast(source, lambda: START + 730)  # type: ignore[arg-type]
    before = replace(look(past), source=source)  # type: ignore[arg-type]
    assert comparison.statements(before).empty == "no baseline yet: b makes the time until now the baseline"
    assert await past.mark() == (
        "baseline of 11m40s: 2 statements as of 30s ago; what comes now is compared with them (9)"
    )
    source.looks = [*source.looks, *later]
    assert [row.values["verdict"] for row in comparison.statements(before).rows] == ["critical", "new", "vanished"]


async def test_without_samples_of_statements_nothing_is_marked() -> None:
    source = Samples()
    source.looks = []
    source.latest = lambda probe: None  # type: ignore[method-assign]
    with pytest.raises(MigconsoleError, match="no baseline yet"):
        await MarkedPast(source, lambda: START).mark()  # type: ignore[arg-type]


class Grown(Samples):
    """A table and its index that grew after the baseline, beside ones that were not there."""

    def __init__(self) -> None:
        super().__init__()
        for number, reading in enumerate(self.looks):
            old = {"oid": 1, "relation": "public.orders", "size": 1000 + 500 * number}
            table = old | {"seq_scans": 10 * number, "idx_scans": 7}
            index = {"oid": 2, "index": "public.orders_client", "size": 100 - number, "scans": 3 * number}
            fresh = [{"oid": 9, "relation": "public.fresh", "size": 5}] if number == 3 else []
            for probe, rows in (
                ("watch_sizes", [old, *fresh]),
                ("tables_activity", [table]),
                ("index_usage", [index]),
            ):
                found = Reading(probe, reading.at, 1.0, Quality.OK, tuple(rows))
                reading.readings[probe] = found  # type: ignore[index]


def test_tables_and_indexes_say_what_changed_since_the_baseline() -> None:
    past = Grown()
    now = replace(look(past), source=past)  # type: ignore[arg-type]
    sheet = objects.tables(now)
    changes = {row.values["relation"]: (row.values["size_since"], row.values["scans_since"]) for row in sheet.rows}
    assert changes == {"public.orders": (1000, 20), "public.fresh": (None, None)}
    (index,) = objects.indexes(now).rows
    assert (index.values["size_since"], index.values["scans_since"]) == (-2, 6)
    assert sheet.notes == ()
    for make in (objects.tables, objects.indexes):
        sheet = make(replace(now, past=None))
        assert sheet.notes == ("no baseline yet",)
        assert "size_since" not in sheet.rows[0].values
        assert not {"size_since", "scans_since"} & {column.name for column in sheet.columns}
        assert {"size_since", "scans_since"} <= {column.name for column in make(now).columns}
