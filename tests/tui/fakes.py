"""A real session over fake ports: the journal in memory, jobs and a server that do as they are told.

Everything a screen shows then went through the real fold, the real policy and the real attempts; only the outside is
played. Time stands still unless a test moves it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from migconsole.adapters.jobs.outcomes import JobOutcome, read_outcome
from migconsole.adapters.outputs import FileOutput
from migconsole.adapters.themes import load_palettes
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
    Tripwire,
    Variable,
)
from migconsole.domain.events import GENESIS, Draft, Event, Kind, canonical, chain_hash
from migconsole.domain.expectation import Condition, Expectation, Observation
from migconsole.engine.ports import (
    CheckResult,
    JobPhase,
    JobRequest,
    JobResult,
    JobStatus,
    Output,
    Presence,
    RunSummary,
    ServerIdentity,
    StopRung,
    Surroundings,
)
from migconsole.engine.session import Session
from migconsole.errors import JournalError, StoppedError, TargetError
from migconsole.tui.app import MigconsoleApp
from migconsole.tui.format import Clock
from migconsole.tui.screens.health import HealthAccess
from migconsole.tui.screens.main import MainScreen
from tests.desk import FakeDesk

START = datetime(2030, 3, 9, 0, 43, 0, tzinfo=UTC)
CONSOLE = "console-1"
HOSTILE = "[/foo] [red]broken \x1b]0;owned\x07run"
SECRET = "hunter2-secret"
IDENTITY = ServerIdentity(
    database="fulfillment_ops_db",
    host="db1",
    port=5432,
    user="deploy",
    version="16.4",
    version_num=160004,
    in_recovery=False,
    system_identifier="7301234567890123456",
    oid=16401,
    started_at="2030-03-01T00:00:00+00:00",
)


@dataclass
class Hands:
    """The clock's hands; a test moves them, ``running`` lets them follow the real clock."""

    moment: datetime = START
    mono: float = 1000.0

    def forward(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        self.mono += seconds

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.mono, utc=lambda: self.moment)


class FakeJournal:
    """Chained events in memory, one lease."""

    def __init__(self, hands: Hands) -> None:
        self.events: list[Event] = []
        self.hands = hands
        self.holder = ""
        self.free = True
        self.broken = ""

    def put(self, kind: Kind, data: Mapping[str, Any], actor: str = "ana", key: str = "") -> Event:
        for event in self.events:
            if key and event.key == key:
                return event
        previous = self.events[-1].hash if self.events else GENESIS
        seq, at = len(self.events) + 1, self.hands.moment.isoformat(timespec="milliseconds")
        mono, text = self.hands.mono, canonical(data)
        digest = chain_hash(previous, seq, at, mono, kind, actor, key, text)
        self.events.append(Event(seq, at, mono, kind, actor, dict(data), previous, digest, key))
        return self.events[-1]

    async def append(self, draft: Draft) -> Event:
        if self.broken:
            raise JournalError(self.broken)
        if draft.decision and self.holder != CONSOLE:
            raise StoppedError("Another console drives")
        return self.put(draft.kind, draft.data, draft.actor, draft.key)

    async def read(self, after: int = 0) -> list[Event]:
        return self.events[after:]

    async def take_lease(self, actor: str, reason: str = "") -> bool:
        if not self.free:
            return False
        if self.holder != CONSOLE:
            self.holder = CONSOLE
            self.put(Kind.LEASE_TAKEN, {"console": CONSOLE, "reason": reason}, actor)
        return True

    async def holds_lease(self) -> bool:
        return self.holder == CONSOLE

    async def release_lease(self) -> None:
        self.holder = ""
        self.put(Kind.LEASE_RELEASED, {"console": CONSOLE})

    async def heartbeat(self) -> Sequence[Presence]:
        return [Presence(CONSOLE, "ana", "ops1", "pts/1", self.holder == CONSOLE, 0.0)]

    async def close(self) -> None:
        pass


