"""Everything the attempts of an item left, newest first; one can be opened in the output pane."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from migconsole.domain.checklist import Item
from migconsole.domain.run import Attempt
from migconsole.domain.text import sanitise_line
from migconsole.engine.session import Session
from migconsole.tui import format
from migconsole.tui.format import Clock
from migconsole.tui.item_text import attempt_text, command_text, state_line
from migconsole.tui.screens.dialogs.base import Dialog


class AttemptCard(Static, can_focus=True):
    """One attempt: what was executed and what came of it."""

    class Opened(Message):
        """Enter on an attempt."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, attempt: Attempt, default: bool) -> None:
        super().__init__(markup=False, classes="attempt default" if default else "attempt")
        self._attempt = attempt

    def on_mount(self) -> None:
        """Draw it."""
        attempt = self._attempt
        texts = [*attempt_text(attempt, 400), ("\n", "")]
        if attempt.text.strip():
            texts += [*command_text(attempt.text), ("\n", "")]
        facts = []
        if attempt.size is not None:
            facts.append(f"output {format.size(attempt.size)}")
        if attempt.sha256:
            facts.append(f"sha256 {attempt.sha256[:16]}…")
        if attempt.masked:
            facts.append(f"{attempt.masked} secrets masked")
        if attempt.adopted:
            facts.append(f"re-adopted {attempt.adopted}×")
        if attempt.interactive:
            facts.append("had the terminal, not captured")
        if attempt.app_name:
            facts.append(f"application_name {attempt.app_name}")
        texts.append((sanitise_line(" · ".join(facts), 400), "$muted"))
        self.update(Content.assemble(*texts))

    def on_key(self, event: events.Key) -> None:
        """Open it."""
        if event.key == "enter":
            event.stop()
            self.post_message(self.Opened(self._attempt.number))

    def on_click(self) -> None:
        """A click opens it."""
        self.post_message(self.Opened(self._attempt.number))


class EvidenceDialog(Dialog[int]):
    """Returns the number of the attempt to open."""

    SCROLLS = "#attempts"

    def __init__(self, session: Session, item: Item, clock: Clock) -> None:
        record = session.run.record(item.id)
        body = Content.assemble(*state_line(session.run.state_of(item), record))
        keys = "enter opens the output · tab next attempt · ↑ ↓ scroll · esc back"
        super().__init__(f"Evidence · {sanitise_line(item.title, 60)}", body, clock, keys=keys)
        self._attempts = list(reversed(record.attempts))
        self.add_class("wide")

    def answers(self) -> ComposeResult:
        """One card each."""
        with VerticalScroll(can_focus=False, id="attempts"):
            for number, attempt in enumerate(self._attempts):
                yield AttemptCard(attempt, number == 0)

    def on_attempt_card_opened(self, message: AttemptCard.Opened) -> None:
        """Open one."""
        self.dismiss(message.number)
