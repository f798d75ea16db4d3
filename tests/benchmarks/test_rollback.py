"""What a rollback costs: the swap against the seed's own drop, create and ``psql < backup.sql``, and over sizes.

``MIGCONSOLE_ROLLBACK_ROWS`` are the rows of the size that is judged (3,000,000: about 750 MB with its index). The curve
has a hundredth and a tenth of it as well, and with ``MIGCONSOLE_ROLLBACK_LARGEST`` one more (30,000,000 take 8 GB and
twenty minutes): the way of the seed grows with the rows, the swap does not.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from pathlib import Path

import pytest

from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback_deeds import put_back_plan, swap_plan
from migconsole.domain.rollback_plan import Verdict
from tests.adapters.rollback_harness import scene

pytestmark = pytest.mark.benchmark

ROWS = int(os.environ.get("MIGCONSOLE_ROLLBACK_ROWS", "3000000"))
LARGEST = int(os.environ.get("MIGCONSOLE_ROLLBACK_LARGEST", "0"))
SIZES = [ROWS // 100, ROWS // 10, ROWS, *([LARGEST] if LARGEST else [])]
RATIO = 50
ROUNDS = 3
"""Swaps at each size, put back in between: the best counts, because what else the machine does only adds to it."""

ALIKE = 1.0
"""Seconds within which the swap is at every size: what differs is how long a session takes to end."""


def dumped(server: EmbeddedServer, name: str, dump: Path) -> None:
    """As the seed takes its backup."""
    command = [server.tool("pg_dump"), server.url(name)]
    with dump.open("wb") as file:
        subprocess.run(command, stdout=file, env=server.environment(), timeout=3600, check=True)


def folder(home: Path, rows: int) -> Path:
    """Where the state file of one size goes."""
    made = home / str(rows)
    made.mkdir()
    return made


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


async def measured(server: EmbeddedServer, home: Path, rows: int) -> tuple[int, float, float, float]:
    """Bytes; seconds of the rollback by swap, of its outage, and of the seed's way back."""
    with scene(server, await asyncio.to_thread(folder, home, rows)) as made:
        names = made.names
        made.arm()
        server.psql(
            "CREATE TABLE orders AS SELECT n AS id, repeat(md5(n::text), 6) AS note"
            f" FROM generate_series(1, {rows}) n; ALTER TABLE orders ADD PRIMARY KEY (id)",
            names.app,
        )
        size = int(server.psql(f"SELECT pg_database_size('{names.app}')"))
        dump = home / f"{rows}.sql"
        dumped(server, names.app, dump)
        swaps, outages = [], []
        for number in range(ROUNDS):
            outcome = await made.do(swap_plan, number=f"swap-{number}")
            assert outcome.verdict is Verdict.SWAPPED
            swaps.append(outcome.seconds or 0.0)
            outages.append(outcome.outage or 0.0)
            if number + 1 < ROUNDS:
                undone = await made.do(put_back_plan, number=f"back-{number}")
                assert undone.verdict is Verdict.PUT_BACK
        server.psql(f'ALTER DATABASE "{names.failed}" WITH ALLOW_CONNECTIONS true')
        seed = restored(server, names.failed, dump)
        return size, min(swaps), min(outages), seed


async def test_the_swap_takes_a_fiftieth_of_the_seeds_way(own_server: EmbeddedServer, tmp_path: Path) -> None:
    print(f"\n{'rows':>12} {'MB':>7} {'by swap':>9} {'shut out':>9} {'drop + create + psql':>21} {'ratio':>7}")
    curve = {}
    for rows in SIZES:
        size, swap, outage, seed = curve[rows] = await measured(own_server, tmp_path, rows)
        ratio = f"1/{seed / swap:.0f}"
        print(f"{rows:>12,} {size / 1e6:>7,.0f} {swap:>7.2f} s {outage:>7.2f} s {seed:>19.1f} s {ratio:>7}")
    swaps = [swap for _, swap, _, _ in curve.values()]
    assert max(swaps) - min(swaps) <= ALIKE
    _, swap, _, seed = curve[ROWS]
    assert swap * RATIO <= seed or ROWS < 3_000_000
