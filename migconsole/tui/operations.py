"""What the commands do to a run: ask what must be asked, then call the session. One method for each command.

Each runs in a task of the application, so a closing screen cannot cut off a start half-way; an answer of None from a
dialog means that nothing happens.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import SuspendNotSupported

from migconsole.domain import restore_gate
from migconsole.domain.checklist import Answer, Danger, Item
from migconsole.domain.items import ItemState
from migconsole.domain.policy import OUT_OF_ORDER, Command
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.engine.resolve import NO_OVERRIDE, Confirmation, Preview
from migconsole.errors import StoppedError, UsageError
from migconsole.tui.by_hand import ByHandOperations
from migconsole.tui.commands import Context
from migconsole.tui.conducting import Conducting
from migconsole.tui.handover import give_terminal
from migconsole.tui.item_text import first_line
from migconsole.tui.rollbacks import Rollbacks
from migconsole.tui.rows import RowKind
from migconsole.tui.screens.dialogs.base import Choice, ChoiceDialog, Dialog, Field, FormDialog, at_least
from migconsole.tui.screens.dialogs.confirm import ConfirmDialog, TypedDialog
from migconsole.tui.screens.dialogs.evidence import EvidenceDialog
from migconsole.tui.screens.dialogs.stop import StopDialog

if TYPE_CHECKING:
    pass


class Operations(Conducting, Rollbacks, ByHandOperations):
    """Bound to the application and the main screen it belongs to."""

    # -- running --------------------------------------------------------------------------------------------------

    async def run(self, context: Context) -> None:
        """Run the item's action, after the way of doing it was chosen and the tier's question was answered."""
        item = self._item(context)
        if self._session.by_hand.open_attempt(item.id) is not None:
            await self.tell(item)
            return
        if item.id == self._session.rollback.restore.id:
            # What is lost, which ways there are, what exactly is done: all of it is seen before, so only the wizard
            # starts it.
            await self.rollback(context)
            return
        alternative = await self._pick(item, context.alternative)
        if alternative is None:
            return
        if self._session.preview(item.id, alternative).danger is not Danger.READ:
            await self._session.interlock.ahead()
            if self._session.verdict(item.id, Command.RUN, alternative).asks:
                await self.override(replace(context, alternative=alternative))
                return
        await self._start(item, alternative)

    async def open(self, context: Context) -> None:
        """Fold or unfold a heading; run what only reads; show the details of everything else."""
        row = self._screen.steps.cursor
        if row is not None and row.folded is not None:
            self._screen.steps.toggle()
            return
        if row is not None and row.kind is RowKind.TRIPWIRE:
            await self.tripwires(context)
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
            first = first_line(preview.text)
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

    async def _start(self, item: Item, alternative: int, override: Confirmation = NO_OVERRIDE) -> None:
        preview = self._session.preview(item.id, alternative)
        verdict = preview.verdict
        if not verdict.allowed and not override.overrides(verdict):
            raise StoppedError("This cannot run now", verdict.reason)
        if preview.unresolved:
            raise UsageError(
                "A value is missing", "\n".join(preview.unresolved), "Set it with v, or on the command line."
            )
        confirmation = await self._confirm(preview, override)
        if confirmation is None:
            return
        if self._session.by_hand.on:
            await self.hand_over_command(item, alternative, confirmation)
            return
        if item.steps[alternative].step.interactive:
            await self._interactive(item, alternative, confirmation)
            return
        attempt = await self._session.start(item.id, alternative, confirmation)
        self._screen.output.show(item.id, attempt.number)

    async def _confirm(self, preview: Preview, override: Confirmation) -> Confirmation | None:
        if preview.tier == 0:
            return override
        kind = TypedDialog if preview.tier > 1 else ConfirmDialog
        dialog: Dialog[Confirmation] = kind(preview, self._clock, override=override)
        return await self._app.ask(dialog)

    async def _interactive(self, item: Item, alternative: int, confirmation: Confirmation) -> None:
        async def terminal(argv: Sequence[str], environment: Mapping[str, str], directory: str) -> int:
            return await give_terminal(self._app, argv, environment, directory)

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
        """Do an item before its turn, or without a proven way back; the reason is on record."""
        item = self._item(context)
        why = self._session.verdict(item.id, Command.RUN, context.alternative)
        run = why.overridable
        if not run:
            why = self._session.verdict(item.id, Command.ATTEST)
        grave = why.least >= restore_gate.OVERRIDE_REASON
        how = why.how or OUT_OF_ORDER
        more = " It stays listed as a deviation." if grave else ""
        question = f"{sanitise(why.reason)}. Why now?{more}"
        reason = await self._reason(f"{how[:1].upper()}{how[1:]}", question, why.least, danger=grave)
        if reason is None:
            return
        if run:
            # What comes up while the reason is typed, or later, is not what it was given for.
            await self._start(item, context.alternative, Confirmation(0, reason=reason, covers=why.hows))
        elif isinstance(item.steps[0].step.action, Answer):
            await self._answer(item, reason)
        else:
            await self._attest(item, reason)

    # -- the run --------------------------------------------------------------------------------------------------

    async def hold(self, context: Context) -> None:
        """Hold the run, or release it."""
        held = self._session.run.hold
        if held is None:
            fields = [
                Field("reason", "reason", check=at_least(3)),
                Field("owner", "owner", self._session.actor, check=at_least(1)),
                Field("until", "expected end (optional; moves the forecast)", placeholder="20m, or 14:30 (UTC)"),
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
            text = f"This console will only watch; the next one that asks drives. Looking now: {names}."
            fields = [Field("note", "note to whoever goes on", check=at_least(3))]
            said = await self._app.ask(FormDialog("Hand over", text, fields, self._clock))
            if said is not None:
                await session.hand_over(said["note"])
            return
        driver = sanitise_line(session.run.driver_actor) or "nobody"
        left = session.run.handover
        note = f" {sanitise_line(left.actor, 30)} leaves the note: “{sanitise(left.text, 500)}”." if left else ""
        text = f"Driving now: {driver}.{note} A console that is alive is not displaced; say why you take over."
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
        widest = min(24, max(len(name) for name in declared))
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
                Choice(
                    variable.name,
                    key,
                    f"{variable.name:<{widest}}  {shown}",
                    sanitise_line(variable.help),
                    disabled=disabled,
                )
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
        item = self._session.located(context.read).item
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
            await asyncio.to_thread(_save, path, safe)
        except OSError as error:
            self._app.toast(f"Copied. It could not be saved to a file as well: {error.strerror}")
        else:
            self._app.toast(f"Copied. If the terminal ignores it: {path}")


def _save(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")
