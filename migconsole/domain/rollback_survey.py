"""What a rollback looks at before it says anything: the survey, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from migconsole.domain.quantities import format_duration
from migconsole.domain.rollback import DatabaseRow, Names
from migconsole.domain.rollback_state import Replacement, Situation, State


@dataclass(frozen=True, slots=True)
class SessionGroup:
    """Sessions of one application in the database. ``oldest`` is seconds since the first of them began.

    ``beyond`` says that this role may not end them: a superuser's sessions need a superuser.
    """

    application: str
    role: str
    address: str
    count: int
    oldest: float | None = None
    beyond: bool = False


class Hindrance(StrEnum):
    """What can stand in the way of renaming or dropping a database."""

    PREPARED = "prepared transaction"
    SLOT = "logical slot"
    SUBSCRIPTION = "subscription"
    WORKER = "background worker"
    DUMP = "running dump"


@dataclass(frozen=True, slots=True)
class Blocker:
    """One thing in the way, and the command with which a person resolves it. Nothing is ever resolved by itself.

    ``hard`` ones make a swap impossible; the others go with the failed database (an inactive slot) or die with it.
    """

    kind: Hindrance
    name: str
    detail: str
    resolve: str
    hard: bool = True


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock. ``age`` is seconds since its session began."""

    pid: int
    application: str = ""
    address: str = ""
    role: str = ""
    age: float | None = None

    def __str__(self) -> str:
        parts = (self.application or "unnamed", f"as {self.role}" if self.role else "", f"from {self.address}")
        since = "" if self.age is None else f", for {format_duration(round(self.age))}"
        return f"backend {self.pid} ({' '.join(filter(None, parts))}{since})"


class Form(StrEnum):
    """What a restore point is made of."""

    SIDE = "side database"
    BACKUP = "backup"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something to go back to. ``place`` is a database or a directory, ``proof`` a word of the banner's badge.

    ``age`` is seconds since its moment, ``wal`` bytes written by the whole server since; None where unknown. ``back``
    is the command of another tool that goes back to a snapshot, and ``precondition`` what must hold for it.
    """

    form: Form
    place: str
    proof: str
    backup: str = ""
    at: str = ""
    lsn: str = ""
    age: float | None = None
    wal: int | None = None
    back: str = ""
    precondition: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds that the parts took in this run or its drill; None where nothing has been measured."""

    dump: float | None = None
    restore: float | None = None
    swap: float | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """What the database was like when it was backed up, beside its content.

    ``comment`` is None for none. ``settings`` are statements that make the database's own settings again, written for
    the application's name, ``everything`` all statements about it. ``create`` makes the empty database, and is to be
    followed by a connection limit; it is "" where no manifest is at hand.
    """

    comment: str | None = None
    settings: tuple[str, ...] = ()
    everything: tuple[str, ...] = ()
    create: str = ""
    known: bool = False


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server and what this role may do on it. ``system`` is None where it may not be read."""

    version_num: int = 0
    system: str | None = None
    timeline: int | None = None
    in_recovery: bool = False
    started: str = ""
    user: str = ""
    superuser: bool = False
    createdb: bool = False
    owns: bool = False
    maintenance: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything a rollback is decided on, read from the server at ``at`` (its UTC time).

    ``changed`` are the differences to the pinned identity: any of them forbids every act. ``size`` and ``free`` are
    bytes. ``loss`` are lines about what would be lost, "unknown" where it is. ``ran`` is what the run executed so far.
    ``owner`` is the run's or backup's identifier, ``backup`` the directory to restore from, "" without one.
    ``replacement`` is what is on record about replacing the database where it stands.
    """

    at: str
    target: str
    names: Names
    situation: Situation
    rows: Mapping[str, DatabaseRow]
    server: ServerFacts
    owner: str = ""
    changed: tuple[str, ...] = ()
    sessions: tuple[SessionGroup, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    replicas: tuple[str, ...] = ()
    pooler: str = ""
    hooks: Mapping[str, str] = field(default_factory=dict)
    holder: Holder | None = None
    run_lock: Holder | None = None
    points: tuple[Candidate, ...] = ()
    size: int | None = None
    free: int | None = None
    backup: str = ""
    original: Original = field(default_factory=Original)
    measured: Measured = field(default_factory=Measured)
    ran: tuple[str, ...] = ()
    loss: tuple[str, ...] = ("unknown: nothing has counted it",)
    notes: tuple[str, ...] = ()
    replacement: Replacement | None = None

    @property
    def app(self) -> DatabaseRow | None:
        """The application's database."""
        return self.rows.get(self.names.app)

    @property
    def side(self) -> DatabaseRow | None:
        """The side database."""
        return self.rows.get(self.names.side)

    @property
    def failed(self) -> DatabaseRow | None:
        """The failed database."""
        return self.rows.get(self.names.failed)

    @property
    def forward_only(self) -> bool:
        """Whether the point of no return of a replacement is behind."""
        return self.situation.state in (State.REPLACING, State.REBUILDING)

    def hard_blockers(self) -> tuple[Blocker, ...]:
        """What makes renaming or dropping impossible until a person resolves it."""
        return tuple(blocker for blocker in self.blockers if blocker.hard)
