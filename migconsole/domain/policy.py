"""What may happen next, and why not: one answer for the key, the footer, the palette and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from migconsole.domain import restore_gate
from migconsole.domain.checklist import Alternative, Answer, Checklist, Danger, Item, Job, Located, Manual, Mode
from migconsole.domain.items import ItemState, Move, refusal
from migconsole.domain.run import Run


class Command(StrEnum):
    """What an operator can ask for on an item."""

    RUN = "run"
    ATTEST = "attest"
    ANSWER = "answer"
    ACCEPT = "accept"
    SKIP = "skip"
    EXCLUDE = "exclude"
    FORCE = "force"
    DEFER = "defer"
    REOPEN = "reopen"
    STOP = "stop"


MOVES = {
    Command.ATTEST: Move.ATTEST,
    Command.ANSWER: Move.ATTEST,
    Command.ACCEPT: Move.ACCEPT,
    Command.SKIP: Move.SKIP,
    Command.EXCLUDE: Move.EXCLUDE,
    Command.FORCE: Move.FORCE,
    Command.DEFER: Move.DEFER,
    Command.REOPEN: Move.REOPEN,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason`` is empty when allowed. ``overridable`` means: allowed with a typed reason of ``least`` characters."""

    allowed: bool
    reason: str = ""
    overridable: bool = False
    least: int = 3

    def overridden(self, reason: str) -> bool:
        """Whether a typed reason is enough to do it all the same."""
        return self.overridable and len(reason.strip()) >= self.least


