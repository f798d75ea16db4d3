"""What a report says of a run, in each of its forms."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from migconsole.adapters.journal.reading import read_events
from migconsole.adapters.runs import RunDirectory
from migconsole.cli import cli
from migconsole.domain.clock import reckon
from migconsole.domain.deviations import Sort
from migconsole.domain.events import Kind
from migconsole.wiring import reporting
from tests.report.runs import Recorded, eventful, recorded

NOW = datetime(2030, 1, 2, tzinfo=UTC)
SNAPSHOT = Path(__file__).parent / "eventful.md"


@pytest.fixture
def run(tmp_path: Path) -> Recorded:
    return eventful(tmp_path / "state").save()


def normalised(text: str, directory: RunDirectory) -> str:
    """Without what is another at each making: the run's name and identifier, and hashes that follow from them."""
    text = text.replace(directory.path.name, "RUN").replace(directory.path.name.replace("_", r"\_"), "RUN")
    return re.sub(r"\b[0-9a-f]{12,64}\b", "HASH", text)


def test_the_markdown_of_a_run_with_one_of_everything_is_this_text(run: Recorded) -> None:
    text = normalised(reporting.render(reporting.read(run.directory, now=NOW), "md"), run.directory)
    assert text == SNAPSHOT.read_text("utf-8")


def test_deviations_come_first_and_name_everything(run: Recorded) -> None:
    report = reporting.read(run.directory)
    sorts = [found.sort.value for found in report.deviations]
    assert sorts == sorted(sorts, key=[*dict.fromkeys(sorts)].index)
    assert {"forced", "tripwire", "deferred", "repeated", "hold"} <= set(sorts)
    assert report.grave
    assert report.outcome == "completed except deferred (1), with overrides (1)"
    html = reporting.render(report, "html")
    assert html.index('id="deviations"') < html.index('id="decisions"') < html.index('id="checklist"')


def test_a_box_is_ticked_only_where_it_was_done(run: Recorded) -> None:
    text = reporting.render(reporting.read(run.directory), "md")
    ticked = re.findall(r"- \[x\] (.*)", text)
    assert ticked == [
        "Look around",
        "Free disk",
        "Run migration script",
        "Users see errors: acknowledged · " + ticked[-1][len("Users see errors: acknowledged · ") :],
    ]
    assert "- [ ] Check the data\n  » forced" in text
    assert "- [ ] Tell the users\n  ◷ deferred" in text


def test_notes_after_the_closing_are_addenda(run: Recorded) -> None:
    report = reporting.read(run.directory)
    assert [note.text for note in report.addenda] == ["users were told at 08:05"]
    assert [note.actor for note in report.notes] == ["Bo"]


def test_json_has_everything_and_a_name_for_its_form(run: Recorded) -> None:
    data = json.loads(reporting.render(reporting.read(run.directory), "json"))
    assert data["schema"] == "migconsole-report/1"
    assert data["journal"]["whole"] is True
    assert [attempt["outcome"] for attempt in data["attempts"]] == ["passed", "failed", "passed", "failed"]
    assert [entry["signature"]["name"] for entry in data["signatures"]] == ["Ana Alvarez", "Bo Berg"]
    assert len(data["events"]) == len(run.log.events)
    assert data["run"]["outcome"].startswith("completed")


def test_an_output_that_was_changed_on_disk_is_said_to_be(run: Recorded) -> None:
    run.directory.output_path("migrate", 2).write_bytes(b"nothing to see\n")
    report = reporting.read(run.directory)
    assert [entry.excerpt.intact for entry in report.attempts if entry.excerpt] == [True, True, False, True]
    assert "CHANGED ON DISK" in reporting.render(report, "md")
    assert "THE FILE ON DISK IS ANOTHER ONE" in reporting.render(report, "html")


def test_what_is_a_secret_today_is_masked_in_every_form(tmp_path: Path) -> None:
    run = eventful(tmp_path / "state")
    run.attempt("disk", "passed", b"token hunter2hunter2 used\n", text="curl -H hunter2hunter2")
    run.log.add(Kind.NOTE, {"text": "it is hunter2hunter2", "item": ""})
    run.save()
    report = reporting.read(run.directory, lambda text: text.replace("hunter2hunter2", "********"))
    for form in reporting.FORMATS:
        assert "hunter2" not in reporting.render(report, form), form
        assert "********" in reporting.render(report, form) or r"\*\*\*" in reporting.render(report, form)


# -- the command -------------------------------------------------------------------------------------------------------


def invoke(run: Recorded, *arguments: str) -> str:
    result = CliRunner().invoke(cli, [*arguments, "--state-dir", str(run.state)])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_the_command_prints_seals_and_writes_for_the_owner_alone(run: Recorded, tmp_path: Path) -> None:
    before = read_events(run.directory.journal)
    text = invoke(run, "report")
    assert text.startswith("# Spring migration: completed")
    assert before[-1].hash in text
    path = tmp_path / "out.html"
    assert invoke(run, "report", "--format", "html", "--output", str(path)).strip() == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    events = read_events(run.directory.journal)[len(before) :]
    assert [event.kind for event in events] == [Kind.SEALED, Kind.SEALED]
    assert events[0].data["hash"] == before[-1].hash
    assert events[0].data["head"] == len(before)
    assert len(list((run.directory.path / "seals").iterdir())) == 2
    assert "whole" in invoke(run, "verify", run.directory.path.name)


