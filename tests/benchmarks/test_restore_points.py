"""What ``backup`` and ``prove`` cost beside the bare tools, on the same database in the same run: ``-m benchmark -s``.

Two databases of about 800 MB each: *few* has pgbench's shape (one table is nearly everything; a third of each row does
not compress) with its indexes, *many* has 300 equal tables, each with a primary key and an index. Both sides have
the same number of jobs and take turns, who is first changes, and the best of three rounds counts: what else the machine
does can only add to a time. ``MIGCONSOLE_BENCH_SCALE`` (50) makes both smaller for a quick look. Our times are what the
commands themselves report, without the interpreter's start, which a larger database makes vanish; making, marking and
closing the side database is in the proof's time, and creating the bare one is not in that of the bare restore.

The limits hold for *few*. Of 300 tables each is counted, and the small ones are hashed up to a limit, beside a dump
and after a restore that keep both cores busy: *many* is printed, and limited so that a change for the worse is found.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback import side_name
from tests.adapters.restoring import backed_up, manifest_of, migconsole

pytestmark = pytest.mark.benchmark

SCALE = int(os.environ.get("MIGCONSOLE_BENCH_SCALE", "50"))
JOBS = 2
ROUNDS = 3

FEW = (
    "CREATE TABLE branches (bid int PRIMARY KEY, balance int, filler char(88))",
    "CREATE TABLE accounts (aid int PRIMARY KEY, bid int, balance int, filler char(84))",
    "CREATE TABLE history (tid int, bid int, aid int, delta int, mtime timestamptz, filler char(22))",
    f"INSERT INTO branches SELECT g, 0, '' FROM generate_series(1, {SCALE}) g",
    f"INSERT INTO accounts SELECT g, g / 100000 + 1, 0, md5(g::text) FROM generate_series(1, {100_000 * SCALE}) g",
    f"INSERT INTO history SELECT g % 10, g, g, g % 5000, now(), '' FROM generate_series(1, {5_000 * SCALE}) g",
    "CREATE INDEX ON history (aid)",
    "VACUUM ANALYZE",
)

MANY = (
    "DO $$BEGIN FOR t IN 1..300 LOOP EXECUTE format('CREATE TABLE many_%s AS SELECT g AS id, g %% 97 AS kind,"
    f" md5(g::text) AS note, repeat(''x'', 40) AS filler FROM generate_series(1, {340 * SCALE}) g', t);"
    " EXECUTE format('ALTER TABLE many_%s ADD PRIMARY KEY (id)', t);"
    " EXECUTE format('CREATE INDEX ON many_%s (kind)', t); END LOOP; END$$",
    "VACUUM ANALYZE",
)


def timed(*command: str, environment: dict[str, str]) -> float:
    start = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - start


class Bench:
    """A server with the database, the bare tools and ours, and what each took in every round."""

    def __init__(self, server: EmbeddedServer, home: Path, fill: Sequence[str]) -> None:
        self.server, self.home, self.url = server, home, server.url("bench")
        self.times: dict[str, list[float]] = {}
        server.settings |= {"max_wal_size": "4GB", "shared_buffers": "512MB"}
        server.stop()
        server._configure()
        server.start()
        server.psql("CREATE DATABASE bench")
        for statement in fill:
            words = [server.tool("psql"), "-XAtq", "-c", statement, "-d", self.url]
            subprocess.run(words, env=server.environment(), check=True)
        self.size = int(server.psql("SELECT pg_database_size('bench')"))
        self.backup = self.bare = home

    def bare_dump(self, number: int) -> None:
        self.bare = self.home / f"bare-{number}"
        words = (self.server.tool("pg_dump"), "-Fd", f"-j{JOBS}", "-f", str(self.bare), self.url)
        self._note("dump", timed(*words, environment=self.server.environment()))

    def our_dump(self, number: int) -> None:
        self.backup = backed_up(self.server, self.url, self.home / f"b{number}", "--jobs", JOBS)
        took = manifest_of(self.backup)["durations"]
        self._note("phase", took["dump_s"])
        self._note("whole", took["total_s"])

    def bare_restore(self, number: int) -> None:
        self.server.psql("CREATE DATABASE bare")
        words = (self.server.tool("pg_restore"), f"-j{JOBS}", "-d", self.server.url("bare"), str(self.bare))
        self._note("restore", timed(*words, environment=self.server.environment()))
        self.server.psql("DROP DATABASE bare")

    def our_restore(self, number: int) -> None:
        words = ("prove", self.backup, "--target", self.url, "--jobs", JOBS, "--keep-armed")
        said = migconsole(self.server, *words, timeout=600)
        assert said.code == 0, said.complaint
        self.server.psql(f"DROP DATABASE {side_name('bench', manifest_of(self.backup)['id'])}")
        proof = said.event("proof")
        self._note("proof", proof["total_s"])
        print({name: proof[name] for name in proof if name.endswith("_s")}, flush=True)

    def _note(self, name: str, seconds: float) -> None:
        self.times.setdefault(name, []).append(seconds)

    def best(self, name: str) -> float:
        return min(self.times[name])


@pytest.mark.parametrize("fill", [FEW, MANY], ids=["few", "many"])
def test_backup_and_prove_beside_the_bare_tools(
    own_server: EmbeddedServer, tmp_path: Path, fill: Sequence[str]
) -> None:
    bench = Bench(own_server, tmp_path, fill)
    pairs: list[tuple[Callable[[int], None], Callable[[int], None]]] = [
        (bench.bare_dump, bench.our_dump),
        (bench.bare_restore, bench.our_restore),
    ]
    for number in range(ROUNDS):
        for pair in pairs:
            for act in pair if number % 2 == 0 else reversed(pair):
                own_server.psql("CHECKPOINT")
                act(number)
        print(f"round {number}: " + ", ".join(f"{name} {took[-1]:.2f} s" for name, took in bench.times.items()))
    best, size = bench.best, bench.size
    print(
        f"\n{size / 1e6:.0f} MB, {JOBS} jobs: bare pg_dump {best('dump'):.2f} s, dump phase {best('phase'):.2f} s ",
        end="",
    )
    print(
        f"({best('phase') / best('dump'):.2f}), whole backup {best('whole'):.2f} s ({best('whole') / best('dump'):.2f})"
    )
    print(
        f"bare pg_restore {best('restore'):.2f} s, prove {best('proof'):.2f} s ({best('proof') / best('restore'):.2f})"
    )
    slack = 1.0 if fill is FEW else 1.4
    assert best("phase") <= 1.1 * slack * best("dump")
    assert best("whole") <= 1.4 * slack * best("dump")
    assert best("proof") <= 1.25 * slack * best("restore")
