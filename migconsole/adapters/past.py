"""What a run keeps to compare with: snapshots and response times in files of their own, beside the watcher's samples.

``baselines/<milliseconds>.snapshot`` (0600, compressed JSON, written whole or not at all) in the run's directory.
Statement texts in them are the server's normalised ones, with secrets masked.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from migconsole.adapters.health_store import HealthReader
from migconsole.adapters.journal.reading import read_events
from migconsole.domain.checklist import Checklist
from migconsole.domain.readings import Quality, Reading
from migconsole.domain.restore_points import RestorePoint
from migconsole.domain.reviews import Review
from migconsole.domain.run import Run, fold
from migconsole.domain.schema_diff import Fingerprint
from migconsole.domain.snapshots import Snapshot
from migconsole.engine import comparing
from migconsole.engine.comparing import Moments
from migconsole.engine.ports import HealthSource
from migconsole.errors import JournalError, MigconsoleError

FOLDER = "baselines"
MOST = 64
"""Snapshots kept: the oldest and the newest; what lies between them is dropped first."""

MOST_TIMES = 50
_TIMES = "response-times.json"
_SCHEMA = "schema.fingerprint"


class RunPast:
    """``engine.comparing.Past`` of a run directory; every process of a run may have one. ``redact`` masks secrets."""

    def __init__(self, directory: Path, checklist: Checklist, *, redact: Callable[[str], str] = str) -> None:
        self._directory = directory
        self._checklist = checklist
        self._redact = redact
        self._reader = HealthReader(directory / "health.db")
        self._run = Run()

    def moments(self) -> Moments:
        """By the journal; where that cannot be read nothing is known."""
        try:
            events = read_events(self._directory / "run.db")
        except JournalError:
            return Moments()
        fold([event for event in events if event.seq > self._run.head], self._run)
        return comparing.moments(self._run, self._checklist)

    def schema(self) -> Fingerprint | None:
        """The kept fingerprint; a damaged file is none."""
        return kept_schema(self._directory)

    def masked_schema(self, fingerprint: Fingerprint) -> Fingerprint:
        """With every secret masked."""
        return masked(fingerprint, self._redact)

    def keep_schema(self, fingerprint: Fingerprint) -> None:
        """Write the fingerprint. Raises MigconsoleError when the disk does not take it."""
        text = json.dumps(self.masked_schema(fingerprint).objects)
        self._write(self._folder() / _SCHEMA, zlib.compress(text.encode("utf-8", "replace"), 6))

    def review(self) -> Review | None:
        """By the journal; where that cannot be read nothing was reviewed that counts."""
        self.moments()
        return self._run.reviews.newest

    def restore_point(self) -> RestorePoint:
        """By the journal; where that cannot be read there is none that counts."""
        self.moments()
        return self._run.restore_point

    def source(self) -> HealthSource:
        """The watcher's file."""
        return self._reader

    def kept(self) -> Sequence[Snapshot]:
        """Snapshots in files, the oldest first; a damaged file is left out."""
        return [found for path in self._paths() if (found := _read(path)) is not None]

    def keep(self, snapshot: Snapshot) -> None:
        """Write a snapshot. Raises MigconsoleError when the disk does not take it."""
        data = {
            "format": 1,
            "at": snapshot.at,
            "readings": [
                [r.probe, r.at, r.took, str(r.quality), self._redact(r.reason), [self._masked(row) for row in r.rows]]
                for r in snapshot.readings.values()
            ],
        }
        text = json.dumps(data, separators=(",", ":"), default=str).encode("utf-8", "replace")
        self._write(self._folder() / f"{snapshot.at * 1000:.0f}.snapshot", zlib.compress(text, 6))
        paths = self._paths()
        for path in paths[MOST // 2 : len(paths) - MOST // 2] if len(paths) > MOST else ():
            path.unlink(missing_ok=True)

    def times(self, key: str) -> Sequence[tuple[float, tuple[float, ...]]]:
        """Response times, the oldest first."""
        return [(float(at), tuple(map(float, times))) for at, times in self._times().get(key, [])]

    def keep_times(self, key: str, at: float, times: Sequence[float]) -> None:
        """Add response times. Raises MigconsoleError when the disk does not take them."""
        known = self._times()
        known[key] = [*known.get(key, []), [at, list(times)]][-MOST_TIMES:]
        self._write(self._folder() / _TIMES, json.dumps(known).encode())

    def close(self) -> None:
        """Let go of the samples' file."""
        self._reader.close()

    def _folder(self) -> Path:
        return self._directory / FOLDER

    def _paths(self) -> list[Path]:
        found = [path for path in self._folder().glob("*.snapshot") if path.stem.isdigit()]
        return sorted(found, key=lambda path: int(path.stem))

    def _times(self) -> dict[str, list[Any]]:
        try:
            found = json.loads((self._folder() / _TIMES).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _masked(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._redact(value) if isinstance(value, str) else value for name, value in row.items()}

    def _write(self, path: Path, data: bytes) -> None:
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
            try:
                with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise MigconsoleError(
                "The baseline cannot be kept", f"{path}: {error.strerror}", "Make room, or mend the permissions."
            ) from error


def kept_schema(directory: Path) -> Fingerprint | None:
    """The fingerprint that a run keeps in its directory; a damaged file is none."""
    with contextlib.suppress(OSError, ValueError, TypeError, zlib.error):
        return Fingerprint.of(json.loads(zlib.decompress((directory / FOLDER / _SCHEMA).read_bytes())))
    return None


def masked(fingerprint: Fingerprint, redact: Callable[[str], str]) -> Fingerprint:
    """A fingerprint with every secret in it masked, as it is kept."""
    return Fingerprint.of([[redact(part) for part in entry] for entry in fingerprint.objects])


def _read(path: Path) -> Snapshot | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, zlib.error):
        data = json.loads(zlib.decompress(path.read_bytes()))
        readings = [
            Reading(probe, float(at), float(took), Quality(quality), tuple(rows), str(reason))
            for probe, at, took, quality, reason, rows in data["readings"]
        ]
        return Snapshot(float(data["at"]), {reading.probe: reading for reading in readings})
    return None
