"""Watching a target's health: the background process of a run, and the command that watches without one."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import tempfile
import threading
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from migconsole.adapters import watchers
from migconsole.adapters.health_store import HealthReader, HealthWriter
from migconsole.adapters.journal.reading import read_events
from migconsole.adapters.journal.sqlite import Console, SqliteJournal, monotonic
from migconsole.adapters.migrators.scripts import sums
from migconsole.adapters.postgres.failures import UselessTargetError
from migconsole.adapters.postgres.probes.catalogue import PROBES, Hazard, Tier
from migconsole.adapters.postgres.probes.runner import Probes, Watched
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.runs import RunDirectory, RunStore, state_directory
from migconsole.domain.events import Kind
from migconsole.domain.readings import Reading
from migconsole.domain.secrets import Secrets
from migconsole.domain.target import Target
from migconsole.domain.thresholds import THRESHOLDS, Thresholds
from migconsole.engine.health_ports import Circumstances
from migconsole.engine.notifying import Notifying
from migconsole.engine.outdated import outdated
from migconsole.engine.ports import HealthSource
from migconsole.engine.scheduler import Duty, Lane
from migconsole.engine.watched_run import ACTOR, Alone, WatchedRun, acknowledgement
from migconsole.engine.watcher import Watcher
from migconsole.errors import EXIT_OK, JournalError, MigconsoleError, UsageError
from migconsole.wiring import opening
from migconsole.wiring.opening import Options
from migconsole.wiring.recording import RunRecord

T = TypeVar("T")

HEALTH = "health.db"
DAY = 86400.0
PULSE = 2.0
"""Seconds between two pulses when somebody watches a target without a run."""

_IN_STEPS = ("watch_sizes",)
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
    """``engine.health_ports.HealthProbes`` over the sessions of a target. ``key`` is the run lock, 0 without a run."""

    def __init__(self, target: Target, run: str = "", key: int = 0) -> None:
        self._probes = Probes(target, run)
        self._key = key

    async def open(self) -> None:
        """Connect and prepare. A server that is away comes back by itself; one that is of no use raises."""
        try:
            await self._probes.open()
        except UselessTargetError:
            raise
        except MigconsoleError:
            pass

    async def hold(self) -> str:
        """The run lock: one run at a time changes a database."""
        return await self._probes.hold(self._key) if self._key else ""

    async def run_pulse(self) -> Sequence[Reading]:
        """Every probe of the pulse."""
        return await self._probes.run_pulse()

    async def run_probe(self, name: str, *, gate: bool = False) -> Reading:
        """One probe."""
        return await self._probes.run_probe(name, gate=gate)

    def watch(self, circumstances: Circumstances) -> None:
        """Say which sessions are the migration's and the dumps'."""
        watched = Watched(app_names=circumstances.migrating, dumps=circumstances.dumping, running=circumstances.running)
        if watched != self._probes.watched:
            self._probes.watched = watched

    async def stand_down(self, reason: str) -> None:
        """Leave the target."""
        await self._probes.stand_down(reason)

    async def stand_up(self) -> None:
        """Come back."""
        await self._probes.stand_up()

    def retry(self) -> None:
        """Forget remembered refusals."""
        self._probes.retry()

    async def texts(self, identifiers: Sequence[str]) -> Mapping[str, str]:
        """Statement texts."""
        return await self._probes.texts(identifiers)

    def cost(self) -> tuple[float | None, int]:
        """What the monitor takes."""
        cost = self._probes.cost()
        return cost.share, cost.connections

    async def close(self) -> None:
        """End the sessions."""
        await self._probes.close()


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


# -- the background process of a run -----------------------------------------------------------------------------------


def handed_over(options: Options, until: float) -> dict[str, Any]:
    """What a watcher needs of this process: through a pipe, because secrets are in it."""
    return {
        "environment": dict(os.environ),
        "target": options.target,
        "project": str(options.project) if options.project else "",
        "until": until,
    }


def directory_of(name: str | None, options: Options) -> Path:
    """The directory of a run by what a person calls it; the newest without a name. Raises UsageError."""
    return RunStore(state_directory(options.state_dir)).find(name).path


def ensure_watcher(directory: Path, options: Options, until: float = DAY) -> int:
    """The pid of the run's watcher, started detached when none lives. Blocks until it samples.

    Raises MigconsoleError with the watcher's own reason when it cannot.
    """
    return watchers.running(directory) or watchers.spawn(directory, handed_over(options, until))


class WatcherKeeper:
    """Keeps a run's watcher alive for as long as a console is open; any number of consoles may.

    It ends with the run. ``problem`` says why there is no watcher. ``close`` leaves the watcher running: it outlives
    the console on purpose, except where a demo says that nothing may stay (``leave``).
    """

    FIRST_PAUSE = 2.0
    LONGEST_PAUSE = 60.0

    def __init__(self, directory: Path, options: Options, until: float = DAY, *, leave: bool = True) -> None:
        self._directory = directory
        self._leave = leave
        self._starting: asyncio.Future[int] | None = None
        self._options = options
        self._until = until
        self._task: asyncio.Task[None] | None = None
        self.problem = ""

    def start(self) -> None:
        """Begin to look after it."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep(), name="watcher keeper")

    async def close(self) -> None:
        """Stop looking after it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if not self._leave:
            if self._starting is not None:
                await asyncio.gather(self._starting, return_exceptions=True)
            await asyncio.to_thread(watchers.end, self._directory)

    async def _keep(self) -> None:
        pause = self.FIRST_PAUSE
        while watchers.running(self._directory) or not await asyncio.to_thread(_ended, self._directory):
            try:
                # On a thread that the end of this process does not wait for: a watcher may take long to begin.
                self._starting = _in_the_background(lambda: ensure_watcher(self._directory, self._options, self._until))
                await asyncio.shield(self._starting)
            except MigconsoleError as error:
                self.problem = str(error)
                pause = min(pause * 2, self.LONGEST_PAUSE)
            else:
                self.problem, pause = "", self.FIRST_PAUSE
            await asyncio.sleep(pause)


def _in_the_background(work: Callable[[], T]) -> asyncio.Future[T]:
    """Do work on a thread that ends with the process."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def told(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def doing() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as failure:
            error = failure
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever wanted to know
            loop.call_soon_threadsafe(told, result, error)

    threading.Thread(target=doing, name="watcher start", daemon=True).start()
    return future