class FakeFiles:
    """A run directory under a temporary path; output files are read by the real reader."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def attempt(self, item: str, number: int) -> Path:
        folder = self.path / "jobs" / item / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def outcome(self, item: str, number: int) -> JobOutcome | None:
        return read_outcome(self.path / "jobs" / item / str(number))

    def write_output(self, item: str, number: int, lines: Sequence[str]) -> tuple[int, str]:
        text = "".join(f"{line}\n" for line in lines).encode()
        (self.attempt(item, number) / "output.log").write_bytes(text)
        return len(text), "0" * 64

    def open_output(self, item: str, number: int) -> Output | None:
        path = self.attempt(item, number) / "output.log"
        return FileOutput(path) if path.exists() else None

    def flags(self) -> Mapping[str, str]:
        return {}


class FakeJobs:
    """Starts nothing; a job runs until the test finishes it or the ladder reaches ``dies_of``."""

    def __init__(self) -> None:
        self.requests: list[JobRequest] = []
        self.sent: list[StopRung] = []
        self.output = b"Applying 20301120_add_unit_cost ...\nALTER TABLE\n"
        self.dies_of: StopRung | None = StopRung.INTERRUPT
        self.alive: set[Path] = set()
        self.sizes: list[tuple[int, int]] = []
        self._ends: dict[Path, asyncio.Future[JobResult]] = {}

    def _end(self, directory: Path) -> asyncio.Future[JobResult]:
        if directory not in self._ends:
            self._ends[directory] = asyncio.get_running_loop().create_future()
        return self._ends[directory]

    async def start(self, request: JobRequest) -> JobStatus:
        self.requests.append(request)
        (request.directory / "output.log").write_bytes(self.output)
        self._end(request.directory)
        return JobStatus(JobPhase.RUNNING, 4711, 4712)

    def probe(self, directory: Path) -> JobStatus:
        end = self._ends.get(directory)
        if directory in self.alive:
            return JobStatus(JobPhase.RUNNING, 4711)
        if end is None:
            return JobStatus(JobPhase.LOST, reason="runner gone")
        return JobStatus(JobPhase.FINISHED, result=end.result()) if end.done() else JobStatus(JobPhase.RUNNING, 4711)

    async def wait(self, directory: Path) -> JobStatus:
        result = await asyncio.shield(self._end(directory))
        return JobStatus(JobPhase.FINISHED, result=result)

    async def stop(self, directory: Path, rung: StopRung) -> None:
        self.sent.append(rung)
        if rung is self.dies_of:
            self.finish(None, signal=2)

    async def revoke(self, directory: Path) -> bool:
        return False

    async def resize(self, directory: Path, rows: int, columns: int) -> None:
        self.sizes.append((rows, columns))

    def finish(self, exit_code: int | None, signal: int | None = None) -> None:
        directory = self.requests[-1].directory
        at = START.isoformat()
        result = JobResult(exit_code, signal, at, at, 3.0, len(self.output), "1" * 64)
        if not self._ends[directory].done():
            self._ends[directory].set_result(result)


class FakeDatabase:
    """Answers at once; ``down`` makes it unreachable, ``rows`` and ``verdicts`` are what it reports."""

    def __init__(self) -> None:
        self.down = ""
        self.identity_now = IDENTITY
        self.rows: list[list[Any]] = [["unit_cost"]]
        self.lines: tuple[str, ...] = ("column_name", "unit_cost")
        self.judgement: bool | None = True
        self.dumping: list[str] = []

    async def identity(self) -> ServerIdentity:
        if self.down:
            raise TargetError("The server cannot be reached", self.down)
        return self.identity_now

    def skew(self) -> tuple[float, float] | None:
        return None

    def pin(self, identity: ServerIdentity) -> None:
        self.pinned = identity

    async def query(self, statements: Sequence[str], *, limit: float, lock_timeout: float) -> CheckResult:
        return CheckResult((Observation(columns=("column_name",), rows=self.rows),), self.lines)

    async def check(self, name: str, arguments: Mapping[str, Any]) -> CheckResult:
        return CheckResult((Observation(values={"free": 1}),), (f"{name}: fine",), self.judgement)

    async def signal(self, pid: int, backend_start: str, *, terminate: bool) -> str:
        return "signalled"

    async def cancel(self, app_name: str) -> int:
        return 0

    async def ours(self, app_name: str) -> Sequence[Mapping[str, Any]]:
        return []

    async def keep_schema(self) -> None:
        pass

    async def dumps(self) -> Sequence[str]:
        return self.dumping

    async def close(self) -> None:
        pass


class FakeLibrary:
    """Two unfinished runs, an ended one, a broken one, two checklists; opening gives the world's session."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked: list[tuple[str, Path]] = []

    def runs(self) -> list[RunSummary]:
        at = (START - timedelta(minutes=14)).isoformat()
        name = "fulfillment_ops_db@db1:5432"
        base = Path("/state/runs")
        return [
            RunSummary(base / "a", "a", "Prisma production migration", name, "1 failed", 41, 99, at, at, live=True),
            RunSummary(base / "b", "b", "Plain SQL files through psql", "app@db2:5432", "open", 3, 24, at, at),
            RunSummary(
                base / "c",
                "c",
                "[/foo] broken \x1b]0;owned\x07run",
                "",
                "",
                0,
                0,
                at,
                at,
                problem="the journal is damaged",
            ),
            RunSummary(base / "d", "d", "Rehearsal", name, "ended: completed", 99, 99, at, at),
        ]

    def checklists(self) -> list[tuple[Path, str]]:
        base = Path("/srv/checklists")
        return [
            (base / "prisma.yaml", "Prisma production migration"),
            (base / "generic-sql.yaml", "Plain SQL files through psql"),
        ]

    async def open(self, run: Path) -> Session:
        self.asked.append(("run", run))
        return self.world.session()

    async def create(self, checklist: Path) -> Session:
        self.asked.append(("checklist", checklist))
        return self.world.session()


