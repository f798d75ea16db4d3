"""What a job does to a command and what it leaves behind, with real processes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from migconsole.adapters import output_marks
from migconsole.adapters.jobs import files
from migconsole.adapters.outputs import FileOutput
from migconsole.engine.ports import JobPhase, JobResult, StopRung
from migconsole.errors import MigconsoleError, UsageError
from tests.adapters.jobs_harness import Harness, output, prints, read, runner_of
from tests.waiting import eventually, wait_until


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    yield harness
    harness.close()


def result_of(status) -> JobResult:
    assert status.phase is JobPhase.FINISHED, status
    assert status.result is not None
    return status.result


async def test_a_command_leaves_its_output_and_a_result(harness: Harness) -> None:
    status, text = await harness.finish("echo out; echo err >&2; exit 3")
    result = result_of(status)
    assert text == b"out\nerr\n"
    assert (result.exit_code, result.signal, result.error, result.survivors) == (3, None, "", ())
    assert (result.size, result.sha256) == (len(text), hashlib.sha256(text).hexdigest())
    assert 0 < result.duration < 5
    assert result.started <= result.ended


@pytest.mark.parametrize(
    ("script", "exit_code", "number"),
    [
        ("true", 0, None),
        ("false | cat", 1, None),
        ("nonexistent-program", 127, None),
        ("kill -TERM $$", None, signal.SIGTERM),
        ("kill -KILL $$", None, signal.SIGKILL),
        ("bash -c 'kill -KILL $$'; exit $?", 137, None),
        ("if", 2, None),
    ],
)
@pytest.mark.parametrize("tty", [True, False], ids=["tty", "pipes"])
async def test_exit_codes_and_signals(harness: Harness, script: str, exit_code, number, tty: bool) -> None:
    result = result_of((await harness.finish(script, tty=tty))[0])
    assert (result.exit_code, result.signal) == (exit_code, number)


async def test_a_terminal_by_default_with_nobody_to_ask(harness: Harness) -> None:
    script = (
        "[ -t 1 ] && [ -t 2 ] && echo terminal; [ -t 0 ] || echo no input; (: < /dev/tty) 2>/dev/null || echo alone"
    )
    assert (await harness.finish(script))[1] == b"terminal\nno input\nalone\n"


async def test_reopening_the_terminal_does_not_make_it_controlling(harness: Harness) -> None:
    script = "echo x > /dev/stderr; echo y > $(readlink /proc/self/fd/2); (: < /dev/tty) 2>/dev/null || echo alone"
    text = (await harness.finish(script))[1]
    assert text.endswith(b"alone\n")


async def test_bytes_pass_a_terminal_unchanged(harness: Harness) -> None:
    payload = bytes(range(256)) * 40
    (harness.cwd / "payload").write_bytes(payload)
    assert (await harness.finish("cat payload"))[1] == payload


@pytest.mark.parametrize("tty", [True, False], ids=["tty", "pipes"])
async def test_every_byte_of_a_fast_command_is_recorded(harness: Harness, tty: bool) -> None:
    status, text = await harness.finish("seq 1 300000", tty=tty)
    assert text == b"".join(b"%d\n" % n for n in range(1, 300001))
    assert result_of(status).sha256 == hashlib.sha256(text).hexdigest()


async def test_stderr_is_apart_through_pipes(harness: Harness) -> None:
    script = "for i in 1 2 3; do echo out$i; echo err$i >&2; done; printf tail; printf bad >&2"
    status, text = await harness.finish(script, tty=False)
    directory = next((harness.run / "jobs" / "item").iterdir())
    view = FileOutput(directory / files.OUTPUT)
    while view.grow() or not view.complete:
        pass
    lines = {view.line(n): view.is_stderr(n) for n in range(len(view))}
    marked = {line for line, is_error in lines.items() if is_error}
    assert {b"err1", b"err2", b"err3"} <= marked
    assert not any(line.startswith(b"out") for line in marked)
    assert view.has_times
    view.close()
    stored = (directory / output_marks.STDERR_NAME).read_bytes()
    assert stored
    assert result_of(status).size == len(text) == len("out1\nerr1\n") * 3 + len("tailbad")


async def test_lines_stay_whole_when_both_streams_are_busy(harness: Harness) -> None:
    script = "(seq 1 20000 | sed 's/^/out /') & (seq 1 20000 | sed 's/^/err /' >&2) & wait"
    text = (await harness.finish(script, tty=False))[1]
    lines = text.splitlines()
    assert len(lines) == 40000
    for word in (b"out", b"err"):
        assert [line for line in lines if line.startswith(word)] == [b"%s %d" % (word, n) for n in range(1, 20001)]


async def test_a_beginning_of_a_line_is_live(harness: Harness) -> None:
    for tty in (True, False):
        directory = await harness.start("printf 'Proceeding...'; sleep 30", tty=tty)
        wait_until(lambda d=directory: output(d) == b"Proceeding...")
        await harness.jobs.stop(directory, StopRung.KILL)


async def test_the_first_byte_is_on_disk_at_once(harness: Harness) -> None:
    """The budget is 300 ms from start(); here three times that, because tests share the machine. See the benchmark."""
    began = time.monotonic()
    directory = await harness.start("echo first; exec sleep 30")
    prints(directory, b"first")
    assert time.monotonic() - began < 0.9


async def test_the_environment_means_one_target(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {
        "PGSERVICE": "elsewhere",
        "PGHOSTADDR": "10.0.0.1",
        "PGPASSWORD": "inherited-pass",
        "DATABASE_URL": "postgres://elsewhere/db",
        "PSQL_PAGER": "less",
        "PAGER": "less",
        "COLUMNS": "3",
        "BASH_ENV": str(tmp_path / "evil"),
        "BASH_FUNC_psql%%": "() { echo hijacked; }",
        "SHELLOPTS": "xtrace",
        "KEPT": "yes",
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "evil").write_text("echo evil\n")
    script = "env | cut -d= -f1 | sort | tr '\\n' ' '; echo; echo $PGHOST $PAGER $PGAPPNAME $KEPT; cat $PSQLRC; psql"
    text = (await harness.finish(script, environment={"PGHOST": "db1"}))[1].decode()
    names, values, *rest = text.splitlines()
    assert values == "db1 cat mc/r1/abcdef01 yes"
    assert {n for n in names.split() if n.startswith("PG")} == {"PGHOST", "PGAPPNAME"}
    assert not {"DATABASE_URL", "PSQL_PAGER", "COLUMNS", "BASH_ENV", "SHELLOPTS"} & set(names.split())
    assert rest[0] == "\\set ON_ERROR_STOP on"
    assert "hijacked" not in text
    assert "evil" not in text


async def test_the_window_has_the_requested_size_and_follows(harness: Harness) -> None:
    script = "trap 'stty size <&1' WINCH; stty size <&1; echo ready; while [ ! -e stop ]; do sleep 0.05; done"
    directory = await harness.start(script, rows=11, columns=222)
    prints(directory, b"11 222\nready\n")
    await harness.jobs.resize(directory, 33, 144)
    prints(directory, b"33 144\n")
    (harness.cwd / "stop").touch()
    assert result_of(await harness.jobs.wait(directory)).exit_code == 0
    await harness.jobs.resize(directory, 1, 1)


async def test_the_command_has_default_signals_whatever_the_console_ignores(harness: Harness) -> None:
    request = harness.request("grep -E '^Sig(Blk|Ign)' /proc/self/status; sleep 30")
    harness.spawner(request, ignore_interrupt=True)
    prints(request.directory, b"SigIgn")
    fields_of = dict(line.split(":\t") for line in output(request.directory).decode().splitlines())
    assert int(fields_of["SigBlk"], 16) == 0
    assert int(fields_of["SigIgn"], 16) == 1 << (signal.SIGHUP - 1)
    await harness.jobs.stop(request.directory, StopRung.INTERRUPT)
    assert result_of(await harness.jobs.wait(request.directory)).signal == signal.SIGINT


async def test_the_job_has_a_session_and_a_family_of_its_own(harness: Harness) -> None:
    directory = await harness.start("echo ready; sleep 30")
    prints(directory, b"ready")
    (runner,) = runner_of(directory)
    assert os.getsid(runner.pid) == runner.pid != os.getsid(0)
    assert os.getpid() not in [parent.pid for parent in runner.parents()]
    status = harness.jobs.probe(directory)
    assert (status.phase, status.pid) == (JobPhase.RUNNING, runner.pid)
    assert status.child_pid in [child.pid for child in runner.children()]
    os.kill(runner.pid, signal.SIGHUP)
    await harness.jobs.stop(directory, StopRung.TERMINATE)
    assert result_of(await harness.jobs.wait(directory)).signal == signal.SIGTERM


async def test_files_are_private(harness: Harness) -> None:
    status, _ = await harness.finish("umask; echo x", tty=False)
    directory = next((harness.run / "jobs" / "item").iterdir())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert status.phase is JobPhase.FINISHED
    assert not [name for name in modes if name.startswith(".") or name == files.CONTROL]


async def test_the_commands_umask_is_the_consoles(harness: Harness) -> None:
    before = os.umask(0o027)
    try:
        text = (await harness.finish("umask"))[1]
    finally:
        os.umask(before)
    assert text == b"0027\n"


async def test_a_result_holds_every_field(harness: Harness) -> None:
    status, _ = await harness.finish("true")
    directory = next((harness.run / "jobs" / "item").iterdir())
    assert set(read(directory / files.RESULT)) == {f.name for f in fields(JobResult)} | {"token"}
    assert result_of(status).survivors == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cwd": Path("/nonexistent-directory")}, "does not exist"),
        ({"kind": "teleport"}, "cannot run jobs of the kind teleport"),
        ({"script": "true " + "x" * 200_000}, "Argument list too long"),
    ],
)
async def test_what_cannot_be_executed_says_why(harness: Harness, changes: dict, words: str) -> None:
    script = changes.pop("script", "true")
    status, text = await harness.finish(script, **changes)
    result = result_of(status)
    assert words in result.error
    assert (result.exit_code, result.signal, text) == (None, None, b"")


async def test_a_panic_file_lets_nothing_start_and_ends_what_runs(harness: Harness) -> None:
    directory = await harness.start("echo ready; sleep 30 & wait")
    prints(directory, b"ready")
    (harness.run / files.PANIC).touch()
    result = result_of(await harness.jobs.wait(directory))
    assert (result.signal, result.stopped_by) == (signal.SIGINT, "PANIC file, SIGINT")
    status, text = await harness.finish("touch executed")
    assert "PANIC" in result_of(status).error
    assert text == b""
    assert not (harness.cwd / "executed").exists()


async def test_a_time_limit_ends_reads_only(harness: Harness) -> None:
    reading = await harness.start("sleep 30", timeout=0.2, danger="read")
    changing = await harness.start("sleep 0.6; echo done", timeout=0.2, danger="mutating")
    result = result_of(await harness.jobs.wait(reading))
    assert (result.timed_out, result.signal, result.stopped_by) == (True, signal.SIGINT, "time limit, SIGINT")
    result = result_of(await harness.jobs.wait(changing))
    assert (result.timed_out, result.exit_code) == (False, 0)
    assert output(changing) == b"done\n"


async def test_an_attempt_is_started_once(harness: Harness) -> None:
    request = harness.request("echo x >> runs")
    await harness.jobs.start(request)
    with pytest.raises(MigconsoleError, match="started before"):
        await harness.jobs.start(request)
    await harness.jobs.wait(request.directory)
    assert (harness.cwd / "runs").read_text() == "x\n"


async def test_a_runner_that_cannot_start_is_reported_and_revoked(harness: Harness) -> None:
    request = harness.request("true")
    harness.jobs._python = "/bin/false"
    with pytest.raises(MigconsoleError, match="could not be started") as caught:
        await harness.jobs.start(request)
    assert "ended with 1" in caught.value.detail
    assert harness.jobs.probe(request.directory).phase is JobPhase.REVOKED


async def test_a_secret_in_the_script_is_refused(harness: Harness) -> None:
    request = harness.request("psql postgres://u:hunter2hunter2@db/x", secrets={"PGPASSWORD": "hunter2hunter2"})
    with pytest.raises(UsageError, match="holds a secret") as caught:
        await harness.jobs.start(request)
    assert "hunter" not in str(caught.value)
    assert not request.directory.exists()


async def test_a_process_that_outlives_the_command_is_reported_and_can_be_stopped(harness: Harness) -> None:
    script = "setsid bash -c 'echo early; while [ ! -e go ]; do sleep 0.05; done; echo late; sleep 30' & echo main"
    directory = await harness.start(script)
    status = await harness.jobs.wait(directory)
    result = result_of(status)
    assert result.exit_code == 0
    assert sorted(output(directory).split()) == [b"early", b"main"]
    assert [name.split()[0] for name in result.survivors][:1] == ["bash"]
    assert len(status.processes) >= 1
    (harness.cwd / "go").touch()
    wait_until(lambda: (directory / files.LATE_OUTPUT).read_bytes() == b"late\n")
    assert hashlib.sha256(output(directory)).hexdigest() == result.sha256
    await harness.jobs.stop(directory, StopRung.TERMINATE)
    await eventually(lambda: harness.jobs.probe(directory).processes == ())
    wait_until(lambda: not runner_of(directory))


async def test_a_daemon_without_our_output_does_not_delay_the_end(harness: Harness) -> None:
    script = "setsid sleep 30 > /dev/null 2>&1 < /dev/null & echo main"
    began = time.monotonic()
    status, _ = await harness.finish(script)
    assert time.monotonic() - began < 1.8
    assert [name.split()[0] for name in result_of(status).survivors] == ["sleep"]


async def test_output_of_a_process_substitution_is_waited_for(harness: Harness) -> None:
    status, text = await harness.finish("echo text > >(sleep 0.3; cat)")
    assert text == b"text\n"
    assert result_of(status).survivors == ()


async def test_what_is_torn_foreign_or_gone_is_lost_with_the_reason(harness: Harness) -> None:
    directory = await harness.start("true")
    await harness.jobs.wait(directory)
    good = (directory / files.RESULT).read_text()
    for content, words in (
        (good[:40], "torn"),
        ("[]", "torn"),
        (json.dumps(json.loads(good) | {"token": "other"}), "another job"),
        (json.dumps({"token": json.loads(good)["token"]}), "incomplete"),
        (json.dumps(json.loads(good) | {"exit_code": None}), "neither"),
    ):
        (directory / files.RESULT).write_text(content)
        status = harness.jobs.probe(directory)
        assert status.phase is JobPhase.LOST
        assert words in status.reason
    (directory / files.RESULT).unlink()
    assert "runner is gone" in harness.jobs.probe(directory).reason
    claim = read(directory / files.CLAIM)
    (directory / files.CLAIM).write_text(json.dumps(claim | {"boot": "another"}))
    assert "rebooted" in harness.jobs.probe(directory).reason
    for content in (
        "",
        "{}",
        '{"by": "runner"}',
        '{"by": "runner", "pid": "x", "started": 1, "boot": "b", "token": 1}',
    ):
        (directory / files.CLAIM).write_text(content)
        assert harness.jobs.probe(directory).phase is JobPhase.LOST
    assert harness.jobs.probe(harness.run / "nowhere").phase is JobPhase.NOT_STARTED
