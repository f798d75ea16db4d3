"""What the watcher needs from the outside: probes to ask, a store to write, and what it should know of the run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from migconsole.domain.alarms import Changed
from migconsole.domain.readings import Alarm, Level, Reading
from migconsole.domain.thresholds import Phase

Judge = Callable[[Reading, Phase], tuple[Level, str]]
"""How bad a reading is in a phase, and why: the thresholds."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the watcher knows of the run it samples for; without a run it stays as it was made.

    ``migrating`` and ``dumping`` are the application names of running attempts. ``away`` says why the session in the
    target must be closed now, "" when it may be open. ``steps`` counts what has changed the target so far, ``since`` is
    the Unix time of the last one's end. ``alarms`` are those on record, with who has seen them. ``over``: there is
    nothing left to watch for. ``replacing`` is the run's own rollback that puts another database under the name, from
    its point of no return on.
    """

    phase: Phase
    migrating: tuple[str, ...] = ()
    dumping: tuple[str, ...] = ()
    running: bool = False
    away: str = ""
    steps: int = 0
    since: float | None = None
    alarms: Mapping[int, Alarm] = field(default_factory=dict)
    over: bool = False
    replacing: str = ""


class HealthProbes(Protocol):
    """The two sessions of a watcher. Nothing raises for what a server does, except ``open`` for a useless target."""

    async def open(self) -> None:
        """Connect and prepare. Raises MigconsoleError for a target that cannot be watched at all (a pooler)."""

    async def hold(self) -> str:
        """Hold the run lock in the maintenance database; "" when it is held, else who holds it or why it is not."""

    async def run_pulse(self) -> Sequence[Reading]:
        """Every probe of tier P at once."""

    async def run_probe(self, name: str, *, gate: bool = False) -> Reading:
        """One probe."""

    def watch(self, circumstances: Circumstances) -> Collection[str]:
        """Say which sessions are the migration's and the dumps'. Returns the probes whose last answer is out of date
        by what has become known meanwhile."""

    async def stand_down(self, reason: str) -> None:
        """Close the session in the target until ``stand_up``."""

    async def stand_up(self) -> None:
        """Let the session in the target be opened again."""

    def retry(self) -> None:
        """Forget remembered refusals."""

    async def texts(self, identifiers: Sequence[str], counted: Sequence[str]) -> Mapping[str, str]:
        """Texts by queryid of these statements and of our own among all that are counted, as far as they are known."""

    def spent(self, seconds: float) -> None:
        """Count what the server did for the checklist's own questions as the monitor's cost."""

    def cost(self) -> tuple[float | None, int]:
        """The share of the last minute in which the server was busy with us, and how many sessions there are."""

    async def close(self) -> None:
        """End all sessions."""


class HealthStore(Protocol):
    """Where samples go. Calls raise MigconsoleError when nothing can be written; the next call tries again."""

    async def open(self) -> None:
        """Open or make it."""

    async def write(
        self, readings: Iterable[Reading], series: Mapping[str, float | None], *, pinned: bool = False
    ) -> None:
        """Store one tick."""

    async def gap(self, names: Iterable[str]) -> None:
        """Mark that nothing is known of these series now."""

    async def beat(self, *, cost: float | None, connections: int, problem: str, phase: str) -> None:
        """A sign of life."""

    async def alarms(self) -> list[Alarm]:
        """All alarms kept."""

    async def keep_alarm(self, alarm: Alarm) -> None:
        """Store an alarm, or what changed of it."""

    async def thin(self) -> None:
        """Apply the retention."""

    async def close(self) -> None:
        """Close it."""


class Chores(Protocol):
    """What is done for a run beside sampling."""

    async def do(self, now: Circumstances, *, quiet: bool) -> None:
        """Do what is due; nothing that needs a session in the target while it should be ``quiet`` there.

        Raises MigconsoleError when something cannot be put on record; it is tried again then.
        """

    async def leave(self) -> None:
        """Break off what has a session in the target."""

    def problem(self) -> str:
        """What keeps them from doing what people count on, "" when nothing does."""

    def spent(self) -> float:
        """Seconds for which the server worked for them since the last call."""


class Surrounding(Protocol):
    """The run around a watcher, or the lack of one."""

    async def look(self, now: float) -> Circumstances:
        """How things stand at Unix time ``now``. Raises MigconsoleError when the journal cannot be read."""

    async def tell(self, changed: Changed) -> None:
        """Put a change of an alarm on record. Raises MigconsoleError when it cannot be; it is told again then."""

    def skewed(self, skew: float, uncertainty: float) -> None:
        """Take the server's clock for the run's: it is ``skew`` seconds ahead, give or take ``uncertainty``."""

    def gone(self) -> bool:
        """Whether what the watcher samples for does not exist any more."""

    def asked_to_leave(self) -> Mapping[str, str]:
        """Who needs the target without the watcher's session in it now, and why."""

    def has_left(self, requests: Iterable[str]) -> None:
        """Tell those that the session is closed."""

    def asked_to_retry(self) -> bool:
        """Whether somebody asked since the last call that refused probes are tried again."""
