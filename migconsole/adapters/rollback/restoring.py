"""The restoring steps of a rollback: into the side database, as ``prove`` does it, or where the database stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from migconsole.adapters.backup import directory as storage
from migconsole.adapters.backup import globals as cluster
from migconsole.adapters.backup.clients import Choice
from migconsole.adapters.backup.preflight import Assumptions
from migconsole.adapters.backup.proving import Proof, prove
from migconsole.adapters.backup.reporting import Progress
from migconsole.adapters.backup.restoring import Filling, fill
from migconsole.adapters.backup.tools import Toolbox
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.rollback.surroundings import HereSurroundings
from migconsole.domain.rollback_plan import Plan, PlanStep, Strategy
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.rollback_verified import Verification
from migconsole.domain.target import Target
from migconsole.engine.rollback_ports import Lines

BESIDE = "prove"
"""The step that restores beside the database; every other one restores where it stands."""


class RestoringSurroundings(HereSurroundings):
    """``HereSurroundings`` that can restore. ``choice`` finds the client programs that fit the server.

    ``assumed`` is what an operator says about disks that cannot be seen from here.
    """

    def __init__(
        self,
        target: Target,
        *,
        choice: Callable[[], Choice],
        assumed: Assumptions | None = None,
        jobs: int = 1,
        directory: Path | None = None,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        super().__init__(
            target,
            directory=directory,
            cwd=cwd,
            environment=environment,
            redact=redact,
            clients=lambda: choice().clients,
        )
        self._server = target
        self._choice = choice
        self._assumed = assumed or Assumptions()
        self._jobs = jobs
        self._masked = redact

    async def restore(self, step: PlanStep, survey: Survey, lines: Lines) -> None:
        """See the port. The operator lock is the caller's, so none is taken here."""
        choice = await asyncio.to_thread(self._choice)
        toolbox = Toolbox(choice.clients, self._server, f"migconsole/{survey.owner[:8]}/restore", self._masked)
        path, reporter = Path(survey.backup), _Lines(lines)
        if step.id != BESIDE:
            backup = await asyncio.to_thread(storage.verify, path)
            filling = Filling(backup, self._server, survey.names.app, choice, toolbox, self._jobs, survey.owner)
            await fill(filling, reporter)
            return
        database = PostgresDatabase(self._server, run=survey.owner)
        try:
            identity = await database.identity()
        finally:
            await database.close()
        proof = Proof(
            path,
            self._server,
            identity,
            choice,
            toolbox,
            owner=survey.owner,
            app=survey.names.app,
            jobs=self._jobs,
            assumed=self._assumed,
            lock=False,
        )
        await prove(proof, reporter)

    async def verify(self, plan: Plan, survey: Survey) -> Verification:
        """See the port; with what no restore puts back: roles and tablespaces that changed since the backup."""
        found = await super().verify(plan, survey)
        if not survey.backup or plan.strategy is Strategy.REVERT:
            return found
        choice = await asyncio.to_thread(self._choice)
        toolbox = Toolbox(choice.clients, self._server, f"migconsole/{survey.owner[:8]}/verify", self._masked)
        return replace(found, notes=(*found.notes, *await cluster.changed(Path(survey.backup), toolbox)))


class _Lines:
    """``adapters.backup.reporting.Reporter`` that says lines; progress is only for whoever draws it."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def say(self, line: str) -> None:
        self._lines((line,))

    def progress(self, progress: Progress) -> None:
        """Nothing: a plain report has no place for it."""
