"""Run directories: made, found again, listed; and the files of a run beside its journal."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import platformdirs

from migconsole.adapters import processes
from migconsole.adapters.jobs.outcomes import JobOutcome, read_outcome
from migconsole.adapters.journal import reading
from migconsole.adapters.outputs import FileOutput
from migconsole.errors import JournalError, UsageError

FLAGS = ("HOLD", "PANIC")

RUNS = "runs"
"""The folder of a state directory that holds its runs."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def state_directory(given: str | None = None) -> Path:
    """Where runs are kept: ``--state-dir``, MIGCONSOLE_STATE_DIR, else the platform's user state directory."""
    chosen = given or os.environ.get("MIGCONSOLE_STATE_DIR")
    return Path(chosen).expanduser().absolute() if chosen else Path(platformdirs.user_state_dir("migconsole"))


class RunDirectory:
    """One run's directory: ``run.db``, ``checklist.yaml``, ``jobs/<item>/<attempt>/``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.path / "run.db"

    @property
    def state(self) -> Path | None:
        """The state directory that this run lies in, None for one that was copied elsewhere."""
        return self.path.parent.parent if self.path.parent.name == RUNS else None

    @property
    def checklist(self) -> Path:
        """The frozen copy of the checklist that this run executes."""
        return self.path / "checklist.yaml"

    def attempt(self, item: str, number: int) -> Path:
        """Where an attempt's files lie; made with mode 0700. Raises JournalError when it cannot be."""
        path = self._attempt(item, number)
        try:
            for folder in (path.parent.parent, path.parent, path):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise JournalError(f"The run directory cannot be used: {error.strerror}", str(path)) from error
        return path

    def write_output(self, item: str, number: int, lines: Sequence[str]) -> tuple[int, str]:
        """Keep evidence as an attempt's output (0600, on disk when this returns); size in bytes and SHA-256."""
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        path = self.attempt(item, number) / "output.log"
        try:
            write_durably(path, data)
        except OSError as error:
            raise JournalError(f"The evidence cannot be written: {error.strerror}", str(path)) from error
        return len(data), hashlib.sha256(data).hexdigest()

    def outcome(self, item: str, number: int) -> JobOutcome | None:
        """What a built-in job said about itself; None when it left nothing, ValueError when it cannot be believed."""
        return read_outcome(self._attempt(item, number))

    def open_output(self, item: str, number: int) -> FileOutput | None:
        """An attempt's output as lines, None when it has left none."""
        path = self._attempt(item, number) / "output.log"
        return FileOutput(path) if path.exists() else None

    def output_path(self, item: str, number: int) -> Path:
        """Where an attempt's output lies, whether or not it has left one."""
        return self._attempt(item, number) / "output.log"

    def flags(self) -> Mapping[str, str]:
        """The flag files present, with their first line as the reason; one that cannot be read counts, too."""
        found = {}
        for name in FLAGS:
            if not os.path.lexists(self.path / name):
                continue
            found[name] = ""
            with contextlib.suppress(OSError):
                # Not blocking: whatever lies there under this name, a pipe too, must not hold up the console.
                descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NONBLOCK)
                with open(descriptor, "rb") as file:
                    found[name] = (file.read(400) or b"").partition(b"\n")[0].decode("utf-8", "replace").strip()
        return found

    def _attempt(self, item: str, number: int) -> Path:
        return self.path / "jobs" / _folder(item) / str(number)


class RunStore:
    """All runs under one state directory."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.path = state / RUNS

    def create(self, title: str, checklist: bytes) -> tuple[RunDirectory, str]:
        """Make a run directory with the frozen checklist in it; returns it with the new run's identifier.

        Raises UsageError when the directory cannot be made or written (permissions, full disk).
        """
        run_id = processes.new_id()
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{slug(title)[:40]}-{run_id[:4]}"
        directory = RunDirectory(self.path / name)
        try:
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700, exist_ok=True)
            directory.path.mkdir(mode=0o700)
            write_durably(directory.checklist, checklist)
            sync_directory(self.path)
        except OSError as error:
            shutil.rmtree(directory.path, ignore_errors=True)
            raise UsageError(
                f"The state directory cannot be used: {error.strerror}",
                str(directory.path),
                "Free space or choose another directory with --state-dir or MIGCONSOLE_STATE_DIR.",
            ) from error
        return directory, run_id

    def all(self) -> list[RunDirectory]:
        """Every run, newest first."""
        try:
            found = [RunDirectory(path) for path in self.path.iterdir() if _has_journal(path)]
        except OSError:
            return []
        return sorted(found, key=_age, reverse=True)

    def find(self, wanted: str | None) -> RunDirectory:
        """A run by path, directory name or the beginning of either name or identifier; the newest without one."""
        runs = self.all()
        given = Path(wanted or "").expanduser()
        if wanted and (given / "run.db").is_file():
            return RunDirectory(given.absolute())
        if not runs:
            title = f"There is no run “{wanted}”, nor any other" if wanted else "There is no run yet"
            raise UsageError(title, str(self.path), "Start one: migconsole run CHECKLIST")
        if not wanted:
            return runs[0]
        matches = [run for run in runs if run.path.name.startswith(wanted)] or [
            run for run in runs if _is_identified_by(run, wanted)
        ]
        if len(matches) == 1:
            return matches[0]
        known = "\n".join(run.path.name for run in (matches or runs)[:10])
        what = "More than one run matches" if matches else "There is no run"
        raise UsageError(f"{what} “{wanted}”", known, "Name one of these, or its directory.")


def opened_data(directory: RunDirectory) -> dict[str, object]:
    """The first event's data of a run: what it was opened with. Raises JournalError for a run without one."""
    for event in reading.read_events(directory.journal)[:1]:
        return dict(event.data)
    raise JournalError("This run was never opened", str(directory.path), "Remove the directory and start a new run.")


def write_durably(path: Path, data: bytes) -> None:
    """Write a file (0600) so that after a crash it is either absent or whole."""
    partial = path.with_name(path.name + ".partial")
    descriptor = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def slug(text: str) -> str:
    """A text as part of a file name.

    >>> slug("Prisma production migration!")
    'prisma-production-migration'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "run"


def _has_journal(path: Path) -> bool:
    try:
        return (path / "run.db").is_file()
    except OSError:
        return False


def _age(run: RunDirectory) -> tuple[str, int]:
    """By the second in its name, then by when its checklist was frozen, which nobody writes again."""
    try:
        frozen = run.checklist.stat().st_mtime_ns
    except OSError:
        frozen = 0
    return run.path.name[:16], frozen


def _is_identified_by(run: RunDirectory, wanted: str) -> bool:
    """Whether a run's identifier begins so; four characters of it are in the directory's name, all in the journal."""
    if not re.fullmatch(r"[0-9a-f]{4,12}", wanted) or not run.path.name.endswith(f"-{wanted[:4]}"):
        return False
    try:
        return str(opened_data(run).get("run", "")).startswith(wanted)
    except JournalError:
        return False


def _folder(item: str) -> str:
    """An item's folder: its identifier where that is a safe name, else with a hash so that two never share one."""
    safe = _UNSAFE.sub("-", item)[:80].strip(".") or "item"
    return safe if safe == item else f"{safe}-{hashlib.sha256(item.encode()).hexdigest()[:8]}"
