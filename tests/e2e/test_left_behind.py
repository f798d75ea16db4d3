"""A migration that fails half-way: what it left behind is looked at by itself, is on record, and nothing is mended."""

from __future__ import annotations

import json

from tests.e2e.checklists import Desk

MIGRATE = (
    "psql -Xq -v ON_ERROR_STOP=1 -c 'ALTER TABLE t ADD COLUMN half int' "
    "-c 'CREATE UNIQUE INDEX CONCURRENTLY twice ON t (same)'"
)
READ = {"item": "Check migration status", "id": "status", "check": {"name": "migrations", "tool": "prisma"}}
APPLY = {"item": "Migrate", "id": "migrate", "run": MIGRATE, "danger": "mutating", "expect": {"exit": 0}}


def failed(desk: Desk, *items: dict[str, object]) -> str:
    """Run the migration into its failure; what the program said."""
    folder = desk.project / "prisma" / "migrations" / "20260101000000_half"
    folder.mkdir(parents=True)
    (folder / "migration.sql").write_text("SELECT 1;\n")
    desk.database.psql("CREATE TABLE t AS SELECT 1 AS same FROM generate_series(1, 5)")
    desk.write(*items)
    done = desk.call("run", str(desk.path), "--headless", "--allow", "mutating", "--attest-all", "pending is meant")
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def test_the_evidence_of_the_doctor_is_attached_to_the_failed_attempt(desk: Desk) -> None:
    said = failed(desk, READ, APPLY)
    assert "× invalid index public.twice" in said
    attempt = desk.record("migrate").last
    assert attempt is not None
    assert attempt.outcome == "failed"
    text = "\n".join(attempt.examined)
    assert "+ column public.t.half: integer" in text
    assert "× invalid index public.twice" in text
    assert "DROP INDEX CONCURRENTLY public.twice;" in text
    # Nothing was mended by itself.
    assert desk.database.psql("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == "1"
    assert desk.database.psql("SELECT count(*) FROM pg_attribute WHERE attname = 'half'") == "1"
    report = desk.call("report", "--format", "md").stdout
    assert "What attempt 1 of Migrate has left behind" in report
    data = json.loads(desk.call("report", "--format", "json").stdout)
    assert data["attempts"][-1]["examined"] == list(attempt.examined)


def test_a_checklist_that_reads_no_migrations_is_left_alone(desk: Desk) -> None:
    failed(desk, APPLY)
    attempt = desk.record("migrate").last
    assert attempt is not None
    assert attempt.examined == ()
