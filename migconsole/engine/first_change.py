"""What is kept of the database just before the first change: the schema that a revert is held against."""

from __future__ import annotations

from migconsole.domain import restore_gate
from migconsole.domain.checklist import Checklist, Located
from migconsole.engine.ports import Database
from migconsole.engine.recorder import Recorder
from migconsole.errors import MigconsoleError


class FirstChange:
    """Asked before every change. A checklist that pins the schema itself is left alone, whichever way it does it."""

    def __init__(self, database: Database, recorder: Recorder, checklist: Checklist) -> None:
        self._database = database
        self._recorder = recorder
        self._checklist = checklist

    async def coming(self, located: Located) -> None:
        """Keep the schema, once and only before anything was changed: a half-migrated one is no "before".

        It holds nothing up: where it cannot be kept, a revert will be called not verified, and this is said.
        """
        if located.phase is None or located.phase.at < 0 or restore_gate.begun(self._recorder.run, self._checklist):
            return
        try:
            await self._database.keep_schema()
        except MigconsoleError as error:
            why = MigconsoleError("The schema before the migration could not be kept", f"{error.title} {error.detail}")
            self._recorder.trouble(why, "schema")
