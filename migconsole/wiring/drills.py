"""``migconsole drill``: the whole way back, rehearsed on a scratch copy of the database, with a time for every step.

Backup, a scratch copy made from it, a proof beside that copy, the swap, putting back, and away with all of it. It goes
through the very code that a rollback goes through, and touches no database that it did not make.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from migconsole.adapters import processes
from migconsole.adapters.backup.directory import Backup
from migconsole.adapters.backup.preflight import Assumptions
from migconsole.adapters.backup.proving import Proof, prove
from migconsole.adapters.backup.restoring import Filling, RestoreError, fill, timed
from migconsole.adapters.backup.taking import take
from migconsole.adapters.drill_book import remember
from migconsole.adapters.jobs.outcomes import JobOutcome
from migconsole.adapters.postgres.rollback.survey import Knowledge, PostgresRollbackServer
from migconsole.adapters.postgres.sides import SideKeeper
from migconsole.adapters.rollback.keepers import FileKeeper
from migconsole.adapters.rollback.originals import original_of
from migconsole.adapters.rollback.surroundings import HereSurroundings
from migconsole.adapters.runs import state_directory
from migconsole.domain import rollback_verified
from migconsole.domain.drills import drill_lock, made_by, scratch_name
from migconsole.domain.events import Kind
from migconsole.domain.quantities import format_duration, parse_size
from migconsole.domain.restore_points import PointState
from migconsole.domain.rollback import Mark, Marker
from migconsole.domain.rollback_deeds import put_back_plan, swap_plan
from migconsole.domain.rollback_plan import Outcome, Plan, StepReport, Verdict
from migconsole.domain.target import Target
from migconsole.engine.rollback import Deeds
from migconsole.engine.rollback_ledger import Decision
from migconsole.errors import MigconsoleError, UsageError
from migconsole.wiring.backups import restore_point
from migconsole.wiring.drill_leftovers import leftover_lines
from migconsole.wiring.restore_jobs import AskedToDump, Reports, Setting, Speaker, carried_out, conclude


def brought_back(outcome: Outcome) -> None:
    """Raise RestoreError where the copy is not what was backed up, or where that could not be seen.

    Nobody but the drill is in it: there is no client whose writing would explain a difference.
    """
    found = outcome.verification
    if found is None or found.proof is not rollback_verified.Proof.VERIFIED:
        said = "\n".join((found.line, *found.lines)) if found else "it was not compared"
        raise RestoreError("The drill's swap did not bring back what was backed up", said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(AskedToDump):
    """What the command line gave."""

    keep_backup: bool = False
    disk_free: str = ""


async def drill(options: Options, speak: Speaker) -> int:
    """Rehearse; the exit code. Raises MigconsoleError with the step that failed; nothing of it is left then."""
    reports = Reports(speak)

    async def work() -> JobOutcome:
        try:
            free = parse_size(options.disk_free) if options.disk_free else None
        except ValueError as error:
            raise UsageError("--disk-free is no size", str(error)) from None
        setting = await options.prepared("drill", reports)
        reports.say(f"{setting.identity.name}, PostgreSQL {setting.identity.version}: a drill on copies of it")
        for line in await leftover_lines(setting.target, setting.run_id):
            reports.say(line)
        rehearsal = _Rehearsal(setting, options, reports, Assumptions(free, 0))
        async with timed(rehearsal.durations, "whole_s"):
            await rehearsal.run()
        outcome = rehearsal.outcome()
        _remember(options.state_dir, setting, rehearsal)
        await conclude(setting, outcome)
        for name, seconds in rehearsal.durations.items():
            reports.say(f"{name.removesuffix('_s'):<12} {format_duration(seconds)}")
        speak("the way back holds", {"event": "drill", **outcome.values})
        return outcome

    return await carried_out(work, reports)


@dataclass(slots=True)
class _Rehearsal:
    """One drill."""

    setting: Setting
    options: Options
    reports: Reports
    assumed: Assumptions
    durations: dict[str, float] = field(default_factory=dict)
    backup: Backup | None = None
    marker: Marker | None = None

    async def run(self) -> None:
        """All of it, in order; whatever it made is removed, however it ends."""
        setting, options = self.setting, self.options
        async with timed(self.durations, "backup_s"):
            self.backup = await take(options.order(setting), self.reports)
        self.durations["dump_s"] = self.backup.manifest.durations["dump_s"]
        try:
            async with self._scratch(self.backup) as scratch:
                await self._rehearse(self.backup, scratch)
        finally:
            if not options.keep_backup:
                shutil.rmtree(self.backup.path, ignore_errors=True)

    @contextlib.asynccontextmanager
    async def _scratch(self, backup: Backup) -> AsyncIterator[Target]:
        """A copy of the database that stands for it, and everything that the drill makes beside it, for a while."""
        setting, identifier = self.setting, backup.manifest.id
        name = scratch_name(backup.manifest.database, identifier)
        made = made_by(name, identifier)
        async with SideKeeper.opened(setting.target, name, identifier) as keeper:
            await keeper.claim(drill_lock(name))
            if there := await keeper.find(*made):
                raise UsageError(
                    f"{next(iter(there))} is there already", "", "Find out whose it is, and drop it by hand."
                )
            try:
                await self._fill(keeper, backup, name)
                await keeper.unlock(name)
                yield replace(setting.target, database=name)
            finally:
                await self._remove(keeper, name, made)

    async def _fill(self, keeper: SideKeeper, backup: Backup, name: str) -> None:
        setting, manifest = self.setting, backup.manifest
        self.reports.say(f"making the scratch copy {name}")
        _lsn, at = await keeper.now()
        await keeper.create(name, manifest.properties, setting.identity.version_num)
        self.marker = Marker(manifest.id, manifest.database, Mark.DRILL, manifest.id, backup.digest, at)
        await keeper.mark(name, self.marker)
        took: dict[str, float] = {}
        filling = Filling(
            backup,
            setting.target,
            name,
            setting.choice,
            setting.toolbox,
            self.options.jobs,
            manifest.id,
            durations=took,
        )
        await fill(filling, self.reports)
        await keeper.apply(name, manifest.properties)

    async def _remove(self, keeper: SideKeeper, name: str, made: tuple[str, ...]) -> None:
        """Drop what was made under these names, and only while they are what was made."""
        for database, row in (await keeper.find(*made)).items():
            try:
                await keeper.drop_scratch(row, name, made)
            except MigconsoleError as error:
                self.reports.say(f"{database} could not be dropped: {error.title}; drop it by hand")

    async def _rehearse(self, backup: Backup, scratch: Target) -> None:
        setting, identifier = self.setting, backup.manifest.id
        proof = Proof(
            backup.path,
            setting.target,
            setting.identity,
            setting.choice,
            setting.toolbox,
            identifier,
            app=scratch.database,
            jobs=max(1, self.options.jobs),
            assumed=self.assumed,
        )
        self.reports.say("proving the backup beside it")
        proven = await prove(proof, self.reports)
        self.durations |= {name: proven.durations[name] for name in ("restore_s", "analyze_s", "compare_s")}
        self.durations["prove_s"] = proven.durations["total_s"]
        with tempfile.TemporaryDirectory(prefix="migconsole-drill-") as folder:
            deeds = self._deeds(backup, scratch, Path(folder))
            swapped = await self._deed(deeds, "swap")
            self.durations["outage_s"] = round(swapped.outage or 0.0, 3)
            await self._deed(deeds, "put-back")

    def _deeds(self, backup: Backup, scratch: Target, folder: Path) -> Deeds:
        setting = self.setting
        keeper = FileKeeper(folder / "drill.jsonl", setting.redact)
        original = original_of(backup.path, scratch.database).original
        knowledge = Knowledge(
            owner=backup.manifest.id,
            book=keeper.book,
            backup=str(backup.path),
            # In place of the application's own comment: whatever is called so stays known as a drill's.
            original=replace(original, comment=self.marker.text() if self.marker else None),
            redact=setting.redact,
        )
        server = PostgresRollbackServer(scratch, knowledge)
        around = HereSurroundings(scratch, environment=dict(os.environ), redact=setting.redact)
        return Deeds(server, keeper, around)

    async def _deed(self, deeds: Deeds, what: str) -> Outcome:
        """The swap, or putting back, with the seconds of its steps."""
        survey = await deeds.survey()
        plan: Plan = swap_plan(survey) if what == "swap" else put_back_plan(survey)
        wanted = Verdict.SWAPPED if what == "swap" else Verdict.PUT_BACK
        steps: dict[str, float] = {}

        def heard(report: StepReport) -> None:
            if report.seconds is not None:
                steps[report.step] = report.seconds
                self.reports.say(f"  {report.title}: {format_duration(report.seconds)}")

        start = time.monotonic()
        decision = Decision(processes.new_id(), processes.login_name(), "drill")
        outcome = await deeds.execute(plan, survey, decision, heard)
        if outcome.verdict is not wanted:
            raise RestoreError(f"The drill's {what} ended as {outcome.verdict}", outcome.reason)
        if what == "swap":
            brought_back(outcome)
        whole = round(time.monotonic() - start, 3)
        if what == "swap":
            fence = round(sum(steps.get(step, 0.0) for step in ("fence", "end-sessions")), 3)
            self.durations |= {"fence": fence, "swap": round(max(0.0, whole - fence), 3)}
        else:
            self.durations["put_back_s"] = whole
        return outcome

    def outcome(self) -> JobOutcome:
        """What the drill is to the run: measured times of its restore point."""
        assert self.backup is not None
        values: dict[str, Any] = {"rows": self.backup.manifest.rows, **self.durations}
        facts = [self._drilled(), *([fact] if (fact := self._fact()) else [])]
        return JobOutcome(
            "passed", (), self.reports.lines[-200:], values, {"drill_backup": self.backup.manifest.id}, facts
        )

    def _drilled(self) -> dict[str, Any]:
        """What was measured, for the run's clock."""
        assert self.backup is not None
        manifest = self.backup.manifest
        data = {"at": manifest.server_time, "bytes": manifest.database_bytes, "durations": dict(self.durations)}
        return {"kind": str(Kind.DRILLED), "key": manifest.id, "data": data}

    def _fact(self) -> dict[str, Any] | None:
        """The times, on the restore point that the run would go back to; the backup's own where it is kept."""
        assert self.backup is not None
        whole = ("backup_s", "prove_s", "whole_s")
        taken = {name: seconds for name, seconds in self.durations.items() if name not in whole}
        key = f"{self.backup.manifest.id}:drill"
        if self.options.keep_backup:
            fact = restore_point(self.backup, "proven", why="proven by a drill", durations=taken)
            return fact | {"key": key}
        best = self.setting.run.state.restore_point if self.setting.run else None
        if best is None or best.state is PointState.NONE:
            return None
        data = {"state": best.state.value, "backup": best.backup, "why": best.why, "durations": taken}
        return {"kind": "restore-point", "key": key, "data": data}


def _remember(state_dir: str | None, setting: Setting, rehearsal: _Rehearsal) -> None:
    """Keep the times for later runs: in the state directory of the run that this is for, wherever that lies."""
    backup = rehearsal.backup
    assert backup is not None
    entry = {
        "target": setting.identity.name,
        "system_identifier": setting.identity.system_identifier,
        "at": backup.manifest.server_time,
        "jobs": rehearsal.options.jobs,
        "rows": backup.manifest.rows,
        "bytes": backup.manifest.database_bytes,
        "durations": rehearsal.durations,
    }
    own = setting.run.directory.state if setting.run else None
    remember(own or state_directory(state_dir), entry)
