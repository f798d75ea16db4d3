"""The rollback procedure without a screen: by the typed name, line after line, to the report that is signed."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
import yaml

from migconsole.domain.deviations import Sort
from migconsole.domain.items import ItemState
from tests.e2e.checklists import Desk
from tests.e2e.test_rollback_wizard import SCRIPT, databases, rows, section, step, target
from tests.waiting import wait_until

S = ItemState
REASON = "five orders are gone since the migration"
FORWARD = ("--headless", "--allow", "mutating", "--attest-all", "rehearsed", "--vote", "DBA=GO:AS")


def checklist(**restore: Any) -> dict[str, Any]:
    """A forward way with backup, proof and migration, and a procedure whose lines are of every kind."""
    backup = {"item": "Back up", "id": "backup", "backup": {"directory": "backups"}, "expect": {"rows": 100}}
    prove = {"item": "Prove it", "id": "prove", "prove": {"keep_armed": True, "disk_free": "50GB"}}
    smoke = {"item": "Run smoke tests", "id": "smoke", "sql": "SELECT count(*) FROM t", "expect": {"value": "100"}}
    return {
        "checklist": "A rollback",
        "target": {"url": "${DATABASE_URL}", "environment": "production"},
        "phases": [
            {"phase": "Before", "at": "T-1h", "sections": [section("Backup", backup, prove)]},
            {"phase": "Migration", "at": "T-0", "sections": [section("Apply", step("migrate", "./migrate.sh"))]},
        ],
        "roles": ["DBA"],
        "gates": [{"gate": "Go for T-0", "id": "go", "before": "Migration"}],
        "rollback": [
            section("Maintenance", step("stop", "echo stopped >> log"), {"item": "Tell the users", "id": "tell"}),
            section(
                "Database",
                {"item": "Drop current database", "id": "drop"},
                {"item": "Restore from backup", "id": "restore", "restore": {"boxes": {"drop": "drop"}, **restore}},
            ),
            section("Verification", step("start", "echo started >> log"), smoke),
        ],
    }


def prepare(desk: Desk, **restore: Any) -> None:
    """A table of a hundred rows, the checklist, and the script that migrates."""
    desk.database.psql("CREATE TABLE t AS SELECT generate_series(1, 100) AS id")
    desk.path.write_text(yaml.safe_dump(checklist(**restore), sort_keys=False), encoding="utf-8")
    script = desk.project / "migrate.sh"
    script.write_text(SCRIPT, encoding="utf-8")
    script.chmod(0o755)


def migrated(desk: Desk, **restore: Any) -> Desk:
    """A desk whose run is migrated, and has lost five rows by it."""
    prepare(desk, **restore)
    done = desk.call("run", str(desk.path), *FORWARD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(desk) == 95
    return desk


def test_the_gate_is_told_what_was_written_since_the_restore_point(desk: Desk) -> None:
    prepare(desk)
    taken = desk.call("run", str(desk.path), *FORWARD, "--stop-after", "prove")
    assert taken.returncode == 0, taken.stdout + taken.stderr
    desk.database.psql("INSERT INTO t SELECT generate_series(101, 107); DELETE FROM t WHERE id > 104")
    counted = "SELECT n_tup_ins + n_tup_del FROM pg_stat_user_tables WHERE relname = 't'"
    wait_until(lambda: desk.database.psql(counted) == "110", 30)
    done = desk.call("resume", *FORWARD)
    assert "way back: restore point ARMED, " in done.stdout
    assert "rows written since the restore point: 7 inserted, 0 updated, 3 deleted" in done.stdout
    assert "of WAL (of the whole server)" in done.stdout


def test_without_a_proven_way_back_only_the_item_that_was_named_runs_and_it_is_on_record(desk: Desk) -> None:
    prepare(desk)
    unproven = checklist()
    del unproven["phases"][0]["sections"][0]["items"][1]
    desk.path.write_text(yaml.safe_dump(unproven, sort_keys=False), encoding="utf-8")
    stopped = desk.call("run", str(desk.path), *FORWARD)
    assert stopped.returncode == 3, stopped.stdout + stopped.stderr
    assert "before the way back is proven" in stopped.stdout
    assert "--override migrate=proof:REASON" in stopped.stdout
    why = "the snapshot of the volume is the way back"
    other = desk.call("resume", *FORWARD, "--override", f"migrate=dump:{why}")
    assert other.returncode == 3, other.stdout + other.stderr
    assert rows(desk) == 100
    done = desk.call("resume", *FORWARD, "--override", f"migrate=proof:{why}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(desk) == 95
    (found,) = [deviation for deviation in reported(desk)["deviations"] if deviation["sort"] == Sort.OVERRIDDEN.value]
    assert (found["item"], found["why"]) == ("migrate", why)
    assert "without a proven way back" in found["what"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("migrate=proof:hurry", "of at least 10 characters"),
        ("migrate=order:it has to go before the other one", "WHAT one of proof, dump, abort"),
        ("migrate=the snapshot is the way back", "overrides nothing"),
        ("nothing=proof:the snapshot is the way back", "no item “nothing”"),
    ],
)
def test_an_override_names_one_item_one_thing_and_a_reason(desk: Desk, given: str, said: str) -> None:
    prepare(desk)
    done = desk.call("run", str(desk.path), *FORWARD, "--override", given)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in " ".join(done.stderr.split())
    assert rows(desk) == 100


def back(desk: Desk, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The rollback procedure with what was said beforehand."""
    return desk.call("resume", "--headless", "--allow", "mutating", "--rollback", REASON, "--by", "Ada", *arguments)


