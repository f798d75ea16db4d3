"""What ``backup``, ``prove`` and ``drill`` share: the target, its programs, the run they belong to, how they end.

The same command serves a person's shell, a run's shell (``--run``) and a job of a run: in a job its outcome goes to the
attempt's directory and whoever judges it appends the facts; from a shell for a run it appends them itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from migconsole.adapters import processes
from migconsole.adapters.backup.clients import Choice, choose, find_clients
from migconsole.adapters.backup.reporting import QUIET, Progress
from migconsole.adapters.backup.taking import Order
from migconsole.adapters.backup.tools import Toolbox
from migconsole.adapters.jobs.files import write_atomic
from migconsole.adapters.jobs.outcomes import JobOutcome, attempt_directory, write_outcome
from migconsole.adapters.journal import reading
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.runs import RunDirectory, RunStore, opened_data, state_directory
from migconsole.domain.events import Draft, Kind
from migconsole.domain.outcomes import fact_key
from migconsole.domain.run import Run
from migconsole.domain.secrets import Secrets
from migconsole.domain.target import Target
from migconsole.engine.ports import ServerIdentity
from migconsole.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_STOPPED, MigconsoleError, StoppedError
from migconsole.wiring import opening

PROGRESS = "progress.json"
"""How far a job is, in its attempt's directory: the last of its progress reports."""


@dataclass(frozen=True, slots=True)
class RunLink:
    """The run that a command works for."""

    directory: RunDirectory
    id: str
    state: Run
    as_job: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything a command needs to begin."""

    target: Target
    identity: ServerIdentity
    choice: Choice
    toolbox: Toolbox
    redact: Callable[[str], str]
    run: RunLink | None

    @property
    def run_id(self) -> str:
        """The run's identifier, "" outside of one."""
        return self.run.id if self.run else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line of each of them says: the target's URL, "" for that of the run or the environment, and the
    run and the item that it is for, if any."""

    state_dir: str | None = None
    target: str = ""
    run: str | None = None
    item: str = ""

    async def prepared(self, word: str, reports: Reports) -> Setting:
        """Everything that the command needs to begin. Raises MigconsoleError, StoppedError where it must not."""
        setting = await prepare(self.state_dir, self.target, self.run, word)
        reports.redact = setting.redact
        refuse_beside_migration(setting.run, self.item)
        return setting


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedToDump(Asked):
    """The same of what takes a backup: the folder of all backups, and how many tables are dumped at once."""

    directory: Path
    jobs: int = 1

    def order(self, setting: Setting, hashes: Sequence[str] = ()) -> Order:
        """The backup to be taken; ``hashes`` are tables that are hashed beside the small ones."""
        return Order(
            setting.target,
            setting.identity,
            setting.choice,
            setting.toolbox,
            self.directory.expanduser().absolute(),
            max(1, self.jobs),
            setting.run_id,
            tuple(hashes),
        )


class Speaker(Protocol):
    """Where lines and machine-readable events go."""

    def __call__(self, line: str, data: Mapping[str, Any], /) -> None:
        """Say one of the two, as the command line was asked to."""


class Reports:
    """Reports of a command: lines, progress at most every two seconds, and the last progress in the attempt's file."""

    def __init__(self, speak: Speaker, redact: Callable[[str], str] = str) -> None:
        self._speak = speak
        self.redact = redact
        self._phase = ""
        self._last = 0.0
        self.lines: list[str] = []
        self.facts: list[Mapping[str, Any]] = []
        """What is so however the command ends."""

    def say(self, line: str) -> None:
        """A line for a person; kept as evidence."""
        text = self.redact(line)
        self.lines.append(text)
        self._speak(text, {"event": "line", "text": text})

    def progress(self, progress: Progress) -> None:
        """How far it is: not more often than a file that is read later bears."""
        now = time.monotonic()
        if progress.phase == self._phase and now - self._last < QUIET:
            return
        self._phase, self._last = progress.phase, now
        self._speak(progress.line(), progress.data())
        directory = attempt_directory()
        if directory is not None:
            with contextlib.suppress(OSError):
                write_atomic(directory / PROGRESS, progress.data(), durable=False)


async def prepare(state_dir: str | None, target_url: str, run_name: str | None, word: str) -> Setting:
    """Resolve target, run and programs; raises MigconsoleError, StoppedError where the server is not the run's."""
    os.umask(0o077)
    run = _link(state_dir, run_name)
    target = _target(run, target_url)
    secrets = Secrets((), names=(target.host, target.database, target.user))
    for secret in target.secrets():
        secrets.add(secret)
    if target.password is not None:
        secrets.add_password(target.password)
    database = PostgresDatabase(target, run=run.id if run else "")
    try:
        identity = await database.identity()
    finally:
        await database.close()
    if run is not None:
        _same_server(run, identity)
    choice = choose(find_clients(), target, identity.version)
    # A job's name on the server is the run's to find and to cancel by; outside of one it is ours.
    name = os.environ.get("PGAPPNAME", "")
    app_name = name if name.startswith("mc/") else f"mc/{(run.id if run else word)[:8]}/{processes.new_id()[:8]}"
    return Setting(
        target, identity, choice, Toolbox(choice.clients, target, app_name, secrets.redact), secrets.redact, run
    )


