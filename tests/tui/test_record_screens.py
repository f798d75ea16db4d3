"""Signing off, instruction mode and the timeline's kinds, by keyboard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual import events

from migconsole.domain.events import Kind
from migconsole.domain.items import ItemState
from migconsole.domain.occasions import Occasion
from migconsole.tui.screens.dialogs.base import ChoiceDialog, Dialog, FormDialog
from migconsole.tui.screens.dialogs.confirm import ConfirmDialog
from migconsole.tui.screens.dialogs.tell import TellDialog
from migconsole.tui.screens.sign_off import SignOffScreen
from migconsole.tui.screens.timeline import TimelineScreen
from tests.tui.driving import SIZE, Console, console
from tests.tui.fakes import HOSTILE, World

ROLES = ("Database Admin", "DevOps Lead", "QA Lead")


def signed(world: World, role: str, name: str, text: str = "", reason: str = "") -> None:
    head = world.journal.events[-1]
    data = {"role": role, "name": name, "signature": text, "reason": reason, "head": head.seq, "hash": head.hash}
    world.journal.put(Kind.SIGNED, data, name)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A run that has ended, with deviations that stand."""
    world = World(tmp_path)
    world.list = replace(world.list, roles=ROLES)
    world.half_way()
    world.ended("apply", "failed", 2, duration=192.0, exit_code=3, reasons=["exit 3, expected 0"])
    world.moved("apply", "force", reason="applied by hand on the primary")
    world.moved("disk", "accept", reason="looked at by the storage team")
    world.journal.put(Kind.RUN_ENDED, {"ending": "completed"})
    return world


async def open_sign_off(c: Console) -> SignOffScreen:
    await c.press("S")
    return await c.shown(SignOffScreen)


@pytest.mark.parametrize("size", [(80, 24), SIZE, (200, 60)])
async def test_deviations_are_shown_before_anybody_signs(world: World, size: tuple[int, int]) -> None:
    async with console(world, size) as c:
        await open_sign_off(c)
        text = c.text()
        assert text.index("forced") < text.index("accepted with issues") < text.index("Database Admin")
        assert "applied by hand on the primary" in text
        assert text.count("not signed") == 3
        head = world.journal.events[-1]
        assert f"on journal {head.seq}, {head.hash[:16]}" in text


async def test_a_signature_is_typed_and_the_last_one_closes_the_run(world: World) -> None:
    signed(world, "DevOps Lead", "Bo Berg", "BB")
    signed(world, "QA Lead", "Cy Chen", "Cy Chen")
    async with console(world) as c:
        await open_sign_off(c)
        await c.press("s")
        dialog = await c.shown(FormDialog)
        assert "Database Admin" in c.text()
        assert "1 forced" in c.text()
        await c.press("enter", "enter")
        assert c.app.screen is dialog, "without a signature nothing is signed"
        await c.type("Ana Alvarez")
        await c.press("enter")
        await c.gone(FormDialog)
        assert c.app.session is not None
        session = c.app.session
        await c.until(lambda: session.run.life.closed)
        assert [s.text for s in session.run.signoff.signatures.values()] == ["BB", "Cy Chen", "Ana Alvarez"]
        await c.until(lambda: "closed" in c.text())
        await c.press("s")
        assert "the run is closed" in c.status


async def test_a_refusal_needs_a_reason_and_closing_is_then_asked_for(world: World) -> None:
    signed(world, "Database Admin", "Ana", "AA")
    signed(world, "DevOps Lead", "Bo Berg", "BB")
    async with console(world) as c:
        await open_sign_off(c)
        await c.press("C")
        assert "not signed yet: QA Lead" in c.status
        await c.press("j", "j", "x")
        await c.shown(FormDialog)
        await c.press("tab")
        await c.type("nobody asked the users")
        await c.press("enter")
        await c.gone(FormDialog)
        await c.until(lambda: "refused: nobody asked the users" in c.text())
        await c.press("C")
        await c.shown(ChoiceDialog)
        await c.press("enter")
        await c.gone(ChoiceDialog)
        assert c.app.session is not None
        assert not c.app.session.run.life.closed, "enter takes the harmless answer"
        await c.press("C")
        await c.shown(ChoiceDialog)
        await c.press("y")
        session = c.app.session
        await c.until(lambda: session.run.life.closed)


