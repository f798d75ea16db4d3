"""Windows after the migration: aligned with the schedule, told apart from those to come, and what lasts in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from migconsole.domain.checklist import Checklist, Item, Phase, Run, Section, Step
from migconsole.domain.events import Kind
from migconsole.domain.snapshots import Snapshot, Span
from migconsole.domain.thresholds import Phase as HealthPhase
from migconsole.domain.times import stamp
from migconsole.engine import comparing
from migconsole.engine.comparing import Moments, moments
from migconsole.engine.watched_run import circumstances
from tests.domain.comparing import START, Server
from tests.domain.journals import Log
from tests.domain.test_regression import ORDERS, noise

RESUMED = START + 700


class Past:
    """A run that was sampled at given seconds after the migration, with the mean of ORDERS in ms before each."""

    def __init__(self, samples: Sequence[tuple[float, float]], *, watched: bool = True, resumed: bool = True) -> None:
        self.resumed = RESUMED if resumed else None
        server, looks = Server(), []
        server.call("1", noise(1, 10), ORDERS)
        self.baseline = Span(server.look(0), server.look(600))
        server.call("1", noise(1, 200))
        self.baseline = Span(self.baseline.begin, server.look(600))
        for number, (at, mean) in enumerate(samples):
            server.call("1", noise(mean, 100, number))
            looks.append(server.look(700 + at))
        self.looks: list[Snapshot] = looks if watched else []
        self.snapshots: list[Snapshot] = [] if watched else looks

    def moments(self) -> Moments:
        return Moments(START + 650, self.resumed)

    def source(self) -> Any:
        return self

    def latest(self, probe: str) -> Any:
        return self.looks[-1].readings.get(probe) if self.looks else None

    def before(self, probe: str, at: float) -> Any:
        return next((look.readings.get(probe) for look in reversed(self.looks) if look.at <= at), None)

    def kept(self) -> list[Snapshot]:
        return self.snapshots


def every_minute(until: int, mean: float = 1.0) -> list[tuple[float, float]]:
    return [(float(second), mean) for second in range(1, until, 60)]


@pytest.mark.parametrize(
    ("after", "names"),
    [
        (200, ["T+15m"]),
        (1000, ["T+15m", "T+30m"]),
        (3700, ["T+15m", "T+30m", "T+1h", "T+4h"]),
        (14_500, ["T+15m", "T+30m", "T+1h", "T+4h", "T+12h"]),
    ],
)
def test_windows_are_those_of_the_schedule(after: int, names: list[str]) -> None:
    past: Any = Past(every_minute(after))
    found = comparing.windows(past, RESUMED + after)
    assert [span.name for span in found] == names
    for span, length in zip(found, comparing.WINDOWS, strict=False):
        assert span.begin is not None
        assert span.begin.at >= RESUMED + comparing.start_of(length)
        assert span.end.at <= RESUMED + length
    assert all(one.end.at <= later.begin.at for one, later in pairwise(found) if later.begin)


def test_what_is_not_there_yet_says_why() -> None:
    past: Any = Past([*every_minute(300), (1000, 1.0)])
    now = RESUMED + 1001
    assert isinstance(comparing.scheduled(past, 900, now), Span)
    assert comparing.scheduled(past, 1800, now) == "there is one sample since T+15m; a window needs two"
    assert comparing.scheduled(past, 3600, now) == "not yet: it begins at T+30m, in 13m19s"
    unsampled: Any = Past([])
    assert comparing.scheduled(unsampled, 900, now) == "nothing was sampled between T+0 and T+15m"
    running: Any = Past(every_minute(300), resumed=False)
    assert "still runs" in str(comparing.scheduled(running, 900, now))
    assert comparing.windows(running, now) == []


def test_snapshots_of_checks_make_a_window_without_a_watcher() -> None:
    past: Any = Past(every_minute(1000), watched=False)
    found = comparing.windows(past, RESUMED + 1000)
    assert [(span.name, span.seconds) for span in found] == [("T+15m", 840), ("T+30m", 60)]


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize(
    ("samples", "lasts"),
    [
        (every_minute(300, 10.0), 1),
        ([*every_minute(150, 1.0), *((second + 150, mean) for second, mean in every_minute(150, 10.0))], 0),
        ([*every_minute(900, 10.0), (901, 10.0), (1000, 10.0)], 1),
        ([*every_minute(900, 10.0), (901, 1.0), (1000, 1.0)], 0),
        ([*every_minute(900, 10.0), (901, 10.0)], 1),
        ([(1.0, 10.0), (80.0, 10.0), (131.0, 10.0)], 1),
        ([(1.0, 10.0)], None),
    ],
    ids=["halves", "half", "two windows", "recovered", "just begun", "after the middle", "one sample"],
)
def test_what_lasts(samples: list[tuple[float, float]], lasts: int | None, watched: bool) -> None:
    past: Any = Past(samples, watched=watched)
    assert comparing.lasting(past, past.baseline, RESUMED + samples[-1][0] + 1) == lasts


def test_a_baseline_is_what_reaches_back_further() -> None:
    """The watcher began a moment before T-0; checks had taken snapshots long before."""
    past: Any = Past(every_minute(300))
    begin, end = past.baseline.begin, past.baseline.end
    server = Server()
    server.call("1", noise(1, 10), ORDERS)
    past.looks = [server.look(590), server.look(600), *past.looks]
    short = comparing.baseline(past)
    assert isinstance(short, Span)
    assert short.seconds == 10
    past.snapshots = [begin, end]
    long = comparing.baseline(past)
    assert isinstance(long, Span)
    assert long.seconds == 600


def test_the_time_since_the_migration_is_all_that_anybody_has_seen_of_it() -> None:
    """A check took snapshots before the watcher's first sample after the migration, and after its last one."""
    past: Any = Past([(20.0, 1.0), (30.0, 1.0)])
    server = Server()
    server.call("1", noise(1, 10), ORDERS)
    past.snapshots = [server.look(690), server.look(701), server.look(760)]
    found = comparing.since(past)
    assert isinstance(found, Span)
    assert found.begin is not None
    assert (found.begin.at, found.end.at) == (RESUMED + 1, RESUMED + 60)
    last = comparing.since(past, longest=45.0)
    assert isinstance(last, Span)
    assert last.begin is not None
    assert last.begin.at == RESUMED + 20


