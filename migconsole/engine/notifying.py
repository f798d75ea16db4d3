"""Telling people who are not looking: once for each occasion, by whichever process of the run sees it first.

The intent is on record, under a key that only one process can take, before anything is sent; the result after. A
message whose sender died in between has an unknown result and is not sent again: twice is worse than never for "roll
back now". Failing to deliver blocks nothing.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from migconsole.domain.checklist import Checklist
from migconsole.domain.events import Draft, Event, Kind
from migconsole.domain.occasions import Occasion, Occasions
from migconsole.domain.run import Run
from migconsole.domain.seals import Seal
from migconsole.domain.stamps import unix
from migconsole.domain.text import sanitise_line
from migconsole.engine.record_ports import Delivery, RecordFiles, Sender
from migconsole.engine.recorder import Recorder
from migconsole.errors import MigconsoleError

FRESH = 600.0
"""Seconds after which an occasion that nobody told of is history: a console opened next morning rings nobody."""

TIMEOUT = 30.0
"""Seconds that a delivery may take before its result is "failed"."""

COPYING = 600.0
"""The same for a copy of the evidence, which may be large and go over a network."""

Append = Callable[[Draft], Awaitable[Event]]


class Notifying:
    """Takes a run's events as they come in and tells the checklist's destinations of those that they want to hear of.

    ``append`` puts an event on record. ``alert`` is called for what should ring in this terminal, whoever sends it.
    """

    def __init__(
        self,
        checklist: Checklist,
        append: Append,
        sender: Sender,
        files: RecordFiles,
        *,
        clock: Callable[[], float],
        actor: str,
        alert: Callable[[Occasion], None] = lambda occasion: None,
    ) -> None:
        self._checklist = checklist
        self._append = append
        self._sender = sender
        self._files = files
        self._clock = clock
        self._actor = actor
        self.alert = alert
        self._occasions = Occasions(checklist)
        self._sending: set[asyncio.Task[None]] = set()
        self._copies: set[asyncio.Task[None]] = set()
        self._run = Run()

    @property
    def head(self) -> int:
        """The last event that was taken in."""
        return self._run.head

    def take(self, events: Sequence[Event]) -> None:
        """Take in events as they come, from the first of the run on: what is old is known, and told to nobody."""
        for event in events:
            if event.seq > self._run.head:
                self._run.apply(event)
                self._consider(event, events[-1])

    def _consider(self, event: Event, head: Event) -> None:
        occasions = self._occasions.of(event, self._run)
        at = unix(event.at)
        if not occasions or at is None or self._clock() - at > FRESH:
            return
        for occasion in occasions:
            if occasion.urgent:
                self.alert(occasion)
            for number, notification in enumerate(self._checklist.notifications):
                if occasion.name in notification.on:
                    self._start(occasion, number, head)

    async def settled(self) -> None:
        """Wait until everything that was begun has its result."""
        while self._sending:
            await asyncio.gather(*tuple(self._sending), return_exceptions=True)

    async def close(self, patience: float = 5.0, copying: float = 30.0) -> None:
        """Give what is being sent a moment, then leave it: its result is unknown, and the record says so.

        A copy of the evidence gets longer than a message: what is left half written is no evidence.
        """
        if self._sending:
            await asyncio.wait(set(self._sending), timeout=patience)
        if self._copies:
            await asyncio.wait(set(self._copies), timeout=copying)
        for task in tuple(self._sending):
            task.cancel()
        await asyncio.gather(*tuple(self._sending), return_exceptions=True)

    def _start(self, occasion: Occasion, number: int, head: Event) -> None:
        run = self._run
        title = f"{run.title} · {occasion.name}"
        seal = Seal("notification", head.seq, head.hash, head.at)
        text = f"{occasion.text}\n{run.target} ({run.environment})\n{seal.words}"
        message = f"{occasion.key}:{number}"
        task = asyncio.create_task(self._tell(message, occasion.name, number, title, text, seal), name="notification")
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        if self._checklist.notifications[number].copies:
            self._copies.add(task)
            task.add_done_callback(self._copies.discard)

    async def _tell(self, message: str, occasion: str, number: int, title: str, text: str, seal: Seal) -> None:
        claim = secrets.token_hex(8)
        data = {
            "message": message,
            "occasion": occasion,
            "to": self._sender.name(number),
            "title": title,
            "text": text,
            "head": seal.head,
            "hash": seal.hash,
            "claim": claim,
        }
        # What cannot be put on record is not sent; the next process that sees the event tries again.
        with suppress(MigconsoleError):
            intended = await self._append(Draft(Kind.NOTIFYING, data, self._actor, key=f"notifying:{message}"))
            if intended.data.get("claim") != claim:
                return
            with suppress(OSError):
                await asyncio.to_thread(self._files.keep_seal, seal)
            limit = COPYING if self._checklist.notifications[number].copies else TIMEOUT
            delivery = await deliver(self._sender, number, title, text, limit)
            result = {"message": message, "result": delivery.result, "detail": sanitise_line(delivery.detail, 500)}
            await self._append(Draft(Kind.NOTIFIED, result, self._actor, key=f"notified:{message}"))


async def deliver(sender: Sender, number: int, title: str, text: str, limit: float = TIMEOUT) -> Delivery:
    """Send one message beside the loop; never raises but for being cancelled.

    In a thread of its own that nobody waits for: a service, or a folder on a network, that never answers must not keep
    the program from ending either.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Delivery] = loop.create_future()

    def tell(delivery: Delivery) -> None:
        if not done.done():
            done.set_result(delivery)

    def send() -> None:
        try:
            delivery = sender.send(number, title, text)
        except Exception as error:  # whatever a sender stumbles over, the run goes on
            delivery = Delivery("failed", f"{type(error).__name__}: {error}")
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, delivery)

    threading.Thread(target=send, name="delivery", daemon=True).start()
    try:
        async with asyncio.timeout(limit):
            return await done
    except TimeoutError:
        return Delivery("failed", f"no answer within {limit:.0f} s")


class Notices:
    """``session.notices``: what a console tells, and what rings in its terminal.

    Without a ``sender`` nobody is told from here, and what is urgent rings all the same.
    """

    def __init__(
        self,
        recorder: Recorder,
        checklist: Checklist,
        files: RecordFiles,
        sender: Sender | None,
        *,
        read_only: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._recorder = recorder
        silent = replace(checklist, notifications=())
        told = silent if sender is None or read_only else checklist
        self._notifying = Notifying(
            told, recorder.append, sender or _Nobody(), files, clock=clock, actor=recorder.actor
        )
        self._undo: Callable[[], None] = lambda: None

    def ring(self, alert: Callable[[Occasion], None]) -> None:
        """Call ``alert`` for what is urgent from now on."""
        self._notifying.alert = alert

    def open(self) -> None:
        """Begin to take in what happens, what has happened first."""
        self._undo = self._recorder.subscribe(self._take)
        self._take()

    async def settled(self) -> None:
        """Wait until everything that was begun has its result."""
        await self._notifying.settled()

    async def close(self) -> None:
        """End; what is being sent gets a moment."""
        self._undo()
        await self._notifying.close()

    def _take(self) -> None:
        self._notifying.take(self._recorder.events[self._notifying.head :])


class _Nobody:
    """A sender for who tells nobody."""

    def name(self, destination: int) -> str:
        """There are none."""
        return ""

    def send(self, destination: int, title: str, text: str) -> Delivery:
        """Nothing is sent."""
        return Delivery("not sent")
