"""The engine's outside as scripts: jobs that do what a test says, a server that answers or not, a journal in memory.

Only ports are played. Session, attempts, policy, fold and judgement are the real ones, and so are the output files.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from migconsole.adapters.jobs.outcomes import ATTEMPT_DIRECTORY, JobOutcome, read_outcome, write_outcome
from migconsole.adapters.outputs import FileOutput
from migconsole.domain.checklist import (
    Alternative,
    Answer,
    Check,
    Checklist,
    Danger,
    Item,
    Job,
    Mode,
    Phase,
    Run,
    Section,
    Sql,
    Step,
    TargetSpec,
    Variable,
)
from migconsole.domain.events import GENESIS, Draft, Event, Kind, canonical, chain_hash
from migconsole.domain.expectation import Expectation, Observation, parse
from migconsole.engine.ports import (
    CheckResult,
    JobPhase,
    JobRequest,
    JobResult,
    JobStatus,
    Presence,
    ServerIdentity,
    StopRung,
    Surroundings,
)
from migconsole.engine.record_ports import RecordFiles, Sender
from migconsole.engine.resolve import Confirmation
from migconsole.engine.session import Session
from migconsole.errors import JournalError, MigconsoleError, StoppedError, TargetError
from tests.desk import FakeDesk

SECRET = "s3cr3t-pass"
SAID_YES = Confirmation(1)
IDENTITY = ServerIdentity(
    database="app",
    host="db1",
    port=5432,
    user="deploy",
    version="16.4",
    version_num=160004,
    in_recovery=False,
    system_identifier="7300000000000000001",
    oid=16401,
    started_at="2030-01-01T00:00:00Z",
)
TYPED = Confirmation(2, IDENTITY.name)


def redact(text: str) -> str:
    return text.replace(SECRET, "********")


# The journal ---------------------------------------------------------------------------------------------------------


class Store:
    """What is on disk, shared by several consoles; ``broken`` is why nothing can be written."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.holder = ""
        self.present: dict[str, float] = {}
        self.stale: set[str] = set()
        self.broken = ""
        self.unreadable = ""
        self.beats = 0

    def add(self, draft: Draft) -> Event:
        for event in self.events:
            if draft.key and event.key == draft.key:
                return event
        seq = len(self.events) + 1
        previous = self.events[-1].hash if self.events else GENESIS
        at = (datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=seq)).isoformat(timespec="milliseconds")
        text = canonical(draft.data)
        digest = chain_hash(previous, seq, at, float(seq), draft.kind, draft.actor, draft.key, text)
        self.events.append(
            Event(seq, at, float(seq), str(draft.kind), draft.actor, dict(draft.data), previous, digest, draft.key)
        )
        return self.events[-1]

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def of(self, kind: Kind) -> list[Mapping[str, Any]]:
        return [event.data for event in self.events if event.kind == kind]


class MemoryJournal:
    """One console's journal over a store. ``gate`` holds appends up until a test opens it."""

    def __init__(self, store: Store, console: str) -> None:
        self.store = store
        self.console = console
        self.gate: asyncio.Event | None = None
        self.closed = False

    async def append(self, draft: Draft) -> Event:
        if self.gate is not None:
            await self.gate.wait()
        await asyncio.sleep(0)
        if self.store.broken or self.closed:
            raise JournalError(self.store.broken or "The journal is closed")
        if draft.decision and self.store.holder != self.console:
            raise StoppedError("Another console drives this run")
        return self.store.add(draft)

    async def read(self, after: int = 0) -> list[Event]:
        await asyncio.sleep(0)
        if self.store.unreadable:
            raise JournalError(self.store.unreadable)
        return self.store.events[after:]

    async def take_lease(self, actor: str, reason: str = "") -> bool:
        holder = self.store.holder
        if holder == self.console:
            return True
        if holder in self.store.present and not (holder in self.store.stale and reason):
            return False
        if self.store.broken:
            raise JournalError(self.store.broken)
        self.store.holder = self.console
        self.store.add(Draft(Kind.LEASE_TAKEN, {"console": self.console, "reason": reason}, actor))
        return True

    async def holds_lease(self) -> bool:
        return self.store.holder == self.console

    async def release_lease(self) -> None:
        if self.store.holder == self.console:
            self.store.holder = ""
            self.store.add(Draft(Kind.LEASE_RELEASED, {"console": self.console}))

    async def heartbeat(self) -> Sequence[Presence]:
        if self.store.broken:
            raise JournalError(self.store.broken)
        self.store.present[self.console] = 0.0
        self.store.beats += 1
        return [
            Presence(name, name, "host", "pts/1", name == self.store.holder, age)
            for name, age in self.store.present.items()
        ]

    async def close(self) -> None:
        self.closed = True
        self.store.present.pop(self.console, None)


