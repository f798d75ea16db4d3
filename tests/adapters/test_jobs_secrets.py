"""No secret of a job in any file, argument list or foreign environment, in any of its forms."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from migconsole.adapters.jobs import files
from migconsole.domain.secrets import MASK
from migconsole.engine.ports import JobPhase, JobRequest, StopRung
from tests.adapters.jobs_harness import Harness, output, prints, proc, processes_of, runner_of

PASSWORD = "k9#Wq/7v@Lm%21z"
TOKEN = "tok_4f9a8c7e6d5b"
SCRIPT = """
echo "raw $PGPASSWORD and $API_TOKEN"
echo "encoded $ENCODED"
printf %s "user:$PGPASSWORD" | base64
printf 'split '; for part in tok_ 4f9a 8c7e 6d5b; do printf %s "$part"; sleep 0.02; done; echo
echo "stderr $PGPASSWORD" >&2
echo ready
while [ ! -e go ]; do sleep 0.05; done
"""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    yield harness
    harness.close()


def request(harness: Harness, tty: bool) -> JobRequest:
    url = f"postgresql://deploy:{quote(PASSWORD, safe='')}@db1/app"
    return harness.request(
        SCRIPT,
        tty=tty,
        environment={"ENCODED": quote(PASSWORD, safe=""), "PGHOST": "db1", "PGDATABASE": "app", "PGUSER": "deploy"},
        secrets={"PGPASSWORD": PASSWORD, "API_TOKEN": TOKEN, "DATABASE_URL": url},
        masks=[PASSWORD],
    )


def forms() -> list[bytes]:
    whole = [PASSWORD, TOKEN, quote(PASSWORD), quote(PASSWORD, safe=""), "7v@Lm%21z", "7v@Lm"]
    cores = [base64.b64encode(b"\0" * shift + PASSWORD.encode())[4:16] for shift in range(3)]
    return [form.encode() for form in whole if len(form) >= 6] + cores


def assert_clean(name: str, data: bytes) -> None:
    for form in forms():
        assert form not in data, f"{form!r} in {name}"


@pytest.mark.parametrize("tty", [True, False], ids=["tty", "pipes"])
async def test_no_secret_in_any_file_or_process_list(
    harness: Harness, tty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://deploy:{PASSWORD}@db1/app")
    monkeypatch.setenv("ANOTHER", TOKEN)
    job = request(harness, tty)
    await harness.jobs.start(job)
    prints(job.directory, b"ready")
    (runner,) = runner_of(job.directory)
    assert_clean("the runner's environment", proc(runner.pid, "environ"))
    members = processes_of(job.directory)
    assert members
    for process in (runner, *members):
        assert_clean(f"arguments of {process}", proc(process.pid, "cmdline"))
    assert TOKEN.encode() in proc(members[0].pid, "environ")
    (harness.cwd / "go").touch()
    status = await harness.jobs.wait(job.directory)
    assert status.phase is JobPhase.FINISHED
    assert status.result is not None
    for path in harness.run.rglob("*"):
        if path.is_file():
            assert_clean(path.name, path.read_bytes())
    text = output(job.directory)
    assert status.result.masked == text.count(MASK) == 6
    assert b"raw ******** and ********" in text
    assert b"split ********" in text
    assert b"stderr ********" in text


async def test_a_secret_of_the_environment_additions_is_not_written_down(harness: Harness) -> None:
    status, text = await harness.finish(
        'echo "$URL" "$PLAIN"', environment={"URL": f"https://x/?key={TOKEN}", "PLAIN": "seen"}, masks=[TOKEN]
    )
    assert text == b"https://x/?key=******** seen\n"
    assert status.result is not None
    stored = (harness.run / "jobs/item/1" / files.REQUEST).read_bytes()
    assert TOKEN.encode() not in stored
    assert b'"PLAIN": "seen"' in stored
    assert b'"URL"' in stored


async def test_errors_are_redacted(harness: Harness) -> None:
    status, _ = await harness.finish("true", cwd=Path(f"/nonexistent/{TOKEN}"), masks=[TOKEN])
    assert status.result is not None
    assert status.result.error == "the working directory /nonexistent/******** does not exist"


async def test_the_targets_names_stay_readable(harness: Harness) -> None:
    names = {"PGHOST": "db1.example", "PGDATABASE": "fulfillment", "PGUSER": "deploy"}
    _, text = await harness.finish(
        "echo $PGUSER at $PGHOST in $PGDATABASE", environment=names, secrets={"PGPASSWORD": "deploy@fulfillment"}
    )
    assert text == b"deploy at db1.example in fulfillment\n"


async def test_a_possible_beginning_is_not_lost_when_the_command_is_killed(harness: Harness) -> None:
    directory = await harness.start(f"echo ready; printf {TOKEN[:6]}; sleep 30", secrets={"T": TOKEN})
    prints(directory, b"ready")
    await harness.jobs.stop(directory, StopRung.KILL)
    await harness.jobs.wait(directory)
    assert output(directory) == b"ready\n" + TOKEN[:6].encode()
