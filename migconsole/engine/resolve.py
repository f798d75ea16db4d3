"""What would be executed: variables resolved, danger classified, everything a person must see before saying yes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from migconsole.domain import commands, restore_gate
from migconsole.domain.checklist import Alternative, Answer, Check, Checklist, Danger, Item, Job, Run, Sql, Step
from migconsole.domain.danger import classify
from migconsole.domain.policy import Verdict, not_available, tier
from migconsole.domain.quantities import format_duration
from migconsole.domain.restore_points import PointState
from migconsole.domain.variables import Resolver, UnresolvedError, by_hand, effective
from migconsole.engine.ports import ServerIdentity, Surroundings
from migconsole.engine.recorder import Recorder
from migconsole.errors import StoppedError, UsageError

_IN_SCRIPT = re.compile(r"(?<!\$)\$\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the operator did to confirm, journaled with the attempt.

    ``tier`` is 0 (nothing asked), 1 (said yes) or 2 (``typed`` is the server's name). ``reason`` goes with an item that
    is taken out of order, or past something else that a reason overrides; ``covers`` is what the reason was given for,
    as the verdict's ``hows`` have it, None for whatever was shown.
    """

    tier: int
    typed: str = ""
    reason: str = ""
    covers: tuple[str, ...] | None = None

    def overrides(self, verdict: Verdict) -> bool:
        """Whether the reason is enough for everything that speaks against it."""
        covered = self.covers is None or set(verdict.hows) <= set(self.covers)
        return covered and verdict.overridden(self.reason)

    def record(self, prepared: Prepared) -> dict[str, Any]:
        """For the journal, with what it overrode."""
        said = {"tier": self.tier, "typed": self.typed, "reason": self.reason}
        return {**said, "overrode": prepared.overrode, "how": prepared.how}


NO_OVERRIDE = Confirmation(0)
"""Nothing was asked, and nothing is overridden: what a confirmation starts from."""


