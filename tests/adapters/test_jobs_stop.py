"""Stopping for real: the whole tree, whatever its processes did to their groups and sessions."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from migconsole.adapters.jobs import files, tree
from migconsole.engine.ports import JobPhase, StopRung
from tests.adapters.jobs_harness import Harness, kill, output, prints, processes_of, read, runner_of
from tests.conftest import Database
from tests.waiting import wait_until

# A child in the group, one in a group of its own, one in a session of its own, an orphan in a session of its own, and
# one that also dropped its environment.
FAMILY = """
sleep 101 &
set -m; sleep 102 & set +m
setsid sleep 103 &
(setsid sleep 104 &)
(env -i setsid sleep 105 &)
echo ready
wait
"""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    yield harness
    harness.close()


def sleepers(pids: set[int]) -> set[int]:
    return {pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE}


def family(directory: Path) -> set[int]:
    """Every descendant of the runner, once all five sleep."""
    (runner,) = runner_of(directory)

    def complete() -> set[int]:
        found = {p.pid: p.cmdline() for p in runner.children(recursive=True)}
        asleep = {arguments[1] for arguments in found.values() if arguments[:1] == ["sleep"]}
        return set(found) if asleep == {"101", "102", "103", "104", "105"} else set()

    return wait_until(complete)


@pytest.mark.parametrize("rung", [StopRung.TERMINATE, StopRung.KILL])
@pytest.mark.parametrize("tty", [True, False], ids=["tty", "pipes"])
async def test_every_process_of_the_tree_is_stopped(harness: Harness, rung: StopRung, tty: bool) -> None:
    directory = await harness.start(FAMILY, tty=tty)
    prints(directory, b"ready")
    pids = family(directory)
    await harness.jobs.stop(directory, rung)
    status = await harness.jobs.wait(directory)
    assert status.phase is JobPhase.FINISHED
    assert status.result is not None
    assert status.result.signal == signal.Signals[rung.value]
    assert status.result.stopped_by == rung.value
    wait_until(lambda: not sleepers(pids))
    wait_until(lambda: not runner_of(directory))


async def test_a_tree_whose_runner_was_killed_is_found_and_stopped(harness: Harness) -> None:
    directory = await harness.start(FAMILY.replace("(env -i setsid sleep 105 &)", ""), tty=False)
    prints(directory, b"ready")
    wait_until(lambda: len([p for p in processes_of(directory) if p.name() == "sleep"]) == 4)
    pids = {p.pid for p in processes_of(directory)}
    kill(runner_of(directory))
    status = await harness.jobs.wait(directory)
    assert status.phase is JobPhase.LOST
    assert set(status.processes) == pids
    assert "still running" in status.reason
    assert "sleep (" in status.reason
    await harness.jobs.stop(directory, StopRung.KILL)
    assert not sleepers(pids)
    status = harness.jobs.probe(directory)
    assert (status.phase, status.processes) == (JobPhase.LOST, ())
    assert "none of its processes is left" in status.reason


async def test_forking_does_not_outrun_sigkill(harness: Harness) -> None:
    directory = await harness.start("echo ready; f() { setsid bash -c 'sleep 0.02' & sleep 0.01; f; }; f")
    prints(directory, b"ready")
    await harness.jobs.stop(directory, StopRung.KILL)
    await harness.jobs.wait(directory)
    assert processes_of(directory) == []


async def test_an_interrupted_script_does_not_go_on(harness: Harness) -> None:
    """psql handles SIGINT itself and ends normally; plain bash would run the next command then."""
    script = "bash -c 'trap \"exit 1\" INT; echo ready; sleep 30 & wait'; echo next >> went-on"
    directory = await harness.start(script)
    prints(directory, b"ready")
    await harness.jobs.stop(directory, StopRung.INTERRUPT)
    status = await harness.jobs.wait(directory)
    assert status.result is not None
    assert status.result.signal == signal.SIGINT
    assert not (harness.cwd / "went-on").exists()


async def test_a_rung_of_the_server_is_noted_only(harness: Harness) -> None:
    directory = await harness.start("echo ready; while [ ! -e go ]; do sleep 0.05; done")
    prints(directory, b"ready")
    await harness.jobs.stop(directory, StopRung.CANCEL_BACKEND)
    (harness.cwd / "go").touch()
    status = await harness.jobs.wait(directory)
    assert status.result is not None
    assert (status.result.exit_code, status.result.stopped_by) == (0, "pg_cancel_backend")


async def test_stopping_what_has_ended_or_never_began_does_nothing(harness: Harness) -> None:
    status, _ = await harness.finish("true")
    before = status.result
    directory = harness.run / "jobs/item/1"
    for rung in StopRung:
        await harness.jobs.stop(directory, rung)
        await harness.jobs.stop(harness.run / "nowhere", rung)
    assert harness.jobs.probe(directory).result == before


async def test_a_reused_pid_is_not_signalled(harness: Harness) -> None:
    """The claim of a dead runner may name a pid that now belongs to somebody else."""
    await harness.finish("true")
    directory = harness.run / "jobs/item/1"
    claim = read(directory / files.CLAIM)
    stranger = psutil.Popen(["sleep", "30"], start_new_session=True)
    try:
        foreign = claim | {"pid": stranger.pid}
        assert tree.members(foreign) == []
        assert tree.signal_members(foreign, signal.SIGKILL) == 0
        assert tree.members(claim | {"boot": "another"}) == []
        assert stranger.is_running()
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_runner_told_to_end_passes_it_on_and_records(harness: Harness) -> None:
    directory = await harness.start("echo ready; sleep 30")
    prints(directory, b"ready")
    (runner,) = runner_of(directory)
    os.kill(runner.pid, signal.SIGTERM)
    status = await harness.jobs.wait(directory)
    assert status.result is not None
    assert status.result.signal == signal.SIGTERM
    assert status.result.stopped_by == "runner was told to end, SIGTERM"


async def test_the_time_limit_goes_up_the_ladder(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = await harness.start("trap '' INT; echo ready; sleep 30", timeout=0.3, danger="read")
    status = await harness.jobs.wait(directory)
    assert status.result is not None
    assert (status.result.signal, status.result.stopped_by) == (signal.SIGTERM, "time limit, SIGTERM")
    assert status.result.duration < 10


async def test_sigint_cancels_the_statement_on_the_server(harness: Harness, database: Database) -> None:
    directory = await harness.start(
        f'{database.server.tree.bindir}/psql "$DATABASE_URL" -c "select pg_sleep(60)"; echo next > went-on',
        environment={"DATABASE_URL": database.url},
    )
    ours = "select count(*) from pg_stat_activity where application_name = 'mc/r1/abcdef01' and state = 'active'"
    wait_until(lambda: database.psql(ours).strip() == "1")
    await harness.jobs.stop(directory, StopRung.INTERRUPT)
    status = await harness.jobs.wait(directory)
    assert status.result is not None
    assert status.result.signal == signal.SIGINT
    assert b"canceling statement due to user request" in output(directory)
    wait_until(lambda: database.psql(ours).strip() == "0")
    assert not (harness.cwd / "went-on").exists()


async def test_psql_stops_at_the_first_error_of_an_unmodified_script(harness: Harness, database: Database) -> None:
    (harness.cwd / "bad.sql").write_text("select 1/0;\nselect 'went on';\n")
    status, text = await harness.finish(
        f'{database.server.tree.bindir}/psql "$DATABASE_URL" < bad.sql', environment={"DATABASE_URL": database.url}
    )
    assert status.result is not None
    assert status.result.exit_code == 3
    assert b"division by zero" in text
    assert b"went on" not in text
