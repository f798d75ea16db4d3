"""Running PostgreSQL's client programs: own process group, strict environment, bounded output, nothing left behind.

A program gets the target by its environment and the password with it, never by argument. It ends with us: by a signal
to its group when we are cancelled, and by the kernel's word (Linux) when we are killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from migconsole.adapters.backup.clients import Clients
from migconsole.domain.target import Target

_KEPT_LINES = 400
_LONGEST_LINE = 4000
_PATIENCE = 5.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. ``code`` is negative for a signal; ``lines`` are the last it said, redacted."""

    program: str
    code: int
    lines: tuple[str, ...]
    cut: bool = False

    @property
    def said(self) -> str:
        """The last few lines, for a message."""
        return "\n".join(self.lines[-6:]) or "it said nothing"


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The programs of one set, aimed at one target. ``app_name`` is what the server sees them as."""

    clients: Clients
    target: Target
    app_name: str
    redact: Callable[[str], str]

    def environment(self, database: str = "") -> dict[str, str]:
        """The environment of every program: the target's own and nothing else of libpq's; 0700 by umask elsewhere."""
        target = self.target.child_environment()
        del target["DATABASE_URL"]
        secret = {name: value.reveal() for name, value in self.target.child_secrets().items()}
        return {
            **self.clients.environment(os.environ),
            **target,
            **({"PGDATABASE": database} if database else {}),
            **secret,
            "PGAPPNAME": self.app_name,
        }

    @contextlib.asynccontextmanager
    async def started(
        self,
        program: str,
        *arguments: str,
        heard: Callable[[str], None] | None = None,
        nice: int = 0,
        settings: str = "",
    ) -> AsyncIterator[Running]:
        """Start a program; on the way out it has ended, by signals if it must. ``heard`` gets its lines, redacted.

        ``settings`` are server parameters of its sessions, in the form of ``PGOPTIONS``.
        """
        environment = self.environment()
        environment["PGOPTIONS"] = f"{environment.get('PGOPTIONS', '')} {settings}".strip()
        process = await asyncio.create_subprocess_exec(
            self.clients.path(program),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            process_group=0,
            umask=0o077,
            preexec_fn=_with_us(os.getpid(), nice),
            limit=1 << 20,
        )
        running = Running(program, process, self.redact, heard)
        try:
            yield running
        finally:
            await asyncio.shield(running.stop())

    async def run(self, program: str, *arguments: str, heard: Callable[[str], None] | None = None) -> Ended:
        """Run a program to its end."""
        async with self.started(program, *arguments, heard=heard) as running:
            return await running.ended()

    async def output(self, program: str, *arguments: str) -> tuple[Ended, str]:
        """Run a program to its end and take what it writes to standard output."""
        process = await asyncio.create_subprocess_exec(
            self.clients.path(program),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment(),
            umask=0o077,
            preexec_fn=_with_us(os.getpid(), 0),
        )
        try:
            out, said = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        lines = tuple(self.redact(line) for line in said.decode("utf-8", "replace").splitlines()[-_KEPT_LINES:])
        return Ended(program, process.returncode or 0, lines), out.decode("utf-8", "replace")


class Running:
    """A program at work. It can be held up and let go on, which holds up all of its workers."""

    def __init__(
        self,
        program: str,
        process: asyncio.subprocess.Process,
        redact: Callable[[str], str],
        heard: Callable[[str], None] | None,
    ) -> None:
        self.program = program
        self.held = False
        self._process = process
        self._redact = redact
        self._heard = heard
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._count = 0
        self._reader = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        """The program's process, which leads its group."""
        return self._process.pid

    async def ended(self) -> Ended:
        """Wait for the end, of the program and of everything it wrote."""
        await self._process.wait()
        await self._reader
        code = self._process.returncode
        return Ended(self.program, -1 if code is None else code, tuple(self._lines), cut=self._count > len(self._lines))

    def hold(self) -> None:
        """Stop the program and its workers where they are; the server waits for their next byte."""
        self.held = True
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self.held = False
        self._signal(signal.SIGCONT)

    async def stop(self) -> None:
        """End the program and its group, gently first. Nothing of it is left when this returns."""
        await end(self._process)
        await self._reader

    def _signal(self, number: int) -> None:
        _signal(self._process, number)

    async def _read(self) -> None:
        stream = self._process.stderr
        assert stream is not None
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                continue  # a line longer than the buffer: what was read of it is dropped
            if not line:
                return
            text = self._redact(line.decode("utf-8", "replace").rstrip("\r\n")[:_LONGEST_LINE])
            self._lines.append(text)
            self._count += 1
            if self._heard is not None:
                self._heard(text)


async def end(process: asyncio.subprocess.Process) -> None:
    """End a program that leads its group, and its group: gently, by force after ``_PATIENCE`` seconds.

    One that has ended by itself is left alone, and so is what it left running.
    """
    asked = process.returncode is None
    if asked:
        _signal(process, signal.SIGTERM)
        _signal(process, signal.SIGCONT)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), _PATIENCE)
    if asked or process.returncode is None or process.returncode < 0:
        # One that was killed leaves its workers, each with a session on the server; so does one that heeds a signal.
        _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def conninfo(database: str) -> str:
    """A database's name where a program takes a connection string: one with ``=`` in it would be read as settings.

    >>> conninfo("it's")
    "dbname='it\\\\'s'"
    """
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


def _with_us(parent: int, nice: int) -> Callable[[], None]:
    """What a child does before it becomes the program: ask to be ended when we die."""

    def before() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
        if nice:
            os.nice(nice)

    return before
