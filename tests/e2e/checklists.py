"""Small checklists of a test's own, and the desk at which they are worked through in real consoles."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from migconsole.adapters.journal.reading import read_events
from migconsole.domain.events import Event, Kind
from migconsole.domain.run import Attempt, ItemRecord, Run, fold
from migconsole.errors import JournalError
from tests.conftest import Database
from tests.e2e.pty import PROGRAM, Console
from tests.waiting import wait_until

DEAD = 0.6
"""Seconds in which a dialog takes no answer (0.5), and a little."""

PATIENCE = 20.0


SIGNED_RUN = (
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
"""The items of a run that is carried to its signatures: one of each kind, and one that stays undone."""


def checklist(*items: Mapping[str, Any], environment: str = "production", **head: Any) -> str:
    """A checklist with one section of these items, or with the ``phases`` of ``head``, as YAML."""
    return yaml.safe_dump(
        {
            "checklist": "A small run",
            "target": {"url": "${DATABASE_URL}", "environment": environment},
            "phases": [{"phase": "Only", "at": "T-0", "sections": [{"section": "All", "items": list(items)}]}],
            **head,
        },
        sort_keys=False,
        allow_unicode=True,
    )


class Desk:
    """A project folder with one checklist, a state directory and a database; every console at it has these."""

    def __init__(self, open_console: Callable[..., Console], folder: Path, database: Database) -> None:
        self._open = open_console
        self.database = database
        self.state = folder / "state"
        self.project = folder / "project"
        self.project.mkdir()
        self.path = self.project / "checklist.yaml"
        self.url = str(database)

    # -- opening --------------------------------------------------------------------------------------------------

    def url_port(self) -> int:
        """The port of the desk's own server."""
        return int(str(self.database).rsplit(":", 1)[1].partition("/")[0])

    def write(self, *items: Mapping[str, Any], **head: Any) -> Path:
        """Write the checklist."""
        self.path.write_text(checklist(*items, **head), encoding="utf-8")
        return self.path

    def environment(self, **more: str) -> dict[str, str]:
        """What every console at this desk finds in its environment."""
        path = f"{self.database.server.bindir}:{os.environ['PATH']}"
        return {"DATABASE_URL": self.url, "MIGCONSOLE_STATE_DIR": str(self.state), "PATH": path, **more}

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any) -> Console:
        """Start a run of the checklist and wait for the main screen."""
        console = self.open("run", str(self.path), *arguments, env=env, **options)
        console.wait_for("─ Checklist", timeout=PATIENCE)
        return console

    def resume(self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any) -> Console:
        """Open the run again."""
        return self.open("resume", *arguments, env=env, **options)

    def open(self, *arguments: str, env: Mapping[str, str] | None = None, **options: Any) -> Console:
        """Open a console of any kind."""
        return self._open(*arguments, cwd=self.project, env=self.environment(**(env or {})), **options)

    def call(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """The program with pipes instead of a terminal."""
        return subprocess.run(
            [str(PROGRAM), *arguments],
            env={**os.environ, **self.environment(**(env or {}))},
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    # -- the record -----------------------------------------------------------------------------------------------

    @property
    def directory(self) -> Path:
        """The directory of the one run."""
        found = wait_until(lambda: list(self.state.glob("runs/*/run.db")), PATIENCE)
        return found[0].parent

    def events(self, kind: Kind | None = None) -> list[Event]:
        """The journal."""
        return [event for event in read_events(self.directory / "run.db") if kind in (None, event.kind)]

    def fold(self) -> Run:
        """Where the run stands."""
        return fold(read_events(self.directory / "run.db"))

    def record(self, item: str) -> ItemRecord:
        """Where an item stands."""
        return self.fold().record(item)

    def attempt(self, item: str, until: Callable[[Attempt], object] = lambda _: True, timeout: float = 20) -> Attempt:
        """Wait until the last attempt of an item is so."""

        def last() -> Attempt | None:
            try:
                found = self.record(item).last
            except JournalError:  # it is being made
                return None
            return found if found is not None and until(found) else None

        found = wait_until(last, timeout, f"the last attempt of {item} is not as expected")
        assert found is not None
        return found

    def ended(self, item: str, timeout: float = 20) -> Attempt:
        """Wait for the end of an item's last attempt."""
        return self.attempt(item, lambda attempt: not attempt.running, timeout)

    def output(self, item: str, number: int = 1) -> bytes:
        """What an attempt has left until now."""
        path = self.directory / "jobs" / item / str(number) / "output.log"
        return path.read_bytes() if path.exists() else b""

    def assert_whole(self) -> None:
        """The chain verifies, and the fold met nothing it could not explain."""
        done = self.call("verify", self.directory.name)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not self.fold().anomalies

    # -- keys -----------------------------------------------------------------------------------------------------

    def start(self, console: Console, item: str, *, confirm: bool = True) -> Attempt:
        """Run the selected item, whose turn it is; a mutating one is confirmed."""
        before = len(self.record(item).attempts)
        console.press("r")
        if confirm:
            console.wait_for("y runs it")
            accept(console, "y", lambda: len(self.record(item).attempts) > before)
        return self.attempt(item, lambda attempt: attempt.number > before)


def accept(console: Console, key: str, done: Callable[[], object]) -> None:
    """Answer the open dialog, after the time in which it takes no answer."""
    for _ in range(3):
        pause()
        console.press(key)
        try:
            wait_until(done, 2.0)
        except AssertionError:
            continue
        return
    console.wait_until(done, 10, f"{key} was not accepted")


def pause(seconds: float = DEAD) -> None:
    """Let a dialog's dead time pass: the one thing here that only time brings about."""
    opened = time.monotonic()
    wait_until(lambda: time.monotonic() - opened > seconds, seconds + 5)
