"""A run as a pure fold over its journal.

Live use, a restart, a second console and a report all call :func:`fold`, so they cannot disagree. An event that the
rules do not allow changes nothing and is kept in ``Run.anomalies``: a strange journal opens, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from migconsole.domain.checklist import Checklist, Item
from migconsole.domain.claims import ClaimBook
from migconsole.domain.engagement import Engagement
from migconsole.domain.events import Event, Kind
from migconsole.domain.gates import GateBook
from migconsole.domain.items import BY_PERSON, RULES, ItemState, Move, refusal
from migconsole.domain.lifecycle import Lifecycle, RunState
from migconsole.domain.restore_points import RestorePoint, RestorePoints
from migconsole.domain.reviews import ReviewBook
from migconsole.domain.rollback_record import RollbackBook
from migconsole.domain.sections import SectionBook
from migconsole.domain.sensing import SensorBook, moved
from migconsole.domain.signing import SignOff
from migconsole.domain.timetable import Timetable
from migconsole.domain.tripwires import TripwireBook

OUTCOME_MOVES = {
    "passed": Move.VERIFY,
    "failed": Move.FAIL,
    "asks": Move.ASK,
    "interrupted": Move.INTERRUPT,
}
"""How an attempt's outcome moves its item. "asks" means: ended well, but nothing to judge it by."""


@dataclass(slots=True)
class Attempt:
    """One execution of an item's action. Never overwritten: a retry is the next number.

    ``text`` is what was executed, resolved and masked. Times are UTC ISO 8601, ``duration`` seconds.
    ``outcome`` is "" while it runs, else a key of OUTCOME_MOVES. ``signals`` are the stop rungs that were sent,
    ``survivors`` the processes that outlived it and can still be stopped. ``console`` is the one that started it,
    ``job`` the name of a built-in job, ``arguments`` what was decided for it at its start, ``reason`` what was typed to
    start it all the same. ``examined`` are lines about what it has left behind, where it did not end well.
    ``by_hand`` is set where a person executed the text elsewhere and told what came of it.
    """

    item: str
    number: int
    kind: str
    alternative: int
    danger: str
    text: str
    actor: str
    started: str
    started_mono: float
    app_name: str = ""
    ended: str = ""
    duration: float | None = None
    outcome: str = ""
    exit_code: int | None = None
    signal: int | None = None
    size: int | None = None
    sha256: str = ""
    masked: int = 0
    reasons: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    examined: tuple[str, ...] = ()
    captured: Mapping[str, str] = field(default_factory=dict)
    signals: tuple[str, ...] = ()
    adopted: int = 0
    interactive: bool = False
    answered: bool = False
    survivors: tuple[str, ...] = ()
    console: str = ""
    job: str = ""
    reason: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    by_hand: bool = False

    @property
    def has_process(self) -> bool:
        """Whether a process carries it out, which outlives the console and can be stopped by signals."""
        return self.kind in ("run", "job")

    @property
    def running(self) -> bool:
        """Whether no end has been recorded."""
        return not self.outcome


