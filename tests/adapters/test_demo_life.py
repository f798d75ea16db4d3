"""The demo's beginning and end: it disappears with its process, and stays when it is to be kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migconsole.demo.__main__ import main
from migconsole.demo.database import DATABASE
from migconsole.demo.demo import Demo
from migconsole.demo.guard import alive
from migconsole.demo.project import STATE
from migconsole.errors import UsageError
from tests.waiting import wait_until

# A process that holds a demo and tells what belongs to it, at the moments named.
_HOLDER = """
import json, sys
from migconsole.demo.demo import Demo
demo = Demo(keep={keep})
def tell(text):
    if demo._server is not None and demo._server._base is not None:
        print(json.dumps(dict(
            at=text, home=str(demo.home), base=str(demo.server.base), server=demo.server.pid,
            application=demo._application() if demo.project.exists() else None,
        )), flush=True)
demo._progress = tell
with demo:
    sys.stdin.read()
"""


@pytest.fixture
def holder(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    code = _HOLDER.format(keep=getattr(request, "param", False))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def told(process: subprocess.Popen[str], moment: str) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        said: dict[str, Any] = json.loads(line)
        if said["at"].startswith(moment):
            return said
    raise AssertionError(f"it never said {moment!r}")


def gone(said: dict[str, Any]) -> bool:
    processes = [said[name] for name in ("server", "application") if said[name]]
    return (
        not any(alive(pid) for pid in processes)
        and not list(Path(said["home"]).parent.glob(Path(said["home"]).name + "*"))
        and not Path(said["base"]).exists()
    )


@pytest.mark.kill
@pytest.mark.parametrize("moment", ["Creating", "Filling", ""])
def test_a_demo_killed_while_it_is_made_leaves_nothing(holder: subprocess.Popen[str], moment: str) -> None:
    said = told(holder, moment)
    holder.kill()
    wait_until(lambda: gone(said), timeout=15)


def test_a_killed_demo_leaves_nothing_even_if_somebody_is_still_writing_there(holder: subprocess.Popen[str]) -> None:
    said = told(holder, "Ready")
    assert alive(said["server"])
    assert alive(said["application"])
    state = Path(said["home"]) / "state"
    code = f"i = 0\nwhile True: i += 1; open({str(state)!r} + f'/{{i}}', 'w').close()"
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as writer:
        try:
            wait_until(lambda: len(list(state.iterdir())) > 100)
            holder.kill()
            wait_until(lambda: gone(said), timeout=15)
        finally:
            writer.kill()


@pytest.mark.parametrize("holder", [True], indirect=True)
def test_a_kept_demo_outlives_its_process_and_is_removed_on_order(
    holder: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(holder, "Ready")
    home = said["home"]
    holder.kill()
    holder.wait()
    demo = Demo.reopen(Path(home))
    assert home in demo.come_back
    assert demo.run_script("prisma/migrations/apply-all-migrations.sh").splitlines()[-1] == "6 migrations applied"
    assert alive(said["application"])
    assert main(["stop", home]) == 0
    assert not alive(said["server"])
    assert not alive(said["application"])
    assert main(["start", home]) == 0
    rows = "SELECT max(id) FROM orders"
    first = demo.server.psql(rows, DATABASE)
    wait_until(lambda: demo.server.psql(rows, DATABASE) != first, timeout=10)
    again = {"server": demo.server.pid, "application": int((demo.project / STATE / "pid").read_text())}
    assert main(["remove", home]) == 0
    assert gone(said | again)
    assert main(["remove", home]) == 2
    assert "There is no demo in" in capsys.readouterr().err


def test_leaving_removes_everything_and_touches_no_real_state(clean_environment: Path) -> None:
    with Demo("regression") as demo:
        said = {
            "home": str(demo.home),
            "base": str(demo.server.base),
            "server": demo.server.pid,
            "application": int((demo.project / STATE / "pid").read_text()),
        }
        assert demo.come_back == ""
        _regression_shows(demo)
    assert gone(said)
    assert list(clean_environment.iterdir()) == []


def _regression_shows(demo: Demo) -> None:
    """The scenario's last migration succeeds, and the application's commonest query becomes many times slower."""
    query = "SELECT id FROM orders WHERE client_id = {} ORDER BY placed_at DESC LIMIT 20"

    def milliseconds() -> float:
        text = "EXPLAIN (ANALYZE, FORMAT JSON) "
        runs = [demo.server.psql(text + query.format(client), DATABASE) for client in range(1, 12)]
        return sorted(float(json.loads(run)[0]["Execution Time"]) for run in runs)[len(runs) // 2]

    before = milliseconds()
    assert demo.run_script("prisma/migrations/apply-all-migrations.sh").splitlines()[-1] == "7 migrations applied"
    assert demo.run_script("prisma/migrations/validate-schema.sh").splitlines()[-1] == "Schema is valid"
    assert milliseconds() > 5 * before


def test_an_error_while_preparing_removes_what_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def fail(self: Demo, name: str) -> str:
        made.extend((self.home, self.server.base))
        raise OSError("no space left")

    monkeypatch.setattr(Demo, "run_script", fail)
    with pytest.raises(OSError, match="no space left"), Demo():
        raise AssertionError("it must not get here")
    assert len(made) == 2
    assert not any(path.exists() for path in made)


def test_no_demo_in_a_folder_and_a_wrong_order_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="no demo"):
        Demo.reopen(tmp_path)
    assert main(["start"]) == 2
    assert "usage:" in capsys.readouterr().err


def test_the_application_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    (tmp_path / STATE).mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", ""]) as parent:
        parent.wait()
    command = [
        sys.executable,
        "-m",
        "migconsole.demo.workload",
        "--project",
        str(tmp_path),
        "--parent",
        str(parent.pid),
    ]
    variables = os.environ | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}
    done = subprocess.run(command, env=variables, timeout=20, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
