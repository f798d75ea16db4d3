"""Runs on disk for tests of reports: real journals, checklists and outputs, with times that never change."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migconsole.adapters import checklists
from migconsole.adapters.journal.sqlite import Console, SqliteJournal
from migconsole.adapters.runs import RunDirectory, RunStore
from migconsole.domain.events import Event, Kind, canonical
from tests.domain.journals import Log

CHECKLIST = """
checklist: {title}
format: 1
roles: [Database Admin, QA Lead]
phases:
  - phase: Before
    at: T-1h
    sections:
      - section: Ground
        items:
          - item: {look}
            id: look
          - {{item: Free disk, id: disk, run: df -h, danger: read, expect: {{exit: 0}}, estimate: 10s}}
  - phase: Migration
    at: T-0
    sections:
      - section: Apply
        mode: read-do
        items:
          - {{item: {migrate}, id: migrate, run: ./migrate.sh, danger: mutating, expect: {{exit: 0}}, estimate: 4m}}
          - {{item: Check the data, id: data, run: ./check.sh, danger: read, expect: {{exit: 0}}}}
          - {{item: Tell the users, id: tell}}
tripwires:
  - {{tripwire: Users see errors, id: errors}}
rollback:
  - section: Way back
    items:
      - {{item: Restore the database, id: restore}}
"""

IDENTITY = {
    "database": "app",
    "host": "db1",
    "port": 5432,
    "user": "deploy",
    "version": "16.4",
    "version_num": 160004,
    "in_recovery": False,
    "system_identifier": "7300000000000000001",
    "oid": 16401,
    "started_at": "2030-01-01T00:00:00Z",
    "server_address": "",
}


@dataclass
class Recorded:
    """A run that is being made up: ``log`` takes events, ``save`` puts them on disk."""

    state: Path
    directory: RunDirectory
    log: Log

    def output(self, item: str, number: int, data: bytes) -> dict[str, Any]:
        """Leave an attempt's output; what its end says about it."""
        path = self.directory.attempt(item, number) / "output.log"
        path.write_bytes(data)
        return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def attempt(self, item: str, outcome: str, data: bytes = b"done\n", danger: str = "read", **more: Any) -> None:
        number = self.log.start(item, danger, text=more.pop("text", f"run {item}"))
        said = self.output(item, number, data)
        self.log.end(item, outcome, duration=1.5, exit_code=0 if outcome == "passed" else 1, **said, **more)

    def save(self) -> Recorded:
        """Write every event that is not on disk yet."""

        async def create() -> None:
            await (await SqliteJournal.create(self.directory.journal, Console.here("ana"))).close()

        if not self.directory.journal.exists():
            asyncio.run(create())
        with sqlite3.connect(self.directory.journal) as db:
            (there,) = db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
            db.executemany(
                "INSERT INTO events (seq, at, mono, kind, actor, key, data, previous, hash) VALUES (?,?,?,?,?,?,?,?,?)",
                [_row(event) for event in self.log.events[there:]],
            )
        db.close()
        return self


def _row(event: Event) -> tuple[Any, ...]:
    return (
        *(event.seq, event.at, event.mono, event.kind, event.actor, event.key),
        *(canonical(event.data), event.previous, event.hash),
    )


def recorded(
    state: Path,
    title: str = "Spring migration",
    look: str = "Look around",
    migrate: str = "Run migration script",
    checklist: str = CHECKLIST,
) -> Recorded:
    """A run that was opened and pinned, and nothing else."""
    source = checklist.format(title=title, look=look, migrate=migrate).encode()
    directory, run_id = RunStore(state).create("spring", source)
    loaded = checklists.load(directory.checklist)
    log = Log()
    log.events.clear()
    log.run.__init__()  # type: ignore[misc]
    opened = {
        "run": run_id,
        "title": loaded.checklist.title,
        "checklist_sha256": loaded.sha256,
        "target": "app@db1:5432 as deploy",
        "environment": "production",
        "variables": {},
    }
    log.add(Kind.RUN_OPENED, opened)
    log.add(Kind.TARGET_PINNED, {"identity": IDENTITY}, key="target.pinned")
    return Recorded(state, directory, log)


def eventful(state: Path, **names: str) -> Recorded:
    """A run with one of everything that a report tells of, closed and signed."""
    from migconsole.domain.items import Move

    run = recorded(state, **names)
    log = run.log
    log.add(Kind.LEASE_TAKEN, {"console": "c1", "from": "", "reason": ""})
    window = {"t0": "2030-01-01T00:00:08.000Z", "window_end": "2030-01-01T02:00:08.000Z"}
    log.add(Kind.CLOCK_SET, {**window, "reason": "", "source": "option"})
    log.move("look", Move.ATTEST, "", value="seen", note="all quiet")
    run.attempt("disk", "passed", b"/dev/sda1  100G  41G\n")
    log.add(Kind.HOLD, {"reason": "the network team is late", "owner": "Bo", "until": "22:30"})
    log.add(Kind.RELEASE, {})
    reasons = ["exit: expected 0, got 1"]
    failed = b"applying 1\n\x1b[31mERROR:  duplicate key\x1b[0m\n"
    run.attempt("migrate", "failed", failed, "mutating", reasons=reasons, text="./migrate.sh --all")
    log.add(Kind.NOTE, {"text": "two duplicate e-mails,\nmended by hand", "item": "migrate"}, actor="Bo")
    run.attempt("migrate", "passed", b"applying 1\napplying 2\n", "mutating", text="./migrate.sh --all")
    run.attempt("data", "failed", b"count 0\n", reasons=["value: expected > 0, got 0"])
    log.move("data", Move.FORCE, "counted by hand on the replica")
    log.add(Kind.TRIPWIRE, {"tripwire": "errors", "state": "tripped", "by": "person", "reason": "500s in the log"})
    log.add(Kind.TRIPWIRE, {"tripwire": "errors", "state": "acknowledged", "by": "person", "reason": "an old client"})
    log.move("tell", Move.DEFER, "users are asleep", due="08:00")
    log.add(Kind.RUN_ENDED, {"ending": "completed"})
    for role, name in (("Database Admin", "Ana Alvarez"), ("QA Lead", "Bo Berg")):
        sign(log, role, name)
    log.add(Kind.RUN_CLOSED, {})
    log.add(Kind.NOTE, {"text": "users were told at 08:05", "item": ""}, actor="Bo")
    return run


def sign(log: Log, role: str, name: str, signature: str = "", reason: str = "") -> None:
    """Sign on the journal as it is, or refuse with a reason."""
    head = log.events[-1]
    text = "" if reason else (signature or name)
    log.add(
        Kind.SIGNED,
        {"role": role, "name": name, "signature": text, "reason": reason, "head": head.seq, "hash": head.hash},
        actor=name.split()[0],
    )
