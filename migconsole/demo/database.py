"""The sample database: roles, schema by its own migrations, and a few hundred thousand rows."""

from __future__ import annotations

from pathlib import Path

from migconsole.demo.server import EmbeddedServer

DATABASE = "fulfillment_ops_db"
OWNER = "deploy"
APPLICATION = "fulfillment_app"
FILES = Path(__file__).parent / "files"

# What the demo's health and log views need; slow statements and lock waits go to the log as on a real server.
SETTINGS: dict[str, str | int] = {
    "shared_preload_libraries": "pg_stat_statements",
    "track_io_timing": "on",
    "log_lock_waits": "on",
    "log_min_duration_statement": "500ms",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
    "max_connections": 100,
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
}

_CREATE = f"""
CREATE ROLE {OWNER} LOGIN SUPERUSER PASSWORD :'owner_password';
CREATE ROLE {APPLICATION} LOGIN PASSWORD :'application_password';
CREATE DATABASE {DATABASE} OWNER {OWNER};
\\connect {DATABASE}
CREATE EXTENSION pg_stat_statements;
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APPLICATION};
ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} IN SCHEMA public GRANT USAGE ON SEQUENCES TO {APPLICATION};
\\connect postgres
CREATE EXTENSION pg_stat_statements;
"""


def create(server: EmbeddedServer, owner_password: str, application_password: str) -> None:
    """Make the roles and the empty database.

    The owner is what migrations connect as; like many a database administrator's it is a superuser, without which a
    backup that holds pg_stat_statements could not be restored. The application may only read and write rows.
    Passwords travel on psql's standard input.
    """
    variables = f"\\set owner_password {owner_password}\n\\set application_password {application_password}\n"
    server.psql(variables + _CREATE)


def fill(server: EmbeddedServer, *, duplicates: bool = False) -> None:
    """Fill the migrated database, with the same rows each time; ``duplicates`` adds addresses that occur twice."""
    script = (FILES / "fill.sql").read_text(encoding="utf-8")
    if duplicates:
        script += (FILES / "duplicates.sql").read_text(encoding="utf-8")
    server.psql(script + "\nVACUUM (ANALYZE);\n", DATABASE)


def backdate_migrations(server: EmbeddedServer) -> None:
    """Give the migrations applied so far the dates that their names carry."""
    server.psql(
        "UPDATE _prisma_migrations SET started_at = began, finished_at = began + (finished_at - started_at)"
        " FROM (SELECT id AS named,"
        "              to_timestamp(left(migration_name, 14), 'YYYYMMDDHH24MISS') + interval '2 days' AS began"
        "       FROM _prisma_migrations) AS names WHERE named = id",
        DATABASE,
    )


def rows(server: EmbeddedServer) -> int:
    """How many rows the tables hold, by the server's own estimate after ANALYZE."""
    return int(
        server.psql(
            "SELECT sum(reltuples)::bigint FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
            DATABASE,
        )
    )
