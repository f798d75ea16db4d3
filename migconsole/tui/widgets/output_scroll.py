"""The part of the output view that draws, follows and scrolls.

It scrolls by itself instead of through a virtual size: setting a virtual size lays the whole screen out again, twenty
times a second, and in a file of millions of wrapped lines nobody knows how many rows there are.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Spacing
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollDown, ScrollTo, ScrollUp
from textual.strip import Strip

from migconsole.domain.text import sanitise_line
from migconsole.engine.ports import Output
from migconsole.tui.widgets.output_colours import Colours
from migconsole.tui.widgets.output_paint import GUTTER, TIME, Painter, clock, match_marks
from migconsole.tui.widgets.output_search import Listing, Query
from migconsole.tui.widgets.output_text import Mark
from migconsole.tui.widgets.output_window import Row, Window

TICK = 1 / 20
"""Seconds between looks at the file, and so between repaints: nobody reads faster."""

_BUDGET = 0.012
_WHEEL = 3
_SIDEWAYS = 8
_NONE = Spacing()


class OutputScroll(ScrollView, can_focus=True):
    """A window on an ``Output`` that follows its end until the reader goes up, and again from ``end`` on."""

    DEFAULT_CSS = """
    OutputScroll {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
    }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "line_up", "Up", show=False, id="output.up"),
        Binding("down,j", "line_down", "Down", show=False, id="output.down"),
        Binding("pageup", "page_up", "Page up", show=False, id="output.page_up"),
        Binding("pagedown", "page_down", "Page down", show=False, id="output.page_down"),
        Binding("home,g", "home", "First line", show=False, id="output.home"),
        Binding("end,G", "follow", "End, and follow", show=False, id="output.end"),
        Binding("left", "left", "Left", show=False, id="output.left"),
        Binding("right", "right", "Right", show=False, id="output.right"),
    ]

    class Followed(Message, namespace="output_view"):
        """The view is at the end and stays there."""

    class Unfollowed(Message, namespace="output_view"):
        """The reader went up; new lines no longer move the view."""

    class Status(Message, namespace="output_view"):
        """Something to say: what a search found, what was copied, what happened to the file."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.output: Output | None = None
        self.title = ""
        self.following = True
        self.unseen = 0
        """Lines that arrived since the reader left the end."""
        self.sought: Query | None = None
        self.current: int | None = None
        """The number of the line that a search or a jump led to."""
        self.timestamps = False
        self.wrap = True
        self.window = Window()
        self._generation = 0
        self._note = ""
        self._frame: list[Row] | None = None
        self._painter: Painter | None = None
        self._painting = False

    # -- following ------------------------------------------------------------------------------------------------

    def show(self, output: Output | None, title: str = "") -> None:
        """Show another output from its end, or nothing. Whoever opened an output closes it."""
        self.output, self.title = output, sanitise_line(title)
        self.sought = self.current = None
        self._note = ""
        self.window.store.clear()
        self.window.left = 0
        self.window.listing = None
        if output is not None:
            output.grow(_BUDGET)
            self._list(None)
        self.follow()

    def follow(self) -> None:
        """Go to the end and stay there; in a file that is still being indexed the end shows at once."""
        self.following, self.unseen = True, 0
        if self.output is not None and self.filter_query is None and self.output.exact and not self.output.complete:
            self.output.seek_end()
            self._renumber()
        self._redraw()
        self.post_message(self.Followed())

    def unfollow(self) -> None:
        """Stay where we are, whatever arrives."""
        if self.following and self.output is not None:
            self.following, self.unseen = False, 0
            self._redraw()
            self.post_message(self.Unfollowed())

    @property
    def filter_query(self) -> Query | None:
        """The filter in force."""
        listing = self.window.listing
        return None if listing is None else listing.query

    def _list(self, query: Query | None) -> None:
        """List all lines, or those that match, from scratch."""
        assert self.output is not None
        self._generation = self.output.generation
        self.window.listing = Listing(self.output, query)
        self.window.top = (0, 0)

    def _renumber(self) -> None:
        """Line numbers changed their meaning: what is known by number moves with them, or is forgotten."""
        output = self.output
        if output is None or output.generation == self._generation:
            return
        moved, query = output.moved, self.filter_query
        top, current = self.window.top, self.current
        if self.text_selection is not None:
            self.screen.clear_selection()
        self._list(query)
        self.current = None
        if moved is not None and query is None:
            self.window.top = (top[0] + moved, top[1])
            self.current = None if current is None else current + moved

    def on_mount(self) -> None:
        """Begin to look at the file."""
        self.set_interval(TICK, self._tick)

    def _tick(self) -> None:
        """Take in what arrived and draw it, as little as will do."""
        output, listing = self.output, self.window.listing
        if output is None or listing is None:
            return
        lines, whole = len(output), output.complete or not output.exact
        changed = output.grow(_BUDGET)
        if output.generation != self._generation:
            self._renumber()
        elif whole and not self.following and listing.query is None:
            self.unseen += max(0, len(output) - lines)
        if output.note != self._note:
            self._note = output.note
            self._say(self._note)
        if changed:
            self._arrived()

    def _arrived(self) -> None:
        if self.following or self._frame is None or len(self._frame) < self.window.height:
            self._redraw()
        else:
            self._update_scrollbar()
            self.refresh(Region(0, self.window.height, self.size.width, 1))

    def _say(self, text: str) -> None:
        self.post_message(self.Status(sanitise_line(text)))

    # -- scrolling ------------------------------------------------------------------------------------------------

    def action_line_up(self) -> None:
        """One row up; leaves the end."""
        self._move(-1)

    def action_line_down(self) -> None:
        """One row down."""
        self._move(1)

    def action_page_up(self) -> None:
        """A page up, one row kept; leaves the end."""
        self._move(-1, pages=True)

    def action_page_down(self) -> None:
        """A page down, one row kept."""
        self._move(1, pages=True)

    def action_home(self) -> None:
        """The first line; leaves the end."""
        if self.output is not None:
            self.unfollow()
            self._count_from_start()
            self.window.top = (0, 0)
            self._redraw()

    def action_follow(self) -> None:
        """The end, and stay there."""
        self.follow()

    def action_left(self) -> None:
        """Some columns to the left, where lines are not wrapped."""
        self._sideways(-_SIDEWAYS)

    def action_right(self) -> None:
        """Some columns to the right."""
        self._sideways(_SIDEWAYS)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel scrolls rows."""
        self._taken(event)
        self._move(-_WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel scrolls rows."""
        self._taken(event)
        self._move(_WHEEL)

    def on_scroll_to(self, message: ScrollTo) -> None:
        """The scrollbar was dragged."""
        self._taken(message)
        if message.y is not None:
            line = int(message.y / self.window.scale)
            self.unfollow()
            self.window.top = (max(0, min(line, len(self.window) - 1)), 0)
            self.window.clamp()
            self._redraw()

    def on_scroll_up(self, message: ScrollUp) -> None:
        """A click above the scrollbar's thumb."""
        self._taken(message)
        self.action_page_up()

    def on_scroll_down(self, message: ScrollDown) -> None:
        """A click below it."""
        self._taken(message)
        self.action_page_down()

    def on_click(self, event: events.Click) -> None:
        """A click on the bar goes to the end."""
        if not self.following and event.widget is self and event.y == self.window.height:
            self.follow()

    @staticmethod
    def _taken(message: Message) -> None:
        message.prevent_default()
        message.stop()

    def _move(self, steps: int, *, pages: bool = False) -> None:
        if self.output is None or (self.following and steps > 0):
            return
        self.unfollow()
        self.window.move(steps * (max(1, self.window.height - 1) if pages else 1))
        self._redraw()

    def _sideways(self, columns: int) -> None:
        if not self.wrap:
            self.window.left = max(0, self.window.left + columns)
            self._redraw()

    def _count_from_start(self) -> None:
        if self.output is not None:
            self.output.seek_start()
            self._renumber()

    # -- drawing --------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Wrap anew, keeping the place."""
        self._redraw()

    def notify_style_update(self) -> None:
        """The theme may have changed: colours are made anew."""
        super().notify_style_update()
        self._painter = None

    def _redraw(self) -> None:
        """Everything in sight may be different."""
        size = self.scrollable_content_region.size
        width = size.width - GUTTER - (TIME if self.timestamps else 0)
        height = size.height - bool(self._bar_text())
        window = self.window
        if (window.width, window.height, window.wrap) != (max(1, width), max(1, height), self.wrap):
            window.reshape(width, height, wrap=self.wrap)
        window.refresh()
        if self.following:
            window.top = window.end()
        self._frame = None
        self._update_scrollbar()
        self.refresh()

    def _update_scrollbar(self) -> None:
        if not self.show_vertical_scrollbar:
            return
        bar, window = self.vertical_scrollbar, self.window
        scale = window.scale
        bar.window_size, bar.window_virtual_size = window.height, window.height + round(window.hidden * scale)
        bar.position = round((window.hidden if self.following else window.top[0]) * scale)

    def _bar_text(self) -> str:
        """What the bottom row says; "" while there is nothing to say and the row belongs to the output."""
        output = self.output
        if output is None:
            return ""
        parts = []
        if not self.following:
            parts.append(self._place())
        listing = self.window.listing
        if listing is not None and listing.query is not None:
            so_far = "" if listing.settled else " so far"
            parts.append(f"{len(listing):,} of {len(output):,} lines match {listing.query}{so_far}")
        if not output.complete:
            indexed = f"indexing {100 * output.size // max(1, output.total)} %"
            parts.append(indexed if output.exact else f"{indexed}, earlier lines and line numbers follow")
        if self.window.left:
            parts.append(f"from column {self.window.left + 1}")
        if output.note:
            parts.append(output.note)
        return sanitise_line(" · ".join(parts))

    def _place(self) -> str:
        first = self.window.top[0]
        count = f"{len(self.window):,} lines" if self.output is not None and self.output.exact else "the last lines"
        return f"line {first + 1:,} of {count}" if len(self.window) else "no lines"

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw for the screen; ``render_line`` called from elsewhere is a mouse that asks which character it is on."""
        self._painting = True
        try:
            if self.styles.gutter != _NONE or self.styles.has_any_rules("outline", "tint", "opacity", "hatch"):
                return super().render_lines(crop)
            # Without a frame around them rows need none of the box model, which costs more than drawing them.
            strips = [self.render_line(y) for y in crop.line_range]
        finally:
            self._painting = False
        ground = self.background_colors[1]
        for line_filter in self.get_line_filters():
            strips = [strip.apply_filter(line_filter, ground) for strip in strips]
        return [strip.crop_extend(*crop.column_span, None) for strip in strips]

    def render_line(self, y: int) -> Strip:
        """One row of the view."""
        painter = self._painter
        width = self.scrollable_content_region.width
        if painter is None or painter.width != width:
            colours = Colours(self.app.theme_variables, self.rich_style)
            painter = self._painter = Painter(colours, width)
        if self._frame is None:
            self._frame = self.window.rows()
        if y < len(self._frame) and y < self.window.height:
            return self._draw(painter, self._frame[y])
        if y == self.window.height:
            call = ""
            if not self.following:
                call = (
                    f"{self.unseen:,} new line{'s' * (self.unseen != 1)}, press End" if self.unseen else "End follows"
                )
            return painter.bar(self._bar_text(), call)
        if y == 0:
            return painter.text(self._emptiness())
        return painter.blank()

    def _draw(self, painter: Painter, row: Row) -> Strip:
        assert self.output is not None
        marks: list[Mark] = []
        if self.sought is not None:
            marks = match_marks(row, self.sought, painter.colours.match)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(row.number)) is not None:
            start, end = span
            marks.append((start, len(row.line.text) if end < 0 else end, painter.colours.selection))
        time = None
        if self.timestamps:
            time = clock(self.output.time(row.number)) if not self.wrap or row.start == 0 else ""
        return painter.row(
            row,
            stderr=self.output.is_stderr(row.number),
            current=row.number == self.current,
            time=time,
            marks=marks,
            offsets=not self._painting,
            more=not self.wrap and row.line.columns > self.window.left + self.window.width,
        )

    def _emptiness(self) -> str:
        if self.output is None:
            return "Nothing has run here yet."
        if self.filter_query is not None:
            return "No line matches the filter."
        return "No output yet."
