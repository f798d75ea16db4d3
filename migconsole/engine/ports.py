"""What the engine needs from the outside, as protocols: every adapter stands behind one of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from migconsole.domain.events import Draft, Event
from migconsole.domain.expectation import Observation
from migconsole.domain.outcomes import JobOutcome
from migconsole.domain.readings import Alarm, Reading


@dataclass(frozen=True, slots=True)
class JobRequest:
    """Everything a detached job needs, written to ``request.json``; it never holds a secret's value.

    ``script`` is bash text. ``environment`` are additions that may be written down; values of ``secrets``
    (name → value) travel in the runner's own environment only. ``masks`` are the values that must never reach the
    output file; every secret's value is masked too. ``timeout`` in seconds applies only to ``danger == "read"``.
    ``kind`` is the name of a built-in job, which has ``arguments`` in place of a script and is told its ``run``'s
    directory; a shell command is ``shell``.
    """

    run_id: str
    item: str
    attempt: int
    directory: Path
    script: str
    cwd: Path
    app_name: str
    danger: str = "read"
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    masks: Sequence[str] = ()
    tty: bool = True
    rows: int = 40
    columns: int = 120
    timeout: float | None = None
    kind: str = "shell"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    run: str = ""


class JobPhase(StrEnum):
    """What the run directory and the process table say about an attempt's job."""

    NOT_STARTED = "not-started"
    RUNNING = "running"
    FINISHED = "finished"
    REVOKED = "revoked"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class JobResult:
    """The content of ``result.json``. Exactly one of ``exit_code`` and ``signal`` is set, unless ``error`` is.

    Times: ``started``/``ended`` are UTC ISO 8601, ``duration`` is monotonic seconds. ``size`` is bytes of the masked
    output and ``sha256`` its hash; ``masked`` counts replaced secrets. ``error`` says why nothing could be executed,
    or that the output is incomplete (disk full). ``survivors`` are processes that outlived the command, as
    ``name (pid)``; ``stop`` still reaches them. ``stopped_by`` is the last rung that was sent, and by what.
    """

    exit_code: int | None
    signal: int | None
    started: str
    ended: str
    duration: float
    size: int
    sha256: str
    masked: int = 0
    timed_out: bool = False
    stopped_by: str = ""
    error: str = ""
    survivors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One reading of a job. ``reason`` explains LOST ("runner gone", "host rebooted", …).

    ``processes`` are the pids of what remains of a job that is LOST, or FINISHED with survivors.
    """

    phase: JobPhase
    pid: int | None = None
    child_pid: int | None = None
    result: JobResult | None = None
    reason: str = ""
    processes: tuple[int, ...] = ()


class StopRung(StrEnum):
    """The ladder: each rung is stronger than the one before."""

    INTERRUPT = "SIGINT"
    CANCEL_BACKEND = "pg_cancel_backend"
    TERMINATE = "SIGTERM"
    KILL = "SIGKILL"


class Jobs(Protocol):
    """Detached jobs, found again by their directory whatever happened to the console."""

    async def start(self, request: JobRequest) -> JobStatus:
        """Write the request, spawn the runner, and return once it has claimed the attempt or failed to."""

    def probe(self, directory: Path) -> JobStatus:
        """Read a job's state from disk and process table; never raises for what it finds there."""

    async def wait(self, directory: Path) -> JobStatus:
        """Return when the job is no longer running, adopted or own."""

    async def stop(self, directory: Path, rung: StopRung) -> None:
        """Send one rung's signal to the whole process tree of the job."""

    async def revoke(self, directory: Path) -> bool:
        """Claim an attempt that never started so that it never will; False when the runner was first."""

    async def resize(self, directory: Path, rows: int, columns: int) -> None:
        """Tell the job's terminal its new size."""


class Journal(Protocol):
    """The append-only record. Appending is durable when the call returns."""

    async def append(self, draft: Draft) -> Event:
        """Append one event; a fact whose key exists already returns the stored event.

        Raises JournalError when it cannot be made durable and StoppedError when a decision is made without the lease.
        """

    async def read(self, after: int = 0) -> list[Event]:
        """All events with a sequence number above ``after``, in order."""

    async def take_lease(self, actor: str, reason: str = "") -> bool:
        """Become the driver; False when another console's lease is fresh, or stale and no ``reason`` was given."""

    async def holds_lease(self) -> bool:
        """Whether this console drives."""

    async def release_lease(self) -> None:
        """Let go, so that the next console drives at once."""

    async def heartbeat(self) -> Sequence[Presence]:
        """Record that this console is alive and return all present ones."""

    async def close(self) -> None:
        """Close the files; the journal stays valid whether or not this is called."""


