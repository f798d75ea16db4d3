"""What ``backup`` and ``prove`` cost beside the bare tools, on the same database in the same run: ``-m benchmark -s``.

``MIGCONSOLE_BENCH_SCALE`` is pgbench's scale: 50 (about 750 MB) by default, less for a quick look. The whole is what
the commands themselves report, without the interpreter's start, which a larger database makes vanish.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from migconsole.demo.server import EmbeddedServer
from tests.adapters.restoring import backed_up, manifest_of, migconsole

pytestmark = pytest.mark.benchmark

SCALE = int(os.environ.get("MIGCONSOLE_BENCH_SCALE", "50"))
JOBS = 2
ROUNDS = 3

FILL = f"""
CREATE TABLE branches (bid int PRIMARY KEY, balance int, filler char(88));
CREATE TABLE accounts (aid int PRIMARY KEY, bid int, balance int, filler char(84));
CREATE TABLE history (tid int, bid int, aid int, delta int, mtime timestamptz, filler char(22));
INSERT INTO branches SELECT g, 0, '' FROM generate_series(1, {SCALE}) g;
INSERT INTO accounts SELECT g, g / 100000 + 1, 0, '' FROM generate_series(1, {100_000 * SCALE}) g;
INSERT INTO history SELECT g % 10, g % {SCALE}, g, g % 5000, now(), '' FROM generate_series(1, {5_000 * SCALE}) g;
CREATE INDEX ON history (aid);
VACUUM ANALYZE;
"""


def timed(*command: str, environment: dict[str, str]) -> float:
    start = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - start


def test_backup_and_prove_beside_the_bare_tools(own_server: EmbeddedServer, tmp_path: Path) -> None:
    own_server.settings |= {"max_wal_size": "4GB", "shared_buffers": "512MB"}
    own_server.stop()
    own_server._configure()
    own_server.start()
    own_server.psql("CREATE DATABASE bench")
    for statement in FILL.strip().split(";\n"):
        subprocess.run(
            [own_server.tool("psql"), "-XAtq", "-c", statement.rstrip(";"), "-d", own_server.url("bench")],
            env=own_server.environment(),
            check=True,
        )
    size = int(own_server.psql("SELECT pg_database_size('bench')"))
    url, environment = own_server.url("bench"), own_server.environment()
    dumps, restores, phases, wholes, proofs = [], [], [], [], []
    for number in range(ROUNDS):
        bare = tmp_path / f"bare-{number}"
        dumps.append(
            timed(own_server.tool("pg_dump"), "-Fd", f"-j{JOBS}", "-f", str(bare), url, environment=environment)
        )
        backup = backed_up(own_server, url, tmp_path / f"b{number}", "--jobs", JOBS)
        took = manifest_of(backup)["durations"]
        phases.append(took["dump_s"])
        wholes.append(took["total_s"])
        own_server.psql("CREATE DATABASE bare")
        restores.append(
            timed(
                own_server.tool("pg_restore"),
                f"-j{JOBS}",
                "-d",
                own_server.url("bare"),
                str(bare),
                environment=environment,
            )
        )
        own_server.psql("DROP DATABASE bare")
        own_server.psql("CHECKPOINT")
        said = migconsole(own_server, "prove", backup, "--target", url, "--jobs", JOBS, timeout=600)
        assert said.code == 0, said.complaint
        proofs.append(said.event("proof")["total_s"])
        print(
            f"round {number}: bare {dumps[-1]:.2f} s, {took}; bare {restores[-1]:.2f} s, {dict(said.event('proof'))}",
            flush=True,
        )
    # The best of each: what else the machine does can only add to a time.
    dump, restore, phase, whole, proof = (min(values) for values in (dumps, restores, phases, wholes, proofs))
    print(f"\n{size / 1e6:.0f} MB: bare pg_dump {dump:.2f} s, dump phase {phase:.2f} s ({phase / dump:.2f}), ", end="")
    print(f"whole backup {whole:.2f} s ({whole / dump:.2f})")
    print(f"bare pg_restore {restore:.2f} s, prove {proof:.2f} s ({proof / restore:.2f})")
    assert phase <= 1.1 * dump
    assert whole <= 1.4 * dump
    assert proof <= 1.25 * restore
