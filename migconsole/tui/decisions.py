"""What a person decides about an item: each asks for what must be known, and calls the session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING

from textual.content import Content

from migconsole.domain.checklist import Answer, Item
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.session import Session
from migconsole.errors import UsageError
from migconsole.tui.commands import Context
from migconsole.tui.format import Clock
from migconsole.tui.screens.dialogs.bar import AttestBar
from migconsole.tui.screens.dialogs.base import Choice, ChoiceDialog, Field, FormDialog, at_least
from migconsole.tui.screens.main import MainScreen

if TYPE_CHECKING:
    from migconsole.tui.exits import Exits

_EXAMPLES = {
    "number": "42",
    "size": "12.3 GB",
    "duration": "1h30m",
    "window": "{now:%Y-%m-%d %H:%M}Z for 2h",
    "path": "/var/backups/before.dump",
    "url": "https://status.example.com",
}


def example(kind: str, now: datetime) -> str:
    """How a value of a type may be written, shown while the field is empty; it would be taken as it stands.

    >>> example("duration", datetime.now())
    '1h30m'
    """
    return _EXAMPLES.get(kind, "").format(now=now)


def _for_example(kind: str, clock: Clock) -> str:
    shown = example(kind, clock.utc())
    return f"for example {shown}" if shown else ""


class Decisions:
    """The half of the operations that starts nothing."""

    def __init__(self, app: Exits, screen: MainScreen) -> None:
        self._app, self._screen = app, screen
        self._clock = screen.clock

    @property
    def _session(self) -> Session:
        return self._screen.session

    def _item(self, context: Context) -> Item:
        if context.item is None:
            raise UsageError("No item is selected")
        return context.item

    async def attest(self, context: Context) -> None:
        """Say that it is done; an item that wants a value gets the question for it."""
        item = self._item(context)
        if isinstance(item.steps[0].step.action, Answer):
            await self._answer(item)
        else:
            await self._attest(item)

    async def _attest(self, item: Item, reason: str = "") -> None:
        title = sanitise_line(item.title, 60)
        said = await self._app.ask(AttestBar(title, self._clock))
        if said is not None:
            await self._session.attest(item.id, said[0], said[1], reason)

    async def answer(self, context: Context) -> None:
        """Answer with a value of the item's type."""
        await self._answer(self._item(context))

    async def _answer(self, item: Item, reason: str = "") -> None:
        action = item.steps[0].step.action
        if not isinstance(action, Answer):
            raise UsageError("This item takes no answer; attest it")
        question = Content(sanitise(action.ask or item.title))
        asked = question
        title = sanitise_line(item.title, 60)
        default = self._session.answer_default(item.id)
        choices = ("yes", "no") if action.type == "yes-no" else action.choices if action.type == "choice" else ()
        if choices:
            keys = "yn" if action.type == "yes-no" else "123456789"
            rows = [Choice(c, keys[i] if i < len(keys) else "", sanitise_line(c)) for i, c in enumerate(choices)]
            value = await self._app.ask(ChoiceDialog(title, question, rows, self._clock, default=default))
            if value is not None:
                await self._session.answer(item.id, value, "", reason)
            return
        value = default
        while True:
            form = FormDialog(
                title,
                asked,
                [
                    Field("value", action.type, value, _for_example(action.type, self._clock), at_least(1)),
                    Field("note", "note (optional)"),
                ],
                self._clock,
            )
            said = await self._app.ask(form)
            if said is None:
                return
            try:
                await self._session.answer(item.id, said["value"], said["note"], reason)
                return
            except UsageError as error:
                value, asked = said["value"], question + Content.styled(f"\n\n{sanitise(str(error))}", "$caution")

    async def accept(self, context: Context) -> None:
        """Done, with issues."""
        await self._reasoned(context, "Accept with issues", "What are the issues?", 3, self._session.accept)

    async def skip(self, context: Context) -> None:
        """Leave it out."""
        await self._reasoned(context, "Skip", "Why is it skipped?", 3, self._session.skip)

    async def exclude(self, context: Context) -> None:
        """It does not apply."""
        await self._reasoned(context, "Not applicable", "Why does it not apply here?", 3, self._session.exclude)

    async def force(self, context: Context) -> None:
        """Go on past a failure."""
        text = "It stays listed as forced. Why is it right to go on?"
        await self._reasoned(context, "Force past the failure", text, 10, self._session.force, danger=True)

    async def reopen(self, context: Context) -> None:
        """Make it todo again."""
        text = "What was recorded stays recorded. Why is it reopened?"
        await self._reasoned(context, "Reopen", text, 3, self._session.reopen)

    async def defer(self, context: Context) -> None:
        """Do it later."""
        item = self._item(context)
        fields = [
            Field("reason", "reason", check=at_least(3)),
            Field("due", "until", "T+24h", "T+24h, tomorrow 09:00", at_least(1)),
        ]
        said = await self._app.ask(
            FormDialog(f"Defer · {sanitise_line(item.title, 60)}", "Why, and until when?", fields, self._clock)
        )
        if said is not None:
            await self._session.defer(item.id, said["reason"], said["due"])

    async def note(self, context: Context) -> None:
        """Write a note on the item, or on the run where no item is selected."""
        item = context.item
        about = f"on “{sanitise_line(item.title, 60)}”" if item else "on the run"
        text = await self._reason("Note", f"A note {about}, kept in the record.", 1, label="note")
        if text is not None:
            await self._session.note(text, item.id if item else "")
            self._app.toast("Noted.")

    async def _reasoned(
        self,
        context: Context,
        title: str,
        question: str,
        minimum: int,
        act: Callable[[str, str], Awaitable[None]],
        danger: bool = False,
    ) -> None:
        item = self._item(context)
        reason = await self._reason(f"{title} · {sanitise_line(item.title, 60)}", question, minimum, danger=danger)
        if reason is not None:
            await act(item.id, reason)

    async def _reason(
        self, title: str, question: str, minimum: int, label: str = "reason", danger: bool = False
    ) -> str | None:
        fields = [Field("reason", label, check=at_least(minimum))]
        said = await self._app.ask(FormDialog(title, question, fields, self._clock, danger=danger))
        return None if said is None else said["reason"]
