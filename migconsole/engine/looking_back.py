"""Looking at the way back before the gate is passed, and asking for a fresh one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from migconsole.domain.checklist import Checklist
from migconsole.domain.rollback_survey import Survey
from migconsole.domain.way_back import WayBack, makers, way_back
from migconsole.engine.backing_out import BackingOut
from migconsole.engine.recorder import Recorder
from migconsole.errors import MigconsoleError, StoppedError


class LookingBack:
    """What was seen of the way back at the last look. Looking changes nothing, and a look that failed is unknown."""

    def __init__(
        self,
        recorder: Recorder,
        checklist: Checklist,
        rollback: BackingOut,
        now: Callable[[], datetime],
        reopen: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._recorder = recorder
        self._checklist = checklist
        self._rollback = rollback
        self._now = now
        self._reopen = reopen
        self._survey: Survey | None = None
        self._why = ""

    def seen(self) -> WayBack | None:
        """The way back as it stands, with what was counted at the last look; None where no backup is taken."""
        return way_back(self._recorder.run, self._checklist, self._now(), self._survey, self._why)

    async def look(self) -> WayBack | None:
        """Count what was written since, and see who is in the database."""
        if self.seen() is None:
            return None
        try:
            self._survey, self._why = await self._rollback.survey(), ""
        except MigconsoleError as error:
            self._survey, self._why = None, " ".join(filter(None, (error.title, error.detail)))
        return self.seen()

    async def renew(self, reason: str) -> str:
        """Reopen what made the way back, so that a fresh one is taken; returns the item that it begins with.

        Raises StoppedError while others are in the database: what they write would be missing again.
        """
        found = await self.look()
        if found is None or not found.quiet:
            who = ", ".join((found.others if found else None) or ()) or self._why or "it was not seen who is in it"
            raise StoppedError("The application has not stopped", who, "Stop it first; then nothing is missing.")
        items = makers(self._recorder.run, self._checklist)
        if not items:
            raise StoppedError("There is nothing to take afresh", "No backup or proof of this run is done.")
        for item in items:
            await self._reopen(item, reason)
        return items[0]
