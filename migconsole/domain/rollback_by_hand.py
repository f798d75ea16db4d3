"""``ROLLBACK-BY-HAND.sql``: swap and putting back for a person with only psql, written when a side database is armed.

It holds no secret. Every statement is its own, because a string of several commits after its sender is dead; it stops
at the first error, and refuses before the first change when something is not as it was.
"""

from __future__ import annotations

from migconsole.domain.rollback import Mark, Marker, Names, literal, quoted
from migconsole.domain.text import sanitise_line

NAME = "ROLLBACK-BY-HAND.sql"


def by_hand(
    names: Names, *, host: str, port: int, user: str, owner: str, backup: str, at: str, comment: str | None
) -> str:
    """The file's text. ``comment`` is the original comment of the database, which the restored one gets back."""
    where = sanitise_line(f"{names.app}@{host}:{port}")
    psql = f"psql -X -h {_shell(host)} -p {port} -U {_shell(user)} -d postgres"
    failed = Marker(owner, names.app, Mark.FAILED, backup, "", at, comment)
    used = Marker(owner, names.app, Mark.USED, backup, "", at)
    lines = [
        f"-- Roll {where} back to its restore point of {at}: backup {backup}, run {owner}.",
        "--",
        "-- Stop the application first: whatever it writes from now on stays in the database that is put aside.",
        "-- Pause a connection pooler, if one stands in front. Then, as a role that owns the database and may create",
        "-- databases, or as a superuser:",
        "--",
        f"--   {psql} -f {NAME}",
        "--",
        "-- Nothing is lost: the failed database is kept under another name, closed. To undo it (psql 11 or newer):",
        "--",
        f"--   {psql} -v undo=1 -f {NAME}",
        "--",
        "-- What was written since the rollback then stays in the side database, closed.",
        "",
        "\\set ON_ERROR_STOP on",
        "",
        "\\if :{?undo}",
        "",
        *_put_back(names, backup, used.text(), comment),
        "\\else",
        "",
        *_swap(names, backup, failed.text(), comment),
        "\\endif",
        "",
        "-- What is there now.",
        "SELECT datname, datallowconn FROM pg_catalog.pg_database",
        f" WHERE datname IN ({literal(names.app)}, {literal(names.side)}, {literal(names.failed)});",
        "",
    ]
    return "\n".join(lines)


def _swap(names: Names, backup: str, marker: str, comment: str | None) -> list[str]:
    refused = "a rollback has been made already: the failed database is there"
    return [
        "-- ROLL BACK",
        "",
        *_checked(
            names, names.failed, refused, names.side, Mark.ARMED, backup, "the side database is not armed with it"
        ),
        *_fenced(names),
        *_renamed(names, names.failed, names.side, marker, comment),
    ]


def _put_back(names: Names, backup: str, marker: str, comment: str | None) -> list[str]:
    refused = "the name of the side database is taken: there is nothing to undo"
    return [
        "-- PUT BACK: the failed database becomes the live one again, as it was.",
        "",
        *_checked(names, names.side, refused, names.failed, Mark.FAILED, backup, "there is no failed database of ours"),
        *_fenced(names),
        *_renamed(names, names.side, names.failed, marker, comment),
    ]


def _checked(names: Names, free: str, taken: str, waiting: str, step: Mark, backup: str, missing: str) -> list[str]:
    """Before the first change: the application's database is there, ``free`` is not, ``waiting`` is ours and closed."""
    tag = _tag(names)
    return [
        "-- 1. Is everything where it was left? Nothing has been changed when this stops.",
        f"DO {tag}",
        "DECLARE marker text;",
        "BEGIN",
        f"  IF NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = {literal(names.app)}) THEN",
        "    RAISE EXCEPTION 'the database to be renamed is not there';",
        "  END IF;",
        f"  IF EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = {literal(free)}) THEN",
        f"    RAISE EXCEPTION {literal(taken)};",
        "  END IF;",
        "  SELECT pg_catalog.shobj_description(oid, 'pg_database') INTO marker",
        f"    FROM pg_catalog.pg_database WHERE datname = {literal(waiting)} AND NOT datallowconn;",
        f"  IF marker IS NULL OR pg_catalog.strpos(marker, {literal(_step(step))}) = 0",
        f"     OR pg_catalog.strpos(marker, {literal(backup)}) = 0 THEN",
        f"    RAISE EXCEPTION {literal(missing)};",
        "  END IF;",
        f"  IF EXISTS (SELECT FROM pg_catalog.pg_prepared_xacts WHERE database = {literal(names.app)}) THEN",
        "    RAISE EXCEPTION 'prepared transactions stand in the way: commit or roll them back first';",
        "  END IF;",
        f"END {tag};",
        "",
    ]


def _fenced(names: Names) -> list[str]:
    tag = _tag(names)
    return [
        "-- 2. The fence: nobody connects any more, and whoever is connected is ended. The outage begins here.",
        f"ALTER DATABASE {quoted(names.app)} WITH ALLOW_CONNECTIONS false;",
        "SELECT count(pg_catalog.pg_terminate_backend(pid)) AS ended FROM pg_catalog.pg_stat_activity",
        f" WHERE datname = {literal(names.app)} AND pid <> pg_catalog.pg_backend_pid();",
        f"DO {tag}",
        "BEGIN",
        "  FOR i IN 1..200 LOOP",
        f"    PERFORM FROM pg_catalog.pg_stat_activity WHERE datname = {literal(names.app)};",
        "    EXIT WHEN NOT FOUND;",
        "    PERFORM pg_catalog.pg_sleep(0.05);",
        "    PERFORM pg_catalog.pg_stat_clear_snapshot();",
        "  END LOOP;",
        f"END {tag};",
        "",
    ]


def _renamed(names: Names, aside: str, back: str, marker: str, comment: str | None) -> list[str]:
    """The live database is put ``aside`` with our marker, the one called ``back`` takes its name, and is opened."""
    app = quoted(names.app)
    return [
        "-- 3. Both names in one transaction: all of it or nothing. If it fails, open the database again with",
        f"--      ALTER DATABASE {_commented(app)} WITH ALLOW_CONNECTIONS true;",
        "BEGIN;",
        "SET LOCAL lock_timeout = '10s';",
        f"ALTER DATABASE {app} RENAME TO {quoted(aside)};",
        f"ALTER DATABASE {quoted(back)} RENAME TO {app};",
        f"COMMENT ON DATABASE {quoted(aside)} IS {literal(marker)};",
        f"COMMENT ON DATABASE {app} IS {literal(comment)};",
        f"ALTER DATABASE {app} WITH ALLOW_CONNECTIONS true;",
        "COMMIT;",
        "",
    ]


def _step(mark: Mark) -> str:
    return f'"step": "{mark}"'


def _tag(names: Names) -> str:
    """A dollar quote that no name can end."""
    tag = "$migconsole$"
    while any(tag in name for name in (names.app, names.side, names.failed)):
        tag = f"{tag[:-1]}_$"
    return tag


def _commented(text: str) -> str:
    """A name inside a comment: a line end in it would end the comment."""
    return sanitise_line(text)


def _shell(text: str) -> str:
    """A word for a shell, where the comment shows the command."""
    escaped = sanitise_line(text).replace("'", "'\\''")
    return f"'{escaped}'"