def checklist(extra: Sequence[Item] = ()) -> Checklist:
    """A small migration with one item of every kind."""
    exits = Expectation((Condition("exit", "0"),))
    apply = "set -e\n./prisma/migrations/apply-all-migrations.sh\necho done as ${operator}"
    before = (
        Item("target", "Verify DATABASE_URL is set correctly", Step(Check("target")), required=True),
        Item("disk", "Check disk space (2× current database size)", Step(Check("disk_free")), estimate=5),
        Item("window", "Schedule maintenance window", Step(Answer("duration", "How long is the window?"))),
        Item("go", "Application lead agrees", Step(Answer("yes-no", "Do they agree?"))),
        Item("notify", "Send start notification to the team", help="Name the window and the person who drives."),
        Item(
            "cache", "Clear application caches", Step(Run("redis-cli flushdb"), danger=Danger.MUTATING), optional=True
        ),
        Item("backup", "Create database backup", Step(Job("drill"))),
    )
    apply_items = (
        Item(
            "apply",
            "Run migration script",
            Step(),
            alternatives=(
                Alternative("script", Step(Run(apply), danger=Danger.MUTATING, expect=exits)),
                Alternative("by hand", Step(Run("npx prisma migrate deploy"), danger=Danger.MUTATING)),
            ),
            needs=("target",),
            estimate=240,
            help="Applies everything that is pending, in order.",
        ),
        Item("watch", "Monitor for errors in real time"),
        Item(
            "columns",
            "Verify key columns exist",
            Step(
                Sql(("SELECT column_name FROM information_schema.columns",)),
                expect=Expectation((Condition("rows", "1"),)),
            ),
        ),
        Item("seed", "Run data population script", Step(Run("./populate.sh"), danger=Danger.MUTATING, expect=exits)),
        Item("psql", "Look around by hand", Step(Run("psql"), danger=Danger.READ, interactive=True)),
        Item("log", "Follow the log", Step(Run("tail -f log"), danger=Danger.READ)),
    )
    after = (
        Item(
            "smoke",
            "Test new features",
            items=(
                Item("smoke-budget", "Budget tracking"),
                Item("smoke-ship", "Shipment tracking"),
            ),
        ),
        Item("times", "Response times against the baseline", Step(Check("regression"))),
        *extra,
    )
    undo = (
        Item(
            "drop",
            "Drop the failed database",
            Step(Run("dropdb --if-exists fulfillment_ops_db"), danger=Danger.DESTRUCTIVE),
        ),
        Item("tell", "Notify everyone of the rollback"),
    )
    return Checklist(
        title="Prisma production migration",
        target=TargetSpec(environment="production"),
        variables={
            "operator": Variable("operator", default="ana", help="who is named in the output"),
            "slack": Variable("slack", env="SLACK_WEBHOOK", secret=True),
        },
        phases=(
            Phase("pre", "Pre-Migration", -3600, (Section("ready", "Readiness", before),)),
            Phase(
                "migrate", "Migration Execution", 0, (Section("apply", "Apply migrations", apply_items, Mode.READ_DO),)
            ),
            Phase("post", "Post-Migration", 900, (Section("verify", "Verification", after),)),
        ),
        tripwires=(
            Tripwire("slow", "Severe performance degradation"),
            Tripwire("bugs", "Critical bugs in core functionality"),
        ),
        rollback=(Section("restore", "Database restoration", undo),),
    )


