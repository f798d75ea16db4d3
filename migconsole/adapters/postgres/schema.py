"""The schema's fingerprint: how it is read, and what it leaves out."""

from __future__ import annotations

from migconsole.adapters.migrators import MIGRATORS
from migconsole.adapters.postgres.connect import Purpose, session
from migconsole.adapters.postgres.failures import FAILURES, querying
from migconsole.adapters.postgres.observing import rows
from migconsole.domain.schema_diff import Fingerprint
from migconsole.domain.target import Target

LIMIT = 30.0
LOCK_TIMEOUT = 0.4
"""Seconds; below half of deadlock_timeout's default, so that no reading decides a deadlock."""

_RECORDS = [tool.table for tool in MIGRATORS.values() if not tool.schema]

OWN_RECORDS = [*_RECORDS, *(f"{name}_id_seq" for name in _RECORDS), "databasechangelog", "databasechangeloglock"]
"""What migration tools keep for themselves: that it is new does not mean that a migration left something."""


async def read_schema(target: Target, run: str) -> Fingerprint:
    """The fingerprint now. Raises TargetError, also while a lock hides a part of the schema."""
    purpose = Purpose("fingerprint", LIMIT, LOCK_TIMEOUT, search_path="pg_catalog")
    async with session(target, purpose, run=run) as connection:
        try:
            found = await rows(connection, "schema_fingerprint", OWN_RECORDS)
        except FAILURES as error:
            raise querying(error, target, LIMIT, LOCK_TIMEOUT) from None
    return Fingerprint.of([tuple(row.values()) for row in found])
