"""``review`` and ``lint``: every pending migration file opened, pinned and judged; a person's word is a person's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from migconsole.adapters import squawk
from migconsole.adapters.jobs.outcomes import JobOutcome
from migconsole.adapters.migrators.scripts import ReadFile, read
from migconsole.adapters.postgres.pending import Pending, pending
from migconsole.domain import lint as rules
from migconsole.domain.lint import Finding
from migconsole.domain.reviews import Review, facts
from migconsole.domain.sql import UnfinishedSqlError, located
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.wiring.small_jobs import Link, redaction, target_of

Say = Callable[[str], None]
SHOWN = 60
"""Findings that are kept as evidence line by line; the output holds all of them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which migrations: the options of the command line."""

    directory: str = ""
    tool: str = "auto"
    schema: str = ""
    target: str = ""

    def arguments(self) -> dict[str, str]:
        """The same as a check takes them."""
        named = {"directory": self.directory, "tool": self.tool, "schema": self.schema}
        return {name: value for name, value in named.items() if value}


async def _pending(where: Link, choice: Choice) -> tuple[Pending, list[ReadFile], Callable[[str], str]]:
    target = target_of(where, choice.target)
    found = await pending(target, where.project, choice.arguments())
    files = await asyncio.to_thread(read, found.files, where.project)
    return found, files, redaction(target)


async def review(where: Link, choice: Choice, say: Say) -> JobOutcome:
    """Show every pending file whole and pin it. It never passes by itself: that somebody read it only a person says."""
    found, files, redact = await _pending(where, choice)
    lines = []
    for number, file in enumerate(files, 1):
        digest = file.pin.sha256[:12] or "unreadable"
        lines.append(f"{number}. {file.pin.path}  {file.text.count(chr(10)):,} lines  sha256 {digest}")
        say(f"\n=== {lines[-1]}")
        say(redact(sanitise(file.text, limit=1_000_000)))
        if file.problem:
            say(f"!!! it {file.problem}")
    say("")
    bad = [f"{file.pin.path} {file.problem}" for file in files if file.problem]
    missing = sorted(set(found.names) - {file.pin.migration for file in files})
    bad += [f"{name} has no file" for name in missing]
    reviewed = Review(
        where.item, where.number, tuple(file.pin for file in files), choice.directory, found.tool, choice.schema
    )
    values = {"files": len(files), "pending": len(found.names), "unreadable": len(bad), "tool": found.tool}
    for line in (*lines, *bad):
        say(sanitise_line(line))
    if bad:
        return JobOutcome("failed", [f"not every pending file can be read: {'; '.join(bad)[:500]}"], lines, values)
    if not files:
        why = f"no migration is pending ({found.applied} applied, read by {found.tool}): there is nothing to review"
        return JobOutcome("asks", [why], [why], values)
    question = f"{len(files)} pending files were shown and are pinned by their content: have you read every one?"
    return JobOutcome("asks", [question], lines, values, facts=facts(reviewed, where.key))


async def lint(where: Link, choice: Choice, say: Say, *, built_in: bool = False) -> JobOutcome:
    """Lint every pending SQL file: no finding passes, a finding asks a person, what cannot be read fails."""
    found, files, _ = await _pending(where, choice)
    program = None if built_in else squawk.find()
    sql = [file for file in files if file.is_sql and not file.problem]
    unjudged = [file.pin.path for file in files if file not in sql]
    if program is None:
        name = "the built-in rules (pip install 'migconsole[lint]' brings squawk, which reads the grammar)"
        findings = [finding for file in sql for finding in rules.lint(file.pin.path, file.text)]
    else:
        name = await asyncio.to_thread(squawk.version, program)
        findings = await asyncio.to_thread(_squawk, program, where.project, sql, found.postgresql)
    findings.sort(key=lambda finding: finding.level != "error")
    lines = [sanitise_line(finding.text(), 400) for finding in findings]
    say(f"{len(sql)} pending files of {found.tool}, judged by {name}")
    for line in lines:
        say(line)
    for path in unjudged:
        say(sanitise_line(f"not judged, it is no readable SQL: {path}"))
    errors = sum(finding.level == "error" for finding in findings)
    values = {
        "files": len(sql),
        "findings": len(findings),
        "errors": errors,
        "unjudged": len(unjudged),
        "linter": "built-in" if program is None else name,
        "rules": sorted({finding.rule for finding in findings}),
    }
    return _verdict(findings, unjudged, sql, [f"judged by {name}", *lines[:SHOWN]], values)


def _verdict(
    findings: Sequence[Finding],
    unjudged: Sequence[str],
    sql: Sequence[ReadFile],
    lines: list[str],
    values: dict[str, object],
) -> JobOutcome:
    reasons = []
    if findings:
        errors = values["errors"]
        reasons.append(
            f"{len(findings)} findings, {errors} of them lose data or break clients: accept them with a reason (w)"
        )
    if unjudged:
        reasons.append(f"{len(unjudged)} pending files are no SQL that could be judged: {', '.join(unjudged)[:200]}")
    if not sql and not unjudged:
        reasons.append("no migration is pending: nothing was judged")
    return JobOutcome("asks" if reasons else "passed", reasons, lines, values)


def _squawk(program: Path, project: Path, files: Sequence[ReadFile], postgresql: str) -> list[Finding]:
    """Several statements of a file are one transaction, in which CONCURRENTLY fails; a single one is taken as it is."""
    groups: dict[bool, list[ReadFile]] = {False: [], True: []}
    for file in files:
        groups[_statements(file.text) > 1].append(file)
    found = []
    for several, group in groups.items():
        names = {str(project / file.pin.path): file.pin.path for file in group}
        paths = [Path(name) for name in names]
        for finding in squawk.run(program, paths, postgresql=postgresql, one_transaction=several):
            found.append(replace(finding, file=names.get(finding.file, finding.file)))
    return found


def _statements(text: str) -> int:
    try:
        return len(located(text))
    except UnfinishedSqlError:
        return 2
