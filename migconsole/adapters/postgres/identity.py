"""Reading the server's identity over an open session."""

from __future__ import annotations

import time

import asyncpg

from migconsole.adapters.postgres.connect import Connection
from migconsole.adapters.postgres.queries import OLDEST, load
from migconsole.domain.server_time import counting
from migconsole.domain.target import Target
from migconsole.engine.ports import ServerIdentity


async def read_identity(connection: Connection, target: Target) -> ServerIdentity:
    """What the server reports; ``host`` and ``port`` are the target's, the server's own address stands beside them."""
    row = await connection.fetchrow(load("identity", OLDEST))
    address = row["server_address"]
    return ServerIdentity(
        database=row["database"],
        host=target.host,
        port=target.port,
        user=row["user"],
        version=row["version"],
        version_num=row["version_num"],
        in_recovery=row["in_recovery"],
        system_identifier=await _system_identifier(connection),
        oid=row["oid"],
        started_at=row["started_at"].isoformat(),
        server_address=f"{address}:{row['server_port']}" if address else "",
    )


async def read_skew(connection: Connection) -> tuple[float, float]:
    """Seconds that the server's clock is ahead of this host's, and half the time that it took to ask."""
    sent = time.time()
    server = await connection.fetchval(load("server_clock", OLDEST))
    heard = time.time()
    return server.timestamp() - (sent + heard) / 2, (heard - sent) / 2


async def read_ahead(connection: Connection) -> float:
    """The same as one number: 0.0 where the two clocks cannot be told apart.

    What this host recorded, or reckons from its own time, is so many seconds later by the server's clock.
    """
    return counting(*await read_skew(connection))


async def _system_identifier(connection: Connection) -> str | None:
    try:
        identifier: str | None = await connection.fetchval(load("system_identifier", OLDEST))
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedFunctionError):
        return None
    return identifier
