"""Help: every key by group, and for the ones that cannot be used now, why not."""

from __future__ import annotations

from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from migconsole.domain.items import ItemState
from migconsole.domain.text import sanitise_line
from migconsole.engine.palette import status_slot
from migconsole.tui.commands import Context, in_scope, label, verdict
from migconsole.tui.lines import hang

HINTS = (
    "Enter never says yes to something dangerous; dialogs spell their keys.",
    "The mouse selects text here; hold shift (option on a Mac) for the terminal's own selection.",
    "Over ssh run migconsole inside tmux: a dropped line then costs nothing. Commands go on in any case.",
    "Copying needs OSC 52; in tmux: set -g set-clipboard on. The text is saved to a file as well.",
    "Without a usable terminal: migconsole status, and run --headless.",
)


class HelpScreen(ModalScreen[None]):
    """For the screen and pane below it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "back", "Back"),
        ("question_mark", "back"),
        ("f1", "back"),
        ("q", "back"),
    ]
    AUTO_FOCUS = "#help-scroll"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._about = context

    def compose(self) -> ComposeResult:
        """One scrollable text."""
        with Vertical(id="dialog", classes="tall"):
            with VerticalScroll(id="help-scroll"):
                yield Static(self._text(), id="help-text", markup=False)
            yield Static("↑ ↓ scroll · esc back", id="dialog-keys", markup=False)

    def on_mount(self) -> None:
        """Name it."""
        self.query_one("#dialog").border_title = "Help"

    def on_resize(self) -> None:
        """Another width wraps otherwise."""
        self.query_one("#help-text", Static).update(self._text())

    def _text(self) -> Content:
        # What the dialog's style leaves of the screen without frame, padding and scrollbar.
        room = min(110, self.app.size.width * 94 // 100) - 7
        texts: list[tuple[str, str]] = []
        commands = sorted(in_scope(self._about), key=lambda c: _ORDER.index(c.group))
        for group, members in groupby(commands, key=lambda c: c.group):
            texts.append((f"{group}\n", "bold $accent"))
            for command in members:
                judged = verdict(command, self._about)
                keys = " ".join(label(key) for key in command.keys)
                texts.append((f"  {keys:<12}", "bold" if judged.allowed else "$muted"))
                title = (f"{command.title:<17}", "" if judged.allowed else "$muted")
                words = command.help if judged.allowed else f"not now: {sanitise_line(judged.reason)}"
                texts += hang(title, words, "$muted" if judged.allowed else "$caution", room - _KEYS, _KEYS)
                texts.append(("\n", ""))
            texts.append(("\n", ""))
        texts.append(("States\n", "bold $accent"))
        for state in ItemState:
            texts += [
                (f"  {state.glyph} {state.value:<16}", f"${status_slot(state)}"),
                (f"{_STATES[state]}\n", "$muted"),
            ]
        texts.append(("\nGood to know\n", "bold $accent"))
        for hint in HINTS:
            texts += [*hang(("  · ", ""), hint, "", room), ("\n", "")]
        return Content.assemble(*texts)

    def action_back(self) -> None:
        """Close."""
        self.dismiss(None)


_KEYS = 14
"""Cells of the column of keys."""

_ORDER = ("Item", "Output", "Health", "Rollback", "Move", "Run", "Lists", "Screen")
_STATES = {
    ItemState.TODO: "nothing happened yet, or it awaits an answer",
    ItemState.RUNNING: "a command or check is running",
    ItemState.VERIFIED: "a machine saw that it holds",
    ItemState.ATTESTED: "a named person said so",
    ItemState.OK_WITH_ISSUES: "accepted, with issues on record",
    ItemState.FAILED: "it failed; its section stops here",
    ItemState.INTERRUPTED: "nobody knows how it ended; resolve it",
    ItemState.SKIPPED: "left out, with a reason",
    ItemState.NOT_APPLICABLE: "does not apply; it no longer counts",
    ItemState.FORCED: "failed, and somebody decided to go on",
    ItemState.DEFERRED: "to be done later; listed until it is",
    ItemState.REGRESSED: "was verified, is false now",
}