def _link(state_dir: str | None, name: str | None) -> RunLink | None:
    if not name:
        return None
    directory = RunStore(state_directory(state_dir)).find(name)
    state = Run()
    for event in reading.read_events(directory.journal):
        state.apply(event)
    return RunLink(directory, str(opened_data(directory).get("run", "")), state, attempt_directory() is not None)


def _target(run: RunLink | None, url: str) -> Target:
    if run is None or run.as_job:
        return resolve_target(url or None)
    return opening.restored(run.directory, opening.Options(target=url))[1].target


def _same_server(run: RunLink, identity: ServerIdentity) -> None:
    """Raise StoppedError unless this is the server and database that the run has pinned."""
    pinned = run.state.identity
    now = asdict(identity)
    if not pinned:
        return
    for what in ("system_identifier", "database", "host", "port"):
        if pinned.get(what) is not None and pinned.get(what) != now[what]:
            raise StoppedError(
                "This is not the server that the run was opened on",
                f"{what}: pinned {pinned[what]}, found {now[what]}.",
                "Find out what changed (failover, DNS, tunnel); pin the new server in the console if it is right.",
            )


def refuse_beside_migration(run: RunLink | None, item: str) -> None:
    """Raise StoppedError while another step of the run that changes something is at work."""
    if run is None:
        return
    own = attempt_directory()
    for attempt in run.state.running():
        if own is not None and run.directory.attempt(attempt.item, attempt.number) == own:
            continue
        if (
            attempt.item != item
            and attempt.danger in ("mutating", "destructive")
            and attempt.job not in ("backup", "prove")
        ):
            raise StoppedError(
                "A step of the run is changing the database",
                f"{attempt.item}, attempt {attempt.number}, is running.",
                "Take the backup before it starts or after it has ended.",
            )


async def conclude(setting: Setting, outcome: JobOutcome) -> None:
    """Leave the outcome where it belongs: the attempt's directory, or the facts in the run's journal."""
    write_outcome(outcome)
    await _append(setting, outcome.facts)


async def stated(setting: Setting, fact: Mapping[str, Any], reports: Reports) -> None:
    """Put a fact on record before the act that makes it true; it stays whatever becomes of the command.

    In a job's attempt that is an outcome of its own, which the end of the command replaces: who is killed has failed.
    """
    reports.facts.append(fact)
    write_outcome(JobOutcome("failed", ["it did not come to its end"], reports.lines[-200:], facts=reports.facts))
    await _append(setting, [fact])


async def _append(setting: Setting, facts: Iterable[Mapping[str, Any]]) -> None:
    if setting.run is None or setting.run.as_job:
        return
    journal = await SqliteJournal.open(setting.run.directory.journal, Console.here(processes.login_name()))
    try:
        for fact in facts:
            kind = Kind(fact["kind"])
            key = fact_key(kind, fact["key"])
            await journal.append(Draft(kind, json.loads(json.dumps(fact["data"])), processes.login_name(), key=key))
    finally:
        await journal.close()


def failed(error: MigconsoleError, redact: Callable[[str], str], lines: list[str], **more: Any) -> JobOutcome:
    """The outcome of a command that did not succeed: a person is asked where it stopped at one."""
    verdict = "asks" if error.exit_code == EXIT_STOPPED else "failed"
    reasons = [redact(text) for text in (error.title, *error.detail.splitlines(), error.remedy) if text]
    return JobOutcome(verdict, reasons[:40], lines[-200:], **more)


@contextlib.asynccontextmanager
async def interruptible() -> AsyncIterator[None]:
    """Cancel the body by SIGINT, SIGTERM or SIGHUP: children end, nothing half done stays, and the exit says so."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def carried_out(work: Callable[[], Awaitable[JobOutcome]], reports: Reports) -> int:
    """Do the work of a command and leave an outcome however it ends; the exit code. Raises MigconsoleError again."""
    try:
        async with interruptible():
            outcome = await work()
    except asyncio.CancelledError:
        reports.say("interrupted: nothing that counts was left behind")
        write_outcome(JobOutcome("failed", ["interrupted"], reports.lines[-200:], facts=reports.facts))
        return EXIT_INTERRUPTED
    except MigconsoleError as error:
        with contextlib.suppress(OSError):
            write_outcome(failed(error, reports.redact, reports.lines, facts=reports.facts))
        raise
    return EXIT_OK if outcome.verdict == "passed" else EXIT_STOPPED
