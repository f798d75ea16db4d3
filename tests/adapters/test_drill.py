"""A drill on a real server: the whole way back on copies, measured, and nothing left of it."""

from __future__ import annotations

import json
from pathlib import Path

from migconsole.domain.rollback import literal, quoted
from migconsole.wiring.drills import last_drill, scratch_name
from tests.adapters.restoring import SAMPLE, migconsole
from tests.conftest import Database

PARTS = {
    "backup_s",
    "dump_s",
    "restore_s",
    "analyze_s",
    "compare_s",
    "prove_s",
    "fence",
    "swap",
    "put_back_s",
    "outage_s",
}


def databases(database: Database) -> set[str]:
    names = json.loads(database.server.psql("SELECT json_agg(datname) FROM pg_database"))
    return {name for name in names if not name.startswith("t_") or name == database.name or "__" in name}


def test_the_whole_way_back_is_rehearsed_and_nothing_is_left(database: Database, tmp_path: Path) -> None:
    database.psql(SAMPLE)
    database.psql(f"COMMENT ON DATABASE {quoted(database.name)} IS 'untouched'")
    oid = database.psql("SELECT oid FROM pg_database WHERE datname = current_database()")
    before = databases(database)
    state = tmp_path / "state"
    said = migconsole(
        database.server, "drill", "--target", database.url, "--directory", tmp_path / "b", "--state-dir", state
    )
    assert said.code == 0, said.complaint
    result = said.event("drill")
    assert set(result) >= PARTS
    assert all(result[part] >= 0 for part in PARTS)
    assert result["swap"] < 10
    assert databases(database) == before
    assert list((tmp_path / "b").iterdir()) == []
    assert database.psql("SELECT oid FROM pg_database WHERE datname = current_database()") == oid
    assert database.psql("SELECT count(*) FROM refers") == "2"
    asked = f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = {literal(database.name)}"
    assert database.psql(asked) == "untouched"
    name = f"{database.name}@127.0.0.1:{database.server.port}"
    remembered = last_drill(str(state), name)
    assert remembered is not None
    assert set(remembered["durations"]) == PARTS
    assert last_drill(str(state), "other@127.0.0.1:1") is None


def test_too_little_room_stops_it_and_leaves_nothing(database: Database, tmp_path: Path) -> None:
    said = migconsole(
        database.server,
        "drill",
        "--target",
        database.url,
        "--directory",
        tmp_path,
        "--disk-free",
        "1kB",
        "--keep-backup",
    )
    assert said.code == 1
    assert "side copy" in said.complaint
    assert not any("__drill_" in name for name in databases(database))


def test_the_scratch_name_is_cut_never_its_end() -> None:
    name = scratch_name("é" * 60, "0a1b2c3d4e5f")
    assert len(name.encode()) <= 63
    assert name.endswith("__drill_0a1b2c3d")
