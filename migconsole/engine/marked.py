"""What is compared where a target is watched without a run: before and after a moment that a person marks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from migconsole.domain.quantities import format_duration
from migconsole.domain.restore_points import NOTHING, RestorePoint
from migconsole.domain.reviews import Review
from migconsole.domain.schema_diff import Fingerprint
from migconsole.domain.snapshots import STATEMENTS, Snapshot
from migconsole.engine import comparing
from migconsole.engine.comparing import Moments
from migconsole.engine.ports import HealthSource
from migconsole.errors import MigconsoleError


class MarkedPast:
    """``engine.comparing.Past`` of a watched target. Nothing outlives the screen; ``clock`` is Unix time."""

    def __init__(self, source: HealthSource, clock: Callable[[], float]) -> None:
        self._source = source
        self._clock = clock
        self._marked: float | None = None
        self._kept: list[Snapshot] = []

    async def mark(self) -> str:
        """Let everything sampled until now be the baseline, and what comes be compared with it.

        Returns what is kept. Raises MigconsoleError while there is nothing that could be.
        """
        return await asyncio.to_thread(self._mark)

    def _mark(self) -> str:
        newest = comparing.snapshot_before(self._source, None)
        why = "statements have not been read yet" if newest is None else newest.why_no_statements()
        if newest is None or why:
            raise MigconsoleError(
                "There is no baseline yet", why, "Wait for the first sample of statements, or see the tab Queries."
            )
        self._marked, self._kept = newest.at, [newest]
        before = comparing.baseline(self)
        if not isinstance(before, str) and before.begin is not None:
            # The watcher thins its samples, and the comparison may be wanted hours later.
            self._kept = [before.begin, newest]
        ago = format_duration(max(0.0, self._clock() - newest.at))
        length = "" if isinstance(before, str) or not before.seconds else f" of {format_duration(before.seconds)}"
        count = len(newest.rows(STATEMENTS))
        return f"baseline{length}: {count} statements as of {ago} ago; what comes now is compared with them (9)"

    def moments(self) -> Moments:
        """The marked moment takes the place of the migration."""
        return Moments(self._marked, self._marked, "no baseline yet: b makes the time until now the baseline")

    def source(self) -> HealthSource:
        """What is being sampled."""
        return self._source

    def kept(self) -> Sequence[Snapshot]:
        """The ends of the baseline."""
        return self._kept

    def keep(self, snapshot: Snapshot) -> None:
        """Keep another one while the screen is open."""
        self._kept = [*self._kept, snapshot]

    def schema(self) -> Fingerprint | None:
        """None: no check runs here."""
        return None

    def masked_schema(self, fingerprint: Fingerprint) -> Fingerprint:
        """As it is: it is not kept."""
        return fingerprint

    def keep_schema(self, fingerprint: Fingerprint) -> None:
        """There is nowhere to keep it."""

    def review(self) -> Review | None:
        """None: there are no migration files here."""
        return None

    def restore_point(self) -> RestorePoint:
        """None: nothing is rolled back from here."""
        return NOTHING

    def times(self, key: str) -> Sequence[tuple[float, tuple[float, ...]]]:
        """None were measured."""
        return ()

    def keep_times(self, key: str, at: float, times: Sequence[float]) -> None:
        """There is nowhere to keep them."""
