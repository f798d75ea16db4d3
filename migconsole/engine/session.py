"""The session: one open run, as every surface sees it. Screens and the headless front end talk to nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path

from migconsole.domain import built_in
from migconsole.domain.answers import AnswerError, check_answer
from migconsole.domain.checklist import Alternative, Answer, Checklist, Danger, Located
from migconsole.domain.checklist import Run as RunAction
from migconsole.domain.events import Event, Kind
from migconsole.domain.policy import MOVES, Command, Situation, Verdict, judge, not_available
from migconsole.domain.procedure import own_doing
from migconsole.domain.run import Attempt, Run
from migconsole.domain.times import stamp
from migconsole.domain.variables import is_secret_name
from migconsole.engine.attempts import BY_HAND, INTERACTIVE, Attempts, Suspended
from migconsole.engine.backing_out import BackingOut, RollbackDesk
from migconsole.engine.by_hand import ByHand
from migconsole.engine.clocking import Clocking
from migconsole.engine.conduct import Conduct
from migconsole.engine.doctoring import Doctor
from migconsole.engine.execution import Execution
from migconsole.engine.first_change import FirstChange
from migconsole.engine.gating import Gating
from migconsole.engine.interlock import Interlock
from migconsole.engine.looking_back import LookingBack
from migconsole.engine.notifying import Notices
from migconsole.engine.ports import (
    Database,
    Jobs,
    Journal,
    Output,
    Presence,
    RunFiles,
    ServerIdentity,
    Surroundings,
)
from migconsole.engine.record_ports import NoFiles, RecordFiles, Sender
from migconsole.engine.recorder import Recorder
from migconsole.engine.resolve import Confirmation, Prepared, Preview, Resolving
from migconsole.engine.signing import Signing
from migconsole.engine.stopping import Stopper, StopState
from migconsole.engine.verdicts import Outcome, terminal_outcome
from migconsole.engine.watched_run import acknowledgement
from migconsole.engine.wires import Wires
from migconsole.errors import JournalError, MigconsoleError, StoppedError, TargetError, UsageError

FOLLOW = 0.5
"""Seconds between looks at what other consoles and shells have done."""

BEAT = 5.0
"""Seconds between heartbeats; a lease counts as stale after a dozen missed ones."""


class Session:
    """One run, open in this process. Everything it decides is in the journal before it happens."""

    def __init__(
        self,
        checklist: Checklist,
        journal: Journal,
        files: RunFiles,
        jobs: Jobs,
        database: Database,
        surroundings: Surroundings,
        *,
        console_id: str,
        actor: str,
        read_only: bool = False,
        record: RecordFiles | None = None,
        sender: Sender | None = None,
        desk: RollbackDesk | None = None,
    ) -> None:
        self.checklist = checklist = built_in.completed(checklist)
        self.console_id = console_id
        self.read_only = read_only
        self.identity: ServerIdentity | None = None
        self.presences: Sequence[Presence] = ()
        self.adopted: list[Attempt] = []
        self._journal = journal
        self._files = files
        self._database = database
        self._surroundings = surroundings
        self._recorder = Recorder(journal, actor, surroundings.redact)
        self._execution = Execution(files, database, surroundings)
        doctor = Doctor(self._recorder, checklist, database)
        self._attempts = Attempts(checklist, self._recorder, files, jobs, self._execution, console_id, doctor)
        self._stopper = Stopper(self._recorder, self._attempts, jobs, database, self._execution)
        self._resolving = Resolving(checklist, self._recorder, surroundings)
        self._driving = False
        self.interlock = Interlock(database, self._recorder.changed)
        self._first = FirstChange(database, self._recorder, checklist)
        self.clock = Clocking(self._recorder, checklist)
        self.gates = Gating(self._recorder, checklist, self.clock.now, read_only)
        self.tripwires = Wires(self._recorder, checklist, read_only)
        self.conduct = Conduct(self._recorder, checklist, console_id, lambda: self._driving, read_only)
        # Judging and recording belong together: two keys pressed at once must not start the same thing twice.
        self._deciding = asyncio.Lock()
        self._follower: asyncio.Task[None] | None = None
        self._identifying: asyncio.Task[None] | None = None
        self._closed = False
        self._index = {
            located.item.id: located for walk in (checklist.walk(), checklist.walk_rollback()) for located in walk
        }
        self.signing = Signing(self._recorder, checklist, record or NoFiles(), read_only=read_only)
        begin = partial(self._begin, mode=BY_HAND)
        self.by_hand = ByHand(self._recorder, files, begin, self.attest, clock=time.time)
        self.notices = Notices(self._recorder, checklist, record or NoFiles(), sender, read_only=read_only)
        self.rollback = BackingOut(self._recorder, checklist, self, lambda: self.situation, desk, surroundings.project)
        self.looking_back = LookingBack(self._recorder, checklist, self.rollback, self.clock.now, self.reopen)

    # What is -------------------------------------------------------------------------------------------------------

    @property
    def run(self) -> Run:
        """The fold of the journal; read it, never change it."""
        return self._recorder.run

    @property
    def actor(self) -> str:
        """Who acts at this console: the login name or what ``--as`` says."""
        return self._recorder.actor

    @property
    def directory(self) -> Path:
        """The run directory."""
        return self._files.path

    @property
    def target_display(self) -> str:
        """The target as the operator gave it, without a password."""
        return self._surroundings.target

    @property
    def driving(self) -> bool:
        """Whether this console decides; otherwise it watches."""
        return self._driving

    @property
    def version(self) -> int:
        """Grows at every visible change."""
        return self._recorder.version

    @property
    def problem(self) -> str:
        """What stays wrong until it is mended: the journal, or a server that cannot be asked."""
        return self._recorder.broken or self._recorder.problem

    @property
    def situation(self) -> Situation:
        """What the policy needs beyond the journal."""
        return Situation(
            driving=self._driving,
            read_only=self.read_only,
            broken=self._recorder.broken,
            driver=self.run.driver_actor,
            connected=self.identity is not None,
            unavailable=dict(self._surroundings.unavailable),
            clock=self.clock.current(),
            actor=self.actor,
            dumps=self.interlock.seen,
        )

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` on the loop at every change; returns what ends the subscription."""
        return self._recorder.subscribe(listener)

    def located(self, item_id: str) -> Located:
        """An item with the headings it stands under. Raises UsageError for an unknown id."""
        if item_id not in self._index:
            raise UsageError(f"This checklist has no item “{item_id}”")
        return self._index[item_id]

    def timeline(self) -> Sequence[Event]:
        """Every event of the run, in order."""
        return self._recorder.events

    def output(self, item_id: str, attempt: int) -> Output | None:
        """An attempt's output, None when it left none. Close it when done."""
        return self._files.open_output(item_id, attempt)

    def copy_text(self, text: str) -> str:
        """A text as it may leave this program: every secret value masked."""
        return self._surroundings.redact(text)

    # Open and close ------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Read the journal, become the driver if nobody is, identify the target, take over unfinished attempts."""
        await self._recorder.catch_up()
        await self._beat()
        if not self.read_only:
            self._driving = await self._journal.take_lease(self.actor)
        await self._recorder.catch_up()
        await self.identify()
        if self._driving:
            self.adopted = await self._attempts.adopt(self._others())
        self.notices.open()
        self._follower = asyncio.create_task(self._follow(), name="journal follower")

    async def close(self) -> None:
        """Leave the run: jobs go on, the lease is free, the journal stays as it is."""
        if self._closed:
            return
        self._closed = True
        try:
            await self.notices.close()
            await self._stopper.close()
            tasks = [task for task in (self._follower, self._identifying) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._attempts.close()
            # The lease of a process that is gone is free anyway, and the journal says so.
            with contextlib.suppress(MigconsoleError):
                if self._driving:
                    await self._journal.release_lease()
        finally:
            try:
                await self._database.close()
            finally:
                await self._journal.close()

    async def idle(self) -> None:
        """Wait until no attempt followed by this console is running."""
        await self._attempts.idle()

    async def identify(self) -> None:
        """Ask the server who it is; pin it the first time, compare it ever after."""
        try:
            identity = await self._database.identity()
        except TargetError as error:
            self.identity = None
            self._recorder.trouble(error)
            return
        self._recorder.trouble(None)
        self.identity = identity
        await self.clock.compared(self._database.skew(), record=not self.read_only)
        if not self.run.identity:
            if self.read_only:
                self._recorder.changed()
                return
            await self._recorder.record(Kind.TARGET_PINNED, {"identity": asdict(identity)}, key="target.pinned")
        pinned = self._pinned()
        self._database.pin(pinned)
        differences = pinned.differences(identity)
        if deed := own_doing(self.run, tuple(differences)):
            # Once for each rollback: whoever replaces the database after that is not us.
            data = {"identity": asdict(identity), "reason": f"the database that rollback {deed} put in its place"}
            await self._recorder.record(Kind.TARGET_PINNED, data, key=f"target.pinned:{deed}")
            differences = self._pinned().differences(identity)
            self._database.pin(self._pinned())
        if tuple(differences) != self.run.changed:
            await self._recorder.record(Kind.TARGET_CHANGED, {"differences": list(differences)})
        self._recorder.changed()

    def _pinned(self) -> ServerIdentity:
        known = {field.name for field in fields(ServerIdentity)}
        return ServerIdentity(**{name: value for name, value in self.run.identity.items() if name in known})

    async def repin(self, reason: str) -> None:
        """Accept what the server now reports as the target of this run, with a reason on record."""
        self._demand_reason(reason, 10)
        identity = await self._database.identity()
        self.identity = identity
        await self._recorder.record(Kind.TARGET_PINNED, {"identity": asdict(identity), "reason": reason}, decision=True)

    async def take_over(self, reason: str) -> bool:
        """Become the driver in place of a console that is gone or silent; False while it is alive."""
        if self.read_only:
            raise StoppedError("This console is read-only")
        async with self._deciding:
            self._driving = await self._journal.take_lease(self.actor, reason)
            await self._recorder.catch_up()
            if self._driving:
                await self.identify()
                await self._beat()
                self.adopted = await self._attempts.adopt(self._others())
        self._recorder.changed()
        return self._driving

    async def hand_over(self, note: str = "") -> None:
        """Stop driving, with a note to whoever goes on; the next console that asks becomes the driver."""
        async with self._deciding:
            if note.strip():
                await self.conduct.note_handover(note)
            await self._journal.release_lease()
            self._driving = False
            await self._recorder.catch_up()
        self._recorder.changed()

    # Ask -----------------------------------------------------------------------------------------------------------

    def verdict(self, item_id: str, command: Command, alternative: int = 0) -> Verdict:
        """Whether a command is possible on an item now, and why not."""
        located = self.located(item_id)
        chosen = self._alternative(located, alternative)
        danger = Danger.READ if located.item.items else self._resolving.danger(chosen.step)
        return judge(
            self.run,
            self.checklist,
            located,
            command,
            self.situation,
            alternative=chosen,
            danger=danger,
        )

    def preview(self, item_id: str, alternative: int = 0) -> Preview:
        """What running an item would do, with everything a person must see before saying yes."""
        located = self.located(item_id)
        chosen = self._alternative(located, alternative)
        verdict = self.verdict(item_id, Command.RUN, alternative)
        return self._resolving.preview(located.item, alternative, chosen, verdict, self.identity)

    def effective(self, item_id: str, alternative: int = 0) -> Alternative:
        """An alternative as it stands today: a hook that names no command is done by hand."""
        return self._alternative(self.located(item_id), alternative)

    def expanded(self, text: str) -> str:
        """A text of the checklist with its variables in place, "" when one has no value."""
        return self._resolving.expanded(text)

    def answer_default(self, item_id: str) -> str:
        """What an answer is prefilled with, variables resolved; "" where there is nothing or it has no value."""
        action = self.located(item_id).item.steps[0].step.action
        return self._resolving.expanded(action.default) if isinstance(action, Answer) else ""

    def not_available(self, item_id: str, alternative: int = 0) -> str:
        """Why this version cannot carry out an item's action, or ""."""
        return not_available(self.effective(item_id, alternative), self._surroundings.unavailable)

    def default_alternative(self, item_id: str) -> int:
        """The alternative that was chosen last, else the first that can be carried out on this host."""
        located = self.located(item_id)
        last = self.run.record(item_id).last
        if last is not None:
            return last.alternative
        return self._resolving.first_possible(located.item)

    # Act -----------------------------------------------------------------------------------------------------------

    async def start(
        self,
        item_id: str,
        alternative: int = 0,
        confirmation: Confirmation | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> Attempt:
        """Carry out an item's action. Returns when the intent is on record and the attempt is on its way.

        ``arguments`` are what a person decided for a built-in job; they go on record with the attempt.

        Raises StoppedError when policy, confirmation or the target's identity forbid it, UsageError when a variable
        has no value.
        """
        if self._alternative(self.located(item_id), alternative).step.interactive:
            raise StoppedError(
                "This item needs the real terminal", "", "Run it in the full screen, which gives it away."
            )
        attempt, _ = await self._begin(item_id, alternative, confirmation or Confirmation(0), arguments=arguments)
        return attempt

    async def signal(self, pid: int, backend_start: str, terminate: bool) -> str:
        """Send a session of the server the signal that a person confirmed; see ``Database.signal``."""
        return await self._database.signal(pid, backend_start, terminate=terminate)

    async def finished(self, item_id: str, attempt: int) -> Attempt:
        """Wait for the end of an attempt that this console follows."""
        return await self._attempts.finished(item_id, attempt)

    async def interactive(self, item_id: str, alternative: int, confirmation: Confirmation, run: Suspended) -> Attempt:
        """Give an item's command the real terminal; its output is not captured, and the record says so."""
        self._alternative(self.located(item_id), alternative)
        step = self.located(item_id).item.steps[alternative].step
        if not isinstance(step.action, RunAction):
            raise UsageError("Only a command can have the terminal")
        attempt, prepared = await self._begin(item_id, alternative, confirmation, INTERACTIVE)
        argv = ["bash", "--noprofile", "--norc", "-o", "pipefail", "-c", step.action.script]
        environment = self._execution.terminal_environment(step, prepared, attempt)
        try:
            code = await run(argv, environment, str(self._execution.cwd(prepared)))
        except OSError as error:
            await self._attempts.end(attempt, Outcome("failed", (f"it could not be executed: {error.strerror}",)))
            return attempt
        except BaseException as error:
            why = f"the terminal was taken back before its end was seen ({type(error).__name__})"
            with contextlib.suppress(MigconsoleError):
                await asyncio.shield(self._attempts.end(attempt, Outcome("interrupted", (why,)), patient=False))
            raise
        await self._attempts.end(attempt, terminal_outcome(attempt, code))
        return attempt

    async def attest(self, item_id: str, value: str = "", note: str = "", reason: str = "") -> None:
        """A named person says that it is done.

        ``reason`` goes with an item taken out of order, and with one whose last attempt has an unknown outcome, where
        the note will do: how does the person know?
        """
        last = self.run.record(item_id).last
        if last is not None and last.outcome == "interrupted":
            reason = reason or note or value
        await self._move(item_id, Command.ATTEST, reason, {"value": value, "note": note})

    async def answer(self, item_id: str, value: str, note: str = "", reason: str = "") -> None:
        """Answer an item with a value of its type; raises UsageError naming what is expected."""
        action = self.located(item_id).item.steps[0].step.action
        if not isinstance(action, Answer):
            raise UsageError("This item takes no answer; attest it")
        variable = self.checklist.variables.get(action.variable)
        if (variable is not None and variable.secret) or is_secret_name(action.variable):
            name = (variable.env if variable is not None else "") or action.variable
            raise UsageError("A secret cannot be answered", "Answers are recorded.", f"Set {name} in the environment.")
        try:
            value = check_answer(action.type, value, action.choices)
        except AnswerError as error:
            raise UsageError("This is not an answer to the question", str(error)) from None
        data = {"value": value, "note": note, "variable": action.variable, "type": action.type}
        await self._move(item_id, Command.ANSWER, reason, data)

    async def accept(self, item_id: str, reason: str) -> None:
        """Done, with issues that the reason names."""
        await self._move(item_id, Command.ACCEPT, reason)

    async def skip(self, item_id: str, reason: str) -> None:
        """Leave out a line that is not required."""
        await self._move(item_id, Command.SKIP, reason)

    async def exclude(self, item_id: str, reason: str) -> None:
        """Not applicable here: the line no longer counts."""
        await self._move(item_id, Command.EXCLUDE, reason)

    async def force(self, item_id: str, reason: str) -> None:
        """Go on past a failure; the reason has at least ten characters and is listed ever after."""
        await self._move(item_id, Command.FORCE, reason)

    async def reopen(self, item_id: str, reason: str) -> None:
        """Back to todo; what was recorded stays recorded."""
        await self._move(item_id, Command.REOPEN, reason)

    async def defer(self, item_id: str, reason: str, due: str) -> None:
        """Not now, but until ``due``; listed until it is done."""
        await self._move(item_id, Command.DEFER, reason, {"due": due})

    async def note(self, text: str, item_id: str = "") -> None:
        """Keep a remark; watching consoles may, too."""
        if not text.strip():
            raise UsageError("A note needs a text")
        await self._recorder.record(Kind.NOTE, {"text": text, "item": item_id})

    async def acknowledge(self, alarm: int, note: str = "") -> None:
        """Put on record that a person has seen a health alarm; the first one counts."""
        seen = acknowledgement(alarm, self.actor, note)
        await self._recorder.record(seen.kind, seen.data, key=seen.key)

    async def hold(self, reason: str, owner: str = "", until: str = "") -> None:
        """Stop anything that changes something from starting; ``until`` is when that is expected to end."""
        self._demand_reason(reason, 3)
        expected = stamp(self.clock.moment(until)) if until.strip() else ""
        data = {"reason": reason, "owner": owner or self.actor, "until": expected}
        await self._recorder.record(Kind.HOLD, data, decision=True)

    async def release(self) -> None:
        """End the hold; refused while a HOLD or PANIC file lies in the run directory."""
        flags = await asyncio.to_thread(self._files.flags)
        if flags:
            names = " and ".join(sorted(flags))
            raise StoppedError(
                f"The run is held by the file {names}", str(self.directory), "Remove it to release the run."
            )
        await self._recorder.record(Kind.RELEASE, {}, decision=True)

    async def set_variable(self, name: str, value: str) -> None:
        """Give a variable of the checklist a value for this run; secrets come from the environment only."""
        variable = self.checklist.variables.get(name)
        if variable is None:
            raise UsageError(f"The checklist declares no variable “{name}”")
        if variable.secret:
            raise UsageError(
                f"“{name}” is a secret", "It is never recorded.", f"Set {variable.env or name} in the environment."
            )
        await self._recorder.record(Kind.VARIABLE_SET, {"name": name, "value": value}, decision=True)

    async def stop(self, item_id: str, *, yes: bool = False) -> StopState:
        """Use the next rung of the stop ladder on an item's running attempt."""
        verdict = self.verdict(item_id, Command.STOP)
        if not verdict.allowed:
            raise StoppedError(verdict.reason)
        if self.by_hand.open_attempt(item_id) is not None:
            raise StoppedError(
                "A person executes it elsewhere", "Nothing of it runs here.", "Tell what came of it (r)."
            )
        return await self._stopper.stop(self.run.items[item_id].attempts[-1], yes=yes)

    def stop_state(self, item_id: str) -> StopState | None:
        """How far the stopping of an item's running attempt is, None when nobody has begun."""
        last = self.run.record(item_id).last
        return self._stopper.state(last) if last is not None and (last.running or last.survivors) else None

    async def resize(self, rows: int, columns: int) -> None:
        """The output pane's size, for running and coming terminals."""
        await self._attempts.resize(rows, columns)

    # Inside --------------------------------------------------------------------------------------------------------

    def _alternative(self, located: Located, alternative: int) -> Alternative:
        steps = located.item.steps
        if not 0 <= alternative < len(steps):
            raise UsageError(f"“{located.item.title}” has {len(steps)} alternatives")
        return self._resolving.effective(steps[alternative])

    async def _allowed(
        self, item_id: str, alternative: int, confirmation: Confirmation, arguments: Mapping[str, str] | None
    ) -> Prepared:
        verdict = self.verdict(item_id, Command.RUN, alternative)
        if not verdict.allowed and not confirmation.overrides(verdict):
            raise StoppedError("This cannot run now", verdict.reason)
        located = self.located(item_id)
        step = self._alternative(located, alternative).step
        prepared = self._resolving.decided(step, arguments) if arguments else self._resolving.prepare(step)
        if prepared.unresolved:
            raise UsageError("This is not complete yet", "\n".join(prepared.unresolved))
        if prepared.danger is not Danger.READ:
            await self._demand_ground()
            await self.interlock.look()
            verdict = self.verdict(item_id, Command.RUN, alternative)
            if not verdict.allowed and not confirmation.overrides(verdict):
                raise StoppedError("This cannot run now", verdict.reason)
        self._resolving.demand(prepared.danger, confirmation, self.identity)
        await self.gates.passing(located)
        if prepared.danger is not Danger.READ:
            await self._first.coming(located)
        return replace(prepared, overrode=verdict.reason, how=verdict.how)

    async def _demand_ground(self) -> None:
        """Refuse to change anything on another target, under a flag file, or beside what an earlier attempt left."""
        await self.identify()
        if self.identity is None:
            raise TargetError("The target cannot be identified", self.problem, "Nothing that changes anything starts.")
        if self.run.changed:
            raise StoppedError("The target changed", "; ".join(self.run.changed))
        flags = await asyncio.to_thread(self._files.flags)
        if flags:
            names = " and ".join(sorted(flags))
            raise StoppedError(f"The run is held by the file {names}", str(self.directory), "Remove it to go on.")
        remains = await self._attempts.remains()
        if remains:
            raise StoppedError(
                "An earlier attempt may still be at work",
                "; ".join(remains),
                "Stop it first (c on that item), or end its processes and backends by hand; then try again.",
            )

    async def _begin(
        self,
        item_id: str,
        alternative: int,
        confirmation: Confirmation,
        mode: str = "",
        *,
        arguments: Mapping[str, str] | None = None,
    ) -> tuple[Attempt, Prepared]:
        if mode != BY_HAND:
            self.by_hand.demand_off()
        await self._deciding.acquire()
        try:
            prepared = await self._allowed(item_id, alternative, confirmation, arguments)
            item = self.located(item_id).item
            begun = self._attempts.begin(item, alternative, prepared, confirmation, mode=mode)
        except BaseException:
            self._deciding.release()
            raise
        # Not when this waiter goes away: the next decision must see what this one has put on record.
        begun.add_done_callback(lambda _: self._deciding.release())
        return await asyncio.shield(begun), prepared

    async def _move(self, item_id: str, command: Command, reason: str = "", data: dict[str, str] | None = None) -> None:
        async with self._deciding:
            item, move = self.located(item_id).item, MOVES[command]
            verdict = self.verdict(item_id, command)
            if not verdict.allowed and not verdict.overridden(reason):
                raise StoppedError(f"“{item.title}” cannot be changed so", verdict.reason)
            why = self.run.record(item_id).refusal(move, reason=reason, required=item.required)
            if why:
                raise UsageError(f"{why[:1].upper()}{why[1:]}")
            payload: dict[str, object] = {"item": item_id, "move": move.value, "reason": reason, **(data or {})}
            if command is Command.ATTEST:
                payload["danger"] = self._resolving.danger(self._alternative(self.located(item_id), 0).step).value
            if command in (Command.ATTEST, Command.ANSWER):
                await self.gates.passing(self.located(item_id))
            claim = self.conduct.claim_number(item_id)
            if not self._driving and claim is not None:
                payload["claim"] = claim
            await self._recorder.record(Kind.ITEM_MOVED, payload, decision=self._driving or claim is None)
            if not self.run.record(item_id).state.done and "claim" in payload:
                raise StoppedError(f"“{item.title}” was decided by the driver meanwhile")

    def _demand_reason(self, reason: str, length: int) -> None:
        if len(reason.strip()) < length:
            raise UsageError(f"A reason of at least {length} characters is required")

    async def _beat(self) -> None:
        try:
            presences = await self._journal.heartbeat()
            driving = self._driving and await self._journal.holds_lease()
        except JournalError as error:
            self._recorder.break_off(error)
            return
        self._recorder.mend()
        news = driving != self._driving or {p.console for p in presences} != {p.console for p in self.presences}
        self.presences, self._driving = presences, driving
        if news:
            self._recorder.changed()

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        beat_at = clock() + BEAT
        while True:
            await asyncio.sleep(FOLLOW)
            await self._guarded(self._recorder.catch_up, "journal")
            await self._guarded(self._watch_flags, "flags")
            await self._guarded(self._watch_clock, "clock")
            if clock() >= beat_at:
                beat_at = clock() + BEAT
                await self._guarded(self._beat, "presence")
                await self._guarded(self._look_after, "attempts")

    async def _guarded(self, work: Callable[[], Awaitable[None]], source: str) -> None:
        """One thing of the follower's; what goes wrong with it is shown, and ends neither the others nor the loop."""
        try:
            await work()
        except MigconsoleError as error:
            self._recorder.trouble(error, source)
        except Exception as error:  # the loop must outlive whatever it meets
            fault = MigconsoleError("The console stumbled over the run", f"{type(error).__name__}: {error}")
            self._recorder.trouble(fault, source)
        else:
            if source != "attempts":
                self._recorder.trouble(None, source)

    async def _look_after(self) -> None:
        """Take over attempts that nobody follows any more, and ask for a server that could not be identified."""
        if self._driving:
            await self._attempts.adopt(self._others())
        if self.identity is None and (self._identifying is None or self._identifying.done()):
            # Beside the loop: a server that does not answer must not stop the heartbeats.
            self._identifying = asyncio.create_task(self._guarded(self.identify, "identity"), name="identify")
        await self.interlock.again()

    def _others(self) -> Mapping[str, float]:
        return {p.console: p.age for p in self.presences if p.console != self.console_id}

    async def _watch_clock(self) -> None:
        """What time alone changes: limits that are crossed, votes that grow stale."""
        if not self.read_only:
            await self.clock.watch()
        self.gates.look()

    async def _watch_flags(self) -> None:
        """A HOLD file holds the run from any shell; its removal releases what it held. PANIC outranks HOLD."""
        flags = await asyncio.to_thread(self._files.flags)
        if not self._driving:
            return
        held = self.run.hold
        by_file = held is not None and held.owner.startswith("file ")
        name = next((flag for flag in ("PANIC", "HOLD") if flag in flags), "")
        if name and (held is None or (by_file and name == "PANIC" and held.owner != "file PANIC")):
            reason = flags[name] or f"the file {name} lies in the run directory"
            await self._recorder.record(Kind.HOLD, {"reason": reason, "owner": f"file {name}"}, decision=True)
        elif by_file and not flags:
            await self._recorder.record(Kind.RELEASE, {}, decision=True)
