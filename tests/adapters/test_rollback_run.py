"""A rollback of a run: on record in its journal, the pinned oid follows our own act, the command line resumes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from migconsole.adapters.journal.reading import read_events
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback import Names
from migconsole.domain.run import Run, fold
from tests.adapters.restoring import CHECKLIST
from tests.adapters.rollback_harness import Scene


class Ran:
    """A run on a database with a restore point, and its command line."""

    def __init__(self, server: EmbeddedServer, home: Path) -> None:
        self.app = f"r_{os.urandom(4).hex()}"
        self.home = home
        self.server = server
        server.psql(f"CREATE DATABASE {self.app}")
        server.psql("CREATE TABLE content AS SELECT 'new'::text AS what", self.app)
        self.url = server.url(self.app)
        path = home / "checklist.yaml"
        path.write_text(CHECKLIST)
        opened = self.program("run", str(path), "--headless", "--target", self.url)
        assert opened.returncode == 3, opened.stdout + opened.stderr
        (self.directory,) = (home / "state" / "runs").iterdir()
        self.made = Scene(server, Names.of(self.app, self.state().run_id), home)

    def state(self) -> Run:
        """The run as its journal has it."""
        return fold(read_events(self.directory / "run.db"))

    def program(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run migconsole to its end."""
        command = [sys.executable, "-m", "migconsole", "--state-dir", str(self.home / "state"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), timeout=120, check=False)

    def deed(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Do something with the run's database, confirmed."""
        given = ("--target", self.url, "--run", str(self.directory), "--confirm", self.made.place)
        return self.program(name, *given, *arguments)


@pytest.fixture
def ran(server: EmbeddedServer, tmp_path: Path) -> Iterator[Ran]:
    """A run whose database may be rolled back."""
    made = Ran(server, tmp_path)
    try:
        yield made
    finally:
        made.made.drop()


def armed(ran: Ran) -> None:
    """A restore point that carries the run's identifier."""
    side = ran.made.names.side
    ran.made.make(side, "old")
    marker = {"migconsole": ran.state().run_id, "app": ran.app, "step": "armed", "backup": "b1", "at": "2026-11-24"}
    ran.server.psql(f"COMMENT ON DATABASE \"{side}\" IS '{json.dumps(marker)}'")
    ran.made.close(side)


def test_a_rollback_is_in_the_journal_and_the_run_goes_on(ran: Ran) -> None:
    armed(ran)
    before = ran.state().identity["oid"]
    done = ran.deed("rollback", "--reason", "orders vanish", "--by", "Ada")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ran.made.content() == "old"
    state = ran.state()
    assert not state.anomalies
    deed = state.rollback.last
    assert deed is not None
    assert (deed.verdict, deed.reason, deed.decided_by) == ("swapped", "orders vanish", "Ada")
    assert state.identity["oid"] != before
    on = ran.program("resume", str(ran.directory), "--headless", "--target", ran.url)
    assert "changed" not in on.stdout + on.stderr
    assert ran.state().changed == ()
    back = ran.deed("put-back", "--reason", "it was the proxy")
    assert back.returncode == 0, back.stdout + back.stderr
    assert ran.state().identity["oid"] == before
    assert [one.verdict for one in ran.state().rollback.deeds] == ["swapped", "put back"]
    verified = ran.program("verify", str(ran.directory))
    assert verified.returncode == 0, verified.stdout


def test_a_fence_that_a_death_left_behind_is_opened_for_the_run(ran: Ran) -> None:
    armed(ran)
    ran.made.close(ran.app)
    shown = ran.program("rollback", "--target", ran.url, "--run", str(ran.directory), "--plan")
    assert "fenced" in shown.stdout
    opened = ran.deed("rollback", "--unfence")
    assert opened.returncode == 0, opened.stdout + opened.stderr
    assert ran.made.databases()[ran.app] is True
