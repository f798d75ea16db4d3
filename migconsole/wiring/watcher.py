"""Being the watcher of a run: the process that consoles start, with everything concrete around it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import time
import tomllib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import platformdirs

from migconsole.adapters import watchers
from migconsole.adapters.checklists import Loaded
from migconsole.adapters.health_store import HealthWriter
from migconsole.adapters.jobs.detached import DetachedJobs
from migconsole.adapters.journal.sqlite import Console, SqliteJournal, monotonic
from migconsole.adapters.migrators.scripts import read, sums
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.failures import UselessTargetError
from migconsole.adapters.postgres.metering import Metering
from migconsole.adapters.postgres.pending import pending
from migconsole.adapters.postgres.probes.catalogue import PROBES, Hazard, Tier
from migconsole.adapters.postgres.probes.runner import Probes, Watched
from migconsole.adapters.runs import RunDirectory
from migconsole.domain.checklist import Check, Checklist
from migconsole.domain.events import Kind
from migconsole.domain.readings import Reading
from migconsole.domain.snapshots import SIZES
from migconsole.domain.target import Target
from migconsole.domain.thresholds import THRESHOLDS, Thresholds
from migconsole.domain.touched import touched
from migconsole.engine.attempts import Attempts
from migconsole.engine.chores import RunChores
from migconsole.engine.doctoring import Doctor
from migconsole.engine.execution import Execution
from migconsole.engine.health_ports import Circumstances
from migconsole.engine.notifying import Notifying
from migconsole.engine.outdated import outdated
from migconsole.engine.resolve import Resolving
from migconsole.engine.scheduler import Duty, Lane
from migconsole.engine.sensing import LOCK_TIMEOUT, Questions, Sensing
from migconsole.engine.watched_run import ACTOR, WatchedRun
from migconsole.engine.watcher import Watcher
from migconsole.errors import EXIT_OK, MigconsoleError, UsageError
from migconsole.wiring import opening
from migconsole.wiring.opening import Options, Setting
from migconsole.wiring.recording import EvidenceSender, RunRecord

HEALTH = "health.db"

OPENING = 15.0
"""Seconds for the first sessions, whatever the URL would give them: a watcher that has not begun after
``watchers.START_LIMIT`` is ended."""

MOST_TABLES = 200
"""Tables of the run's own that are watched: as many as the largest ones that are watched beside them."""

Tables = tuple[str, ...]
_IN_STEPS = (SIZES,)
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def duties() -> tuple[Duty, ...]:
    """The catalogue as the scheduler sees it."""
    return tuple(
        Duty(
            probe.name,
            probe.tier.value,
            Lane(probe.through.value),
            gate=Tier.GATE in probe.tiers,
            heavy=probe.heavy,
            twin=probe.twin,
            statistics=probe.hazard is Hazard.STATISTICS,
            steps=probe.name in _IN_STEPS,
        )
        for probe in PROBES
    )


