"""The output view: a window on a job's output file that follows it, searches it and never holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from textual.selection import Selection
from textual.worker import WorkType

from migconsole.domain.problems import Level, hints_for, pattern_for
from migconsole.engine.patience import TooSlowError
from migconsole.engine.ports import Output
from migconsole.tui.widgets import output_copy
from migconsole.tui.widgets.output_copy import Copy
from migconsole.tui.widgets.output_scroll import OutputScroll
from migconsole.tui.widgets.output_search import Listing, Query, Scan, hunt, make_query, until

_PROBLEMS = (Level.ERROR, Level.WARNING)
_ALL = Selection(None, None)


class OutputView(OutputScroll):
    """Shows an ``Output``: follows, searches, filters, jumps to problems, copies.

    Searching runs in slices beside the screen; a new search, another output or ``stop_searching`` ends it.
    """

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._grew = asyncio.Event()

    # -- search ---------------------------------------------------------------------------------------------------

    def search(self, pattern: str) -> None:
        """Go to the first match from here on and mark all in sight; an empty pattern ends the search.

        The pattern is a regular expression, or plain text where it is not a valid one; small letters match both cases.
        """
        self.stop_searching()
        self.sought = make_query(pattern) if pattern else None
        self._redraw()
        if self.sought is not None:
            self._seek(self.sought.pattern, (), self._from(1, after=False), 1, f"{self.sought}")

    def next_match(self, step: int = 1) -> None:
        """The next match, or with -1 the one before; at the end it goes on from the other end and says so."""
        if self.sought is None:
            self._say("Nothing is searched for yet")
        else:
            self._seek(self.sought.pattern, (), self._from(step), step, f"{self.sought}")

    def next_problem(self, step: int = 1) -> None:
        """The next line that reports an error or a warning, or with -1 the one before."""
        self._seek(pattern_for(*_PROBLEMS), hints_for(*_PROBLEMS), self._from(step), step, "error or warning")

    def stop_searching(self) -> None:
        """End a search that is under way."""
        self.workers.cancel_group(self, "output-search")

    def _from(self, step: int, *, after: bool = True) -> int:
        """The line at which a search begins: beside the last hit while that is in sight, else at what is in sight."""
        rows = self.window.rows()
        if self.current is not None and any(row.number == self.current for row in rows):
            return self.current + step if after else self.current
        if not rows:
            return 0
        if step > 0:
            return rows[0].number
        return rows[-1].number if self.following else rows[0].number - 1

    def _seek(self, pattern: bytes, hints: Sequence[bytes], start: int, step: int, what: str) -> None:
        output = self.output
        if output is None:
            return
        back = step < 0
        last = len(output) - 1
        onward = output.scan(pattern, start, backwards=back, hints=hints) if 0 <= start <= last else iter(())
        around = until(
            output.scan(pattern, last if back else 0, backwards=back, hints=hints),
            (lambda hit: hit <= start) if back else (lambda hit: hit >= start),
        )
        self._work(partial(self._hunt, output, [onward, around], step, what), "output-search")

    async def _hunt(self, output: Output, scans: list[Scan], step: int, what: str) -> None:
        generation = output.generation
        listing = self.window.listing
        assert listing is not None
        try:
            found, place = await hunt(scans, listing.lists, lambda t: self._say(f"searching {what} … {t:.0f} s"))
        except TooSlowError as error:
            self._say(f"{what}: {error.title.lower()}. {error.remedy}")
            return
        if output is not self.output or output.generation != generation:
            self._say(f"{what}: the file changed meanwhile, search again")
        elif found is None:
            where = "" if output.exact else f" in the last {len(output):,} lines, the rest is being indexed"
            self._say(f"{what}: no match{where}")
        else:
            seen = self._go(found)
            parts = [f"{what}: line {found + 1:,}" if output.exact else what]
            if place:
                parts.append("went on from the end" if step < 0 else "went on from the top")
            if not seen:
                parts.append("in a part of the line that is not shown")
            self._say(" · ".join(parts))

    def _go(self, number: int) -> bool:
        """Bring a line into sight, at the match where it has one; False when the match lies where the line is cut."""
        assert self.window.listing is not None
        self.unfollow()
        self.current = number
        index = self.window.listing.index(number)
        line = self.window.line(index)
        column = None if self.sought is None else self.sought.first(line.text)
        self.window.reveal(index, column or 0)
        self._redraw()
        return self.sought is None or column is not None or not line.cut

    # -- filter ---------------------------------------------------------------------------------------------------

    def filter(self, pattern: str | None) -> None:
        """List only the lines that match, as ``search`` understands patterns; None or "" lists all again."""
        if self.output is None or (not pattern and self.filter_query is None):
            return
        rows = self.window.rows()
        place = rows[0].number if rows and self.output.exact else 0
        query = make_query(pattern) if pattern else None
        self.workers.cancel_group(self, "output-filter")
        if query is not None:
            self._count_from_start()
        self._list(query)
        self.unseen = 0
        if query is None and not self.following:
            self.window.top = (min(place, max(0, len(self.window) - 1)), 0)
            self.window.clamp()
        self._redraw()

    def _list(self, query: Query | None) -> None:
        super()._list(query)
        listing = self.window.listing
        if query is not None and listing is not None:
            self._work(partial(self._sift, listing), "output-filter")

    async def _sift(self, listing: Listing) -> None:
        """Filter what is there, then what arrives, for as long as the filter stands."""
        while listing is self.window.listing:
            if listing.caught_up:
                await self._grew.wait()
            self._grew.clear()
            rows, settled = len(listing), listing.settled
            try:
                listing.sift()
            except TooSlowError as error:
                self._say(f"{listing.query}: {error.title.lower()}; all lines are shown. {error.remedy}")
                self.filter(None)
                return
            if settled and not self.following:
                self.unseen += max(0, len(listing) - rows)
            await asyncio.sleep(0)

    def _tick(self) -> None:
        listing = self.window.listing
        rows = self._rows_drawn
        super()._tick()
        self._grew.set()
        if listing is not None and listing.query is not None and len(listing) != rows:
            self._rows_drawn = len(listing)
            self._arrived()

    # -- wrap and times -------------------------------------------------------------------------------------------

    def toggle_wrap(self) -> None:
        """Wrap long lines, or cut them at the right edge and scroll sideways."""
        self.wrap = not self.wrap
        self._redraw()
        self._say("Long lines are wrapped" if self.wrap else "Long lines go on to the right (arrow keys)")

    def toggle_timestamps(self) -> None:
        """Show when each line came, where the job kept that."""
        if not self.timestamps and (self.output is None or not self.output.has_times):
            self._say("No times were kept for this output")
            return
        self.timestamps = not self.timestamps
        self._redraw()
        self._say("Times are UTC" if self.timestamps else "Times are hidden")

    # -- copy -----------------------------------------------------------------------------------------------------

    def copy(self) -> None:
        """Copy the selection, or the whole output where nothing is selected."""
        self._copy(output_copy.selected(self.window, self.text_selection or _ALL))

    def copy_line(self) -> None:
        """Copy the line that a search or a jump led to, else the first one in sight."""
        if self.window.listing is not None and len(self.window):
            number = self.window.listing.number(self.window.top[0]) if self.current is None else self.current
            line = self.window.line(self.window.listing.index(number))
            self._copy(Copy(line.text + line.note, number, number))

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text for the screen's own copying; too much of it is replaced by where it can be found."""
        copy = output_copy.selected(self.window, selection)
        if copy is None:
            return None
        return (f"(too much to copy: {self._where(copy)})" if copy.text is None else copy.text), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw the selection."""
        self._redraw()

    def _copy(self, copy: Copy | None) -> None:
        if copy is None:
            self._say("There is nothing to copy")
        elif copy.text is None:
            self._say(f"Too much for the clipboard: {self._where(copy)}")
        else:
            self.app.copy_to_clipboard(copy.text)
            count = "1 line" if copy.lines == 1 else f"{copy.lines:,} lines"
            self._say(f"Copied {count}; if the terminal refuses: {self._where(copy)}")

    def _where(self, copy: Copy) -> str:
        assert self.output is not None
        lines = f"line {copy.first + 1:,}" if copy.lines == 1 else f"lines {copy.first + 1:,} to {copy.last + 1:,}"
        return f"{lines} of {self.output.path}" if self.output.exact else f"the end of {self.output.path}"

    def show(self, output: Output | None, title: str = "") -> None:
        """Show another output from its end, or nothing. Whoever opened an output closes it."""
        self.workers.cancel_node(self)
        self._rows_drawn = 0
        super().show(output, title)

    _rows_drawn = 0

    def _work(self, work: WorkType[None], group: str) -> None:
        self.run_worker(work, group=group, description=group, exclusive=True, exit_on_error=False)