@dataclass(slots=True)
class ItemRecord:
    """What the journal says about one item.

    ``value`` is what was answered or attested, ``variable`` the variable that took it, ``due`` when deferred to.
    ``said_at`` is when ``said_by`` first said that it was done, however: reopening it does not undo that.
    """

    state: ItemState = ItemState.TODO
    since: str = ""
    actor: str = ""
    reason: str = ""
    value: str = ""
    note: str = ""
    due: str = ""
    variable: str = ""
    said_at: str = ""
    said_by: str = ""
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def awaiting(self) -> bool:
        """An action ended well without anything to judge it by: a person has to answer, it is not run again."""
        return (
            self.state is ItemState.TODO
            and bool(self.attempts)
            and self.attempts[-1].outcome == "asks"
            and not self.attempts[-1].answered
        )

    @property
    def last(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def unknown(self) -> Attempt | None:
        """The attempt that may have changed something nobody has resolved yet.

        Reopening or deferring the item, or a check that was broken off, does not resolve it; a verdict, an attestation
        and every other way of being dealt with does.
        """
        if self.state not in (ItemState.TODO, ItemState.INTERRUPTED, ItemState.DEFERRED):
            return None
        changing = (attempt for attempt in reversed(self.attempts) if attempt.danger != "read")
        newest = next(changing, None)
        return newest if newest is not None and newest.outcome == "interrupted" else None

    def refusal(self, move: Move, *, reason: str = "", required: bool = False) -> str:
        """Why ``move`` is not possible now, or "": the rules of the states and of what the last attempt showed."""
        last = self.attempts[-1].outcome if self.attempts else ""
        return refusal(self.state, move, reason=reason, required=required, last=last)


@dataclass(frozen=True, slots=True)
class Note:
    """A remark made at any time, on an item or on the run."""

    at: str
    actor: str
    text: str
    item: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing that changes anything may start. ``until`` is when it is expected to end, UTC ISO 8601 or ""."""

    at: str
    actor: str
    owner: str
    reason: str
    until: str = ""


@dataclass(slots=True)
class AlarmRecord:
    """A health alarm as the journal has it. ``raised`` and ``cleared`` are UTC ISO 8601, ``cleared`` "" while it lasts.

    ``evidence`` are the rows that raised it, frozen; ``acknowledged`` names the person who has seen it.
    """

    id: int
    probe: str
    level: str
    message: str
    raised: str
    cleared: str = ""
    acknowledged: str = ""
    note: str = ""
    evidence: tuple[Mapping[str, Any], ...] = ()


@dataclass
class Run:
    """The state of a run after the events up to ``head``.

    ``identity`` is the pinned ServerIdentity as a mapping, ``changed`` the differences last seen against it.
    ``captured`` are values captured from output or answered by a person. ``boxes`` are the checklist's forward
    leaves and headings in order, ``rollback`` those of the rollback procedure. ``alarms`` are those of the health
    watcher by identifier, in the order in which they were raised. ``handover`` is the last driver's note to the next.
    """

    run_id: str = ""
    title: str = ""
    opened_at: str = ""
    opened_by: str = ""
    checklist_sha256: str = ""
    target: str = ""
    environment: str = ""
    items: dict[str, ItemRecord] = field(default_factory=dict)
    identity: dict[str, Any] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    captured: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    hold: Hold | None = None
    driver: str = ""
    driver_actor: str = ""
    ended_at: str = ""
    ending: str = ""
    head: int = 0
    head_hash: str = ""
    last_at: str = ""
    last_mono: float = 0.0
    anomalies: list[str] = field(default_factory=list)
    alarms: dict[int, AlarmRecord] = field(default_factory=dict)
    restore_points: RestorePoints = field(default_factory=RestorePoints)
    reviews: ReviewBook = field(default_factory=ReviewBook)
    rollback: RollbackBook = field(default_factory=RollbackBook)
    engagement: Engagement = field(default_factory=Engagement)

    @property
    def restore_point(self) -> RestorePoint:
        """What a rollback would go back to now; of state none when there is nothing."""
        return self.restore_points.best

    clock: Timetable = field(default_factory=Timetable)
    gates: GateBook = field(default_factory=GateBook)
    tripwires: TripwireBook = field(default_factory=TripwireBook)
    sections: SectionBook = field(default_factory=SectionBook)
    claims: ClaimBook = field(default_factory=ClaimBook)
    life: Lifecycle = field(default_factory=Lifecycle)
    handover: Note | None = None
    sensors: SensorBook = field(default_factory=SensorBook)
    signoff: SignOff = field(default_factory=SignOff)

    def __post_init__(self) -> None:
        self.gates.server = self.clock.server

    @property
    def state(self) -> RunState:
        """From draft to closed."""
        return self.life.state(held=self.hold is not None)

    def record(self, item_id: str) -> ItemRecord:
        """The record of an item, untouched if nothing happened to it yet."""
        return self.items.get(item_id) or ItemRecord()

    def running(self) -> Iterator[Attempt]:
        """Every attempt without a recorded end."""
        for record in self.items.values():
            if record.attempts and record.attempts[-1].running:
                yield record.attempts[-1]

    def latest(self) -> Attempt | None:
        """The attempt that was started last, None when nothing has been run."""
        attempts = (attempt for record in self.items.values() for attempt in record.attempts)
        return max(attempts, key=lambda attempt: attempt.started, default=None)

    def state_of(self, item: Item) -> ItemState:
        """An item's state; a heading's follows from the items below it."""
        if item.items:
            return heading_state([self.state_of(child) for child in item.items])
        return self.record(item.id).state

    def apply(self, event: Event) -> None:
        """Take one event into account; one that was taken before changes nothing."""
        if event.seq != self.head + 1:
            self.anomalies.append(f"event {event.seq} follows event {self.head}")
        if event.seq <= self.head:
            return
        self.head, self.head_hash = event.seq, event.hash
        self.last_at, self.last_mono = event.at, event.mono
        handler = _HANDLERS.get(event.kind)
        if handler is None:
            self.anomalies.append(f"event {event.seq}: unknown kind {event.kind!r}")
            return
        self.signoff.saw(event)
        try:
            handler(self, event)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            self.anomalies.append(f"event {event.seq} ({event.kind}): {type(error).__name__}: {error}")
        self.clock.server.saw(event)


def fold(events: Iterable[Event], run: Run | None = None) -> Run:
    """The run after ``events``, from the beginning or on top of ``run`` (which is changed and returned)."""
    run = Run() if run is None else run
    for event in events:
        run.apply(event)
    return run


def heading_state(children: list[ItemState]) -> ItemState:
    """A heading's state from its children: the worst problem first, verified only when a machine saw all of them.

    >>> heading_state([ItemState.VERIFIED, ItemState.ATTESTED]).value
    'attested'
    >>> heading_state([ItemState.VERIFIED, ItemState.FAILED]).value
    'failed'
    """
    for state in (ItemState.FAILED, ItemState.INTERRUPTED, ItemState.REGRESSED, ItemState.RUNNING):
        if state in children:
            return state
    if ItemState.TODO in children:
        return ItemState.TODO
    if ItemState.DEFERRED in children:
        return ItemState.DEFERRED
    counted = [state for state in children if state is not ItemState.NOT_APPLICABLE]
    if not counted:
        return ItemState.NOT_APPLICABLE
    for state in (ItemState.FORCED, ItemState.OK_WITH_ISSUES):
        if state in counted:
            return state
    if all(state is ItemState.SKIPPED for state in counted):
        return ItemState.SKIPPED
    if all(state is ItemState.VERIFIED for state in counted):
        return ItemState.VERIFIED
    return ItemState.ATTESTED


@dataclass(frozen=True, slots=True)
class Progress:
    """How far: ``total`` leaves out what is not applicable, ``problems`` are failed, interrupted and regressed."""

    done: int
    total: int
    running: int = 0
    problems: int = 0
    deferred: int = 0


def progress(run: Run, items: Iterable[Item]) -> Progress:
    """Count the boxes of ``items`` and everything below them, headings included."""
    done = total = running = problems = deferred = 0
    for item in _flatten(items):
        state = run.state_of(item)
        total += state is not ItemState.NOT_APPLICABLE
        done += state.done and state is not ItemState.NOT_APPLICABLE
        running += state is ItemState.RUNNING
        problems += state.problem
        deferred += state is ItemState.DEFERRED
    return Progress(done, total, running, problems, deferred)


def overall(run: Run, checklist: Checklist) -> Progress:
    """Progress over all forward boxes: tripwires and the rollback procedure never count."""
    return progress(run, (i for p in checklist.phases for s in p.sections for i in s.items))


def left(run: Run, checklist: Checklist) -> list[Item]:
    """The forward leaves that are not dealt with; optional ones nobody has touched do not count as left."""
    return [
        located.item
        for located in checklist.walk()
        if not located.item.items
        and not (state := run.state_of(located.item)).done
        and not (located.item.optional and state is ItemState.TODO)
    ]


def _flatten(items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        yield item
        yield from _flatten(item.items)


def _opened(run: Run, event: Event) -> None:
    data = event.data
    if run.opened_at:
        raise ValueError("the run was opened before")
    variables = dict(data.get("variables", {}))
    run.run_id, run.title, run.checklist_sha256 = data["run"], data["title"], data["checklist_sha256"]
    run.opened_at, run.opened_by = event.at, event.actor
    run.target, run.environment = data.get("target", ""), data.get("environment", "")
    run.variables = variables


def _pinned(run: Run, event: Event) -> None:
    run.identity, run.changed = dict(event.data["identity"]), ()


def _changed(run: Run, event: Event) -> None:
    run.changed = tuple(event.data["differences"])


def _lease_taken(run: Run, event: Event) -> None:
    run.driver, run.driver_actor = event.data["console"], event.actor


def _lease_released(run: Run, event: Event) -> None:
    if run.driver == event.data["console"]:
        run.driver = run.driver_actor = ""


def _move(run: Run, event: Event, item_id: str, move: Move, reason: str = "") -> ItemRecord:
    record = run.record(item_id)
    why = record.refusal(move, reason=reason)
    if why:
        raise ValueError(f"{item_id}: {why}")
    record.state, record.since, record.actor, record.reason = RULES[move].to, event.at, event.actor, reason
    run.items[item_id] = record
    if move in (Move.START, Move.REOPEN):
        _withdraw(run, record)
    return record


def _withdraw(run: Run, record: ItemRecord) -> None:
    """Forget the values an item gave to later ones: they are about to be found or asked again."""
    given = {record.variable: record.value} if record.variable else {}
    for name, value in {**given, **(record.attempts[-1].captured if record.attempts else {})}.items():
        if run.captured.get(name) == value:
            del run.captured[name]


def _attempt_started(run: Run, event: Event) -> None:
    data = event.data
    attempt = Attempt(
        item=data["item"],
        number=data["attempt"],
        kind=data["kind"],
        alternative=int(data.get("alternative", 0)),
        danger=data["danger"],
        text=data.get("text", ""),
        actor=event.actor,
        started=event.at,
        started_mono=event.mono,
        app_name=data.get("app_name", ""),
        interactive=bool(data.get("interactive")),
        console=data.get("console", ""),
        job=data.get("job", ""),
        reason=str((data.get("confirmed") or {}).get("reason", "")),
        arguments={str(name): str(value) for name, value in (data.get("arguments") or {}).items()},
        by_hand=bool(data.get("by_hand")),
    )
    if attempt.number != len(run.record(attempt.item).attempts) + 1:
        raise ValueError(f"{attempt.item}: attempt {attempt.number} is not the next one")
    _move(run, event, attempt.item, Move.START).attempts.append(attempt)
    run.life.started(event)


def _attempt(run: Run, event: Event) -> Attempt:
    data = event.data
    for attempt in reversed(run.items[data["item"]].attempts):
        if attempt.number == data["attempt"]:
            return attempt
    raise KeyError(f"{data['item']} attempt {data['attempt']}")


def _examined(run: Run, event: Event) -> None:
    _attempt(run, event).examined = tuple(str(line) for line in event.data["lines"])


def _attempt_adopted(run: Run, event: Event) -> None:
    _attempt(run, event).adopted += 1


def _attempt_signalled(run: Run, event: Event) -> None:
    attempt = _attempt(run, event)
    attempt.signals = (*attempt.signals, str(event.data["rung"]))


def _attempt_ended(run: Run, event: Event) -> None:
    data = event.data
    attempt = _attempt(run, event)
    if attempt.outcome:
        raise ValueError(f"{attempt.item} attempt {attempt.number} has ended before")
    reasons, lines = tuple(data.get("reasons") or ()), tuple(data.get("lines") or ())
    survivors = tuple(data.get("survivors") or ())
    captured = dict(data.get("captured") or {})
    _move(run, event, attempt.item, OUTCOME_MOVES[data["outcome"]])
    # The job says when it ended; nobody may have been there to record it until the next day.
    attempt.outcome, attempt.ended = data["outcome"], data.get("ended") or event.at
    attempt.duration, attempt.exit_code, attempt.signal = (
        data.get("duration"),
        data.get("exit_code"),
        data.get("signal"),
    )
    attempt.size, attempt.sha256, attempt.masked = data.get("size"), data.get("sha256", ""), data.get("masked", 0)
    attempt.reasons, attempt.lines, attempt.captured, attempt.survivors = reasons, lines, captured, survivors
    run.captured.update(captured)


def _outdated(run: Run, event: Event) -> None:
    """A reviewed file changed; one that was reviewed anew meanwhile is not meant."""
    item = event.data["item"]
    meant = run.reviews.is_current(item, event.data.get("attempt"))
    if meant and run.record(item).state in RULES[Move.OUTDATE].sources:
        _move(run, event, item, Move.OUTDATE, "; ".join(map(str, event.data.get("reasons") or ())))


def _item_moved(run: Run, event: Event) -> None:
    data = event.data
    move = Move(data["move"])
    if move not in BY_PERSON | {Move.REGRESS, Move.RECOVER}:
        raise ValueError(f"{data['item']}: only an attempt can {move.value} an item")
    if "claim" in data and not run.claims.holds(data["item"], data["claim"], event.actor):
        return  # Somebody who drives was faster; what the claimer said stays in the timeline.
    awaiting = run.record(data["item"]).awaiting
    record = _move(run, event, data["item"], move, data.get("reason", ""))
    record.value, record.note, record.due = data.get("value", ""), data.get("note", ""), data.get("due", "")
    record.variable = data.get("variable", "")
    if move is Move.ATTEST or (move in (Move.ACCEPT, Move.FORCE) and not record.attempts):
        record.said_at, record.said_by = record.said_at or event.at, record.said_by or event.actor
        run.life.said(event)
    run.claims.settle(data["item"])
    if data.get("type") == "window":
        run.clock.answered(event)
    if awaiting and record.attempts:
        record.attempts[-1].answered = True
    if record.variable:
        run.captured[record.variable] = record.value


def _item_covered(run: Run, event: Event) -> None:
    data = event.data
    move = Move.COVER if data["used"] else Move.OMIT
    _move(run, event, data["item"], move, data.get("reason", ""))


def _item_sensed(run: Run, event: Event) -> None:
    item, sense = event.data["item"], run.sensors.saw(event)
    record = run.record(item)
    move = moved(sense.verdict, record.state, record.last.outcome if record.last else "")
    if move is not None:
        _move(run, event, item, move, "; ".join(sense.reasons))


def _variable_set(run: Run, event: Event) -> None:
    run.variables[event.data["name"]] = event.data["value"]


def _note(run: Run, event: Event) -> None:
    run.notes.append(Note(event.at, event.actor, event.data["text"], event.data.get("item", "")))


def _hold(run: Run, event: Event) -> None:
    data = event.data
    run.hold = Hold(event.at, event.actor, data.get("owner", event.actor), data["reason"], data.get("until", ""))


def _release(run: Run, event: Event) -> None:
    run.hold = None


def _ended(run: Run, event: Event) -> None:
    run.ended_at, run.ending = event.at, event.data["ending"]
    run.life.has_ended(event)


def _handed_over(run: Run, event: Event) -> None:
    run.handover = Note(event.at, event.actor, str(event.data.get("note", "")))


def _alarm(run: Run, event: Event) -> None:
    data = event.data
    number, change = int(data["alarm"]), data["change"]
    if change == "raised":
        evidence = tuple(dict(row) for row in data.get("evidence") or ())
        run.alarms[number] = AlarmRecord(
            number, data["probe"], data["level"], data["message"], data.get("at") or event.at, evidence=evidence
        )
    elif change == "cleared":
        run.alarms[number].cleared = data.get("at") or event.at
    else:
        raise ValueError(f"an alarm cannot be {change!r}")


def _alarm_acknowledged(run: Run, event: Event) -> None:
    alarm = run.alarms[int(event.data["alarm"])]
    if not alarm.acknowledged:
        alarm.acknowledged, alarm.note = event.actor, event.data.get("note", "")


def _closed(run: Run, event: Event) -> None:
    run.life.was_closed(event)
    run.signoff.closed = True


def _nothing(run: Run, event: Event) -> None:
    """For events that are evidence and change no state."""


_HANDLERS: dict[str, Callable[[Run, Event], None]] = {
    Kind.RUN_OPENED: _opened,
    Kind.TARGET_PINNED: _pinned,
    Kind.TARGET_CHANGED: _changed,
    Kind.CONSOLE_ATTACHED: _nothing,
    Kind.CONSOLE_DETACHED: _nothing,
    Kind.LEASE_TAKEN: _lease_taken,
    Kind.LEASE_RELEASED: _lease_released,
    Kind.ATTEMPT_STARTED: _attempt_started,
    Kind.ATTEMPT_ADOPTED: _attempt_adopted,
    Kind.ATTEMPT_SIGNALLED: _attempt_signalled,
    Kind.ATTEMPT_ENDED: _attempt_ended,
    Kind.ITEM_MOVED: _item_moved,
    Kind.ITEM_SENSED: _item_sensed,
    Kind.VARIABLE_SET: _variable_set,
    Kind.NOTE: _note,
    Kind.HOLD: _hold,
    Kind.RELEASE: _release,
    Kind.TRIPWIRE: lambda run, event: run.tripwires.happened(event),
    Kind.ALARM: _alarm,
    Kind.ALARM_ACKNOWLEDGED: _alarm_acknowledged,
    Kind.RUN_ENDED: _ended,
    Kind.ITEM_COVERED: _item_covered,
    Kind.EXAMINED: _examined,
    Kind.ROLLBACK_ENGAGED: lambda run, event: run.engagement.engaged(event),
    Kind.ROLLBACK_STOOD_DOWN: lambda run, event: run.engagement.stood_down(event),
    Kind.RESTORE_POINT: lambda run, event: run.restore_points.stated(event),
    Kind.REVIEWED: lambda run, event: run.reviews.stated(event),
    Kind.REVIEW_OUTDATED: lambda run, event: _outdated(run, event),
    Kind.ROLLBACK_STARTED: lambda run, event: run.rollback.started(event.data, event.at),
    Kind.ROLLBACK_STEP: lambda run, event: run.rollback.stepped(event.data),
    Kind.ROLLBACK_ENDED: lambda run, event: run.rollback.ended(event.data, event.at),
    Kind.ROLLBACK_VERIFIED: lambda run, event: run.rollback.verified(event.data),
    Kind.CLOCK_SET: lambda run, event: run.clock.set(event),
    Kind.CLOCK_CROSSED: lambda run, event: run.clock.crossed(event),
    Kind.CLOCK_DECIDED: lambda run, event: run.clock.decided(event),
    Kind.SERVER_CLOCK: lambda run, event: run.clock.server.heard(event),
    Kind.ESTIMATES_LEARNED: lambda run, event: run.clock.learned(event),
    Kind.DRILLED: lambda run, event: run.clock.drilled(event),
    Kind.GATE_VOTED: lambda run, event: run.gates.voted(event),
    Kind.GATE_PASSED: lambda run, event: run.gates.passed(event),
    Kind.SECTION_CALLED: lambda run, event: run.sections.called(event),
    Kind.ITEM_CLAIMED: lambda run, event: run.claims.claimed(event),
    Kind.ITEM_RELEASED: lambda run, event: run.claims.released(event),
    Kind.HANDED_OVER: _handed_over,
    Kind.RUN_COMMITTED: lambda run, event: run.life.committed(event),
    Kind.RUN_CLOSED: _closed,
    Kind.SEALED: _nothing,
    Kind.SIGNED: lambda run, event: run.signoff.signed(event),
    Kind.NOTIFYING: _nothing,
    Kind.NOTIFIED: _nothing,
}
