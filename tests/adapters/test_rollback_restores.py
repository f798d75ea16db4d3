"""Ways back that restore: beside the database, then the swap; where it stands; and a revert script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback import Names
from migconsole.wiring.rolling_back import state_file
from tests.adapters.rollback_harness import Scene
from tests.waiting import wait_until

BUSY = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%/operator%'"
"""Operators of the dead, which hold their lock until the server has ended them."""

BEFORE = "CREATE TABLE content (what text PRIMARY KEY); INSERT INTO content VALUES ('old'); CREATE SEQUENCE s"
MIGRATION = "UPDATE content SET what = 'new'; CREATE TABLE extra (n int)"


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run migconsole to its end."""
    command = [sys.executable, "-m", "migconsole", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), timeout=180, check=False)


@pytest.fixture
def backed_up(server: EmbeddedServer, tmp_path: Path) -> Iterator[tuple[Scene, Path]]:
    """A database with a backup of before its migration, and nothing armed."""
    app = f"b_{os.urandom(4).hex()}"
    server.psql(f"CREATE DATABASE {app}")
    server.psql(f"COMMENT ON DATABASE {app} IS 'the shop'; ALTER DATABASE {app} SET work_mem TO '5MB'")
    server.psql(BEFORE, app)
    url = server.url(app)
    taken = program("backup", "--target", url, "--directory", str(tmp_path / "backups"))
    assert taken.returncode == 0, taken.stdout + taken.stderr
    (backup,) = (path for path in (tmp_path / "backups").iterdir() if (path / "manifest.json").exists())
    identifier = json.loads((backup / "manifest.json").read_text())["id"]
    server.psql(MIGRATION, app)
    made = Scene(server, Names.of(app, identifier), tmp_path)
    try:
        yield made, backup
    finally:
        made.drop()