ALLOWED = Verdict(True)


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules need to know beyond the journal.

    ``unavailable`` maps an action ("check:regression", "job:backup") that this version cannot carry out to the words
    to show. ``broken`` is set when the journal cannot be written.
    """

    driving: bool = True
    read_only: bool = False
    broken: str = ""
    driver: str = ""
    connected: bool = True
    unavailable: Mapping[str, str] = field(default_factory=dict)


def tier(danger: Danger, environment: str) -> int:
    """Confirmation tier: 0 none, 1 a dialog, 2 the server's name is typed.

    Only an environment named development or test lets mutating actions pass without a dialog; nothing lowers
    destructive ones.

    >>> tier(Danger.MUTATING, "production"), tier(Danger.MUTATING, "test"), tier(Danger.DESTRUCTIVE, "test")
    (1, 0, 2)
    """
    if danger is Danger.MUTATING and environment.lower() in ("development", "test"):
        return 0
    return danger.rank


def judge(
    run: Run,
    checklist: Checklist,
    located: Located,
    command: Command,
    situation: Situation,
    *,
    alternative: Alternative,
    danger: Danger,
) -> Verdict:
    """Whether ``command`` is possible on an item now.

    ``alternative`` is the way of doing it that was chosen and ``danger`` its classified danger.
    """
    item = located.item
    for why in (_general(run, situation, command), _heading(item, command)):
        if why:
            return Verdict(False, why)
    state = run.record(item.id).state
    if command is Command.STOP:
        last = run.record(item.id).last
        stoppable = state is ItemState.RUNNING or (last is not None and bool(last.survivors))
        return ALLOWED if stoppable else Verdict(False, "nothing is running here")
    if command is Command.RUN:
        return _may_run(run, checklist, located, situation, alternative, danger)
    if command is Command.ANSWER and not isinstance(item.steps[0].step.action, Answer):
        return Verdict(False, "this item takes no answer; attest it (space)")
    if command is Command.ATTEST and isinstance(item.steps[0].step.action, Answer):
        return Verdict(False, "this item is answered with a value (a), not ticked")
    why = run.record(item.id).refusal(MOVES[command], reason="x" * 40, required=item.required)
    if why:
        return Verdict(False, why)
    if command in (Command.ATTEST, Command.ANSWER):
        return _before(run, checklist, located)
    return ALLOWED


def _general(run: Run, situation: Situation, command: Command) -> str:
    # Stopping is never refused because the record cannot be kept: a full disk must not keep a migration running.
    if situation.broken and command is not Command.STOP:
        return f"the journal cannot be written: {situation.broken}"
    if situation.read_only:
        return "this console is read-only"
    if run.ended_at and command is not Command.STOP:
        return "the run has ended"
    if not situation.driving:
        return f"{situation.driver or 'another console'} drives; this console watches"
    return ""


def _heading(item: Item, command: Command) -> str:
    return "the items below it are done one by one" if item.items and command is not Command.STOP else ""


def _may_run(
    run: Run, checklist: Checklist, located: Located, situation: Situation, alternative: Alternative, danger: Danger
) -> Verdict:
    item = located.item
    state = run.record(item.id).state
    if isinstance(alternative.step.action, Manual | Answer):
        return Verdict(False, "there is nothing to run: a person does it and attests it")
    why = not_available(alternative, situation.unavailable)
    if why:
        return Verdict(False, why)
    if run.record(item.id).awaiting:
        return Verdict(False, "it ended well and awaits your answer: attest it (space), or reopen it (u) to run again")
    why = refusal(state, Move.START)
    if why:
        return Verdict(False, why)
    if state.done and danger is not Danger.READ:
        return Verdict(False, f"it is already {state.value}; reopen it first (u)")
    why = _may_mutate(run, checklist, located) if danger is not Danger.READ else _interlock(run, alternative)
    if why:
        return Verdict(False, why)
    for need in item.needs:
        why = unmet(run, checklist, need)
        if why and not need.startswith("restore-point"):
            return Verdict(False, why)
    return _without_proof(run, checklist, located, alternative, danger)


def _without_proof(
    run: Run, checklist: Checklist, located: Located, alternative: Alternative, danger: Danger
) -> Verdict:
    """What a typed reason can override: the proof of the way back, then the order; one reason answers both."""
    order = _order(run, checklist, located)
    needs = [unmet(run, checklist, need) for need in located.item.needs if need.startswith("restore-point")]
    whys = [why for why in needs if why] or [
        why for why in (restore_gate.gate(run, checklist, located, alternative.step.action, danger),) if why
    ]
    if not whys:
        return order
    reason = "; ".join([*whys, *filter(None, (order.reason,))])
    return Verdict(False, reason, overridable=True, least=restore_gate.OVERRIDE_REASON)


def _may_mutate(run: Run, checklist: Checklist, located: Located) -> str:
    if run.hold:
        return f"the run is on hold ({run.hold.owner}: {run.hold.reason}); release it first (p)"
    if run.changed:
        return "the target changed: " + "; ".join(run.changed)
    if not run.identity:
        return "the target has not been identified yet"
    for attempt in run.running():
        if attempt.job == "backup":
            return f"a backup is being taken ({attempt.item}); it holds a lock on every table until it ends"
        if attempt.danger != Danger.READ:
            return f"a mutating attempt is running ({attempt.item}); two never run at once"
    # Going back is how an unknown outcome of the way forward is resolved, so it does not wait for that.
    rolling_back = {other.item.id for other in checklist.walk_rollback()} if located.phase is None else set()
    for name, other in run.items.items():
        unknown = other.unknown
        if unknown is not None and name != located.item.id and (not rolling_back or name in rolling_back):
            return (
                f"the outcome of “{unknown.item}” is unknown: resolve it first (run again, attest, accept or force it)"
            )
    return ""


def _interlock(run: Run, alternative: Alternative) -> str:
    """A backup reads, and yet does not run beside what changes the database: it would block it, or be blocked."""
    action = alternative.step.action
    if not isinstance(action, Job) or action.name != "backup":
        return ""
    for attempt in run.running():
        if attempt.danger != Danger.READ or attempt.job == "backup":
            return f"{attempt.item} is running; a backup is taken when nothing else works on the database"
    return ""


NOT_AN_ITEM = ("gate:", "restore-point")
"""How entries of ``needs`` begin that name something else than an item."""


def unmet(run: Run, checklist: Checklist, need: str) -> str:
    """Why a ``needs`` entry is not met, or "". Items by id; gates say that they are to come."""
    if need.startswith("gate:"):
        return f"needs {need}: gates are not available yet"
    if need.startswith("restore-point"):
        return restore_gate.unmet_need(run, need)
    for walk in (checklist.walk(), checklist.walk_rollback()):
        for located in walk:
            if located.item.id == need:
                state = run.state_of(located.item)
                return "" if state.done else f"needs “{located.item.title}”, which is {state.value}"
    return f"needs {need}, which this checklist does not have"


def _before(run: Run, checklist: Checklist, located: Located) -> Verdict:
    """What a person must say a reason for when it is attested before its turn: order, and other items it needs."""
    for need in located.item.needs:
        why = unmet(run, checklist, need)
        if why and not need.startswith(NOT_AN_ITEM):
            return Verdict(False, why, overridable=True)
    return _order(run, checklist, located)


def _order(run: Run, checklist: Checklist, located: Located) -> Verdict:
    if located.section.mode is not Mode.READ_DO:
        return ALLOWED
    for other in _leaves(located.section.items):
        if other.id == located.item.id:
            break
        state = run.state_of(other)
        if not state.done and not (other.optional and state is ItemState.TODO) and state is not ItemState.DEFERRED:
            return Verdict(False, f"in this section “{other.title}” comes first", overridable=True)
    return ALLOWED


def _leaves(items: tuple[Item, ...]) -> list[Item]:
    return [leaf for item in items for leaf in (_leaves(item.items) if item.items else [item])]


def action_name(alternative: Alternative) -> str:
    """The name under which an action's availability is known: "run", "sql", "check:disk_free", "job:backup".

    >>> action_name(Alternative("", __import__("migconsole.domain.checklist", fromlist=["Step"]).Step()))
    'manual'
    """
    action = alternative.step.action
    return f"{action.kind}:{action.name}" if hasattr(action, "name") else action.kind


def not_available(alternative: Alternative, unavailable: Mapping[str, str]) -> str:
    """Why this version cannot carry out an action, or ""."""
    return unavailable.get(action_name(alternative), "")