@dataclass(frozen=True, slots=True)
class Preview:
    """An item as it would be carried out now: for the item pane, the confirmation dialog and the record.

    ``text`` is the exact command, query or check with variables resolved and secrets masked. ``preconditions`` are
    shown as met, not met or unknown.
    """

    item: Item
    alternative: int
    title: str
    text: str
    danger: Danger
    tier: int
    unresolved: tuple[str, ...]
    verdict: Verdict
    target_name: str
    preconditions: tuple[tuple[bool | None, str], ...]
    undo: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A step with its variables resolved; while ``unresolved`` names any, nothing may be executed.

    ``decided`` are arguments of a built-in job that a person gave at its start; they are on record with the attempt.
    ``overrode`` is what spoke against it and was overridden by a typed reason, ``how`` in two or three words.
    """

    text: str
    danger: Danger
    arguments: Mapping[str, Any] = field(default_factory=dict)
    statements: tuple[str, ...] = ()
    exported: Mapping[str, str] = field(default_factory=dict)
    exported_secrets: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    unresolved: tuple[str, ...] = ()
    decided: Mapping[str, str] = field(default_factory=dict)
    overrode: str = ""
    how: str = ""


class Resolving:
    """Looks at steps with today's values: what was captured, given and set around the run."""

    def __init__(self, checklist: Checklist, recorder: Recorder, surroundings: Surroundings) -> None:
        self._checklist = checklist
        self._recorder = recorder
        self._surroundings = surroundings
        self._cached: tuple[int, Resolver] | None = None
        self._captures = tuple(
            name
            for walk in (checklist.walk(), checklist.walk_rollback())
            for located in walk
            for alternative in located.item.steps
            for name in _given_by(alternative.step)
        )

    @property
    def resolver(self) -> Resolver:
        """The resolver for the run as it stands."""
        head = self._recorder.run.head
        if self._cached is None or self._cached[0] != head:
            run = self._recorder.run
            resolver = Resolver(
                self._checklist.variables,
                captured=run.captured,
                given=run.variables,
                env_file=self._surroundings.env_file,
                environment=self._surroundings.environment,
                captures=self._captures,
            )
            self._cached = (head, resolver)
        return self._cached[1]

    def effective(self, chosen: Alternative) -> Alternative:
        """The alternative as it stands today: a hook that names no command is done by hand."""
        return replace(chosen, step=effective(chosen.step, self.resolver))

    def danger(self, step: Step) -> Danger:
        """The danger of a step: what the author declared, raised by what its text and its hooks' commands show."""
        action = step.action
        hook = self.resolver.value(action.hook) if isinstance(action, Run) and action.hook else None
        return classify(step, hook=hook or "")

    def expanded(self, text: str) -> str:
        """A text with its variables in place, "" when one has no value."""
        try:
            return self.resolver.expand(text)
        except UnresolvedError:
            return ""

    def first_possible(self, item: Item) -> int:
        """The first alternative that this version and this host can carry out, 0 when none can."""
        for number, alternative in enumerate(item.steps):
            if self._impossible(alternative) == "":
                return number
        return 0

    def prepare(self, step: Step) -> Prepared:
        """Resolve a step's variables; never raises, what has no value is listed."""
        resolver, danger = self.resolver, self.danger(step)
        unresolved = resolver.unresolved(step)
        text = self._surroundings.redact(_shown(step, resolver))
        if unresolved:
            return Prepared(text, danger, unresolved=unresolved)
        try:
            return self._resolved(step, resolver, Prepared(text, danger))
        except UnresolvedError as error:
            return Prepared(text, danger, unresolved=(str(error),))

    def decided(self, step: Step, arguments: Mapping[str, str]) -> Prepared:
        """A built-in job with what a person decided for it; their words are taken as they are, never as references."""
        action = step.action
        if not isinstance(action, Job):
            raise UsageError("Only a built-in job takes arguments")
        given = {name: text.replace("${", "$${") for name, text in arguments.items()}
        prepared = self.prepare(replace(step, action=replace(action, arguments={**action.arguments, **given})))
        return replace(prepared, decided=dict(arguments))

    def preview(
        self, item: Item, number: int, chosen: Alternative, verdict: Verdict, identity: ServerIdentity | None
    ) -> Preview:
        """Everything to show before an item is run."""
        prepared = self.prepare(chosen.step)
        needed = tier(prepared.danger, self._recorder.run.environment)
        return Preview(
            item=item,
            alternative=number,
            title=chosen.title or item.title,
            text=prepared.text,
            danger=prepared.danger,
            tier=needed,
            unresolved=prepared.unresolved,
            verdict=verdict,
            target_name=identity.name if identity else "",
            preconditions=self._preconditions(identity),
            undo="" if prepared.danger is Danger.READ else self._undo(),
            notes=self._notes(item.steps[number], chosen),
        )

    def demand(self, danger: Danger, confirmation: Confirmation, identity: ServerIdentity | None) -> None:
        """Raise StoppedError unless the confirmation is the one that this danger asks for."""
        needed = tier(danger, self._recorder.run.environment)
        if confirmation.tier < needed:
            how = "a confirmation" if needed == 1 else f"the target's name typed: {identity.name if identity else '?'}"
            raise StoppedError(f"A {danger.value} action needs {how}")
        if needed == 2 and (identity is None or confirmation.typed != identity.name):
            raise StoppedError("The typed name is not that of the target", "Nothing was started.")

    def _impossible(self, alternative: Alternative) -> str:
        if isinstance(self.effective(alternative).step.action, type(alternative.step.action)) is False:
            return "no command is set for it"
        situation_reason = not_available(alternative, self._surroundings.unavailable)
        if situation_reason:
            return situation_reason
        action = alternative.step.action
        if isinstance(action, Run):
            script = self.resolver.value(action.hook) if action.hook else action.script
            return self._surroundings.missing(script or "", self.resolver.display(alternative.step.cwd))
        return ""

    def _resolved(self, step: Step, resolver: Resolver, prepared: Prepared) -> Prepared:
        action = step.action
        if isinstance(action, Sql):
            return replace(prepared, statements=tuple(resolver.expand_sql(text) for text in action.statements))
        if isinstance(action, Check):
            arguments = dict(resolver.expand_value(action.arguments))
            if action.name == "server_version":
                arguments.setdefault("requires", self._checklist.requires.get("postgresql", ""))
            return replace(prepared, arguments=arguments)
        if isinstance(action, Job):
            arguments = dict(resolver.expand_value(action.arguments))
            try:
                commands.command_line(action.name, arguments, run="")
            except commands.ArgumentsError as error:
                return replace(prepared, unresolved=(str(error),))
            if action.name == "prove" and arguments != dict(resolver.expand_value(action.arguments, masked=True)):
                return replace(prepared, unresolved=("a secret would stand on a command line, for everybody to see",))
            return replace(prepared, arguments=arguments)
        if isinstance(action, Run):
            values = resolver.exports(step)
            plain = {value.name: value.text for value in values if not value.secret}
            secret = {value.name: value.text for value in values if value.secret}
            return replace(prepared, exported=plain, exported_secrets=secret, cwd=resolver.expand(step.cwd))
        return prepared

    def _preconditions(self, identity: ServerIdentity | None) -> tuple[tuple[bool | None, str], ...]:
        run = self._recorder.run
        same = None if identity is None else not run.changed
        others = [attempt for attempt in run.running() if attempt.danger != Danger.READ]
        return (
            (
                same,
                "the target is the one this run was opened on" + (f": {'; '.join(run.changed)}" if run.changed else ""),
            ),
            (run.hold is None, f"not on hold{f' ({run.hold.reason})' if run.hold else ''}"),
            (not others, "no other mutating attempt is running"),
            (self._way_back(), f"a proven way back: {restore_gate.describe(run)}"),
            *self._age(),
        )

    def _undo(self) -> str:
        if self._recorder.run.restore_point.state is PointState.ARMED:
            return "B rolls the database back: the armed copy is swapped in"
        return "no undo is known for this step; see the rollback procedure"

    def _way_back(self) -> bool | None:
        """Whether the way back is proven; where it is not, the gate has been overridden or a person knows better."""
        return True if restore_gate.held(self._recorder.run, self._checklist) else None

    def _age(self) -> tuple[tuple[bool | None, str], ...]:
        run = self._recorder.run
        if run.restore_point.state not in (PointState.PROVEN, PointState.ARMED, PointState.SNAPSHOT):
            return ()
        return (restore_gate.age_line(run, self._checklist, run.clock.server.now(datetime.now(UTC))),)

    def _notes(self, declared: Alternative, chosen: Alternative) -> tuple[str, ...]:
        step = declared.step
        notes = [by_hand(step, self.resolver)]
        if isinstance(step.action, Run):
            cwd = self.resolver.display(step.cwd)
            notes.append(self._surroundings.missing(step.action.script, cwd) if not step.action.hook else "")
            notes.append(f"working directory: {cwd}" if cwd else "")
            notes.append("has the real terminal while it runs; its output is not captured" if step.interactive else "")
            notes.append("" if step.tty else "through pipes, not a terminal")
        notes.append(f"lock_timeout {_limit(step.lock_timeout)}" if step.lock_timeout else "")
        notes.append(f"timeout {_limit(step.timeout)}" if step.timeout else "")
        notes.append(not_available(chosen, self._surroundings.unavailable))
        return tuple(note for note in notes if note)


