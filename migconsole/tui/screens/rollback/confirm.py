"""The last question before a rollback, a putting back or a purge: the name is typed, and nothing is default."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, Static

from migconsole.domain.rollback_plan import Deed, Plan
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.tui import format
from migconsole.tui.format import Clock
from migconsole.tui.lines import cut, hang
from migconsole.tui.screens.dialogs.base import Dialog
from migconsole.tui.widgets.line_input import LineInput

_CANCELLING = {
    Deed.ROLLBACK: "It can be cancelled until the point of no return, the step that is marked in the plan.",
    Deed.PUT_BACK: "It can be cancelled until the renaming, its point of no return.",
    Deed.PURGE: "Once it drops it cannot be cancelled, and nothing here brings the database back.",
}
"""Until when each can be cancelled. Only a rollback's plan has been on the screen."""


class RollbackConfirm(Dialog[tuple[str, str]]):
    """Returns what was typed, and the second line where the plan demands one: a date, or the name once more."""

    def __init__(self, plan: Plan, reason: str, by: str, clock: Clock) -> None:
        super().__init__(sanitise_line(plan.title, 70), "", clock, danger=True)
        self._plan, self._reason, self._by = plan, reason, by

    def answers(self) -> ComposeResult:
        """One line to type, or two."""
        yield Static("", id="typed-label", classes="field-label", markup=False)
        yield LineInput(id="typed", classes="default", select_on_focus=False)
        yield Static("", id="typed-check", classes="field-check", markup=False)
        if self._second:
            yield Static("", id="again-label", classes="field-label", markup=False)
            yield LineInput(id="again", select_on_focus=False)
            yield Static("", id="again-check", classes="field-check", markup=False)

    def on_mount(self) -> None:
        """Name what has to be typed."""
        super().on_mount()
        name = sanitise_line(self._plan.confirm)
        label = Content.assemble("Type ", (name, "bold $danger"), " to do it")
        self.query_one("#typed-label", Static).update(label)
        if self._second:
            why = "There is no way back from this one. Type " if self._plan.twice else "It is dropped for good. Type "
            more = " once more" if self._plan.twice else ", the day it carries"
            again = Content.assemble(why, (sanitise_line(self._second), "bold $danger"), more)
            self.query_one("#again-label", Static).update(again)
        self.query_one("#dialog-keys", Static).update(Content("enter does it once that is right · esc goes back"))
        self.update_body(self._body_text())
        self._judge()

    def on_resize(self) -> None:
        """Another width wraps otherwise."""
        self.update_body(self._body_text())

    def on_input_changed(self) -> None:
        """Judge while typing."""
        self._judge()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Accept only what was demanded, from the last line."""
        if not self._judge():
            return
        if self._second and event.input.id == "typed":
            self.query_one("#again", Input).focus()
            return
        if self.takes("enter"):
            self.dismiss((self._plan.confirm, self._second))

    @property
    def _second(self) -> str:
        return self._plan.dated or (self._plan.confirm if self._plan.twice else "")

    def _judge(self) -> bool:
        why = "" if self._typed("typed") == self._plan.confirm else "not the name yet"
        refusal = next(iter(self._plan.refusals), "")
        why = f"not possible now: {sanitise_line(refusal)}" if refusal else why
        self.query_one("#typed-check", Static).update(Content(why))
        if not self._second:
            return not why
        again = "" if self._typed("again") == self._second else "not typed yet"
        self.query_one("#again-check", Static).update(Content(again))
        return not why and not again if self.focused is None or self.focused.id == "again" else not why

    def _typed(self, name: str) -> str:
        return self.query_one(f"#{name}", Input).value.strip()

    def _body_text(self) -> Content:
        plan, width = self._plan, self.text_width
        texts: list[tuple[str, str]] = []
        if self._reason:
            texts += [*hang(("why    ", "$muted"), sanitise_line(self._reason, 400), "", width), ("\n", "")]
        if self._by:
            texts += [("who    ", "$muted"), (sanitise_line(self._by, 80), ""), ("\n", "")]
        if plan.outage:
            texts += [("outage ", "$muted"), (f"about {format.took(plan.outage)}", "bold"), ("\n", "")]
        for number, line in enumerate(plan.loses[:4]):
            label = "loses  " if number == 0 else "       "
            said = sanitise(line, 300).replace("\n", " ")
            # The rows of the table keep their columns; sentences wrap.
            table = said.startswith(" ")
            row = cut([(label + said, "")], width) if table else hang((label, "$muted"), said, "", width)
            texts += [*row, ("\n", "")]
        if len(plan.loses) > 4:
            texts += [(f"       and {len(plan.loses) - 4} more lines, on the page “What is lost”\n", "$muted")]
        texts.append(("\n", ""))
        texts += hang(("", ""), _CANCELLING.get(plan.deed, ""), "$muted", width)
        return Content.assemble(*texts)
