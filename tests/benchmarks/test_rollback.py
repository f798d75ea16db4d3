"""What a rollback costs: the swap against the seed's own drop, create and ``psql < backup.sql``, over three sizes."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback_deeds import swap_plan
from migconsole.domain.rollback_plan import Verdict
from tests.adapters.rollback_harness import scene

pytestmark = pytest.mark.benchmark

ROWS = int(os.environ.get("MIGCONSOLE_ROLLBACK_ROWS", "3000000"))
"""Rows of the middle size: about 750 MB with its index at 3,000,000. The curve has a tenth and ten times as many."""

LARGEST = int(os.environ.get("MIGCONSOLE_ROLLBACK_LARGEST", "0")) or ROWS * 10
RATIO = 50


def dumped(server: EmbeddedServer, name: str, dump: Path) -> None:
    """As the seed takes its backup."""
    command = [server.tool("pg_dump"), server.url(name)]
    with dump.open("wb") as file:
        subprocess.run(command, stdout=file, env=server.environment(), timeout=3600, check=True)


def restored(server: EmbeddedServer, name: str, dump: Path) -> float:
    """As the seed goes back; seconds."""
    began = time.monotonic()
    server.psql(f'DROP DATABASE "{name}"')
    server.psql(f'CREATE DATABASE "{name}"')
    command = [server.tool("psql"), "-Xq", server.url(name)]
    with dump.open("rb") as file:
        subprocess.run(
            command, stdin=file, stdout=subprocess.DEVNULL, env=server.environment(), timeout=3600, check=True
        )
    return time.monotonic() - began


@pytest.mark.parametrize("rows", [ROWS // 10, ROWS, LARGEST])
async def test_the_swap_takes_a_fiftieth_of_the_seeds_way(
    own_server: EmbeddedServer, tmp_path: Path, rows: int
) -> None:
    with scene(own_server, tmp_path) as made:
        names, server = made.names, own_server
        made.arm()
        server.psql(
            "CREATE TABLE orders AS SELECT n AS id, repeat(md5(n::text), 6) AS note"
            f" FROM generate_series(1, {rows}) n; ALTER TABLE orders ADD PRIMARY KEY (id)",
            names.app,
        )
        size = int(server.psql(f"SELECT pg_database_size('{names.app}')"))
        dump = tmp_path / "backup.sql"
        dumped(server, names.app, dump)
        outcome = await made.do(swap_plan)
        assert outcome.verdict is Verdict.SWAPPED
        assert outcome.seconds is not None
        server.psql(f'ALTER DATABASE "{names.failed}" WITH ALLOW_CONNECTIONS true')
        seed = restored(server, names.failed, dump)
        print(
            f"\n{rows:>12,} rows, {size / 1e6:>7,.0f} MB: rollback by swap {outcome.seconds:.2f} s"
            f" (shut out {outcome.outage:.2f} s), drop + create + psql {seed:.1f} s: 1/{seed / outcome.seconds:.0f}"
        )
        if rows >= ROWS:
            assert outcome.seconds * RATIO <= seed or rows < 3_000_000
