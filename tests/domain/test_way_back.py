"""The way back as it is shown before something is changed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from migconsole.domain.rollback_survey import SessionGroup
from migconsole.domain.way_back import makers, others, way_back
from tests.desk import survey
from tests.domain.journals import Log
from tests.domain.test_restore_points import CHECKLIST, NOW, WITHOUT, stated

WRITTEN = (
    "rows written since the restore point: 1,204 inserted, 311 updated, 2 deleted",
    "the restore point is 41 min old, 81 MB of WAL (of the whole server)",
    "  public.orders  1,190 inserted",
    "! the counters were reset",
)


@pytest.fixture
def log() -> Log:
    return Log()


def test_the_sums_and_what_makes_them_doubtful_are_shown_without_the_tables(log: Log) -> None:
    stated(log, "armed", at="2030-01-01T11:19:00Z")
    found = way_back(log.run, CHECKLIST, NOW, survey(loss=WRITTEN))
    assert found is not None
    assert found.badge == "restore point ARMED, 41 min old"
    assert (found.stale, found.limit) == (False, "24 h 0 min")
    assert found.written == (WRITTEN[0], WRITTEN[1], WRITTEN[3])


def test_what_was_not_counted_is_unknown(log: Log) -> None:
    stated(log, "armed", at="2030-01-01T11:19:00Z")
    found = way_back(log.run, CHECKLIST, NOW, None, "the server does not answer")
    assert found is not None
    assert found.written == ("what was written since is unknown: the server does not answer",)
    assert found.others is None
    assert not found.quiet


def test_past_its_age_it_is_stale(log: Log) -> None:
    stated(log, "armed", at="2030-01-01T11:19:00Z")
    found = way_back(log.run, CHECKLIST, NOW + timedelta(days=2), survey())
    assert found is not None
    assert found.stale
    assert "STALE" in found.badge


def test_without_a_backup_there_is_nothing_to_go_back_to(log: Log) -> None:
    found = way_back(log.run, CHECKLIST, NOW, survey())
    assert found is not None
    assert found.written == ("there is nothing to go back to",)
    assert way_back(log.run, WITHOUT, NOW, survey()) is None


def test_only_others_keep_the_application_running(log: Log) -> None:
    mine = [
        SessionGroup("migconsole/0a1b/pulse", "deploy", "local", 2),
        SessionGroup("mc/0a1b/ff", "deploy", "local", 1),
    ]
    assert others(mine) == ()
    assert others([*mine, SessionGroup("", "app", "10.0.0.1", 3)]) == ("3 of unnamed as app",)


def test_what_is_done_of_backup_and_proof_is_taken_afresh(log: Log) -> None:
    assert makers(log.run, CHECKLIST) == []
    log.attempt("backup", "passed", "read")
    assert makers(log.run, CHECKLIST) == ["backup"]
