"""The run as this console knows it: appends to the journal, folds what everyone appended, tells who listens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from migconsole.domain.events import Draft, Event, Kind
from migconsole.domain.run import Run
from migconsole.domain.secrets import redacted
from migconsole.domain.signing import AFTER_CLOSE
from migconsole.engine.ports import Journal
from migconsole.errors import JournalError, MigconsoleError, StoppedError

_STRUCTURE = frozenset(
    {"item", "move", "outcome", "kind", "danger", "rung", "console", "from", "app_name", "sha256", "identity"}
    | {"job", "state", "backup", "verdict", "look"}
    | {"t0", "window_end", "what", "change", "decision", "type", "gate", "role", "vote", "tripwire", "state", "by"}
    | {"section", "claim", "plan", "ending"}
    | {"role", "hash", "message"}
)
"""Fields that the fold runs on. A password that happens to be a word of theirs must not change what happened."""


class Recorder:
    """Keeps ``run`` equal to the fold of the journal.

    Every text is redacted before it is appended: no caller can forget it. ``broken`` is set while the journal cannot
    be written, and nothing that changes anything may start then.
    """

    def __init__(self, journal: Journal, actor: str, redact: Callable[[str], str]) -> None:
        self.run = Run()
        self.events: list[Event] = []
        self.actor = actor
        self.broken = ""
        self.version = 0
        self._journal = journal
        self._redact = redact
        self._listeners: list[Callable[[], None]] = []
        self._reading = asyncio.Lock()
        self._problems: dict[str, str] = {}

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` on the loop at every change; returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def changed(self) -> None:
        """Tell everyone who listens that something visible is different."""
        self.version += 1
        for listener in tuple(self._listeners):
            try:
                listener()
            except Exception as error:  # a screen that cannot draw must not stop what is being recorded
                context = {"message": "a listener of the run failed", "exception": error}
                with contextlib.suppress(RuntimeError):
                    asyncio.get_running_loop().call_exception_handler(context)

    async def record(
        self, kind: Kind, data: Mapping[str, Any], *, decision: bool = False, key: str = "", actor: str = ""
    ) -> Event:
        """Append one event durably and fold it.

        Raises JournalError, and StoppedError for a decision without the lease or anything but an addendum after the
        run was closed.
        """
        if self.run.life.closed and kind not in AFTER_CLOSE:
            raise StoppedError("The run is closed", "Its record is read-only.", "A note (+) is kept as an addendum.")
        draft = Draft(kind, self._cleaned(data), self._redact(actor or self.actor), key, decision)
        try:
            event = await self._journal.append(draft)
        except JournalError as error:
            self.break_off(error)
            raise
        self.mend()
        await self.catch_up()
        return event

    async def append(self, draft: Draft) -> Event:
        """``record`` for a draft that was made elsewhere."""
        return await self.record(draft.kind, draft.data, decision=draft.decision, key=draft.key, actor=draft.actor)

    async def catch_up(self) -> None:
        """Fold what has been appended since, by this console and by others."""
        async with self._reading:
            news = await self._journal.read(self.run.head)
            for event in news:
                self.run.apply(event)
            self.events.extend(news)
        if news:
            self.changed()

    async def take_lease(self) -> bool:
        """Become the driver for a decision of its own; False while another console is."""
        taken = await self._journal.take_lease(self.actor)
        await self.catch_up()
        return taken

    async def release_lease(self) -> None:
        """Let go again."""
        await self._journal.release_lease()
        await self.catch_up()

    def redacted(self, text: str) -> str:
        """A text as it would be recorded."""
        return self._redact(text)

    @property
    def problem(self) -> str:
        """What is wrong and not mended yet, "" when nothing is."""
        return "; ".join(self._problems.values())

    def trouble(self, error: MigconsoleError | None, source: str = "server") -> None:
        """Show an error until what it came from is mended; None when it is."""
        parts = () if error is None else filter(None, (error.title, error.detail, error.remedy))
        text = self._redact(" · ".join(parts))
        if text != self._problems.get(source, ""):
            self._problems.pop(source, None)
            self._problems |= {source: text} if text else {}
            self.changed()

    def break_off(self, error: JournalError) -> None:
        """Remember that the journal cannot be written."""
        text = error.title
        if self.broken != text:
            self.broken = text
            self.changed()

    def mend(self) -> None:
        """Remember that it can be written again."""
        if self.broken:
            self.broken = ""
            self.changed()

    def _cleaned(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return cleaned(data, self._redact)


def cleaned(data: Mapping[str, Any], redact: Callable[[str], str]) -> dict[str, Any]:
    """An event's data with every text redacted, but for the fields that the fold runs on."""
    return {str(name): value if name in _STRUCTURE else redacted(value, redact) for name, value in data.items()}
