"""Why a source was not read, as the sessions raise it, and which errors mean what."""

from __future__ import annotations

import asyncpg

from migconsole.adapters.postgres.connect import Connection
from migconsole.adapters.postgres.probes.reading import Refusal
from migconsole.errors import TargetError

MISSING = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidParameterValueError,
)
"""Errors of a server that has not what was asked for, and will not have it the next time."""


class StoodDownError(TargetError):
    """What was asked for was cut short, because the session had to leave."""


class RefusedSourceError(Exception):
    """A source was refused; the connection is as good as before."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def is_lost(connection: Connection, error: BaseException) -> bool:
    """Whether an error is the end of the connection."""
    gone = asyncpg.PostgresConnectionError | asyncpg.CannotConnectNowError
    return bool(connection.is_closed()) or isinstance(error, gone)
