"""The real migration tools, driven: what the check reads agrees with what each tool did."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.target import resolve_target
from migconsole.engine.ports import CheckResult
from tests import tools
from tests.conftest import Database

pytestmark = pytest.mark.tools


async def status(database: Database, project: Path, **arguments: Any) -> CheckResult:
    target = resolve_target(database.url, environment={})
    return await PostgresDatabase(target, project=project).check("migrations", arguments)


def seen(result: CheckResult, *names: str) -> Mapping[str, Any]:
    values = result.observations[0].values
    return {name: values[name] for name in names}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text).lstrip())
    return path


# -- Alembic -----------------------------------------------------------------------------------------------------------


def revision(project: Path, name: str, parent: str | None, body: str = "pass") -> None:
    write(
        project / "alembic" / "versions" / f"{name}_x.py",
        f"""
        from alembic import op

        revision: str = "{name}"
        down_revision: str | None = {parent!r}
        branch_labels = None
        depends_on = None

        def upgrade() -> None:
            {body}

        def downgrade() -> None:
            pass
        """,
    )


async def test_alembic(database: Database, tmp_path: Path) -> None:
    alembic = tools.program("alembic")
    url = database.url.replace("postgresql://", "postgresql+psycopg://")
    tools.run(alembic, "init", "alembic", cwd=tmp_path)
    ini = tmp_path / "alembic.ini"
    ini.write_text(
        "\n".join(
            f"sqlalchemy.url = {url}" if "sqlalchemy.url =" in line else line for line in ini.read_text().splitlines()
        )
    )
    revision(tmp_path, "a1", None, "op.execute('CREATE TABLE one (id int)')")
    revision(tmp_path, "b2", "a1", "op.execute('CREATE TABLE two (id int)')")
    assert seen(await status(database, tmp_path), "tool", "pending_names") == {
        "tool": "alembic",
        "pending_names": ["a1", "b2"],
    }
    tools.run(alembic, "upgrade", "a1", cwd=tmp_path)
    result = await status(database, tmp_path)
    assert seen(result, "applied_names", "pending_names", "failed", "edited") == {
        "applied_names": ["a1"],
        "pending_names": ["b2"],
        "failed": None,
        "edited": None,
    }
    revision(tmp_path, "c3", "b2", "op.execute('SELECT no_such_function()')")
    assert tools.run(alembic, "upgrade", "head", cwd=tmp_path, ok=False).returncode != 0
    assert seen(await status(database, tmp_path), "pending_names") == {"pending_names": ["b2", "c3"]}, "all rolled back"
    assert any("leave no trace" in line for line in result.lines)
    tools.run(alembic, "upgrade", "b2", cwd=tmp_path)
    (tmp_path / "alembic" / "versions" / "b2_x.py").unlink()
    gone = await status(database, tmp_path)
    assert gone.judgement is False
    assert seen(gone, "unknown_names") == {"unknown_names": ["b2"]}


# -- Django ------------------------------------------------------------------------------------------------------------


SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.contenttypes", "shop"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", "NAME": "{name}", "USER": "{user}",
                          "HOST": "{host}", "PORT": "{port}"}}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""


def django_migration(project: Path, name: str, parent: str, sql: str, extra: str = "") -> None:
    depends = f'[("shop", "{parent}")]' if parent else "[]"
    write(
        project / "shop" / "migrations" / f"{name}.py",
        f"""
        from django.db import migrations

        class Migration(migrations.Migration):
            dependencies = {depends}
            {extra}
            operations = [migrations.RunSQL({sql!r})]
        """,
    )


async def test_django(database: Database, tmp_path: Path) -> None:
    python = tools.program("python")
    tools.program("django-admin")
    url = urlsplit(database.url)
    write(
        tmp_path / "settings.py",
        SETTINGS.format(name=database.name, user=url.username, host=url.hostname, port=url.port),
    )
    write(
        tmp_path / "manage.py",
        """
        import os, sys
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
        """,
    )
    write(tmp_path / "shop" / "__init__.py", "")
    write(tmp_path / "shop" / "migrations" / "__init__.py", "")
    django_migration(tmp_path, "0001_initial", "", "CREATE TABLE one (id int)")
    django_migration(tmp_path, "0002_two", "0001_initial", "CREATE TABLE two (id int)")
    assert seen(await status(database, tmp_path), "tool", "pending") == {"tool": "django", "pending": 2}
    tools.run(python, "manage.py", "migrate", "shop", "0001", cwd=tmp_path)
    result = await status(database, tmp_path)
    assert seen(result, "applied_names", "pending_names", "failed", "edited", "unknown") == {
        "applied_names": ["shop.0001_initial"],
        "pending_names": ["shop.0002_two"],
        "failed": None,
        "edited": None,
        "unknown": 0,
    }
    tools.run(python, "manage.py", "migrate", cwd=tmp_path)
    result = await status(database, tmp_path)
    assert seen(result, "applied", "pending", "unknown") == {"applied": 2, "pending": 0, "unknown": 0}
    assert any("contenttypes" in line for line in result.lines), "an installed app is named and not judged"
    replaces = 'replaces = [("shop", "0001_initial"), ("shop", "0002_two")]'
    django_migration(tmp_path, "0001_squashed", "", "SELECT 1", replaces)
    assert seen(await status(database, tmp_path), "pending") == {"pending": 0}, "what it replaces is applied"
    tools.run(python, "manage.py", "migrate", cwd=tmp_path)
    (tmp_path / "shop/migrations/0001_initial.py").unlink()
    (tmp_path / "shop/migrations/0002_two.py").unlink()
    assert seen(await status(database, tmp_path), "applied_names", "unknown") == {
        "applied_names": ["shop.0001_squashed"],
        "unknown": 0,
    }
    (tmp_path / "shop/migrations/0001_squashed.py").write_text("class Migration:\n    pass\n")
    assert seen(await status(database, tmp_path), "unknown") == {"unknown": 2}


# -- dbmate ------------------------------------------------------------------------------------------------------------


async def test_dbmate(database: Database, tmp_path: Path) -> None:
    dbmate = tools.program("dbmate")
    url = f"{database.url}?sslmode=disable"
    folder = tmp_path / "db" / "migrations"
    write(
        folder / "20260101000000_one.sql",
        "-- migrate:up\nCREATE TABLE one (id int);\n-- migrate:down\nDROP TABLE one;\n",
    )
    tools.run(dbmate, "--no-dump-schema", "up", cwd=tmp_path, DATABASE_URL=url)
    write(
        folder / "20260102000000_two.sql", "-- migrate:up transaction:false\nCREATE TABLE two (id int);\nSELECT no();\n"
    )
    result = await status(database, tmp_path)
    assert seen(result, "tool", "applied_names", "pending_names", "failed") == {
        "tool": "dbmate",
        "applied_names": ["20260101000000_one"],
        "pending_names": ["20260102000000_two"],
        "failed": None,
    }
    assert any("transaction:false" in line for line in result.lines)
    tools.run(dbmate, "--no-dump-schema", "up", cwd=tmp_path, ok=False, DATABASE_URL=url)
    assert seen(await status(database, tmp_path), "pending", "failed") == {"pending": 1, "failed": None}
    (folder / "20260101000000_one.sql").unlink()
    assert seen(await status(database, tmp_path), "unknown_names") == {"unknown_names": ["20260101000000"]}


# -- Sqitch ------------------------------------------------------------------------------------------------------------


async def test_sqitch(database: Database, tmp_path: Path) -> None:
    sqitch = tools.system_program("sqitch", "sqitch and libdbd-pg-perl")
    who = {"SQITCH_FULLNAME": "A Tester", "SQITCH_EMAIL": "tester@example.org", "TZ": "UTC"}
    url = urlsplit(database.url)
    uri = f"db:pg://{url.username}@{url.hostname}:{url.port}/{database.name}"
    tools.run(sqitch, "init", "shop", "--engine", "pg", cwd=tmp_path, **who)

    def add(name: str, deploy: str) -> None:
        tools.run(sqitch, "add", name, "-n", name, cwd=tmp_path, **who)
        (tmp_path / "deploy" / f"{name}.sql").write_text(f"BEGIN;\n{deploy}\nCOMMIT;\n")

    add("one", "CREATE TABLE one (id int);")
    add("two", "CREATE TABLE two (id int);")
    assert seen(await status(database, tmp_path), "tool", "pending_names") == {
        "tool": "sqitch",
        "pending_names": ["one", "two"],
    }
    tools.run(sqitch, "deploy", "--to", "one", uri, cwd=tmp_path, **who)
    assert seen(await status(database, tmp_path), "applied_names", "pending_names", "edited") == {
        "applied_names": ["one"],
        "pending_names": ["two"],
        "edited": 0,
    }
    good = (tmp_path / "deploy/two.sql").read_text()
    (tmp_path / "deploy/two.sql").write_text("BEGIN;\nSELECT no_such();\nCOMMIT;\n")
    assert tools.run(sqitch, "deploy", uri, cwd=tmp_path, ok=False, **who).returncode != 0
    result = await status(database, tmp_path)
    assert seen(result, "failed_names", "applied_names") == {"failed_names": ["two"], "applied_names": ["one"]}
    assert result.judgement is False
    (tmp_path / "deploy/two.sql").write_text(good)
    tools.run(sqitch, "deploy", uri, cwd=tmp_path, **who)
    assert seen(await status(database, tmp_path), "pending", "failed", "edited") == {
        "pending": 0,
        "failed": 0,
        "edited": 0,
    }
    tools.run(sqitch, "tag", "v1", "-n", "v1", cwd=tmp_path, **who)
    tools.run(sqitch, "rework", "two", "-n", "again", cwd=tmp_path, **who)
    result = await status(database, tmp_path)
    assert seen(result, "applied_names", "pending_names", "edited") == {
        "applied_names": ["one", "two"],
        "pending_names": ["two"],
        "edited": 0,
    }
    (tmp_path / "deploy/one.sql").write_text("-- another\n")
    assert seen(await status(database, tmp_path), "edited_names") == {"edited_names": ["one"]}


# -- Prisma ------------------------------------------------------------------------------------------------------------


CONFIG = """
import { defineConfig } from 'prisma/config'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'

