"""What may happen next, and why not: one answer for the key, the footer, the palette and the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from migconsole.domain import gates, interlock, procedure, restore_gate
from migconsole.domain.checklist import Action, Alternative, Answer, Checklist, Danger, Item, Located, Manual
from migconsole.domain.clock import Clock, passes_abort
from migconsole.domain.items import ItemState, Move, refusal
from migconsole.domain.run import Run
from migconsole.domain.sections import first_before


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
    """``reason`` is empty when allowed. ``overridable`` means: allowed with a typed reason of ``least`` characters.

    ``asks``: the reason is asked for at once: it is the operator's to decide and not a slip (the clock, a dump).
    ``hows`` says in a few words each what overriding it would be.
    """

    allowed: bool
    reason: str = ""
    overridable: bool = False
    least: int = 3
    asks: bool = False
    hows: tuple[str, ...] = ()

    @property
    def how(self) -> str:
        """What overriding it would be, all of it."""
        return ", ".join(self.hows)

    def overridden(self, reason: str) -> bool:
        """Whether a typed reason is enough to do it all the same."""
        return self.overridable and len(reason.strip()) >= self.least


ALLOWED = Verdict(True)


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules need to know beyond the journal.

    ``unavailable`` maps an action ("check:regression", "job:backup") that this version cannot carry out to the words
    to show. ``broken`` is set when the journal cannot be written. ``clock`` is the time as it stands: without it no
    vote can be known to count. ``actor`` is who acts at this console. ``dumps`` are sessions that copy the database
    out, as the server had them at the last look.
    """

    driving: bool = True
    read_only: bool = False
    broken: str = ""
    driver: str = ""
    connected: bool = True
    unavailable: Mapping[str, str] = field(default_factory=dict)
    clock: Clock | None = None
    actor: str = ""
    dumps: tuple[str, ...] = ()


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
    for why in (
        _general(run, situation, command, item),
        _heading(item, command),
        _behind_gates(run, checklist, located, command, situation),
    ):
        if why:
            return Verdict(False, why)
    state = run.record(item.id).state
    if command is Command.STOP:
        last = run.record(item.id).last
        stoppable = state is ItemState.RUNNING or (last is not None and bool(last.survivors))
        if not stoppable:
            return Verdict(False, "nothing is running here")
        behind = procedure.cancel_refusal(run) if last is not None and last.job in procedure.DEEDS else ""
        return Verdict(False, behind) if behind else ALLOWED
    if command is Command.RUN:
        return _may_run(run, checklist, located, situation, alternative, danger)
    if command is Command.ANSWER and not isinstance(item.steps[0].step.action, Answer):
        by_hand = isinstance(item.steps[0].step.action, Manual)
        return Verdict(False, f"this item takes no answer; {'attest it (space)' if by_hand else 'r runs it'}")
    if command is Command.ATTEST and isinstance(item.steps[0].step.action, Answer):
        return Verdict(False, "this item is answered with a value (a), not ticked")
    why = run.record(item.id).refusal(MOVES[command], reason="x" * 40, required=item.required)
    if why:
        return Verdict(False, why)
    if command in (Command.ATTEST, Command.ANSWER):
        return _before(run, checklist, located)
    return ALLOWED


_DOES_IT = (Command.RUN, Command.ATTEST, Command.ANSWER, Command.ACCEPT, Command.FORCE)
"""What says that an item is, or will be, done; leaving it out or putting it off goes past no gate."""


def _behind_gates(run: Run, checklist: Checklist, located: Located, command: Command, situation: Situation) -> str:
    """Why the gates before an item keep it closed. No reason overrides one, whatever was forced before it.

    What has been begun behind a gate may be judged: accepting or forcing it does not do it again.
    """
    if command not in _DOES_IT:
        return ""
    if command in (Command.ACCEPT, Command.FORCE) and run.record(located.item.id).attempts:
        return ""
    return gates.closed(checklist, run.gates, located, situation.clock.now if situation.clock else None)


def _claimed(run: Run, situation: Situation, command: Command, item: Item) -> str:
    """Why a claim is in the way: an item that one person has taken on is answered by that person."""
    claim = run.claims.held.get(item.id)
    if command not in (Command.ATTEST, Command.ANSWER):
        return ""
    if claim is not None and claim.actor != situation.actor:
        return f"{claim.actor} has claimed it (m withdraws the claim)"
    return ""


def _general(run: Run, situation: Situation, command: Command, item: Item) -> str:
    # Stopping is never refused because the record cannot be kept: a full disk must not keep a migration running.
    if situation.broken and command is not Command.STOP:
        return f"the journal cannot be written: {situation.broken}"
    if situation.read_only:
        return "this console is read-only"
    if run.ended_at and command is not Command.STOP:
        return f"the run has ended ({run.state.value})"
    if not situation.driving and not _may_as_claimer(run, situation, command, item):
        return f"{situation.driver or 'another console'} drives; this console watches"
    return _claimed(run, situation, command, item)


def _may_as_claimer(run: Run, situation: Situation, command: Command, item: Item) -> bool:
    claim = run.claims.held.get(item.id)
    return claim is not None and claim.actor == situation.actor and command in (Command.ATTEST, Command.ANSWER)


