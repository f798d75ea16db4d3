"""Rolling back on real servers: the swap and its undoing, purging, refusals, faults; what the server has in the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from migconsole.demo.server import EmbeddedServer
from migconsole.domain.rollback import Mark, parse_marker
from migconsole.domain.rollback_deeds import purge_plan, put_back_plan, swap_plan, unfence_plan
from migconsole.domain.rollback_options import options
from migconsole.domain.rollback_plan import Course, StepReport, Strategy, Verdict
from migconsole.domain.rollback_state import State
from migconsole.domain.rollback_survey import Candidate, Form, Original
from migconsole.errors import StoppedError
from tests.adapters.probes_harness import client
from tests.adapters.rollback_harness import OWNER, Scene, scene
from tests.waiting import eventually


@pytest.fixture
def armed(server: EmbeddedServer, tmp_path: Path) -> Iterator[Scene]:
    """A database with an armed restore point."""
    with scene(server, tmp_path) as made:
        made.arm()
        yield made


async def test_the_swap_and_its_undoing_and_the_swap_again(armed: Scene) -> None:
    names = armed.names
    armed.server.psql(f"COMMENT ON DATABASE \"{names.app}\" IS 'the shop'")
    original = Original(comment="the shop, as it was", settings=(f'ALTER DATABASE "{names.app}" SET jit TO off',))
    outcome = await armed.do(swap_plan, original=Original(original.comment, original.settings, known=True))
    assert (outcome.verdict, outcome.reason) == (Verdict.SWAPPED, "")
    assert outcome.outage is not None
    assert outcome.outage < 5
    assert armed.databases() == {names.app: True, names.failed: False}
    assert armed.content() == "old"
    assert armed.comment(names.app) == "the shop, as it was"
    assert armed.server.psql("SHOW jit", names.app) == "off"
    marker = parse_marker(armed.comment(names.failed))
    assert marker is not None
    assert (marker.step, marker.comment, marker.backup) == (Mark.FAILED, "the shop", "b1")

    outcome = await armed.do(put_back_plan, number="d2")
    assert outcome.verdict is Verdict.PUT_BACK
    assert armed.databases() == {names.app: True, names.side: False}
    assert armed.content() == "new"
    assert armed.comment(names.app) == "the shop"
    used = parse_marker(armed.comment(names.side))
    assert used is not None
    assert used.step is Mark.USED

    outcome = await armed.do(swap_plan, number="d3")
    assert outcome.verdict is Verdict.SWAPPED
    assert armed.content() == "old"


async def test_everything_is_on_record_before_it_is_done(armed: Scene) -> None:
    await armed.do(swap_plan)
    lines = [json.loads(line) for line in (armed.home / "state.jsonl").read_text().splitlines()]
    assert (armed.home / "state.jsonl").stat().st_mode & 0o777 == 0o600
    kinds = [line["kind"] for line in lines]
    assert kinds[0] == "rollback.started"
    assert kinds[-2:] == ["rollback.ended", "rollback.verified"]
    assert lines[-1]["data"]["proof"] == "not verified", "no manifest was at hand"
    assert lines[0]["data"]["reason"] == "it is broken"
    steps = [(line["data"]["step"], line["data"]["course"]) for line in lines[1:-2]]
    for step, course in steps:
        assert course in ("began", "done")
        assert (step, "began") in steps
    assert steps.index(("swap", "began")) < steps.index(("swap", "done"))
    told = [line["data"] for line in lines if line["data"].get("step") == "swap"]
    assert "RENAME TO" in told[0]["text"]
    assert told[1]["no_return"] is True


async def test_a_fence_without_a_swap_is_taken_back(armed: Scene) -> None:
    """The swap fails because its target name appears in between: the database is opened again."""
    names = armed.names

    def stranger(news: StepReport) -> None:
        if (news.step, news.course) == ("end-sessions", Course.DONE):
            armed.server.psql(f'CREATE DATABASE "{names.failed}"')

    outcome = await armed.do(swap_plan, report=stranger)
    assert outcome.verdict is Verdict.UNFENCED
    assert names.failed in outcome.reason
    assert armed.databases() == {names.app: True, names.side: False, names.failed: True}
    assert armed.content() == "new"


async def test_cancelling_before_the_point_of_no_return_opens_it_again(armed: Scene) -> None:
    fenced: list[bool] = []

    def report(news: StepReport) -> None:
        if (news.step, news.course) == ("fence", Course.DONE):
            fenced.append(armed.databases()[armed.names.app])

    outcome = await armed.do(swap_plan, cancelled=lambda: bool(fenced), report=report)
    assert fenced == [False]
    assert outcome.verdict is Verdict.CANCELLED
    assert armed.databases() == {armed.names.app: True, armed.names.side: False}


async def test_a_fence_that_was_left_behind_is_seen_and_opened(armed: Scene) -> None:
    armed.close(armed.names.app)
    deeds, _ = armed.deeds()
    survey = await deeds.survey()
    assert survey.situation.state is State.FENCED
    outcome = await armed.do(unfence_plan)
    assert outcome.verdict is Verdict.UNFENCED
    assert armed.databases()[armed.names.app] is True
    armed.close(armed.names.app)
    assert (await armed.do(swap_plan, number="d2")).verdict is Verdict.SWAPPED


async def test_what_still_runs_in_the_database_is_named_but_not_what_we_ask_ourselves(armed: Scene) -> None:
    url = armed.server.url(armed.names.app)
    async with client(url, "old-migrator") as left, client(url, "migconsole/1a2b/probe") as own:
        pid = left.get_server_pid()
        running = [asyncio.create_task(one.execute("SELECT pg_sleep(60)")) for one in (left, own)]
        number = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
        await eventually(lambda: armed.server.psql(f"{number} AND datname = '{armed.names.app}'") == "2")
        deeds, _ = armed.deeds()
        notes = (await deeds.survey()).notes
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    busy = [note for note in notes if "still runs" in note]
    assert len(busy) == 1
    assert busy[0].startswith(f"backend {pid} still runs")


async def test_the_second_operator_is_told_who_is_at_it(armed: Scene) -> None:
    deeds, _ = armed.deeds()
    await deeds.survey()
    first = deeds._server.operator()
    assert await first.take() is None
    try:
        survey = await deeds.survey()
        assert survey.holder is not None
        assert survey.holder.application.startswith("migconsole/")
        plan = swap_plan(survey)
        assert any("operator lock" in why for why in plan.refusals)
        with pytest.raises(StoppedError, match="not possible now"):
            await armed.do(swap_plan)
        second = deeds._server.operator()
        holder = await second.take()
        await second.close()
        assert holder is not None
        assert holder.pid == survey.holder.pid
        assert holder.age is not None
    finally:
        await first.close()
    assert (await armed.do(swap_plan)).verdict is Verdict.SWAPPED


@pytest.mark.parametrize(("step", "why"), [(Mark.VERIFIED, "cut off before it was armed"), (Mark.ARMED, "is open now")])
@pytest.mark.parametrize("fenced", [False, True])
async def test_a_side_database_that_is_not_armed_is_never_swapped_in(
    armed: Scene, step: Mark, why: str, *, fenced: bool
) -> None:
    """Its rights are perhaps not there yet, or somebody may have written in it."""
    names = armed.names
    armed.mark(names.side, step)
    armed.server.psql(f'ALTER DATABASE "{names.side}" WITH ALLOW_CONNECTIONS true')
    if fenced:
        armed.close(names.app)
    deeds, _ = armed.deeds()
    survey = await deeds.survey()
    assert survey.situation.state is (State.CLOSED if fenced else State.OPEN)
    assert any("no restore point is armed" in refusal and why in refusal for refusal in swap_plan(survey).refusals)
    beside = next(option for option in options(survey) if option.strategy is Strategy.SIDE_RESTORE)
    assert beside.why_not == ("no backup is at hand (o names one, or --backup DIR)",), "which makes it anew"
    with pytest.raises(StoppedError, match="not possible now"):
        await armed.do(swap_plan)
    assert armed.content() == "new" if not fenced else armed.databases() == {names.app: False, names.side: True}
    if fenced:
        assert (await armed.do(unfence_plan)).verdict is Verdict.UNFENCED


async def test_a_side_database_that_is_opened_after_the_look_stops_the_swap(armed: Scene) -> None:
    names = armed.names

    def stranger(news: StepReport) -> None:
        if (news.step, news.course) == ("end-sessions", Course.DONE):
            armed.server.psql(f'ALTER DATABASE "{names.side}" WITH ALLOW_CONNECTIONS true')

    outcome = await armed.do(swap_plan, report=stranger)
    assert outcome.verdict is Verdict.UNFENCED
    assert f"{names.side} is open to connections" in outcome.reason
    assert armed.content() == "new"


async def test_purging_demands_that_nobody_uses_it(armed: Scene) -> None:
    names = armed.names
    await armed.do(swap_plan)
    deeds, _ = armed.deeds()
    plan = purge_plan(await deeds.survey(), names.failed)
    assert plan.confirm == f"{names.failed}@{armed.server.host}:{armed.server.port}"
    assert plan.dated[:2] == "20"
    outcome = await armed.do(lambda survey: purge_plan(survey, names.failed), number="d2")
    assert outcome.verdict is Verdict.PURGED
    assert armed.databases() == {names.app: True}


async def test_only_what_is_ours_is_purged(armed: Scene) -> None:
    names = armed.names
    armed.server.psql(f'CREATE DATABASE "{names.failed}"')
    deeds, _ = armed.deeds()
    survey = await deeds.survey()
    assert survey.situation.state is State.FOREIGN
    assert any("marker" in why for why in purge_plan(survey, names.failed).refusals)
    assert any("marker" in why or "somebody else" in why for why in swap_plan(survey).refusals)
    assert any("never" in why or "marker" in why for why in purge_plan(survey, names.app).refusals)


async def test_a_stranger_renamed_the_database(armed: Scene) -> None:
    names = armed.names
    armed.server.psql(f'ALTER DATABASE "{names.app}" RENAME TO "{names.failed}"')
    armed.mark(names.failed, Mark.FAILED)
    deeds, _ = armed.deeds()
    survey = await deeds.survey()
    assert survey.situation.state is State.MISSING
    assert len(survey.situation.repairs) == 2
    for statement in survey.situation.repairs[:1]:
        armed.server.psql(statement)
    assert armed.content() == "new"


def test_the_command_line_without_a_run(armed: Scene) -> None:
    names = armed.names
    shown = armed.run("rollback")
    assert shown.returncode == 3, shown.stderr
    assert f"--confirm {armed.place}" in shown.stdout
    assert "POINT OF NO RETURN" in shown.stdout
    assert "RENAME TO" in shown.stdout
    assert armed.content() == "new"
    assert armed.run("rollback", "--plan").returncode == 0
    wrong = armed.run("rollback", "--reason", "broken", "--confirm", f"other@{armed.server.host}:1")
    assert wrong.returncode == 3
    assert armed.content() == "new"
    done = armed.run("rollback", "--reason", "broken", "--confirm", armed.place, "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(done.stdout)
    assert data["outcome"]["verdict"] == "swapped"
    assert data["outcome"]["outage"] < 5
    assert armed.content() == "old"
    again = armed.run("rollback", "--reason", "broken", "--confirm", armed.place)
    assert again.returncode == 0
    assert "Already swapped" in again.stdout
    back = armed.run("put-back", "--reason", "it was the proxy", "--confirm", armed.place)
    assert back.returncode == 0, back.stdout + back.stderr
    assert armed.content() == "new"
    refused = armed.run("purge", "--confirm", f"{names.failed}@{armed.server.host}:{armed.server.port}")
    assert refused.returncode == 3
    side = f"{names.side}@{armed.server.host}:{armed.server.port}"
    dated = parse_marker(armed.comment(names.side))
    assert dated is not None
    half = armed.run("purge", "--what", "side", "--confirm", side)
    assert half.returncode == 3
    assert f"--dated {dated.at[:10]}" in half.stdout
    gone = armed.run("purge", "--what", "side", "--confirm", side, "--dated", dated.at[:10])
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert armed.databases() == {names.app: True}
    assert OWNER[:8] in next(iter((armed.home / "rollbacks").iterdir())).name


async def test_a_backup_that_one_can_go_back_to_says_how_old_it_is(armed: Scene) -> None:
    moment = armed.server.psql("SELECT now() - interval '1 hour'")
    position = armed.server.psql("SELECT pg_current_wal_lsn()")
    backup = Candidate(Form.BACKUP, "/backups/b9", "armed", "b9", moment, position)
    snapshot = Candidate(Form.SNAPSHOT, "pgBackRest", "verified", "s1", "last night")
    deeds, _ = armed.deeds(candidates=(backup, snapshot))
    survey = await deeds.survey()
    _, aged, other = survey.points
    assert aged.age == pytest.approx(3600, abs=60)
    assert aged.wal is not None
    assert aged.wal >= 0
    assert other == snapshot, "when another tool made it is what a person wrote"
