"""Notifications of a real run: sent by whichever process lives, once, and by the item that sends one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from migconsole.domain.events import Kind
from tests.adapters.test_notify import Receiver
from tests.e2e.checklists import Desk, accept
from tests.waiting import wait_until

HEAD = {
    "variables": {"pager": {"env": "PAGER_URL", "secret": True}},
    "notifications": [{"on": ["hold", "failed", "finished"], "to": "${pager}"}],
}
ITEMS = (
    {"item": "Tell them", "id": "tell", "notify": {"text": "The migration begins."}, "expect": {"delivered": 1}},
    {"item": "Break", "id": "break", "run": "exit 3", "danger": "read", "expect": {"exit": 0}},
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_a_console_and_a_watcher_tell_each_thing_once_and_ring(desk: Desk, receiver: Receiver) -> None:
    desk.write(*ITEMS, **HEAD)
    console = desk.run(env={"PAGER_URL": receiver.url()})
    desk.start(console, "tell", confirm=False)
    assert desk.ended("tell", 60).outcome == "passed"
    assert [message["message"] for message in receiver.received] == ["The migration begins."]
    assert b"sent at" in desk.output("tell")
    console.press("p")
    console.wait_for("Hold the run")
    console.type("late")
    for _ in range(2):
        console.press("tab")
    accept(console, "enter", lambda: desk.events(Kind.HOLD))
    wait_until(lambda: desk.events(Kind.NOTIFIED), 30)
    console.press(".")
    desk.start(console, "break", confirm=False)
    assert desk.ended("break").outcome == "failed"
    wait_until(lambda: len(desk.events(Kind.NOTIFIED)) == 2, 30)
    console.wait_for("failed: Break")
    # In the terminal's own bytes: one message of its kind (OSC 9), after the bell; nothing rings for what is no haste.
    assert re.findall(rb"\x07?\x1b\]9;([^\x07\x1b]*)\x07", console.raw) == [
        f"migconsole failed: Break ({'; '.join(desk.ended('break').reasons)})".encode()
    ]
    bells = re.sub(rb"\x1b\][^\x07\x1b]*(\x07|\x1b\\)", b"", console.raw).count(b"\x07")
    assert bells == 1
    assert [message["title"] for message in receiver.received[1:]] == ["A small run · hold", "A small run · failed"]
    for event in desk.events(Kind.NOTIFYING):
        assert event.data["to"] == "${pager}"
        assert desk.events()[event.data["head"] - 1].hash == event.data["hash"]
    journal = (desk.directory / "run.db").read_bytes() + b"".join(
        p.read_bytes() for p in desk.directory.glob("run.db-*")
    )
    assert b"t0kent0ken" not in journal, "the address is a secret"
    desk.assert_whole()


def test_with_no_console_the_watcher_tells(desk: Desk, receiver: Receiver) -> None:
    desk.write(*ITEMS[1:], **HEAD)
    done = desk.call("run", str(desk.path), "--headless", "--watch", env={"PAGER_URL": receiver.url()})
    assert done.returncode == 1, done.stdout + done.stderr
    ended = desk.call("sign", "--end", "abandoned", "--reason", "it cannot be done today")
    assert ended.returncode == 0, ended.stderr
    wait_until(lambda: len(desk.events(Kind.NOTIFIED)) == 2, 30)
    assert sorted(message["title"] for message in receiver.received) == [
        "A small run · failed",
        "A small run · finished",
    ]
    assert {event.data["result"] for event in desk.events(Kind.NOTIFIED)} == {"delivered"}
    assert "watcher" in {event.actor for event in desk.events(Kind.NOTIFYING)}
