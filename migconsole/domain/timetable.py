"""What the journal says about time: when T-0 and the window's end are, who moved them, and what was crossed.

The part of the fold that the clock (``migconsole.domain.clock``) computes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from migconsole.domain.events import Event
from migconsole.domain.quantities import QuantityError, parse_duration
from migconsole.domain.server_time import ServerTime
from migconsole.domain.times import instant, within_reach

LAST_SAFE_ABORT = "last-safe-abort"
WINDOW_END = "window-end"
LIMITS = (LAST_SAFE_ABORT, WINDOW_END)
"""What the clock can cross."""

DECISIONS = ("go on", "hold", "roll back")
"""What can be decided once backing out no longer fits into the window."""


@dataclass(frozen=True, slots=True)
class Setting:
    """T-0 and the window's end from ``at`` on. ``source`` is "item:ID", "option" or "key".

    ``local`` is whether they were reckoned from this host's time, before the server's was known ("in 20 minutes").
    """

    at: str
    actor: str
    t0: datetime | None
    window_end: datetime | None
    reason: str = ""
    source: str = ""
    local: bool = False


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long an item is expected to take, in seconds, and where that is known from ("median of 3 runs")."""

    seconds: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Drill:
    """What the newest drill on this target measured: seconds by name, and the server's time of its backup.

    ``backup_s``, ``prove_s`` and ``restore_s`` are whole steps; ``fence`` and ``swap`` are the parts of a swap.
    """

    at: str
    durations: Mapping[str, float]

    def estimate(self, *parts: str) -> Estimate | None:
        """The sum of measured parts as an estimate, None where one of them was not measured."""
        found = [seconds for part in parts if (seconds := self.durations.get(part)) is not None]
        return Estimate(sum(found), f"drilled {self.at[:10]}".rstrip()) if len(found) == len(parts) else None

    def of_job(self, job: str) -> Estimate | None:
        """What a built-in job of this name is expected to take; None for one that a drill does not carry out."""
        parts = {"backup": ("backup_s",), "prove": ("prove_s",), "drill": ("whole_s",)}.get(job, ())
        return self.estimate(*parts) if parts else None


@dataclass(frozen=True, slots=True)
class Crossing:
    """A limit that was passed: when it was seen, what the limit was, and what was decided about it.

    ``back`` is when it fitted again (the window was moved, a restore point was armed), "" while it does not.
    """

    what: str
    at: str
    limit: str
    back: str = ""
    decision: str = ""
    decided_by: str = ""
    reason: str = ""


