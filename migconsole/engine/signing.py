"""Signing a run off and closing it: by whoever is at a console, driving or watching."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from migconsole.domain.checklist import Checklist
from migconsole.domain.deviations import Deviation, standing
from migconsole.domain.events import Event, Kind
from migconsole.domain.policy import may_close, may_sign
from migconsole.domain.seals import Seal
from migconsole.domain.signing import CHANGES, SignOff
from migconsole.engine.record_ports import RecordFiles
from migconsole.engine.recorder import Recorder
from migconsole.errors import MigconsoleError, StoppedError, UsageError

NAME, SIGNATURE, REASON = 2, 2, 3
"""Characters of a name, of a typed signature, and of a reason for refusing it: initials are enough, nothing is not."""


class Signing:
    """``session.signing``: the sign-off of one run. What changes something is on record when it returns."""

    def __init__(self, recorder: Recorder, checklist: Checklist, files: RecordFiles, *, read_only: bool) -> None:
        self._recorder = recorder
        self.checklist = checklist
        self._files = files
        self._read_only = read_only
        self._publishing = asyncio.Lock()

    @property
    def roles(self) -> Sequence[str]:
        """Who signs, in the checklist's order."""
        return self.checklist.roles

    @property
    def state(self) -> SignOff:
        """Who has signed; read it, never change it."""
        return self._recorder.run.signoff

    def deviations(self) -> list[Deviation]:
        """What a person must have seen before signing: everything that stands and is not as planned."""
        return standing(self._recorder.run, self.checklist)

    def refusal(self, role: str = "") -> str:
        """Why ``role``, or anybody, cannot sign now; "" when they can."""
        if self._read_only:
            return "this console is read-only"
        return self._recorder.broken or may_sign(self._recorder.run, self.checklist, role)

    def closing_refusal(self) -> str:
        """Why the run cannot be closed now, "" when it can."""
        if self._read_only:
            return "this console is read-only"
        return self._recorder.broken or may_close(self._recorder.run, self.checklist)

    async def sign(self, role: str, name: str, signature: str, seen: int = 0) -> None:
        """Sign for a role, on the journal up to event ``seen`` (0: as it is now).

        When everybody has signed the run is closed with it. Raises StoppedError when the run changed since ``seen``, or
        somebody was faster, and UsageError for a name or signature that says nothing.
        """
        self._demand(name, NAME, "A name")
        self._demand(signature, SIGNATURE, "A typed signature")
        await self._say(role, name.strip(), signature.strip(), "", seen)
        signed = self.state.signatures
        if all(other in signed and not signed[other].refused for other in self.roles) and not self.closing_refusal():
            await self.close()

    async def refuse(self, role: str, name: str, reason: str, seen: int = 0) -> None:
        """Refuse to sign for a role; the reason is on record, and the run is then closed by hand."""
        self._demand(name, NAME, "A name")
        self._demand(reason, REASON, "A reason for refusing")
        await self._say(role, name.strip(), "", reason.strip(), seen)

    async def close(self) -> None:
        """Make the run read-only and write its reports. Raises StoppedError while somebody has not signed."""
        why = self.closing_refusal()
        if why:
            raise StoppedError("The run cannot be closed", why)
        await self._recorder.record(Kind.RUN_CLOSED, {}, key="run.closed")
        await self.publish()

    async def publish(self) -> Sequence[Path]:
        """Write the reports into the run directory, and seal what they tell; failing is told and undoes nothing."""
        async with self._publishing:
            try:
                written, seal = await asyncio.to_thread(self._files.publish)
                if written:
                    await self.seal(seal)
            except (OSError, MigconsoleError) as error:
                fault = MigconsoleError("The report could not be written", str(error), "migconsole report writes it.")
                self._recorder.trouble(fault, "report")
                return ()
        self._recorder.trouble(None, "report")
        return written

    async def seal(self, seal: Seal) -> Event:
        """Put on record, and beside the journal, what was told of its head."""
        await asyncio.to_thread(self._files.keep_seal, seal)
        data = {"what": seal.what, "head": seal.head, "hash": seal.hash, "at": seal.at}
        return await self._recorder.record(Kind.SEALED, data)

    async def _say(self, role: str, name: str, signature: str, reason: str, seen: int) -> None:
        await self._recorder.catch_up()
        why = self.refusal(role)
        if why:
            raise StoppedError(f"{role} cannot sign", why)
        events = self._recorder.events
        head = events[(seen or len(events)) - 1]
        later = next((event for event in events[head.seq :] if event.kind in CHANGES), None)
        if later is not None:
            what = f"{later.kind} (event {later.seq})"
            raise StoppedError("The run changed while you were signing", what, "Look at it again, then sign.")
        data = {
            "role": role,
            "name": name,
            "signature": signature,
            "reason": reason,
            "head": head.seq,
            "hash": head.hash,
        }
        said = await self._recorder.record(Kind.SIGNED, data, key=f"signed:{role}:{self.state.round}")
        if (said.data.get("head"), said.data.get("name")) != (head.seq, self._recorder.redacted(name)):
            raise StoppedError(f"{role} has signed or refused already", f"by {said.data.get('name')}")
        try:
            await asyncio.to_thread(self._files.keep_seal, Seal("sign-off", head.seq, head.hash, said.at))
        except OSError as error:
            self._recorder.trouble(MigconsoleError("The seal could not be kept beside the journal", str(error)), "seal")

    @staticmethod
    def _demand(text: str, length: int, what: str) -> None:
        if len(text.strip()) < length:
            raise UsageError(f"{what} of at least {length} characters is needed")
