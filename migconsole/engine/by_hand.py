"""Instruction mode: nothing runs here. The resolved command is handed over, a person executes it elsewhere and tells.

The intent is on record before the person begins, as for any attempt, and stays open until somebody tells what came of
it: no console can know, so none takes it over or ends it. What is told is attested, never verified: no machine saw it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from migconsole.domain.events import Kind
from migconsole.domain.run import Attempt
from migconsole.domain.stamps import iso, unix
from migconsole.engine.ports import RunFiles
from migconsole.engine.recorder import Recorder
from migconsole.engine.resolve import Confirmation, Prepared
from migconsole.errors import StoppedError, UsageError

Begin = Callable[[str, int, Confirmation], Awaitable[tuple[Attempt, Prepared]]]
Attest = Callable[[str, str, str, str], Awaitable[None]]

LARGEST = 4 * 1024 * 1024
"""Characters of pasted output that are kept; a longer one belongs into a file that the note names."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a person says came of a command. ``exit_code`` is None where it is not known: so is the outcome then."""

    exit_code: int | None
    output: str = ""
    note: str = ""


class ByHand:
    """``session.by_hand``. ``on`` is this console's mode: while it is, nothing of this console runs."""

    def __init__(
        self, recorder: Recorder, files: RunFiles, begin: Begin, attest: Attest, *, clock: Callable[[], float]
    ) -> None:
        self._recorder = recorder
        self._files = files
        self._begin = begin
        self._attest = attest
        self._clock = clock
        self.on = False

    def switch(self) -> bool:
        """Change the mode; whether it is on now."""
        self.on = not self.on
        self._recorder.changed()
        return self.on

    def demand_off(self) -> None:
        """Raise StoppedError in instruction mode: there nothing is executed."""
        if self.on:
            raise StoppedError("This console is in instruction mode", "Nothing runs here.", "I switches the mode.")

    def open_attempt(self, item_id: str) -> Attempt | None:
        """The attempt of an item that somebody is executing by hand, None when nobody is."""
        last = self._recorder.run.record(item_id).last
        return last if last is not None and last.running and last.by_hand else None

    async def begin(self, item_id: str, alternative: int, confirmation: Confirmation) -> Attempt:
        """Put on record that a person executes it, under the same policy and confirmation as running it."""
        attempt, _ = await self._begin(item_id, alternative, confirmation)
        return attempt

    async def tell(self, item_id: str, told: Told) -> Attempt:
        """Record what came of it: exit 0 attests the item in the same person's name, anything else fails it.

        Raises UsageError when nobody is executing it, or for an output that is too long.
        """
        attempt = self.open_attempt(item_id)
        if attempt is None:
            raise UsageError("Nobody is executing this by hand")
        if len(told.output) > LARGEST:
            raise UsageError("The output is too long", f"{len(told.output):,} characters", "Keep it, and note where.")
        lines = [self._recorder.redacted(line) for line in told.output.splitlines()]
        size, digest = await asyncio.to_thread(self._files.write_output, item_id, attempt.number, lines)
        outcome, reason = _outcome(told, self._recorder.actor)
        began, now = unix(attempt.started), self._clock()
        data = {
            "item": item_id,
            "attempt": attempt.number,
            "outcome": outcome,
            "reasons": [reason] + ([told.note] if told.note and outcome != "asks" else []),
            "lines": lines[-40:],
            "duration": None if began is None else round(max(0.0, now - began), 1),
            "exit_code": told.exit_code,
            "size": size,
            "sha256": digest,
            "ended": iso(now),
        }
        key = f"attempt.ended:{item_id}:{attempt.number}"
        await self._recorder.record(Kind.ATTEMPT_ENDED, data, decision=True, key=key)
        if outcome == "asks":
            await self._attest(item_id, "", told.note or "executed by hand, exit 0", "")
        return self._recorder.run.record(item_id).attempts[attempt.number - 1]


def _outcome(told: Told, actor: str) -> tuple[str, str]:
    if told.exit_code is None:
        return "interrupted", f"executed by hand by {actor}, who does not know what came of it"
    word = "asks" if told.exit_code == 0 else "failed"
    return word, f"executed by hand by {actor}: exit {told.exit_code}"
