"""Confirmation before something changes: the exact command, the target and the undo are seen before the question."""

from __future__ import annotations

from dataclasses import replace

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Input, Static

from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.resolve import NO_OVERRIDE, Confirmation, Preview
from migconsole.tui import format
from migconsole.tui.format import Clock
from migconsole.tui.item_text import DANGER_STYLE, command_text
from migconsole.tui.lines import hang
from migconsole.tui.screens.dialogs.base import Dialog
from migconsole.tui.widgets.line_input import LineInput

LONGEST = 200_000
"""Characters of a command that are shown before the question: all of any that a person could read."""

_NARROW = 74
"""Cells from which a line of the command asks for the wider box."""


def summary(preview: Preview, width: int) -> Content:
    """What is about to happen: the facts first, then the command whole, which is what may be long."""
    item = preview.item
    texts = [(sanitise(item.title, 2000), "bold")]
    if preview.title and preview.title != item.title:
        texts.append((f"  “{sanitise_line(preview.title)}”", ""))
    name = sanitise_line(preview.target_name) or "a target not identified yet"
    texts += [("\n\non    ", "$muted"), (name, "bold")]
    texts += [("\nkind  ", "$muted"), (preview.danger.value, DANGER_STYLE[preview.danger])]
    if item.estimate:
        texts.append((f", takes about {format.estimate(item.estimate)}", ""))
    undo = sanitise(preview.undo or "no undo is known", 2000)
    texts += [("\n", ""), *hang(("undo  ", "$muted"), undo, "", width), ("\n", "")]
    marks = {True: ("✔ ", "$good"), False: ("✘ ", "bold $danger"), None: ("? ", "$caution")}
    for met, text in preview.preconditions:
        style = "" if met else marks[met][1]
        texts += [("\n", ""), *hang(marks[met], sanitise_line(text), style, width)]
    texts += [("\n\n", ""), *command_text(preview.text, LONGEST)]
    if preview.notes:
        texts += [("\n\n", ""), (" · ".join(sanitise_line(note) for note in preview.notes), "$muted")]
    return Content.assemble(*texts)


class RunDialog(Dialog[Confirmation]):
    """What both tiers share: the summary, as wide as its command needs."""

    def __init__(self, title: str, preview: Preview, clock: Clock, *, override: Confirmation, danger: bool) -> None:
        super().__init__(title, "", clock, danger=danger)
        self._preview, self._override = preview, override
        if any(len(line) > _NARROW for line in preview.text.split("\n")):
            self.add_class("wide")

    def on_mount(self) -> None:
        """Draw the summary."""
        super().on_mount()
        self._draw()

    def on_resize(self) -> None:
        """Another width wraps otherwise."""
        self._draw()

    def _draw(self) -> None:
        self.update_body(summary(self._preview, self.text_width))


class ConfirmDialog(RunDialog):
    """Tier 1: ``y`` accepts after the dead time; Cancel has the focus; Enter, click and held keys never accept."""

    def __init__(self, preview: Preview, clock: Clock, *, override: Confirmation = NO_OVERRIDE) -> None:
        super().__init__("Run this?", preview, clock, override=override, danger=preview.danger.rank > 1)

    def answers(self) -> ComposeResult:
        """Only a way back; the way on is a key."""
        yield Button("Cancel", id="cancel", classes="default", compact=True)

    def on_mount(self) -> None:
        """Spell the keys."""
        super().on_mount()
        self.query_one("#dialog-keys", Static).update(
            Content.assemble(("y", "bold $accent"), " runs it · enter or esc cancels")
        )

    def on_key(self, event: events.Key) -> None:
        """The only yes."""
        if event.key == "y":
            event.stop()
            if self.takes("y"):
                self.dismiss(replace(self._override, tier=1))

    def on_button_pressed(self) -> None:
        """Cancel."""
        self.dismiss(None)


class TypedDialog(RunDialog):
    """Tier 2: the name the *server* reports is typed; anything else, and any unmet precondition, does not accept."""

    def __init__(self, preview: Preview, clock: Clock, *, override: Confirmation = NO_OVERRIDE) -> None:
        super().__init__("This destroys data", preview, clock, override=override, danger=True)

    def answers(self) -> ComposeResult:
        """What must be typed, where, and whether it is right."""
        yield Static("", id="typed-label", classes="field-label", markup=False)
        yield LineInput(id="typed", classes="default", select_on_focus=False)
        yield Static("", id="typed-check", classes="field-check", markup=False)

    def on_mount(self) -> None:
        """Name the name."""
        super().on_mount()
        name = sanitise_line(self._preview.target_name)
        label = Content.assemble("Type ", (name, "bold $danger"), " to run it") if name else Content("Not identified")
        self.query_one("#typed-label", Static).update(label)
        self.query_one("#dialog-keys", Static).update(Content("enter runs it once the name is right · esc cancels"))
        self._judge()

    def on_input_changed(self) -> None:
        """Judge while typing."""
        self._judge()

    def _judge(self) -> bool:
        typed = self.query_one("#typed", Input).value.strip()
        unmet = [text for met, text in self._preview.preconditions if met is False]
        why = ""
        if not self._preview.target_name:
            why = "the server has not said which database this is"
        elif unmet:
            why = f"not met: {sanitise_line(unmet[0])}"
        elif typed != self._preview.target_name:
            why = "not the name yet"
        self.query_one("#typed-check", Static).update(Content(why))
        return not why

    def on_input_submitted(self) -> None:
        """Accept only the exact name."""
        if self._judge() and self.takes("enter"):
            self.dismiss(replace(self._override, tier=2, typed=self._preview.target_name))
