"""``migconsole doctor --migrations``: what a migration that went wrong left behind, from a shell."""

from __future__ import annotations

from migconsole.adapters import checklists
from migconsole.adapters.past import RunPast
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.errors import MigconsoleError
from migconsole.wiring.doctor import Finding
from migconsole.wiring.small_jobs import link, redaction, target_of

LEVELS = {"√": "ok", "×": "problem", "?": "note"}


async def examine(state_dir: str | None, url: str, directory: str, tool: str, run: str) -> list[Finding]:
    """Every line of the check ``migration_doctor``; with a run its fingerprint of the schema is compared."""
    try:
        where = link(state_dir, run or None)
        target = target_of(where, url)
    except MigconsoleError as error:
        return [Finding("problem", "migrations", " ".join(filter(None, (error.title, error.detail))))]
    past = None
    if where.directory is not None:
        loaded = checklists.load(where.directory.checklist)
        past = RunPast(where.directory.path, loaded.checklist, redact=redaction(target))
    database = PostgresDatabase(target, project=where.project, past=past)
    arguments = {"directory": "" if directory == "auto" else directory, "tool": tool}
    try:
        result = await database.check("migration_doctor", {name: value for name, value in arguments.items() if value})
    except MigconsoleError as error:
        return [Finding("problem", "migrations", " ".join(filter(None, (error.title, error.detail, error.remedy))))]
    finally:
        await database.close()
        if past is not None:
            past.close()
    return [Finding(LEVELS.get(line[:1], "note"), "migrations", line[2:].rstrip()) for line in result.lines]