# Jobs ----------------------------------------------------------------------------------------------------------------


@dataclass
class Scripted:
    """What a job did when it ended."""

    exit_code: int | None = 0
    signal: int | None = None
    output: bytes = b"done\n"
    stopped_by: str = ""
    error: str = ""
    survivors: tuple[str, ...] = ()
    size: int | None = None
    says: JobOutcome | None = None


class ScriptedJobs:
    """Jobs of this host: they outlive a session, as real ones do. ``log`` is what happened, in order."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.log: list[str] = []
        self.requests: list[JobRequest] = []
        self.states: dict[Path, JobStatus] = {}
        self.changed = asyncio.Event()
        self.refuse: MigconsoleError | None = None
        self.at_once: Scripted | None = None
        self.dies_of: StopRung | None = None
        self.start_gate: asyncio.Event | None = None

    async def start(self, request: JobRequest) -> JobStatus:
        if self.start_gate is not None:
            await self.start_gate.wait()
        self.log.append(f"start after {self.store.kinds()[-1]}")
        if self.probe(request.directory).phase is JobPhase.REVOKED:
            return self.probe(request.directory)
        if self.refuse is not None:
            raise self.refuse
        self.requests.append(request)
        self.put(request.directory, JobStatus(JobPhase.RUNNING, 4711, 4712))
        if self.at_once is not None:
            self.end(self.at_once, request.directory)
        return self.probe(request.directory)

    def put(self, directory: Path, status: JobStatus) -> None:
        self.states[directory] = status
        self.changed.set()
        self.changed = asyncio.Event()

    def end(self, how: Scripted | None = None, directory: Path | None = None) -> None:
        how = how or Scripted()
        directory = directory or self.requests[-1].directory
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "output.log").write_bytes(how.output)
        if how.says is not None:
            write_outcome(how.says, {ATTEMPT_DIRECTORY: str(directory)})
        size = len(how.output) if how.size is None else how.size
        result = JobResult(
            exit_code=how.exit_code,
            signal=how.signal,
            started="2030-01-01T00:00:00.000+00:00",
            ended="2030-01-01T00:01:00.000+00:00",
            duration=60.0,
            size=size,
            sha256=hashlib.sha256(how.output).hexdigest(),
            stopped_by=how.stopped_by,
            error=how.error,
            survivors=how.survivors,
        )
        self.put(directory, JobStatus(JobPhase.FINISHED, 4711, 4712, result))

    def probe(self, directory: Path) -> JobStatus:
        return self.states.get(directory, JobStatus(JobPhase.NOT_STARTED))

    async def wait(self, directory: Path) -> JobStatus:
        while self.probe(directory).phase is JobPhase.RUNNING:
            await self.changed.wait()
        return self.probe(directory)

    async def stop(self, directory: Path, rung: StopRung) -> None:
        self.log.append(f"stop {rung.value} after {self.store.kinds()[-1]}")
        if rung is self.dies_of:
            self.end(Scripted(None, 2, b"partly\n", stopped_by=rung.value), directory)

    async def revoke(self, directory: Path) -> bool:
        self.log.append("revoke")
        if self.probe(directory).phase is not JobPhase.NOT_STARTED:
            return False
        self.put(directory, JobStatus(JobPhase.REVOKED))
        return True

    async def resize(self, directory: Path, rows: int, columns: int) -> None:
        self.log.append(f"resize {rows}x{columns}")


# The server ----------------------------------------------------------------------------------------------------------


class ScriptedDatabase:
    """``down`` makes it unreachable; ``backends`` are ours by application name, popped one list a question."""

    def __init__(self) -> None:
        self.down = ""
        self.now = IDENTITY
        self.pinned: ServerIdentity | None = None
        self.rows: Sequence[Sequence[Any]] = [[1]]
        self.lines: tuple[str, ...] = ("column", "1")
        self.judgement: bool | None = True
        self.reason = ""
        self.fault: BaseException | None = None
        self.gate: asyncio.Event | None = None
        self.identity_gate: asyncio.Event | None = None
        self.asked: list[Any] = []
        self.cancelled: list[str] = []
        self.backends: list[list[Mapping[str, Any]]] = []
        self.dumping: list[str] = []
        self.blind = ""
        self.clock: tuple[float, float] | None = (0.0, 0.0)
        self.closed = False

    async def identity(self) -> ServerIdentity:
        if self.identity_gate is not None:
            await self.identity_gate.wait()
        if self.down:
            raise TargetError("The server cannot be reached", self.down)
        return self.now

    def skew(self) -> tuple[float, float] | None:
        return self.clock

    def pin(self, identity: ServerIdentity) -> None:
        self.pinned = identity

    async def query(self, statements: Sequence[str], *, limit: float, lock_timeout: float) -> CheckResult:
        self.asked.append((tuple(statements), limit, lock_timeout))
        await self._answer()
        return CheckResult(tuple(Observation(columns=("n",), rows=self.rows) for _ in statements), self.lines)

    async def check(self, name: str, arguments: Mapping[str, Any]) -> CheckResult:
        self.asked.append((name, dict(arguments)))
        await self._answer()
        return CheckResult((Observation(values={"free": 1}),), self.lines, self.judgement, self.reason)

    async def _answer(self) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        if self.down:
            raise TargetError("The server cannot be reached", self.down)

    async def cancel(self, app_name: str) -> int:
        if self.down:
            raise TargetError("The server cannot be reached", self.down)
        self.cancelled.append(app_name)
        return 1

    async def ours(self, app_name: str) -> Sequence[Mapping[str, Any]]:
        if self.down:
            raise TargetError("The server cannot be reached", self.down)
        return self.backends.pop(0) if self.backends else []

    async def keep_schema(self) -> None:
        self.asked.append("schema")
        if self.blind:
            raise TargetError("The server cannot be asked", self.blind)

    async def dumps(self) -> Sequence[str]:
        if self.down or self.blind:
            raise TargetError("The server cannot be asked", self.down or self.blind)
        return self.dumping

    async def close(self) -> None:
        self.closed = True


BACKEND = {"pid": 99, "state": "active", "query": "ALTER TABLE t"}


# Files ---------------------------------------------------------------------------------------------------------------


class Files:
    """A run directory; ``full`` makes evidence impossible to keep."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.full = ""
        self.raised: dict[str, str] = {}

    def attempt(self, item: str, number: int) -> Path:
        path = self.path / "jobs" / item / str(number)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def outcome(self, item: str, number: int) -> JobOutcome | None:
        return read_outcome(self.path / "jobs" / item / str(number))

    def write_output(self, item: str, number: int, lines: Sequence[str]) -> tuple[int, str]:
        if self.full:
            raise JournalError(self.full)
        data = "".join(f"{line}\n" for line in lines).encode()
        (self.attempt(item, number) / "output.log").write_bytes(data)
        return len(data), hashlib.sha256(data).hexdigest()

    def open_output(self, item: str, number: int) -> FileOutput | None:
        path = self.path / "jobs" / item / str(number) / "output.log"
        return FileOutput(path) if path.exists() else None

    def flags(self) -> Mapping[str, str]:
        return dict(self.raised)


