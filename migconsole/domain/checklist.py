"""The checklist as an immutable tree: what a run executes, independent of the file form it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from migconsole.domain.expectation import Expectation


class Danger(StrEnum):
    """What an action can do to the target; ordered from harmless to irreversible."""

    READ = "read"
    MUTATING = "mutating"
    DESTRUCTIVE = "destructive"

    @property
    def rank(self) -> int:
        """0 for read, 1 for mutating, 2 for destructive: for comparing, and for the confirmation tier."""
        return ("read", "mutating", "destructive").index(self.value)


class Mode(StrEnum):
    """How a section is read: strictly in order, or in any order and then called complete."""

    READ_DO = "read-do"
    DO_CONFIRM = "do-confirm"


@dataclass(frozen=True, slots=True)
class Manual:
    """A person does it and attests it."""

    kind = "manual"


@dataclass(frozen=True, slots=True)
class Answer:
    """A person answers with a value; a tick alone is not accepted.

    ``type`` is one of text, number, size, duration, window, path, url, choice, yes-no. ``variable`` is the variable
    that takes the value for later items.
    """

    type: str
    ask: str
    choices: tuple[str, ...] = ()
    default: str = ""
    variable: str = ""
    kind = "answer"


@dataclass(frozen=True, slots=True)
class Run:
    """A shell script for the detached job runner; ``${x}`` arrives as environment, never pasted into the text.

    ``hook`` is the variable that holds the command when the checklist leaves it to the team; ``script`` then evaluates
    that variable, and where it is empty a person does the item by hand (``migconsole.domain.variables.effective``).
    """

    script: str
    hook: str = ""
    kind = "run"


@dataclass(frozen=True, slots=True)
class Sql:
    """Read-only statements for the target, one SELECT, WITH, VALUES, TABLE or SHOW per entry."""

    statements: tuple[str, ...]
    kind = "sql"


@dataclass(frozen=True, slots=True)
class Check:
    """A built-in probe by name, with its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kind = "check"


