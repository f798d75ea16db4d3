"""Notifications by the real library to a real receiver on this host."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from migconsole.adapters.jobs.outcomes import ATTEMPT_DIRECTORY, read_outcome
from migconsole.adapters.notify import MISSING, AppriseSender
from migconsole.cli import cli
from migconsole.engine.record_ports import Delivery
from tests.report.runs import CHECKLIST, Recorded, recorded


class Receiver:
    """Takes what is posted; answers with ``status``."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append(json.loads(body))
                outer.paths.append(self.path)
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Quietly."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def url(self, token: str = "t0kent0kent0ken") -> str:
        return f"json://127.0.0.1:{self.server.server_port}/{token}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_a_message_arrives_with_its_title_and_text(receiver: Receiver) -> None:
    sender = AppriseSender(["${chat}"], [receiver.url()])
    assert sender.send(0, "Spring migration · hold", "on hold (Bo): late\nsecond line") == Delivery("delivered")
    (got,) = receiver.received
    assert (got["title"], got["message"]) == ("Spring migration · hold", "on hold (Bo): late\nsecond line")


def test_a_refusal_is_a_failure_that_names_its_reason_and_never_the_address(receiver: Receiver) -> None:
    receiver.status = 503
    delivery = AppriseSender(["${chat}"], [receiver.url()]).send(0, "t", "x")
    assert delivery.result == "failed"
    assert "503" in delivery.detail
    assert "t0ken" not in delivery.detail


def test_nobody_there_is_a_failure(receiver: Receiver) -> None:
    address = receiver.url()
    receiver.close()
    delivery = AppriseSender(["${chat}"], [address]).send(0, "t", "x")
    assert delivery.result == "failed"
    assert "t0ken" not in delivery.detail


@pytest.mark.parametrize(
    ("address", "words"),
    [("", "${chat} has no value"), ("nonsense", "${chat} is no address of a service that is known")],
)
def test_an_address_that_is_none_is_said_by_its_name(address: str, words: str) -> None:
    assert AppriseSender(["${chat}"], [address]).send(0, "t", "x") == Delivery("not sent", words)


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert AppriseSender(["${chat}"], [receiver.url()]).send(0, "t", "x") == Delivery("not sent", MISSING)
    assert receiver.received == []


# -- the command -------------------------------------------------------------------------------------------------------

CHAT = CHECKLIST.replace(
    "phases:",
    """variables: {{chat: {{env: CHAT_URL, secret: true}}}}
notifications: [{{on: [hold], to: '${{chat}}'}}]
phases:""",
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Recorded:
    monkeypatch.setenv("CHAT_URL", receiver.url())
    monkeypatch.setenv("DATABASE_URL", "postgresql://deploy@db1:5432/app")
    return recorded(tmp_path / "state", checklist=CHAT).save()


def notify(run: Recorded, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--state-dir", str(run.state), "notify", *arguments])


def test_the_command_tells_the_services_of_a_runs_checklist(run: Recorded, receiver: Receiver) -> None:
    result = notify(run, "The migration begins.", "--run", str(run.directory.path))
    assert result.exit_code == 0, result.output
    assert "chat: delivered" in result.stdout
    (got,) = receiver.received
    assert (got["title"], got["message"]) == ("Spring migration", "The migration begins.")


def test_as_a_job_it_leaves_the_text_when_and_what_became_of_it(
    run: Recorded, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ATTEMPT_DIRECTORY, str(tmp_path))
    assert notify(run, "--run", str(run.directory.path), "--", "The migration begins.").exit_code == 0
    outcome = read_outcome(tmp_path)
    assert outcome is not None
    assert outcome.verdict == "passed"
    assert outcome.lines[0].startswith("sent at 2")
    assert outcome.lines[1:] == ("The migration begins.", "chat: delivered")
    assert outcome.values == {"delivered": 1, "services": 1}
    receiver.status = 500
    assert notify(run, "again", "--run", str(run.directory.path)).exit_code == 1
    outcome = read_outcome(tmp_path)
    assert outcome is not None
    assert outcome.verdict == "failed"


def test_the_command_takes_names_and_never_addresses(run: Recorded, receiver: Receiver) -> None:
    assert notify(run, "x", "--run", str(run.directory.path), "--to", "chat").exit_code == 0
    result = notify(run, "x", "--run", str(run.directory.path), "--to", receiver.url())
    assert result.exit_code != 0
    assert len(receiver.received) == 1


def test_without_a_run_the_address_comes_from_the_environment(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMEWHERE", receiver.url())
    result = CliRunner().invoke(cli, ["notify", "hello", "--url-from", "SOMEWHERE"])
    assert result.exit_code == 0
    assert receiver.received[0]["message"] == "hello"
    assert "t0ken" not in result.output
