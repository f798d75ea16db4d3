"""Whatever runs a person's command aims it at the target alone, whatever the shell that started it had exported."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from migconsole.adapters.postgres.target import resolve_target
from migconsole.adapters.rollback.surroundings import HereSurroundings
from tests.adapters.jobs_harness import Harness
from tests.adapters.restoring import migconsole
from tests.conftest import Database

ELSEWHERE = {
    "PGHOSTADDR": "10.0.0.9",
    "PGSERVICE": "elsewhere",
    "PGSERVICEFILE": "/elsewhere",
    "PGPASSWORD": "inherited-pass",
    "PGOPTIONS": "-c role=elsewhere",
    "DATABASE_URL": "postgres://ada:inherited-pass@elsewhere/db",
    "DIRECT_URL": "postgres://ada:inherited-pass@elsewhere/db",
    "BASH_FUNC_env%%": "() { echo hijacked; }",
    "KEPT": "yes",
}
SHOWN = "; ".join(
    (
        "env | grep -E '^(PG|DATABASE_URL|DIRECT_URL|KEPT)' | sort",
        '[[ "$DATABASE_URL" == postgresql://*@127.0.0.1:* ]] && echo one target',
    )
)

BY_HOOK = "restore point's command"

Runs = Callable[[], Awaitable[list[str]]]


@pytest.fixture(params=["job", "pooler hook", BY_HOOK])
def run(
    request: pytest.FixtureRequest, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runs]:
    """Something that runs a command of the checklist, in a process that has inherited a lot."""
    target = resolve_target(database.url)
    harness = Harness(tmp_path)

    async def job() -> list[str]:
        given = target.child_environment()
        return (await harness.finish(SHOWN, environment=given))[1].decode().splitlines()

    async def hook() -> list[str]:
        lines: list[str] = []
        await HereSurroundings(target).hook(SHOWN, lines.extend)
        return lines

    async def by_hook() -> list[str]:
        said = migconsole(
            database.server,
            *("prove", "--target", database.url, "--by", "standby", "--take", SHOWN, "--verify-sql", "SELECT true"),
            PGSERVICEFILE=str(services),
        )
        assert said.code == 0, said.complaint
        return list(said.lines)

    services = tmp_path / "services"
    services.write_text("[elsewhere]\nhost=elsewhere\nport=1\n")
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)
    if request.param == BY_HOOK:
        # The command line finds its target as libpq does: these two are the target's own there.
        monkeypatch.delenv("PGPASSWORD")
        monkeypatch.delenv("PGOPTIONS")
    yield {"job": job, "pooler hook": hook}.get(request.param, by_hook)
    harness.close()


async def test_a_command_is_aimed_at_the_target_alone(run: Runs, database: Database) -> None:
    lines = await run()
    shown = dict(line.split("=", 1) for line in lines if line.startswith(("PG", "DATABASE", "DIRECT", "KEPT")))
    assert shown["KEPT"] == "yes"
    assert (shown["PGHOST"], shown["PGPORT"], shown["PGDATABASE"]) == (
        database.server.host,
        str(database.server.port),
        database.name,
    )
    assert not {"PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGPASSWORD", "DIRECT_URL"} & shown.keys()
    assert "elsewhere" not in str(shown)
    assert "inherited-pass" not in "\n".join(lines)
    assert "one target" in lines, "DATABASE_URL, which is masked where it was typed"
    assert "hijacked" not in lines
