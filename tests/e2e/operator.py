"""A person at the console: presses the keys, and believes only what is in the run's journal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from migconsole.adapters import checklists
from migconsole.adapters.journal.reading import read_events
from migconsole.domain.checklist import Answer, Checklist, Item, Manual
from migconsole.domain.checklist import Run as RunAction
from migconsole.domain.items import ItemState
from migconsole.domain.run import ItemRecord, Run, fold
from tests.e2e.checklists import pause
from tests.e2e.pty import Console
from tests.waiting import wait_until

DEAD = 0.6
"""Seconds in which a dialog takes no answer (0.5), and a little: a person needs them to read it."""


class Operator:
    """Works through a run; ``state`` is the state directory with one run in it."""

    def __init__(self, console: Console, state: Path) -> None:
        self.console = console
        self._path = wait_until(lambda: next(iter(sorted(state.glob("runs/*/run.db"))), None), timeout=30).parent
        self._seen: tuple[list[tuple[int, int]], Run] | None = None
        self.checklist: Checklist = checklists.load(self._path / "checklist.yaml").checklist

    @property
    def directory(self) -> Path:
        return self._path

    def run(self) -> Run:
        """The fold of the journal, made anew only when a file of it changed: tests look a hundred times a second."""
        files = [self._path / name for name in ("run.db", "run.db-wal")]
        state = [(found.st_mtime_ns, found.st_size) for path in files if path.exists() and (found := path.stat())]
        if self._seen is None or self._seen[0] != state:
            self._seen = (state, fold(read_events(self._path / "run.db")))
        return self._seen[1]

    def record(self, item: str) -> ItemRecord:
        return self.run().record(item)

    def next_item(self) -> Item | None:
        """What the key for the next actionable item goes to."""
        run = self.run()
        for located in self.checklist.walk():
            state = run.state_of(located.item)
            if not located.item.items and not state.done and state is not ItemState.DEFERRED:
                return located.item
        return None

    def go_to(self, item: Item) -> None:
        """The key for the next item to act on, unless that is selected already: the item pane says which one is."""
        title = item.title[:50]
        titles = {located.item.title[:50] for located in self.checklist.walk()}
        shown = self.console.wait_until(lambda: (now := self._shown())[:50] in titles and now, 20, "no item is shown")
        for attempt in range(8):
            with contextlib.suppress(AssertionError):
                wait_until(lambda: self._shown().startswith(title), DEAD)
                # The cursor may have gone there by itself, and then no key counts at first; or be on its way further.
                pause()
                if self._shown().startswith(title):
                    return
            shown = self._shown()
            if attempt == 1:
                self.console.press("g")  # past it: from the top it is the first that is to be done
            self.console.press(".")
            with contextlib.suppress(AssertionError):
                wait_until(lambda before=shown: self._moved(before), 15)  # type: ignore[misc]
        raise AssertionError(f"“{title}” was not selected, but “{shown}”")

    def _moved(self, before: str) -> bool:
        """Whether a key has had its effect: another line is shown, or it is said why it had none."""
        now = self._shown()
        return bool(now and now != before) or any(words in self.console.text for words in ("press again", "only thing"))

    def _shown(self) -> str:
        """The title in the item pane."""
        lines = self.console.screen()
        top = next((row for row, line in enumerate(lines) if "─ Item ─" in line), None)
        return "" if top is None else lines[top + 1].rpartition("││")[2].strip(" │")

    def do(self, item: Item) -> ItemRecord:
        """Carry out the selected item in the way that its kind asks for."""
        record = self._do(item)
        # The journal knows a moment before the screen does; a person goes on from what the screen shows.
        self.console.wait_until(lambda: not self._open(item), 20, f"the screen does not show the end of {item.id}")
        return record

    def _do(self, item: Item) -> ItemRecord:
        action = item.steps[0].step.action
        if isinstance(action, Answer):
            return self.answer(item.id, action)
        if isinstance(action, Manual) or self._hook_without_command(item):
            return self.attest(item.id)
        return self.carry_out(item.id)

    def _open(self, item: Item) -> bool:
        """Whether the item pane shows an item that is still to be done."""
        lines = self.console.screen()
        top = next((row for row, line in enumerate(lines) if "─ Item ─" in line), len(lines))
        pane = [line.rpartition("││")[2].strip(" │") for line in lines[top + 1 : top + 4]]
        return self._shown().startswith(item.title[:50]) and any(line.startswith(("□ todo", "◐ ")) for line in pane)

    def _hook_without_command(self, item: Item) -> bool:
        action = item.steps[0].step.action
        return isinstance(action, RunAction) and bool(action.hook) and not self.run().variables.get(action.hook)

    def attest(self, item: str) -> ItemRecord:
        """Again where the journal knew that the item had ended a moment before the screen did."""

        def asked() -> bool:
            if "attest: it is running" in self.console.text:
                self.console.press("escape")
                self.console.press("space")
            return "enter attests" in self.console.text

        self.console.press("space")
        self.console.wait_until(asked, 20, f"space did nothing: {item}")
        return self._accept(item, "enter", lambda record: record.state.done)

    def answer(self, item: str, action: Answer) -> ItemRecord:
        self.console.press("a")
        self.console.wait_for("note (optional)")
        if action.type == "window":
            self.console.type("2030-01-31 22:00 for 2h")
        elif not action.default:
            self.console.type("said so")
        return self._accept(item, "enter", lambda record: record.state.done)

    def carry_out(self, item: str) -> ItemRecord:
        attempts = len(self.record(item).attempts)

        def started(record: ItemRecord) -> bool:
            return len(record.attempts) > attempts

        def next_step() -> str:
            text = self.console.text
            return (
                "begun"
                if started(self.record(item))
                else "confirm"
                if "y runs it" in text
                else ("choose" if "enter takes the marked line" in text else "")
            )

        self.console.press("r")
        step = self.console.wait_until(next_step, 20, f"r did nothing: {item}")
        if step == "choose":
            self.press_after_dead_time("1")
            self.console.wait_gone("enter takes the marked line")
            step = self.console.wait_until(next_step, 20, f"1 did nothing: {item}")
        if step == "confirm":
            self._accept(item, "y", started)
        return self.settled(item)

    def accept(self, item: str, reason: str) -> ItemRecord:
        """Take a failed line with issues that the reason names."""
        self.console.press("w")
        self.console.wait_for("reason")
        self.console.type(reason)
        return self._accept(item, "enter", lambda record: record.state.done)

    def say_go(self, initials: str) -> None:
        """Vote GO for every role of the gate that waits, each with initials."""
        self.console.press("V")
        roles = next(iter(self.checklist.gates)).roles
        for number in range(len(roles)):
            self.console.wait_for("n NO-GO", timeout=20)
            self.press_after_dead_time("g")
            self.console.wait_for("initials of the", timeout=20)
            self.console.type(initials)
            self.console.press("enter")
            wait_until(lambda count=number + 1: sum(map(len, self.run().gates.votes.values())) == count, timeout=20)
        self.console.wait_for("n NO-GO", timeout=20)
        self.console.press("escape")
        self.console.wait_gone("n NO-GO")

    def back(self) -> None:
        """Out of any dialog, to the item pane."""
        for _ in range(3):
            if self._shown() and "esc back" not in self.console.text:
                return
            self.press_after_dead_time("escape")

    def press_after_dead_time(self, key: str) -> None:
        """A dialog takes no answer in its first moments."""
        pause()
        self.console.press(key)

    def settled(self, item: str) -> ItemRecord:
        """Wait for the end of what runs; answer it when it asks."""
        record = wait_until(lambda: (r := self.record(item)).state is not ItemState.RUNNING and r, timeout=90)
        return self.attest(item) if record.awaiting else record

    def _accept(self, item: str, key: str, done: Callable[[ItemRecord], bool]) -> ItemRecord:
        """Answer a dialog after its dead time; a form takes Enter once for each of its fields."""
        for _ in range(3):
            self.press_after_dead_time(key)
            try:
                return wait_until(lambda: done(r := self.record(item)) and r, 2.0)
            except AssertionError:
                continue
        return self.console.wait_until(lambda: done(r := self.record(item)) and r, 20, f"{key} did nothing: {item}")
