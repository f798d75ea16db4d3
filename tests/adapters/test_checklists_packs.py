"""The shipped packs: complete, sound, and their commands and queries tried on a real server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncpg
import jsonschema
import pytest

from migconsole.adapters.checklists import find, load, schema
from migconsole.adapters.checklists.models import ANSWER_TYPES, CHECKS_LATER, CHECKS_NOW, JOBS, JOBS_NOW
from migconsole.adapters.checklists.reader import core, read_tree
from migconsole.adapters.postgres.checks import CHECK_DOCS, CHECKS
from migconsole.domain import answers, built_in, restore_gate
from migconsole.domain.checklist import Check, Checklist, Danger, Job, Located, Run, Sql, Step
from migconsole.domain.commands import GIVES
from migconsole.domain.danger import assess
from migconsole.domain.expectation import Observation, evaluate, patterns
from migconsole.domain.patterns import capture_lines, match_lines
from migconsole.domain.variables import Resolver, effective
from tests.conftest import Database

FORWARD = """
Review all migration SQL files in detail
Identify any breaking changes or data transformations
Estimate downtime required (if any)
Schedule maintenance window
Notify stakeholders of planned deployment
Prepare rollback plan
Apply migrations to development environment
Run full test suite
Apply migrations to staging environment
Perform manual QA on staging
Load test with production-like data volume
Verify application compatibility
Verify backup system is functioning
Plan for on-demand backup before migration
Test backup restoration process
Ensure backup retention policy is set
Document backup location
Review MIGRATION_GUIDE.md
Prepare deployment runbook
Document any manual steps required
List services that need restart
Identify monitoring dashboards to watch
Send deployment start notification
Enable maintenance mode (if applicable)
Update status page
Verify DATABASE_URL is set correctly
Check database server health
Check disk space (ensure 2x current DB size available)
Verify PostgreSQL version (11+ required)
Check active connections (close non-essential)
Create database backup
Verify backup file size is reasonable
Store backup in secure location
Document backup timestamp and location
Stop application servers (optional, for zero-downtime migrations)
Clear application caches
Check migration status
Run migration script
Monitor for errors in real-time
Check database logs for warnings
Verify migration status
Run schema validation
Check that all tables exist
Verify key columns exist
Check foreign key constraints
Run data population script
Verify data populated correctly
Start application servers
Monitor startup logs for errors
Check that Prisma Client is loaded
Verify application can connect to database
Test authentication (admin login)
Test authentication (portal user login)
View client list
View product list
View alerts
Create test order request
View dashboard
Test new features
Budget tracking
Shipment tracking
Dashboard personalization
Lead time calculations
Check response times
Monitor database query performance
Check database connection pool
Monitor server resources (CPU, memory, disk I/O)
Check for slow queries in logs
Send deployment completion notification
Update status page
Disable maintenance mode
Document any issues encountered
Share success metrics
Monitor application logs
Monitor database logs
Check error tracking (Sentry, etc.)
Monitor API response times
Watch database performance metrics
Check disk space usage
Monitor table sizes
Check index usage
Monitor query performance
Collect user feedback on new features
Monitor support tickets
Track feature adoption metrics
Document user-reported issues
Verify financial data accuracy
Check lead time calculations
Validate shipment tracking
Review benchmark participation
Confirm dashboard layouts work
Review deployment process
Document lessons learned
Update deployment procedures
Review monitoring and alerting
Analyze performance impact
Gather user satisfaction feedback
Update documentation based on findings
Plan for future migrations
"""
TRIPWIRES = """
Critical bugs preventing core functionality
Data corruption detected
Severe performance degradation
Multiple user-facing errors
Database instability
"""
ROLLBACK = """
Notify users
Stop application servers
Verify backup integrity
Drop current database
Create fresh database
Restore from backup
Revert to previous application version
Regenerate Prisma Client for old schema
Start application servers
Run smoke tests
Verify data integrity
Check application functionality
Notify stakeholders of rollback
Document reason for rollback
Plan remediation
"""
HEADINGS = """
Pre-Deployment: Planning, Testing, Backup Strategy, Documentation
Pre-Migration: Communication, Environment Check, Final Backup
Migration Execution: Pre-Flight Checks, Apply Migrations, Validation, Data Population
Post-Migration: Application Startup, Smoke Tests, Performance Monitoring
Communication: Completion
Post-Deployment: Monitoring, Database Health, User Feedback, Data Validation
Post-Deployment Review: Review
"""
PACKS = ("prisma", "generic-sql")


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.fixture(scope="module", params=PACKS)
def pack(request: pytest.FixtureRequest) -> Checklist:
    return load(find(request.param)).checklist


@pytest.fixture(scope="module")
def prisma() -> Checklist:
    return load(find("prisma")).checklist


def steps(checklist: Checklist) -> Iterator[tuple[Located, Step]]:
    for located in (*checklist.walk(), *checklist.walk_rollback()):
        for alternative in located.item.steps:
            yield located, alternative.step


def step(checklist: Checklist, item_id: str, alternative: int = 0) -> Step:
    found = [located.item for located in (*checklist.walk(), *checklist.walk_rollback()) if located.item.id == item_id]
    return found[0].steps[alternative].step


def test_the_prisma_pack_has_all_119_boxes_in_order(prisma: Checklist) -> None:
    assert [located.item.title for located in prisma.walk()] == lines(FORWARD)
    assert [tripwire.title for tripwire in prisma.tripwires] == lines(TRIPWIRES)
    assert [located.item.title for located in prisma.walk_rollback()] == lines(ROLLBACK)
    assert len(lines(FORWARD)) + len(lines(TRIPWIRES)) + len(lines(ROLLBACK)) == 119
    assert prisma.boxes() == 99


def test_the_prisma_pack_keeps_the_headings_offsets_and_roles(prisma: Checklist) -> None:
    headings = [f"{phase.title}: {', '.join(section.title for section in phase.sections)}" for phase in prisma.phases]
    assert headings == lines(HEADINGS)
    assert [phase.at for phase in prisma.phases] == [-86400, -3600, 0, 900, 1800, 86400, 7 * 86400]
    assert prisma.roles == ("Database Admin", "DevOps Lead", "Application Lead", "QA Lead")
    nested = [located.item.title for located in prisma.walk() if located.depth == 1]
    assert nested == ["Budget tracking", "Shipment tracking", "Dashboard personalization", "Lead time calculations"]


@pytest.mark.parametrize("name", PACKS)
def test_packs_are_valid_by_the_published_schema(name: str) -> None:
    tree, _ = read_tree(find(name).read_bytes(), name)
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator(schema()).validate(core(tree))


@pytest.mark.parametrize(
    "broken",
    [
        {"phases": []},
        {"checklist": "T", "phases": [{"phase": "P", "at": "soon", "sections": [{"section": "S", "items": []}]}]},
        {"checklist": "T", "phases": [], "colour": "red"},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(broken: Mapping[str, object]) -> None:
    assert not jsonschema.Draft202012Validator(schema()).is_valid(broken)


def test_every_key_is_described_for_editors() -> None:
    for name, model in schema()["$defs"].items():
        for key, described in model["properties"].items():
            assert described.get("description"), f"{name}.{key}"


def test_the_formats_names_are_those_of_the_parts_that_carry_them_out() -> None:
    assert set(CHECKS_NOW) == set(CHECKS)
    assert not set(CHECKS_LATER) & set(CHECKS)
    assert set(ANSWER_TYPES) == set(answers.TYPES)


def test_packs_use_only_what_is_available(pack: Checklist) -> None:
    """What comes with a later version is a person's work until then, so that every line can be carried out."""
    for located, one in steps(pack):
        assert not isinstance(one.action, Job) or one.action.name in JOBS_NOW, located.item.title
        assert not isinstance(one.action, Check) or one.action.name in CHECKS_NOW