def test_the_bundle_is_whole_checks_itself_and_is_the_same_for_the_same_journal(run: Recorded, tmp_path: Path) -> None:
    first, second = tmp_path / "a.tar.gz", tmp_path / "b.tar.gz"
    reporting.bundle(run.directory, str, first)
    reporting.bundle(run.directory, str, second)
    assert first.read_bytes() == second.read_bytes()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    with tarfile.open(first) as archive:
        archive.extractall(tmp_path / "out", filter="data")
    folder = tmp_path / "out" / run.directory.path.name
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"report.md", "report.html", "report.json", "run.db", "checklist.yaml", "SHA256SUMS"} <= names
    assert "jobs/migrate/2/output.log" in names
    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert len(checked.stdout.splitlines()) == len(names) - 1
    assert [event.hash for event in read_events(folder / "run.db")] == [event.hash for event in run.log.events]
    (folder / "jobs/migrate/2/output.log").write_text("edited")
    again = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, check=False)
    assert again.returncode == 1


def test_a_run_without_health_signatures_or_attempts_has_a_report_too(tmp_path: Path) -> None:
    run = recorded(tmp_path / "state").save()
    report = reporting.read(run.directory)
    assert report.outcome == "not finished"
    for form in reporting.FORMATS:
        assert "Spring migration" in reporting.render(report, form)


def test_the_same_alarm_again_and_again_is_one_deviation(tmp_path: Path) -> None:
    run = recorded(tmp_path / "state")
    for number in range(1, 6):
        alarm = {"alarm": number, "change": "raised", "probe": "lock_tree", "level": "critical", "message": "3 wait"}
        run.log.add(Kind.ALARM, alarm, actor="watcher")
    (found,) = [d for d in reporting.read(run.save().directory).deviations if d.sort is Sort.ALARM]
    assert (found.what, found.why[:7]) == ("3 wait", "5 times")


def test_planned_forecast_and_actual_are_the_clocks(tmp_path: Path) -> None:
    run = recorded(tmp_path / "state")
    window = {"t0": "2030-01-01T00:00:05.000Z", "window_end": "2030-01-01T00:30:00.000Z"}
    run.log.add(Kind.CLOCK_SET, {**window, "reason": "", "source": "key"})
    run.log.add(Kind.ESTIMATES_LEARNED, {"items": {"migrate": {"seconds": 600, "source": "median of 3 runs"}}})
    run.attempt("disk", "failed")
    run.attempt("disk", "passed")
    run.log.start("migrate")
    run.save()
    now = datetime(2030, 1, 1, 0, 2, tzinfo=UTC)
    report = reporting.read(run.directory, now=now)
    clock = reckon(report.run, report.checklist, now)
    before, migration = report.timeline
    assert [(phase.planned_at, phase.forecast_end) for phase in (before, migration)] == [
        (span.planned.timestamp(), span.end.timestamp() if span.end and not span.over else None)
        for span in clock.phases.values()
        if span.planned
    ]
    bars = {bar.title: bar for phase in report.timeline for bar in phase.bars}
    disk, script = bars["Free disk"], bars["Run migration script"]
    actual = clock.items["disk"].start
    assert actual is not None
    assert disk.began == actual.timestamp(), "the first attempt began it, a later one changes nothing"
    assert (disk.forecast_end, disk.source) == (None, "the checklist")
    assert (script.planned, script.source) == (600, "median of 3 runs")
    assert script.planned_start == datetime(2030, 1, 1, 0, 0, 5, tzinfo=UTC).timestamp()
    assert script.began is not None
    assert script.forecast_end == script.began + 600
    assert report.times.forecast_end == clock.forecast_end.timestamp() if clock.forecast_end else False
    page = reporting.render(report, "html")
    assert page.count('class="forecast"') == 1
    assert "forecast to end 2030-01-01 00:10" in page
    text = reporting.render(report, "md")
    assert "planned to end 2030-01-01 00:10:05" in text
    data = json.loads(reporting.render(report, "json"))
    assert data["timeline"][1]["items"][0]["planned_from"] == "median of 3 runs"
    assert data["clock"]["window_end"] == datetime(2030, 1, 1, 0, 30, tzinfo=UTC).timestamp()


def test_a_run_that_has_ended_forecasts_nothing(run: Recorded) -> None:
    report = reporting.read(run.directory)
    assert report.times.forecast_end is None
    assert all(bar.forecast_end is None for phase in report.timeline for bar in phase.bars)
    assert report.times.planned_end is not None


def test_decisions_are_told_in_words(tmp_path: Path) -> None:
    run = recorded(tmp_path / "state")
    for kind, data in (
        (Kind.GATE_VOTED, {"gate": "go", "role": "QA Lead", "initials": "BB", "vote": "no-go", "reason": "errors"}),
        (Kind.SECTION_CALLED, {"section": "ground", "person": "Ana", "end": "complete"}),
        (Kind.CLOCK_DECIDED, {"decision": "go on", "reason": "extended"}),
        (Kind.ROLLBACK_ENGAGED, {"strategy": "swap", "by": "Ana", "reason": "500s everywhere", "typed": "app"}),
        (Kind.ROLLBACK_STEP, {"title": "fence", "course": "done"}),
    ):
        run.log.add(kind, data)
    text = reporting.render(reporting.read(run.save().directory), "md")
    decisions = text.partition("## Decisions")[2].partition("\n## ")[0]
    for words in (
        "QA Lead (BB): NO-GO: errors",
        "called complete by Ana",
        "decided: go on: extended",
        "decided to roll back (swap) by Ana: 500s everywhere",
    ):
        assert words in decisions
    assert "fence" not in decisions, "a step is a fact, not a decision"
    assert not re.search(r"\b(gate|section|clock|rollback)\.[a-z]", decisions)
