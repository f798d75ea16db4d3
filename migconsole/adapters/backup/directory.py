"""A backup's directory: made under a name that does not count, checked file by file, and found again.

``<directory>/<database>-<utc>-<id8>/`` holds ``dump/``, ``manifest.json``, ``globals.sql``, ``toc.list`` and
``SHA256SUMS``. Until everything in it is written, read back and on disk, its name ends in ``.partial``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migconsole.adapters import processes
from migconsole.adapters.runs import sync_directory, write_durably
from migconsole.domain.manifest import Manifest, ManifestError, read_manifest
from migconsole.errors import MigconsoleError, UsageError

PARTIAL = ".partial"
DUMP, MANIFEST, SUMS, TOC, GLOBALS, STATE = (
    "dump",
    "manifest.json",
    "SHA256SUMS",
    "toc.list",
    "globals.sql",
    "state.json",
)
_NAME = re.compile(r".+-\d{8}T\d{6}Z-[0-9a-f]{8}(\.partial)?")
_SUM = re.compile(r"([0-9a-f]{64})  (.+)")
_THREADS = 4


class BackupError(MigconsoleError):
    """A backup that is not whole, not ours, or not what it was."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A whole backup. ``digest`` is the SHA-256 of its manifest, which everything that refers to it carries."""

    path: Path
    manifest: Manifest
    digest: str

    @property
    def dump(self) -> Path:
        """The directory that pg_dump wrote."""
        return self.path / DUMP


@dataclass(frozen=True, slots=True)
class Found:
    """A directory that looks like a backup. ``state`` is whole, running, unfinished or broken; ``next`` what to do."""

    path: Path
    state: str
    detail: str
    next: str
    manifest: Manifest | None = None


