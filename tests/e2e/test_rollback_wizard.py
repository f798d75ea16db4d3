"""A whole rollback by keyboard on a real server: backup, proof, armed, migration, B, swap, verified, put back."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from migconsole.domain.items import ItemState
from migconsole.domain.restore_points import PointState
from migconsole.domain.run import Attempt
from tests.e2e.checklists import Desk, accept, pause
from tests.e2e.pty import Console
from tests.waiting import wait_until

S = ItemState
REASON = "five orders are gone since the migration"
MIGRATE = 'psql -X -c "ALTER TABLE t ADD COLUMN broken int" -c "DELETE FROM t WHERE id <= 5"'
SCRIPT = f"#!/bin/sh\nset -e\n{MIGRATE}\n"
SLOW = 90.0
"""Seconds for a backup or a restore on a machine that is busy with other tests."""


def step(item: str, run: str) -> dict[str, Any]:
    return {"item": item.capitalize(), "id": item, "run": run, "danger": "mutating", "expect": {"exit": 0}}


def section(title: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"section": title, "mode": "read-do", "items": list(items)}


CHECKLIST = {
    "checklist": "A rollback",
    "target": {"url": "${DATABASE_URL}", "environment": "production"},
    "phases": [
        {
            "phase": "Before",
            "at": "T-1h",
            "sections": [
                section(
                    "Backup",
                    {"item": "Back up", "id": "backup", "backup": {"directory": "backups"}, "expect": {"rows": 100}},
                    {"item": "Prove it", "id": "prove", "prove": {"keep_armed": True}},
                )
            ],
        },
        {"phase": "Migration", "at": "T-0", "sections": [section("Apply", step("migrate", "./migrate.sh"))]},
    ],
    "rollback": [
        section("Maintenance", step("stop", "echo stopped >> log")),
        section(
            "Database",
            {"item": "Drop current database", "id": "drop"},
            {"item": "Restore from backup", "id": "restore", "restore": {"boxes": {"drop": "drop"}}},
        ),
        section("Application", step("start", "echo started >> log")),
    ],
}


@pytest.fixture
def armed_desk(desk: Desk) -> Desk:
    desk.database.psql("CREATE TABLE t AS SELECT generate_series(1, 100) AS id")
    desk.path.write_text(yaml.safe_dump(CHECKLIST, sort_keys=False), encoding="utf-8")
    script = desk.project / "migrate.sh"
    script.write_text(SCRIPT, encoding="utf-8")
    script.chmod(0o755)
    return desk


def rows(desk: Desk) -> int:
    return int(desk.database.psql("SELECT count(*) FROM t"))


def databases(desk: Desk) -> list[str]:
    return desk.database.server.psql("SELECT datname FROM pg_database ORDER BY 1", "postgres").split()


def target(desk: Desk) -> str:
    return f"{desk.database.name}@127.0.0.1:{desk.url_port()}"


def carry_out(desk: Desk, console: Console, item: str) -> Attempt:
    """Run the next line, which this is, and wait for its end.

    The cursor goes on by itself a moment after the journal knows that the line before has ended, and a key that comes
    just then is not taken: so it is gone to from the top, and tried again.
    """
    for _ in range(5):
        for key in ("g", ".", "r"):
            console.press(key)
        try:
            console.wait_for("y runs it", 5)
        except AssertionError:
            continue
        accept(console, "y", lambda: desk.record(item).attempts)
        return desk.ended(item, SLOW)
    raise AssertionError(f"{item} could not be started\n{console.text}")


def arm(desk: Desk, console: Console) -> None:
    desk.start(console, "backup", confirm=False)
    backup = desk.ended("backup", SLOW)
    assert backup.outcome == "passed", (backup, desk.output("backup"))
    console.wait_for("UNPROVEN", SLOW)
    proof = carry_out(desk, console, "prove")
    assert proof.outcome == "passed", (proof, desk.output("prove"))
    assert desk.fold().restore_point.state is PointState.ARMED


def migrate(desk: Desk, console: Console) -> None:
    assert carry_out(desk, console, "migrate").outcome == "passed"
    assert rows(desk) == 95


def decide(desk: Desk, console: Console) -> None:
    """The wizard from B to the typed name; nothing happens before its last Enter."""
    console.press("B")
    console.wait_for("who decides", SLOW)
    pause()
    console.type(REASON)
    console.press("enter")
    pause()
    console.press("enter")
    console.wait_for("─ What is there", SLOW)
    console.wait_for("armed", SLOW)
    console.press("enter")
    console.wait_for("─ What is lost", SLOW)
    console.press("enter")
    console.wait_for("▸ ✔ swap", SLOW)
    console.press("enter")
    console.wait_for("─ The plan", SLOW)
    console.press("enter")
    console.wait_for("not the name yet", SLOW)
    assert not desk.fold().engagement.now
    console.type(target(desk))
    console.wait_gone("not the name yet", SLOW)
    accept(console, "enter", lambda: desk.fold().engagement.now is not None)


def ended(desk: Desk, item: str) -> Attempt:
    return desk.attempt(item, lambda attempt: not attempt.running, SLOW)


@pytest.mark.parametrize(("rows_", "columns"), [(24, 80), (40, 120)])
def test_from_the_backup_to_the_swap_and_back(armed_desk: Desk, rows_: int, columns: int) -> None:
    desk = armed_desk
    console = desk.run(rows=rows_, columns=columns)
    arm(desk, console)
    console.wait_for("ARMED", SLOW)
    migrate(desk, console)
    decide(desk, console)
    assert ended(desk, "start").outcome == "passed"
    assert (desk.project / "log").read_text() == "stopped\nstarted\n"
    assert ended(desk, "restore").outcome == "passed"
    assert rows(desk) == 100
    run = desk.fold()
    assert run.record("drop").state is S.NOT_APPLICABLE
    assert run.rollback.last is not None
    assert run.rollback.last.verdict == "swapped"
    assert run.restore_point.state is PointState.USED
    assert run.changed == ()
    failed = next(name for name in databases(desk) if "__failed_" in name)
    assert int(desk.database.server.psql("SELECT count(*) FROM pg_database WHERE NOT datallowconn", "postgres")) >= 1
    console.wait_for("The rollback is done", SLOW)
    pause()
    console.press("b")
    console.wait_gone("The rollback is done", SLOW)
    # Undone again, from the palette.
    console.press("ctrl+p")
    console.type("put back")
    console.wait_for("the failed database is live", SLOW)
    console.press("enter")
    console.wait_for("stays in the side database", SLOW)
    pause()
    console.type("the five orders were duplicates")
    console.press("enter")
    console.wait_for("not the name yet", SLOW)
    console.type(target(desk))
    console.wait_gone("not the name yet", SLOW)
    accept(console, "enter", lambda: "built-in:put-back" in desk.fold().items)
    assert ended(desk, "built-in:put-back").outcome == "passed"
    assert rows(desk) == 95
    assert failed not in databases(desk)
    desk.assert_whole()


def test_the_console_may_be_killed_over_the_rollback(armed_desk: Desk) -> None:
    desk = armed_desk
    console = desk.run(rows=40, columns=120)
    arm(desk, console)
    migrate(desk, console)
    decide(desk, console)
    wait_until(lambda: desk.output("restore"), SLOW)  # before that nothing may have begun, and the attempt is revoked
    console.kill()
    again = desk.resume(rows=40, columns=120)
    again.wait_for("RESUMED", SLOW)
    attempt = ended(desk, "restore")
    assert attempt.outcome == "passed", attempt
    assert rows(desk) == 100
    pause()
    again.press("escape")
    again.press("R")
    again.wait_gone("RESUMED", SLOW)
    if not desk.record("start").attempts:
        again.press("B")
        again.wait_for("line after line", SLOW)
        accept(again, "y", lambda: desk.record("start").attempts)
    assert ended(desk, "start").outcome == "passed"
    assert (desk.project / "log").read_text() == "stopped\nstarted\n"
    desk.assert_whole()


def test_without_a_proof_nothing_is_changed(armed_desk: Desk) -> None:
    desk = armed_desk
    done = desk.call("run", str(desk.path), "--headless", "--allow", "mutating", "--stop-after", "backup")
    assert done.returncode == 0, done.stdout + done.stderr
    data = dict(CHECKLIST, phases=[CHECKLIST["phases"][1], CHECKLIST["phases"][0]])  # type: ignore[index]
    desk.path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    done = desk.call("run", str(desk.path), "--headless", "--allow", "mutating")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "before the way back is proven" in done.stdout
    assert rows(desk) == 100