def roll(made: Scene, backup: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Roll back with this backup, confirmed once."""
    given = ["--target", made.url, "--state-dir", str(made.home), "--backup", str(backup), "--disk-free", "50GB"]
    return program("rollback", *given, "--reason", "it is broken", "--confirm", made.place, *arguments)


def test_a_cold_restore_beside_it_and_then_the_swap(backed_up: tuple[Scene, Path]) -> None:
    made, backup = backed_up
    done = roll(made, backup, "--strategy", "side-restore")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SWAPPED" in done.stdout
    assert made.content() == "old"
    assert made.content(made.names.app) == "old"
    assert made.comment(made.names.app) == "the shop"
    assert made.server.psql("SHOW work_mem", made.names.app) == "5MB"
    assert made.databases() == {made.names.app: True, made.names.failed: False}


def test_in_place_keeps_the_failed_data_as_a_dump(backed_up: tuple[Scene, Path]) -> None:
    made, backup = backed_up
    keep = made.home / "kept"
    keep.mkdir()
    once = roll(made, backup, "--strategy", "in-place", "--keep-failed", str(keep))
    assert once.returncode == 3
    assert "--last-resort" in once.stdout
    assert made.content() == "new"
    done = roll(made, backup, "--strategy", "in-place", "--keep-failed", str(keep), "--last-resort", made.place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert made.content() == "old"
    assert made.comment(made.names.app) == "the shop"
    assert made.server.psql("SHOW work_mem", made.names.app) == "5MB"
    limit = f"SELECT datconnlimit FROM pg_database WHERE datname = '{made.names.app}'"
    assert made.server.psql(limit) == "-1"
    (dump,) = keep.iterdir()
    assert (dump / "toc.dat").exists()
    assert not dump.name.endswith(".partial")
    again = roll(made, backup, "--strategy", "in-place", "--keep-failed", str(keep), "--last-resort", made.place)
    assert again.returncode == 0
    assert "Already restored" in again.stdout


def test_in_place_goes_on_forward_after_a_death_behind_the_drop(backed_up: tuple[Scene, Path]) -> None:
    """The DROP is on record and has happened: the name is missing, and only the same command brings it back."""
    made, backup = backed_up
    oid = made.server.psql(f"SELECT oid FROM pg_database WHERE datname = '{made.names.app}'")
    done = roll(made, backup, "--strategy", "in-place", "--plan", "--keep-failed", str(made.home))
    assert "POINT OF NO RETURN" in done.stdout
    common = {"rollback": "r1"}
    entries = [
        ("rollback.started", {**common, "deed": "rollback", "strategy": "in-place", "oid": int(oid)}),
        ("rollback.step", {**common, "step": "drop", "title": "Drop", "course": "began"}),
    ]
    path = state_file(made.home, made.place, made.names.app, made.names.side[-8:])
    path.parent.mkdir(parents=True)
    path.write_text(
        "".join(json.dumps({"kind": k, "at": "t", "key": str(n), "data": d}) + "\n" for n, (k, d) in enumerate(entries))
    )
    made.server.psql(f'DROP DATABASE "{made.names.app}"')
    forward = roll(made, backup, "--strategy", "in-place", "--last-resort", made.place)
    assert forward.returncode == 0, forward.stdout + forward.stderr
    assert made.content() == "old"


def test_a_revert_script_runs_whole_or_not_at_all(backed_up: tuple[Scene, Path]) -> None:
    made, backup = backed_up
    script = made.home / "down.sql"
    script.write_text("DROP TABLE extra; SELECT 1/0;")
    failed = roll(made, backup, "--strategy", "revert", "--script", str(script))
    assert failed.returncode in (1, 3), failed.stdout + failed.stderr
    assert "NOTHING WAS CHANGED" in failed.stdout
    assert made.server.psql("SELECT to_regclass('extra') IS NOT NULL", made.names.app) == "t"
    script.write_text("DROP TABLE extra; UPDATE content SET what = 'old';")
    done = roll(made, backup, "--strategy", "revert", "--script", str(script))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "REVERTED" in done.stdout
    assert made.content() == "old"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("DROP TABLE extra;\nCOMMIT;\nSELECT 1/0;", ("a part of it stays", "extra")),
        ("UPDATE content SET what = 'half';\nCOMMIT;\nSELECT 1/0;", ("may have changed rows", "line 2: COMMIT")),
        ("\\i inner.sql\nSELECT 1/0;", ("may have changed rows", "line 1: \\i inner.sql")),
    ],
    ids=["schema", "rows", "included"],
)
def test_a_revert_script_that_committed_a_part_is_never_called_nothing(
    backed_up: tuple[Scene, Path], text: str, told: tuple[str, ...]
) -> None:
    made, backup = backed_up
    script = made.home / "down.sql"
    script.write_text(text.replace("inner.sql", str(made.home / "inner.sql")))
    (made.home / "inner.sql").write_text("UPDATE content SET what = 'half'; COMMIT;")
    planned = roll(made, backup, "--strategy", "revert", "--script", str(script), "--plan")
    assert "NOT all or nothing" in planned.stdout
    failed = roll(made, backup, "--strategy", "revert", "--script", str(script))
    assert failed.returncode == 4, failed.stdout + failed.stderr
    assert "NOTHING WAS CHANGED" not in failed.stdout
    assert "UNKNOWN" in failed.stdout
    for words in told:
        assert words.replace("inner.sql", str(made.home / "inner.sql")) in failed.stdout
    assert "Do not run the script again as it is" in failed.stdout


POINTS = [
    f"{step}:{course}"
    for step in ("keep-failed", "fence", "end-sessions", "drop", "create", "mark", "restore", "open")
    for course in ("began", "done")
] + ["sent:2", "after:2", "sent:3", "after:3"]
"""Boundaries of the replacement; the second statement is the DROP, the third the CREATE."""


@pytest.mark.kill
@pytest.mark.parametrize("point", POINTS)
def test_in_place_survives_sigkill_at_every_boundary(backed_up: tuple[Scene, Path], point: str) -> None:
    """Before the DROP the data is the new one, whole; behind it the same command goes on forward to the old one."""
    made, backup = backed_up

    def victim(at: str) -> subprocess.CompletedProcess[str]:
        words = ["-m", "tests.adapters.rollback_victim", made.url, str(made.home), "in-place", at, str(backup)]
        return subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, env=dict(os.environ), timeout=180, check=False
        )

    assert victim(point).returncode == -signal.SIGKILL
    there = made.databases()
    if point.partition(":")[0] in ("keep-failed", "fence", "end-sessions"):
        assert made.names.app in there
    wait_until(lambda: made.server.psql(BUSY) == "0", timeout=30)
    again = victim("never:0")
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("restored"), again.stdout
    assert made.content() == "old"
    assert made.databases()[made.names.app] is True
