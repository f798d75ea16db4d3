"""The Comparison tab as data: what became slower stands first, and without a baseline it says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from migconsole.domain.thresholds import Phase
from migconsole.engine.comparing import Moments
from migconsole.tui.screens.health import comparison
from migconsole.tui.screens.health.sheets import Look
from tests.domain.comparing import START, Server
from tests.domain.test_regression import ORDERS, noise


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
