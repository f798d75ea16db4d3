"""Reports of a run from its directory alone: read everything, render it, seal it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from migconsole.adapters import checklists, processes
from migconsole.adapters.bundle import write_bundle
from migconsole.adapters.excerpts import excerpt, share
from migconsole.adapters.health_store.history import Line, history
from migconsole.adapters.journal import reading
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.adapters.runs import RunDirectory, RunStore, state_directory, write_durably
from migconsole.adapters.seals import keep_seal
from migconsole.domain.checklist import Danger
from migconsole.domain.events import Draft, Event, Kind
from migconsole.domain.run import Attempt, Run, fold
from migconsole.domain.seals import Seal
from migconsole.domain.secrets import Secrets
from migconsole.domain.stamps import iso, unix
from migconsole.domain.thinning import thinned
from migconsole.domain.variables import is_secret_name
from migconsole.engine.recorder import cleaned
from migconsole.engine.report import Excerpt, HealthWindow, Points, Report, Sealed, build, dated
from migconsole.errors import JournalError, MigconsoleError, UsageError
from migconsole.wiring import opening, overview

HEALTH_LINES = ("tps", "connections", "blocked", "oldest_xact", "wal_rate", "database_size")
"""What is drawn around an item: what a migration does to the others, and what it leaves behind."""

WHOLE_LINES = (*HEALTH_LINES, "lag_bytes", "cache_hit")
BEFORE, AFTER = 120.0, 300.0
"""Seconds around an attempt: what was normal, and whether it became so again."""

SLOW = 10.0
"""Seconds from which a reading attempt gets charts of its own, too."""

WINDOWS = 30
FORMATS = {"md": "report.md", "html": "report.html", "json": "report.json"}

Redact = Callable[[str], str]


def directory_of(state_dir: str | None, name: str | None) -> RunDirectory:
    """A run by what a person calls it; the newest without a name. Raises UsageError."""
    return RunStore(state_directory(state_dir)).find(name)


def redaction(directory: RunDirectory, state_dir: str | None = None) -> Redact:
    """Masks every secret of the run's target and checklist as today's environment has them.

    The journal and the outputs are masked already. Where the run's target cannot be told any more, what the
    environment calls a secret is masked.
    """
    try:
        _, setting = opening.restored(directory, opening.Options(state_dir=state_dir))
    except MigconsoleError:
        names = [name for name in os.environ if is_secret_name(name) or name in ("DATABASE_URL", "DIRECT_URL")]
        return Secrets([os.environ[name] for name in names]).redact
    return setting.surroundings.redact


def read(directory: RunDirectory, redact: Redact = str, *, now: datetime | None = None) -> Report:
    """Everything that the run's directory says. A journal that is broken is reported, and said to be."""
    verified = overview.verification(directory)
    sealed = Sealed(verified.events, verified.head, verified.first_bad, verified.problem)
    events = [replace(event, data=cleaned(event.data, redact)) for event in _events(directory, sealed)]
    run = fold(events)
    loaded = checklists.load(directory.checklist)
    if not sealed.problem and loaded.sha256 != run.checklist_sha256:
        problem = "the frozen checklist is not the one that the run was opened with"
        sealed = replace(sealed, first_bad=1, problem=problem)
    return build(
        run,
        loaded.checklist,
        events,
        directory=directory.path.name,
        generated_at=iso((now or datetime.now(UTC)).timestamp()),
        sealed=sealed,
        excerpts=_excerpts(directory, redact, sum(len(record.attempts) for record in run.items.values())),
        health=_health(directory, run),
    )


def _events(directory: RunDirectory, sealed: Sealed) -> list[Event]:
    """All events; of a journal that cannot be read to its end, those before the damage."""
    try:
        return reading.read_events(directory.journal)
    except JournalError:
        if not sealed.problem:
            raise
        return reading.read_events(directory.journal, before=sealed.first_bad)


def _excerpts(directory: RunDirectory, redact: Redact, attempts: int) -> Callable[[Attempt], Excerpt | None]:
    shown = share(attempts)

    def masked(data: bytes) -> bytes:
        text = data.decode("utf-8", "surrogateescape")
        return redact(text).encode("utf-8", "surrogateescape")

    def found(attempt: Attempt) -> Excerpt | None:
        return excerpt(directory.output_path(attempt.item, attempt.number), attempt.sha256, masked, shown)

    return found


# -- health ------------------------------------------------------------------------------------------------------------


def _health(directory: RunDirectory, run: Run) -> list[HealthWindow]:
    """The whole run, and a closer look around each attempt that changed something or took its time."""
    start, end = unix(run.opened_at), unix(run.last_at)
    if start is None or end is None:
        return []
    lines = history(directory.path / "health.db", WHOLE_LINES, start - BEFORE, end + 86400.0)
    last = max((line[-1][0] for line in lines.values() if line), default=0.0)
    if not last:
        return []
    attempts = [attempt for record in run.items.values() for attempt in record.attempts]
    marks = tuple(mark for attempt in attempts if attempt.danger != Danger.READ and (mark := _mark(attempt)))
    whole = _window("The whole run", start - BEFORE, max(last, start + 60.0), marks, lines, WHOLE_LINES)
    return [whole, *_around(attempts, marks, lines)]


def _around(
    attempts: Sequence[Attempt], marks: tuple[tuple[float, float, str], ...], lines: Mapping[str, Line]
) -> list[HealthWindow]:
    changing = [a for a in attempts if a.danger != Danger.READ or (a.duration or 0.0) >= SLOW]
    # The longest, where there are too many to look at, and then in the order in which they ran.
    longest = sorted(changing, key=lambda a: (a.danger == Danger.READ, -(a.duration or 0.0)))[:WINDOWS]
    found = []
    for attempt in sorted(longest, key=lambda a: a.started):
        mark = _mark(attempt)
        if mark is not None:
            window = _window(
                f"Around {attempt.item}, attempt {attempt.number}",
                mark[0] - BEFORE,
                mark[1] + AFTER,
                marks if mark in marks else (*marks, mark),
                lines,
                HEALTH_LINES,
            )
            if any(points.values for points in window.lines):
                found.append(window)
    return found


