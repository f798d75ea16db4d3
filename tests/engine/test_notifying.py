"""Who is told what, and that nobody is told twice, whichever processes look."""

from __future__ import annotations

import asyncio
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from migconsole.domain.checklist import Gate, Item, Notification, Phase, Section
from migconsole.domain.events import Draft, Kind
from migconsole.domain.occasions import Occasion
from migconsole.engine.notifying import FRESH, Notifying, deliver
from migconsole.engine.record_ports import Delivery, NoFiles
from tests.engine.fakes import SAID_YES, Scripted, World, checklist, only
from tests.waiting import eventually

NOTIFICATIONS = (Notification(("failed", "tripwire"), "${pager}"), Notification(("hold", "failed"), "${chat}"))


class Post:
    """A sender that remembers; ``result`` is what every delivery becomes."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, str, str]] = []
        self.result = Delivery("delivered")
        self.gate = threading.Event()
        self.gate.set()

    def name(self, destination: int) -> str:
        return NOTIFICATIONS[destination].to

    def send(self, destination: int, title: str, text: str) -> Delivery:
        self.gate.wait(10)
        self.sent.append((destination, title, text))
        return self.result


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def world(tmp_path: Path, post: Post) -> World:
    world = World(tmp_path, replace(checklist(only("tell", "apply")), notifications=NOTIFICATIONS))
    world.sender = post
    return world


async def test_a_hold_is_told_to_who_wants_to_know_and_its_delivery_is_on_record(world: World, post: Post) -> None:
    session = await world.opened()
    await session.hold("the network team is late", "Bo")
    await session.notices.settled()
    ((destination, title, text),) = post.sent
    assert (destination, title) == (1, "Migration · hold")
    assert "on hold (Bo): the network team is late" in text
    (intended,) = world.store.of(Kind.NOTIFYING)
    assert f"journal sealed at event {intended['head']}, hash {intended['hash'][:16]}" in text
    assert world.store.events[intended["head"] - 1].hash == intended["hash"]
    assert world.store.of(Kind.NOTIFIED) == [
        {"message": intended["message"], "result": "delivered", "detail": ""},
    ]
    kinds = world.store.kinds()
    assert kinds.index(Kind.NOTIFYING) < kinds.index(Kind.NOTIFIED)


async def test_two_consoles_and_a_watcher_tell_it_once(world: World, post: Post) -> None:
    first, second = await world.opened(), await world.opened("two")
    await first.hold("wait for the others", "Bo")
    await eventually(lambda: second.run.hold is not None)
    await asyncio.gather(first.notices.settled(), second.notices.settled())
    await eventually(lambda: len(world.store.of(Kind.NOTIFIED)) == 1)
    assert len(post.sent) == 1


async def test_a_failed_attempt_is_told_to_both_and_rings(world: World, post: Post) -> None:
    session = await world.opened()
    rung: list[Occasion] = []
    session.notices.ring(rung.append)
    attempt = await session.start("apply", 0, SAID_YES)
    await eventually(lambda: bool(world.jobs.requests))
    world.jobs.end(Scripted(1))
    await session.finished("apply", attempt.number)
    await session.notices.settled()
    assert sorted(destination for destination, _, _ in post.sent) == [0, 1]
    assert [occasion.name for occasion in rung] == ["failed"]
    assert "failed: Apply" in rung[0].text


async def test_what_is_old_is_told_to_nobody(world: World, post: Post) -> None:
    session = await world.opened()
    await session.hold("yesterday's trouble", "Bo")
    await session.notices.settled()
    late = Notifying(world.list, session._recorder.append, post, NoFiles(), clock=lambda: 4e9 + FRESH, actor="watcher")
    post.sent.clear()
    late.take(world.store.events)
    await late.settled()
    assert post.sent == []


async def test_a_failing_service_blocks_nothing_and_is_on_record(world: World, post: Post) -> None:
    session = await world.opened()
    post.result = Delivery("failed", "503 Service Unavailable")
    await session.hold("wait for the others")
    await session.release()
    await session.notices.settled()
    (result,) = world.store.of(Kind.NOTIFIED)
    assert (result["result"], result["detail"]) == ("failed", "503 Service Unavailable")
    assert session.run.hold is None


async def test_a_service_that_does_not_answer_has_failed(post: Post) -> None:
    post.gate.clear()
    try:
        delivery = await deliver(post, 0, "t", "x", limit=0.05)
    finally:
        post.gate.set()
    assert delivery == Delivery("failed", "no answer within 0 s")


async def test_the_message_of_a_sender_that_died_is_not_sent_again(world: World, post: Post) -> None:
    session = await world.opened()
    hold = world.store.add(Draft(Kind.HOLD, {"reason": "wait", "owner": "Bo"}, "one"))
    message = f"hold:{hold.seq}:1"
    data = {"message": message, "claim": "another", "head": 1, "hash": "x"}
    world.store.add(Draft(Kind.NOTIFYING, data, "watcher", key=f"notifying:{message}"))
    await session._recorder.catch_up()
    await session.notices.settled()
    assert post.sent == []
    assert world.store.of(Kind.NOTIFIED) == []


async def test_a_phase_is_told_when_its_last_line_is_done(world: World, post: Post) -> None:
    world.list = replace(world.list, notifications=(Notification(("phase",), "${chat}"),))
    session = await world.opened()
    await session.attest("tell")
    await session.exclude("apply", "nothing to apply")
    await session.notices.settled()
    assert [text.splitlines()[0] for _, _, text in post.sent] == ["phase done: Phase"]
    await session.reopen("tell", "once more")
    await session.attest("tell")
    await session.notices.settled()
    assert len(post.sent) == 1


async def test_an_optional_line_that_nobody_touched_keeps_no_phase_from_its_end(world: World, post: Post) -> None:
    section = world.list.phases[0].sections[0]
    extra = Item("extra", "Extra", optional=True)
    phase = replace(world.list.phases[0], sections=(replace(section, items=(*section.items, extra)),))
    only_extra = Phase("late", "Late", 3600, (Section("l", "L", (replace(extra, id="later"),)),))
    world.list = replace(world.list, phases=(phase, only_extra), notifications=(Notification(("phase",), "${chat}"),))
    session = await world.opened()
    await session.attest("tell")
    await session.notices.settled()
    assert post.sent == []
    await session.exclude("apply", "nothing to apply")
    await session.notices.settled()
    assert [text.splitlines()[0] for _, _, text in post.sent] == ["phase done: Phase"], "and not the one nobody began"


async def test_a_gate_that_is_reached_asks_once_who_has_not_voted(world: World, post: Post) -> None:
    gates = (Gate("go", "Go for T-0", "apply", ("DBA", "QA")), Gate("never", "Before it all", "undo", ("DBA",)))
    world.list = replace(world.list, gates=gates, notifications=(Notification(("gate",), "${chat}"),))
    session = await world.opened()
    await session.gates.vote("go", "DBA", "go", "AN")
    await session.notices.settled()
    post.sent.clear()
    await session.attest("tell")
    await session.notices.settled()
    assert [text.splitlines()[0] for _, _, text in post.sent] == ["gate Go for T-0 is reached, without a vote of QA"]
    await session.reopen("tell", "once more")
    await session.attest("tell")
    await session.notices.settled()
    assert len(post.sent) == 1


async def test_a_gate_with_every_vote_asks_nobody(world: World, post: Post) -> None:
    gates = (Gate("go", "Go for T-0", "apply", ("DBA",)),)
    world.list = replace(world.list, gates=gates, notifications=(Notification(("gate",), "${chat}"),))
    session = await world.opened()
    await session.gates.vote("go", "DBA", "go", "AN")
    await session.attest("tell")
    await session.notices.settled()
    assert [text.splitlines()[0] for _, _, text in post.sent] == ["gate Go for T-0: DBA says GO"]


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        (
            Kind.ROLLBACK_ENGAGED,
            {"reason": "the client crashes", "by": "Ana", "strategy": "swap", "typed": "x"},
            "rollback decided on by Ana (swap): the client crashes",
        ),
        (Kind.ROLLBACK_STOOD_DOWN, {"reason": "it works again"}, "rollback called off: it works again"),
        (
            Kind.ROLLBACK_ENDED,
            {"rollback": "r1", "verdict": "not swapped", "why": "a session stayed"},
            "rollback ended: not swapped: a session stayed",
        ),
    ],
)
async def test_a_rollback_is_told_from_the_decision_to_what_came_of_it(
    world: World, post: Post, kind: Kind, data: dict[str, str], words: str
) -> None:
    world.list = replace(world.list, notifications=(Notification(("rollback",), "${chat}"),))
    session = await world.opened()
    world.store.add(Draft(kind, data, "Ana"))
    await session._recorder.catch_up()
    await session.notices.settled()
    assert [text.splitlines()[0] for _, _, text in post.sent] == [words]


async def test_a_service_that_never_answers_does_not_keep_the_program_from_ending() -> None:
    """A process of its own: what would wait for a thread is the interpreter's end."""
    program = """
import asyncio, threading
from migconsole.engine.notifying import deliver

class Hangs:
    def name(self, destination): return "x"
    def send(self, destination, title, text): threading.Event().wait()

print(asyncio.run(deliver(Hangs(), 0, "t", "x", limit=0.05)).result, flush=True)
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), 30)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert (out.strip(), process.returncode) == (b"failed", 0)


async def test_a_sender_that_breaks_has_failed() -> None:
    class Broken:
        def name(self, destination: int) -> str:
            return "x"

        def send(self, destination: int, title: str, text: str) -> Delivery:
            raise RuntimeError("no such plugin")

    assert await deliver(Broken(), 0, "t", "x") == Delivery("failed", "RuntimeError: no such plugin")


async def test_a_read_only_console_tells_nobody(world: World, post: Post) -> None:
    await world.opened("two", read_only=True)
    world.store.add(Draft(Kind.HOLD, {"reason": "wait", "owner": "Bo"}, "one"))
    (session,) = world.sessions
    await eventually(lambda: session.run.hold is not None)
    await session.notices.settled()
    assert post.sent == []
