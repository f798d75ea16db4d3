"""Rolling back, putting back and purging, for a run or without one: the parts put together."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from migconsole.adapters import processes
from migconsole.adapters.backup.clients import Choice, choose, find_clients
from migconsole.adapters.backup.preflight import Assumptions
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.adapters.postgres.rollback import reading
from migconsole.adapters.postgres.rollback.survey import Knowledge, PostgresRollbackServer
from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.rollback.keepers import FileKeeper, JournalKeeper
from migconsole.adapters.rollback.originals import original_of
from migconsole.adapters.rollback.restoring import RestoringSurroundings
from migconsole.adapters.runs import RunDirectory, RunStore, slug, state_directory
from migconsole.domain import changes
from migconsole.domain.restore_points import RestorePoint
from migconsole.domain.rollback import run8
from migconsole.domain.rollback_plan import Outcome, Plan
from migconsole.domain.rollback_survey import Candidate, Form, Measured, Original, Survey
from migconsole.domain.rollback_verified import LIMIT
from migconsole.domain.run import Run, fold
from migconsole.domain.secrets import Secrets
from migconsole.domain.target import Target
from migconsole.engine.ports import ServerIdentity
from migconsole.engine.rollback import Deeds, Report
from migconsole.engine.rollback_ledger import Decision
from migconsole.engine.rollback_ports import Keeper
from migconsole.errors import MigconsoleError, UsageError
from migconsole.wiring import opening
from migconsole.wiring.losing import loss_since
from migconsole.wiring.opening import Options
from migconsole.wiring.watcher import run_lock_key


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line names. ``run`` is a run; without one ``options.target`` says which database it is.

    ``owner`` is the identifier a side database carries, found on the server when it is left out; ``backup`` a backup's
    directory. ``free`` are bytes that an operator says are free on the server's volume.
    """

    options: Options = field(default_factory=Options)
    run: str = ""
    owner: str = ""
    backup: Path | None = None
    free: int | None = None


@dataclass(slots=True)
class Rolling:
    """A database that may be rolled back: look with ``survey``, plan with the domain, and carry out."""

    deeds: Deeds
    target: Target
    actor: str
    run: str
    redact: Callable[[str], str]

    async def survey(self) -> Survey:
        """Look at everything."""
        return await self.deeds.survey()

    async def settle(self, survey: Survey) -> None:
        """Pin what an act of ours has left, where we died before we could."""
        if survey.app is not None and not survey.changed:
            await self.deeds.keeper.expect(survey.app.oid, f"rollback:{survey.app.oid}:pinned")

    async def execute(
        self,
        plan: Plan,
        survey: Survey,
        *,
        reason: str,
        by: str = "",
        report: Report,
        cancelled: Callable[[], bool] = lambda: False,
        verify_limit: float = LIMIT,
    ) -> Outcome:
        """Carry a plan out; see ``Deeds.execute``."""
        decision = Decision(processes.new_id(), by or self.actor, reason, cancelled, verify_limit)
        return await self.deeds.execute(plan, survey, decision, report)


@contextlib.asynccontextmanager
async def rolling(wanted: Wanted) -> AsyncIterator[Rolling]:
    """Everything for one database. Raises MigconsoleError when run, target or restore point cannot be told."""
    if wanted.run or not wanted.options.target:
        async with _of_run(RunStore(state_directory(wanted.options.state_dir)).find(wanted.run or None), wanted) as it:
            yield it
    else:
        yield await _alone(wanted)


@contextlib.asynccontextmanager
async def _of_run(directory: RunDirectory, wanted: Wanted) -> AsyncIterator[Rolling]:
    loaded, setting = opening.restored(directory, wanted.options)
    actor = wanted.options.actor or processes.login_name()
    journal = await SqliteJournal.open(directory.journal, Console.here(actor))
    try:
        run = fold(await journal.read())
        keeper = JournalKeeper(journal, setting.surroundings.redact, actor)
        await keeper.load()
        point = run.restore_point
        # A snapshot has no folder: what could be restored beside the database is the newest backup, proven or not.
        known = point.path or run.restore_points.newest.path
        path = wanted.backup or (Path(known) if known else None)
        identifier = _owner_of(run, wanted)
        environment = {**setting.surroundings.environment, **setting.surroundings.env_file}
        knowledge = Knowledge(
            owner=identifier,
            book=keeper.book,
            pinned=_pinned(run),
            hooks=loaded.checklist.pooler,
            backup=str(path or ""),
            free=wanted.free,
            original=await _original(path, setting.target.database),
            measured=_measured(point),
            candidates=_candidates(run),
            ran=tuple(changes.told(run, loaded.checklist)),
            run_lock=run_lock_key(setting.target),
            loss=_loss(setting.target, path, directory.path.name[-4:]),
            redact=setting.surroundings.redact,
        )
        yield _rolling(
            setting.target,
            knowledge,
            keeper,
            actor,
            run=directory.path.name[-4:],
            directory=directory.path,
            cwd=setting.surroundings.project,
            environment=environment,
        )
    finally:
        await journal.close()


