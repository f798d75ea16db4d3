"""A survey, the ways back, a plan and its course as plain lines and as JSON, for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from migconsole.domain.quantities import format_duration, format_size
from migconsole.domain.rollback_plan import Course, Option, Outcome, Plan, StepReport
from migconsole.domain.rollback_survey import Survey

_MARKS = {
    Course.BEGAN: "…",
    Course.DONE: "ok",
    Course.FAILED: "FAILED",
    Course.UNKNOWN: "UNKNOWN",
    Course.UNDONE: "undone",
}


def seconds(value: float | None) -> str:
    """A time for people: tenths below ten seconds, "unknown" without one.

    >>> seconds(0.55), seconds(None)
    ('0.6 s', 'unknown')
    """
    if value is None:
        return "unknown"
    return f"{value:.2f} s" if value < 0.1 else f"{value:.1f} s" if value < 10 else format_duration(value)


def survey_lines(survey: Survey) -> Iterator[str]:
    """What was found."""
    server = survey.server
    role = "STANDBY" if server.in_recovery else "primary"
    yield f"{survey.target}  {role}  system {server.system or 'unknown'}  as {server.user}  at {survey.at}"
    yield from (f"CHANGED     {change}" for change in survey.changed)
    yield f"state       {survey.situation.state}: {survey.situation.means}"
    yield from (f"            next: {way}" for way in survey.situation.next)
    yield from (f"            repair: {statement}" for statement in survey.situation.repairs)
    for row in survey.rows.values():
        door = "open" if row.open else "closed"
        step = f", {row.marker.step} {row.marker.at}" if row.marker is not None else ""
        yield f"database    {row.name}: {door}, oid {row.oid}, {row.sessions} session(s){step}"
    yield f"size        {format_size(survey.size) if survey.size is not None else 'unknown'}"
    for group in survey.sessions:
        oldest = f", oldest {seconds(group.oldest)}" if group.oldest is not None else ""
        beyond = ", NOT OURS TO END" if group.beyond else ""
        who = f"{group.application or 'unnamed'} as {group.role} from {group.address}"
        yield f"sessions    {group.count} of {who}{oldest}{beyond}"
    for point in survey.points:
        age = f", {seconds(point.age)} old" if point.age is not None else ""
        wal = f", {format_size(point.wal)} of WAL since" if point.wal is not None else ""
        yield f"restore     {point.form} {point.place}: {point.proof}{f', of {point.at}' if point.at else ''}{age}{wal}"
    yield from (f"blocker     {b.kind} {b.name}: {b.detail}; {b.resolve}" for b in survey.blockers)
    yield from (f"replica     {replica}" for replica in survey.replicas)
    if survey.pooler:
        yield f"pooler      {survey.pooler}"
    if survey.holder is not None:
        yield f"operator    {survey.holder} is at it"
    if survey.run_lock is not None:
        yield f"run         watched by {survey.run_lock}"
    yield from (f"ran         {line}" for line in survey.ran)
    yield from (f"note        {note}" for note in survey.notes)


def option_lines(options: tuple[Option, ...]) -> Iterator[str]:
    """The ways back."""
    for option in options:
        mark = "+" if option.feasible else "-" if option.why_not else "?"
        yield f"{mark} {option.strategy:<13} {option.title}"
        if not option.why_not:
            yield f"    shut out {seconds(option.downtime)} ({option.basis}); loses {option.loss}"
        yield from (f"    not now: {why}" for why in option.why_not)
        yield from (f"    depends: {what}" for what in option.depends)
        if not option.executed:
            yield from (f"    by hand: {command}" for command in option.commands)


def plan_lines(plan: Plan) -> Iterator[str]:
    """What would be executed, exactly."""
    yield f"{plan.title}"
    yield from (f"  not possible now: {why}" for why in plan.refusals)
    for number, step in enumerate(plan.steps, 1):
        mark = "   <- POINT OF NO RETURN" if step.no_return else ""
        yield f"{number:>3}. {step.title}  [{seconds(step.estimate)}]{mark}"
        yield from (f"       {line}" for line in step.text.splitlines())
        if step.undoing:
            yield f"       undone by: {step.undoing}"
    yield f"  clients are shut out for about {seconds(plan.outage)}"
    yield "  what will be lost:"
    yield from (f"    {line}" for line in plan.loses)
    yield from (f"  note: {warning}" for warning in plan.warnings)


def report_line(report: StepReport) -> str:
    """News of a step in a line."""
    took = f" ({seconds(report.seconds)})" if report.seconds is not None else ""
    said = f": {' · '.join(report.lines)}" if report.lines else ""
    return f"{_MARKS[report.course]:<8} {report.title}{took}{said}"


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """How it ended."""
    shut = f"; clients were shut out for {seconds(outcome.outage)}" if outcome.outage is not None else ""
    yield f"{outcome.verdict.upper()}{shut}{f'  {outcome.reason}' if outcome.reason else ''}"
    if outcome.verification is not None:
        yield outcome.verification.line
        yield from (f"  {line}" for line in outcome.verification.lines)
    yield from (f"  next: {way}" for way in outcome.next)


def survey_data(survey: Survey) -> dict[str, Any]:
    """The survey for JSON."""
    data = asdict(survey)
    data["rows"] = {name: asdict(row) for name, row in survey.rows.items()}
    data["hooks"] = dict(survey.hooks)
    return data


def plan_data(plan: Plan) -> dict[str, Any]:
    """A plan for JSON."""
    return asdict(plan) | {"outage": plan.outage, "total": plan.total}


def option_data(option: Option) -> dict[str, Any]:
    """A way back for JSON."""
    return asdict(option) | {"feasible": option.feasible}


def outcome_data(outcome: Outcome) -> dict[str, Any]:
    """The end for JSON."""
    return asdict(outcome) | {"well": outcome.well}
