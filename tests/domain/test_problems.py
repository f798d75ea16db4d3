"""Problem lines of the tools a migration runs, and lines that only look like them."""

from __future__ import annotations

import re

import pytest

from migconsole.domain.problems import PATTERNS, Level, hints_for, level_of, pattern_for

ERRORS = [
    'ERROR:  relation "orders" does not exist',
    'psql:deploy/orders.sql:12: ERROR:  syntax error at or near "["',
    'FATAL:  password authentication failed for user "deploy"',
    "PANIC:  could not write to file",
    'psql: error: connection to server at "db1", port 5432 failed: Connection refused',
    "pg_restore: error: could not execute query: ERROR:  schema exists",
    "pg_dump: error: query failed",
    "2026-11-20 01:00:12.123 UTC [4711] ERROR:  deadlock detected",
    "Error: P3018",
    "Error: P1001: Can't reach database server at `db1:5432`",
    "Database error code: 42P07",
    "ERROR [alembic.util.messaging] Can't locate revision identified by 'x'",
    "FAILED: Target database is not up to date.",
    "Traceback (most recent call last):",
    "sqlalchemy.exc.ProgrammingError: (psycopg2.errors.UndefinedTable)",
    'django.db.utils.ProgrammingError: relation "x" already exists',
    "CommandError: Conflicting migrations detected",
    "  + appschema .. not ok",
    "Deploy failed",
    'ERROR: Migration of schema "public" to version "2" failed!',
    "SQL State  : 42P07",
    "Caused by: org.postgresql.util.PSQLException: ERROR: relation exists",
    'Error: pq: relation "users" already exists',
    "bash: line 3: prisma: command not found",
    "cat: x.sql: No such file or directory",
    "Killed",
    "bash: line 1: 4711 Segmentation fault      (core dumped) ./x",
    "npm ERR! code ELIFECYCLE",
    "error: unknown option",
    "migrate: error: no such version",
    "panic: runtime error: index out of range",
    "fatal: not a git repository",
]
WARNINGS = [
    "WARNING:  there is no transaction in progress",
    "psql:x.sql:3: WARNING:  there is already a transaction in progress",
    "pg_restore: warning: errors ignored on restore: 3",
    "WARNI [alembic.runtime.migration] x",
    "warn The configuration property is deprecated",
    "/app/x.py:3: DeprecationWarning: use y",
    "Warning: 2 pending migrations",
    "[WARN] slow",
]
ORDINARY = [
    "ALTER TABLE",
    "0 errors, 0 warnings",
    "INSERT 0 1",
    " error_code | integer | not null",
    "  id | error | warning",
    "Running error_log migration",
    'NOTICE:  table "x" does not exist, skipping',
    "No errors found",
    "Applying 20261120_fix_error_handling ...",
    "  + appschema .. ok",
    "failed_logins: 0",
    "",
]


@pytest.mark.parametrize("line", ERRORS)
def test_errors(line: str) -> None:
    assert level_of(line.encode()) is Level.ERROR


@pytest.mark.parametrize("line", WARNINGS)
def test_warnings(line: str) -> None:
    assert level_of(line.encode()) is Level.WARNING


@pytest.mark.parametrize("line", ORDINARY)
def test_ordinary_lines(line: str) -> None:
    assert level_of(line.encode()) is None


def test_one_pattern_finds_the_same_lines_in_a_file() -> None:
    lines = [line.encode() for pair in zip(ERRORS, ORDINARY * 3, strict=False) for line in pair]
    regex = re.compile(pattern_for(Level.ERROR), re.MULTILINE)
    found = [line for line in b"\n".join(lines).split(b"\n") if regex.search(line)]
    assert found == [line.encode() for line in ERRORS]


@pytest.mark.parametrize("line", ERRORS + WARNINGS)
def test_every_hint_is_part_of_what_it_stands_for(line: str) -> None:
    assert any(hint in line.lower().encode() for hint in hints_for(Level.ERROR, Level.WARNING))


@pytest.mark.parametrize("entry", PATTERNS, ids=lambda entry: f"{entry.tool} {entry.hint.decode()}")
def test_no_row_of_the_table_is_dead(entry: object) -> None:
    assert any(re.search(entry.pattern, line.encode()) for line in ERRORS + WARNINGS + EXTRA)  # type: ignore[attr-defined]


EXTRA = [
    "2026-11-20 01:00:12.123 UTC [4711] WARNING:  worker took too long to start",
    "prisma:error Invalid `prisma.user.findMany()` invocation",
    "my.app.CustomException: x",
    "WARNINGS:",
    "ERRORS:",
    "sh: 1: ./run.sh: Permission denied",
    "tee: out.log: No space left on device",
]
