"""What the commands about the run as a whole do: ask what must be asked, then call the session."""

from __future__ import annotations

from migconsole.domain.checklist import Item, Section, Tripwire
from migconsole.domain.lifecycle import RunState
from migconsole.domain.text import sanitise, sanitise_line
from migconsole.domain.tripwires import WireState
from migconsole.errors import MigconsoleError
from migconsole.tui import format
from migconsole.tui.clock_line import hour
from migconsole.tui.commands import Context
from migconsole.tui.decisions import Decisions
from migconsole.tui.rows import RowKind
from migconsole.tui.screens.dialogs.base import Choice, ChoiceDialog, Field, FormDialog, at_least
from migconsole.tui.screens.dialogs.gates import FRESH, GateDialog

_LISTED = 6
"""Deferred and forced lines that a dialog names; the rest are counted."""


class Conducting(Decisions):
    """Mixed into the operations; one method for each command."""

    # -- the clock ------------------------------------------------------------------------------------------------

    async def clock(self, context: Context) -> None:
        """Set or move T-0 and the window; past the last safe abort first decide about it."""
        crossing = self._session.run.clock.open_crossing()
        if crossing is not None and not crossing.decision and not await self.decide():
            return
        table = self._session.run.clock
        now = self._session.clock.now()
        fields = [
            Field("t0", "T-0 (UTC)", "", f"{hour(table.t0, now)}, or 23:30 · 20m · T+30m"),
            Field("window", "window: length or end (UTC)", "", f"ends {hour(table.window_end, now)}, or 2h · 02:00"),
        ]
        if table.settings:
            fields.append(Field("reason", "reason", check=at_least(3)))
        text = "What is left empty stays. " + (
            "Only what has not started moves." if table.settings else "The header then counts to the last safe abort."
        )
        said = await self._app.ask(FormDialog("Clock", text, fields, self._clock))
        if said is not None and (said["t0"] or said["window"]):
            await self._session.clock.set(said["t0"], said["window"], said.get("reason", ""))

    async def decide(self) -> bool:
        """The decision once backing out no longer fits into the window; False when it was put off."""
        clock = self._session.clock.at(self._clock.utc())
        limit = clock.last_safe_abort
        text = (
            f"Backing out takes {format.duration(clock.backout.seconds)} now ({clock.backout.way}); begun now it is "
            f"through at {hour(clock.backed_out, clock.now)} UTC, and the window ends "
            f"{hour(clock.window_end, clock.now)}. "
            f"The last safe abort was {hour(limit, clock.now)}. Until this is decided, nothing starts that changes "
            "anything."
        )
        choices = [
            Choice("", "b", "not yet", "the header stays red; O comes back here"),
            Choice("go on", "g", "go on", "forward only: the window may have to be extended", True),
            Choice("hold", "h", "hold the run", "nothing starts while the room talks"),
            Choice("roll back", "r", "roll back", "opens the wizard; it starts nothing by itself", True),
        ]
        decision = await self._app.ask(
            ChoiceDialog("The last safe abort has passed", text, choices, self._clock, danger=True)
        )
        if not decision:
            return False
        reason = await self._reason(f"Decision: {decision}", "Who decided, and why? It is on record.", 3)
        if reason is None:
            return False
        await self._session.clock.decide(decision, reason)
        if decision == "hold" and self._session.run.hold is None:
            await self._session.hold(reason)
        if decision == "roll back":
            await self._app.run_action("app.command('rollback')")
        return decision == "go on"

    # -- gates ----------------------------------------------------------------------------------------------------

    async def gates(self, context: Context) -> None:
        """The polls; voting asks for initials, and for the reason of a NO-GO."""
        waiting = [s.gate.id for s in self._session.gates.standings() if not s.open]
        dialog = GateDialog(self._session, self._clock, gate=waiting[0] if waiting else "")
        while True:
            ballot = await self._app.ask(dialog)
            if ballot is None:
                return
            if ballot == FRESH:
                await self._renew()
                return
            await self._cast(*ballot)
            dialog = GateDialog(self._session, self._clock, at=dialog.at + 1)

    async def _renew(self) -> None:
        """Take the way back afresh: its items are reopened, and the first of them is gone to."""
        question = "The backup and its proof are reopened and taken again; why?"
        reason = await self._reason("A fresh backup", question, 3)
        if reason is not None:
            item = await self._session.looking_back.renew(reason)
            self._screen.steps.go(item)
            self._app.hint("reopened: run it (r), then its proof; the votes stay as they are")

    async def _cast(self, gate: str, role: str, vote: str) -> None:
        word = vote.upper()
        fields = [Field("initials", f"initials of the {sanitise_line(role, 40)}", check=at_least(1))]
        if vote == "no-go":
            fields.append(Field("reason", "reason", check=at_least(3)))
        text = (
            "It counts for 15 minutes." if vote == "go" else "One NO-GO keeps the gate closed until its role says GO."
        )
        said = await self._app.ask(
            FormDialog(f"{word} · {sanitise_line(role, 40)}", text, fields, self._clock, danger=vote == "no-go")
        )
        if said is not None:
            await self._session.gates.vote(gate, role, vote, said["initials"], said.get("reason", ""))

    # -- tripwires ------------------------------------------------------------------------------------------------

    async def tripwires(self, context: Context) -> None:
        """Choose a tripwire, the one under the cursor first."""
        row = self._screen.steps.cursor
        wires = {wire.id: wire for wire in self._session.checklist.tripwires}
        under = row.key.removeprefix("tripwire:") if row is not None and row.kind is RowKind.TRIPWIRE else ""
        if under in wires:
            await self.wire(wires[under])
            return
        order = [wire for wire, _ in self._session.tripwires.tripped()]
        order += [wire for wire in wires.values() if wire not in order]
        choices = [
            Choice(wire.id, str(number), sanitise_line(wire.title, 90), self._wire_words(wire))
            for number, wire in enumerate(order, 1)
        ]
        text = "What tells the room to roll back. Tripping one starts nothing."
        chosen = await self._app.ask(ChoiceDialog("Roll back if…", text, choices, self._clock))
        if chosen is not None:
            await self.wire(wires[chosen])

    async def wire(self, wire: Tripwire) -> None:
        """What can be done about one tripwire; the wizard is offered and never starts by itself."""
        record = self._session.tripwires.record(wire.id)
        driving = self._session.driving
        watches = "" if driving else "this console watches; the driver does that"
        choices = [Choice("", "b", "back")]
        if record.state is WireState.ARMED:
            choices.append(Choice("trip", "t", "trip it", "the criterion is met; it stays in everybody's header"))
        if record.state is WireState.TRIPPED:
            choices.append(Choice("acknowledge", "a", "acknowledge", "somebody has taken it on; it stays in sight"))
        if record.state is not WireState.ARMED:
            choices.append(Choice("clear", "c", "clear", "the criterion is not met (any more)", disabled=watches))
            choices.append(
                Choice("rollback", "r", "roll back…", "the wizard, with this as its reason", True, disabled=watches)
            )
        title = sanitise_line(wire.title, 60)
        said = await self._app.ask(ChoiceDialog(title, self._wire_words(wire), choices, self._clock))
        if said == "rollback":
            await self._app.run_action("app.command('rollback')")
        elif said:
            await self._change_wire(wire, said)

    async def _change_wire(self, wire: Tripwire, what: str) -> None:
        questions = {"trip": "What was seen?", "acknowledge": "Who looks into it?", "clear": "Why is it not met?"}
        reason = await self._reason(sanitise_line(wire.title, 60), questions[what], 3, danger=what == "trip")
        if reason is not None:
            await getattr(self._session.tripwires, what)(wire.id, reason)

    def _wire_words(self, wire: Tripwire) -> str:
        record = self._session.tripwires.record(wire.id)
        if record.state is WireState.ARMED:
            return "armed"
        by = "" if record.by == "person" else f" by the {record.by}"
        words = f"{record.state.value}{by} at {format.clock_time(record.at)} UTC ({sanitise_line(record.actor, 30)})"
        over = "; the check no longer sees it" if record.over else ""
        return f"{words}: {sanitise(record.reason, 400)}{over}"

    # -- sections, the plan, the end ------------------------------------------------------------------------------

    async def call_section(self, context: Context) -> None:
        """Call the section under the cursor complete, after what was deferred or forced was seen."""
        section = self._section(context.item)
        if section is None:
            self._screen.status.hint("call section: put the cursor on the section, or on one of its items")
            return
        why = self._session.conduct.refuse_call(section)
        if why:
            self._screen.status.hint(f"call section: {sanitise_line(why)}")
            return
        end = self._session.conduct.section(section)
        text = f"“{sanitise_line(section.title, 80)}” is {end.words}.{self._list([*end.deferred, *end.forced])}"
        fields = [Field("person", "called complete by", self._session.actor, check=at_least(1))]
        said = await self._app.ask(FormDialog("Section complete", text, fields, self._clock))
        if said is not None:
            await self._session.conduct.call(section, said["person"])

    def _section(self, item: Item | None) -> Section | None:
        if item is not None:
            return self._session.located(item.id).section
        row = self._screen.steps.cursor
        if row is None or row.kind is not RowKind.SECTION:
            return None
        for phase, section, _ in self._session.conduct.sections():
            parent = "rollback" if phase is None else f"phase:{phase.id}"
            if row.key == f"section:{parent}/{section.id}":
                return section
        return None

    async def approve(self, context: Context) -> None:
        """A named person approves the plan: checklist, target and variables as they stand."""
        again = " It was amended since the last approval." if self._session.conduct.amended else ""
        text = f"What is approved is frozen by its hash {self._session.conduct.plan()[:12]}…; changes show.{again}"
        fields = [Field("approver", "approved by (a person's name)", check=at_least(2))]
        said = await self._app.ask(FormDialog("Approve the plan", text, fields, self._clock))
        if said is not None:
            await self._session.conduct.commit(said["approver"])

    async def end_run(self, context: Context) -> None:
        """End the run, after what was deferred, forced or regressed was seen."""
        conduct = self._session.conduct
        helps = {
            RunState.COMPLETED: "everything is done or deferred",
            RunState.ROLLED_BACK: "the database is as it was",
            RunState.ABANDONED: "nothing more will be done here",
        }
        endings = [
            Choice(
                ending.value,
                ending.value[0],
                ending.value,
                words,
                danger=True,
                disabled=sanitise_line(conduct.refuse_end(ending)),
            )
            for ending, words in helps.items()
        ]
        text = f"An ended run takes no more work; notes and signatures it does.{self._list(conduct.deviations())}"
        choices = [Choice("", "b", "go on with it"), *endings]
        ending = await self._app.ask(ChoiceDialog("End the run", text, choices, self._clock, danger=True))
        if not ending:
            return
        least = 0 if ending == RunState.COMPLETED else 10
        fields = [
            Field("person", "ended by", self._session.actor, check=at_least(1)),
            Field("reason", "reason" if least else "remark (optional)", check=at_least(least)),
        ]
        said = await self._app.ask(FormDialog(f"End · {ending}", text, fields, self._clock, danger=True))
        if said is not None:
            await conduct.end(RunState(ending), said["person"], said["reason"])

    def _list(self, items: list[Item]) -> str:
        if not items:
            return ""
        state = self._session.run.state_of
        rows = [
            f"\n  {state(item).glyph} {state(item).value}: {sanitise_line(item.title, 70)}" for item in items[:_LISTED]
        ]
        more = f"\n  … and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
        return "\n" + "".join(rows) + more

    # -- sharing --------------------------------------------------------------------------------------------------

    async def claim(self, context: Context) -> None:
        """Claim a manual item, give it up, or withdraw another's claim."""
        item = self._item(context)
        held = self._session.run.claims.held.get(item.id)
        conduct = self._session.conduct
        try:
            if held is None:
                await conduct.claim(item)
                self._app.hint(f"“{sanitise_line(item.title, 60)}” is yours: space says that it is done, m gives it up")
            elif held.actor == self._session.actor:
                await conduct.release(item)
                self._app.hint("given up")
            else:
                question = f"{sanitise_line(held.actor, 40)} has claimed it. Why is that withdrawn?"
                reason = await self._reason("Withdraw the claim", question, 3)
                if reason is not None:
                    await conduct.release(item, reason)
        except MigconsoleError as error:
            self._app.hint(sanitise_line(f"{error.title}: {error.detail}", 200))