def make_partial(directory: Path, database: str, identifier: str, state: Mapping[str, Any]) -> Path:
    """Make the directory of a new backup (0700) under its partial name. Raises UsageError."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", database)[:60].strip(".") or "database"
    path = directory / f"{safe}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{identifier[:8]}{PARTIAL}"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
        here = os.getpid()
        who = {"pid": here, "started": processes.start_time(here), "boot": processes.boot_id()}
        text = json.dumps({**state, **who, "host": socket.gethostname()})
        write_durably(path / STATE, text.encode())
        sync_directory(directory)
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)
        raise UsageError(
            f"The backup's directory cannot be made: {error.strerror}",
            str(path),
            "Choose a folder that can be written, on a volume with room for the dump.",
        ) from error
    return path


def settle(partial: Path, manifest: Manifest, sums: Mapping[str, str]) -> Backup:
    """Write manifest and checksums, and give the directory its final name: from here on it is a backup.

    ``sums`` are of everything else, whose bytes are on disk already. Raises BackupError when it cannot be written.
    """
    final = partial.with_name(partial.name.removesuffix(PARTIAL))
    data = (json.dumps(manifest.data(), indent=1, ensure_ascii=True) + "\n").encode()
    digest = hashlib.sha256(data).hexdigest()
    lines = [f"{value}  {name}\n" for name, value in sorted({**sums, MANIFEST: digest}.items())]
    try:
        write_durably(partial / MANIFEST, data)
        write_durably(partial / SUMS, "".join(lines).encode())
        (partial / STATE).unlink(missing_ok=True)
        for folder in (partial / DUMP, partial):
            sync_directory(folder)
        partial.rename(final)
        sync_directory(final.parent)
    except OSError as error:
        raise BackupError(f"The backup cannot be finished: {error.strerror}", str(partial)) from error
    return Backup(final, manifest, digest)


def hash_files(paths: Iterable[Path], root: Path, *, durable: bool) -> dict[str, str]:
    """SHA-256 of each file by its name below ``root``, in threads; ``durable`` also puts it on disk. Raises OSError."""

    def one(path: Path) -> tuple[str, str]:
        # No links: what is hashed must be what is restored.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with open(descriptor, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if durable:
                os.fsync(file.fileno())
        return path.relative_to(root).as_posix(), digest

    # The largest first, so that no thread is left alone with it.
    ordered = sorted(paths, key=lambda path: path.stat().st_size, reverse=True)
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        return dict(pool.map(one, ordered))


def files_of(path: Path) -> list[Path]:
    """Every file of a backup that is listed with its checksum. Raises OSError."""
    return [*sorted((path / DUMP).iterdir()), *(path / name for name in (TOC, GLOBALS) if (path / name).exists())]


def verify(path: Path) -> Backup:
    """Read every byte of a backup and compare it with its checksums; raises BackupError with everything that is wrong.

    Done right before use: what was whole yesterday may have rotted since.
    """
    path = path.expanduser()
    manifest, digest, sums = _described(path)
    problems = []
    try:
        files = {file.relative_to(path).as_posix(): file for file in files_of(path)}
        missing = sorted(set(sums) - set(files) - {MANIFEST})
        extra = sorted(set(files) - set(sums))
        problems += [f"{name} is missing" for name in missing]
        problems += [f"{name} is not in {SUMS}" for name in extra]
        there = [file for name, file in files.items() if name in sums]
        for name, value in sorted(hash_files(there, path, durable=False).items()):
            if value != sums[name]:
                problems.append(f"{name} is not what was written: its SHA-256 differs")
    except OSError as error:
        problems.append(f"{error.filename or path}: {error.strerror}")
    if problems:
        raise BackupError(
            "The backup is not what was written",
            "\n".join([str(path), *problems[:20]]),
            "Do not use it. Take another backup, or another copy of this one.",
        )
    return Backup(path, manifest, digest)


def described(path: Path) -> Backup:
    """A backup by its manifest alone, which is what was written; nothing else of it was read. Raises BackupError."""
    path = path.expanduser()
    manifest, digest, _ = _described(path)
    return Backup(path, manifest, digest)


def _described(path: Path) -> tuple[Manifest, str, dict[str, str]]:
    """Manifest, its digest, and the checksums; raises BackupError for what is no whole backup."""
    again = "Take another backup; this one never counted as one."
    if path.name.endswith(PARTIAL):
        raise BackupError("The backup was never finished", str(path), again)
    try:
        raw, listed = (path / MANIFEST).read_bytes(), (path / SUMS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise BackupError(
            "This is no backup of migconsole",
            f"{path}: {MANIFEST} or {SUMS} cannot be read ({reason}).",
            "Name a directory that “migconsole backup” made; dumps of other origin are not restored.",
        ) from None
    matches = [_SUM.fullmatch(line) for line in listed.splitlines()]
    sums = {match[2]: match[1] for match in matches if match}
    digest = hashlib.sha256(raw).hexdigest()
    if sums.get(MANIFEST) != digest or not all(matches):
        raise BackupError("The backup's manifest is not what was written", f"{path}: its SHA-256 differs.", again)
    try:
        return read_manifest(raw.decode("utf-8")), digest, sums
    except (ManifestError, UnicodeDecodeError) as error:
        raise BackupError("The backup's manifest cannot be used", f"{path}: {error}", again) from None


def look(directory: Path) -> list[Found]:
    """Every backup and every unfinished one below a directory, newest first; nothing is read but their descriptions."""
    try:
        entries = [
            entry for entry in directory.expanduser().iterdir() if entry.is_dir() and _NAME.fullmatch(entry.name)
        ]
    except OSError as error:
        raise UsageError(f"The directory cannot be read: {error.strerror}", str(directory)) from error
    entries.sort(key=lambda entry: re.findall(r"\d{8}T\d{6}Z", entry.name)[-1], reverse=True)
    return [_unfinished(entry) if entry.name.endswith(PARTIAL) else _finished(entry) for entry in entries]


def _finished(path: Path) -> Found:
    try:
        manifest, _digest, _sums = _described(path)
    except BackupError as error:
        return Found(path, "broken", error.title, "take another backup")
    return Found(path, "whole", "", f"prove it: migconsole prove {path}", manifest)


def _unfinished(path: Path) -> Found:
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        lives = state.get("host") == socket.gethostname() and processes.alive(
            int(state["pid"]), float(state["started"]), str(state["boot"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Found(path, "unfinished", "nothing says who made it", "remove it: migconsole backup --clean")
    if lives:
        return Found(path, "running", f"process {state['pid']} is making it", "wait for it")
    if state.get("host") != socket.gethostname():
        detail = f"made on {str(state.get('host'))[:60]}, whose processes cannot be seen here"
        return Found(path, "unfinished", detail, "look there, then remove it by hand")
    return Found(path, "unfinished", "its process is gone; it never counts", "remove it: migconsole backup --clean")


def clean(directory: Path) -> list[Path]:
    """Remove the unfinished backups of dead processes of this host; returns what was removed."""
    removed = []
    for found in look(directory):
        if found.state == "unfinished" and "by hand" not in found.next:
            shutil.rmtree(found.path)
            removed.append(found.path)
    return removed
