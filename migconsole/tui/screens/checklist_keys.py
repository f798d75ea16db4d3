"""What the keys do in the checklist pane: moving, folding, jumping, filtering."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen

from migconsole.domain.checklist import Item
from migconsole.domain.policy import Command
from migconsole.domain.text import sanitise_line
from migconsole.engine.session import Session
from migconsole.tui.rows import matcher
from migconsole.tui.screens.dialogs.bar import LineBar
from migconsole.tui.widgets.checklist_tree import ChecklistTree
from migconsole.tui.widgets.status_bar import StatusBar


class ChecklistKeys(Screen[None]):
    """One half of the main screen; the screen itself supplies the parts."""

    session: Session
    filter_text = ""

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

    def command_next_actionable(self) -> None:
        """Next item that can be done now."""
        self.jump_actionable()

    def jump_actionable(self, from_start: bool = False) -> None:
        """To the next line on which running, attesting or answering is possible."""
        self._seek(1, self._actionable, "" if from_start else self._nothing_else(), from_start)

    def _nothing_else(self) -> str:
        row = self.steps.cursor
        if row is not None and row.item is not None and self._actionable(row.item):
            return "this is the only thing that can be done now"
        items = [located.item for located in self.session.checklist.walk()]
        left = [item for item in items if not item.items and not self.session.run.state_of(item).done]
        if not left:
            return "nothing is left to do"
        waits = f"{len(left)} item{'s' if len(left) > 1 else ''} left"
        return f"nothing can be done right now: {waits}, next “{sanitise_line(left[0].title, 60)}”"

    def _actionable(self, item: Item) -> bool:
        if item.items or self.session.run.state_of(item).done:
            return False
        commands = (Command.RUN, Command.ATTEST, Command.ANSWER)
        return any(self.session.verdict(item.id, command, self.alternative(item)).allowed for command in commands)

    def _seek(self, step: int, wanted: Callable[[Item], bool], otherwise: str, from_start: bool = False) -> None:
        items = self.steps.item_order()
        ids = [item.id for item in items]
        row = self.steps.cursor
        at = -1 if step > 0 else len(ids)
        if row is not None and not from_start:
            below = self.steps.following()
            at = ids.index(row.key) if row.key in ids else ids.index(below) - (step > 0) if below in ids else at
        ring = [*items[at + 1 :], *items[: max(0, at)]] if step > 0 else [*items[:at][::-1], *items[at + 1 :][::-1]]
        forward = {located.item.id for located in self.session.checklist.walk()}
        shown = (i for i in ring if not i.items and i.id in forward and self.steps.shows(i.id))
        found = next((i for i in shown if wanted(i)), None)
        if found is not None:
            self.steps.go(found.id)
        elif otherwise:
            self.status.hint(otherwise)

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
