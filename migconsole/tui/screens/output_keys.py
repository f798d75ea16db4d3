"""What the keys do in the output pane: searching, filtering, jumping, choosing an attempt."""

from __future__ import annotations

from textual.screen import Screen

from migconsole.engine.session import Session
from migconsole.tui.commands import Context
from migconsole.tui.screens.dialogs.bar import LineBar
from migconsole.tui.widgets.attempts_pane import OutputPane
from migconsole.tui.widgets.status_bar import StatusBar


class OutputKeys(Screen[None]):
    """One half of the main screen; the screen itself supplies the parts."""

    session: Session
    search_text = ""

    @property
    def output(self) -> OutputPane:
        """The output pane."""
        return self.query_one("#output", OutputPane)

    def context(self) -> Context:
        """What is shown, and what is under the cursor."""
        raise NotImplementedError

    def command_search(self) -> None:
        """Search while typing."""

        def live(text: str) -> str:
            self.search_text = text
            self.output.view.search(text)
            return ""

        self.app.push_screen(LineBar("search", self.search_text, "text or regular expression", live))

    def command_filter_output(self) -> None:
        """Show matching lines only."""

        def live(text: str) -> str:
            self.output.view.filter(text)
            return ""

        self.app.push_screen(LineBar("lines with", "", "text or regular expression; empty shows all", live))

    def command_next_match(self) -> None:
        """Next match."""
        self.output.view.next_match(1)

    def command_previous_match(self) -> None:
        """Previous match."""
        self.output.view.next_match(-1)

    def command_output_problem(self) -> None:
        """Next error or warning."""
        self.output.view.next_problem(1)

    def command_output_problem_back(self) -> None:
        """Previous error or warning."""
        self.output.view.next_problem(-1)

    def command_follow(self) -> None:
        """Stay at the end."""
        self.output.view.follow()

    def command_wrap(self) -> None:
        """Wrap long lines."""
        self.output.view.toggle_wrap()

    def command_timestamps(self) -> None:
        """Show when lines came."""
        self.output.view.toggle_timestamps()

    def command_next_tab(self) -> None:
        """Next open output."""
        self.output.step_tab(1)

    def command_previous_tab(self) -> None:
        """Previous open output."""
        self.output.step_tab(-1)

    def command_previous_attempt(self) -> None:
        """The attempt before the one shown."""
        self._step_attempt(-1)

    def command_next_attempt(self) -> None:
        """The attempt after the one shown."""
        self._step_attempt(1)

    def _step_attempt(self, step: int) -> None:
        item = self.context().read
        if not item:
            return
        numbers = [attempt.number for attempt in self.session.run.record(item).attempts]
        current = self.output.current
        at = numbers.index(current[1]) if current and current[0] == item and current[1] in numbers else len(numbers) - 1
        wanted = at + step
        if 0 <= wanted < len(numbers):
            self.output.show(item, numbers[wanted])
        else:
            self.query_one("#status", StatusBar).hint("no later attempt" if step > 0 else "no earlier attempt")
