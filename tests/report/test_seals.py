"""Whoever edits, re-orders or cuts a journal is found out, by the chain or by what was sealed before."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from migconsole.adapters.seals import keep_seal
from migconsole.cli import cli
from migconsole.domain.events import GENESIS, Kind, chain_hash
from migconsole.domain.items import Move
from migconsole.domain.seals import Seal
from tests.report.runs import Recorded, eventful, recorded


@pytest.fixture
def run(tmp_path: Path) -> Recorded:
    return eventful(tmp_path / "state").save()


def invoke(run: Recorded, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--state-dir", str(run.state)])


def tamper(run: Recorded, *statements: str) -> None:
    with sqlite3.connect(run.directory.journal) as db:
        for trigger in ("events_keep", "events_fixed"):
            db.execute(f"DROP TRIGGER IF EXISTS {trigger}")
        for statement in statements:
            db.execute(statement)
    db.close()


def rechain(run: Recorded) -> None:
    """Compute every hash anew, as somebody would who knows how."""
    with sqlite3.connect(run.directory.journal) as db:
        previous = GENESIS
        rows = db.execute("SELECT seq, at, mono, kind, actor, key, data FROM events ORDER BY seq").fetchall()
        for seq, at, mono, kind, actor, key, data in rows:
            digest = chain_hash(previous, seq, at, mono, kind, actor, key, data)
            db.execute("UPDATE events SET previous = ?, hash = ? WHERE seq = ?", (previous, digest, seq))
            previous = digest
    db.close()


def edit(run: Recorded) -> None:
    tamper(run, "UPDATE events SET data = replace(data, 'all quiet', 'no idea') WHERE seq = 5")


def reorder(run: Recorded) -> None:
    tamper(
        run,
        "UPDATE events SET seq = 1000 WHERE seq = 7",
        "UPDATE events SET seq = 7 WHERE seq = 8",
        "UPDATE events SET seq = 8 WHERE seq = 1000",
    )


def remove(run: Recorded) -> None:
    tamper(run, "DELETE FROM events WHERE seq = 9")


def cut(run: Recorded) -> None:
    tamper(run, "DELETE FROM events WHERE seq > 12")


def edit_and_rechain(run: Recorded) -> None:
    edit(run)
    rechain(run)


@pytest.mark.parametrize(
    ("harm", "first_bad"),
    [(edit, 5), (reorder, 7), (remove, 9), (cut, 13)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_harm_is_found_at_its_event_and_leads_the_report(
    run: Recorded, harm: Callable[[Recorded], None], first_bad: int
) -> None:
    assert invoke(run, "report").exit_code == 0
    harm(run)
    verified = invoke(run, "verify", run.directory.path.name)
    assert verified.exit_code == 1
    assert f"BROKEN at event {first_bad}" in verified.stdout
    report = invoke(run, "report")
    assert report.exit_code == 1
    assert f"THE JOURNAL IS BROKEN at event {first_bad}" in report.stdout.splitlines()[0]
    page = invoke(run, "report", "--format", "html").stdout
    assert page.splitlines()[1] == "<!-- THE JOURNAL IS BROKEN -->"
    assert f"THE JOURNAL IS BROKEN at event {first_bad}" in page
    data = invoke(run, "report", "--format", "json").stdout
    assert '"whole": false' in data


def test_a_chain_computed_anew_after_an_edit_contradicts_the_seals(run: Recorded) -> None:
    before = run.log.events
    edit_and_rechain(run)
    # The signatures sealed the journal that was; nothing outside of it is needed.
    verified = invoke(run, "verify", run.directory.path.name)
    assert verified.exit_code == 1
    assert "is not the one that the" in verified.stdout
    assert "sealed" in verified.stdout
    expected = invoke(run, "verify", run.directory.path.name, "--expect", before[-1].hash)
    assert expected.exit_code == 1


def test_a_cut_below_every_seal_inside_is_found_by_the_file_beside_the_journal(run: Recorded) -> None:
    sealed = len(run.log.events)
    assert invoke(run, "report").exit_code == 0
    tamper(run, "DELETE FROM events WHERE seq > 3")
    verified = invoke(run, "verify", run.directory.path.name)
    assert f"sealed {sealed} events, 3 are left" in verified.stdout
    for file in (run.directory.path / "seals").iterdir():
        file.unlink()
    # Without it, only what was told elsewhere remains.
    assert invoke(run, "verify", run.directory.path.name).exit_code == 0
    told = run.log.events[-1].hash[:16]
    assert invoke(run, "verify", run.directory.path.name, "--expect", told).exit_code == 1


def garbled(path: Path) -> None:
    path.write_bytes(b"\x00\xff no seal")


def emptied(path: Path) -> None:
    path.write_text("{}")


def of_another_head(path: Path) -> None:
    """As somebody would who cut the journal, and makes the seal fit."""
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"head": 3, "hash": "0" * 64}))


def renamed(path: Path) -> None:
    path.rename(path.with_suffix(".bak"))


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil", [garbled, emptied, of_another_head, renamed, a_directory], ids=lambda one: one.__name__
)
def test_a_seal_that_cannot_be_read_is_reported_and_never_green(run: Recorded, spoil: Callable[[Path], None]) -> None:
    assert invoke(run, "report").exit_code == 0
    (kept,) = (run.directory.path / "seals").iterdir()
    (kept.parent / "000009-ffffffff-report.json.partial").write_bytes(b"a process died here")
    assert invoke(run, "verify", run.directory.path.name).exit_code == 0
    spoil(kept)
    verified = invoke(run, "verify", run.directory.path.name)
    assert verified.exit_code == 1
    assert "NOT KNOWN TO BE WHOLE: a seal cannot be read: seals/" in verified.stdout
    assert "whole:" not in verified.stdout
    data = json.loads(invoke(run, "verify", run.directory.path.name, "--format", "json").stdout)
    assert (data["first_bad"], data["problem"].partition(":")[0]) == (0, "a seal cannot be read")
    report = invoke(run, "report")
    assert report.exit_code == 1
    assert "THE JOURNAL IS NOT KNOWN TO BE WHOLE: a seal cannot be read" in report.stdout.splitlines()[0]
    assert "nothing was sealed" in report.stderr
    tamper(run, "DELETE FROM events WHERE seq > 12")
    assert invoke(run, "verify", run.directory.path.name).exit_code == 1


def test_a_broken_journal_is_not_sealed(run: Recorded) -> None:
    edit(run)
    report = invoke(run, "report")
    assert "nothing was sealed" in report.stderr
    assert not (run.directory.path / "seals").exists()


@pytest.mark.parametrize("kind", ["notification", "sign-off", "report"])
def test_every_kind_of_seal_finds_a_cut_below_it_and_the_report_says_so_first(tmp_path: Path, kind: str) -> None:
    run = recorded(tmp_path / "state")
    run.attempt("disk", "passed")
    sealed = run.log.events[-1]
    run.log.add(Kind.NOTE, {"text": "what somebody would rather not have said", "item": ""})
    run.save()
    keep_seal(run.directory.path, Seal(kind, len(run.log.events), run.log.events[-1].hash, run.log.events[-1].at))
    assert invoke(run, "verify", run.directory.path.name).exit_code == 0
    tamper(run, f"DELETE FROM events WHERE seq > {sealed.seq}")
    verified = invoke(run, "verify", run.directory.path.name)
    assert verified.exit_code == 1
    assert f"the {kind}" in verified.stdout
    first = invoke(run, "report").stdout.splitlines()[0]
    assert f"THE JOURNAL IS BROKEN at event {sealed.seq + 1}" in first


def test_a_notification_in_the_journal_seals_what_was_before_it(tmp_path: Path) -> None:
    run = recorded(tmp_path / "state")
    run.log.move("look", Move.ATTEST, "", value="seen", note="all quiet")
    head = run.log.events[-1]
    run.log.add(Kind.NOTIFYING, {"message": "m", "occasion": "hold", "to": "x", "head": head.seq, "hash": head.hash})
    run.save()
    assert invoke(run, "verify", run.directory.path.name).exit_code == 0
    tamper(run, f"UPDATE events SET data = replace(data, 'all quiet', 'no idea') WHERE seq = {head.seq}")
    rechain(run)
    verified = invoke(run, "verify", run.directory.path.name)
    assert verified.exit_code == 1
    assert f"event {head.seq} is not the one that the notification" in verified.stdout
