"""Where runs stand, read from their directories alone: for lists, ``status`` and the runs screen."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import humanize

from migconsole.adapters import checklists
from migconsole.adapters.journal import reading
from migconsole.adapters.runs import RunDirectory, RunStore, state_directory
from migconsole.adapters.seals import kept_seals
from migconsole.domain.checklist import Checklist
from migconsole.domain.run import Run, fold, left, overall, progress
from migconsole.engine.ports import RunSummary
from migconsole.errors import MigconsoleError
from migconsole.wiring import standing


def summaries(state_dir: str | None) -> list[RunSummary]:
    """Every run in one line each, newest first; one that cannot be read is listed with its problem."""
    return [summarise(run) for run in RunStore(state_directory(state_dir)).all()]


def summarise(directory: RunDirectory) -> RunSummary:
    """One run; never raises."""
    try:
        run, checklist = _load(directory)
    except MigconsoleError as error:
        return RunSummary(directory.path, "", directory.path.name, "", "unreadable", 0, 0, "", "", False, error.title)
    p = overall(run, checklist)
    live = any(reading.present(directory.journal))
    return RunSummary(
        path=directory.path,
        run_id=run.run_id,
        title=run.title,
        target=run.target,
        state=_state(run, checklist),
        done=p.done,
        total=p.total,
        opened_at=run.opened_at,
        last_at=run.last_at,
        live=live,
    )


def summary_data(summary: RunSummary) -> dict[str, Any]:
    """A summary for JSON."""
    return {**asdict(summary), "path": str(summary.path)}


def summary_line(summary: RunSummary) -> str:
    """A summary for a person."""
    live = "  (open now)" if summary.live else ""
    problem = f"  {summary.problem}" if summary.problem else ""
    counts = f"{summary.done}/{summary.total}"
    return f"{summary.path.name}  {summary.state:<12} {counts:>8}  {summary.target}{live}{problem}"


def status(state_dir: str | None, name: str | None) -> dict[str, Any]:
    """Where a run stands, for JSON, with the clock as it is now."""
    directory = RunStore(state_directory(state_dir)).find(name)
    run, checklist = _load(directory)
    states: dict[str, int] = {}
    items = []
    for located in checklist.walk():
        state = run.state_of(located.item)
        states[state.value] = states.get(state.value, 0) + 1
        record = run.record(located.item.id)
        items.append(
            {
                "id": located.item.id,
                "title": located.item.title,
                "phase": located.phase.title if located.phase else None,
                "section": located.section.title,
                "kind": "heading" if located.item.items else located.item.steps[0].step.action.kind,
                "state": state.value,
                "awaiting_answer": record.awaiting,
                "actor": record.actor,
                "reason": record.reason,
                "value": record.value,
                "attempts": [_attempt(attempt) for attempt in record.attempts],
            }
        )
    p = overall(run, checklist)
    phase = next((ph.title for ph in checklist.phases if _open(run, ph.sections)), None)
    return {
        "run": {
            "id": run.run_id,
            "directory": str(directory.path),
            "title": run.title,
            "state": _state(run, checklist),
            "opened_at": run.opened_at,
            "opened_by": run.opened_by,
            "driver": run.driver_actor or None,
            "hold": asdict(run.hold) if run.hold else None,
            "head": run.head,
            "head_hash": run.head_hash,
            "anomalies": run.anomalies,
        },
        "target": {
            "display": run.target,
            "environment": run.environment,
            "identity": run.identity or None,
            "changed": list(run.changed),
        },
        "phase": phase,
        "progress": asdict(p),
        "counts": states,
        "items": items,
        **standing.data(run, checklist, run.clock.server.now(datetime.now(UTC))),
        "restore_point": None,
        "alarms": [asdict(alarm) for alarm in run.alarms.values() if not alarm.cleared],
    }


def status_lines(data: dict[str, Any]) -> list[str]:
    """The same for a person: what is done, what is not, what is wrong."""
    run, p = data["run"], data["progress"]
    lines = [
        f"{run['title']}  {run['state']}",
        f"  run        {run['directory']}",
        f"  target     {data['target']['display']}  ({data['target']['environment']})",
        f"  opened     {run['opened_at']} by {run['opened_by']}",
        f"  progress   {p['done']} of {p['total']}" + (f", {p['problems']} with problems" if p["problems"] else ""),
    ]
    lines += standing.lines(data)
    if data["target"]["changed"]:
        lines.append("  CHANGED    " + "; ".join(data["target"]["changed"]))
    if run["hold"]:
        lines.append(f"  HOLD       {run['hold']['owner']}: {run['hold']['reason']}")
    heading: tuple[str | None, str] = (None, "")
    for item in data["items"]:
        if (item["phase"], item["section"]) != heading:
            heading = (item["phase"], item["section"])
            lines += ["", f"{heading[0]} / {heading[1]}"]
        extra = f"  {item['reason']}" if item["reason"] else ""
        awaiting = " (awaiting your answer)" if item["awaiting_answer"] else ""
        value = f" = {item['value']}" if item["value"] else ""
        lines.append(f"  {item['state']:<14} {item['title']}{value}{awaiting}{extra}")
    return lines


def verify(state_dir: str | None, name: str, expect: str) -> dict[str, Any]:
    """Check a journal's chain and the frozen checklist against its first event."""
    directory = RunStore(state_directory(state_dir)).find(name)
    result = asdict(verification(directory, expect))
    if not result["problem"]:
        run, _ = _load(directory)
        if checklists.sha256_of(directory.checklist) != run.checklist_sha256:
            result |= {"first_bad": 1, "problem": "the frozen checklist is not the one that the run was opened with"}
        elif run.anomalies:
            result |= {"first_bad": result["events"], "problem": "; ".join(run.anomalies)}
    return result


def verification(directory: RunDirectory, expect: str = "") -> reading.Verification:
    """The journal's chain against itself, the seals beside it, and a hash that was noted elsewhere.

    A seal that cannot be read is a problem of its own, of no event: what it protected nobody can check any more.
    """
    kept = kept_seals(directory.path)
    found = reading.verify(directory.journal, expect, kept.seals)
    if found.problem or not kept.unreadable:
        return found
    return replace(found, problem=f"a seal cannot be read: {', '.join(kept.unreadable)}")


def ago(seconds: float) -> str:
    """How long ago, in words."""
    return humanize.naturaldelta(seconds)


def _attempt(attempt: Any) -> dict[str, Any]:
    names = ("number", "kind", "danger", "actor", "started", "ended", "duration", "outcome", "exit_code", "signal")
    return {name: getattr(attempt, name) for name in names} | {
        "sha256": attempt.sha256,
        "reasons": list(attempt.reasons),
    }


def _load(directory: RunDirectory) -> tuple[Run, Checklist]:
    run = fold(reading.read_events(directory.journal))
    return run, checklists.load(directory.checklist).checklist


def _open(run: Run, sections: Any) -> bool:
    return any(progress(run, section.items).done < progress(run, section.items).total for section in sections)


def _state(run: Run, checklist: Checklist) -> str:
    if run.life.closed:
        return "closed"
    if run.ending:
        return run.ending
    if run.hold:
        return "hold"
    if not left(run, checklist):
        return "complete"
    return "running" if any(run.running()) else "active"
