"""One-line bars at the foot of the screen: attesting, filtering and searching without hiding what they are about."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from migconsole.tui.format import Clock
from migconsole.tui.guard import BRIEF, QUIET, TOO_EARLY, Guard
from migconsole.tui.lines import cut
from migconsole.tui.widgets.line_input import LineInput


class BarTitle(Static):
    """What is done, and to what where there is room: on a narrow screen the room belongs to what is typed."""

    def __init__(self, verb: str, title: str) -> None:
        super().__init__(id="bar-title", markup=False)
        self._verb, self._title = verb, title

    def on_mount(self) -> None:
        """Fit."""
        self.fit()

    def fit(self) -> None:
        """Two fifths of the row at most, and none of the title below that of a wide screen."""
        room = self.app.size.width * 2 // 5 - len(self._verb) - 5
        named = [(f" “{self._title}”", "")] if self.app.size.width >= 110 else []
        self.update(Content.assemble((self._verb, "bold $accent"), *cut(named, room)))


class AttestBar(ModalScreen[tuple[str, str] | None]):
    """Value and note, both optional; Enter attests. Repeats of the key that opened it are dropped."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "back", "Back")]
    AUTO_FOCUS = "Input"

    def __init__(self, title: str, clock: Clock) -> None:
        super().__init__(classes="bar")
        self._title = title
        self._clock = clock
        self.guard = Guard(clock.monotonic, BRIEF)
        self._opener = float("inf")

    def compose(self) -> ComposeResult:
        """Label, two inputs, keys."""
        with Horizontal(id="bar"):
            yield BarTitle("attest", self._title)
            yield LineInput(placeholder="value (optional)", id="bar-value", compact=True)
            yield LineInput(placeholder="note (optional)", id="bar-note", compact=True)
            yield Static(self._keys, id="bar-keys")

    @property
    def _keys(self) -> Content:
        back = (" · ", ("esc", "bold $accent"), " back") if self.app.size.width >= 110 else ()
        return Content.assemble(("enter", "bold $accent"), " attests", *back)

    def on_resize(self) -> None:
        """Another width leaves other room."""
        self.query_one(BarTitle).fit()
        self.query_one("#bar-keys", Static).update(self._keys)

    def on_mount(self) -> None:
        """The dead time begins."""
        self.guard.open()
        self._opener = self._clock.monotonic()

    def on_input_changed(self, event: Input.Changed) -> None:
        """A held opener reaches the input before the screen; take it back out."""
        self.query_one("#bar-keys", Static).update(self._keys)
        now = self._clock.monotonic()
        if event.value.strip(" x") == "" and event.value and now - self._opener < QUIET:
            self._opener = now
            with self.prevent(Input.Changed):
                event.input.value = ""

    def on_input_submitted(self) -> None:
        """Attest."""
        if self.guard.accepts("enter"):
            value, note = (self.query_one(name, Input).value.strip() for name in ("#bar-value", "#bar-note"))
            self.dismiss((value, note))
        else:
            self.query_one("#bar-keys", Static).update(Content.styled(TOO_EARLY, "$caution"))

    def action_back(self) -> None:
        """Nothing happens."""
        self.dismiss(None)


class LineBar(ModalScreen[str | None]):
    """Asks for one line and shows its effect while it is typed; ``live`` returns what is wrong with it, or ""."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "back", "Back")]
    AUTO_FOCUS = "Input"

    def __init__(self, title: str, value: str, placeholder: str, live: Callable[[str], str]) -> None:
        super().__init__(classes="bar")
        self._title, self._value, self._placeholder, self._live = title, value, placeholder, live

    def compose(self) -> ComposeResult:
        """Label, input, what is wrong."""
        with Horizontal(id="bar"):
            yield Static(self._title, id="bar-title", markup=False)
            hint = self._placeholder
            yield LineInput(self._value, placeholder=hint, id="bar-line", compact=True, select_on_focus=False)
            yield Static("", id="bar-keys", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show the effect at once."""
        why = self._live(event.value)
        self.query_one("#bar-keys", Static).update(Content(why or "enter keeps it · esc undoes it"))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep it."""
        self.dismiss(event.value)

    def action_back(self) -> None:
        """Back to how it was."""
        self._live(self._value)
        self.dismiss(None)
