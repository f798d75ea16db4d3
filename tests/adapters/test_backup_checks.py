"""The checks of backups and of the way back, on a real server and real folders."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from migconsole.adapters.postgres.database import PostgresDatabase
from migconsole.adapters.postgres.target import resolve_target
from migconsole.engine.ports import CheckResult
from tests.adapters.restoring import SAMPLE, backed_up
from tests.conftest import Database


async def check(database: Database, name: str, url: str = "", **arguments: Any) -> CheckResult:
    asked = PostgresDatabase(resolve_target(url or database.url))
    try:
        return await asked.check(name, arguments)
    finally:
        await asked.close()


async def test_tools_that_fit_and_may_read_pass(database: Database) -> None:
    result = await check(database, "backup_tools")
    assert result.judgement is True, result.lines
    assert result.observations[0].values["same_major"] is True


async def test_the_tools_need_a_folder_that_is_ours(database: Database, tmp_path: Path) -> None:
    result = await check(database, "backup_tools", directory=str(tmp_path / "new"))
    assert result.judgement is True, result.lines
    assert result.observations[0].values["free"] > 0
    os.chmod(tmp_path, 0o777)
    result = await check(database, "backup_tools", directory=str(tmp_path))
    assert result.judgement is False
    assert "chmod it to 700" in result.reason


async def test_a_role_that_may_not_read_everything_fails(database: Database) -> None:
    database.psql("CREATE TABLE hidden (a int); CREATE ROLE check_reader LOGIN")
    try:
        result = await check(database, "backup_tools", database.server.url(database.name, "check_reader"))
        assert result.judgement is False
        assert "permission denied" in result.reason
    finally:
        database.psql("DROP ROLE check_reader")


async def test_without_fitting_programs_it_fails_with_what_to_install(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from migconsole.adapters.postgres.checks import backups

    monkeypatch.setattr(backups, "find_clients", list)
    result = await check(database, "backup_tools")
    assert result.judgement is False
    assert "postgresql-client-" in result.reason


async def test_a_folder_with_room_is_a_plan(database: Database, tmp_path: Path) -> None:
    result = await check(database, "backup_planned", directory=str(tmp_path / "new" / "folder"))
    assert result.judgement is True, result.lines
    assert result.observations[0].values["backups"] == 0
    assert (await check(database, "backup_planned")).judgement is None


async def test_a_folder_that_others_may_write_is_none(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    result = await check(database, "backup_planned", directory=str(folder))
    assert result.judgement is False
    assert "chmod it to 700" in result.reason


async def test_a_stored_backup_and_its_copy_are_read_to_the_last_byte(database: Database, tmp_path: Path) -> None:
    database.psql(SAMPLE)
    backup = backed_up(database.server, database.url, tmp_path / "b")
    alone = await check(database, "backup_stored", backup=str(backup))
    assert alone.judgement is None, "whether there is a copy is for a person to say"
    copy = tmp_path / "copy" / backup.name
    shutil.copytree(backup, copy)
    both = await check(database, "backup_stored", backup=str(backup), copy=str(copy))
    assert both.observations[0].values["copied"] is True
    assert both.judgement is None
    assert "same volume" in both.reason
    path = max((copy / "dump").iterdir(), key=lambda file: file.stat().st_size)
    os.truncate(path, 10)
    broken = await check(database, "backup_stored", backup=str(backup), copy=str(copy))
    assert broken.judgement is False
    assert broken.observations[0].values["copied"] is False
    (backup / "manifest.json").chmod(0o644)
    readable = await check(database, "backup_stored", backup=str(backup))
    assert readable.judgement is False
    assert "others can read" in readable.reason


async def test_a_rollback_is_feasible_for_who_may_and_has_room(database: Database) -> None:
    database.psql(SAMPLE)
    result = await check(database, "rollback_feasible")
    assert result.judgement is True, result.lines
    values = result.observations[0].values
    assert values["blocked"] == []
    assert any("Swap" in line or "swap" in line for line in result.lines)


async def test_a_rollback_is_not_feasible_without_rights_or_room(database: Database) -> None:
    database.psql("CREATE ROLE check_poor LOGIN")
    try:
        url = database.server.url(database.name, "check_poor")
        result = await check(database, "rollback_feasible", url, disk_free="1TB")
        assert result.judgement is False
        assert "CREATEDB" in " ".join(result.lines)
    finally:
        database.psql("DROP ROLE check_poor")
    result = await check(database, "rollback_feasible", disk_free="1kB")
    assert result.judgement is False
