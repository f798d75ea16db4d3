"""Signing a run off from the command line: ended, signed, refused and closed without any screen."""

from __future__ import annotations

import json
import stat
import subprocess
import tarfile

from migconsole.domain.events import Kind
from tests.e2e.checklists import SIGNED_RUN, Desk
from tests.e2e.pty import PROGRAM

ROLES = ["Database Admin", "QA Lead"]


def test_a_run_is_ended_signed_and_closed_from_the_command_line(desk: Desk) -> None:
    desk.write(*SIGNED_RUN, roles=ROLES)
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


def test_what_deviates_is_seen_before_anybody_signs(desk: Desk) -> None:
    fails = {"item": "Look", "id": "look", "run": "exit 1", "danger": "read", "expect": {"exit": 0}}
    desk.write(SIGNED_RUN[0], fails, roles=ROLES[:1])
    assert desk.call("run", str(desk.path), "--headless", "--attest-all", "rehearsed").returncode == 1
    ended = desk.call("sign", "--end", "abandoned", "--reason", "the change was withdrawn")
    assert ended.returncode == 0, ended.stderr
    shown = desk.call("sign")
    said = ("--role", ROLES[0], "--name", "Ana", "--signature", "AA")
    digest = desk.fold().head_hash
    assert "Deviations that stand (1)" in shown.stdout
    assert digest[:16] in shown.stdout
    unseen = desk.call("sign", *said)
    assert unseen.returncode == 3
    assert "1 deviation stands, and has to be seen" in unseen.stderr
    assert "Look" in unseen.stderr
    assert digest[:16] in unseen.stderr
    assert not desk.fold().signoff.signatures
    assert desk.call("sign", *said, "--seen", "0" * 16).returncode == 2
    signed = desk.call("sign", *said, "--seen", digest[:16], "--close")
    assert signed.returncode == 0, f"the last signature has closed it: {signed.stderr}"
    assert desk.fold().signoff.signatures[ROLES[0]].hash == digest
    assert desk.fold().life.closed
    desk.assert_whole()


def test_at_each_phases_end_the_evidence_is_copied_and_failing_to_blocks_nothing(desk: Desk) -> None:
    away = desk.project / "away"
    away.mkdir()
    phases = [
        {
            "phase": name,
            "at": at,
            "sections": [{"section": name, "items": [{"item": f"Do {name}", "id": name.lower()}]}],
        }
        for name, at in (("First", "T-1h"), ("Second", "T-0"))
    ]
    notifications = [{"on": ["phase"], "to": "copy:away"}, {"on": ["phase"], "to": "copy:/nowhere/at/all"}]
    desk.write(phases=phases, notifications=notifications)
    done = desk.call("run", str(desk.path), "--headless", "--attest-all", "rehearsed")
    assert done.returncode == 0, done.stdout + done.stderr
    results = [(event.data["message"], event.data["result"]) for event in desk.events(Kind.NOTIFIED)]
    assert sorted(results) == [
        ("phase:first:0", "delivered"),
        ("phase:first:1", "failed"),
        ("phase:second:0", "delivered"),
        ("phase:second:1", "failed"),
    ]
    bundles = sorted(away.iterdir())
    assert len(bundles) == 2
    with tarfile.open(bundles[-1]) as archive:
        archive.extractall(away, filter="data")
    folder = away / desk.directory.name
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=False)
    assert checked.returncode == 0
    assert "Do Second" in (folder / "report.md").read_text()
    assert stat.S_IMODE(bundles[-1].stat().st_mode) == 0o600
    desk.assert_whole()


def test_an_item_at_the_end_of_a_phase_copies_the_evidence_away(desk: Desk) -> None:
    away = desk.project / "away"
    away.mkdir()
    copy = f'migconsole report "$MIGCONSOLE_RUN" --format bundle --output "{away}"'
    path = {"PATH": f"{PROGRAM.parent}:{desk.environment()['PATH']}"}
    desk.write(*SIGNED_RUN[:1], {"item": "Copy", "id": "copy", "run": copy, "danger": "read", "expect": {"exit": 0}})
    done = desk.call("run", str(desk.path), "--headless", "--attest-all", "rehearsed", env=path)
    assert done.returncode == 0, done.stdout + done.stderr
    (bundle,) = away.iterdir()
    with tarfile.open(bundle) as archive:
        archive.extractall(away, filter="data")
    folder = away / desk.directory.name
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=False)
    assert checked.returncode == 0
    assert "Tell the users" in (folder / "report.md").read_text()
    desk.assert_whole()