async def _alone(wanted: Wanted) -> Rolling:
    """Without a run: by the backup's identifier, the one given, or the one that the server's markers show."""
    target = resolve_target(wanted.options.target)
    secrets = Secrets(target.secrets(), names=(target.host, target.database, target.user))
    if target.password is not None:
        secrets.add_password(target.password)
    owner = await _owner_alone(target, wanted)
    path = state_file(state_directory(wanted.options.state_dir), target.name, target.database, owner)
    keeper = FileKeeper(path, secrets.redact)
    knowledge = Knowledge(
        owner=owner,
        book=keeper.book,
        backup=str(wanted.backup or ""),
        free=wanted.free,
        original=await _original(wanted.backup, target.database),
        run_lock=run_lock_key(target),
        loss=_loss(target, wanted.backup, ""),
        redact=secrets.redact,
    )
    actor = wanted.options.actor or processes.login_name()
    return _rolling(target, knowledge, keeper, actor, environment=dict(os.environ))


def state_file(state: Path, place: str, database: str, owner: str) -> Path:
    """Where deeds outside any run are on record: by the database, its server and the restore point's owner."""
    digest = hashlib.sha256(place.encode()).hexdigest()[:8]
    return state / "rollbacks" / f"{slug(database)[:40]}-{run8(owner)}-{digest}.jsonl"


def _rolling(
    target: Target,
    knowledge: Knowledge,
    keeper: Keeper,
    actor: str,
    *,
    run: str = "",
    directory: Path | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str],
) -> Rolling:
    server = PostgresRollbackServer(target, knowledge, run)

    def choice() -> Choice:
        number = server.version_num
        return choose(find_clients(), target, f"{number // 10_000}.{number % 10_000}")

    around = RestoringSurroundings(
        target,
        choice=choice,
        assumed=Assumptions(knowledge.free, 0),
        directory=directory,
        cwd=cwd,
        environment=environment,
        redact=knowledge.redact,
    )
    return Rolling(Deeds(server, keeper, around), target, actor, run, knowledge.redact)


def _owner_of(run: Run, wanted: Wanted) -> str:
    """A run's own identifier, unless its restore point was made for another one's name."""
    return wanted.owner or run.run_id


async def _owner_alone(target: Target, wanted: Wanted) -> str:
    if wanted.owner:
        try:
            run8(wanted.owner)
        except ValueError as error:
            raise UsageError("That is no identifier of a run or backup", str(error)) from None
        return wanted.owner
    if wanted.backup is not None:
        return await asyncio.to_thread(_identifier, wanted.backup)
    found = await reading.discover(target)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(
            f"No restore point of {target.database} is on the server",
            "No database there carries our marker.",
            "Name a backup with --backup DIR, or a run.",
        )
    raise UsageError(
        "There is more than one restore point", "\n".join(found), "Name one of these with --owner IDENTIFIER."
    )


def _identifier(backup: Path) -> str:
    return original_of(backup, "").identifier


def _pinned(run: Run) -> ServerIdentity | None:
    names = ServerIdentity.__dataclass_fields__
    known = {name: value for name, value in run.identity.items() if name in names}
    try:
        return ServerIdentity(**known) if known else None
    except TypeError:
        return None


def _measured(point: RestorePoint) -> Measured:
    durations = point.durations
    restore = durations.get("restore") or durations.get("restore_s")
    return Measured(durations.get("dump") or durations.get("dump_s"), restore, durations.get("swap"))


def _candidates(run: Run) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            Form.SNAPSHOT if point.by else Form.BACKUP,
            point.by or point.path,
            "verified" if point.by else point.state.value,
            point.backup,
            point.at,
            point.lsn,
            back=point.back,
            precondition=point.precondition,
        )
        for point in run.restore_points
    )


async def _original(path: Path | None, app: str) -> Original:
    if path is None:
        return Original()
    try:
        return (await asyncio.to_thread(original_of, path, app)).original
    except MigconsoleError:
        return Original()


def _loss(target: Target, backup: Path | None, run: str) -> Callable[[], Awaitable[tuple[str, ...]]]:
    async def lines() -> tuple[str, ...]:
        if backup is None:
            return ("unknown: no backup's manifest is at hand to compare with",)
        try:
            preview = await loss_since(target, backup, run=run)
        except MigconsoleError as error:
            return (f"unknown: {error.title} {error.detail}".strip(),)
        return tuple(preview.lines())

    return lines