@dataclass
class World:
    """A session with all its fakes, and the application over it."""

    directory: Path
    hands: Hands = field(default_factory=Hands)
    list: Checklist = field(default_factory=checklist)
    read_only: bool = False
    desk: FakeDesk = field(default_factory=FakeDesk)

    def __post_init__(self) -> None:
        self.journal = FakeJournal(self.hands)
        self.files = FakeFiles(self.directory)
        self.jobs = FakeJobs()
        self.database = FakeDatabase()
        # The other module takes what is hostile from this one.
        from tests.tui.health_source import FakeHealth

        self.watched = FakeHealth(self.hands.moment.timestamp())
        environment = self.list.target.environment
        opened = {
            "run": "run-1",
            "title": self.list.title,
            "checklist_sha256": "0" * 64,
            "target": "postgresql://deploy@db1:5432/fulfillment_ops_db",
            "environment": environment,
            "variables": {},
        }
        self.journal.put(Kind.RUN_OPENED, opened, key="run.opened")

    def session(self) -> Session:
        around = Surroundings(
            project=self.directory,
            target="postgresql://deploy@db1:5432/fulfillment_ops_db",
            env_file={},
            environment={},
            child_environment={},
            child_secrets={"PGPASSWORD": SECRET},
            originals={},
            masks=(SECRET,),
            redact=lambda text: text.replace(SECRET, "•••"),
            unavailable={"check:regression": "the check “regression” is not available yet"},
            missing=lambda script, cwd: "npx is not on the PATH" if "npx" in script else "",
        )
        return Session(
            self.list,
            self.journal,
            self.files,
            self.jobs,
            self.database,
            around,
            console_id=CONSOLE,
            actor="ana",
            read_only=self.read_only,
            desk=self.desk,
        )

    def app(self, theme: str = "midnight", **more: Any) -> MigconsoleApp:
        palettes, problems = load_palettes()
        more.setdefault("health", lambda session: HealthAccess(self.watched))
        return MigconsoleApp(
            self.session(),
            palettes=palettes,
            theme_problems=problems,
            theme=theme,
            clock=self.hands.clock,
            **more,
        )

    # -- history: what happened before the console was opened -----------------------------------------------------

    def started(self, item: str, number: int = 1, danger: str = "mutating", kind: str = "run", text: str = "") -> None:
        data = {"item": item, "attempt": number, "kind": kind, "danger": danger, "text": text or f"./{item}.sh"}
        self.journal.put(Kind.ATTEMPT_STARTED, data)

    def ended(self, item: str, outcome: str, number: int = 1, **more: Any) -> None:
        data = {"item": item, "attempt": number, "outcome": outcome, **more}
        self.journal.put(Kind.ATTEMPT_ENDED, data, key=f"attempt.ended:{item}:{number}")

    def moved(self, item: str, move: str, **more: Any) -> None:
        self.journal.put(Kind.ITEM_MOVED, {"item": item, "move": move, **more})

    def half_way(self, console: str = CONSOLE) -> None:
        """A run in the middle of its work, with a failure and every common state; ``console`` drove it."""
        self.journal.holder = console
        self.journal.put(Kind.LEASE_TAKEN, {"console": console})
        self.hands.forward(4)
        self.started("target", danger="read", kind="check", text="check target")
        self.ended(
            "target", "passed", duration=0.2, lines=["fulfillment_ops_db on db1:5432", "direct, not through a pooler"]
        )
        self.started("disk", danger="read", kind="check", text="check disk_free")
        self.ended("disk", "asks", duration=0.4, lines=["free space is not readable from here"])
        self.hands.forward(31)
        self.moved("window", "attest", value="2h", variable="")
        self.moved("go", "attest", value="yes")
        self.moved("cache", "exclude", reason="no cache in front of it")
        self.hands.forward(60)
        self.started("apply")
        self.files.write_output(
            "apply", 1, ["$ ./prisma/migrations/apply-all-migrations.sh", "psql:1: ERROR:  relation exists"]
        )
        self.ended("apply", "failed", duration=12.0, exit_code=3, reasons=["exit 3, expected 0"])
        self.journal.put(Kind.NOTE, {"text": "the table was left over from the rehearsal", "item": "apply"})
        self.hands.forward(120)
        self.started("apply", 2, text="set -e\n./prisma/migrations/apply-all-migrations.sh\necho done as ana")
        lines = ["$ ./prisma/migrations/apply-all-migrations.sh"]
        for name in ("20301120_add_unit_cost", "20301121_budgets", "20301122_dashboard_layouts"):
            lines += [
                f"Applying {name} ...",
                "ALTER TABLE",
                "NOTICE:  trigger does not exist, skipping",
                "CREATE INDEX",
            ]
        self.files.write_output("apply", 2, lines)
        self.jobs.alive.add(self.files.attempt("apply", 2))
        self.hands.forward(192)

    def health(self, app: MigconsoleApp) -> None:
        """Let a watcher have sampled for two minutes, and look."""
        from tests.tui.health_source import sampled

        self.watched.now = self.hands.moment.timestamp()
        sampled(self.watched)
        for screen in app.screen_stack:
            if isinstance(screen, MainScreen):
                screen.look_at_health()