# The checklist -------------------------------------------------------------------------------------------------------


def expect(kind: str, **conditions: Any) -> Expectation:
    return parse(conditions, kind)


def command(script: str = "./apply.sh", danger: Danger | None = Danger.MUTATING, **more: Any) -> Step:
    return Step(Run(script), danger=danger, **more)


ITEMS = (
    Item("tell", "Tell the team"),
    Item("size", "Backup size", Step(Answer("size", "How large?", variable="backup_size"))),
    Item("token", "Token", Step(Answer("text", "Which?", variable="api_token"))),
    Item("version", "Server version", Step(Check("server_version"))),
    Item("rows", "Rows are there", Step(Sql(("SELECT 1",)), expect=expect("sql", rows="1"))),
    Item("look", "Look at it", Step(Sql(("SELECT 1", "SELECT 2")))),
    Item("apply", "Apply", command(expect=expect("run", exit="0", output="done"))),
    Item("bare", "No expectation", command()),
    Item("drop", "Drop", command("dropdb app", Danger.DESTRUCTIVE, expect=expect("run", exit="0"))),
    Item("log", "Read the log", command("tail log", Danger.READ)),
    Item("quiet", "Must say nothing bad", command(expect=expect("run", not_output="ERROR"))),
    Item("capture", "Count", command(capture={"applied": r"(\d+) applied"}, expect=expect("run", exit="0"))),
    Item("uses", "Use it", command("echo $applied $backup_size")),
    Item("hidden", "Use a secret", command('curl "$slack"')),
    Item("shell", "By hand", command("tail -f log", Danger.READ, interactive=True)),
    Item("shell-rw", "By hand, writing", command("psql", interactive=True)),
    Item("job", "Lint", Step(Job("lint", {"files": "${place}"}), expect=expect("job", findings="0"))),
    Item("opt", "If you like", optional=True),
    Item("must", "Must be done", required=True),
    Item(
        "ways",
        "Several ways",
        alternatives=(Alternative("script", command("./a.sh")), Alternative("query", Step(Sql(("SELECT 1",))))),
    ),
    Item("folder", "Elsewhere", command("ls", Danger.READ, cwd="${place}/x")),
    Item("locked", "With a lock timeout", command("psql", lock_timeout=2.5, url="original")),
)


