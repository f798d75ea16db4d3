"""What the commands do to a run: ask what must be asked, then call the session. One method for each command.

Each runs in a task of the application, so a closing screen cannot cut off a start half-way; an answer of None from a
dialog means that nothing happens.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from textual.app import SuspendNotSupported

from migconsole.domain.checklist import Answer, Item
from migconsole.domain.items import ItemState
from migconsole.domain.policy import Command
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.resolve import Confirmation, Preview
from migconsole.engine.session import Session
from migconsole.errors import StoppedError, UsageError
from migconsole.tui.commands import Context
from migconsole.tui.screens.dialogs.bar import AttestBar
from migconsole.tui.screens.dialogs.base import Choice, ChoiceDialog, Dialog, Field, FormDialog, at_least
from migconsole.tui.screens.dialogs.confirm import ConfirmDialog, TypedDialog
from migconsole.tui.screens.dialogs.evidence import EvidenceDialog
from migconsole.tui.screens.dialogs.stop import StopDialog
from migconsole.tui.screens.main import MainScreen

if TYPE_CHECKING:
    from migconsole.tui.app import MigconsoleApp


class Operations:
    """Bound to the application and the main screen it belongs to."""

    def __init__(self, app: MigconsoleApp, screen: MainScreen) -> None:
        self._app, self._screen = app, screen
        self._clock = screen.clock

    @property
    def _session(self) -> Session:
        return self._screen.session

    def _item(self, context: Context) -> Item:
        if context.item is None:
            raise UsageError("No item is selected")
        return context.item

    # -- running --------------------------------------------------------------------------------------------------

    async def run(self, context: Context) -> None:
        """Run the item's action, after the way of doing it was chosen and the tier's question was answered."""
        item = self._item(context)
        alternative = await self._pick(item, context.alternative)
        if alternative is not None:
            await self._start(item, alternative)

    async def open(self, context: Context) -> None:
        """Fold or unfold a heading; run what only reads; show the details of everything else."""
        row = self._screen.steps.cursor
        if row is not None and row.folded is not None:
            self._screen.steps.toggle()
            return
        item = context.item
        if item is None:
            return
        preview = self._session.preview(item.id, context.alternative)
        running = self._session.run.state_of(item) is ItemState.RUNNING
        # Enter starts only what has not been run: a doubled key must not start anything twice.
        fresh = self._session.run.state_of(item) is ItemState.TODO and len(item.steps) == 1
        if preview.tier == 0 and preview.verdict.allowed and fresh and not context.waiting and not running:
            await self._start(item, context.alternative)
        else:
            self._screen.go_pane("output" if running else "item")

    async def _pick(self, item: Item, proposed: int) -> int | None:
        if len(item.steps) == 1:
            return 0
        choices = []
        for number, way in enumerate(item.steps):
            verdict = self._session.verdict(item.id, Command.RUN, number)
            preview = self._session.preview(item.id, number)
            first = sanitise_line(preview.text.strip().split("\n")[0], 90)
            disabled = "" if verdict.allowed or verdict.overridable else sanitise_line(verdict.reason)
            title = sanitise_line(way.title) or f"way {number + 1}"
            choices.append(Choice(str(number), str(number + 1), title, first, disabled=disabled))
        title = sanitise_line(item.title)
        answer = await self._app.ask(
            ChoiceDialog("Several ways", f"How shall “{title}” be done?", choices, self._clock, default=str(proposed))
        )
        if answer is None:
            return None
        self._screen.chosen[item.id] = int(answer)
        return int(answer)

    async def _start(self, item: Item, alternative: int, reason: str = "") -> None:
        preview = self._session.preview(item.id, alternative)
        verdict = preview.verdict
        if not verdict.allowed and not (verdict.overridable and reason):
            raise StoppedError("This cannot run now", verdict.reason)
        if preview.unresolved:
            raise UsageError(
                "A value is missing", "\n".join(preview.unresolved), "Set it with v, or on the command line."
            )
        confirmation = await self._confirm(preview, reason)
        if confirmation is None:
            return
        if item.steps[alternative].step.interactive:
            await self._interactive(item, alternative, confirmation)
            return
        attempt = await self._session.start(item.id, alternative, confirmation)
        self._screen.output.show(item.id, attempt.number)

    async def _confirm(self, preview: Preview, reason: str) -> Confirmation | None:
        if preview.tier == 0:
            return Confirmation(0, reason=reason)
        kind = TypedDialog if preview.tier > 1 else ConfirmDialog
        dialog: Dialog[Confirmation] = kind(preview, self._clock, reason=reason)
        return await self._app.ask(dialog)

    async def _interactive(self, item: Item, alternative: int, confirmation: Confirmation) -> None:
        async def terminal(argv: Sequence[str], environment: Mapping[str, str], directory: str) -> int:
            with self._app.suspend():
                process = await asyncio.create_subprocess_exec(*argv, env=dict(environment), cwd=directory)
                return await process.wait()

        driver = self._app.suspendable
        if not driver:
            raise StoppedError("This terminal cannot be given away", "The item needs the real terminal.")
        with suppress(SuspendNotSupported):
            await self._session.interactive(item.id, alternative, confirmation, terminal)
        self._app.toast("The terminal is back. What was typed and shown there was not captured.")

    async def cancel(self, context: Context) -> None:
        """Stop what runs, rung by rung."""
        await self._app.ask(StopDialog(self._session, self._item(context).id, self._clock))

    async def override(self, context: Context) -> None:
        """Do an item before its turn; the reason is on record."""
        item = self._item(context)
        why = self._session.verdict(item.id, Command.RUN, context.alternative)
        run = why.overridable
        if not run:
            why = self._session.verdict(item.id, Command.ATTEST)
        reason = await self._reason("Out of order", f"{sanitise(why.reason)}. Why now?", 3)
        if reason is None:
            return
        if run:
            await self._start(item, context.alternative, reason)
        elif isinstance(item.steps[0].step.action, Answer):
            await self._answer(item, reason)
        else:
            await self._attest(item, reason)

    # -- what a person says ---------------------------------------------------------------------------------------

    async def attest(self, context: Context) -> None:
        """Say that it is done; an item that wants a value gets the question for it."""
        item = self._item(context)
        if isinstance(item.steps[0].step.action, Answer):
            await self._answer(item)
        else:
            await self._attest(item)

    async def _attest(self, item: Item, reason: str = "") -> None:
        title = sanitise_line(item.title, 60)
        said = await self._app.ask(AttestBar(f"attest “{title}”", self._clock))
        if said is not None:
            await self._session.attest(item.id, said[0], said[1], reason)

    async def answer(self, context: Context) -> None:
        """Answer with a value of the item's type."""
        await self._answer(self._item(context))

    async def _answer(self, item: Item, reason: str = "") -> None:
        action = item.steps[0].step.action
        if not isinstance(action, Answer):
            raise UsageError("This item takes no answer; attest it")
        question = sanitise(action.ask or item.title)
        title = sanitise_line(item.title, 60)
        choices = ("yes", "no") if action.type == "yes-no" else action.choices if action.type == "choice" else ()
        if choices:
            keys = "yn" if action.type == "yes-no" else "123456789"
            rows = [Choice(c, keys[i] if i < len(keys) else "", sanitise_line(c)) for i, c in enumerate(choices)]
            value = await self._app.ask(ChoiceDialog(title, question, rows, self._clock, default=action.default))
            if value is not None:
                await self._session.answer(item.id, value, "", reason)
            return
        value = action.default
        while True:
            form = FormDialog(
                title,
                question,
                [
                    Field("value", action.type, value, _EXAMPLES.get(action.type, ""), at_least(1)),
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
                value, question = said["value"], sanitise(f"{action.ask or item.title}\n\n{error}")

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

    # -- the run --------------------------------------------------------------------------------------------------

    async def hold(self, context: Context) -> None:
        """Hold the run, or release it."""
        held = self._session.run.hold
        if held is None:
            fields = [
                Field("reason", "reason", check=at_least(3)),
                Field("owner", "owner", self._session.actor, check=at_least(1)),
                Field("until", "expected end (optional)", placeholder="14:30 UTC"),
            ]
            text = "Nothing that changes anything starts while the run is on hold. What runs goes on."
            said = await self._app.ask(FormDialog("Hold the run", text, fields, self._clock))
            if said is not None:
                await self._session.hold(said["reason"], said["owner"], said["until"])
            return
        text = f"Held by {sanitise_line(held.owner)}: {sanitise(held.reason)}"
        choices = [
            Choice("stay", "b", "keep it on hold"),
            Choice("release", "y", "release it", "changes may start again", True),
        ]
        if await self._app.ask(ChoiceDialog("The run is on hold", text, choices, self._clock)) == "release":
            await self._session.release()

    async def hand_over(self, context: Context) -> None:
        """Let another console drive, or become the driver."""
        session = self._session
        if session.driving:
            others = [p for p in session.presences if p.console != session.console_id]
            names = (
                ", ".join(f"{sanitise_line(p.actor, 30)} on {sanitise_line(p.host, 30)}" for p in others) or "nobody"
            )
            text = f"This console will only watch. Looking now: {names}."
            choices = [
                Choice("stay", "b", "keep driving"),
                Choice("hand", "y", "hand over", "the next console that asks drives", True),
            ]
            if await self._app.ask(ChoiceDialog("Hand over", text, choices, self._clock)) == "hand":
                await session.hand_over()
            return
        driver = sanitise_line(session.run.driver_actor) or "nobody"
        text = f"Driving now: {driver}. A console that is alive is not displaced; say why you take over."
        reason = await self._reason("Take over", text, 3)
        if reason is None:
            return
        if not await session.take_over(reason):
            raise StoppedError(
                "The driver is alive", f"{driver} drives and was seen moments ago.", "Ask them to hand over (H)."
            )
        self._app.toast("This console drives now.")

    async def start_work(self, context: Context) -> None:
        """After a resume: work goes on."""
        self._screen.waiting = False
        self._screen.redraw()

    async def variables(self, context: Context) -> None:
        """Show the values the commands use; set one that is no secret."""
        declared = self._session.checklist.variables
        run = self._session.run
        if not declared:
            self._screen.status.hint("this checklist declares no variables")
            return
        choices = []
        for number, variable in enumerate(declared.values(), 1):
            value = run.captured.get(variable.name, run.variables.get(variable.name, variable.default))
            shown = (
                "secret" if variable.secret else "no value" if value is None else sanitise_line(value, 80) or "empty"
            )
            key = str(number) if number < 10 else ""
            disabled = (
                f"a secret comes from the environment only ({variable.env or variable.name})" if variable.secret else ""
            )
            choices.append(
                Choice(variable.name, key, f"{variable.name}  {shown}", sanitise_line(variable.help), disabled=disabled)
            )
        name = await self._app.ask(
            ChoiceDialog("Variables", "Choose one to set it for this run.", choices, self._clock)
        )
        if name is None:
            return
        value = run.variables.get(name, declared[name].default or "")
        said = await self._app.ask(
            FormDialog(f"Set {name}", sanitise(declared[name].help), [Field("value", name, value)], self._clock)
        )
        if said is not None:
            await self._session.set_variable(name, said["value"])

    # -- looking --------------------------------------------------------------------------------------------------

    async def evidence(self, context: Context) -> None:
        """Every attempt of the item; one can be opened in the output pane."""
        item = self._item(context)
        number = await self._app.ask(EvidenceDialog(self._session, item, self._clock))
        if number is not None:
            self._screen.output.show(item.id, number)
            self._screen.go_pane("output")

    async def copy_command(self, context: Context) -> None:
        """Copy the resolved command, secrets masked."""
        preview = self._session.preview(self._item(context).id, context.alternative)
        await self.copy(preview.text or self._item(context).title)

    async def copy_output(self, context: Context) -> None:
        """Copy the selection, or what the view offers."""
        text: Any = self._screen.get_selected_text()
        if text:
            await self.copy(text)
        else:
            self._screen.output.view.copy()

    async def copy(self, text: str) -> None:
        """To the clipboard by OSC 52, and to a file, because many terminals drop the former silently."""
        safe = self._session.copy_text(sanitise(text, 1_000_000))
        self._app.copy_to_clipboard(safe)
        path = self._session.directory / "clipboard.txt"
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(safe + "\n")
        except OSError as error:
            self._app.toast(f"Copied. It could not be saved to a file as well: {error.strerror}")
        else:
            self._app.toast(f"Copied. If the terminal ignores it: {path}")


_EXAMPLES = {
    "number": "42",
    "size": "12.3 GB",
    "duration": "25m, 1h30m",
    "window": "2030-01-31 22:00 for 2h",
    "path": "/var/backups/…",
    "url": "https://…",
}
