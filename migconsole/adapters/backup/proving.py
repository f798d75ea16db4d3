"""Proving a backup: restored beside the database, compared, given its properties, closed. Then it is armed.

The side database's comment says how far it is, on the server, where every later console reads it. Whatever of it is
not armed is dropped and made anew; nothing of a restore that was cut off is ever gone on with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from migconsole.adapters.backup import directory as storage
from migconsole.adapters.backup.clients import Choice
from migconsole.adapters.backup.directory import Backup
from migconsole.adapters.backup.preflight import Assumptions, Finding, examine
from migconsole.adapters.backup.reporting import Reporter
from migconsole.adapters.backup.restoring import Filling, RestoreError, fill, timed
from migconsole.adapters.backup.tools import Running, Toolbox
from migconsole.adapters.postgres.sides import SideKeeper
from migconsole.domain.lag import LagClock
from migconsole.domain.manifest import compare_properties
from migconsole.domain.quantities import format_duration, format_size
from migconsole.domain.rollback import DatabaseRow, Mark, Marker, between_name, next_name, side_name
from migconsole.domain.target import Target
from migconsole.engine.ports import ServerIdentity
from migconsole.errors import MigconsoleError, StoppedError

LOAD_EVERY = 2.0
"""Seconds between two looks at what a restore costs the server."""

LOAD_SAID_EVERY = 5
"""Every how many looks it is said."""

BLIND_LOOKS = 3
"""Looks in a row that may fail while the connection lives before the restore ends: one may be cancelled by somebody."""

RESUME_BELOW = 0.5
"""Share of ``max_lag`` below which a held restore goes on: at the limit itself it would stop and go all the time."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What is to be proven, and how. ``owner`` is the run's identifier, or the backup's outside of a run.

    ``app`` is the database that the side one stands beside, the backup's own by default. ``lock`` is false where the
    caller holds the operator lock. ``max_lag`` is in seconds. ``give_up`` is why a copy that is armed may be dropped
    before the new one is proven, where there is no room for both; ``giving_up`` is told before it happens.
    """

    path: Path
    target: Target
    identity: ServerIdentity
    choice: Choice
    toolbox: Toolbox
    owner: str = ""
    app: str = ""
    jobs: int = 1
    keep: bool = True
    max_lag: float = 30.0
    assumed: Assumptions = field(default_factory=Assumptions)
    lock: bool = True
    give_up: str = ""
    giving_up: Callable[[str], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Proven:
    """A proof that held. ``armed``: the side database waits; ``replaced`` is the backup whose side it took.

    ``still_armed`` is the backup of an armed copy that was there before and stays, because this one was not kept.
    """

    backup: Backup
    side: str
    owner: str
    armed: bool
    at: str
    lsn: str
    durations: dict[str, float]
    wal: int
    findings: tuple[Finding, ...]
    replaced: str = ""
    still_armed: str = ""


async def prove(proof: Proof, reporter: Reporter) -> Proven:
    """Prove a backup. Raises MigconsoleError with the reason when it is not proven; no side database is left then."""
    durations: dict[str, float] = {}
    reporter.say(f"reading every byte of {proof.path}")
    async with timed(durations, "total_s"):
        async with timed(durations, "verify_s"):
            backup = await asyncio.to_thread(storage.verify, proof.path)
        app = proof.app or backup.manifest.database
        owner = proof.owner or backup.manifest.id
        async with SideKeeper.opened(proof.target, app, owner, lock=proof.lock) as keeper:
            proving = _Proving(proof, backup, app, owner, keeper, reporter, durations)
            proven = await proving.run()
    return proven


class _Proving:
    """One proof on its way."""

    def __init__(
        self,
        proof: Proof,
        backup: Backup,
        app: str,
        owner: str,
        keeper: SideKeeper,
        reporter: Reporter,
        durations: dict[str, float],
    ) -> None:
        self._proof = proof
        self._backup = backup
        self._app = app
        self._side = side_name(app, owner)
        self._next = next_name(app, owner)
        self._work = self._side
        self._owner = owner
        self._keeper = keeper
        self._reporter = reporter
        self._durations = durations

    async def run(self) -> Proven:
        """All of it, in order."""
        proof, keeper = self._proof, self._keeper
        findings, standing = await self._ground()
        start, _at = await keeper.now()
        try:
            await self._make(start)
            _lsn, at = await keeper.now()
            if proof.keep:
                await self._arm(at, standing)
        except BaseException as error:
            await self._abandon(error)
            raise
        load = await keeper.load(start)
        self._reporter.say(f"the proof wrote {format_size(load.written)} of WAL")
        if not proof.keep:
            await self._drop_work()
            self._reporter.say(f"{self._work} was dropped: proven, not armed")
        lsn, at = await keeper.now()
        owner, armed = self._owner, proof.keep
        done = self._durations  # the total is written into it at the very end
        found = tuple(findings)
        if not armed:
            return Proven(self._backup, "", owner, armed, at, lsn, done, load.written, found, still_armed=standing)
        return Proven(self._backup, self._side, owner, armed, at, lsn, done, load.written, found, standing)

    async def _ground(self) -> tuple[list[Finding], str]:
        """Look at everything, and make room for the copy; also the backup whose armed copy stays until then."""
        self._refuse([finding for finding in await self._examined() if not finding.room])
        standing = await self._clear()
        findings = self._say(await self._examined())
        short = [finding.line for finding in findings if finding.room and finding.level == "block"]
        if standing and short:
            if not self._proof.give_up:
                raise StoppedError(
                    "There is no room for a second copy beside the armed one",
                    "\n".join(short),
                    f"{self._side} is the way back as long as it is there. Free space; or drop it first with "
                    "--give-up-armed REASON: then there is none until the new one is proven.",
                )
            await self._give_up(standing)
            standing, findings = "", self._say(await self._examined())
        self._refuse(findings)
        self._work = self._next if standing else self._side
        return findings, standing

    async def _examined(self) -> list[Finding]:
        proof = self._proof
        return await examine(self._keeper, proof.identity, self._backup.manifest, proof.jobs, proof.assumed)

    def _say(self, findings: list[Finding]) -> list[Finding]:
        for finding in findings:
            self._reporter.say(finding.line)
        return findings

    def _refuse(self, findings: Sequence[Finding]) -> None:
        blocking = [finding.line for finding in findings if finding.level == "block"]
        unknown = [finding.line for finding in findings if finding.level == "unknown"]
        if blocking:
            raise RestoreError("The backup cannot be proven here", "\n".join(blocking), "Mend this first.")
        if unknown:
            raise StoppedError("Something that matters cannot be seen from here", "\n".join(unknown), _LOOK)

    async def _give_up(self, standing: str) -> None:
        """Drop the armed copy before its successor is there: only with a reason, and on record before it happens."""
        self._reporter.say(
            f"{self._side} is dropped first, for room: NO RESTORE POINT until this proof ends ({self._proof.give_up})"
        )
        if self._proof.giving_up is not None:
            await self._proof.giving_up(standing)
        await self._drop(self._side)

    async def _clear(self) -> str:
        """Drop what an unfinished proof left under our names; returns the backup that is armed there, which stays."""
        standing = ""
        for name, row in sorted((await self._keeper.find(self._side, self._next)).items()):
            marker = row.marker
            ours = marker is not None and marker.app == self._app
            if name == self._side and marker is not None and ours and marker.step is Mark.ARMED and not row.open:
                standing = marker.backup
                self._reporter.say(f"{name} is armed with backup {standing}: it stays until the new one is proven")
                continue
            was = f"restored from backup {marker.backup}, {marker.step}" if marker else "empty and without a marker"
            self._reporter.say(f"{name} is there ({was}): dropped and made anew")
            await self._keeper.drop(row, self._app, name)
        return standing

    async def _make(self, start: str) -> None:
        proof, keeper, side = self._proof, self._keeper, self._work
        manifest = self._backup.manifest
        self._reporter.say(f"restoring into {side} with {proof.jobs} job{'s' if proof.jobs > 1 else ''}")
        await keeper.create(side, manifest.properties, proof.identity.version_num)
        await self._mark(Mark.RESTORING)
        if await keeper.relations(side):
            raise RestoreError(f"{side} is not empty", "Somebody made relations in it meanwhile.")
        filling = Filling(
            self._backup,
            proof.target,
            side,
            proof.choice,
            proof.toolbox,
            proof.jobs,
            self._owner,
            lambda running: self._guard(running, start),
            self._durations,
        )
        await fill(filling, self._reporter)
        await keeper.apply(side, manifest.properties)
        if found := compare_properties(manifest.properties, await keeper.properties(side)):
            raise RestoreError("The restored database has not the properties that were backed up", "\n".join(found))
        await self._mark(Mark.VERIFIED)

    async def _arm(self, at: str, standing: str) -> None:
        await self._keeper.close(self._work)
        await self._mark(Mark.ARMED, at)
        row = (await self._keeper.find(self._work)).get(self._work)
        if row is None or row.open or row.marker is None or row.marker.step is not Mark.ARMED:
            raise RestoreError(f"{self._work} is not armed", "The server does not show what was just done.")
        if standing:
            await self._take_over(standing)
        self._reporter.say(f"{self._side} is armed: closed, and one swap away")

    async def _take_over(self, standing: str) -> None:
        """The new copy gets the name that a rollback looks for; only then the old one goes.

        Whatever fails here, what lies under the other name is the one to drop: the side database's is armed.
        """
        await self._keeper.exchange(self._next, self._side, between_name(self._app, self._owner))
        self._reporter.say(f"{self._side} now holds this backup; the copy of backup {standing} is dropped")
        try:
            await self._drop(self._next)
        except MigconsoleError as problem:
            self._reporter.say(f"{self._next} could not be dropped: {problem.title}; the next proof drops it")

    async def _mark(self, step: Mark, at: str = "") -> None:
        if not at:
            _lsn, at = await self._keeper.now()
        backup = self._backup
        marker = Marker(self._owner, self._app, step, backup.manifest.id, backup.digest, at)
        await self._keeper.mark(self._work, marker)

    async def _guard(self, running: Running, start: str) -> None:
        """Say what the restore costs the server, and hold it while a standby falls behind.

        Raises RestoreError when that cannot be looked at any more: with the connection the operator lock is gone, too,
        and a restore that nobody watches would go on unbounded, or stay held for ever.
        """
        limit, clock = self._proof.max_lag, LagClock()
        looks = unseen = 0
        while True:
            await asyncio.sleep(LOAD_EVERY)
            try:
                load = await self._keeper.load(start)
            except MigconsoleError as problem:
                unseen += 1
                if unseen >= BLIND_LOOKS or not self._keeper.alive:
                    raise _blind(problem) from problem
                self._reporter.say(f"how far standbys are behind is not known: {problem.title}; looked at again")
                continue
            looks, unseen = looks + 1, 0
            lag = max(load.lag or 0.0, clock.lag(time.monotonic(), load.written, load.behind))
            if not running.held and lag > limit:
                running.hold()
                self._reporter.say(
                    f"held: a standby is {format_duration(lag)} behind, more than {format_duration(limit)}"
                )
            elif running.held and lag < limit * RESUME_BELOW:
                running.go_on()
                self._reporter.say(f"goes on: the standby is {format_duration(lag)} behind")
            if looks % LOAD_SAID_EVERY == 0:
                behind = "" if load.behind is None else f", standby {format_size(load.behind)} behind"
                self._reporter.say(f"load: {format_size(load.written)} of WAL written{behind}")

    async def _abandon(self, error: BaseException) -> None:
        """Leave no side database behind a proof that failed; when even that fails, its marker says what it is."""
        try:
            await self._drop_work()
        except MigconsoleError as problem:
            if not self._keeper.alive and await self._abandoned_anew():
                return
            what = type(error).__name__
            self._reporter.say(
                f"{self._work} could not be dropped after {what}: {problem.title}; the next proof drops it"
            )

    async def _abandoned_anew(self) -> bool:
        """Whether it could be dropped on another connection, which has to get the operator lock first."""
        proof = self._proof
        try:
            async with SideKeeper.opened(proof.target, self._app, self._owner, lock=proof.lock) as keeper:
                self._keeper = keeper
                await self._drop_work()
        except MigconsoleError:
            return False
        return True

    async def _drop_work(self) -> None:
        await self._drop(self._work)

    async def _drop(self, name: str) -> None:
        row: DatabaseRow | None = (await self._keeper.find(name)).get(name)
        if row is not None:
            await self._keeper.drop(row, self._app, name)


def _blind(problem: MigconsoleError) -> RestoreError:
    return RestoreError(
        "The restore was ended: nobody could watch over it any more",
        f"What it costs the server, and how far standbys are behind, cannot be seen: {problem.title}. {problem.detail} "
        "When that connection is lost, so is the operator lock.",
        "Look at the server; then prove the backup again.",
    )


_LOOK = "Look there yourself, then say what you found: --disk-free SIZE."


def swap_blockers(findings: Sequence[Finding]) -> list[str]:
    """What would stop a swap now, in words."""
    return [finding.line for finding in findings if finding.level == "swap"]
