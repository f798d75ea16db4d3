"""The item pane: a scrollable description of what is under the cursor."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from migconsole.domain.checklist import Item
from migconsole.engine.session import Session
from migconsole.tui.item_text import describe


class ItemPane(VerticalScroll, can_focus=True):
    """Drawn again whenever the run changes; the scroll position belongs to the reader."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown = ""

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(id="item-text", markup=False)

    def show(self, session: Session, item: Item | None, alternative: int, heading: str = "") -> None:
        """Describe an item, or say what the line is when it is none."""
        content = Content(heading) if item is None else describe(session, item, alternative)
        self.query_one("#item-text", Static).update(content)
        key = item.id if item else heading
        if key != self._shown:
            self._shown = key
            self.scroll_home(animate=False)