@dataclass
class Timetable:
    """Settings and crossings in their order; ``estimates`` by item, learned from earlier runs; the newest drill.

    ``server`` is how the times of recorded events are read: T-0, the window and every limit are the server's.
    """

    settings: list[Setting] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)
    notices: set[tuple[int, int]] = field(default_factory=set)
    estimates: dict[str, Estimate] = field(default_factory=dict)
    drill: Drill | None = None
    server: ServerTime = field(default_factory=ServerTime)

    @property
    def t0(self) -> datetime | None:
        """When the migration begins, None while nobody has said."""
        return self._served(self.settings[-1].t0, self.settings[-1]) if self.settings else None

    @property
    def window_end(self) -> datetime | None:
        """When the change window ends."""
        return self._served(self.settings[-1].window_end, self.settings[-1]) if self.settings else None

    def t0_at(self, moment: datetime) -> datetime | None:
        """The T-0 that stood at a moment of the server: what was planned for work that had begun does not move."""
        stood = [setting for setting in self.settings if (at := self.server.of(setting.at)) and at <= moment]
        chosen = stood[-1] if stood else next(iter(self.settings), None)
        return None if chosen is None else self._served(chosen.t0, chosen)

    def _served(self, moment: datetime | None, setting: Setting) -> datetime | None:
        """A moment of a setting by the server's clock."""
        return moment if moment is None or not setting.local else self.server.at(moment, setting.at)

    def open_crossing(self, what: str = LAST_SAFE_ABORT) -> Crossing | None:
        """The crossing that stands, None while the limit lies ahead."""
        last = next((crossing for crossing in reversed(self.crossings) if crossing.what == what), None)
        return last if last is not None and not last.back else None

    def episodes(self, what: str) -> int:
        """How often a limit has been crossed: the number is part of the next crossing's key."""
        return sum(crossing.what == what for crossing in self.crossings)

    @property
    def notice(self) -> tuple[int, int]:
        """What a notice of the last safe abort belongs to: each crossing and each move of the clock has one."""
        return self.episodes(LAST_SAFE_ABORT), len(self.settings)

    def set(self, event: Event) -> None:
        """T-0 or the window's end was set or moved; what the event does not name stays."""
        data = event.data
        t0 = _moment(data["t0"]) if data.get("t0") else self.t0
        end = _moment(data["window_end"]) if data.get("window_end") else self.window_end
        if t0 is not None and end is not None and end <= t0:
            raise ValueError("the window ends before T-0")
        reason, source, local = str(data.get("reason", "")), str(data.get("source", "")), data.get("local") is True
        self.settings.append(Setting(event.at, event.actor, t0, end, reason, source, local))

    def answered(self, event: Event) -> None:
        """The window was given as an answer: its start is T-0."""
        t0, end = window(str(event.data["value"]))
        source = f"item:{event.data['item']}"
        self.settings.append(Setting(event.at, event.actor, t0, end, str(event.data.get("reason", "")), source))

    def crossed(self, event: Event) -> None:
        """A limit was passed, or lies ahead again."""
        what, change = event.data["what"], event.data["change"]
        if what not in LIMITS or change not in ("near", "past", "back"):
            raise ValueError(f"{what!r} cannot be {change!r}")
        if change == "near":
            self.notices.add((int(event.data["episode"]), int(event.data["setting"])))
            return
        standing = self.open_crossing(what)
        if change == "past" and standing is None:
            self.crossings.append(Crossing(what, event.at, str(event.data.get("limit", ""))))
        elif change == "back" and standing is not None:
            self.crossings[self.crossings.index(standing)] = replace(standing, back=event.at)

    def decided(self, event: Event) -> None:
        """What the driver decided about the crossing that stands."""
        standing = self.open_crossing()
        if standing is None:
            raise ValueError("there is no crossing to decide about")
        decision = event.data["decision"]
        if decision not in DECISIONS:
            raise ValueError(f"unknown decision {decision!r}")
        settled = replace(standing, decision=decision, decided_by=event.actor, reason=str(event.data.get("reason", "")))
        self.crossings[self.crossings.index(standing)] = settled

    def learned(self, event: Event) -> None:
        """Estimates from earlier runs of the same items."""
        for item, found in event.data["items"].items():
            self.estimates[item] = _estimate(found)

    def drilled(self, event: Event) -> None:
        """A drill's times; the newest by the server's time of its backup counts."""
        at = str(event.data.get("at", ""))
        durations = {
            str(name): float(seconds)
            for name, seconds in event.data["durations"].items()
            if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < 10**8
        }
        if self.drill is None or at >= self.drill.at:
            self.drill = Drill(at, durations)


def window(answer: str) -> tuple[datetime, datetime]:
    """Start and end of a window in the form in which an answer is recorded. Raises ValueError.

    >>> [str(moment) for moment in window("2026-11-22T23:00Z 3h")]
    ['2026-11-22 23:00:00+00:00', '2026-11-23 02:00:00+00:00']
    """
    begin, _, length = answer.partition(" ")
    start = _moment(begin)
    try:
        return start, within_reach(start + timedelta(seconds=parse_duration(length)))
    except OverflowError:
        raise ValueError("that is too long") from None
    except QuantityError as error:
        raise ValueError(str(error)) from None


def _moment(iso: str) -> datetime:
    moment = instant(str(iso))
    if moment is None:
        raise ValueError(f"{iso!r} is no time")
    return within_reach(moment)


def _estimate(found: Mapping[str, object]) -> Estimate:
    seconds = float(str(found["seconds"]))
    if not 0 <= seconds < 10**8:
        raise ValueError(f"{seconds} seconds is no estimate")
    return Estimate(seconds, str(found.get("source", "")))
