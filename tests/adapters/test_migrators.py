"""Reading Prisma's migration folders as they lie in a checkout."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from migconsole.adapters.migrators.prisma import provider_problem, read_files


def add(directory: Path, name: str, content: bytes | None = b"SELECT 1;\n") -> Path:
    folder = directory / name
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "migration.sql").write_bytes(content)
    return folder


def test_folders_are_read_in_the_order_they_are_applied(tmp_path: Path) -> None:
    add(tmp_path, "20260102_b")
    add(tmp_path, "20260101_a", b"SELECT 2;\n")
    add(tmp_path, ".git")
    (tmp_path / "migration_lock.toml").write_text('provider = "postgresql"\n')
    (tmp_path / "apply-all-migrations.sh").write_text("#!/bin/sh\n")
    files = read_files(tmp_path)
    assert files is not None
    assert [file.name for file in files] == ["20260101_a", "20260102_b"]
    assert hashlib.sha256(b"SELECT 2;\n").hexdigest() in files[0].checksums


@pytest.mark.parametrize(("content", "words"), [(None, "has no migration.sql"), (b"\xff\xfe", "not UTF-8")])
def test_what_prisma_would_stop_at_is_listed(tmp_path: Path, content: bytes | None, words: str) -> None:
    add(tmp_path, "1_a", content)
    (file,) = read_files(tmp_path) or []
    assert words in file.problem
    assert not file.checksums


def test_an_unreadable_script_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    folder = add(tmp_path, "1_a", None)
    (folder / "migration.sql").mkdir()
    (file,) = read_files(tmp_path) or []
    assert "cannot be read" in file.problem


def test_no_folder_is_not_an_empty_folder(tmp_path: Path) -> None:
    assert read_files(tmp_path / "none") is None
    assert read_files(tmp_path) == []
    (tmp_path / "file").write_text("")
    assert read_files(tmp_path / "file") is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_forbidden_folder_is_unreadable(tmp_path: Path) -> None:
    add(tmp_path, "1_a")
    tmp_path.chmod(0)
    try:
        assert read_files(tmp_path) is None
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("text", "problem"),
    [('provider = "postgresql"', ""), ('provider = "mysql"', "mysql"), ("# nothing", ""), (None, "")],
)
def test_migrations_of_another_database_are_noticed(tmp_path: Path, text: str | None, problem: str) -> None:
    if text is not None:
        (tmp_path / "migration_lock.toml").write_text(text)
    found = provider_problem(tmp_path)
    assert bool(found) is bool(problem)
    assert problem in found
