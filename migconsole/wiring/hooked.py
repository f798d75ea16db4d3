"""``migconsole prove --by NAME``: a restore point that another tool makes, for databases too large to restore.

A standby whose replay is paused, a snapshot of the volume, a backup of pgBackRest: a command of the checklist takes it,
and a command or a query verifies that it is there. Nothing is restored, so it is *verified*, never proven or armed; how
to go back is shown with its precondition and never carried out by this program.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from migconsole.adapters import processes
from migconsole.adapters.backup.tools import end
from migconsole.adapters.jobs.outcomes import JobOutcome
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.sides import SideKeeper
from migconsole.domain.events import Kind
from migconsole.domain.restore_points import PointState
from migconsole.errors import MigconsoleError, UsageError
from migconsole.wiring.restore_jobs import (
    Asked,
    Reports,
    Setting,
    Speaker,
    carried_out,
    conclude,
)

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
KEPT = 200
"""Lines of a command's output that are kept."""

CHUNK = 64 * 1024
"""Bytes read at once, and the longest line."""

QUERY_LIMIT = 60.0
"""Seconds a verifying query may take: it reads a position or a list, no data."""


class HookError(MigconsoleError):
    """A restore point of another tool that could not be taken, or was not seen to be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Asked):
    """What the command line gave. ``expect`` is a regular expression that what verifies must show."""

    by: str
    take: str = ""
    verify: str = ""
    verify_sql: str = ""
    expect: str = ""
    back: str = ""
    precondition: str = ""


async def prove_by_hook(options: Options, speak: Speaker) -> int:
    """Take and verify it; the exit code. Raises MigconsoleError when it is not verified."""
    reports = Reports(speak)

    async def work() -> JobOutcome:
        expected = _checked(options)
        setting = await options.prepared("prove", reports)
        reports.say(f"{setting.identity.name}, PostgreSQL {setting.identity.version}: a restore point by {options.by}")
        lsn, at = await _now(setting)
        started = time.monotonic()
        durations: dict[str, float] = {}
        if options.take:
            reports.say(f"$ {options.take}")
            code, _ = await _shell(options.take, setting, reports)
            durations["take_s"] = round(time.monotonic() - started, 3)
            if code != 0:
                raise HookError(f"{options.by} did not take it", f"exit {code}", "Its output says why.")
        await _verified(options, expected, setting, reports)
        outcome = _outcome(options, reports, lsn, at, durations)
        await conclude(setting, outcome)
        said = f"{options.by}: verified; nothing was restored from it"
        speak(said, {"event": "restore-point", "state": PointState.SNAPSHOT.value, "by": options.by, **outcome.values})
        return outcome

    return await carried_out(work, reports)


def _checked(options: Options) -> re.Pattern[str] | None:
    if not NAME.fullmatch(options.by):
        raise UsageError("--by takes a short name", "Such as pgbackrest, snapshot or standby: lower case, no spaces.")
    if bool(options.verify) == bool(options.verify_sql):
        raise UsageError("What verifies it is not said", "Give --verify COMMAND or --verify-sql QUERY, one of the two.")
    if options.verify and not options.expect:
        raise UsageError(
            "What must be seen is not said",
            "A command that ends well has not shown anything.",
            "Give --expect PATTERN, which the output of --verify must match.",
        )
    try:
        return re.compile(options.expect) if options.expect else None
    except re.error as error:
        raise UsageError("--expect is no regular expression", str(error)) from None


async def _now(setting: Setting) -> tuple[str, str]:
    """Position and time of the server just before: what is written from here on may be missing from it."""
    async with SideKeeper.opened(setting.target, setting.target.database, setting.run_id, lock=False) as keeper:
        return await keeper.now()


async def _verified(options: Options, expected: re.Pattern[str] | None, setting: Setting, reports: Reports) -> None:
    if options.verify:
        reports.say(f"$ {options.verify}")
        code, lines = await _shell(options.verify, setting, reports)
        seen = any(expected.search(line) for line in lines) if expected is not None else False
        why = f"exit {code}" if code != 0 else "" if seen else f"its output shows nothing like {options.expect}"
    else:
        reports.say(f"=> {options.verify_sql}")
        why = await _asked(options.verify_sql, expected, setting, reports)
    if why:
        raise HookError(f"The restore point by {options.by} is not verified", why, "It does not count.")


async def _asked(query: str, expected: re.Pattern[str] | None, setting: Setting, reports: Reports) -> str:
    """Why the first value of the first row is not what it must be, or ""."""
    database = PostgresDatabase(setting.target, run=setting.run_id)
    try:
        result = await database.query([query], limit=QUERY_LIMIT, lock_timeout=1.0)
    finally:
        await database.close()
    for line in result.lines:
        reports.say(line)
    rows = result.observations[0].rows or ()
    if not rows or not rows[0]:
        return "the query gives no row"
    value = rows[0][0]
    if expected is None:
        return "" if value is True or value == "true" else f"the query gives {value}, not true"
    return "" if expected.search(str(value)) else f"the query gives {value}, which is nothing like {expected.pattern}"


async def _shell(script: str, setting: Setting, reports: Reports) -> tuple[int, list[str]]:
    """Run a command of the checklist with the target in its environment; its exit code and last lines."""

    def heard(line: bytes) -> str:
        reports.say(line.decode("utf-8", "replace").rstrip("\r"))
        return reports.lines[-1]

    lines: list[str] = []
    environment = setting.target.whole_environment(os.environ, setting.toolbox.app_name)
    async with _started(script, environment) as process:
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(CHUNK):
            # A line without an end is cut there: it must not fill the memory.
            *whole, rest = (rest + chunk).split(b"\n")
            whole, rest = ([*whole, rest], b"") if len(rest) > CHUNK else (whole, rest)
            lines = [*lines, *map(heard, whole)][-KEPT:]
        if rest:
            lines.append(heard(rest))
        code = await process.wait()
    return code, lines


@contextlib.asynccontextmanager
async def _started(script: str, environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        "bash",
        *("--noprofile", "--norc", "-o", "pipefail", "-c", script),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment,
        process_group=0,
    )
    try:
        yield process
    finally:
        await asyncio.shield(end(process))


def _outcome(options: Options, reports: Reports, lsn: str, at: str, durations: dict[str, float]) -> JobOutcome:
    identifier = f"{options.by}-{processes.new_id()[:8]}"
    data: dict[str, Any] = {
        "state": PointState.SNAPSHOT.value,
        "backup": identifier,
        "by": options.by,
        "at": at,
        "lsn": lsn,
        "durations": durations,
        "back": options.back,
        "precondition": options.precondition,
        "why": "nothing was restored from it",
    }
    fact = {"kind": str(Kind.RESTORE_POINT), "key": f"{identifier}:{data['state']}", "data": data}
    values = {"by": options.by, "verified": True, **durations}
    return JobOutcome(
        "passed", (), reports.lines[-KEPT:], values, {"prove_backup": identifier, "prove_side": ""}, [fact]
    )
