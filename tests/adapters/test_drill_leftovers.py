"""What a killed drill leaves: named by whoever comes next, told from anybody else's, dropped once it is confirmed."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from migconsole.adapters.postgres.rollback.survey import Knowledge, PostgresRollbackServer
from migconsole.adapters.postgres.target import resolve_target
from migconsole.domain.drills import left_behind, made_by, scratch_name
from migconsole.domain.rollback import DatabaseRow, Mark, Marker, failed_name, literal, quoted, side_name
from tests.adapters.restoring import SAMPLE, command, environment, migconsole
from tests.conftest import Database
from tests.waiting import wait_until

ID = "0a1b2c3d4e5f"


def copies(database: Database) -> dict[str, str]:
    """The databases of drills of this one: name and comment."""
    found = json.loads(
        database.server.psql(
            "SELECT coalesce(json_object_agg(datname, coalesce(shobj_description(oid, 'pg_database'), '')), '{}') "
            f"FROM pg_database WHERE starts_with(datname::text, {literal(database.name + '__drill_')})"
        )
    )
    return {str(name): str(comment) for name, comment in found.items()}


@pytest.fixture
def filled(database: Database) -> Iterator[Database]:
    database.psql(SAMPLE)
    yield database
    for name in copies(database):
        database.server.psql(f"ALTER DATABASE {quoted(name)} ALLOW_CONNECTIONS true")
        database.server.psql(f"DROP DATABASE {quoted(name)} WITH (FORCE)")


def clean(database: Database, *arguments: object) -> tuple[int, list[str], str]:
    """``drill --clean``: its exit code, what it dropped, what it says to a person."""
    said = migconsole(database.server, "drill", "--clean", "--target", database.url, *arguments)
    dropped = [str(event["name"]) for event in said.events if event.get("event") == "dropped"]
    return said.code, dropped, said.complaint


MOMENTS: dict[str, Callable[[dict[str, str]], bool]] = {
    "scratch": lambda found: len(found) == 1 and '"drill"' in next(iter(found.values())),
    "proving": lambda found: len(found) == 2,
    "armed": lambda found: any('"armed"' in comment for comment in found.values()),
    "swapped": lambda found: any('"failed"' in comment for comment in found.values()),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_a_killed_drill_leaves_is_named_and_dropped_once_confirmed(
    filled: Database, tmp_path: Path, moment: str
) -> None:
    place = f"{filled.name}@127.0.0.1:{filled.server.port}"
    filled.psql(f"COMMENT ON DATABASE {quoted(filled.name)} IS 'untouched'")
    process = subprocess.Popen(
        command("drill", "--target", filled.url, "--directory", tmp_path / "b"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(filled.server),
    )
    try:
        wait_until(lambda: MOMENTS[moment](copies(filled)) or process.poll() is not None, 60)
        process.send_signal(signal.SIGSTOP)
        left = copies(filled)
        assert left, "the moment was missed"
        assert clean(filled, "--confirm", place)[:2] == (0, []), "it is alive: its connection holds the drill's lock"
    finally:
        process.kill()
        process.wait(30)
    wait_until(lambda: clean(filled)[0] == 3, 30, "the server notices the death")
    code, dropped, complaint = clean(filled, "--confirm", filled.name)
    assert (code, dropped) == (3, [])
    assert f"--confirm {place}" in complaint
    left = copies(filled)
    survey = asyncio.run(PostgresRollbackServer(resolve_target(filled.url), Knowledge(ID)).survey())
    assert [note for note in survey.notes if all(name in note for name in left) and "drill --clean" in note]
    code, dropped, complaint = clean(filled, "--confirm", place)
    assert (code, set(dropped)) == (0, set(left)), complaint
    assert copies(filled) == {}
    assert clean(filled) == (0, [], "")
    assert filled.psql("SELECT count(*) FROM refers") == "2"
    comment = f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = {literal(filled.name)}"
    assert filled.psql(comment) == "untouched"


def test_the_next_drill_and_the_doctor_name_it_and_leave_it(filled: Database, tmp_path: Path) -> None:
    scratch = scratch_name(filled.name, ID)
    filled.server.psql(f"CREATE DATABASE {quoted(scratch)}")
    marker = Marker(ID, filled.name, Mark.DRILL, ID, "", "2026-11-24T14:02:00Z")
    filled.server.psql(f"COMMENT ON DATABASE {quoted(scratch)} IS {literal(marker.text())}")
    said = migconsole(filled.server, "drill", "--target", filled.url, "--directory", tmp_path)
    assert said.code == 0, said.complaint
    assert [line for line in said.lines if scratch in line and "2026-11-24T14:02" in line]
    assert list(copies(filled)) == [scratch]
    done = subprocess.run(
        command("doctor", "--target", filled.url, "--format", "json"),
        capture_output=True,
        text=True,
        env=environment(filled.server),
        timeout=60,
        check=False,
    )
    assert scratch in done.stdout


def test_a_strangers_database_under_such_a_name_stays(filled: Database) -> None:
    place = f"{filled.name}@127.0.0.1:{filled.server.port}"
    full, empty, foreign = (scratch_name(filled.name, f"{n:08x}") for n in (1, 2, 3))
    for name in (full, empty, foreign):
        filled.server.psql(f"CREATE DATABASE {quoted(name)}")
    filled.server.psql("CREATE TABLE precious (a int)", full)
    filled.server.psql(f"COMMENT ON DATABASE {quoted(foreign)} IS 'mine'")
    code, dropped, _ = clean(filled, "--confirm", place)
    assert (code, dropped) == (3, [empty])
    assert set(copies(filled)) == {full, foreign}


@pytest.mark.matrix
def test_on_every_version(matrix_database: Database) -> None:
    scratch = scratch_name(matrix_database.name, ID)
    matrix_database.server.psql(f"CREATE DATABASE {quoted(scratch)}")
    marker = Marker(ID, matrix_database.name, Mark.DRILL, ID, "", "2026-11-24T14:02:00Z")
    matrix_database.server.psql(f"COMMENT ON DATABASE {quoted(scratch)} IS {literal(marker.text())}")
    assert clean(matrix_database)[0] == 3
    place = f"{matrix_database.name}@127.0.0.1:{matrix_database.server.port}"
    assert clean(matrix_database, "--confirm", place)[:2] == (0, [scratch])
    assert copies(matrix_database) == {}


def row(name: str, marker: Marker | None = None, comment: str | None = None) -> DatabaseRow:
    return DatabaseRow(name, 1, comment=marker.text() if marker else comment)


@pytest.mark.parametrize("app", ["shop", "é" * 31, "x" * 63])
def test_only_a_drills_names_with_its_markers_are_taken_for_it(app: str) -> None:
    scratch, other = scratch_name(app, ID), "1" * 12
    side, failed = side_name(scratch, ID), failed_name(scratch, ID)
    assert len({*made_by(scratch, ID), app}) == 6
    mine = [
        row(scratch, Marker(ID, app, Mark.DRILL)),
        row(side, Marker(ID, scratch, Mark.ARMED)),
        row(failed, Marker(ID, scratch, Mark.FAILED)),
    ]
    others = [
        row(app),
        row(side_name(app, ID), Marker(ID, app, Mark.ARMED)),
        row(failed_name(app, ID), Marker(ID, app, Mark.FAILED)),
        row("elsewhere", Marker(ID, app, Mark.DRILL)),
        row(scratch_name(app, other), comment="a stranger's"),
        row(side_name(scratch, other), Marker(other, "another", Mark.ARMED)),
    ]
    (found,) = left_behind(app, [*others, *mine])
    assert (found.scratch, list(found.rows)) == (scratch, mine)
    assert left_behind(app, others) == []
    assert left_behind("another", mine) == []
