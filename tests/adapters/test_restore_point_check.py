"""The check ``restore_point``: what the run's record says, and whether the server still shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from migconsole.adapters.past import RunPast
from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.target import resolve_target
from migconsole.domain.checklist import Checklist
from migconsole.domain.rollback import Mark, Marker, literal, quoted, side_name
from migconsole.engine.ports import CheckResult
from migconsole.errors import UsageError
from tests.adapters.restoring import backed_up, folded, manifest_of, migconsole, opened_run
from tests.conftest import Database


async def check(database: Database, run: Path | None = None, **arguments: Any) -> CheckResult:
    past = RunPast(run, Checklist("test")) if run else None
    asked = PostgresDatabase(resolve_target(database.url), past=past)
    try:
        return await asked.check("restore_point", arguments)
    finally:
        await asked.close()


def value(result: CheckResult, name: str) -> Any:
    return result.observations[0].values[name]


def proven(database: Database, run: Path, home: Path, *arguments: str) -> str:
    """A backup of the run, proven; its identifier."""
    backup = backed_up(database.server, database.url, home / "b", "--run", run)
    said = migconsole(database.server, "prove", backup, "--target", database.url, "--run", run, *arguments)
    assert said.code == 0, said.complaint
    return str(manifest_of(backup)["id"])


async def armed_and_lost(database: Database, home: Path) -> None:
    database.psql("CREATE TABLE t AS SELECT generate_series(1, 10) AS a")
    run = opened_run(database.server, database.url, home)
    nothing = await check(database, run)
    assert (nothing.judgement, value(nothing, "state")) == (False, "none")
    backup = proven(database, run, home, "--keep-armed")
    side = side_name(database.name, folded(run).run_id)
    result = await check(database, run)
    assert result.judgement is True, result.lines
    assert [value(result, name) for name in ("state", "backup", "rows", "side")] == ["armed", backup, 10, side]
    assert 0 <= value(result, "age") < 600
    assert value(result, "wal") > 0
    old = await check(database, run, max_age=0)
    assert old.judgement is False
    assert "more than" in old.reason
    database.server.psql(f"ALTER DATABASE {quoted(side)} WITH ALLOW_CONNECTIONS true")
    opened = await check(database, run)
    assert (opened.judgement, value(opened, "state")) == (False, "proven")
    assert f"{side} is open" in opened.reason
    database.server.psql(f"DROP DATABASE {quoted(side)}")
    gone = await check(database, run)
    assert gone.judgement is False
    assert f"there is no database {side}" in gone.reason


async def test_armed_is_what_the_record_and_the_server_say(database: Database, tmp_path: Path) -> None:
    await armed_and_lost(database, tmp_path)


@pytest.mark.matrix
async def test_on_every_version(matrix_database: Database, tmp_path: Path) -> None:
    await armed_and_lost(matrix_database, tmp_path)


async def test_proven_is_enough_where_that_is_asked_for(database: Database, tmp_path: Path) -> None:
    run = opened_run(database.server, database.url, tmp_path)
    proven(database, run, tmp_path)
    assert (await check(database, run)).judgement is False
    result = await check(database, run, state="proven")
    assert (result.judgement, value(result, "state"), value(result, "side")) == (True, "proven", "")
    with pytest.raises(UsageError, match="no state"):
        await check(database, run, state="splendid")


async def test_the_marker_of_another_backup_is_not_ours(database: Database, tmp_path: Path) -> None:
    run = opened_run(database.server, database.url, tmp_path)
    proven(database, run, tmp_path, "--keep-armed")
    side = side_name(database.name, folded(run).run_id)
    marker = Marker(folded(run).run_id, database.name, Mark.ARMED, "another")
    database.server.psql(f"COMMENT ON DATABASE {quoted(side)} IS {literal(marker.text())}")
    result = await check(database, run)
    assert result.judgement is False
    assert "marker of this backup" in result.reason


async def test_without_a_run_the_servers_markers_are_asked(database: Database, tmp_path: Path) -> None:
    assert value(await check(database), "state") == "none"
    backup = backed_up(database.server, database.url, tmp_path)
    said = migconsole(database.server, "prove", backup, "--target", database.url, "--keep-armed")
    assert said.code == 0, said.complaint
    result = await check(database)
    assert (value(result, "state"), value(result, "backup")) == ("armed", manifest_of(backup)["id"])
    assert result.judgement is None, "how old its data is nobody knows then"
