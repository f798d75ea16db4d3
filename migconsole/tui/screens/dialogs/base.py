"""The frame of every dialog: a title, a text, what can be answered, and a way back that never destroys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static

from migconsole.tui.format import Clock
from migconsole.tui.guard import BRIEF, DEAD, TOO_EARLY, Guard
from migconsole.tui.lines import hang
from migconsole.tui.widgets.line_input import LineInput

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer | None]):
    """A modal box. ``danger`` colours its frame; escape goes back whatever has the focus.

    ``dead`` is how long no key accepts: shorter where the key that opened the dialog cannot be the one that accepts.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "back", "Back"),
        ("down", "scroll_text(1)", "Down"),
        ("up", "scroll_text(-1)", "Up"),
        ("pagedown", "scroll_text(10)", "Page down"),
        ("pageup", "scroll_text(-10)", "Page up"),
    ]
    AUTO_FOCUS = ".default"
    SCROLLS = "#dialog-body"

    def __init__(
        self,
        title: str,
        body: Content | str,
        clock: Clock,
        *,
        danger: bool = False,
        keys: str = "",
        dead: float = DEAD,
    ) -> None:
        super().__init__()
        self._title, self._body, self._keys = title, body, keys
        self.clock = clock
        self.guard = Guard(clock.monotonic, dead)
        self._danger = danger

    def compose(self) -> ComposeResult:
        """The box: text, answers, the keys spelled out."""
        with Vertical(id="dialog", classes="danger" if self._danger else ""):
            with VerticalScroll(id="dialog-body", can_focus=False):
                yield Static(self._body, id="dialog-text", markup=False)
            yield from self.answers()
            yield Static(self._keys, id="dialog-keys", markup=False)

    def answers(self) -> ComposeResult:
        """What can be answered."""
        yield from ()

    def on_mount(self) -> None:
        """Start the dead time when the dialog can be seen."""
        self.query_one("#dialog").border_title = Content(self._title)
        self.guard.open()
        self.call_after_refresh(self.say_more)

    @property
    def text_width(self) -> int:
        """Cells a row of the text has: what the style sheet gives, without frame, padding and scrollbar."""
        return min(110 if self.has_class("wide") else 84, self.app.size.width * 94 // 100) - 7

    def action_scroll_text(self, rows: int) -> None:
        """Scroll what does not fit."""
        self.query_one(self.SCROLLS).scroll_relative(y=rows, animate=False)
        self.call_after_refresh(self.say_more)

    def say_more(self) -> None:
        """Say that there is more than fits: nobody shall say yes to the half of a command."""
        text = self.query_one(self.SCROLLS)
        below = round(text.max_scroll_y - text.scroll_y)
        words = f" ↓ {below} more row{'s' if below > 1 else ''} " if below > 0 else ""
        self.query_one("#dialog").border_subtitle = Content(words)

    def update_body(self, body: Content) -> None:
        """Change the text."""
        self._body = body
        self.query_one("#dialog-text", Static).update(body)
        self.call_after_refresh(self.say_more)

    def takes(self, key: str) -> bool:
        """Whether an accepting key counts; one that comes too early is seen to be ignored."""
        taken = self.guard.accepts(key)
        if not taken:
            self.query_one("#dialog").border_subtitle = Content(f" {key}: {TOO_EARLY} ")
        return taken

    def action_back(self) -> None:
        """Nothing happens."""
        self.dismiss(None)


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer. A dangerous one is taken by its key alone, never by Enter; ``disabled`` says why it cannot be."""

    id: str
    key: str
    title: str
    help: str = ""
    danger: bool = False
    disabled: str = ""


def _named(choices: Sequence[Choice]) -> str:
    """Which keys choose.

    >>> _named([Choice("", "1", ""), Choice("", "2", "")]), _named([Choice("", "b", "back")])
    ('the numbers choose', 'the letters choose')
    """
    numbers = all(choice.key.isdigit() for choice in choices if choice.key)
    return f"the {'numbers' if numbers else 'letters'} choose"


class ChoiceRow(Widget, can_focus=True):
    """A line that can be chosen."""

    ALLOW_SELECT = False

    class Chosen(Message):
        """Enter or a click on a line."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, choice: Choice, default: bool) -> None:
        super().__init__(classes="choice default" if default else "choice")
        self.choice = choice
        self.rows = 1
        self._below = ""

    def fit(self, width: int) -> None:
        """Take the rows that what it means needs in ``width`` cells: why something cannot be chosen is never cut."""
        texts = hang(("      ", ""), self.choice.disabled or self.choice.help, "", width)
        self._below = "".join(text for text, _ in texts) if texts[1][0] else ""
        self.rows = 1 + (self._below.count("\n") + 1 if self._below else 0)
        self.styles.height = self.rows
        self.refresh()

    def render(self) -> Content:
        """Key, title, and what it means."""
        choice = self.choice
        off = bool(choice.disabled)
        style = "$muted" if off else ("bold $danger" if choice.danger else "bold")
        texts = [(f" {choice.key:>3} ", "$muted" if off else "bold $accent"), (choice.title, style)]
        if self._below:
            texts.append((f"\n{self._below}", "$caution" if off else "$muted"))
        return Content.assemble(*texts)

    def on_key(self, event: events.Key) -> None:
        """Enter chooses what is safe; arrows and j/k move."""
        if event.key == "enter":
            event.stop()
            self.post_message(self.Chosen(self.choice))
        elif event.key in ("down", "j"):
            event.stop()
            self.screen.focus_next(".choice")
        elif event.key in ("up", "k"):
            event.stop()
            self.screen.focus_previous(".choice")

    def on_click(self) -> None:
        """A click goes there first, a second one chooses."""
        if self.has_focus:
            self.post_message(self.Chosen(self.choice))
        self.focus()


class ChoiceDialog(Dialog[str]):
    """Asks for one of several answers; returns its id. The first one, or ``default``, has the focus."""

    def __init__(
        self,
        title: str,
        body: Content | str,
        choices: Sequence[Choice],
        clock: Clock,
        *,
        default: str = "",
        danger: bool = False,
    ) -> None:
        keys = f"{_named(choices)} · enter takes the marked line · esc back"
        risky = danger or any(choice.danger for choice in choices)
        super().__init__(title, body, clock, danger=danger, keys=keys, dead=DEAD if risky else BRIEF)
        self._choices = choices
        self._default = default or choices[0].id

    def answers(self) -> ComposeResult:
        """One row each; many scroll, so that the text above and the keys below stay."""
        with VerticalScroll(id="choices", can_focus=False):
            for choice in self._choices:
                yield ChoiceRow(choice, choice.id == self._default)

    def on_mount(self) -> None:
        """As high as the rows need, within the screen."""
        super().on_mount()
        self._fit()

    def on_resize(self) -> None:
        """Another screen, another height."""
        self._fit()

    def _fit(self) -> None:
        for row in self.query(ChoiceRow):
            row.fit(self.text_width)
        rows = sum(row.rows for row in self.query(ChoiceRow))
        # What stays around them: frame, padding, the keys, and the margins of keys and text.
        room = self.app.size.height * 92 // 100 - 6
        rows = min(rows, max(3, room - 3))
        self.query_one("#choices").styles.height = rows
        self.query_one("#dialog-body").styles.max_height = max(1, room - rows)
        self.call_after_refresh(self.say_more)

    def on_key(self, event: events.Key) -> None:
        """A letter takes its answer."""
        for choice in self._choices:
            if event.character == choice.key or event.key == choice.key:
                event.stop()
                if not choice.disabled and self.takes(choice.key):
                    self.dismiss(choice.id)
                return

    def on_choice_row_chosen(self, message: ChoiceRow.Chosen) -> None:
        """Enter or a click, which never take a dangerous answer."""
        choice = message.choice
        if choice.disabled or choice.danger or not self.takes("enter"):
            return
        self.dismiss(choice.id)


@dataclass(frozen=True, slots=True)
class Field:
    """A line to fill in. ``check`` returns why a value is not good enough yet, or ""."""

    id: str
    label: str
    value: str = ""
    placeholder: str = ""
    check: Callable[[str], str] = lambda text: ""


def at_least(length: int) -> Callable[[str], str]:
    """A check that asks for a reason worth reading.

    >>> at_least(3)("no"), at_least(3)("not today"), at_least(1)("")
    ('1 more character', '', 'needed')
    """

    def check(text: str) -> str:
        missing = length - len(text.strip())
        if length == 1 and missing > 0:
            return "needed"
        return "" if missing <= 0 else f"{missing} more character{'s' if missing > 1 else ''}"

    return check


class FormDialog(Dialog[dict[str, str]]):
    """Asks for texts, checked while they are typed; Enter goes on to the next field, and at the last one accepts."""

    def __init__(
        self, title: str, body: Content | str, fields: Sequence[Field], clock: Clock, *, danger: bool = False
    ) -> None:
        keys = "enter goes on, at the end enter accepts · esc back" if len(fields) > 1 else "enter accepts · esc back"
        super().__init__(title, body, clock, danger=danger, keys=keys)
        self._fields = fields

    def answers(self) -> ComposeResult:
        """Label, input and what is missing, for each field."""
        for number, field in enumerate(self._fields):
            yield Static(field.label, classes="field-label", markup=False)
            default = "default" if number == 0 else ""
            yield LineInput(
                field.value,
                placeholder=field.placeholder,
                id=f"field-{field.id}",
                classes=default,
                select_on_focus=False,
            )
            yield Static("", id=f"check-{field.id}", classes="field-check", markup=False)

    def on_mount(self) -> None:
        """Say at once what is missing. What is offered in the first field is marked: typing takes its place."""
        super().on_mount()
        self.query_one(f"#field-{self._fields[0].id}", Input).action_select_all()
        self._judge()

    def on_input_changed(self) -> None:
        """Judge while typing."""
        self._judge()

    def values(self) -> dict[str, str]:
        """What has been typed, by field."""
        return {field.id: self.query_one(f"#field-{field.id}", Input).value for field in self._fields}

    def _judge(self) -> Field | None:
        first = None
        for field, text in zip(self._fields, self.values().values(), strict=True):
            why = field.check(text)
            self.query_one(f"#check-{field.id}", Static).update(Content(why))
            if why and first is None:
                first = field
        return first

    def _insist(self, field: Field, why: str) -> None:
        """Enter did nothing: say what is missing where the eye is, and not only beside the field."""
        self.query_one("#dialog").border_subtitle = Content(f" enter: {field.label}: {why} ")
        self.query_one(f"#check-{field.id}", Static).add_class("-insisted")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go on, or accept when everything is good."""
        # Whoever has typed is a person; an untouched form may have been opened by the Enter that is still down.
        if self.values() == {field.id: field.value for field in self._fields} and not self.takes("enter"):
            return
        ids = [f"field-{field.id}" for field in self._fields]
        at = ids.index(event.input.id or ids[0])
        bad = self._judge()
        if bad is not None:
            self.query_one(f"#field-{bad.id}", Input).focus()
            self._insist(bad, bad.check(self.values()[bad.id]))
        elif at + 1 < len(ids):
            self.query_one(f"#{ids[at + 1]}", Input).focus()
        else:
            self.dismiss({name: text.strip() for name, text in self.values().items()})
