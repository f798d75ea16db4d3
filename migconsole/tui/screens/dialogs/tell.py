"""Tell what came of a command that was executed by hand: its exit code, what it printed, and a note."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Input, Static, TextArea

from migconsole.domain.run import Attempt
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.by_hand import LARGEST, Told
from migconsole.tui.format import Clock
from migconsole.tui.item_text import command_text
from migconsole.tui.screens.dialogs.base import Dialog
from migconsole.tui.widgets.line_input import LineInput


class PastedOutput(TextArea):
    """Takes what was printed elsewhere: hostile until it is made safe, so that is done before it is drawn."""

    async def _on_paste(self, event: events.Paste) -> None:
        # Every class of the widget hears of it, the one that inserts the text after this one.
        event.text = sanitise(event.text, LARGEST)


class TellDialog(Dialog[Told]):
    """``ctrl+s`` records; without an exit code the outcome is unknown, and that is what is recorded."""

    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+s", "record", "Record")]
    AUTO_FOCUS = "#field-exit"

    def __init__(self, attempt: Attempt, title: str, clock: Clock) -> None:
        body = Content.assemble(
            ("Execute this elsewhere, then tell what came of it. Nothing of it runs here.\n\n", ""),
            *command_text(attempt.text),
        )
        keys = "ctrl+s records · tab next field · esc back: it stays open, r asks again"
        super().__init__(f"By hand · {sanitise_line(title, 60)}", body, clock, keys=keys)
        self.add_class("wide")

    def answers(self) -> ComposeResult:
        """Exit code, note, output."""
        yield Static("exit code (empty: not known)", classes="field-label", markup=False)
        yield LineInput("", placeholder="0", id="field-exit", restrict=r"\d{0,3}")
        yield Static("note", classes="field-label", markup=False)
        yield LineInput("", placeholder="where and how it was executed", id="field-note")
        yield Static("output, pasted", classes="field-label", markup=False)
        yield PastedOutput("", id="field-output", soft_wrap=True, tab_behavior="focus")
        yield Static("", id="check-exit", classes="field-check", markup=False)

    def on_mount(self) -> None:
        """Say at once what would be recorded."""
        super().on_mount()
        self.say()

    def on_input_changed(self) -> None:
        """Say what would be recorded."""
        self.say()

    def say(self) -> None:
        """What the exit code means for the item."""
        code = self.query_one("#field-exit", Input).value
        words = (
            "unknown: the item stays open until somebody finds out"
            if not code
            else "attested, never verified: no machine saw it"
            if int(code) == 0
            else "the item fails"
        )
        self.query_one("#check-exit", Static).update(Content(words))

    def action_record(self) -> None:
        """Record it."""
        if not self.takes("ctrl+s"):
            return
        code = self.query_one("#field-exit", Input).value
        note = self.query_one("#field-note", Input).value.strip()
        output = sanitise(self.query_one("#field-output", TextArea).text, LARGEST)
        self.dismiss(Told(int(code) if code else None, output, note))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on to the next field; nothing is recorded by it."""
        self.focus_next()