def _limit(seconds: float) -> str:
    """A time limit exactly as it will be used; only whole seconds are put into larger units."""
    return format_duration(seconds) if seconds == int(seconds) else f"{seconds:g}s"


def _shown(step: Step, resolver: Resolver) -> str:
    """The step's text for a person: values in place, secrets masked, what has no value as it was written."""
    action = step.action
    if isinstance(action, Run):
        script = action.script
        if action.hook:
            value = resolver.value(action.hook) or ""
            lines = [line for line in script.splitlines() if not line.startswith("eval ")]
            script = "\n".join([*lines, value])
        # Only what the command is given: every other ${name} is bash's own, and may mean something else there.
        given = resolver.names
        return _IN_SCRIPT.sub(lambda found: resolver.display(found[0]) if found[1] in given else found[0], script)
    if isinstance(action, Sql):
        return ";\n\n".join(_displayed_sql(statement, resolver) for statement in action.statements)
    if isinstance(action, Job):
        return _shown_job(action, resolver)
    if isinstance(action, Check):
        arguments = resolver.expand_value(action.arguments, masked=True)
        lines = [f"  {name}: {value}" for name, value in arguments.items()]
        return "\n".join([f"{action.kind} {action.name}", *lines])
    if isinstance(action, Answer):
        return resolver.display(action.ask)
    return ""


def _shown_job(job: Job, resolver: Resolver) -> str:
    """The command line that a built-in job is, as it could be typed; the run's directory stands as RUN."""
    if job.name not in commands.COMMANDS:
        return f"job {job.name}"
    try:
        words = commands.command_line(job.name, resolver.expand_value(job.arguments, masked=True), run="RUN")
    except commands.ArgumentsError as error:
        return f"job {job.name}: {error}"
    return shlex.join(["migconsole", *words])


def _given_by(step: Step) -> tuple[str, ...]:
    """The names that an item's action gives to later ones."""
    action = step.action
    return (*step.capture, *(commands.GIVES.get(action.name, ()) if isinstance(action, Job) else ()))


def _displayed_sql(statement: str, resolver: Resolver) -> str:
    try:
        return resolver.expand_sql(statement, masked=True).strip()
    except UnresolvedError:
        return resolver.display(statement).strip()
