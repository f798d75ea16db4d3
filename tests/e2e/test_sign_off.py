"""Signing a run off from the command line: ended, signed, refused and closed without any screen."""

from __future__ import annotations

import json

from tests.e2e.checklists import Desk

ROLES = ["Database Admin", "QA Lead"]
ITEMS = (
    {"item": "Tell the users", "id": "tell"},
    {
        "item": "Apply the migration",
        "id": "apply",
        "run": "psql -qc 'CREATE TABLE budgets (x int)' && echo applied",
        "danger": "mutating",
        "expect": {"exit": 0, "output": "applied"},
        "estimate": "1m",
    },
    {
        "item": "The table is there",
        "id": "there",
        "sql": "SELECT to_regclass('budgets') IS NOT NULL",
        "expect": {"rows": 1},
    },
    {"item": "Drop the old logs", "id": "logs", "optional": True},
)


def test_a_run_is_ended_signed_and_closed_from_the_command_line(desk: Desk) -> None:
    desk.write(*ITEMS, roles=ROLES)
    done = desk.call("run", str(desk.path), "--headless", "--attest-all", "rehearsed", "--allow", "mutating")
    assert done.returncode == 0, done.stdout + done.stderr
    early = desk.call("sign", "--role", ROLES[0], "--name", "Ana", "--signature", "AA")
    assert early.returncode == 3
    assert "has not ended" in early.stderr
    first = desk.call("sign", "--end", "completed", "--role", ROLES[0], "--name", "Ana", "--signature", "AA")
    assert first.returncode == 0, first.stderr
    again = desk.call("sign", "--role", ROLES[0], "--name", "Bo", "--signature", "BB")
    assert again.returncode == 3
    refused = desk.call("sign", "--role", ROLES[1], "--name", "Bo", "--refuse", "nobody asked the users")
    assert refused.returncode == 0, refused.stderr
    assert "refused: nobody asked the users" in refused.stdout
    assert not desk.fold().life.closed
    closed = desk.call("sign", "--close", "--format", "json")
    assert closed.returncode == 0, closed.stderr
    assert json.loads(closed.stdout)["closed_at"]
    assert (desk.directory / "report.html").exists()
    desk.assert_whole()
