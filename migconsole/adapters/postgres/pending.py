"""Which migrations are pending on a target: the tool, its folder and the files behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migconsole.adapters.postgres.checks.base import Findings, Probe
from migconsole.adapters.postgres.checks.migrations import examine
from migconsole.adapters.postgres.connect import Purpose, session
from migconsole.adapters.postgres.failures import DRIVER_FAILURES, querying
from migconsole.adapters.postgres.identity import read_identity
from migconsole.domain.migrations import MigrationState
from migconsole.domain.target import Target
from migconsole.engine.migrator_ports import SqlFile
from migconsole.engine.ports import ServerIdentity
from migconsole.errors import MigconsoleError

TIMEOUT = 15.0
LOCK_TIMEOUT = 0.4


@dataclass(frozen=True, slots=True)
class Pending:
    """The pending migrations in the order they would be applied; ``postgresql`` is the server's version."""

    tool: str
    directory: Path
    schema: str
    names: tuple[str, ...]
    files: tuple[SqlFile, ...]
    applied: int
    postgresql: str


async def pending(
    target: Target, project: Path, arguments: Mapping[str, Any], *, run: str = "", lock_timeout: float = LOCK_TIMEOUT
) -> Pending:
    """Compare the checkout with the target, waiting ``lock_timeout`` seconds for a lock on the tool's own table.

    Raises MigconsoleError when that cannot be done.
    """
    purpose = Purpose("pending", TIMEOUT, lock_timeout, search_path="pg_catalog")
    async with session(target, purpose, run=run) as connection:
        try:
            identity = await read_identity(connection, target)
            return await _pending(Probe(target, connection, identity, identity, project), identity, arguments)
        except DRIVER_FAILURES as error:
            raise querying(error, target, TIMEOUT, lock_timeout) from None


async def _pending(probe: Probe, identity: ServerIdentity, arguments: Mapping[str, Any]) -> Pending:
    found = Findings()
    seen = await examine(probe, arguments, found)
    if seen is None or seen.report is None:
        raise MigconsoleError("Which migrations are pending is unknown", "; ".join(found.unclear) + ".")
    names = seen.report.names(MigrationState.PENDING)
    files = await asyncio.to_thread(seen.tool.scripts, seen.directory, names)
    applied = len(seen.report.applied)
    return Pending(seen.tool.name, seen.directory, seen.schema, names, tuple(files), applied, identity.version)