def reported(desk: Desk) -> dict[str, Any]:
    """The report as a machine reads it."""
    data: dict[str, Any] = json.loads(desk.call("report", "--format", "json").stdout)
    return data


def test_the_whole_procedure_goes_by_the_typed_name_and_stops_at_people(desk: Desk) -> None:
    migrated(desk)
    unsaid = back(desk)
    assert unsaid.returncode == 3, unsaid.stdout + unsaid.stderr
    assert f"--confirm {target(desk)}" in unsaid.stdout
    assert desk.fold().engagement.now is None
    wrong = back(desk, "--confirm", "elsewhere@127.0.0.1:5432")
    assert wrong.returncode == 3
    assert rows(desk) == 95
    stopped = back(desk, "--confirm", target(desk))
    assert stopped.returncode == 3, stopped.stdout + stopped.stderr
    assert "“Tell the users” is a person's" in stopped.stdout
    assert rows(desk) == 95
    done = back(desk, "--confirm", target(desk), "--attest-all", "told by phone")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(desk) == 100
    assert (desk.project / "log").read_text() == "stopped\nstarted\n"
    states = {item: desk.record(item).state for item in ("stop", "tell", "drop", "restore", "start", "smoke")}
    assert states == {
        "stop": S.VERIFIED,
        "tell": S.ATTESTED,
        "drop": S.NOT_APPLICABLE,
        "restore": S.VERIFIED,
        "start": S.VERIFIED,
        "smoke": S.VERIFIED,
    }
    assert any("__failed_" in name for name in databases(desk))
    (deed,) = reported(desk)["deeds"]
    assert (deed["strategy"], deed["verdict"], deed["proof"]) == ("swap", "swapped", "verified")
    assert deed["facts"]["After it"] == "2 verified"


def test_the_last_resort_is_confirmed_twice_verified_and_told_in_the_report(desk: Desk) -> None:
    (desk.project / "kept").mkdir()
    migrated(desk, keep_failed="kept")
    once = back(desk, "--strategy", "in-place", "--confirm", target(desk), "--attest-all", "told")
    assert once.returncode == 3, once.stdout + once.stderr
    assert "--last-resort" in once.stdout
    twice = ("--confirm", target(desk), "--last-resort", target(desk), "--attest-all", "told")
    done = back(desk, "--strategy", "in-place", *twice)
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows(desk) == 100
    assert desk.record("drop").state is S.VERIFIED
    assert list((desk.project / "kept").glob("failed-*"))
    (deed,) = reported(desk)["deeds"]
    assert (deed["strategy"], deed["verdict"], deed["proof"]) == ("in-place", "restored", "verified")
    assert deed["facts"]["Read back"].startswith("verified against the manifest of ")
    assert "Read back: verified against the manifest" in desk.call("report", "--format", "md").stdout


@pytest.mark.parametrize(("script", "proof"), [("ALTER TABLE t DROP COLUMN broken", "verified"), ("", "differs")])
def test_a_revert_is_held_against_the_schema_that_was_kept_before(desk: Desk, script: str, proof: str) -> None:
    (desk.project / "down.sql").write_text(f"{script or 'SELECT 1'};\n")
    migrated(desk, script="down.sql", prefer=["revert"])
    done = back(desk, "--confirm", target(desk), "--attest-all", "told")
    assert "way back: revert" in done.stdout
    assert rows(desk) == 95
    record = desk.record("restore")
    assert (record.state is S.VERIFIED) is (proof == "verified"), record
    assert done.returncode == 1, "the smoke test finds 95 rows, and a schema that differs fails the restore"
    (deed,) = reported(desk)["deeds"]
    assert (deed["strategy"], deed["verdict"], deed["proof"]) == ("revert", "reverted", proof)
    assert desk.fold().changed == ()


def test_only_the_application_goes_back_where_somebody_says_how_it_is_known_that_it_can(desk: Desk) -> None:
    migrated(desk)
    alone = ("--strategy", "app-only", "--confirm", target(desk), "--attest-all", "told")
    unsaid = back(desk, *alone)
    assert unsaid.returncode == 3, unsaid.stdout + unsaid.stderr
    assert "only a person can say" in unsaid.stdout
    assert desk.fold().engagement.now is None
    said = back(desk, *alone, "--old-app", "it reads no column that was touched")
    assert "way back: app-only" in said.stdout
    assert rows(desk) == 95, "nothing is put back"
    engaged = desk.fold().engagement.now
    assert engaged is not None
    assert engaged.means["old_app"] == "it reads no column that was touched"
    assert desk.record("restore").state is S.NOT_APPLICABLE
    assert (desk.project / "log").read_text() == "stopped\nstarted\n"


def test_a_revert_without_its_script_is_not_decided_on(desk: Desk) -> None:
    migrated(desk, script="gone.sql", prefer=["revert"])
    done = back(desk, "--strategy", "revert", "--confirm", target(desk), "--attest-all", "told")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "gone.sql is not there" in done.stdout
    assert desk.fold().engagement.now is None
