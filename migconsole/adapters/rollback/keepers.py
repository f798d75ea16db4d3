"""Where a deed is put on record before it is done: the run's journal, or a state file outside any run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migconsole.adapters.journal.sqlite import SqliteJournal
from migconsole.adapters.runs import sync_directory
from migconsole.domain.events import Draft, Kind
from migconsole.domain.rollback_record import RollbackBook, fold_rollbacks
from migconsole.domain.run import Run, fold
from migconsole.domain.secrets import redacted
from migconsole.errors import JournalError


class JournalKeeper:
    """The journal of a run; texts are redacted on their way in."""

    def __init__(self, journal: SqliteJournal, redact: Callable[[str], str], actor: str) -> None:
        self._journal = journal
        self._redact = redact
        self._actor = actor
        self._run = Run()

    async def load(self) -> None:
        """Fold what is new. Raises JournalError."""
        fold(await self._journal.read(self._run.head), self._run)

    def book(self) -> RollbackBook:
        """See the port."""
        return self._run.rollback

    async def append(self, kind: str, data: Mapping[str, Any], key: str) -> None:
        """See the port."""
        await self._journal.append(Draft(Kind(kind), redacted(data, self._redact), self._actor, key))
        await self.load()

    async def expect(self, oid: int, key: str) -> None:
        """See the port."""
        pinned = self._run.identity
        if pinned and pinned.get("oid") != oid:
            await self._journal.append(Draft(Kind.TARGET_PINNED, {"identity": pinned | {"oid": oid}}, self._actor, key))
            await self.load()

    async def restore_point(self, data: Mapping[str, Any], key: str) -> None:
        """See the port."""
        await self._journal.append(Draft(Kind.RESTORE_POINT, redacted(data, self._redact), self._actor, key))


class FileKeeper:
    """A state file outside any run: one JSON object a line, on disk before ``append`` returns, mode 0600.

    A line that was cut off by a crash is no entry; the next one begins on a line of its own.
    """

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        self.path = path
        self._redact = redact

    def book(self) -> RollbackBook:
        """See the port."""
        entries = [(str(e.get("kind")), str(e.get("at")), e.get("data")) for e in self._entries()]
        return fold_rollbacks((kind, at, data) for kind, at, data in entries if isinstance(data, dict))

    async def append(self, kind: str, data: Mapping[str, Any], key: str) -> None:
        """See the port."""
        if any(entry.get("key") == key for entry in self._entries()):
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps(
            {"kind": kind, "at": at, "key": key, "data": redacted(data, self._redact)}, ensure_ascii=False
        )
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                size = os.fstat(descriptor).st_size
                torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
                raw = (b"\n" if torn else b"") + line.encode("utf-8", "replace") + b"\n"
                if os.write(descriptor, raw) != len(raw):
                    raise OSError("it was written in part only")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            sync_directory(self.path.parent)
        except OSError as error:
            reason = error.strerror or str(error)
            raise JournalError(
                "The state file cannot be written: nothing may be changed", f"{self.path}: {reason}"
            ) from error

    async def expect(self, oid: int, key: str) -> None:
        """Outside a run nothing is pinned."""

    async def restore_point(self, data: Mapping[str, Any], key: str) -> None:
        """Outside a run the marker on the database is the only account."""

    def _entries(self) -> Iterator[Mapping[str, Any]]:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise JournalError("The state file cannot be read", f"{self.path}: {error.strerror}") from error
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry
