"""A run without a screen: the same session, item by item, stopping wherever a person is needed. It never guesses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from migconsole.domain.checklist import Answer, Danger, Located, Manual
from migconsole.domain.items import ItemState
from migconsole.domain.policy import BEFOREHAND, Command, Verdict, tier
from migconsole.domain.quantities import format_duration
from migconsole.domain.run import left, overall
from migconsole.engine.resolve import Confirmation
from migconsole.engine.session import Session
from migconsole.errors import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_STOPPED,
    EXIT_UNKNOWN,
    MigconsoleError,
    StoppedError,
    UsageError,
)


@dataclass(frozen=True, slots=True)
class Permissions:
    """What the operator allowed beforehand, and nothing else is done.

    ``attest_all`` is the reason with which manual items are attested, "" for none. ``allow`` holds dangers that may
    run; ``confirm`` is the typed name for destructive ones. ``answers`` maps item ids to values, ``alternatives`` item
    ids to the number of the alternative to take (from 1). ``stop_after`` is an item id. ``votes`` maps a role to its
    vote ("go" or "no-go") and initials, cast at each gate that the run comes to; nothing else ever votes. ``overrides``
    maps an item id to what is overridden for it, one of ``BEFOREHAND``, with the reason for each: what was not named
    stops the run.
    """

    attest_all: str = ""
    allow: frozenset[Danger] = frozenset()
    confirm: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    alternatives: Mapping[str, int] = field(default_factory=dict)
    stop_after: str = ""
    votes: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class _Halt(Exception):
    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


class Headless:
    """Carries a session through its checklist; ``say`` gets one line per item."""

    def __init__(self, session: Session, permissions: Permissions, say: Callable[[str], None]) -> None:
        self._session = session
        self._permissions = permissions
        self._say = say

    async def run(self) -> int:
        """Go through every item in order. Returns the exit code; the reason for a stop has been said."""
        self._check_names()
        if not self._session.driving:
            raise StoppedError("Another console drives this run", remedy="Wait until it ends, or let it hand over.")
        try:
            for located in self._session.checklist.walk():
                if not located.item.items:
                    await self._item(located)
                if located.item.id == self._permissions.stop_after:
                    self._say(f"stopped after “{located.item.title}” as asked")
                    return EXIT_OK
        except _Halt as halt:
            self._say(halt.why)
            return halt.code
        except MigconsoleError as error:
            self._say(str(error))
            return error.exit_code
        remaining = left(self._session.run, self._session.checklist)
        if not remaining:
            return EXIT_OK
        self._say("left: " + ", ".join(f"“{item.title}” ({self._state(item.id).value})" for item in remaining[:5]))
        return EXIT_STOPPED

    def summary(self) -> str:
        """How far the run is, in one line."""
        p = overall(self._session.run, self._session.checklist)
        parts = [f"{p.done} of {p.total} done"]
        parts += [f"{p.problems} with problems"] if p.problems else []
        parts += [f"{p.deferred} deferred"] if p.deferred else []
        remaining = len(left(self._session.run, self._session.checklist))
        return ", ".join([*parts, f"{remaining} left"])

    def _check_names(self) -> None:
        known = {located.item.id for located in self._session.checklist.walk()}
        roles = {role for gate in self._session.checklist.gates for role in gate.roles}
        strangers = sorted(set(self._permissions.votes) - roles)
        if strangers:
            raise UsageError(f"“{strangers[0]}” has no vote in this checklist", f"Roles: {', '.join(sorted(roles))}.")
        allowed = self._permissions
        named = {*allowed.answers, *allowed.alternatives, *allowed.overrides, allowed.stop_after} - {""}
        unknown = sorted(named - known)
        if unknown:
            raise UsageError(f"This checklist has no item “{unknown[0]}”", remedy="`migconsole status` lists the ids.")

    async def _item(self, located: Located) -> None:
        item, session = located.item, self._session
        record = session.run.record(item.id)
        if record.state.settled:
            return
        if record.state is ItemState.INTERRUPTED:
            raise _Halt(EXIT_UNKNOWN, self._line(located) + "\nits outcome is unknown; resolve it in the console")
        if record.state is ItemState.RUNNING and record.last is not None:
            await session.finished(item.id, record.last.number)
            await self._after(located)
            return
        await self._gates(located)
        alternative = self._permissions.alternatives.get(item.id, 0) - 1
        alternative = session.default_alternative(item.id) if alternative < 0 else alternative
        action = session.effective(item.id, alternative).step.action
        if isinstance(action, Answer):
            await self._answer(located, action)
        elif record.awaiting or isinstance(action, Manual):
            await self._attest(located)
        elif (why := session.not_available(item.id, alternative)) and (item.optional or self._permissions.attest_all):
            self._say(f"{'':4}{why}")
            await self._attest(located)
        else:
            await self._run(located, alternative)

    async def _gates(self, located: Located) -> None:
        """Cast the votes that were given, and stop where they do not open every gate before the item."""
        if any(standing.passing is None for standing in self._session.gates.before(located)):
            await self._way_back()
        for standing in self._session.gates.before(located):
            for role in (*standing.missing, *standing.stale):
                if role in self._permissions.votes:
                    vote, initials = self._permissions.votes[role]
                    await self._session.gates.vote(standing.gate.id, role, vote, initials, "said on the command line")
                    self._say(f"    {role} ({initials}): {vote.upper()} at “{standing.gate.title}”")
        for standing in self._session.gates.before(located):
            if not standing.open:
                why = "Roles vote in the console (V), or with --vote ROLE=GO:INITIALS; --attest-all never does."
                raise _Halt(EXIT_STOPPED, f"{standing.reason}\n{why}")

    async def _way_back(self) -> None:
        """Say what whoever votes has to know: how old the way back is, and what it would lose by now."""
        found = await self._session.looking_back.look()
        if found is not None:
            self._say(f"    way back: {found.badge} (at most {found.limit})")
            for line in found.written:
                self._say(f"    way back: {line}")

    async def _answer(self, located: Located, action: Answer) -> None:
        item = located.item
        value = self._permissions.answers.get(item.id, "")
        if not value and self._permissions.attest_all:
            value = self._session.answer_default(item.id)
        if not value:
            if item.optional:
                return
            raise _Halt(
                EXIT_STOPPED, f"“{item.title}” needs an answer: {action.ask}\nGive it with --answer {item.id}=…"
            )
        await self._session.answer(item.id, value, self._permissions.attest_all)
        self._say(self._line(located))

    async def _attest(self, located: Located) -> None:
        item = located.item
        if not self._permissions.attest_all:
            if item.optional:
                return
            why = "A person has to do it and attest it; --attest-all REASON attests for all."
            raise _Halt(EXIT_STOPPED, f"“{item.title}” ({item.id}) stops the run.\n{why}")
        verdict = self._session.verdict(item.id, Command.ATTEST)
        if not verdict.allowed:
            raise _Halt(EXIT_STOPPED, f"“{item.title}” ({item.id}): {verdict.reason}")
        await self._session.attest(item.id, note=self._permissions.attest_all)
        self._say(self._line(located))

    async def _run(self, located: Located, alternative: int) -> None:
        item, session = located.item, self._session
        if session.preview(item.id, alternative).danger is not Danger.READ:
            await session.interlock.ahead()
        preview = session.preview(item.id, alternative)
        verdict = preview.verdict
        reason = "" if verdict.allowed else self._overriding(item.id, verdict)
        if not verdict.allowed and not reason:
            unreachable = session.identity is None and preview.danger is not Danger.READ
            code = EXIT_FAILED if unreachable else EXIT_STOPPED
            raise _Halt(code, f"“{item.title}” ({item.id}) cannot run: {verdict.reason}{_hint(item.id, verdict)}")
        confirmation = self._confirmed(located, preview.danger, preview.target_name)
        if reason:
            self._say(f"    {verdict.how}: {reason}")
            confirmation = replace(confirmation, reason=reason, covers=verdict.hows)
        attempt = await session.start(item.id, alternative, confirmation)
        await session.finished(item.id, attempt.number)
        await self._after(located)

    def _overriding(self, item_id: str, verdict: Verdict) -> str:
        """The reasons given beforehand for everything that speaks against an item, "" where one of them is missing."""
        said = {BEFOREHAND[name]: why.strip() for name, why in self._permissions.overrides.get(item_id, {}).items()}
        if not verdict.overridable or not set(verdict.hows) <= set(said):
            return ""
        return "; ".join(dict.fromkeys(said[how] for how in verdict.hows))

    def _confirmed(self, located: Located, danger: Danger, name: str) -> Confirmation:
        needed = tier(danger, self._session.run.environment)
        if danger is Danger.MUTATING and not {Danger.MUTATING, Danger.DESTRUCTIVE} & self._permissions.allow:
            raise _Halt(EXIT_STOPPED, f"“{located.item.title}” changes something; allow it with --allow mutating")
        if danger is Danger.DESTRUCTIVE and (not name or self._permissions.confirm != name):
            raise _Halt(
                EXIT_STOPPED, f"“{located.item.title}” is destructive; confirm it with --confirm {name or 'NAME'}"
            )
        return Confirmation(needed, self._permissions.confirm if needed == 2 else "", "")

    async def _after(self, located: Located) -> None:
        record = self._session.run.record(located.item.id)
        self._say(self._line(located))
        attempt = record.last
        if attempt is not None and attempt.outcome != "passed":
            for line in (*attempt.reasons, *attempt.lines[:5], *attempt.examined):
                self._say(f"      {line}")
        if record.state is ItemState.FAILED:
            raise _Halt(EXIT_FAILED, f"“{located.item.title}” failed; its output: {self._output(located)}")
        if record.state is ItemState.INTERRUPTED:
            raise _Halt(EXIT_UNKNOWN, f"the outcome of “{located.item.title}” is unknown: {self._output(located)}")
        if record.awaiting:
            await self._attest(located)
        elif not record.state.done:
            # Its end is not on record (the journal cannot be written, or somebody moved it): never simply go on.
            raise _Halt(EXIT_UNKNOWN, f"“{located.item.title}” is {record.state.value}: {self._session.problem}")

    def _state(self, item_id: str) -> ItemState:
        return self._session.run.record(item_id).state

    def _output(self, located: Located) -> str:
        record = self._session.run.record(located.item.id)
        output = self._session.output(located.item.id, len(record.attempts))
        if output is None:
            return "none was left"
        path = str(output.path)
        output.close()
        return path

    def _line(self, located: Located) -> str:
        record = self._session.run.record(located.item.id)
        duration = record.last.duration if record.last else None
        took = f"  {format_duration(round(duration, 1))}" if duration is not None else ""
        value = f"  = {record.value}" if record.value else ""
        return f"{record.state.ascii_glyph} {record.state.value:<14} {located.item.title}{value}{took}"


def _hint(item_id: str, verdict: Verdict) -> str:
    """How to override what stands in the way, where that can be said beforehand."""
    names = {how: name for name, how in BEFOREHAND.items()}
    if not verdict.overridable or not set(verdict.hows) <= set(names):
        return ""
    words = " ".join(f"--override {item_id}={names[how]}:REASON" for how in verdict.hows)
    return f"\nWhere that is to be gone past all the same, it goes on record: {words}"
