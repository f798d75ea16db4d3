"""The runner's one loop: reads the command's output, notices its end, and keeps an eye on what may stop it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migconsole.domain.secrets import Secrets
from migconsole.jobs.child import Child
from migconsole.jobs.ladder import Ladder, signal_all
from migconsole.jobs.recorder import Channel, Recorder

SETTLE = 2.0
"""Seconds that processes which outlive the command, and hold its output open, are still listened to."""

_ALONE = 0.2
_TICK = 1.0
_CHORES = 0.05
_LINE_WAIT = 0.01
_GATHER = 256 * 1024


class Watch:
    """Follows one child to its end.

    The end is the exit of the command itself and all its output read. A process it left behind that holds the output
    open does not keep the job running for ever: after ``SETTLE`` it is reported as a survivor.
    """

    def __init__(
        self,
        claim: Mapping[str, Any],
        child: Child,
        channels: Sequence[Channel],
        recorder: Recorder,
        control: int,
        panic: Path,
        limit: float | None,
    ) -> None:
        self._claim = claim
        self._child = child
        self._recorder = recorder
        self._channels = list(channels)
        self._held_open: tuple[int, ...] = ()
        self._open = dict(zip(child.streams, channels, strict=True))
        self._read_size = 8192 if child.terminal is not None else _GATHER
        self._control = control
        self._control_rest = b""
        self._panic = panic
        self._panic_at = 0.0
        self._ladder = Ladder(claim)
        self._ladder_cause = ""
        self._limit_at = None if limit is None else time.monotonic() + limit
        self._told: list[signal.Signals] = []
        self._poller = select.poll()
        for descriptor in (*self._open, control, self._wakeup()):
            self._poller.register(descriptor, select.POLLIN)
        self._due = self._chores_at = 0.0
        self._code: int | None = None
        self.ended = 0.0
        self.ended_at = ""
        self.timed_out = False
        self.stopped_by = ""

    def until_ended(self) -> int:
        """Serve until the job has ended; return the exit code, or minus the signal's number."""
        self._do_chores()
        while self._code is None or not self._drained():
            self._serve()
        self._read_control()
        for channel in self._channels:
            channel.finish()
        for descriptor in self._open:
            self._poller.unregister(descriptor)
        self._held_open, self._open = tuple(self._open), {}
        return self._code

    def keep(self, recorder: Recorder, secrets: Secrets) -> None:
        """Stay until the survivors are gone: their output goes to a file of its own, PANIC still ends them."""
        self._recorder = recorder
        self._open = {descriptor: Channel(recorder, secrets) for descriptor in self._held_open}
        self._channels = list(self._open.values())
        for descriptor in self._open:
            self._poller.register(descriptor, select.POLLIN)
        self._limit_at = None
        while self._has_children() and not self._told:
            self._serve()
        for channel in self._channels:
            channel.finish()
        recorder.close()

    def survivors(self) -> list[str]:
        """The processes that outlived the command, as ``name (pid)``."""
        if not self._has_children():
            return []
        from migconsole.adapters.jobs import tree  # noqa: PLC0415 - psutil costs 25 ms, and most jobs leave nobody

        return [tree.describe([process]) for process in tree.members(self._claim)]

    def pause(self, seconds: float) -> bool:
        """Wait, reaping and reading on; True when the runner was told to end."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._told:
            self._serve(left)
        return bool(self._told)

    def _serve(self, at_most: float = _TICK) -> None:
        """Wait for something to happen, for at most ``at_most`` seconds, and handle it.

        While output streams, this comes round 20,000 times a second: all but reading is left for every ``_CHORES``.
        """
        waiting = any(channel.waiting for channel in self._channels)
        now = time.monotonic()
        patience = min(at_most, max(0.0, self._due - now), _LINE_WAIT if waiting else _TICK)
        only_output = True
        events = self._poller.poll(patience * 1000)
        for descriptor, _ in events:
            if descriptor in self._open:
                self._read(descriptor)
                continue
            only_output = False
            if descriptor == self._control:
                self._read_control()
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(descriptor, 1024)
        if waiting and not events:
            for channel in self._channels:
                channel.settle()
        if not (events and only_output and now < self._chores_at):
            self._do_chores()

    def _do_chores(self) -> None:
        """Notice the command's end and everything that has become due, and when the next thing will be."""
        self._reap()
        self._obey()
        now = time.monotonic()
        self._chores_at = now + _CHORES
        times = [now + _TICK, self._limit_at, self._ladder.due]
        if self._code is not None and self._open and not self._held_open:
            times.append(self._settled_at())
        if self._recorder.behind:
            times.append(self._recorder.retry_at)
        self._due = min(at for at in times if at is not None)

    def _read(self, descriptor: int) -> None:
        """Take what is there, up to a bound, as one piece: fewer writes, and nobody waits for it to fill."""
        pieces: list[bytes] = []
        gathered = 0
        ended = False
        while gathered < _GATHER:
            try:
                piece = os.read(descriptor, self._read_size)
            except BlockingIOError:
                break
            except OSError:  # EIO: the last process has closed the terminal
                piece = b""
            if not piece:
                ended = True
                break
            pieces.append(piece)
            gathered += len(piece)
        channel = self._open[descriptor]
        if pieces:
            channel.feed(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if ended:
            channel.end()
            self._poller.unregister(descriptor)
            del self._open[descriptor]
            os.close(descriptor)

    def _drained(self) -> bool:
        return not self._open or time.monotonic() >= self._settled_at()

    def _settled_at(self) -> float:
        return self.ended + (SETTLE if self._has_children() else _ALONE)

    def _reap(self) -> None:
        """Notice the command's end, and collect orphans that were adopted; the command's own status is ``sh``'s."""
        if self._code is None:
            self._code = self._child.returncode()
            if self._code is not None:
                self.ended, self.ended_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="milliseconds")
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if found.si_pid == self._child.pid:
                    break
                os.waitpid(found.si_pid, 0)

    def _has_children(self) -> bool:
        self._reap()
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def _obey(self) -> None:
        """End the command where its limit, a PANIC file or a signal to the runner says so."""
        now = time.monotonic()
        if self._recorder.behind and now >= self._recorder.retry_at:
            self._recorder.retry()
        if now >= self._panic_at:
            self._panic_at = now + _TICK
            if self._panic.exists():
                self._begin_ladder("PANIC file")
        if self._limit_at is not None and now >= self._limit_at and self._code is None:
            self._limit_at = None
            self.timed_out = True
            self._begin_ladder("time limit")
        if sent := self._ladder.step():
            self.stopped_by = f"{self._ladder_cause}, {sent}"
        if self._told and self._code is None:
            number = self._told.pop()
            self.stopped_by = f"runner was told to end, {number.name}"
            signal_all(self._claim, number)

    def _begin_ladder(self, cause: str) -> None:
        if sent := self._ladder.begin():
            self._ladder_cause = cause
            self.stopped_by = f"{cause}, {sent}"

    def _read_control(self) -> None:
        """Take orders from consoles: lines of JSON; what is no order is ignored."""
        with contextlib.suppress(BlockingIOError):
            self._control_rest += os.read(self._control, 65536)
        *lines, self._control_rest = self._control_rest.split(b"\n")
        for line in lines:
            with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, OSError):
                order = json.loads(line)
                handler: Callable[[Mapping[str, Any]], None] = self._orders[order["order"]]
                handler(order)

    @property
    def _orders(self) -> dict[str, Callable[[Mapping[str, Any]], None]]:
        return {"resize": self._resize, "stopping": self._note_stop}

    def _resize(self, order: Mapping[str, Any]) -> None:
        self._child.resize(int(order["rows"]), int(order["columns"]))

    def _note_stop(self, order: Mapping[str, Any]) -> None:
        self.stopped_by = str(order["rung"])[:40]

    def _wakeup(self) -> int:
        """Make signals readable: the loop sleeps until something happens."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _: self._told.append(signal.Signals(received)))
        return reading
