"""What the keys do in the checklist pane: moving, folding, jumping, filtering."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen

from migconsole.domain.checklist import Item
from migconsole.domain.policy import Command
from migconsole.domain.sections import following, in_turn
from migconsole.domain.text import sanitise_line
from migconsole.engine.session import Session
from migconsole.tui.format import Clock
from migconsole.tui.guard import DEAD
from migconsole.tui.rows import matcher
from migconsole.tui.screens.dialogs.bar import LineBar
from migconsole.tui.widgets.checklist_tree import ChecklistTree
from migconsole.tui.widgets.status_bar import StatusBar

_DOING = (Command.RUN, Command.ATTEST, Command.ANSWER)
_PAST_A_PROBLEM = (*_DOING, Command.ACCEPT, Command.FORCE)

ON_THE_LINE = frozenset(
    {"run", "attest", "answer", "accept", "skip", "exclude", "defer", "force", "reopen", "override", "open"}
    | {"next_actionable"}
)
"""Commands that mean the line under the cursor: not taken when the cursor has just gone on by itself."""

MOVED = "the cursor has just gone on to this line by itself: look, then press again"


class ChecklistKeys(Screen[None]):
    """One half of the main screen; the screen itself supplies the parts."""

    session: Session
    clock: Clock
    filter_text = ""

    def __init__(self) -> None:
        super().__init__()
        self._failures_seen: set[tuple[str, str]] = set()
        self._in_turn = ""
        self._followed = float("-inf")

    @property
    def steps(self) -> ChecklistTree:
        """The checklist pane."""
        return self.query_one("#tree", ChecklistTree)

    @property
    def status(self) -> StatusBar:
        """The status row."""
        return self.query_one("#status", StatusBar)

    def alternative(self, item: Item) -> int:
        """The way of doing an item that stands now."""
        raise NotImplementedError

    def describe(self) -> None:
        """Draw what depends on the line under the cursor."""
        raise NotImplementedError

    def command_down(self) -> None:
        """Next line."""
        self.steps.move(1)

    def command_up(self) -> None:
        """Previous line."""
        self.steps.move(-1)

    def command_page_down(self) -> None:
        """One page down."""
        self.steps.move(max(1, self.steps.size.height - 1))

    def command_page_up(self) -> None:
        """One page up."""
        self.steps.move(-max(1, self.steps.size.height - 1))

    def command_top(self) -> None:
        """First line."""
        self.steps.move(-len(self.steps.rows))

    def command_bottom(self) -> None:
        """Last line."""
        self.steps.move(len(self.steps.rows))

    def command_fold(self) -> None:
        """Fold, or go to the heading."""
        self.steps.fold(True)

    def command_unfold(self) -> None:
        """Unfold."""
        self.steps.fold(False)

    def command_next_problem(self) -> None:
        """Next failed, unknown or regressed item."""
        self._seek(1, lambda item: self.session.run.state_of(item).problem, "no failed or unknown item")

    def command_previous_problem(self) -> None:
        """The one before."""
        self._seek(-1, lambda item: self.session.run.state_of(item).problem, "no failed or unknown item")

    def _on_course(self, item: Item) -> bool:
        """Whether a line is on the way that is gone: forward, or back once a rollback was decided on."""
        back = self.session.located(item.id).phase is None
        return back == bool(self.session.run.engagement.now)

    def command_next_actionable(self) -> None:
        """Next item to act on."""
        self.jump_actionable()

    def jump_unsettled(self) -> bool:
        """To the first line that is not dealt with yet, for who may do nothing here; whether there is one."""
        state_of = self.session.run.state_of
        return self._seek(1, lambda item: self._on_course(item) and not state_of(item).settled, "", from_start=True)

    def jump_actionable(self, from_start: bool = False) -> bool:
        """To what failed, was interrupted or regressed, else to the next line that can be run, attested or answered.

        A failure comes first wherever it lies: a line that the watcher looks at can regress long after the cursor has
        passed it. Each failure is gone to once, so that one that stays does not keep the key from the lines after it.
        Whether there was anything.
        """
        if not from_start and (row := self.steps.cursor) is not None and row.item is not None:
            self._went_to(row.item)
        if self._seek(1, self._fresh_problem, "", from_start=True):
            return True
        return self._seek(1, self._actionable, "" if from_start else self._nothing_else(), from_start)

    def _went_to(self, item: Item) -> None:
        self._failures_seen.add((item.id, self.session.run.record(item.id).since))

    def _fresh_problem(self, item: Item) -> bool:
        record = self.session.run.record(item.id)
        return (
            record.state.problem
            and self._on_course(item)
            and (item.id, record.since) not in self._failures_seen
            and self._possible(item, _PAST_A_PROBLEM)
        )

    def _nothing_else(self) -> str:
        row = self.steps.cursor
        if row is not None and row.item is not None and self._actionable(row.item):
            return "this is the only thing that can be done now"
        ways = (self.session.checklist.walk(), self.session.checklist.walk_rollback())
        items = [located.item for way in ways for located in way if self._on_course(located.item)]
        left = [item for item in items if not item.items and not self.session.run.state_of(item).done]
        if not left:
            return "nothing is left to do"
        waits = f"{len(left)} item{'s' if len(left) > 1 else ''} left"
        return f"nothing can be done right now: {waits}, next “{sanitise_line(left[0].title, 60)}”"

    def _actionable(self, item: Item) -> bool:
        if item.items or self.session.run.state_of(item).done or not self._on_course(item):
            return False
        return self._possible(item, _DOING)

    def _possible(self, item: Item, commands: tuple[Command, ...]) -> bool:
        return any(self.session.verdict(item.id, command, self.alternative(item)).allowed for command in commands)

    def _seek(self, step: int, wanted: Callable[[Item], bool], otherwise: str, from_start: bool = False) -> bool:
        """Go to the next wanted line; whether there is one. ``otherwise`` is said when there is none."""
        items = self.steps.item_order()
        ids = [item.id for item in items]
        row = self.steps.cursor
        at = -1 if step > 0 else len(ids)
        if row is not None and not from_start:
            below = self.steps.following()
            at = ids.index(row.key) if row.key in ids else ids.index(below) - (step > 0) if below in ids else at
        ring = [*items[at + 1 :], *items[: max(0, at)]] if step > 0 else [*items[:at][::-1], *items[at + 1 :][::-1]]
        shown = (i for i in ring if not i.items and self.steps.shows(i.id))
        found = next((i for i in shown if wanted(i)), None)
        if found is not None:
            self.steps.go(found.id)
        elif otherwise:
            self.status.hint(otherwise)
        return found is not None

    def mark_turn(self) -> None:
        """Remember whether the cursor stands on the line of a read-do section whose turn it is."""
        item, state_of = self._leaf(), self.session.run.state_of
        now = item is not None and in_turn(self.session.located(item.id).section, item, state_of)
        self._in_turn = item.id if item is not None and now else ""

    def follow_turn(self) -> None:
        """Go on to the next line of a read-do section when the one under the cursor has been dealt with.

        Only for who drives, and only from the line whose turn it was: a cursor that looks elsewhere is left alone.
        """
        item, state_of = self._leaf(), self.session.run.state_of
        if item and item.id == self._in_turn and self.session.driving and state_of(item).settled:
            after = following(self.session.located(item.id).section, item, state_of)
            if after and self.steps.shows(after):
                self.steps.go(after)
                self._moved()
                # Counted from when it can be seen: on a busy machine that is later than when it was decided.
                self.call_after_refresh(self._moved)
        self.mark_turn()

    def _moved(self) -> None:
        self._followed = self.clock.monotonic()

    def just_moved(self, command: str) -> bool:
        """Whether a command on the line comes so soon that it was meant for the line before."""
        return command in ON_THE_LINE and self.clock.monotonic() - self._followed < DEAD

    def _leaf(self) -> Item | None:
        row = self.steps.cursor
        return row.item if row is not None and row.item is not None and not row.item.items else None

    def command_filter(self) -> None:
        """Filter while typing."""

        def live(text: str) -> str:
            try:
                match = matcher(text, self.session.actor)
            except ValueError as error:
                return str(error)
            self.filter_text = text
            self.steps.filter(match)
            self.describe()
            return ""

        self.app.push_screen(LineBar("filter", self.filter_text, "text, :failed :mine :open :sql :run", live))