def test_what_a_pack_expects_of_a_check_is_what_the_check_reports(pack: Checklist) -> None:
    for located, one in steps(pack):
        if isinstance(one.action, Check):
            doc = CHECK_DOCS[one.action.name]
            assert set(one.action.arguments) <= set(doc.arguments), located.item.title
            for condition in one.expect.conditions if one.expect else ():
                assert condition.key in doc.values, f"{located.item.title}: {condition}"


def test_every_command_says_what_it_must_show_or_leaves_the_judgement_to_a_person(pack: Checklist) -> None:
    unjudged = {located.item.id for located, one in steps(pack) if isinstance(one.action, Run) and one.expect is None}
    assert unjudged <= {"tables"}


def test_without_any_command_set_every_hook_is_done_by_hand(pack: Checklist) -> None:
    resolver = Resolver(pack.variables)
    for located, one in steps(pack):
        if isinstance(one.action, Run) and one.action.hook:
            assert effective(one, resolver).action.kind == "manual", located.item.title


def test_no_item_has_a_value_to_resolve_that_nothing_gives(pack: Checklist) -> None:
    captured = {name: "x" for _, one in steps(pack) for name in one.capture}
    captured |= {name: "x" for names in GIVES.values() for name in names}
    resolver = Resolver(pack.variables, captured=captured, environment={"DATABASE_URL": "postgresql://h/d"})
    assert {problem for _, one in steps(pack) for problem in resolver.unresolved(one)} == set()


