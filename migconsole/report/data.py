"""A report as JSON: everything a machine may want, in a form that later versions only add to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from migconsole.domain.checklist import Item
from migconsole.domain.run import Attempt
from migconsole.domain.stamps import iso
from migconsole.engine.report import AttemptReport, ItemReport, Report, SectionReport
from migconsole.engine.report_times import Bar

SCHEMA = "migconsole-report/1"
"""The form's name. Keys are never renamed or removed under the same number; new ones may appear."""


def render(report: Report) -> str:
    """The whole report; ends with a newline."""
    return json.dumps(data(report), indent=2, ensure_ascii=True, sort_keys=False) + "\n"


def data(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    run = report.run
    return {
        "schema": SCHEMA,
        "journal": {**asdict(report.sealed), "whole": not report.sealed.problem},
        "generated_at": report.generated_at,
        "run": {
            "id": run.run_id,
            "directory": report.directory,
            "title": run.title,
            "outcome": report.outcome,
            "grave": report.grave,
            "opened_at": run.opened_at,
            "opened_by": run.opened_by,
            "last_at": run.last_at,
            "ended_at": run.ended_at or None,
            "ending": run.ending or None,
            "closed_at": run.life.closed or None,
            "closed_by": run.life.closed_by or None,
            "duration": report.duration,
            "progress": asdict(report.progress),
            "checklist_sha256": run.checklist_sha256,
            "server_clock": [
                {"from": iso(one.begin.timestamp()), "ahead_s": one.skew} for one in run.clock.server.readings
            ],
            "variables": dict(run.variables),
            "captured": dict(run.captured),
        },
        "target": {
            "display": run.target,
            "environment": run.environment,
            "identity": run.identity or None,
            "changed": list(run.changed),
        },
        "deviations": [{**asdict(found), "sort": found.sort.value} for found in report.deviations],
        "decisions": [
            {"seq": event.seq, "at": event.at, "kind": event.kind, "actor": event.actor, "data": dict(event.data)}
            for event in report.decisions
        ],
        "clock": asdict(report.times),
        "timeline": [
            {
                "phase": phase.title,
                "planned_at": phase.planned_at,
                "planned_end": phase.planned_end,
                "forecast_start": phase.forecast_start,
                "forecast_end": phase.forecast_end,
                "began": phase.began,
                "ended": phase.ended,
                "items": [_bar(bar) for bar in phase.bars],
            }
            for phase in report.timeline
        ],
        "phases": [
            {"title": phase.title, "at": phase.at, "sections": [_section(section) for section in phase.sections]}
            for phase in report.phases
        ],
        "rollback": [_section(section) for section in report.rollback],
        "deeds": [
            {
                "deed": found.record.deed,
                "strategy": found.record.strategy or None,
                "reason": found.record.reason,
                "decided_by": found.record.decided_by,
                "began": found.record.began,
                "ended": found.record.ended or None,
                "verdict": found.record.verdict or None,
                "outage": found.record.outage,
                "proof": found.proof or None,
                "facts": dict(found.facts),
                "findings": list(found.findings),
            }
            for found in report.deeds
        ],
        "tripwires": [asdict(wire) for wire in report.tripwires],
        "attempts": [_attempt(entry) for entry in report.attempts],
        "alarms": [asdict(alarm) for alarm in report.alarms],
        "notes": [asdict(note) for note in report.notes],
        "addenda": [asdict(note) for note in report.addenda],
        "signatures": [
            {"role": role, "signature": None if signature is None else asdict(signature)}
            for role, signature in report.signatures
        ],
        "superseded_signatures": [asdict(signature) for signature in run.signoff.superseded],
        "notifications": [dict(delivery) for delivery in report.deliveries],
        "health": [
            {
                "title": window.title,
                "start": window.start,
                "end": window.end,
                "marks": [list(mark) for mark in window.marks],
                "series": {line.name: [list(point) for point in line.values] for line in window.lines},
            }
            for window in report.health
        ],
        "events": [
            {
                "seq": event.seq,
                "at": event.at,
                "kind": event.kind,
                "actor": event.actor,
                "key": event.key,
                "hash": event.hash,
                "data": dict(event.data),
            }
            for event in report.events
        ],
    }


def _bar(bar: Bar) -> dict[str, Any]:
    return {
        "title": bar.title,
        "state": bar.state,
        "planned": bar.planned,
        "planned_from": bar.source or None,
        "planned_start": bar.planned_start,
        "planned_end": bar.planned_end,
        "forecast_start": bar.forecast_start,
        "forecast_end": bar.forecast_end,
        "late": bar.late,
        "overdue": bar.overdue,
        "began": bar.began,
        "ended": bar.ended,
        "parts": [{"start": start, "end": end, "what": what} for start, end, what in bar.parts],
    }


def _section(section: SectionReport) -> dict[str, Any]:
    return {"title": section.title, "end": section.end, "items": [_item(entry) for entry in section.items]}


def _item(entry: ItemReport) -> dict[str, Any]:
    return {
        "id": entry.item.id,
        "title": entry.item.title,
        "depth": entry.depth,
        "kind": _kind(entry.item),
        "state": entry.state.value,
        "filled": entry.filled,
        "evidence": entry.evidence,
        "attempts": len(entry.attempts),
    }


def _kind(item: Item) -> str:
    return "heading" if item.items else item.steps[0].step.action.kind


def _attempt(entry: AttemptReport) -> dict[str, Any]:
    a: Attempt = entry.attempt
    plain: Mapping[str, Any] = {
        "item": a.item,
        "title": entry.title,
        "number": a.number,
        "kind": a.kind,
        "danger": a.danger,
        "text": a.text,
        "actor": a.actor,
        "started": a.started,
        "ended": a.ended or None,
        "duration": a.duration,
        "outcome": a.outcome or "running",
        "exit_code": a.exit_code,
        "signal": a.signal,
        "size": a.size,
        "sha256": a.sha256 or None,
        "masked": a.masked,
        "by_hand": a.by_hand,
        "interactive": a.interactive,
        "captured": dict(a.captured),
    }
    lists: Mapping[str, Iterable[str]] = {
        "reasons": a.reasons,
        "lines": a.lines,
        "signals": a.signals,
        "examined": a.examined,
    }
    intact = entry.excerpt.intact if entry.excerpt is not None else None
    return {**plain, **{name: list(values) for name, values in lists.items()}, "output_intact": intact}