def _ended(directory: Path) -> bool:
    """Whether the run is over, or gone: there is nothing to watch for."""
    try:
        return any(event.kind == Kind.RUN_ENDED for event in read_events(directory / "run.db"))
    except JournalError:
        return not directory.exists()


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
            setting.sender,
            RunRecord(directory, redact),
            clock=time.time,
            actor=ACTOR,
        )
        try:
            project = setting.surroundings.project
            stale = partial(outdated, sums=lambda paths: sums(paths, project))
            place = watchers.Place(path, lock)
            run = WatchedRun(journal, place, redact=redact, told=notifying.take, outdated=stale)
            watcher = Watcher(
                TargetProbes(setting.target, path.name[-4:], run_lock_key(setting.target)),
                HealthWriter(path / HEALTH, redact=redact),
                duties(),
                limits.judge,
                run,
                until=until,
                monotonic=monotonic,
                began=lambda: began(os.getpid()),
            )
            with _stopping(watcher):
                await watcher.run()
        finally:
            await notifying.close()
            await journal.close()
    finally:
        lock.release()
    return EXIT_OK


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


# -- without a run -----------------------------------------------------------------------------------------------------


@dataclass
class Watching:
    """A target that is being watched: what was read, and how to say that a person has seen an alarm."""

    source: HealthSource
    target: Target
    acknowledge: Callable[[int, str], Awaitable[None]]
    failure: Callable[[], BaseException | None]


class _Thread(threading.Thread):
    """A watcher on a loop of its own: no screen can hold it up."""

    def __init__(self, make: Callable[[], Watcher]) -> None:
        super().__init__(name="watcher", daemon=True)
        self._make = make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watcher: Watcher | None = None
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self.failure = error

    async def _main(self) -> None:
        self._loop, self._watcher = asyncio.get_running_loop(), self._make()
        await self._watcher.run()

    async def acknowledge(self, alarm: int, person: str) -> None:
        if self._loop is not None and self._watcher is not None and self.is_alive():
            told = asyncio.run_coroutine_threadsafe(self._watcher.acknowledge(alarm, person), self._loop)
            await asyncio.wrap_future(told)

    def stop(self) -> None:
        if self._loop is not None and self._watcher is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._watcher.stop)
        self.join(10.0)


@contextlib.asynccontextmanager
async def watching_target(url: str, until: float, pulse: float = PULSE) -> AsyncIterator[Watching]:
    """Sample a target without a run into a private temporary file, removed in the end."""
    target = resolve_target(url or None)
    secrets = Secrets(target.secrets(), names=(target.host, target.database, target.user))
    if target.password is not None:
        secrets.add_password(target.password)
    limits = thresholds({})
    with tempfile.TemporaryDirectory(prefix="migconsole-watch-") as folder:
        path = Path(folder) / HEALTH

        def make() -> Watcher:
            return Watcher(
                TargetProbes(target),
                HealthWriter(path, redact=secrets.redact),
                duties(),
                limits.judge,
                Alone(gone=lambda: not path.parent.exists()),
                until=until,
                pulse=pulse,
                monotonic=monotonic,
            )

        thread = _Thread(make)
        thread.start()
        reader = HealthReader(path)
        try:
            yield Watching(reader, target, thread.acknowledge, lambda: thread.failure)
        finally:
            await asyncio.to_thread(thread.stop)
            reader.close()


@contextlib.asynccontextmanager
async def watching_run(name: str | None, options: Options) -> AsyncIterator[Watching]:
    """Read what a run's watcher samples, which is started when there is none and stays when this ends."""
    directory = RunDirectory(directory_of(name, options))
    _, setting = opening.restored(directory, options)
    keeper = WatcherKeeper(directory.path, options)
    await asyncio.to_thread(ensure_watcher, directory.path, options)
    keeper.start()
    reader = HealthReader(directory.path / HEALTH)

    async def acknowledge(alarm: int, person: str) -> None:
        journal = await SqliteJournal.open(directory.journal, Console.here(person))
        try:
            await journal.append(acknowledgement(alarm, person))
        finally:
            await journal.close()

    try:
        yield Watching(reader, setting.target, acknowledge, lambda: None)
    finally:
        await keeper.close()
        reader.close()


async def show(watching: Watching) -> int:
    """Open the health screen alone; its exit code."""
    from migconsole.wiring import health  # noqa: PLC0415 - lines are printed without the screen library

    return await health.show_alone(watching)


def answer_on(descriptor: int) -> Callable[[Mapping[str, Any]], None]:
    """Answer whoever started this process, if it is still there, and close the line."""

    def answer(message: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):
            os.write(descriptor, json.dumps(message).encode() + b"\n")
        with contextlib.suppress(OSError):
            os.close(descriptor)

    return answer
