"""What a report says of a rollback: how it ended, whether its content was read back, what came after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from migconsole.domain.deviations import Sort
from migconsole.domain.events import Kind
from migconsole.domain.items import Move
from migconsole.wiring import reporting
from tests.report.runs import Recorded, recorded

CHECKLIST = """\
checklist: {title}
target: {{url: "${{DATABASE_URL}}"}}
phases:
  - phase: Migration
    at: T-0
    sections:
      - section: Apply
        items:
          - item: {look}
          - item: {migrate}
rollback:
  - section: Database
    items:
      - {{item: Restore from backup, id: restore, restore: {{}}}}
  - section: Verification
    items:
      - {{item: Run smoke tests, id: smoke}}
      - {{item: Check the application, id: application}}
"""
NOT_ON_RECORD = "NOT verified: no reading back is on record"


def rolled(state: Path, strategy: str, verdict: str, proof: str = "", line: str = "", **more: object) -> Recorded:
    run = recorded(state, checklist=CHECKLIST)
    named = {"rollback": "d1", "deed": "rollback", "strategy": strategy}
    run.log.add(Kind.ROLLBACK_STARTED, named | {"reason": "five <b>orders</b> are gone", "by": "Ada"}, key="d1:started")
    run.log.add(Kind.ROLLBACK_ENDED, named | {"verdict": verdict, "outage": 0.42}, key="d1:ended")
    if proof:
        run.log.add(Kind.ROLLBACK_VERIFIED, {"rollback": "d1", "proof": proof, "line": line, **more}, key="d1:verified")
    run.log.move("smoke", Move.ATTEST)
    return run.save()


@pytest.mark.parametrize(("strategy", "verdict"), [("swap", "swapped"), ("in-place", "restored")])
def test_every_form_says_what_was_verified_and_what_the_lines_after_it_gave(
    tmp_path: Path, strategy: str, verdict: str
) -> None:
    line = "verified against the manifest of 2030-01-01T00:00:00Z, backup 0a1b2c3d"
    report = reporting.read(rolled(tmp_path, strategy, verdict, "verified", line).directory)
    assert not [found for found in report.deviations if found.sort is Sort.UNVERIFIED]
    text = reporting.render(report, "md")
    assert f"## Rollback: {strategy}" in text
    assert f"- Read back: {line}" in text
    assert "- After it: 1 attested, 1 todo (“Check the application”)" in text
    page = reporting.render(report, "html")
    assert 'id="rollbacks"' in page
    assert line in page
    assert "<b>orders</b>" not in page
    (deed,) = json.loads(reporting.render(report, "json"))["deeds"]
    assert (deed["verdict"], deed["proof"], deed["outage"]) == (verdict, "verified", 0.42)


@pytest.mark.parametrize(
    ("proof", "line", "listed"),
    [
        ("", "", NOT_ON_RECORD),
        ("not verified", "NOT verified: it was left out (--no-verify)", "NOT verified: it was left out (--no-verify)"),
        ("differs", "DIFFERS from the manifest in 2 points", "DIFFERS from the manifest in 2 points"),
    ],
)
def test_what_was_not_verified_is_a_grave_deviation(tmp_path: Path, proof: str, line: str, listed: str) -> None:
    report = reporting.read(rolled(tmp_path, "swap", "swapped", proof, line, lines=["orders: 5 rows less"]).directory)
    (found,) = [found for found in report.deviations if found.sort is Sort.UNVERIFIED]
    assert found.why == listed
    assert report.grave
    text = reporting.render(report, "md")
    assert f"- Read back: {listed.replace('(', '(')}" in text
    assert ("  - orders: 5 rows less" in text) is bool(proof)


def test_what_clients_can_have_written_is_told_and_is_no_deviation(tmp_path: Path) -> None:
    line = "DIFFERS from the manifest in 1 point; clients are in it, and it can be what they wrote"
    report = reporting.read(rolled(tmp_path, "swap", "swapped", "differs", line, explained=True).directory)
    assert not [found for found in report.deviations if found.sort is Sort.UNVERIFIED]
    assert line in reporting.render(report, "md")


def test_a_deed_that_changed_nothing_is_not_called_unverified(tmp_path: Path) -> None:
    report = reporting.read(rolled(tmp_path, "swap", "cancelled").directory)
    assert report.deeds[0].proof == ""
    assert not [found for found in report.deviations if found.sort is Sort.UNVERIFIED]
