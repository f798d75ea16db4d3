"""How a section is read and how it ends: in order or not, what was deferred or forced, and who called it complete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from migconsole.domain.built_in import boxes
from migconsole.domain.checklist import Item, Mode, Section
from migconsole.domain.events import Event
from migconsole.domain.items import ItemState


@dataclass(frozen=True, slots=True)
class Call:
    """A named person called a section complete, with the end state it had."""

    at: str
    actor: str
    person: str
    end: str


@dataclass
class SectionBook:
    """The newest call of each section, by its id."""

    calls: dict[str, Call] = field(default_factory=dict)

    def called(self, event: Event) -> None:
        """A section was called complete."""
        data = event.data
        person = str(data["person"]).strip()
        if not person:
            raise ValueError("nobody called the section")
        self.calls[str(data["section"])] = Call(event.at, event.actor, person, str(data.get("end", "")))


@dataclass(frozen=True, slots=True)
class SectionEnd:
    """Where a section stands. ``left`` are the leaves that keep it open; deferred ones do not, but are listed.

    ``call`` is the completion call that still holds. ``confirms``: the section is read do-confirm and wants one.
    """

    left: tuple[Item, ...] = ()
    deferred: tuple[Item, ...] = ()
    forced: tuple[Item, ...] = ()
    confirms: bool = False
    call: Call | None = None

    @property
    def complete(self) -> bool:
        """Whether everything is dealt with, deferred lines apart."""
        return not self.left

    @property
    def wants_call(self) -> bool:
        """Whether all that is missing is that somebody calls it complete."""
        return self.confirms and self.complete and self.call is None

    @property
    def words(self) -> str:
        """The end state in words.

        >>> SectionEnd().words, SectionEnd(forced=(Item("a", "A"),)).words
        ('complete', 'complete with overrides (1)')
        """
        if self.left:
            return f"{len(self.left)} left"
        overrides = f" with overrides ({len(self.forced)})" if self.forced else ""
        joint = "," if overrides and self.deferred else ""
        return f"complete{overrides}{joint}{f' except deferred ({len(self.deferred)})' if self.deferred else ''}"


def section_end(
    section: Section, state_of: Callable[[Item], ItemState], since_of: Callable[[Item], str], book: SectionBook
) -> SectionEnd:
    """The end state of a section. A call counts until one of its lines changes afterwards (``since_of``, UTC ISO)."""
    leaves = list(section.leaves())
    states = [(item, state_of(item)) for item in leaves]
    call = book.calls.get(section.id)
    if call is not None and any(since_of(item) > call.at for item in leaves):
        call = None
    left = tuple(item for item, state in states if waits(item, state))
    return SectionEnd(
        left,
        tuple(item for item, state in states if state is ItemState.DEFERRED),
        tuple(item for item, state in states if state is ItemState.FORCED),
        section.mode is Mode.DO_CONFIRM and bool(section.title),
        call if not left else None,
    )


def waits(item: Item, state: ItemState) -> bool:
    """Whether a line keeps its section open, and the later ones waiting where it is read in order."""
    return not state.settled and not (item.optional and state is ItemState.TODO)


def first_before(section: Section, item: Item, state_of: Callable[[Item], ItemState]) -> Item | None:
    """What comes before an item of a read-do section and is not dealt with; what the item itself does is not counted.

    None where nothing does, and in a section that is done in any order.
    """
    if section.mode is not Mode.READ_DO:
        return None
    replaced = boxes(item)
    for other in section.leaves():
        if other.id == item.id:
            break
        if other.id not in replaced and waits(other, state_of(other)):
            return other
    return None


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a read-do section stands: the line whose turn it is, and the open ones that come later."""

    now: str = ""
    later: frozenset[str] = frozenset()


def turn(section: Section, state_of: Callable[[Item], ItemState]) -> Turn:
    """Whose turn it is; nobody's in a section that is done in any order, or that is through."""
    if section.mode is not Mode.READ_DO:
        return Turn()
    waiting = [item for item in section.leaves() if waits(item, state_of(item))]
    now = next((item.id for item in waiting if first_before(section, item, state_of) is None), "")
    later = (item for item in section.leaves() if state_of(item) is ItemState.TODO and item.id != now)
    return Turn(now, frozenset(item.id for item in later if first_before(section, item, state_of) is not None))


def in_turn(section: Section, item: Item, state_of: Callable[[Item], ItemState]) -> bool:
    """Whether an open line of a read-do section may be done now: the one whose turn it is, or an optional one."""
    if section.mode is not Mode.READ_DO or item.items or state_of(item).settled:
        return False
    return first_before(section, item, state_of) is None


def following(section: Section, item: Item, state_of: Callable[[Item], ItemState]) -> str:
    """The line to go to when one has been dealt with: the next open one, also an optional one; "" for none."""
    leaves = list(section.leaves())
    at = next((number for number, other in enumerate(leaves) if other.id == item.id), len(leaves))
    return next((other.id for other in leaves[at + 1 :] if in_turn(section, other, state_of)), "")
