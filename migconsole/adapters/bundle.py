"""The evidence bundle: a run's record in one compressed file that anybody can check with ``sha256sum -c``.

The same journal gives the same bytes: names are sorted, owners and times are the run's and not the host's.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from migconsole.adapters.runs import RunDirectory, sync_directory

SUMS = "SHA256SUMS"
_CHUNK = 1 << 20
_ATTEMPT_FILES = ("output.log", "request.json", "result.json", "outcome.json")


def write_bundle(directory: RunDirectory, reports: Mapping[str, bytes], target: Path, mtime: float) -> None:
    """Write the bundle (0600): it is absent or whole, whatever happens. Raises OSError and sqlite3.Error.

    ``reports`` are files by name, ``mtime`` the time that every entry gets.
    """
    partial = target.with_name(target.name + ".partial")
    folder = directory.path.name
    try:
        descriptor = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as raw, tempfile.TemporaryDirectory(dir=directory.path) as scratch:
            copy = Path(scratch) / "run.db"
            copy_journal(directory.journal, copy)
            with (
                gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
                tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
            ):
                sums = []
                for name, opened, size in _members(directory, reports, copy):
                    with opened as file:
                        digest = _digest(file, size)
                        file.seek(0)
                        archive.addfile(_entry(f"{folder}/{name}", size, mtime), file)
                    sums.append(f"{digest}  {name}\n")
                text = "".join(sorted(sums, key=lambda line: line[66:])).encode()
                archive.addfile(_entry(f"{folder}/{SUMS}", len(text), mtime), io.BytesIO(text))
            raw.flush()
            os.fsync(raw.fileno())
        partial.replace(target)
        sync_directory(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def copy_journal(journal: Path, target: Path) -> None:
    """A consistent copy of a journal that may be written meanwhile, readable without its write-ahead log."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with (
        contextlib.closing(sqlite3.connect(f"{journal.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)) as source,
        contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy,
    ):
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        # Who has the run open just now is not of the record, and would make two bundles of one journal differ.
        copy.execute("DELETE FROM presence")
        copy.execute("VACUUM")


def _members(
    directory: RunDirectory, reports: Mapping[str, bytes], journal: Path
) -> Iterator[tuple[str, IO[bytes], int]]:
    """Everything that goes in, by name in order; sizes are those at the moment of opening, for files that grow."""
    found: dict[str, bytes | Path] = dict(reports)
    found["run.db"] = journal
    found["checklist.yaml"] = directory.checklist
    for pattern in (*(f"jobs/*/*/{name}" for name in _ATTEMPT_FILES), "seals/*.json"):
        for path in directory.path.glob(pattern):
            if path.is_file() and not path.is_symlink():
                found[str(path.relative_to(directory.path))] = path
    for name in sorted(found):
        content = found[name]
        if isinstance(content, bytes):
            yield name, io.BytesIO(content), len(content)
        else:
            file = open(content, "rb")  # noqa: SIM115 - whoever takes it closes it
            yield name, file, os.fstat(file.fileno()).st_size


def _digest(file: IO[bytes], size: int) -> str:
    digest = hashlib.sha256()
    left = size
    while left > 0:
        data = file.read(min(_CHUNK, left))
        if not data:
            break
        digest.update(data)
        left -= len(data)
    return digest.hexdigest()


def _entry(name: str, size: int, mtime: float) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, int(mtime), 0o600
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "migconsole"
    return entry
