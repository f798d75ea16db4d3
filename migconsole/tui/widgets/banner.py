"""The two rows that are never hidden: which server this is, and where the run stands."""

from __future__ import annotations

from textual.app import RenderResult
from textual.content import Content
from textual.widget import Widget

from migconsole.domain import restore_gate
from migconsole.domain.lifecycle import RunState
from migconsole.domain.restore_points import PointState
from migconsole.domain.run import overall
from migconsole.domain.text import sanitise_line
from migconsole.domain.tripwires import WireState
from migconsole.engine.session import Session
from migconsole.tui import format
from migconsole.tui.clock_line import clock_line, ended_line, hour
from migconsole.tui.format import Clock
from migconsole.tui.lines import Part, part, spread

ENVIRONMENTS = {"production": "PROD", "staging": "STAGING", "development": "DEV", "test": "TEST"}


def environment_class(environment: str) -> str:
    """The class that colours by environment; a name nobody knows is treated like production.

    >>> environment_class("test"), environment_class("live")
    ('-development', '-production')
    """
    name = environment.lower()
    return {"staging": "-staging", "development": "-development", "test": "-development"}.get(name, "-production")


_WIDE = 140
"""From this width on the clock leaves room for words."""


class Banner(Widget):
    """First row from what the *server* reports, second row from the run. Never from what the operator hopes."""

    ALLOW_SELECT = False

    def __init__(self, clock: Clock, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
        self._session: Session | None = None
        self._waiting = False

    def show(self, session: Session, waiting: bool) -> None:
        """Draw a session. ``waiting``: it was resumed and nobody has said yet that work goes on."""
        self._session, self._waiting = session, waiting
        name = environment_class(session.run.environment or session.checklist.target.environment)
        self.set_classes(name)
        self.refresh()

    def render(self) -> RenderResult:
        """Both rows."""
        width = self.content_size.width
        if self._session is None:
            return Content("")
        session = self._session
        timed = session.run.clock.t0 is not None or session.run.clock.window_end is not None
        second = self._time(session, width) if timed else self._progress(session, width)
        return Content("\n").join([self._server(session, width), second])

    def _server(self, session: Session, width: int) -> Content:
        environment = session.run.environment or session.checklist.target.environment
        name = ENVIRONMENTS.get(environment.lower(), sanitise_line(environment, 20).upper() or "PROD")
        left = [part(f" {name} ", f"bold $env-text on $env{environment_class(environment)}", 10)]
        identity = session.identity
        if identity is None:
            left.append(part(sanitise_line(session.target_display) or "no target", "bold", 9))
            left.append(part("not identified: the server has not been asked yet", "$caution", 8))
        else:
            where = f"{sanitise_line(identity.database)} @ {sanitise_line(identity.host)}:{identity.port}"
            short = f"{sanitise_line(identity.database, 30)} @ {sanitise_line(identity.host, 16)}"
            left += [
                part(where, "bold", 8, brief=part(short, "bold", 9)),
                part("standby", "bold $danger", 9) if identity.in_recovery else part("primary", "", 7),
                part(f"PostgreSQL {sanitise_line(identity.version, 24)}", "$muted", 5),
                part(f"as {sanitise_line(identity.user)}", "$muted", 4),
                part(f"#{format.fingerprint(identity)}", "$muted", 3),
            ]
        return spread(left, [*self._way_back(session), *self._mode(session)], width)

    def _way_back(self, session: Session) -> list[Part]:
        """How far the way back is proven, where this checklist or this run takes a backup at all."""
        point = session.run.restore_point
        if point.state is PointState.NONE and not restore_gate.has_backup(session.checklist):
            return []
        now, limit = self._clock.utc(), restore_gate.oldest_allowed(session.checklist)
        badge, brief = restore_gate.badge(point, now, limit), restore_gate.badge(point, now, limit, brief=True)
        style = "bold $caution" if badge.endswith("STALE") else self._worth(point.state)
        return [part(badge, style, 6, brief=part(brief, style, 8))]

    @staticmethod
    def _worth(state: PointState) -> str:
        return {
            PointState.ARMED: "bold $good",
            PointState.PROVEN: "$good",
            PointState.USED: "bold $caution",
            PointState.PURGED: "$muted",
        }.get(state, "bold $caution")

    def _mode(self, session: Session) -> list[Part]:
        modes = []
        if session.run.changed:
            modes.append(part(" TARGET CHANGED ", "bold reverse $danger", 10))
        if session.run.hold:
            modes.append(part(f" ON HOLD{self._until(session)} ", "bold reverse $caution", 10))
        elif session.run.life.ended:
            modes.append(part(f" {session.run.state.value.upper()} ", "bold reverse $accent", 10))
        elif session.conduct.amended:
            modes.append(part("amended since approval", "bold $caution", 7))
        elif session.run.state in (RunState.DRAFT, RunState.COMMITTED):
            modes.append(part(session.run.state.value, "$muted", 4))
        if self._waiting:
            modes.append(part(" RESUMED · R goes on ", "bold reverse $caution", 9))
        modes += self._others(session)
        if session.read_only:
            modes.append(part("read-only ", "bold $caution", 8))
        elif session.driving:
            modes.append(part("driving ", "$good", 6))
        else:
            driver = sanitise_line(session.run.driver_actor, 30)
            modes.append(part(f"watching{f', {driver} drives' if driver else ''} ", "bold $caution", 8))
        return modes

    def _until(self, session: Session) -> str:
        """When the hold is expected to end, and that it is over."""
        hold = session.run.hold
        until = format.moment(hold.until) if hold is not None else None
        if until is None:
            return ""
        now = session.clock.server(self._clock.utc())
        return f" until {hour(until, now)}{' ▲ overdue' if until < now else ''}"

    def _others(self, session: Session) -> list[Part]:
        """Who else is here: everybody in the room knows who sees the same."""
        names = sorted({sanitise_line(p.actor, 16) for p in session.presences if p.console != session.console_id})
        if not names:
            return []
        shown = ", ".join(names[:2]) + (f" +{len(names) - 2}" if len(names) > 2 else "")
        return [part(f"with {shown}", "$accent", 3)]

    def _time(self, session: Session, width: int) -> Content:
        """The clock, with what must not be overlooked beside it. How far the run is stands above the checklist then."""
        right = self._pressing(session, wide=width >= _WIDE)
        room = width - sum(piece.width + 2 for piece in right)
        clock = session.clock.at(self._clock.utc())
        ended = session.run.clock.server.of(session.run.ended_at)
        texts = clock_line(clock, room, session.clock.skew) if ended is None else ended_line(clock, ended)
        return spread([Part(tuple(texts), 20)], right, width)

    def _pressing(self, session: Session, *, wide: bool = False) -> list[Part]:
        wires = session.tripwires.tripped()
        unseen = sum(record.state is WireState.TRIPPED for _, record in wires)
        count = overall(session.run, session.checklist)
        parts = []
        if wires:
            style = "bold reverse $danger" if unseen else "bold $danger"
            parts.append(part(f" ⚑ {len(wires)} tripped ", style, 10))
        if count.problems:
            words = " to resolve" if wide else ""
            parts.append(part(f"✘ {count.problems}{words} ", "bold $danger", 9))
        return parts

    def _progress(self, session: Session, width: int) -> Content:
        run = session.run
        count = overall(run, session.checklist)
        full, empty = format.meter(count.done, count.total, 16 if width >= 100 else 8)
        left = [
            part(f" {sanitise_line(run.title or session.checklist.title)}", "", 5),
            Part(((f"{count.done} of {count.total} ", "bold"), (full, "$good"), (empty, "$line")), 8),
        ]
        if count.problems:
            left.append(part(f"✘ {count.problems} to resolve", "bold $danger", 9))
        if count.deferred:
            left.append(part(f"{count.deferred} deferred", "$muted", 3))
        left.append(part("T-0 not set (O)", "$muted", 4))
        left += self._attempts(session)
        left += [piece for piece in self._pressing(session) if "⚑" in piece.texts[0][0]]
        now = self._clock.utc()
        return spread(left, [part(f"{now:%H:%M:%S} UTC ", "$muted", 6)], width)

    def _attempts(self, session: Session) -> list[Part]:
        now = self._clock.utc()
        parts = []
        for attempt in session.run.running():
            item = session.located(attempt.item).item
            title = sanitise_line(item.title, 40)
            seconds = format.since(attempt.started, now)
            clock = format.elapsed(seconds) if seconds is not None else ""
            parts.append(Part(((f"◐ {title} ", "$status-running"), (clock, "bold $status-running")), 8))
            times = session.clock.at(now).items.get(item.id)
            expected = times.estimate.seconds if times and times.estimate else item.estimate
            if late := format.overdue(expected, seconds):
                parts.append(part(f"▲ {late}", "bold $caution", 8))
        return parts
