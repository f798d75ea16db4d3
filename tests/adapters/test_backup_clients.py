"""Client programs on real folders: what is found, what fits which server, and why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from migconsole.adapters.backup import clients
from migconsole.adapters.backup.clients import PROGRAMS, Clients, choose, find_clients
from migconsole.adapters.postgres.target import resolve_target
from migconsole.errors import UsageError
from tests import trees

LOCAL = resolve_target("postgresql://u@localhost/x")
REMOTE = resolve_target("postgresql://u@db1.example.com/x")


def fake(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        (folder / name).chmod(0o755)
    return folder


def sets(*versions: str) -> list[Clients]:
    return [Clients(Path(f"/c/{version}"), version) for version in versions]


@pytest.fixture(autouse=True)
def no_probing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "compression", lambda _clients: "")


def test_a_folder_counts_only_with_every_program(tmp_path: Path) -> None:
    folder = fake(tmp_path / "bin", "16.4 (Distribution 16.4-1)")
    environ = {"PATH": str(folder)}
    assert find_clients(environ)[0].version == "16.4"
    assert find_clients(environ)[0].bindir == folder
    (folder / "pg_restore").unlink()
    assert folder not in [found.bindir for found in find_clients(environ)]


def test_the_wrapper_of_debian_is_passed_over(tmp_path: Path) -> None:
    wrapper = tmp_path / "common" / "pg_wrapper"
    wrapper.parent.mkdir()
    wrapper.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.1'\n")
    wrapper.chmod(0o755)
    (tmp_path / "bin").mkdir()
    for name in PROGRAMS:
        (tmp_path / "bin" / name).symlink_to(wrapper)
    assert all(found.bindir != tmp_path / "bin" for found in find_clients({"PATH": str(tmp_path / "bin")}))


def test_links_lead_to_where_the_programs_are(tmp_path: Path) -> None:
    real = fake(tmp_path / "cellar", "17.2")
    (tmp_path / "bin").mkdir()
    for name in PROGRAMS:
        (tmp_path / "bin" / name).symlink_to(real / name)
    assert find_clients({"PATH": str(tmp_path / "bin")})[0].bindir == real


def test_the_named_folder_comes_first(tmp_path: Path) -> None:
    named, other = fake(tmp_path / "named", "17.1"), fake(tmp_path / "other", "15.1")
    found = find_clients({"PATH": str(other), clients.BINDIR_VARIABLE: str(named)})
    assert [c.bindir for c in found[:2]] == [named, other]
    choice = choose(found, REMOTE, "15.3")
    assert choice.clients.bindir == named
    assert "names it" in choice.why


@pytest.mark.parametrize(
    ("server", "wanted", "same"),
    [("15.3", "15.9", True), ("16.1", "17.2", False), ("17.0", "17.2", True), ("11.22", "14.1", False)],
)
def test_the_own_major_then_the_nearest_newer(server: str, wanted: str, same: bool) -> None:
    choice = choose(sets("18.1", "14.1", "15.9", "17.2"), REMOTE, server)
    assert (choice.clients.version, choice.same_major) == (wanted, same)


def test_no_older_programs_are_used() -> None:
    with pytest.raises(UsageError) as caught:
        choose(sets("14.1", "15.9"), REMOTE, "16.4")
    assert "newest here is 15" in caught.value.detail
    assert "postgresql-client-16" in caught.value.remedy


def test_the_embedded_programs_serve_the_embedded_server_only() -> None:
    embedded = [Clients(Path("/e"), "18.6", embedded=True)]
    assert choose(embedded, LOCAL, "18.6").clients.embedded
    for target, version in ((REMOTE, "18.6"), (LOCAL, "18.5"), (LOCAL, "17.2")):
        with pytest.raises(UsageError):
            choose(embedded, target, version)


def test_nothing_of_the_callers_target_reaches_the_programs() -> None:
    environment = sets("16.1")[0].environment(
        {"PGHOST": "other", "PGSERVICE": "x", "DATABASE_URL": "y", "LANG": "de_DE", "LANGUAGE": "de", "HOME": "/h"}
    )
    assert environment == {"LANG": "de_DE", "HOME": "/h", "LC_ALL": "C"}


@pytest.mark.matrix
def test_real_builds_say_what_they_can_compress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    seen = {}
    for major, tree in trees.present().items():
        if tree.has_clients:
            (found, *_) = find_clients({"PATH": os.defpath, clients.BINDIR_VARIABLE: str(tree.bindir)})
            seen[major] = clients.compression(found)
    assert seen
    assert all(value == "" for major, value in seen.items() if major < clients.ZSTD_SINCE)
    assert {value for major, value in seen.items() if major in (16, 17)} <= {"zstd:3"}
