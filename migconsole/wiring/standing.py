"""The clock, gates, tripwires and sections of a run as data and as lines, for ``status``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from migconsole.domain import gates
from migconsole.domain.checklist import Checklist
from migconsole.domain.clock import Clock, reckon
from migconsole.domain.quantities import format_duration
from migconsole.domain.run import Run
from migconsole.domain.sections import section_end
from migconsole.domain.times import stamp
from migconsole.domain.tripwires import WireState


def data(run: Run, checklist: Checklist, now: datetime) -> dict[str, Any]:
    """Everything for JSON; times are UTC ISO 8601, durations seconds, null where nothing is known."""
    return {
        "run_state": run.state.value,
        "approved_by": run.life.commit.approver if run.life.commit else None,
        "clock": _clock(reckon(run, checklist, now), run),
        "gates": [_gate(gates.standing(gate, run.gates, now)) for gate in checklist.gates],
        "tripwires": [
            {"id": wire.id, "title": wire.title, **asdict(run.tripwires.record(wire.id))}
            for wire in checklist.tripwires
        ],
        "sections": _sections(run, checklist),
        "claims": [asdict(claim) for claim in run.claims.held.values()],
        "handover": asdict(run.handover) if run.handover else None,
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The same for a person: only what is set, waits or is wrong."""
    clock = found["clock"]
    out = [
        f"  state      {found['run_state']}" + (f", approved by {found['approved_by']}" if found["approved_by"] else "")
    ]
    if clock["t0"]:
        out.append(f"  T-0        {clock['t0']}, window until {clock['window_end'] or 'not set'}")
    if clock["forecast_end"]:
        guessed = f" ({clock['guessed']} items without an estimate)" if clock["guessed"] else ""
        out.append(f"  forecast   {clock['forecast_end']}{guessed}")
    if clock["last_safe_abort"]:
        back = clock["back_out"]
        doubt = "unknown; if what people did changed anything, " if back["doubt"] else ""
        takes = f"{format_duration(round(back['seconds']))} to go back: {back['way']}"
        out.append(f"  abort      {doubt}until {clock['last_safe_abort']}, {takes}")
    out += [f"  gate       {gate['title']}: {gate['reason'] or gate['state']}" for gate in found["gates"]]
    out += [
        f"  TRIPPED    {wire['title']}: {wire['reason']}"
        for wire in found["tripwires"]
        if wire["state"] != WireState.ARMED
    ]
    return out


def _clock(clock: Clock, run: Run) -> dict[str, Any]:
    return {
        "now": stamp(clock.now),
        "t0": _iso(clock.t0),
        "window_end": _iso(clock.window_end),
        "forecast_end": _iso(clock.forecast_end),
        "guessed": clock.guessed,
        "back_out": {**asdict(clock.backout), "seconds": clock.backout.seconds, "done": stamp(clock.backed_out)},
        "back_out_once_begun": {**asdict(clock.once_begun), "seconds": clock.once_begun.seconds},
        "last_safe_abort": _iso(clock.last_safe_abort),
        "slack": clock.slack,
        "level": clock.level.value,
        "moves": [
            {"at": setting.at, "by": setting.actor, "t0": _iso(setting.t0), "window_end": _iso(setting.window_end)}
            | {"reason": setting.reason, "source": setting.source}
            for setting in run.clock.settings
        ],
        "crossings": [asdict(crossing) for crossing in run.clock.crossings],
        "phases": {
            name: {
                "planned": _iso(span.planned),
                "start": _iso(span.start),
                "end": _iso(span.end),
                "begun": span.begun,
                "over": span.over,
            }
            for name, span in clock.phases.items()
        },
        "items": {
            name: {
                "planned_start": _iso(times.planned_start),
                "planned_end": _iso(times.planned_end),
                "start": _iso(times.start),
                "end": _iso(times.end),
                "begun": times.begun,
                "over": times.over,
                "estimate": times.estimate.seconds if times.estimate else None,
                "estimate_from": (times.estimate.source or "the checklist") if times.estimate else None,
                "late": times.late,
                "overdue": times.overdue,
            }
            for name, times in clock.items.items()
        },
    }


def _gate(standing: gates.Standing) -> dict[str, Any]:
    return {
        "id": standing.gate.id,
        "title": standing.gate.title,
        "before": standing.gate.before,
        "state": standing.state.value,
        "reason": standing.reason,
        "until": _iso(standing.until),
        "votes": [asdict(vote) for vote in standing.votes],
        "missing": list(standing.missing),
        "stale": list(standing.stale),
        "passed": standing.passing.at if standing.passing else None,
    }


def _sections(run: Run, checklist: Checklist) -> list[dict[str, Any]]:
    pairs = [(phase.title, section) for phase in checklist.phases for section in phase.sections]
    pairs += [("rollback", section) for section in checklist.rollback]
    out = []
    for phase, section in pairs:
        end = section_end(section, run.state_of, lambda item: run.record(item.id).since, run.sections)
        out.append(
            {
                "id": section.id,
                "title": section.title,
                "phase": phase,
                "mode": section.mode.value,
                "end": end.words,
                "complete": end.complete,
                "called_by": end.call.person if end.call else None,
                "deferred": [item.id for item in end.deferred],
                "forced": [item.id for item in end.forced],
            }
        )
    return out


def _iso(moment: datetime | None) -> str | None:
    return stamp(moment) if moment is not None else None
