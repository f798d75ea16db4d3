"""The monitor of one target: both sessions, and the way to any probe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from migconsole.adapters.postgres.probes.catalogue import BY_NAME, Probe, Through
from migconsole.adapters.postgres.probes.masking import Masking
from migconsole.adapters.postgres.probes.session import Session
from migconsole.adapters.postgres.probes.sessions import PULSE, ProbeSession, PulseSession
from migconsole.adapters.postgres.probes.state import Cost, Names, Shared, Watched
from migconsole.domain.readings import Reading
from migconsole.domain.target import Target
from migconsole.errors import MigconsoleError

__all__ = ["Cost", "Probes", "Watched"]


class Probes:
    """Reads probes of one target. ``clock`` gives Unix seconds for the readings.

    Readings never raise for what a server does. ``watched`` may be replaced at any time.
    """

    def __init__(
        self,
        target: Target,
        run: str = "",
        *,
        watched: Watched | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._shared = Shared(target, run, clock, watched or Watched(), Names(time.monotonic), Masking(target))
        self.pulse = PulseSession(self._shared)
        self.probe = ProbeSession(self._shared)
        self._waiting = 0
        self._resolving: asyncio.Task[None] | None = None

    @property
    def watched(self) -> Watched:
        """What the run is about to change, and who does it."""
        return self._shared.watched

    @watched.setter
    def watched(self, watched: Watched) -> None:
        self._shared.watched = watched

    async def open(self) -> None:
        """Connect and prepare both sessions, before anything is locked.

        Raises MigconsoleError with a remedy (a pooler, a wrong password, no such database) for the pulse alone: what
        keeps the other session out is in its readings. Both are tried again with every reading anyway.
        """
        await self.pulse.open()
        with suppress(MigconsoleError):
            await self.probe.open()
        await self.probe.resolve()

    async def hold(self, key: int) -> str:
        """Hold an advisory lock in the maintenance database; "" when it is held, else why it is not."""
        return await self.pulse.hold(key)

    async def run_pulse(self) -> tuple[Reading, ...]:
        """All probes of the pulse tier, from one set of queries."""
        readings = await self.pulse.read(PULSE)
        self._waiting = next((one.rows[0]["waiting"] for one in readings if one.probe == "self_cost" and one.rows), 0)
        if self._shared.names.wanting and (self._resolving is None or self._resolving.done()):
            self._resolving = asyncio.create_task(self.probe.resolve())
        return tuple(readings)

    async def run_probe(self, name: str, *, gate: bool = False) -> Reading:
        """One probe; ``gate`` asks for its widest answer. Raises KeyError for a name that is none."""
        probe = BY_NAME[name]
        (reading,) = await self._side(probe).read([probe], gate=gate)
        return reading

    async def stand_down(self, reason: str) -> None:
        """Leave the target: before it is fenced, swapped or dropped. The pulse goes on."""
        await self.probe.stand_down(reason)

    async def stand_up(self) -> None:
        """Come back into the target."""
        self.probe.stand_up()

    def retry(self, name: str = "") -> None:
        """Ask again for what was refused: by one probe, or all."""
        for session in (self.pulse, self.probe):
            session.retry(BY_NAME[name].sources if name else ())

    def rebase(self, name: str) -> None:
        """Let a probe compare with its next reading instead of its first one."""
        self._shared.memory.pop(name, None)

    async def texts(self, queryids: Iterable[str], counted: Iterable[str] = ()) -> Mapping[str, str]:
        """Texts of these statements and of our own among all that are ``counted``; loaded once in five minutes."""
        return await self.probe.texts(queryids, counted)

    def spent(self, seconds: float) -> None:
        """Count time of the server that was not spent through these sessions as the monitor's."""
        self._shared.cost.add(seconds * 1000)

    def cost(self) -> Cost:
        """What the monitor took during the last minute."""
        meter = self._shared.cost
        return Cost(meter.share, len(self._shared.own), self._waiting, meter.rate)

    async def close(self) -> None:
        """End both sessions."""
        if self._resolving is not None:
            self._resolving.cancel()
            await asyncio.gather(self._resolving, return_exceptions=True)
        await self.pulse.close()
        await self.probe.close()

    def _side(self, probe: Probe) -> Session:
        return self.pulse if probe.through is Through.PULSE else self.probe
