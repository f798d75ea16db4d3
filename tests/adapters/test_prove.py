"""Proofs on real servers: what is armed, what is refused and why, and that only our own databases are ever dropped."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from migconsole.adapters.postgres.rollback.survey import Knowledge, PostgresRollbackServer
from migconsole.adapters.postgres.target import resolve_target
from migconsole.demo.server import EmbeddedServer
from migconsole.demo.trees import read_tree
from migconsole.domain.rollback import Names, literal, next_name, parse_marker, quoted, side_name
from migconsole.domain.rollback_record import RollbackBook
from migconsole.domain.rollback_state import State
from tests.adapters.restoring import (
    GENERATED,
    SAMPLE,
    Said,
    Watcher,
    backed_up,
    command,
    environment,
    folded,
    manifest_of,
    migconsole,
    opened_run,
)
from tests.conftest import Database
from tests.waiting import wait_until

ROWS = """SELECT (SELECT count(*) FROM refers), (SELECT sum(id) FROM "Odd Schema"."T ""a""
")"""


def prove(server: EmbeddedServer, backup: Path, url: str, *arguments: object) -> Said:
    return migconsole(server, "prove", backup, "--target", url, *arguments)


def side_of(backup: Path) -> str:
    manifest = manifest_of(backup)
    return side_name(manifest["database"], manifest["id"])


def comment(server: EmbeddedServer, name: str) -> str | None:
    found = server.psql(
        f"SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = {literal(name)}"
    )
    return found or None


def exists(server: EmbeddedServer, name: str) -> bool:
    return server.psql(f"SELECT count(*) FROM pg_database WHERE datname = {literal(name)}") == "1"


def drop(server: EmbeddedServer, name: str) -> None:
    if not exists(server, name):
        return
    server.psql(f"ALTER DATABASE {quoted(name)} WITH ALLOW_CONNECTIONS true")
    server.psql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {literal(name)}")
    server.psql(f"DROP DATABASE {quoted(name)}")


@pytest.fixture
def hostile(server: EmbeddedServer) -> Iterator[Database]:
    """A database whose name would break a shell, a connection string, a file name and a screen."""
    name = "o'd d\"b=x\n$migconsole$é"
    server.psql(f"CREATE DATABASE {quoted(name)}")
    yield Database(server, name, server.url(name))
    drop(server, name)


def test_a_proven_backup_is_armed_with_everything_of_the_database(database: Database, tmp_path: Path) -> None:
    server, name = database.server, database.name
    database.psql(SAMPLE + GENERATED + "CREATE EXTENSION hstore; CREATE TABLE h AS SELECT 'a=>1'::hstore AS h;")
    server.psql(
        f"COMMENT ON DATABASE {name} IS 'it''s ours'; ALTER DATABASE {name} SET work_mem = '8MB';"
        f"ALTER DATABASE {name} SET search_path = \"$user\", public, 'odd, one';"
        f"ALTER DATABASE {name} CONNECTION LIMIT 50;"
        "CREATE ROLE proof_app LOGIN;"
        f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO proof_app; REVOKE ALL ON DATABASE {name} FROM PUBLIC;"
        f"ALTER ROLE proof_app IN DATABASE {name} SET statement_timeout = '5s'"
    )
    side = ""
    try:
        backup = backed_up(server, database.url, tmp_path)
        side = side_of(backup)
        said = prove(server, backup, database.url, "--keep-armed", "--jobs", 2)
        assert said.code == 0, said.complaint
        assert said.event("proof")["state"] == "armed"
        marker = parse_marker(comment(server, side))
        assert marker is not None
        assert (marker.app, marker.step, marker.backup) == (name, "armed", manifest_of(backup)["id"])
        closed, limit = server.psql(
            f"SELECT datallowconn, datconnlimit FROM pg_database WHERE datname = '{side}'"
        ).split("|")
        assert (closed, limit) == ("f", "50")
        properties = (
            "SELECT pg_get_userbyid(datdba), encoding, datcollate, datacl, "
            "(SELECT array_agg(setconfig::text ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = oid) "
            "FROM pg_database WHERE datname = "
        )
        assert server.psql(f"{properties}'{side}'") == server.psql(f"{properties}'{name}'")
        server.psql(f"ALTER DATABASE {side} WITH ALLOW_CONNECTIONS true")
        assert server.psql(ROWS, side) == database.psql(ROWS)
        assert server.psql("SELECT h->'a' FROM h", side) == "1"
        assert int(server.psql("SELECT count(*) FROM pg_stats WHERE schemaname = 'public'", side)) > 5
    finally:
        drop(server, side)
        server.psql("DROP OWNED BY proof_app", name)
        server.psql(f"ALTER ROLE proof_app IN DATABASE {name} RESET ALL; DROP ROLE proof_app")


async def test_the_script_for_a_person_rolls_back_and_undoes_it(hostile: Database, tmp_path: Path) -> None:
    """After each part the program sees what it would have done itself, and can go on from there."""
    server = hostile.server
    server.psql(f"COMMENT ON DATABASE {quoted(hostile.name)} IS 'the original'")
    hostile.psql(SAMPLE)
    backup = backed_up(server, hostile.url, tmp_path)
    said = prove(server, backup, hostile.url, "--keep-armed")
    assert said.code == 0, said.complaint
    script = backup / "ROLLBACK-BY-HAND.sql"
    hostile.psql("DROP TABLE refers CASCADE")
    names = Names.of(hostile.name, manifest_of(backup)["id"])
    gone = "SELECT to_regclass('refers') IS NULL"

    def by_hand(*words: str) -> subprocess.CompletedProcess[str]:
        command = [server.tool("psql"), "-X", *words, "-d", server.url("postgres"), "-f", str(script)]
        return subprocess.run(command, env=server.environment(), capture_output=True, text=True, check=False)

    async def state() -> State:
        knowledge = Knowledge(manifest_of(backup)["id"], book=RollbackBook)
        return (await PostgresRollbackServer(resolve_target(hostile.url), knowledge).survey()).situation.state

    try:
        early = by_hand("-v", "undo=1")
        assert early.returncode != 0, "there is nothing to undo yet"
        assert await state() is State.ARMED
        done = by_hand()
        assert done.returncode == 0, done.stderr
        assert await state() is State.SWAPPED
        assert hostile.psql(gone) == "f"
        assert comment(server, hostile.name) == "the original"
        marker = parse_marker(comment(server, names.failed))
        assert marker is not None
        assert (marker.step, marker.comment) == ("failed", "the original")
        assert by_hand().returncode != 0, "a second time it refuses before the first change"
        assert await state() is State.SWAPPED
        hostile.psql("CREATE TABLE written_since (a int)")
        undone = by_hand("-v", "undo=1")
        assert undone.returncode == 0, undone.stderr
        assert await state() is State.ARMED, "what was live meanwhile is closed, ours, and could be swapped in again"
        assert hostile.psql(gone) == "t", "the failed database is the live one, open and as it was"
        assert comment(server, hostile.name) == "the original"
        used = parse_marker(comment(server, names.side))
        assert used is not None
        assert used.step == "used"
        assert by_hand("-v", "undo=1").returncode != 0
        assert await state() is State.ARMED
    finally:
        drop(server, names.failed)
        drop(server, names.side)


def test_the_planner_knows_in_the_restored_copy_what_it_knew(database: Database, tmp_path: Path) -> None:
    """Statistics of before come with the backup (18 and later); what has none, or extended ones, is analysed."""
    database.psql(
        "CREATE TABLE stale (a int) WITH (autovacuum_enabled = off);"
        "INSERT INTO stale SELECT g % 5 FROM generate_series(1, 1000) g; ANALYZE stale;"
        "INSERT INTO stale SELECT g FROM generate_series(100, 9000) g;"
        "CREATE TABLE never (b int) WITH (autovacuum_enabled = off);"
        "INSERT INTO never SELECT generate_series(1, 1000);"
        "CREATE TABLE linked (c int, d int) WITH (autovacuum_enabled = off);"
        "INSERT INTO linked SELECT g % 10, g % 10 FROM generate_series(1, 1000) g;"
        "CREATE STATISTICS pair ON c, d FROM linked; ANALYZE linked"
    )
    backup = backed_up(database.server, database.url, tmp_path)
    assert prove(database.server, backup, database.url, "--keep-armed").code == 0
    side = side_name(database.name, manifest_of(backup)["id"])
    database.server.psql(f"ALTER DATABASE {side} WITH ALLOW_CONNECTIONS true")
    known = "SELECT n_distinct, most_common_vals FROM pg_stats WHERE tablename = 'stale'"
    assert database.server.psql(known, side) == database.psql(known) != ""
    assert database.server.psql("SELECT count(*) FROM pg_stats WHERE tablename = 'never'", side) == "1"
    assert database.server.psql("SELECT count(*) FROM pg_statistic_ext_data", side) == "1"


def test_without_being_kept_it_is_proven_and_gone(database: Database, tmp_path: Path) -> None:
    database.psql(SAMPLE)
    backup = backed_up(database.server, database.url, tmp_path)
    said = prove(database.server, backup, database.url)
    assert said.code == 0, said.complaint
    assert said.event("proof")["state"] == "proven"
    assert not exists(database.server, side_of(backup))


def test_writes_during_the_backup_are_proven_exactly(database: Database, tmp_path: Path) -> None:
    database.psql(
        "CREATE TABLE busy (id serial, x text); INSERT INTO busy (x) SELECT 'a' FROM generate_series(1, 100000)"
    )
    writer = subprocess.Popen(
        [database.server.tool("psql"), "-XAtq", "-d", database.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=database.server.environment(),
    )
    try:
        assert writer.stdin is not None
        writer.stdin.write("INSERT INTO busy (x) SELECT 'b' FROM generate_series(1, 10);\n" * 3000)
        writer.stdin.flush()
        wait_until(lambda: int(database.psql("SELECT count(*) FROM busy")) > 100_000)
        backup = backed_up(database.server, database.url, tmp_path, "--hash", "all")
    finally:
        writer.kill()
        writer.communicate()
    assert prove(database.server, backup, database.url).code == 0


# -- proving again -----------------------------------------------------------------------------------------------------


@pytest.fixture
def armed(database: Database, tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A run, open in a state directory, with a backup that is armed: the run's directory and the backup."""
    database.psql("CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 10) g")
    run = opened_run(database.server, database.url, tmp_path)
    backup = backed_up(database.server, database.url, tmp_path / "first", "--run", run)
    said = prove(database.server, backup, database.url, "--keep-armed", "--run", run)
    assert said.code == 0, said.complaint
    yield run, backup
    for name in (side_name(database.name, folded(run).run_id), next_name(database.name, folded(run).run_id)):
        drop(database.server, name)


def backup_in(server: EmbeddedServer, side: str) -> str:
    """The backup that an armed database holds by its marker."""
    marker = parse_marker(comment(server, side))
    assert marker is not None
    assert marker.step == "armed"
    return marker.backup


def test_an_armed_copy_stays_until_the_next_one_is_proven(
    database: Database, tmp_path: Path, armed: tuple[Path, Path]
) -> None:
    server, (run, first) = database.server, armed
    side, following = side_name(database.name, folded(run).run_id), next_name(database.name, folded(run).run_id)
    database.psql("INSERT INTO t VALUES (11)")
    second = backed_up(server, database.url, tmp_path / "second", "--run", run)
    seen = Watcher(server, side)
    with seen:
        said = prove(server, second, database.url, "--keep-armed", "--run", run)
    assert said.code == 0, said.complaint
    assert seen.states <= {manifest_of(first)["id"], manifest_of(second)["id"]}, "it was armed at every look"
    assert len(seen.states) == 2
    assert backup_in(server, side) == manifest_of(second)["id"]
    assert not exists(server, following)
    server.psql(f"ALTER DATABASE {side} WITH ALLOW_CONNECTIONS true")
    assert server.psql("SELECT count(*) FROM t", side) == "11"
    points = folded(run).restore_points.points
    assert points[manifest_of(second)["id"]].state == "armed"
    assert points[manifest_of(first)["id"]].state == "proven"


def test_a_proof_that_fails_leaves_the_armed_copy(database: Database, tmp_path: Path, armed: tuple[Path, Path]) -> None:
    server, (run, first) = database.server, armed
    side, following = side_name(database.name, folded(run).run_id), next_name(database.name, folded(run).run_id)
    second = backed_up(server, database.url, tmp_path / "second", "--run", run)
    rewrite_manifest(second, '"rows": 10', '"rows": 11')
    said = prove(server, second, database.url, "--keep-armed", "--run", run)
    assert said.code == 1
    assert "had 11 rows and has 10" in said.complaint
    assert backup_in(server, side) == manifest_of(first)["id"]
    assert not exists(server, following)
    assert folded(run).restore_point.backup == manifest_of(first)["id"]
    assert folded(run).restore_point.state == "armed"


@pytest.mark.parametrize("other", [False, True], ids=["the same backup", "another backup"])
def test_a_proof_that_keeps_nothing_takes_nothing_away(
    database: Database, tmp_path: Path, armed: tuple[Path, Path], *, other: bool
) -> None:
    server, (run, first) = database.server, armed
    backup = backed_up(server, database.url, tmp_path / "second", "--run", run) if other else first
    said = prove(server, backup, database.url, "--run", run)
    assert said.code == 0, said.complaint
    assert backup_in(server, side_name(database.name, folded(run).run_id)) == manifest_of(first)["id"]
    assert folded(run).restore_point.state == "armed"
    assert folded(run).restore_point.backup == manifest_of(first)["id"]


def test_without_room_for_two_it_asks_and_records_what_it_gives_up(
    database: Database, tmp_path: Path, armed: tuple[Path, Path]
) -> None:
    server, (run, first) = database.server, armed
    side = side_name(database.name, folded(run).run_id)
    said = prove(server, first, database.url, "--keep-armed", "--run", run, "--disk-free", "1kB")
    assert said.code == 3
    assert "no room for a second copy" in said.complaint
    assert backup_in(server, side) == manifest_of(first)["id"]
    short = prove(server, first, database.url, "--run", run, "--give-up-armed", "no")
    assert short.code == 2
    # As stated there is still too little when the armed one is gone: the proof fails, and the record says what is left.
    said = prove(
        server, first, database.url, "--run", run, "--disk-free", "1kB", "--give-up-armed", "the disk is nearly full"
    )
    assert said.code == 1
    assert any("NO RESTORE POINT until" in line for line in said.lines)
    assert not exists(server, side)
    assert folded(run).restore_point.state == "proven"
    assert "nearly full" in folded(run).restore_point.why


def test_what_a_dead_proof_left_beside_the_armed_copy_is_dropped(database: Database, armed: tuple[Path, Path]) -> None:
    server, (run, first) = database.server, armed
    following = next_name(database.name, folded(run).run_id)
    server.psql(f"CREATE DATABASE {following}")
    marker = json.dumps({"migconsole": folded(run).run_id, "app": database.name, "step": "restoring"})
    server.psql(f"COMMENT ON DATABASE {following} IS {literal(marker)}")
    assert prove(server, first, database.url, "--keep-armed", "--run", run).code == 0
    assert not exists(server, following)
    assert backup_in(server, side_name(database.name, folded(run).run_id)) == manifest_of(first)["id"]


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_a_rotten_backup_is_refused_before_anything_is_made(database: Database, tmp_path: Path) -> None:
    database.psql(SAMPLE)
    backup = backed_up(database.server, database.url, tmp_path)
    path = max((backup / "dump").glob("*.dat*"), key=lambda file: file.stat().st_size)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    said = prove(database.server, backup, database.url)
    assert said.code == 1
    assert "SHA-256 differs" in said.complaint
    assert not exists(database.server, side_of(backup))


def test_a_foreign_backup_is_refused(database: Database, own_server: EmbeddedServer, tmp_path: Path) -> None:
    database.psql("CREATE TABLE t (a int)")
    backup = backed_up(database.server, database.url, tmp_path)
    own_server.psql(f"CREATE DATABASE {database.name}")
    said = prove(own_server, backup, own_server.url(database.name))
    assert said.code == 1
    assert "foreign" in said.complaint
    assert "of server" in said.complaint


def test_a_backup_of_another_database_is_refused(database: Database, tmp_path: Path) -> None:
    backup = backed_up(database.server, database.url, tmp_path)
    said = prove(database.server, backup, database.server.url("postgres"))
    assert said.code == 1
    assert f"it is of database {database.name}" in said.complaint


def test_a_restore_that_differs_proves_nothing(database: Database, tmp_path: Path) -> None:
    """Rows may get lost on the way in whatever pg_restore says; here the manifest is made to lie about them."""
    database.psql("CREATE TABLE t AS SELECT generate_series(1, 10) AS a")
    backup = backed_up(database.server, database.url, tmp_path)
    rewrite_manifest(backup, '"rows": 10', '"rows": 11')
    said = prove(database.server, backup, database.url, "--keep-armed")
    assert said.code == 1
    assert "had 11 rows and has 10" in said.complaint
    assert not exists(database.server, side_of(backup))


def rewrite_manifest(backup: Path, old: str, new: str) -> None:
    """Change a manifest and its checksum, as whoever forges a backup would."""
    import hashlib

    path = backup / "manifest.json"
    sums = backup / "SHA256SUMS"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    sums.write_text(sums.read_text().replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))


def test_rights_are_looked_at_before(database: Database, tmp_path: Path) -> None:
    server = database.server
    database.psql("CREATE TABLE t (a int); CREATE ROLE poor LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO poor")
    try:
        backup = backed_up(server, database.url, tmp_path)
        said = prove(server, backup, server.url(database.name, "poor"), "--disk-free", "1TB")
        assert said.code == 1
        assert 'ALTER ROLE "poor" CREATEDB' in said.complaint
        assert 'GRANT "postgres" TO "poor"' in said.complaint
        assert not exists(server, side_of(backup))
    finally:
        database.psql("DROP OWNED BY poor; DROP ROLE poor")


def test_too_little_room_is_found_before(database: Database, tmp_path: Path) -> None:
    database.psql("CREATE TABLE t (a int)")
    backup = backed_up(database.server, database.url, tmp_path)
    said = prove(database.server, backup, database.url, "--disk-free", "1MB")
    assert said.code == 1
    assert "side copy" in said.complaint
    said = prove(database.server, backup, database.url, "--rewrites", "900TB")
    assert said.code == 1
    assert "what the migration rewrites" in said.complaint


def test_an_owner_who_is_no_superuser_proves_with_a_trusted_extension(server: EmbeddedServer, tmp_path: Path) -> None:
    name, role = "owned_by_role", "plain_owner"
    server.psql(f"CREATE ROLE {role} LOGIN CREATEDB")
    server.psql(f"CREATE DATABASE {name} OWNER {role}")
    url = server.url(name, role)
    side = ""
    try:
        server.psql(
            "CREATE EXTENSION hstore; CREATE TABLE t AS SELECT 'a=>1'::hstore AS h; CREATE SCHEMA s", name, role
        )
        backup = backed_up(server, url, tmp_path)
        side = side_of(backup)
        said = prove(server, backup, url, "--keep-armed", "--disk-free", "1TB")
        assert said.code == 0, said.complaint
        assert exists(server, side)
    finally:
        drop(server, side)
        drop(server, name)
        server.psql(f"DROP ROLE {role}")


def test_event_triggers_are_left_out_and_said(database: Database, tmp_path: Path) -> None:
    database.psql(
        "CREATE TABLE t (a int); CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'no'; END$$; CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION no()"
    )
    backup = backed_up(database.server, database.url, tmp_path)
    assert any("event trigger: guard" in text for text in manifest_of(backup)["left_out"])
    assert prove(database.server, backup, database.url).code == 0


def test_what_would_stop_a_swap_is_said(own_server: EmbeddedServer, tmp_path: Path) -> None:
    own_server.psql("CREATE DATABASE shop")
    own_server.settings |= {"max_prepared_transactions": 5, "wal_level": "logical"}
    own_server.stop()
    own_server._configure()
    own_server.start()
    own_server.psql("SELECT pg_create_logical_replication_slot('cdc', 'pgoutput')", "shop")
    own_server.psql("BEGIN; CREATE TABLE t (a int); PREPARE TRANSACTION 'it''s open'", "shop")
    backup = backed_up(own_server, own_server.url("shop"), tmp_path)
    said = prove(own_server, backup, own_server.url("shop"))
    assert said.code == 0, said.complaint
    assert any("ROLLBACK PREPARED 'it''s open'" in line for line in said.lines)
    assert any("pg_drop_replication_slot('cdc')" in line for line in said.lines)


# -- what is under our name --------------------------------------------------------------------------------------------


def test_a_strangers_database_is_never_dropped(database: Database, tmp_path: Path) -> None:
    server = database.server
    database.psql("CREATE TABLE t (a int)")
    backup = backed_up(server, database.url, tmp_path)
    side = side_of(backup)
    server.psql(f"CREATE DATABASE {side}")
    try:
        server.psql("CREATE TABLE precious (a int)", side)
        said = prove(server, backup, database.url)
        assert said.code == 3
        assert "not ours to drop" in said.complaint
        assert server.psql("SELECT count(*) FROM precious", side) == "0"
        server.psql(
            f"""COMMENT ON DATABASE {side} IS '{{"migconsole": "0a1b2c3d", "app": "other", "step": "armed"}}'"""
        )
        assert prove(server, backup, database.url).code == 3
    finally:
        drop(server, side)


def test_a_dirty_one_of_ours_is_made_anew(database: Database, tmp_path: Path) -> None:
    server = database.server
    database.psql(SAMPLE)
    backup = backed_up(server, database.url, tmp_path)
    side, identifier = side_of(backup), manifest_of(backup)["id"]
    server.psql(f"CREATE DATABASE {side}")
    server.psql("CREATE TABLE half_restored (a int)", side)
    marker = json.dumps({"migconsole": identifier, "app": database.name, "step": "restoring"})
    server.psql(f"COMMENT ON DATABASE {side} IS {literal(marker)}")
    said = prove(server, backup, database.url)
    assert said.code == 0, said.complaint
    assert any("dropped and made anew" in line for line in said.lines)


def test_one_that_was_killed_before_its_marker_was_on_is_empty_and_made_anew(
    database: Database, tmp_path: Path
) -> None:
    database.psql("CREATE TABLE t (a int)")
    backup = backed_up(database.server, database.url, tmp_path)
    database.server.psql(f"CREATE DATABASE {side_of(backup)}")
    assert prove(database.server, backup, database.url).code == 0


def test_two_proofs_of_one_database_exclude_each_other(database: Database, tmp_path: Path) -> None:
    from migconsole.domain.rollback import operator_lock_key

    database.psql("CREATE TABLE t (a int)")
    backup = backed_up(database.server, database.url, tmp_path)
    key = operator_lock_key(database.name)
    holder = subprocess.Popen(
        [database.server.tool("psql"), "-XAtq", "-d", database.server.url("postgres")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=database.server.environment(),
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        holder.stdin.write(f"SELECT pg_advisory_lock({key});\n\\echo held\n")
        holder.stdin.flush()
        wait_until(lambda: holder.stdout is not None and holder.stdout.readline().strip() == "held")
        said = prove(database.server, backup, database.url)
        assert said.code == 3
        assert "Somebody else is at work" in said.complaint
    finally:
        holder.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_proof_leaves_no_side_database(
    database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    server = database.server
    database.psql("CREATE TABLE t AS SELECT g, repeat(md5(g::text), 20) AS x FROM generate_series(1, 150000) g")
    backup = backed_up(server, database.url, tmp_path)
    process = subprocess.Popen(
        command("prove", backup, "--target", database.url, "--keep-armed"),
        stdout=subprocess.DEVNULL,
        env=environment(server),
    )
    wait_until(lambda: "restoring" in (comment(server, side_of(backup)) or ""), 30)
    process.send_signal(number)
    assert process.wait(30) == 130
    assert not exists(server, side_of(backup))


# -- every version -----------------------------------------------------------------------------------------------------


@pytest.mark.matrix
def test_every_version_is_proven(matrix_database: Database, tmp_path: Path) -> None:
    server = matrix_database.server
    matrix_database.psql(SAMPLE + (GENERATED if server.tree.major >= 12 else ""))
    backup = backed_up(server, matrix_database.url, tmp_path, "--jobs", 2)
    said = prove(server, backup, matrix_database.url, "--keep-armed", "--jobs", 2)
    side = side_of(backup)
    try:
        assert said.code == 0, said.complaint
        server.psql(f"ALTER DATABASE {side} WITH ALLOW_CONNECTIONS true")
        assert server.psql(ROWS, side) == matrix_database.psql(ROWS)
    finally:
        drop(server, side)


ICU_TREE = Path("/usr/lib/postgresql/15/bin")
"""Debian's build has ICU as a database's provider (from 15 on); none of the packaged builds has."""


@pytest.mark.matrix
def test_an_icu_database_comes_back_with_its_locale(tmp_path: Path) -> None:
    tree = read_tree(ICU_TREE)
    if tree is None:
        pytest.skip(f"no PostgreSQL with ICU in {ICU_TREE}")
    with EmbeddedServer(tree=tree) as server:
        server.psql("CREATE DATABASE worte TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk'")
        server.psql("CREATE TABLE w (x text); INSERT INTO w VALUES ('Ärger'), ('Affe'), ('Zebra')", "worte")
        backup = backed_up(server, server.url("worte"), tmp_path, "--hash", "all")
        said = prove(server, backup, server.url("worte"), "--keep-armed")
        assert said.code == 0, said.complaint
        asked = "SELECT datlocprovider, daticulocale FROM pg_database WHERE datname = "
        assert server.psql(f"{asked}'{side_of(backup)}'") == server.psql(f"{asked}'worte'")


@pytest.fixture
def lagging(own_server: EmbeddedServer, tmp_path: Path) -> Iterator[tuple[EmbeddedServer, Path]]:
    """A standby that does not replay, and a backup of its primary whose restore outlasts the looks at it."""
    own_server.psql("CREATE DATABASE shop")
    own_server.psql(
        "CREATE TABLE t AS SELECT g, repeat(md5(g::text), 20) AS x FROM generate_series(1, 250000) g", "shop"
    )
    own_server.psql("CREATE INDEX ON t (x); CREATE INDEX ON t (g)", "shop")
    backup = backed_up(own_server, own_server.url("shop"), tmp_path)
    with EmbeddedServer(primary=own_server) as standby:
        wait_until(
            lambda: own_server.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1", 30
        )
        standby.psql("SELECT pg_wal_replay_pause()")
        yield standby, backup


def proven_until_held(server: EmbeddedServer, backup: Path, then: Callable[[], object]) -> tuple[int, str, list[str]]:
    """Prove with a small limit, and do something as soon as the restore is held; how it ended, complaint and lines."""
    process = subprocess.Popen(
        [*command("prove", backup, "--target", server.url("shop"), "--max-lag", "1s"), "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(server),
    )
    said = []
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            said.append(line)
            if "held: a standby is" in line:
                then()
        complaint = process.stderr.read()
    assert any("held: a standby is" in line for line in said), complaint
    return process.returncode, complaint, said


@pytest.mark.kill  # no death, but as long as one: the restore must outlast the looks at the standby
def test_a_restore_is_held_while_a_standby_is_too_far_behind(
    own_server: EmbeddedServer, lagging: tuple[EmbeddedServer, Path]
) -> None:
    standby, backup = lagging
    code, complaint, said = proven_until_held(own_server, backup, lambda: standby.psql("SELECT pg_wal_replay_resume()"))
    assert code == 0, complaint
    assert any("goes on: the standby is" in line for line in said)


@pytest.mark.kill
def test_a_held_restore_whose_watch_is_lost_ends_and_says_so(
    own_server: EmbeddedServer, lagging: tuple[EmbeddedServer, Path]
) -> None:
    """With the connection that watches the operator lock is gone: nobody would let the held restore go on."""
    _standby, backup = lagging
    lost = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
    code, complaint, _said = proven_until_held(own_server, backup, lambda: own_server.psql(lost))
    assert code == 1
    assert "nobody could watch over it any more" in complaint
    assert not exists(own_server, side_of(backup))
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'mc/%'"
    wait_until(lambda: own_server.psql(ours) == "0", 30, "the held program and its session are gone")


@pytest.mark.kill
def test_a_look_that_fails_is_said_and_is_tried_again(own_server: EmbeddedServer, tmp_path: Path) -> None:
    """As long as the connection lives the lock is ours; what one look cannot see is unknown, and the next one may."""
    own_server.psql("CREATE ROLE plain LOGIN CREATEDB; CREATE DATABASE shop OWNER plain")
    own_server.psql("CREATE TABLE t AS SELECT g, md5(g::text) AS x FROM generate_series(1, 2000000) g", "shop", "plain")
    own_server.psql("CREATE INDEX ON t (x); CREATE INDEX ON t (g)", "shop", "plain")
    url = own_server.url("shop", "plain")
    backup = backed_up(own_server, url, tmp_path)
    wal = "FUNCTION pg_catalog.pg_current_wal_lsn() FROM PUBLIC"
    process = subprocess.Popen(
        [*command("prove", backup, "--target", url, "--disk-free", "1TB"), "--format", "json"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(own_server),
    )
    said = []
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "restoring into" in line:
                wait_until(lambda: "restoring" in (comment(own_server, side_of(backup)) or ""), 30)
                own_server.psql(f"REVOKE EXECUTE ON {wal}")
            elif "behind is not known" in line:
                own_server.psql(f"GRANT EXECUTE ON {wal.replace('FROM', 'TO')}")
    assert any("behind is not known" in line for line in said)
    assert process.returncode == 0, said


def test_what_is_armed_outlives_the_server_although_no_commit_of_the_restore_waited(
    own_server: EmbeddedServer, tmp_path: Path
) -> None:
    own_server.psql("CREATE DATABASE shop")
    url = own_server.url("shop")
    words = [own_server.tool("psql"), "-XAtq", "-d", url, "-c"]
    made = (
        "CREATE MATERIALIZED VIEW waited AS SELECT current_setting('synchronous_commit') AS how",
        "CREATE TABLE goods AS SELECT g AS id, md5(g::text) AS name FROM generate_series(1, 20000) g",
    )
    for statement in made:
        subprocess.run([*words, statement], env=own_server.environment(), check=True)
    backup = backed_up(own_server, url, tmp_path)
    assert prove(own_server, backup, url, "--keep-armed").code == 0
    own_server.kill()
    own_server.start()
    side = side_of(backup)
    marker = parse_marker(comment(own_server, side))
    assert marker is not None
    assert marker.step == "armed"
    own_server.psql(f"ALTER DATABASE {quoted(side)} WITH ALLOW_CONNECTIONS true")
    words = [own_server.tool("psql"), "-XAtq", "-d", own_server.url(side), "-c"]
    asked = "SELECT (SELECT count(*) || min(name) FROM goods), (SELECT how FROM waited)"
    done = subprocess.run([*words, asked], env=own_server.environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"20000{min(hashlib.md5(str(n).encode()).hexdigest() for n in range(1, 20001))}|off"
