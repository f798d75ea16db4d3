"""Following the server's log for a screen: a private copy of its end that grows with it, with secrets masked.

The copy makes one thing of a local file, one that is read through the server, and their rotations; csv and json become
plain lines. A log of any size is begun near its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from migconsole.adapters.outputs import FileOutput
from migconsole.adapters.postgres.backends import MAINTENANCE
from migconsole.adapters.postgres.connect import Connection, Purpose, connect, retire
from migconsole.adapters.postgres.failures import FAILURES
from migconsole.adapters.postgres.probes.masking import Masking
from migconsole.adapters.postgres.server_log import ServerLog, locate
from migconsole.domain.log_lines import LineMaker
from migconsole.domain.target import Target
from migconsole.errors import MigconsoleError

BEHIND = 2 * 1024**2
"""Bytes before the end of the log at which the copy begins."""

PIECE = 1024**2
MOST = 64 * 1024**2
"""Bytes of the copy from which on it is begun anew."""

PREFIX = "migconsole-log-"
_LOCK = ".lock"
_YOUNG = 5.0
"""Seconds in which a folder may not have its lock yet."""

EVERY = 1.0
AGAIN = 10.0
"""Seconds after which a log that could not be read is looked for again."""


class LogFollower:
    """Follows from the first ``opened`` on, on a thread of its own, until ``close``. ``redact`` masks secrets.

    Its session lives in a maintenance database, so that it stands in nobody's way, and only while it is needed.
    """

    def __init__(self, target: Target, run: str = "", *, redact: Callable[[str], str] = str) -> None:
        self._target = target
        self._run = run
        self._redact = redact
        self._masking = Masking(target)
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._folder = Path()
        self._why = "The server's log is being looked for."
        self._found = ""
        self._removed: Callable[[], object] = lambda: None

    def opened(self) -> FileOutput | str:
        """The log as lines, or why it cannot be read from here (yet). Never blocks."""
        if self._thread is None:
            sweep(Path(tempfile.gettempdir()))
            self._folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            lock = os.open(self._folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._removed = weakref.finalize(self, _remove, self._folder, lock)
            self._thread = threading.Thread(target=self._main, name="server log", daemon=True)
            self._thread.start()
        if self._why:
            return self._why
        return FileOutput(self._copy)

    def close(self) -> None:
        """Stop and remove the copy."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5.0)
            self._removed()

    @property
    def _copy(self) -> Path:
        return self._folder / (Path(self._found).name or "server.log")

    def _main(self) -> None:
        asyncio.run(self._follow())

    async def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                connection = await self._connected()
                try:
                    log = await locate(connection)
                    if isinstance(log, str):
                        self._why = f"The server's log cannot be read from here.\n\n{log}"
                    else:
                        if log.files.local:
                            await retire(connection)
                        await self._copied(log)
                finally:
                    await retire(connection)
            except MigconsoleError as error:
                self._why = f"The server's log cannot be read now.\n\n{error.title}. {error.detail}"
            except FAILURES as error:
                self._why = f"The server's log cannot be read now.\n\n{type(error).__name__}"
            except OSError as error:
                self._why = f"The server's log cannot be copied.\n\n{error.strerror}"
            await self._sleep(AGAIN)

    async def _connected(self) -> Connection:
        purpose = Purpose("log", 5.0, search_path="pg_catalog")
        try:
            return await connect(self._target, purpose, database=MAINTENANCE[0], run=self._run)
        except MigconsoleError:
            return await connect(self._target, purpose, database=MAINTENANCE[1], run=self._run)

    async def _copied(self, log: ServerLog) -> None:
        """Copy what comes, from near the end on, until the file is gone or we are stopped."""
        file = await log.files.current()
        if file is None:
            return
        self._found = self._found or file.path
        maker = LineMaker(log.destination, log.prefix, log.zone)
        position = max(0, file.size - BEHIND)
        copy = os.open(self._copy, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            partial = position > 0
            while not self._stop.is_set():
                data = await log.files.read(file.path, position, PIECE)
                position += len(data)
                if data:
                    if partial:
                        data, partial = data.partition(b"\n")[2], False
                    self._write(copy, maker.lines(data))
                    self._why = ""
                    continue
                self._why = ""
                newest = await log.files.current()
                if newest is None:
                    return
                if newest.path != file.path or newest.size < position:
                    self._write(copy, maker.rest())
                    file, position = newest, 0
                    continue
                await self._sleep(EVERY)
        finally:
            os.close(copy)

    def _write(self, descriptor: int, text: str) -> None:
        if not text:
            return
        if os.fstat(descriptor).st_size > MOST:
            os.ftruncate(descriptor, 0)
        os.write(descriptor, self._masking.query(self._redact(text)).encode("utf-8", "replace"))

    async def _sleep(self, seconds: float) -> None:
        """Sleep, and notice within a tenth of a second that it is over."""
        until = asyncio.get_running_loop().time() + seconds
        while not self._stop.is_set() and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.1)


def sweep(folder: Path) -> None:
    """Remove the copies of consoles that were killed: whoever lives holds the lock in its own, whatever its pid."""
    for path in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            state = path.lstat()
            if path.is_symlink() or state.st_uid != os.getuid() or time.time() - state.st_mtime < _YOUNG:
                continue
            lock = os.open(path / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                continue
            _remove(path, lock)


def _remove(folder: Path, lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
