"""The health of a run, for its console: what the watcher wrote, who may be signalled, what was seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from migconsole.adapters import processes, watchers
from migconsole.adapters.health_store import HealthReader
from migconsole.adapters.past import RunPast
from migconsole.adapters.postgres.backends import Backends
from migconsole.adapters.postgres.log_follower import LogFollower
from migconsole.adapters.runs import RunDirectory
from migconsole.adapters.themes import load_palettes
from migconsole.domain.readings import Alarm
from migconsole.domain.thresholds import THRESHOLDS, Phase, Thresholds
from migconsole.engine.marked import MarkedPast
from migconsole.engine.ports import Output
from migconsole.engine.session import Session
from migconsole.errors import MigconsoleError, UsageError
from migconsole.wiring import opening, watcher, watching
from migconsole.wiring.opening import Options

if TYPE_CHECKING:
    from migconsole.tui.screens.health import HealthAccess


def opening_for(options: Options, *, leave: bool = True) -> Callable[[Session | None], HealthAccess | None]:
    """How the console sees the health of a run: it reads what the run's watcher writes, and keeps one alive.

    A read-only console keeps none: it relies on whoever drives. Without ``leave`` the watcher ends with the console.
    """
    from migconsole.tui.screens.health import HealthAccess, HealthPorts  # noqa: PLC0415 - headless use needs no screens

    readers: dict[str, HealthReader] = {}

    def opened(session: Session | None) -> HealthAccess | None:
        if session is None:
            return None
        path = session.directory / watcher.HEALTH
        followers: list[LogFollower] = []

        def close() -> None:
            while followers:
                followers.pop().close()

        reader = readers.setdefault(str(path), HealthReader(path))

        async def acknowledge(alarm: Alarm) -> None:
            await session.acknowledge(alarm.id)

        ports = HealthPorts(
            signal=session.signal,
            acknowledge=acknowledge,
            retry=lambda: watchers.ask_to_retry(session.directory),
            phase=lambda: _phase(reader.phase()),
            thresholds=_thresholds(session),
            log=partial(_opened_log, followers, session, options),
            past=RunPast(session.directory, session.checklist),
            baseline=None if options.read_only else partial(_baseline, session, options),
        )
        keeper = None if options.read_only else watching.WatcherKeeper(session.directory, options, leave=leave)
        return HealthAccess(reader, ports, keeper, close)

    return opened


def _opened_log(followers: list[LogFollower], session: Session, options: Options) -> Output | str:
    """The server's log, for the first look at its tab: the target with its password is resolved only then."""
    if not followers:
        try:
            _, setting = opening.restored(RunDirectory(session.directory), options)
        except MigconsoleError as error:
            return f"The server's log cannot be read from here.\n\n{error.title}"
        redact = setting.surroundings.redact
        followers.append(LogFollower(setting.target, session.directory.name[-4:], redact=redact))
    return followers[0].opened()


async def _baseline(session: Session, options: Options) -> str:
    """Take a snapshot for the run's comparison now, as the check ``baseline`` does; returns what was kept."""
    directory = RunDirectory(session.directory)
    loaded, setting = await asyncio.to_thread(opening.restored, directory, options)
    database = opening.database(loaded.checklist, directory, setting)
    try:
        result = await database.check("baseline", {})
    finally:
        await database.close()
    return result.reason or "; ".join(result.lines)


async def show_alone(watched: watching.Watching) -> int:
    """The health screen of a target without a run, until it is left; returns the exit code.

    Whoever is signalled is confirmed in the same way; without a run there is no journal that could take the reason.
    """
    from migconsole.tui.screens.health import HealthPorts, run_alone  # noqa: PLC0415 - lines need no screens

    backends = Backends(watched.target)

    async def signal(pid: int, backend_start: str, terminate: bool) -> object:
        return await backends.signal(pid, backend_start, terminate=terminate)

    async def acknowledge(alarm: Alarm) -> None:
        await watched.acknowledge(alarm.id, processes.login_name())

    log = LogFollower(watched.target)
    past = MarkedPast(watched.source, time.time)
    ports = HealthPorts(
        title=watched.target.display,
        signal=signal,
        acknowledge=acknowledge,
        log=log.opened,
        past=past,
        baseline=past.mark,
    )
    palettes, _ = load_palettes()
    try:
        # Before anybody locks anything; what keeps it out is told when it is needed.
        await backends.prepare()
        return await run_alone(watched.source, ports, palettes=palettes)
    finally:
        log.close()
        await backends.close()


def _phase(name: str) -> Phase:
    return Phase(name) if name in set(Phase) else Phase.BEFORE


def _thresholds(session: Session) -> Thresholds:
    """The limits of this run; where they are not set rightly the watcher says so, and the catalogue's colour here."""
    try:
        return watcher.thresholds(session.checklist.alarms)
    except UsageError:
        return THRESHOLDS
