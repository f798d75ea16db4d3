"""The throw-away server: starting, stopping and cleaning up on real processes."""

from __future__ import annotations

import asyncpg

from migconsole.demo.server import EmbeddedServer
from tests.conftest import Database


async def test_a_fresh_database_can_be_reached_by_its_url(database: Database) -> None:
    connection = await asyncpg.connect(str(database))
    try:
        assert await connection.fetchval("SELECT current_database()") == database.name
    finally:
        await connection.close()


