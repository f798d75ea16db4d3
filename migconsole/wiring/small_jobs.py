"""What ``review``, ``lint`` and ``http`` share: the run they belong to, the target, and how they end.

The same command serves a person's shell, a person's shell for a run (``--run``), and a job of a run. A job leaves its
outcome in the attempt's directory, where whoever judges it records its facts; from a shell the command records them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from migconsole.adapters import processes
from migconsole.adapters.jobs.outcomes import JobOutcome, attempt_directory, write_outcome
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.runs import RunDirectory, RunStore, opened_data, state_directory
from migconsole.domain.events import Draft, Kind
from migconsole.domain.outcomes import fact_key
from migconsole.domain.secrets import Secrets
from migconsole.domain.target import Target
from migconsole.errors import EXIT_FAILED, EXIT_OK, EXIT_STOPPED, MigconsoleError
from migconsole.wiring import opening


@dataclass(frozen=True, slots=True)
class Link:
    """Where a command stands. ``directory`` is None outside of a run; ``attempt`` is None unless it is a job."""

    directory: RunDirectory | None
    attempt: Path | None
    project: Path

    @property
    def item(self) -> str:
        """The item whose attempt this is, "" from a shell."""
        return self.attempt.parent.name if self.attempt else ""

    @property
    def number(self) -> int:
        """The attempt's number, 0 from a shell."""
        return int(self.attempt.name) if self.attempt and self.attempt.name.isdecimal() else 0

    @property
    def key(self) -> str:
        """What makes facts of this execution its own."""
        return f"{self.item}:{self.number}" if self.attempt else processes.new_id()


def link(state_dir: str | None, run: str | None) -> Link:
    """Find the run, if one is named. A job's working directory is the project's; a shell's is the run's project."""
    attempt = attempt_directory()
    directory = RunStore(state_directory(state_dir)).find(run) if run else None
    if directory is None or attempt is not None:
        return Link(directory, attempt, Path.cwd())
    return Link(directory, None, Path(str(opened_data(directory).get("project", "."))))


def target_of(where: Link, url: str) -> Target:
    """The run's target, else the URL's or the environment's. Raises MigconsoleError."""
    if where.directory is None or where.attempt is not None:
        return resolve_target(url or None)
    return opening.restored(where.directory, opening.Options(target=url))[1].target


def redaction(target: Target) -> Callable[[str], str]:
    """Masks the target's secrets."""
    secrets = Secrets(target.secrets(), names=(target.host, target.database, target.user))
    if target.password is not None:
        secrets.add_password(target.password)
    return secrets.redact


async def conclude(where: Link, outcome: JobOutcome) -> int:
    """Leave the outcome where it belongs; the exit code. A job that asks ends well: its outcome holds the question."""
    write_outcome(outcome)
    if where.directory is not None and where.attempt is None:
        await _record(where.directory, outcome)
    if outcome.verdict == "failed":
        return EXIT_FAILED
    return EXIT_OK if outcome.verdict == "passed" or where.attempt is not None else EXIT_STOPPED


def failed(error: MigconsoleError) -> JobOutcome:
    """What an error is as an outcome."""
    return JobOutcome("failed", [text for text in (error.title, error.detail, error.remedy) if text])


async def _record(directory: RunDirectory, outcome: JobOutcome) -> None:
    if not outcome.facts:
        return
    actor = processes.login_name()
    journal = await SqliteJournal.open(directory.journal, Console.here(actor))
    try:
        for fact in outcome.facts:
            kind = Kind(fact["kind"])
            data = json.loads(json.dumps(fact["data"]))
            await journal.append(Draft(kind, data, actor, key=fact_key(kind, str(fact["key"]))))
    finally:
        await journal.close()
