"""Estimates are learned from finished runs of the same checklist, and say where they are from."""

from __future__ import annotations

from pathlib import Path

import pytest

from migconsole.adapters.runs import RunStore
from migconsole.domain.clock import reckon
from migconsole.domain.events import Kind
from migconsole.domain.times import instant
from migconsole.wiring import estimates
from tests.report.runs import Recorded, recorded


def took(
    state: Path,
    seconds: float | None,
    environment: str = "production",
    title: str = "Spring migration",
    ending: str = "completed",
    look: str = "Look around",
) -> str:
    """An earlier run in which the migration took so long; None: it failed. Returns the checklist's hash."""
    run = recorded(state, title=title, look=look)
    opened = run.log.events[0]
    opened.data["environment"] = environment  # type: ignore[index]
    rebuilt = Recorded(run.state, run.directory, type(run.log)())
    rebuilt.log.events.clear()
    rebuilt.log.run.__init__()  # type: ignore[misc]
    rebuilt.log.add(Kind.RUN_OPENED, opened.data)
    rebuilt.log.start("migrate")
    rebuilt.log.end("migrate", "failed" if seconds is None else "passed", duration=seconds or 3.0)
    rebuilt.log.attempt("disk", "passed", "read", duration=0.2)
    if ending:
        rebuilt.log.add(Kind.RUN_ENDED, {"ending": ending})
    assert rebuilt.log.run.anomalies == []
    rebuilt.save()
    return rebuilt.log.run.checklist_sha256


def learned(state: Path, environment: str = "production", sha256: str = "") -> dict[str, tuple[float, str]]:
    found = estimates.learn(RunStore(state), "Spring migration", environment, sha256)
    return {item: (entry["seconds"], entry["source"]) for item, entry in found.items()}


MEASURED = [(100.0, "production"), (300.0, "production"), (110.0, "production")]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([(100.0, "production")], (100.0, "production run of 2030-01-01")),
        (MEASURED, (110.0, "median of 3 production runs")),
        ([*MEASURED, (220.0, "staging")], (110.0, "median of 3 production runs")),
        ([(220.0, "staging")], (220.0, "rehearsed on staging 2030-01-01")),
        ([*MEASURED, (2.0, "development"), (2.0, "test")], (110.0, "median of 3 production runs")),
        ([(2.0, "development"), (2.0, "test")], None),
    ],
)
def test_the_source_is_said(tmp_path: Path, runs: list[tuple[float, str]], expected: tuple[float, str] | None) -> None:
    for number, (seconds, environment) in enumerate(runs):
        took(tmp_path, seconds, environment, look=f"Look {number}")
    assert learned(tmp_path) == ({"migrate": expected} if expected else {}), "what takes no time is not learned"


def test_a_rehearsal_of_the_very_same_checklist_comes_first(tmp_path: Path) -> None:
    for seconds, environment in MEASURED:
        took(tmp_path, seconds, environment, look="An older version")
    plan = took(tmp_path, 220.0, "staging")
    took(tmp_path, 1.5, "staging", look="A newer version")
    assert learned(tmp_path, sha256=plan) == {"migrate": (220.0, "rehearsed on staging 2030-01-01")}


def test_toy_data_teach_only_their_own_kind(tmp_path: Path) -> None:
    took(tmp_path, 2.0, "development")
    assert learned(tmp_path, "staging") == {}
    assert learned(tmp_path, "development") == {"migrate": (2.0, "development run of 2030-01-01")}


@pytest.mark.parametrize("ending", ["", "abandoned", "rolled back"])
def test_a_run_that_was_not_completed_teaches_nothing(tmp_path: Path, ending: str) -> None:
    took(tmp_path, 100.0, ending=ending)
    assert learned(tmp_path) == {}


def test_failures_other_checklists_and_broken_runs_teach_nothing(tmp_path: Path) -> None:
    took(tmp_path, None)
    took(tmp_path, 50.0, title="Another one")
    took(tmp_path, 70.0)
    newest = RunStore(tmp_path).all()[0]
    newest.journal.write_bytes(b"this is no journal")
    assert learned(tmp_path) == {}


def test_what_was_learned_moves_the_forecast_before_the_authors_estimate(tmp_path: Path) -> None:
    took(tmp_path, 600.0)
    run = recorded(tmp_path)
    run.log.add(Kind.ESTIMATES_LEARNED, {"items": estimates.learn(RunStore(tmp_path), "Spring migration")})
    run.save()
    now = instant(run.log.events[-1].at)
    assert now is not None
    from migconsole.adapters import checklists

    clock = reckon(run.log.run, checklists.load(run.directory.checklist).checklist, now)
    times = clock.items["migrate"]
    assert times.estimate is not None
    assert (times.estimate.seconds, times.estimate.source) == (600.0, "production run of 2030-01-01")
    assert clock.forecast_end is not None
    assert (clock.forecast_end - now).total_seconds() == 610.0, "with the ten seconds of the line before"
