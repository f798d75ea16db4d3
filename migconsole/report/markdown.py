"""A report as Markdown: the checklist itself with its boxes filled, one line of evidence each, deviations first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from migconsole.domain.event_words import names, words
from migconsole.domain.quantities import format_offset
from migconsole.domain.stamps import iso, plain_duration
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.report import Report, SectionReport
from migconsole.report.words import clock_words, clocks_words, delivery_words, identity_words, signature_words, stamp

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")
_ADDRESS = re.compile(r"(?i)\b(https?|ftp|mailto|www)([:.])")
_LEADING = re.compile(r"^(\s*)([-+]|\d+[.)])(\s)")


def escaped(text: str, limit: int = 600) -> str:
    r"""Text from outside as one line of Markdown in which nothing is markup.

    >>> escaped("a *b* <img src=x>\n- [x] c")
    'a \\*b\\* \\<img src=x\\> - \\[x\\] c'
    """
    line = _SPECIAL.sub(r"\\\1", sanitise_line(text, limit))
    # A bare address would become a link in many renderers.
    line = _ADDRESS.sub(r"\1\\\2", line)
    return _LEADING.sub(r"\1\\\2\3", line)


def render(report: Report) -> str:
    """The whole report; ends with a newline."""
    parts = [
        _head(report),
        _deviations(report),
        _deeds(report),
        _decisions(report),
        _timeline(report),
        _checklist(report),
        _tripwires(report),
        _attempts(report),
        _signatures(report),
        _notes(report),
        _deliveries(report),
        f"---\n\n{escaped(report.seal)}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(report: Report) -> str:
    run = report.run
    lines = []
    if report.sealed.problem:
        # First of all: whoever reads on must know that it cannot be relied on.
        lines += [f"**{escaped(report.seal)}**", ""]
    lines += [f"# {escaped(run.title)}: {escaped(report.outcome)}", ""]
    facts = [
        ("Target", f"{run.target} ({run.environment})"),
        ("Server", identity_words(run.identity)),
        ("Run", f"{report.directory} · {run.run_id}"),
        ("Opened", f"{stamp(run.opened_at)} by {run.opened_by}"),
        ("Ended", f"{stamp(run.ended_at)}: {run.ending}" if run.ended_at else "no end was recorded"),
        ("Took", f"{plain_duration(report.duration)}{'' if run.ended_at else ' so far'}"),
        ("Closed", f"{stamp(run.life.closed)} by {run.life.closed_by}" if run.life.closed else "no"),
        ("Progress", f"{report.progress.done} of {report.progress.total} lines"),
        ("Checklist", f"sha256 {run.checklist_sha256}"),
        ("Report", f"made {stamp(report.generated_at)}; all times are UTC"),
        ("Clocks", clocks_words(report)),
    ]
    lines += [f"- {name}: {escaped(text)}" for name, text in facts if text]
    return "\n".join(lines)


def _deviations(report: Report) -> str:
    if not report.deviations:
        return "## Deviations\n\nNone: every line was done as the checklist has it."
    rows = ["| kind | what | why | who | when |", "| --- | --- | --- | --- | --- |"]
    for found in report.deviations:
        cells = (found.sort.value, found.what, found.why, found.actor, stamp(found.at))
        rows.append("| " + " | ".join(escaped(cell) for cell in cells) + " |")
    return "\n".join([f"## Deviations ({len(report.deviations)})", "", *rows])


def _deeds(report: Report) -> str:
    parts = []
    for found in report.deeds:
        parts += [f"## {escaped(found.title)}", ""]
        parts += [f"- {name}: {escaped(words)}" for name, words in found.facts]
        parts += [f"  - {escaped(line)}" for line in found.findings]
        parts.append("")
    return "\n".join(parts).rstrip()


def _decisions(report: Report) -> str:
    known = names(report.checklist)
    lines = [
        f"- {stamp(event.at)} {escaped(event.actor)}: {escaped(words(event, known))}" for event in report.decisions
    ]
    return "\n".join(["## Decisions", "", *lines]) if lines else ""


def _timeline(report: Report) -> str:
    """The run and its phases: planned, forecast and actual."""
    if not report.timeline:
        return ""
    times = report.times
    rows = ["| what | planned | began | ended | forecast end |", "| --- | --- | --- | --- | --- |"]
    for phase in report.timeline:
        cells = (
            phase.title,
            _span(phase.planned_at, phase.planned_end),
            _at(phase.began),
            "" if phase.forecast_end is not None else _at(phase.ended),
            _at(phase.forecast_end),
        )
        rows.append("| " + " | ".join(escaped(cell) for cell in cells) + " |")
    run = report.run
    cells = ("The run", _at(times.planned_end), stamp(run.opened_at), stamp(run.ended_at), _at(times.forecast_end))
    rows.append("| " + " | ".join(escaped(cell) for cell in cells) + " |")
    return "\n".join(["## Timeline, planned against actual", "", *rows, "", escaped(clock_words(report))])


def _at(at: float | None) -> str:
    return "" if at is None else stamp(iso(at))


def _span(first: float | None, last: float | None) -> str:
    return " to ".join(_at(at) for at in (first, last) if at is not None)


def _checklist(report: Report) -> str:
    lines = []
    for phase in report.phases:
        lines += [f"## {escaped(phase.title)} ({format_offset(phase.at)})", ""]
        for section in phase.sections:
            lines += [*_section(section), ""]
    if report.rollback:
        lines += ["## Rollback procedure", ""]
        for section in report.rollback:
            lines += [*_section(section), ""]
    return "\n".join(lines).rstrip()


def _section(section: SectionReport) -> Iterator[str]:
    yield f"### {escaped(section.title)}"
    yield ""
    yield escaped(f"{section.end[:1].upper()}{section.end[1:]}.")
    yield ""
    for entry in section.items:
        indent = "  " * entry.depth
        yield f"{indent}- [{'x' if entry.filled else ' '}] {escaped(entry.item.title)}"
        if not entry.item.items:
            yield f"{indent}  {entry.state.glyph} {escaped(entry.evidence)}"


def _tripwires(report: Report) -> str:
    if not report.tripwires:
        return ""
    lines = [
        f"- [{' ' if wire.state == 'armed' else 'x'}] {escaped(wire.title)}: "
        f"{escaped(wire.state)}{f' · {escaped(wire.said)}' if wire.said else ''}"
        for wire in report.tripwires
    ]
    return "\n".join(["## Roll back if", "", *lines])


def _attempts(report: Report) -> str:
    if not report.attempts:
        return ""
    rows = [
        "| when | item | attempt | outcome | took | exit | by | log sha256 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for entry in report.attempts:
        a = entry.attempt
        changed = " CHANGED ON DISK" if entry.excerpt is not None and entry.excerpt.intact is False else ""
        cells = (
            stamp(a.started),
            entry.title,
            f"{a.number}{' by hand' if a.by_hand else ''}",
            a.outcome or "running",
            plain_duration(a.duration) if a.duration is not None else "",
            "" if a.exit_code is None else str(a.exit_code),
            a.actor,
            f"{a.sha256[:16]}{changed}",
        )
        rows.append("| " + " | ".join(escaped(cell) for cell in cells) + " |")
    for entry in report.attempts:
        if entry.attempt.examined:
            rows += ["", f"What attempt {entry.attempt.number} of {escaped(entry.title)} has left behind:", ""]
            rows += [f"- {escaped(line)}" for line in entry.attempt.examined]
    return "\n".join([f"## Attempts ({len(report.attempts)})", "", *rows])


def _signatures(report: Report) -> str:
    if not report.signatures:
        return ""
    rows = ["| Role | Name | Date | Signature |", "| --- | --- | --- | --- |"]
    for role, signature in report.signatures:
        cells: Iterable[str] = (role, "", "", "not signed")
        if signature is not None:
            cells = (role, signature.name, stamp(signature.at), signature_words(signature))
        rows.append("| " + " | ".join(escaped(cell) for cell in cells) + " |")
    for signature in report.run.signoff.superseded:
        cells = (signature.role, signature.name, stamp(signature.at), f"superseded: {signature_words(signature)}")
        rows.append("| " + " | ".join(escaped(cell) for cell in cells) + " |")
    return "\n".join(["## Sign-off", "", *rows])


def _notes(report: Report) -> str:
    lines = []
    for heading, notes in (("Notes", report.notes), ("Addenda after the run was closed", report.addenda)):
        if notes:
            lines += [f"## {heading}", ""]
            for note in notes:
                about = f" on {escaped(note.item)}" if note.item else ""
                quoted = "\n".join(f"  > {escaped(line, 2000)}" for line in sanitise(note.text).splitlines())
                lines += [f"- {stamp(note.at)} {escaped(note.actor)}{about}:", "", quoted, ""]
    return "\n".join(lines).rstrip()


def _deliveries(report: Report) -> str:
    lines = [f"- {escaped(delivery_words(delivery))}" for delivery in report.deliveries]
    return "\n".join(["## Notifications", "", *lines]) if lines else ""
