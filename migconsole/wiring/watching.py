"""Watching a target's health: the background process of a run, and the command that watches without one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from migconsole.adapters import watchers
from migconsole.adapters.health_store import HealthReader, HealthWriter
from migconsole.adapters.journal.reading import read_events
from migconsole.adapters.journal.sqlite import Console, SqliteJournal, monotonic
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.runs import RunDirectory, RunStore, state_directory
from migconsole.domain.events import Kind
from migconsole.domain.secrets import Secrets
from migconsole.domain.target import Target
from migconsole.engine.ports import HealthSource
from migconsole.engine.watched_run import Alone, acknowledgement
from migconsole.engine.watcher import Watcher
from migconsole.errors import JournalError, MigconsoleError
from migconsole.wiring import opening
from migconsole.wiring.opening import Options
from migconsole.wiring.watcher import HEALTH, TargetProbes, duties, thresholds

T = TypeVar("T")

DAY = 86400.0
PULSE = 2.0
"""Seconds between two pulses when somebody watches a target without a run."""

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
            except Exception as error:  # whatever it is, a run must not be without a watcher for as long as it is open
                self.problem = str(error) if isinstance(error, MigconsoleError) else f"{type(error).__name__}: {error}"
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
