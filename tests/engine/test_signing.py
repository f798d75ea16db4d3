"""The sign-off: bound to what was seen, once for each role, by whoever watches; and what closing a run means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from migconsole.domain.events import Draft, Kind
from migconsole.domain.seals import Seal
from migconsole.engine.session import Session
from migconsole.errors import StoppedError, UsageError
from tests.engine.fakes import World, checklist, only

ROLES = ("Database Admin", "QA Lead")


class Kept:
    """Files of a record in memory; ``fault`` is why nothing can be written."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seals: list[Seal] = []
        self.published = 0
        self.fault: OSError | None = None

    def keep_seal(self, seal: Seal) -> None:
        if self.fault:
            raise self.fault
        self.seals.append(seal)

    def publish(self) -> tuple[Sequence[Path], Seal]:
        if self.fault:
            raise self.fault
        self.published += 1
        head = self.world.store.events[-1]
        return (Path("report.md"),), Seal("report", head.seq, head.hash, head.at)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, replace(checklist(only("tell", "opt")), roles=ROLES))
    world.record = Kept(world)
    return world


def end(world: World) -> None:
    world.store.add(Draft(Kind.RUN_ENDED, {"ending": "completed"}, "one"))


async def ended(world: World, console: str = "one") -> Session:
    session = await world.opened(console)
    await session.attest("tell")
    end(world)
    await session._recorder.catch_up()
    return session


async def test_nobody_signs_a_run_that_goes_on(world: World) -> None:
    session = await world.opened()
    assert "has not ended" in session.signing.refusal("QA Lead")
    with pytest.raises(StoppedError):
        await session.signing.sign("QA Lead", "Bo", "Bo Berg")


async def test_a_signature_is_bound_to_the_journal_that_was_seen(world: World) -> None:
    session = await ended(world)
    seen = session.run.head
    await session.note("one more thing")
    await session.signing.sign("QA Lead", "Bo", "Bo Berg", seen)
    signature = session.run.signoff.signatures["QA Lead"]
    assert (signature.head, signature.hash) == (seen, world.store.events[seen - 1].hash)
    assert isinstance(world.record, Kept)
    assert [(seal.what, seal.head) for seal in world.record.seals] == [("sign-off", seen)]


async def test_who_watches_signs_too_and_the_last_signature_closes_the_run(world: World) -> None:
    session = await ended(world)
    watching = await world.opened("two")
    assert not watching.driving
    await session.signing.sign("Database Admin", "Ana", "Ana Alvarez")
    assert not session.run.life.closed
    await watching.signing.sign("QA Lead", "Bo", "BB")
    assert watching.run.life.closed
    assert isinstance(world.record, Kept)
    assert world.record.published == 1
    assert [event.kind for event in world.store.events[-2:]] == [Kind.RUN_CLOSED, Kind.SEALED]
    assert world.store.events[-1].data["head"] == len(world.store.events) - 1


async def test_a_role_speaks_once_even_from_two_consoles_at_the_same_time(world: World) -> None:
    first, second = await ended(world), await world.opened("two")
    await second._recorder.catch_up()
    await first.signing.sign("QA Lead", "Ana", "Ana Alvarez")
    with pytest.raises(StoppedError, match="cannot sign"):
        await second.signing.sign("QA Lead", "Bo", "Bo Berg")
    assert len(world.store.of(Kind.SIGNED)) == 1
    assert second.run.signoff.signatures["QA Lead"].name == "Ana"


async def test_a_refusal_is_on_record_with_its_reason_and_does_not_close_by_itself(world: World) -> None:
    session = await ended(world)
    with pytest.raises(UsageError):
        await session.signing.refuse("QA Lead", "Bo", "no")
    await session.signing.refuse("QA Lead", "Bo", "nobody asked the users")
    await session.signing.sign("Database Admin", "Ana", "Ana Alvarez")
    assert not session.run.life.closed
    assert [signature.reason for signature in session.run.signoff.refused()] == ["nobody asked the users"]
    assert session.signing.closing_refusal() == ""
    await session.signing.close()
    assert session.run.life.closed


async def test_what_changes_after_a_signature_supersedes_it(world: World) -> None:
    session = await ended(world)
    await session.signing.sign("QA Lead", "Bo", "Bo Berg")
    data = {"item": "tell", "move": "reopen", "reason": "it was not so"}
    world.store.add(Draft(Kind.ITEM_MOVED, data, "one"))
    await session._recorder.catch_up()
    assert session.run.signoff.signatures == {}
    assert [signature.role for signature in session.run.signoff.superseded] == ["QA Lead"]
    await session.signing.sign("QA Lead", "Bo", "Bo Berg")
    assert "QA Lead" in session.run.signoff.signatures


async def test_a_signature_on_what_is_no_longer_so_is_refused(world: World) -> None:
    session = await ended(world)
    seen = session.run.head
    data = {"item": "tell", "move": "reopen", "reason": "it was not so"}
    world.store.add(Draft(Kind.ITEM_MOVED, data, "one"))
    with pytest.raises(StoppedError, match="changed while you were signing"):
        await session.signing.sign("QA Lead", "Bo", "Bo Berg", seen)


async def test_deferred_forced_and_regressed_are_shown_before_signing(world: World) -> None:
    session = await world.opened()
    await session.defer("tell", "users are asleep", "08:00")
    (found,) = session.signing.deviations()
    assert (found.sort.value, found.item, found.why) == ("deferred", "tell", "users are asleep (due 08:00)")


async def test_a_closed_run_takes_addenda_and_nothing_else(world: World) -> None:
    session = await ended(world)
    for role in ROLES:
        await session.signing.sign(role, "Ana", "Ana Alvarez")
    events = len(world.store.events)
    with pytest.raises(StoppedError, match="The run is closed"):
        await session.hold("wait a moment")
    with pytest.raises(StoppedError):
        await session.attest("opt")
    with pytest.raises(StoppedError, match="cannot sign"):
        await session.signing.sign("QA Lead", "Bo", "Bo Berg")
    assert len(world.store.events) == events
    await session.note("users were told at 08:05")
    assert session.run.notes[-1].text == "users were told at 08:05"
    # And it opens again, also when the server is another one by now.
    world.database.now = replace(world.database.now, oid=1)
    again = await world.opened("three")
    assert again.run.life.closed


async def test_a_report_that_cannot_be_written_undoes_no_signature(world: World) -> None:
    session = await ended(world)
    assert isinstance(world.record, Kept)
    world.record.fault = OSError(28, "No space left on device")
    for role in ROLES:
        await session.signing.sign(role, "Ana", "Ana Alvarez")
    assert session.run.life.closed
    assert "The report could not be written" in session.problem


async def test_a_read_only_console_signs_nothing(world: World) -> None:
    await ended(world)
    session = await world.opened("two", read_only=True)
    assert session.signing.refusal("QA Lead") == "this console is read-only"
    assert session.signing.closing_refusal() == "this console is read-only"
