"""Reading the content back after a rollback: equal, different, interrupted, left out, and what tools left behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

import asyncpg
import pytest

from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback import Names
from migconsole.wiring.rolling_back import state_file
from tests.adapters.rollback_harness import Scene
from tests.adapters.test_rollback_restores import backed_up, program, roll

__all__ = ["backed_up"]

PROOF = "rollback.verified"


@pytest.fixture
def armed(backed_up: tuple[Scene, Path]) -> tuple[Scene, Path]:
    """With the backup proven and armed."""
    made, backup = backed_up
    done = program("prove", str(backup), "--target", made.url, "--keep-armed", "--disk-free", "50GB")
    assert done.returncode == 0, done.stdout + done.stderr
    return made, backup


def recorded(made: Scene) -> list[dict[str, object]]:
    """What is on record about reading back."""
    path = state_file(made.home, made.place, made.names.app, made.names.side[-8:])
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    return [entry["data"] for entry in entries if entry["kind"] == PROOF]


def in_side(made: Scene, statement: str) -> None:
    """Change the armed side database, which nobody should."""
    side = made.names.side
    made.server.psql(f'ALTER DATABASE "{side}" WITH ALLOW_CONNECTIONS true')
    made.server.psql(statement, side)
    made.close(side)


def test_a_swap_is_verified_against_the_manifest(armed: tuple[Scene, Path]) -> None:
    made, backup = armed
    done = roll(made, backup)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verified against the manifest of" in done.stdout
    assert [entry["proof"] for entry in recorded(made)] == ["verified"]


def test_roles_that_changed_since_the_backup_are_named_because_nothing_puts_them_back(
    armed: tuple[Scene, Path],
) -> None:
    made, backup = armed
    role = f"r_{made.names.app}"
    made.server.psql(f"CREATE ROLE {role} LOGIN PASSWORD 'never shown'")
    try:
        done = roll(made, backup)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"CREATE ROLE {role};" in done.stdout
        assert "are not put back" in done.stdout
        assert "never shown" not in done.stdout
        (entry,) = recorded(made)
        assert entry["proof"] == "verified"
        assert f"CREATE ROLE {role};" in json.dumps(entry)
    finally:
        made.server.psql(f"DROP ROLE {role}")


def test_a_side_database_that_somebody_changed_is_told_by_its_differences(armed: tuple[Scene, Path]) -> None:
    made, backup = armed
    in_side(made, "UPDATE content SET what = 'meddled'; CREATE TABLE extra (n int)")
    done = roll(made, backup)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "SWAPPED" in done.stdout
    assert "not the same ones (hash)" in done.stdout
    assert 'table "public"."extra" is not in the backup' in done.stdout
    (entry,) = recorded(made)
    assert entry["proof"] == "differs"
    assert len(entry["lines"]) >= 2  # type: ignore[arg-type]


def test_rights_that_somebody_changed_are_told_and_are_not_taken_for_what_clients_write(
    armed: tuple[Scene, Path],
) -> None:
    made, backup = armed
    side = made.names.side
    assert made.server.psql(f"SELECT datacl IS NOT NULL FROM pg_database WHERE datname = '{side}'") == "t"
    made.server.psql(
        f'REVOKE CONNECT ON DATABASE "{side}" FROM PUBLIC; GRANT CREATE ON DATABASE "{side}" TO PUBLIC;'
        f'ALTER DATABASE "{side}" SET jit TO off'
    )
    done = roll(made, backup)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "SWAPPED" in done.stdout
    for told in (
        "the database lost: GRANT CONNECT ON DATABASE … TO PUBLIC",
        "the database has, and the backup has not: GRANT CREATE ON DATABASE … TO PUBLIC",
        "the database has, and the backup has not: ALTER DATABASE … SET jit",
    ):
        assert told in done.stdout
    (entry,) = recorded(made)
    assert (entry["proof"], entry["explained"]) == ("differs", False)


async def test_what_clients_write_is_told_and_fails_nothing(armed: tuple[Scene, Path]) -> None:
    made, backup = armed
    in_side(made, "INSERT INTO content VALUES ('more')")
    done = await _with_a_client(made, backup)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clients are in it, and it can be what they wrote" in done.stdout
    assert recorded(made)[0]["explained"] is True


async def _with_a_client(made: Scene, backup: Path) -> subprocess.CompletedProcess[str]:
    """Roll back while a client knocks until it is let in again, and stays."""
    done = asyncio.create_task(asyncio.to_thread(roll, made, backup))
    old = made.server.psql(f"SELECT oid FROM pg_database WHERE datname = '{made.names.app}'")
    client = None
    while client is None and not done.done():
        try:
            client = await asyncpg.connect(made.url)
            if str(await client.fetchval("SELECT oid FROM pg_database WHERE datname = current_database()")) == old:
                await client.close()
                client = None
        except (asyncpg.PostgresError, OSError, asyncpg.InterfaceError):
            client = None
        await asyncio.sleep(0)
    try:
        return await done
    finally:
        if client is not None:
            await client.close()


def test_left_out_is_not_verified_and_on_record_as_that(armed: tuple[Scene, Path]) -> None:
    made, backup = armed
    done = roll(made, backup, "--no-verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT verified: it was left out (--no-verify)" in done.stdout
    assert "verified against" not in done.stdout
    assert [entry["proof"] for entry in recorded(made)] == ["not verified"]


def test_a_reading_that_does_not_end_in_time_is_not_verified(armed: tuple[Scene, Path]) -> None:
    made, backup = armed
    done = roll(made, backup, "--verify-limit", "1ms")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT verified: reading it back did not end within" in done.stdout
    assert made.content() == "old"


def test_another_manifest_than_that_of_the_proof_is_no_measure(armed: tuple[Scene, Path]) -> None:
    made, backup = armed
    taken = program("backup", "--target", made.url, "--directory", str(made.home / "later"))
    assert taken.returncode == 0, taken.stdout + taken.stderr
    (later,) = (path for path in (made.home / "later").iterdir() if (path / "manifest.json").exists())
    identifier = json.loads((backup / "manifest.json").read_text())["id"]
    done = roll(made, later, "--owner", identifier)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT verified: the manifest in" in done.stdout


def test_without_a_manifest_nothing_is_verified(armed: tuple[Scene, Path]) -> None:
    made, _ = armed
    given = ["--target", made.url, "--state-dir", str(made.home), "--reason", "broken", "--confirm", made.place]
    done = program("rollback", *given, "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)["outcome"]["verification"]
    assert (found["proof"], found["what"]) == ("not verified", "no manifest is at hand (--backup DIR)")


def test_locks_of_migration_tools_that_came_back_are_named(server: EmbeddedServer, tmp_path: Path) -> None:
    """A backup of a database in whose tools something was under way."""
    app = f"l_{os.urandom(4).hex()}"
    server.psql(f"CREATE DATABASE {app}")
    server.psql(
        "CREATE TABLE content (what text); INSERT INTO content VALUES ('old'); CREATE SCHEMA \"Tools\";"
        'CREATE TABLE "Tools".databasechangeloglock (id int, locked bool, lockgranted timestamp, lockedby text);'
        "INSERT INTO \"Tools\".databasechangeloglock VALUES (1, true, '2026-11-24', 'ci-7 (10.0.0.7)');"
        "CREATE TABLE _prisma_migrations (migration_name text, checksum text, started_at timestamptz DEFAULT now(),"
        " finished_at timestamptz, rolled_back_at timestamptz, logs text);"
        "INSERT INTO _prisma_migrations (migration_name, finished_at) VALUES ('1_good', now()), ('2_half', NULL)",
        app,
    )
    taken = program("backup", "--target", server.url(app), "--directory", str(tmp_path / "b"))
    assert taken.returncode == 0, taken.stdout + taken.stderr
    (backup,) = (path for path in (tmp_path / "b").iterdir() if (path / "manifest.json").exists())
    made = Scene(server, Names.of(app, json.loads((backup / "manifest.json").read_text())["id"]), tmp_path)
    try:
        done = roll(made, backup, "--strategy", "side-restore")
        assert done.returncode == 0, done.stdout + done.stderr
        assert '"Tools"."databasechangeloglock": Liquibase\'s lock came back, of ci-7 (10.0.0.7)' in done.stdout
        assert "2_half began and never finished" in done.stdout
        assert "1_good" not in done.stdout
    finally:
        made.drop()
