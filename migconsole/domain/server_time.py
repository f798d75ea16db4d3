"""The server's time of what the journal recorded: its events carry this host's clock, T-0 and the window the server's.

The one place where the two meet. A journal says by how much they differ from when on (``server.clock``); one that
says nothing was written on a host that agreed with its server, or by a version that did not look.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from migconsole.domain.events import Event
from migconsole.domain.times import instant

SKEW_SHOWN = 2.0
"""Seconds by which this host and the server may disagree before anybody says so: a reading takes up to a second."""

MOST = 10.0**9
"""Seconds of difference beyond which a reading is none: thirty years."""


def counting(skew: float, uncertainty: float) -> float:
    """What a reading counts for: within its uncertainty, or below what is shown, nothing. Clocks that agree are one.

    >>> counting(30.0, 0.5), counting(1.5, 0.1), counting(-4.0, 5.0)
    (30.0, 0.0, 0.0)
    """
    return skew if abs(skew) > max(SKEW_SHOWN, uncertainty) else 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """From ``begin`` to ``end`` by this host's clock (None: up to now), the server's was ``skew`` seconds ahead."""

    begin: datetime
    skew: float
    end: datetime | None = None


@dataclass
class ServerTime:
    """How far the server's clock is ahead of the one that stamps events, as it was found while the run went on."""

    readings: list[Reading] = field(default_factory=list)
    _last: datetime | None = None

    @property
    def skew(self) -> float | None:
        """Seconds by which the server's clock is ahead now; None while no difference was ever recorded."""
        return self.readings[-1].skew if self.readings else None

    def saw(self, event: Event) -> None:
        """Remember the newest time on this host's clock: what was read last held until then."""
        self._last = instant(event.at) or self._last

    def heard(self, event: Event) -> None:
        """A reading that differs from the one before. Raises ValueError for one that is none."""
        skew, begin = float(event.data["skew_s"]), instant(event.at)
        if begin is None or not abs(skew) < MOST:
            raise ValueError(f"{event.data['skew_s']!r} at {event.at!r} is no reading of a clock")
        if self.readings:
            before = self.readings[-1]
            self.readings[-1] = Reading(before.begin, before.skew, self._last or begin)
        self.readings.append(Reading(begin, skew))

    def of(self, iso: str) -> datetime | None:
        """A recorded time as the server had it; None for what is no time.

        What was recorded before the first reading is taken to have had the same difference. Where this host's clock
        was set back, two readings hold for the same hour: the earlier time counts, so that a GO is never too young.
        """
        moment = instant(iso)
        return None if moment is None else moment + timedelta(seconds=self._skew_at(moment))

    def at(self, moment: datetime, iso: str) -> datetime:
        """A moment that was reckoned from this host's time at ``iso``."""
        then = instant(iso)
        return moment + timedelta(seconds=self._skew_at(then or moment))

    def now(self, local: datetime) -> datetime:
        """This host's time now as the server has it."""
        return local + timedelta(seconds=self.skew or 0.0)

    def local(self, moment: datetime) -> datetime:
        """A moment of the server's clock, such as T-0, as this host has it now."""
        return moment - timedelta(seconds=self.skew or 0.0)

    def _skew_at(self, moment: datetime) -> float:
        if not self.readings:
            return 0.0
        begun = [one for one in self.readings if one.begin <= moment] or self.readings[:1]
        standing = [one.skew for one in begun if one.end is None or moment <= one.end]
        return min(standing, default=begun[-1].skew)
