"""Cancelling and ending somebody's session: what it is and what it frees is seen first, and why is put on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Static

from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.session import Session
from migconsole.errors import MigconsoleError
from migconsole.tui.format import Clock
from migconsole.tui.screens.dialogs.base import Dialog, Field, FormDialog, at_least
from migconsole.tui.screens.health.ports import Signal
from migconsole.tui.screens.health.sheets import standing

if TYPE_CHECKING:
    from migconsole.tui.exits import Exits

REASON = 3


@dataclass(frozen=True, slots=True)
class Victim:
    """A session that is to be signalled, as it was shown. ``special`` says why its number has to be typed."""

    pid: int
    backend_start: str
    facts: tuple[tuple[str, str], ...]
    query: str
    special: str = ""


def refusal(row: Mapping[str, Any] | None) -> str:
    """Why a chosen row cannot be signalled, or ""."""
    if row is None:
        return "no session is chosen (j, k, or a click)"
    if row.get("kind") == "group":
        return "this line stands for many sessions; their own lines are in the table of sessions"
    if not row.get("pid"):
        return "a prepared transaction has no session; COMMIT PREPARED or ROLLBACK PREPARED ends it"
    if not row.get("backend_start"):
        return (
            "the server does not say when this session began (needs pg_read_all_stats); it could be another one by now"
        )
    return "this is the monitor's own session" if row.get("ours") and not row.get("migration") else ""


def victim(row: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]], locks: Sequence[Mapping[str, Any]]) -> Victim:
    """Everything known of a session, from whichever table it was chosen in."""
    key = (row.get("pid"), row.get("backend_start"))
    known: dict[str, Any] = {}
    for other in (*sessions, *locks, row):
        if (other.get("pid"), other.get("backend_start")) == key:
            known |= {name: value for name, value in other.items() if value is not None}
    facts = [
        (name, sanitise_line(str(known[column]), 200))
        for name, column in (
            ("user", "user"),
            ("application", "application"),
            ("client", "client"),
            ("database", "database"),
            ("state", "state"),
            ("type", "backend_type"),
        )
        if known.get(column)
    ]
    facts.append(("locks", standing(known) or "in nobody’s way"))
    return Victim(
        int(row["pid"]),
        str(row["backend_start"]),
        tuple(facts),
        sanitise(str(known.get("query") or ""), 4000),
        _special(known),
    )


def _special(known: Mapping[str, Any]) -> str:
    kind = str(known.get("backend_type") or "")
    query = str(known.get("query") or "")
    if known.get("migration"):
        return "This is the MIGRATION itself: its step fails, and what it did in this transaction is rolled back."
    if "walsender" in kind:
        return "This sends WAL: a standby or a backup depends on it."
    if "autovacuum" in kind or query.startswith("autovacuum:"):
        more = " It prevents wraparound and will start again." if "wraparound" in query else " It will start again."
        return f"This is autovacuum.{more}"
    return "" if not kind or kind == "client backend" else f"This is no client: {sanitise_line(kind, 60)}."


def described(victim: Victim, terminate: bool) -> Content:
    """The session as it was shown."""
    verb = "End the session" if terminate else "Cancel what runs in the session"
    effect = "it loses its connection and its transaction" if terminate else "its statement fails; the session stays"
    texts = [(f"{verb} of pid {victim.pid}\n", "bold $danger"), (f"{effect}\n", "$muted")]
    if victim.special:
        texts.append((f"\n{victim.special}\n", "bold $caution"))
    texts += [("\nbegan        ", "$muted"), (f"{sanitise_line(victim.backend_start, 40)}\n", "")]
    for name, value in victim.facts:
        texts += [(f"{name:<13}", "$muted"), (f"{value}\n", "")]
    texts += [("\n", ""), (victim.query, "")]
    return Content.assemble(*texts)


class SignalDialog(Dialog[bool]):
    """``y`` does it; Cancel has the focus, and Enter is Cancel."""

    def __init__(self, victim: Victim, terminate: bool, clock: Clock) -> None:
        super().__init__(
            "End a session" if terminate else "Cancel a statement", described(victim, terminate), clock, danger=True
        )
        self._does = "ends it" if terminate else "cancels it"

    def answers(self) -> ComposeResult:
        """Only a way back; the way on is a key."""
        yield Button("Cancel", id="cancel", classes="default", compact=True)

    def on_mount(self) -> None:
        """Spell the keys."""
        super().on_mount()
        keys = Content.assemble(("y", "bold $accent"), f" {self._does} · enter or esc goes back")
        self.query_one("#dialog-keys", Static).update(keys)

    def on_key(self, event: events.Key) -> None:
        """The only yes."""
        if event.key == "y":
            event.stop()
            if self.guard.accepts("y"):
                self.dismiss(True)

    def on_button_pressed(self) -> None:
        """Back."""
        self.dismiss(None)


async def carry_out(
    app: Exits, session: Session | None, signal: Signal, victim: Victim, terminate: bool, clock: Clock
) -> None:
    """Ask, put the intent and its reason on record, signal, put the outcome on record, say it."""
    word = "terminate" if terminate else "cancel"
    fields = [Field("reason", "why (goes into the journal)", check=at_least(REASON))] if session is not None else []
    if victim.special:
        wanted = f"{word} {victim.pid}"
        check = _exactly(wanted)
        fields.append(Field("typed", f"type “{wanted}” to do it", check=check))
    reason = ""
    if fields:
        title = "End a session" if terminate else "Cancel a statement"
        answers = await app.ask(FormDialog(title, described(victim, terminate), fields, clock, danger=True))
        if answers is None:
            return
        reason = answers.get("reason", "")
    if not victim.special and await app.ask(SignalDialog(victim, terminate, clock)) is None:
        return
    who = f"{word} of pid {victim.pid}, which began {victim.backend_start}"
    if session is not None:
        about = ", ".join(f"{name} {value}" for name, value in victim.facts)
        await session.note(f"{who}: {reason} ({about}; {sanitise_line(victim.query, 200)})")
    try:
        outcome = sanitise_line(str(await signal(victim.pid, victim.backend_start, terminate)), 200)
    except MigconsoleError as error:
        if session is not None:
            await session.note(f"{who}: outcome unknown: {error.title}")
        raise
    if session is not None:
        await session.note(f"{who}: {outcome}")
    app.hint(f"{word} of pid {victim.pid}: {outcome}" + ("; look whether it obeys" if outcome == "signalled" else ""))


def _exactly(wanted: str) -> Any:
    return lambda text: "" if text.strip() == wanted else "not that yet"
