"""The item pane: a scrollable description of what is under the cursor."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from migconsole.domain.checklist import Item
from migconsole.engine.session import Session
from migconsole.tui.commands import BY_ID, Scope, bindings
from migconsole.tui.item_text import describe


class ItemPane(VerticalScroll, can_focus=True):
    """Drawn again whenever the run changes; the scroll position belongs to the reader.

    What the checklist's keys do to an item they do here too; the ones that move are left to scrolling.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        key for key in bindings(Scope.TREE) if isinstance(key, Binding) and BY_ID[key.id or ""].group == "Item"
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown = ""
        self._about: tuple[Session, Item | None, int, str] | None = None

    def compose(self) -> ComposeResult:
        """One text."""
        yield Static(id="item-text", markup=False)

    def show(self, session: Session, item: Item | None, alternative: int, heading: str = "") -> None:
        """Describe an item, or say what the line is when it is none."""
        self._about = (session, item, alternative, heading)
        self._draw()
        key = item.id if item else heading
        if key != self._shown:
            self._shown = key
            self.scroll_home(animate=False)

    def on_resize(self) -> None:
        """What hangs under a label is wrapped for the width there is."""
        self._draw()

    def _draw(self) -> None:
        if self._about is None:
            return
        session, item, alternative, heading = self._about
        # One column is kept for the scrollbar, so that its coming and going does not wrap anything anew.
        width = max(20, self.content_size.width - 1)
        content = Content(heading) if item is None else describe(session, item, alternative, width)
        self.query_one("#item-text", Static).update(content)