def _mark(attempt: Attempt) -> tuple[float, float, str] | None:
    start = unix(attempt.started)
    if start is None:
        return None
    return start, max(start, unix(attempt.ended) or start), f"{attempt.item}, attempt {attempt.number}"


def _window(
    title: str,
    start: float,
    end: float,
    marks: tuple[tuple[float, float, str], ...],
    lines: Mapping[str, Line],
    names: Sequence[str],
) -> HealthWindow:
    found = []
    for name in names:
        line = lines.get(name, [])
        first = bisect_left(line, start, key=lambda point: point[0])
        after = bisect_right(line, end, key=lambda point: point[0])
        found.append(Points(name, tuple(thinned(line[first:after], start, end))))
    inside = tuple(mark for mark in marks if mark[1] >= start and mark[0] <= end)
    return HealthWindow(title, start, end, inside, tuple(found))


# -- render and seal ---------------------------------------------------------------------------------------------------


def render(report: Report, form: str) -> str:
    """The report as text: ``md``, ``html`` or ``json``. Raises UsageError for another form."""
    # Each is imported where it is asked for: the template engine costs more than the Markdown.
    if form == "md":
        from migconsole.report import markdown  # noqa: PLC0415 - as above

        return markdown.render(report)
    if form == "html":
        from migconsole.report import html  # noqa: PLC0415 - as above

        return html.render(report)
    if form == "json":
        from migconsole.report import data  # noqa: PLC0415 - as above

        return data.render(report)
    raise UsageError(f"There is no report in the form “{form}”", remedy=f"One of {', '.join(FORMATS)}, bundle.")


def seal(directory: RunDirectory, report: Report, what: str, digest: str) -> str:
    """Put on record what was told outside of the journal, and keep it beside it; returns why that was not possible.

    A broken journal is not sealed: a seal says that everything up to it was whole.
    """
    if report.sealed.problem:
        return "the journal is broken, nothing was sealed"
    told = Seal(what, report.sealed.events, report.sealed.head, report.generated_at)
    data = {"what": what, "head": told.head, "hash": told.hash, "at": told.at, "sha256": digest}

    async def append() -> None:
        journal = await SqliteJournal.open(directory.journal, Console.here(processes.login_name()))
        try:
            await journal.append(Draft(Kind.SEALED, data, processes.login_name()))
        finally:
            await journal.close()

    try:
        keep_seal(directory.path, told)
        asyncio.run(append())
    except (OSError, MigconsoleError) as error:
        return f"the seal could not be kept: {error}"
    return ""


def write_all(directory: RunDirectory, redact: Redact) -> tuple[list[Path], Seal]:
    """Write the report in every form into the run directory (0600); the files and what they seal. Raises OSError."""
    report = read(directory, redact)
    written = []
    for form, name in FORMATS.items():
        path = directory.path / name
        write_durably(path, render(report, form).encode("utf-8", "replace"))
        written.append(path)
    return written, Seal("report", report.sealed.events, report.sealed.head, report.generated_at)


@dataclass(frozen=True, slots=True)
class Made:
    """A report that was asked for: its ``text``, or the ``path`` it was written to, and what went wrong beside it."""

    text: str
    path: Path | None
    problems: tuple[str, ...]
    broken: bool


def make(state_dir: str | None, name: str | None, form: str, output: Path | None) -> Made:
    """Make a report, write it where asked, and seal it. Raises UsageError when it cannot be written."""
    directory = directory_of(state_dir, name)
    redact = redaction(directory, state_dir)
    if form == "bundle":
        return _make_bundle(directory, redact, output)
    report = read(directory, redact)
    text = render(report, form)
    data = text.encode("utf-8", "replace")
    path = _place(output, FORMATS[form]) if output is not None else None
    if path is not None:
        _written(path, lambda: write_durably(path, data))
    return _sealed(directory, report, "report", data, text, path)


def bundle(directory: RunDirectory, redact: Redact, path: Path) -> Report:
    """Write the evidence bundle to ``path``; returns the report that lies in it. Raises UsageError."""
    first = read(directory, redact)
    # Made of the journal alone: the same journal gives the same bytes, whenever they are asked for.
    at = unix(first.run.last_at) or 0.0
    report = dated(first, iso(at))
    reports = {name: render(report, form).encode("utf-8", "replace") for form, name in FORMATS.items()}
    _written(path, lambda: write_bundle(directory, reports, path, at))
    return report


def _make_bundle(directory: RunDirectory, redact: Redact, output: Path | None) -> Made:
    path = _place(output or Path(), f"{directory.path.name}-evidence.tar.gz")
    report = bundle(directory, redact, path)
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    problem = seal(directory, report, "bundle", digest)
    return Made("", path, (problem,) if problem else (), bool(report.sealed.problem))


def _sealed(directory: RunDirectory, report: Report, what: str, data: bytes, text: str, path: Path | None) -> Made:
    problem = seal(directory, report, what, hashlib.sha256(data).hexdigest())
    return Made(text, path, (problem,) if problem else (), bool(report.sealed.problem))


def _place(output: Path, name: str) -> Path:
    return output / name if output.is_dir() else output


def _written(path: Path, write: Callable[[], None]) -> None:
    try:
        write()
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError("The report cannot be written", f"{path}: {reason}", "Choose another place.") from error