def test_a_migration_that_was_run_elsewhere_has_begun_and_ended_when_a_person_says_so() -> None:
    """It began at T-0 at the earliest, so that the baseline holds nothing of it."""
    apply = Item("apply", "Apply", Step(Run("./a.sh")))
    look = Item("look", "Look", Step())
    checklist = Checklist("C", phases=(Phase("go", "Go", 0.0, (Section("s", "S", (apply, look)),)),))
    log = Log()
    log.add(Kind.ITEM_MOVED, {"item": "look", "move": "attest", "reason": ""}, "ada")
    assert moments(log.run, checklist) == Moments()
    assert circumstances(log.run, 0.0, checklist).since is None
    said = log.add(Kind.ITEM_MOVED, {"item": "apply", "move": "attest", "reason": ""}, "ada")
    at = datetime.fromisoformat(said.at).timestamp()
    assert moments(log.run, checklist) == Moments(at, at)
    now = circumstances(log.run, at + 60, checklist)
    assert (now.phase, now.since, now.steps) == (HealthPhase.FIRST_HOUR, at, 1)
    t0 = datetime.fromtimestamp(at - 600, UTC)
    log.add(Kind.CLOCK_SET, {"t0": stamp(t0), "window_end": "", "reason": "", "source": "key"}, "ada")
    assert moments(log.run, checklist) == Moments(at - 600, at)