class TargetProbes:
    """``engine.health_ports.HealthProbes`` over the sessions of a target.

    ``key`` is the run lock, 0 without a run. ``tables`` names what the run is about to change, for the watch on sizes;
    None from it: that cannot be told now.
    """

    def __init__(
        self, target: Target, run: str = "", key: int = 0, tables: Callable[[], Awaitable[Tables | None]] | None = None
    ) -> None:
        self._probes = Probes(target, run)
        self._key = key
        self._find = tables
        self._tables: Tables | None = None
        self._finding: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect and prepare. A server that is away comes back by itself; one that is of no use raises."""
        try:
            async with asyncio.timeout(OPENING):
                await self._probes.open()
        except UselessTargetError:
            raise
        except (MigconsoleError, TimeoutError):
            pass
        self._find_tables()

    async def hold(self) -> str:
        """The run lock: one run at a time changes a database."""
        return await self._probes.hold(self._key) if self._key else ""

    async def run_pulse(self) -> Sequence[Reading]:
        """Every probe of the pulse."""
        return await self._probes.run_pulse()

    async def run_probe(self, name: str, *, gate: bool = False) -> Reading:
        """One probe."""
        return await self._probes.run_probe(name, gate=gate)

    def watch(self, circumstances: Circumstances) -> Collection[str]:
        """Say which sessions are the migration's and the dumps'; sizes are due when the tables have become known."""
        watched = Watched(
            tables=self._tables or (),
            app_names=circumstances.migrating,
            dumps=circumstances.dumping,
            running=circumstances.running,
            replacing=circumstances.replacing,
        )
        before, self._probes.watched = self._probes.watched, watched
        return () if watched.tables == before.tables else (SIZES,)

    async def stand_down(self, reason: str) -> None:
        """Leave the target, also with what looks for the migration's tables."""
        await self._probes.stand_down(reason)
        await self._give_up_finding()

    async def stand_up(self) -> None:
        """Come back."""
        await self._probes.stand_up()

    def retry(self) -> None:
        """Forget remembered refusals."""
        self._probes.retry()
        self._find_tables()

    def _find_tables(self) -> None:
        """Look once which tables are about to change, until that is known: before T-0, and never in anybody's way."""
        if self._find is None or self._tables is not None or not self._probes.probe.standing:
            return
        if self._finding is None or self._finding.done():
            self._finding = asyncio.create_task(self._found(self._find), name="watcher tables")

    async def _found(self, find: Callable[[], Awaitable[Tables | None]]) -> None:
        self._tables = await find()

    async def texts(self, identifiers: Sequence[str], counted: Sequence[str]) -> Mapping[str, str]:
        """Statement texts."""
        return await self._probes.texts(identifiers, counted)

    def spent(self, seconds: float) -> None:
        """What else was asked of the server in the monitor's name."""
        self._probes.spent(seconds)

    def cost(self) -> tuple[float | None, int]:
        """What the monitor takes."""
        cost = self._probes.cost()
        return cost.share, cost.connections

    async def close(self) -> None:
        """End the sessions."""
        await self._give_up_finding()
        await self._probes.close()

    async def _give_up_finding(self) -> None:
        if self._finding is not None:
            self._finding.cancel()
            await asyncio.gather(self._finding, return_exceptions=True)