def may_claim(run: Run, item: Item) -> str:
    """Why an item cannot be claimed by a person, or "": manual and answered items that are open."""
    if item.items:
        return "the items below it are claimed one by one"
    if not isinstance(item.steps[0].step.action, Manual | Answer):
        return "only what a person does can be claimed; commands are run by the driving console"
    if run.ended_at:
        return f"the run has ended ({run.state.value})"
    state = run.record(item.id).state
    if state not in (ItemState.TODO, ItemState.DEFERRED):
        return f"it is already {state.value}"
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
    why = (
        _may_mutate(run, checklist, located)
        if danger is not Danger.READ
        else interlock.beside(run, alternative.step.action)
    )
    if why:
        return Verdict(False, why)
    for need in item.needs:
        why = unmet(run, checklist, need, situation.clock.now if situation.clock else None)
        if why and not need.startswith("restore-point"):
            return Verdict(False, why)
    return _with_reason(run, checklist, located, situation, alternative, danger)


def _with_reason(
    run: Run, checklist: Checklist, located: Located, situation: Situation, alternative: Alternative, danger: Danger
) -> Verdict:
    """What a typed reason can override: the proof of the way back, the order, the clock; one reason answers all."""
    order = _order(run, checklist, located)
    needs = [unmet(run, checklist, need) for need in located.item.needs if need.startswith("restore-point")]
    proof = [why for why in needs if why] or [
        why for why in (restore_gate.gate(run, checklist, located, alternative.step.action, danger),) if why
    ]
    now = situation.clock.now if situation.clock else None
    if not proof and (old := restore_gate.stale(run, checklist, located, alternative.step.action, danger, now)):
        proof = [old]
    late = _late(run, located, situation, alternative.step.action, danger)
    dumped = interlock.dumped(located, situation.dumps, alternative.step.action, danger)
    whys = [*proof, *filter(None, (dumped, order.reason, late))]
    if not whys:
        return ALLOWED
    least = restore_gate.OVERRIDE_REASON if proof or dumped else order.least
    names = ((WITHOUT_PROOF, proof), (BESIDE_DUMP, dumped), (PAST_ABORT, late), (OUT_OF_ORDER, order.reason))
    hows = tuple(name for name, why in names if why)
    asks = set(whys) <= {late, dumped}
    return Verdict(False, "; ".join(whys), overridable=True, least=least, asks=asks, hows=hows)


OUT_OF_ORDER, WITHOUT_PROOF = "out of order", "without a proven way back"
BESIDE_DUMP, PAST_ABORT = "beside a running dump", "past the last safe abort"
BEFOREHAND = {"proof": WITHOUT_PROOF, "dump": BESIDE_DUMP, "abort": PAST_ABORT}
"""What can be overridden with a reason that was typed before anybody saw it, by a name for each: never one for all."""


def _late(run: Run, located: Located, situation: Situation, action: Action, danger: Danger) -> str:
    """Why a step of the way forward would end after the last safe abort, "" where it does not or was decided."""
    crossing = run.clock.open_crossing()
    decided = crossing is not None and crossing.decision == "go on"
    if danger is Danger.READ or located.phase is None or situation.clock is None or decided:
        return ""
    changes = located.phase.at >= 0 and not restore_gate.is_maker(action)
    return passes_abort(situation.clock, located.item, changes=changes)


def _may_mutate(run: Run, checklist: Checklist, located: Located) -> str:
    if checklist.approval and run.life.commit is None:
        return "the plan is a draft; somebody has to approve it first (A)"
    crossing = run.clock.open_crossing()
    if crossing is not None and not crossing.decision and located.phase is not None:
        return "the last safe abort has passed; decide first whether to go on (O)"
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


def may_sign(run: Run, checklist: Checklist, role: str = "") -> str:
    """Why ``role`` (any role without one) cannot sign or refuse now, or ""; whoever watches may sign as well."""
    if run.life.closed:
        return "the run is closed"
    if not checklist.roles:
        return "this checklist names no roles: nobody has to sign"
    if role and role not in checklist.roles:
        return f"this checklist has no role “{role}”; it has {', '.join(checklist.roles)}"
    if role in run.signoff.signatures:
        said = run.signoff.signatures[role]
        return f"{said.name} has {'refused to sign' if said.refused else 'signed'} for {role} already"
    return _still_going(run)


def may_close(run: Run, checklist: Checklist) -> str:
    """Why the run cannot be closed now, or "": every role has signed, or its refusal is on record."""
    if run.life.closed:
        return "the run is closed"
    missing = run.signoff.missing(checklist.roles)
    return _still_going(run) or (f"not signed yet: {', '.join(missing)}" if missing else "")


def _still_going(run: Run) -> str:
    running = next(run.running(), None)
    if running is not None:
        return f"“{running.item}” is still running"
    return "" if run.ended_at else "the run has not ended; end it first (E)"


NOT_AN_ITEM = ("gate:", "restore-point")
"""How entries of ``needs`` begin that name something else than an item."""


def unmet(run: Run, checklist: Checklist, need: str, now: datetime | None = None) -> str:
    """Why a ``needs`` entry is not met, or "". Items by id; without a time no vote at a gate is known to count."""
    if need.startswith("gate:"):
        gate = next((gate for gate in checklist.gates if gate.id == need.removeprefix("gate:")), None)
        if gate is None:
            return f"needs {need}, which this checklist does not have"
        return gates.standing(gate, run.gates, now).reason
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
            return Verdict(False, why, overridable=True, hows=(OUT_OF_ORDER,))
    return _order(run, checklist, located)


def _order(run: Run, checklist: Checklist, located: Located) -> Verdict:
    before = first_before(located.section, located.item, run.state_of)
    if before is None:
        return ALLOWED
    return Verdict(False, f"in this section “{before.title}” comes first", overridable=True, hows=(OUT_OF_ORDER,))


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
