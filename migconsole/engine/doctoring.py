"""What a failed change has left behind, looked at by itself and never mended: evidence of the migration doctor.

Only where the checklist reads migrations anyway: it says which tool and which files, and a failed step of another kind
of checklist has nothing that could be read so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migconsole.domain.checklist import Check, Checklist, Danger
from migconsole.domain.events import Kind
from migconsole.domain.run import Attempt
from migconsole.engine.ports import Database
from migconsole.engine.recorder import Recorder
from migconsole.errors import MigconsoleError

CHECK = "migration_doctor"
_READERS = ("migrations", CHECK)
_ARGUMENTS = ("tool", "directory", "schema")
KEPT = 60
"""Lines of evidence that go on record; the check itself can be run for more."""


class Doctor:
    """Looks after an attempt that changed something and did not end well."""

    def __init__(self, recorder: Recorder, checklist: Checklist, database: Database) -> None:
        self._recorder = recorder
        self._checklist = checklist
        self._database = database
        self._forward = {located.item.id for located in checklist.walk()}

    async def after(self, attempt: Attempt, outcome: str) -> None:
        """Put what was found on record, once; a look that failed is on record as such."""
        if outcome not in ("failed", "interrupted") or attempt.danger == Danger.READ or attempt.job:
            return
        arguments = self._arguments()
        if arguments is None or attempt.item not in self._forward:
            return
        try:
            lines = list((await self._database.check(CHECK, arguments)).lines)
        except MigconsoleError as error:
            lines = [f"? what was left behind cannot be seen: {error.title} {error.detail}".rstrip()]
        data = {"item": attempt.item, "attempt": attempt.number, "lines": lines[:KEPT]}
        await self._recorder.record(Kind.EXAMINED, data, key=f"examined:{attempt.item}:{attempt.number}")

    def _arguments(self) -> Mapping[str, Any] | None:
        """Where the checklist looks for migrations; None where it does not."""
        for located in self._checklist.walk():
            for alternative in located.item.steps:
                action = alternative.step.action
                if isinstance(action, Check) and action.name in _READERS:
                    return {name: action.arguments[name] for name in _ARGUMENTS if name in action.arguments}
        return None