async def test_nobody_signs_while_the_run_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.list = replace(world.list, roles=ROLES)
    async with console(world) as c:
        await open_sign_off(c)
        assert "the run has not ended" in c.status
        await c.press("s")
        assert isinstance(c.app.screen, SignOffScreen)


async def test_the_sign_off_ends_a_run_by_the_same_question_as_the_main_screen(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.list = replace(world.list, roles=ROLES)
    async with console(world) as c:
        await open_sign_off(c)
        await c.press("E")
        await c.shown(ChoiceDialog)
        text = c.text()
        assert "completed" in text
        assert "rolled back" in text
        await c.press("a")
        await c.shown(FormDialog)
        await c.press("tab")
        await c.type("the change was withdrawn")
        await c.press("enter")
        session = c.main.session
        await c.until(lambda: session.run.ending == "abandoned")
        assert session.run.life.reason == "the change was withdrawn"
        await c.until(lambda: "the run has not ended" not in c.text())
        assert isinstance(c.app.screen, SignOffScreen)


async def test_hostile_names_and_reasons_are_only_text(world: World) -> None:
    signed(world, "QA Lead", HOSTILE, "", HOSTILE)
    async with console(world) as c:
        await open_sign_off(c)
        assert "[red]broken" in c.text()
        assert "\x1b]0" not in c.text()


# -- the timeline ------------------------------------------------------------------------------------------------------


async def test_the_timeline_goes_through_its_kinds_and_filters_by_person_and_item(world: World) -> None:
    signed(world, "QA Lead", "Cy Chen", "Cy Chen")
    async with console(world) as c:
        await c.press("t")
        await c.shown(TimelineScreen)
        assert "Timeline · everything" in c.text()
        await c.press("tab")
        text = c.text()
        assert "Timeline · deviations" in text
        assert "forced" in text
        assert "the table was left over" not in text
        await c.press("tab", "tab", "tab")
        assert "Timeline · notes · 1 of" in c.text()
        await c.press("tab", "tab")
        assert "Timeline · seals and signatures" in c.text()
        assert "signed: Cy Chen as QA Lead" in c.text()
        await c.press("tab", "slash")
        await c.type("by:cy")
        await c.press("enter")
        assert "1 of" in c.text()


async def test_an_event_opens_its_evidence_whatever_it_is(world: World) -> None:
    signed(world, "QA Lead", "Cy Chen", "Cy Chen")
    rows = [{"pid": 4711, "waits_for": 1}]
    data = {"alarm": 1, "change": "raised", "probe": "lock_tree", "level": "critical", "message": "3 wait"}
    world.journal.put(Kind.ALARM, {**data, "evidence": rows}, "watcher")
    async with console(world) as c:
        await c.press("t")
        await c.shown(TimelineScreen)
        await c.press(*["tab"] * 5, "enter")
        await c.shown(Dialog)
        assert "pid 4711  waits_for 1" in c.text()
        await c.press("escape", "tab", "enter")
        await c.shown(Dialog)
        assert "the journal still holds it" in c.text()


async def only_kind(c: Console, kind: str) -> None:
    """Filter the timeline down to a kind of event, and open the first of it."""
    await c.press("slash")
    await c.type(f"kind:{kind}")
    await c.press("enter", "home", "enter")
    await c.shown(Dialog)


@pytest.mark.parametrize("result", ["", "delivered", "failed"])
async def test_a_message_shows_its_text_and_what_became_of_it(world: World, result: str) -> None:
    sent = {"message": "hold:3:0", "occasion": "hold", "to": "${chat}", "title": "T", "text": "on hold (Bo): wait"}
    world.journal.put(Kind.NOTIFYING, {**sent, "head": 1, "hash": world.journal.events[0].hash}, "watcher")
    if result:
        world.journal.put(Kind.NOTIFIED, {"message": "hold:3:0", "result": result, "detail": "503 no"}, "watcher")
    async with console(world) as c:
        await c.press("t")
        await c.shown(TimelineScreen)
        await only_kind(c, "notification.intended")
        assert "on hold (Bo): wait" in c.text()
        assert (f"{result} " if result else "nobody has told what became of it") in c.text()


async def test_what_was_sensed_shows_why_and_its_lines(world: World) -> None:
    seen = {"item": "cache", "verdict": "failed", "reasons": ["two are missing"], "lines": ["orders | no index"]}
    world.journal.put(Kind.ITEM_SENSED, seen, "watcher")
    async with console(world) as c:
        await c.press("t")
        await c.shown(TimelineScreen)
        await only_kind(c, "item.sensed")
        text = c.text()
        assert text.index("two are missing") < text.index("orders | no index") < text.index('"verdict"')


# -- instruction mode --------------------------------------------------------------------------------------------------


async def by_hand(c: Console) -> TellDialog:
    await c.press("I")
    assert "INSTRUCTION MODE: nothing runs" in c.text()
    await c.go("cache")
    await c.press("r")
    await c.shown(ConfirmDialog)
    await c.press("y")
    return await c.shown(TellDialog)


async def test_in_instruction_mode_nothing_runs_and_what_is_told_is_attested(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await by_hand(c)
        assert c.state("cache") is ItemState.RUNNING
        assert (tmp_path / "clipboard.txt").read_text().strip() == c.app.session.run.record("cache").attempts[0].text  # type: ignore[union-attr]
        await c.type("0")
        await c.press("tab")
        await c.type("on db1")
        await c.press("tab")
        c.app.post_message(events.Paste("OK\n\x1b]0;owned\x07done"))
        await c.pilot.pause()
        await c.press("ctrl+s")
        await c.until(lambda: c.state("cache") is ItemState.ATTESTED)
        assert world.jobs.alive == set()
        assert c.app.session is not None
        attempt = c.app.session.run.record("cache").attempts[0]
        assert (attempt.by_hand, attempt.exit_code, attempt.outcome) == (True, 0, "asks")
        assert (tmp_path / "jobs" / "cache" / "1" / "output.log").read_text() == "OK\ndone\n"
        assert c.app.session.run.record("cache").note == "on db1"


async def test_an_exit_that_is_not_zero_fails_and_none_is_unknown(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        await by_hand(c)
        await c.press("ctrl+s")
        await c.until(lambda: c.state("cache") is ItemState.INTERRUPTED)
        await c.press("r")
        await c.shown(ConfirmDialog)
        await c.press("y")
        await c.shown(TellDialog)
        await c.type("1")
        await c.press("ctrl+s")
        await c.until(lambda: c.state("cache") is ItemState.FAILED)


async def test_what_is_done_by_hand_stays_open_until_somebody_tells(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with console(world) as c:
        await by_hand(c)
        await c.press("escape")
        await c.gone(TellDialog)
        assert c.state("cache") is ItemState.RUNNING
        assert c.app.session is not None
        assert await c.app.session._attempts.adopt({}) == [], "no console takes it over"
        await c.press("r")
        await c.shown(TellDialog)


async def test_what_is_urgent_is_said(tmp_path: Path) -> None:
    async with console(World(tmp_path)) as c:
        c.app.ring(Occasion("failed", "failed:1", f"failed: {HOSTILE}"))
        await c.pilot.pause()
        assert c.status.startswith("failed: ")
        assert "failed: failed:" not in c.status
