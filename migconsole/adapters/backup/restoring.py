"""Filling an empty database from a backup, and comparing what came of it with the manifest.

Used for the side database of a proof, and for whoever restores elsewhere: the database exists, is empty and accepts
connections. Schemas come first, then the extensions by hand, then everything else of the filtered list; statistics; and
the comparison that decides. A restore that was cut off is never gone on with: the database is dropped and made anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from migconsole.adapters.backup import directory as storage
from migconsole.adapters.backup.clients import Choice
from migconsole.adapters.backup.directory import Backup, BackupError
from migconsole.adapters.backup.reporting import Meter, Reporter
from migconsole.adapters.backup.tools import Ended, Running, Toolbox, conninfo
from migconsole.adapters.postgres.dumping import copy_progress
from migconsole.adapters.postgres.observing import observe
from migconsole.adapters.postgres.sides import analyze, create_extensions
from migconsole.domain.manifest import COUNTED, Observed, compare
from migconsole.domain.target import Target
from migconsole.domain.toc import read_toc
from migconsole.errors import MigconsoleError

ERROR = re.compile(r"pg_restore: error: ")
HARMLESS = "transaction_timeout"
"""A pg_restore from 17 on sets this parameter, which older servers do not know: the one error that changes nothing."""

UNHURRIED = "-c synchronous_commit=off"
"""A restore waits neither for the disk nor for a standby at each of its commits, of which hundreds of tables make
thousands. What it restores is nothing before its marker says so, and that is committed by another session in full: the
log is written in order, so everything before the marker is then as durable as the marker."""

Guard = Callable[[Running], Coroutine[Any, Any, None]]
"""Watches a running restore until cancelled; may hold it and let it go on. What it raises ends the restore."""


class RestoreError(BackupError):
    """A restore that failed, or did not give what the manifest says."""


@dataclass(frozen=True, slots=True)
class Filling:
    """Which backup goes into which database. ``target`` is the server; ``owner`` names our sessions."""

    backup: Backup
    target: Target
    database: str
    choice: Choice
    toolbox: Toolbox
    jobs: int = 1
    owner: str = ""
    guard: Guard | None = None
    durations: dict[str, float] = field(default_factory=dict)

    @property
    def inside(self) -> Target:
        """The target with the restored database in place of its own."""
        return replace(self.target, database=self.database)


async def fill(filling: Filling, reporter: Reporter) -> None:
    """Restore, analyse and compare; raises RestoreError unless the database is what the manifest says."""
    manifest = filling.backup.manifest
    async with timed(filling.durations, "restore_s"):
        await _restore_all(filling, reporter)
    reporter.say("gathering statistics, and comparing with the manifest")
    hashed = {(e.schema, e.name) for e in manifest.observed.relations if e.kind in COUNTED and e.hash is not None}
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_analyzed(filling))
            observing = group.create_task(_observed(filling, hashed))
    except* MigconsoleError as errors:
        raise errors.exceptions[0] from None
    observed = observing.result()
    differences = compare(manifest, observed)
    if differences:
        raise RestoreError(
            "The restore is not what was backed up",
            "\n".join(differences[:30]),
            "The backup is not proven. Take another one; if it differs again, look at what is named here.",
        )


async def _analyzed(filling: Filling) -> None:
    async with timed(filling.durations, "analyze_s"):
        await analyze(filling.inside, filling.owner, filling.jobs)


async def _observed(filling: Filling, hashed: set[tuple[str, str]]) -> Observed:
    async with timed(filling.durations, "compare_s"):
        return await observe(filling.inside, filling.owner, hashed, max(2, filling.jobs))


async def _restore_all(filling: Filling, reporter: Reporter) -> None:
    entries = read_toc((filling.backup.path / storage.TOC).read_text(encoding="utf-8"))
    schemas = [entry.line for entry in entries if entry.kind == "SCHEMA"]
    rest = [entry.line for entry in entries if entry.kind != "SCHEMA"]
    with tempfile.TemporaryDirectory(prefix="migconsole-") as folder:
        if schemas:
            await _pg_restore(filling, Path(folder) / "schemas.list", schemas, reporter)
        await create_extensions(filling.inside, filling.owner, filling.backup.manifest.observed.extensions)
        await _pg_restore(filling, Path(folder) / "rest.list", rest, reporter, watched=True)


async def _pg_restore(
    filling: Filling, chosen: Path, lines: Sequence[str], reporter: Reporter, *, watched: bool = False
) -> None:
    await asyncio.to_thread(chosen.write_text, "".join(f"{line}\n" for line in lines), encoding="utf-8")
    strict = ["--exit-on-error"] if filling.choice.same_major else []
    jobs = ["-j", str(filling.jobs)] if watched and filling.jobs > 1 else []
    target = ["-d", conninfo(filling.database), "-L", str(chosen), str(filling.backup.dump)]
    command = ["--no-password", *strict, *jobs, *target]
    try:
        # A guard that fails cancels the waiting, and leaving the program's context ends it, held or not.
        started = filling.toolbox.started("pg_restore", *command, settings=UNHURRIED)
        async with started as running, asyncio.TaskGroup() as group:
            beside: list[asyncio.Task[None]] = [group.create_task(_watch(filling, reporter))] if watched else []
            if watched and filling.guard is not None:
                beside.append(group.create_task(filling.guard(running)))
            ended = await running.ended()
            for task in beside:
                task.cancel()
    except* MigconsoleError as errors:
        raise errors.exceptions[0] from None
    if problem := failure(ended, strict=bool(strict)):
        raise RestoreError("pg_restore failed", problem, "Mend what it names, and prove the backup again.")


def failure(ended: Ended, *, strict: bool) -> str:
    """Why a restore did not succeed, "" when it did.

    With a pg_restore of another major exit 1 is accepted where every error is that of ``SET transaction_timeout``: the
    manifest then decides. The check goes by the statement, because the error itself may be in any language.
    """
    if ended.code == 0:
        return ""
    text = f"exit {ended.code}\n{ended.said}"
    if strict or ended.code != 1 or ended.cut:
        return text
    errors = [number for number, line in enumerate(ended.lines) if ERROR.match(line)]
    harmless = [n for n in errors if HARMLESS in ended.lines[n] and _statement(ended, n) == f"SET {HARMLESS} = 0;"]
    if errors and harmless == errors:
        return ""
    other = [ended.lines[number] for number in errors if number not in harmless]
    return "\n".join([f"exit {ended.code}", *other[:10]]) if other else text


def _statement(ended: Ended, number: int) -> str:
    """The statement that an error is about; it stands on the next line."""
    following = ended.lines[number + 1] if number + 1 < len(ended.lines) else ""
    return following.removeprefix("Command was: ").strip()


async def _watch(filling: Filling, reporter: Reporter) -> None:
    """Say how far the copying is. Indexes and constraints come after it and cannot be foretold."""
    relations = [entry for entry in filling.backup.manifest.observed.relations if entry.kind in COUNTED]
    weights = {(entry.schema, entry.name): entry.bytes or 0 for entry in relations}
    exact = {(entry.schema, entry.name): entry.rows or 0 for entry in relations}
    meter = Meter("restore", sum(weights.values()))
    async for done in copy_progress(filling.inside, filling.toolbox.app_name, filling.owner, weights, exact):
        reporter.progress(meter.at(done or 0, known=done is not None, note="rows; indexes follow"))


@contextlib.asynccontextmanager
async def timed(durations: dict[str, float], name: str) -> AsyncIterator[None]:
    """Measure the body in seconds."""
    start = time.monotonic()
    yield
    durations[name] = round(time.monotonic() - start, 3)