@dataclass(frozen=True, slots=True)
class Presence:
    """A console that is looking at the run. ``age`` is seconds since its last heartbeat."""

    console: str
    actor: str
    host: str
    tty: str
    driving: bool
    age: float


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a built-in check or a query saw.

    ``observations`` holds one entry per statement (one for a check). ``lines`` is the evidence for a person, plain
    text, already free of secrets. ``judgement`` is True, False or None (cannot tell: ask a person), the check's own
    opinion without an ``expect``; queries have none.
    """

    observations: tuple[Observation, ...]
    lines: tuple[str, ...]
    judgement: bool | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """What the server itself reports: the pinned part must not change during a run.

    ``system_identifier`` is None where the role may not read it. ``oid`` is expected state (a swap changes it).
    """

    database: str
    host: str
    port: int
    user: str
    version: str
    version_num: int
    in_recovery: bool
    system_identifier: str | None
    oid: int
    started_at: str
    server_address: str = ""

    @property
    def name(self) -> str:
        """The form that is typed to confirm a destructive act: ``db@host:port``."""
        return f"{self.database}@{self.host}:{self.port}"

    def differences(self, now: ServerIdentity) -> tuple[str, ...]:
        """What changed since the identity was pinned, in words; empty when it is the same server and database."""
        pairs = (
            ("database name", self.database, now.database),
            ("host", self.host, now.host),
            ("port", self.port, now.port),
            ("system identifier", self.system_identifier, now.system_identifier),
            ("recovery state", _role(self.in_recovery), _role(now.in_recovery)),
            ("database oid", self.oid, now.oid),
        )
        return tuple(f"{what}: was {a}, is {b}" for what, a, b in pairs if a != b)


def _role(in_recovery: bool) -> str:
    return "standby" if in_recovery else "primary"


class Database(Protocol):
    """The target: identity, read-only queries, checks, and cancelling our own backends."""

    async def identity(self) -> ServerIdentity:
        """Ask the server who it is; raises TargetError with a remedy when it cannot be asked."""

    def skew(self) -> tuple[float, float] | None:
        """Seconds that the server's clock was ahead of this host's when its identity was read, give or take seconds.

        None before that.
        """

    def pin(self, identity: ServerIdentity) -> None:
        """Let checks compare with the identity that the run was opened on."""

    async def query(self, statements: Sequence[str], *, limit: float, lock_timeout: float) -> CheckResult:
        """Run read-only statements, one per transaction, ``limit`` seconds each.

        Raises TargetError with the server's message.
        """

    async def check(self, name: str, arguments: Mapping[str, Any]) -> CheckResult:
        """Run a built-in check by name."""

    async def cancel(self, app_name: str) -> int:
        """``pg_cancel_backend`` on every backend with this application name; returns how many were signalled."""

    async def signal(self, pid: int, backend_start: str, *, terminate: bool) -> str:
        """Cancel what a session runs, or end it, if the pid is still that session.

        Returns what became of it in words ("signalled", "nothing was signalled: …"); raises TargetError.
        """

    async def ours(self, app_name: str) -> Sequence[Mapping[str, Any]]:
        """Backends with this application name: pid, state, query_start seconds ago, query."""

    async def dumps(self) -> Sequence[str]:
        """Sessions that copy the database out (a pg_dump of anybody's, a backup of ours), in words.

        Raises TargetError when it cannot be seen: then nobody knows that there is none.
        """

    async def keep_schema(self) -> None:
        """Keep the schema's fingerprint with the run, unless one is kept. Raises MigconsoleError."""

    async def close(self) -> None:
        """Close all sessions."""


class Output(Protocol):
    """A job's output file as lines, for a view that shows a window of it.

    Lines are addressed by number from 0. ``grow`` looks for new bytes; everything else works on what was found.
    The file may be truncated, replaced or removed while it is open: ``generation`` then changes, and ``note`` says so.
    """

    path: Path

    def grow(self, budget: float = 0.02) -> bool:
        """Index new bytes for at most about ``budget`` seconds; True when something changed. Never raises."""

    @property
    def complete(self) -> bool:
        """Whether everything on disk is indexed."""

    @property
    def size(self) -> int:
        """Indexed bytes."""

    @property
    def total(self) -> int:
        """Bytes on disk at the last look; more than ``size`` while a big file is being indexed."""

    @property
    def exact(self) -> bool:
        """Whether numbers count from the first line of the file; False while only a window at its end is known."""

    @property
    def generation(self) -> int:
        """Changes whenever line numbers change their meaning; ``moved`` then says how."""

    @property
    def moved(self) -> int | None:
        """What to add to a number of the previous generation to find the same line; None: start afresh."""

    @property
    def note(self) -> str:
        """What happened to the file that a reader must know (truncated, replaced, removed, unreadable), or ""."""

    def seek_end(self) -> None:
        """While the index is incomplete, number the lines of a window at the end, so that the end shows at once."""

    def seek_start(self) -> None:
        """While the index is incomplete, number from the first line again."""

    def __len__(self) -> int: ...

    def line(self, number: int) -> bytes:
        """The raw bytes of one line without its newline; long lines are cut at a stated limit.

        Of a long line that overwrites itself (a progress bar) it is the end, which is what a terminal would show.
        """

    def length(self, number: int) -> int:
        """How many bytes the whole line has: more than ``line`` returned where that was cut."""

    def find(self, pattern: bytes, start: int, *, backwards: bool = False) -> int | None:
        """The number of the next line at or after (before) ``start`` that matches, or None."""

    def scan(
        self, pattern: bytes, start: int, *, backwards: bool = False, hints: Sequence[bytes] = ()
    ) -> Iterator[int | None]:
        """The numbers of all such lines in that direction, and None after each few milliseconds of work.

        The iterator ends early when the generation changes. ``hints`` are lower-case words of which every match holds
        one: they only make it faster. Escape sequences are not seen by the pattern. The iterator raises
        TooSlowError where the pattern would not end on some line.
        """

    def is_stderr(self, number: int) -> bool:
        """Whether the line begins in bytes that came through stderr; False where that is not known."""

    def time(self, number: int) -> float | None:
        """When the beginning of the line was written, in Unix seconds; None where no times were kept."""

    @property
    def has_times(self) -> bool:
        """Whether times were kept beside the file."""

    def close(self) -> None:
        """Let go of the file."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as the runs screen and ``migconsole runs`` list it. ``live`` means a console has it open now."""

    path: Path
    run_id: str
    title: str
    target: str
    state: str
    done: int
    total: int
    opened_at: str
    last_at: str
    live: bool = False
    problem: str = ""


class RunFiles(Protocol):
    """The run directory beside the journal: attempts' folders and the flag files that work from any shell."""

    path: Path

    def attempt(self, item: str, number: int) -> Path:
        """Where an attempt's files lie; made (0700) when it does not exist."""

    def write_output(self, item: str, number: int, lines: Sequence[str]) -> tuple[int, str]:
        """Keep the evidence of an attempt that had no process, as its output; returns size in bytes and SHA-256."""

    def outcome(self, item: str, number: int) -> JobOutcome | None:
        """What a built-in job said about itself, None when it left nothing.

        Raises ValueError, in words, when what it left cannot be believed.
        """

    def open_output(self, item: str, number: int) -> Output | None:
        """An attempt's output as lines, None when it has left none (yet)."""

    def flags(self) -> Mapping[str, str]:
        """The flag files present (HOLD, PANIC) with their first line."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run stands in on this host: values for variables, the children's environment, and what must stay secret.

    ``env_file`` and ``environment`` are where ``${name}`` is looked up last. ``child_environment`` and
    ``child_secrets`` go to every child: PG* and DATABASE_URL of the one parsed target, the password apart.
    ``originals`` are the URLs as given, for a migrator that needs them. ``redact`` masks every secret value in a text.
    ``unavailable`` maps an action ("check:regression") to why this version cannot carry it out. ``missing`` says which
    program or script of a shell text (with its working directory inside the project) cannot be found here, or "".
    """

    project: Path
    target: str
    env_file: Mapping[str, str]
    environment: Mapping[str, str]
    child_environment: Mapping[str, str]
    child_secrets: Mapping[str, str]
    originals: Mapping[str, str]
    masks: Sequence[str]
    redact: Callable[[str], str]
    unavailable: Mapping[str, str]
    missing: Callable[[str, str], str]


class HealthSource(Protocol):
    """What the watcher has written, for surfaces that only read it. Every call is quick and never raises."""

    def latest(self, probe: str) -> Reading | None:
        """The newest reading of a probe, None when there is none yet."""

    def before(self, probe: str, at: float) -> Reading | None:
        """The newest reading at or before Unix time ``at``: the other end of a window."""

    def series(self, name: str, seconds: float) -> Sequence[tuple[float, float | None]]:
        """A value over the last ``seconds`` as (Unix time, value); None marks a gap, which is drawn as one."""

    def alarms(self, *, open_only: bool = True) -> Sequence[Alarm]:
        """Alarms, the newest first."""

    def watcher(self) -> WatcherState:
        """Who samples, and whether it still does."""


@dataclass(frozen=True, slots=True)
class WatcherState:
    """The background process that samples. ``age`` is seconds since its last sign of life, None when there is none.

    ``cost`` is the share of wall time that its queries took of late, ``connections`` how many it holds.
    """

    alive: bool
    age: float | None
    pid: int | None = None
    cost: float | None = None
    connections: int = 0
    problem: str = ""