@dataclass(frozen=True, slots=True)
class Job:
    """A built-in job (backup, prove, review, lint, restore, drill, notify) with its arguments."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kind = "job"


Action = Manual | Answer | Run | Sql | Check | Job


@dataclass(frozen=True, slots=True)
class Step:
    """One way of carrying out an item: the action and everything needed to execute and judge it.

    ``danger`` is what the author declared; the classifier may raise it (``migconsole.domain.danger``).
    Durations are seconds. ``capture`` maps a variable name to a regular expression.
    ``url`` is "clean" (libpq-clean, without password) or "original".
    """

    action: Action = field(default_factory=Manual)
    danger: Danger | None = None
    timeout: float | None = None
    lock_timeout: float | None = None
    expect: Expectation | None = None
    capture: Mapping[str, str] = field(default_factory=dict)
    tty: bool = True
    interactive: bool = False
    cwd: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    url: str = "clean"


@dataclass(frozen=True, slots=True)
class Alternative:
    """One of several ways of doing an item; the operator picks one."""

    title: str
    step: Step


@dataclass(frozen=True, slots=True)
class Item:
    """One line to be done. An item with ``items`` is a heading whose state follows its children.

    ``watch`` (every so many seconds) and ``schedule`` (at these offsets from T-0) let the watcher look at it by
    itself. ``position`` is "file:line" for messages.
    """

    id: str
    title: str
    step: Step = field(default_factory=Step)
    alternatives: tuple[Alternative, ...] = ()
    items: tuple[Item, ...] = ()
    optional: bool = False
    required: bool = False
    needs: tuple[str, ...] = ()
    estimate: float | None = None
    watch: float | None = None
    schedule: tuple[float, ...] = ()
    help: str = ""
    position: str = ""

    @property
    def steps(self) -> tuple[Alternative, ...]:
        """Every way of doing it, the only one included, so that callers need no special case."""
        return self.alternatives or (Alternative("", self.step),)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading inside a phase; ``mode`` says how its items are read."""

    id: str
    title: str
    items: tuple[Item, ...]
    mode: Mode = Mode.DO_CONFIRM

    def leaves(self) -> Iterator[Item]:
        """Its lines in order, without the headings that they stand under."""
        return (found.item for found in _walk(self.items, self, None, 0, None) if not found.item.items)


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of the run at an offset in seconds from T-0 (negative before it)."""

    id: str
    title: str
    at: float
    sections: tuple[Section, ...]

    def leaves(self) -> Iterator[Item]:
        """Its lines in order, without the headings that they stand under."""
        return (leaf for section in self.sections for leaf in section.leaves())


@dataclass(frozen=True, slots=True)
class Variable:
    """A value of the checklist; a secret one never reaches a screen or a file."""

    name: str
    default: str | None = None
    env: str = ""
    ask: bool = False
    secret: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """Where the checklist says its database is. ``environment`` colours the banner and sets confirmation tiers."""

    url: str = "${DATABASE_URL}"
    environment: str = "production"
    password_command: str = ""


@dataclass(frozen=True, slots=True)
class Tripwire:
    """A "roll back if" criterion; without a check a person trips it. Never progress.

    ``clock`` names the limit whose crossing trips it: "last-safe-abort", "window-end" or "".
    """

    id: str
    title: str
    step: Step = field(default_factory=Step)
    watch: float | None = None
    position: str = ""
    clock: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """A go/no-go poll of roles before a phase or section, named by title or id."""

    id: str
    title: str
    before: str
    roles: tuple[str, ...] = ()
    position: str = ""


COPY = "copy:"
"""How a destination begins that is a folder for the evidence."""


@dataclass(frozen=True, slots=True)
class Notification:
    """Which events are told to whom; or, with ``copy:FOLDER``, when the evidence is copied to a folder."""

    on: tuple[str, ...]
    to: str

    @property
    def copies(self) -> bool:
        """Whether the evidence is copied, instead of a message sent.

        >>> Notification(("phase",), "copy:/mnt/evidence").copies, Notification(("phase",), "${slack}").copies
        (True, False)
        """
        return self.to.strip().startswith(COPY)


@dataclass(frozen=True, slots=True)
class Located:
    """An item with the headings it stands under. ``phase`` is None inside the rollback procedure."""

    item: Item
    section: Section
    phase: Phase | None
    depth: int
    parent: Item | None


ABORT_NOTICE = 600.0
"""Seconds: long enough for a room to decide and for a poll, short enough to be believed."""


@dataclass(frozen=True)
class Checklist:
    """A whole checklist. ``requires`` holds constraints such as ``{"postgresql": ">=11"}``.

    ``approval``: nothing that changes anything starts before a named person has approved the plan.
    ``abort_notice``: seconds before the last safe abort at which everybody is told that it is near.
    """

    title: str
    format: int = 1
    requires: Mapping[str, str] = field(default_factory=dict)
    target: TargetSpec = field(default_factory=TargetSpec)
    env_file: str = ""
    roles: tuple[str, ...] = ()
    variables: Mapping[str, Variable] = field(default_factory=dict)
    phases: tuple[Phase, ...] = ()
    tripwires: tuple[Tripwire, ...] = ()
    rollback: tuple[Section, ...] = ()
    aside: tuple[Section, ...] = ()
    gates: tuple[Gate, ...] = ()
    notifications: tuple[Notification, ...] = ()
    alarms: Mapping[str, Any] = field(default_factory=dict)
    pooler: Mapping[str, str] = field(default_factory=dict)
    approval: bool = False
    abort_notice: float = ABORT_NOTICE

    def walk(self) -> Iterator[Located]:
        """Every forward item in order, headings before their children."""
        for phase in self.phases:
            for section in phase.sections:
                yield from _walk(section.items, section, phase, 0, None)

    def walk_rollback(self) -> Iterator[Located]:
        """Every item of the rollback procedure in order, then those that are aside."""
        for section in (*self.rollback, *self.aside):
            yield from _walk(section.items, section, None, 0, None)

    def boxes(self) -> int:
        """How many forward lines a person could tick: progress is counted against this.

        A heading with nested items is itself a box of the checklist and counts.
        """
        return sum(1 for _ in self.walk())


def _walk(
    items: tuple[Item, ...], section: Section, phase: Phase | None, depth: int, parent: Item | None
) -> Iterator[Located]:
    for item in items:
        yield Located(item, section, phase, depth, parent)
        yield from _walk(item.items, section, phase, depth + 1, item)
