"""The polls: every gate with its roles, who said what how long ago, and what still keeps it closed."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual.binding import BindingType
from textual.content import Content

from migconsole.domain.gates import VALID, GateState, Standing, Vote
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.domain.times import instant
from migconsole.domain.way_back import WayBack
from migconsole.engine.session import Session
from migconsole.tui import format
from migconsole.tui.bridge import RunChanged, Tick
from migconsole.tui.format import Clock
from migconsole.tui.lines import hang
from migconsole.tui.screens.dialogs.base import Dialog

Ballot = tuple[str, str, str]
"""Gate, role, and "go" or "no-go"."""

FRESH: Ballot = ("", "", "fresh")
"""The answer that asks for a fresh backup."""

_STATES = {
    GateState.WAITING: ("WAITING", "bold $caution"),
    GateState.NO_GO: ("NO-GO", "bold reverse $danger"),
    GateState.GO: ("GO", "bold $good"),
    GateState.PASSED: ("PASSED", "$good"),
}


class GateDialog(Dialog[Ballot]):
    """Shows the polls as they change, and returns the vote that somebody wants to cast."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("down,j", "move(1)", "Next role"),
        ("up,k", "move(-1)", "Previous role"),
        ("g", "vote('go')", "GO"),
        ("n", "vote('no-go')", "NO-GO"),
        ("f", "fresh", "Fresh backup"),
        ("escape", "back", "Back"),
    ]

    def __init__(self, session: Session, clock: Clock, *, at: int = 0, gate: str = "") -> None:
        keys = "↑ ↓ role · g GO · n NO-GO · f fresh backup · esc back"
        if session.looking_back.seen() is None:
            keys = keys.replace("f fresh backup · ", "")
        keys = "read-only · esc back" if session.read_only else keys
        super().__init__("Gates", "", clock, keys=keys)
        self._session = session
        self._places = [(gate.id, role) for gate in session.checklist.gates for role in gate.roles]
        first = next((n for n, (name, _) in enumerate(self._places) if name == gate), at) if gate else at
        self._at = min(max(0, first), max(0, len(self._places) - 1))
        self.add_class("wide")

    @property
    def at(self) -> int:
        """Which role is marked, counted over all gates."""
        return self._at

    def on_mount(self) -> None:
        """Draw."""
        super().on_mount()
        self._draw()
        if self._session.looking_back.seen() is not None:
            self.run_worker(self._look(), group="way back", exclusive=True, exit_on_error=False)

    async def _look(self) -> None:
        await self._session.looking_back.look()
        if self.is_attached:
            self._draw()

    def action_fresh(self) -> None:
        """Take a fresh backup; what is asked next is why."""
        seen = self._session.looking_back.seen()
        if seen is not None and seen.quiet and not self._session.read_only and self.takes("f"):
            self.dismiss(FRESH)

    def on_tick(self, message: Tick) -> None:
        """Votes grow stale while one looks."""
        self._draw()

    def on_run_changed(self, message: RunChanged) -> None:
        """Somebody voted."""
        self._draw()

    def action_move(self, step: int) -> None:
        """Mark another role."""
        if self._places:
            self._at = (self._at + step) % len(self._places)
            self._draw()

    def action_vote(self, vote: str) -> None:
        """Vote for the marked role; what is asked next is who says so."""
        if self._places and not self._session.read_only and self.takes("g" if vote == "go" else "n"):
            gate, role = self._places[self._at]
            self.dismiss((gate, role, vote))

    def _draw(self) -> None:
        now = self._session.clock.server(self.clock.utc())
        texts: list[tuple[str, str]] = _way_back(self._session.looking_back.seen(), self.text_width)
        place = 0
        for standing in self._session.gates.standings(now):
            texts += [("\n\n", "")] if texts else []
            texts += _head(standing, now)
            votes = {vote.role: vote for vote in standing.votes}
            for role in standing.gate.roles:
                texts += _role(role, votes.get(role), standing, marked=place == self._at, now=now)
                place += 1
        self.update_body(Content.assemble(*texts))


def _way_back(found: WayBack | None, width: int) -> list[tuple[str, str]]:
    """What everybody who votes has to know of the way back."""
    if found is None:
        return []
    style = "bold $caution" if found.stale else "bold"
    texts = [("Way back  ", "$muted"), (sanitise_line(found.badge, 80), style), (f"  at most {found.limit}", "$muted")]
    for line in found.written:
        lost = "$caution" if line.startswith("!") or "unknown" in line else ""
        texts += [("\n", ""), *hang(("          ", ""), sanitise_line(line, 300), lost, width)]
    if found.others is not None:
        texts += [("\n", ""), *hang(("          ", ""), *_who(found), width)]
    return texts


def _who(found: WayBack) -> tuple[str, str]:
    if found.quiet:
        return "nobody else is in the database: a fresh backup now loses nothing (f)", "$good"
    names = ", ".join(sanitise_line(name, 60) for name in (found.others or ())[:4])
    return f"in the database: {names}; a fresh backup is offered once they have left", "$muted"


def _head(standing: Standing, now: datetime) -> list[tuple[str, str]]:
    word, style = _STATES[standing.state]
    texts = [(f" {word} ", style), (f" {sanitise_line(standing.gate.title, 80)}", "bold")]
    texts.append((f"  before {sanitise_line(standing.gate.before, 60)}", "$muted"))
    if standing.state is GateState.GO and standing.until is not None:
        texts.append((f"\n   begin before {standing.until:%H:%M:%S} UTC: then the first GO is too old", "$caution"))
    if standing.passing is not None:
        texts.append(
            (f"\n   passed at {format.clock_time(standing.passing.at)} UTC; a NO-GO closes it again", "$muted")
        )
    return texts


def _role(role: str, vote: Vote | None, standing: Standing, *, marked: bool, now: datetime) -> list[tuple[str, str]]:
    mark = ("\n ▸ " if marked else "\n   ", "$accent")
    name = (f"{sanitise_line(role, 26):<27}", "bold" if marked else "")
    if vote is None:
        return [mark, name, ("no vote yet", "$muted")]
    at = instant(vote.at)
    age = format.since(vote.at, now)
    stale = role in standing.stale and standing.passing is None
    word, style = ("GO", "bold $good") if vote.vote == "go" else ("NO-GO", "bold $danger")
    if stale:
        word, style = "GO, too old", "$caution"
    texts = [mark, name, (f"{word:<12}", style), (f"{sanitise_line(vote.initials, 12):<8}", "bold")]
    if age is not None and at is not None:
        left = VALID.total_seconds() - age
        more = f" ({format.duration(left)} left)" if vote.vote == "go" and left > 0 and not standing.passing else ""
        texts.append((f"{format.duration(age)} ago{more}", "$caution" if stale else "$muted"))
    if vote.reason and vote.vote == "no-go":
        texts.append((f"\n{'':30}{sanitise(vote.reason, 300)}", "$danger"))
    return texts
