"""The demo's project: its scripts really run, and record what they do as Prisma does."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import stat
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from migconsole.demo import project
from migconsole.demo.database import APPLICATION, DATABASE
from migconsole.demo.demo import Demo
from migconsole.demo.project import STATE
from migconsole.errors import MigconsoleError
from tests.waiting import wait_until

APPLY = "prisma/migrations/apply-all-migrations.sh"
VALIDATE = "prisma/migrations/validate-schema.sh"
POPULATE = "prisma/migrations/populate-initial-data.sh"
RESOLVE = "prisma/migrations/resolve-rolled-back.sh"
FAILING = "20261117094500_add_user_preferences"
NEW_TABLES = ("budgets", "dashboard_layouts", "user_preferences", "benchmark_participation")


def ask(demo: Demo, sql: str) -> str:
    return demo.server.psql(sql, DATABASE)


def failure_of(demo: Demo, script: str, *arguments: str) -> str:
    with pytest.raises(MigconsoleError, match="exit 1") as caught:
        demo.run_script(script, *arguments)
    return caught.value.detail


@pytest.fixture(scope="module")
def pristine() -> Iterator[Demo]:
    """A demo in which nothing has been migrated; tests leave it so."""
    with Demo() as demo:
        yield demo


@pytest.fixture(scope="module")
def migrated() -> Iterator[tuple[Demo, str]]:
    """A demo after its migrations, and what the script said."""
    with Demo() as demo:
        yield demo, demo.run_script(APPLY)


@pytest.fixture(scope="module")
def failed() -> Iterator[tuple[Demo, str]]:
    """A demo of the failure scenario after its migrations were tried, and what the script said."""
    with Demo("failure") as demo:
        yield demo, failure_of(demo, APPLY)


# -- before anything runs ----------------------------------------------------------------------------------------------


def test_the_database_is_real(pristine: Demo) -> None:
    for table, least in (
        ("clients", 1000),
        ("products", 20000),
        ("orders", 150000),
        ("shipments", 100000),
        ("alerts", 20000),
    ):
        assert int(ask(pristine, f"SELECT count(*) FROM {table}")) >= least
    broken = ask(
        pristine, "SELECT count(*) FROM order_items i LEFT JOIN orders o ON o.id = i.order_id WHERE o.id IS NULL"
    )
    assert broken == "0"
    assert ask(pristine, "SELECT count(*) > 0 FROM pg_stat_statements") == "t"


def test_first_migrations_are_recorded_as_prisma_records_them(pristine: Demo) -> None:
    rows = ask(
        pristine,
        "SELECT migration_name, checksum, finished_at > started_at, started_at < '2026-11-01', applied_steps_count,"
        " logs IS NULL, rolled_back_at IS NULL, length(id) FROM _prisma_migrations ORDER BY 1",
    ).splitlines()
    assert len(rows) == 3
    for row in rows:
        name, checksum, *rest = row.split("|")
        file = pristine.project / project.MIGRATIONS / name / "migration.sql"
        assert checksum == hashlib.sha256(file.read_bytes()).hexdigest()
        assert rest == ["t", "t", "1", "t", "t", "36"]


def test_the_schema_is_not_valid_before_the_migrations(pristine: Demo) -> None:
    said = failure_of(pristine, VALIDATE)
    assert "MISSING table budgets" in said
    assert "MISSING column products.unit_cost" in said
    assert "ok      table clients" in said


def test_nobody_else_can_read_the_project(pristine: Demo) -> None:
    assert stat.S_IMODE(pristine.home.stat().st_mode) == 0o700
    for path in pristine.project.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_the_application_may_change_rows_but_not_the_schema(pristine: Demo) -> None:
    secret = pristine._application_password
    allowed = pristine.server.psql("SELECT count(*) FROM clients", DATABASE, APPLICATION, secret)
    assert int(allowed) > 0
    with pytest.raises(MigconsoleError, match="must be owner"):
        pristine.server.psql("ALTER TABLE clients ADD COLUMN x int", DATABASE, APPLICATION, secret)


def test_passwords_are_on_no_command_line(pristine: Demo) -> None:
    ours = [
        process for process in psutil.process_iter(["cmdline"]) if str(pristine.project) in str(process.info["cmdline"])
    ]
    assert ours
    for process in psutil.process_iter(["cmdline"]):
        for secret in (pristine._application_password, pristine._owner_password):
            assert secret not in str(process.info["cmdline"])


def test_the_application_works_stops_and_comes_back(pristine: Demo) -> None:
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'fulfillment-%'"
    orders = "SELECT max(id) FROM orders"
    first = ask(pristine, orders)
    wait_until(lambda: ask(pristine, orders) != first, timeout=10)
    assert "stopped" in pristine.run_script("ops/stop-app.sh")
    assert ask(pristine, sessions) == "0"
    assert "started" in pristine.run_script("ops/start-app.sh")
    assert ask(pristine, sessions) != "0"
    said = pristine.run_script("ops/app-logs.sh")
    assert "connected" in said
    assert "0 errors since the last start" in said


def test_the_application_survives_the_loss_of_its_sessions(pristine: Demo) -> None:
    mine = "application_name LIKE 'fulfillment-%'"
    before = set(ask(pristine, f"SELECT pid FROM pg_stat_activity WHERE {mine}").split())
    ask(pristine, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
    wait_until(
        lambda: set(ask(pristine, f"SELECT pid FROM pg_stat_activity WHERE {mine}").split()) - before, timeout=10
    )
    assert "errors since the last start" in failure_of(pristine, "ops/app-logs.sh")
    pristine.run_script("ops/stop-app.sh")
    pristine.run_script("ops/start-app.sh")
    pristine.run_script("ops/app-logs.sh")


def test_hooks_say_what_they_did(pristine: Demo) -> None:
    assert pristine.run_script("ops/maintenance-on.sh").strip() == "maintenance mode on"
    assert (pristine.project / STATE / "maintenance").exists()
    assert pristine.run_script("ops/maintenance-off.sh").strip() == "maintenance mode off"
    assert not (pristine.project / STATE / "maintenance").exists()
    assert pristine.run_script("ops/clear-caches.sh").startswith("OK")
    text = 'it\'s "on" $(date)'
    assert pristine.run_script("ops/notify.sh", text).strip() == f"sent: {text}"
    assert text in (pristine.project / "ops" / "notifications.log").read_text()
    assert "maintenance" in pristine.run_script("ops/status-page.sh", "maintenance")


def test_every_variable_names_something_that_is_there(pristine: Demo) -> None:
    for name, value in pristine.variables.items():
        path = pristine.project / value
        assert path.is_dir() if name == "backup_dir" else os.access(path, os.X_OK), name


def test_client_programs_come_from_the_demos_own_folder(pristine: Demo) -> None:
    for name in ("psql", "pg_dump", "pg_restore", "createdb", "dropdb"):
        done = subprocess.run(
            [name, "--version"],
            env=os.environ | pristine.environment,
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        assert pristine.server.version in done.stdout
    assert pristine.environment["PATH"].startswith(str(pristine.home))


def test_a_second_deployment_is_refused_while_one_holds_the_lock(
    pristine: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATION_LOCK_TIMEOUT", "100ms")
    command = [pristine.server.tool("psql"), "-XAtq", "-d", pristine.server.url(DATABASE, password="")]
    variables = pristine.server.environment() | {"PGPASSWORD": pristine.server.password}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write("SELECT 'held' FROM pg_advisory_lock(72707369);\n")
        holder.stdin.flush()
        assert holder.stdout.readline().strip() == "held"
        assert "Nothing was applied" in failure_of(pristine, APPLY)
        holder.stdin.close()
        holder.stdout.read()
    assert ask(pristine, "SELECT count(*) FROM _prisma_migrations") == "3"


def test_an_interrupted_migration_is_recorded_and_can_be_tried_again(pristine: Demo) -> None:
    script = subprocess.Popen(
        [str(pristine.project / APPLY)],
        cwd=pristine.project,
        env=os.environ | pristine.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO %'"
    try:
        wait_until(lambda: ask(pristine, busy) == "1", timeout=20)
        os.killpg(script.pid, signal.SIGINT)
        assert script.wait(20) != 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(script.pid, signal.SIGKILL)
        script.wait()
    unfinished = "FROM _prisma_migrations WHERE finished_at IS NULL AND rolled_back_at IS NULL"
    assert "canceling statement due to user request" in ask(pristine, f"SELECT logs {unfinished}")
    assert ask(pristine, "SELECT count(*) FROM pg_attribute WHERE attname = 'unit_cost' AND NOT attisdropped") == "0"
    assert ask(pristine, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
    name = ask(pristine, f"SELECT migration_name {unfinished}")
    assert name in failure_of(pristine, APPLY)
    assert "marked as rolled back" in pristine.run_script(RESOLVE, name)
    assert "no unresolved failure" in failure_of(pristine, RESOLVE, name)
    ask(pristine, "DELETE FROM _prisma_migrations WHERE rolled_back_at IS NOT NULL")


# -- smooth ------------------------------------------------------------------------------------------------------------


def test_all_migrations_are_applied_and_recorded(migrated: tuple[Demo, str]) -> None:
    demo, said = migrated
    assert said.splitlines()[-1] == "6 migrations applied"
    assert "NOTICE:  order_items.unit_cost: 300000 rows" in said
    recorded = ask(demo, "SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL ORDER BY 1")
    assert recorded.split() == project.migrations(demo.project)
    for line in ask(demo, "SELECT migration_name, checksum FROM _prisma_migrations").splitlines():
        name, checksum = line.split("|")
        file = demo.project / project.MIGRATIONS / name / "migration.sql"
        assert checksum == hashlib.sha256(file.read_bytes()).hexdigest()
    assert ask(demo, "SELECT count(*) FROM products WHERE unit_cost IS NULL OR unit_cost >= unit_price") == "0"


def test_applying_again_does_nothing(migrated: tuple[Demo, str]) -> None:
    demo, _ = migrated
    before = ask(demo, "SELECT md5(string_agg(m::text, ',' ORDER BY id)) FROM _prisma_migrations m")
    assert demo.run_script(APPLY).splitlines()[-1] == "No pending migrations"
    assert ask(demo, "SELECT md5(string_agg(m::text, ',' ORDER BY id)) FROM _prisma_migrations m") == before


def test_schema_data_and_smoke_tests_pass_afterwards(migrated: tuple[Demo, str]) -> None:
    demo, _ = migrated
    assert demo.run_script(VALIDATE).splitlines()[-1] == "Schema is valid"
    first = demo.run_script(POPULATE)
    assert first.splitlines()[-1] == "Initial data complete"
    counts = {table: int(ask(demo, f"SELECT count(*) FROM {table}")) for table in NEW_TABLES}
    assert min(counts.values()) > 1000
    for line in demo.run_script(POPULATE).splitlines()[:-1]:
        assert ": 0 rows added" in line
    smoke = demo.run_script("ops/smoke-test.sh").splitlines()
    assert len(smoke) == 11
    assert all(line.startswith("PASS ") for line in smoke)
    assert demo.run_script("ops/smoke-test.sh", "budgets").strip() == "PASS budgets"


def test_an_index_that_went_invalid_is_reported(migrated: tuple[Demo, str]) -> None:
    demo, _ = migrated
    flag = "UPDATE pg_index SET indisvalid = {} WHERE indexrelid = 'products_unit_cost_idx'::regclass"
    ask(demo, flag.format("false"))
    try:
        said = failure_of(demo, VALIDATE)
    finally:
        ask(demo, flag.format("true"))
    assert "INVALID index products_unit_cost_idx" in said
    assert "MISSING index products_unit_cost_idx" in said


# -- failure -----------------------------------------------------------------------------------------------------------


def test_a_failing_migration_stops_the_run_and_leaves_its_record(failed: tuple[Demo, str]) -> None:
    demo, said = failed
    assert "is duplicated" in said
    assert "./ops/fix-duplicate-emails.sh" in said
    assert "benchmark" not in said
    row = ask(
        demo,
        "SELECT migration_name, applied_steps_count, position('is duplicated' IN logs) > 0, rolled_back_at IS NULL"
        " FROM _prisma_migrations WHERE finished_at IS NULL",
    )
    assert row == f"{FAILING}|0|t|t"
    assert ask(demo, "SELECT to_regclass('user_preferences') IS NULL, to_regclass('budgets') IS NOT NULL") == "t|t"


def test_it_refuses_to_go_on_until_resolved_and_then_finishes(failed: tuple[Demo, str]) -> None:
    demo, _ = failed
    assert FAILING in failure_of(demo, APPLY)
    fixed = demo.run_script("ops/fix-duplicate-emails.sh")
    assert "36 duplicate users removed" in fixed
    assert f"{FAILING} marked as rolled back" in fixed
    assert demo.run_script(APPLY).splitlines()[-1] == "2 migrations applied"
    assert demo.run_script(VALIDATE).splitlines()[-1] == "Schema is valid"
    rows = ask(
        demo,
        "SELECT finished_at IS NOT NULL, rolled_back_at IS NOT NULL FROM _prisma_migrations"
        f" WHERE migration_name = '{FAILING}' ORDER BY started_at",
    )
    assert rows.split() == ["f|t", "t|f"]
    assert "0 duplicate users removed" in demo.run_script("ops/fix-duplicate-emails.sh")


def test_rehearsals_run_on_copies(pristine: Demo) -> None:
    record = "SELECT md5(string_agg(m::text, ',' ORDER BY id)) FROM _prisma_migrations m"
    before = ask(pristine, record)
    assert "no development copy" in failure_of(pristine, "ops/run-tests.sh")
    assert pristine.run_script("ops/apply-to-development.sh").splitlines()[-1] == "6 migrations applied"
    assert pristine.run_script("ops/apply-to-staging.sh").splitlines()[-1] == "6 migrations applied"
    assert pristine.run_script("ops/run-tests.sh").splitlines()[-1] == "33 passed, 0 failed"
    assert ask(pristine, record) == before
    assert ask(pristine, "SELECT to_regclass('budgets') IS NULL") == "t"
