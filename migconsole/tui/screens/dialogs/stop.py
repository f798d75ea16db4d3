"""Stopping a command: the ladder with what was sent, what comes next and when, the last rungs only on a yes."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Static

from migconsole.domain.checklist import Danger
from migconsole.domain.policy import Command
from migconsole.domain.text import sanitise_line
from migconsole.engine.ports import StopRung
from migconsole.engine.session import Session
from migconsole.tui.bridge import RunChanged, Tick
from migconsole.tui.format import Clock
from migconsole.tui.lines import hang
from migconsole.tui.screens.dialogs.base import Dialog

MEANING = {
    StopRung.INTERRUPT: "asks the command to stop; psql and libpq tools cancel their statement",
    StopRung.CANCEL_BACKEND: "asks the server to cancel what this attempt runs",
    StopRung.TERMINATE: "ends the processes; a statement may go on in the server",
    StopRung.KILL: "kills the processes; nothing can clean up",
}


class StopDialog(Dialog[bool]):
    """Stays open while the ladder is walked. Closing it stops nothing and leaves what was sent as sent."""

    def __init__(self, session: Session, item_id: str, clock: Clock) -> None:
        title = sanitise_line(session.located(item_id).item.title, 60)
        super().__init__(f"Stop “{title}”?", "", clock, danger=True)
        self.add_class("wide")
        self._session, self._item = session, item_id
        last = session.run.record(item_id).last
        self._outlived = last is not None and not last.running
        self._busy = False
        self._failure = ""

    def answers(self) -> ComposeResult:
        """Only a way back; each rung is a key."""
        yield Button("Close", id="cancel", classes="default", compact=True)

    def on_mount(self) -> None:
        """Draw the ladder."""
        super().on_mount()
        self._draw()

    def on_run_changed(self, message: RunChanged) -> None:
        """A rung was sent, or the command ended."""
        last = self._session.run.record(self._item).last
        if last is None or not last.running:
            # What outlived the command has no end that would be recorded: that dialog stays until it is closed.
            if last is None or not self._outlived:
                self.dismiss(True)
            else:
                self._draw()
        else:
            self._draw()

    def on_tick(self, message: Tick) -> None:
        """The countdown."""
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """The next rung."""
        if event.key == "y":
            event.stop()
            if self.takes("y") and not self._busy and not self._refusal():
                self._busy = True
                self.run_worker(self._send(), group="stop", description="next rung", exit_on_error=False)

    async def _send(self) -> None:
        try:
            state = self._session.stop_state(self._item)
            await self._session.stop(self._item, yes=state is not None and state.asks)
            self._failure = ""
        except Exception as error:  # the ladder must stay usable whatever one rung met
            self._failure = sanitise_line(str(error), 400)
        finally:
            self._busy = False
            self.guard.open()
        if self.is_attached:
            self._draw()

    def on_button_pressed(self) -> None:
        """Close."""
        self.dismiss(None)

    def _refusal(self) -> str:
        """Why it cannot be stopped any more: a rollback that runs passes its point of no return while one looks."""
        verdict = self._session.verdict(self._item, Command.STOP)
        return "" if verdict.allowed else verdict.reason

    def _draw(self) -> None:
        if refusal := self._refusal():
            self.update_body(Content.assemble((f"It cannot be cancelled any more: {refusal}.", "bold $danger")))
            self.query_one("#dialog-keys", Static).update(Content("enter or esc closes; it goes on"))
            return
        state = self._session.stop_state(self._item)
        sent = state.sent if state else ()
        following = (state.next_rung if state else StopRung.INTERRUPT) or None
        last = self._session.run.record(self._item).last
        texts: list[tuple[str, str]] = []
        if last is not None and last.danger != Danger.READ:
            texts.append(
                (
                    "It changes the target: what it did until now stays unless its own transaction ends it.\n\n",
                    "$caution",
                )
            )
        for rung in StopRung:
            mark, style = ("✔ sent   ", "$good") if rung.value in sent else ("  ", "$muted")
            if rung is following and rung.value not in sent:
                mark, style = ("▸ next   ", "bold")
            label = (f"{mark:<9}{rung.value:<18}", style)
            texts += [*hang(label, MEANING[rung], "$muted", self.text_width), ("\n", "")]
        if state is not None and state.message:
            texts.append((f"\n{sanitise_line(state.message, 400)}", "$caution"))
        if state is not None and state.next_at is not None and following is not None:
            left = max(0.0, state.next_at - self.clock.monotonic())
            texts.append((f"\n{following.value} {_when(state.asks, left)}", "bold"))
        if self._failure:
            texts.append((f"\n{self._failure}", "bold $danger"))
        self.update_body(Content.assemble(*texts))
        word = "stops it" if not sent else f"sends {following.value}" if following else ""
        keys = Content.assemble(("y", "bold $accent"), f" {word} · ") if word else Content("every rung was used · ")
        self.query_one("#dialog-keys", Static).update(keys + Content("enter or esc closes; the command goes on"))


def _when(asks: bool, left: float) -> str:
    """How the next rung comes: the seconds are the time the last one needs, which `y` may cut short.

    >>> _when(True, 7), _when(True, 0), _when(False, 3)
    ('may be sent (y); give it 7 s first', 'may be sent now (y)', 'follows by itself in 3 s')
    """
    if asks:
        return f"may be sent (y); give it {left:.0f} s first" if left else "may be sent now (y)"
    return f"follows by itself in {left:.0f} s" if left else "follows by itself now"