// The adapter does not know the catalogue's own types: let them read as text.
const remap: Record<number, number> = { 18: 25, 19: 25, 1002: 1009, 1003: 1009 }
const query = (pg as any).Query.prototype, original = query.handleRowDescription
query.handleRowDescription = function (message: any) {
  for (const field of message.fields) field.dataTypeID = remap[field.dataTypeID] ?? field.dataTypeID
  return original.call(this, message)
}
// The adapter cuts a script at every semicolon: send it whole, as the native engine of this version does.
class WholeScripts extends PrismaPg {
  async connect() {
    const adapter: any = await super.connect()
    adapter.executeScript = async (script: string) => {
      try { await adapter.client.query(script) } catch (error) { adapter.onError(error) }
    }
    return adapter
  }
}
export default defineConfig({
  schema: 'prisma/schema.prisma',
  experimental: { adapter: true },
  engine: 'js',
  adapter: async () => new WholeScripts({ connectionString: process.env.DATABASE_URL }),
} as any)
"""


async def test_prisma(database: Database, tmp_path: Path) -> None:
    packages = tools.prisma_packages()
    node = tools.system_program("node", "nodejs")
    (tmp_path / "node_modules").symlink_to(packages)
    write(tmp_path / "prisma.config.ts", CONFIG)
    write(
        tmp_path / "prisma" / "schema.prisma",
        'datasource db {\n  provider = "postgresql"\n  url = env("DATABASE_URL")\n}\n',
    )
    write(tmp_path / "prisma/migrations/migration_lock.toml", 'provider = "postgresql"\n')
    folder = tmp_path / "prisma/migrations"
    write(folder / "20260101000000_one/migration.sql", "CREATE TABLE one (id int);\n")
    environment = {
        "DATABASE_URL": database.url,
        "CHECKPOINT_DISABLE": "1",
        "PRISMA_HIDE_UPDATE_MESSAGE": "1",
        "PRISMA_QUERY_ENGINE_LIBRARY": str(node),
        # Only “resolve” starts it, to ask whether the database can be reached; everything else is done in JavaScript.
        "PRISMA_SCHEMA_ENGINE_BINARY": str(tools.system_program("true", "coreutils")),
    }

    def prisma(*words: str, ok: bool = True) -> int:
        command = (node, packages / "prisma/build/index.js", "migrate", *words)
        return tools.run(*command, cwd=tmp_path, ok=ok, **environment).returncode

    assert prisma("status", ok=False) == 1, "its exit code says the same of pending as of broken"
    prisma("deploy")
    assert seen(await status(database, tmp_path), "tool", "applied", "pending", "edited") == {
        "tool": "prisma",
        "applied": 1,
        "pending": 0,
        "edited": 0,
    }
    write(folder / "20260102000000_two/migration.sql", "CREATE TABLE two (id int);\nSELECT no_such();\n")
    write(folder / "20260103000000_three/migration.sql", "CREATE TABLE three (id int);\n")
    assert prisma("deploy", ok=False) == 1
    result = await status(database, tmp_path)
    assert seen(result, "failed_names", "pending_names") == {
        "failed_names": ["20260102000000_two"],
        "pending_names": ["20260103000000_three"],
    }
    assert result.judgement is False
    assert not any("rolled back" in line for line in result.lines), "never promised"
    prisma("resolve", "--rolled-back", "20260102000000_two")
    assert seen(await status(database, tmp_path), "failed", "pending") == {"failed": 0, "pending": 2}
    write(folder / "20260101000000_one/migration.sql", "CREATE TABLE one (id bigint);\n")
    assert seen(await status(database, tmp_path), "edited_names") == {"edited_names": ["20260101000000_one"]}
    for name in ("20260101000000_one",):
        (folder / name / "migration.sql").unlink()
        (folder / name).rmdir()
    assert seen(await status(database, tmp_path), "unknown", "diverged") == {"unknown": 1, "diverged": True}