def checklist(
    items: Sequence[Item] = ITEMS, *, mode: Mode = Mode.DO_CONFIRM, environment: str = "production"
) -> Checklist:
    return Checklist(
        title="Migration",
        target=TargetSpec(environment=environment),
        variables={
            "slack": Variable("slack", env="SLACK_WEBHOOK", secret=True),
            "api_token": Variable("api_token", secret=True),
            "backup_size": Variable("backup_size"),
            "place": Variable("place", default="sub"),
        },
        phases=(Phase("p", "Phase", 0, (Section("s", "Section", tuple(items), mode),)),),
        rollback=(Section("back", "Back", (Item("undo", "Undo", command("./undo.sh", Danger.DESTRUCTIVE)),)),),
    )


def only(*ids: str, **changes: Mapping[str, Any]) -> tuple[Item, ...]:
    """The named items in that order, with changes by id."""
    return tuple(replace(next(i for i in ITEMS if i.id == name), **changes.get(name, {})) for name in ids)


# Everything together -------------------------------------------------------------------------------------------------


@dataclass
class World:
    """One host with one run; consoles come and go."""

    path: Path
    list: Checklist = field(default_factory=checklist)
    desk: FakeDesk = field(default_factory=FakeDesk)
    unavailable: dict[str, str] = field(default_factory=dict)
    record: RecordFiles | None = None
    sender: Sender | None = None

    def __post_init__(self) -> None:
        self.store = Store()
        self.files = Files(self.path)
        self.jobs = ScriptedJobs(self.store)
        self.database = ScriptedDatabase()
        self.sessions: list[Session] = []
        self.store.add(
            Draft(
                Kind.RUN_OPENED,
                {
                    "run": "run-12345678",
                    "title": self.list.title,
                    "checklist_sha256": "c" * 64,
                    "environment": self.list.target.environment,
                },
                "ana",
            )
        )

    def session(self, console: str = "one", *, read_only: bool = False) -> Session:
        surroundings = Surroundings(
            project=self.path,
            target="app@db1:5432",
            env_file={},
            environment={"SLACK_WEBHOOK": SECRET, "HOME": "/root", "PGHOST": "elsewhere", "DATABASE_URL": "x"},
            child_environment={"PGHOST": "db1", "PGDATABASE": "app"},
            child_secrets={"PGPASSWORD": SECRET},
            originals={"DATABASE_URL": f"postgres://u:{SECRET}@db1/app"},
            masks=(SECRET,),
            redact=redact,
            unavailable=self.unavailable,
            missing=lambda script, cwd: "",
        )
        session = Session(
            self.list,
            MemoryJournal(self.store, console),
            self.files,
            self.jobs,
            self.database,
            surroundings,
            console_id=console,
            actor=console,
            read_only=read_only,
            record=self.record,
            sender=self.sender,
            desk=self.desk,
        )
        self.sessions.append(session)
        return session

    async def opened(self, console: str = "one", *, read_only: bool = False) -> Session:
        session = self.session(console, read_only=read_only)
        await session.open()
        return session

    def crash(self, session: Session) -> None:
        """The console's process is gone: its tasks with it, nothing said."""
        self.store.present.pop(session.console_id, None)
        journal = session._journal
        assert isinstance(journal, MemoryJournal)
        journal.closed = True
        for task in (session._follower, *session._attempts._live.values()):
            if task is not None:
                task.cancel()

    async def close(self) -> None:
        for session in self.sessions:
            await session.close()
