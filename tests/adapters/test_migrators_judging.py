"""What each tool's files and rows amount to, without a server: the cases that the real tools are not made to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migconsole.adapters.migrators import MIGRATORS
from migconsole.adapters.migrators.alembic import Alembic
from migconsole.adapters.migrators.dbmate import Dbmate
from migconsole.adapters.migrators.django import Django
from migconsole.adapters.migrators.flyway import Flyway, checksum
from migconsole.adapters.migrators.sqitch import Sqitch
from migconsole.domain.migrations import MigrationReport, MigrationState


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def states(report: MigrationReport | None) -> dict[str, str]:
    assert report is not None
    return {entry.name: entry.state.value for entry in report.migrations}


# -- Flyway: it cannot be had from a package registry; the checksums below are those that it writes for these files ----


def history(version: str | None, script: str, text: str, **more: Any) -> dict[str, Any]:
    row = {"version": version, "script": script, "checksum": checksum(text), "type": "SQL", "success": True}
    return row | {"description": script.partition("__")[2].removesuffix(".sql").replace("_", " ")} | more


def flyway(folder: Path, *rows: dict[str, Any]) -> MigrationReport | None:
    return Flyway().judge(folder, [{"installed_on": "2026-11-25", **row} for row in rows])


def test_flyway_states(tmp_path: Path) -> None:
    for name in ("V1__one", "V1.2__two", "V2__three", "V10__ten", "R__views", "R__grants"):
        write(tmp_path / "sub" / f"{name}.sql", f"-- {name}\n")
    write(tmp_path / "U2__undo.sql", "")
    report = flyway(
        tmp_path,
        history("1", "V1__one.sql", "-- V1__one\n"),
        history("1.2", "V1_2__two.sql", "another"),
        history("10", "V10__ten.sql", "", success=False),
        history("9", "V9__gone.sql", ""),
        history(None, "R__views.sql", "old"),
        history(None, "R__grants.sql", "-- R__grants\n"),
    )
    assert states(report) == {
        "V1__one": "applied",
        "V1.2__two": "edited",
        "V2__three": "pending",
        "V10__ten": "failed",
        "R__views": "pending",
        "R__grants": "applied",
        "V9__gone": "unknown",
    }


def test_flyway_versions_are_numbers(tmp_path: Path) -> None:
    write(tmp_path / "V1_0__a.sql", "")
    write(tmp_path / "V2__b.sql", "")
    report = flyway(tmp_path, history("1", "V1_0__a.sql", ""), history("2", "V2__b.sql", ""))
    assert states(report) == {"V1_0__a": "applied", "V2__b": "applied"}


def test_flyway_baseline_and_undo(tmp_path: Path) -> None:
    for version in (1, 2, 3):
        write(tmp_path / f"V{version}__x.sql", "")
    report = flyway(
        tmp_path,
        history("2", "<< Flyway Baseline >>", "", type="BASELINE"),
        history("3", "V3__x.sql", ""),
        history("3", "U3__x.sql", "", type="UNDO_SQL"),
        history("4", "V4__java", "", type="JDBC"),
    )
    assert states(report) == {"V1__x": "applied", "V2__x": "applied", "V3__x": "pending"}
    assert report is not None
    assert "1 written in Java" in report.notes[0]


def test_flyway_checksums_are_signed_and_blind_to_line_ends_and_marks(tmp_path: Path) -> None:
    write(tmp_path / "V1__a.sql", "\ufeffSELECT 1;\r\nSELECT 2;\r\n")
    assert states(flyway(tmp_path, history("1", "V1__a.sql", "SELECT 1;\nSELECT 2;"))) == {"V1__a": "applied"}
    assert -(2**31) <= checksum("x" * 100) < 2**31


@given(st.text())
def test_flyway_checksums_have_32_bits(text: str) -> None:
    assert -(2**31) <= checksum(text.encode("utf-8", "replace").decode()) < 2**31


# -- Alembic -----------------------------------------------------------------------------------------------------------


def revision(folder: Path, name: str, down: str, depends: str = "None") -> None:
    text = f"revision = {name!r}\ndown_revision = {down}\ndepends_on = {depends}\n"
    write(folder / f"{name}.py", text)


def test_alembic_branches_merges_and_dependencies(tmp_path: Path) -> None:
    revision(tmp_path, "a", "None")
    revision(tmp_path, "b1", "'a'")
    revision(tmp_path, "b2", "'a'")
    revision(tmp_path, "m", "('b1', 'b2')")
    revision(tmp_path, "other", "None", "'b1'")
    assert states(Alembic().judge(tmp_path, [{"version_num": "b2"}, {"version_num": "other"}])) == {
        "a": "applied",
        "b1": "applied",
        "b2": "applied",
        "other": "applied",
        "m": "pending",
    }
    report = Alembic().judge(tmp_path, [])
    assert report is not None
    assert report.notes == ("the checkout has 2 heads: m, other",)
    assert report.out_of_order == ()


def test_alembic_files_are_never_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    write(tmp_path / "evil.py", f"open({str(mark)!r}, 'w')\nrevision = 'x'\ndown_revision = None\n")
    assert states(Alembic().judge(tmp_path, [])) == {"x": "pending"}
    assert not mark.exists()


@pytest.mark.parametrize(
    "text", ["revision = compute()\ndown_revision = None\n", "def broken(:\n", "(" * 5000, "\x00", "revision = 1\n"]
)
def test_alembic_files_that_say_nothing_ask(tmp_path: Path, text: str) -> None:
    write(tmp_path / "x.py", text)
    report = Alembic().judge(tmp_path, [])
    assert report is not None
    assert report.unclear


def test_alembic_circles_end(tmp_path: Path) -> None:
    revision(tmp_path, "a", "'b'")
    revision(tmp_path, "b", "'a'")
    assert set(states(Alembic().judge(tmp_path, [{"version_num": "a"}]))) == {"a", "b"}


# -- the others --------------------------------------------------------------------------------------------------------


def test_dbmate_needs_its_marker(tmp_path: Path) -> None:
    write(tmp_path / "1_a.sql", "SELECT 1;")
    assert not Dbmate().recognises(tmp_path)
    report = Dbmate().judge(tmp_path, [])
    assert report is not None
    assert report.migrations[0].broken


def test_django_labels_and_other_apps(tmp_path: Path) -> None:
    write(tmp_path / "manage.py", "")
    write(tmp_path / "pkg/shop/apps.py", "class C(AppConfig):\n    name = 'pkg.shop'\n    label = 'store'\n")
    write(tmp_path / "pkg/shop/migrations/__init__.py", "")
    write(tmp_path / "pkg/shop/migrations/0001_a.py", "class Migration(M):\n    atomic = False\n")
    write(tmp_path / "venv/pyvenv.cfg", "")
    write(tmp_path / "node_modules/x/migrations/__init__.py", "")
    report = Django().judge(tmp_path, [{"app": "auth", "name": "0001_initial"}])
    assert states(report) == {"store.0001_a": "pending"}
    assert report is not None
    assert "auth" in report.notes[0]
    assert "atomic = False" in report.migrations[0].note


def test_sqitch_configuration_and_missing_scripts(tmp_path: Path) -> None:
    write(tmp_path / "sqitch.conf", '[core]\n\tengine = pg\n\ttop_dir = sql\n[core "x"]\n\tplan_file = no\n')
    write(tmp_path / "sql/sqitch.plan", "%project=shop\n\none 2026-01-01T00:00:00Z A <a@b> # first\n@v1 2026\n")
    report = Sqitch().judge(tmp_path, [{"project": "other", "name": "x", "deployed": True, "script_hash": None}])
    assert states(report) == {"one": "pending"}
    assert report is not None
    assert report.migrations[0].broken
    assert "other" in report.notes[0]


@pytest.mark.parametrize("name", MIGRATORS)
def test_no_folder_is_not_an_empty_folder(tmp_path: Path, name: str) -> None:
    tool = MIGRATORS[name]
    assert tool.judge(tmp_path / "none", []) is None
    assert not tool.recognises(tmp_path / "none")
    assert not tool.recognises(tmp_path)
    assert tool.scripts(tmp_path / "none", ["x"]) == []


@pytest.mark.parametrize("name", MIGRATORS)
def test_every_tool_says_what_it_cannot_tell(name: str) -> None:
    assert len(MIGRATORS[name].caution) > 40


def test_a_state_that_leaves_no_trace_is_unknown_and_not_zero() -> None:
    report = MigrationReport((), blind=frozenset({MigrationState.EDITED}))
    assert report.count(MigrationState.EDITED) is None
    assert report.count(MigrationState.FAILED) == 0