def run_lock_key(target: Target) -> int:
    """The advisory lock of whoever has a run on this database: of its name, which a swap keeps.

    It lies in the maintenance database, as all our sessions that must survive the target's locks.
    """
    digest = hashlib.sha256(f"migconsole run {target.database}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def thresholds(alarms: Mapping[str, Any]) -> Thresholds:
    """The limits of the catalogue, changed by the user's configuration and then by the checklist's ``alarms``.

    Raises UsageError that names what is wrong in which of the two.
    """
    path = Path(platformdirs.user_config_dir("migconsole")) / "config.toml"
    found = THRESHOLDS
    for changes, where in ((_configured(path), str(path)), (alarms, "the checklist's alarms")):
        try:
            found = found.overridden(changes)
        except ValueError as error:
            raise UsageError("A health alarm is not set rightly", f"{where}: {error}") from None
    return found


def _configured(path: Path) -> Mapping[str, Any]:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError("The configuration cannot be read", f"{path}: {error}") from None
    alarms = data.get("alarms", {})
    if not isinstance(alarms, dict):
        raise UsageError("The configuration cannot be read", f"{path}: [alarms] is no table")
    return alarms


def serve_handed(directory: Path, handed: Mapping[str, Any], answer: Callable[[Mapping[str, Any]], None]) -> int:
    """Be the watcher that a console started: tell it by ``answer`` that sampling began, or why it cannot."""
    os.environ.clear()
    os.environ.update(handed["environment"])
    project = Path(handed["project"]) if handed.get("project") else None
    options = Options(target=str(handed.get("target", "")), project=project)
    told = False

    def began(pid: int) -> None:
        nonlocal told
        told = True
        answer({"pid": pid})

    try:
        return asyncio.run(watch_run(directory, options, float(handed["until"]), began))
    except MigconsoleError as error:
        if not told:
            answer({"title": error.title, "detail": error.detail, "remedy": error.remedy})
        return error.exit_code


async def watch_run(path: Path, options: Options, until: float, began: Callable[[int], None] = lambda pid: None) -> int:
    """Sample for a run in this process until its end, or return at once when it has a watcher.

    ``began`` is told the pid of whoever samples.
    """
    lock = watchers.WatcherLock(path)
    try:
        taken = lock.take()
    except OSError as error:
        raise MigconsoleError("The run directory cannot be used", f"{path}: {error.strerror}") from error
    if not taken:
        began(await _other(path))
        return EXIT_OK
    try:
        directory = RunDirectory(path)
        loaded, setting = opening.restored(directory, options)
        redact = setting.surroundings.redact
        limits = thresholds(loaded.checklist.alarms)
        journal = await SqliteJournal.open(directory.journal, Console.here("watcher"))
        notifying = Notifying(
            loaded.checklist,
            journal.append,
            EvidenceSender(setting.sender, directory, setting.surroundings),
            RunRecord(directory, redact),
            clock=time.time,
            actor=ACTOR,
        )
        try:
            project = setting.surroundings.project
            stale = partial(outdated, sums=lambda paths: sums(paths, project))
            place = watchers.Place(path, lock)
            run = WatchedRun(
                journal, place, redact=redact, told=notifying.take, outdated=stale, checklist=loaded.checklist
            )
            chores, database = _chores(directory, loaded, setting, run)
            watcher = Watcher(
                TargetProbes(
                    setting.target,
                    path.name[-4:],
                    run_lock_key(setting.target),
                    partial(_tables, loaded.checklist, setting, path.name[-4:]),
                ),
                HealthWriter(path / HEALTH, redact=redact),
                duties(),
                limits.judge,
                run,
                until=until,
                monotonic=monotonic,
                began=lambda: began(os.getpid()),
                chores=chores,
            )
            try:
                with _stopping(watcher):
                    await watcher.run()
            finally:
                await database.close()
        finally:
            await notifying.close()
            await journal.close()
    finally:
        lock.release()
    return EXIT_OK


async def _tables(checklist: Checklist, setting: Setting, run: str) -> Tables | None:
    """The tables that the pending migrations' SQL and the checklist's own checks name; None while that is unknown."""
    actions = [way.step.action for located in checklist.walk() for way in located.item.steps]
    named = [
        str(name)
        for action in actions
        if isinstance(action, Check) and action.name == "tables_exist"
        for name in action.arguments.get("tables") or ()
    ]
    project = setting.surroundings.project
    try:
        found = await pending(setting.target, project, {}, run=run, lock_timeout=LOCK_TIMEOUT)
        files = await asyncio.to_thread(read, found.files, project)
    except MigconsoleError:
        return tuple(named) or None
    touching = [name for file in files if file.is_sql for name in touched(file.text)]
    return tuple(dict.fromkeys([*touching, *named]))[:MOST_TABLES]


def _chores(
    directory: RunDirectory, loaded: Loaded, setting: Setting, run: WatchedRun
) -> tuple[RunChores, PostgresDatabase]:
    """What the watcher does for the run beside sampling, and the database that it asks for it."""
    checklist, recorder = loaded.checklist, run.recorder
    database = opening.database(checklist, directory, setting, lock_timeout=LOCK_TIMEOUT, sampling=True)
    execution = Execution(directory, database, setting.surroundings)
    doctor = Doctor(recorder, checklist, database)
    attempts = Attempts(checklist, recorder, directory, DetachedJobs(), execution, ACTOR, doctor)
    questions = Questions(Resolving(checklist, recorder, setting.surroundings), database)

    async def tell(kind: Kind, data: Mapping[str, Any], key: str) -> None:
        await recorder.record(kind, data, key=key)

    sensing = Sensing(checklist, lambda: recorder.run, questions, tell, Metering().spending, monotonic=monotonic)
    return RunChores(recorder, attempts, sensing, monotonic), database


async def _other(path: Path) -> int:
    """The pid of the watcher that holds the lock, which it writes down right after it took it; 0 when it left again."""
    for _ in range(50):
        pid = watchers.running(path)
        if pid is not None:
            return pid
        await asyncio.sleep(0.02)
    return 0


@contextlib.contextmanager
def _stopping(watcher: Watcher) -> Iterator[None]:
    """A signal ends the watcher in order."""
    loop = asyncio.get_running_loop()
    for number in _STOPPING:
        loop.add_signal_handler(number, watcher.stop)
    try:
        yield
    finally:
        for number in _STOPPING:
            loop.remove_signal_handler(number)


def answer_on(descriptor: int) -> Callable[[Mapping[str, Any]], None]:
    """Answer whoever started this process, if it is still there, and close the line."""

    def answer(message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            os.write(descriptor, json.dumps(message).encode() + b"\n")
        with contextlib.suppress(OSError):
            os.close(descriptor)

    return answer
