"""A drill on a real server: the whole way back on copies, measured, and nothing left of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from migconsole.adapters.backup.restoring import RestoreError
from migconsole.adapters.drill_book import DRILLS, last_drill, remember
from migconsole.domain.drills import scratch_name
from migconsole.domain.rollback import literal, quoted
from migconsole.domain.rollback_plan import Outcome, Verdict
from migconsole.domain.rollback_verified import Proof, Verification, unverified
from migconsole.wiring.drills import brought_back
from tests.adapters.restoring import CHECKLIST, SAMPLE, command, environment, folded, migconsole, opened_run
from tests.conftest import Database

PARTS = {
    "whole_s",
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
    remembered = last_drill(state, name)
    assert remembered is not None
    assert set(remembered["durations"]) == PARTS
    assert last_drill(state, "other@127.0.0.1:1") is None


def test_a_drill_of_a_run_feeds_its_clock_and_that_of_the_next_run(
    database: Database, tmp_path: Path, clean_environment: Path
) -> None:
    database.psql(SAMPLE)
    run = opened_run(database.server, database.url, tmp_path, CHECKLIST)
    assert folded(run).clock.drill is None
    words = ("drill", "--target", database.url, "--directory", tmp_path / "b", "--run", run)
    said = migconsole(database.server, *words)
    assert said.code == 0, said.complaint
    measured = folded(run).clock.drill
    assert measured is not None
    assert measured.durations == {name: said.event("drill")[name] for name in PARTS}
    assert (tmp_path / "state" / DRILLS).stat().st_mode & 0o777 == 0o600
    assert not list(clean_environment.rglob(DRILLS))  # the run's own state directory, wherever the caller's is
    before = set((tmp_path / "state" / "runs").iterdir())
    later = command("--state-dir", tmp_path / "state", "run", tmp_path / "checklist.yaml", "--headless")
    done = subprocess.run(
        [*later, "--target", database.url], env=environment(database.server), timeout=120, check=False
    )
    assert done.returncode == 3
    (second,) = set((tmp_path / "state" / "runs").iterdir()) - before
    assert folded(second).clock.drill == measured


def test_a_damaged_list_of_drills_costs_only_what_is_damaged(tmp_path: Path) -> None:
    remember(tmp_path, {"target": "a@b:1", "at": "1", "durations": {"swap": 1}})
    with (tmp_path / DRILLS).open("ab") as file:
        file.write(
            b'[1]\n{"target": "a@b:1", "durations": 3}\n\xff\xfe\n' + b"[" * 5000 + b'\n{"target": "a@b:1", "at"'
        )
    found = last_drill(tmp_path, "a@b:1")
    assert found is not None
    assert found["at"] == "1"
    remember(tmp_path / "state" / "of" / "nobody", {})
    assert last_drill(tmp_path / "absent", "a@b:1") is None


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


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "not compared"),
        (unverified("the manifest cannot be read"), "cannot be read"),
        (Verification(Proof.DIFFERS, "the manifest", ("public.t: 99 rows, not 100",)), "99 rows"),
    ],
)
def test_a_swap_whose_content_is_not_seen_to_be_right_is_no_rehearsed_way_back(
    found: Verification | None, said: str
) -> None:
    with pytest.raises(RestoreError, match="did not bring back") as raised:
        brought_back(Outcome(Verdict.SWAPPED, verification=found))
    assert said in raised.value.detail
    brought_back(Outcome(Verdict.SWAPPED, verification=Verification(Proof.VERIFIED, "the manifest")))


def test_the_scratch_name_is_cut_never_its_end() -> None:
    name = scratch_name("é" * 60, "0a1b2c3d4e5f")
    assert len(name.encode()) <= 63
    assert name.endswith("__drill_0a1b2c3d")