def test_the_forward_path_is_never_destructive_and_the_backup_only_reads(prisma: Checklist) -> None:
    worst = {assess(one).danger for located, one in steps(prisma) if located.phase is not None}
    assert Danger.DESTRUCTIVE not in worst
    for item in ("backup-tools", "backup", "rollback-backup"):
        assert assess(step(prisma, item)).danger is Danger.READ
    for item in ("drill", "prove"):
        assert assess(step(prisma, item)).danger is Danger.MUTATING
    assert assess(step(prisma, "rollback-restore")).danger is Danger.DESTRUCTIVE
    for alternative in (0, 1):
        assert assess(step(prisma, "migrate", alternative)).danger is Danger.MUTATING


# -- on a real server ---------------------------------------------------------------------------------------------


class Shell:
    """Runs a step's script as a job would: bash with pipefail, the target in PG variables, lines judged."""

    def __init__(self, database: Database, folder: Path, **values: str) -> None:
        server = database.server
        match = re.fullmatch(r"postgresql://([^:@/]+)(?::([^@]*))?@([^:]+):(\d+)/(.+)", str(database))
        assert match
        self.folder = folder
        self.values = values
        found = server.environment()
        self.environment = found | {
            "PATH": f"{Path(server.tool('pg_dump')).parent}:{found['PATH']}",
            "PGUSER": match[1],
            "PGPASSWORD": match[2] or "",
            "PGHOST": match[3],
            "PGPORT": match[4],
            "PGDATABASE": match[5],
            "DATABASE_URL": str(database),
        }

    def run(self, one: Step) -> tuple[bool | None, str]:
        assert isinstance(one.action, Run)
        argv = ["bash", "--noprofile", "--norc", "-o", "pipefail", "-c", one.action.script]
        done = subprocess.run(
            argv,
            env=self.environment | self.values,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        output = done.stdout.splitlines()
        self.values |= capture_lines(one.capture, output)
        seen = Observation(exit_code=done.returncode, matched=match_lines(patterns(one.expect), output))
        return evaluate(one.expect, [seen]).passed, done.stdout


def test_the_way_back_is_proven_before_the_migration_and_its_lines_belong_to_the_restore(prisma: Checklist) -> None:
    items = {located.item.id: located.item for walk in (prisma.walk(), prisma.walk_rollback()) for located in walk}
    assert {"backup", "restore-point-armed"} <= set(items["migrate"].needs)
    assert restore_gate.has_backup(prisma)
    restore = built_in.restore_item(prisma).item
    assert restore.id == "rollback-restore"
    assert {items[name].title: role for name, role in built_in.boxes(restore).items()} == {
        "Verify backup integrity": "verify",
        "Drop current database": "drop",
        "Create fresh database": "create",
    }


def test_a_backup_of_the_job_is_read_whole_by_the_line_for_a_person(
    prisma: Checklist, database: Database, tmp_path: Path
) -> None:
    database.psql("CREATE TABLE t AS SELECT generate_series(1, 1000) AS n; CREATE TABLE u (x int)")
    shell = Shell(database, tmp_path, backup_dir="my backups")
    backup = [sys.executable, "-m", "migconsole", "backup", "--directory", "my backups"]
    subprocess.run(backup, env=shell.environment, cwd=tmp_path, check=True, timeout=120)
    (folder,) = (tmp_path / "my backups").iterdir()
    shell.values |= {"backup_path": str(folder), "backup_time": "2030-01-01T00:00:00Z"}
    assert shell.run(step(prisma, "backup-noted"))[0] is True
    assert shell.run(step(prisma, "rollback-backup"))[0] is True
    data = next(path for path in (folder / "dump").iterdir() if path.suffix == ".gz" or path.name.endswith(".dat.gz"))
    data.write_bytes(data.read_bytes()[:-3])
    assert shell.run(step(prisma, "rollback-backup"))[0] is False


async def test_every_query_of_the_packs_runs_and_judges(pack: Checklist, database: Database) -> None:
    tables = ("budgets", "dashboard_layouts", "user_preferences", "benchmark_participation")
    database.psql(
        "CREATE EXTENSION pg_stat_statements; CREATE TABLE products (id int PRIMARY KEY, unit_cost int);"
        + "".join(f'CREATE TABLE {t} (id int REFERENCES products); CREATE TABLE "Mixed {t}" (id int);' for t in tables)
        + "INSERT INTO products VALUES (1, 1);"
        + "".join(f"INSERT INTO {t} VALUES (1);" for t in tables)
    )
    connection = await asyncpg.connect(str(database))
    try:
        judged = 0
        for located, one in steps(pack):
            if not isinstance(one.action, Sql):
                continue
            seen = []
            for statement in one.action.statements:
                async with connection.transaction(readonly=True):
                    prepared = await connection.prepare(statement)
                    rows = [tuple(row) for row in await prepared.fetch()]
                names = tuple(attribute.name for attribute in prepared.get_attributes())
                seen.append(Observation(columns=names, rows=rows))
            judgement = evaluate(one.expect, seen)
            assert judgement.passed is not False, (located.item.title, judgement.reasons)
            judged += judgement.passed is True
        assert judged >= 2
    finally:
        await connection.close()


@pytest.mark.matrix
async def test_every_query_of_the_packs_prepares_on_every_version(pack: Checklist, matrix_database: Database) -> None:
    matrix_database.psql("CREATE EXTENSION pg_stat_statements")
    for table in ("budgets", "dashboard_layouts", "user_preferences", "benchmark_participation"):
        matrix_database.psql(f"CREATE TABLE {table} (id int)")
    connection = await asyncpg.connect(str(matrix_database))
    try:
        for _, one in steps(pack):
            for statement in one.action.statements if isinstance(one.action, Sql) else ():
                async with connection.transaction(readonly=True):
                    await (await connection.prepare(statement)).fetch()
    finally:
        await connection.close()


async def test_what_is_missing_turns_the_validation_red(prisma: Checklist, database: Database) -> None:
    connection = await asyncpg.connect(str(database))
    try:
        for item in ("columns", "foreign-keys"):
            one = step(prisma, item)
            assert isinstance(one.action, Sql)
            rows = [tuple(row) for row in await connection.fetch(one.action.statements[0])]
            judgement = evaluate(one.expect, [Observation(columns=("x", "y", "validated"), rows=rows)])
            assert judgement.passed is False
    finally:
        await connection.close()


@pytest.fixture
def generic() -> Checklist:
    return load(find("generic-sql")).checklist


def test_plain_files_are_applied_all_or_not_at_all(generic: Checklist, database: Database, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "1 first.sql").write_text("CREATE TABLE a (n int);\n")
    (tmp_path / "migrations" / "2.sql").write_text("INSERT INTO a VALUES ('no number');\n")
    shell = Shell(database, tmp_path, migration_files="migrations/*.sql")
    assert shell.run(step(generic, "read-files"))[0] is True
    passed, output = shell.run(step(generic, "migrate"))
    assert passed is False
    assert "ERROR" in output
    assert database.psql("SELECT count(*) FROM pg_class WHERE relname = 'a'") == "0"
    (tmp_path / "migrations" / "2.sql").write_text("INSERT INTO a VALUES (1);\n")
    assert shell.run(step(generic, "migrate"))[0] is True
    assert shell.values["applied"] == "2"
    assert database.psql("SELECT n FROM a") == "1"


def test_plain_files_one_after_the_other_stop_at_the_first_that_fails(
    generic: Checklist, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "migrations").mkdir()
    for number, text in enumerate(["CREATE TABLE a (n int)", "SELECT broken", "CREATE TABLE b (n int)"]):
        (tmp_path / "migrations" / f"{number}.sql").write_text(f"{text};\n")
    shell = Shell(database, tmp_path, migration_files="migrations/*.sql")
    assert shell.run(step(generic, "migrate", 1))[0] is False
    assert database.psql("SELECT relname FROM pg_class WHERE relname IN ('a', 'b')") == "a"


def test_no_files_are_a_failure_and_not_a_migration(generic: Checklist, database: Database, tmp_path: Path) -> None:
    shell = Shell(database, tmp_path, migration_files="migrations/*.sql")
    for item in ("read-files", "migrate"):
        assert shell.run(step(generic, item))[0] is False


def test_jobs_of_later_versions_are_known_by_name() -> None:
    properties = schema()["$defs"]["ItemModel"]["properties"]
    assert set(JOBS) <= set(properties)
